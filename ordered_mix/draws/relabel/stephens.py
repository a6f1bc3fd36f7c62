"""Stephens' relabelling by the Kullback-Leibler divergence of responsibilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, finite, mixture_draws
from ordered_mix.draws.relabel.assignment import (
    Permutation,
    Relabelling,
    best_assignment,
    check_permutation,
    iterate,
)
from ordered_mix.mixture import Mixture

MAX_ITERATIONS = 100
TINY = np.finfo(np.float64).tiny


def stephens(
    responsibilities: ArrayLike,
    start: ArrayLike | None = None,
    max_iterations: int = MAX_ITERATIONS,
) -> Relabelling:
    """Relabel so that responsibilities agree between draws (Stephens 2000, algorithm 2).

    Alternates between the mean q_ij of the relabelled responsibilities and, for each draw, the
    permutation that minimises ``sum_ij p_ij log(p_ij / q_ij)``, by linear assignment.

    Parameters
    ----------
    responsibilities : array_like, shape (chain, draw, point, component)
        Probability of each component for each point in each draw; see `responsibilities_of`.
    start : array_like of int, shape (chain, draw, component), optional
        Permutations to start from. By default every draw is first aligned with the first one,
        so that the result depends on the input's labels through one overall permutation only.
    max_iterations : int
        Rounds allowed.

    Raises
    ------
    ValueError
        If the responsibilities are malformed, not finite or do not add up to 1, or `start` does
        not fit.

    References
    ----------
    Stephens (2000), JRSS B 62, 795-809, section 4.1.
    """
    p = check_responsibilities(responsibilities)
    flat = p.reshape(-1, *p.shape[2:])
    if start is None:
        permutation = best_assignment(_agreement(flat, flat[0]))
    else:
        permutation = start_permutation(start, (*p.shape[:2], p.shape[3]))

    def step(permutation: Permutation) -> Permutation:
        return best_assignment(_agreement(flat, mean_relabelled(flat, permutation)))

    return iterate(step, permutation, p.shape[:2], max_iterations)


def responsibilities_of(y: ArrayLike, w: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> Array:
    """Responsibilities of every draw, shape (chain, draw, point, component).

    They take 8 bytes per draw, point and component: for large data, a random part of the points is
    enough to relabel.

    Parameters
    ----------
    y : array_like, shape (point,)
        The data.
    w, mu, sigma : array_like, shape (chain, draw, component)
        Draws.
    """
    y = finite("y", y)
    w, mu, sigma = mixture_draws(w, mu, sigma)
    out = np.empty((*mu.shape[:2], y.size, mu.shape[2]))
    for chain in range(mu.shape[0]):
        for start in range(0, mu.shape[1], 500):
            part = (chain, slice(start, start + 500))
            out[part] = Mixture(w[part], mu[part], sigma[part]).responsibilities(y)
    return out


def check_responsibilities(responsibilities: ArrayLike) -> Array:
    """Responsibilities with the axes (chain, draw, point, component), checked."""
    p = np.asarray(responsibilities, dtype=np.float64)
    if p.ndim != 4 or p.size == 0:
        raise ValueError(
            "responsibilities must have the axes (chain, draw, point, component), all non-empty, "
            f"got an array of shape {p.shape}"
        )
    total = finite("responsibilities", p).sum(axis=-1)
    if p.min() < 0 or np.abs(total - 1).max() > 1e-6:
        raise ValueError(
            "responsibilities must be non-negative and add up to 1 over components, got sums from "
            f"{total.min():.6g} to {total.max():.6g} and a minimum of {p.min():.6g}"
        )
    return p


def start_permutation(start: ArrayLike, shape: tuple[int, ...]) -> Permutation:
    """Flat permutations to start from, checked against (chain, draw, component)."""
    permutation = check_permutation(start)
    if permutation.shape != shape:
        raise ValueError(f"start must have the shape {shape}, got {permutation.shape}")
    return permutation.reshape(-1, shape[-1])


def mean_relabelled(flat: Array, permutation: Permutation) -> Array:
    """Mean over draws of the relabelled responsibilities, shape (point, component)."""
    total = np.zeros(flat.shape[1:])
    for p, order in zip(flat, permutation, strict=True):
        total += p[:, order]
    return total / len(flat)


def _agreement(flat: Array, mean: Array) -> Array:
    """``sum_i p_ik log q_ij`` for each draw, label j and component k."""
    return np.log(np.maximum(mean, TINY)).T @ flat
