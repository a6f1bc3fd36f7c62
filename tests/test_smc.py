"""Sequential Monte Carlo: evidence and posteriors against exact ones, its errors, its refusals.

Errors are estimated from independent islands, so that Student's quantiles apply.
"""

import chance
import numpy as np
import pytest
from oracles import one_component, weighted_prior
from scipy import stats
from scipy.special import ndtri

from ordered_mix.data import Data, load, simulate
from ordered_mix.errors import SamplingFailed
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior
from ordered_mix.samplers.smc import SMC, systematic
from ordered_mix.theory.quadrature import means_posterior

PRIOR = Prior(location=0.3, spread=1.5, scale=0.7, concentration=2.0)
MEANS_ONLY = Prior(spread=2.0, known_w=(0.5, 0.5), known_sigma=1.0)
QUANTILES = Data(ndtri((np.arange(1, 51) - 0.5) / 50), name="quantiles")
SMALL = SMC(particles=128, islands=32, length=8)


def agree(values, exact, exact_error=0.0, comparisons=4):
    """Whether means of islands, shape (island, draw), agree with a known expectation."""
    means = values.mean(axis=1)
    spread = np.hypot(means.std(ddof=1) / np.sqrt(means.size), exact_error)
    assert (
        abs(means.mean() - exact)
        < stats.t.isf(chance.alpha(comparisons) / 2, means.size - 1) * spread
    )


def evidence_agrees(draws, exact, exact_error=0.0):
    found = draws.tree.attrs
    islands = draws.mixture.batch_shape[0]
    spread = np.hypot(found["log_evidence_se"], exact_error)
    assert spread < 0.2
    limit = stats.t.isf(chance.alpha(4) / 2, islands - 1) * spread
    assert abs(found["log_evidence"] - exact) < limit


@pytest.mark.chance
@pytest.mark.parametrize("name", ["unordered", "signed", "relative", "resolved"])
@pytest.mark.chance
def test_two_free_means_have_evidence_and_moments_of_quadrature(name):
    exact = means_posterior(QUANTILES.y)
    draws = SMALL.sample(
        catalog.parameterization(name, 2, MEANS_ONLY), QUANTILES, seed=chance.seed(1)
    )
    assert exact.log_evidence() == pytest.approx(-73.87232389, abs=1e-7)
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
    sampler = SMC(particles=64, islands=16, length=8)
    found = [
        sampler.sample(parameterization, QUANTILES, seed=chance.seed(seed)).tree.attrs
        for seed in range(60)
    ]
    values, errors = (np.array([one[name] for one in found])
                      for name in ("log_evidence", "log_evidence_se"))  # fmt: skip
    assert chance.errors_of(values, errors, sampler.islands - 1, 2)
    # the log of an unbiased mean is low by half its variance
    assert chance.mean_of(values + errors**2 / 2, exact, 2)


@pytest.mark.chance
def test_one_component_has_evidence_and_moments_of_quadrature():
    data = simulate(Mixture([1.0], [1.0], [0.5]), 12, seed=chance.seed(1))
    exact = one_component(data.y, PRIOR)
    draws = SMALL.sample(catalog.parameterization("unordered", 1, PRIOR), data, seed=chance.seed(2))
    evidence_agrees(draws, exact.log_evidence)
    agree(draws.mixture.mu[..., 0], exact.mean(exact.mu[:, 0])[0])
    agree(np.log(draws.mixture.sigma[..., 0]), exact.mean(np.log(exact.sigma[:, 0]))[0])


@pytest.mark.chance
@pytest.mark.parametrize("name", ["ordered", "moment"])
@pytest.mark.chance
def test_few_points_have_evidence_and_moments_of_the_weighted_prior(name):
    y = np.array([-1.0, 0.2, 0.5, 2.5])
    exact = weighted_prior(y, PRIOR, 3, 400_000, seed=3)
    draws = SMALL.sample(catalog.parameterization(name, 3, PRIOR), Data(y), seed=chance.seed(3))
    evidence_agrees(draws, exact.log_evidence, exact.error)
    for quantity in (
        lambda w, mu, sigma: e_step(y, w, mu, sigma).log_likelihood,
        lambda w, mu, sigma: w.max(axis=-1),
        lambda w, mu, sigma: np.sum(w * mu, axis=-1),
    ):
        drawn = quantity(draws.mixture.w, draws.mixture.mu, draws.mixture.sigma)
        agree(drawn, *exact.mean(quantity(exact.w, exact.mu, exact.sigma)))


def test_the_tree_shows_schedule_acceptance_and_passes():
    data = load("galaxies")
    prior = Prior().affine(float(data.location), float(data.scale))
    sampler = SMC(particles=64, islands=3, length=8)
    draws = sampler.sample(catalog.parameterization("unordered", 2, prior), data, seed=4)
    schedule = draws.tree["warmup_sample_stats"]
    beta = schedule["inverse_temperature"].values
    assert np.all(np.diff(beta, axis=1) > 0) and np.all(beta[:, -1] == 1.0)
    assert np.all((schedule["acceptance_rate"].values > 0.3) & (schedule["ess"].values >= 1))
    total = np.exp(schedule["log_ratio"].values.sum(axis=1))
    constant = data.n * np.log(float(data.scale))
    expected = np.log(total.mean()) - constant
    assert draws.tree.attrs["log_evidence"] == pytest.approx(expected, rel=1e-12)
    assert draws.mixture.batch_shape == (3, 64)
    assert np.all(draws.passes > 0) and np.all(draws.warmup_passes > draws.passes)


def test_the_seed_decides_every_byte_and_the_unit_of_the_data_nothing():
    data = load("galaxies")
    prior = Prior().affine(float(data.location), float(data.scale))
    sampler = SMC(particles=32, islands=2, length=4)

    def run(scale, seed):
        parameterization = catalog.parameterization("relative", 2, prior.affine(0.0, scale))
        return sampler.sample(parameterization, Data(scale * data.y), seed=seed)

    one, again, other, half = run(1.0, 1), run(1.0, 1), run(1.0, 2), run(0.5, 1)
    assert one.mixture.mu.tobytes() == again.mixture.mu.tobytes()
    assert one.tree.attrs["log_evidence"] == again.tree.attrs["log_evidence"]
    assert not np.any(one.mixture.mu[:, -1] == other.mixture.mu[:, -1])
    assert np.array_equal(0.5 * one.mixture.mu, half.mixture.mu)
    difference = half.tree.attrs["log_evidence"] - one.tree.attrs["log_evidence"]
    assert difference == pytest.approx(data.n * np.log(2), rel=1e-9)


def test_the_evidence_does_not_depend_on_cores():
    parameterization = catalog.parameterization("signed", 2, MEANS_ONLY)
    one, two, more = (
        SMC(particles=32, islands=3, length=4, cores=cores)
        .sample(parameterization, QUANTILES, seed=2)
        .tree
        for cores in (1, 2, 8)
    )
    for other in (two, more):
        assert one.attrs["log_evidence"] == other.attrs["log_evidence"]
        assert one["warmup_sample_stats"].equals(other["warmup_sample_stats"])


def test_systematic_resampling_keeps_expected_counts():
    weight = np.array([0.5, 0.0, 0.3, 0.2])
    index = systematic(weight, 1000, np.random.default_rng(0))
    assert np.all(np.abs(np.bincount(index, minlength=4) - 1000 * weight) <= 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"particles": 1}, "particles must be a multiple of length=16 .*, got 1"),
        ({"particles": 100}, "particles must be a multiple"),
        ({"islands": 1}, "islands must be at least 2, got 1"),
        ({"length": 1}, "length must be at least 2, got 1"),
        ({"threshold": 1.0}, "threshold must lie between 0 and 1, .* the schedule stalls"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        SMC(**settings)


IMPROPER = '''"""Means with a flat prior."""

import pymc as pm

from ordered_mix import prior as declare


def block(k, prior):
    return declare.weights(k, prior), pm.Flat("mu", shape=k), declare.scales(k, prior)


def coordinates(mixture):
    return {"w": mixture.w, "sigma": mixture.sigma, "mu": mixture.mu}
'''


def test_an_improper_prior_and_a_stalled_schedule_are_one_sentence(tmp_path, monkeypatch):
    path = tmp_path / "flat.py"
    path.write_text(IMPROPER)
    flat = catalog.parameterization(str(path), 2, PRIOR)
    with pytest.raises(ValueError, match="prior of flat must be proper"):
        SMALL.sample(flat, QUANTILES, seed=0)
    monkeypatch.setattr("ordered_mix.samplers.smc.MOST_STAGES", 1)
    parameterization = catalog.parameterization("unordered", 2, PRIOR)
    with pytest.raises(SamplingFailed, match="the schedule stalls at inverse temperature"):
        SMC(particles=32, length=8).sample(parameterization, load("galaxies"), seed=0)
