"""Starting means in any number of dimensions: random points, k-means++, spread out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

BEYOND = 0.25
"""How far spread means may lie beyond the points, as a share of their range."""


def initial_means(
    points: ArrayLike,
    k: int,
    starts: int,
    method: str,
    seed: int,
    weight: ArrayLike | None = None,
) -> Array:
    """Means of a batch of starts for one sample.

    Parameters
    ----------
    points : array_like, shape (n, d)
    k : int
        Number of components.
    starts : int
        Number of starts.
    method : {"random", "kmeans++", "spread"}
        ``random``: distinct points, drawn by weight. ``kmeans++``: points drawn with probability
        proportional to the squared distance to the nearest one so far (Arthur & Vassilvitskii
        2007). ``spread``: uniform in the box of the points, a quarter wider on every side, so
        over-dispersed.
    seed : int
    weight : array_like, shape (n,), optional
        Weights of the points.

    Returns
    -------
    ndarray, shape (starts, k, d)

    Raises
    ------
    ValueError
        If points are no matrix, k or starts is out of range, or the method is unknown.
    """
    y = np.asarray(points, dtype=np.float64)
    if y.ndim != 2:
        raise ValueError(f"points must have shape (n, d), got {y.shape}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if starts < 1:
        raise ValueError(f"starts must be at least 1, got {starts}")
    mass = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    y, index = np.unique(y[mass > 0], axis=0, return_inverse=True)
    mass = np.bincount(index.ravel(), mass[mass > 0])
    if not 1 <= k <= len(y):
        raise ValueError(f"k must be from 1 to {len(y)}, the distinct points, got {k}")
    rng = np.random.default_rng(seed)
    return np.stack([METHODS[method](y, mass / mass.sum(), k, rng) for _ in range(starts)])


def _random(y: Array, mass: Array, k: int, rng: np.random.Generator) -> Array:
    return y[rng.choice(len(y), k, replace=False, p=mass)]


def _plus_plus(y: Array, mass: Array, k: int, rng: np.random.Generator) -> Array:
    chosen = [rng.choice(len(y), p=mass)]
    squares = np.sum((y - y[chosen[0]]) ** 2, axis=1)
    while len(chosen) < k:
        chances = mass * squares
        chosen.append(rng.choice(len(y), p=chances / chances.sum()))
        squares = np.minimum(squares, np.sum((y - y[chosen[-1]]) ** 2, axis=1))
    return y[chosen]


def _spread(y: Array, mass: Array, k: int, rng: np.random.Generator) -> Array:
    low, high = y.min(axis=0), y.max(axis=0)
    beyond = BEYOND * (high - low)
    return rng.uniform(low - beyond, high + beyond, (k, y.shape[1]))


METHODS: dict[str, Callable[[Array, Array, int, np.random.Generator], Array]] = {
    "random": _random,
    "kmeans++": _plus_plus,
    "spread": _spread,
}
