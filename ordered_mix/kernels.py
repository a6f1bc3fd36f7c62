"""One fused pass over the data: the log likelihood and the responsibility-weighted moments."""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

HALF_LOG_2PI = 0.9189385332046727


class Moments(NamedTuple):
    """What one pass returns: log_likelihood (...), and s0, s1, s2 (..., K) about the current means."""

    log_likelihood: NDArray[np.float64]
    s0: NDArray[np.float64]
    s1: NDArray[np.float64]
    s2: NDArray[np.float64]


@numba.njit(cache=True, nogil=True)
def _terms(y, w, mu, sigma, out):
    """Fill out with the log of w_k N(y | mu_k, sigma_k) and return their log sum."""
    top = -np.inf
    for k in range(mu.size):
        z = (y - mu[k]) / sigma[k]
        log_w = np.log(w[k]) if w[k] > 0 else -np.inf
        out[k] = log_w - np.log(sigma[k]) - 0.5 * z * z
        top = max(top, out[k])
    total = 0.0
    for k in range(mu.size):
        total += np.exp(out[k] - top)
    return top + np.log(total)


@numba.njit(cache=True, nogil=True)
def _run(y, weight, w, mu, sigma, s0, s1, s2):
    terms = np.empty(mu.size)
    log_likelihood = 0.0
    s0[:] = 0.0
    s1[:] = 0.0
    s2[:] = 0.0
    for i in range(y.size):
        q = weight[i] if weight.size else 1.0
        log_sum = _terms(y[i], w, mu, sigma, terms)
        log_likelihood += q * (log_sum - HALF_LOG_2PI)
        for k in range(mu.size):
            r = q * np.exp(terms[k] - log_sum)
            d = y[i] - mu[k]
            s0[k] += r
            s1[k] += r * d
            s2[k] += r * d * d
    return log_likelihood


@numba.njit(cache=True, nogil=True)
def one_pass(y, weight, w, mu, sigma):
    """One run, serial, contiguous float64: ``(log_likelihood, s0, s1, s2)``; empty weight means ones."""
    s0, s1, s2 = np.empty(mu.size), np.empty(mu.size), np.empty(mu.size)
    log_likelihood = _run(y, weight, w, mu, sigma, s0, s1, s2)
    return log_likelihood, s0, s1, s2


@numba.njit(cache=True, nogil=True, parallel=True)
def _batch(y, weight, rows, weight_rows, w, mu, sigma, log_likelihood, s0, s1, s2):
    for run in numba.prange(rows.size):
        log_likelihood[run] = _run(
            y[rows[run]], weight[weight_rows[run]], w[run], mu[run], sigma[run],
            s0[run], s1[run], s2[run],
        )


@numba.njit(cache=True, nogil=True, parallel=True)
def _batch_density(y, rows, w, mu, sigma, out):
    for run in numba.prange(rows.size):
        terms = np.empty(mu.shape[1])
        for i in range(y.shape[1]):
            point = y[rows[run], i]
            out[run, i] = _terms(point, w[run], mu[run], sigma[run], terms) - HALF_LOG_2PI


def _rows(values, batch):
    """Flatten leading axes without copying per run: (rows, n) values and run -> row."""
    shape = values.shape[:-1]
    index = np.arange(int(np.prod(shape))).reshape(shape)
    flat = np.ascontiguousarray(values).reshape(index.size, values.shape[-1])
    return flat, np.ascontiguousarray(np.broadcast_to(index, batch)).ravel()


def _parameters(batch, *arrays):
    k = max(a.shape[-1] for a in arrays)
    return [np.ascontiguousarray(np.broadcast_to(a, (*batch, k))).reshape(-1, k) for a in arrays]


def e_step(
    y: ArrayLike, w: ArrayLike, mu: ArrayLike, sigma: ArrayLike, weight: ArrayLike | None = None
) -> Moments:
    """One pass over the data for every run of a batch; y (..., n), parameters (..., K)."""
    y, w, mu, sigma = (np.asarray(a, dtype=np.float64) for a in (y, w, mu, sigma))
    weight = np.empty(0) if weight is None else np.asarray(weight, dtype=np.float64)
    leading = [a.shape[:-1] for a in (y, weight, w, mu, sigma)]
    batch = np.broadcast_shapes(*leading)
    flat_y, rows = _rows(y, batch)
    flat_weight, weight_rows = _rows(weight, batch)
    w, mu, sigma = _parameters(batch, w, mu, sigma)
    log_likelihood = np.empty(rows.size)
    s0, s1, s2 = (np.empty_like(mu) for _ in range(3))
    _batch(flat_y, flat_weight, rows, weight_rows, w, mu, sigma, log_likelihood, s0, s1, s2)
    shape = (*batch, mu.shape[-1])
    return Moments(
        log_likelihood.reshape(batch), s0.reshape(shape), s1.reshape(shape), s2.reshape(shape)
    )


def log_density(y: ArrayLike, w: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> NDArray[np.float64]:
    """Log density of every point, (..., n)."""
    y, w, mu, sigma = (np.asarray(a, dtype=np.float64) for a in (y, w, mu, sigma))
    batch = np.broadcast_shapes(*(a.shape[:-1] for a in (y, w, mu, sigma)))
    flat_y, rows = _rows(y, batch)
    w, mu, sigma = _parameters(batch, w, mu, sigma)
    out = np.empty((rows.size, y.shape[-1]))
    _batch_density(flat_y, rows, w, mu, sigma, out)
    return out.reshape(*batch, y.shape[-1])
