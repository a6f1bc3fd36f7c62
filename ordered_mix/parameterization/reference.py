"""The reference prior as numbers: density and draws without PyMC, what every model is held to."""

from __future__ import annotations

import numpy as np

from ordered_mix.mixture import Array, Mixture
from ordered_mix.prior.prior import SHARE, Prior


def log_density(prior: Prior, mixture: Mixture) -> Array:
    """Log density of the reference prior at (w_1 .. w_(K-1), mu, sigma), unfolded; shape (...).

    Known values are left out; a common scale counts once.
    """
    density = np.zeros(mixture.batch_shape)
    if prior.known_mu is None:
        deviation = (mixture.mu - prior.location) / prior.spread
        terms = -0.5 * deviation**2 - np.log(prior.spread) - 0.5 * np.log(2 * np.pi)
        density = density + np.sum(terms, axis=-1)
    if prior.known_sigma is None:
        sigma = mixture.sigma[..., :1] if prior.common_scale else mixture.sigma
        density = density + log_density_scales(prior, sigma)
    if prior.known_w is None and mixture.k > 1:
        from scipy.special import gammaln

        count, total = prior.concentration, mixture.k * prior.concentration
        powers = (count - 1) * np.log(mixture.w)
        density = density + gammaln(total) - mixture.k * gammaln(count) + powers.sum(axis=-1)
    return density


def draw(prior: Prior, k: int, size: int, rng: np.random.Generator) -> Mixture:
    """Independent draws of the reference prior, components as they come; batch shape (size,)."""
    shape, common = (size, k), prior.common_scale
    mu = rng.normal(prior.location, prior.spread, shape)
    if prior.known_mu is not None:
        mu = np.broadcast_to(prior.known_mu, shape)
    # one draw in place of k where the scale is common
    shape = (size, 1) if common else shape
    if prior.known_sigma is not None:
        sigma = np.broadcast_to(np.asarray(prior.known_sigma, dtype=float), shape)
    elif prior.scale_family == "half_normal":
        sigma = np.abs(rng.normal(0.0, prior.scale, shape))
    elif prior.scale_family == "adaptive":
        root_beta = prior.scale / SHARE / np.sqrt(rng.gamma(0.5, 1.0, (size, 1)))
        sigma = root_beta / np.sqrt(rng.gamma(2.0, 1.0, shape))
    else:
        sigma = prior.scale / np.sqrt(rng.gamma(2.0, 1.0, shape))
    sigma = np.broadcast_to(sigma, (size, k))
    # of one gamma numpy makes a weight that misses 1 by rounding
    w = rng.dirichlet(np.full(k, prior.concentration), size) if k > 1 else np.ones((size, k))
    return Mixture(w if prior.known_w is None else np.array(prior.known_w), mu, sigma)


def log_density_scales(prior: Prior, sigma: Array) -> Array:
    """Joint log density of the scales along the last axis of sigma; shape (...)."""
    if prior.scale_family == "adaptive":
        return _log_density_adaptive(prior.scale / SHARE, sigma)
    log_scale = np.log(prior.scale)
    if prior.scale_family == "half_normal":
        terms = 0.5 * np.log(2 / np.pi) - log_scale - 0.5 * (sigma / prior.scale) ** 2
    else:
        # sigma^2 ~ InverseGamma(2, scale^2), times d(sigma^2) / d(sigma) = 2 sigma
        terms = np.log(2.0) + 4 * log_scale - 5 * np.log(sigma) - (prior.scale / sigma) ** 2
    return terms.sum(axis=-1)


def _log_density_adaptive(root: float, sigma: Array) -> Array:
    k, log_root = sigma.shape[-1], np.log(root)
    log_sigma = np.log(sigma)
    smallest = log_sigma.min(axis=-1, keepdims=True)
    # S = sum sigma^-2, and the argument x of the Bessel function
    log_s = np.log(np.exp(2 * (smallest - log_sigma)).sum(axis=-1)) - 2 * smallest[..., 0]
    x = 2 * np.exp(log_root + 0.5 * log_s)
    density = k * (np.log(2.0) + 2 * log_root - log_s) - 5 * log_sigma.sum(axis=-1) - x
    # K_(1/2) times the ratios K_(m + 1/2) / K_(m - 1/2), by the recurrence (DLMF 10.29.1)
    ratio = 1 + 1 / x
    for m in range(1, 2 * k):
        density = density + np.log(ratio)
        ratio = 1 / ratio + (2 * m + 1) / x
    return density
