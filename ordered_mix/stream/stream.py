"""A sample that is read again for every pass, by this process or by the workers of Dask."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from os import stat
from os.path import isdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ordered_mix.data import Data, as_data, load
from ordered_mix.errors import one_line
from ordered_mix.files.blocks import DelayedPart, Part
from ordered_mix.files.columns import Reading
from ordered_mix.files.parts import SUFFIXES, estimated_points, files_of, parts_of
from ordered_mix.files.sources import split_source
from ordered_mix.mixture import Array
from ordered_mix.passes import kernels
from ordered_mix.passes.kernels import Moments
from ordered_mix.stream.ahead import read_ahead
from ordered_mix.stream.sums import Summary, joined, pass_sums, rounded_once, summarise

if TYPE_CHECKING:
    from ordered_mix.stream.workers import Workers

IN_MEMORY = 5_000_000
"""Points up to which `opened` reads a file whole."""


@dataclass(frozen=True, eq=False)
class Stream:
    """A univariate sample, weighted or not, of which a few megabytes are in memory at a time.

    It stands for `Data` in every point estimator and in `laplace`, which see sums over its parts
    that are rounded once. `stream` makes one.

    Parameters
    ----------
    parts : tuple of Part
        What is read, see `files.blocks`.
    summary : Summary
        What the first pass found, in the units of the files.
    name : str
        What reports call the data.
    workers : Workers, optional
        Those of Dask that read and sum; by default this process does.
    units : tuple of float
        What is subtracted from every point, and what the difference is divided by.
    identity : str
        Names, sizes and times of the files.
    """

    parts: tuple[Part, ...]
    summary: Summary
    name: str = "data"
    workers: Workers | None = field(default=None, repr=False)
    units: tuple[float, float] = (0.0, 1.0)
    identity: str = field(default="", repr=False)

    def __repr__(self) -> str:
        return f"Stream({self.name!r}, n={self.n})"

    @property
    def n(self) -> int:
        """Number of points."""
        return self.summary.rows

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """It is one sample."""
        return ()

    @property
    def total_weight(self) -> Array:
        """Sum of the weights, n without weights."""
        return np.array(self.summary.weight)

    @property
    def location(self) -> Array:
        """Weighted mean."""
        return np.array((self.summary.location - self.units[0]) / self.units[1])

    @property
    def scale(self) -> Array:
        """Weighted standard deviation (divisor: total weight)."""
        return np.array(self.summary.scale / self.units[1])

    @property
    def digest(self) -> str:
        """SHA-256 of the first pass and of the names, sizes and times of the files."""
        return hashlib.sha256(f"{self.summary}{self.identity}".encode()).hexdigest()

    def standardized(self) -> Stream:
        """The sample as ``(y - location) / scale``.

        Raises
        ------
        ValueError
            If the data are constant.
        """
        if not self.scale > 0:
            raise ValueError(f"y must not be constant, all points of {self.name} are equal")
        return replace(self, units=(self.summary.location, self.summary.scale))

    def moments(self, w: Array, mu: Array, sigma: Array) -> Moments:
        """One pass for every run of a batch, all in one reading.

        Parameters
        ----------
        w, mu, sigma : array, shape (..., k)
        """
        w, mu, sigma = np.broadcast_arrays(w, mu, sigma)
        shape, k = mu.shape[:-1], mu.shape[-1]
        flat = [np.ascontiguousarray(value).reshape(-1, k) for value in (w, mu, sigma)]
        total = rounded_once(list(self.over(pass_sums, *self.units, *flat)))
        s0, s1, s2 = (part.reshape(*shape, k) for part in np.split(total[:, 1:], 3, axis=1))
        return Moments(total[:, 0].reshape(shape), s0, s1, s2)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of a point: a number."""
        return ()

    def over(self, task: Callable[..., Any], *given: Any) -> Iterator[Any]:
        """What a task makes of the blocks of each part, in their order, see `over_parts`."""
        return over_parts(self.parts, self.workers, task, *given)


def over_parts(
    parts: Sequence[Part], workers: Workers | None, task: Callable[..., Any], *given: Any
) -> Iterator[Any]:
    """What a task makes of the blocks of each part, in the order of the parts.

    Parameters
    ----------
    parts : sequence of Part
    workers : Workers, optional
    task : callable
        Of an iterable of blocks, and of what is given. Where it returns None nothing is yielded.
    """
    if workers is not None:
        found = workers.over(task, *given)
    else:
        groups = groupby(read_ahead(parts), key=itemgetter(0))
        found = (task((block for _, block in blocks), *given) for _, blocks in groups)
    return (one for one in found if one is not None)


def moments_of(data: Data | Stream, w: Array, mu: Array, sigma: Array) -> Moments:
    """One pass over data in memory or over a stream, see `passes.kernels.e_step`."""
    if isinstance(data, Stream):
        return data.moments(w, mu, sigma)
    return kernels.e_step(data.y, w, mu, sigma, weight=data.weight)


def stream(source: Any, *, client: Any = None, reading: Reading | None = None) -> Stream:
    """A sample that is read in blocks, whatever its size.

    Parameters
    ----------
    source : str, path, or Dask array or series
        ``FILE:column`` or ``FOLDER/:column`` of Parquet or of text with a header line (.csv, .tsv,
        also with .gz behind); ``x*count`` weights each x with the column count.
    client : distributed.Client, optional
        Its workers then read and sum, and keep their parts in memory if they all fit.
    reading : Reading, optional
        How text is read.

    Returns
    -------
    Stream

    Raises
    ------
    ValueError
        If it cannot be read, or a number is missing or not finite; the message names the file and
        the row group.
    """
    if hasattr(source, "to_delayed"):
        return _of_dask(source, client)
    found = split_source(str(source))
    if found is None or not _in_blocks(found[0]):
        raise ValueError(
            f"data must be FILE:column or FOLDER/:column of Parquet or CSV files to be read in "
            f"blocks, got {str(source)!r}"
        )
    path, column = found
    parts = parts_of(path, column, str(source), reading)
    stem = Path(path).name.partition(".")[0] or Path(path).name
    files = [(one, stat(one).st_size, stat(one).st_mtime_ns) for one in files_of(path, str(source))]
    return _first_pass(parts, one_line(f"{stem}:{column}" if column else stem), client, repr(files))


def opened(source: Any, *, client: Any = None, **options: Any) -> Data | Stream:
    """`Data` of what fits into memory, a `Stream` of more.

    Parameters
    ----------
    source : Data, Stream, str, path, array_like, or Dask array or series
        Files and folders of more than `IN_MEMORY` points are streamed unless ``where`` chooses
        among their rows, and Dask collections, and everything if there is a client.
    client : distributed.Client, optional
        As in `stream`.
    **options
        As in `data.load`.
    """
    if isinstance(source, Stream):
        return source
    if hasattr(source, "to_delayed") or client is not None:
        return stream(source, client=client, reading=Reading(**options))
    if not isinstance(source, str | Path):
        return as_data(source)
    found, reading = split_source(str(source)), Reading(**options)
    if found is not None and _in_blocks(found[0]) and not reading.where:
        if estimated_points(found[0], str(source)) > IN_MEMORY:
            return stream(source, reading=reading)
    return as_data(load(source, **options))


def _in_blocks(path: str) -> bool:
    return isdir(path) or path.lower().endswith(SUFFIXES)


def _of_dask(source: Any, client: Any) -> Stream:
    shape: tuple[int, ...] = getattr(source, "shape", ())
    if len(shape) > 1 and shape[1] != 1:
        raise ValueError(f"data must be one column of numbers, got an array of shape {shape}")
    called = getattr(source, "name", None)
    name = called if isinstance(called, str) and not hasattr(source, "chunks") else "data"
    delayed = np.ravel(np.array(source.to_delayed(), dtype=object))
    parts: list[Part] = [DelayedPart(one, number, name) for number, one in enumerate(delayed)]
    return _first_pass(parts, name, client, str(called))


def _first_pass(parts: list[Part], name: str, client: Any, identity: str) -> Stream:
    workers = None
    if client is not None:
        # distributed takes half a second to import
        from ordered_mix.stream.workers import Workers

        workers = Workers(client, parts)
    summary = joined(list(over_parts(parts, workers, summarise)))
    if summary is None:
        raise ValueError(f"y must hold at least one point of positive weight, {name} holds none")
    return Stream(tuple(parts), summary, name, workers, identity=identity)
