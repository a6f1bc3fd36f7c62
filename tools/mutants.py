"""How many random changes of the code the tests notice.

    make coverage                # which tests run which lines, and how long each test takes
    make mutants                 # draw 200 changes, run the tests of each, write tools/mutants.md
    make mutants ARGS=--again    # after work on the tests: try those that survived once more

Each change is made in a copy of the repository with an environment of its own.
Tests that run the changed line come first, then the others of their files (they may read what a
fixture computed there), then those of other files that run the module; among these, a file with
the module's name comes first, then the fastest, until they take BUDGET seconds together: a change
that only the rest would notice counts as survived. Tests younger than the recording always run.
Tests that take a minute and three times as long as usual have noticed. At the end, the tests that
noticed something must pass on the unchanged copy. A run that was stopped continues where it was.
Works where processes can fork.
"""

import argparse
import gc
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from coverage import CoverageData
from mutants_draw import PARTS, ROOT, change, draw
from mutants_table import write_table

RECORDED, WORK = ROOT / "results" / "coverage", ROOT / "results" / "mutants"
BUDGET = 6.0  # seconds of tests for each change
OUT_OF_TIME = (None, -signal.SIGXCPU, -signal.SIGKILL)
PLAIN = ["-q", "-p", "no:cacheprovider"]


class Recording:
    """What `make coverage` left: which tests run which lines, and their seconds."""

    def __init__(self):
        self.data = CoverageData(basename=RECORDED / "data")
        self.data.read()
        self.seconds = {}
        for case in ElementTree.parse(RECORDED / "tests.xml").iter("testcase"):
            test = f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}"
            failed = {child.tag for child in case} & {"failure", "error"}
            self.seconds[test] = float("inf") if failed else float(case.get("time"))

    def tests(self, path, line, collected):
        """Tests to run for a changed line, file by file, and the seconds that they took."""
        [file] = [file for file in self.data.measured_files() if Path(file).match(path)]
        contexts = self.data.contexts_by_lineno(file)
        of_line = {context.split("|")[0] for context in contexts.get(line, ())}
        of_module = {context.split("|")[0] for found in contexts.values() for context in found}
        near, far = (set(map(file_of, found - {""})) for found in (of_line, of_module))

        stem = Path(path).stem.strip("_")

        def rank(test):
            known = test not in of_line, file_of(test) not in near
            return *known, stem not in file_of(test), self.seconds[test]

        chosen, total = [test for test in collected if test not in self.seconds], 0.0
        possible = [test for test in collected if test in self.seconds and file_of(test) in far]
        for test in sorted(possible, key=rank):
            if total + self.seconds[test] <= BUDGET:
                chosen.append(test)
                total += self.seconds[test]
        files = list(dict.fromkeys(map(file_of, chosen)))
        return sorted(chosen, key=lambda test: files.index(file_of(test))), total


def file_of(test):
    return test.split("::")[0]


class Reporter:
    """A plugin of pytest that writes down what was collected, and what failed."""

    def __init__(self, file):
        self.file = file

    def pytest_collection_finish(self, session):
        if session.config.option.collectonly:
            self.file.write_text("\n".join(item.nodeid for item in session.items))

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.file.write_text(report.nodeid)


def fork_pytest(arguments, limit):
    """Exit code of pytest in a fork of this process, limited in seconds of CPU, and its report."""
    report, output = WORK / "report.txt", WORK / "output.txt"
    report.write_text("")
    if (child := os.fork()) == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        import pytest

        os._exit(int(pytest.main([*PLAIN, *arguments], plugins=[Reporter(report)])))
    code, end = None, time.monotonic() + 10 * limit
    while code is None and time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if ended else time.sleep(0.05)
    try:
        os.killpg(child, signal.SIGKILL)  # also what a test left behind
    except ProcessLookupError:
        pass
    if code is None:
        os.waitpid(child, 0)
    return code, report.read_text()


def run_tests(tests, limit):
    (WORK / "tests.txt").write_text("\n".join(tests))
    return fork_pytest(["-x", f"@{WORK / 'tests.txt'}"], limit) if tests else (0, "")


def attempt(mutant, copy, recording, collected):
    """Make a change in the copy, run its tests, and take it back."""
    tests, seconds = recording.tests(mutant["path"], mutant["line"], collected)
    _, after = change(mutant["path"], mutant["operator"], mutant["occurrence"])
    file, kept, start = copy / mutant["path"], WORK / "unchanged", time.monotonic()
    shutil.copy2(file, kept)
    file.write_text(after, encoding="utf-8")
    try:
        code, failed = run_tests(tests, round(60 + 3 * seconds))
    finally:
        shutil.copy2(kept, file)
    reason = "time limit" if code in OUT_OF_TIME else f"exit code {code}"
    by = "" if code == 0 else failed or reason
    taken = round(time.monotonic() - start, 1)
    return {**mutant, "tests": len(tests), "seconds": taken, "killed": code != 0, "by": by}


def results():
    """Results so far, by their change."""
    found, file = defaultdict(list), WORK / "results.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        found[key(json.loads(line))].append(json.loads(line))
    return found


def key(mutant):
    return json.dumps([mutant["path"], mutant["line"], mutant["operator"], mutant["diff"]])


def prepare():
    """Do once what takes every process seconds, and needs nothing that is changed."""
    import arviz, hypothesis, matplotlib.pyplot, nutpie, pymc, pytensor, sklearn.mixture, zarr  # noqa: E401, F401, I001

    x = pytensor.tensor.dvector()
    pytensor.function([x], pytensor.tensor.exp(x).sum())([1.0])
    parts = tuple(part.removesuffix(".py").replace("/", ".") for part in PARTS)
    if early := [name for name in sys.modules if name.startswith(parts)]:
        raise SystemExit(f"imported before it is changed: {early}")
    gc.freeze()


def work(copy, again):
    """Try the changes, one after the other, in forks of this process."""
    os.chdir(copy)
    warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # their modules would be rewritten each time
    drawn, known, recording = json.loads((WORK / "drawn.json").read_text()), results(), Recording()
    collected = dict.fromkeys(fork_pytest(["--collect-only"], 900)[1].splitlines())
    # a change can leave time and size of a file as they were
    sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
    prepare()
    survived = [one for one in drawn if known[key(one)] and not known[key(one)][-1]["killed"]]
    todo = survived if again else [one for one in drawn if not known[key(one)]]
    for count, mutant in enumerate(todo, 1):
        result = attempt(mutant, copy, recording, collected)
        with (WORK / "results.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        what = f"killed by {result['by']}" if result["killed"] else "survived"
        print(f"{count}/{len(todo)} {mutant['path']}:{mutant['line']} {what}", flush=True)
    killers = {found[-1]["by"] for found in results().values()} & set(collected)
    code, failed = run_tests(sorted(killers), 3600)
    if code != 0:
        raise SystemExit(f"Without any change, these tests fail as well: {failed or code}")


def environment(copy):
    """Copy the repository, and set up an environment where it takes the original's place."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for path in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
        if (ROOT / path).is_file():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, copy / path)
    for compiled in ROOT.glob("ordered_mix/**/__pycache__/*.nb[ci]"):
        (copy / compiled.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        shutil.copy2(compiled, copy / compiled.relative_to(ROOT))
    run = {"cwd": copy, "check": True, "timeout": 600}
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], **run)
    python = copy / ".venv" / "bin" / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.check_output([python, "-c", where], text=True).strip())
    outer = [path for path in sys.path if path.endswith("-packages")]
    (packages / "outer.pth").write_text("\n".join(outer))  # their own .pth files do not count
    flags = ["--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([python, "-m", "pip", "install", *flags, "--editable", "."], **run)
    subprocess.run([python, "-m", "compileall", "-q", "ordered_mix", "models", "studies"], **run)
    return python


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=200, help="changes to draw")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--again", action="store_true", help="try survivors once more")
    parser.add_argument("--table", action="store_true", help="write the table only")
    parser.add_argument("--copy", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.copy:
        return work(chosen.copy, chosen.again)
    WORK.mkdir(parents=True, exist_ok=True)
    drawn = draw(chosen.number, chosen.seed)
    (WORK / "drawn.json").write_text(json.dumps(drawn))
    if not chosen.table:
        with tempfile.TemporaryDirectory() as folder:
            python = environment(Path(folder))
            again = ["--again"] if chosen.again else []
            command = [python, __file__, "--copy", folder, *again]
            subprocess.run(command, check=True)
    found = results()
    return write_table([found[key(one)] for one in drawn], ROOT / "tools", chosen.seed)


if __name__ == "__main__":
    main()
