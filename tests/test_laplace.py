"""Laplace's approximation: exact where the posterior is normal, honest where it does not exist."""

import chance
import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from ordered_mix.data import Data, load
from ordered_mix.estimators.map import MAP
from ordered_mix.mixture import Mixture
from ordered_mix.optima.laplace import hessian, laplace
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior

NORMAL = Data(np.array([0.3, 1.9, 2.2, 4.1, 3.3]))


@pytest.mark.chance
def test_a_conjugate_normal_posterior_is_exact():
    prior = Prior(location=1.0, spread=0.8, known_sigma=1.5)
    parameterization = catalog.parameterization("unordered", 1, prior)
    precision = 1 / 0.8**2 + 5 / 1.5**2
    mean = (1 / 0.8**2 + NORMAL.y.sum() / 1.5**2) / precision
    fit = MAP().fit(parameterization, NORMAL, Mixture([[1.0]], [[0.0]], [[1.5]]))
    found = laplace(parameterization, NORMAL, fit.mixture[0])
    assert fit.mixture.mu[0, 0] == pytest.approx(mean, abs=1e-7)
    assert found.covariance[0, 0] * NORMAL.scale**2 == pytest.approx(1 / precision, rel=1e-9)
    joint = multivariate_normal(np.full(5, 1.0), 1.5**2 * np.eye(5) + 0.8**2)
    assert found.log_evidence == pytest.approx(joint.logpdf(NORMAL.y), abs=1e-8)
    draws = found.sample(20_000, seed=chance.seed(1))
    assert abs(draws.mu.mean() - mean) < chance.z_for() / np.sqrt(20_000 * precision)


def test_evidence_is_that_of_quadrature_when_the_posterior_is_nearly_normal():
    data = load("low_dim_gauss_mix")
    prior = Prior(spread=2.0, known_w=(0.5, 0.5), known_sigma=1.0)
    parameterization = catalog.parameterization("unordered", 2, prior)
    start = Mixture([[0.5, 0.5]], [[-2.0, 3.0]], [[1.0, 1.0]])
    mode = MAP().fit(parameterization, data, start).mixture[0]
    found = laplace(parameterization, data, mode)

    first, second = (mean + np.linspace(-0.4, 0.4, 161) for mean in mode.mu)
    mu = np.stack(np.meshgrid(first, second), axis=-1)
    log_likelihood = e_step(data.y, np.full(2, 0.5), mu, np.ones(2)).log_likelihood
    log_density = log_likelihood + norm.logpdf(mu, 0, 2).sum(axis=-1)
    top = log_density.max()
    mass = np.exp(log_density - top).sum() * (first[1] - first[0]) * (second[1] - second[0])
    assert found.log_evidence == pytest.approx(top + np.log(2 * mass), abs=0.01)


def test_hessian_is_the_derivative_of_the_gradient_everywhere():
    data = load("faithful:eruptions").standardized()
    parameterization = catalog.parameterization("relative", 2, Prior())
    z = np.array([0.3, -0.7, -0.9, 0.4, -1.1])
    curvature = hessian(parameterization, data, z, jacobian=True)
    direction = np.array([0.3, -0.1, 0.5, 0.2, -0.4])
    step = 1e-5
    values = [parameterization.log_posterior(z + s * step * direction, data)[0] for s in (-1, 0, 1)]
    second = (values[0] - 2 * values[1] + values[2]) / step**2
    assert direction @ curvature @ direction == pytest.approx(second, rel=1e-3)
    _, plus = parameterization.log_posterior(z + 1e-6 * direction, data)
    _, minus = parameterization.log_posterior(z - 1e-6 * direction, data)
    assert np.allclose(curvature @ direction, (plus - minus) / 2e-6, rtol=1e-6, atol=1e-5)


def test_a_saddle_is_reported():
    data = Data(np.concatenate([np.linspace(-3, -2, 20), np.linspace(2, 3, 20)]))
    prior = Prior(spread=3.0, known_w=(0.5, 0.5), known_sigma=0.5)
    parameterization = catalog.parameterization("unordered", 2, prior)
    saddle = Mixture([0.5, 0.5], [0.0, 0.0], [0.5, 0.5])
    with pytest.warns(UserWarning, match="not negative definite"):
        found = laplace(parameterization, data, saddle)
    assert not found.positive_definite
    assert np.isnan(found.log_evidence)
    with pytest.raises(ValueError, match="positive definite"):
        found.sample(10, seed=0)
