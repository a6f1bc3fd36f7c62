"""Starts for points in several dimensions."""

from __future__ import annotations

import numpy as np

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture


def initial_points(data: Data, k: int, starts: int, seed: int) -> Mixture:
    """Starts at points drawn by k-means++ in units of the coordinates; batch shape (starts,)."""
    rng = np.random.default_rng(seed)
    z = (data.y - data.location) / data.scale
    weight = np.ones(data.n) if data.weight is None else data.weight
    chosen = np.empty((starts, k), dtype=int)
    for start in range(starts):
        distance = np.ones(data.n)
        for at in range(k):
            mass = weight * distance
            mass = mass if mass.sum() > 0 else weight
            chosen[start, at] = rng.choice(data.n, p=mass / mass.sum())
            own = np.sum((z - z[chosen[start, at]]) ** 2, axis=1)
            distance = own if at == 0 else np.minimum(distance, own)
    covariance = np.diag((data.scale / k ** (1 / data.d)) ** 2)
    return Mixture(np.full(k, 1 / k), data.y[chosen], covariance=covariance)
