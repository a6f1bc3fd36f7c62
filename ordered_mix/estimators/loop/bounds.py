"""Which coordinates have bounds, and which are positive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ordered_mix.parameterization.parameterization import Parameterization

Array = NDArray[np.float64]


def lower_bounds(parameterization: Parameterization, kind: str) -> Array:
    """Lower bounds kept by projection, shape (dimension,).

    Transforms keep them by themselves; a coordinate without one is the same free or not.
    """
    lower = parameterization.lower
    if kind == "free":
        return lower
    probes = np.random.default_rng(1).standard_normal((8, lower.size))
    moved = np.any(parameterization.free(probes) != probes, axis=0)
    return np.where(moved, -np.inf, lower)


def positive_ones(parameterization: Parameterization, kind: str) -> NDArray[np.bool_]:
    """Which coordinates are positive, shape (dimension,)."""
    lower = lower_bounds(parameterization, kind)
    if kind != "free":
        return lower >= 0
    probes = np.random.default_rng(1).standard_normal((64, lower.size))
    return (lower >= 0) | np.all(parameterization.free(probes) > 0, axis=0)
