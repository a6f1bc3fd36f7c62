"""The information of labelled data at a mixture as a unit of length for the optimiser."""

from __future__ import annotations

from typing import Any

import numpy as np

from ordered_mix.mixture import Array
from ordered_mix.parameterization.multivariate import MultivariateParameterization

STEP = 1e-6


def labelled_information(parameterization: Any, data: Any, z: Array) -> Array:
    """Expected information of the data and their labels, plus 1 for the prior.

    If the components were known, n points would have the information n / w_k in a weight,
    n w_k / sigma_k^2 in a mean and 2 n w_k / sigma_k^2 in a scale (McLachlan & Krishnan 2008,
    section 4.2); in several dimensions that of a normal sample in its mean and covariance. It is
    never singular, needs no pass over the data, and says how far a coordinate can move before the
    density changes.

    Parameters
    ----------
    parameterization : Parameterization or MultivariateParameterization
    data : Data or Stream
        One sample, weighted or not.
    z : array, shape (dimension,)

    Returns
    -------
    array, shape (dimension, dimension)
    """
    size = float(data.total_weight)
    shifts = STEP * np.maximum(1.0, np.abs(z)) * np.eye(z.size)
    if isinstance(parameterization, MultivariateParameterization):
        ends = (parameterization.parameters(z + shift) for shift in (shifts, -shifts))
        pairs = zip(*ends, strict=True)
        moved = _whitened(parameterization.parameters(z), [one - other for one, other in pairs])
    else:
        at = parameterization.forward(z)
        ahead, behind = (parameterization.forward(z + shift) for shift in (shifts, -shifts))
        units = {"w": at.w**-0.5, "mu": at.w**0.5 / at.sigma, "sigma": (2 * at.w) ** 0.5 / at.sigma}
        moved = np.concatenate(
            [unit * (getattr(ahead, name) - getattr(behind, name)) for name, unit in units.items()],
            axis=-1,
        )
    jacobian = moved / (2 * np.diag(shifts))[:, None]
    return np.asarray(size * jacobian @ jacobian.T + np.eye(z.size))


def _whitened(at: tuple[Array, ...], moved: list[Array]) -> Array:
    """Changes of (w, mu, root) in units of what one labelled point says of them.

    With G = L^-1 dL the information of a covariance is the square of (G + G^T) / sqrt 2.
    """
    w, _, root = at
    dw, dmu, droot = moved
    inverse = np.linalg.inv(root)
    share = np.sqrt(w)
    means = share[:, None] * np.einsum("kij,zkj->zki", inverse, dmu)
    turned = inverse @ droot
    both = share[:, None, None] * (turned + np.swapaxes(turned, -1, -2)) / np.sqrt(2)
    pieces = (dw / share, means, both)
    return np.concatenate([piece.reshape(len(dw), -1) for piece in pieces], axis=-1)


def expected_gain(information: Array, gradient: Array) -> float:
    """What a Newton step in this metric would add to the log density; it knows no unit."""
    return float(gradient @ np.linalg.solve(information, gradient)) / 2
