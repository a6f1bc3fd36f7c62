"""The parts of a column in Parquet and text files, and in folders of them.

A part is some row groups of one Parquet file, or one text file. Parts do not depend on how many
processes read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from os.path import basename, isdir
from pathlib import Path
from typing import Any

import numpy as np

from ordered_mix.files import blocks
from ordered_mix.files.blocks import Array, Block, Columns, Part, merged, unreadable
from ordered_mix.files.columns import Reading, listed, repeated

LEAST, MOST_PARTS = 1 << 22, 4096
"""Rows of a part of a small file, and how many parts a large one has."""
TEXT_BYTES = 8 << 20
BYTES_A_ROW, PACKED = 20, 4
TEXT, PARQUET = (".csv", ".tsv", ".txt", ".tab"), (".parquet", ".pq")
COMPRESSED = tuple(f"{suffix}.gz" for suffix in TEXT)
SUFFIXES = (*PARQUET, *TEXT, *COMPRESSED)
NOTES = (".txt", ".txt.gz")


@dataclass(frozen=True)
class ParquetPart:
    """Row groups of one Parquet file."""

    path: str
    groups: tuple[int, ...]
    columns: Columns
    rows: int

    @property
    def bytes(self) -> int:
        """What its rows take in memory."""
        return 8 * len(self.columns.names) * self.rows

    def blocks(self) -> Iterator[Block]:
        """The rows, in blocks of at most `ROWS`."""
        return merged(block for group in self.groups for block in self._group(group))

    def _group(self, group: int) -> Iterator[Block]:
        import pyarrow as pa

        names, first = self.columns.names, 0
        where = f"row group {group} of {basename(self.path)}"
        try:
            # without pre_buffer a row group is read page by page, however large it is
            with _parquet(self.path) as file:
                batches = file.iter_batches(blocks.ROWS, [group], names, use_threads=False)
                for batch in batches:
                    yield self.columns.block([batch.column(n) for n in names], where, first)
                    first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self.columns.source, where, error) from None


@dataclass(frozen=True)
class TextPart:
    """One text file, which is read from its beginning."""

    path: str
    columns: Columns

    @property
    def bytes(self) -> int:
        """What its rows take in memory, about."""
        return _unpacked(self.path)

    def blocks(self) -> Iterator[Block]:
        """The rows, in blocks of at most `ROWS`."""
        return merged(self._blocks())

    def _blocks(self) -> Iterator[Block]:
        import pyarrow as pa

        first, names = 0, self.columns.names
        for number in count():
            where = f"block {number} of {basename(self.path)}"
            try:
                if number == 0:
                    batches = _text(self.path, self.columns)
                batch = next(batches, None)
            except (pa.ArrowException, OSError, StopIteration) as error:
                raise unreadable(self.columns.source, where, error) from None
            if batch is None:
                return
            yield self.columns.block([batch.column(n) for n in names], where, first)
            first += batch.num_rows


def parts_of(path: str, column: str, source: str, reading: Reading | None = None) -> list[Part]:
    """The parts of a column of a Parquet or text file, or of a folder of such files.

    Parameters
    ----------
    path : str
    column : str
        Its name; ``x*count`` weights each x with the column count. It may be left out if the
        file has only one.
    source : str
        What messages call the data.
    reading : Reading, optional

    Raises
    ------
    ValueError
        If a file cannot be read, or has no such column of numbers; the message names the file.
    """
    reading = reading or Reading()
    if reading.where:
        raise ValueError(
            f"where must be left out for data that are read in blocks, got {reading.where!r}: "
            "write the rows that are meant to a file of their own"
        )
    found: list[Part] = []
    files = files_of(path, source)
    rows = sum(_parquet_rows(name, source) for name in files if name.lower().endswith(PARQUET))
    most = max(LEAST, rows // MOST_PARTS)
    for name in files:
        if name.lower().endswith(PARQUET):
            found += _parquet_parts(name, column, source, reading, most)
        else:
            found.append(_text_part(name, column, source, reading))
    return found


def files_of(path: str, source: str) -> list[str]:
    """The file, or the Parquet and text files of a folder in the order of their names.

    Raises
    ------
    ValueError
        If the folder holds none.
    """
    if not isdir(path):
        return [path]
    inside = (one.relative_to(path).parts for one in Path(path).rglob("*") if one.is_file())
    shown = (parts for parts in inside if not any(name.startswith((".", "_")) for name in parts))
    found = sorted(str(Path(path, *parts)) for parts in shown)
    # a folder of data may hold a readme
    found = [name for name in found if name.lower().endswith(SUFFIXES)]
    found = [name for name in found if not name.lower().endswith(NOTES)]
    if not found:
        raise ValueError(f"data {source!r} must be a folder of Parquet or CSV files, it holds none")
    return found


def estimated_points(path: str, source: str) -> int:
    """Rows of Parquet files; for text as many as it has if there are `BYTES_A_ROW` in each."""
    total = 0
    for name in files_of(path, source):
        parquet = name.lower().endswith(PARQUET)
        total += _parquet_rows(name, source) if parquet else _unpacked(name) // BYTES_A_ROW
    return total


def whole(parts: Sequence[Part], column: str, source: str) -> Array:
    """All rows, each as often as its weight says.

    Raises
    ------
    ValueError
        If there are none, or weights are not whole numbers.
    """
    blocks = [block for part in parts for block in part.blocks()]
    if not blocks:
        raise ValueError(f"data {source!r} has no rows")
    numbers = np.concatenate([block.y for block in blocks])
    weights = [block.weight for block in blocks if block.weight is not None]
    if not weights:
        return numbers
    return repeated(numbers, np.concatenate(weights), column.rpartition("*")[2], source)


def _unpacked(path: str) -> int:
    """Bytes of a text file, about, once it is unpacked."""
    size = Path(path).stat().st_size
    return PACKED * size if path.lower().endswith(".gz") else size


def _parquet(path: str) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)


def _parquet_rows(path: str, source: str) -> int:
    import pyarrow as pa

    try:
        with _parquet(path) as file:
            return int(file.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(source, basename(path), error) from None


def _parquet_parts(path: str, column: str, source: str, reading: Reading, most: int) -> list[Part]:
    import pyarrow as pa

    with _parquet(path) as file:
        schema, metadata = file.schema_arrow, file.metadata
    columns = _chosen(schema.names, column, path, source, reading)
    for name in columns.names:
        kind = schema.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)
                or pa.types.is_decimal(kind)):  # fmt: skip
            raise ValueError(
                f"column {name!r} of {source!r} must hold numbers, it holds {kind} in "
                f"{basename(path)}"
            )
    found, groups, rows = list[Part](), list[int](), 0
    for group in range(metadata.num_row_groups):
        here = metadata.row_group(group).num_rows
        if groups and rows + here > most:
            found.append(ParquetPart(path, tuple(groups), columns, rows))
            groups, rows = [], 0
        groups.append(group)
        rows += here
    return [*found, ParquetPart(path, tuple(groups), columns, rows)] if rows else found


def _text_part(path: str, column: str, source: str, reading: Reading) -> Part:
    import pyarrow as pa

    if any(end in path.lower()[-7:] for end in (".tsv", ".tab")):
        reading = Reading("\t", reading.decimal_comma, reading.drop_missing)
    try:
        header = _text(path, Columns(source, "", "", reading)).schema.names
    except (pa.ArrowException, OSError) as error:
        raise unreadable(source, basename(path), error) from None
    return TextPart(path, _chosen(header, column, path, source, reading))


def _text(path: str, columns: Columns) -> Any:
    """Batches of rows; all columns as text if none is named."""
    import pyarrow as pa
    from pyarrow import csv

    names, reading = list(filter(None, columns.names)), columns.reading
    return csv.open_csv(
        pa.input_stream(path),
        csv.ReadOptions(block_size=TEXT_BYTES, use_threads=False),
        csv.ParseOptions(delimiter=reading.cells),
        csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.float64()), include_columns=names or None,
            decimal_point="," if reading.decimal_comma else ".",
        ),
    )  # fmt: skip


def _chosen(header: list[str], column: str, path: str, source: str, reading: Reading) -> Columns:
    y, _, weight = column.rpartition("*") if "*" in column else (column, "", "")
    if column in header:
        y, weight = column, ""
    if not y and len(header) == 1:
        y = header[0]
    for name in filter(None, (y, weight)):
        if header.count(name) != 1:
            problem = "more than once" if name in header else "not at all"
            raise ValueError(
                f"column {name!r} is in {basename(path)} of {source!r} {problem}, its columns are "
                f"{listed(header)}"
            )
    if not y:
        raise ValueError(f"data {source!r} must name one of its columns: {listed(header)}")
    return Columns(source, y, weight, reading)
