"""Expectation conditional maximisation in the coordinates of a parameterization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.clearance import clear_weights
from ordered_mix.estimators.loop.directions import Direction, mean_directions
from ordered_mix.estimators.loop.em_multivariate import PointRuns, PointSweeps
from ordered_mix.estimators.loop.expectation import Runs, mean_forces
from ordered_mix.estimators.loop.penalty import Penalty
from ordered_mix.estimators.loop.problem import Problem
from ordered_mix.estimators.loop.scale_gaps import scale_step
from ordered_mix.estimators.loop.state import Index, State
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.kernels import Moments

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ECM(EM):
    """ECM: one sweep maximises over one coordinate at a time, the others held (Meng & Rubin 1993).

    One sweep costs one pass: location of the means, gaps one by one from the reference outwards,
    weights, then the scales. Coordinates, clearances and order are those of the parameterization;
    the fields are those of `EM`. A conditional maximum over a coordinate is the same for every
    link. Where each mean is a coordinate of its own (``unordered``) this is EM.

    Raises
    ------
    ValueError
        If an argument is none of the accepted values.

    Notes
    -----
    Esser & Nielsen 2022, Algorithms 1 and 2, corrected: with s0, s1 the moments about the current
    means, ``t = s0 / sigma^2`` and a the direction in which a coordinate moves the means (a column
    of the Jacobian), its conditional maximum is the step ``sum a s1 / sigma^2 / sum a^2 t``. A
    clearance is kept by projection, exactly, because the expected log likelihood is a concave
    parabola along a gap; so is that of the weights. Where the direction depends on the weights the
    weights in force before the sweep are used, and the step of the weights holds the means, so a
    sweep never decreases the objective. Starts are brought into increasing order and to the
    clearance first. Coordinates that move the means along curves (``moment``) have no closed
    conditional steps and are refused. In several dimensions only the means along the axis are
    chained; what is across follows, given these.
    """

    moves_with_coordinates: ClassVar[bool] = True

    def algorithm(self, parameterization: Any, problem: Any) -> Runs | PointRuns:
        if isinstance(parameterization, MultivariateParameterization):
            return PointSweeps(self, parameterization, problem)
        ordered = "sigma" in parameterization.domain.orders
        if ordered and (self.scales == "tied" or self.floor > 0):
            raise ValueError("scales must be free and without a floor to be ordered")
        return _Sweeps(self, parameterization, problem)


class _Sweeps(Runs):
    """The sweep on a flat batch, in working units."""

    def __init__(self, em: ECM, parameterization: Parameterization, problem: Problem) -> None:
        super().__init__(em, parameterization, problem)
        self.directions = mean_directions(parameterization)
        self.orders = parameterization.domain.orders
        clearances = parameterization.clearances
        self.weight_clearance = clearances.get("w", 0.0)
        self.clearance = {key: clearances.get(key, 0.0) / problem.scale for key in self.orders}

    def begin(self) -> State:
        state = super().begin()
        w, mu, sigma = state.w, state.mu, state.sigma
        if self.orders:
            order = np.argsort(sigma if self.orders[0] == "sigma" else mu, axis=1, kind="stable")
            w, mu, sigma = (np.take_along_axis(value, order, 1) for value in (w, mu, sigma))
        if "w" not in self.frozen:
            w = clear_weights(w, self.weight_clearance)
        if "mu" in self.orders and "mu" not in self.frozen:
            mu = self._cleared_means(w, mu)
        if "sigma" in self.orders and "sigma" not in self.frozen:
            gaps = np.maximum(np.diff(sigma, axis=1), self.clearance["sigma"][:, None])
            sigma = np.cumsum(np.concatenate([sigma[:, :1], gaps], axis=1), axis=1)
        unchanged = all(map(np.array_equal, (w, mu, sigma), state[:3]))
        if unchanged:
            return state
        runs = np.arange(len(w))
        return self._evaluate(0, runs, w, mu, sigma, np.zeros_like(state.passes), state.failure)

    def _cleared_means(self, w: Array, mu: Array) -> Array:
        """Widen the gaps to the clearance, each along its direction, the location held."""
        for direction in self.directions:
            if direction.gap is not None:
                short = self.clearance["mu"] - np.diff(mu, axis=1)[:, direction.gap]
                mu = mu + np.maximum(short, 0.0)[:, None] * direction.at(w)
        return mu

    def _shift(self, runs: Index, state: State, moments: Moments, penalty: Penalty | None) -> Array:
        pull, stiffness = (value / state.sigma**2 for value in mean_forces(state, moments, penalty))
        shift = np.zeros_like(pull)
        for direction in self.directions:
            along = direction.at(state.w)
            slope = np.sum(along * (pull - stiffness * shift), axis=1)
            step = slope / np.sum(along**2 * stiffness, axis=1)
            step = np.maximum(step, self._room(runs, state, direction))
            shift = shift + along * step[:, None]
        return shift

    def _room(self, runs: Index, state: State, direction: Direction) -> Array | float:
        """The least step that keeps the clearance."""
        if direction.gap is None or "mu" not in self.orders:
            return -np.inf
        gap = state.mu[:, direction.gap + 1] - state.mu[:, direction.gap]
        return np.asarray(self.clearance["mu"][runs] - gap)

    def _weights(self, s0: Array, penalty: Penalty | None) -> Array:
        return clear_weights(super()._weights(s0, penalty), self.weight_clearance)

    def _scales(
        self,
        runs: Index,
        sigma: Array,
        s0: Array,
        squares: Array,
        shift: Array,
        penalty: Penalty | None,
    ) -> Array:
        if "sigma" not in self.orders:
            return super()._scales(runs, sigma, s0, squares, shift, penalty)
        if penalty is not None:
            s0, squares = s0 + 2 * penalty.shape, squares + 2 * penalty.rate
        k = sigma.shape[1]
        sigma = sigma + scale_step(sigma, s0, squares, -np.inf)[:, None]
        for gap in range(k - 1):
            moved = slice(gap + 1, k)
            room = self.clearance["sigma"][runs] - (sigma[:, gap + 1] - sigma[:, gap])
            step = scale_step(sigma[:, moved], s0[:, moved], squares[:, moved], room)
            sigma[:, moved] += step[:, None]
        return sigma
