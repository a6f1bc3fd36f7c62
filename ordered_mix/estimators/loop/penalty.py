"""Penalties on the log likelihood that keep the M-step in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ordered_mix.data import Data
    from ordered_mix.estimators.loop.problem import Problem
    from ordered_mix.prior import Prior

Array = NDArray[np.float64]


@dataclass(frozen=True)
class VariancePenalty:
    """Adds ``-shape log(v) - rate / v`` for the variance v of each component.

    The M-step becomes ``v = (S + 2 rate) / (N + 2 shape)``.

    Parameters
    ----------
    shape, rate : float
        Both at least 0; rate in squared units of the data.

    Raises
    ------
    ValueError
        If shape or rate is negative or not finite.
    """

    shape: float
    rate: float

    def __post_init__(self) -> None:
        for name in ("shape", "rate"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be at least 0 and finite, got {getattr(self, name)}")

    @classmethod
    def inverse_gamma(cls, a: float, b: float) -> VariancePenalty:
        """Log density of InverseGamma(a, b) on each variance, up to a constant."""
        return cls(a + 1, b)

    @classmethod
    def chen_tan(cls, a: float, data: Data) -> VariancePenalty:
        """``-a (s^2 / v + log v)`` with the sample variance s^2 (Chen & Tan 2009)."""
        return cls(a, a * float(np.mean(data.scale**2)))


class Penalty(NamedTuple):
    """Log penalty in working units; arrays of shape (runs, 1) or scalars.

    Normal means with this location and precision, ``-shape log v - rate / v`` on the variances,
    ``counts sum log w`` on the weights, and a constant of shape (runs,).
    """

    location: Array
    precision: Array
    shape: Array
    rate: Array
    counts: Array
    constant: Array

    def select(self, runs: NDArray[np.int64]) -> Penalty:
        """The penalty of some of the runs."""
        return Penalty(*(value[runs] for value in self))

    def value(self, w: Array, mu: Array, sigma: Array) -> Array:
        """Log penalty, shape (runs,)."""
        variance = sigma**2
        with np.errstate(divide="ignore"):
            log_w = np.where(self.counts > 0, np.log(w), 0.0)
        terms = (
            self.counts * log_w
            - 0.5 * self.precision * (mu - self.location) ** 2
            - self.shape * np.log(variance)
            - self.rate / variance
        )
        return self.constant + terms.sum(axis=1)


def penalty_of(
    problem: Problem, variance: VariancePenalty | None, prior: Prior | None
) -> Penalty | None:
    """The penalty of each run in working units, None without any.

    A prior enters with its density of (w, mu, sigma) in the units of the data, constants
    included, so the objective is the log posterior density up to the evidence.
    """
    if variance is None and prior is None:
        return None
    location = prior.location if prior is not None else 0.0
    precision = prior.spread**-2 if prior is not None else 0.0
    shape = variance.shape if variance is not None else 0.0
    rate = variance.rate if variance is not None else 0.0
    counts, constant = 0.0, np.zeros(problem.size)
    log_scale = np.log(problem.scale)
    constant = constant - 2 * problem.k * shape * log_scale
    if prior is not None:
        counts = prior.concentration - 1
        constant = constant + _prior_constant(prior, problem.k)
        if prior.known_sigma is None:
            shape, rate = shape + 2.5, rate + prior.scale**2
            constant = constant - 5 * problem.k * log_scale
    scale = problem.scale[:, None]
    return Penalty(
        location=(location - problem.location[:, None]) / scale,
        precision=precision * scale**2,
        shape=np.full_like(scale, shape),
        rate=rate / scale**2,
        counts=np.full_like(scale, counts),
        constant=constant,
    )


def _prior_constant(prior: Prior, k: int) -> float:
    """Constants of the prior density: normal means, root inverse gamma scales, Dirichlet."""
    constant = -k * (0.5 * np.log(2 * np.pi) + np.log(prior.spread))
    if prior.known_sigma is None:
        constant += k * (np.log(2.0) + 4 * np.log(prior.scale))
    if prior.known_w is None:
        constant += lgamma(k * prior.concentration) - k * lgamma(prior.concentration)
    return float(constant)
