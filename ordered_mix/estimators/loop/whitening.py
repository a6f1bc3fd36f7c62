"""The information of labelled data at a mixture as a unit of length for the optimiser."""

from __future__ import annotations

import numpy as np

from ordered_mix.data import Data
from ordered_mix.mixture import Array
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.stream.stream import Stream

STEP = 1e-6


def labelled_information(
    parameterization: Parameterization, data: Data | Stream, z: Array
) -> Array:
    """Expected information of the data and their labels, plus 1 for the prior.

    If the components were known, n points would have the information n / w_k in a weight,
    n w_k / sigma_k^2 in a mean and 2 n w_k / sigma_k^2 in a scale (McLachlan & Krishnan 2008,
    section 4.2). It is never singular, needs no pass over the data, and says how far a coordinate
    can move before the density changes.

    Parameters
    ----------
    parameterization : Parameterization
    data : Data or Stream
        One sample, weighted or not.
    z : array, shape (dimension,)

    Returns
    -------
    array, shape (dimension, dimension)
    """
    at = parameterization.forward(z)
    size = float(data.total_weight)
    known = size * np.concatenate([1 / at.w, at.w / at.sigma**2, 2 * at.w / at.sigma**2])
    shifts = STEP * np.maximum(1.0, np.abs(z)) * np.eye(z.size)
    ahead, behind = (parameterization.forward(z + shift) for shift in (shifts, -shifts))
    moved = [getattr(ahead, name) - getattr(behind, name) for name in ("w", "mu", "sigma")]
    jacobian = np.concatenate(moved, axis=-1) / (2 * np.diag(shifts))[:, None]
    return np.asarray(jacobian * known @ jacobian.T + np.eye(z.size))


def expected_gain(information: Array, gradient: Array) -> float:
    """What a Newton step in this metric would add to the log density; it knows no unit."""
    return float(gradient @ np.linalg.solve(information, gradient)) / 2
