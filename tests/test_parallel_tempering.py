"""Parallel tempering: evidence and posteriors against exact ones, its ladder, its refusals."""

import arviz_stats
import chance
import numpy as np
import pytest
from oracles import weighted_prior
from scipy.special import ndtri

from ordered_mix.data import Data, load, simulate
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior
from ordered_mix.samplers.moves.ladder import (
    RoundTrips,
    equal_rejections,
    exchanged,
    swap_probability,
)
from ordered_mix.samplers.moves.tempered_record import stepping_stones
from ordered_mix.samplers.tempering import Tempering
from ordered_mix.theory.quadrature import means_posterior

PRIOR = Prior(location=0.3, spread=1.5, scale=0.7, concentration=2.0)
MEANS_ONLY = Prior(spread=2.0, known_w=(0.5, 0.5), known_sigma=1.0)
QUANTILES = Data(ndtri((np.arange(1, 51) - 0.5) / 50), name="quantiles")
SMALL = Tempering(draws=600, tune=300, temperatures=6)


def starts(k, chains=4):
    mu = np.random.default_rng(k).normal(0, 1, (chains, k))
    return Mixture(np.full(k, 1 / k), mu, np.ones((chains, k)))


def agree(values, exact, exact_error=0.0, comparisons=4):
    ess = float(arviz_stats.ess(values, chain_axis=0, draw_axis=1))
    assert ess > 100
    error = float(arviz_stats.mcse(values, method="mean", chain_axis=0, draw_axis=1))
    allowed = chance.z_for(comparisons, ess) * np.hypot(error, exact_error)
    assert abs(values.mean() - exact) < allowed


def evidence_agrees(draws, exact, exact_error=0.0):
    error = np.hypot(draws.tree.attrs["log_evidence_se"], exact_error)
    assert error < 0.2
    assert abs(draws.tree.attrs["log_evidence"] - exact) < chance.z_for(4, 100) * error


@pytest.mark.parametrize("name", ["unordered", "relative"])
@pytest.mark.chance
def test_two_free_means_have_evidence_and_moments_of_quadrature(name):
    exact = means_posterior(QUANTILES.y)
    parameterization = catalog.parameterization(name, 2, MEANS_ONLY)
    draws = SMALL.sample(parameterization, QUANTILES, starts(2), chance.seed(1))
    evidence_agrees(draws, exact.log_evidence())
    drawn = draws.mixture.sorted()
    for at in (0, 1):
        agree(drawn.mu[..., at], exact.mass() @ exact.mu[:, at])
    agree(np.diff(drawn.mu)[..., 0] ** 2, exact.mass() @ np.diff(exact.mu)[:, 0] ** 2)


@pytest.mark.chance
def test_seeds_spread_around_the_exact_evidence_as_the_stated_error_says():
    """The share of the suite's false alarms is halved: for the spread, and for the mean."""
    exact = means_posterior(QUANTILES.y).log_evidence()
    parameterization = catalog.parameterization("unordered", 2, MEANS_ONLY)
    sampler = Tempering(draws=200, tune=64, temperatures=6)
    found = [
        sampler.sample(parameterization, QUANTILES, starts(2), chance.seed(seed)).tree.attrs
        for seed in range(24)
    ]
    values, errors = (np.array([one[name] for one in found])
                      for name in ("log_evidence", "log_evidence_se"))  # fmt: skip
    # a quarter of what 4 ladders of 200 draws are worth, one in two or three
    assert chance.errors_of(values, errors, 80, 2)
    assert chance.mean_of(values, exact, 2)


@pytest.mark.chance
def test_few_points_have_evidence_and_moments_of_the_weighted_prior():
    y = np.array([-1.0, 0.2, 0.5, 2.5])
    exact = weighted_prior(y, PRIOR, 3, 400_000, seed=3)
    parameterization = catalog.parameterization("signed", 3, PRIOR)
    draws = SMALL.sample(parameterization, Data(y), starts(3), chance.seed(2))
    evidence_agrees(draws, exact.log_evidence, exact.error)
    drawn = draws.mixture
    agree(
        e_step(y, drawn.w, drawn.mu, drawn.sigma).log_likelihood,
        *exact.mean(e_step(y, exact.w, exact.mu, exact.sigma).log_likelihood),
    )


@pytest.mark.chance
def test_both_labellings_of_separated_components_are_visited_alike():
    data = simulate(Mixture([0.5, 0.5], [-3.0, 3.0], [1.0, 1.0]), 60, seed=3)
    prior = Prior(spread=3.0, known_w=(0.5, 0.5), known_sigma=1.0)
    start = Mixture([0.5, 0.5], np.tile([-3.0, 3.0], (4, 1)), [1.0, 1.0])
    draws = Tempering(draws=5000, tune=300, temperatures=8).sample(
        catalog.parameterization("unordered", 2, prior), data, start, chance.seed(3)
    )
    agree((draws.mixture.mu[..., 0] < draws.mixture.mu[..., 1]).astype(float), 0.5)
    ladder = draws.tree["tempering"]
    assert np.all(ladder["round_trips"].values > 0)


def test_the_tree_shows_the_ladder():
    data = load("galaxies")
    location, scale = float(data.location), float(data.scale)
    parameterization = catalog.parameterization("relative", 2, Prior().affine(location, scale))
    sampler = Tempering(draws=40, tune=64, temperatures=5)
    draws = sampler.sample(parameterization, data, starts(2).affine(location, scale), seed=4)
    ladder = draws.tree["tempering"]
    beta = ladder["inverse_temperature"].values
    assert beta[0] == 0 and beta[-1] == 1 and np.all(np.diff(beta) > 0)
    rejection = ladder["rejection_rate"].values
    assert draws.tree.attrs["barrier"] == pytest.approx(rejection.sum())
    assert 0 < rejection.min() and rejection.max() < 1
    assert draws.mixture.batch_shape == (4, 40) and np.all(np.diff(draws.mixture.mu) > 0)
    # one pass a leap above the prior, one for a draw of the prior
    steps = draws.statistics["n_steps"].values
    assert np.all((steps - 1) % 4 == 0) and np.all(draws.warmup_passes > 64 * 5)


def test_swaps_leave_the_product_of_two_temperatures_alone():
    beta, log_likelihood = np.array([0.2, 0.7]), np.array([[-3.0, -1.0], [-1.0, -3.0]])
    accept = swap_probability(beta, log_likelihood)
    back = swap_probability(beta, log_likelihood[::-1])
    change = beta @ log_likelihood[::-1] - beta @ log_likelihood
    assert np.allclose(accept / back, np.exp(change)[None], rtol=1e-12)
    assert swap_probability(beta, np.array([[-np.inf], [-1.0]]))[0, 0] == 0.0


def test_swaps_are_permutations_and_round_trips_are_counted():
    accepted = np.array([[True], [False], [True]])
    assert exchanged(accepted, 4)[:, 0].tolist() == [1, 0, 3, 2]
    trips = RoundTrips(2, 1)
    stay, swap = np.array([[0], [1]]), np.array([[1], [0]])
    counts = []
    for order in (stay, swap, swap, swap, stay, swap):
        trips.swap(order)
        counts.append(int(trips.count[0]))
    # replica 0: hot, cold, hot (1); replica 1: cold, hot, cold, hot (2) ...
    assert counts == [0, 0, 1, 2, 2, 3]


def test_the_schedule_equalises_a_known_barrier():
    # a barrier of density 1 / beta between .01 and 1, none below
    beta = np.array([0.0, 0.01, 0.02, 0.1, 1.0])
    rejection = np.array([0.0, *np.diff(np.log(beta[1:]))]) / 5
    new = equal_rejections(beta, rejection)
    assert new[0] == 0 and new[-1] == 1
    assert np.ptp(np.diff(np.log(new[1:]))) < 0.75 * np.ptp(np.diff(np.log(beta[1:])))


@pytest.mark.chance
def test_stepping_stones_on_independent_draws_of_a_known_ladder():
    rng = chance.rng(5)
    beta = np.linspace(0, 1, 5)
    x = rng.standard_normal((2000, 5, 4)) / np.sqrt(1 + beta)[:, None]
    value, error = stepping_stones(beta, -0.5 * x**2)
    assert 0 < error < 0.01
    assert abs(value + 0.5 * np.log(2)) < chance.z_for(1, 8000) * error


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"draws": 1}, "draws must be at least 4, got 1"),
        ({"tune": 10}, "tune must be at least 32, got 10"),
        ({"temperatures": 2}, "temperatures must be at least 3, got 2"),
        ({"leaps": 0}, "leaps must be at least 1, got 0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Tempering(**settings)
