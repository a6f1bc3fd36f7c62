"""What the commands print at their end: tables and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from ordered_mix.study.result import StudyResult

FORMATS = {
    "rhat_raw": ".3f",
    "rhat_folded": ".3f",
    "share_at_best": ".0%",
    "divergences": ".0f",
    "ess_folded": ".0f",
    "ess_per_1000_passes": ".1f",
    "passes_per_run": ".0f",
}
POINT_COLUMNS = {
    "label": "point estimator",
    "log_likelihood": "log lik.",
    "passes_per_run": "passes",
    "share_at_best": "at best",
    "status": "status",
}
SAMPLER_COLUMNS = {
    "label": "sampler",
    "rhat_raw": "R-hat",
    "rhat_folded": "folded",
    "ess_folded": "ESS",
    "ess_per_1000_passes": "/1000 p.",
    "divergences": "div.",
    "elpd_waic": "WAIC",
    "elpd_loo": "LOO",
}


def print_summary(summary: Mapping[str, Any]) -> None:
    """The tables and verdicts of a comparison."""
    from rich.text import Text

    console = _console()
    heading = f"{summary['data']}: n = {summary['n']}, K = {summary['components']}"
    console.print(Text(heading, style="bold"))
    console.print(Text(f"Prior: {summary['prior']}"))
    for sampled, columns in ((False, POINT_COLUMNS), (True, SAMPLER_COLUMNS)):
        rows = [row for row in summary["table"] if (row["status"] == "sampled") == sampled]
        if rows:
            console.print(_table(rows, columns))
    for name, reason in summary["skipped"].items():
        console.print(Text(f"Skipped {name}: {reason}"))
    print_verdicts(summary["verdicts"], Path(summary["folder"]))
    if "note" in summary:
        console.print(Text(f"Note: {summary['note']}."))


def print_verdicts(verdicts: Sequence[Mapping[str, str]], folder: Path) -> None:
    """Questions with their answers, and where the report is."""
    from rich.text import Text

    console = _console()
    for verdict in verdicts:
        console.print()
        console.print(Text(verdict["question"], style="bold"), Text(verdict["answer"]))
        console.print(Text(f"  {verdict['reason']}"))
    console.print(Text(f"\nReport: {folder / 'report.html'}"))


def print_study(result: StudyResult) -> None:
    """The claims of a study with their verdicts, and what failed or was left out."""
    from rich.text import Text

    console = _console()
    console.print(Text(result.study.question, style="bold"))
    for verdict in result.verdicts:
        console.print()
        claim = verdict.claim
        console.print(Text(f"{claim.statement} ", style="bold"), Text(verdict.outcome.upper()))
        console.print(Text(f"  {verdict.reason} Source: {claim.source}."))
    for title, rows in (("failed", result.failures), ("skipped", result.skipped)):
        if len(rows):
            console.print(Text(f"\n{len(rows)} cells {title}, the first: {rows.iloc[0].to_dict()}"))
    for item in result.set_aside:
        console.print(Text(f"Computed anew, the file is set aside: {item.path} ({item.reason})"))
    console.print(Text(f"\nTable: {result.path / 'table.parquet'}"))
    console.print(Text(f"Report: {result.path / 'report.html'}"))


def _console() -> Console:
    from rich.console import Console

    return Console()


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Any:
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for name in columns.values():
        table.add_column(name, justify="left" if name == columns["label"] else "right")
    for row in rows:
        table.add_row(*(Text(_cell(key, row[key])) for key in columns))
    return table


def _cell(key: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return format(value, FORMATS.get(key, ".2f"))
