"""pixi.toml says what pyproject.toml, environment.yml and the Makefile say."""

import os
import re
import shlex
import shutil
import subprocess

import pytest
from project_files import NOT_ON_CONDA_FORGE, PIXI, PYTHON, ROOT, ranges, requirements

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z-]+):.*##", MAKEFILE, flags=re.MULTILINE)
NO_TASK = {
    "help": "pixi has `pixi task list`",
    "test-lowest": "an environment of its own, by another solver",
    "conda-test": "solving and trying an environment is what pixi does for every task",
    "lock": "it is the lock of pip; that of pixi would hold addresses",
}
TASKS = PIXI["tasks"]


def bounds(table):
    """Name -> set of bounds of a table of dependencies."""
    return {name: set(text.split(",")) for name, text in table.items()}


def test_ranges_are_those_of_pyproject():
    dependencies = bounds(PIXI["dependencies"])
    assert dependencies.pop("python") == {f"{PYTHON}.*"}
    assert dependencies == ranges(requirements())
    assert PIXI["pypi-dependencies"] == {"ordered_mix": {"path": ".", "editable": True}}


@pytest.mark.parametrize("extra", PIXI["environments"]["default"])
def test_ranges_of_a_feature_are_those_of_the_extra(extra):
    feature = PIXI["feature"][extra]
    added = {name: one for name, one in requirements(extra).items() if name not in requirements()}
    by_pip = {name: added.pop(name) for name in NOT_ON_CONDA_FORGE & set(added)}
    assert bounds(feature["dependencies"]) == ranges(added)
    assert bounds(feature.get("pypi-dependencies", {})) == ranges(by_pip)


def test_every_feature_is_in_the_environment_and_the_channel_is_the_same():
    assert set(PIXI["environments"]["default"]) == set(PIXI["feature"])
    yml = (ROOT / "environment.yml").read_text(encoding="utf-8")
    channels = re.findall(r"^  - (.*)$", yml.partition("dependencies:")[0], flags=re.MULTILINE)
    assert PIXI["workspace"]["channels"] == [name for name in channels if name != "nodefaults"]


def test_every_target_has_a_task_or_a_reason_why_not():
    assert set(TASKS) == set(TARGETS) - set(NO_TASK)
    assert set(NO_TASK) < set(TARGETS)
    assert all(task["description"] for task in TASKS.values())


def commands(text):
    """(variables, words) of every command, apart from what only tells or names environments."""
    found = []
    for line in re.split(r" && |\n", text.replace("\\\n", "").strip()):
        words = shlex.split(line)
        count = next(at for at, word in enumerate(words) if not re.match(r"[A-Z_]+=", word))
        if words[count] != "echo":
            kept = [word for word in words[count:] if not re.fullmatch(r"\.venv(-\w+)?", word)]
            found.append((dict(word.split("=", 1) for word in words[:count]), kept))
    return found


def made(target):
    """What make would run for a target, in the environment that is active."""
    ours = ("DATA", "NAME", "ARGS", "JOBS", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "PYTHON")
    plain = {name: value for name, value in os.environ.items() if name not in ours}
    there = ["-o", ".venv/.installed", "-o", "results/coverage/data"]
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", *there, target],
        cwd=ROOT, env=plain, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return commands(done.stdout.replace(".venv/bin/", ""))


def run_by_pixi(task):
    """What pixi would run for a task without arguments."""
    text = task["cmd"]
    for argument in task.get("args", ()):
        text = text.replace("{{ %s }}" % argument["arg"], argument["default"])  # noqa: UP031
    assert "{{" not in text
    return commands(text)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_task_runs_what_its_target_runs(name):
    by_make, by_pixi = made(name), run_by_pixi(TASKS[name])
    assert [words for _, words in by_pixi] == [words for _, words in by_make]
    variables = {key: value for given, _ in by_make for key, value in given.items()}
    if "PYTENSOR_FLAGS" in variables:
        variables["PYTENSOR_FLAGS"] = "base_compiledir=$PIXI_PROJECT_ROOT/.pixi/pytensor"
    assert TASKS[name].get("env", {}) == variables
