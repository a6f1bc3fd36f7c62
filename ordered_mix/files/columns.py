"""Columns of a table as numbers, or a sentence that says what is wrong with them."""

from __future__ import annotations

import csv
import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.errors import one_line

Array = NDArray[np.float64]
Row = tuple[int, list[str]]

SHOWN = 40
MOST = 20
MOST_POINTS = 20_000_000
MISSING = ("", "na", "n/a", "nan", "null", "none", ".")
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}
HINTS = {
    ",": "say --separator ','",
    ";": "say --separator ';', or --decimal-comma",
    "\t": "say --separator tab, or call the file .tsv",
}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, "=": operator.eq,
    ">": operator.gt, "<": operator.lt,
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """How a table is read.

    Parameters
    ----------
    separator : str
        What stands between cells.
    decimal_comma : bool
        Whether decimals stand behind a comma; cells are then separated by semicolons.
    drop_missing : bool
        Leave out rows whose cell is empty or NA, which otherwise end in an error.
    where : str
        Keep the rows in which this is true: ``COLUMN=VALUE``, or with !=, <, <=, > or >=.
    """

    separator: str = ","
    decimal_comma: bool = False
    drop_missing: bool = False
    where: str = ""

    @property
    def cells(self) -> str:
        """What stands between cells."""
        return ";" if self.decimal_comma and self.separator == "," else self.separator

    @property
    def decimals(self) -> str:
        """How decimals are written, in words."""
        return "decimal commas" if self.decimal_comma else "decimal points"

    def number(self, cell: str) -> float | None:
        """The cell as a number, None if it is none."""
        if self.decimal_comma:
            cell = cell.replace(",", ".") if "." not in cell else "?"
        try:
            return None if "_" in cell else float(cell)
        except ValueError:
            return None


def read_column(text: str, column: str, source: str, reading: Reading | None = None) -> Array:
    """Numbers of one column of text.

    Parameters
    ----------
    text : str
        A header line, then rows.
    column : str
        Name of the column, may be empty if there is only one; ``x*count`` repeats each number of
        the column x as often as the column count says.
    source : str
        What messages call the text.
    reading : Reading, optional
        By default commas between cells and decimal points.

    Returns
    -------
    array, shape (rows,)

    Raises
    ------
    ValueError
        If the text is empty, has no header or no rows, is separated or punctuated otherwise, has
        no or several such columns, or if a cell of the column is empty, no number or not finite.
    """
    return read_columns(text, [column], source, reading)[:, 0]


def read_columns(
    text: str, columns: Sequence[str], source: str, reading: Reading | None = None
) -> Array:
    """Numbers of several columns of text, shape (rows, columns).

    Parameters
    ----------
    text, source, reading
        As for `read_column`.
    columns : sequence of str
        Their names; ``*count`` behind the last one repeats each row as often as the column count
        says. With ``drop_missing`` rows are left out where any of them is missing.

    Raises
    ------
    ValueError
        As `read_column`.
    """
    reading = reading or Reading()
    rows = _rows(text, source, reading)
    if not rows:
        raise ValueError(f"data {source!r} is an empty file")
    return columns_of(rows, columns, source, reading)


def columns_of(rows: list[Row], columns: Sequence[str], source: str, reading: Reading) -> Array:
    """Columns of rows of cells with their line numbers, the header first."""
    header = [name.strip() for name in rows[0][1]]
    *others, last = columns
    value, _, count = last.rpartition("*") if last not in header else ("", "", "")
    indices = [_position(header, name, source, reading) for name in (*others, value or last)]
    if len(rows) == 1:
        raise ValueError(f"data {source!r} has a header and no rows")
    for line, row in rows[1:]:
        if any(cell.strip() for cell in row[len(header) :]):
            raise ValueError(
                f"data {source!r} must have {reading.decimals} and {len(header)} cells a line as "
                f"its header has, line {line} has {len(row)} cells separated by "
                f"{NAMES[reading.cells]}"
            )
    kept = _chosen(rows[1:], header, source, reading)
    if reading.drop_missing:
        kept = [row for row in kept if not any(_missing(row[1], index) for index in indices)]
    if not kept:
        raise ValueError(f"data {source!r} has no rows left once some are left out")
    numbers = np.array(
        [[_number(row, index, line, source, reading) for index in indices] for line, row in kept]
    )
    if not value:
        return numbers
    place = _position(header, count, source, reading)
    return repeated(numbers, [_number(row, place, line, source, reading) for line, row in kept],
                    count, source)  # fmt: skip


def _rows(text: str, source: str, reading: Reading) -> list[Row]:
    """Lines that are not blank, each with its number and its cells."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    reader = csv.reader(
        (f"{line}\n" for line in lines), skipinitialspace=True, delimiter=reading.cells
    )
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ValueError(f"data {source!r} is not a CSV file: {error}") from None


def _position(header: list[str], column: str, source: str, reading: Reading) -> int:
    for separator, name in NAMES.items():
        if len(header) == 1 and separator in header[0] and separator != reading.cells:
            raise ValueError(
                f"data {source!r} must be separated by {NAMES[reading.cells]} with "
                f"{reading.decimals}, its header {_shown(header[0])} is separated by {name}: "
                f"{HINTS[separator]}"
            )
    if not column and len(header) > 1:
        raise ValueError(f"data {source!r} must name one of its columns: {listed(header)}")
    if not column and reading.number(header[0]) is not None:
        raise ValueError(
            f"data {source!r} must begin with a header line, it begins with {_shown(header[0])}"
        )
    column = column or header[0]
    if header.count(column) != 1:
        problem = "more than once" if column in header else "not at all"
        raise ValueError(
            f"column {column!r} is in {source!r} {problem}, its columns are {listed(header)}"
        )
    return header.index(column)


def _chosen(rows: list[Row], header: list[str], source: str, reading: Reading) -> list[Row]:
    if not reading.where:
        return rows
    found = re.fullmatch(r"(.+?)\s*(==|!=|>=|<=|=|>|<)\s*(.*)", reading.where.strip())
    if not found:
        raise ValueError(
            f"where must be COLUMN=VALUE, or with !=, <, <=, > or >=, got {reading.where!r}"
        )
    index = _position(header, found[1].strip(), source, reading)
    compare, wanted = COMPARISONS[found[2]], found[3].strip().strip("'\"")
    number = reading.number(wanted)
    if number is None and found[2] not in ("=", "==", "!="):
        raise ValueError(f"where must compare with a number by {found[2]}, got {wanted!r}")
    kept = []
    for line, row in rows:
        cell = row[index].strip() if index < len(row) else ""
        value = reading.number(cell)
        if number is None or value is None:
            true = compare(cell, wanted) if found[2] in ("=", "==", "!=") else False
        else:
            true = compare(value, number)
        if true:
            kept.append((line, row))
    return kept


def _missing(row: list[str], index: int) -> bool:
    return index >= len(row) or row[index].strip().lower() in MISSING


def _number(row: list[str], index: int, line: int, source: str, reading: Reading) -> float:
    cell = row[index].strip() if index < len(row) else ""
    value = reading.number(cell)
    if value is None or not math.isfinite(value):
        shown = _shown(cell) if cell else "an empty cell"
        hint = ": --drop-missing leaves it out" if cell.lower() in MISSING else ""
        raise ValueError(
            f"data {source!r} must hold finite numbers with {reading.decimals} only, "
            f"line {line} has {shown}{hint}"
        )
    return value


def repeated(numbers: Array, counts: ArrayLike, column: str, source: str) -> Array:
    """Each number as often as its count says, which are those of a column of the source."""
    times = np.asarray(counts)
    if np.any((times < 0) | (times != np.round(times))) or not 0 < times.sum() <= MOST_POINTS:
        raise ValueError(
            f"column {column!r} of {source!r} must hold counts, whole numbers of at least 0 and "
            f"at most {MOST_POINTS:,} in all"
        )
    return np.repeat(numbers, times.astype(np.int64), axis=0)


def listed(names: list[str]) -> str:
    """Column names on one line, the first of many, without what a terminal might obey."""
    more = f", and {len(names) - MOST:,} more" if len(names) > MOST else ""
    shown = [name if len(name) <= SHOWN else f"{name[:SHOWN]}..." for name in names[:MOST]]
    return one_line(", ".join(shown)) + more


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= SHOWN else cell[:SHOWN] + "...")
