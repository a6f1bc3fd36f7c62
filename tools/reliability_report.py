"""Run the kills and the tests of the promises, and write docs/reliability.md from what they say.

python tools/reliability_report.py
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"
sys.path.insert(0, str(TESTS / "support"))

from promises import FILES, FOUND, PROMISES  # noqa: E402

PAGE = HERE.parent / "docs" / "reliability.md"
KILLS = ("runner", "worker", "compare")
HEAD = """# Reliability

Written by `make reliability` from the output of the tests; what is promised and what is not is
explained in [promises.md](promises.md). A case is one call of a test: a parameter, or an example
that hypothesis made. Skipped cases need what this machine lacks.

"""


class Case(NamedTuple):
    """What one test of pytest's report came to."""

    name: str
    cases: int
    outcome: str


def kill(counts):
    """Kill at random moments; the lines that say what became of each."""
    command = [sys.executable, str(HERE / "reliability.py")]
    for name, count in zip(KILLS, counts, strict=True):
        command += [f"--{name}", str(count)]
    command += ["--cells", "100", "--parameterizations", "unordered,ordered"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise SystemExit("a kill lost something")
    return json.loads(lines[-1])


def run_tests(place):
    """Run the test files and read pytest's own report of them."""
    report = place / "report.xml"
    files = [str(TESTS / name) for name in FILES]
    chosen = ["-p", "count_cases", "-q", "--junitxml", str(report), "-k", "not same_table"]
    environment = {**os.environ, "THOROUGH": "1", "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-m", "pytest", *chosen, "-n", "2", "--dist", "loadfile", *files]
    subprocess.run(command, cwd=HERE.parent, env=environment, check=False)
    return [case_of(node) for node in ElementTree.parse(report).iter("testcase")]


def case_of(node):
    file = f"{node.get('classname').rpartition('.')[2]}.py"
    function = re.sub(r"\[.*", "", node.get("name"), flags=re.DOTALL)
    examples = [one.get("value") for one in node.iter("property") if one.get("name") == "examples"]
    kinds = {child.tag for child in node}
    outcome = "failed" if kinds & {"failure", "error"} else "passed"
    outcome = "skipped" if "skipped" in kinds else outcome
    return Case(f"{file}::{function}", int(examples[0]) if examples else 1, outcome)


def matching(promise, cases):
    return [one for one in cases if any(fnmatch(one.name, test) for test in promise.tests)]


def total(cases, outcome):
    return sum(case.cases for case in cases if case.outcome == outcome)


def table_of_promises(cases):
    yield "| subject | promise | tests | cases tried | failed | skipped |"
    yield "|---|---|---|---|---|---|"
    for promise in PROMISES:
        found = matching(promise, cases)
        tests = len({case.name for case in found})
        tried = total(found, "passed") + total(found, "failed")
        failed, skipped = total(found, "failed"), total(found, "skipped")
        cells = (promise.subject, promise.sentence, tests, f"{tried:,}", failed, skipped)
        yield f"| {' | '.join(map(str, cells))} |"


def page(kills, cases):
    """The whole page."""
    killed = Counter({name: kills[name] for name in KILLS})
    tried = total(cases, "passed") + total(cases, "failed")
    hostile = [case for case in cases if case.name.startswith("test_hostile.py")]
    lines = [
        f"**Kills** (SIGKILL at random moments): {killed.total()}, of which {killed['runner']} of "
        f"a run, {killed['worker']} of one of its workers and {killed['compare']} of a comparison; "
        f"finished work lost or left different: {kills['lost']}.",
        "",
        f"**Tests**: {tried:,} cases of {len({case.name for case in cases})} tests, "
        f"{total(cases, 'failed')} failed, {total(cases, 'skipped')} skipped; hostile and odd "
        f"input is {total(hostile, 'passed') + total(hostile, 'failed'):,} of the cases.",
        "",
        "## Promises",
        "",
        *table_of_promises(cases),
        "",
        "## Failures found and fixed",
        "",
        "| failure | the test that would find it again | it now |",
        "|---|---|---|",
    ]
    for found in FOUND:
        now = {case.outcome for case in cases if case.name == found.test}
        word = "passes" if now and now <= {"passed"} else ", ".join(sorted(now)) or "is missing"
        lines.append(f"| {found.sentence} | `{found.test}` | {word} |")
    return HEAD + "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, nargs=3, default=(24, 10, 16), metavar=KILLS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        cases = run_tests(Path(place))
    kills = kill(chosen.kills)
    PAGE.write_text(page(kills, cases), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(HERE.parent)}")
    if total(cases, "failed"):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
