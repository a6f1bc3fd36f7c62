"""Data as a weighted sample: shipped sets, a column of a CSV file, simulations, populations."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.errors import one_line
from ordered_mix.files.columns import Reading, read_column
from ordered_mix.files.sources import read_source, split_source
from ordered_mix.mixture import Mixture

Array = NDArray[np.float64]

LARGEST = np.finfo(np.float64).max


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
        y = _finite("y", self.y, self.name)
        object.__setattr__(self, "y", y)
        if y.size == 0:
            raise ValueError(f"y must hold at least one point, {self.name} holds none")
        with np.errstate(over="ignore"):
            span = y.max(axis=-1) - y.min(axis=-1)
        if not np.all(np.isfinite(span)):
            raise ValueError(f"y must span less than {LARGEST:.1e}, {self.name} spans more")
        if self.weight is None:
            return
        weight = _finite("weight", self.weight, self.name)
        if weight.shape != y.shape:
            raise ValueError(f"weight must have the shape of y, {y.shape}, got {weight.shape}")
        with np.errstate(over="ignore"):
            total = weight.sum(axis=-1)
        if np.any(weight < 0) or not np.all((total > 0) & np.isfinite(total)):
            raise ValueError(
                f"weight must be non-negative with a positive and finite sum in {self.name}"
            )
        object.__setattr__(self, "weight", weight)

    def __repr__(self) -> str:
        weighted = "" if self.weight is None else ", weighted"
        return f"Data({self.name!r}, n={self.n}{weighted})"

    @property
    def n(self) -> int:
        """Number of points of each sample."""
        return self.y.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the batch of samples, () for one."""
        return self.y.shape[:-1]

    @cached_property
    def total_weight(self) -> Array:
        """Sum of the weights, n without weights; shape (...)."""
        if self.weight is None:
            return np.full(self.y.shape[:-1], float(self.n))
        return self.weight.sum(axis=-1)

    @cached_property
    def _ends(self) -> tuple[Array, Array]:
        """Smallest and largest point of positive weight, shape (...)."""
        if self.weight is None:
            return self.y.min(axis=-1), self.y.max(axis=-1)
        counts = self.weight > 0
        low = np.where(counts, self.y, np.inf).min(axis=-1)
        return low, np.where(counts, self.y, -np.inf).max(axis=-1)

    @cached_property
    def location(self) -> Array:
        """Weighted mean, shape (...)."""
        low, high = self._ends
        middle = low + (high - low) / 2
        return np.clip(middle + _unit(high - low) * self._average(self._from(middle)), low, high)

    @cached_property
    def scale(self) -> Array:
        """Weighted standard deviation (divisor: total weight), shape (...); 0 if constant."""
        low, high = self._ends
        deviation = self._from(self.location)
        # The location is rounded: at an offset of 1e9 its error is not small for a narrow scale.
        deviation = deviation - self._average(deviation)[..., None]
        variance = self._average(deviation**2)
        return np.where(high > low, _unit(high - low) * np.sqrt(variance), 0.0)

    def standardized(self) -> Data:
        """The sample as ``(y - location) / scale``; points without weight become 0.

        Raises
        ------
        ValueError
            If the data are constant.
        """
        if np.any(self.scale <= 0):
            raise ValueError(f"y must not be constant, all points of {self.name} are equal")
        return self._standardized

    @cached_property
    def _standardized(self) -> Data:
        low, high = self._ends
        y = self._from(self.location) * (_unit(high - low) / self.scale)[..., None]
        return Data(y, self.weight, self.name)

    def _from(self, center: Array) -> Array:
        """Deviations from a center in units of the range, 0 for points without weight."""
        low, high = self._ends
        y = self.y if self.weight is None else np.where(self.weight > 0, self.y, center[..., None])
        return (y - center[..., None]) / _unit(high - low)[..., None]

    def _average(self, value: Array) -> Array:
        if self.weight is None:
            return value.mean(axis=-1)
        return np.sum(self.weight / self.total_weight[..., None] * value, axis=-1)


def shipped() -> list[str]:
    """Names of the data sets that come with the package."""
    names = []
    for path in sorted(_folder().iterdir(), key=lambda item: item.name):
        if path.name.endswith(".csv"):
            header = path.read_text("utf-8").splitlines()[0].split(",")
            stem = path.name.removesuffix(".csv")
            names += [stem] if len(header) == 1 else [f"{stem}:{column}" for column in header]
    return names


def load(
    source: str | Path,
    *,
    separator: str = ",",
    decimal_comma: bool = False,
    drop_missing: bool = False,
    where: str = "",
) -> Data:
    """Load a shipped data set or one column of a file.

    Parameters
    ----------
    source : str or path
        A name that `shipped` lists (``faithful:waiting``, ``galaxies``, ...) or ``FILE:column``;
        the column may be left out if the file has only one. Text in UTF-8 with a header line
        (.csv, .tsv, either with .gz behind), Parquet, Excel where pandas can read it, or ``-`` for
        standard input; ``FOLDER/:column`` for the Parquet and text files of a folder.
        ``FILE:x*count`` repeats each x as often as the column count says.
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
    if source in shipped():
        stem, _, column = source.partition(":")
        text = (_folder() / f"{stem}.csv").read_text("utf-8")
        return Data(read_column(text, column, source, Reading(where=where)), name=source)
    found = split_source(source)
    if found is None:
        near = difflib.get_close_matches(source, shipped(), n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}" if near else ""
        raise ValueError(
            f"data must be FILE.csv:column or one of {', '.join(shipped())}, got {source!r}{hint}"
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
    if isinstance(source, Data):
        return source
    if isinstance(source, str | Path):
        return load(source)
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


def simulate(mixture: Mixture, n: int, seed: int, name: str = "simulated") -> Data:
    """Draw n points from a mixture (from each mixture of a batch).

    Raises
    ------
    ValueError
        If n is not a positive whole number.
    """
    if not (isinstance(n, int | np.integer) and n >= 1):
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
    if not (0 < step < np.inf and 0 < reach < np.inf):
        raise ValueError(f"step and reach must be positive and finite, got {step} and {reach}")
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


def _unit(span: Array) -> Array:
    return np.where(span > 0, span, 1.0)


def _finite(argument: str, value: object, name: str) -> Array:
    try:
        array = np.array(value, dtype=np.float64, order="C", ndmin=1)
    except (TypeError, ValueError):
        raise ValueError(f"{argument} must hold numbers only, {name} does not") from None
    bad = ~np.isfinite(array)
    if np.any(bad):
        raise ValueError(
            f"{argument} must be finite, {int(bad.sum())} of {bad.size} values of {name} are not"
        )
    return array
