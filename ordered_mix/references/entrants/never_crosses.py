"""Broken on purpose: Gibbs sampling in which no point ever crosses to another component."""

import numpy as np

from ordered_mix.mixture import Mixture
from ordered_mix.references.entrant import Budget, Clock, Sampled, within
from ordered_mix.references.reference import load_reference

CHAINS = 4


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """The sorted points are cut into equal groups, and stay in them."""
    reference = load_reference(name)
    prior, k = reference.definition.prior, reference.definition.k
    groups = np.array_split(np.sort(reference.data.y), k)
    count = np.array([group.size for group in groups])
    total = np.array([group.sum() for group in groups])

    def run(size: int) -> Sampled:
        clock, rng = Clock(), np.random.default_rng(seed)
        shape, v = (CHAINS, size, k), np.array([group.var() for group in groups])
        w = rng.standard_gamma(prior.concentration + count, shape)
        precision = prior.spread**-2 + count / v
        mu = (prior.location * prior.spread**-2 + total / v) / precision
        mu = mu + rng.standard_normal(shape) / np.sqrt(precision)
        variance = (prior.scale**2 + 0.5 * count * v) / rng.standard_gamma(2 + 0.5 * count, shape)
        sigma = prior.known_sigma or np.sqrt(variance)
        w = w / w.sum(axis=-1, keepdims=True)
        if prior.known_w is not None:
            w = np.array(prior.known_w)
        return Sampled(Mixture(w, mu, sigma), CHAINS * size, clock.seconds())

    return within(budget, run)
