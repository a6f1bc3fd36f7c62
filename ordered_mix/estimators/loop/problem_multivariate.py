"""A batch of runs over points in several dimensions, laid out flat in working units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.estimators.loop.runs import BatchOfRuns
from ordered_mix.mixture import Mixture
from ordered_mix.passes.multivariate_pass import WhiteMoments, one_by_one, white_pass

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SINGULAR = 1e-13


class MultivariateMoments(NamedTuple):
    """Log likelihood (runs,), s0 (runs, k), s1 (..., d) and s2 (..., d, d) about the means."""

    log_likelihood: Array
    s0: Array
    s1: Array
    s2: Array


@dataclass(frozen=True, eq=False)
class MultivariateProblem(BatchOfRuns):
    """Runs = data sets x starts, flat; points less their mean, divided by one scale.

    Raises
    ------
    ValueError
        If the dimensions differ or the batch shapes do not broadcast.
    """

    data: Data

    def __post_init__(self) -> None:
        if self.data.d != self.starts.d:
            raise ValueError(
                f"starts must have the {self.data.d} dimensions of the data, got {self.starts.d}"
            )
        super().__post_init__()

    @cached_property
    def location(self) -> Array:
        """Location of each run's data, shape (runs, d)."""
        return self.flat(self.data.location, 1)

    @cached_property
    def scale(self) -> Array:
        """One scale for each run's data, shape (runs,)."""
        return self.flat(self.data.scale.max(axis=-1))

    @cached_property
    def variances(self) -> Array:
        """Variance of each coordinate in working units, shape (runs, d)."""
        return (self.flat(self.data.scale, 1) / self.scale[:, None]) ** 2

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

    def start(self) -> tuple[Array, Array, Array]:
        """Weights (runs, k), means (runs, k, d), covariances (runs, k, d, d) in working units."""
        w, mu = self.flat(self.starts.w, 1), self.flat(self.starts.mu, 2)
        covariance = self.flat(self.starts.covariance, 3)
        scale = self.scale[:, None, None]
        return w, (mu - self.location[:, None]) / scale, covariance / scale[..., None] ** 2

    def moments(self, runs: Index, w: Array, mu: Array, covariance: Array) -> MultivariateMoments:
        """One pass for each of these runs, in working units."""
        root, _ = factor(covariance, self.variances[runs])
        log_likelihood, s0, z1, z2 = self.white(runs, w, mu, root)
        s1 = np.einsum("rkij,rkj->rki", root, z1)
        return MultivariateMoments(log_likelihood, s0, s1, root @ z2 @ np.swapaxes(root, -1, -2))

    def white(self, runs: Index, w: Array, mu: Array, root: Array) -> WhiteMoments:
        """The same of whitened points, from Cholesky factors."""
        rows = self.rows[runs]
        return one_by_one(self.points, rows, self.weight, rows, w, mu, root)

    def widths(self, covariance: Array) -> Array:
        """Standard deviations of each coordinate."""
        return np.sqrt(np.diagonal(covariance, axis1=-1, axis2=-2))

    def sample(self, row: int) -> Data:
        """One of the data sets, in its own units."""
        data = self.data
        y = data.y.reshape(-1, data.n, data.d)[row]
        weight = None if data.weight is None else data.weight.reshape(-1, data.n)[row]
        return Data(y, weight, data.name, data.columns)

    def log_likelihood(self, mixture: Mixture) -> Array:
        """Of mixtures (..., *shape), in the units of the data; no pass of a run."""
        data, parameters = self.data, (mixture.w, mixture.mu, mixture.root)
        return white_pass(data.y, *parameters, data.weight).log_likelihood

    def restore(self, w: Array, mu: Array, covariance: Array) -> Mixture:
        """Mixtures in the units of the data."""
        scale = self.scale[:, None, None]
        mu = self.location[:, None] + scale * mu
        covariance = scale[..., None] ** 2 * covariance
        lead = (*w.shape[:-2], *self.shape)
        return Mixture(
            w.reshape(*lead, *w.shape[-1:]),
            mu.reshape(*lead, *mu.shape[-2:]),
            covariance=covariance.reshape(*lead, *covariance.shape[-3:]),
        )


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
