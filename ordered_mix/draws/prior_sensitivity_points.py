"""How much of a posterior in several dimensions is the prior's doing."""

from __future__ import annotations

import numpy as np

from ordered_mix.data import Data
from ordered_mix.draws.prior_sensitivity import PriorSensitivity, power_scaled
from ordered_mix.draws.quantities import invariant_quantities, quantities
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, reference
from ordered_mix.multivariate.covariances import free_coordinates


def prior_sensitivity_of_points(
    mixture: Mixture,
    data: Data,
    prior: MultivariatePrior,
    mode_log_likelihood: float,
    maximum: float,
) -> PriorSensitivity:
    """What `prior_sensitivity` measures in one dimension.

    The prior is raised to a power as the density of weights, means and entries of Cholesky
    factors, which in one dimension are the scales.

    Parameters
    ----------
    mixture : Mixture, batch shape (chain, draw)
        Labelled posterior draws.
    data : Data
    prior : MultivariatePrior
        In the units of the data.
    mode_log_likelihood, maximum : float
        Log likelihood at the posterior mode, and its largest value.
    """
    free = free_coordinates(prior.covariance, mixture.root)
    diagonal = 1 if prior.covariance == "spherical" else prior.d
    logs = np.sum(free[..., :diagonal], axis=(-1, -2))
    named = invariant_quantities(data, mixture)
    height = named["log likelihood"]
    found = {name: values for name, values in named.items() if name.startswith("mixture")}
    for name, each in quantities(mixture, data.columns).items():
        for at in range(mixture.k):
            found[f"{name}[{at + 1}]"] = each[..., at]
    return power_scaled(
        found, reference.log_density(prior, mixture) - logs, height,
        maximum - mode_log_likelihood, prior.free_parameters(mixture.k),
    )  # fmt: skip
