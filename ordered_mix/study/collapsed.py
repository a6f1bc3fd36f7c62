"""Compiled sweeps of Gibbs sampling with weights, or weights and means, integrated out; K = 2.

Labels are drawn one after the other. With the weights out, a label depends on the others through
their numbers; with the means out too, through their numbers and sums given the scales. What is
integrated out is drawn next, given the labels, and the scales last, given all: an order in which
partially collapsed draws leave the posterior as it is (van Dyk & Park 2008, JASA 103, 790-796).

A label is 0 where the logit of a uniform lies below its log odds. Logits, log densities at given
means, and what depends on a number of points are vectorised; what is left to do one point after the
other are sums and a comparison.
"""

# numba's own types do not know what the compiled functions take.
# mypy: disable-error-code="call-arg"

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from ordered_mix.passes.fused import _exact, _log, _summing
from ordered_mix.samplers.moves.sweeps import (
    Conjugate,
    _draw_means,
    _draw_scales,
    _draw_weights,
    _uniforms,
)

TWO_54 = 2.0**54  # times a uniform, at least 1 unless it is 0


@numba.njit(**_exact)
def collapsed_sweeps(
    y: NDArray[np.float64],
    prior: Conjugate,
    state: NDArray[np.float64],
    label: NDArray[np.int64],
    key: np.uint64,
    first: int,
    means_out: bool,
    rng: np.random.Generator,
    out: NDArray[np.float64],
) -> None:
    """Go on from a state and labels, and write each new state to out.

    Parameters
    ----------
    y : ndarray (n)
    prior : Conjugate
        Of two components.
    state : ndarray (3, 2)
        Weights, means and scales, overwritten.
    label : ndarray (n)
        0 or 1, overwritten.
    key : uint64
        Of the chain's uniforms, which a counter makes: sweep times n plus point.
    first : int
        Number of sweeps that the chain has behind it.
    means_out : bool
        Whether the means are integrated out, too.
    rng : Generator
        For all that is not drawn once for each point.
    out : ndarray (sweeps, 3, 2)
    """
    n = y.size
    sums, logit, ones = np.empty((3, 2)), np.empty(n), np.ones(n)
    odds, table = np.empty(n), np.empty((2, 5, n + 2))
    number = np.log(prior.concentration + np.arange(n + 1))
    against = number[:n] - number[n - 1 :: -1]
    for sweep in range(out.shape[0]):
        _uniforms(key, np.uint64(first + sweep) * np.uint64(n), ones, logit)
        _to_logits(logit)
        if means_out:
            for j in range(2):
                _predictive(prior, state[2, j], number, table[j])
            _label_without_means(y, prior, state[2], table, logit, label)
        else:
            _log_odds(y, state[1], state[2], odds)
            logit -= odds
            _label_without_weights(against, logit, label)
        _moments(y, label, state[1], sums)
        if prior.free_w:
            _draw_weights(prior, sums[0], rng, state[0])
        if prior.free_mu:
            _draw_means(prior, sums, rng, state)
        if prior.free_sigma:
            _draw_scales(prior, sums, rng, state[2])
        out[sweep] = state


@numba.njit(**_exact)
def _to_logits(u):
    for i in range(u.size):
        u[i] = _log(u[i] * TWO_54 + 1.0) - _log((1.0 - u[i]) * TWO_54)


@numba.njit(**_exact)
def _log_odds(y, mu, sigma, out):
    """Log densities under component 0 less those under component 1."""
    height = np.log(sigma[1] / sigma[0])
    for i in range(y.size):
        a, b = (y[i] - mu[0]) / sigma[0], (y[i] - mu[1]) / sigma[1]
        out[i] = height + 0.5 * (b * b - a * a)


@numba.njit(**_exact)
def _label_without_weights(against, logit, label):
    """Labels in turn; a component that has m of the other points has log weight number[m]."""
    ones = label.sum()
    for i in range(label.size):
        ones -= label[i]
        label[i] = logit[i] + against[ones] >= 0.0
        ones += label[i]


@numba.njit(**_exact)
def _predictive(prior, sigma, number, table):
    """Fill the rows of a component's table: column m is for m points of it.

    The mean of its mean is row 1 and row 0 times the sum of its points; row 2 is the log height of
    the predictive density, times the weight, row 3 half its precision; row 4 is scratch. The
    predictive variance is ``sigma^2 p(m + 1) / p(m)`` with the mean's precision ``p(m)``, which
    grows by ``1 / sigma^2`` a point. One loop for each, which a compiler turns into vector
    instructions.
    """
    own, alone, height = 1.0 / sigma**2, 1.0 / prior.spread**2, np.log(sigma)
    ratio, pull, half = own / alone, prior.location * alone, 0.5 * own
    slope, center, level, rate, scratch = table[0], table[1], table[2], table[3], table[4]
    for m in range(scratch.size):
        scratch[m] = _log(1.0 + m * ratio)
    for m in range(number.size):
        level[m] = number[m] - height - 0.5 * (scratch[m + 1] - scratch[m])
    for m in range(scratch.size):
        scratch[m] = 1.0 / (alone + m * own)
    for m in range(number.size):
        slope[m] = own * scratch[m]
        center[m] = pull * scratch[m]
    for m in range(number.size):
        rate[m] = half * scratch[m + 1] * (alone + m * own)


@numba.njit(**_exact)
def _label_without_means(y, prior, sigma, table, logit, label):
    """Labels in turn, by what `_predictive` says of the other points' numbers and sums."""
    size, total = np.zeros(2, np.int64), np.zeros(2)
    for i in range(y.size):
        size[label[i]] += 1
        total[label[i]] += y[i]
    n0, n1, t0, t1 = size[0], size[1], total[0], total[1]
    for i in range(y.size):
        old, point = label[i], y[i]
        n0, t0 = (n0, t0) if old else (n0 - 1, t0 - point)
        n1, t1 = (n1 - 1, t1 - point) if old else (n1, t1)
        a = point - (table[0, 1, n0] + table[0, 0, n0] * t0)
        b = point - (table[1, 1, n1] + table[1, 0, n1] * t1)
        log_odds = (
            table[0, 2, n0] - table[1, 2, n1] + b * b * table[1, 3, n1] - a * a * table[0, 3, n0]
        )
        new = logit[i] >= log_odds
        label[i] = new
        n0, t0 = (n0, t0) if new else (n0 + 1, t0 + point)
        n1, t1 = (n1 + 1, t1 + point) if new else (n1, t1)


@numba.njit(**_summing)
def _moments(y, label, mu, sums):
    """Moments of both components about their means, shape (3, 2)."""
    first, second = mu
    ones, a1, a2, b1, b2 = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(y.size):
        one = float(label[i])
        a, b = (1.0 - one) * (y[i] - first), one * (y[i] - second)
        ones += one
        a1 += a
        a2 += a * a
        b1 += b
        b2 += b * b
    sums[0], sums[1], sums[2] = (y.size - ones, ones), (a1, b1), (a2, b2)
