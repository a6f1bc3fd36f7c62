"""WBIC, learning coefficients and the invariance check, on draws from exact posteriors."""

import chance
import numpy as np
import pytest
from scipy.stats import halfnorm, norm

from ordered_mix.draws.elpd import loo, pointwise_log_likelihood, waic
from ordered_mix.draws.invariance import invariance
from ordered_mix.draws.wbic import (
    Estimate,
    learning_coefficient,
    learning_coefficient_from_variance,
    wbic,
    wbic_beta,
)
from ordered_mix.passes.kernels import e_step

EQUAL, UNIT = np.array([0.5, 0.5]), np.ones(2)
QUANTILES = norm.ppf((np.arange(50) + 0.5) / 50)


class Posterior:
    """Two unit normals, equal weights: the posterior on a fine grid of midpoint and gap >= 0."""

    def __init__(self, y, log_prior, midpoint=(-4, 4, 161), gap=(0, 8, 241)):
        middle, half = np.linspace(*midpoint), np.linspace(*gap) / 2
        first, second = middle[:, None] - half, middle[:, None] + half
        self.mu = np.stack([first, second], axis=-1).reshape(-1, 2)
        self.log_likelihood = e_step(y, EQUAL, self.mu, UNIT).log_likelihood
        self.log_prior = log_prior(self.mu)
        self.edge = np.where(np.tile(half, middle.size) == 0, np.log(0.5), 0.0)

    def sample(self, beta, draws, rng):
        """Independent draws, as four chains; returns indices into the grid."""
        log_density = self.log_prior + self.edge + beta * self.log_likelihood
        mass = np.exp(log_density - log_density.max())
        return rng.choice(mass.size, size=(4, draws // 4), p=mass / mass.sum())


def matched(mu):
    return norm.logpdf(mu, scale=2).sum(axis=-1)


def unmatched(mu):
    return norm.logpdf(mu[:, 0], scale=2) + halfnorm.logpdf(mu[:, 1] - mu[:, 0], scale=2)


@pytest.mark.chance
@pytest.mark.parametrize(("prior", "exact"), [(matched, 73.564986), (unmatched, 73.367892)])
def test_wbic_against_quadrature(prior, exact):
    posterior = Posterior(QUANTILES, prior)
    draws = posterior.sample(wbic_beta(50), 40_000, chance.rng(1))
    estimate = wbic(posterior.log_likelihood[draws])
    assert 0.01 < estimate.mcse < 0.02
    assert abs(estimate.value - exact) < chance.z_for(1) * estimate.mcse


def coefficients(truth, n, rng):
    """Both estimates of the learning coefficient for one data set."""
    y = rng.normal(rng.choice(truth, size=n), 1)
    wide = (-0.5, 0.5, 41) if truth[0] == truth[1] else (-0.3, 0.3, 41)
    gap = (0, 3, 61) if truth[0] == truth[1] else (3.2, 4.8, 81)
    posterior = Posterior(y, matched, wide, gap)
    betas = wbic_beta(n), 1.5 * wbic_beta(n)
    draws = [posterior.log_likelihood[posterior.sample(beta, 8000, rng)] for beta in betas]
    return (
        learning_coefficient(*draws, *betas).value,
        learning_coefficient_from_variance(draws[0], betas[0]).value,
    )


def test_learning_coefficient_from_the_variance_is_the_unbiased_one():
    log_likelihood = np.random.default_rng(0).normal(size=(2, 50))
    found = learning_coefficient_from_variance(log_likelihood, 0.5)
    assert found.value == pytest.approx(0.25 * log_likelihood.var(ddof=1), rel=1e-12)


@pytest.mark.chance
@pytest.mark.parametrize(("truth", "exact"), [((0.0, 0.0), 0.75), ((-2.0, 2.0), 1.0)])
def test_learning_coefficient_of_the_singular_and_the_regular_case(truth, exact):
    """Known p1 and scales, both means free: 3/4 when the truth is one normal, 1 when it is two.

    The interval over 40 data sets of 10,000 points, widened by .03 for the error at finite n,
    covers the known value; the mean is nearer to it than to that of the other case.
    """
    rng = chance.rng(2)
    values = np.array([coefficients(truth, 10_000, rng) for _ in range(40)])
    error = values.std(axis=0, ddof=1) / np.sqrt(40)
    allowed = chance.z_for(2, 4 * 39) * error + 0.03
    assert np.all(np.abs(values.mean(axis=0) - exact) < allowed)
    nearer = np.abs(values.mean(axis=0) - exact) < np.abs(values.mean(axis=0) - (1.75 - exact))
    assert np.all(nearer), values.mean(axis=0)


@pytest.mark.chance
def test_reported_errors_of_learning_coefficients_are_the_spread():
    """For a log likelihood of -Gamma(lambda) / beta, whose learning coefficient is lambda."""
    rng = chance.rng(3)
    betas, two, one = (0.2, 0.3), [], []
    for _ in range(200):
        draws = [-rng.gamma(1.5, size=(2, 500)) / beta for beta in betas]
        two.append(learning_coefficient(*draws, *betas))
        one.append(learning_coefficient_from_variance(draws[0], betas[0]))
    for estimates in (two, one):
        values = np.array([estimate.value for estimate in estimates])
        mcse = np.mean([estimate.mcse for estimate in estimates])
        assert chance.mean_of(values, 1.5, 4)
        # the spread over 200 runs is known to 5%
        assert chance.spread_of(values, mcse, 4)


@pytest.mark.chance
def test_invariance_check_accepts_equal_and_rejects_different_priors():
    rng = chance.rng(4)
    found = {}
    for name, prior in [("a", matched), ("b", matched), ("other", unmatched)]:
        posterior = Posterior(QUANTILES, prior)
        tempered = posterior.sample(wbic_beta(50), 40_000, rng)
        mu = posterior.mu[posterior.sample(1.0, 20_000, rng)]
        if name == "b":
            mu = mu[..., ::-1]
        blocks = list(pointwise_log_likelihood(QUANTILES, EQUAL, mu, UNIT))
        found[name] = wbic(posterior.log_likelihood[tempered]), waic(blocks[0]), loo(blocks[0])
    for index in range(3):
        same = {}
        for name in ("a", "b"):
            result = found[name][index]
            value = result.value if index == 0 else result.elpd
            same[name] = Estimate(value, result.mcse)
        assert invariance(same)["z"].abs().max() < chance.z_for(3)
    differ = invariance({name: results[0] for name, results in found.items()})
    assert abs(differ.loc["other", "z"]) > 6
    assert list(differ.index) == ["a", "b", "other"]


def test_invariance_is_a_two_sample_z_for_two():
    table = invariance({"a": Estimate(1.0, 0.3), "b": Estimate(2.0, 0.4)})
    np.testing.assert_allclose(table["z"], [-2.0, 2.0])
    np.testing.assert_allclose(table["difference"], [-1.0, 1.0])


@pytest.mark.chance
def test_invariance_z_scores_are_standard_normal():
    rng = chance.rng(5)
    errors = np.array([0.1, 0.2, 0.4])
    z = [
        invariance(
            {
                str(i): Estimate(value, error)
                for i, (value, error) in enumerate(zip(rng.normal(7, errors), errors, strict=True))
            }
        )["z"]
        for _ in range(400)
    ]
    assert chance.mean_of(z, 0.0, 6) and chance.spread_of(z, 1.0, 6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wbic(np.zeros(5)), r"log_likelihood must have the axes \(chain, draw\)"),
        (lambda: wbic(np.zeros((2, 3))), "log_likelihood has 3 draws per chain"),
        (lambda: wbic(np.full((2, 9), np.nan)), "log_likelihood must be finite"),
        (lambda: wbic_beta(2), "n must be at least 3"),
        (
            lambda: learning_coefficient(np.zeros((2, 9)), np.zeros((2, 9)), 0.2, 0.2),
            "second_beta must differ from first_beta",
        ),
        (
            lambda: learning_coefficient_from_variance(np.zeros((2, 9)), 0),
            "beta must be a positive inverse temperature, got 0",
        ),
        (lambda: invariance({"a": Estimate(1.0, 0.1)}), "at least 2 entries"),
        (
            lambda: invariance({"a": Estimate(1.0, 0.0), "b": Estimate(1.0, 0.1)}),
            "positive Monte Carlo errors",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
