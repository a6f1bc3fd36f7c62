"""Compiled sweeps of the Gibbs sampler in several dimensions: one pass, the rest is conjugate."""

# numba's own types do not know what the compiled functions take.
# mypy: disable-error-code="call-arg"

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ordered_mix.passes.fused import _exact
from ordered_mix.passes.point_loops import moments_of
from ordered_mix.passes.points import BLOCK, terms
from ordered_mix.samplers.moves.gig import gig
from ordered_mix.samplers.moves.matrices import cholesky, inverted, matmul, product, square
from ordered_mix.samplers.moves.sweeps import _draw_weights, _uniforms

Array = NDArray[np.float64]

FULL, DIAGONAL, SPHERICAL, TIED = range(4)
KINDS = {"full": FULL, "diagonal": DIAGONAL, "spherical": SPHERICAL, "tied": TIED}


class MultivariateConjugate(NamedTuple):
    """The numbers of the conditionally conjugate prior, and what of it is sampled.

    ``beta`` (D) are the rates of the inverse Wisharts or gammas, ``rate`` (D) those of the inverse
    gammas of the betas, all 0 where these are fixed.
    """

    location: Array
    spread: Array
    beta: Array
    rate: Array
    concentration: float
    kind: int
    free_w: bool
    free_mu: bool
    free_covariance: bool


@numba.njit(**_exact)
def sweeps(
    y: Array,
    prior: MultivariateConjugate,
    w: Array,
    mu: Array,
    root: Array,
    key: np.uint64,
    first: int,
    permute: bool,
    rng: np.random.Generator,
    out: Array,
) -> None:
    """Go on from w (K), mu (K, D) and root (K, D, D), and write each new state to out.

    Parameters
    ----------
    y : ndarray (D, n)
    prior : MultivariateConjugate
    w, mu, root : ndarray
        Overwritten.
    key : uint64
        Of the chain's uniforms, which a counter makes: sweep times n plus point.
    first : int
        Number of sweeps that the chain has behind it.
    permute : bool
        Whether the labels are permuted at random after each sweep.
    rng : Generator
        For all that is not drawn once for each point.
    out : ndarray (sweeps, K (1 + D + D D))
    """
    (k, d), n = mu.shape, y.shape[1]
    block = min(BLOCK, n)
    z, work = np.empty((k, d, block)), np.empty((k + 3, block))
    s0, s1, s2 = np.empty(k), np.empty((k, d)), np.empty((k, d, d))
    for sweep in range(out.shape[0]):
        counter = np.uint64(first + sweep) * np.uint64(n)
        _allocate(y, w, mu, root, key, counter, z, work, s0, s1, s2)
        _coloured(root, s1, s2)
        if prior.free_w:
            _draw_weights(prior, s0, rng, w)
        if prior.free_mu:
            _draw_means(prior, root, s0, s1, s2, rng, mu)
        if prior.free_covariance:
            _draw_roots(prior, s0, s2, rng, root)
        if permute:
            _permute(rng, w, mu, root)
        out[sweep, :k] = w
        out[sweep, k : k + k * d] = mu.ravel()
        out[sweep, k + k * d :] = root.ravel()


@numba.njit(**_exact)
def _allocate(y, w, mu, root, key, counter, z, work, s0, s1, s2):
    """Draw the component of every point; s0, s1, s2 are moments of its whitened deviation."""
    k, n = w.size, y.shape[1]
    s0[:] = 0.0
    s1[:] = 0.0
    s2[:] = 0.0
    cut, label = np.empty(min(BLOCK, n)), np.empty(min(BLOCK, n), np.int64)
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        terms(y, start, size, w, mu, root, z, work)
        _uniforms(key, counter + np.uint64(start), work[k + 1, :size], cut)
        _choose(work, k, size, cut, label)
        for j in range(k):
            member = work[j, :size]
            s0[j] += _members(label, j, member)
            moments_of(member, z[j], work[k + 2, :size], s1[j], s2[j])


@numba.njit(**_exact)
def _choose(work, k, size, cut, label):
    """Number of components whose cumulative terms lie at or below the cut."""
    label[:size] = 0
    for j in range(k - 1):
        term = work[j, :size]
        for i in range(size):
            cut[i] -= term[i]
            label[i] += 1 if cut[i] >= 0.0 else 0


@numba.njit(**_exact)
def _members(label, j, member):
    """Write 1 for the points of component j, 0 for others; return their number."""
    count = 0
    for i in range(member.size):
        own = label[i] == j
        count += own
        member[i] = 1.0 if own else 0.0
    return count


@numba.njit(**_exact)
def _coloured(root, s1, s2):
    """Turn moments of whitened deviations into those of the deviations."""
    d = root.shape[1]
    for j in range(root.shape[0]):
        for row in range(d):
            for column in range(row):
                s2[j, column, row] = s2[j, row, column]
        s1[j] = product(root[j], s1[j])
        s2[j] = square(root[j], s2[j])


@numba.njit(**_exact)
def _draw_means(prior, root, s0, s1, s2, rng, mu):
    """Draw the means, and move the second moments to them."""
    d = mu.shape[1]
    for j in range(mu.shape[0]):
        inverse = inverted(root[j])
        own = matmul(inverse.T, inverse)
        precision = s0[j] * own
        pull = product(own, s1[j])
        for row in range(d):
            precision[row, row] += 1.0 / prior.spread[row] ** 2
            pull[row] += (prior.location[row] - mu[j, row]) / prior.spread[row] ** 2
        half = inverted(cholesky(precision))
        target = product(half, pull)
        for row in range(d):
            target[row] += rng.standard_normal()
        step = product(half.T, target)
        for row in range(d):
            mu[j, row] += step[row]
            for column in range(d):
                cross = step[row] * s1[j, column] + s1[j, row] * step[column]
                s2[j, row, column] += s0[j] * step[row] * step[column] - cross


@numba.njit(**_exact)
def _draw_roots(prior, s0, s2, rng, root):
    k, d = root.shape[:2]
    beta = _draw_rates(prior, root, rng) if prior.rate[0] > 0.0 else prior.beta
    if prior.kind == TIED:
        scatter = np.zeros((d, d))
        for j in range(k):
            scatter += s2[j]
        one = _inverse_wishart(d + 3.0 + s0.sum(), beta, scatter, rng)
        for j in range(k):
            root[j] = one
        return
    for j in range(k):
        if prior.kind == FULL:
            root[j] = _inverse_wishart(d + 3.0 + s0[j], beta, s2[j], rng)
            continue
        if prior.kind == SPHERICAL:
            rate = beta[0] + 0.5 * max(np.trace(s2[j]), 0.0)
            one = sqrt(rate / rng.standard_gamma(2.0 + 0.5 * d * s0[j]))
        for row in range(d):
            if prior.kind == DIAGONAL:
                rate = beta[row] + 0.5 * max(s2[j, row, row], 0.0)
                one = sqrt(rate / rng.standard_gamma(2.0 + 0.5 * s0[j]))
            root[j, row, row] = one


@numba.njit(**_exact)
def _draw_rates(prior, root, rng):
    """Draw the betas given the covariances, each generalised inverse Gaussian."""
    d = root.shape[1]
    free = 1 if prior.kind == TIED else root.shape[0]
    total = np.zeros(d)
    for j in range(free):
        inverse = inverted(root[j])
        for row in range(d):
            for column in range(row + 1):
                total[column] += inverse[row, column] ** 2
    power = 0.5 * (d + 3.0) if prior.kind == FULL or prior.kind == TIED else 2.0
    beta = np.empty(d)
    for row in range(d):
        if prior.kind == SPHERICAL and row > 0:
            beta[row] = beta[0]
        else:
            beta[row] = gig(free * power - 0.5, 2.0 * total[row], 2.0 * prior.rate[row], rng)
    return beta


@numba.njit(**_exact)
def _inverse_wishart(freedom, beta, scatter, rng):
    """Cholesky factor of a draw with scale 2 diag(beta) + scatter (Bartlett's decomposition).

    With C the factor of the scale and V lower triangular, V_ii^2 chi squared with freedom - (D - i)
    degrees, i from 1, and standard normals below, C V^-1 is the factor of a draw.
    """
    d = beta.size
    scale = scatter.copy()
    lower = np.zeros((d, d))
    for row in range(d):
        scale[row, row] += 2.0 * beta[row]
        lower[row, row] = sqrt(2.0 * rng.standard_gamma(0.5 * (freedom - (d - 1 - row))))
        for column in range(row):
            lower[row, column] = rng.standard_normal()
    return matmul(cholesky(scale), inverted(lower))


@numba.njit(**_exact)
def _permute(rng, w, mu, root):
    order = np.arange(w.size)
    for j in range(w.size - 1, 0, -1):
        other = min(int(rng.random() * (j + 1)), j)
        order[j], order[other] = order[other], order[j]
    w[:] = w[order]
    mu[:] = mu[order]
    root[:] = root[order]
