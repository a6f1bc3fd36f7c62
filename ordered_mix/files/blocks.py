"""A column that may be larger than memory: its parts, and the blocks of rows that each is read in.

A part is some row groups of one Parquet file, or one text file, or one partition of a Dask
collection. Parts do not depend on how many processes read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from os.path import basename, isdir
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ordered_mix.errors import one_line
from ordered_mix.files.columns import Reading, listed, repeated

Array = NDArray[np.float64]

ROWS = 1 << 20
"""Rows of a block: 8 MB."""
LEAST, MOST_PARTS = 1 << 22, 4096
TEXT_BYTES = 8 << 20
BYTES_A_ROW, PACKED = 20, 4
PARQUET = (".parquet", ".pq")
TEXT = tuple(f"{suffix}{more}" for suffix in (".csv", ".tsv", ".tab") for more in ("", ".gz"))


class Block(NamedTuple):
    """Rows of a column, all finite.

    Parameters
    ----------
    y : array, shape (rows,)
    weight : array, shape (rows,), or None
        How often each counts.
    """

    y: Array
    weight: Array | None


class Part(Protocol):
    """What is read by one process from its beginning to its end."""

    @property
    def bytes(self) -> int:
        """What its rows take in memory, about."""
        ...

    def blocks(self) -> Iterator[Block]:
        """The rows, in blocks of at most `ROWS`."""
        ...


class Columns(NamedTuple):
    """Which columns are read, and how.

    Parameters
    ----------
    source : str
        What messages call the data.
    y, weight : str
        Names of the columns; an empty weight if every row counts once.
    reading : Reading
    """

    source: str
    y: str
    weight: str
    reading: Reading

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        return [self.y, self.weight] if self.weight else [self.y]

    def block(self, columns: Sequence[Any], where: str, first: int) -> Block:
        """Arrow arrays as a block; where they were and the number of the first row, for messages.

        Raises
        ------
        ValueError
            If a value is missing or not finite, or a weight is negative.
        """
        import pyarrow as pa

        try:
            values = [
                np.asarray(one.cast(pa.float64()).to_numpy(zero_copy_only=False)) for one in columns
            ]
        except pa.ArrowException as error:
            raise unreadable(self.source, where, error) from None
        if self.reading.drop_missing:
            kept = ~np.isnan(values[0])
            values = values if kept.all() else [value[kept] for value in values]
        for name, value in zip(self.names, values, strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                fine = np.isfinite(value.sum()) or np.isfinite(value).all()
            if not fine:
                row = int(np.argmin(np.isfinite(value)))
                found = "a missing value" if np.isnan(value[row]) else str(value[row])
                hint = ": --drop-missing leaves it out" if np.isnan(value[row]) else ""
                raise ValueError(
                    f"data {self.source!r} must hold finite numbers only, column {name!r} has "
                    f"{found} in {where}, row {first + row + 1:,}{hint}"
                )
        if len(values) == 2 and value.min(initial=0.0) < 0:
            raise ValueError(
                f"column {self.weight!r} of {self.source!r} must hold counts or weights of at "
                f"least 0, {where} has {value.min():g}"
            )
        return Block(values[0], values[1] if len(values) == 2 else None)


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
        return _merged(block for group in self.groups for block in self._group(group))

    def _group(self, group: int) -> Iterator[Block]:
        import pyarrow as pa

        names, first = self.columns.names, 0
        where = f"row group {group} of {basename(self.path)}"
        try:
            # without pre_buffer a row group is read page by page, however large it is
            with _parquet(self.path) as file:
                batches = file.iter_batches(ROWS, [group], names, use_threads=False)
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
        return _merged(self._blocks())

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


@dataclass(frozen=True, eq=False)
class ArrayPart:
    """Rows in memory."""

    y: Array
    weight: Array | None = None

    @property
    def bytes(self) -> int:
        """What its rows take in memory."""
        return self.y.nbytes + (0 if self.weight is None else self.weight.nbytes)

    def blocks(self) -> Iterator[Block]:
        """The rows, in blocks of at most `ROWS`."""
        for start in range(0, self.y.size, ROWS):
            rows = slice(start, start + ROWS)
            yield Block(self.y[rows], None if self.weight is None else self.weight[rows])


@dataclass(frozen=True, eq=False)
class DelayedPart:
    """One partition of a Dask array or series, which is computed where it is read."""

    delayed: Any
    number: int
    source: str

    @property
    def bytes(self) -> int:
        """Unknown: Dask keeps its collections where they are."""
        return 0

    def blocks(self) -> Iterator[Block]:
        """The rows, in blocks of at most `ROWS`."""
        return self.loaded(self.delayed.compute(scheduler="synchronous")).blocks()

    def loaded(self, value: Any) -> ArrayPart:
        """The partition with what was computed.

        Raises
        ------
        ValueError
            If that is not one column of finite numbers.
        """
        import pyarrow as pa

        where = f"partition {self.number}"
        try:
            y = np.ascontiguousarray(value, dtype=np.float64).squeeze()
        except (TypeError, ValueError) as error:
            raise unreadable(self.source, where, error) from None
        if y.ndim > 1:
            raise ValueError(f"data must be one column of numbers, {where} has shape {y.shape}")
        columns = Columns(self.source, self.source, "", Reading())
        return ArrayPart(columns.block([pa.array(np.atleast_1d(y))], where, 0).y)


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
    found = [name for name in found if name.lower().endswith((*PARQUET, *TEXT))]
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


def unreadable(source: str, where: str, error: Exception) -> ValueError:
    """What to raise if a place of a file cannot be read."""
    reason = one_line(str(error)) or type(error).__name__
    return ValueError(f"data {source!r} cannot be read: {where}: {reason}")


def _merged(blocks: Iterable[Block]) -> Iterator[Block]:
    """Small blocks put together, up to `ROWS` rows."""
    waiting: list[Block] = []
    for block in blocks:
        if waiting and sum(one.y.size for one in waiting) + block.y.size > ROWS:
            yield _joined(waiting)
            waiting = []
        waiting.append(block)
    if waiting:
        yield _joined(waiting)


def _joined(blocks: list[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    weights = [one.weight for one in blocks if one.weight is not None]
    y = np.concatenate([one.y for one in blocks])
    return Block(y, np.concatenate(weights) if weights else None)


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
        held = metadata.row_group(group).num_rows
        if groups and rows + held > most:
            found.append(ParquetPart(path, tuple(groups), columns, rows))
            groups, rows = [], 0
        groups.append(group)
        rows += held
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
