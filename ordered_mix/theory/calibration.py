"""Simulation-based calibration: ranks of the truth among posterior draws, and how even they are.

If a truth is drawn from the prior and data from the truth, the rank of the truth among independent
draws of the exact posterior is uniform (Cook, Gelman & Rubin 2006; Talts, Betancourt, Simpson,
Vehtari & Gelman 2018). Labels must be those of the draws: a prior draw of an ordered model is
sorted first. Bands and tests are ArviZ's (Säilynoja, Bürkner & Vehtari 2022).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from arviz_stats.base import array_stats
from arviz_stats.ecdf_utils import ecdf_pit
from numpy.typing import ArrayLike, NDArray

from ordered_mix.arrays import Array, finite, scalar_draws

SIMULATIONS = 1000


class Band(NamedTuple):
    """Where the ECDF difference of uniform scores stays, everywhere at once.

    Attributes
    ----------
    at, low, high : ndarray
        Scores, and the ends of the band there.
    """

    at: Array
    low: Array
    high: Array


def thin(draws: ArrayLike, count: int) -> Array:
    """Equally spaced draws, the chains one after the other.

    Parameters
    ----------
    draws : array_like, shape (chain, draw)
    count : int
        How many to keep; they are nearly independent if the ESS is at least twice as many.

    Returns
    -------
    ndarray, shape (count,)

    Raises
    ------
    ValueError
        If there are fewer draws.
    """
    flat = scalar_draws("draws", draws).ravel()
    if not 1 <= count <= flat.size:
        raise ValueError(f"count must lie between 1 and the {flat.size} draws, got {count}")
    return flat[((np.arange(count) + 0.5) * flat.size / count).astype(int)]


def rank(truth: float, draws: ArrayLike, rng: np.random.Generator) -> int:
    """Number of draws below the truth; ties are broken at random.

    Parameters
    ----------
    truth : float
    draws : array_like, shape (count,)
        Independent draws.
    rng : Generator

    Returns
    -------
    int
        From 0 to count.
    """
    values = finite("draws", draws)
    ties = int(np.sum(values == truth))
    return int(np.sum(values < truth)) + int(rng.integers(ties + 1))


def scores(ranks: ArrayLike, count: int, rng: np.random.Generator) -> Array:
    """Ranks spread over their share of the unit interval: uniform if the ranks are.

    Parameters
    ----------
    ranks : array_like of int
        From 0 to count.
    count : int
        Number of draws behind each rank.
    rng : Generator
    """
    whole = _checked(ranks, count)
    return (whole + rng.uniform(size=whole.shape)) / (count + 1)


def largest_difference(ranks: ArrayLike, count: int) -> float:
    """Largest absolute difference of the ranks' ECDF from the uniform one."""
    whole = _checked(ranks, count)
    below = np.cumsum(np.bincount(whole.ravel(), minlength=count + 1)) / whole.size
    return float(np.abs(below - np.arange(1, count + 2) / (count + 1)).max())


def reach(size: int, alpha: float) -> float:
    """By how much an ECDF may miss the truth anywhere, but for a probability of alpha.

    The inequality of Dvoretzky, Kiefer & Wolfowitz with the constant of Massart (1990); it holds
    for every size and for ranks, too.
    """
    if size < 1 or not 0 < alpha < 1:
        raise ValueError(f"size must be positive and alpha within (0, 1), got {size} and {alpha}")
    return float(np.sqrt(np.log(2 / alpha) / (2 * size)))


def band(size: int, probability: float = 0.95, seed: int = 0) -> Band:
    """ArviZ's simultaneous band for the ECDF difference of independent uniform scores."""
    rng = np.random.default_rng(seed)
    at, _, low, high = ecdf_pit(
        np.linspace(0, 1, size), probability, n_simulations=SIMULATIONS, rng=rng
    )
    return Band(at, low - at, high - at)


def uniformity(uniform_scores: ArrayLike) -> float:
    """P-value of ArviZ's test of uniformity (pointwise order statistics, Cauchy combination)."""
    values = finite("uniform_scores", uniform_scores).ravel()
    return float(array_stats.uniformity_test(values)[0])


def _checked(ranks: ArrayLike, count: int) -> NDArray[np.int64]:
    array = np.asarray(ranks)
    whole = array.astype(np.int64)
    if array.size == 0 or np.any(whole != array) or whole.min() < 0 or whole.max() > count:
        raise ValueError(f"ranks must be whole numbers from 0 to {count}, at least one of them")
    return whole
