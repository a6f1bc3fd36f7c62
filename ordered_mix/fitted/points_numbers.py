"""Several numbers of components on points in several dimensions: maxima, criteria, evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.draws.criteria import point_criteria
from ordered_mix.draws.evidence import Evidence
from ordered_mix.draws.predictive import predictive
from ordered_mix.estimators.em import EM
from ordered_mix.fitted.evidence import OF_PARTICLES, with_evidence
from ordered_mix.fitted.maximum import Maximum
from ordered_mix.fitted.points_starts import initial_points
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, axis_of
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.smc import SMC

STARTS = 20
CHAINS, TUNE, KEPT = 4, 500, 500
REACHED = 1e-3


def maximum_of_points(
    data: Data,
    starts: Mixture,
    parameterization: MultivariateParameterization,
    axis: Any = 0,
) -> Maximum:
    """The best converged end of EM, its components sorted by their means along an axis.

    Parameters
    ----------
    data : Data
    starts : Mixture, batch shape (starts,)
    parameterization : MultivariateParameterization
        Unordered; its prior says the kind of covariances.
    axis : int, str or array_like
        What `multivariate.axis_of` takes.

    Raises
    ------
    ValueError
        If no run of EM converged.
    """
    fit = EM().fit(parameterization, data, starts)
    converged = np.asarray(fit.converged)
    if not converged.any():
        raise ValueError(
            f"components must be few enough for EM, none of its runs on {data.name} with "
            f"{starts.k} converged"
        )
    height = np.where(converged, fit.log_likelihood, -np.inf)
    best = int(np.argmax(height))
    ends: Any = fit.mixture
    found: Mixture = ends[best]
    found = found.sorted(axis_of(axis, data, found))
    reached = int(np.sum(height > height[best] - REACHED))
    collapsed = int(np.sum(~converged))
    return Maximum(found, float(height[best]), len(height), reached, collapsed)


def criteria_of_points(data: Data, found: Maximum, prior: MultivariatePrior) -> dict[str, float]:
    """Log likelihood, BIC and ICL of a maximum; no singular BIC is known in several dimensions."""
    parameters = prior.free_parameters(found.mixture.k)
    point = point_criteria(data.y, found.mixture, parameters, data.weight)
    return {"log_likelihood": found.log_likelihood, "bic": float(point.bic),
            "icl": float(point.icl), "sbic": np.nan}  # fmt: skip


def numbers_of_points(
    data: Data,
    prior: MultivariatePrior,
    smallest: int,
    largest: int,
    *,
    seed: int = 1,
    cores: int = 1,
    progress: Callable[[str], None] = lambda stage: None,
) -> tuple[pd.DataFrame, Mapping[int, Maximum]]:
    """Fit every number of components by EM, sequential Monte Carlo and Gibbs sampling.

    The evidence is of particles from the prior. LOO and WAIC are of chains that begin at the
    maximum: where modes are many, a few islands of particles carry the mass, which is enough for
    an evidence with its standard error, and too few draws to predict from.

    Returns
    -------
    (DataFrame, mapping of int to Maximum)
        One row for each number: components, log_likelihood, bic, icl, sbic (NaN), in_the_way
        (empty), elpd_loo and elpd_waic of the chains with their standard errors, and the
        columns of `fitted.evidence.with_evidence`; and the maxima.
    """
    rows, maxima, evidences = [], {}, {}
    for k in range(smallest, largest + 1):
        progress(f"EM from many starts, K = {k}")
        starts = initial_points(data, k, STARTS, seed)
        model = catalog.parameterization("unordered", k, prior)
        maxima[k] = maximum_of_points(data, starts, model)
        progress(f"{OF_PARTICLES}, K = {k}")
        draws = SMC(cores=cores).sample(model, data, seed=seed)
        known = draws.tree.attrs
        value, error = float(known["log_evidence"]), float(known["log_evidence_se"])
        evidences[k] = Evidence(value, error, OF_PARTICLES)
        chains = Gibbs(draws=KEPT, tune=TUNE, cores=cores)
        begin = maxima[k].mixture.reshape(1)[[0] * CHAINS]
        both = predictive(data.y, chains.sample(model, data, begin, seed).mixture)
        rows.append(
            {"components": k, **criteria_of_points(data, maxima[k], prior), "in_the_way": "",
             "elpd_loo": float(both.loo.elpd), "elpd_loo_se": float(both.loo.se),
             "elpd_waic": float(both.waic.elpd), "elpd_waic_se": float(both.waic.se)}
        )  # fmt: skip
    return with_evidence(pd.DataFrame(rows), evidences), maxima
