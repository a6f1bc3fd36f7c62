"""A conda channel for linux-64 that holds what requirements.lock holds, as an index only.

Names are those of conda-forge. Dependencies are those of the installed wheels, because they are
what can be read without a network: conda-forge's recipes may have others.
"""

import json
import re
import sys
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, canonicalize_version
from project_files import PYTHON, TARGET, conda_name, locked

MINOR = int(PYTHON.partition(".")[2])
PYTHONS = [f"3.{minor}" for minor in (MINOR - 1, MINOR, MINOR + 1)]
# conda-forge builds against this one and later ones; wheels of other systems name none
LOWEST_GLIBC = (2, 17)


def stated(name, extras=()):
    """Requirements of an installed package, and of these extras of it, that hold on the target."""
    environments = [{**TARGET, "extra": extra} for extra in ("", *extras)]
    for requirement in map(Requirement, metadata.requires(name) or ()):
        if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
            yield requirement


def dependencies(name, extras=()):
    """The same, and what the extras in them bring, since packages of conda have no extras."""
    for requirement in stated(name, extras):
        yield requirement
        if requirement.extras:
            plain = set(stated(requirement.name))
            brought = dependencies(requirement.name, requirement.extras)
            yield from (other for other in brought if other not in plain)


def closure(names):
    """Normalised names of these packages and of all that they need, with the extras they name."""
    found, left = set(), set(names)
    while left:
        name = left.pop()
        found.add(name)
        left |= {canonicalize_name(needed.name) for needed in dependencies(name)} - found
    return found


def unlike_the_lock():
    """What differs between this environment and the lock for the target, in words."""
    differs = [] if sys.version_info[1] == MINOR else [f"Python is not {PYTHON}"]
    for name, version in locked().items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "missing"
        if installed != version:
            differs.append(f"{name} is {installed}, not {version}")
    return differs


def spec(requirement):
    """A requirement as conda writes it, with "1.0b2" for "1.0.beta2"."""
    bounds = sorted(
        bound.operator + canonicalize_version(bound.version, strip_trailing_zero=False)
        for bound in requirement.specifier
    )
    return f"{conda_name(requirement.name)} {','.join(bounds)}".strip()


def record(name, version, depends=(), build="pyhd_0", subdir="noarch", **more):
    """One package of the index."""
    return {
        "name": name, "version": version, "build": build, "build_number": 0,
        "depends": list(depends), "subdir": subdir, **more,
    }  # fmt: skip


def from_on(glibc):
    """This version of the C library and later ones."""
    return f">={glibc[0]}.{glibc[1]},<3.0.a0"


def of_python(version):
    """Python, and the package that ties compiled packages to it."""
    tag = f"cp{version.replace('.', '')}"
    needs = [f"python_abi {version}.* *_{tag}", f"__glibc {from_on(LOWEST_GLIBC)}"]
    yield record("python", f"{version}.0", needs, f"0_{tag}", "linux-64")
    tied = [f"python {version}.* *_{tag}"]
    yield record("python_abi", version, build=f"0_{tag}", constrains=tied)


def of_wheel(name, version):
    """An installed package: pure ones are noarch, others need a C library and perhaps a Python."""
    installed = metadata.distribution(name)
    tags = re.findall(r"^Tag: (\S+)$", installed.read_text("WHEEL"), flags=re.MULTILINE)
    needs = sorted(map(spec, dependencies(name)))
    needs.append(f"python {installed.metadata.get('Requires-Python', '')}".strip())
    if all(tag.endswith("-any") for tag in tags):
        return record(conda_name(name), version, needs)
    glibc = [tuple(map(int, found)) for found in re.findall(r"linux_(\d+)_(\d+)", " ".join(tags))]
    needs.append(f"__glibc {from_on(max(LOWEST_GLIBC, min(glibc, default=LOWEST_GLIBC)))}")
    tag = f"cp{PYTHON.replace('.', '')}"
    if any(f"-{tag}-" in one for one in tags):
        needs.append(f"python_abi {PYTHON}.* *_{tag}")
    return record(conda_name(name), version, needs, f"{tag}_0", "linux-64")


def of_the_lock(names):
    """Records of these packages at their locked versions, of pip, and of three Pythons."""
    versions = locked()
    yield from (of_wheel(name, versions[name]) for name in sorted(names))
    yield record("pip", metadata.version("pip"), ["python"])  # the lock holds no pip
    for version in PYTHONS:
        yield from of_python(version)


def just_outside(found):
    """Records right below and at the bounds of requirements, that nothing else speaks against."""
    for name, requirement in found.items():
        for bound in requirement.specifier:
            version = {">=": f"{bound.version}.dev0", "<": bound.version}[bound.operator]
            yield record(conda_name(name), version)


def write(folder, records):
    """Write the index of every subfolder of a channel."""
    for subdir in ("linux-64", "noarch"):
        packages = {
            f"{one['name']}-{one['version']}-{one['build']}.conda": one
            for one in records
            if one["subdir"] == subdir
        }
        index = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": packages}
        (folder / subdir).mkdir(parents=True)
        (folder / subdir / "repodata.json").write_text(json.dumps(index), encoding="utf-8")
    return folder
