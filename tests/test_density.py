"""The posterior that nutpie calls is that of the PyMC model; tapes are what PyTensor computes."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.gradient import disconnected_grad, zero_grad

from ordered_mix.data import Data
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.batching import INTERPRETED
from ordered_mix.parameterization.maps import InterpretedMap, TapeMap, compile_map
from ordered_mix.prior import Prior
from ordered_mix.samplers.moves.density import compiled_models, density, posterior
from ordered_mix.samplers.nuts import NUTS

# no number of single precision: PyTensor takes the logarithm of 2.0 in single precision
NUMBERS = {"location": 0.3, "spread": 1.7, "scale": 0.6}
Y = np.array([-2.1, -0.4, -0.3, 0.2, 0.9, 1.7, 3.0])
OWN = '''"""A Huber-like bump that no tape knows."""

import pymc as pm
import pytensor.tensor as pt

from ordered_mix import prior as declare


def block(k, prior):
    mu = declare.iid_means(k, prior)
    pm.Potential("bump", pt.erf(mu).sum())
    return declare.weights(k, prior), mu, declare.scales(k, prior)


def coordinates(mixture):
    return {"w": mixture.w, "mu": mixture.mu, "sigma": mixture.sigma}
'''


def pymc_density(parameterization, data):
    """Log density and gradient of the plain PyMC model, evaluated node by node by PyTensor."""
    model = parameterization.model(data)
    function = model.logp_dlogp_function(ravel_inputs=True, mode=INTERPRETED)
    function.set_extra_values({})  # PyMC 6.0 does not do it itself where there are none
    return function


def check(parameterization, data, seed):
    model, expected = posterior(parameterization, data, 1.0), pymc_density(parameterization, data)
    rng = np.random.default_rng(seed)
    compared = 0
    for point in rng.standard_normal((20, parameterization.dimension)):
        with np.errstate(all="ignore"):
            value, slope = expected(point)
        found = density(model, point)
        if np.isfinite(value):  # a closed boundary leaves some of the points outside
            np.testing.assert_allclose(found[0], value, rtol=1e-10)
            np.testing.assert_allclose(found[1], slope, rtol=1e-9, atol=1e-10 * abs(value))
            compared += 1
        else:
            assert np.isnan(found[0])
    assert compared >= 2


@pytest.mark.structures(2, 3)
def test_density_and_gradient_are_those_of_pymc(found):
    assert isinstance(found.graph.posterior(), TapeMap)
    check(found, Data(Y), seed=found.dimension)


@pytest.mark.structures(2, 3, native=True)
def test_native_priors_too(found):
    check(found, Data(Y), seed=found.dimension)


@pytest.mark.parametrize(
    "prior",
    [
        Prior(scale_family="half_normal", **NUMBERS),
        Prior(scale_family="adaptive", **NUMBERS),
        Prior(known_sigma=0.8, **NUMBERS),
        Prior(known_w=(0.3, 0.7), **NUMBERS),
        Prior(known_w=(0.3, 0.7), known_sigma=0.8, **NUMBERS),
        Prior(scale_family="adaptive", common_scale=True, **NUMBERS),
        Prior(known_sigma=(0.8, 1.1), **NUMBERS),
    ],
    ids=[
        "half-normal",
        "adaptive",
        "known scale",
        "known weights",
        "only means",
        "common scale",
        "known scales",
    ],
)
def test_other_priors_and_one_component(prior):
    check(catalog.parameterization("signed", 2, prior), Data(Y), seed=1)
    if not prior.known:
        check(catalog.parameterization("unordered", 1, prior), Data(Y), seed=2)


def test_weights_and_inverse_temperatures_are_powers_of_the_likelihood():
    parameterization = catalog.parameterization("centred", 2)
    point = np.random.default_rng(3).standard_normal(parameterization.dimension)
    counts = np.array([1.0, 3.0, 2.0, 1.0, 1.0, 4.0, 1.0])
    weighted = density(posterior(parameterization, Data(Y, counts), 1.0), point)
    repeated = density(
        posterior(parameterization, Data(np.repeat(Y, counts.astype(int))), 1.0), point
    )
    prior, half, whole = (
        density(posterior(parameterization, Data(Y), b), point) for b in (0.0, 0.5, 1.0)
    )
    for i in range(2):
        np.testing.assert_allclose(weighted[i], repeated[i], rtol=1e-12)
        np.testing.assert_allclose(half[i], (prior[i] + whole[i]) / 2, rtol=1e-12)


def test_numbers_of_the_prior_are_swapped():
    parameterizations = [
        catalog.parameterization("relative", 2, prior)
        for prior in (
            Prior(**NUMBERS),
            Prior(location=1.1, spread=3.3, scale=0.2, concentration=4.0),
        )
    ]
    assert parameterizations[0].graph is parameterizations[1].graph
    for _ in range(2):
        for parameterization in parameterizations:
            check(parameterization, Data(Y), seed=4)


def test_an_operation_that_no_tape_has_is_compiled_by_nutpie(tmp_path):
    (tmp_path / "bump.py").write_text(OWN)
    parameterization = catalog.parameterization(str(tmp_path / "bump.py"), 2, Prior(**NUMBERS))
    assert isinstance(parameterization.graph.posterior(), InterpretedMap)
    check(parameterization, Data(Y), seed=5)
    before = compiled_models()
    draws = NUTS(draws=10, tune=10).sample(
        parameterization, Data(Y), parameterization.draw_prior(2, 1), 6
    )
    assert compiled_models() == before
    z = draws.tree["unconstrained_posterior"]["z"].to_numpy()
    back = (
        parameterization.affine(-Y.mean() / Y.std(), 1 / Y.std())
        .forward(z)
        .affine(Y.mean(), Y.std())
    )
    np.testing.assert_allclose(draws.mixture.mu, back.mu, rtol=1e-12)


OPERATIONS = {
    "arithmetic": lambda z: (z[0] + z[1] * 2 - z[2] / (3 + z[0] ** 2)) * pt.sqr(z[1]) - (-z[2]),
    "powers": lambda z: pt.abs(z[0]) ** z[1] + pt.sqrt(pt.abs(z[2])) + z[0] ** 3 + 2.1 ** z[1],
    "exponentials": lambda z: pt.exp(z[0]) + pt.log(pt.abs(z[1])) + pt.expm1(z[2]) + pt.tanh(z[0]),
    "sigmoids": lambda z: pt.softplus(z[0]) * pt.sigmoid(z[1]) + pt.log1p(z[2] ** 2),
    "log1mexp": lambda z: pt.log1mexp(-pt.abs(z[0])) + pt.log1mexp(-0.1 * pt.abs(z[1])) + z[2],
    "far out": lambda z: pt.softplus(50 * z[0]) + pt.softplus(-50 * z[1]) + z[2],
    "extremes": lambda z: pt.max(z) * pt.min(z) + pt.maximum(z[0], z[1]) - pt.minimum(z[1], 0.3),
    "branches": lambda z: pt.switch(z[0] > z[1], pt.exp(z[2]), z[0] * z[1]) + pt.sign(z[2]) * z[0],
    "conditions": lambda z: pt.switch(
        pt.and_(pt.ge(z[0], 0), pt.or_(pt.lt(z[1], 0.5), pt.le(z[2], 0))), z.sum(), z.prod()
    ) + pt.switch(pt.eq(pt.sign(z[0]), 1) | pt.isinf(z[1]) | ~pt.neq(z[1], z[2]), z[1], 0.0),
    "sums": lambda z: pt.cumsum(z)[-1] * pt.cumprod(z)[1] + pt.logsumexp(z) + pt.mean(z[1:]),
    "no derivative": lambda z: z[0] * zero_grad(z[1]) + disconnected_grad(z[0]) * z[1] * z[2],
    "shapes": lambda z: (
        pt.concatenate([z[:2], z[1:]]).reshape((2, 2)).T[0].sum()
        + pt.stack([z, 2 * z])[1, ::-1][0]
        + pt.set_subtensor(pt.zeros(3)[1], z[0]).sum()
        + pt.inc_subtensor(z[:2], z[1:]).prod()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_of_a_tape_and_its_derivative(name):
    at, number = pt.dvector("z", shape=(3,)), pt.dscalar("number")
    graph = [OPERATIONS[name](at) * number]
    taped = compile_map(graph, at, {"number": number})
    assert isinstance(taped, TapeMap)
    plain = InterpretedMap(graph, at, {"number": number})
    rows = np.random.default_rng(7).standard_normal((40, 3))
    given, ones = {"number": 1.5}, [np.ones((40, 1))]
    np.testing.assert_allclose(taped.values(rows, given), plain.values(rows, given), rtol=1e-11)
    np.testing.assert_allclose(
        taped.pullback(rows, given, ones), plain.pullback(rows, given, ones), rtol=1e-9, atol=1e-12
    )


def test_outside_of_its_support_a_density_is_minus_infinity():
    at = pt.dvector("z", shape=(2,))
    taped = compile_map([pm.logp(pm.Normal.dist(0, at[0]), at[1])], at, {})
    found = taped.values(np.array([[-1.0, 0.3], [1.0, 0.3]]), {})[0]
    assert found[0] == -np.inf and np.isclose(found[1], -0.9639385332046727)
