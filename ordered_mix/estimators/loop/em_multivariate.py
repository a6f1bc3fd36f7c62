"""EM and ECM in several dimensions: full, diagonal, spherical and tied covariances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.estimator import choice
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.iterate import iterate
from ordered_mix.estimators.loop.state import Codes, Failure, Index, State
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.multivariate import MultivariateData, MultivariateMixture
from ordered_mix.passes.multivariate_pass import MultivariateMoments, MultivariateProblem, factor
from ordered_mix.stream.stream import Stream

Array = NDArray[np.float64]

EMPTY = 1e-290
PARAMETERS = ("w", "mu", "covariance")


@dataclass(frozen=True)
class MultivariateEM:
    """Expectation maximisation for Gaussian mixtures in several dimensions.

    No estimator of the registry: model files describe mixtures in one dimension, so there is no
    `Parameterization` to hand to `fit`, and the coordinates of the means are a field instead.

    Parameters
    ----------
    covariance : {"full", "diagonal", "spherical", "tied"}
        One matrix for each component (full, diagonal or a multiple of the identity), or one full
        matrix for all.
    parameterization : {"unordered", "relative"}
        ``relative`` writes one coordinate of the means as the first component's and the gaps to
        the next ones and updates them one at a time, the other coordinates given these; the rest
        is as in EM (Esser & Nielsen 2022, theta^l).
    coordinate : int
        The coordinate that orders the components, from 0.
    clearance : float
        Smallest gap along that coordinate, in the units of the data.
    frozen : tuple of {"w", "mu", "covariance"}
        Parameters that keep their starting values.
    stop : Stop
        Stopping rules.
    snapshots : int
        Most snapshots the trace may hold.

    Raises
    ------
    ValueError
        If an argument is none of the accepted values.
    """

    covariance: str = "full"
    parameterization: str = "unordered"
    coordinate: int = 0
    clearance: float = 0.0
    frozen: tuple[str, ...] = ()
    stop: Stop = field(default_factory=Stop)
    snapshots: int = 200

    def __post_init__(self) -> None:
        choice("covariance", self.covariance, tuple(SHAPES))
        choice("parameterization", self.parameterization, ("unordered", "relative"))
        unknown = sorted(set(self.frozen) - set(PARAMETERS))
        if unknown:
            raise ValueError(f"frozen may hold {', '.join(PARAMETERS)}, got {unknown[0]!r}")
        if not 0 <= self.clearance < np.inf:
            raise ValueError(f"clearance must be at least 0 and finite, got {self.clearance}")

    def fit(self, data: MultivariateData, starts: MultivariateMixture) -> Fit:
        """Fit every start to every data set.

        Parameters
        ----------
        data : MultivariateData, batch shape (...)
        starts : MultivariateMixture, batch shape (...)
            The two batch shapes broadcast. With ``relative``, starts are sorted along the
            coordinate and brought to the clearance.

        Returns
        -------
        Fit
            Its mixture is a `MultivariateMixture`.

        Raises
        ------
        ValueError
            If the dimensions differ, the batch shapes do not broadcast, or there is no such
            coordinate.
        """
        if isinstance(data, Stream):
            raise ValueError(
                f"data must be MultivariateData for EM in several dimensions, {data!r} is streamed"
            )
        if not 0 <= self.coordinate < data.d:
            raise ValueError(f"coordinate must be from 0 to {data.d - 1}, got {self.coordinate}")
        problem = MultivariateProblem(data, starts)
        return iterate(_Runs(self, problem), problem, self.stop, self.snapshots)


class _Runs:
    """The iteration on a flat batch, in working units; ``sigma`` holds the covariances."""

    settle = 0

    def __init__(self, em: MultivariateEM, problem: MultivariateProblem) -> None:
        self.em = em
        self.problem = problem
        self.clearance = em.clearance / problem.scale

    def begin(self) -> State:
        w, mu, covariance = self.problem.start()
        if "covariance" not in self.em.frozen:
            covariance = SHAPES[self.em.covariance](covariance, w)
        if self.em.parameterization == "relative" and "mu" not in self.em.frozen:
            order = np.argsort(mu[..., self.em.coordinate], axis=1, kind="stable")
            w = np.take_along_axis(w, order, 1)
            mu = np.take_along_axis(mu, order[..., None], 1)
            covariance = np.take_along_axis(covariance, order[..., None, None], 1)
            chained = mu[..., self.em.coordinate]
            gaps = np.maximum(np.diff(chained, axis=1), self.clearance[:, None])
            chained[:, 1:] = chained[:, :1] + np.cumsum(gaps, axis=1)
        runs = np.arange(self.problem.size)
        zeros = np.zeros(runs.size, dtype=np.int64)
        return self._evaluate(runs, w, mu, covariance, zeros, zeros.astype(np.int8))

    def step(self, iteration: int, runs: Index, state: State) -> State:
        moments = MultivariateMoments(state.objective, *state.memory)
        w, mu, covariance = state.w.copy(), state.mu.copy(), state.sigma.copy()
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.zeros_like(mu)
            if "mu" not in self.em.frozen:
                shift = self._shift(runs, state, moments)
            if "w" not in self.em.frozen:
                w = moments.s0 / moments.s0.sum(axis=1, keepdims=True)
            if "covariance" not in self.em.frozen:
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
            "covariance": SLOPES[self.em.covariance](slope),
            "w": s0 - state.w * total[:, None],
        }
        free = [slopes[name] for name in PARAMETERS if name not in self.em.frozen]
        squares = [np.sum(value.reshape(len(total), -1) ** 2, axis=1) for value in free]
        return np.sqrt(np.sum(squares, axis=0)) / total

    def extra(self, runs: Index, state: State) -> dict[str, Array]:
        return {}

    def _shift(self, runs: Index, state: State, moments: MultivariateMoments) -> Array:
        """Step of the means; in relative coordinates a sweep along the ordering coordinate."""
        target = moments.s1 / moments.s0[..., None]
        if self.em.parameterization == "unordered":
            return target
        at = self.em.coordinate
        precision = np.linalg.inv(state.sigma)
        pull = moments.s0 * np.einsum("rkj,rkj->rk", precision[:, :, at], target)
        stiffness = moments.s0 * precision[:, :, at, at]
        step = np.zeros_like(pull)
        step += (pull.sum(axis=1) / stiffness.sum(axis=1))[:, None]
        for gap in range(pull.shape[1] - 1):
            later = slice(gap + 1, None)
            slope = np.sum(pull[:, later] - stiffness[:, later] * step[:, later], axis=1)
            present = state.mu[:, gap + 1, at] - state.mu[:, gap, at]
            present = present + step[:, gap + 1] - step[:, gap]
            move = slope / stiffness[:, later].sum(axis=1)
            step[:, later] += np.maximum(move, self.clearance[runs] - present)[:, None]
        return target + self._regression(state.sigma) * (step - target[..., at])[..., None]

    def _regression(self, covariance: Array) -> Array:
        """How the best other coordinates follow the chained one, 1 on that one itself."""
        at = self.em.coordinate
        return covariance[..., at] / covariance[..., at, at][..., None]

    def _covariance(self, moments: MultivariateMoments, shift: Array) -> Array:
        s0, s1, s2 = moments.s0, moments.s1, moments.s2
        cross = shift[..., :, None] * s1[..., None, :]
        scatter = s2 - cross - np.swapaxes(cross, -1, -2)
        scatter = scatter + s0[..., None, None] * shift[..., :, None] * shift[..., None, :]
        return SHAPES[self.em.covariance](scatter / s0[..., None, None], s0)

    def _failures(self, runs: Index, moments: MultivariateMoments, covariance: Array) -> Codes:
        failure = np.zeros(len(covariance), dtype=np.int8)
        if "covariance" not in self.em.frozen:
            _, regular = factor(covariance, self.problem.variances[runs])
            failure[~regular.all(axis=1)] = Failure.VARIANCE_COLLAPSED
        if not {"mu", "covariance"} <= set(self.em.frozen):
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


def _diagonal(matrix: Array, counts: Array) -> Array:
    return matrix * np.eye(matrix.shape[-1])


def _spherical(matrix: Array, counts: Array) -> Array:
    d = matrix.shape[-1]
    return np.trace(matrix, axis1=-1, axis2=-2)[..., None, None] / d * np.eye(d)


def _tied(matrix: Array, counts: Array) -> Array:
    share = counts / counts.sum(axis=-1, keepdims=True)
    common = np.sum(share[..., None, None] * matrix, axis=-3, keepdims=True)
    return np.repeat(common, matrix.shape[-3], axis=-3)


SHAPES: dict[str, Callable[[Array, Array], Array]] = {
    "full": lambda matrix, counts: matrix,
    "diagonal": _diagonal,
    "spherical": _spherical,
    "tied": _tied,
}
"""The covariances of each kind closest to free ones, given the counts of the components."""

SLOPES: dict[str, Callable[[Array], Array]] = {
    "full": lambda slope: slope,
    "diagonal": lambda slope: np.diagonal(slope, axis1=-1, axis2=-2),
    "spherical": lambda slope: np.trace(slope, axis1=-1, axis2=-2),
    "tied": lambda slope: slope.sum(axis=1),
}
"""The gradient along the free entries, from that of free covariances."""
