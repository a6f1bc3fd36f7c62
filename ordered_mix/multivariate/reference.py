"""The reference prior in several dimensions: its density and its draws, without PyMC."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, kve, multigammaln
from scipy.stats import invwishart

from ordered_mix.multivariate.covariances import free_shape
from ordered_mix.multivariate.mixture import MultivariateMixture
from ordered_mix.multivariate.prior import MultivariatePrior

Array = NDArray[np.float64]


def log_density(prior: MultivariatePrior, mixture: MultivariateMixture) -> Array:
    """Log density at (w_1 .. w_(K-1), mu, free coordinates of the factors), unfolded; shape (...).

    The free coordinates are those of `covariances`: logs of the diagonal, and what is below it.
    """
    deviation = (mixture.mu - prior.location) / np.asarray(prior.spread)
    constant = np.sum(np.log(prior.spread)) + 0.5 * prior.d * np.log(2 * np.pi)
    density = -0.5 * np.sum(deviation**2, axis=(-1, -2)) - mixture.k * constant
    if mixture.k > 1:
        count, total = prior.concentration, mixture.k * prior.concentration
        powers = (count - 1) * np.log(mixture.w)
        density = density + gammaln(total) - mixture.k * gammaln(count) + powers.sum(axis=-1)
    return density + log_density_factors(prior, mixture.root)


def log_density_factors(prior: MultivariatePrior, root: Array) -> Array:
    """Joint log density of the free coordinates of Cholesky factors (..., k, d, d); shape (...).

    Of the Wishart's Jacobian, ``2^D prod_i L_ii^(D - i + 2)`` for i from 1 (Muirhead 1982, theorem
    2.1.9, and d L_ii = L_ii d log L_ii).
    """
    d, kind = prior.d, prior.covariance
    matrices, _ = free_shape(kind, root.shape[-3], d)
    logs = np.log(np.diagonal(root, axis1=-2, axis2=-1))[..., :matrices, :]
    inverse = np.linalg.inv(root[..., :matrices, :, :])
    precisions = np.sum(inverse**2, axis=-2)  # the diagonal of Sigma^-1
    if kind == "spherical":
        logs, precisions = logs[..., :1], precisions[..., :1]
    if kind in ("full", "tied"):
        constant = d * np.log(2.0) - multigammaln(0.5 * (d + 3), d)
        density = constant - logs @ (d + 2.0 + np.arange(1, d + 1))
    else:
        # v ~ InverseGamma(2, beta) and dv = 2 v d log L, with Gamma(2) = 1
        density = np.sum(np.log(2.0) - 4 * logs, axis=-1)
    total = precisions.sum(axis=-2)
    return density.sum(axis=-1) + _rates(prior, matrices * prior.power, total)


def _rates(prior: MultivariatePrior, power: float, total: Array) -> Array:
    """Log of ``prod_d beta_d^power exp(-beta_d total_d)``, or of its mean over the betas."""
    if prior.scale_family == "inverse_gamma":
        return np.sum(power * np.log(prior.betas) - prior.betas * total, axis=-1)
    b0, order = prior.b0, power - 0.5
    bessel = _log_bessel(order, 2 * np.sqrt(b0 * total))
    constant = 0.5 * np.log(b0) - gammaln(0.5) + np.log(2.0)
    return np.sum(constant + 0.5 * order * (np.log(b0) - np.log(total)) + bessel, axis=-1)


def _log_bessel(order: float, x: Array) -> Array:
    """Log of the Bessel function K, by its limit for small x where it overflows (DLMF 10.30.2)."""
    with np.errstate(divide="ignore", over="ignore"):
        value = np.log(kve(order, x)) - x
        limit = gammaln(order) - np.log(2.0) + order * (np.log(2.0) - np.log(x))
    return np.where(np.isfinite(value), value, limit)


def draw(
    prior: MultivariatePrior, k: int, size: int, rng: np.random.Generator
) -> MultivariateMixture:
    """Independent draws of the reference prior, components as they come; batch shape (size,)."""
    d = prior.d
    mu = rng.normal(prior.location, prior.spread, (size, k, d))
    w = rng.dirichlet(np.full(k, prior.concentration), size) if k > 1 else np.ones((size, k))
    beta = np.broadcast_to(prior.betas, (size, prior.betas.size))
    if prior.scale_family == "adaptive":
        beta = prior.b0 / rng.gamma(0.5, 1.0, beta.shape)
    root_beta = np.broadcast_to(np.sqrt(beta), (size, d))[:, None, :]
    covariance = _standard_draws(prior, k, size, rng)
    covariance = covariance * root_beta[..., :, None] * root_beta[..., None, :]
    return MultivariateMixture(w, mu, np.broadcast_to(covariance, (size, k, d, d)))


def _standard_draws(prior: MultivariatePrior, k: int, size: int, rng: np.random.Generator) -> Array:
    """Covariances at beta = 1, shape (size, k or 1, d, d)."""
    d, (matrices, _) = prior.d, free_shape(prior.covariance, k, prior.d)
    if prior.covariance in ("full", "tied"):
        drawn = invwishart(d + 3, 2 * np.eye(d)).rvs(size * matrices, random_state=rng)
        return np.reshape(drawn, (size, matrices, d, d))
    own = 1 if prior.covariance == "spherical" else d
    return 1 / rng.gamma(2.0, 1.0, (size, k, own, 1)) * np.eye(d)
