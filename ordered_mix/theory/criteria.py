"""WAIC, LOO and WBIC of a model by its own draws, and by tempered ones."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.elpd import ELPDDataPSIS, ELPDDataWAIC, loo, waic
from ordered_mix.draws.wbic import Estimate, wbic, wbic_beta
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.kernels import e_step
from ordered_mix.samplers.nuts import NUTS


class SampledCriteria(NamedTuple):
    """Criteria with their Monte Carlo errors, and the draws of the posterior."""

    waic: ELPDDataWAIC
    loo: ELPDDataPSIS
    wbic: Estimate
    draws: Draws


def sampled_criteria(
    sampler: NUTS, parameterization: Parameterization, data: Data, starts: Mixture, seed: int
) -> SampledCriteria:
    """Sample the posterior, and once more the one tempered for WBIC.

    Parameters
    ----------
    sampler : NUTS
    parameterization : Parameterization
        With its prior in the units of the data.
    data : Data
        One unweighted sample.
    starts : Mixture, batch shape (chain,)
        One start for each chain of both runs.
    seed : int

    Raises
    ------
    ValueError
        As `NUTS.sample` does.

    References
    ----------
    Watanabe (2010), JMLR 11, 3571-3594; Watanabe (2013), JMLR 14, 867-897; Vehtari, Gelman & Gabry
    (2017), Statistics and Computing 27, 1413-1432.
    """
    draws = sampler.sample(parameterization, data, starts, seed)
    pointwise = draws.tree["log_likelihood"]["y"].to_numpy()
    warmer = replace(sampler, inverse_temperature=wbic_beta(data.n))
    tempered = warmer.sample(parameterization, data, starts, seed).mixture
    heights = e_step(data.y, tempered.w, tempered.mu, tempered.sigma).log_likelihood
    return SampledCriteria(waic(pointwise), loo(pointwise), wbic(heights), draws)
