"""The pass as a PyTensor operation, and the plain model a PyMC user takes away."""

import arviz as az
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import DisconnectedInputError, hessian

from ordered_mix.data import Data, simulate
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.batching import INTERPRETED
from ordered_mix.passes.likelihood import MixturePass, log_likelihood
from ordered_mix.prior import Prior

TRUTH = Mixture([0.3, 0.7], [-1.0, 1.5], [0.8, 0.5])
DATA = simulate(TRUTH, 60, seed=1)
WEIGHT = np.random.default_rng(2).uniform(0.1, 3.0, 60)
NAMES = ("y", "weight", "w", "mu", "sigma")


@pytest.fixture(scope="module", params=["plain", "numba"])
def compiled(request):
    """Value and gradient of the log likelihood, compiled with and without numba."""
    inputs = [pt.vector(name) for name in NAMES]
    value = log_likelihood(*inputs)
    outputs = [value, *pytensor.grad(value, inputs[2:])]
    mode = INTERPRETED if request.param == "plain" else "NUMBA"
    return pytensor.function(inputs, outputs, mode=mode)


@pytest.fixture(scope="module")
def oracle():
    """The same from a graph of elementary operations."""
    y, weight, w, mu, sigma = inputs = [pt.vector(name) for name in NAMES]
    u = (y[:, None] - mu) / sigma
    log_components = pt.log(w) - pt.log(sigma) - 0.5 * u**2 - 0.5 * np.log(2 * np.pi)
    value = pt.sum(weight * pt.logsumexp(log_components, axis=-1))
    outputs = [value, *pytensor.grad(value, inputs[2:])]
    return pytensor.function(inputs, outputs, mode=INTERPRETED)


@pytest.mark.parametrize("weight", [np.zeros(0), WEIGHT], ids=["unweighted", "weighted"])
def test_value_and_gradient(compiled, oracle, weight):
    for mixture in (
        TRUTH,
        Mixture([0.2, 0.3, 0.5], [-2, 0, 3], [1, 0.3, 2]),
        Mixture([1], [0.2], [1]),
    ):
        point = (mixture.w, mixture.mu, mixture.sigma)
        found = compiled(DATA.y, weight, *point)
        expected = oracle(DATA.y, weight if weight.size else np.ones(60), *point)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def test_weights_count_points(compiled):
    point = (TRUTH.w, TRUTH.mu, TRUTH.sigma)
    twice = compiled(np.repeat(DATA.y, 2), np.zeros(0), *point)
    weighted = compiled(DATA.y, np.full(60, 2.0), *point)
    for one, other in zip(twice, weighted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_strided_inputs_are_taken_as_they_are(compiled):
    point = (TRUTH.w, TRUTH.mu, TRUTH.sigma)
    reversed_ = [value[::-1] for value in point]
    value = compiled(DATA.y[::-1], np.zeros(0), *reversed_)[0]
    np.testing.assert_allclose(value, TRUTH.log_density(DATA.y).sum(), rtol=1e-12)


def test_second_derivatives_raise_and_say_where_to_go():
    w, sigma, mu = pt.constant([0.5, 0.5]), pt.constant([1.0, 1.0]), pt.vector("mu")
    value = log_likelihood(DATA.y, np.zeros(0), w, mu, sigma)
    with pytest.raises(NotImplementedError, match=r"first derivatives only.*passes.observed"):
        hessian(value, mu)


def test_the_data_carry_no_gradient():
    y = pt.vector("y")
    value = log_likelihood(y, np.zeros(0), TRUTH.w, TRUTH.mu, TRUTH.sigma)
    with pytest.raises(DisconnectedInputError):
        pytensor.grad(value, y)


def test_a_pass_takes_five_inputs():
    with pytest.raises(TypeError, match="y, weight, w, mu and sigma, got 4 inputs"):
        MixturePass()(DATA.y, TRUTH.w, TRUTH.mu, TRUTH.sigma)


def test_plain_model_takes_one_unweighted_sample():
    found = catalog.parameterization("relative", 2)
    with pytest.raises(ValueError, match=r"one unweighted sample, .*weighted\) is not"):
        found.model(Data(DATA.y, WEIGHT))
    with pytest.raises(ValueError, match="one unweighted sample"):
        found.model(Data(DATA.y.reshape(2, 30)))


def draws_near(found, model, seed):
    """Draws close to the truth as a posterior of the model, with its coordinates."""
    rng = np.random.default_rng(seed)
    z = found.start(TRUTH if found.k == 2 else None)
    mixture = found.forward(z + 0.02 * rng.normal(size=(2, 150, found.dimension)))
    values = found.module.coordinates(mixture)
    posterior = {name: values[name] for name in found.graph.names}
    posterior |= {"w": mixture.w, "mu": mixture.mu, "sigma": mixture.sigma}
    dims = {name: list(names) for name, names in model.named_vars_to_dims.items() if names}
    coords = {name: list(values) for name, values in model.coords.items()}
    return mixture, az.from_dict(
        {"posterior": posterior},
        dims={name: dims[name] for name in posterior if name in dims},
        coords=coords,
    )


@pytest.mark.parametrize(
    "name", ["unordered", "ordered", "relative", "centred", "signed", "moment", "resolved"]
)
def test_a_pymc_user_can_go_on_with_the_model(name):
    found = catalog.parameterization(name, 2, Prior())
    model = found.model(DATA)
    mixture, tree = draws_near(found, model, seed=3)
    options = {"progressbar": False, "compile_kwargs": {"mode": INTERPRETED}}
    with model:
        tree = pm.sample_posterior_predictive(
            tree, random_seed=4, extend_inferencedata=True, **options
        )
        tree = pm.compute_log_likelihood(tree, **options)
    pointwise = tree["log_likelihood"]["y"].to_numpy()
    np.testing.assert_allclose(pointwise, mixture.log_density(DATA.y), rtol=1e-10, atol=1e-12)
    predicted = tree["posterior_predictive"]["y"].to_numpy()
    assert predicted.shape == (2, 150, 60)
    error = predicted.std() / np.sqrt(predicted.size)
    assert abs(predicted.mean() - mixture.mean().mean()) < 5 * error
    loo = az.loo(tree)
    assert loo.elpd == pytest.approx(pointwise.mean(axis=(0, 1)).sum(), abs=2.0)


def test_one_component_is_a_plain_normal():
    found = catalog.parameterization("unordered", 1)
    model = found.model(DATA)
    mixture, tree = draws_near(found, model, seed=5)
    with model:
        tree = pm.compute_log_likelihood(
            tree, progressbar=False, compile_kwargs={"mode": INTERPRETED}
        )
    pointwise = tree["log_likelihood"]["y"].to_numpy()
    np.testing.assert_allclose(pointwise, mixture.log_density(DATA.y), rtol=1e-10)
