"""EM on the way to the variance singularity, where variances leave the range of doubles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

Array = NDArray[np.float64]

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


class LogState(NamedTuple):
    """Means and log variances of one mixture with known weights.

    Parameters
    ----------
    mu, log_variance : ndarray, shape (k,)
    log_likelihood : float
        At these parameters.
    """

    mu: Array
    log_variance: Array
    log_likelihood: float


def log_trace(
    y: ArrayLike, w: ArrayLike, mu: ArrayLike, log_variance: ArrayLike, iterations: int
) -> list[LogState]:
    """EM in logarithms: a variance of ``10^-8683`` is a number like any other.

    Parameters
    ----------
    y : array_like, shape (n,)
    w, mu, log_variance : array_like, shape (k,)
        Known weights, and where to begin.
    iterations : int
        Most iterations; it ends before when a log variance itself overflows.

    Returns
    -------
    list of LogState
        The start first.
    """
    points, log_w = np.asarray(y, dtype=np.float64), np.log(np.asarray(w, dtype=np.float64))
    means, scales = np.array(mu, dtype=np.float64), np.array(log_variance, dtype=np.float64)
    states = []
    for _ in range(iterations + 1):
        terms = log_w + _log_normal(points[:, None], means, scales)
        total = logsumexp(terms, axis=1)
        states.append(LogState(means, scales, float(total.sum())))
        log_r = terms - total[:, None]
        log_count = logsumexp(log_r, axis=0)
        means = np.exp(log_r - log_count).T @ points
        scales = logsumexp(log_r + 2 * _log_distance(points[:, None], means), axis=0) - log_count
        if not np.isfinite(scales).all():
            break
    return states


def _log_distance(y: Array, mu: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(np.abs(y - mu))


def _log_normal(y: Array, mu: Array, log_variance: Array) -> Array:
    with np.errstate(over="ignore"):
        squares = np.exp(2 * _log_distance(y, mu) - log_variance)
    return -HALF_LOG_2PI - 0.5 * log_variance - 0.5 * squares
