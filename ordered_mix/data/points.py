"""Points in several dimensions: shipped sets, columns of a file, arrays."""

from __future__ import annotations

import csv
import difflib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data.data import Data
from ordered_mix.data.shipped import shipped, shipped_points, text_of_points
from ordered_mix.errors import one_line
from ordered_mix.files.columns import Reading, read_columns
from ordered_mix.files.sources import read_source, split_source

Array = NDArray[np.float64]


def several_columns(source: Any) -> bool:
    """Whether this names or holds several columns: ``FILE:x,y``, ``iris``, an array (n, d)."""
    if isinstance(source, Data):
        return bool(source.columns)
    if not isinstance(source, str | Path):
        try:
            shape = np.shape(source)
        except ValueError:  # rows of several lengths
            return False
        return len(shape) == 2 and shape[1] > 1
    head, colon, columns = str(source).rpartition(":")
    if colon and "," in columns:
        return Path(head).is_file() or head == "-" or head in shipped_points()
    one_column = {name.partition(":")[0] for name in shipped()}
    return source in shipped_points() or head in set(shipped_points()) - one_column


def load_points(
    source: str | Path,
    *,
    separator: str = ",",
    decimal_comma: bool = False,
    drop_missing: bool = False,
    where: str = "",
) -> Data:
    """Load a shipped data set or several columns of a file.

    Parameters
    ----------
    source : str or path
        A name that `shipped_points` lists, for all of its columns that hold numbers, or with some
        of them behind a colon: ``iris``, ``iris:petal_length,petal_width``; or ``FILE:x,y,z``.
        Quotes hold names together that have a comma. ``FILE:x,y*count`` repeats each point as
        often as the column count says.
    separator, decimal_comma, drop_missing, where
        As for `data.load`; a row is left out where the cell of one of the columns is missing.

    Raises
    ------
    ValueError
        If there is no such data set, file or column, a column is given twice, a cell is empty, not
        a number or not finite, a column is constant, columns are collinear, or there are no more
        points than columns.
    """
    source, reading = str(source), Reading(separator, decimal_comma, drop_missing, where)
    stem, _, columns = source.partition(":")
    if stem in shipped_points():
        text = text_of_points(stem)
        names = split_columns(columns, source) if columns else _numeric(text)
        y = read_columns(text, names, source, Reading(where=where))
        return _checked(y, source, names)
    found = split_source(source)
    if found is None:
        near = difflib.get_close_matches(stem, shipped_points(), n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}" if near else ""
        raise ValueError(
            f"data must be FILE.csv:x,y or one of {', '.join(shipped_points())}, "
            f"got {source!r}{hint}"
        )
    path, columns = found
    names = split_columns(columns, source)
    y = read_source(path, names, source, reading)
    file = "input" if path == "-" else Path(path).name.partition(".")[0] or Path(path).name
    return _checked(y, one_line(f"{file}:{','.join(names)}"), names)


def as_points(source: Any, name: str = "data") -> Data:
    """Points of whatever holds several columns of numbers.

    Parameters
    ----------
    source : Data, str, path or array_like
        What `load_points` takes; or numbers: a list of rows, an array of shape (n, d), a
        DataFrame.
    name : str
        What reports call numbers that have no name.

    Raises
    ------
    ValueError
        If it is no table of numbers, or as `load_points`.
    """
    if isinstance(source, Data) and source.columns:
        source.check_full()
        return source
    if isinstance(source, str | Path):
        return load_points(source)
    columns = getattr(source, "columns", ())
    try:
        y = np.asarray(source, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be columns of numbers, it holds other values") from None
    if y.ndim != 2:
        raise ValueError(f"{name} must be an array of shape (n, d), got {y.shape}")
    return _checked(y, name, [str(column) for column in columns])


def split_columns(columns: str, source: str) -> list[str]:
    """Names of columns between commas, several and different ones."""
    names = [part.strip() for part in next(csv.reader([columns]), [])]
    if not names or "" in names or len(set(names)) < len(names):
        raise ValueError(
            f"columns of {source!r} must be different names between commas, as in FILE.csv:x,y"
        )
    return names


def _checked(y: Array, name: str, columns: list[str]) -> Data:
    data = Data.of_points(y, name=name, columns=tuple(columns))
    data.check_full()
    return data


def _numeric(text: str) -> list[str]:
    header, first = list(csv.reader(text.splitlines()[:2]))
    reading = Reading()
    pairs = zip(header, first, strict=True)
    return [name for name, cell in pairs if reading.number(cell) is not None]
