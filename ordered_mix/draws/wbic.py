"""Quantities of singular learning theory from tempered draws: WBIC and the learning coefficient.

A tempered posterior is proportional to ``prior * likelihood^beta``. Functions take the log
likelihood (untempered, summed over points) of its draws, shape (chain, draw), and return an
estimate with its Monte Carlo standard error.
"""

from typing import NamedTuple

import arviz_stats
import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, enough_draws, scalar_draws


class Estimate(NamedTuple):
    """A value and its Monte Carlo standard error."""

    value: float
    mcse: float


def wbic_beta(n: int) -> float:
    """Inverse temperature 1 / log n at which WBIC is computed; n is the number of points."""
    if n < 3:
        raise ValueError(f"n must be at least 3 for a temperature above 1, got {n}")
    return float(1 / np.log(n))


def wbic(log_likelihood: ArrayLike) -> Estimate:
    """Widely applicable Bayesian information criterion, close to minus the log evidence.

    ``WBIC = E_beta[-log likelihood]`` over draws at ``beta = 1 / log n``. Smaller is better; it
    has the scale of a log likelihood, half of BIC's.

    Parameters
    ----------
    log_likelihood : array_like, shape (chain, draw)
        Log likelihood of draws tempered at `wbic_beta`.

    References
    ----------
    Watanabe (2013), JMLR 14, 867-897.
    """
    values = _checked("log_likelihood", log_likelihood)
    return Estimate(float(-values.mean()), _mcse(values, "mean"))


def learning_coefficient(
    first: ArrayLike, second: ArrayLike, first_beta: float, second_beta: float
) -> Estimate:
    """Learning coefficient (real log canonical threshold) from two temperatures.

    ``lambda = (E_1[nL] - E_2[nL]) / (1 / beta_1 - 1 / beta_2)`` with nL minus the log likelihood
    and both inverse temperatures of the order 1 / log n. The error that shrinks with the number
    of points, O(1 / sqrt(log n)), is not part of the Monte Carlo standard error.

    Parameters
    ----------
    first, second : array_like, shape (chain, draw)
        Log likelihood of independent draws at the two temperatures.
    first_beta, second_beta : float
        Inverse temperatures, positive and different.

    References
    ----------
    Watanabe (2013), JMLR 14, 867-897, section on the estimation of lambda.
    """
    betas = _check_beta("first_beta", first_beta), _check_beta("second_beta", second_beta)
    if betas[0] == betas[1]:
        raise ValueError(f"second_beta must differ from first_beta, got {second_beta} for both")
    one, two = wbic(_checked("first", first)), wbic(_checked("second", second))
    step = 1 / betas[0] - 1 / betas[1]
    return Estimate((one.value - two.value) / step, float(np.hypot(one.mcse, two.mcse) / abs(step)))


def learning_coefficient_from_variance(log_likelihood: ArrayLike, beta: float) -> Estimate:
    """Learning coefficient from the posterior variance of the log likelihood.

    ``lambda = beta^2 Var_beta[log likelihood]``: since ``E_beta[nL]`` is close to
    ``nL_0 + lambda / beta`` and minus its derivative with respect to beta is that variance.

    Parameters
    ----------
    log_likelihood : array_like, shape (chain, draw)
        Log likelihood of draws at the inverse temperature beta, of the order 1 / log n.
    beta : float
        Inverse temperature.

    References
    ----------
    Imai (2019), Estimating real log canonical thresholds, arXiv preprint.
    """
    beta = _check_beta("beta", beta)
    values = _checked("log_likelihood", log_likelihood)
    sd = float(values.std(ddof=1))
    return Estimate(beta**2 * sd**2, 2 * beta**2 * sd * _mcse(values, "sd"))


def _checked(name: str, values: ArrayLike) -> Array:
    return enough_draws(name, scalar_draws(name, values))


def _check_beta(name: str, beta: float) -> float:
    if not (np.isfinite(beta) and beta > 0):
        raise ValueError(f"{name} must be a positive inverse temperature, got {beta}")
    return float(beta)


def _mcse(values: Array, method: str) -> float:
    return float(arviz_stats.mcse(values, method=method, chain_axis=0, draw_axis=1))
