"""The EM iteration on a flat batch of runs, in working units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.penalty import Penalty, penalty_of
from ordered_mix.estimators.loop.problem import Problem
from ordered_mix.estimators.loop.state import Codes, Failure, Index, State
from ordered_mix.estimators.loop.tempered_pass import hard_pass, tempered_pass
from ordered_mix.passes.kernels import Moments

if TYPE_CHECKING:
    from ordered_mix.estimators.em import EM
    from ordered_mix.parameterization.parameterization import Parameterization

Array = NDArray[np.float64]

PARAMETERS = ("w", "mu", "sigma")
COLLAPSED = 1e-12
EMPTY = 1e-290
RESOLUTION = 1e-13


class Runs:
    """The EM iteration on a flat batch, in working units."""

    def __init__(self, em: EM, parameterization: Parameterization, problem: Problem) -> None:
        self.em = em
        self.problem = problem
        self.frozen = em.frozen_parameters(parameterization.prior)
        self.tied = em.scales == "tied" or parameterization.prior.common_scale
        prior = em.penalising(parameterization.prior)
        self.penalty = penalty_of(problem, em.penalty, prior)
        self.means_have_prior = prior is not None
        self.floor = em.floor / problem.scale[:, None]
        self.schedule = em.schedule
        self.settle = len(self.schedule) - 1

    def begin(self) -> State:
        w, mu, sigma = self.problem.start()
        if self.tied and "sigma" not in self.frozen:
            sigma = np.repeat(np.sqrt(np.sum(w * sigma**2, axis=1, keepdims=True)), w.shape[1], 1)
        if "sigma" not in self.frozen:
            sigma = np.maximum(sigma, self.floor)
        runs = np.arange(self.problem.size)
        passes = np.zeros(runs.size, dtype=np.int64)
        return self._evaluate(0, runs, w, mu, sigma, passes, np.zeros(runs.size, dtype=np.int8))

    def step(self, iteration: int, runs: Index, state: State) -> State:
        moments = Moments(state.objective, *state.memory)
        penalty = None if self.penalty is None else self.penalty.select(runs)
        w, mu, sigma = self._maximize(runs, state, moments, penalty)
        failure = self._failures(moments, sigma, penalty)
        failed = failure > 0
        if failed.any():
            for new, old in ((w, state.w), (mu, state.mu), (sigma, state.sigma)):
                new[failed] = old[failed]
        return self._evaluate(iteration + 1, runs, w, mu, sigma, state.passes, failure)

    def gradient_norm(self, runs: Index, state: State) -> Array:
        """In (mu / sigma, log sigma, log w), free parameters only, for one unit of weight."""
        s0, s1, s2 = state.memory
        total = self.problem.total_weight[runs, None]
        if self.penalty is None and not self.tied:
            moves = tuple(name not in self.frozen for name in PARAMETERS)
            return _slope_norm(state.w, state.sigma, s0, s1, s2, total, moves)
        slopes = {"mu": s1 / state.sigma, "sigma": s2 / state.sigma**2 - s0, "w": s0}
        counted = total
        if self.penalty is not None:
            penalty = self.penalty.select(runs)
            deviation = state.mu - penalty.location
            slopes["mu"] = slopes["mu"] - penalty.precision * deviation * state.sigma
            slopes["sigma"] += 2 * (penalty.rate / state.sigma**2 - penalty.shape)
            slopes["w"] = s0 + penalty.counts
            counted = total + penalty.counts * state.w.shape[1]
        slopes["w"] = slopes["w"] - state.w * counted
        if self.tied:
            slopes["sigma"] = slopes["sigma"].sum(axis=1, keepdims=True)
        free = [slopes[name] for name in PARAMETERS if name not in self.frozen]
        if not free:
            return np.zeros(runs.size)
        return np.linalg.norm(np.concatenate(free, axis=1), axis=1) / total[:, 0]

    def extra(self, runs: Index, state: State) -> dict[str, Array]:
        return {}

    def _maximize(
        self, runs: Index, state: State, moments: Moments, penalty: Penalty | None
    ) -> tuple[Array, Array, Array]:
        """The next parameters, from the moments about the current means."""
        w, mu, sigma = state.w, state.mu, state.sigma
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            shift = np.zeros_like(mu)
            if "mu" not in self.frozen:
                shift = self._shift(runs, state, moments, penalty)
            if "w" not in self.frozen:
                w = self._weights(moments.s0, penalty)
            if "sigma" not in self.frozen:
                squares = moments.s2 + shift * (shift * moments.s0 - 2 * moments.s1)
                sigma = self._scales(runs, state.sigma, moments.s0, squares, shift, penalty)
        return w, mu + shift, sigma

    def _weights(self, s0: Array, penalty: Penalty | None) -> Array:
        counts = s0 if penalty is None else s0 + penalty.counts
        return counts / counts.sum(axis=1, keepdims=True)

    def _shift(self, runs: Index, state: State, moments: Moments, penalty: Penalty | None) -> Array:
        pull, stiffness = mean_forces(state, moments, penalty)
        return pull / stiffness

    def _scales(
        self,
        runs: Index,
        sigma: Array,
        s0: Array,
        squares: Array,
        shift: Array,
        penalty: Penalty | None,
    ) -> Array:
        """From the old scales, the counts and the squares about the new means."""
        shape, rate = (0.0, 0.0) if penalty is None else (penalty.shape, penalty.rate)
        if self.tied:
            k = s0.shape[1]
            total = squares.sum(axis=1, keepdims=True) + 2 * k * rate
            variance = total / (s0.sum(axis=1, keepdims=True) + 2 * k * shape)
            variance = np.repeat(variance, k, axis=1)
        else:
            variance = (squares + 2 * rate) / (s0 + 2 * shape)
            # Below this the squares have lost all their digits; the next pass has them again.
            variance = np.maximum(variance, np.minimum(RESOLUTION * shift**2, sigma**2))
        return np.maximum(np.sqrt(variance), self.floor[runs])

    def _failures(self, moments: Moments, sigma: Array, penalty: Penalty | None) -> Codes:
        failure = np.zeros(len(sigma), dtype=np.int8)
        if "sigma" not in self.frozen and not sigma.min() > COLLAPSED:
            failure[~np.all(sigma > COLLAPSED, axis=1)] = Failure.VARIANCE_COLLAPSED
        # With everything else frozen, or with a prior on the means, an empty component is defined.
        defined = "mu" in self.frozen and "sigma" in self.frozen
        empty = moments.s0.min() <= EMPTY
        if empty and not defined and not self.means_have_prior:
            failure[np.any(moments.s0 <= EMPTY, axis=1)] = Failure.COMPONENT_EMPTIED
        return failure

    def _evaluate(
        self,
        iteration: int,
        runs: Index,
        w: Array,
        mu: Array,
        sigma: Array,
        passes: Index,
        failure: Codes,
    ) -> State:
        temperature = self.schedule[min(iteration, self.settle)]
        parameters = (self.problem, runs, w, mu, sigma)
        if self.em.assignment == "hard":
            log_likelihood, objective, *memory = hard_pass(*parameters)
        elif temperature != 1:
            log_likelihood, objective, *memory = tempered_pass(*parameters, temperature)
        else:
            log_likelihood, *memory = self.problem.moments(*parameters[1:])
            objective = log_likelihood
        if self.penalty is not None:
            objective = objective + self.penalty.select(runs).value(w, mu, sigma)
        passes = passes + (failure == 0)
        return State(w, mu, sigma, log_likelihood, objective, passes, failure, tuple(memory))


def mean_forces(state: State, moments: Moments, penalty: Penalty | None) -> tuple[Array, Array]:
    """Slope and negative curvature of the expected objective along each mean, times sigma^2."""
    if penalty is None:
        return moments.s1, moments.s0
    stiffness = penalty.precision * state.sigma**2
    pull = moments.s1 + stiffness * (penalty.location - state.mu)
    return pull, moments.s0 + stiffness


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _slope_norm(w, sigma, s0, s1, s2, total, moves):
    """Norm of the gradient in (log w, mu / sigma, log sigma), of those that move."""
    runs, k = w.shape
    norm = np.empty(runs)
    for run in range(runs):
        square = 0.0
        for j in range(k):
            if moves[0]:
                square += (s0[run, j] - w[run, j] * total[run, 0]) ** 2
            if moves[1]:
                square += (s1[run, j] / sigma[run, j]) ** 2
            if moves[2]:
                square += (s2[run, j] / sigma[run, j] ** 2 - s0[run, j]) ** 2
        norm[run] = np.sqrt(square) / total[run, 0]
    return norm
