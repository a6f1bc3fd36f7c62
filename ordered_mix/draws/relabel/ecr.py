"""Equivalence classes representatives: relabelling from allocations.

Allocations have shape (chain, draw, point) and hold the component, 0 to K - 1, of each point.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.assignment import (
    Permutation,
    Relabelling,
    assigned,
    best_assignment,
    best_of,
    invert,
    references,
)
from ordered_mix.draws.relabel.responsibilities import Responsibilities, given
from ordered_mix.draws.relabel.stephens import MAX_ITERATIONS, mean_relabelled, start_permutation

Allocations = NDArray[np.integer]
STARTS = 10
BLOCK = 200


def ecr(allocations: ArrayLike, pivot: ArrayLike, components: int) -> Relabelling:
    """Equivalence classes representatives: agree with a pivot allocation at most points.

    Parameters
    ----------
    allocations : array_like of int, shape (chain, draw, point)
        Allocations of every draw.
    pivot : array_like of int, shape (point,)
        A good allocation, for example that of the draw with the largest posterior density.
    components : int
        Number of components K.

    Raises
    ------
    ValueError
        If allocations or pivot are malformed or lie outside 0 to K - 1.

    References
    ----------
    Papastamoulis & Iliopoulos (2010), JCGS 19, 313-331.
    """
    z = check_allocations("allocations", allocations, components)
    target = check_allocations("pivot", np.asarray(pivot)[None, None], components)[0, 0]
    if target.size != z.shape[2]:
        raise ValueError(f"pivot must hold {z.shape[2]} points, got {target.size}")
    permutation, loss = _agree(z.reshape(-1, z.shape[2]), target, components)
    return Relabelling(permutation.reshape(*z.shape[:2], components), loss=loss)


def ecr_iterative_1(
    allocations: ArrayLike,
    components: int,
    start: ArrayLike | None = None,
    starts: int = STARTS,
    max_iterations: int = MAX_ITERATIONS,
) -> Relabelling:
    """ECR whose pivot is the most frequent label of each point among the relabelled draws.

    Parameters
    ----------
    allocations, components
        As in `ecr`.
    start : array_like of int, shape (chain, draw, component), optional
        Permutations to start from, instead of `starts`.
    starts : int
        Number of draws that are a first pivot in turn. Each leads to a local optimum; the one
        with the smallest loss is returned.
    max_iterations : int
        Rounds allowed for each start.

    Returns
    -------
    Relabelling
        Its loss is the number of points, summed over draws, whose label is not the pivot's.

    References
    ----------
    Papastamoulis & Iliopoulos (2013), Methodology and Computing in Applied Probability 15.
    Rodriguez & Walker (2014), JCGS 23, 25-45. Papastamoulis (2016), JSS 69, code snippet 1.
    """
    z = check_allocations("allocations", allocations, components)
    flat = z.reshape(-1, z.shape[2])

    def step(permutation: Permutation) -> tuple[Permutation, float]:
        return _agree(flat, np.argmax(_votes(flat, permutation), axis=0), components)

    return best_of(step, _begin(z, components, start, starts), z.shape[:2], max_iterations)


def ecr_iterative_2(
    allocations: ArrayLike,
    responsibilities: ArrayLike | Responsibilities,
    start: ArrayLike | None = None,
    starts: int = 1,
    max_iterations: int = MAX_ITERATIONS,
) -> Relabelling:
    """ECR whose pivot is the label of largest mean responsibility among the relabelled draws.

    Parameters
    ----------
    allocations : array_like of int, shape (chain, draw, point)
        Allocations of every draw.
    responsibilities : array_like, shape (chain, draw, point, component), or Responsibilities
        Probability of each component for each point in each draw.
    start, starts, max_iterations
        As in `ecr_iterative_1`.

    Returns
    -------
    Relabelling
        Its loss is that of `ecr_iterative_1`.

    References
    ----------
    Papastamoulis & Iliopoulos (2013), Methodology and Computing in Applied Probability 15.
    Rodriguez & Walker (2014), JCGS 23, 25-45. Papastamoulis (2016), JSS 69, code snippet 1.
    """
    p = given(responsibilities).stored()
    z = check_allocations("allocations", allocations, p.components)
    expected = (*p.draws, p.points)
    if z.shape != expected:
        raise ValueError(
            f"allocations must have the shape {expected} of the responsibilities, got {z.shape}"
        )
    flat = z.reshape(-1, p.points)

    def step(permutation: Permutation) -> tuple[Permutation, float]:
        pivot = np.argmax(mean_relabelled(p, permutation), axis=-1)
        return _agree(flat, pivot, p.components)

    return best_of(step, _begin(z, p.components, start, starts), p.draws, max_iterations)


def check_allocations(name: str, allocations: ArrayLike, components: int) -> Allocations:
    """Allocations of shape (chain, draw, point) as the smallest integers that hold them."""
    array = np.asarray(allocations)
    if array.ndim != 3 or array.size == 0 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"{name} must hold integers with the axes (chain, draw, point), all non-empty (a pivot "
            f"has points only), got {array.dtype} of shape {array.shape}"
        )
    if array.min() < 0 or array.max() >= components:
        raise ValueError(
            f"{name} must lie in 0 to {components - 1} for {components} components, "
            f"got {array.min()} to {array.max()}"
        )
    return array.astype(np.min_scalar_type(components), copy=False)


def align(flat: Allocations, draw: int, components: int) -> Permutation:
    """Permutations that make every draw agree most with one of them."""
    return _agree(flat, flat[draw], components)[0]


def _agree(flat: Allocations, pivot: Allocations, components: int) -> tuple[Permutation, float]:
    matches = _matches(flat, pivot, components)
    permutation = best_assignment(matches)
    return permutation, flat.size - assigned(matches, permutation)


def _matches(flat: Allocations, pivot: Allocations, components: int) -> Array:
    """Points of each draw with pivot label j that are allocated to component k, (draw, j, k)."""
    cells = components**2
    first = pivot.astype(np.int64) * components
    counts = [np.bincount(first + z, minlength=cells) for z in flat]
    return np.array(counts, dtype=np.float64).reshape(-1, components, components)


def _votes(flat: Allocations, permutation: Permutation) -> Array:
    """How many relabelled draws give each point each label, (label, point)."""
    components, inverse = permutation.shape[1], invert(permutation)
    votes = np.zeros((components, flat.shape[1]))
    for start in range(0, len(flat), BLOCK):
        part = slice(start, start + BLOCK)
        relabelled = np.take_along_axis(inverse[part], flat[part].astype(np.int64), axis=-1)
        for label in range(components):
            votes[label] += np.count_nonzero(relabelled == label, axis=0)
    return votes


def _begin(
    z: Allocations, components: int, start: ArrayLike | None, starts: int
) -> Iterable[Permutation]:
    if start is not None:
        return [start_permutation(start, (*z.shape[:2], components))]
    flat = z.reshape(-1, z.shape[2])
    return (align(flat, draw, components) for draw in references(len(flat), starts))
