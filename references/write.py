"""Write the files of the references from the runs of references/certify.py, and check them all.

python references/write.py --missing                   # names of what has no reference yet
python references/write.py results/references/*        # write those of these runs, check all
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from ordered_mix.engine.outcome import load_result
from ordered_mix.engine.run import load_study
from ordered_mix.references.certificate import certificate
from ordered_mix.references.definition import FOLDER
from ordered_mix.references.exact import exact
from ordered_mix.references.posteriors import definitions
from ordered_mix.references.reference import load_reference
from ordered_mix.references.writing import RUNS, write


def missing(folder: Path = FOLDER) -> list[str]:
    """Names of the definitions that have no file, or one of another definition."""
    found = []
    for name, one in definitions().items():
        there = (folder / "posteriors" / f"{name}.json").exists()
        if not there or load_reference(name, folder).definition.as_json() != one.as_json():
            found.append(name)
    return found


def check(folder: Path = FOLDER) -> list[str]:
    """Names of those whose certificate, computed anew from the runs, does not hold."""
    runs, denied = pd.read_parquet(folder / RUNS), []
    for name in sorted(set(definitions()) - set(missing(folder))):
        found = load_reference(name, folder)
        again = certificate(runs[runs["posterior"] == name], exact(found.definition))
        denied += [] if again["holds"] else [name]
        error = max(one["error"] / one["sd"] for one in found.values.values())
        print(f"{name:32} {'holds' if again['holds'] else 'DENIED'}, "
              f"smallest p {again['smallest_p']:.2g}, largest error {error:.3f} sd")  # fmt: skip
    return denied


def main() -> int:
    """Status 1 if a certificate does not hold or a posterior is without reference."""
    if sys.argv[1:] == ["--missing"]:
        print("\n".join(missing()))
        return 0
    study = load_study(str(FOLDER / "certify.py"))
    for path in sys.argv[1:]:
        write(load_result(study, Path(path)), definitions(), FOLDER)
    denied, left = check(), missing()
    print(f"denied: {', '.join(denied) or 'none'}; without runs: {', '.join(left) or 'none'}")
    return int(bool(denied or left))


if __name__ == "__main__":
    raise SystemExit(main())
