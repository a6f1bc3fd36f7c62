"""Mixture mean and squared gap, K = 2: regular at gap = 0 when weights and scales are known."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from ordered_mix import prior as declare


def block(k, prior):
    """Declare the priors in the open model and return (w, mu, sigma).

    The squared gap of the reference prior is Gamma(1/2, 1 / (4 spread^2)); NUTS samples its log.
    """
    w = declare.weights(k, prior)
    sigma = declare.scales(k, prior)
    spread = prior.spread / np.sqrt(2) if prior.native else prior.spread
    squared_gap = pm.Gamma("squared_gap", pt.constant(0.5, dtype="float64"), 1 / (4 * spread**2))
    gap = pt.sqrt(squared_gap)[None]
    return w, declare.anchored_means(k, prior, gap, w), sigma


def coordinates(mixture):
    """Free coordinates of a mixture, by variable name."""
    ascending = mixture.sorted()
    squared_gap = (ascending.mu[..., 1] - ascending.mu[..., 0]) ** 2
    location = ascending.mean()
    return {
        "w": ascending.w, "sigma": ascending.sigma, "squared_gap": squared_gap, "location": location
    }  # fmt: skip


def skip(k, prior):
    """Why this parameterization does not apply, if so."""
    if k != 2:
        return "the squared gap is defined for two components"
    return declare.no_gaps(k, prior)


def bounds():
    """Least values of free variables that ascents keep by projection."""
    return {"squared_gap": 1e-30}  # the gap is not differentiable in its square at 0
