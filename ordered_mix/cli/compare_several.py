"""``ordered-mix compare FILE:x,y``: parameterizations and estimators on several columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ordered_mix.cli.several import (
    axis_named,
    print_points,
    refuse_idle,
    summary_of_points,
    write_points,
)
from ordered_mix.cli.summary import SUMMARY, made_once
from ordered_mix.cli.text import print_compared

if TYPE_CHECKING:
    from ordered_mix.compare.points import ComparisonOfPoints
    from ordered_mix.files.results import ResultFolder


def compare_several(
    source: str,
    reading: Mapping[str, Any],
    asked: Mapping[str, Any],
    prior: Mapping[str, Any],
    idle: Mapping[str, tuple[Any, Any]],
    out: Path | None,
    force: bool,
    quiet: bool,
) -> dict[str, Any]:
    """Compare on several columns, write the files, and return the summary.

    Parameters
    ----------
    source : str
        What `data.load_points` takes.
    reading : mapping
        How the file is read.
    asked : mapping
        Settings of `compare.points.SettingsOfPoints`; components may be a range.
    prior : mapping
        Arguments of `default_multivariate_prior`.
    idle : mapping
        Options that mean nothing here: what was given, and what is given by default.
    out : Path, optional
    force, quiet : bool

    Raises
    ------
    ValueError
        If an option means nothing here, or a setting is not accepted.
    """
    from ordered_mix.compare.compare import asked as settings_of
    from ordered_mix.compare.compare import identity
    from ordered_mix.compare.compare_points import check_points, compare_points
    from ordered_mix.compare.points import SettingsOfPoints
    from ordered_mix.data import load_points
    from ordered_mix.files.results import ResultFolder, slug
    from ordered_mix.multivariate import default_multivariate_prior

    refuse_idle(idle, "have a prior of their own")
    data = load_points(source, **reading)
    if "axis" in asked:
        asked = {**asked, "axis": axis_named(asked["axis"], data.columns)}
    settings = settings_of(kind=SettingsOfPoints, **asked)
    check_points(data, settings)
    chosen = default_multivariate_prior(data, **prior, covariance=settings.covariance)
    place = out or Path("results") / slug(data.name) / f"compare-k{slug(str(asked['components']))}"
    folder = ResultFolder(place, identity(data, settings, chosen))

    def make(progress: Callable[[str], None]) -> None:
        result = compare_points(data, settings, prior=chosen, folder=folder, progress=progress)
        progress("report")
        _write(result, folder)

    return made_once(folder, force, quiet, make)


def print_compared_points(summary: Mapping[str, Any]) -> None:
    """The estimates, tables and verdicts of a comparison on several columns."""
    print_points(summary)
    print_compared(summary)


def _write(result: ComparisonOfPoints, folder: ResultFolder) -> None:
    from ordered_mix.fitted.verdict import headline
    from ordered_mix.report import render

    folder.write("table.parquet", lambda path: result.table.to_parquet(path, index=False))
    folder.write("table.csv", lambda path: result.table.to_csv(path, index=False))
    folder.write("axes.csv", lambda path: result.axes.to_csv(path, index=False))
    folder.write("timings.csv", lambda path: result.timings.to_csv(path, index=False))
    write_points(result.fitted, folder)
    numbers: list[dict[str, Any]] = []
    if result.several is not None:
        table = result.several.table
        numbers = json.loads(table.to_json(orient="records"))
        folder.write("components.csv", lambda path: table.to_csv(path, index=False))
    page = render(result)
    folder.write("report.html", lambda path: path.write_text(page, encoding="utf-8"))
    summary = {
        **summary_of_points(result.fitted),
        "verdicts": [vars(verdict) for verdict in result.verdicts],
        "headline": headline(result.verdicts),
        "skipped": result.skipped,
        "failed": result.failed,
        "table": json.loads(result.table.to_json(orient="records")),
        "axes": json.loads(result.axes.to_json(orient="records")),
        "by_components": numbers,
        "folder": str(folder.path),
    }
    folder.write(SUMMARY, lambda path: path.write_text(json.dumps(summary, indent=1)))
