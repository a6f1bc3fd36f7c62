"""The pass over points in several dimensions, its gradient, and its layout in working units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.multivariate import MultivariateData, MultivariateMixture
from ordered_mix.passes import points as compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SINGULAR = 1e-13


class WhiteMoments(NamedTuple):
    """What one pass returns, of the whitened points ``z = L^-1 (y - mu)``, per run.

    Attributes
    ----------
    log_likelihood : ndarray (...)
        Sum of weight times log density.
    s0 : ndarray (..., k)
        Sum of weight times responsibility, in units of observations.
    z1, z2 : ndarray (..., k, d) and (..., k, d, d)
        The same sums of z and of z z^T, without a unit.
    """

    log_likelihood: Array
    s0: Array
    z1: Array
    z2: Array

    def scores(self, w: Array, root: Array) -> tuple[Array, Array, Array]:
        """Derivatives of the log likelihood in w, mu and the lower triangle of the roots.

        Fisher's identity: ``s0 / w``, ``L^-T z1`` and ``tril(L^-T (z2 - s0 I))``.
        """
        above = np.swapaxes(root, -1, -2)
        excess = self.z2 - self.s0[..., None, None] * np.eye(root.shape[-1])
        slope = np.linalg.solve(above, self.z1[..., None])[..., 0]
        return self.s0 / w, slope, np.tril(np.linalg.solve(above, excess))


def white_pass(
    y: ArrayLike, w: ArrayLike, mu: ArrayLike, root: ArrayLike, weight: ArrayLike | None = None
) -> WhiteMoments:
    """One pass over each data set of a batch for each of the mixtures.

    Parameters
    ----------
    y : array_like, shape (..., n, d)
    w : array_like, shape (..., k)
    mu : array_like, shape (..., k, d)
    root : array_like, shape (..., k, d, d)
        Lower Cholesky factors of the covariances.
    weight : array_like, shape (..., n), optional

    Raises
    ------
    ValueError
        If the dimensions differ or the batch axes do not broadcast.
    """
    given = [np.asarray(value, dtype=np.float64) for value in (y, w, mu, root)]
    points, (k, d) = given[0], given[2].shape[-2:]
    if points.shape[-1] != d or given[3].shape[-3:] != (k, d, d) or given[1].shape[-1] != k:
        shapes = ", ".join(str(value.shape) for value in given)
        raise ValueError(f"y, w, mu and root must agree in dimensions and components, got {shapes}")
    leads = [value.shape[:-at] for value, at in zip(given, (2, 1, 2, 3), strict=True)]
    q = np.empty((1, 0)) if weight is None else np.asarray(weight, dtype=np.float64)
    batch = np.broadcast_shapes(*leads, () if weight is None else q.shape[:-1])
    sets, rows = _rows(np.swapaxes(points, -1, -2), 2, batch)
    weights, weight_rows = _rows(q, 1, batch) if q.size else (q, np.zeros_like(rows))
    parameters = [_flat(value, at, batch) for at, value in enumerate(given[1:], start=1)]
    out = _empty(rows.size, k, d)
    compiled.passes(sets, rows, weights, weight_rows, *parameters, *out)
    return WhiteMoments(*(value.reshape((*batch, *value.shape[1:])) for value in out))


def log_density(y: ArrayLike, w: Array, mu: Array, root: Array) -> Array:
    """Log density of batches of mixtures at the points y (n, d); shape (..., n)."""
    points = np.ascontiguousarray(np.asarray(y, dtype=np.float64).T)
    batch = mu.shape[:-2]
    parameters = [_flat(value, at, batch) for at, value in enumerate((w, mu, root), start=1)]
    out = np.empty((len(parameters[0]), points.shape[1]))
    compiled.densities(points, *parameters, out)
    return out.reshape((*batch, points.shape[1]))


class MultivariateMoments(NamedTuple):
    """Log likelihood (runs,), s0 (runs, k), s1 (..., d) and s2 (..., d, d) about the means."""

    log_likelihood: Array
    s0: Array
    s1: Array
    s2: Array


@dataclass(frozen=True, eq=False)
class MultivariateProblem:
    """Runs = data sets x starts, flat; points less their mean, divided by one scale.

    Parameters
    ----------
    data : MultivariateData, batch shape (...)
    starts : MultivariateMixture, batch shape (...)

    Raises
    ------
    ValueError
        If the dimensions differ or the batch shapes do not broadcast.
    """

    data: MultivariateData
    starts: MultivariateMixture

    def __post_init__(self) -> None:
        if self.data.d != self.starts.d:
            raise ValueError(
                f"starts must have the {self.data.d} dimensions of the data, got {self.starts.d}"
            )
        samples, starts = self.data.y.shape[:-2], self.starts.batch_shape
        try:
            np.broadcast_shapes(samples, starts)
        except ValueError:
            raise ValueError(
                f"starts must have a batch shape that broadcasts with that of the data, "
                f"{samples}, got {starts}"
            ) from None

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Batch shape of the runs."""
        return np.broadcast_shapes(self.data.y.shape[:-2], self.starts.batch_shape)

    @cached_property
    def size(self) -> int:
        """Number of runs."""
        return int(np.prod(self.shape))

    @cached_property
    def location(self) -> Array:
        """Location of each run's data, shape (runs, d)."""
        return self._flat(self.data.location, 1)

    @cached_property
    def scale(self) -> Array:
        """One scale for each run's data, shape (runs,)."""
        return self._flat(self.data.scale.max(axis=-1), 0)

    @cached_property
    def variances(self) -> Array:
        """Variance of each coordinate in working units, shape (runs, d)."""
        return (self._flat(self.data.scale, 1) / self.scale[:, None]) ** 2

    @cached_property
    def total_weight(self) -> Array:
        """Total weight of each run's data, shape (runs,)."""
        return self._flat(self.data.total_weight, 0)

    @cached_property
    def log_scale(self) -> Array:
        """Log likelihood in working units less that in the units of the data, shape (runs,)."""
        return self.total_weight * self.data.d * np.log(self.scale)

    @cached_property
    def points(self) -> Array:
        """Points in working units, coordinate by coordinate, shape (sets, d, n)."""
        scale = self.data.scale.max(axis=-1)[..., None, None]
        y = (self.data.y - self.data.location[..., None, :]) / scale
        return np.ascontiguousarray(np.swapaxes(y.reshape(-1, self.data.n, self.data.d), 1, 2))

    @cached_property
    def weight(self) -> Array:
        """Weights of the points, shape (sets, n)."""
        if self.data.weight is None:
            return np.ones((len(self.points), self.data.n))
        return self.data.weight.reshape(-1, self.data.n)

    @cached_property
    def rows(self) -> Index:
        """Data set of each run, shape (runs,)."""
        samples = self.data.y.shape[:-2]
        return self._flat(np.arange(int(np.prod(samples))).reshape(samples), 0)

    def start(self) -> tuple[Array, Array, Array]:
        """Weights (runs, k), means (runs, k, d), covariances (runs, k, d, d) in working units."""
        w, mu = self._flat(self.starts.w, 1), self._flat(self.starts.mu, 2)
        covariance = self._flat(self.starts.covariance, 3)
        scale = self.scale[:, None, None]
        return w, (mu - self.location[:, None]) / scale, covariance / scale[..., None] ** 2

    def moments(self, runs: Index, w: Array, mu: Array, covariance: Array) -> MultivariateMoments:
        """One pass for each of these runs, in working units."""
        root, _ = factor(covariance, self.variances[runs])
        rows, out = self.rows[runs], _empty(*mu.shape)
        given = (np.ascontiguousarray(value) for value in (w, mu, root))
        compiled.passes(self.points, rows, self.weight, rows, *given, *out)
        log_likelihood, s0, z1, z2 = out
        s1 = np.einsum("rkij,rkj->rki", root, z1)
        return MultivariateMoments(log_likelihood, s0, s1, root @ z2 @ np.swapaxes(root, -1, -2))

    def widths(self, covariance: Array) -> Array:
        """Standard deviations of each coordinate."""
        return np.sqrt(np.diagonal(covariance, axis1=-1, axis2=-2))

    def restore(self, w: Array, mu: Array, covariance: Array) -> MultivariateMixture:
        """Mixtures in the units of the data."""
        scale = self.scale[:, None, None]
        mu = self.location[:, None] + scale * mu
        covariance = scale[..., None] ** 2 * covariance
        lead = (*w.shape[:-2], *self.shape)
        return MultivariateMixture(
            w.reshape(*lead, *w.shape[-1:]),
            mu.reshape(*lead, *mu.shape[-2:]),
            covariance.reshape(*lead, *covariance.shape[-3:]),
        )

    def _flat(self, value: NDArray[Any], trailing: int) -> NDArray[Any]:
        shape = value.shape[value.ndim - trailing :]
        return np.array(np.broadcast_to(value, (*self.shape, *shape))).reshape(self.size, *shape)


@numba.njit(cache=True, nogil=True)
def factor(covariance, variances):
    """Lower Cholesky factors of a batch, and whether each is safely positive definite.

    A pivot counts as positive above 1e-13 times its diagonal entry, and a diagonal entry above
    1e-24 times the variance of the data.
    """
    runs, k, d = covariance.shape[:3]
    root, regular = np.zeros_like(covariance), np.ones((runs, k), dtype=np.bool_)
    for run in range(runs):
        for j in range(k):
            a, out = covariance[run, j], root[run, j]
            for row in range(d):
                if not a[row, row] > 1e-24 * variances[run, row]:
                    regular[run, j] = False
                for column in range(row + 1):
                    total = a[row, column]
                    for m in range(column):
                        total -= out[row, m] * out[column, m]
                    if row > column:
                        out[row, column] = total / out[column, column]
                        continue
                    if not total > SINGULAR * a[row, row]:
                        regular[run, j] = False
                        total = max(abs(a[row, row]), 1e-300)
                    out[row, row] = np.sqrt(total)
    return root, regular


def _rows(values: NDArray[Any], trailing: int, batch: tuple[int, ...]) -> tuple[Array, Index]:
    """Values as contiguous rows, and for each run of the batch its row."""
    lead = values.shape[: values.ndim - trailing]
    index = np.arange(int(np.prod(lead))).reshape(lead)
    rows = np.ascontiguousarray(values).reshape(index.size, *values.shape[values.ndim - trailing :])
    return rows, np.broadcast_to(index, batch).flatten()


def _flat(value: Array, trailing: int, batch: tuple[int, ...]) -> Array:
    shape = value.shape[value.ndim - trailing :]
    return np.ascontiguousarray(np.broadcast_to(value, (*batch, *shape))).reshape(-1, *shape)


def _empty(runs: int, k: int, d: int) -> tuple[Array, Array, Array, Array]:
    return np.empty(runs), np.empty((runs, k)), np.empty((runs, k, d)), np.empty((runs, k, d, d))
