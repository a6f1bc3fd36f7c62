"""Means under PyMC's ordered transform: mu_1, log(mu_2 - mu_1), ...; identifiable."""

import pymc as pm
from pymc.distributions import transforms

from ordered_mix import distributions
from ordered_mix import prior as declare


def block(k, prior):
    """Declare the priors in the open model and return (w, mu, sigma).

    The native prior is what people write with the transform today: iid normals without the K!.
    """
    w = declare.weights(k, prior)
    sigma = declare.scales(k, prior)
    dims = declare.dimension("component", k)
    if prior.native:
        ordered = transforms.ordered
        mu = pm.Normal("mu", prior.location, prior.spread, dims=dims, transform=ordered)
    else:
        mu = distributions.ordered_normal("mu", prior.location, prior.spread, k=k, dims=dims)
    return w, mu, sigma


def coordinates(mixture):
    """Free coordinates of a mixture, by variable name."""
    ascending = mixture.sorted()
    return {"w": ascending.w, "mu": ascending.mu, "sigma": ascending.sigma}


def skip(k, prior):
    """Why this parameterization does not apply, if so."""
    return declare.no_gaps(k, prior)
