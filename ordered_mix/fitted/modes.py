"""Which modes chains sat in, and what weight particles give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordered_mix.mixture import Array, Mixture

OVERLAP = 0.5
ROUNDS, FEW, SLACK = 30, 100, 2.0
INSIDE = 0.999


@dataclass(frozen=True, eq=False)
class Mode:
    """A part of the posterior in which chains stayed.

    Attributes
    ----------
    chains : tuple of int
        The chains that have most of their draws there.
    weight, error : float
        Share of the particles that are there, and its standard error between islands.
    means : ndarray, shape (component,) or (component, d)
        Mean of the particles' sorted means, or of the chains' where no particle is.
    """

    chains: tuple[int, ...]
    weight: float
    error: float
    means: Array


def modes_found(y: Array, chains: Mixture, particles: Mixture) -> list[Mode]:
    """The modes in which chains sat, the heaviest first.

    Draws are compared by their log density at quantiles of the data, in several dimensions at
    points that are quantiles along the first principal component; no relabelling changes it.
    Chains that are mostly where the other draws begin a mode together; then every particle goes to
    the mode whose normal approximation is highest, and the approximations are fitted anew to
    their particles, until nothing moves. A particle much further out than the chains is in none.

    Parameters
    ----------
    y : array, shape (n,) or (n, d)
        The data.
    chains : Mixture, batch shape (chain, draw)
        Draws of chains that may sit in different modes.
    particles : Mixture, batch shape (island, particle)
        Draws that reached all modes.
    """
    points = _spread(y, 4 * chains.k)
    own, other = (_heights(draws, points) for draws in (chains, particles))
    groups = _together([_Normal(one) for one in own], own)
    normals = [_Normal(np.concatenate(own[list(group)])) for group in groups]
    edges = np.array([normal.edge for normal in normals])
    nearest = _nearest(normals, other)
    distances = np.stack([normal.distance(other) for normal in normals])
    reached = np.any(distances <= SLACK * edges[:, None, None], axis=0)
    for _ in range(ROUNDS):
        parts = [other[reached & (nearest == at)] for at in range(len(normals))]
        normals = [_Normal(part) if len(part) > FEW else normal
                   for part, normal in zip(parts, normals, strict=True)]  # fmt: skip
        before, nearest = nearest, _nearest(normals, other)
        if np.array_equal(before, nearest):
            break
    edges = np.maximum(edges, [normal.edge for normal in normals])
    held = np.array([np.bincount(one, minlength=len(normals)).argmax()
                     for one in _nearest(normals, own)])  # fmt: skip
    found = []
    for at, normal in enumerate(normals):
        there = reached & (nearest == at) & (normal.distance(other) <= SLACK * edges[at])
        share = there.mean(axis=1)
        draws = particles[there] if there.any() else chains[held == at]
        means = draws.sorted().reshape(-1).mu.mean(axis=0)
        error = float(share.std(ddof=1) / np.sqrt(share.size))
        members = tuple(np.flatnonzero(held == at).tolist())
        if members:
            found.append(Mode(members, float(share.mean()), error, means))
    return sorted(found, key=lambda mode: -mode.weight)


def _spread(y: Array, count: int) -> Array:
    """So many places that cover the data."""
    share = np.linspace(0, 1, count)
    if y.ndim == 1:
        return np.quantile(y, share)
    scaled = (y - y.mean(axis=0)) / y.std(axis=0)
    score = scaled @ np.linalg.eigh(np.cov(scaled.T))[1][:, -1]
    return y[np.argsort(score, kind="stable")[np.round(share * (len(y) - 1)).astype(int)]]


def _nearest(normals: Sequence[_Normal], draws: Array) -> NDArray[np.int64]:
    heights = [normal.constant - 0.5 * normal.distance(draws) for normal in normals]
    return np.argmax(heights, axis=0)


class _Normal:
    """A normal fitted to draws, shape (draw, feature)."""

    def __init__(self, draws: Array) -> None:
        self.mean = draws.mean(axis=0)
        covariance = np.atleast_2d(np.cov(draws, rowvar=False))
        ridge = 1e-6 * np.trace(covariance) / len(covariance) + 1e-12
        self.factor = np.linalg.inv(
            np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))
        )
        self.constant = float(np.sum(np.log(np.diag(self.factor))))
        self.edge = float(np.quantile(self.distance(draws), INSIDE))

    def distance(self, draws: Array) -> Array:
        """Squared Mahalanobis distance of draws (..., feature)."""
        return np.sum(((draws - self.mean) @ self.factor.T) ** 2, axis=-1)


def _heights(draws: Mixture, points: Array) -> Array:
    return np.logaddexp.reduce(draws.log_components(points), axis=-1)


def _together(normals: Sequence[_Normal], draws: Array) -> list[tuple[int, ...]]:
    """Groups of chains each of which is mostly where the other draws."""
    count = len(normals)
    share = np.array([[np.mean(normal.distance(one) <= normal.edge) for one in draws]
                      for normal in normals])  # fmt: skip
    linked: NDArray[np.bool_] = (share > OVERLAP) & (share.T > OVERLAP)
    for middle in range(count):  # whatever is linked through others is linked
        linked |= linked[:, [middle]] & linked[[middle]]
    groups = {tuple(np.flatnonzero(row).tolist()) for row in linked}
    return sorted(groups)
