"""What runs on a worker: a batch of cells, each under a limit that native code cannot evade."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from distributed.protocol.pickle import dumps
from numpy.typing import NDArray

from ordered_mix.study.definition import Study
from ordered_mix.study.experiment import RESERVED, Experiment, Result
from ordered_mix.study.grid import Cell
from ordered_mix.study.result import DONE, FAILED

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
INTEGERS = 2**63


class Outcome(NamedTuple):
    """What became of one cell.

    Parameters
    ----------
    status : {"done", "failed"}
    rows : list of dict
        Tidy rows of plain scalars, empty for a failure.
    arrays : dict of str to array
    error : str
        The error's text, without the names of files.
    trace : str
        Its traceback.
    seconds : float
        Time the cell took.
    finished : float
        Seconds since the epoch.
    """

    status: str
    rows: list[dict[str, Any]]
    arrays: dict[str, NDArray[Any]]
    error: str = ""
    trace: str = ""
    seconds: float = 0.0
    finished: float = 0.0


class Shipment(NamedTuple):
    """Experiments on their way to a worker: the text of their study file, or else pickled."""

    content: bytes
    file: str = ""


def pack(study: Study) -> Shipment:
    """Make the experiments of a study ready to travel.

    The text of a study file travels, not its name: a worker that has been running for long may
    know an older version. What the file caches at its top level lives as long as the worker.
    """
    first = next(iter(study.experiments.values()))
    namespace = getattr(first.cell, "__globals__", {})
    file = namespace.get("__file__")
    if file and getattr(namespace.get("study"), "experiments", None) is study.experiments:
        return Shipment(Path(file).read_bytes(), file)
    return Shipment(dumps(dict(study.experiments)))


def run_batch(shipment: Shipment, cells: Sequence[Cell]) -> list[Outcome]:
    """Compute cells one after the other; the process is killed when one exceeds its limit."""
    for name in THREADS:
        os.environ.setdefault(name, "1")
    experiments = _unpack(shipment)
    return [run_cell(experiments[cell.experiment], cell) for cell in cells]


def run_cell(experiment: Experiment, cell: Cell) -> Outcome:
    """Compute one cell; an exception becomes a failure with its text."""
    begin = time.perf_counter()
    status, error, trace = DONE, "", ""
    rows: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with _alarm(experiment.time_limit):
            returned = experiment.cell(cell.seed, **cell.factors)
        rows, arrays = _plain_result(returned, cell)
    except (Exception, SystemExit) as failure:
        status, trace = FAILED, traceback.format_exc()
        error = f"{type(failure).__name__}: {failure}"
    return Outcome(status, rows, arrays, error, trace, time.perf_counter() - begin, time.time())


@contextmanager
def _alarm(limit: float) -> Iterator[None]:
    # The kernel delivers this signal, whose default is the end of the process, even while native
    # code holds the interpreter's lock; the nanny starts a new worker.
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@lru_cache(maxsize=4)
def _unpack(shipment: Shipment) -> Mapping[str, Experiment]:
    if not shipment.file:
        return pickle.loads(shipment.content)
    module = ModuleType(f"ordered_mix_shipped_{Path(shipment.file).stem}")
    module.__file__ = shipment.file
    sys.modules[module.__name__] = module
    exec(compile(shipment.content, shipment.file, "exec"), module.__dict__)
    return module.study.experiments


def _plain_result(
    returned: Any, cell: Cell
) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    result = returned if isinstance(returned, Result) else Result(returned)
    if isinstance(result.rows, Mapping | str) or not isinstance(result.rows, Sequence):
        raise TypeError(f"a cell must return a list of rows, got {type(result.rows).__name__}")
    rows = [_plain_row(row, cell) for row in result.rows]
    arrays = {name: np.asarray(value) for name, value in result.arrays.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biufcU":
            raise TypeError(f"array {name!r} must hold numbers or text, got {array.dtype}")
    return rows, arrays


def _plain_row(row: Mapping[str, Any], cell: Cell) -> dict[str, Any]:
    taken = [name for name in row if name in cell.factors or name in RESERVED]
    if taken:
        raise ValueError(f"a row must not repeat {taken[0]!r}, the table has that column already")
    return {str(name): _plain(name, value) for name, value in row.items()}


def _plain(name: str, value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic | np.ndarray) else value
    if value is None or isinstance(value, bool | float | str):
        return value
    if isinstance(value, int):
        return value if -INTEGERS <= value < INTEGERS else float(value)
    raise TypeError(f"column {name!r} must hold scalars, got {type(value).__name__}")
