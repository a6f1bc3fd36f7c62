"""Points in several dimensions as a weighted sample: shipped sets, columns of a file, arrays."""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.data import Data, shipped
from ordered_mix.errors import one_line
from ordered_mix.files.columns import Reading, read_columns
from ordered_mix.files.sources import read_source, split_source

Array = NDArray[np.float64]

COLLINEAR = 1e-10  # smallest eigenvalue of a correlation matrix that has an inverse worth having


@dataclass(frozen=True, eq=False)
class MultivariateData:
    """A weighted sample of points in several dimensions, or a batch of samples of one length.

    Parameters
    ----------
    y : array_like, shape (..., n, d)
        The points.
    weight : array_like, shape (..., n), optional
        Non-negative weight of each point; without it every point counts once.
    name : str
        What reports call the data.
    columns : tuple of str, optional
        What reports call the d coordinates, by default x1, x2, ...

    Raises
    ------
    ValueError
        If y has fewer than two axes, is empty or not finite, if a coordinate is constant, if a
        weight is negative, not finite or of another shape, or if the names are not d.
    """

    y: Array
    weight: Array | None = None
    name: str = "data"
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        y = np.array(self.y, dtype=np.float64, order="C")
        if y.ndim < 2 or y.size == 0:
            raise ValueError(f"y must have shape (..., n, d) and hold points, got {y.shape}")
        object.__setattr__(self, "y", y)
        names = tuple(self.columns) or tuple(f"x{at + 1}" for at in range(self.d))
        if len(names) != self.d or len(set(names)) != self.d:
            raise ValueError(f"columns must hold {self.d} different names, got {names}")
        object.__setattr__(self, "columns", names)
        if self.weight is not None:
            weight = np.array(self.weight, dtype=np.float64, order="C")
            if weight.shape != y.shape[:-1]:
                raise ValueError(f"weight must have shape {y.shape[:-1]}, got {weight.shape}")
            object.__setattr__(self, "weight", weight)
        constant = np.any(self.coordinates.scale.reshape(-1, self.d) <= 0, axis=0)
        if np.any(constant):
            which = names[int(np.argmax(constant))]
            raise ValueError(f"no coordinate of y may be constant, {which} of {self.name} is")

    def __repr__(self) -> str:
        weighted = "" if self.weight is None else ", weighted"
        return f"MultivariateData({self.name!r}, n={self.n}, d={self.d}{weighted})"

    @cached_property
    def coordinates(self) -> Data:
        """Each coordinate as a univariate sample, y of shape (..., d, n)."""
        y = np.swapaxes(self.y, -1, -2)
        if self.weight is None:
            return Data(y, name=self.name)
        return Data(y, np.broadcast_to(self.weight[..., None, :], y.shape), self.name)

    @property
    def n(self) -> int:
        """Number of points of each sample."""
        return self.y.shape[-2]

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return self.y.shape[-1]

    @property
    def total_weight(self) -> Array:
        """Sum of the weights, n without weights; shape (...)."""
        return self.coordinates.total_weight[..., 0]

    @property
    def location(self) -> Array:
        """Weighted mean, shape (..., d)."""
        return self.coordinates.location

    @property
    def scale(self) -> Array:
        """Weighted standard deviation of each coordinate, shape (..., d)."""
        return self.coordinates.scale

    @cached_property
    def correlation(self) -> Array:
        """Weighted correlation matrix, shape (..., d, d)."""
        z = self.coordinates.standardized().y
        weight = np.ones(self.n) if self.weight is None else self.weight
        share = weight / np.sum(weight, axis=-1, keepdims=True)
        return np.einsum("...in,...jn,...n->...ij", z, z, share)

    def affine(self, location: ArrayLike, scale: ArrayLike) -> MultivariateData:
        """The points as ``location + scale * y``, coordinate by coordinate."""
        y = np.asarray(location) + np.asarray(scale) * self.y
        return MultivariateData(y, self.weight, self.name, self.columns)

    def check_full(self) -> None:
        """Refuse points that lie in a plane: too few of them, or collinear columns.

        Raises
        ------
        ValueError
        """
        if self.n <= self.d:
            raise ValueError(
                f"{self.name} must have more points than its {self.d} columns, it has {self.n}"
            )
        values, vectors = np.linalg.eigh(self.correlation.reshape(-1, self.d, self.d))
        least = int(np.argmin(values[:, 0]))
        if values[least, 0] < COLLINEAR:
            share = np.abs(vectors[least, :, 0])
            involved = [name for name, part in zip(self.columns, share, strict=True) if part > 1e-4]
            raise ValueError(
                f"columns of {self.name} must not be collinear, "
                f"{_listed(involved)} of its {self.n} points are"
            )


def shipped_points() -> list[str]:
    """Names of the data sets of several columns that come with the package."""
    return ["faithful", *sorted(path.name.removesuffix(".csv") for path in _folder().iterdir())]


def several_columns(source: Any) -> bool:
    """Whether this names or holds several columns: ``FILE:x,y``, ``iris``, an array (n, d)."""
    if isinstance(source, MultivariateData):
        return True
    if not isinstance(source, str | Path):
        try:
            shape = np.shape(source)
        except ValueError:  # rows of several lengths
            return False
        return len(shape) == 2 and shape[1] > 1
    head, colon, columns = str(source).rpartition(":")
    if colon and "," in columns:
        return Path(head).is_file() or head == "-" or head in shipped_points()
    one_column = {name.partition(":")[0] for name in shipped()}
    return source in shipped_points() or head in set(shipped_points()) - one_column


def load_points(
    source: str | Path,
    *,
    separator: str = ",",
    decimal_comma: bool = False,
    drop_missing: bool = False,
    where: str = "",
) -> MultivariateData:
    """Load a shipped data set or several columns of a file.

    Parameters
    ----------
    source : str or path
        A name that `shipped_points` lists, for all of its columns that hold numbers, or with some
        of them behind a colon: ``iris``, ``iris:petal_length,petal_width``; or ``FILE:x,y,z``.
        Quotes hold names together that have a comma. ``FILE:x,y*count`` repeats each point as
        often as the column count says.
    separator, decimal_comma, drop_missing, where
        As for `data.load`; a row is left out where the cell of one of the columns is missing.

    Raises
    ------
    ValueError
        If there is no such data set, file or column, a column is given twice, a cell is empty, not
        a number or not finite, a column is constant, columns are collinear, or there are no more
        points than columns.
    """
    source, reading = str(source), Reading(separator, decimal_comma, drop_missing, where)
    stem, _, columns = source.partition(":")
    if stem in shipped_points():
        text = _text(stem)
        names = split_columns(columns, source) if columns else _numeric(text)
        y = read_columns(text, names, source, Reading(where=where))
        return _checked(y, source, names)
    found = split_source(source)
    if found is None:
        near = difflib.get_close_matches(stem, shipped_points(), n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}" if near else ""
        raise ValueError(
            f"data must be FILE.csv:x,y or one of {', '.join(shipped_points())}, "
            f"got {source!r}{hint}"
        )
    path, columns = found
    names = split_columns(columns, source)
    y = read_source(path, names, source, reading)
    file = "input" if path == "-" else Path(path).name.partition(".")[0] or Path(path).name
    return _checked(y, one_line(f"{file}:{','.join(names)}"), names)


def as_points(source: Any, name: str = "data") -> MultivariateData:
    """Points of whatever holds several columns of numbers.

    Parameters
    ----------
    source : MultivariateData, str, path or array_like
        What `load_points` takes; or numbers: a list of rows, an array of shape (n, d), a
        DataFrame.
    name : str
        What reports call numbers that have no name.

    Raises
    ------
    ValueError
        If it is no table of numbers, or as `load_points`.
    """
    if isinstance(source, MultivariateData):
        source.check_full()
        return source
    if isinstance(source, str | Path):
        return load_points(source)
    columns = getattr(source, "columns", ())
    try:
        y = np.asarray(source, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be columns of numbers, it holds other values") from None
    if y.ndim != 2:
        raise ValueError(f"{name} must be an array of shape (n, d), got {y.shape}")
    return _checked(y, name, [str(column) for column in columns])


def split_columns(columns: str, source: str) -> list[str]:
    """Names of columns between commas, several and different ones."""
    names = [part.strip() for part in next(csv.reader([columns]), [])]
    if not names or "" in names or len(set(names)) < len(names):
        raise ValueError(
            f"columns of {source!r} must be different names between commas, as in FILE.csv:x,y"
        )
    return names


def _checked(y: Array, name: str, columns: list[str]) -> MultivariateData:
    data = MultivariateData(y, name=name, columns=tuple(columns))
    data.check_full()
    return data


def _numeric(text: str) -> list[str]:
    header, first = list(csv.reader(text.splitlines()[:2]))
    reading = Reading()
    pairs = zip(header, first, strict=True)
    return [name for name, cell in pairs if reading.number(cell) is not None]


def _text(stem: str) -> str:
    folder = _folder()
    home = resources.files("ordered_mix.datasets") if stem == "faithful" else folder
    return (home / f"{stem}.csv").read_text("utf-8")


def _folder() -> resources.abc.Traversable:
    return resources.files("ordered_mix.datasets") / "points"


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
