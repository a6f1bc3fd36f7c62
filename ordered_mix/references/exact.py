"""Posteriors with known scales and two components by quadrature: no sampler takes part."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp
from scipy.stats import beta, norm

from ordered_mix.mixture import Array, Mixture
from ordered_mix.references.definition import Definition
from ordered_mix.references.functionals import functionals, log_likelihood
from ordered_mix.theory.quadrature import means_posterior

NODES = 28
TINY = 1e-300
REACH = 9.0
APART = 6.0  # sd between the groups, beyond which each has its mean for itself


class Exact(NamedTuple):
    """Values of a posterior by quadrature."""

    log_evidence: float
    values: dict[str, float]


def exact(definition: Definition) -> Exact | None:
    """The posterior by quadrature; None if it is none of those that quadrature gives here.

    Two equal components with unit scales by `means_posterior`; two components with one known scale
    and a free weight, if they are far apart, by Gauss-Legendre nodes in the means and the weight.
    """
    prior = definition.prior
    if definition.d > 1 or definition.k != 2 or prior.known_sigma is None:
        return None
    if prior.known_w is not None:
        found = means_posterior(definition.data.y, prior.location, prior.spread)
        nodes = Mixture(np.full(2, 0.5), found.mu, np.ones(2))
        return _averaged(definition, nodes, np.log(found.mass() + TINY), found.log_evidence())
    return _apart(definition)


def _apart(definition: Definition) -> Exact | None:
    prior, y = definition.prior, definition.data.y
    middle = 0.5 * (y.min() + y.max())
    groups = [y[y < middle], y[y >= middle]]
    if groups[1].mean() - groups[0].mean() < APART * prior.known_sigma:
        return None
    abscissa, weight = np.polynomial.legendre.leggauss(NODES)
    sides = []
    for group in groups:
        reach = REACH * prior.known_sigma / np.sqrt(group.size)
        sides.append((group.mean() + reach * abscissa, np.log(reach * weight)))
    share, at_most = groups[0].size / y.size, REACH * 0.5 / np.sqrt(y.size)
    sides.append((share + at_most * abscissa, np.log(at_most * weight)))
    low, high, first = np.meshgrid(*[side[0] for side in sides], indexing="ij")
    volume = sum(np.meshgrid(*[side[1] for side in sides], indexing="ij"))
    mu, w = np.stack([low, high], axis=-1), np.stack([first, 1 - first], axis=-1)
    log_prior = norm.logpdf(mu, prior.location, prior.spread).sum(axis=-1) + np.log(2)
    log_prior += beta.logpdf(first, prior.concentration, prior.concentration)
    nodes = Mixture(w, mu, np.full(2, prior.known_sigma)).reshape(-1)
    log_mass = (log_prior + volume).ravel() + log_likelihood(y, nodes)
    log_evidence = float(logsumexp(log_mass))
    return _averaged(definition, nodes, log_mass - log_evidence, log_evidence)


def _averaged(
    definition: Definition, nodes: Mixture, log_mass: Array, log_evidence: float
) -> Exact:
    kept = log_mass > log_mass.max() - 40
    mass = np.exp(log_mass[kept])
    mass /= mass.sum()
    found = functionals(definition, nodes[kept])
    return Exact(log_evidence, {name: float(mass @ values) for name, values in found.items()})
