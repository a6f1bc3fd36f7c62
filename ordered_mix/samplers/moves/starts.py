"""Starts on stationary coordinates, which nutpie cannot take, are moved by next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ordered_mix.mixture import Array

Density = Callable[[Array], tuple[float, Array]]

# far above rounding, so that the same starts move on every machine
STATIONARY = 1e-9
# moves in units of the posterior, 1 / sqrt(curvature), tried in turn: a hundredth is nothing beside
# it, and less costs warm-up, since the inverse slope is nutpie's first guess of a variance
STEPS = (0.01, 0.1, 1.0)
PROBE = 1e-6


class Starts(NamedTuple):
    """Unconstrained coordinates, shape (chain, dimension), and how far each chain was moved."""

    points: Array
    moved: Array


def off_stationary(points: Array, density: Density) -> Starts:
    """Move each start off its stationary coordinates, where the slope is zero but for rounding.

    Parameters
    ----------
    points : array, shape (chain, dimension)
        Unconstrained coordinates of the starts.
    density : callable
        Log density at a point and its gradient.

    Returns
    -------
    Starts
        ``moved`` is the distance in unconstrained coordinates, shape (chain,), mostly 0.

    Raises
    ------
    ValueError
        If the density or its gradient is not finite at a start, or does not depend on a coordinate.
    """
    found = np.stack([_moved(chain, point, density) for chain, point in enumerate(points)])
    return Starts(found, np.linalg.norm(found - points, axis=-1))


def _moved(chain: int, point: Array, density: Density) -> Array:
    value, slope = density(point)
    if not (np.isfinite(value) and np.isfinite(slope).all()):
        raise ValueError(
            f"starts must have a finite log posterior and gradient, that of chain {chain} has "
            f"{value:g} and {slope}"
        )
    still = np.abs(slope) <= STATIONARY
    if not still.any():
        return point
    # unequal steps, lest a move keeps a symmetry
    steps = still / (1 + np.arange(point.size))
    curvature = np.abs(density(point + PROBE * steps)[1] - slope) / PROBE
    steps /= np.sqrt(np.where(curvature > 1, curvature, 1))
    for size in STEPS:
        trial = point + size * steps
        value, slope = density(trial)
        if np.isfinite(value) and np.isfinite(slope).all() and np.abs(slope).min() > STATIONARY:
            return trial
    raise ValueError(
        f"the log posterior must depend on every coordinate, near the start of chain {chain} "
        f"it does not depend on those numbered {np.flatnonzero(still)}"
    )
