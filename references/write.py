"""Write the files of the references from the runs of references/certify.py, and check them.

python references/write.py results/references
"""

from __future__ import annotations

import sys
from pathlib import Path

from ordered_mix.engine.outcome import load_result
from ordered_mix.engine.run import load_study
from ordered_mix.references.definition import FOLDER
from ordered_mix.references.posteriors import definitions
from ordered_mix.references.reference import load_reference
from ordered_mix.references.writing import write


def main() -> int:
    """Status 1 if a certificate does not hold."""
    result = load_result(load_study(str(FOLDER / "certify.py")), Path(sys.argv[1]))
    denied = []
    for name in write(result, definitions(), FOLDER):
        found = load_reference(name)
        holds = found.content["certificate"]["holds"]
        denied += [] if holds else [name]
        error = max(one["error"] / one["sd"] for one in found.values.values())
        smallest = found.content["certificate"]["smallest_p"]
        print(f"{name:32} {'holds' if holds else 'DENIED'}, smallest p {smallest:.2g}, "
              f"largest error {error:.3f} sd")  # fmt: skip
    missing = sorted(set(definitions()) - {path.stem for path in FOLDER.glob("posteriors/*.json")})
    print(f"denied: {', '.join(denied) or 'none'}; without runs: {', '.join(missing) or 'none'}")
    return int(bool(denied or missing))


if __name__ == "__main__":
    raise SystemExit(main())
