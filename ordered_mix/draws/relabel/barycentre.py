"""Relabelling by a Wasserstein barycentre of the draws, which are sets of normal components."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, component_draws, finite
from ordered_mix.draws.relabel import bures
from ordered_mix.draws.relabel.assignment import (
    Permutation,
    Relabelling,
    assigned,
    best_assignment,
    best_of,
    references,
)
from ordered_mix.draws.relabel.stephens import MAX_ITERATIONS

STARTS = 5
BLOCK = 2_000_000


def barycentre(
    mu: ArrayLike, sigma: ArrayLike, starts: int = STARTS, max_iterations: int = MAX_ITERATIONS
) -> Relabelling:
    """Relabel by the barycentre of the draws under permutations (Monteiller et al. 2019).

    The posterior without labels is a distribution over sets of K normal components. The distance
    of two sets is that of the best matching, with the squared 2-Wasserstein distance of two
    normals, ``(mu - mu')^2 + (sigma - sigma')^2`` in one dimension. Its barycentre minimises the
    mean squared distance to all draws; each draw is labelled by its matching with it. It is found
    by alternating matching and the barycentres of matched normals over all draws, in place of the
    stochastic gradient steps of the paper, which converge to the same points.

    Parameters
    ----------
    mu : array_like, shape (chain, draw, component) or (chain, draw, component, dim)
        Means.
    sigma : array_like, shape (chain, draw, component) or (chain, draw, component, dim, dim)
        Standard deviations, or covariances where mu has a further axis.
    starts : int
        Number of draws that are a first barycentre in turn; the best end is returned.
    max_iterations : int
        Rounds allowed for each start.

    Returns
    -------
    Relabelling
        Its loss is the sum of the squared distances of all draws, in squared units of mu.

    References
    ----------
    Monteiller, Claici, Chien, Mirzazadeh, Solomon & Yurochkin (2019), "Alleviating label switching
    with optimal transport", NeurIPS 32.
    """
    if np.ndim(mu) == 4:
        atoms: _Atoms = _Normals(finite("mu", mu), finite("sigma", sigma))
    else:
        mu = component_draws("mu", mu)
        atoms = _Points(mu, component_draws("sigma", np.broadcast_to(sigma, mu.shape)))
    chains, draws = np.shape(mu)[:2]

    def matched(cost: Array) -> tuple[Permutation, float]:
        permutation = best_assignment(-cost)
        return permutation, assigned(cost, permutation)

    def step(permutation: Permutation) -> tuple[Permutation, float]:
        return matched(atoms.from_barycentre(permutation))

    places = references(chains * draws, starts)
    begun = [matched(atoms.from_draw(draw))[0] for draw in places]
    return best_of(step, begun, (chains, draws), max_iterations)


class _Atoms(Protocol):
    """Flat draws of components; costs have the shape (draw, label, component)."""

    def from_draw(self, draw: int) -> Array:
        """Squared distances of all components from those of one draw."""

    def from_barycentre(self, permutation: Permutation) -> Array:
        """Squared distances of all components from the barycentre of each label."""


class _Points:
    """Normals of one dimension: points (mu, sigma), whose barycentre is their mean."""

    def __init__(self, mu: Array, sigma: Array) -> None:
        k = mu.shape[2]
        self.atoms = np.stack([mu.reshape(-1, k), sigma.reshape(-1, k)], axis=-1)

    def from_draw(self, draw: int) -> Array:
        return self._cost(self.atoms[draw])

    def from_barycentre(self, permutation: Permutation) -> Array:
        matched = np.take_along_axis(self.atoms, permutation[..., None], axis=1)
        return self._cost(matched.mean(axis=0))

    def _cost(self, centre: Array) -> Array:
        return np.sum((centre[:, None] - self.atoms[:, None]) ** 2, axis=-1)


class _Normals:
    """Normals of several dimensions, whose barycentre has a covariance of its own (`bures`)."""

    def __init__(self, mu: Array, covariance: Array) -> None:
        k, dims = mu.shape[2:]
        if covariance.shape != (*mu.shape, dims):
            raise ValueError(
                f"sigma must hold covariances of shape {(*mu.shape, dims)} to fit mu of shape "
                f"{mu.shape}, got {covariance.shape}"
            )
        self.mu = mu.reshape(-1, k, dims)
        self.covariance = covariance.reshape(-1, k, dims, dims)

    def from_draw(self, draw: int) -> Array:
        return self._cost(self.mu[draw], self.covariance[draw])

    def from_barycentre(self, permutation: Permutation) -> Array:
        mu = np.take_along_axis(self.mu, permutation[..., None], axis=1)
        matched = np.take_along_axis(self.covariance, permutation[..., None, None], axis=1)
        return self._cost(mu.mean(axis=0), bures.barycentre(matched))

    def _cost(self, mu: Array, covariance: Array) -> Array:
        size = max(1, BLOCK // (covariance.size * len(mu)))
        parts = [slice(i, i + size) for i in range(0, len(self.mu), size)]
        return np.concatenate([self._cost_of(part, mu, covariance) for part in parts])

    def _cost_of(self, part: slice, mu: Array, covariance: Array) -> Array:
        own_mu, own_covariance = self.mu[part, None], self.covariance[part, None]
        gaps = np.sum((mu[:, None] - own_mu) ** 2, axis=-1)
        return gaps + bures.squared_distance(covariance[:, None], own_covariance)
