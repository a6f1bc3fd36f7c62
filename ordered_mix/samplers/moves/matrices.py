"""Products and factors of small matrices, compiled: no library call costs more than they do."""

from math import sqrt

import numba
import numpy as np

from ordered_mix.passes.fused import _exact

LEAST = 1e-300


@numba.njit(**_exact)
def product(a, x):
    """Return a x."""
    out = np.zeros(a.shape[0])
    for row in range(a.shape[0]):
        for column in range(a.shape[1]):
            out[row] += a[row, column] * x[column]
    return out


@numba.njit(**_exact)
def matmul(a, b):
    """Return a b."""
    out = np.zeros((a.shape[0], b.shape[1]))
    for row in range(a.shape[0]):
        for inner in range(a.shape[1]):
            for column in range(b.shape[1]):
                out[row, column] += a[row, inner] * b[inner, column]
    return out


@numba.njit(**_exact)
def square(a, s):
    """Return a s a^T."""
    return matmul(matmul(a, s), a.T)


@numba.njit(**_exact)
def cholesky(a):
    """Lower factor of a symmetric matrix, a pivot below rounding taken for the least number."""
    d = a.shape[0]
    out = np.zeros((d, d))
    for row in range(d):
        for column in range(row + 1):
            total = a[row, column]
            for m in range(column):
                total -= out[row, m] * out[column, m]
            if row == column:
                out[row, row] = sqrt(max(total, LEAST))
            else:
                out[row, column] = total / out[column, column]
    return out


@numba.njit(**_exact)
def inverted(lower):
    """Inverse of a lower triangular matrix."""
    d = lower.shape[0]
    out = np.zeros((d, d))
    for column in range(d):
        out[column, column] = 1.0 / lower[column, column]
        for row in range(column + 1, d):
            total = 0.0
            for m in range(column, row):
                total -= lower[row, m] * out[m, column]
            out[row, column] = total / lower[row, row]
    return out
