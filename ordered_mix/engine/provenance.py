"""Where results come from: versions, git state, hardware, command line, and how seeds are made."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from ordered_mix import __version__
from ordered_mix.engine.folder import code_digest
from ordered_mix.study.definition import Study

PACKAGES = (
    "arviz", "dask", "distributed", "numba", "numpy", "nutpie", "pandas", "pyarrow", "pymc",
    "pytensor", "scipy",
)  # fmt: skip
VARIABLES = (
    "MKL_NUM_THREADS", "NUMBA_CPU_NAME", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "SLURM_JOB_NUM_NODES",
)  # fmt: skip
SEEDS = (
    "first 63 bits of the SHA-256 of the JSON of [study, and experiment if it has another name, "
    "sorted factor names and values]"
)


def provenance(study: Study, size: str, overrides: dict[str, list[Any]]) -> dict[str, Any]:
    """What is known about a run before it begins.

    It is made to be published: of the environment it names only the variables listed in
    ``VARIABLES``, of absolute paths in the command line the last part, and no host.
    """
    return {
        "study": study.name,
        "code": code_digest(study),
        "size": size,
        "overrides": overrides,
        "seeds": SEEDS,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join([Path(sys.argv[0]).name, *map(_without_place, sys.argv[1:])]),
        "versions": _versions(),
        "git": _git(),
        "lock": _lock(),
        "hardware": _hardware(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _without_place(word: str) -> str:
    """A word of the command line that names no folder of this machine and no address."""
    option, equals, value = word.rpartition("=")
    if re.search(r"://|^[\w.-]+:\d+$", value):
        value = "ADDRESS"
    elif Path(value).is_absolute():
        value = Path(value).name
    return f"{option}{equals}{value}"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "ordered_mix": __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _root() -> Path:
    return Path(__file__).resolve().parents[2]


def _git() -> dict[str, Any] | None:
    """Commit of the checkout the package runs from, and whether files but results differ."""
    if not (_root() / ".git").exists():
        return None
    commit = _run_git("rev-parse", "HEAD")
    changes = _run_git("status", "--porcelain", "--", ".", ":(exclude)studies/results")
    if commit is None or changes is None:
        return None
    return {"commit": commit.strip(), "changed": bool(changes.strip())}


def _run_git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(_root()), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _lock() -> str | None:
    try:
        return sha256((_root() / "requirements.lock").read_bytes()).hexdigest()
    except OSError:
        return None


def _hardware() -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
