"""The witness of the references: what it draws that is not conjugate, against quadrature."""

import chance
import numpy as np
import pytest
from scipy import stats

from ordered_mix.mixture import Mixture
from ordered_mix.passes.kernels import e_step
from ordered_mix.references.augmentation import _half_normal, _rate, augmentation
from ordered_mix.references.exact import exact
from ordered_mix.references.functionals import functionals, log_likelihood
from ordered_mix.references.posteriors import definitions

CHAINS, STEPS = 4000, 60


def mean_root(height):
    """Mean of the square root of a variable, of whose logarithm this is the log density."""
    at = np.linspace(-30, 6, 40_001)
    mass = np.exp(height(np.exp(at)) - height(np.exp(at)).max())
    return np.exp(at / 2) @ mass / mass.sum()


@pytest.mark.chance
@pytest.mark.parametrize(("count", "about"), [(0, 0.0), (2, 0.7), (3, 0.7), (40, 30.0)])
def test_half_normal_variances_are_those_of_their_density(count, about):
    rng, scale = chance.rng(1), 1.5
    v = rng.uniform(0.2, 2.0, (CHAINS, 1))
    given = np.full_like(v, count), np.full_like(v, about)
    for _ in range(STEPS if count >= 3 else 4 * STEPS):
        v = _half_normal(scale, *given, v, rng)

    def height(x):  # sigma ~ HalfNormal, in log v
        return 0.5 * np.log(x) - 0.5 * count * np.log(x) - 0.5 * about / x - 0.5 * x / scale**2

    assert chance.mean_of(np.sqrt(v[:, 0]), mean_root(height))


@pytest.mark.chance
def test_rates_are_those_of_their_density():
    rng, b0 = chance.rng(2), 0.3
    v = np.tile([0.4, 1.1], (CHAINS, 1))
    rate = rng.uniform(0.1, 2.0, (CHAINS, 1))
    for _ in range(STEPS):
        rate = _rate(b0, v, rate, rng)
    s = np.sum(1 / v[0])
    truth = stats.geninvgauss.mean(3.5, 2 * np.sqrt(s * b0), scale=np.sqrt(b0 / s))
    assert chance.mean_of(rate[:, 0], truth)


@pytest.mark.chance
def test_it_draws_the_exact_posterior():
    definition = definitions()["means_1_20"]
    draws = augmentation(definition, chance.seed(3), chains=64, draws=300, tune=200, thin=2)
    measured, truth = functionals(definition, draws), exact(definition).values
    for name, values in measured.items():
        assert chance.mean_of(values.mean(axis=1), truth[name], len(measured)), name


def test_log_likelihood_without_the_pass_is_that_of_the_pass():
    definition = definitions()["galaxies_4"]
    draws = augmentation(definition, 1, chains=2, draws=20, tune=5, thin=1).reshape(-1)
    own = log_likelihood(definition.data.y, draws)
    np.testing.assert_allclose(
        own, e_step(definition.data.y, draws.w, draws.mu, draws.sigma).log_likelihood, rtol=1e-10
    )


def test_functionals_do_not_know_of_labels():
    definition = definitions()["galaxies_4"]
    draws = augmentation(definition, 1, chains=2, draws=20, tune=5, thin=1)
    other = Mixture(draws.w[..., ::-1], draws.mu[..., ::-1], draws.sigma[..., ::-1])
    for name, values in functionals(definition, draws).items():
        np.testing.assert_allclose(values, functionals(definition, other)[name], rtol=1e-10)
