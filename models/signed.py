"""Mixture mean and signed gaps: no boundary for the sampler, identifiable once draws are sorted."""

import numpy as np

from ordered_mix import prior as declare


def block(k, prior):
    """Declare the priors in the open model and return (w, mu, sigma)."""
    w = declare.weights(k, prior)
    sigma = declare.scales(k, prior)
    gap = declare.mean_gaps(k, prior, ordered=False)
    return w, declare.anchored_means(k, prior, gap, w), sigma


def coordinates(mixture):
    """Free coordinates of a mixture, by variable name."""
    gap = np.diff(mixture.mu, axis=-1)
    return {"w": mixture.w, "sigma": mixture.sigma, "gap": gap, "location": mixture.mean()}


def skip(k, prior):
    """Why this parameterization does not apply, if so."""
    return declare.no_gaps(k, prior, ordered=False)
