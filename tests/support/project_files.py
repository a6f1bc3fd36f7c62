"""What pyproject.toml, environment.yml, pixi.toml and requirements.lock ask for."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIXI = tomllib.loads((ROOT / "pixi.toml").read_text(encoding="utf-8"))
PYTHON = (ROOT / ".python-version").read_text(encoding="utf-8").strip()

# Where conda-forge calls a package otherwise, as its recipes have it.
CONDA_NAME = {
    "build": "python-build",
    "dask": "dask-core",
    "librt": "python-librt",
    "matplotlib": "matplotlib-base",
    "msgpack": "msgpack-python",
    "mypy-extensions": "mypy_extensions",
    "typing-extensions": "typing_extensions",
    "tzdata": "python-tzdata",
}
NOT_ON_CONDA_FORGE = {"cosmic-ray"}

# Where the solved packages are to run, as markers in requirements name it.
TARGET = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": f"{PYTHON}.0",
    "python_version": PYTHON,
    "sys_platform": "linux",
}


def conda_name(name):
    """What conda-forge calls a package of PyPI."""
    return CONDA_NAME.get(canonicalize_name(name), canonicalize_name(name))


def requirements(*extras):
    """Requirements of the project, and of these extras, by their normalised names."""
    project = PROJECT["project"]
    lines = [*project["dependencies"]]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    parsed = map(Requirement, lines)
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def ranges(found):
    """conda-forge's name -> bounds of each of these requirements."""
    return {
        conda_name(name): {str(bound) for bound in requirement.specifier}
        for name, requirement in found.items()
    }


def conda_requirements():
    """Names and ranges in environment.yml, and what pip is to install there."""
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    listed = lines[lines.index("dependencies:") + 1 :]
    entries = [line.strip().removeprefix("- ") for line in listed]
    end = entries.index("pip:")
    parts = [re.fullmatch(r"([\w.-]+)(.*)", entry).groups() for entry in entries[:end]]
    return parts, entries[end + 1 :]


def lock_lines():
    """Every line of the lock that is not a hash: ``name==version ; marker``."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace(" \\\n", "\n")
    return [line for line in text.splitlines() if not line.startswith(("    --hash=", "#"))]


def locked(environment=TARGET):
    """Name -> version of every package that the lock holds for an environment."""
    lines = map(Requirement, lock_lines())
    held = [line for line in lines if line.marker is None or line.marker.evaluate(environment)]
    versions = {line.name: str(line.specifier).removeprefix("==") for line in held}
    assert len(versions) == len(held), "requirements.lock has two versions of one package"
    return versions
