"""The compiled pass over points in several dimensions; `multivariate_pass` is its interface.

Points lie coordinate by coordinate, so that every inner loop runs along them and becomes vector
instructions. With L the Cholesky factor of a component's covariance, z = L^-1 (y - mu) is kept for
a block of points and all components; the moments are those of z, from which the gradient by L
follows without another factorisation.
"""

# numba's own types do not know what an intrinsic takes.
# mypy: disable-error-code="call-arg,unreachable"

import numba
import numpy as np
from numpy.typing import NDArray

from ordered_mix.passes.fused import (
    HALF_LOG_2PI,
    LOG_ZERO,
    _exact,
    _fused,
    _log,
    _log_sum,
    _relative_terms,
    _widest,
)
from ordered_mix.passes.point_loops import moments_of, times, total, whitened

BLOCK = 512
Array = NDArray[np.float64]


@numba.njit(**_fused)
def _log_term(square, c, term, top):
    """Write c - square / 2, and keep the larger of it and top."""
    _widest()
    for i in range(square.size):
        e = c - 0.5 * square[i]
        term[i] = e
        top[i] = e if e > top[i] else top[i]


@numba.njit(**_exact)
def _height(w, root):
    """Log of w over the determinant, less all but one half log 2 pi, which `_log_sum` takes."""
    if w <= 0.0:
        return LOG_ZERO
    total = np.log(w) - (root.shape[0] - 1) * HALF_LOG_2PI
    for row in range(root.shape[0]):
        total -= np.log(root[row, row])
    return total


@numba.njit(**_exact)
def terms(y, start, size, w, mu, root, z, work):
    """Terms of the density over the largest, of so many points from start on.

    Parameters
    ----------
    y : ndarray (D, n)
    z : ndarray (K, D, block)
        Filled with the whitened points.
    work : ndarray (K + 3, block)
        Filled with the terms of each component, the largest log term, their total, and scratch.
    """
    k = mu.shape[0]
    # slices of whole rows, which the compiler knows to be contiguous
    top, total, square = work[k, :size], work[k + 1, :size], work[k + 2, :size]
    top[:] = -np.inf
    total[:] = 0.0
    for j in range(k):
        whitened(y, start, mu[j], root[j], z[j], square)
        _log_term(square, _height(w[j], root[j]), work[j, :size], top)
    for j in range(k):
        _relative_terms(work[j, :size], top, total)


@numba.njit(**_exact)
def one_pass(
    y: Array, weight: Array, w: Array, mu: Array, root: Array
) -> tuple[float, Array, Array, Array]:
    """Go once over one data set on one core, without the GIL.

    Compiled code for compiled callers: the arguments are not checked.

    Parameters
    ----------
    y : ndarray (D, n), C-contiguous
    weight : ndarray (n) or (0)
        Weights of the points; an empty array means that all are 1.
    w : ndarray (K)
    mu : ndarray (K, D)
    root : ndarray (K, D, D)
        Lower Cholesky factors; what lies above the diagonal is not read.

    Returns
    -------
    log_likelihood : float
    s0 : ndarray (K)
    z1 : ndarray (K, D)
    z2 : ndarray (K, D, D)
        See `multivariate_pass.WhiteMoments`.
    """
    k, d = mu.shape
    n = y.shape[1]
    block = min(BLOCK, n)
    z, work = np.empty((k, d, block)), np.empty((k + 3, block))
    ones = np.ones(block)
    log_likelihood = 0.0
    s0, z1, z2 = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        terms(y, start, size, w, mu, root, z, work)
        q = weight[start : start + size] if weight.size else ones[:size]
        factor, scratch = work[k + 1, :size], work[k + 2, :size]
        log_likelihood += _log_sum(work[k, :size], factor, q)
        for j in range(k):
            r = work[j, :size]
            times(r, factor, r)
            s0[j] += total(r)
            moments_of(r, z[j], scratch, z1[j], z2[j])
    for j in range(k):
        for row in range(d):
            for column in range(row):
                z2[j, column, row] = z2[j, row, column]
    return log_likelihood, s0, z1, z2


@numba.njit(**_exact)
def passes(y, rows, weight, weight_rows, w, mu, root, log_likelihood, s0, z1, z2):
    """Do one pass for each run, on the data set and the weights in its rows."""
    for run in range(rows.size):
        found = one_pass(y[rows[run]], weight[weight_rows[run]], w[run], mu[run], root[run])
        log_likelihood[run] = found[0]
        s0[run] = found[1]
        z1[run] = found[2]
        z2[run] = found[3]


@numba.njit(**_exact)
def densities(y, w, mu, root, out):
    """Write the log density of every point of y (D, n) in every run to out (runs, n)."""
    runs, k, d = mu.shape
    n = y.shape[1]
    block = min(BLOCK, n)
    z, work = np.empty((k, d, block)), np.empty((k + 3, block))
    for run in range(runs):
        for start in range(0, n, BLOCK):
            size = min(BLOCK, n - start)
            terms(y, start, size, w[run], mu[run], root[run], z, work)
            _logs(work[k, :size], work[k + 1, :size], out[run, start : start + size])


@numba.njit(**_fused)
def _logs(top, total, out):
    _widest()
    for i in range(top.size):
        out[i] = top[i] - HALF_LOG_2PI + _log(total[i])
