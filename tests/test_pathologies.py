"""The variance singularity: EM in logarithms, and posterior mass towards scale 0."""

import mpmath
import numpy as np
import pytest

from ordered_mix.data import Data
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.theory.collapse import log_trace
from ordered_mix.theory.improper import decade_mass, half_normal, root_inverse_gamma

Y = np.array([-1.0, 1.0, 3.0])


def test_one_step_to_the_singularity():
    first, second = log_trace(Y, [0.5, 0.5], [0, 3], np.log([1, 1e-4]), 1)
    assert first.log_likelihood == pytest.approx(-1.23097587, abs=6e-9)
    assert second.log_likelihood == pytest.approx(9990.91795, abs=6e-6)
    assert second.log_variance[1] / np.log(10) == pytest.approx(-8683.07, abs=6e-3)


def test_the_step_is_that_of_fifty_digits():
    mpmath.mp.dps = 50
    variance, weight = mpmath.mpf("1e-4"), []
    for y in (-1, 1, 3):
        own = mpmath.exp(-((y - 3) ** 2) / (2 * variance)) / mpmath.sqrt(variance)
        weight.append(own / (own + mpmath.exp(-(mpmath.mpf(y) ** 2) / 2)))
    total = sum(weight)
    center = sum(r * y for r, y in zip(weight, (-1, 1, 3), strict=True)) / total
    squares = sum(r * (y - center) ** 2 for r, y in zip(weight, (-1, 1, 3), strict=True))
    found = log_trace(Y, [0.5, 0.5], [0, 3], np.log([1, 1e-4]), 1)[1]
    assert found.log_variance[1] == pytest.approx(float(mpmath.log(squares / total)), rel=1e-13)


def test_where_doubles_reach_it_is_em():
    data, start = Data(Y), Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 0.8])
    fit = EM(frozen=("w",), stop=Stop(0.0, passes=3)).fit(
        parameterization("unordered", 2), data, start
    )
    found = log_trace(Y, [0.5, 0.5], [0, 3], np.log([1, 0.64]), 2)[-1]
    np.testing.assert_allclose(found.mu, fit.mixture.mu, rtol=1e-12)
    np.testing.assert_allclose(np.exp(found.log_variance / 2), fit.mixture.sigma, rtol=1e-10)
    assert found.log_likelihood == pytest.approx(float(fit.log_likelihood), rel=1e-12)


def test_it_ends_before_logarithms_overflow():
    states = log_trace(Y, [0.5, 0.5], [0, 3], np.log([1, 0.64]), 100)
    assert len(states) < 10
    assert all(np.isfinite(state.log_variance).all() for state in states)
    values = [state.log_likelihood for state in states]
    assert values == sorted(values) and values[-1] > 1e6


@pytest.mark.parametrize("ties", [1, 3, 15])
def test_half_normal_mass_grows_with_the_ties(ties):
    y = np.concatenate([np.full(ties, 2.0), [-1.0, 0.0, 1.0, 4.0]])
    rest = 0.5 * Mixture([1.0], [0.0], [2.0]).density(y)
    found = decade_mass(y, rest, 0.5, 2.0, half_normal(1.0), [-3, -4, -5, -6])
    np.testing.assert_allclose(np.diff(found), ties - 2 if ties > 2 else -1, atol=1e-3)


def test_a_decade_by_brute_force():
    y = np.array([2.0, 2.0, 0.0, 3.0])
    rest = 0.5 * Mixture([1.0], [0.0], [2.0]).density(y)
    t, mu = np.linspace(np.log(0.01), np.log(0.1), 2001), np.linspace(1.2, 2.8, 16001)
    mass = 0.0
    for log_sigma in t[::40]:
        sigma = np.exp(log_sigma)
        inside = np.abs(mu - 2) <= 8 * sigma
        own = 0.5 * np.exp(-0.5 * ((y[:, None] - mu) / sigma) ** 2) / sigma / np.sqrt(2 * np.pi)
        height = np.prod(rest[:, None] + own, axis=0) * inside
        ends = 0.5 if log_sigma in (t[0], t[-1]) else 1.0
        mass += ends * height.sum() * (mu[1] - mu[0]) * sigma * np.exp(half_normal(1.0)(sigma))
    mass *= t[40] - t[0]
    found = decade_mass(y, rest, 0.5, 2.0, half_normal(1.0), [-1])[0]
    # The trapezoid in log10 sigma counts a decade as 1, the one in log sigma as log 10
    assert found == pytest.approx(np.log10(mass / np.log(10)), abs=2e-3)


def test_inverse_gamma_mass_falls():
    rest = 0.5 * Mixture([1.0], [0.0], [2.0]).density(np.full(10, 2.0))
    found = decade_mass(np.full(10, 2.0), rest, 0.5, 2.0, root_inverse_gamma(0.5), [-1, -2, -3])
    assert (np.diff(found) < -1000).all()


def test_priors_integrate_to_one():
    sigma = np.linspace(1e-4, 60, 600_001)
    for prior in (half_normal(0.7), root_inverse_gamma(0.7)):
        mass = np.exp(prior(sigma)).sum() * (sigma[1] - sigma[0])
        assert mass == pytest.approx(1, abs=1e-3)
