"""Relabelling from allocations: equivalence classes representatives and the data-based method.

Allocations have shape (chain, draw, point) and hold the component, 0 to K - 1, of each point.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.arrays import Array, finite
from ordered_mix.draws.relabel.assignment import (
    Permutation,
    Relabelling,
    best_assignment,
    invert,
    iterate,
)
from ordered_mix.draws.relabel.stephens import (
    MAX_ITERATIONS,
    check_responsibilities,
    mean_relabelled,
    start_permutation,
)

Allocations = NDArray[np.int64]


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
    z = _check_allocations("allocations", allocations, components)
    target = _check_allocations("pivot", np.asarray(pivot)[None, None], components)[0, 0]
    if target.size != z.shape[2]:
        raise ValueError(f"pivot must hold {z.shape[2]} points, got {target.size}")
    permutation = best_assignment(_matches(z.reshape(-1, z.shape[2]), target, components))
    return Relabelling(permutation.reshape(*z.shape[:2], components))


def ecr_iterative_1(
    allocations: ArrayLike,
    components: int,
    start: ArrayLike | None = None,
    max_iterations: int = MAX_ITERATIONS,
) -> Relabelling:
    """ECR whose pivot is the most frequent label of each point among the relabelled draws.

    Parameters
    ----------
    allocations, components
        As in `ecr`.
    start : array_like of int, shape (chain, draw, component), optional
        Permutations to start from; by default every draw is first aligned with the first one.
    max_iterations : int
        Rounds allowed.

    References
    ----------
    Papastamoulis & Iliopoulos (2013), Methodology and Computing in Applied Probability 15.
    Rodriguez & Walker (2014), JCGS 23, 25-45. Papastamoulis (2016), JSS 69, code snippet 1.
    """
    z = _check_allocations("allocations", allocations, components)
    flat = z.reshape(-1, z.shape[2])

    def step(permutation: Permutation) -> Permutation:
        relabelled = np.take_along_axis(invert(permutation), flat, axis=-1)
        counts = [np.count_nonzero(relabelled == label, axis=0) for label in range(components)]
        return best_assignment(_matches(flat, np.argmax(counts, axis=0), components))

    return iterate(step, _start(z, components, start), z.shape[:2], max_iterations)


def ecr_iterative_2(
    allocations: ArrayLike,
    responsibilities: ArrayLike,
    start: ArrayLike | None = None,
    max_iterations: int = MAX_ITERATIONS,
) -> Relabelling:
    """ECR whose pivot is the label of largest mean responsibility among the relabelled draws.

    Parameters
    ----------
    allocations : array_like of int, shape (chain, draw, point)
        Allocations of every draw.
    responsibilities : array_like, shape (chain, draw, point, component)
        Probability of each component for each point in each draw.
    start, max_iterations
        As in `ecr_iterative_1`.

    References
    ----------
    Papastamoulis & Iliopoulos (2013), Methodology and Computing in Applied Probability 15.
    Rodriguez & Walker (2014), JCGS 23, 25-45. Papastamoulis (2016), JSS 69, code snippet 1.
    """
    p = check_responsibilities(responsibilities)
    z = _check_allocations("allocations", allocations, p.shape[3])
    if z.shape != p.shape[:3]:
        raise ValueError(
            f"allocations must have the shape {p.shape[:3]} of the responsibilities, got {z.shape}"
        )
    flat_z, flat_p = z.reshape(-1, z.shape[2]), p.reshape(-1, *p.shape[2:])

    def step(permutation: Permutation) -> Permutation:
        pivot = np.argmax(mean_relabelled(flat_p, permutation), axis=-1)
        return best_assignment(_matches(flat_z, pivot, p.shape[3]))

    return iterate(step, _start(z, p.shape[3], start), z.shape[:2], max_iterations)


def data_based(
    y: ArrayLike,
    allocations: ArrayLike,
    components: int,
    start: ArrayLike | None = None,
    max_iterations: int = MAX_ITERATIONS,
) -> Relabelling:
    """Relabel so that the points allocated to a label stay close to its centre, as in k-means.

    Alternates between the centre and spread (m_j, s_j) of the points that the relabelled draws
    allocate to each label and, for each draw, the permutation that minimises
    ``sum_i ((y_i - m_j) / s_j)^2`` over the points i of label j. The squares are those of
    Rodriguez & Walker; centres are pooled over all draws in every round, which has no trouble
    with components that are empty in some draws.

    Parameters
    ----------
    y : array_like, shape (point,)
        The data.
    allocations, components, start, max_iterations
        As in `ecr_iterative_1`.

    References
    ----------
    Rodriguez & Walker (2014), JCGS 23, 25-45, section on data-based relabelling.
    """
    z = _check_allocations("allocations", allocations, components)
    y = finite("y", y)
    if y.shape != z.shape[2:] or np.ptp(y) == 0:
        raise ValueError(
            f"y must hold {z.shape[2]} values, not all equal, got shape {y.shape} "
            f"and a range of {np.ptp(y) if y.size else 0:.6g}"
        )
    standard = (y - y.mean()) / y.std()
    moments = _allocated_moments(standard, z.reshape(-1, z.shape[2]), components)

    def step(permutation: Permutation) -> Permutation:
        return best_assignment(-_distances(moments, permutation))

    return iterate(step, _start(z, components, start), z.shape[:2], max_iterations)


def sample_allocations(responsibilities: ArrayLike, rng: np.random.Generator) -> Allocations:
    """Allocations drawn from their responsibilities, shape (chain, draw, point).

    For models whose allocations are summed out, as PyMC's and Stan's are.
    """
    p = check_responsibilities(responsibilities)
    uniform = rng.random((*p.shape[:3], 1))
    below = uniform > np.cumsum(p, axis=-1)[..., :-1]
    return np.asarray(below.sum(axis=-1), dtype=np.int64)


def _check_allocations(name: str, allocations: ArrayLike, components: int) -> Allocations:
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
    return array.astype(np.int64, copy=False)


def _matches(flat: Allocations, pivot: Allocations, components: int) -> Array:
    """Points of each draw with pivot label j that are allocated to component k, (draw, j, k)."""
    cells = components**2
    counts = [np.bincount(pivot * components + z, minlength=cells) for z in flat]
    return np.array(counts, dtype=np.float64).reshape(-1, components, components)


def _start(z: Allocations, components: int, start: ArrayLike | None) -> Permutation:
    if start is not None:
        return start_permutation(start, (*z.shape[:2], components))
    flat = z.reshape(-1, z.shape[2])
    return best_assignment(_matches(flat, flat[0], components))


def _allocated_moments(y: Array, flat: Allocations, components: int) -> Array:
    """Number, sum and sum of squares of the points of each component; (power, draw, component)."""
    weights = (None, y, y**2)
    return np.array(
        [[np.bincount(z, power, minlength=components) for z in flat] for power in weights],
        dtype=np.float64,
    )


def _distances(moments: Array, permutation: Permutation) -> Array:
    """Squared standardised distance of component k from the centre of label j, (draw, j, k)."""
    number, first, second = np.take_along_axis(moments, permutation[None], axis=-1).sum(axis=1)
    filled = number > 0
    centre = np.divide(first, number, out=np.zeros_like(first), where=filled)
    variance = np.divide(second, number, out=np.ones_like(second), where=filled) - centre**2
    variance = np.maximum(variance, np.finfo(np.float64).eps)[:, None]
    n, s1, s2 = (values[:, None, :] for values in moments)
    centre = centre[:, None]
    return (s2 - 2 * centre * s1 + centre**2 * n) / variance
