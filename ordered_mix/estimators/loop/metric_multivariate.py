"""The Fisher information in several dimensions: a rule of bounded cost, for a batch of mixtures."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
import scipy.special
from numpy.typing import NDArray

from ordered_mix.estimators.loop.metric import CHUNK, FARTHEST

Array = NDArray[np.float64]

PAIRS = 2048
MOST_MOMENTS = PAIRS // 4
NEWTON_STEPS = 50


def information(w: Array, mu: Array, root: Array) -> Array:
    """Expected outer product of the features of one observation, shape (runs, f, f).

    With responsibilities r and whitened points ``z_k = L_k^-1 (y - mu_k)`` the features are
    ``r_k / w_k``, ``r_k z_k`` and the lower triangles of ``r_k (z_k z_k^T - I)``, of which the
    scores are linear functions (`PointCoordinates.information`). The expectation is the mean, by
    weight, of those of the components, each over the same 4,096 `nodes`. Weights are positive, so
    the information is positive semidefinite; up to eight dimensions it is exact where components
    do not overlap. Else the largest error of an entry, divided by the roots of both diagonal
    entries, was .04 in two dimensions, .07 in four and .13 in eight, each in 18 mixtures of two and
    three components (means .7 to 2.8 from their centre, Wishart covariances of 2 d degrees of
    freedom, scales within a factor of 2) against 2^18 other points.

    Parameters
    ----------
    w, mu, root : array, shapes (runs, k), (runs, k, d) and (runs, k, d, d)
        The weights count as free here; root are lower Cholesky factors.
    """
    runs, k, d = mu.shape
    values = 2 * PAIRS * k * k * (1 + d + d * (d + 1) // 2)
    size = max(1, CHUNK // values)
    pieces = [_piece(*(v[at : at + size] for v in (w, mu, root))) for at in range(0, runs, size)]
    return np.concatenate(pieces)


def _piece(w: Array, mu: Array, root: Array) -> Array:
    runs, _, d = mu.shape
    z, share = nodes(d)
    below = np.tril_indices(d)
    inverse = np.linalg.inv(root)
    y = (mu[:, :, None] + z @ np.swapaxes(root, -1, -2)).reshape(runs, 1, -1, d)
    white = (y - mu[:, :, None]) @ np.swapaxes(inverse, -1, -2)
    white = np.clip(white, -FARTHEST, FARTHEST)
    heights = np.log(np.diagonal(inverse, axis1=-1, axis2=-2)).sum(axis=-1) + np.log(w)
    joint = heights[:, :, None] - 0.5 * np.sum(white**2, axis=-1)
    r = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))[..., None]
    squares = white[..., below[0]] * white[..., below[1]] - np.eye(d)[below]
    features = np.concatenate([r / w[:, :, None, None], r * white, r * squares], axis=-1)
    features = np.moveaxis(features, 1, 2).reshape(runs, y.shape[2], -1)
    weight = (w[:, :, None] * share).reshape(runs, -1, 1)
    scaled = np.sqrt(weight) * features
    return np.swapaxes(scaled, 1, 2) @ scaled


def scores_of_features(root: Array) -> tuple[Array, Array, Array]:
    """Scores of w, mu and the lower triangles of root that each feature by itself makes.

    The score of mu_k is ``L_k^-T`` times ``r_k z_k``, that of L_k the lower triangle of ``L_k^-T``
    times ``r_k (z_k z_k^T - I)``.

    Parameters
    ----------
    root : array, shape (runs, k, d, d)

    Returns
    -------
    dw, dmu, droot : array, shapes (runs f, k), (runs f, k, d) and (runs f, k, d, d)
    """
    runs, k, d = root.shape[:3]
    row, column = np.tril_indices(d)
    entries = np.zeros((row.size, d, d))
    at = np.arange(row.size)
    entries[at, row, column] = entries[at, column, row] = 1.0
    above = np.swapaxes(np.linalg.inv(root), -1, -2)
    size, own = 1 + d + row.size, np.arange(k)
    dw = np.zeros((runs, k, size, k))
    dmu = np.zeros((runs, k, size, k, d))
    droot = np.zeros((runs, k, size, k, d, d))
    dw[:, own, 0, own] = 1.0
    dmu[:, own, 1 : 1 + d, own] = np.moveaxis(np.swapaxes(above, -1, -2), 1, 0)
    droot[:, own, 1 + d :, own] = np.moveaxis(np.tril(above[:, :, None] @ entries), 1, 0)
    return dw.reshape(-1, k), dmu.reshape(-1, k, d), droot.reshape(-1, k, d, d)


@lru_cache
def nodes(d: int) -> tuple[Array, Array]:
    """Points (4096, d) and positive weights that add up to 1, for means under Normal(0, I).

    Scrambled Sobol points (Owen 1998) and their negatives. Weights are those closest to equal ones
    in relative entropy whose moments of degree 2 and 4 are the normal ones (raking: Deville &
    Sarndal 1992), up to eight dimensions; beyond, whose moments of degree 2 are.
    """
    from scipy.stats import qmc  # takes a second to import

    uniform = qmc.Sobol(d, rng=0).random_base2(PAIRS.bit_length() - 1)
    z = scipy.special.ndtri(uniform)
    terms, targets = _moments(z, 2)
    more, beyond = _moments(z, 4)
    if more.shape[1] <= MOST_MOMENTS:
        terms, targets = np.hstack([terms, more]), np.concatenate([targets, beyond])
    share = _raked(terms, targets)
    return np.concatenate([z, -z]), np.tile(0.5 * share, 2)


def _moments(z: Array, degree: int) -> tuple[Array, Array]:
    """Products of `degree` coordinates, shape (n, products), and their means under Normal(0, I)."""
    chosen = list(combinations_with_replacement(range(z.shape[1]), degree))
    powers = np.array([np.bincount(one, minlength=z.shape[1]) for one in chosen])
    odd = np.prod(scipy.special.factorial2(np.maximum(powers - 1, 1)), axis=1)
    mean = np.where(np.all(powers % 2 == 0, axis=1), odd, 0.0)
    return np.prod(z[:, np.array(chosen)], axis=-1), mean


def _raked(terms: Array, targets: Array) -> Array:
    """Weights ``exp(a + terms b)`` that add up to 1 and give the terms their means, by Newton."""
    deviation = (terms - targets) / terms.std(axis=0)
    slope = np.zeros(terms.shape[1])
    share = np.full(len(terms), 1 / len(terms))
    for _ in range(NEWTON_STEPS):
        missed = share @ deviation
        if np.abs(missed).max() < 1e-14:
            break
        spread = (deviation - missed) * np.sqrt(share)[:, None]
        slope = slope - np.linalg.lstsq(spread.T @ spread, missed)[0]
        height = deviation @ slope
        share = np.exp(height - np.logaddexp.reduce(height))
    return share
