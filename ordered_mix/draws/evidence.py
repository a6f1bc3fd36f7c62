"""The evidence (log marginal likelihood) from posterior draws, whoever drew them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.data import Data
from ordered_mix.draws.wbic import wbic
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.parameterization.proper import proper_draws
from ordered_mix.passes import kernels

MOST_COMPONENTS = 6
FEW = 100


class Evidence(NamedTuple):
    """An estimate of the log evidence of the data in their own units.

    Attributes
    ----------
    log_evidence : float
        In nats.
    standard_error : float
        Monte Carlo standard error.
    method : str
    warning : str
        What to beware of, empty if nothing.
    """

    log_evidence: float
    standard_error: float
    method: str
    warning: str = ""


class Standard(NamedTuple):
    """A parameterization and draws of it for standardised data."""

    parameterization: Parameterization
    data: Data
    draws: Mixture
    constant: float

    def log_density(self, z: Array) -> tuple[Array, Mixture]:
        """Log of prior times likelihood at z (..., dimension), and the mixtures; one pass each."""
        mixture = self.parameterization.forward(z)
        given = (self.data.y, mixture.w, mixture.mu, mixture.sigma)
        log_likelihood = kernels.e_step(*given, weight=self.data.weight).log_likelihood
        return self.parameterization.log_prior(z) + log_likelihood, mixture


def standard(parameterization: Parameterization, data: Data, draws: Mixture) -> Standard:
    """Everything in the units of standardised data.

    Raises
    ------
    ValueError
        If the draws have no chains, too few draws, or another number of components, or the prior
        is improper.
    """
    if len(draws.batch_shape) != 2 or draws.batch_shape[1] < 8:
        raise ValueError(
            f"draws must have the axes (chain, draw) and 8 draws or more, got {draws.batch_shape}"
        )
    if draws.k != parameterization.k:
        raise ValueError(f"draws must have {parameterization.k} components, they have {draws.k}")
    proper_draws(parameterization, 1)
    location, scale = float(data.location), float(data.scale)
    affine = -location / scale, 1 / scale
    constant = float(data.total_weight) * math.log(scale)
    return Standard(
        parameterization.affine(*affine), data.standardized(), draws.affine(*affine), constant
    )


def log_mean(log_values: Array) -> tuple[float, float]:
    """Log of the mean of independent estimates given by their logs, and its standard error.

    Parameters
    ----------
    log_values : array, shape (estimates,)
    """
    top = log_values.max()
    ratio = np.exp(log_values - top)
    spread = ratio.std(ddof=1) / ratio.mean() if ratio.size > 1 else np.nan
    return float(top + np.log(ratio.mean())), float(spread / np.sqrt(ratio.size))


def exchangeable(parameterization: Parameterization) -> bool:
    """Whether the labels of the coordinates' components mean nothing."""
    return parameterization.labellings > 1 and parameterization.prior.exchangeable


def laplace_metropolis(parameterization: Parameterization, data: Data, draws: Mixture) -> Evidence:
    """Laplace's approximation with mode and covariance from the draws (Lewis & Raftery 1997).

    Parameters
    ----------
    parameterization, data, draws
        Of one posterior, in the units of the data; draws are sorted by mean.

    Notes
    -----
    Lewis & Raftery (1997), JASA 92, 648-655, eq. 10. The standard error is the spread over the
    chains; that the posterior is not normal is not part of it.
    """
    units = standard(parameterization, data, draws)
    sort = exchangeable(parameterization)
    z = units.parameterization.unconstrain(agreed_labels(units, sort))
    height = units.log_density(z)[0] + (log_labellings(parameterization) if sort else 0.0)
    chains = [_laplace(points, log_p) for points, log_p in zip(z, height, strict=True)]
    whole = _laplace(z.reshape(-1, z.shape[-1]), height.ravel())
    error = np.std(chains, ddof=1) / np.sqrt(len(chains)) if len(chains) > 1 else np.nan
    warning = "Laplace's approximation takes the posterior for a single normal mode"
    return Evidence(whole - units.constant, float(error), "laplace", warning)


def from_wbic(log_likelihood: ArrayLike) -> Evidence:
    """Minus WBIC, from draws at the inverse temperature 1 / log n (Watanabe 2013).

    Parameters
    ----------
    log_likelihood : array_like, shape (chain, draw)
        Untempered log likelihood, in the units of the data, of draws tempered at `wbic_beta`.
    """
    value, error = wbic(log_likelihood)
    warning = "WBIC is minus the log evidence up to a term of the order of sqrt(log n)"
    return Evidence(-value, error, "wbic", warning)


def agreed_labels(units: Standard, sort: bool) -> Mixture:
    """Draws sorted by mean, or in the order of the domain."""
    return units.draws.sorted() if sort else units.parameterization.domain.sorted(units.draws)


def log_labellings(parameterization: Parameterization) -> float:
    """Log of how often the coordinates hold each unlabelled mixture."""
    return math.log(parameterization.labellings)


def _laplace(z: Array, height: Array) -> float:
    covariance = np.atleast_2d(np.cov(z, rowvar=False))
    volume = 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    return float(height.max() + volume)
