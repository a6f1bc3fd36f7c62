"""How fast an estimator gets to an optimum, restarts included, and how far it ends from the truth.

All functions take arrays with leading batch axes; none knows which estimator made them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from ordered_mix.mixture import Mixture

Array = NDArray[np.float64]

REACH = 10.0
CHUNK = 2_000_000


def passes_to(passes: ArrayLike, objective: ArrayLike, level: ArrayLike) -> Array:
    """Passes after which the objective first is at a level; infinite if it never is.

    Parameters
    ----------
    passes, objective : array_like, shape (snapshots, ...)
        Of a trace, thinned or not; the answer is that of the first snapshot at the level.
    level : array_like, shape (...)
        What has to be reached.

    Returns
    -------
    array, shape (...)
    """
    there = np.asarray(objective) >= np.asarray(level)
    first = np.take_along_axis(np.asarray(passes, dtype=float), there.argmax(axis=0)[None], axis=0)
    return np.where(there.any(axis=0), first[0], np.inf)


def shortfall(passes: ArrayLike, objective: ArrayLike, best: ArrayLike, after: float) -> Array:
    """How far the objective is below the best after so many passes, shape (...).

    Infinite before the first snapshot.
    """
    spent = np.asarray(passes) <= after
    reached = np.where(spent, np.asarray(objective, dtype=float), -np.inf).max(axis=0)
    return np.asarray(best) - reached


def expected_passes(to_success: ArrayLike, spent: ArrayLike) -> tuple[Array, Array]:
    """Passes that one success costs when an estimator is restarted until it succeeds.

    The passes of all starts, each counted to its success or to its end, divided by the number of
    successes (the expected running time of Hansen et al. 2021, Optimization Methods and Software
    36, 114-144). Without any success the passes of all starts are a lower bound, which is what
    is returned.

    Parameters
    ----------
    to_success : array_like, shape (..., starts)
        Passes to the success of each start, infinite if it has none.
    spent : array_like, shape (..., starts)
        Passes that each start took in all.

    Returns
    -------
    passes : array, shape (...)
    share : array, shape (...)
        Share of the starts that succeed.
    """
    success = np.isfinite(to_success)
    total = np.where(success, to_success, np.asarray(spent, dtype=float)).sum(axis=-1)
    return total / np.maximum(success.sum(axis=-1), 1), success.mean(axis=-1)


def wasserstein(first: Mixture, second: Mixture, points: int = 2001) -> Array:
    """Wasserstein distance (of order 1) between the distributions of two mixtures, shape (...).

    The integral of ``|F - G|`` by the trapezoid rule on a uniform grid that covers both; it does
    not depend on labels. Good to about the square of a step over the narrowest scale.

    Parameters
    ----------
    first, second : Mixture
        Batch shapes that broadcast.
    points : int
        Points of the grid.
    """
    shape = np.broadcast_shapes(first.batch_shape, second.batch_shape)
    one, two = (_flat(mixture, shape) for mixture in (first, second))
    distance = np.empty(int(np.prod(shape)))
    for rows in _chunks(distance.size, points * max(one[0].shape[1], two[0].shape[1])):
        parts = [tuple(value[rows] for value in mixture) for mixture in (one, two)]
        low = np.min([(mu - REACH * sigma).min(axis=1) for _, mu, sigma in parts], axis=0)
        high = np.max([(mu + REACH * sigma).max(axis=1) for _, mu, sigma in parts], axis=0)
        y = np.linspace(low, high, points, axis=1)
        distance[rows] = np.trapezoid(np.abs(_cdf(y, *parts[0]) - _cdf(y, *parts[1])), y, axis=1)
    return distance.reshape(shape)


def sorted_distance(first: Mixture, second: Mixture) -> Array:
    """Euclidean distance of (w, mu, sigma), components sorted by their means; shape (...)."""
    one, two = first.sorted(), second.sorted()
    squares = [(getattr(one, name) - getattr(two, name)) ** 2 for name in ("w", "mu", "sigma")]
    return np.sqrt(np.sum(squares, axis=(0, -1)))


def _cdf(y: Array, w: Array, mu: Array, sigma: Array) -> Array:
    z = (y[:, :, None] - mu[:, None]) / sigma[:, None]
    return np.einsum("rk,rnk->rn", w, ndtr(z))


def _flat(mixture: Mixture, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    full = (*shape, mixture.k)
    w, mu, sigma = (
        np.broadcast_to(value, full).reshape(-1, mixture.k)
        for value in (mixture.w, mixture.mu, mixture.sigma)
    )
    return w, mu, sigma


def _chunks(size: int, width: int) -> Iterator[slice]:
    step = max(1, CHUNK // width)
    return (slice(at, at + step) for at in range(0, size, step))
