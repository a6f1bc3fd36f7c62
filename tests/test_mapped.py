"""A posterior in mapped coordinates has the density that the change of variables says."""

import numpy as np
import pytest
from scipy import optimize

from ordered_mix.data import simulate
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.moves.density import density, posterior
from ordered_mix.samplers.moves.inputs import standard_sample
from ordered_mix.study.mapped import mapped
from ordered_mix.study.triangular import fitted


def test_density_and_gradient():
    data = simulate(Mixture([0.3, 0.7], [0.0, 2.0], [1.0, 1.0]), 40, 3)
    model = catalog.parameterization("moment(gap=pooled)", 2, default_prior(data))
    own = standard_sample(model, data)
    of_z = posterior(own.parameterization, own.data, 1.0)
    draws = np.random.default_rng(0).standard_normal((200, 5)) @ np.tri(5)
    bijection = fitted(draws, (0, 3, 4, 2, 1))
    of_x = mapped(of_z, bijection)
    for x in np.random.default_rng(1).standard_normal((5, 5)):
        z, log_determinant = bijection.forward(x)
        height, gradient = density(of_x, x)
        assert height == pytest.approx(density(of_z, z)[0] + log_determinant)
        numerical = optimize.approx_fprime(x, lambda x: density(of_x, x)[0], 1e-6)
        assert np.allclose(gradient, numerical, atol=1e-3 * np.abs(gradient).max())
