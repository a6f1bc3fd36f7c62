"""Directions in which the coordinates of a parameterization move the means, from its Jacobian."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ordered_mix.mixture import Array
from ordered_mix.parameterization.graphs import MixtureGraph
from ordered_mix.parameterization.parameterization import NotApplicable, Parameterization
from ordered_mix.prior import Prior

TOLERANCE = 1e-10


class Direction(NamedTuple):
    """How one coordinate moves the means, weights and scales held.

    Parameters
    ----------
    vector : array, shape (k,) or (k, k)
        The direction, or the matrix that makes it from the weights, ``w @ matrix``.
    gap : int, optional
        The one gap that it widens, by as much as the step; None if it is not of this kind.
    column : int
        Place of the coordinate among all of them.
    """

    vector: Array
    gap: int | None
    column: int

    def at(self, w: Array) -> Array:
        """The direction at weights (..., k); shape (..., k), or (k,) if the same for all."""
        return w @ self.vector if self.vector.ndim == 2 else self.vector


def mean_directions(parameterization: Parameterization) -> tuple[Direction, ...]:
    """The directions of all coordinates of the means: location, then gaps from the reference on.

    They are columns of the Jacobian, measured at a few points, up to their length, which a
    conditional maximum does not depend on.

    Raises
    ------
    NotApplicable
        If some coordinates move the means along curves, or move scales with them.
    """
    found = _measured(parameterization.graph, parameterization.prior)
    chained = "mu" in parameterization.domain.orders
    if found is None or (chained and sum(one.gap is None for one in found) != 1):
        raise NotApplicable(
            f"ECM needs coordinates that move the means alone, along straight lines, and those of "
            f"{parameterization.label} do not: they have no closed conditional steps"
        )
    return found


@lru_cache(maxsize=64)
def _measured(graph: MixtureGraph, prior: Prior) -> tuple[Direction, ...] | None:
    k = graph.k
    z = np.random.default_rng(0).standard_normal((4 * k + 4, graph.dimension))
    jacobian, w = graph.jacobian(z, prior), np.asarray(graph.forward(z, prior)[0])
    w = np.broadcast_to(w, (len(z), k))
    moves = np.abs(jacobian).max(axis=0) > TOLERANCE
    only_means = moves[k : 2 * k].any(axis=0) & ~moves[:k].any(axis=0) & ~moves[2 * k :].any(axis=0)
    columns = np.flatnonzero(only_means)
    if len(columns) != k:
        return None
    found = [_direction(w, jacobian[:, k : 2 * k, at], int(at)) for at in columns]
    return _in_order([one for one in found if one is not None], k)


def _direction(w: Array, columns: Array, at: int) -> Direction | None:
    """One direction from Jacobian columns (points, k), None if they are not on one line."""
    widened = np.diff(columns, axis=1)
    gaps = np.flatnonzero(np.abs(widened).max(axis=0) > TOLERANCE)
    if gaps.size == 1:
        gap, length = int(gaps[0]), widened[:, gaps]
    else:
        gap, largest = None, np.abs(columns).argmax(axis=1)[:, None]
        length = np.take_along_axis(columns, largest, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = columns / length
    if not np.isfinite(scaled).all():
        return None
    if np.ptp(scaled, axis=0).max() <= TOLERANCE:
        return Direction(scaled[0], gap, at)
    matrix = np.linalg.lstsq(w, scaled)[0]
    return Direction(matrix, gap, at) if _same(w @ matrix, scaled) else None


def _same(one: Array, other: Array) -> bool:
    return bool(np.abs(one - other).max() <= TOLERANCE)


def _in_order(found: list[Direction], k: int) -> tuple[Direction, ...] | None:
    if len(found) != k:
        return None
    gaps = {one.gap: one for one in found if one.gap is not None}
    location = [one for one in found if one.gap is None]
    if len(location) != 1 or len(gaps) != k - 1:
        return tuple(found)
    vectors = [one.vector for one in gaps.values()]
    still = [j for j in range(k) if all(v.ndim == 1 and v[j] == 0 for v in vectors)]
    reference = still[0] if still else 0
    outwards = [*range(reference, k - 1), *range(reference - 1, -1, -1)]
    return (*location, *(gaps[gap] for gap in outwards))
