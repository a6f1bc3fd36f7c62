"""The compiled density in several dimensions is that of the parameterization."""

import numpy as np
import pytest
from scipy.special import kve

from ordered_mix.data import Data
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.parameterization import catalog
from ordered_mix.samplers.moves.bessel import bessel_k
from ordered_mix.samplers.moves.callback_multivariate import model_of
from ordered_mix.samplers.moves.density import density as as_nutpie_calls
from ordered_mix.samplers.moves.density_multivariate import density, given


@pytest.mark.parametrize("kind", ["full", "diagonal", "spherical", "tied"])
@pytest.mark.parametrize("family", ["inverse_gamma", "adaptive"])
@pytest.mark.parametrize("name", ["unordered", "relative", "signed"])
def test_density_and_gradient_are_those_of_the_parameterization(kind, family, name):
    rng = np.random.default_rng(0)
    for d in (1, 3):
        scale = [0.7] * d if kind == "spherical" else [0.5, 0.9, 1.4][:d]
        prior = MultivariatePrior([0.3] * d, [1.5, 2.0, 0.8][:d], scale, 2.0, family, kind)
        axis = (1.0, 2.0, -0.5)[:d]
        one = catalog.parameterization(name, 3, prior, axis=axis)
        data = Data.of_points(rng.normal(size=(20, d)), rng.gamma(1.0, size=20))
        arguments = given(one, data, 0.7)
        for z in rng.normal(0.0, 0.6, (3, one.dimension)):
            prior_value, slope = one.log_prior(z)
            likelihood, more = one.log_likelihood(z, data)
            value, gradient = density(z, arguments)
            called = as_nutpie_calls(model_of(arguments, one.dimension), z)
            assert called[0] == value and called[1].tobytes() == gradient.tobytes()
            np.testing.assert_allclose(value, prior_value + 0.7 * likelihood, rtol=1e-10)
            np.testing.assert_allclose(gradient, slope + 0.7 * more, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("order", [1.5, 2.0, 5.0, 9.5, 40.0])
def test_bessel_functions_are_those_of_scipy(order):
    for x in (1e-7, 1e-3, 0.1, 1.0, 10.0, 300.0, 3e4):
        value, ratio = bessel_k(order, x)
        expected = np.log(kve(order, x)) - x
        if np.isfinite(expected):
            np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-11)
            np.testing.assert_allclose(ratio, kve(order + 1, x) / kve(order, x), rtol=1e-10)
    assert bessel_k(order, 1e16)[0] == pytest.approx(-1e16)
    assert bessel_k(order, np.inf)[0] == -np.inf and np.isnan(bessel_k(order, np.nan)[0])
