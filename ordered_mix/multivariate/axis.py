"""Directions along which components are ordered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def unit_axis(axis: Any, d: int) -> Array:
    """A unit vector of a coordinate or of a direction, shape (d,).

    Parameters
    ----------
    axis : int or array_like, shape (d,)
        A coordinate, from 0, or a direction of any length.
    d : int
        Number of dimensions.

    Raises
    ------
    ValueError
        If it is neither, or has no direction.
    """
    if isinstance(axis, int | np.integer) and 0 <= axis < d:
        return np.eye(d)[int(axis)]
    try:
        vector = np.asarray(axis, dtype=np.float64)
    except (TypeError, ValueError):
        vector = np.empty(0)
    length = np.linalg.norm(vector) if vector.shape == (d,) else 0.0
    if not 0 < length < np.inf:
        raise ValueError(
            f"axis must be a coordinate from 0 to {d - 1} or a direction of {d} numbers, "
            f"got {axis!r}"
        )
    return vector / length
