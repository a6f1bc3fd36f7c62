"""Centre of the means and the logs of the gaps between them; identifiable."""

import numpy as np

from ordered_mix import distributions
from ordered_mix import prior as declare


def block(k, prior):
    """Declare the priors in the open model and return (w, mu, sigma).

    The centre is the mean of the means, for K = 2 the midpoint; it is a priori independent of
    the gaps.
    """
    w = declare.weights(k, prior)
    sigma = declare.scales(k, prior)
    gap = declare.mean_gaps(k, prior, transform=distributions.LINKS["log"])
    return w, declare.anchored_means(k, prior, gap, np.full(k, 1 / k)), sigma


def coordinates(mixture):
    """Free coordinates of a mixture, by variable name."""
    ascending = mixture.sorted()
    gap = np.diff(ascending.mu, axis=-1)
    return {
        "w": ascending.w,
        "sigma": ascending.sigma,
        "gap": gap,
        "location": ascending.mu.mean(axis=-1),
    }


def skip(k, prior):
    """Why this parameterization does not apply, if so."""
    return declare.no_gaps(k, prior)


def bounds():
    """Least values of free variables that ascents keep by projection."""
    return {"gap": 0.0}
