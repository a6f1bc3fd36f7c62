"""Relabelling by a Wasserstein barycentre of the draws, which are sets of normal components."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, component_draws
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


def barycentre(
    mu: ArrayLike, sigma: ArrayLike, starts: int = STARTS, max_iterations: int = MAX_ITERATIONS
) -> Relabelling:
    """Relabel by the barycentre of the draws under permutations (Monteiller et al. 2019).

    The posterior without labels is a distribution over sets of K normal components. The distance
    of two sets is that of the best matching, with the squared 2-Wasserstein distance
    ``(mu - mu')^2 + (sigma - sigma')^2`` of two normals. Its barycentre minimises the mean
    squared distance to all draws; each draw is labelled by its matching with it. As matched
    normals in one dimension have the normal with the mean of their means and of their scales as
    barycentre, it is found by alternating matching and averaging over all draws, in place of the
    stochastic gradient steps of the paper, which converge to the same points.

    Parameters
    ----------
    mu, sigma : array_like, shape (chain, draw, component)
        Means and standard deviations.
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
    mu = component_draws("mu", mu)
    sigma = component_draws("sigma", np.broadcast_to(sigma, mu.shape))
    chains, draws, k = mu.shape
    atoms = np.stack([mu.reshape(-1, k), sigma.reshape(-1, k)], axis=-1)

    def matched(centre: Array) -> tuple[Permutation, float]:
        cost = np.sum((centre[:, None] - atoms[:, None]) ** 2, axis=-1)
        permutation = best_assignment(-cost)
        return permutation, assigned(cost, permutation)

    def step(permutation: Permutation) -> tuple[Permutation, float]:
        return matched(np.take_along_axis(atoms, permutation[..., None], axis=1).mean(axis=0))

    begun = [matched(atoms[draw])[0] for draw in references(len(atoms), starts)]
    return best_of(step, begun, (chains, draws), max_iterations)
