"""``ordered-mix fit FILE:x,y`` and ``compare FILE:x,y``: mixtures of several columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ordered_mix.cli.summary import SUMMARY, made_once
from ordered_mix.cli.text import print_criteria, print_verdicts

if TYPE_CHECKING:
    from ordered_mix.files.results import ResultFolder
    from ordered_mix.fitted.points import FittedPoints

TRUSTED = 1.05  # largest R-hat of chains that agree


def fit_several(
    source: str,
    reading: Mapping[str, Any],
    asked: Mapping[str, Any],
    idle: Mapping[str, tuple[Any, Any]],
    out: Path | None,
    force: bool,
    quiet: bool,
) -> dict[str, Any]:
    """Fit a mixture to several columns, write its files, and return the summary.

    Parameters
    ----------
    source : str
        What `data.load_points` takes.
    reading : mapping
        How the file is read.
    asked : mapping
        Settings of `fitted.points.fit_points`.
    idle : mapping
        Options that mean nothing here: what was given, and what is given by default.
    out : Path, optional
    force, quiet : bool

    Raises
    ------
    ValueError
        If an option means nothing here, or a setting is not accepted.
    """
    from ordered_mix.data import load_points
    from ordered_mix.files.results import ResultFolder, digest, slug
    from ordered_mix.fitted.fit import component_range
    from ordered_mix.fitted.points import fit_points

    refuse_idle(idle, "EM and Gibbs sampling fit")
    component_range(asked["components"])
    data = load_points(source, **reading)
    asked = {**asked, "axis": axis_named(str(asked["axis"]), data.columns)}
    identity = {"data": data.name, "sha256": digest(data.y), **asked, "cores": None}
    place = out or Path("results") / slug(data.name) / f"fit-k{slug(asked['components'])}"
    folder = ResultFolder(place, identity)

    def make(progress: Callable[[str], None]) -> None:
        result = fit_points(data, **asked, progress=progress)
        progress("report")
        _write(result, folder)

    return made_once(folder, force, quiet, make)


def refuse_idle(idle: Mapping[str, tuple[Any, Any]], what: str) -> None:
    """Refuse options that mean nothing for several columns, which something else does."""
    for option, (given, default) in idle.items():
        if given != default:
            raise ValueError(
                f"{option} must be left out for several columns, which {what}, got {given!r}"
            )


def refuse_for_one_column(**given: Any) -> None:
    """Refuse options, named as they are spelled, that mean something for several columns only."""
    for option, value in given.items():
        if value:
            raise ValueError(f"--{option} must be left out for one column, got {value!r}")


def print_several(summary: Mapping[str, Any]) -> None:
    """The estimates, the criteria of several numbers of components, and the verdicts."""
    from rich.text import Text

    console = _console()
    print_points(summary)
    if len(summary["criteria"]) > 1:
        print_criteria(summary["criteria"])
    console.print(Text(f"R-hat at most {summary['rhat']:.3f}, ESS at least {summary['ess']:,.0f}."))
    if not summary["rhat"] <= TRUSTED:
        console.print(
            Text("The chains disagree, so the estimates are not to be trusted: raise --draws and "
                 "--tune, or take fewer components.", style="bold")
        )  # fmt: skip
    print_verdicts(summary["verdicts"], Path(summary["folder"]))
    if "note" in summary:
        console.print(Text(f"Note: {summary['note']}."))


def print_points(summary: Mapping[str, Any]) -> None:
    """Posterior means with standard deviations, one column for each component."""
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    console = _console()
    heading = f"{summary['data']}: n = {summary['n']}, K = {summary['components']}"
    console.print(Text(heading, style="bold"))
    if summary["headline"]:
        console.print(Text(summary["headline"]))
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("posterior mean (sd)")
    for at in range(summary["components"]):
        table.add_column(f"component {at + 1}", justify="right")
    rows: dict[str, list[str]] = {}
    for row in summary["estimates"]:
        cell = f"{row['mean']:.4g} ({row['sd']:.2g})"
        rows.setdefault(row["parameter"], []).append(cell)
    for name, cells in rows.items():
        table.add_row(Text(name), *map(Text, cells))
    console.print(table)
    console.print(Text(f"Points by component: {_listed(summary['points_by_component'])}."))


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def _write(result: FittedPoints, folder: ResultFolder) -> None:
    from ordered_mix.report import render

    write_points(result, folder)
    folder.write("criteria.csv", partial(result.criteria.to_csv, index=False))
    folder.write_tree("draws.nc", result.tree)
    page = render(result)
    folder.write("report.html", lambda path: path.write_text(page, encoding="utf-8"))
    table = result.estimates
    summary = {
        **summary_of_points(result),
        "verdicts": [vars(verdict) for verdict in result.verdicts],
        "headline": result.headline,
        "rhat": float(table["rhat"].max()),
        "ess": float(table["ess_bulk"].min()),
        "folder": str(folder.path),
    }
    folder.write(SUMMARY, lambda path: path.write_text(json.dumps(summary, indent=1)))


def axis_named(text: str, columns: tuple[str, ...]) -> int | str | list[float]:
    """What --axis names: a column, a direction of the data, a number of a column, or numbers."""
    if text in columns:
        return text
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return text
    whole = text.removeprefix("-").isdecimal()
    return int(text) if whole else numbers


def write_points(result: FittedPoints, folder: ResultFolder) -> None:
    """Estimates, points and the pair plot."""
    for name in ("estimates", "points"):
        table = getattr(result, name)
        folder.write(f"{name}.csv", partial(table.to_csv, index=False))
    figure = result.plot()
    folder.write(
        "pairs.svg", lambda path: figure.savefig(path, format="svg", metadata={"Date": None})
    )


def summary_of_points(result: FittedPoints) -> dict[str, Any]:
    """What `--json` prints of a fit to points, and what the terminal shows."""
    counts = result.points["component"].value_counts()
    records = {
        name: json.loads(getattr(result, name).to_json(orient="records", double_precision=15))
        for name in ("estimates", "criteria")
    }
    return {
        "data": result.data.name,
        "n": result.data.n,
        "columns": list(result.data.columns),
        "components": result.components,
        "hdi_prob": result.hdi_prob,
        **records,
        "points_by_component": [int(counts.get(at + 1, 0)) for at in range(result.components)],
    }


def _listed(counts: list[int]) -> str:
    return ", ".join(f"{count:,}" for count in counts)
