"""One column of CSV text as numbers, or a sentence that says what is wrong with it."""

from __future__ import annotations

import csv
import math

import numpy as np
from numpy.typing import NDArray

from ordered_mix.errors import one_line

Array = NDArray[np.float64]

SHOWN = 40
MOST = 20


def read_column(text: str, column: str, source: str) -> Array:
    """Numbers of one column.

    Parameters
    ----------
    text : str
        CSV text: a header line, cells separated by commas, decimal points.
    column : str
        Name of the column; may be empty if there is only one.
    source : str
        What messages call the text.

    Returns
    -------
    array, shape (rows,)

    Raises
    ------
    ValueError
        If the text is empty, has no header or no rows, is separated or punctuated otherwise, has
        no or several such columns, or if a cell of the column is empty, no number or not finite.
    """
    rows = _rows(text, source)
    if not rows:
        raise ValueError(f"data {source!r} is an empty file")
    header = [name.strip() for name in rows[0][1]]
    index = _position(header, column, source)
    if len(rows) == 1:
        raise ValueError(f"data {source!r} has a header and no rows")
    for line, row in rows[1:]:
        if any(cell.strip() for cell in row[len(header) :]):
            raise ValueError(
                f"data {source!r} must have decimal points and {len(header)} cells a line as its "
                f"header has, line {line} has {len(row)} cells separated by commas"
            )
    return np.array([_number(row, index, line, source) for line, row in rows[1:]])


def _rows(text: str, source: str) -> list[tuple[int, list[str]]]:
    """Lines that are not blank, each with its number and its cells."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    reader = csv.reader((f"{line}\n" for line in lines), skipinitialspace=True)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ValueError(f"data {source!r} is not a CSV file: {error}") from None


def _position(header: list[str], column: str, source: str) -> int:
    separators = {";": "semicolons", "\t": "tabs"}
    for separator, name in separators.items():
        if len(header) == 1 and separator in header[0]:
            raise ValueError(
                f"data {source!r} must be separated by commas with decimal points, its header "
                f"{_shown(header[0])} is separated by {name}"
            )
    if not column and len(header) > 1:
        raise ValueError(f"data {source!r} must name one of its columns: {_listed(header)}")
    if not column and _parse(header[0]) is not None:
        raise ValueError(
            f"data {source!r} must begin with a header line, it begins with {_shown(header[0])}"
        )
    column = column or header[0]
    if header.count(column) != 1:
        problem = "more than once" if column in header else "not at all"
        raise ValueError(
            f"column {column!r} is in {source!r} {problem}, its columns are {_listed(header)}"
        )
    return header.index(column)


def _number(row: list[str], index: int, line: int, source: str) -> float:
    cell = row[index].strip() if index < len(row) else ""
    value = _parse(cell)
    if value is None or not math.isfinite(value):
        shown = _shown(cell) if cell else "an empty cell"
        raise ValueError(
            f"data {source!r} must hold finite numbers with decimal points only, "
            f"line {line} has {shown}"
        )
    return value


def _parse(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _listed(names: list[str]) -> str:
    """Column names on one line, the first of many, without what a terminal might obey."""
    more = f", and {len(names) - MOST:,} more" if len(names) > MOST else ""
    shown = [name if len(name) <= SHOWN else f"{name[:SHOWN]}..." for name in names[:MOST]]
    return one_line(", ".join(shown)) + more


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= SHOWN else cell[:SHOWN] + "...")
