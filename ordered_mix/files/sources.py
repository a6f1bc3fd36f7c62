"""Where columns come from: text, compressed or from standard input, Parquet, Excel."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Sequence
from dataclasses import replace
from os.path import isdir, isfile
from pathlib import Path

from ordered_mix.errors import one_line
from ordered_mix.files.columns import Array, Reading, Row, columns_of, read_columns
from ordered_mix.files.parts import COMPRESSED, PARQUET, TEXT, parts_of, whole

STANDARD_INPUT = "-"
EXCEL = (".xlsx", ".xls", ".ods")
SUFFIXES = (*TEXT, *COMPRESSED, *PARQUET, *EXCEL)
MOST_BYTES = 4 << 30


def split_source(source: str) -> tuple[str, str] | None:
    """Path and column of ``FILE:column``, ``FILE``, ``FOLDER/:column`` or ``-``; else None.

    Raises
    ------
    ValueError
        If it is spelled like a file that does not exist.
    """
    if isfile(source) or source == STANDARD_INPUT or _folder(source):
        return source, ""
    head, colon, column = source.rpartition(":")
    if colon and (isfile(head) or head == STANDARD_INPUT or _folder(head)):
        return head, column
    for name in (head, source):
        if name.lower().endswith(SUFFIXES):
            raise ValueError(f"data file {name!r} does not exist")
    return None


def read_source(path: str, columns: Sequence[str], source: str, reading: Reading) -> Array:
    """Numbers of columns of a file or of standard input, shape (rows, columns).

    Raises
    ------
    ValueError
        If it cannot be read, or as `files.columns.read_columns`.
    """
    if isdir(path):
        if len(columns) > 1:
            raise ValueError(f"data {source!r} must name one column of a folder, not several")
        [column] = columns
        return whole(parts_of(path, column, source, reading), column, source)[:, None]
    name = path.lower()
    if name.endswith((*PARQUET, *EXCEL)):
        return columns_of(_frame_rows(path, source), columns, source, reading)
    if ".tsv" in name[-7:] or ".tab" in name[-7:]:
        reading = replace(reading, separator="\t")
    try:
        text = _bytes(path, source).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"data {source!r} must be text in UTF-8, it is not") from None
    return read_columns(text, columns, source, reading)


def _folder(path: str) -> bool:
    """Whether it is spelled like a folder that there is: the name of a data set is no folder."""
    return path.endswith(("/", "\\")) and isdir(path)


def _bytes(path: str, source: str) -> bytes:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        if not path.lower().endswith(".gz"):
            return Path(path).read_bytes()
        with gzip.open(path) as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"data {source!r} cannot be read: {one_line(reason)}") from None
    if len(content) > MOST_BYTES:
        raise ValueError(
            f"data {source!r} must unpack to at most {MOST_BYTES:,} bytes, it has more"
        )
    return content


def _frame_rows(path: str, source: str) -> list[Row]:
    """A header and rows of cells as text, of what pandas reads."""
    import pandas as pd

    read = pd.read_parquet if path.lower().endswith(PARQUET) else pd.read_excel
    try:
        frame = read(path)
    except ImportError as error:
        raise ValueError(f"data {source!r} cannot be read: {one_line(str(error))}") from None
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise ValueError(f"data {source!r} cannot be read: {reason}") from None
    header = [str(name) for name in frame.columns]
    missing = frame.isna().to_numpy()
    cells = [
        ["" if none else _cell(value) for value, none in zip(row, empty, strict=True)]
        for row, empty in zip(frame.itertuples(index=False, name=None), missing, strict=True)
    ]
    return [(1, header), *((line + 2, row) for line, row in enumerate(cells))]


def _cell(value: object) -> str:
    return repr(float(value)) if isinstance(value, int | float) else str(value)
