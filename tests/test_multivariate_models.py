"""The plain PyMC model in several dimensions, NUTS against Gibbs, and what PyMC's ordered does."""

import chance
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.distributions import transforms
from scipy import stats

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, reference
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.batching import INTERPRETED
from ordered_mix.parameterization.prior_draws import draw
from ordered_mix.passes.multivariate_pass import white_pass
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.nuts import NUTS

Y = np.random.default_rng(0).normal(size=(8, 2))


def prior_of(kind="full", family="inverse_gamma"):
    scale = [0.7, 0.7] if kind == "spherical" else [0.5, 0.9]
    return MultivariatePrior([0.3, -0.2], [1.5, 2.0], scale, 2.0, family, kind)


def test_ordered_of_pymc_orders_the_last_axis_which_is_not_the_components():
    """Means of shape (component, coordinate) get increasing coordinates, in every component."""
    value = pt.matrix("value")
    found = pytensor.function([value], transforms.ordered.backward(value), mode=INTERPRETED)(
        np.random.default_rng(1).normal(size=(200, 3))
    )
    assert np.all(np.diff(found, axis=1) > 0)
    assert not np.all(np.diff(found, axis=0) > 0)


# a log of a sum of tiny exponentials is -inf in PyTensor 3.0 if it is not rewritten
STABLE = INTERPRETED.including("stabilize")


@pytest.mark.parametrize("kind", ["full", "diagonal", "spherical", "tied"])
def test_log_likelihood_of_the_model_is_that_of_the_pass(kind):
    one = catalog.parameterization("relative", 2, prior_of(kind, "adaptive"), axis=(0.6, -0.8))
    model = one.model(Data.of_points(Y))
    values = [model["w"], model["means"], model["covariance"]]
    terms = model.logp(vars=[model["y"]], sum=True)
    outputs = [*model.replace_rvs_by_values(values), terms]
    function = pytensor.function(model.value_vars, outputs, mode=STABLE, on_unused_input="ignore")
    rng = np.random.default_rng(2)
    point = model.initial_point()
    w, mu, covariance, found = function(
        *(point[v.name] + rng.normal(0.0, 0.3, point[v.name].shape) for v in model.value_vars)
    )
    own = white_pass(Y, w, mu, np.linalg.cholesky(covariance)).log_likelihood
    np.testing.assert_allclose(found, own, rtol=1e-10)
    assert np.diff(mu @ [0.6, -0.8]) > 0


@pytest.mark.chance
def test_prior_draws_of_the_model_have_the_law_of_the_reference_prior():
    """By Kolmogorov and Smirnov's test of functions of draws, both families, tied and full."""
    for kind in ("full", "tied"):
        for family in ("inverse_gamma", "adaptive"):
            one = catalog.parameterization("ordered", 2, prior_of(kind, family), axis=1)
            model = one.model(Data.of_points(Y))
            mu, covariance = draw([model["means"], model["covariance"]], 2000, chance.seed(3))
            drawn = reference.draw(one.prior, 2, 20_000, chance.rng(4)).sorted(1)
            assert np.all(np.diff(mu[:, :, 1]) > 0)
            for mine, theirs in (
                (mu[:, 0, 1], drawn.mu[:, 0, 1]),
                (mu[:, 0, 0], drawn.mu[:, 0, 0]),
                (covariance[:, 0, 0, 0], drawn.covariance[:, 0, 0, 0]),
                (covariance[:, 1, 1, 1], drawn.covariance[:, 1, 1, 1]),
                (covariance[:, 1, 0, 1], drawn.covariance[:, 1, 0, 1]),
            ):
                assert stats.ks_2samp(mine, theirs).pvalue > chance.alpha(20)


def test_data_that_an_observed_variable_cannot_express_are_refused():
    one = catalog.parameterization("unordered", 2, prior_of())
    for data, message in (
        (Data.of_points(Y, np.ones(8)), "must be one unweighted sample"),
        (Data.of_points(np.eye(3)), "must have the 2 columns of the prior, got 3"),
    ):
        with pytest.raises(ValueError, match=message):
            one.model(data)


@pytest.mark.chance
def test_nuts_has_the_means_of_gibbs():
    truth = Mixture([0.4, 0.6], [[-2.0, 0.0], [2.0, 1.0]], covariance=np.eye(2))
    rng = np.random.default_rng(5)
    data = Data.of_points(truth.sample(80, rng) * [1.0, 10.0] + 3.0)
    prior = prior_of("full", "adaptive").affine([3.0, 3.0], [1.0, 10.0])
    one = catalog.parameterization("ordered", 2, prior)
    begin = Mixture(
        truth.w, np.broadcast_to(truth.mu, (2, 2, 2)), covariance=truth.covariance
    ).affine([3.0, 3.0], [1.0, 10.0])
    draws = NUTS(draws=250, tune=250).sample(one, data, begin, chance.seed(6))
    assert draws.passes.min() >= 250 and draws.tree["sample_stats"]["lp"].shape == (2, 250)
    exact = Gibbs(draws=5000, tune=500).sample(one, data, begin, chance.seed(7)).mixture
    found = draws.mixture

    def measured(mixture):
        return {
            "mu": mixture.mu[..., 0],
            "other": mixture.mu[..., 1],
            "log variance": np.log(mixture.covariance[..., 0, 0]),
            "covariance": mixture.covariance[..., 1, 0],
            "w": mixture.w[..., 0],
        }

    table = chance.table_of(measured(exact), 15)
    errors = table.groupby("quantity")["mcse_mean"].max().to_dict()
    truths = {name: values.mean(axis=(0, 1)) for name, values in measured(exact).items()}
    chance.check_means(measured(found), truths, 5, error=errors, enough=100)


def test_pymc_is_refused_and_seeds_give_the_same_draws():
    one = catalog.parameterization("unordered", 2, prior_of())
    begin = Mixture([0.5, 0.5], [[[0.0, 0.0], [1.0, 1.0]]], covariance=np.eye(2))
    data = Data.of_points(Y)
    with pytest.raises(ValueError, match="sampler must be 'nutpie' in several dimensions"):
        NUTS(sampler="pymc").sample(one, data, begin, 0)
    first, second, other = (
        NUTS(draws=10, tune=10).sample(one, data, begin, seed).mixture.mu for seed in (1, 1, 2)
    )
    assert first.tobytes() == second.tobytes() != other.tobytes()
