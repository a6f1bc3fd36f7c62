"""Run a study: cells to workers, outcomes to the store, tables to the claims."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ordered_mix.engine.cluster import connected
from ordered_mix.engine.dispatch import Dispatch
from ordered_mix.engine.folder import opened, write_json
from ordered_mix.engine.outcome import judged, write_verdicts
from ordered_mix.engine.progress import Progress
from ordered_mix.engine.provenance import provenance
from ordered_mix.engine.store import Store
from ordered_mix.engine.tables import write_tables
from ordered_mix.errors import RunError
from ordered_mix.parameterization import catalog
from ordered_mix.study.definition import Study
from ordered_mix.study.grid import Cell
from ordered_mix.study.result import PROVENANCE, StudyResult


def load_study(name: str) -> Study:
    """The study of this name, or in a file of your own, which is run as code.

    Parameters
    ----------
    name : str
        A name that the catalog lists, or the path of a ``.py`` file that defines ``study``.

    Raises
    ------
    ValueError
        If there is no such study, or its file cannot be run or defines none.
    """
    found = getattr(catalog.module(name, "study"), "study", None)
    if not isinstance(found, Study):
        raise ValueError(f"study file {name!r} must define `study = Study(...)`, it does not")
    return found


def run_study(
    study: Study,
    size: str = "laptop",
    *,
    out: Path | str,
    overrides: Mapping[str, Sequence[Any]] | None = None,
    experiments: Iterable[str] = (),
    workers: int = 2,
    address: str | None = None,
    slurm: Path | None = None,
    memory_limit: str = "auto",
    resume: bool = False,
    force: bool = False,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> StudyResult:
    """Compute the cells of a study that the folder does not hold yet, and judge its claims.

    An interrupted run is taken up by running it again. Failed cells are tried again; their
    errors are rows of the table meanwhile.

    Parameters
    ----------
    study : Study
    size : {"smoke", "laptop", "cluster"}
    out : Path or str
        The output folder; it belongs to one study.
    overrides : mapping of str to sequence, optional
        Values for some factors in place of those of the size.
    experiments : iterable of str
        Names of the experiments to run; by default all.
    workers, address, slurm, memory_limit
        Where to compute, see `ordered_mix.engine.cluster.connected`.
    resume : bool
        Keep cells although the study's file or the package changed since they were computed.
    force : bool
        Remove the cells that are there first.
    progress : callable
        Called about twice a second with a `Progress`.

    Returns
    -------
    StudyResult

    Raises
    ------
    ValueError
        Before any work, if an argument is wrong.
    RunError
        If the folder is in use, no scheduler answers, or the run cannot go on; finished cells are
        kept.
    """
    path = Path(out)
    parts = study.chosen(experiments)
    cells = study.cells(size, overrides, parts)
    skips = _skips(study, cells)
    chosen = {name: list(values) for name, values in (overrides or {}).items()}
    with opened(path, study, resume, force):
        store = Store(path, study.name)
        done = store.finished(cells)
        left = [cell for cell in cells if cell.key not in done and cell.key not in skips]
        record = provenance(study, size, chosen) | {
            "experiments": list(parts),
            "cells": len(cells),
            "computed": len(left),
        }
        _add_provenance(path, record)
        if left:
            dispatch = Dispatch(study, store, left, len(done), len(skips), progress)
            with connected(workers, address, slurm, memory_limit) as connection:
                dispatch.run(connection)
        try:
            write_tables(store, study, cells, skips)
            result = judged(study, path, tuple(store.set_aside))
            _add_seconds(path, result)
            write_verdicts(result)
        except OSError as error:
            raise RunError(
                f"out {str(path)!r} cannot be written: {error.strerror}; all cells are kept"
            ) from error
    return result


def _skips(study: Study, cells: Sequence[Cell]) -> dict[str, str]:
    reasons = {cell.key: study.experiments[cell.experiment].skip(**cell.factors) for cell in cells}
    return {key: reason for key, reason in reasons.items() if reason}


def _add_seconds(path: Path, result: StudyResult) -> None:
    runs = json.loads((path / PROVENANCE).read_text(encoding="utf-8"))["runs"]
    runs[-1]["seconds"] = round(float(result.timings["seconds"].sum()), 1)
    write_json(path / PROVENANCE, {"schema": 1, "runs": runs})


def _add_provenance(path: Path, record: dict[str, Any]) -> None:
    try:
        runs = json.loads((path / PROVENANCE).read_text(encoding="utf-8"))["runs"]
    except (OSError, ValueError, KeyError, TypeError):
        runs = []
    write_json(path / PROVENANCE, {"schema": 1, "runs": [*runs, record]})
