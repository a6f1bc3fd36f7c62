"""A learnt map is a bijection with the determinant and gradient it says, and it is learnt."""

import numpy as np
import pytest
from scipy import optimize

from ordered_mix.study.triangular import _component, _terms, fitted

D = 4


def banana(count, seed=0):
    """Draws with a bent valley, a funnel, skewness and another order than their own."""
    x = np.random.default_rng(seed).standard_normal((count, D))
    first = np.sinh((np.arcsinh(x[:, 0]) + 0.4) / 0.8)
    second = 0.5 * first + 0.4 * np.tanh(first) ** 2 + x[:, 1]
    third = np.exp(0.4 * np.tanh(x[:, 1])) * x[:, 2]
    return np.stack([third, 3 + first, x[:, 3] - third, 10 * second], axis=1)


ORDER = (1, 3, 0, 2)


@pytest.fixture(scope="module")
def learnt():
    return fitted(banana(2000), ORDER)


def test_it_is_a_bijection(learnt):
    x = 2 * np.random.default_rng(1).standard_normal((5, 7, D))
    z, _ = learnt.forward(x)
    assert z.shape == (5, 7, D)
    assert np.allclose(learnt.inverse(z), x, atol=1e-9)


def test_its_determinant_and_gradient_are_those_of_finite_differences(learnt):
    by_z = np.array([1.0, -2.0, 3.0, 0.1])

    def total(x):
        z, log_determinant = learnt.forward(x)
        return log_determinant + z @ by_z

    for x in np.random.default_rng(2).standard_normal((5, D)):
        jacobian = np.stack(
            [(learnt.forward(x + e)[0] - learnt.forward(x - e)[0]) / 2e-5 for e in 1e-5 * np.eye(D)]
        )
        z, log_determinant = learnt.forward(x)
        assert log_determinant == pytest.approx(np.linalg.slogdet(jacobian)[1], abs=1e-6)
        more, gradient = learnt.pull(x, by_z, learnt.numbers)
        assert more == pytest.approx(log_determinant, abs=1e-9)
        assert np.allclose(learnt.place(x, learnt.numbers), z, atol=1e-12)
        numerical = optimize.approx_fprime(x, total, 1e-6)
        assert np.allclose(gradient, numerical, atol=1e-3 * np.abs(gradient).max())


def test_draws_become_normal(learnt):
    new = banana(20_000, 3)
    x = learnt.inverse(new)
    _, log_determinant = learnt.forward(x)
    affine = np.linalg.slogdet(learnt.whitening)[1]
    assert np.allclose(x.mean(axis=0), 0, atol=0.15) and np.allclose(
        np.cov(x.T), np.eye(D), atol=0.25
    )
    gain = np.mean(log_determinant - affine + 0.5 * (x**2).sum(-1)) - D / 2
    assert gain < -0.05, "nats by which the map describes new draws better than the affine one"


def test_its_affine_part_whitens(learnt):
    x = learnt.affine.inverse(banana(2000))
    assert np.allclose(x.mean(axis=0), 0) and np.allclose(np.cov(x.T), np.eye(D))


def test_the_gradient_of_its_likelihood(monkeypatch):
    seen = {}
    minimize = optimize.minimize

    def recorded(loss, start, **options):
        seen["loss"], seen["size"] = loss, start.size
        return minimize(loss, start, **options)

    monkeypatch.setattr("ordered_mix.study.triangular.optimize.minimize", recorded)
    v = np.random.default_rng(4).standard_normal((50, 3))
    terms = _terms(v[:, :2])
    _component(v[:, 2], terms[:, :3], terms[:, [0, 3, 4, 5]])
    theta = 0.1 * np.random.default_rng(5).standard_normal(seen["size"])
    numerical = optimize.approx_fprime(theta, lambda theta: seen["loss"](theta)[0], 1e-7)
    assert np.allclose(seen["loss"](theta)[1], numerical, atol=1e-5)
