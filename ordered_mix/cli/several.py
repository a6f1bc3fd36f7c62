"""``ordered-mix fit FILE:x,y``: a mixture of several columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ordered_mix.cli.summary import SUMMARY, made_once

if TYPE_CHECKING:
    from ordered_mix.files.results import ResultFolder
    from ordered_mix.fitted.points import FittedPoints

TRUSTED = 1.05  # largest R-hat of chains that agree


def several_columns(source: str) -> bool:
    """Whether a source names several columns: ``FILE:x,y``, ``iris`` or ``iris:x,y``."""
    from ordered_mix.data import shipped
    from ordered_mix.multivariate.data import shipped_points

    head, colon, columns = source.rpartition(":")
    if colon and "," in columns:
        return isfile(head) or head == "-" or head in shipped_points()
    one_column = {name.partition(":")[0] for name in shipped()}
    return source in shipped_points() or head in set(shipped_points()) - one_column


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
        What `multivariate.load_points` takes.
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
    from ordered_mix.files.results import ResultFolder, digest, slug
    from ordered_mix.fitted.points import fit_points
    from ordered_mix.multivariate import load_points

    for option, (given, default) in idle.items():
        if given != default:
            raise ValueError(
                f"{option} must be left out for several columns, which EM and Gibbs sampling fit, "
                f"got {given!r}"
            )
    if not str(asked["components"]).isdigit():
        raise ValueError(
            f"--components must be one number for several columns, got {asked['components']!r}"
        )
    settings = {**asked, "components": int(asked["components"])}
    data = load_points(source, **reading)
    settings["axis"] = _axis(str(asked["axis"]), data.columns)
    identity = {"data": data.name, "sha256": digest(data.y), **settings, "cores": None}
    place = out or Path("results") / slug(data.name) / f"fit-k{settings['components']}"
    folder = ResultFolder(place, identity)

    def make(progress: Callable[[str], None]) -> None:
        progress("em and gibbs")
        result = fit_points(data, **settings)
        progress("files")
        _write(result, folder)

    return made_once(folder, force, quiet, make)


def print_several(summary: Mapping[str, Any]) -> None:
    """Posterior means with standard deviations, one column for each component."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    heading = f"{summary['data']}: n = {summary['n']}, K = {summary['components']}"
    console.print(Text(heading, style="bold"))
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
    console.print(Text(f"R-hat at most {summary['rhat']:.3f}, ESS at least {summary['ess']:,.0f}."))
    if not summary["rhat"] <= TRUSTED:
        console.print(
            Text("The chains disagree, so the estimates are not to be trusted: raise --draws and "
                 "--tune, or take fewer components.", style="bold")
        )  # fmt: skip
    console.print(Text(f"\nFiles: {summary['folder']}"))
    if "note" in summary:
        console.print(Text(f"Note: {summary['note']}."))


def _axis(text: str, columns: tuple[str, ...]) -> int | str | list[float]:
    """What --axis names: a column, a direction of the data, a number of a column, or numbers."""
    if text in columns:
        return text
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return text
    whole = text.removeprefix("-").isdecimal()
    return int(text) if whole else numbers


def _write(result: FittedPoints, folder: ResultFolder) -> None:
    for name in ("estimates", "points"):
        table = getattr(result, name)
        folder.write(f"{name}.csv", partial(table.to_csv, index=False))
    folder.write_tree("draws.nc", result.tree)
    figure = result.plot()
    folder.write(
        "pairs.svg", lambda path: figure.savefig(path, format="svg", metadata={"Date": None})
    )
    table = result.estimates
    counts = result.points["component"].value_counts()
    summary = {
        "data": result.data.name,
        "n": result.data.n,
        "columns": list(result.data.columns),
        "components": result.maximum.k,
        "hdi_prob": result.hdi_prob,
        "estimates": json.loads(table.to_json(orient="records", double_precision=15)),
        "points_by_component": [int(counts.get(at + 1, 0)) for at in range(result.maximum.k)],
        "rhat": float(table["rhat"].max()),
        "ess": float(table["ess_bulk"].min()),
        "folder": str(folder.path),
    }
    folder.write(SUMMARY, lambda path: path.write_text(json.dumps(summary, indent=1)))


def _listed(counts: list[int]) -> str:
    return ", ".join(f"{count:,}" for count in counts)
