"""Exact posteriors that no sampler had a hand in: quadrature, and weighted draws of the prior."""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp
from scipy.stats import invgamma, norm

from ordered_mix.parameterization import reference
from ordered_mix.passes.kernels import e_step


class Nodes(NamedTuple):
    """Parameters with their posterior masses, and the log evidence with its error."""

    w: np.ndarray
    mu: np.ndarray
    sigma: np.ndarray
    mass: np.ndarray
    log_evidence: float
    error: float

    def mean(self, values):
        """Posterior mean of a quantity of each node, and its standard error."""
        mean = float(self.mass @ values)
        return mean, float(np.sqrt(self.mass**2 @ (values - mean) ** 2)) if self.error else 0.0


def one_component(y, prior, size=600):
    """A single component under the reference prior: trapezoid rule in mean and log scale."""
    error = y.std() / np.sqrt(y.size)
    mu = np.linspace(y.mean() - 14 * error, y.mean() + 14 * error, size)
    log_sigma = np.log(y.std()) + np.linspace(-10, 10, size) / np.sqrt(y.size)
    variance = np.exp(2 * log_sigma)
    log_prior = norm.logpdf(mu, prior.location, prior.spread)[:, None]
    # the density of log sigma: d(sigma^2) = 2 sigma^2 d(log sigma)
    log_prior = (
        log_prior + invgamma.logpdf(variance, 2, scale=prior.scale**2) + np.log(2 * variance)
    )
    squares = np.sum((y - mu[:, None]) ** 2, axis=1)[:, None]
    log_likelihood = -0.5 * squares / variance - y.size * (log_sigma + 0.5 * np.log(2 * np.pi))
    cell = np.log((mu[1] - mu[0]) * (log_sigma[1] - log_sigma[0]))
    log_mass = (log_prior + log_likelihood + cell).ravel()
    mu, log_sigma = np.meshgrid(mu, log_sigma, indexing="ij")
    log_evidence = float(logsumexp(log_mass))
    mass = np.exp(log_mass - log_evidence)
    columns = mu.reshape(-1, 1), np.exp(log_sigma).reshape(-1, 1)
    return Nodes(np.ones((mass.size, 1)), *columns, mass, log_evidence, 0.0)


def weighted_prior(y, prior, k, size, seed):
    """Prior draws weighted by their likelihood: exact up to a known error for a few points."""
    draws = reference.draw(prior, k, size, np.random.default_rng(seed))
    log_likelihood = e_step(y, draws.w, draws.mu, draws.sigma).log_likelihood
    total = logsumexp(log_likelihood)
    mass = np.exp(log_likelihood - total)
    error = float(np.sqrt(np.sum(mass**2) - 1 / size))
    return Nodes(draws.w, draws.mu, draws.sigma, mass, float(total - np.log(size)), error)
