"""Broken on purpose: Gibbs sampling in which no point ever crosses to another component."""

from typing import Any

import numpy as np
from scipy.stats import invwishart

from ordered_mix.mixture import Mixture
from ordered_mix.references.entrant import Budget, Clock, Sampled, within
from ordered_mix.references.reference import Reference, load_reference

CHAINS = 4


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """The points, sorted by their first column, are cut into equal groups and stay in them."""
    reference = load_reference(name)
    own = _points if reference.definition.d > 1 else _numbers

    def run(size: int) -> Sampled:
        clock, rng = Clock(), np.random.default_rng(seed)
        return Sampled(own(reference, (CHAINS, size), rng), CHAINS * size, clock.seconds())

    return within(budget, run)


def _numbers(reference: Reference, shape: tuple[int, int], rng: np.random.Generator) -> Mixture:
    prior, k = reference.definition.prior, reference.definition.k
    groups = np.array_split(np.sort(reference.data.y), k)
    count, v = (np.array([f(group) for group in groups]) for f in (len, np.var))
    total = np.array([group.sum() for group in groups])
    precision = prior.spread**-2 + count / v
    mu = (prior.location * prior.spread**-2 + total / v) / precision
    mu = mu + rng.standard_normal((*shape, k)) / np.sqrt(precision)
    variance = (prior.scale**2 + 0.5 * count * v) / rng.standard_gamma(2 + 0.5 * count, mu.shape)
    w = rng.dirichlet(prior.concentration + count, shape)
    sigma = prior.known_sigma or np.sqrt(variance)
    return Mixture(w if prior.known_w is None else np.array(prior.known_w), mu, sigma)


def _points(reference: Reference, shape: tuple[int, int], rng: np.random.Generator) -> Any:
    prior, k, y = reference.definition.prior, reference.definition.k, reference.data.y
    groups = np.array_split(y[np.argsort(y[:, 0], kind="stable")], k)
    mu, covariance = [], []
    for group in groups:
        scatter = len(group) * np.cov(group.T, bias=True) + 2 * np.diag(np.square(prior.scale))
        own = invwishart(len(group) + prior.d + 3, scatter).rvs(shape[0] * shape[1], rng)
        root = np.linalg.cholesky(own.reshape(*shape, prior.d, prior.d) / len(group))
        noise = root @ rng.standard_normal((*shape, prior.d, 1))
        mu.append(group.mean(axis=0) + noise[..., 0])
        covariance.append(own.reshape(*shape, prior.d, prior.d))
    w = rng.dirichlet(prior.concentration + np.array([len(group) for group in groups]), shape)
    return Mixture(w, np.stack(mu, axis=-2), covariance=np.stack(covariance, axis=-3))
