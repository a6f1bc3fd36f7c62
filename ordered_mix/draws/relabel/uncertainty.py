"""How sure labels are: the cost of exchanging two of them, and labels drawn at random."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.assignment import Permutation
from ordered_mix.draws.relabel.separation import (
    Parameters,
    blocks_of_distances,
    label_distances,
)

MOST_ORDERS = 6


def margin(parameters: Parameters, permutation: Permutation) -> Array:
    """What it costs each draw to exchange the two labels that are exchanged most cheaply.

    Draws of a label are taken as normal in every parameter, independently, with its mean and the
    pooled variance. Negative where an exchange would fit better, which says that the relabelling
    was by something else than these parameters.

    Parameters
    ----------
    parameters : mapping of str to ndarray, shape (chain, draw, component)
        Before relabelling.
    permutation : ndarray of int, shape (chain, draw, component)

    Returns
    -------
    ndarray, shape (chain, draw)
        In nats; infinite for one component.
    """
    found = [_cheapest(cost) for cost in blocks_of_distances(parameters, permutation)]
    return np.concatenate(found).reshape(permutation.shape[:2])


def _cheapest(cost: Array) -> Array:
    """The least change of the cost when two labels are exchanged, for each draw."""
    k = cost.shape[-1]
    kept = np.einsum("djj->dj", cost)
    exchanged = cost + np.swapaxes(cost, -1, -2) - kept[:, :, None] - kept[:, None, :]
    exchanged[:, np.arange(k), np.arange(k)] = np.inf
    return np.asarray(exchanged.min(axis=(-1, -2)))


def sample_permutations(
    parameters: Parameters, permutation: Permutation, rng: np.random.Generator
) -> tuple[Permutation, Array]:
    """Permutations drawn from the probability of each labelling, given the labels found.

    A labelling of a draw has a probability proportional to the density of its parameters under
    the labels, which are normal as in `margin`. Averages over relabelled draws then include the
    uncertainty of the labels. With more than six components one exchange of two labels at most is
    drawn.

    Parameters
    ----------
    parameters, permutation
        As in `margin`.
    rng : Generator

    Returns
    -------
    ndarray of int, shape (chain, draw, component)
    ndarray, shape (chain, draw)
        Probability of the labelling that was found.
    """
    cost = label_distances(parameters, permutation)
    k = cost.shape[-1]
    orders = _orders(k)
    total = cost[..., np.arange(k), orders].sum(axis=-1)
    weight = np.exp(total.min(axis=-1, keepdims=True) - total)
    probability = weight / weight.sum(axis=-1, keepdims=True)
    uniform = rng.random((*cost.shape[:2], 1))
    drawn = np.sum(uniform > np.cumsum(probability, axis=-1)[..., :-1], axis=-1)
    return np.take_along_axis(permutation, orders[drawn], axis=-1), probability[..., 0]


def _orders(k: int) -> np.ndarray:
    """All orders of k labels, or the first and its exchanges of two, the identity first."""
    if k <= MOST_ORDERS:
        return np.array(list(permutations(range(k))), dtype=np.int64)
    orders = [np.arange(k)]
    for i in range(k):
        for j in range(i):
            order = np.arange(k)
            order[[i, j]] = j, i
            orders.append(order)
    return np.array(orders, dtype=np.int64)
