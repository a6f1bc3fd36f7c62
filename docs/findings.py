"""Judge the published results in studies/results/ again, and write everything that repeats them.

Their tables are taken as they are; written are the verdicts and the report beside each table,
docs/findings.md (answers), docs/claims.md (all claims), docs/changes.md (what became of the claims
in docs/claims_before.csv, and those in docs/claims_dropped.csv), and the table in README.md.
"""

from __future__ import annotations

import csv
import inspect
import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ordered_mix.engine.outcome import load_result, write_verdicts
from ordered_mix.engine.run import load_study
from ordered_mix.report.figures.interval import claimed_in_words, reach_in_words, with_unit
from ordered_mix.report.of_study import headline
from ordered_mix.report.page import write_report
from ordered_mix.report.study_setup import command, last_run
from ordered_mix.report.tables.table import MINUS
from ordered_mix.study.claims import FAILS, HOLDS, UNDECIDED, Verdict
from ordered_mix.study.result import StudyResult
from ordered_mix.study.sentences import answer, chief, findings

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "studies" / "results"
PAGE, README = ROOT / "docs" / "findings.md", ROOT / "README.md"
CLAIMS, CHANGES = ROOT / "docs" / "claims.md", ROOT / "docs" / "changes.md"
BEFORE = ROOT / "docs" / "claims_before.csv"
DROPPED = ROOT / "docs" / "claims_dropped.csv"
BEGIN, END = "<!-- studies: written by `make findings` -->", "<!-- end of studies -->"


def published() -> list[str]:
    """Names of the studies whose results are published."""
    return sorted(path.parent.name for path in RESULTS.glob("*/verdicts.json"))


def results() -> list[StudyResult]:
    """The published results, their claims judged again."""
    return [load_result(load_study(name), RESULTS / name) for name in published()]


def page(found: Sequence[StudyResult]) -> str:
    """The text of docs/findings.md: the answers of the studies and their chief findings."""
    head = f"""# Findings of the studies

    Written by `make findings` from the tables in `studies/results/`: the answer of each study to
    its question, and its chief findings. A sentence is chosen by the verdict on a claim and carries
    its number with a 95% interval. [All claims](claims.md) are on a page of their own, and so is
    [what changed](changes.md) since claims were first published. {totals(found)}
    """
    return "\n".join([inspect.cleandoc(head), *map(answers, found)])


def answers(result: StudyResult) -> str:
    """One study: its question, its answer and its chief findings."""
    name = result.study.name
    links = f"[Report](../studies/results/{name}/report.html), [claims](claims.md#{name})."
    told = _dashed(answer(result) or headline(result.verdicts))
    points = "\n".join(f"- {_dashed(one)}" for one in chief(result))
    return "\n\n".join(filter(None, [f"\n## {name}", f"*{result.study.question}*", told, points,
                                     links])) + "\n"  # fmt: skip


def claims_page(found: Sequence[StudyResult]) -> str:
    """The text of docs/claims.md: every claim of every study."""
    head = """# All claims

    Written by `make findings` from the tables in `studies/results/`. A claim *holds* or *fails*
    only if the interval of its effect lies wholly on one side of the margin, which was fixed
    before the study was run; otherwise it is *undecided*. What is deterministic has no interval:
    its *numerical reach* is how far off the computation may be. *After Holm* is the verdict
    corrected for the number of claims of the study that are tested together: the chance that any
    of those is wrong is at most 5%.
    """
    return "\n".join([inspect.cleandoc(head), *map(section, found), undecided(found)])


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
    paragraphs = [f"\n## {name}", result.study.question, findings(result),
                  "\n".join(rows), report]  # fmt: skip
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def undecided(found: Sequence[StudyResult]) -> str:
    """What would decide the claims that are undecided."""
    rows = [
        "| study | claim | effect | claimed | why, and what would decide it |",
        "|---|---|---|---|---|",
    ]
    for result in found:
        for verdict in result.verdicts:
            if verdict.outcome == UNDECIDED:
                effect = with_unit(verdict.effect, verdict.claim) if verdict.effect else ""
                cells = [result.study.name, verdict.claim.name, effect]
                cells += [claimed_in_words(verdict.claim), needed(verdict)]
                rows.append(f"| {' | '.join(map(_cell, cells))} |")
    text = """
    ## Undecided

    The interval holds the margin. How many observations would decide, should the estimate stay
    where it is, follows from the length of the interval towards the margin, which shrinks like one
    over the root of their number. Sizes are fixed before a study is run: more of them means another
    run with seeds of its own, not a longer one of these.
    """
    return "\n".join([inspect.cleandoc(text), "", *rows, ""])


def needed(verdict: Verdict) -> str:
    """Why a verdict is undecided, in a sentence."""
    effect, claim = verdict.effect, verdict.claim
    if effect is None:
        return verdict.reason
    if effect.reach is not None:
        return "The computation is not precise enough: a finer grid decides it."
    ends = (
        {claim.margin} if claim.direction in ("above", "below") else {-claim.margin, claim.margin}
    )
    margin = min(ends, key=lambda end: abs(end - effect.estimate))
    towards = effect.high if margin > effect.estimate else effect.low
    distance = abs(margin - effect.estimate)
    ratio = (abs(towards - effect.estimate) / distance) ** 2 if distance else math.inf
    if not math.isfinite(ratio) or ratio > 100:
        return (
            f"The estimate is at the margin: more than {100 * effect.observations:,} observations."
        )
    if ratio <= 1:
        return f"The intervals of all parts do not clear the margin at {effect.observations:,}."
    about = math.ceil(effect.observations * ratio)
    return f"About {about:,} observations in place of {effect.observations:,}."


def changes_page(found: Sequence[StudyResult]) -> str:
    """The text of docs/changes.md: what became of every claim that was published first."""
    with BEFORE.open(encoding="utf-8", newline="") as file:
        before = list(csv.DictReader(file))
    now = {(r.study.name, v.claim.name): v.outcome for r in found for v in r.verdicts}
    known = {(row["study"], row["claim"]) for row in before}
    rows = ["| study | claim | before | now | why |", "|---|---|---|---|---|"]
    for row in before:
        outcome = now.get((row["study"], row["claim"])) or _moved(row["claim"], now)
        restated = row["why"] and row["study"] in {study for study, _ in now}
        if outcome != row["outcome"] or restated:
            cells = [row["study"], row["claim"], row["outcome"], outcome, row["why"]]
            rows.append(f"| {' | '.join(map(_cell, cells))} |")
    old = {row["study"] for row in before}
    for (study, claim), outcome in now.items():
        if (study, claim) not in known and study in old:
            rows.append(f"| {' | '.join(map(_cell, [study, claim, '', outcome, 'new']))} |")
    new = sorted({study for study, _ in now} - old)
    first, second = (Counter(outcomes) for outcomes in
                     ((row["outcome"] for row in before), now.values()))  # fmt: skip
    counts = [f"| {word} | {first[word]} | {second[word]} |" for word in (HOLDS, FAILS, UNDECIDED)]
    text = f"""# What changed

    Written by `make findings`. What changed is what is claimed, how it is measured, and for most
    studies the draws: they were run again with today's code and seeds of their own, at the sizes
    they had; the report of each says when, and from which commit. Margins and claims that are new
    here were chosen after the first tables had been seen: where a study was run again since, its
    verdicts are of data that were not. A study that asked two things is two studies now.
    New studies: {", ".join(new) or "none"}.

    | verdict | before | now |
    |---|---|---|
    """
    end = f"| together | {first.total()} | {second.total()} |"
    lines = [
        inspect.cleandoc(text),
        *counts,
        end,
        "",
        "Claims that were restated, dropped or added:",
    ]
    return "\n".join([*lines, "", *rows, "", dropped()])


def dropped() -> str:
    """What became of claims that were published in between and are no longer made."""
    with DROPPED.open(encoding="utf-8", newline="") as file:
        rows = [f"| {' | '.join(map(_cell, row))} |" for row in csv.reader(file)]
    text = """
    ## Claims that came and went

    They were published after the first and before these; most were undecided. Their tables are
    those of the studies, whose figures still show what they asked.
    """
    return "\n".join([inspect.cleandoc(text), "", rows[0], "|---|---|---|---|---|", *rows[1:], ""])


def _moved(claim: str, now: Mapping[tuple[str, str], str]) -> str:
    """The outcome of a claim in the study that it is of now, if there is one of its name."""
    found = [(study, outcome) for (study, name), outcome in now.items() if name == claim]
    return f"{found[0][1]} (in {found[0][0]})" if len(found) == 1 else "not claimed"


def table(found: Sequence[StudyResult]) -> str:
    """The table of README.md: one row for each study."""
    rows = ["| study | question | answer | |", "|---|---|---|---|"]
    for result in found:
        name = result.study.name
        links = f"[report](studies/results/{name}/report.html), [claims](docs/claims.md#{name})"
        told = _dashed(answer(result) or headline(result.verdicts))
        cells = [f"`{name}`", result.study.question, told, links]
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


def _dashed(text: str) -> str:
    return re.sub(r"(?<![\w.)])-(?=\d)", MINUS, text)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", r"\|")


def main() -> None:
    """Write all of it."""
    found = results()
    for result in found:
        write_verdicts(result)
        for problem in write_report(result):
            print(f"{result.study.name}: {problem}", file=sys.stderr)
    for file, text in ((PAGE, page), (CLAIMS, claims_page), (CHANGES, changes_page)):
        file.write_text(text(found), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8"), found), encoding="utf-8")
    outcomes = Counter(verdict.outcome for result in found for verdict in result.verdicts)
    print(f"{PAGE.relative_to(ROOT)} and {README.name}: {len(found)} studies, {dict(outcomes)}")


if __name__ == "__main__":
    main()
