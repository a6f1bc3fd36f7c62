"""Run what makes the references that are missing, write them, and check them all.

python references/build.py                             # interrupted, it resumes
python references/build.py --dask tcp://HOST:8786      # with options of `ordered-mix run`
"""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run

from write import missing

PLACE = "results/references"


def main() -> int:
    """Status of the first command that fails, 0 if none does."""
    python = [sys.executable]
    command = str(Path(sys.executable).with_name("ordered-mix"))
    certify = [command, "run", "references/certify.py", *sys.argv[1:]]
    for name in missing():
        place = f"{PLACE}/{name}"
        status = run([*certify, "--set", f"posterior={name}", "--out", place]).returncode
        if status:
            return status
        run([*python, "references/write.py", place])  # others are still without reference
    return run([*python, "references/write.py"]).returncode


if __name__ == "__main__":
    raise SystemExit(main())
