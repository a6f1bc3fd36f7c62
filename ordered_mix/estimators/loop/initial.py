"""Starting points of point estimators: k-means++, random and quantile slices, seeded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture

Array = NDArray[np.float64]

NARROWEST = 0.1
"""Smallest starting scale, in units of the data's scale divided by k."""

MOST_POINTS = 10_000
"""Starts are made from a random subset of larger samples."""


def initial_mixtures(data: Data, k: int, starts: int, method: str, seed: int) -> Mixture:
    """A batch of starting mixtures for one data set.

    Parameters
    ----------
    data : Data
        A single sample.
    k : int
        Number of components.
    starts : int
        Number of starts.
    method : {"kmeans++", "random", "quantile"}
        ``kmeans++``: means drawn by k-means++ (Arthur & Vassilvitskii 2007), weights and scales
        those of the nearest points. ``random``: means at random points, equal weights, the scale
        of the data divided by k. ``quantile``: slices of consecutive points, of equal weight in
        the first start and of random weights in the others.
    seed : int

    Returns
    -------
    Mixture, batch shape (starts,)

    Raises
    ------
    ValueError
        If data is a batch, k or starts is below 1, k exceeds the number of distinct points, or
        the method is unknown.
    """
    if data.y.ndim != 1:
        raise ValueError(f"data must be a single sample, got a batch of {data.y.shape[:-1]}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if starts < 1:
        raise ValueError(f"starts must be at least 1, got {starts}")
    rng = np.random.default_rng(seed)
    points, weight = _distinct(data, rng)
    if not 1 <= k <= len(points):
        raise ValueError(f"k must be from 1 to {len(points)}, the distinct points, got {k}")
    mixture = METHODS[method](points, weight, k, starts, rng)
    return mixture.affine(data.location, data.scale)


def _distinct(data: Data, rng: np.random.Generator) -> tuple[Array, Array]:
    """Distinct standardised points in increasing order, and weights that add up to 1."""
    y = data.standardized().y
    weight = np.ones(data.n) if data.weight is None else data.weight
    if data.n > MOST_POINTS:
        chosen = rng.choice(data.n, MOST_POINTS, replace=False)
        y, weight = y[chosen], weight[chosen]
    points, index = np.unique(y[weight > 0], return_inverse=True)
    weight = np.bincount(index, weight[weight > 0])
    return points, weight / weight.sum()


def _plus_plus(
    points: Array, weight: Array, k: int, starts: int, rng: np.random.Generator
) -> Mixture:
    means = points[_draw(np.broadcast_to(weight, (starts, len(points))), rng)][:, None]
    distance = (points - means) ** 2
    for _ in range(k - 1):
        new = points[_draw(weight * distance, rng)]
        distance = np.minimum(distance, (points - new[:, None]) ** 2)
        means = np.column_stack([means, new])
    means = np.sort(means, axis=1)
    middles = 0.5 * (means[:, 1:] + means[:, :-1])
    return _slices(points, weight, np.searchsorted(points, middles), means)


def _random(points: Array, weight: Array, k: int, starts: int, rng: np.random.Generator) -> Mixture:
    # The k largest keys are a weighted sample without replacement: equal means would never part.
    keys = np.log(weight) + rng.gumbel(size=(starts, len(points)))
    means = points[np.argpartition(-keys, k - 1, axis=1)[:, :k]]
    return Mixture(np.full(k, 1 / k), means, np.full(k, 1 / k))


def _quantile(
    points: Array, weight: Array, k: int, starts: int, rng: np.random.Generator
) -> Mixture:
    shares = rng.dirichlet(np.full(k, 2.0), starts)
    shares[0] = 1 / k
    middles = np.cumsum(weight) - weight / 2
    cuts = np.searchsorted(middles, np.cumsum(shares, axis=1)[:, :-1])
    room = np.arange(1, k)
    cuts = np.clip(cuts, room, len(points) - k + room)
    for index in range(1, k - 1):
        cuts[:, index] = np.maximum(cuts[:, index], cuts[:, index - 1] + 1)
    return _slices(points, weight, cuts, None)


METHODS: dict[str, Callable[..., Mixture]] = {
    "quantile": _quantile,
    "kmeans++": _plus_plus,
    "random": _random,
}


def _slices(points: Array, weight: Array, cuts: NDArray[np.int64], means: Array | None) -> Mixture:
    """Mixtures of consecutive slices of the sorted points, split before the positions cuts."""
    starts = len(cuts)
    edges = np.column_stack([np.zeros(starts, int), cuts, np.full(starts, len(points))])
    sums = [np.diff(np.append(0.0, np.cumsum(weight * points**p))[edges]) for p in (0, 1, 2)]
    total = np.maximum(sums[0], 1e-12)
    mean = sums[1] / total
    variance = np.maximum(sums[2] / total - mean**2, 0)
    scale = np.maximum(np.sqrt(variance), NARROWEST / total.shape[1])
    w = total / total.sum(axis=1, keepdims=True)
    return Mixture(w, mean if means is None else means, scale)


def _draw(weight: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """One index for each row, with probabilities proportional to its weights."""
    cumulative = np.cumsum(weight, axis=1)
    target = rng.random((len(weight), 1)) * cumulative[:, -1:]
    return np.sum(cumulative <= target, axis=1)
