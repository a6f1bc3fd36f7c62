"""Posteriors under the adaptive prior: NUTS with the rate integrated out, Gibbs with it drawn.

One structure, compiled once: the laws hold the density of the others to the same prior.
"""

import numpy as np
import pytest
from adaptive_gibbs import draw_rate, gibbs
from scipy import stats

from ordered_mix import NUTS, default_prior
from ordered_mix.data import Data, load
from ordered_mix.draws.convergence import convergence
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog, reference
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.theory.calibration import scores, uniformity

ALPHA = 1e-5  # of each test: the suite's family-wise rate is 1e-4
study = catalog.module("calibration", "study")


def two_groups():
    return Data([3.95, 3.99, 4.0, 4.04, 4.1, 10.9, 11.5, 11.9, 11.7, 12.3])


def two_lines():
    rng = np.random.default_rng(434)
    first = rng.random(500) < 0.7
    return Data(np.where(first, rng.normal(-2, 0.1, 500), rng.normal(2, 0.1, 500)))


def repeated_tens():
    return Data(np.r_[np.random.default_rng(21).normal(0, 1, 100), np.full(10, 10.0)])


# scales by the order of the means, and how closely two samplers of a few thousand draws know them
CASES = {
    "two groups": (two_groups, (0.236, 0.469), 0.03),
    "two lines": (two_lines, (0.1016, 0.0993), 0.001),
    "repeated tens": (repeated_tens, (0.876, 0.030), 0.01),
    "faithful": (lambda: load("faithful:waiting"), (5.96, 5.93), 0.1),
}


def sampled(data, prior, seed):
    """Draws of NUTS, signed."""
    starts = initial_mixtures(data, 2, 4, "random", seed)
    parameterization = catalog.parameterization("unordered", 2, prior)
    return (
        NUTS(draws=1000, tune=1000, seed=seed).fit(parameterization, data, starts).mixture.sorted()
    )


def ours_of(data, prior):
    """Draws of our Gibbs sampler, sorted."""
    starts = initial_mixtures(data, 2, 2, "random", 5)
    parameterization = catalog.parameterization("unordered", 2, prior)
    return (
        Gibbs(draws=4000, tune=500).sample(parameterization, data, starts, seed=5).mixture.sorted()
    )


@pytest.mark.parametrize("case", CASES)
def test_narrow_components_come_out_narrow_by_two_samplers(case):
    make, right, within = CASES[case]
    data, rng = make(), np.random.default_rng(2)
    prior = default_prior(data)
    chains = Mixture.stack([gibbs(data.y, 2, prior, 2500, rng).sorted() for _ in range(2)])
    tables, means = [], []
    ours = ours_of(data, prior)
    assert np.all(np.abs(ours.sigma.mean(axis=(0, 1)) - right) < within)
    for draws in (sampled(data, prior, seed=3), chains):
        values = {name: getattr(draws, name) for name in ("mu", "sigma")} | {"w": draws.w[..., 0]}
        table = convergence(values)
        assert table["rhat"].max() < 1.02 and table["ess_bulk"].min() > 300
        tables.append(table)
        means.append(np.concatenate([draws.mu.mean((0, 1)), draws.sigma.mean((0, 1))]))
        assert np.all(np.abs(draws.sigma.mean(axis=(0, 1)) - right) < within)
    errors = [table["mcse_mean"].to_numpy()[:4] for table in tables]
    z = (means[0] - means[1]) / np.hypot(*errors)
    # as many degrees of freedom as the effective sizes above give at the least
    assert np.max(np.abs(z)) < stats.t(300).isf(ALPHA / len(CASES) / 8)


def test_rate_given_the_variances_follows_its_density():
    prior, rng = Prior(scale=2.0, scale_family="adaptive"), np.random.default_rng(6)
    truth = reference.draw(prior, 2, 1, rng).sigma[0] ** 2
    rates = np.array([draw_rate(truth, prior.b0, rng) for _ in range(4000)])
    s = np.sum(1 / truth)
    grid = np.linspace(np.log(rates.min()) - 3, np.log(rates.max()) + 3, 20_001)
    density = np.exp(3.5 * grid - s * np.exp(grid) - prior.b0 * np.exp(-grid))
    cdf = np.cumsum(density) / density.sum()
    assert stats.kstest(np.log(rates), lambda x: np.interp(x, grid, cdf)).pvalue > ALPHA


def test_nuts_under_the_adaptive_prior_is_calibrated():
    # truths and data from the model, the rank of each truth among 31 draws is uniform
    prior = Prior(scale=2.0, scale_family="adaptive")
    parameterization = catalog.parameterization("unordered", 2, prior)
    truths = reference.draw(prior, 2, 40, np.random.default_rng(8))
    rows = [study.ranked(parameterization, truths[i], 40, "nutpie", 900 + i) for i in range(40)]
    assert np.mean([row["ess"] >= 2 * study.RANKS for row in rows]) >= 0.8
    rng = np.random.default_rng(9)
    for name in study.QUANTITIES:
        ranks = np.array([row[f"rank_{name}"] for row in rows])
        p = uniformity(scores(ranks, study.RANKS, rng))
        assert p > ALPHA / len(study.QUANTITIES), name
