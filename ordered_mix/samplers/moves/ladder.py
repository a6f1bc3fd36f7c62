"""The ladder of inverse temperatures: swaps, rejections, its adaptation and round trips."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from ordered_mix.mixture import Array

LEAST_REJECTION = 1e-3


def swap_probability(beta: Array, log_likelihood: Array) -> Array:
    """Probability that neighbours on the ladder exchange their states.

    Parameters
    ----------
    beta : array, shape (temperature,)
    log_likelihood : array, shape (temperature, chain)

    Returns
    -------
    ndarray, shape (temperature - 1, chain)
    """
    with np.errstate(invalid="ignore"):
        ratio = np.diff(-beta)[:, None] * np.diff(log_likelihood, axis=0)
    # two states out of reach: nothing is lost by exchanging them
    return np.exp(np.minimum(np.where(np.isnan(ratio), 0.0, ratio), 0.0))


def equal_rejections(beta: Array, rejection: Array) -> Array:
    """The schedule under which all neighbours reject alike (Syed et al. 2022, algorithm 2).

    Parameters
    ----------
    beta : array, shape (temperature,)
        Increasing from 0 to 1.
    rejection : array, shape (temperature - 1,)
        Mean rejection rates between neighbours: steps of the communication barrier.
    """
    barrier = np.concatenate([[0.0], np.cumsum(np.maximum(rejection, LEAST_REJECTION))])
    inverse = PchipInterpolator(barrier / barrier[-1], beta)
    schedule = inverse(np.linspace(0.0, 1.0, beta.size))
    schedule[[0, -1]] = 0.0, 1.0
    return schedule


@dataclass(frozen=True, eq=False)
class RoundTrips:
    """Who stands where on the ladder, and how often each went from the prior and back.

    Parameters
    ----------
    temperatures, chains : int
    """

    temperatures: int
    chains: int
    at: NDArray[np.int64] = field(init=False)
    stage: NDArray[np.int64] = field(init=False)
    count: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        replica = np.repeat(np.arange(self.temperatures)[:, None], self.chains, axis=1)
        object.__setattr__(self, "at", replica)
        object.__setattr__(self, "stage", np.zeros(replica.shape, dtype=np.int64))
        object.__setattr__(self, "count", np.zeros(self.chains, dtype=np.int64))

    def swap(self, order: NDArray[np.int64]) -> None:
        """Follow a permutation of the ladder, shape (temperature, chain)."""
        self.at[:] = np.take_along_axis(self.at, order, axis=0)
        chains = np.arange(self.chains)
        cold, hot = self.at[-1], self.at[0]
        # 1 since it was hot, 2 since it was cold after that
        self.count[:] += self.stage[hot, chains] == 2
        self.stage[hot, chains] = 1
        self.stage[cold, chains] = np.where(self.stage[cold, chains] == 0, 0, 2)


def exchanged(accepted: NDArray[np.bool_], temperatures: int) -> NDArray[np.int64]:
    """The permutation that accepted swaps of disjoint neighbours make of the ladder."""
    order = np.repeat(np.arange(temperatures)[:, None], accepted.shape[1], axis=1)
    order[:-1] += accepted
    order[1:] -= accepted
    return order
