"""Posterior mass towards scale 0 of a component that sits on tied values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LN_10 = np.log(10.0)


def decade_mass(
    y: ArrayLike,
    rest: ArrayLike,
    w: float,
    center: float,
    log_prior: Callable[[Array], Array],
    decades: ArrayLike,
    points: int = 64,
) -> Array:
    """Log10 of the posterior mass in each decade of one component's scale.

    The other components are given; the mean of this one is integrated over a window of 8 scales
    on either side of the tied value, the scale over a decade. With m tied values the likelihood
    goes like ``sigma^-m``, the window like sigma and the decade like sigma, so a prior that is
    positive at 0 gives a mass that grows like ``sigma^-(m - 2)``: the posterior is improper.

    Parameters
    ----------
    y : array_like, shape (n,)
        The points.
    rest : array_like, shape (n,)
        Weighted density of the other components at the points.
    w : float
        Weight of the component.
    center : float
        The tied value.
    log_prior : callable
        Log density of the scale, vectorised.
    decades : array_like, shape (decades,)
        Log10 of the upper end of each decade.
    points : int
        Of the trapezoid rule over a decade.

    Returns
    -------
    ndarray, shape (decades,)
        Up to a constant, which is the same for all.
    """
    values = np.asarray(y, dtype=np.float64)
    other = np.log(np.asarray(rest, dtype=np.float64))
    window = np.linspace(-8, 8, 129)
    steps = np.linspace(-1, 0, points + 1)
    share = np.full(points + 1, 1 / points)
    share[[0, -1]] /= 2
    found = []
    for top in np.asarray(decades, dtype=np.float64):
        sigma = 10 ** (top + steps)
        z = (values - center)[:, None, None] / sigma[:, None] - window
        own = np.log(w) - 0.5 * np.log(2 * np.pi) - np.log(sigma)[:, None] - 0.5 * z**2
        log_likelihood = np.logaddexp(other[:, None, None], own).sum(axis=0)
        terms = log_likelihood + (2 * np.log(sigma) + log_prior(sigma) + np.log(share))[:, None]
        highest = terms.max()
        mass = np.exp(terms - highest).sum() * (window[1] - window[0])
        found.append(highest + np.log(mass))
    return np.asarray(found) / LN_10


def half_normal(scale: float) -> Callable[[Array], Array]:
    """Log density of HalfNormal(scale)."""
    return lambda sigma: 0.5 * np.log(2 / np.pi) - np.log(scale) - 0.5 * (sigma / scale) ** 2


def root_inverse_gamma(scale: float) -> Callable[[Array], Array]:
    """Log density of sigma when ``sigma^2 ~ InverseGamma(2, scale^2)``."""
    return lambda sigma: np.log(2.0) + 4 * np.log(scale) - 5 * np.log(sigma) - (scale / sigma) ** 2
