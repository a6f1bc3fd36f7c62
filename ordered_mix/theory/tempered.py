"""WBIC and the learning coefficient from tempered runs of the same models."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ordered_mix.data import Data
from ordered_mix.draws.wbic import (
    Estimate,
    learning_coefficient,
    learning_coefficient_from_variance,
    wbic,
    wbic_beta,
)
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.kernels import e_step
from ordered_mix.samplers.nuts import NUTS

SECOND_TEMPERATURE = 1.5


class Singular(NamedTuple):
    """Criteria of singular models, each with its Monte Carlo standard error.

    ``wbic`` is close to minus the log evidence (Watanabe 2013); the learning coefficient (real
    log canonical threshold) comes from WBIC at two temperatures and from the variance of the log
    likelihood.
    """

    wbic: Estimate
    learning_coefficient: Estimate
    learning_coefficient_from_variance: Estimate


def singular_criteria(
    parameterization: Parameterization, data: Data, starts: Mixture, sampler: NUTS | None = None
) -> Singular:
    """Sample at the inverse temperatures ``1 / log n`` and ``1.5 / log n``.

    Parameters
    ----------
    parameterization : Parameterization
        With its prior in the units of the data.
    data : Data
        One unweighted sample of at least 3 points.
    starts : Mixture, batch shape (chain,)
        One start for each chain, in the units of the data.
    sampler : NUTS, optional
        Its inverse temperature is replaced.

    Raises
    ------
    ValueError
        If the data are weighted, or as `NUTS.fit` does.
    """
    if data.weight is not None:
        raise ValueError(f"data must be unweighted for criteria in log n, {data!r} is not")
    betas = (wbic_beta(data.n), SECOND_TEMPERATURE * wbic_beta(data.n))
    sampler = sampler or NUTS()
    first, second = (
        _log_likelihood(replace(sampler, inverse_temperature=beta), parameterization, data, starts)
        for beta in betas
    )
    return Singular(
        wbic(first),
        learning_coefficient(first, second, *betas),
        learning_coefficient_from_variance(first, betas[0]),
    )


def _log_likelihood(
    sampler: NUTS, parameterization: Parameterization, data: Data, starts: Mixture
) -> Array:
    draws = sampler.fit(parameterization, data, starts).mixture
    return e_step(data.y, draws.w, draws.mu, draws.sigma).log_likelihood
