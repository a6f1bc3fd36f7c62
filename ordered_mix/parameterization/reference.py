"""The reference prior as numbers: density and draws without PyMC, what every model is held to."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from ordered_mix.mixture import Array, Mixture
from ordered_mix.prior import Prior


def log_density(prior: Prior, mixture: Mixture) -> Array:
    """Log density of the reference prior at (w_1 .. w_(K-1), mu, sigma), unfolded; shape (...).

    Known weights or scales are left out.
    """
    deviation = (mixture.mu - prior.location) / prior.spread
    terms = -0.5 * deviation**2 - np.log(prior.spread) - 0.5 * np.log(2 * np.pi)
    if prior.known_sigma is None:
        terms = terms + _log_density_scales(prior, mixture.sigma)
    density = np.sum(terms, axis=-1)
    if prior.known_w is None and mixture.k > 1:
        count, total = prior.concentration, mixture.k * prior.concentration
        powers = (count - 1) * np.log(mixture.w)
        density = density + gammaln(total) - mixture.k * gammaln(count) + powers.sum(axis=-1)
    return density


def draw(prior: Prior, k: int, size: int, rng: np.random.Generator) -> Mixture:
    """Independent draws of the reference prior, components as they come; batch shape (size,)."""
    shape = (size, k)
    mu = rng.normal(prior.location, prior.spread, shape)
    if prior.known_sigma is not None:
        sigma = np.full(shape, prior.known_sigma)
    elif prior.scale_family == "half_normal":
        sigma = np.abs(rng.normal(0.0, prior.scale, shape))
    else:
        sigma = prior.scale / np.sqrt(rng.gamma(2.0, 1.0, shape))
    w = rng.dirichlet(np.full(k, prior.concentration), size)
    return Mixture(w if prior.known_w is None else np.array(prior.known_w), mu, sigma)


def _log_density_scales(prior: Prior, sigma: Array) -> Array:
    if prior.scale_family == "half_normal":
        return 0.5 * np.log(2 / np.pi) - np.log(prior.scale) - 0.5 * (sigma / prior.scale) ** 2
    # sigma^2 ~ InverseGamma(2, scale^2), times d(sigma^2) / d(sigma) = 2 sigma
    return np.log(2.0) + 4 * np.log(prior.scale) - 5 * np.log(sigma) - (prior.scale / sigma) ** 2
