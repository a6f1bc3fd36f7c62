"""Conditional maximum of a common step of several scales, the others held."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

GRID = np.linspace(0.0, 1.0, 65)
REFINEMENTS = 60


def scale_step(sigma: Array, counts: Array, squares: Array, lower: ArrayLike) -> Array:
    """Step x that maximises ``sum_k -counts_k log(sigma_k + x) - squares_k / (2 (sigma_k + x)^2)``.

    Each term has one maximum, at ``sqrt(squares / counts)``, and the sum has its maxima between
    the smallest and the largest of these; it may have several (for two scales they are roots of
    a polynomial of degree 5), so a grid is searched before the refinement by
    bisection of the slope.

    Parameters
    ----------
    sigma, counts, squares : array, shape (runs, m)
        The scales that move, their counts and their sums of squares about the means.
    lower : array_like, shape (runs,)
        Smallest step allowed.

    Returns
    -------
    array, shape (runs,)
        Never worse than no step, if that is allowed.
    """
    peaks = np.sqrt(squares / counts) - sigma
    lower = np.broadcast_to(lower, len(sigma))
    lowest = np.maximum(peaks.min(axis=1), lower)
    highest = np.maximum(peaks.max(axis=1), lowest)
    if sigma.shape[1] == 1:
        return lowest
    grid = lowest[:, None] + (highest - lowest)[:, None] * GRID
    best = np.argmax(_value(grid, sigma, counts, squares), axis=1)
    rows = np.arange(len(sigma))
    left = grid[rows, np.maximum(best - 1, 0)]
    right = grid[rows, np.minimum(best + 1, GRID.size - 1)]
    for _ in range(REFINEMENTS):
        middle = 0.5 * (left + right)
        rising = _slope(middle, sigma, counts, squares) > 0
        left, right = np.where(rising, middle, left), np.where(rising, right, middle)
    ends = np.stack([grid[rows, best], left, np.maximum(0.0, lower)], axis=1)
    return ends[rows, np.argmax(_value(ends, sigma, counts, squares), axis=1)]


def _value(x: Array, sigma: Array, counts: Array, squares: Array) -> Array:
    moved = sigma[:, None, :] + x[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = -counts[:, None] * np.log(moved) - squares[:, None] / (2 * moved**2)
    return np.where(np.all(moved > 0, axis=-1), terms.sum(axis=-1), -np.inf)


def _slope(x: Array, sigma: Array, counts: Array, squares: Array) -> Array:
    moved = sigma + x[:, None]
    return np.sum(-counts / moved + squares / moved**3, axis=1)
