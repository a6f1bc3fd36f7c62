"""Coordinates of cumulants are a bijection, and the information in them is diagonal."""

import numpy as np
import pytest
from scipy import optimize

from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.study.cumulants import Cumulants
from ordered_mix.theory.fisher import information

bijection = Cumulants()
POOLED = catalog.parameterization("moment(gap=pooled)", 2)


def points(count, scale=1.5):
    return scale * np.random.default_rng(0).standard_normal((count, 5))


def test_it_is_a_bijection():
    x = 3 * points(200)
    z, _ = bijection.forward(x)
    assert np.isfinite(z).all()
    assert np.allclose(bijection.inverse(z), x, atol=1e-9)
    assert np.allclose([bijection.place(one, bijection.numbers) for one in x], z)


def test_its_determinant_and_gradient_are_those_of_finite_differences():
    by_z = np.array([1.0, -2.0, 3.0, 0.1, 0.7])

    def total(x):
        z, log_determinant = bijection.forward(x)
        return log_determinant + z @ by_z

    for x in points(6):
        steps = 1e-5 * np.eye(5)
        jacobian = [(bijection.forward(x + e)[0] - bijection.forward(x - e)[0]) for e in steps]
        log_determinant = np.linalg.slogdet(np.array(jacobian) / 2e-5)[1]
        more, gradient = bijection.pull(x, by_z, bijection.numbers)
        assert more == pytest.approx(log_determinant, abs=1e-6)
        assert more == pytest.approx(bijection.forward(x)[1], abs=1e-12)
        numerical = optimize.approx_fprime(x, total, 1e-7)
        assert np.allclose(gradient, numerical, atol=1e-4 * np.abs(gradient).max())


def parameters(x):
    mixture = POOLED.forward(bijection.forward(x)[0])
    return np.concatenate([mixture.w, mixture.mu, mixture.sigma], axis=-1)


def information_at(weight, gap):
    """The information of one observation in these coordinates, where there is no skewness."""
    odds = 0.5 * np.log(weight / (1 - weight))
    x = bijection.inverse(np.array([odds, 0.0, 0.0, gap, 0.0]))
    x[4] = 0.0
    steps = 1e-4 * np.eye(5)
    jacobian = np.stack([(parameters(x + e) - parameters(x - e)) / 2e-4 for e in steps], axis=1)
    at = parameters(x)
    return information(Mixture(at[:2], at[2:4], at[4:]), jacobian)


def correlations(found):
    size = np.sqrt(np.diag(found))
    return np.abs(found / np.outer(size, size) - np.eye(5)).max()


@pytest.mark.parametrize("weight", [0.5, 0.3, 0.15])
def test_without_skewness_the_information_is_diagonal_near_coincidence(weight):
    gap, c = 0.2, weight * (1 - weight)
    found, wider = information_at(weight, gap), information_at(weight, 2 * gap)
    assert found[1, 1] == pytest.approx(1, rel=0.01) and found[2, 2] == pytest.approx(2, rel=0.01)
    assert found[4, 4] == pytest.approx(6 * c**2 * gap**2, rel=0.05)
    assert found[3, 3] == pytest.approx(8 / 27 * (c * (1 - c)) ** 1.5 * gap**6, rel=0.1)
    assert 2**9.5 < wider[0, 0] / found[0, 0] < 2**10.5
    assert correlations(found) < 0.2 and correlations(found) < 0.6 * correlations(wider)
