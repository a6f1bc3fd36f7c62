"""References of several dimensions: their witness, functionals, files and program."""

import json

import chance
import numpy as np
import pytest
from scipy import stats

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.multivariate import reference as law
from ordered_mix.passes.multivariate_pass import white_pass
from ordered_mix.references.augmentation_points import _inverse_wishart, augmentation_points
from ordered_mix.references.definition import Definition
from ordered_mix.references.export import stan_program
from ordered_mix.references.functionals import functionals, landmarks, log_likelihood
from ordered_mix.references.posteriors import definitions
from ordered_mix.references.reference import load_reference, read_draws, write_draws

EVERY = [name for name, one in definitions().items() if one.d > 1]
Y = np.array([[-1.0, 0.2], [0.5, 2.0], [0.4, -0.3], [1.0, 0.5]])
PRIOR = MultivariatePrior([0.3, 0.1], [1.5, 1.2], [0.7, 0.6])


def few(k=2):
    return Definition("few", "four points", Data.of_points(Y), "by hand", k, PRIOR)


def test_two_and_four_dimensions_are_there_two_and_three_components():
    sizes = {(one.d, one.k) for one in definitions().values() if one.d > 1}
    assert {(2, 2), (2, 3), (4, 2)} <= sizes


@pytest.mark.chance
def test_inverse_wishart_draws_are_those_of_scipy():
    rng, scale = chance.rng(1), np.array([[2.0, 0.5], [0.5, 1.0]])
    own = _inverse_wishart(np.full(20_000, 7.0), np.tile(scale, (20_000, 1, 1)), rng)
    given = stats.invwishart(7, scale).rvs(20_000, random_state=rng)
    for values in (
        lambda x: np.linalg.slogdet(x)[1],
        lambda x: x[:, 0, 1] / np.sqrt(x[:, 0, 0] * x[:, 1, 1]),
        lambda x: np.log(x[:, 1, 1]),
    ):
        assert stats.ks_2samp(values(own), values(given)).pvalue > chance.alpha(3)


@pytest.mark.chance
def test_the_witness_draws_the_posterior_of_few_points():
    """Against draws of the prior, weighted by their likelihood."""
    definition = few()
    prior = law.draw(PRIOR, 2, 200_000, np.random.default_rng(2))
    height = white_pass(Y, prior.w, prior.mu, prior.root).log_likelihood
    weight = np.exp(height - height.max())
    weight /= weight.sum()
    draws = augmentation_points(definition, chance.seed(3), chains=48, draws=200, tune=200, thin=4)
    measured = functionals(definition, draws)
    expected = functionals(definition, prior)
    for name in ("largest_weight", "smallest_log_det", "log_likelihood", "mean_1", "log_density_5"):
        truth = weight @ expected[name]
        error = np.sqrt(weight**2 @ (expected[name] - truth) ** 2)
        own = measured[name].mean(axis=1)
        z = (own.mean() - truth) / np.hypot(error, own.std(ddof=1) / np.sqrt(48))
        assert abs(z) < stats.t.isf(chance.alpha(5) / 2, 47), name


def test_the_witness_takes_the_fixed_prior_of_full_covariances_only():
    prior = MultivariatePrior(scale_family="adaptive")
    wrong = Definition("x", "", Data.of_points(Y), "", 2, prior)
    with pytest.raises(ValueError, match="prior must be the fixed one of full covariances"):
        augmentation_points(wrong, 1, 2, 4, 1, 1)
    with pytest.raises(ValueError, match="prior must be the fixed one of full covariances"):
        stan_program(prior)


@pytest.mark.parametrize("name", EVERY)
def test_functionals_do_not_know_of_labels_and_are_those_of_the_mixture(name):
    found = load_reference(name)
    draws = found.draws()[:20]
    order = np.argsort(np.random.default_rng(1).random(draws.w.shape), axis=-1)
    given, other = (functionals(found.definition, one) for one in (draws, draws.permute(order)))
    for quantity, values in given.items():
        np.testing.assert_allclose(values, other[quantity], rtol=1e-8, err_msg=quantity)
    parts = [stats.multivariate_normal(draws.mu[0, j], draws.covariance[0, j])
             for j in range(draws.k)]  # fmt: skip
    at = landmarks(found.data.y)
    density = sum(w * part.pdf(at) for w, part in zip(draws.w[0], parts, strict=True))
    heights = [given[f"log_density_{i + 1}"][0] for i in range(9)]
    np.testing.assert_allclose(heights, np.log(density), rtol=1e-8)
    compiled = white_pass(found.data.y, draws.w, draws.mu, draws.root).log_likelihood
    np.testing.assert_allclose(log_likelihood(found.data.y, draws), compiled, rtol=1e-10)


def test_landmarks_are_points_of_the_data_by_rank():
    y = np.column_stack([np.repeat(np.arange(10.0), 2), np.tile([1.0, 0.0], 10)])
    found = landmarks(np.random.default_rng(1).permutation(y))
    np.testing.assert_array_equal(found, np.column_stack([np.arange(9.0), np.ones(9)]))


@pytest.mark.parametrize("name", EVERY)
def test_draws_and_definition_survive_their_files(name, tmp_path):
    draws = load_reference(name).draws()[:500]
    write_draws(tmp_path / "draws.parquet", draws, seed=1)
    again, first = read_draws(tmp_path / "draws.parquet").sorted(), draws.sorted()
    np.testing.assert_allclose(again.mu, first.mu, rtol=1e-6)
    np.testing.assert_allclose(again.covariance, first.covariance, rtol=1e-6, atol=1e-8)
    given = json.loads(json.dumps(load_reference(name).definition.as_json()))
    read = Definition.from_json(given)
    assert given["d"] == read.d == len(given["data"]["columns"]) and read.as_json().keys() == (
        given.keys()
    )
    np.testing.assert_array_equal(read.data.y, definitions()[name].data.y)


@pytest.mark.parametrize(
    ("name", "d", "words"),
    [
        ("few_points", 2, "draws must have 1 dimensions, they have 2"),
        ("plane_2d_2", 4, "draws must have 2 dimensions, they have 4"),
    ],
)
def test_draws_of_other_dimensions_are_refused(name, d, words):
    draws = Mixture([[0.5, 0.5]], np.zeros((1, 2, d)), covariance=np.eye(d))
    with pytest.raises(ValueError, match=words) as refused:
        load_reference(name).errors(draws)
    assert "\n" not in str(refused.value)
