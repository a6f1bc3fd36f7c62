"""Rates of EM and ECM in the means, from the information (Dempster et al. 1977) and from paths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.estimators.loop.directions import mean_directions
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.observed import observed_information

WINDOW = (1e-6, 1e-3)
"""Distances from the limit between which a path has its rate; below, rounding takes over."""


def local_rate(
    mixture: Mixture,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    label: str = "unordered",
) -> float:
    """Spectral radius of one iteration's Jacobian at a fixed point, weights and scales known.

    Near the fixed point each iteration multiplies the error by this number.

    Parameters
    ----------
    mixture : Mixture
        A single one, at a stationary point of the likelihood of the data.
    y : array_like, shape (n,)
        Points.
    weight : array_like, shape (n,), optional
        Their weights; each counts once by default.
    label : str
        The coordinates in which ECM sweeps over the means, as ``relative(reference=2)``; by
        default each mean is a coordinate, which is EM.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If mixture is a batch, or the coordinates are not known.

    Notes
    -----
    ``I - DM_EM = I_com^-1 I_obs``. A sweep of ECM goes part of the way to where EM would go:
    ``I - DM_ECM = (I - G)(I - DM_EM)`` with G the product, over the coordinates, of what an exact
    step along one of them leaves of the error (Meng & Rubin 1993).
    """
    k = mixture.k
    means = slice(k, 2 * k)
    observed = observed_information(mixture, y, weight)[means, means]
    points = np.asarray(y, dtype=np.float64)
    weights = np.ones(points.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    share = weights @ mixture.responsibilities(points) / weights.sum()
    complete = share / mixture.sigma**2
    progress = observed / complete[:, None]
    swept = mean_directions(catalog.parameterization(label, k))
    progress = (np.eye(k) - _left(complete, [one.at(mixture.w) for one in swept])) @ progress
    return float(np.abs(np.linalg.eigvals(np.eye(k) - progress)).max())


def tail_rate(path: ArrayLike, limit: ArrayLike, window: tuple[float, float] = WINDOW) -> float:
    """Factor by which one iteration shrinks the distance to the limit, once it is small.

    Parameters
    ----------
    path : array_like, shape (iterations, k)
        Where each iteration was.
    limit : array_like, shape (k,)
        Where they go.
    window : tuple of float
        Distances between which the rate is taken, from the middle of these iterations to their
        end; nearer ones are rounding.

    Returns
    -------
    float
        NaN if fewer than 2 iterations are inside the window.
    """
    distance = np.linalg.norm(np.asarray(path) - np.asarray(limit), axis=1)
    inside = np.flatnonzero((distance > window[0]) & (distance < window[1]))
    if len(inside) < 2:
        return float("nan")
    first, last = inside[len(inside) // 2 - 1], inside[-1]
    return float((distance[last] / distance[first]) ** (1 / (last - first)))


def _left(complete: Array, directions: Sequence[Array]) -> Array:
    """What a sweep of exact steps leaves of an error, shape (k, k)."""
    left = np.eye(len(complete))
    for direction in directions:
        pull = direction * complete
        left = left - np.outer(direction, pull @ left) / (pull @ direction)
    return left
