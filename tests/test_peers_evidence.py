"""The evidence by PyMC's particles, beside the exact one that test_smc.py compares ours with.

With an order of the means PyMC needs start values, and from them `sample_smc` starts every
particle at one point: its evidence is then wrong, and nothing says so.
"""

import logging
import warnings

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.transforms import ordered
from scipy.special import ndtri

from ordered_mix.theory.quadrature import means_posterior

Y = ndtri((np.arange(1, 51) - 0.5) / 50)


def by_pymc(sorted_means):
    """Log evidence of two free means with known weights and scales."""
    options = {"transform": ordered, "initval": [-1.0, 1.0]} if sorted_means else {}
    with pm.Model():
        mu = pm.Normal("mu", 0.0, 2.0, shape=2, **options)
        if sorted_means:  # the density of an order is that of its labellings together
            pm.Potential("labels", pt.constant(np.log(2.0)))
        parts = pm.Normal.dist(mu, 1.0, shape=2)
        pm.Mixture("y", np.array([0.5, 0.5]), parts, observed=Y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = pm.sample_smc(
                500, chains=2, cores=1, random_seed=1, progressbar=False,
                compute_convergence_checks=False,
            )  # fmt: skip
    found = tree["sample_stats"]["log_marginal_likelihood"].values
    return np.array([_last(chain) for chain in found])


def _last(values):
    numbers = np.ravel(np.asarray(values, dtype=object).tolist()).astype(float)
    return numbers[np.isfinite(numbers)][-1]


def test_particles_of_pymc_are_silently_wrong_under_an_order(caplog):
    """Ours in ordered coordinates are compared with the same exact value in test_smc.py."""
    exact = means_posterior(Y).log_evidence()
    with caplog.at_level(logging.WARNING):
        right, wrong = by_pymc(False), by_pymc(True)
    # both are far outside of what two runs of 500 particles may differ by
    assert np.all(np.abs(right - exact) < 1.0), right
    assert np.all(np.abs(wrong - exact) > 1.0), wrong
    assert not [one for one in caplog.records if "initval" in one.getMessage()]
