"""environment.yml and pixi.toml are solved, as far as that goes without a network.

The channel is an index written here, of the locked versions under conda-forge's names. So what is
shown: each line can be read, its range admits the locked version and nothing just outside it, and
all lines together have a solution. What conda-forge itself holds is not known here.
"""

import sys
from pathlib import Path

import conda_channel
import pytest
from conda_solve import SYSTEM, solve
from project_files import (
    NOT_ON_CONDA_FORGE,
    PIXI,
    PYTHON,
    ROOT,
    conda_name,
    conda_requirements,
    locked,
    requirements,
)

NEEDED = {
    name: requirement
    for name, requirement in requirements("test", "lint", "build", "docs", "mutants").items()
    if name not in NOT_ON_CONDA_FORGE
}
LINES = dict(conda_requirements()[0])


def lines(**changed):
    """The lines of environment.yml, with some of the ranges changed."""
    return [f"{name}{bounds}" for name, bounds in {**LINES, **changed}.items()]


@pytest.fixture(scope="module")
def packages():
    """Names of all that the project needs for every use, installed here as locked."""
    differs = conda_channel.unlike_the_lock()
    made_by_make = Path(sys.prefix).resolve() == (ROOT / ".venv").resolve()
    if differs and not (made_by_make and sys.version_info[1] == conda_channel.MINOR):
        pytest.skip(f"dependencies are read from wheels as locked, and here {differs[0]}")
    assert not differs, "the environment that make has set up is not as locked"
    return conda_channel.closure(NEEDED)


@pytest.fixture(scope="module")
def channel(packages, tmp_path_factory):
    records = list(conda_channel.of_the_lock(packages))
    return conda_channel.write(tmp_path_factory.mktemp("locked"), records)


@pytest.fixture(scope="module")
def tempting(packages, tmp_path_factory):
    """The same, and of every requirement what is just outside its range."""
    records = [*conda_channel.of_the_lock(packages), *conda_channel.just_outside(NEEDED)]
    return conda_channel.write(tmp_path_factory.mktemp("tempting"), records)


def as_locked(names):
    """Versions of these and of all that they need, as locked, and of Python."""
    versions = locked()
    expected = {conda_name(name): versions[name] for name in conda_channel.closure(names)}
    return {**expected, "python": f"{PYTHON}.0", "python_abi": PYTHON}


def test_what_the_wheels_state_is_what_the_lock_holds(packages):
    groups = ("test", "lint", "build", "docs", "mutants", "accessibility")
    assert conda_channel.closure(requirements(*groups)) == set(locked())


@pytest.mark.parametrize("strategy", ["highest", "lowest"])
def test_the_environment_is_solved_to_the_locked_versions(tempting, strategy):
    (solution,) = solve(tempting, [lines()], strategy=strategy)
    assert isinstance(solution, dict), solution
    assert solution.pop("pip")
    assert solution == as_locked([*requirements("test"), "setuptools"])


@pytest.mark.parametrize("strategy", ["highest", "lowest"])
def test_each_line_alone_admits_the_locked_version_and_none_outside(tempting, strategy):
    expected = as_locked([*requirements("test"), "setuptools"])
    alone = {name: f"{name}{bounds}" for name, bounds in LINES.items() if name != "pip"}
    solutions = solve(tempting, [[line] for line in alone.values()], strategy=strategy)
    found = {name: solution[name] for name, solution in zip(alone, solutions, strict=True)}
    assert found == {name: expected[name] for name in alone}


def test_pixi_is_solved_to_the_locked_versions(tempting):
    tables = [PIXI, *(PIXI["feature"][name] for name in PIXI["environments"]["default"])]
    specs = {name: text for table in tables for name, text in table["dependencies"].items()}
    (solution,) = solve(tempting, [[f"{name} {text}" for name, text in specs.items()]])
    assert solution == as_locked(NEEDED)


def test_a_wrong_name_in_any_line_fails_and_is_named(channel):
    problems = [
        [f"{name}-of-no-channel{bounds}", *(line for line in lines() if line != f"{name}{bounds}")]
        for name, bounds in LINES.items()
    ]
    for name, error in zip(LINES, solve(channel, problems), strict=True):
        assert f"No candidates were found for {name}-of-no-channel" in error


def test_an_impossible_range_in_any_line_fails_and_is_named(channel):
    (versions,) = solve(channel, [lines()])
    above = {name: f">{versions[name]}" for name in LINES if name != "python"}
    problems = [lines(**{name: bounds}) for name, bounds in above.items()]
    for (name, bounds), error in zip(above.items(), solve(channel, problems), strict=True):
        assert f"No candidates were found for {name} {bounds}" in error


def test_a_range_that_another_line_forbids_fails_and_names_both(tempting):
    (error,) = solve(tempting, [lines(pytensor=">=4")])
    assert "pytensor >=4" in error and "pymc" in error


def test_an_older_c_library_than_the_packages_need_fails_and_is_named(channel):
    (error,) = solve(channel, [lines()], system={**SYSTEM, "__glibc": "2.12"})
    assert "__glibc >=2." in error and "no candidates were found" in error


def test_another_python_than_that_of_the_compiled_packages_fails(channel):
    for other in conda_channel.PYTHONS:
        (answer,) = solve(channel, [lines(python=f"={other}")])
        assert isinstance(answer, dict) == (other == PYTHON), answer
