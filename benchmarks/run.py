"""Run every benchmark of this folder and write their tables to results.md.

    python benchmarks/run.py [--quick]

Speeds are compared side by side in one run of one machine; absolute figures mean little elsewhere.
"""

import argparse
import os
import platform
import subprocess
import sys
from datetime import date
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent
LIBRARIES = ("numpy", "scipy", "numba", "pytensor", "pymc", "nutpie", "scikit-learn")


def machine() -> str:
    """The processor, its cores and the versions that were measured."""
    model = platform.processor() or platform.machine()
    for line in _lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    installed = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    cores = os.cpu_count()
    return f"{model}, {cores} cores, Python {platform.python_version()}, {installed}"


def main() -> None:
    """Run each benchmark in a process of its own and collect what it prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, few repeats")
    parser.add_argument("--out", type=Path, default=FOLDER / "results.md")
    options = parser.parse_args()
    sys.path.insert(0, str(FOLDER))
    parts = ["# Benchmarks", "", f"Measured on {date.today()}: {machine()}.", ""]
    for path in sorted(FOLDER.glob("bench_*.py")):
        title = (import_module(path.stem).__doc__ or path.stem).strip().splitlines()[0]
        print(f"{path.name} ...", file=sys.stderr)
        command = [sys.executable, str(path), *(["--quick"] if options.quick else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        output = done.stdout if done.returncode == 0 else f"Failed:\n\n{done.stderr[-2000:]}"
        parts += [f"## {title}", "", f"`python benchmarks/{path.name}`", "", output.strip(), ""]
    options.out.write_text("\n".join(parts))
    print(options.out)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


if __name__ == "__main__":
    main()
