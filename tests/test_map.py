"""MAP by gradient: stationary, that of MAP-EM in linear coordinates, honest statuses."""

import numpy as np
import pytest

from ordered_mix.data import Data, load
from ordered_mix.estimators import map as map_
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.loop.whitening import expected_gain, labelled_information
from ordered_mix.estimators.map import MAP
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior

STARTS = Mixture(np.full((3, 2), 0.5), [[50, 80], [80, 55], [60, 70]], np.full((3, 2), 6.0))


@pytest.fixture(scope="module")
def waiting():
    return load("faithful:waiting")


@pytest.fixture(scope="module")
def prior(waiting):
    return Prior(concentration=3.0).affine(float(waiting.location), float(waiting.scale))


@pytest.mark.parametrize("name", ["unordered", "ordered", "relative", "signed"])
def test_without_jacobian_the_mode_is_that_of_map_em(name, waiting, prior):
    parameterization = catalog.parameterization(name, 2, prior)
    fit = MAP(jacobian=False).fit(parameterization, waiting, STARTS)
    mode = EM(posterior=True).fit(parameterization, waiting, STARTS).mixture.sorted()
    assert fit.converged.all()
    found = fit.mixture.sorted()
    assert np.allclose(found.mu, mode.mu, atol=1e-4)
    assert np.allclose(found.sigma, mode.sigma, atol=1e-4)
    assert np.allclose(found.w, mode.w, atol=1e-6)


@pytest.mark.parametrize("jacobian", [True, False])
def test_mode_is_stationary_and_the_trace_climbs(jacobian, waiting, prior):
    parameterization = catalog.parameterization("relative", 2, prior)
    fit = MAP(jacobian=jacobian).fit(parameterization, waiting, STARTS)
    location, scale = float(waiting.location), float(waiting.scale)
    standard = parameterization.affine(-location / scale, 1 / scale)
    z = standard.unconstrain(fit.mixture.sorted().affine(-location / scale, 1 / scale))
    value, gradient = standard.log_posterior(z, waiting.standardized(), jacobian)
    assert np.abs(gradient).max() < 1e-3
    assert np.allclose(value, fit.objective, rtol=1e-12)
    steps = np.diff(fit.trace.objective, axis=0)
    assert steps.min() >= -1e-9 * np.abs(fit.objective).max()
    assert np.all(np.diff(fit.trace.passes, axis=0) >= 0)


def test_the_jacobian_moves_the_mode(waiting, prior):
    parameterization = catalog.parameterization("relative", 2, prior)
    on, off = (MAP(jacobian=flag).fit(parameterization, waiting, STARTS) for flag in (True, False))
    assert np.abs(on.mixture.sigma - off.mixture.sigma).max() > 0.01


def test_budget_is_a_status(waiting, prior):
    parameterization = catalog.parameterization("unordered", 2, prior)
    fit = MAP(stop=Stop(log_likelihood=0, passes=3)).fit(parameterization, waiting, STARTS)
    assert set(fit.status) == {"budget_exhausted"}
    assert fit.passes.max() < 30


def test_bad_input(waiting, prior):
    with pytest.raises(ValueError, match="stop of MAP has no rule parameters, got 1e-06"):
        MAP(stop=Stop(parameters=1e-6))
    parameterization = catalog.parameterization("unordered", 2, prior)
    with pytest.raises(ValueError, match="starts must have a batch shape that broadcasts"):
        MAP().fit(parameterization, Data(np.arange(35.0).reshape(7, 5)), STARTS)


def test_trust_region_finds_the_same_mode(waiting, prior):
    parameterization = catalog.parameterization("relative", 2, prior)
    one, two = (
        MAP(method=method, stop=Stop(log_likelihood=0, gradient=1e-4)).fit(
            parameterization, waiting, STARTS
        )
        for method in ("lbfgs", "trust_region")
    )
    assert two.converged.all()
    assert set(two.rule) == {"gradient"}
    assert np.allclose(one.mixture.mu, two.mixture.mu, atol=1e-4)
    assert two.passes.min() > 3 * one.passes.max()  # Hessians count


def test_what_has_converged_has_nothing_left_to_gain():
    """L-BFGS alone stopped one of these runs with a gradient of 18 and called it converged."""
    acidity = load("acidity")
    prior = Prior().affine(float(acidity.location), float(acidity.scale))
    parameterization = catalog.parameterization("signed", 2, prior)
    fit = MAP().fit(parameterization, acidity, initial_mixtures(acidity, 2, 20, "random", 1))
    assert fit.converged.all()
    # where no curvature is below 1, a Newton step then gains less than 1e-6 for each coordinate
    assert fit.trace.gradient_norm[-1].max() < 1e-3


def test_the_information_of_labelled_data_is_that_of_a_normal_sample(waiting):
    parameterization = catalog.parameterization("unordered", 1, Prior())
    z = parameterization.unconstrain(Mixture([1.0], [2.0], [0.5]))
    found = labelled_information(parameterization, waiting, z)
    # of the log scale 2 n, of the mean n / sigma^2, and 1 for the prior; the central difference
    # of 1e-6 keeps nine digits
    exact = np.diag([2 * 272.0, 272 / 0.25]) + np.eye(2)
    np.testing.assert_allclose(found, exact, rtol=1e-8, atol=1e-5)
    assert expected_gain(found, np.array([0.0, 1.0])) == pytest.approx(0.5 / 1089, rel=1e-8)


def test_a_run_that_cannot_climb_is_not_called_converged(waiting, prior, monkeypatch):
    parameterization = catalog.parameterization("unordered", 2, prior)
    monkeypatch.setattr(map_, "expected_gain", lambda information, gradient: 1.0)
    fit = MAP().fit(parameterization, waiting, STARTS)
    assert set(fit.status) == {"no_ascent"}


def test_unknown_method():
    with pytest.raises(ValueError, match="method must be one of lbfgs, trust_region, got 'newton'"):
        MAP(method="newton")
