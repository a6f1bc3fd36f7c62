"""The EM and the ECM iteration in several dimensions, on a flat batch of runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.clearance import clear_weights
from ordered_mix.estimators.loop.problem_multivariate import (
    MultivariateMoments,
    MultivariateProblem,
    factor,
)
from ordered_mix.estimators.loop.state import Codes, Failure, Index, State
from ordered_mix.multivariate.covariances import closest
from ordered_mix.parameterization.multivariate import MultivariateParameterization

if TYPE_CHECKING:
    from ordered_mix.estimators.em import EM
    from ordered_mix.estimators.loop.directions import Direction

Array = NDArray[np.float64]

EMPTY = 1e-290
PARAMETERS = ("w", "mu", "sigma")
IDLE = {"scales": "free", "floor": 0.0, "penalty": None, "posterior": False, "temperature": 1.0,
        "assignment": "soft"}  # fmt: skip
"""Fields that mean nothing in several dimensions, with what they are by default."""


class PointRuns:
    """The EM iteration, in working units; ``sigma`` of the state holds the covariances.

    Raises
    ------
    ValueError
        If the estimator has a field that is for one dimension only.
    """

    settle = 0

    def __init__(
        self, em: EM, parameterization: MultivariateParameterization, problem: MultivariateProblem
    ) -> None:
        for name, default in IDLE.items():
            given = getattr(em, name)
            if given != default:
                raise ValueError(
                    f"{name} must be left out in several dimensions, where the prior says the "
                    f"kind of covariances, got {given!r}"
                )
        self.problem = problem
        self.frozen = em.frozen
        self.kind = parameterization.prior.covariance

    def begin(self) -> State:
        w, mu, covariance = self.problem.start()
        runs = np.arange(self.problem.size)
        zeros = np.zeros(runs.size, dtype=np.int64)
        return self._evaluate(runs, w, mu, covariance, zeros, zeros.astype(np.int8))

    def step(self, iteration: int, runs: Index, state: State) -> State:
        moments = MultivariateMoments(state.objective, *state.memory)
        w, mu, covariance = state.w.copy(), state.mu.copy(), state.sigma.copy()
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.zeros_like(mu)
            if "mu" not in self.frozen:
                shift = self._shift(runs, state, moments)
            if "w" not in self.frozen:
                w = self._weights(moments.s0)
            if "sigma" not in self.frozen:
                covariance = self._covariance(moments, shift)
        mu = mu + shift
        failure = self._failures(runs, moments, covariance)
        failed = failure > 0
        if failed.any():
            pairs = ((w, state.w), (mu, state.mu), (covariance, state.sigma))
            for new, old in pairs:
                new[failed] = old[failed]
        return self._evaluate(runs, w, mu, covariance, state.passes, failure)

    def gradient_norm(self, runs: Index, state: State) -> Array:
        """In means and covariances in units of the standard deviations, and in log w."""
        s0, s1, s2 = state.memory
        widths = self.problem.widths(state.sigma)
        precision = np.linalg.inv(state.sigma)
        slope = 0.5 * (precision @ s2 @ precision - s0[..., None, None] * precision)
        slope = slope * widths[..., None, :] * widths[..., :, None]
        total = self.problem.total_weight[runs]
        slopes = {
            "mu": np.einsum("rkij,rkj->rki", precision, s1) * widths,
            "sigma": SLOPES[self.kind](slope),
            "w": s0 - state.w * total[:, None],
        }
        free = [slopes[name] for name in PARAMETERS if name not in self.frozen]
        squares = [np.sum(value.reshape(len(total), -1) ** 2, axis=1) for value in free]
        return np.sqrt(np.sum(squares, axis=0)) / total

    def extra(self, runs: Index, state: State) -> dict[str, Array]:
        return {}

    def _shift(self, runs: Index, state: State, moments: MultivariateMoments) -> Array:
        return moments.s1 / moments.s0[..., None]

    def _weights(self, s0: Array) -> Array:
        return s0 / s0.sum(axis=1, keepdims=True)

    def _covariance(self, moments: MultivariateMoments, shift: Array) -> Array:
        s0, s1, s2 = moments.s0, moments.s1, moments.s2
        cross = shift[..., :, None] * s1[..., None, :]
        scatter = s2 - cross - np.swapaxes(cross, -1, -2)
        scatter = scatter + s0[..., None, None] * shift[..., :, None] * shift[..., None, :]
        return closest(self.kind, scatter / s0[..., None, None], s0)

    def _failures(self, runs: Index, moments: MultivariateMoments, covariance: Array) -> Codes:
        failure = np.zeros(len(covariance), dtype=np.int8)
        if "sigma" not in self.frozen:
            _, regular = factor(covariance, self.problem.variances[runs])
            failure[~regular.all(axis=1)] = Failure.VARIANCE_COLLAPSED
        if not {"mu", "sigma"} <= set(self.frozen):
            failure[np.any(moments.s0 <= EMPTY, axis=1)] = Failure.COMPONENT_EMPTIED
        return failure

    def _evaluate(
        self, runs: Index, w: Array, mu: Array, covariance: Array, passes: Index, failure: Codes
    ) -> State:
        log_likelihood, *memory = self.problem.moments(runs, w, mu, covariance)
        passes = passes + (failure == 0)
        return State(
            w, mu, covariance, log_likelihood, log_likelihood, passes, failure, tuple(memory)
        )


class PointSweeps(PointRuns):
    """The ECM sweep: the means along the axis coordinate by coordinate, what is across, the rest.

    A coordinate moves component k by ``direction_k b``, b the regression on the axis by the prior
    (`multivariate.axis.frame`). With P_k the precisions, N_k the counts and m_k the means of EM its
    conditional maximum is the step ``sum_k direction_k N_k b P_k (m_k - mu_k)`` over
    ``sum_k direction_k^2 N_k b P_k b``.
    """

    def __init__(
        self, em: EM, parameterization: MultivariateParameterization, problem: MultivariateProblem
    ) -> None:
        super().__init__(em, parameterization, problem)
        # PyMC takes seconds to import, which EM alone does not need
        from ordered_mix.estimators.loop.directions import mean_directions

        self.directions = mean_directions(parameterization.along)
        self.ordered = "mu" in parameterization.along.domain.orders
        self.a, self.b = parameterization.direction, parameterization.frame[0]
        clearances = parameterization.along.clearances
        self.clearance = clearances.get("mu", 0.0) / problem.scale
        self.weight_clearance = clearances.get("w", 0.0)

    def begin(self) -> State:
        state = super().begin()
        w, mu, covariance = state[:3]
        if self.ordered and "mu" not in self.frozen:
            order = np.argsort(mu @ self.a, axis=1, kind="stable")
            w = np.take_along_axis(w, order, 1)
            mu = np.take_along_axis(mu, order[..., None], 1)
            covariance = np.take_along_axis(covariance, order[..., None, None], 1)
            for direction in self.directions:
                if direction.gap is not None:
                    short = self.clearance - np.diff(mu @ self.a, axis=1)[:, direction.gap]
                    moved = np.maximum(short, 0.0)[:, None] * direction.at(w)
                    mu = mu + moved[..., None] * self.b
        if "w" not in self.frozen:
            w = clear_weights(w, self.weight_clearance)
        if all(map(np.array_equal, (w, mu, covariance), state[:3])):
            return state
        runs = np.arange(len(w))
        zeros = np.zeros_like(state.passes)
        return self._evaluate(runs, w, mu, covariance, zeros, state.failure)

    def _shift(self, runs: Index, state: State, moments: MultivariateMoments) -> Array:
        target = moments.s1 / moments.s0[..., None]
        if all(direction.gap is None for direction in self.directions):
            return target  # each mean is a coordinate of its own
        along_b = np.linalg.solve(state.sigma, np.broadcast_to(self.b, target.shape)[..., None])
        pull = moments.s0 * np.einsum("rkj,rkj->rk", along_b[..., 0], target)
        stiffness = moments.s0 * (along_b[..., 0] @ self.b)
        step = np.zeros_like(pull)
        for direction in self.directions:
            move = direction.at(state.w)
            slope = np.sum(move * (pull - stiffness * step), axis=1)
            size = slope / np.sum(move**2 * stiffness, axis=1)
            size = np.maximum(size, self._room(runs, state, step, direction))
            step = step + move * size[:, None]
        # the best means given where they are along the axis
        across = state.sigma @ self.a
        across = across / (across @ self.a)[..., None]
        return target + across * (step - target @ self.a)[..., None]

    def _room(self, runs: Index, state: State, step: Array, direction: Direction) -> Array | float:
        """The least step that keeps the clearance."""
        if direction.gap is None or not self.ordered:
            return -np.inf
        gaps = np.diff(state.mu @ self.a + step, axis=1)
        return np.asarray(self.clearance[runs] - gaps[:, direction.gap])

    def _weights(self, s0: Array) -> Array:
        return clear_weights(super()._weights(s0), self.weight_clearance)


SLOPES: dict[str, Callable[[Array], Array]] = {
    "full": lambda slope: slope,
    "diagonal": lambda slope: np.diagonal(slope, axis1=-1, axis2=-2),
    "spherical": lambda slope: np.trace(slope, axis1=-1, axis2=-2),
    "tied": lambda slope: slope.sum(axis=1),
}
"""The gradient along the free entries, from that of free covariances."""
