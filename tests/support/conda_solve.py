"""Requirements solved with py-rattler, the solver of pixi, against a channel on the disk.

In a process of its own, which ends without the interpreter's last steps: while these run, a thread
of py-rattler may still be working, and the process then crashes (one run in 25 here).
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

# Given and not asked of the machine, so that the answer is the same on every one.
SYSTEM = {"__unix": "0", "__linux": "5.14", "__glibc": "2.28"}


def solve(channel, problems, **options):
    """For each list of requirements the versions by name, or in words why there are none."""
    asked = {"channel": str(channel), "problems": problems, "system": SYSTEM, **options}
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(asked), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def answers(channel, problems, system, strategy="highest"):
    import rattler  # nowhere but in the process of its own
    from rattler.exceptions import SolverError

    conda_forge = rattler.Channel("conda-forge")
    found = [
        rattler.SparseRepoData(conda_forge, path.parent.name, path)
        for path in sorted(Path(channel).glob("*/repodata.json"))
    ]
    build = getattr(rattler, "BuildString", str)("0")  # a plain string before py-rattler 0.28
    virtual = [
        rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), build)
        for name, version in system.items()
    ]
    solved = []
    for specs in problems:
        try:
            records = await rattler.solve_with_sparse_repodata(
                [rattler.MatchSpec(spec, strict=True) for spec in specs], found,
                virtual_packages=virtual, strategy=strategy,
            )  # fmt: skip
            solved.append({one.name.normalized: str(one.version) for one in records})
        except SolverError as error:
            solved.append(str(error))
    return solved


if __name__ == "__main__":
    print(json.dumps(asyncio.run(answers(**json.load(sys.stdin)))), flush=True)
    os._exit(0)
