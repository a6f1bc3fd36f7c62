"""Data as a weighted sample: shipped sets, a column of a CSV file, simulations, populations."""

from __future__ import annotations

import csv
import difflib
import math
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ordered_mix.mixture import Mixture

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Data:
    """A weighted univariate sample, or a batch of samples of one length.

    Parameters
    ----------
    y : array_like, shape (..., n)
        The points.
    weight : array_like, shape (..., n), optional
        Non-negative weight of each point; without it every point counts once.
    name : str
        What reports call the data.

    Raises
    ------
    ValueError
        If y is empty or not finite, or a weight is negative, not finite or of another shape.
    """

    y: Array
    weight: Array | None = None
    name: str = field(default="data")

    def __post_init__(self) -> None:
        object.__setattr__(self, "y", _finite("y", self.y, self.name))
        if self.y.ndim == 0 or self.y.shape[-1] == 0:
            raise ValueError(f"y must hold at least one point, {self.name} holds none")
        if self.weight is None:
            return
        weight = _finite("weight", self.weight, self.name)
        if weight.shape != self.y.shape:
            raise ValueError(f"weight must have the shape of y, {self.y.shape}, got {weight.shape}")
        if np.any(weight < 0) or np.any(weight.sum(axis=-1) <= 0):
            raise ValueError(f"weight must be non-negative with a positive sum in {self.name}")
        object.__setattr__(self, "weight", weight)

    def __repr__(self) -> str:
        weighted = "" if self.weight is None else ", weighted"
        return f"Data({self.name!r}, n={self.n}{weighted})"

    @property
    def n(self) -> int:
        """Number of points of each sample."""
        return self.y.shape[-1]

    @cached_property
    def total_weight(self) -> Array:
        """Sum of the weights, n without weights; shape (...)."""
        if self.weight is None:
            return np.full(self.y.shape[:-1], float(self.n))
        return self.weight.sum(axis=-1)

    @cached_property
    def location(self) -> Array:
        """Weighted mean, shape (...)."""
        center = self.y.mean(axis=-1)
        return center + self._average(self.y - center[..., None])

    @cached_property
    def scale(self) -> Array:
        """Weighted standard deviation (divisor: total weight), shape (...)."""
        deviation = self.y - self.location[..., None]
        largest = np.abs(deviation).max(axis=-1)
        unit = np.where(largest > 0, largest, 1.0)
        return unit * np.sqrt(self._average((deviation / unit[..., None]) ** 2))

    def standardized(self) -> Data:
        """The sample as ``(y - location) / scale``.

        Raises
        ------
        ValueError
            If the data are constant.
        """
        if np.any(self.scale <= 0):
            raise ValueError(f"y must not be constant, all points of {self.name} are equal")
        y = (self.y - self.location[..., None]) / self.scale[..., None]
        return Data(y, self.weight, self.name)

    def _average(self, value: Array) -> Array:
        if self.weight is None:
            return value.mean(axis=-1)
        return np.sum(self.weight * value, axis=-1) / self.total_weight


def shipped() -> list[str]:
    """Names of the data sets that come with the package."""
    names = []
    for path in sorted(_folder().iterdir(), key=lambda item: item.name):
        if path.name.endswith(".csv"):
            header = path.read_text().splitlines()[0].split(",")
            stem = path.name.removesuffix(".csv")
            names += [stem] if len(header) == 1 else [f"{stem}:{column}" for column in header]
    return names


def load(source: str) -> Data:
    """Load a shipped data set or one column of a CSV file.

    Parameters
    ----------
    source : str
        A name that `shipped` lists (``faithful:waiting``, ``galaxies``, ...) or
        ``FILE.csv:column``; the column may be left out if the file has only one.

    Returns
    -------
    Data

    Raises
    ------
    ValueError
        If there is no such data set, file or column, or if a cell of the column is empty, not a
        number or not finite. The message names the line.
    """
    if source in shipped():
        stem, _, column = source.partition(":")
        text = (_folder() / f"{stem}.csv").read_text()
        return Data(_column(text, column, source), name=source)
    path, column = _split_source(source)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"data {source!r} cannot be read: {error.strerror}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"data {source!r} must be text in UTF-8, it is not") from None
    y = _column(text, column, source)
    return Data(y, name=f"{path.stem}:{column}" if column else path.stem)


def simulate(mixture: Mixture, n: int, seed: int, name: str = "simulated") -> Data:
    """Draw n points from a mixture (from each mixture of a batch).

    Raises
    ------
    ValueError
        If n is not a positive whole number.
    """
    if n < 1:
        raise ValueError(f"n must be a positive whole number, got {n}")
    return Data(mixture.sample(n, np.random.default_rng(seed)), name=name)


def population(mixture: Mixture, step: float = 0.02, reach: float = 12.0) -> Data:
    """The population limit of one mixture: a fine grid weighted by the true density.

    The trapezoid rule on a uniform grid, exponentially accurate for these integrands; the weights
    add up to 1, so log likelihoods are expectations for one observation.

    Parameters
    ----------
    mixture : Mixture
        A single mixture, the truth.
    step : float
        Grid step in units of the narrowest standard deviation.
    reach : float
        How far the grid extends beyond the outermost means, in standard deviations.

    Raises
    ------
    ValueError
        If mixture is a batch, or step or reach is not positive.
    """
    if mixture.batch_shape:
        raise ValueError(f"mixture must be a single one, got a batch of {mixture.batch_shape}")
    if not (step > 0 and reach > 0):
        raise ValueError(f"step and reach must be positive, got {step} and {reach}")
    low = float(np.min(mixture.mu - reach * mixture.sigma))
    high = float(np.max(mixture.mu + reach * mixture.sigma))
    count = math.ceil((high - low) / (step * float(mixture.sigma.min()))) + 1
    if count > 10_000_000:
        raise ValueError(
            f"step must keep the grid at or below 10,000,000 points, {step} needs {count}"
        )
    y = np.linspace(low, high, count)
    density = mixture.density(y)
    return Data(y, density / density.sum(), name="population")


def _folder() -> resources.abc.Traversable:
    return resources.files("ordered_mix.datasets")


def _split_source(source: str) -> tuple[Path, str]:
    if Path(source).is_file():
        return Path(source), ""
    head, colon, column = source.rpartition(":")
    if colon and (Path(head).is_file() or head.lower().endswith(".csv")):
        if Path(head).is_file():
            return Path(head), column
        raise ValueError(f"data file {head!r} does not exist")
    near = difflib.get_close_matches(source, shipped(), n=1, cutoff=0.5)
    hint = f", did you mean {near[0]!r}" if near else ""
    raise ValueError(
        f"data must be FILE.csv:column or one of {', '.join(shipped())}, got {source!r}{hint}"
    )


def _column(text: str, column: str, source: str) -> Array:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    if not rows:
        raise ValueError(f"data {source!r} is an empty file")
    header = [name.strip() for name in rows[0]]
    if not column and len(header) > 1:
        raise ValueError(f"data {source!r} must name one of its columns: {', '.join(header)}")
    column = column or header[0]
    if header.count(column) != 1:
        problem = "more than once" if column in header else "not at all"
        raise ValueError(
            f"column {column!r} is in {source!r} {problem}, its columns are {', '.join(header)}"
        )
    if len(rows) == 1:
        raise ValueError(f"data {source!r} has a header and no rows")
    index = header.index(column)
    return np.array([_number(row, index, line, source) for line, row in enumerate(rows[1:], 2)])


def _number(row: list[str], index: int, line: int, source: str) -> float:
    cell = row[index].strip() if index < len(row) else ""
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        shown = repr(cell) if cell else "an empty cell"
        raise ValueError(f"data {source!r} must hold finite numbers only, row {line} has {shown}")
    return value


def _finite(argument: str, value: object, name: str) -> Array:
    try:
        array = np.ascontiguousarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{argument} must hold numbers only, {name} does not") from None
    bad = ~np.isfinite(array)
    if np.any(bad):
        raise ValueError(
            f"{argument} must be finite, {int(bad.sum())} of {bad.size} values of {name} are not"
        )
    return array
