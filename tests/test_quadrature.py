"""Exact posteriors of two means, the generalisation loss, and cross-validation by refits."""

from types import SimpleNamespace

import chance
import numpy as np
import pytest
from scipy.special import logsumexp, ndtri
from scipy.stats import norm

from ordered_mix.data import Data, population
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.theory.prediction import generalisation_loss, log_predictive
from ordered_mix.theory.quadrature import learning_coefficient, means_posterior
from ordered_mix.theory.refit import cross_validate

Y = ndtri((np.arange(1, 51) - 0.5) / 50)
BETA = 1 / np.log(50)

# Derived on their own: log evidence, elpd_waic, p_waic, elpd_loo, WBIC.
REFERENCE = {
    "matched": (-73.87232389, -71.70144735, 1.10752375, -71.70187794, 73.564986),
    "relative": (-73.91162613, -71.67499833, 1.10045487, -71.67544804, 73.367892),
}


@pytest.mark.parametrize("prior", REFERENCE)
def test_reference_values(prior):
    evidence, elpd_waic, p_waic, elpd_loo, wbic = REFERENCE[prior]
    posterior = means_posterior(Y, prior=prior)
    criteria = posterior.criteria()
    assert posterior.log_evidence() == pytest.approx(evidence, abs=1e-8)
    assert criteria.elpd_waic == pytest.approx(elpd_waic, abs=1e-8)
    assert criteria.p_waic == pytest.approx(p_waic, abs=1e-8)
    assert criteria.elpd_loo == pytest.approx(elpd_loo, abs=1e-8)
    assert criteria.training == pytest.approx(elpd_waic + p_waic, abs=2e-8)
    tempered = means_posterior(Y, prior=prior, inverse_temperature=BETA)
    assert tempered.wbic() == pytest.approx(wbic, abs=1e-6)


def test_data_without_spread_have_the_posterior_of_their_mean():
    """With all points at 0 the likelihood is a function of the two densities there."""
    axis = np.linspace(-8, 8, 1601)
    density = np.logaddexp.outer(norm.logpdf(axis), norm.logpdf(axis)) - np.log(2)
    prior = np.add.outer(*2 * [norm.logpdf(axis, 0, 2)])
    evidence = logsumexp(20 * density + prior) + 2 * np.log(axis[1] - axis[0])
    assert means_posterior(np.zeros(20)).log_evidence() == pytest.approx(evidence, abs=1e-8)


@pytest.mark.parametrize("separation", [0.0, 1.0, 6.0])
def test_the_nodes_are_enough(separation):
    """Against a plain grid over the plane of both means."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=60) + separation * (rng.random(60) < 0.5)
    axis = np.arange(-5, 11.01, 0.04)
    components = norm.logpdf(y[:, None], axis)
    pointwise = np.logaddexp(components[:, :, None], components[:, None, :]) - np.log(2)
    pointwise = pointwise.reshape(len(y), -1)
    log_mass = pointwise.sum(axis=0) + np.add.outer(*2 * [norm.logpdf(axis, 0.5, 3)]).ravel()
    mass = np.exp(log_mass - logsumexp(log_mass))
    posterior = means_posterior(y, location=0.5, spread=3.0)
    loo = -np.log(np.exp(-pointwise) @ mass).sum()
    assert posterior.criteria().elpd_loo == pytest.approx(loo, abs=1e-8)
    variance = (pointwise**2 @ mass - (pointwise @ mass) ** 2).sum()
    assert posterior.criteria().p_waic == pytest.approx(variance, abs=1e-8)
    evidence = logsumexp(log_mass) + 2 * np.log(0.04)
    assert posterior.log_evidence() == pytest.approx(evidence, abs=1e-8)


def test_the_predictive_is_a_density():
    grid = np.arange(-12, 12, 0.05)
    posterior = means_posterior(Y)
    assert np.exp(posterior.log_predictive(grid)).sum() * 0.05 == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("beta", [0.02, 0.25, 1.0])
def test_every_temperature_has_nodes_of_its_own(beta):
    """Against a plain grid: nodes made for another temperature miss its posterior."""
    y = np.concatenate([norm.ppf((np.arange(40) + 0.5) / 40) + shift for shift in (0, 6)])
    axis = np.arange(-17, 19.01, 0.05)
    densities = norm.logpdf(y[:, None], axis)
    log_likelihood = sum(np.logaddexp.outer(one, one) - np.log(2) for one in densities).ravel()
    prior = np.add.outer(*2 * [norm.logpdf(axis, 1, 3)]).ravel() + 2 * np.log(0.05)
    evidence = logsumexp(prior + beta * log_likelihood)
    posterior = means_posterior(y, location=1.0, spread=3.0, inverse_temperature=beta)
    assert posterior.log_evidence() == pytest.approx(evidence, abs=1e-7)
    mass = np.exp(prior + beta * log_likelihood - evidence)
    # the log likelihood is large where the nodes are thin
    assert posterior.wbic() == pytest.approx(-mass @ log_likelihood, rel=1e-7)


def test_learning_coefficient_is_that_of_tempered_draws():
    first, second = (means_posterior(Y, inverse_temperature=one) for one in (BETA, 1.5 * BETA))
    slope = (first.wbic() - second.wbic()) / (np.log(50) / 3)
    assert learning_coefficient(first, second) == pytest.approx(slope, rel=1e-12)
    with pytest.raises(ValueError, match="inverse_temperature of first and second must differ"):
        learning_coefficient(first, first)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": [1.0]}, "y must be a vector of at least 2 points"),
        ({"prior": "flat"}, "prior must be one of matched"),
        ({"spread": 0.0}, "spread must be positive"),
        ({"inverse_temperature": 2.0}, "inverse_temperature above 0 and at most 1"),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        means_posterior(**{"y": Y, **changes})


def test_generalisation_loss_of_the_truth_is_its_entropy():
    truth = Mixture([1.0], [2.0], [3.0])
    grid = population(truth)
    entropy = 0.5 * np.log(2 * np.pi * np.e * 9)
    loss = generalisation_loss(grid.weight, truth.log_density(grid.y))
    assert loss == pytest.approx(entropy, abs=1e-10)
    other = Mixture([1.0], [2.0], [6.0])
    excess = generalisation_loss(grid.weight, other.log_density(grid.y)) - entropy
    assert excess == pytest.approx(np.log(2) + 9 / 72 - 0.5, abs=1e-10)
    with pytest.raises(ValueError, match="weight must add up to 1"):
        generalisation_loss(2 * grid.weight, grid.y)


def test_log_predictive_is_the_mean_density():
    mu = np.array([[[0.0], [1.0]]])
    found = log_predictive([0.3, 2.0], np.ones((1, 2, 1)), mu, np.ones((1, 2, 1)))
    assert np.exp(found) == pytest.approx((norm.pdf([0.3, 2.0]) + norm.pdf([-0.7, 1.0])) / 2)


@pytest.mark.chance
def test_refits_give_exact_cross_validation():
    """One normal with a known scale: every predictive is a normal in closed form."""
    y = np.array([-1.2, 0.1, 0.4, 2.5])
    model = catalog.parameterization("unordered", 1, Prior(known_w=(1.0,), known_sigma=1.0))
    starts = Mixture(np.ones((2, 1)), [[-1.0], [1.0]], np.ones((2, 1)))
    found = cross_validate(NUTS(draws=2000, tune=300), model, Data(y), starts, chance.seed(4))
    for i, value in enumerate(y):
        precision = 3 + 1 / 4
        mean = np.delete(y, i).sum() / precision
        exact = norm.logpdf(value, mean, np.sqrt(1 + 1 / precision))
        assert abs(found.elpd_i[i] - exact) < chance.z_for(4, 1000) * found.mcse_i[i]
    assert found.elpd == pytest.approx(found.elpd_i.sum())
    assert 0 < found.mcse < 0.1
    with pytest.raises(ValueError, match="unweighted"):
        cross_validate(NUTS(), model, Data(y, np.ones(4)), starts, 0)


def test_every_refit_leaves_out_a_point_and_has_a_seed_of_its_own():
    seen = []

    class Recorder:
        def sample(self, parameterization, data, starts, seed):
            seen.append((seed, data.y.tolist()))
            mu = np.random.default_rng(0).normal(size=(2, 10, 1))
            return SimpleNamespace(mixture=Mixture(np.ones((2, 10, 1)), mu, 1.0))

    cross_validate(Recorder(), None, Data([1.0, 2.0, 3.0]), None, 4)
    assert seen == [(4, [2.0, 3.0]), (5, [1.0, 3.0]), (6, [1.0, 2.0])]
