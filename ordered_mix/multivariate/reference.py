"""The reference prior in several dimensions: its density and its draws, without PyMC."""

from __future__ import annotations

import numpy as np
import scipy  # its submodules are imported when they are used, which EM alone does not
from numpy.typing import NDArray

from ordered_mix.mixture import Mixture
from ordered_mix.multivariate.covariances import free_shape
from ordered_mix.multivariate.prior import MultivariatePrior

Array = NDArray[np.float64]


def log_density(prior: MultivariatePrior, mixture: Mixture) -> Array:
    """Log density at (w_1 .. w_(K-1), mu, free coordinates of the factors), unfolded; shape (...).

    The free coordinates are those of `covariances`: logs of the diagonal, and what is below it.
    """
    deviation = (mixture.mu - prior.location) / np.asarray(prior.spread)
    constant = np.sum(np.log(prior.spread)) + 0.5 * prior.d * np.log(2 * np.pi)
    density = -0.5 * np.sum(deviation**2, axis=(-1, -2)) - mixture.k * constant
    if mixture.k > 1:
        count, total = prior.concentration, mixture.k * prior.concentration
        powers = (count - 1) * np.log(mixture.w)
        density = (
            density
            + scipy.special.gammaln(total)
            - mixture.k * scipy.special.gammaln(count)
            + powers.sum(axis=-1)
        )
    return density + log_density_factors(prior, mixture.root)


def log_density_factors(prior: MultivariatePrior, root: Array) -> Array:
    """Joint log density of the free coordinates of Cholesky factors (..., k, d, d); shape (...).

    Of the Wishart's Jacobian, ``2^D prod_i L_ii^(D - i + 2)`` for i from 1 (Muirhead 1982, theorem
    2.1.9, and d L_ii = L_ii d log L_ii).
    """
    d, matrices = prior.d, free_shape(prior.covariance, root.shape[-3], prior.d)[0]
    if prior.covariance in ("full", "tied"):
        constant = d * np.log(2.0) - scipy.special.multigammaln(0.5 * (d + 3), d)
    else:
        constant = prior.betas.size * np.log(2.0)
    logs, total = _sizes(prior, root[..., :matrices, :, :])
    density = matrices * constant - np.sum(logs * _powers(prior), axis=(-1, -2))
    return density + _rates(prior, matrices * prior.power, total)


def gradient_factors(prior: MultivariatePrior, root: Array) -> Array:
    """Derivatives of `log_density_factors` in free coordinates, shape (..., matrices, entries)."""
    matrices = free_shape(prior.covariance, root.shape[-3], prior.d)[0]
    own = root[..., :matrices, :, :]
    logs, total = _sizes(prior, own)
    rate = _mean_rates(prior, matrices * prior.power, total)[..., None, :]
    if prior.covariance not in ("full", "tied"):
        return -_powers(prior) + 2 * rate * np.exp(-2 * logs)
    inverse = np.linalg.inv(own)
    above = np.swapaxes(inverse, -1, -2)
    return of_factors(prior.covariance, own, 2 * above @ (inverse * rate[..., None, :]) @ above,
                      -_powers(prior))  # fmt: skip


def of_factors(kind: str, root: Array, slope: Array, logs: Array | float = 0.0) -> Array:
    """Derivatives in the free coordinates, from those in the factors, both of free ones only.

    Parameters
    ----------
    kind : str
    root, slope : array, shape (..., free factors, d, d)
    logs : array_like
        Added to the derivatives in the logs of the diagonal.
    """
    d = root.shape[-1]
    both = np.diagonal(root, axis1=-2, axis2=-1) * np.diagonal(slope, axis1=-2, axis2=-1) + logs
    if kind == "diagonal":
        return both
    if kind == "spherical":
        return both.sum(axis=-1, keepdims=True)
    return np.concatenate([both, slope[..., *np.tril_indices(d, -1)]], axis=-1)


def _sizes(prior: MultivariatePrior, root: Array) -> tuple[Array, Array]:
    """Logs of the free diagonals of the factors, and the sums of the diagonals of Sigma^-1."""
    logs = np.log(np.diagonal(root, axis1=-2, axis2=-1))
    precisions = np.sum(np.linalg.inv(root) ** 2, axis=-2)
    if prior.covariance == "spherical":
        logs, precisions = logs[..., :1], precisions[..., :1]
    return logs, precisions.sum(axis=-2)


def _powers(prior: MultivariatePrior) -> Array:
    """How often the density of a covariance holds the log of each free diagonal entry."""
    if prior.covariance in ("full", "tied"):
        return np.arange(1.0, prior.d + 1) + prior.d + 2
    # v ~ InverseGamma(2, beta) and dv = 2 v d log L, with Gamma(2) = 1
    return np.full(prior.betas.size, 4.0)


def _rates(prior: MultivariatePrior, power: float, total: Array) -> Array:
    """Log of ``prod_d beta_d^power exp(-beta_d total_d)``, or of its mean over the betas."""
    if prior.scale_family == "inverse_gamma":
        return np.sum(power * np.log(prior.betas) - prior.betas * total, axis=-1)
    b0, order = prior.b0, power - 0.5
    bessel = _log_bessel(order, 2 * np.sqrt(b0 * total))
    constant = 0.5 * np.log(b0) - scipy.special.gammaln(0.5) + np.log(2.0)
    return np.sum(constant + 0.5 * order * (np.log(b0) - np.log(total)) + bessel, axis=-1)


def _mean_rates(prior: MultivariatePrior, power: float, total: Array) -> Array:
    """The betas, or their means given the covariances: minus the derivatives of `_rates`."""
    if prior.scale_family == "inverse_gamma":
        return np.broadcast_to(prior.betas, total.shape)
    order, x = power - 0.5, 2 * np.sqrt(prior.b0 * total)
    ratio = np.exp(_log_bessel(order + 1, x) - _log_bessel(order, x))
    return np.sqrt(prior.b0 / total) * ratio


def _log_bessel(order: float, x: Array) -> Array:
    """Log of the Bessel function K, by its limit for small x where it overflows (DLMF 10.30.2)."""
    with np.errstate(divide="ignore", over="ignore"):
        value = np.log(scipy.special.kve(order, x)) - x
        limit = scipy.special.gammaln(order) - np.log(2.0) + order * (np.log(2.0) - np.log(x))
    return np.where(np.isfinite(value), value, limit)


def draw(prior: MultivariatePrior, k: int, size: int, rng: np.random.Generator) -> Mixture:
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
    return Mixture(w, mu, covariance=np.broadcast_to(covariance, (size, k, d, d)))


def _standard_draws(prior: MultivariatePrior, k: int, size: int, rng: np.random.Generator) -> Array:
    """Covariances at beta = 1, shape (size, k or 1, d, d)."""
    d, (matrices, _) = prior.d, free_shape(prior.covariance, k, prior.d)
    if prior.covariance in ("full", "tied"):
        from scipy.stats import invwishart  # takes a second to import

        drawn = invwishart(d + 3, 2 * np.eye(d)).rvs(size * matrices, random_state=rng)
        return np.reshape(drawn, (size, matrices, d, d))
    own = 1 if prior.covariance == "spherical" else d
    return 1 / rng.gamma(2.0, 1.0, (size, k, own, 1)) * np.eye(d)
