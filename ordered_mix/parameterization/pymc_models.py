"""Two PyMC models of one parameterization: a plain one for people, its twin for our sampler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm

from ordered_mix.data import Data
from ordered_mix.passes.likelihood import log_likelihood
from ordered_mix.prior import Prior, dimension

INVERSE_TEMPERATURE = "inverse_temperature"

Declare = Callable[[Prior], tuple[Any, Any, Any]]


def plain_model(declare: Declare, k: int, prior: Prior, data: Data) -> pm.Model:
    """A model with the observed variable ``y``, as a person would write it.

    Parameters
    ----------
    declare : callable
        Declares the priors in the open model and returns (w, mu, sigma).
    k : int
        Number of components.
    prior : Prior
    data : Data
        One unweighted sample.

    Raises
    ------
    ValueError
        If the data are weighted or a batch, which an observed variable cannot express.
    """
    if data.weight is not None or data.y.ndim != 1:
        raise ValueError(f"data of a PyMC model must be one unweighted sample, {data!r} is not")
    with pm.Model() as model:
        w, mu, sigma = declare(prior)
        dims = dimension("point", data.n)
        if k == 1:
            pm.Normal("y", mu[0], sigma[0], observed=data.y, dims=dims)
        else:
            pm.NormalMixture("y", w, mu, sigma=sigma, observed=data.y, dims=dims)
    return model


def fused_model(declare: Declare, prior: Prior) -> pm.Model:
    """The same posterior around the fused pass.

    Data, weights, prior and the inverse temperature of the likelihood are `pymc.Data` containers
    that a compiled model swaps; `fused_data` gives their values.
    """
    with pm.Model() as model:
        numbers = {
            name: pm.Data(f"prior_{name}", np.float64(value))
            for name, value in prior.numbers().items()
        }
        y, weight = pm.Data("points", np.zeros(2)), pm.Data("point_weight", np.zeros(0))
        beta = pm.Data(INVERSE_TEMPERATURE, np.float64(1.0))
        w, mu, sigma = declare(replace(prior, **numbers))
        pm.Potential("likelihood", beta * log_likelihood(y, weight, w, mu, sigma))
    return model


def fused_data(prior: Prior, data: Data, inverse_temperature: float) -> dict[str, Any]:
    """Values of the twin's data containers for one sample."""
    values = {f"prior_{name}": value for name, value in prior.numbers().items()}
    weight = np.zeros(0) if data.weight is None else data.weight
    swapped = {"points": data.y, "point_weight": weight}
    return {**values, **swapped, INVERSE_TEMPERATURE: inverse_temperature}
