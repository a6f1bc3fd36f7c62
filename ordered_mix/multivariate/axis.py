"""Directions along which components are ordered: by number, by name, by vector."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.arrays import unit_axis

if TYPE_CHECKING:
    from ordered_mix.data import Data
    from ordered_mix.mixture import Mixture

Array = NDArray[np.float64]

DIRECTIONS = ("principal", "discriminant")
"""Names of directions that data give; a column of that name comes first."""


def axis_of(axis: Any, data: Data, mixture: Mixture | None = None) -> Array:
    """A unit vector of whatever names a direction in the space of these data, shape (d,).

    Parameters
    ----------
    axis : str, int or array_like, shape (d,)
        The name of a column; ``principal``, along which the standardised points vary most;
        ``discriminant``, along which the components are farthest apart for their width (Fisher
        1936, Annals of Eugenics 7, 179-188); or what `unit_axis` takes.
    data : Data
        One sample.
    mixture : Mixture, optional
        A fit with several components, which ``discriminant`` needs.

    Raises
    ------
    ValueError
        If it names no direction, or that of one component is asked for.
    """
    if not isinstance(axis, str):
        return unit_axis(axis, data.d)
    if axis in data.columns:
        return np.eye(data.d)[data.columns.index(axis)]
    if axis == "principal":
        # the last eigenvector, as a vector that multiplies points in their own units
        return _upwards(np.linalg.eigh(data.correlation)[1][:, -1] / data.scale)
    if axis == "discriminant":
        if mixture is None or mixture.k < 2:
            raise ValueError("axis 'discriminant' needs a fit with at least two components")
        return discriminant(mixture)
    raise ValueError(
        f"axis must be one of {', '.join((*data.columns, *DIRECTIONS))}, a coordinate from 0 to "
        f"{data.d - 1} or a direction of {data.d} numbers, got {axis!r}"
    )


def discriminant(mixture: Mixture) -> Array:
    """Direction of the largest variance between the components of one mixture for that within."""
    within = np.einsum("k,kij->ij", mixture.w, mixture.covariance)
    inverse = np.linalg.inv(np.linalg.cholesky(within))
    between = inverse @ (mixture.total_covariance() - within) @ inverse.T
    return _upwards(np.linalg.eigh(between)[1][:, -1] @ inverse)


def _upwards(vector: Array) -> Array:
    """The unit vector with this direction or its opposite whose largest entry is positive."""
    sign = math.copysign(1.0, vector[np.argmax(np.abs(vector))])
    return sign * vector / np.linalg.norm(vector)


def frame(a: Array, spread: Array) -> tuple[Array, Array]:
    """Regression b (d,) of independent normal means on a.mu, and E (d, d - 1) of what is left.

    With the means' standard deviations ``spread``, ``mu = (a.mu) b + E v`` where v is standard
    normal and independent of a.mu.
    """
    c = spread * a / np.linalg.norm(spread * a)
    # a reflection that takes the largest entry's unit vector to c: the rest spans what is left
    at = int(np.argmax(np.abs(c)))
    sign = math.copysign(1.0, c[at])
    h = c - sign * np.eye(c.size)[at]
    square = float(h @ h)
    reflection = np.eye(c.size) - (2 / square * np.outer(h, h) if square > 0 else 0.0)
    b = spread * c / np.linalg.norm(spread * a)
    return b, spread[:, None] * np.delete(reflection, at, axis=1)
