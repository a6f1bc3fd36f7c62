"""Stephens' relabelling by the Kullback-Leibler divergence of responsibilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.assignment import (
    Permutation,
    Relabelling,
    assigned,
    best_assignment,
    best_of,
    check_permutation,
    references,
)
from ordered_mix.draws.relabel.responsibilities import Responsibilities, given

MAX_ITERATIONS = 100
STARTS = 5
TINY = np.finfo(np.float64).tiny


def stephens(
    responsibilities: ArrayLike | Responsibilities,
    start: ArrayLike | None = None,
    starts: int = STARTS,
    max_iterations: int = MAX_ITERATIONS,
) -> Relabelling:
    """Relabel so that responsibilities agree between draws (Stephens 2000, algorithm 2).

    Alternates between the mean q_ij of the relabelled responsibilities and, for each draw, the
    permutation that minimises ``sum_ij p_ij log(p_ij / q_ij)``, by linear assignment. It ends in
    a local minimum, hence several starts.

    Parameters
    ----------
    responsibilities : array_like, shape (chain, draw, point, component), or Responsibilities
        Probability of each component for each point in each draw. An object of blocks
        (`normal.normal`) bounds the memory.
    start : array_like of int, shape (chain, draw, component), optional
        Permutations to start from, instead of `starts`.
    starts : int
        Number of draws with which all draws are first aligned, each giving one start; the end of
        smallest divergence is returned. The result depends on the input's labels through one
        overall permutation only.
    max_iterations : int
        Rounds allowed for each start.

    Returns
    -------
    Relabelling
        Its loss is the divergence summed over draws, in nats.

    Raises
    ------
    ValueError
        If the responsibilities are malformed, not finite or do not add up to 1, or `start` does
        not fit.

    References
    ----------
    Stephens (2000), JRSS B 62, 795-809, section 4.1.
    """
    p = given(responsibilities).stored()
    first = [] if start is not None else references(p.draws[0] * p.draws[1], starts)
    negative_entropy, gains = _first_pass(p, [p.at(draw) for draw in first])
    begun = [best_assignment(gain) for gain in gains]
    if start is not None:
        begun = [start_permutation(start, (*p.draws, p.components))]

    def step(permutation: Permutation) -> tuple[Permutation, float]:
        gain = _agreement(p, mean_relabelled(p, permutation))
        found = best_assignment(gain)
        return found, negative_entropy - assigned(gain, found)

    return best_of(step, begun, p.draws, max_iterations)


def start_permutation(start: ArrayLike, shape: tuple[int, ...]) -> Permutation:
    """Flat permutations to start from, checked against (chain, draw, component)."""
    permutation = check_permutation(start)
    if permutation.shape != shape:
        raise ValueError(f"start must have the shape {shape}, got {permutation.shape}")
    return permutation.reshape(-1, shape[-1])


def mean_relabelled(responsibilities: Responsibilities, permutation: Permutation) -> Array:
    """Mean over draws of the relabelled responsibilities, shape (point, component)."""
    total = np.zeros((responsibilities.points, responsibilities.components))
    for part, block in responsibilities:
        # a loop over components: there are far fewer of them than draws
        for label, component in enumerate(permutation[part].T):
            for k in range(responsibilities.components):
                total[:, label] += block[..., k][component == k].sum(axis=0)
    return total / len(permutation)


def _first_pass(p: Responsibilities, means: list[Array]) -> tuple[float, list[Array]]:
    """``sum p log p`` over everything, and the agreement with several means, in one pass."""
    logs = [np.log(np.maximum(mean, TINY)).T for mean in means]
    total, gains = 0.0, [np.empty((p.draws[0] * p.draws[1], *[p.components] * 2)) for _ in means]
    for part, block in p:
        total += float(xlogy(block, block).sum())
        for log, gain in zip(logs, gains, strict=True):
            gain[part] = log @ block
    return total, gains


def _agreement(p: Responsibilities, mean: Array) -> Array:
    """``sum_i p_ik log q_ij`` for each draw, label j and component k."""
    log = np.log(np.maximum(mean, TINY)).T
    return np.concatenate([log @ block for _, block in p])
