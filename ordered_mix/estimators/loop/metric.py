"""The Fisher information as a metric: at a bounded cost for any mixture, batched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REACH, STEP = 12.0, 0.03
WIDTH = 1.5
CHUNK = 2_000_000
FARTHEST = 1e100


def information(w: Array, mu: Array, sigma: Array) -> Array:
    """Expected outer product of the derivatives of the log density, shape (runs, 3 k, 3 k).

    `theory.fisher.information` on one uniform grid is exact, but its grid grows with the
    ratio of the scales, which is too much for every iteration of an ascent. Here each component
    has a grid in its own scale, of fixed length, and a smooth partition of unity shares the
    integral out among the grids. The two agree to 1e-8 where the scales are within a factor of 15
    and to about 1% at a factor of 100.

    Parameters
    ----------
    w, mu, sigma : array, shape (runs, k)
        The weights count as free here; the Jacobian of the coordinates ties them.
    """
    runs, k = mu.shape
    points = k * int(2 * REACH / STEP + 1)
    chunk = max(1, CHUNK // (points * 3 * k))
    pieces = [
        _piece(w[at : at + chunk], mu[at : at + chunk], sigma[at : at + chunk])
        for at in range(0, runs, chunk)
    ]
    return np.concatenate(pieces)


def _piece(w: Array, mu: Array, sigma: Array) -> Array:
    runs, k = mu.shape
    grid = np.linspace(-REACH, REACH, int(2 * REACH / STEP + 1))
    y = (mu[:, :, None] + sigma[:, :, None] * grid).reshape(runs, -1)
    # further away the density is 0 in double precision, and squares of a narrow scale overflow
    z = np.clip((y[:, :, None] - mu[:, None]) / sigma[:, None], -FARTHEST, FARTHEST)
    # Shares of the grids: the narrowest component near a point has most of it.
    log_bump = -0.5 * np.minimum((z / WIDTH) ** 2, 600.0) - np.log(sigma)[:, None]
    bump = np.exp(log_bump - log_bump.max(axis=2, keepdims=True))
    own = np.repeat(np.arange(k), grid.size)
    part = bump[:, np.arange(y.shape[1]), own] / bump.sum(axis=2)
    length = STEP * np.repeat(sigma, grid.size, axis=1)
    log_normal = -0.5 * np.minimum(z**2, 1400.0) - np.log(sigma * np.sqrt(2 * np.pi))[:, None]
    normal = np.exp(log_normal)
    density = np.einsum("rk,rnk->rn", w, normal)
    ratio = normal / density[:, :, None]
    share = w[:, None] * ratio / sigma[:, None]
    score = np.concatenate([ratio, share * z, share * (z**2 - 1)], axis=2)
    root = np.sqrt(density * length * part)[:, :, None] * score
    return np.swapaxes(root, 1, 2) @ root
