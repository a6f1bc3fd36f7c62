"""WBIC and the invariance check, on draws from exact posteriors."""

import chance
import numpy as np
import pytest
from scipy.stats import halfnorm, norm

from ordered_mix.draws.elpd import loo, pointwise_log_likelihood, waic
from ordered_mix.draws.invariance import invariance
from ordered_mix.draws.wbic import (
    Estimate,
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
