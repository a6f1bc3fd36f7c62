"""The project files agree with each other, and imports go downward only."""

import ast
import fnmatch
import re
import sys
from importlib import metadata

import promises
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from project_files import (
    PROJECT,
    PYTHON,
    ROOT,
    conda_requirements,
    lock_lines,
    ranges,
    requirements,
)

SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = {name: ROOT / path for name, path in SETUPTOOLS["package-dir"].items()}

# Lowest first. A module imports only from floors below its own, or from its own package.
FLOORS = (
    {"arrays", "errors", "normal"},
    {"datasets", "distributions", "files", "mixture", "shown"},
    {"data"},
    {"prior"},
    {"models", "multivariate"},
    {"passes"},
    {"stream"},
    {"parameterization"},
    {"draws", "estimators"},
    {"optima", "samplers"},
    {"theory"},
    {"fitted"},
    {"compare", "study"},
    {"engine"},
    {"studies", "report", "references"},
    {""},  # the package itself, with the public names
    {"cli"},
)
DOOR = ("ordered_mix.shown", "ordered_mix.report")  # from results to the report, once
FLOOR_OF = {unit: number for number, units in enumerate(FLOORS) for unit in units}
MODELS_MAY_IMPORT = {"numpy", "pymc", "pytensor"}
MODELS_MAY_USE = {"distributions", "prior"}
IMPORT_NAME = {"scikit-learn": "sklearn"}
COMES_WITH = {
    "dask": "distributed", "jax": "numpyro", "llvmlite": "numba", "markupsafe": "jinja2",
}  # fmt: skip


def library_files():
    """(dotted module name, path) of every module that the wheel holds."""
    for name, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            dotted = ".".join((name, *parts))
            yield dotted.removesuffix(".__init__"), path


LIBRARY = dict(library_files())
MODULES = pytest.mark.parametrize("module", sorted(LIBRARY))


def unit_of(module):
    """The part of a dotted name that has a floor: ``ordered_mix.report.page`` -> ``report``."""
    return (*module.split("."), "")[1]


class Imports(ast.NodeVisitor):
    """Modules that a file imports, wherever in it, for annotations, too."""

    def __init__(self, module, path):
        self.module, self.found = module, []
        is_package = path.name == "__init__.py"
        self.package = module if is_package else module.rpartition(".")[0]
        self.visit(ast.parse(path.read_text(encoding="utf-8")))

    def visit_Import(self, node):
        self.found += [name.name for name in node.names]

    def visit_ImportFrom(self, node):
        parents = self.package.split(".")
        above = parents[: len(parents) - node.level + 1] if node.level else []
        base = ".".join([*above, *filter(None, [node.module])])
        if base in {"importlib", "ordered_mix"}:
            names = [name.name for name in node.names if name.name != "__version__"]
            self.found += [f"{base}.{name}" for name in names]
        else:
            self.found.append(base)


def imported(module):
    """Dotted names that a module imports."""
    return Imports(module, LIBRARY[module]).found


def test_every_package_is_listed():
    held = {
        ".".join((name, *path.relative_to(folder).parts[:-1]))
        for name, folder in FOLDERS.items()
        for path in folder.rglob("*.py")
    }
    assert held == set(SETUPTOOLS["packages"])


def test_every_data_file_is_packaged():
    patterns = SETUPTOOLS["package-data"]
    for name, folder in FOLDERS.items():
        for path in folder.rglob("*"):
            if path.is_dir() or path.suffix == ".py" or "__pycache__" in path.parts:
                continue
            if path.is_relative_to(ROOT / "studies" / "results"):
                continue  # published, but no part of the wheel
            home = next(one for one in path.parents if (one / "__init__.py").exists())
            package = ".".join((name, *home.relative_to(folder).parts))
            inside = path.relative_to(home).as_posix()
            matches = [fnmatch.fnmatch(inside, p) for p in patterns.get(package, [])]
            assert any(matches), f"{path.relative_to(ROOT)} would be missing from the wheel"


@MODULES
def test_imports_go_downward_only(module):
    unit = unit_of(module)
    assert unit in FLOOR_OF, f"{module} has no floor in this file"
    for name in imported(module):
        if name.split(".")[0] != "ordered_mix" or unit_of(name) == unit or (module, name) == DOOR:
            continue
        assert unit_of(name) in FLOOR_OF, f"{module} imports {name}, which has no floor"
        assert FLOOR_OF[unit_of(name)] < FLOOR_OF[unit], f"{module} imports {name}"


@MODULES
def test_third_party_imports_are_requirements(module):
    optional = requirements("slurm", "peers")
    names = {IMPORT_NAME.get(name, name.replace("-", "_")) for name in optional}
    allowed = names | {"ordered_mix"} | set(sys.stdlib_module_names)
    for name in imported(module):
        top = name.split(".")[0]
        assert COMES_WITH.get(top, top) in allowed, f"{module} imports {name}"


@MODULES
def test_models_and_studies_are_found_by_name_only(module):
    statically = [name for name in imported(module) if unit_of(name) in {"models", "studies"}]
    assert not statically
    if module not in {"ordered_mix", "ordered_mix.parameterization.catalog"}:
        by_name = {"importlib", "importlib.import_module", "importlib.util"}
        assert not by_name & set(imported(module)), f"{module} imports by name, as catalog does"


def test_no_result_can_be_changed():
    open_in_arviz = {"ELPDData", "ELPDDataLOO"}
    for _, path in library_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            bases = set(map(ast.unparse, getattr(node, "bases", ())))
            if isinstance(node, ast.ClassDef) and not open_in_arviz & bases:
                made = [ast.unparse(item) for item in node.decorator_list]
                made = [text for text in made if text.startswith("dataclass")]
                assert all("frozen=True" in text for text in made), (path, node.name)


@pytest.mark.parametrize("path", sorted(FOLDERS["ordered_mix.models"].glob("*.py")), ids=str)
def test_a_model_file_imports_little(path):
    module = "ordered_mix.models" + f".{path.stem}".replace(".__init__", "")
    for name in imported(module):
        top = name.split(".")[0]
        ours = top == "ordered_mix" and unit_of(name) in MODELS_MAY_USE
        assert ours or top in MODELS_MAY_IMPORT | set(sys.stdlib_module_names), name


def test_environment_has_the_ranges_of_pyproject():
    conda, by_pip = conda_requirements()
    conda = {name: set(filter(None, bounds.split(","))) for name, bounds in conda}
    assert conda.pop("python") == {f"={PYTHON}"}
    assert conda.pop("pip") == set()
    assert conda.pop("setuptools") == {">=77"}
    assert conda == ranges(requirements("test"))
    assert by_pip == ["-e ."]


def test_lock_has_versions_and_hashes_only():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    hashes = re.findall(r"^    --hash=(.*?)(?: \\)?$", text, flags=re.MULTILINE)
    assert len(hashes) > len(lock_lines()) > 0
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes)
    assert not re.search(r"://|@|index-url|find-links|^-|[^\w ]/", text, flags=re.MULTILINE)
    for line in lock_lines():
        assert re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.!+]+( ; .*)?", line), line


def test_lock_holds_every_requirement_within_its_range():
    locked = list(map(Requirement, lock_lines()))
    for name, requirement in requirements("test", "lint", "build").items():
        pins = [str(line.specifier).removeprefix("==") for line in locked if line.name == name]
        assert pins, f"{name} is not in requirements.lock: run `make lock`"
        for version in pins:
            assert version in requirement.specifier, f"{name} is out of range: run `make lock`"


def test_every_requirement_has_a_lower_bound():
    for name, requirement in requirements("test", "lint", "build").items():
        assert any(bound.operator == ">=" for bound in requirement.specifier), name


def test_citation_and_package_have_one_version():
    attribute = re.search(
        r'^__version__ = "(.+)"$', LIBRARY["ordered_mix"].read_text(), flags=re.MULTILINE
    )
    citation = re.search(
        r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), flags=re.MULTILINE
    )
    assert attribute[1] == citation[1]


def test_every_promise_has_tests_and_every_failure_its_own():
    functions = {
        f"{name}::{node.name}"
        for name in promises.FILES
        for node in ast.walk(ast.parse((ROOT / "tests" / name).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert {found.test for found in promises.FOUND} <= functions
    for promise in promises.PROMISES:
        idle = [one for one in promise.tests if not fnmatch.filter(functions, one)]
        assert not idle, promise.sentence


def test_extras_that_locked_packages_ask_for_are_locked():
    """pip of 2023 takes ``coverage[toml]>=7`` for another package than a locked ``coverage``."""
    held = {line.name: line.extras for line in map(Requirement, lock_lines())}
    for name in held:
        try:
            asked = [Requirement(text) for text in metadata.requires(name) or ()]
        except metadata.PackageNotFoundError:
            continue  # of another Python or system
        for one in asked:
            if one.extras and (one.marker is None or one.marker.evaluate({"extra": ""})):
                assert one.extras <= held[canonicalize_name(one.name)], (name, str(one))
