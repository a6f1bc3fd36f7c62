"""Compiled sweeps of the Gibbs sampler: one pass allocates the points, the rest is conjugate."""

# numba's own types do not know what the compiled functions take.
# mypy: disable-error-code="call-arg"

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ordered_mix.passes.fused import BLOCK, _exact, _terms
from ordered_mix.samplers.moves.gig import gig

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S11, S27, S30, S31 = (np.uint64(shift) for shift in (11, 27, 30, 31))
TO_UNIT = 2.0**-53


class Conjugate(NamedTuple):
    """The numbers of the conditionally conjugate prior, and what of it is sampled.

    ``mu_k`` iid Normal(location, spread), ``w`` ~ Dirichlet(concentration, ...), and
    ``sigma_k^2`` iid InverseGamma(2, scale^2) or, with ``rate > 0``, InverseGamma(2, beta) with
    ``beta`` ~ InverseGamma(1/2, rate).
    """

    location: float
    spread: float
    scale: float
    rate: float
    concentration: float
    free_w: bool
    free_mu: bool
    free_sigma: bool


@numba.njit(**_exact)
def sweeps(
    y: NDArray[np.float64],
    prior: Conjugate,
    state: NDArray[np.float64],
    key: np.uint64,
    first: int,
    permute: bool,
    rng: np.random.Generator,
    out: NDArray[np.float64],
) -> None:
    """Go on from state (3, K), holding w, mu and sigma, and write each new state to out.

    Parameters
    ----------
    y : ndarray (n)
    prior : Conjugate
    state : ndarray (3, K)
        Overwritten.
    key : uint64
        Of the chain's uniforms, which a counter makes: sweep times n plus point.
    first : int
        Number of sweeps that the chain has behind it.
    permute : bool
        Whether the labels are permuted at random after each sweep.
    rng : Generator
        For all that is not drawn once for each point.
    out : ndarray (sweeps, 3, K)
    """
    k = state.shape[1]
    work = np.empty((k + 2, 2, min(BLOCK, y.size)))
    sums = np.empty((3, k))
    for sweep in range(out.shape[0]):
        counter = np.uint64(first + sweep) * np.uint64(y.size)
        _allocate(y, state, key, counter, work, sums)
        if prior.free_w:
            _draw_weights(prior, sums[0], rng, state[0])
        if prior.free_mu:
            _draw_means(prior, sums, rng, state)
        if prior.free_sigma:
            _draw_scales(prior, sums, rng, state[2])
        if permute:
            _permute(rng, state)
        out[sweep] = state


@numba.njit(**_exact)
def _allocate(y, state, key, counter, work, sums):
    """Draw the component of every point; sums (3, K) are their moments about the means."""
    sums[:] = 0.0
    cut, label = np.empty(min(BLOCK, y.size)), np.empty(min(BLOCK, y.size), np.int64)
    for start in range(0, y.size, BLOCK):
        points = y[start : start + BLOCK]
        _, total = _terms(points, state[0], state[1], state[2], work)
        _uniforms(key, counter + np.uint64(start), total, cut)
        _choose(work, total.size, cut, label)
        for i in range(total.size):
            j = label[i]
            d = points[i] - state[1, j]
            sums[0, j] += 1.0
            sums[1, j] += d
            sums[2, j] += d * d


@numba.njit(**_exact)
def _uniforms(key, counter, total, cut):
    """Uniform cuts of the totals, by the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    for i in range(total.size):
        x = key + (counter + np.uint64(i)) * GOLDEN
        x = (x ^ (x >> S30)) * MIX_1
        x = (x ^ (x >> S27)) * MIX_2
        cut[i] = np.float64((x ^ (x >> S31)) >> S11) * TO_UNIT * total[i]


@numba.njit(**_exact)
def _choose(work, size, cut, label):
    """Number of components whose cumulative terms lie at or below the cut."""
    label[:size] = 0
    for j in range(work.shape[0] - 3):
        term = work[j, 0]
        for i in range(size):
            cut[i] -= term[i]
            label[i] += 1 if cut[i] >= 0.0 else 0


@numba.njit(**_exact)
def _draw_weights(prior, count, rng, w):
    for j in range(w.size):
        w[j] = rng.standard_gamma(prior.concentration + count[j])
    w /= w.sum()


@numba.njit(**_exact)
def _draw_means(prior, sums, rng, state):
    """Draw the means, and move the sums to them."""
    for j in range(sums.shape[1]):
        old, variance = state[1, j], state[2, j] ** 2
        precision = 1.0 / prior.spread**2 + sums[0, j] / variance
        pull = (prior.location - old) / prior.spread**2 + sums[1, j] / variance
        step = pull / precision + rng.standard_normal() / sqrt(precision)
        state[1, j] = old + step
        # about its new mean no sum of squares is below what the old one left
        sums[2, j] = max(sums[2, j] - step * (2.0 * sums[1, j] - step * sums[0, j]), 0.0)


@numba.njit(**_exact)
def _draw_scales(prior, sums, rng, sigma):
    base = prior.scale**2
    if prior.rate > 0.0:
        base = gig(2.0 * sigma.size - 0.5, 2.0 * np.sum(sigma**-2.0), 2.0 * prior.rate, rng)
    for j in range(sigma.size):
        shape = 2.0 + 0.5 * sums[0, j]
        sigma[j] = sqrt((base + 0.5 * sums[2, j]) / rng.standard_gamma(shape))


@numba.njit(**_exact)
def _permute(rng, state):
    for j in range(state.shape[1] - 1, 0, -1):
        other = min(int(rng.random() * (j + 1)), j)
        for row in range(3):
            kept = state[row, j]
            state[row, j] = state[row, other]
            state[row, other] = kept
