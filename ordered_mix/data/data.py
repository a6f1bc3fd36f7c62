"""Data as a weighted sample of numbers or of points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LARGEST = np.finfo(np.float64).max
COLLINEAR = 1e-10  # smallest eigenvalue of a correlation matrix that has an inverse worth having


@dataclass(frozen=True, eq=False)
class Data:
    """A weighted sample of numbers or of points, or a batch of samples of one length.

    Parameters
    ----------
    y : array_like, shape (..., n), or (..., n, d) with columns
        The numbers, or the points.
    weight : array_like, shape (..., n), optional
        Non-negative weight of each point; without it every point counts once.
    name : str
        What reports call the data.
    columns : tuple of str, optional
        What reports call the d coordinates of points; without it y are numbers. See `of_points`.

    Raises
    ------
    ValueError
        If y is empty, not finite or of another shape, a weight is negative, not finite or of
        another shape, a coordinate of points is constant, or the names are not d.
    """

    y: Array
    weight: Array | None = None
    name: str = "data"
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        y = _finite("y", self.y, self.name)
        object.__setattr__(self, "y", y)
        object.__setattr__(self, "columns", tuple(self.columns))
        if self.columns:
            self._check_columns()
        if y.size == 0:
            raise ValueError(f"y must hold at least one point, {self.name} holds none")
        axis = -1 - len(self.event_shape)
        with np.errstate(over="ignore"):
            span = y.max(axis=axis) - y.min(axis=axis)
        if not np.all(np.isfinite(span)):
            raise ValueError(f"y must span less than {LARGEST:.1e}, {self.name} spans more")
        if self.weight is not None:
            object.__setattr__(self, "weight", self._checked_weight())
        if self.columns and not np.all(self.scale > 0):
            constant = np.any(self.scale.reshape(-1, self.d) <= 0, axis=0)
            which = self.columns[int(np.argmax(constant))]
            raise ValueError(f"no coordinate of y may be constant, {which} of {self.name} is")

    @classmethod
    def of_points(
        cls,
        y: ArrayLike,
        weight: ArrayLike | None = None,
        name: str = "data",
        columns: tuple[str, ...] = (),
    ) -> Data:
        """Points in one or several dimensions, y of shape (..., n, d).

        Their columns are called x1, x2, ... by default.
        """
        y = np.asarray(y)
        if y.ndim < 2:
            raise ValueError(f"y must have shape (..., n, d) and hold points, got {y.shape}")
        names = tuple(columns) or tuple(f"x{at + 1}" for at in range(y.shape[-1]))
        return cls(y, weight, name, names)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        several = f", d={self.d}" if self.columns else ""
        weighted = "" if self.weight is None else ", weighted"
        return f"Data({self.name!r}, n={self.n}{several}{weighted})"

    @property
    def n(self) -> int:
        """Number of points of each sample."""
        return self.y.shape[-1 - len(self.event_shape)]

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return len(self.columns) or 1

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of a point: ``()`` of numbers, ``(d,)`` of points in d dimensions."""
        return (len(self.columns),) if self.columns else ()

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the batch of samples, () for one."""
        return self.y.shape[: -1 - len(self.event_shape)]

    @cached_property
    def coordinates(self) -> Data:
        """Each coordinate of points as a sample of numbers, y of shape (..., d, n)."""
        y = np.swapaxes(self.y, -1, -2) if self.columns else self.y[..., None, :]
        if self.weight is None:
            return Data(y, name=self.name)
        return Data(y, np.broadcast_to(self.weight[..., None, :], y.shape), self.name)

    @cached_property
    def total_weight(self) -> Array:
        """Sum of the weights, n without weights; shape (...)."""
        if self.weight is None:
            return np.full(self.batch_shape, float(self.n))
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
        """Weighted mean, shape (...) or (..., d)."""
        if self.columns:
            return self.coordinates.location
        low, high = self._ends
        middle = low + (high - low) / 2
        return np.clip(middle + _unit(high - low) * self._average(self._from(middle)), low, high)

    @cached_property
    def scale(self) -> Array:
        """Weighted standard deviation (divisor: total weight), as location; 0 if constant."""
        if self.columns:
            return self.coordinates.scale
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

    def affine(self, location: ArrayLike, scale: ArrayLike) -> Data:
        """The sample as ``location + scale * y``, of points coordinate by coordinate."""
        y = np.asarray(location) + np.asarray(scale) * self.y
        return Data(y, self.weight, self.name, self.columns)

    @cached_property
    def correlation(self) -> Array:
        """Weighted correlation matrix of points, shape (..., d, d)."""
        z = self.coordinates.standardized().y
        weight = np.ones(self.n) if self.weight is None else self.weight
        share = weight / np.sum(weight, axis=-1, keepdims=True)
        return np.einsum("...in,...jn,...n->...ij", z, z, share)

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
                f"{', '.join(involved[:-1])} and {involved[-1]} of its {self.n} points are"
            )

    def _check_columns(self) -> None:
        if self.y.ndim < 2:
            raise ValueError(f"y must have shape (..., n, d) beside columns, got {self.y.shape}")
        d = self.y.shape[-1]
        if len(self.columns) != d or len(set(self.columns)) != d:
            raise ValueError(f"columns must hold {d} different names, got {self.columns}")

    def _checked_weight(self) -> Array:
        weight = _finite("weight", self.weight, self.name)
        shape = self.y.shape[: self.y.ndim - len(self.event_shape)]
        if weight.shape != shape:
            what = f"shape {shape}" if self.columns else f"the shape of y, {shape}"
            raise ValueError(f"weight must have {what}, got {weight.shape}")
        with np.errstate(over="ignore"):
            total = weight.sum(axis=-1)
        if np.any(weight < 0) or not np.all((total > 0) & np.isfinite(total)):
            raise ValueError(
                f"weight must be non-negative with a positive and finite sum in {self.name}"
            )
        return weight

    @cached_property
    def _standardized(self) -> Data:
        if self.columns:
            own = np.swapaxes(self.coordinates.standardized().y, -1, -2)
            return Data(own, self.weight, self.name, self.columns)
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
