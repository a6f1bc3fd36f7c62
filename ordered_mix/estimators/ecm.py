"""Expectation conditional maximisation in the coordinates of a parameterization."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.em import EM, choice
from ordered_mix.estimators.loop.expectation import Runs, mean_forces
from ordered_mix.estimators.loop.penalty import Penalty
from ordered_mix.estimators.loop.problem import Problem
from ordered_mix.estimators.loop.scale_gaps import scale_step
from ordered_mix.estimators.loop.state import Index, State
from ordered_mix.passes.kernels import Moments

Array = NDArray[np.float64]

PARAMETERIZATIONS = ("unordered", "ordered", "relative", "centred", "folded", "resolved")
ORDERS = ("mu", "sigma", "both")


@dataclass(frozen=True)
class ECM(EM):
    """ECM: one sweep maximises over one coordinate at a time, the others held (Meng & Rubin 1993).

    One sweep costs one pass: location of the means, gaps one by one from the reference outwards,
    weights, then the scales. A conditional maximum over one coordinate is the same for every
    link of the gap, so none is asked for. All fields of `EM` apply.

    Parameters
    ----------
    parameterization : str
        ``relative``: a reference component and the gaps; ``ordered``: the same with the first
        component as the reference; ``centred``: the midpoint and the gaps; ``folded``: the
        mixture mean and signed gaps; ``resolved``: the mixture mean and positive gaps;
        ``unordered``: the means themselves, which is EM.
    reference : int
        The reference component of ``relative``, from 1.
    clearance : float
        Smallest gap, in the units of the data, kept by projection, which is exact because the
        expected log likelihood is a concave parabola along a gap.
    order : {"mu", "sigma", "both"}
        What ``relative`` chains: the means, the scales (``sigma_k = sigma_(k-1) + gap``), or both.
    weight_clearance : float
        Smallest weight, kept exactly.

    Raises
    ------
    ValueError
        If an argument is none of the accepted values.

    Notes
    -----
    Esser & Nielsen 2022, Algorithms 1 and 2, as corrected in MATHS.md, section 1. With s0, s1 the
    moments about the current means, ``t = s0 / sigma^2`` and a the direction in which a coordinate
    moves the means, its conditional maximum is the step ``sum a s1 / sigma^2 / sum a^2 t``. Where
    the direction depends on the weights the weights in force before the sweep are used, and the
    step of the weights holds the means, so a sweep never decreases the objective. Starts are
    brought into increasing order and to the clearance first.
    """

    parameterization: str = "relative"
    reference: int = 1
    clearance: float = 0.0
    order: str = "mu"
    weight_clearance: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.parameterization == "moment":
            raise ValueError(
                "parameterization 'moment' has no closed conditional steps, "
                f"it must be one of {', '.join(PARAMETERIZATIONS)}"
            )
        choice("parameterization", self.parameterization, PARAMETERIZATIONS)
        choice("order", self.order, ORDERS)
        if not 0 <= self.clearance < np.inf:
            raise ValueError(f"clearance must be at least 0 and finite, got {self.clearance}")
        if not 0 <= self.weight_clearance < 1:
            raise ValueError(
                f"weight_clearance must be at least 0 and below 1, got {self.weight_clearance}"
            )
        if self.order != "mu" and self.parameterization != "relative":
            raise ValueError(
                f"order must be 'mu' for {self.parameterization!r}, got {self.order!r}"
            )
        if self.order != "mu" and (self.scales == "tied" or self.floor > 0):
            raise ValueError("scales must be free and without a floor to be ordered")

    def _algorithm(self, problem: Problem) -> Runs:
        k = problem.k
        if not 1 <= self.reference <= k:
            raise ValueError(f"reference must be a component from 1 to {k}, got {self.reference}")
        if k * self.weight_clearance >= 1:
            raise ValueError(
                f"weight_clearance must be below 1/{k} for {k} components, "
                f"got {self.weight_clearance}"
            )
        return _Sweeps(self, problem)


class _Sweeps(Runs):
    """The sweep on a flat batch, in working units."""

    em: ECM

    def __init__(self, em: ECM, problem: Problem) -> None:
        super().__init__(em, problem)
        ordered = em.parameterization not in ("unordered", "folded")
        self.chained = em.parameterization != "unordered" and em.order != "sigma"
        self.chained_scales = em.order != "mu"
        bound = em.clearance / problem.scale if ordered else np.full(problem.size, -np.inf)
        self.clearance = bound

    def begin(self) -> State:
        state = super().begin()
        w, mu, sigma = state.w, state.mu, state.sigma
        key = sigma if self.em.order == "sigma" else mu
        if self.em.parameterization not in ("unordered", "folded"):
            order = np.argsort(key, axis=1, kind="stable")
            w, mu, sigma = (np.take_along_axis(value, order, 1) for value in (w, mu, sigma))
        if "w" not in self.em.frozen:
            w = clear_weights(w, self.em.weight_clearance)
        if self.chained and "mu" not in self.em.frozen:
            mu = self._apart(mu, self._anchor(w))
        if self.chained_scales and "sigma" not in self.em.frozen:
            sigma = self._apart(sigma, np.eye(sigma.shape[1])[0])
        unchanged = all(map(np.array_equal, (w, mu, sigma), state[:3]))
        if unchanged:
            return state
        runs = np.arange(len(w))
        return self._evaluate(0, runs, w, mu, sigma, np.zeros_like(state.passes), state.failure)

    def _apart(self, value: Array, anchor: Array) -> Array:
        """Widen the gaps of a chain to the clearance, the anchored location held."""
        gaps = np.maximum(np.diff(value, axis=1), self.clearance[:, None])
        chain = np.cumsum(np.concatenate([value[:, :1], gaps], axis=1), axis=1)
        return chain + np.sum(anchor * (value - chain), axis=1, keepdims=True)

    def _anchor(self, w: Array) -> Array:
        """Shares of the components in the location, (k,) or (runs, k)."""
        k = w.shape[1]
        if self.em.parameterization in ("folded", "resolved"):
            return w
        if self.em.parameterization == "centred":
            return np.full(k, 1 / k)
        reference = self.em.reference if self.em.parameterization == "relative" else 1
        return np.eye(k)[reference - 1]

    def _shift(self, runs: Index, state: State, moments: Moments, penalty: Penalty | None) -> Array:
        if not self.chained:
            return super()._shift(runs, state, moments, penalty)
        pull, stiffness = (value / state.sigma**2 for value in mean_forces(state, moments, penalty))
        anchor = np.broadcast_to(self._anchor(state.w), state.mu.shape)
        shift = np.repeat(
            pull.sum(axis=1, keepdims=True) / stiffness.sum(axis=1, keepdims=True),
            pull.shape[1],
            axis=1,
        )
        for gap in self._outwards(pull.shape[1]):
            moved = np.arange(pull.shape[1]) > gap
            direction = moved - anchor[:, gap + 1 :].sum(axis=1, keepdims=True)
            slope = np.sum(direction * (pull - stiffness * shift), axis=1)
            step = slope / np.sum(direction**2 * stiffness, axis=1)
            room = self.clearance[runs] - (state.mu[:, gap + 1] - state.mu[:, gap])
            shift = shift + direction * np.maximum(step, room)[:, None]
        return shift

    def _outwards(self, k: int) -> list[int]:
        """Gaps from the reference to the last component, then from the reference to the first."""
        reference = self.em.reference if self.em.parameterization == "relative" else 1
        return [*range(reference - 1, k - 1), *range(reference - 2, -1, -1)]

    def _weights(self, s0: Array, penalty: Penalty | None) -> Array:
        return clear_weights(super()._weights(s0, penalty), self.em.weight_clearance)

    def _scales(
        self,
        runs: Index,
        sigma: Array,
        s0: Array,
        squares: Array,
        shift: Array,
        penalty: Penalty | None,
    ) -> Array:
        if not self.chained_scales:
            return super()._scales(runs, sigma, s0, squares, shift, penalty)
        if penalty is not None:
            s0, squares = s0 + 2 * penalty.shape, squares + 2 * penalty.rate
        k = sigma.shape[1]
        sigma = sigma + scale_step(sigma, s0, squares, -np.inf)[:, None]
        for gap in range(k - 1):
            moved = slice(gap + 1, k)
            room = self.clearance[runs] - (sigma[:, gap + 1] - sigma[:, gap])
            step = scale_step(sigma[:, moved], s0[:, moved], squares[:, moved], room)
            sigma[:, moved] += step[:, None]
        return sigma


def clear_weights(w: Array, clearance: float) -> Array:
    """The maximiser of ``sum w_k log x_k`` over weights x of at least the clearance.

    Parameters
    ----------
    w : array, shape (..., k)
        Weights that add up to 1.
    clearance : float
        Below 1 / k.

    Returns
    -------
    array, shape (..., k)
        Small weights at the clearance, the others in proportion.
    """
    if clearance == 0:
        return w
    low = np.zeros(w.shape, dtype=bool)
    for _ in range(w.shape[-1]):
        share = np.where(low, 0.0, w)
        room = 1 - clearance * low.sum(axis=-1, keepdims=True)
        scaled = np.where(low, clearance, room * share / share.sum(axis=-1, keepdims=True))
        low = low | (scaled < clearance)
    return np.maximum(scaled, clearance)
