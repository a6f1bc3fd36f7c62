"""The NUTS of the studies draws from a normal distribution of known moments and learns its form."""

import chance
import numpy as np
import pytest

from ordered_mix.study.trajectory import DualAveraging, Walk, factor_of

MEAN = np.array([1.0, -2.0, 0.0])
COVARIANCE = np.array([[4.0, 1.8, 0.0], [1.8, 1.0, 0.1], [0.0, 0.1, 0.25]])
PRECISION = np.linalg.inv(COVARIANCE)


def log_density(z):
    away = z - MEAN
    return float(-0.5 * away @ PRECISION @ away), -PRECISION @ away


def chain(base, draws):
    walk = Walk(log_density, np.zeros(3), chance.rng(base))
    walk.factor = np.linalg.cholesky(COVARIANCE)
    dual = DualAveraging(walk)
    for _ in range(200):
        walk.trajectory()
        dual()
    dual.finish()
    states = []
    for _ in range(draws):
        walk.trajectory()
        states.append(walk.here.z)
    return walk, np.array(states)


@pytest.mark.chance
def test_moments_of_a_normal_distribution():
    z = np.stack([chain(base, 2000)[1] for base in range(4)])
    found = {f"z_{i}": z[..., i] for i in range(3)} | {"product": z[..., 0] * z[..., 1]}
    truth = {f"z_{i}": MEAN[i] for i in range(3)} | {"product": COVARIANCE[0, 1] + MEAN[:2].prod()}
    chance.check_means(found, truth, 4)


def test_every_leap_is_a_gradient_and_steps_come_to_the_scale_of_the_density():
    count = 0

    def counted(z):
        nonlocal count
        count += 1
        return log_density(z)

    walk = Walk(counted, MEAN, np.random.default_rng(0))
    walk.factor = np.linalg.cholesky(COVARIANCE)
    dual = DualAveraging(walk)
    for _ in range(100):
        walk.trajectory()
        dual()
    dual.finish()
    assert walk.leaps == count - 1
    assert 0.3 < walk.step < 2


def test_the_factor_of_draws_is_that_of_their_covariance():
    z = np.random.default_rng(1).multivariate_normal(MEAN, COVARIANCE, size=20_000)
    found = factor_of(z)
    assert np.allclose(found, np.tril(found))
    assert np.allclose(found @ found.T, COVARIANCE, atol=0.15)
