"""The tables of a study's report: verdicts, cells, and what failed or was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ordered_mix.report.figures.interval import claimed_in_words, reach_in_words
from ordered_mix.report.tables.table import Row, Table, fixed, significant

if TYPE_CHECKING:
    import pandas as pd

    from ordered_mix.study.claims import Verdict
    from ordered_mix.study.definition import Study
    from ordered_mix.study.result import StudyResult

MOST_REASONS = 20
write = significant(4)


def tables(result: StudyResult, run: Mapping[str, Any], problems: Sequence[str]) -> list[Table]:
    """Every table of a study that holds anything."""
    aside = [Row(item.path.name, "", [item.reason]) for item in result.set_aside]
    undone = [Row(str(number + 1), "", [text]) for number, text in enumerate(problems)]
    found = [
        verdicts(result.verdicts),
        cells(result, run),
        reasons("Failed cells", result.failures, "error"),
        reasons("Cells left out", result.skipped, "reason"),
        Table("Files set aside", "Not trusted, and their cells computed again.", ["Reason"], aside,
              prose=True),
        Table("Missing from this report", "All cells are kept.", ["Reason"], undone, prose=True),
    ]  # fmt: skip
    return [table for table in found if table.rows]


def verdicts(found: Sequence[Verdict]) -> Table:
    """Outcome, effect, interval and margin of every claim."""
    rows = []
    for verdict in found:
        claim, effect = verdict.claim, verdict.effect
        deterministic = effect is None or effect.reach is not None
        ends = (None, None) if effect is None or deterministic else effect[1:3]
        numbers = [write(effect.estimate if effect else None), *map(write, ends)]
        count = fixed(0)(effect.observations if effect and not deterministic else None)
        reach = reach_in_words(effect)
        cells = [verdict.outcome, verdict.after_holm or "", *numbers, reach]
        cells += [claimed_in_words(claim), count, claim.unit]
        rows.append(Row(claim.name, f"var(--{verdict.outcome})", cells))
    columns = ["Outcome", "After Holm", "Effect", "Low", "High", "Numerical reach", "Claimed",
               "Observations", "Unit"]  # fmt: skip
    note = (
        "Estimates with their intervals, observations are independent ones; what is deterministic "
        "has a numerical reach instead. After Holm: the outcome corrected for the number of claims "
        "that are tested together, so that the chance of any wrong one is at most 5%."
    )
    return Table("Claims", note, columns, rows, prose=True)


def cells(result: StudyResult, run: Mapping[str, Any]) -> Table:
    """How many cells are finished, failed and left out."""
    finished, failed, skipped = counts(result, run)
    rows = [Row("Finished", "", [fixed(0)(finished)]), Row("Failed", "", [fixed(0)(failed)]),
            Row("Left out", "", [fixed(0)(skipped)])]  # fmt: skip
    return Table("Cells", "Combinations of the factors.", ["Cells"], rows)


def counts(result: StudyResult, run: Mapping[str, Any]) -> tuple[int, int, int]:
    """Cells finished, failed and left out; those without rows are known from the run's record."""
    failed, skipped = len(result.failures), len(result.skipped)
    total = run.get("cells")
    return (
        (seen(result.study, result.tables) if total is None else total - failed - skipped),
        failed,
        skipped,
    )


def seen(study: Study, tables: Mapping[str, pd.DataFrame]) -> int:
    """Number of cells that have rows in the tables."""
    factors = {name: list(study.experiments[name].factors) for name in tables}
    return sum(len(tables[name][factors[name]].drop_duplicates()) for name in tables)


def reasons(title: str, cells: pd.DataFrame, column: str) -> Table:
    """How often each reason occurs, with one example, the most frequent first."""
    rows = []
    groups = cells.groupby(column, sort=False, dropna=False)
    ordered = sorted(groups, key=lambda group: -len(group[1]))
    for reason, group in ordered[:MOST_REASONS]:
        first = group.iloc[0].drop(labels=[column, "seed"], errors="ignore").dropna()
        example = ", ".join(f"{name} = {_plain(value)}" for name, value in first.items())
        rows.append(Row(fixed(0)(len(group)), "", [f"{reason} First of them: {example}."]))
    left = len(ordered) - len(rows)
    note = "How many there are of each kind." + (f" {left} rarer kinds not shown." if left else "")
    return Table(title, note, ["Reason"], rows, prose=True)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
