"""What the commands print at their end: tables and verdicts."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ordered_mix.compare.columns import PREDICTIVE, SAMPLERS

if TYPE_CHECKING:
    from rich.console import Console

    from ordered_mix.study.result import StudyResult

FORMATS = {
    "components": "d",
    "rhat_before": ".3f",
    "rhat_after": ".3f",
    "ess_before": ".0f",
    "ess_after": ".0f",
    "share_at_best": ".0%",
    "passes_per_run": ".0f",
}
POINT_COLUMNS = {
    "label": "point estimator",
    "log_likelihood": "log lik.",
    "passes_per_run": "passes",
    "share_at_best": "at best",
    "status": "status",
}


UNWRAPPED = 10_000
POINTS_ONLY = (
    "Nothing was sampled: intervals, and whether the mixture describes the data, come with the "
    "default --estimators em,map,nuts."
)
MARK = "*"
QUANTITIES = {"w": "weight", "mu": "mean", "sigma": "sd"}


def print_fit(summary: Mapping[str, Any]) -> None:
    """The estimates of a fit, the criteria of several, and the questions with their answers."""
    from rich.text import Text

    console = _console()
    heading = f"{summary['data']}: n = {summary['n']}, K = {summary['components']}"
    console.print(Text(heading, style="bold"))
    if summary["headline"]:
        console.print(Text(summary["headline"]))
    print_estimates(summary["estimates"], summary["hdi_prob"])
    if len(summary["criteria"]) > 1:
        print_criteria(summary["criteria"])
    for note in summary["notes"]:
        console.print(Text(note))
    for verdict in summary["verdicts"]:
        console.print()
        console.print(Text(verdict["question"], style="bold"), Text(verdict["answer"]))
        console.print(Text(f"  {verdict['reason']}"))
    if summary["hdi_prob"] is None:
        console.print(Text(f"\n{POINTS_ONLY}"))
    page = Path(summary["folder"]) / "report.html"
    console.print(Text(f"\nReport: {page}" if page.exists() else f"\nFiles: {page.parent}"))
    if "note" in summary:
        console.print(Text(f"Note: {summary['note']}."))


def print_criteria(rows: Sequence[Mapping[str, Any]]) -> None:
    """The criteria of several numbers of components."""
    _console().print(_table(rows, _present(rows, CRITERIA)))


def print_estimates(rows: Sequence[Mapping[str, Any]], hdi_prob: float | None) -> None:
    """Weights, means and standard deviations of each component."""
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    columns = {"em": "EM", "map": "MAP"}
    if hdi_prob is not None:
        columns = {"mean": "mean", "sd": "sd", "hdi_low": f"{hdi_prob:.0%} HDI", "hdi_high": "",
                   "ess_bulk": "ESS", **columns}  # fmt: skip
    columns = _present(rows, columns)
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("component")
    for name in columns.values():
        table.add_column(name, justify="right")
    for row in rows:
        cells = [_digits(key, row[key], rows, row["quantity"]) for key in columns]
        marked = MARK if row["lone"] else ""
        label = f"{row['component']} {QUANTITIES[row['quantity']]}{marked}"
        table.add_row(Text(label), *map(Text, cells), end_section=row["quantity"] == "sigma")
    _console().print(table)
    if any(row["lone"] for row in rows):
        _console().print(Text(f"{MARK} holds less than two data points: the prior decides."))


def _present(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, str]:
    return {key: name for key, name in columns.items() if key in rows[0]}


def _digits(key: str, value: Any, rows: Sequence[Mapping[str, Any]], quantity: str) -> str:
    """As many decimals as the smallest posterior sd of this quantity, or the value, asks for."""
    if value is None:
        return ""
    if key == "ess_bulk":
        return f"{value:.0f}"
    sds = [abs(row.get("sd") or row.get("em") or row.get("map") or 0) for row in rows
           if row["quantity"] == quantity]  # fmt: skip
    smallest = min((sd for sd in sds if sd > 0), default=1.0)
    decimals = 1 - math.floor(math.log10(smallest)) + ("sd" not in rows[0]) * 2
    return f"{value:z,.{decimals}f}" if 0 <= decimals <= 8 else f"{value:.5g}"


CRITERIA = {
    "components": "K",
    "log_likelihood": "log lik.",
    "bic": "BIC",
    "icl": "ICL",
    "sbic": "sBIC",
    "elpd_loo": "LOO",
    "elpd_loo_se": "se",
    "elpd_waic": "WAIC",
    "log_evidence": "log evid.",
    "log_evidence_se": "se",
    "probability": "prob.",
}


BY_COMPONENTS = {
    "components": "K",
    "log_evidence": "log evid.",
    "log_evidence_se": "se",
    "probability": "prob.",
    "elpd_loo": "LOO",
    "elpd_waic": "WAIC",
    "bic": "BIC",
    "sbic": "sBIC",
    "icl": "ICL",
}


def print_summary(summary: Mapping[str, Any]) -> None:
    """The tables and verdicts of a comparison."""
    from rich.text import Text

    console = _console()
    heading = f"{summary['data']}: n = {summary['n']}, K = {summary['components']}"
    console.print(Text(heading, style="bold"))
    console.print(Text(f"Prior: {summary['prior']}"))
    if summary["headline"]:
        console.print(Text(summary["headline"]))
    print_estimates(summary["estimates"], summary["hdi_prob"])
    for note in summary["notes"]:
        console.print(Text(note))
    print_compared(summary)


def print_compared(summary: Mapping[str, Any]) -> None:
    """The tables of samplers and estimators and the verdicts of a comparison."""
    from rich.text import Text

    console = _console()
    if summary["by_components"]:
        console.print(_table(summary["by_components"], BY_COMPONENTS))
    shown = {name: one for name, one in {**SAMPLERS, **PREDICTIVE}.items() if one.short}
    headings = {"label": "sampler", **{name: one.short for name, one in shown.items()}}
    digits = {name: one.digits for name, one in shown.items()}
    for sampled, columns in ((False, POINT_COLUMNS), (True, headings)):
        rows = [row for row in summary["table"] if (row["status"] == "sampled") == sampled]
        if rows:
            console.print(_table(rows, columns, FORMATS | digits))
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


CHANGES = {
    "rhat_before": "R-hat raw", "rhat_after": "relabelled", "ess_before": "ESS raw",
    "ess_after": "relabelled", "bimodality_before": "bimodality raw",
    "bimodality_after": "relabelled",
}  # fmt: skip


def print_changes(rows: Sequence[Mapping[str, Any]]) -> None:
    """The worst R-hat, ESS and bimodality of every permuted variable, before and after."""
    if rows:
        cells = [{**row, "label": row["variable"]} for row in rows]
        _console().print(_table(cells, {"label": "worst of", **CHANGES}))


def print_study(result: StudyResult) -> None:
    """The claims of a study with their verdicts, and what failed or was left out."""
    from rich.text import Text

    from ordered_mix.study.result import TABLES

    console = _console()
    console.print(Text(result.study.question, style="bold"))
    for verdict in result.verdicts:
        console.print()
        claim = verdict.claim
        console.print(Text(f"{claim.statement} ", style="bold"), Text(verdict.outcome.upper()))
        console.print(Text(f"  {verdict.reason} Source: {claim.source}."))
    for title, rows in (("failed", result.failures), ("skipped", result.skipped)):
        if len(rows):
            console.print(
                Text(f"\n{len(rows)} cells {title}, the first: {rows.iloc[0].dropna().to_dict()}")
            )
    for item in result.set_aside:
        console.print(Text(f"Computed anew, the file is set aside: {item.path} ({item.reason})"))
    console.print(Text(f"\nTables: {result.path / TABLES}"))
    console.print(Text(f"Report: {result.path / 'report.html'}"))


def _console() -> Console:
    from rich.console import Console

    # a pipe or a file has no width that words would have to be wrapped at
    return Console() if sys.stdout.isatty() else Console(width=UNWRAPPED)


def _table(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    formats: Mapping[str, str] = FORMATS,
) -> Any:
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for key, name in columns.items():
        table.add_column(name, justify="left" if key == "label" else "right")
    for row in rows:
        table.add_row(*(Text(_cell(row[key], formats.get(key, ".2f"))) for key in columns))
    return table


def _cell(value: Any, digits: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return format(value, digits)
