"""Judge the published results in studies/results/ again, and write everything that repeats them.

Their tables are taken as they are; written are the verdicts and the report beside each table,
docs/findings.md, and the table in README.md.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ordered_mix.engine.outcome import load_result, write_verdicts
from ordered_mix.engine.run import load_study
from ordered_mix.report.figures.interval import claimed_in_words, reach_in_words, with_unit
from ordered_mix.report.of_study import headline
from ordered_mix.report.page import write_report
from ordered_mix.report.study_setup import command, last_run
from ordered_mix.study.claims import FAILS, HOLDS, UNDECIDED
from ordered_mix.study.result import StudyResult

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "studies" / "results"
PAGE, README = ROOT / "docs" / "findings.md", ROOT / "README.md"
BEGIN, END = "<!-- studies: written by `make findings` -->", "<!-- end of studies -->"


def published() -> list[str]:
    """Names of the studies whose results are published."""
    return sorted(path.parent.name for path in RESULTS.glob("*/verdicts.json"))


def results() -> list[StudyResult]:
    """The published results, their claims judged again."""
    return [load_result(load_study(name), RESULTS / name) for name in published()]


def page(found: Sequence[StudyResult]) -> str:
    """The text of docs/findings.md: every claim of every study."""
    head = """# Findings of the studies

    Written by `make findings` from the tables in `studies/results/`. A claim *holds* or *fails*
    only if the interval of its effect lies wholly on one side of the margin, which was fixed
    before the study was run; otherwise it is *undecided*. What is deterministic has no interval:
    its *numerical reach* is how far off the computation may be. *After Holm* is the verdict
    corrected for the number of claims of the study that are tested together: the chance that any
    of those is wrong is at most 5%.
    """
    return "\n".join([inspect.cleandoc(head), *map(section, found)])


def section(result: StudyResult) -> str:
    """One study: its question, its findings, its verdicts and the command."""
    name, run = result.study.name, last_run(result)
    rows = [
        "| claim | verdict | after Holm | effect | numerical reach | claimed | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for verdict in result.verdicts:
        claim, effect = verdict.claim, verdict.effect
        measured = with_unit(effect, claim) if effect else verdict.reason
        cells = [claim.statement, f"**{verdict.outcome}**", verdict.after_holm or ""]
        cells += [measured, reach_in_words(effect), claimed_in_words(claim), claim.source]
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    report = f"[Report](../studies/results/{name}/report.html), by `{command(result, run)}`."
    paragraphs = [f"\n## {name}", result.study.question, result.study.findings(result),
                  "\n".join(rows), report]  # fmt: skip
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def table(found: Sequence[StudyResult]) -> str:
    """The table of README.md: one row for each study."""
    rows = ["| study | question | claims | |", "|---|---|---|---|"]
    for result in found:
        name = result.study.name
        links = f"[report](studies/results/{name}/report.html), [claims](docs/findings.md#{name})"
        cells = [f"`{name}`", result.study.question, headline(result.verdicts), links]
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(rows)


def totals(found: Sequence[StudyResult]) -> str:
    """How many claims hold, fail and are undecided, over all studies."""
    counts = Counter(verdict.outcome for result in found for verdict in result.verdicts)
    return (
        f"Of {counts.total()} claims in {len(found)} studies {counts[HOLDS]} hold, "
        f"{counts[FAILS]} fail and {counts[UNDECIDED]} are undecided."
    )


def readme(text: str, found: Sequence[StudyResult]) -> str:
    """The text of README.md with what stands between its markers written anew."""
    begin, _, rest = text.partition(BEGIN)
    written = f"{totals(found)}\n\n{table(found)}"
    return f"{begin}{BEGIN}\n\n{written}\n\n{END}{rest.partition(END)[2]}"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", r"\|")


def main() -> None:
    """Write all of it."""
    found = results()
    for result in found:
        write_verdicts(result)
        for problem in write_report(result):
            print(f"{result.study.name}: {problem}", file=sys.stderr)
    PAGE.write_text(page(found), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8"), found), encoding="utf-8")
    outcomes = Counter(verdict.outcome for result in found for verdict in result.verdicts)
    print(f"{PAGE.relative_to(ROOT)} and {README.name}: {len(found)} studies, {dict(outcomes)}")


if __name__ == "__main__":
    main()
