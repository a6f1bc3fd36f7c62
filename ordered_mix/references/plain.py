"""The plain PyMC model of a reference posterior: what a user of PyMC writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from ordered_mix.mixture import Mixture
from ordered_mix.references.definition import Definition


def plain_model(definition: Definition) -> pm.Model:
    """Weights, means and scales without an order, and `pm.NormalMixture` for the points.

    In several dimensions `pm.Mixture` of `pm.MvNormal`, as the parameterizations write it.

    Raises
    ------
    ValueError
        If the scales are adaptive, whose rate is a parameter more.
    """
    prior, k = definition.prior, definition.k
    if prior.scale_family == "adaptive":
        raise ValueError(f"prior must be without adaptive scales, {definition.name} has them")
    if definition.d > 1:
        model: pm.Model = definition.parameterization().model(definition.data)
        return model
    with pm.Model() as model:
        w = prior.known_w or pm.Dirichlet("w", np.full(k, prior.concentration))
        mu = pm.Normal("mu", prior.location, prior.spread, shape=k)
        if prior.known_sigma is not None:
            sigma = np.full(k, prior.known_sigma)
        elif prior.scale_family == "half_normal":
            sigma = pm.HalfNormal("sigma", prior.scale, shape=k)
        else:
            variance = pm.InverseGamma("variance", 2.0, prior.scale**2, shape=k)
            sigma = pm.Deterministic("sigma", pm.math.sqrt(variance))
        pm.NormalMixture("y", w, mu, sigma=sigma, observed=definition.data.y)
    return model


def mixture_of(tree: xr.DataTree, definition: Definition) -> Any:
    """Draws of the plain model, batch shape (chain, draw)."""
    posterior, prior = tree["posterior"], definition.prior
    if definition.d > 1:
        names = ("w", "means", "covariance")
        w, mu, covariance = (posterior[name].to_numpy() for name in names)
        return Mixture(w, mu, covariance=covariance)
    mu = posterior["mu"].to_numpy()
    w = posterior["w"].to_numpy() if prior.known_w is None else np.array(prior.known_w)
    sigma = prior.known_sigma or posterior["sigma"].to_numpy()
    return Mixture(w, mu, np.asarray(sigma))
