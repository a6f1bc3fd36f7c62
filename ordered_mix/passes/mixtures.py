"""The compiled pass over numbers or over points, for mixtures as values."""

from __future__ import annotations

from ordered_mix.mixture import Array, Mixture
from ordered_mix.passes import kernels, multivariate_pass


def log_density(y: Array, mixture: Mixture) -> Array:
    """Log density at the points y, shape (n,) or (n, d); returns shape (..., n)."""
    if mixture.event_shape:
        return multivariate_pass.log_density(y, mixture.w, mixture.mu, mixture.root)
    return kernels.log_density(y, mixture.w, mixture.mu, mixture.sigma)


def log_likelihood(y: Array, mixture: Mixture, weight: Array | None = None) -> Array:
    """Log likelihood of all points, shape (...)."""
    w, mu = mixture.w, mixture.mu
    if mixture.event_shape:
        return multivariate_pass.white_pass(y, w, mu, mixture.root, weight).log_likelihood
    return kernels.e_step(y, w, mu, mixture.sigma, weight=weight).log_likelihood
