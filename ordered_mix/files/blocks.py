"""Blocks of rows that a column larger than memory is read in, and parts that are in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ordered_mix.errors import one_line
from ordered_mix.files.columns import Reading

Array = NDArray[np.float64]

ROWS = 1 << 20
"""Rows of a block: 8 MB."""


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


def unreadable(source: str, where: str, error: Exception) -> ValueError:
    """What to raise if a place of a file cannot be read."""
    reason = one_line(str(error)) or type(error).__name__
    return ValueError(f"data {source!r} cannot be read: {where}: {reason}")


def merged(blocks: Iterable[Block]) -> Iterator[Block]:
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
