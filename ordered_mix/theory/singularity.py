"""The way to the singularity where components coincide: paths, and exponents at their end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.mixture import Array, Mixture


def merging(mixture: Mixture, fractions: ArrayLike) -> Mixture:
    """Path to the singularity where all means coincide, at the mixture's mean.

    Parameters
    ----------
    mixture : Mixture
        A single one, where the path begins.
    fractions : array_like, shape (points,)
        What is left of each gap.

    Returns
    -------
    Mixture, batch shape (points,)
    """
    if mixture.batch_shape:
        raise ValueError(f"mixture must be a single one, got a batch of {mixture.batch_shape}")
    left = np.asarray(fractions, dtype=np.float64)[:, None]
    return Mixture(mixture.w, mixture.mean() + left * (mixture.mu - mixture.mean()), mixture.sigma)


def two_normals(separation: float, weight: float = 0.5) -> Mixture:
    """Two normals of unit scale around the mixture mean 0.

    Parameters
    ----------
    separation : float
        Distance of the means; the singularity is at 0.
    weight : float
        Of the first one.
    """
    means = separation * np.array([weight - 1, weight])
    return Mixture(np.array([weight, 1 - weight]), means, np.ones(2))


class Slope(NamedTuple):
    """Exponent p of ``value ~ gap^p`` as the gap vanishes.

    Attributes
    ----------
    exponent : float
        Extrapolated to gap 0.
    error : float
        Distance to the last local slope.
    local : ndarray, shape (points - 1,)
        Log-log slopes between neighbouring points, from the largest gap to the smallest.
    """

    exponent: float
    error: float
    local: Array


def loglog_slope(gap: ArrayLike, value: ArrayLike, correction: float = 2.0) -> Slope:
    """Log-log slope as the gap vanishes, extrapolated from the three smallest gaps.

    Parameters
    ----------
    gap, value : array_like, shape (points,)
        At least three points, positive.
    correction : float
        The leading term has a correction of relative order ``gap^correction``.

    Raises
    ------
    ValueError
        If the shapes differ, or there are fewer than three points, or one is not positive.
    """
    gaps, values = np.asarray(gap, dtype=np.float64), np.asarray(value, dtype=np.float64)
    if gaps.ndim != 1 or gaps.shape != values.shape or gaps.size < 3:
        raise ValueError(
            f"gap and value must be three or more points each, got {gaps.shape} and {values.shape}"
        )
    if not (np.all(gaps > 0) and np.all(values > 0)):
        raise ValueError("gap and value must be positive, one of them is not")
    order = np.argsort(-gaps)
    gaps, values = gaps[order], values[order]
    local = np.diff(np.log(values)) / np.diff(np.log(gaps))
    near, far = np.sqrt(gaps[-2:] * gaps[-3:-1])[::-1] ** correction
    exponent = local[-1] - (local[-2] - local[-1]) * near / (far - near)
    return Slope(float(exponent), float(abs(exponent - local[-1])), local)
