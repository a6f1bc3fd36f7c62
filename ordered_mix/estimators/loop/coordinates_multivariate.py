"""The log likelihood and its gradient in the coordinates of several dimensions, for a batch."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.bounds import lower_bounds, positive_ones
from ordered_mix.estimators.loop.coordinates import ROUNDING, Coordinates, Point
from ordered_mix.estimators.loop.metric_multivariate import information, scores_of_features
from ordered_mix.estimators.loop.problem_multivariate import MultivariateProblem, factor
from ordered_mix.estimators.loop.state import Index
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate.prior import standard_units
from ordered_mix.parameterization.multivariate import MultivariateParameterization

Array = NDArray[np.float64]


class PointCoordinates(Coordinates):
    """What `Coordinates` are in one dimension; ``sigma`` of a point holds its covariances."""

    parameterization: MultivariateParameterization  # type: ignore[assignment]
    problem: MultivariateProblem  # type: ignore[assignment]

    def __init__(
        self,
        parameterization: MultivariateParameterization,
        problem: MultivariateProblem,
        kind: str,
    ) -> None:
        self.parameterization = parameterization
        self.problem = problem
        self.kind = kind
        self.free = kind == "free"
        along = lower_bounds(parameterization.along, kind)
        rest = np.full(parameterization.dimension - along.size, -np.inf)
        self.lower = np.concatenate([along, rest])
        self.bounded = bool(np.any(self.lower > -np.inf))

    def start(self) -> Array:
        one = self.parameterization
        starts = self.problem.restore(*self.problem.start()).reshape(-1)
        return self.project(self._of_mixtures(one, starts))

    def collapsed(self, point: Point, runs: Index) -> NDArray[np.bool_]:
        regular = factor(point.sigma, self.problem.variances[runs])[1]
        return ~regular.all(axis=1)

    def typical_length(self, runs: Index) -> Array:
        """The least scale of a column for free coordinates, 1 for unconstrained ones."""
        if not self.free:
            return np.ones(runs.size)
        return self.problem.scale[runs] * np.sqrt(self.problem.variances[runs].min(axis=1))

    def units(self, runs: Index) -> Array:
        return self._units[self.problem.rows[runs]]

    @cached_property
    def _units(self) -> Array:
        """What 1 in each coordinate of standardised points is in these, (data sets, dimension).

        Measured: two mixtures in both units, between which each coordinate is shifted or stretched.
        """
        one, data = self.parameterization, self.problem.data
        location, scale = standard_units(data, one.prior)
        found = []
        for at, unit in zip(location.reshape(-1, data.d), scale.reshape(-1, data.d), strict=True):
            standard = one.affine(-at / unit, 1 / unit)
            z = np.random.default_rng(0).standard_normal((2, one.dimension))
            mixtures = standard.forward(z)
            here = np.diff(self._of_mixtures(standard, mixtures), axis=0)[0]
            found.append(
                np.diff(self._of_mixtures(one, mixtures.affine(at, unit)), axis=0)[0] / here
            )
        return np.stack(found)

    def information(self, runs: Index, point: Point) -> Array:
        """Fisher information of one observation, shape (runs, dimension, dimension)."""
        root = self._mixture(point.x)[0][2]
        factors = root / self.problem.scale[runs, None, None, None]
        inner = information(point.w, point.mu, factors)
        x, roots = (np.repeat(value, inner.shape[1], axis=0) for value in (point.x, root))
        with np.errstate(over="ignore", invalid="ignore"):
            scores = scores_of_features(root)
            columns = self.parameterization.pullback(x, roots, *scores, free=self.free)
            jacobian = columns.reshape(*inner.shape[:2], -1)
            return np.swapaxes(jacobian, 1, 2) @ inner @ jacobian

    def _of_mixtures(self, one: MultivariateParameterization, mixtures: Mixture) -> Array:
        if self.free:
            return one.coordinates(mixtures)
        return one.unconstrain(mixtures)

    def _pass(self, runs: Index, x: Array, mixture: tuple[Array, Array, Array]) -> Point:
        w, mu, root = mixture
        scale = self.problem.scale[runs, None, None]
        means = (mu - self.problem.location[runs, None]) / scale
        factors = root / scale[..., None]
        moments = self.problem.white(runs, w, means, factors)
        unit = self.problem.total_weight[runs, None]
        with np.errstate(over="ignore", invalid="ignore"):
            scores = moments.scores(w, root)
            slope = self.parameterization.pullback(x, root, *scores, free=self.free) / unit
        covariance = factors @ np.swapaxes(factors, -1, -2)
        return Point(x, w, means, covariance, moments.log_likelihood, slope)

    def _mixture(self, x: Array) -> tuple[tuple[Array, Array, Array], NDArray[np.bool_]]:
        with np.errstate(all="ignore"):
            w, mu, root = self.parameterization.parameters(x, self.free)
        along = self.parameterization.along.domain
        diagonal = np.diagonal(root, axis1=-1, axis2=-2)
        checks = [w > 0, np.isfinite(mu), np.isfinite(root), diagonal > 0]
        if self.free and "mu" in along.orders:
            least = (1 - ROUNDING) * along.clearances.get("mu", 0.0)
            checks.append(np.diff(mu @ self.parameterization.direction, axis=1) >= least)
        inside = np.all([check.reshape(len(x), -1).all(axis=1) for check in checks], axis=0)
        return (w, mu, root), inside

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        one = self.parameterization
        first = positive_ones(one.along, self.kind)
        found = np.zeros(one.dimension, dtype=bool)
        found[: first.size] = first
        if self.free:
            found |= one.logs
        return found
