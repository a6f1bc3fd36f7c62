"""Means as they come, mu_1 .. mu_K: not identifiable, the posterior has K! modes."""

from ordered_mix import prior as declare


def block(k, prior):
    """Declare the priors in the open model and return (w, mu, sigma)."""
    w = declare.weights(k, prior)
    sigma = declare.scales(k, prior)
    return w, declare.iid_means(k, prior), sigma


def coordinates(mixture):
    """Free coordinates of a mixture, by variable name."""
    return {"w": mixture.w, "mu": mixture.mu, "sigma": mixture.sigma}
