"""The data-based relabelling of Rodriguez & Walker: labels keep the centres of their points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, finite
from ordered_mix.draws.relabel.assignment import (
    Permutation,
    Relabelling,
    assigned,
    best_assignment,
    best_of,
    references,
)
from ordered_mix.draws.relabel.ecr import Allocations, align, check_allocations
from ordered_mix.draws.relabel.stephens import MAX_ITERATIONS, start_permutation


def data_based(
    y: ArrayLike,
    allocations: ArrayLike,
    components: int,
    start: ArrayLike | None = None,
    starts: int = 1,
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
    allocations, components, start, starts, max_iterations
        As in `ecr_iterative_1`.

    Returns
    -------
    Relabelling
        Its loss is the sum of the squares.

    References
    ----------
    Rodriguez & Walker (2014), JCGS 23, 25-45, section on data-based relabelling.
    """
    y, z = _checked(y, allocations, components)
    flat = z.reshape(-1, z.shape[2])
    moments = _moments((y - y.mean()) / y.std(), flat, components)

    def step(permutation: Permutation) -> tuple[Permutation, float]:
        gain = -_distances(moments, *_centres(moments, permutation))
        found = best_assignment(gain)
        return found, -assigned(gain, found)

    if start is None:
        begun = [align(flat, draw, components) for draw in references(len(flat), starts)]
    else:
        begun = [start_permutation(start, (*z.shape[:2], components))]
    return best_of(step, begun, z.shape[:2], max_iterations)


def data_based_running(y: ArrayLike, allocations: ArrayLike, components: int) -> Relabelling:
    """The data-based method with running centres, as in the R package label.switching 1.8.

    Centres start at ``min y + range / (K + 1)`` for every label and spreads at ``range / K``. In
    the order of the draws, each is assigned to the centres so far, which then become the averages
    of the means and standard deviations of the points of each label. Then all draws are assigned
    to the last centres, once. The result depends on the order of the draws. All labels have one
    centre at first, so that the first draw may be assigned at will: its components are reversed,
    as the package does with two.

    Parameters
    ----------
    y, allocations, components
        As in `data_based`.

    References
    ----------
    Rodriguez & Walker (2014), JCGS 23, 25-45, algorithms 5 and 6. Papastamoulis (2016), JSS 69,
    whose package keeps a centre (a spread) while its label holds no (at most one) point.
    """
    y, z = _checked(y, allocations, components)
    moments = _moments(y - y.mean(), z.reshape(-1, z.shape[2]), components)
    reach = float(np.ptp(y))
    centre = np.full(components, y.min() - y.mean() + reach / (components + 1))
    spread = np.full(components, reach / components)
    seen = np.zeros((2, components))
    order = np.arange(components)[::-1]
    for index, draw in enumerate(np.moveaxis(moments, 1, 0)):
        if index:
            order = best_assignment(-_distances(draw[:, None], centre, spread**2))[0]
        number, first, second = draw[:, order]
        mean = np.divide(first, number, out=np.zeros(components), where=number > 0)
        residual = np.maximum(second - number * mean**2, 0)
        sd = np.sqrt(np.divide(residual, number - 1, out=np.zeros(components), where=number > 1))
        seen += number > np.array([[0], [1]])
        centre = np.where(number > 0, centre + (mean - centre) / np.maximum(seen[0], 1), centre)
        spread = np.where(number > 1, spread + (sd - spread) / np.maximum(seen[1], 1), spread)
    gain = -_distances(moments, centre, spread**2)
    permutation = best_assignment(gain)
    loss = -assigned(gain, permutation)
    return Relabelling(permutation.reshape(*z.shape[:2], components), loss=loss)


def _checked(y: ArrayLike, allocations: ArrayLike, components: int) -> tuple[Array, Allocations]:
    z = check_allocations("allocations", allocations, components)
    y = finite("y", y)
    if y.shape != z.shape[2:] or np.ptp(y) == 0:
        raise ValueError(
            f"y must hold {z.shape[2]} values, not all equal, got shape {y.shape} "
            f"and a range of {np.ptp(y) if y.size else 0:.6g}"
        )
    return y, z


def _moments(y: Array, flat: Allocations, components: int) -> Array:
    """Number, sum and sum of squares of the points of each component; (power, draw, component)."""
    weights = (None, y, y**2)
    return np.array(
        [[np.bincount(z, power, minlength=components) for z in flat] for power in weights],
        dtype=np.float64,
    )


def _centres(moments: Array, permutation: Permutation) -> tuple[Array, Array]:
    """Mean and variance of the points that the relabelled draws allocate to each label."""
    number, first, second = np.take_along_axis(moments, permutation[None], axis=-1).sum(axis=1)
    filled = number > 0
    centre = np.divide(first, number, out=np.zeros_like(first), where=filled)
    variance = np.divide(second, number, out=np.ones_like(second), where=filled) - centre**2
    return centre, variance


def _distances(moments: Array, centre: Array, variance: Array) -> Array:
    """Squared standardised distance of component k from the centre of label j, (draw, j, k)."""
    variance = np.maximum(variance, np.finfo(np.float64).eps)[:, None]
    n, s1, s2 = (values[:, None, :] for values in moments)
    centre = centre[:, None]
    return (s2 - 2 * centre * s1 + centre**2 * n) / variance
