"""What the commands print: stages while they work, tables and verdicts at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


@contextmanager
def stages(quiet: bool) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, quiet=quiet)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("start", total=None)

        def stage(name: str) -> None:
            progress.update(task, description=name)
            if not console.is_terminal:
                console.print(name)

        yield stage


def print_summary(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    heading = f"{summary['data']}: n = {summary['n']}, K = {summary['components']}"
    console.print(Text(heading, style="bold"))
    for sampled, columns in ((False, POINT_COLUMNS), (True, SAMPLER_COLUMNS)):
        rows = [row for row in summary["table"] if (row["status"] == "sampled") == sampled]
        if rows:
            console.print(_table(rows, columns))
    for name, reason in summary["skipped"].items():
        console.print(Text(f"Skipped {name}: {reason}"))
    print_verdicts(summary["verdicts"], Path(summary["folder"]))
    if "note" in summary:
        console.print(Text(f"Note: {summary['note']}."))


def _table(rows: list[dict[str, Any]], columns: dict[str, str]) -> Any:
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for name in columns.values():
        table.add_column(name, justify="left" if name == columns["label"] else "right")
    for row in rows:
        table.add_row(*(Text(_cell(key, row[key])) for key in columns))
    return table


def print_verdicts(verdicts: list[dict[str, str]], folder: Path) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for verdict in verdicts:
        console.print()
        console.print(Text(verdict["question"], style="bold"), Text(verdict["answer"]))
        console.print(Text(f"  {verdict['reason']}"))
    console.print(Text(f"\nReport: {folder / 'report.html'}"))


def _cell(key: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    formats = {
        "rhat_raw": ".3f",
        "rhat_folded": ".3f",
        "share_at_best": ".0%",
        "divergences": ".0f",
    }
    formats |= {"ess_folded": ".0f", "ess_per_1000_passes": ".1f", "passes_per_run": ".0f"}
    return format(value, formats.get(key, ".2f"))
