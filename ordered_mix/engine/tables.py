"""Cells to tables whose bytes depend on nothing but the cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from ordered_mix.engine.store import Store
from ordered_mix.files.results import replacing
from ordered_mix.study.definition import Study
from ordered_mix.study.grid import Cell
from ordered_mix.study.result import SKIPPED, STATES, TIMINGS, table_of


def write_tables(
    store: Store, study: Study, cells: Iterable[Cell], skips: Mapping[str, str]
) -> None:
    """Compact cells to a table for each experiment, and their seconds to ``timings.parquet``.

    Parameters
    ----------
    store : Store
    study : Study
    cells : iterable of Cell
        In the order of the tables.
    skips : mapping of str to str
        Reasons of the cells that are left out, by key.
    """
    by_experiment: dict[str, list[Cell]] = {}
    for cell in cells:
        by_experiment.setdefault(cell.experiment, []).append(cell)
    times: list[dict[str, Any]] = []
    for name, part in by_experiment.items():
        first = (*study.experiments[name].factors, *STATES)
        _write(table_of(store.path, name), _rows(store, part, skips, times), first)
    _write(store.path / TIMINGS, times, ("experiment", "seed", "seconds", "finished"))


def _rows(
    store: Store, cells: Iterable[Cell], skips: Mapping[str, str], times: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of cells; what each took is added to the times."""
    rows: list[dict[str, Any]] = []
    for cell in cells:
        identity = {**cell.factors, "seed": cell.seed}
        if cell.key in skips:
            rows.append({**identity, "status": SKIPPED, "error": skips[cell.key]})
        elif (outcome := store.read(cell, arrays=False)) is not None:
            common = {**identity, "status": outcome.status, "error": outcome.error}
            rows += [{**common, **row} for row in outcome.rows]
            if outcome.error:
                rows.append(common)
            times.append({"experiment": cell.experiment, "seed": cell.seed,
                          "seconds": outcome.seconds, "finished": outcome.finished})  # fmt: skip
    return rows


def _write(target: Path, rows: list[dict[str, Any]], first: Sequence[str]) -> None:
    columns = dict.fromkeys([*first, *(name for row in rows for name in row)])
    arrays = {name: _column([row.get(name) for row in rows]) for name in columns}
    with replacing(target) as temporary:
        parquet.write_table(pa.table(arrays), temporary)


def _column(values: list[Any]) -> pa.Array:
    """One type for a column: numbers that mix become floats, other mixtures text."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pa.array(values, pa.float64())
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int}:
        return pa.array(values, pa.int64())
    if kinds <= {bool, int, float}:
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    return pa.array([None if v is None else str(v) for v in values], pa.string())
