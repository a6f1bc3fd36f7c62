"""The log likelihood and its gradient in the coordinates of a parameterization, for a batch."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.bounds import lower_bounds, positive_ones
from ordered_mix.estimators.loop.expectation import COLLAPSED
from ordered_mix.estimators.loop.metric import information
from ordered_mix.estimators.loop.problem import Problem
from ordered_mix.estimators.loop.transforms import closed_form_map
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.parameterization import Parameterization

Array = NDArray[np.float64]
Index = NDArray[np.int64]

COORDINATES = ("free", "unconstrained")
ROUNDING = 1e-9
PROBE = 1e-4


class Point(NamedTuple):
    """Where a batch of runs is; every array leads with the run.

    ``x`` are the coordinates, w, mu and sigma the mixture in working units, the log likelihood is
    that of the data in working units and the gradient that of the mean log likelihood in x.
    """

    x: Array
    w: Array
    mu: Array
    sigma: Array
    log_likelihood: Array
    gradient: Array

    def where(self, which: NDArray[np.bool_], other: Point) -> Point:
        """Rows of the other point where which holds, rows of this one elsewhere."""
        if not which.any():
            return self
        pairs = zip(self, other, strict=True)
        return Point(*(np.where(_like(which, a), b, a) for a, b in pairs))


class Coordinates:
    """Maps, bounds and gradients in the free or the unconstrained coordinates.

    Parameters
    ----------
    parameterization : Parameterization
    problem : Problem
    kind : {"free", "unconstrained"}

    Raises
    ------
    ValueError
        If a start lies outside the domain.
    """

    def __init__(self, parameterization: Parameterization, problem: Problem, kind: str) -> None:
        self.parameterization = parameterization
        self.problem = problem
        self.kind = kind
        self.lower = lower_bounds(parameterization, kind)
        self.bounded = bool(np.any(self.lower > -np.inf))
        self._held: tuple = (None, ())
        self.closed_form = closed_form_map(parameterization, kind)

    def start(self) -> Array:
        """Coordinates of the starts, projected on the bounds; shape (runs, dimension)."""
        starts = self.problem.restore(*self.problem.start()).reshape(-1)
        return self.project(_coordinates(self.parameterization, starts, self.kind))

    def project(self, x: Array) -> Array:
        """The nearest coordinates with gaps of at least the clearance."""
        return np.maximum(x, self.lower) if self.bounded else x

    def evaluate(self, runs: Index, x: Array) -> Point:
        """One pass for each run at coordinates x, all inside the domain."""
        return self._pass(runs, x, self._mixture(x)[0])

    def attempt(self, runs: Index, x: Array, here: Point) -> tuple[Point, NDArray[np.bool_]]:
        """Points after a step, and which runs are inside the domain; those outside stay put."""
        mixture, inside = self._mixture(x)
        if not inside.all():
            x = np.where(inside[:, None], x, here.x)
            mixture, _ = self._mixture(x)
        return self._pass(runs, x, mixture), inside

    def probe(self, x: Array, length: Array, direction: Array) -> Array:
        """Signed length of a small move along a direction that stays inside, shape (runs,)."""
        ahead = self._mixture(x + length[:, None] * direction)[1]
        return np.where(ahead, length, -length)

    def _pass(self, runs: Index, x: Array, mixture: tuple[Array, Array, Array]) -> Point:
        location, scale, unit = self._of_data(runs)
        # contiguous, so that numba compiles for one layout only
        w, mu, sigma = (np.ascontiguousarray(value) for value in mixture)
        w, mu, sigma = _working(w, mu, sigma, location, scale)
        log_likelihood, s0, s1, s2 = self.problem.moments(runs, w, mu, sigma)
        scores = _scores(w, sigma, s0, s1, s2, scale, unit)
        return Point(x, w, mu, sigma, log_likelihood, self._pullback(x, scores))

    def _of_data(self, runs: Index) -> tuple[Array, Array, Array]:
        """Location, scale and total weight of these runs, each (runs, 1)."""
        if self._held[0] is not runs:
            problem = self.problem
            units = (problem.location, problem.scale, problem.total_weight)
            self._held = (runs, tuple(value[runs, None] for value in units))
        return self._held[1]

    def free_gradient(self, point: Point) -> Array:
        """The gradient less what would only push against a bound."""
        if not self.bounded:
            return point.gradient
        held = (point.x <= self.lower) & (point.gradient < 0)
        return np.where(held, 0.0, point.gradient)

    def typical_length(self, runs: Index) -> Array:
        """Scale of the data for free coordinates, 1 for unconstrained ones."""
        return self.problem.scale[runs] if self.kind == "free" else np.ones(runs.size)

    def units(self, runs: Index) -> Array:
        """What 1 in each coordinate of standardised data is in these, shape (runs, dimension)."""
        return self.problem.scale[runs, None] ** self._powers

    @cached_property
    def _powers(self) -> Array:
        """Power of the unit of the data that each coordinate has, shape (dimension,).

        Measured: two mixtures in another unit, in which a log is shifted and a length is stretched.
        """
        one = replace(self.parameterization, prior=self.parameterization.prior.form())
        mixtures = one.forward(np.random.default_rng(0).standard_normal((2, one.dimension)))
        there = one.affine(0.0, 2.0), mixtures.affine(0.0, 2.0)
        moved = [
            np.diff(_coordinates(coordinates, found, self.kind), axis=0)[0]
            for coordinates, found in ((one, mixtures), there)
        ]
        return np.round(np.log2(moved[1] / moved[0]), 6)

    def jacobian(self, x: Array) -> Array:
        """Derivatives of (w, mu, sigma), in the units of the data, shape (runs, 3 k, dimension)."""
        if self.kind == "free":
            return self.parameterization.jacobian_free(x)
        return self.parameterization.jacobian(x)

    def information(self, runs: Index, point: Point) -> Array:
        """Fisher information of one observation, shape (runs, dimension, dimension)."""
        scale = self.problem.scale[runs, None]
        k = point.w.shape[1]
        units = np.concatenate([np.ones((len(scale), k)), np.repeat(scale, 2 * k, axis=1)], axis=1)
        jacobian = self.jacobian(point.x) / units[:, :, None]
        inner = information(point.w, point.mu, point.sigma)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.swapaxes(jacobian, 1, 2) @ inner @ jacobian

    def _pullback(self, x: Array, scores: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            if self.closed_form is not None:
                return self.closed_form.pullback(x, scores)
            graph, prior = self.parameterization.graph, self.parameterization.prior
            pullback = graph.pullback_free if self.kind == "free" else graph.pullback
            return pullback(x, prior, *np.split(scores, 3, axis=1))

    def _mixture(self, x: Array) -> tuple[tuple[Array, Array, Array], NDArray[np.bool_]]:
        """(w, mu, sigma) in the units of the data, and whether they are in the domain."""
        graph, prior = self.parameterization.graph, self.parameterization.prior
        with np.errstate(all="ignore"):
            if self.closed_form is not None:
                w, mu, sigma = self.closed_form.forward(x)
            elif self.kind == "free":
                w, mu, sigma = graph.forward_free(x, prior)
            else:
                w, mu, sigma = graph.forward(x, prior)
            return (w, mu, sigma), self._inside(w, mu, sigma)

    def _inside(self, w: Array, mu: Array, sigma: Array) -> NDArray[np.bool_]:
        orders = self.parameterization.domain.orders if self.kind == "free" else ()
        checks = []
        for key in orders:
            least = (1 - ROUNDING) * self.parameterization.domain.clearances.get(key, 0.0)
            value = mu if key == "mu" else sigma
            checks.append(value[:, 1:] - value[:, :-1] >= least)
        # Reductions over an axis of two or three are slow, and mostly nobody is outside.
        fine = w.min() > 0 and sigma.min() > 0 and np.isfinite(mu.sum() + sigma.sum())
        if fine and all(check.all() for check in checks):
            return np.ones(len(mu), dtype=bool)
        checks += [w > 0, sigma > 0, np.isfinite(mu), np.isfinite(sigma)]
        return np.all([check.all(axis=1) for check in checks], axis=0)

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        """Which coordinates are positive, shape (dimension,)."""
        return positive_ones(self.parameterization, self.kind)

    def collapsed(self, point: Point, runs: Index) -> NDArray[np.bool_]:
        """Which of these runs have a component that is narrower than rounding, shape (runs,)."""
        narrow = point.sigma <= COLLAPSED
        return narrow.any(axis=1) if narrow.any() else np.zeros(len(narrow), dtype=bool)


def coordinates_of(parameterization: Any, problem: Any, kind: str) -> Coordinates:
    """Coordinates in one dimension or in several."""
    if isinstance(problem, Problem):
        return Coordinates(parameterization, problem, kind)
    from ordered_mix.estimators.loop.coordinates_multivariate import PointCoordinates

    return PointCoordinates(parameterization, problem, kind)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _working(w, mu, sigma, location, scale):
    """Weights, means and scales in working units, contiguous."""
    runs, k = mu.shape
    weights, means, scales = np.empty((runs, k)), np.empty((runs, k)), np.empty((runs, k))
    for run in range(runs):
        for j in range(k):
            weights[run, j] = w[run, j]
            means[run, j] = (mu[run, j] - location[run, 0]) / scale[run, 0]
            scales[run, j] = sigma[run, j] / scale[run, 0]
    return weights, means, scales


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _scores(w, sigma, s0, s1, s2, scale, unit):
    """Derivatives of the mean log likelihood in (w, mu, sigma), in the units of the data."""
    runs, k = sigma.shape
    scores = np.empty((runs, 3 * k))
    for run in range(runs):
        for j in range(k):
            slope = 1 / (sigma[run, j] * scale[run, 0] * unit[run, 0])
            scores[run, j] = s0[run, j] / (w[run, j] * unit[run, 0])
            scores[run, k + j] = s1[run, j] / sigma[run, j] * slope
            scores[run, 2 * k + j] = (s2[run, j] / sigma[run, j] ** 2 - s0[run, j]) * slope
    return scores


def _coordinates(parameterization: Parameterization, mixtures: Mixture, kind: str) -> Array:
    """Coordinates of mixtures, shape (runs, dimension)."""
    if kind == "unconstrained":
        return parameterization.unconstrain(mixtures)
    values = parameterization.coordinates(mixtures)
    return parameterization.graph.flatten(values, mixtures.batch_shape)


def _like(which: NDArray[np.bool_], value: Array) -> NDArray[np.bool_]:
    return which.reshape(-1, *([1] * (value.ndim - 1)))
