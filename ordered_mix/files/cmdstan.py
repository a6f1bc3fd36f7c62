"""Draws from the CSV files that CmdStan writes, one for each chain."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from ordered_mix.files.columns import Array

SUFFIX = ".csv"
LOG_LIKELIHOOD = "log_lik"
STATISTICS = {
    "lp__": "lp", "accept_stat__": "acceptance_rate", "stepsize__": "step_size",
    "treedepth__": "tree_depth", "n_leapfrog__": "n_steps", "divergent__": "diverging",
    "energy__": "energy",
}  # fmt: skip
WHOLE: dict[str, DTypeLike] = {"tree_depth": np.int64, "n_steps": np.int64, "diverging": np.bool_}
INDICES = re.compile(r"[1-9]\d*(\.[1-9]\d*)*")


def read_cmdstan(paths: Sequence[Path]) -> xr.DataTree:
    """Draws of several chains as a DataTree with ArviZ's groups.

    Parameters
    ----------
    paths : sequence of Path
        Output files of one model, in the order of the chains.

    Returns
    -------
    DataTree
        ``posterior``; ``sample_stats`` of the columns that end in ``__``, by ArviZ's names;
        ``log_likelihood`` of the generated quantity ``log_lik``, if there is one; and the
        ``warmup_`` groups where warm-up was saved.

    Raises
    ------
    ValueError
        If a file is no such output, holds no draws, or does not fit the first.
    """
    chains = [_Chain(path) for path in paths]
    first = chains[0]
    for chain in chains[1:]:
        same = chain.columns == first.columns, chain.table.shape == first.table.shape
        if not all(same) or chain.warmup != first.warmup:
            what = "draws" if same[0] else "columns"
            raise ValueError(
                f"draws {str(chain.path)!r} must have the {what} of {str(first.path)!r}, they are "
                "of one model"
            )
    values = np.stack([chain.table for chain in chains])
    groups: dict[str, xr.Dataset] = {}
    for prefix, part in (("", slice(first.warmup, None)), ("warmup_", slice(first.warmup))):
        if values[:, part].shape[1]:
            named = _groups(first.columns, values[:, part])
            groups |= {f"{prefix}{name}": data for name, data in named.items()}
    return xr.DataTree.from_dict(groups)


class _Chain:
    """One file: its columns, its numbers, and how many of its first rows are warm-up."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"draws {str(path)!r} must be text that CmdStan wrote") from None
        lines = text.splitlines()
        comments = [line for line in lines if line.startswith("#")]
        table = "\n".join(line for line in lines if line and not line.startswith("#"))
        header, _, _ = table.partition("\n")
        self.columns = header.split(",")
        if "lp__" not in self.columns:
            raise ValueError(
                f"draws {str(path)!r} must be a CSV file of CmdStan with a column lp__, got "
                f"{', '.join(self.columns[:5]) or 'nothing'}"
            )
        self.table = self._numbers(table)
        self.warmup = self._saved_warmup(comments)
        if len(self.table) <= self.warmup:
            raise ValueError(f"draws {str(path)!r} must hold draws after warm-up, got none")

    def _numbers(self, table: str) -> Array:
        try:
            read = pd.read_csv(io.StringIO(table), dtype=np.float64)
        except ValueError as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"draws {str(self.path)!r} must hold a number in every cell: {reason}"
            ) from None
        return read.to_numpy()

    def _saved_warmup(self, comments: Sequence[str]) -> int:
        said: dict[str, str] = {}
        for line in comments:
            key, equals, value = line[1:].replace("(Default)", "").partition("=")
            if equals:
                said[key.strip()] = value.strip()
        if said.get("method", "sample") != "sample":
            raise ValueError(
                f"draws {str(self.path)!r} must come from CmdStan's method sample, got "
                f"{said['method']}"
            )
        if said.get("save_warmup") not in ("1", "true"):
            return 0
        warmup, thin = (said.get(name, default) for name, default in
                        (("num_warmup", "1000"), ("thin", "1")))  # fmt: skip
        return -(-int(warmup) // int(thin))


def _groups(columns: Sequence[str], values: Array) -> dict[str, xr.Dataset]:
    """Groups of columns whose values have the axes (chain, draw, column)."""
    places: dict[str, list[tuple[tuple[int, ...], int]]] = {}
    statistics: dict[str, tuple[tuple[str, str], NDArray]] = {}
    for position, column in enumerate(columns):
        if column.endswith("__"):
            name = STATISTICS.get(column, column.removesuffix("__"))
            cells = values[:, :, position]
            statistics[name] = (("chain", "draw"), cells.astype(WHOLE.get(name, cells.dtype)))
            continue
        name, _, index = column.partition(".")
        if not INDICES.fullmatch(index):
            name, index = column, ""
        where = tuple(int(one) - 1 for one in index.split(".")) if index else ()
        places.setdefault(name, []).append((where, position))
    named = {name: _variable(name, at, values) for name, at in places.items()}
    likelihood = named.pop(LOG_LIKELIHOOD, None)
    groups = {"posterior": xr.Dataset(named), "sample_stats": xr.Dataset(statistics)}
    if likelihood is not None:
        groups["log_likelihood"] = xr.Dataset({LOG_LIKELIHOOD: likelihood})
    return groups


def _variable(name: str, places: list[tuple[tuple[int, ...], int]], values: Array) -> xr.DataArray:
    """One variable with a dimension for each of its indices, which CmdStan writes from 1 on."""
    known = [where for where, _ in places]
    axes = len(known[0])
    shape = [max(where[axis] for where in known if len(where) == axes) + 1 for axis in range(axes)]
    if {len(where) for where in known} != {axes} or prod(shape) != len(set(known)):
        raise ValueError(
            f"draws must hold every entry of {name}, got {len(known)} columns with indices up to "
            f"{'.'.join(map(str, shape)) or 'none'}"
        )
    order = [position for _, position in sorted(places)]
    array = values[:, :, order].reshape(*values.shape[:2], *shape)
    dims = [f"{name}_dim_{axis}" for axis in range(axes)]
    return xr.DataArray(array, dims=("chain", "draw", *dims))
