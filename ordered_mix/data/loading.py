"""Data from names: shipped sets, and columns of files; and from what holds numbers."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import numpy as np

from ordered_mix.data.data import Data
from ordered_mix.data.points import load_points, several_columns
from ordered_mix.data.shipped import folder, shipped, shipped_points
from ordered_mix.errors import one_line
from ordered_mix.files.columns import Reading, read_column
from ordered_mix.files.sources import read_source, split_source


def load(
    source: str | Path,
    *,
    separator: str = ",",
    decimal_comma: bool = False,
    drop_missing: bool = False,
    where: str = "",
) -> Data:
    """Load a shipped data set, or one or several columns of a file.

    Parameters
    ----------
    source : str or path
        A name that `shipped` lists (``faithful:waiting``, ``galaxies``, ...) or ``FILE:column``;
        the column may be left out if the file has only one. Text in UTF-8 with a header line
        (.csv, .tsv, either with .gz behind), Parquet, Excel where pandas can read it, or ``-`` for
        standard input; ``FOLDER/:column`` for the Parquet and text files of a folder.
        ``FILE:x*count`` repeats each x as often as the column count says. Several columns, as
        ``FILE:x,y`` or ``iris``, are read by `load_points`.
    separator : str
        What stands between the cells of text; tabs in .tsv files.
    decimal_comma : bool
        Whether decimals stand behind a comma; cells are then separated by semicolons.
    drop_missing : bool
        Leave out rows whose cell is empty or NA.
    where : str
        Keep the rows in which this is true: ``COLUMN=VALUE``, or with !=, <, <=, > or >=.

    Returns
    -------
    Data

    Raises
    ------
    ValueError
        If there is no such data set, file or column, or if a cell of the column is empty, not a
        number or not finite, or a line has more cells than the header. The message names the line.
    """
    source, reading = str(source), Reading(separator, decimal_comma, drop_missing, where)
    if several_columns(source):
        return load_points(
            source, separator=separator, decimal_comma=decimal_comma, drop_missing=drop_missing,
            where=where,
        )  # fmt: skip
    if source in shipped():
        stem, _, column = source.partition(":")
        text = (folder() / f"{stem}.csv").read_text("utf-8")
        return Data(read_column(text, column, source, Reading(where=where)), name=source)
    found = split_source(source)
    if found is None:
        known = sorted({*shipped(), *shipped_points()})
        near = difflib.get_close_matches(source, known, n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}" if near else ""
        raise ValueError(
            f"data must be FILE.csv:column or one of {', '.join(known)}, got {source!r}{hint}"
        )
    path, column = found
    y = read_source(path, [column], source, reading)[:, 0]
    stem = "input" if path == "-" else Path(path).name.partition(".")[0] or Path(path).name
    return Data(y, name=one_line(f"{stem}:{column}" if column else stem))


def as_data(source: Any, name: str = "data") -> Data:
    """Data of whatever holds one column of numbers.

    Parameters
    ----------
    source : Data, str, path or array_like
        What `load` takes; or numbers: a list, an array of shape (n,) or (n, 1), a Series, a
        DataFrame of one column.
    name : str
        What reports call numbers that have no name.

    Raises
    ------
    ValueError
        If there are several columns, or as `Data` and `load`.
    """
    if isinstance(source, str | Path):
        source = load(source)
    if isinstance(source, Data):
        if source.columns:
            raise ValueError(f"data must be one column of numbers, got {source!r}")
        return source
    columns = getattr(source, "columns", None)
    called = getattr(source, "name", None) if columns is None else columns[0]
    try:
        y = np.asarray(source, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"data must be one column of numbers, got {type(source).__name__}"
        ) from None
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(f"data must be one column of numbers, got an array of shape {y.shape}")
    return Data(y, name=str(called) if isinstance(called, str) else name)
