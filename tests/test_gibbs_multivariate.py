"""Gibbs sampling in several dimensions: quadrature, calibration, one dimension, memory."""

import tracemalloc

import arviz_stats
import chance
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, reference
from ordered_mix.multivariate.covariances import KINDS
from ordered_mix.parameterization import catalog
from ordered_mix.passes.multivariate_pass import white_pass
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.moves.gibbs_multivariate import conjugate
from ordered_mix.samplers.moves.sweeps_multivariate import sweeps
from ordered_mix.theory.calibration import largest_difference, rank, reach

FAMILIES = ("inverse_gamma", "adaptive")


def prior_of(kind="full", family="inverse_gamma", d=2):
    scale = [0.7] * d if kind == "spherical" else [0.5, 0.9, 1.4][:d]
    return MultivariatePrior([0.3] * d, [1.5] * d, scale, 2.0, family, kind)


def starts(k, d, chains=4, seed=1):
    mu = np.random.default_rng(seed).normal(size=(chains, k, d))
    return Mixture(np.full(k, 1 / k), mu, covariance=np.eye(d))


def agree(values, exact, exact_error=0.0, comparisons=1):
    """Whether the mean of draws may be the exact one, given both errors."""
    ess = float(arviz_stats.ess(values, chain_axis=0, draw_axis=1))
    assert ess > 400
    own = float(arviz_stats.mcse(values, method="mean", chain_axis=0, draw_axis=1))
    allowed = chance.z_for(comparisons, ess) * np.hypot(own, exact_error)
    assert abs(values.mean() - exact) < allowed


def quantities(y, mixture):
    """Label-invariant ones, of a batch of mixtures."""
    moments = white_pass(y, mixture.w, mixture.mu, mixture.root)
    logs = np.log(np.diagonal(mixture.root, axis1=-2, axis2=-1))
    return {
        "likelihood": moments.log_likelihood,
        "mean": mixture.mean()[..., 0],
        "least volume": logs.sum(axis=-1).min(axis=-1),
        "correlation": mixture.total_covariance()[..., -1, 0],
        "largest weight": mixture.w.max(axis=-1),
    }


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.chance
def test_ranks_of_the_truth_are_uniform(family):
    """Simulation-based calibration in two dimensions, at 1,000 simulations of full covariances."""
    rng = chance.rng(4)
    for kind in KINDS:
        prior, count = prior_of(kind, family), 1000 if kind == "full" else 200
        numbers, ranks = conjugate(prior), {}
        truths = reference.draw(prior, 2, count, rng)
        for at in range(count):
            truth = truths[at]
            y = truth.sample(12, rng)
            out = np.empty((400, 14))
            # a chain that begins at the truth is in equilibrium
            state = [np.array(value, order="C") for value in (truth.w, truth.mu, truth.root)]
            key = np.uint64(rng.integers(2**62))
            sweeps(np.ascontiguousarray(y.T), numbers, *state, key, 0, False, rng, out)
            thin = out[19::20]
            root = thin[:, 6:].reshape(-1, 2, 2, 2)
            drawn = Mixture(
                thin[:, :2],
                thin[:, 2:6].reshape(-1, 2, 2),
                covariance=root @ np.swapaxes(root, -1, -2),
            )
            mine, theirs = quantities(y, truth), quantities(y, drawn)
            for name, value in mine.items():
                ranks.setdefault(name, []).append(rank(float(value), theirs[name], rng))
        for name, found in ranks.items():
            assert largest_difference(found, 20) < reach(count, chance.alpha(20)), (kind, name)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.chance
def test_few_points_have_the_moments_of_the_weighted_prior(family):
    """Importance sampling from the prior is exact but for its own error."""
    y = np.array([[-1.0, 0.2], [0.5, 2.0], [0.4, -0.3], [1.0, 0.5]])
    prior = prior_of("full", family)
    weighted = reference.draw(prior, 2, 400_000, np.random.default_rng(3))
    log_weight = white_pass(y, weighted.w, weighted.mu, weighted.root).log_likelihood
    weight = np.exp(log_weight - logsumexp(log_weight))
    one = catalog.parameterization("unordered", 2, prior)
    drawn = Gibbs(draws=10_000).sample(one, Data.of_points(y), starts(2, 2), chance.seed(3))
    exact = quantities(y, weighted)
    for name, values in quantities(y, drawn.mixture).items():
        mean = float(weight @ exact[name])
        error = float(np.sqrt(np.sum((weight * (exact[name] - mean)) ** 2)))
        agree(values, mean, error, comparisons=5)


@pytest.mark.chance
def test_one_component_has_the_moments_of_quadrature():
    """A diagonal covariance makes the posterior a product of those of one dimension."""
    y = np.random.default_rng(5).normal([1.0, -2.0], [0.5, 1.5], (12, 2))
    prior = prior_of("diagonal")
    one = catalog.parameterization("unordered", 1, prior)
    drawn = Gibbs(draws=5000).sample(one, Data.of_points(y), starts(1, 2), chance.seed(1))
    for at in range(2):
        mu = np.linspace(-8, 8, 801)[:, None]
        log_sigma = np.linspace(-4, 4, 401)
        variance = np.exp(2 * log_sigma)
        density = stats.norm(0.3, 1.5).logpdf(mu) + 2 * log_sigma
        density = density + stats.invgamma(2.0, scale=prior.scale[at] ** 2).logpdf(variance)
        square = np.sum((y[:, at] - mu) ** 2, axis=1)[:, None]
        density = density - 12 * log_sigma - 0.5 * square / variance
        mass = np.exp(density - density.max())
        mass /= mass.sum()
        mixture = drawn.mixture
        agree(mixture.mu[..., 0, at], float(np.sum(mass * mu)), 0.0, 4)
        spread = np.sqrt(mixture.covariance[..., 0, at, at])
        agree(spread, float(np.sum(mass * np.exp(log_sigma))), 0.0, 4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.chance
def test_one_dimension_has_the_means_of_the_sampler_of_one_dimension(family):
    y = np.random.default_rng(6).normal([-2.0, 1.0], [0.5, 1.0], (20, 2)).ravel()
    own = catalog.parameterization("ordered", 2, Prior(0.3, 1.5, 0.7, 2.0, family))
    several = MultivariatePrior([0.3], [1.5], [0.7], 2.0, family)
    other = catalog.parameterization("ordered", 2, several)
    begin = Mixture([0.5, 0.5], np.full((4, 2), [-1.0, 1.0]), 1.0)
    points = Mixture(begin.w, begin.mu[..., None], covariance=np.eye(1))
    sampler = Gibbs(draws=5000)
    expected = sampler.sample(own, Data(y), begin, chance.seed(7)).mixture
    found = sampler.sample(other, Data.of_points(y[:, None]), points, chance.seed(8)).mixture
    pairs = (
        (found.mu[..., 0, 0], expected.mu[..., 0]),
        (found.mu[..., 1, 0], expected.mu[..., 1]),
        (np.log(found.covariance[..., 0, 0, 0]), 2 * np.log(expected.sigma[..., 0])),
        (found.w[..., 0], expected.w[..., 0]),
    )
    for values, truth in pairs:
        error = float(arviz_stats.mcse(truth, method="mean", chain_axis=0, draw_axis=1))
        agree(values, truth.mean(), error, comparisons=4)


def test_draws_do_not_depend_on_cores_and_depend_on_the_seed():
    rng = np.random.default_rng(9)
    data = Data.of_points(rng.normal(size=(50, 3)) * [1.0, 1e3, 1e-3] + 10, columns=tuple("xyz"))
    prior = prior_of(d=3).affine(data.location, data.scale)
    one = catalog.parameterization("relative", 3, prior, axis=1)
    begin = starts(3, 3).affine(data.location, data.scale)
    first, second, other = (
        Gibbs(draws=20, tune=10, cores=cores).sample(one, data, begin, seed)
        for cores, seed in ((1, 7), (3, 7), (1, 8))
    )
    for name in ("w", "mu", "covariance"):
        mine, theirs = getattr(first.mixture, name), getattr(second.mixture, name)
        assert mine.tobytes() == theirs.tobytes()
        assert not np.any(mine[:, -1] == getattr(other.mixture, name)[:, -1])
    assert np.all(np.diff(first.mixture.mu[..., 1], axis=-1) > 0)
    assert first.passes.tolist() == [20] * 4 and first.warmup_passes.tolist() == [10] * 4
    tree = first.tree
    assert tree["posterior"]["mu"].dims == ("chain", "draw", "component", "coordinate")
    assert tree["posterior"]["coordinate"].to_numpy().tolist() == ["x", "y", "z"]
    pointwise = first.mixture.log_density(data.y)
    np.testing.assert_allclose(tree["log_likelihood"]["y"], pointwise, rtol=1e-9, atol=1e-9)


@pytest.mark.chance
def test_permuted_labels_are_uniform():
    truth = Mixture([0.3, 0.3, 0.4], [[-4.0, 0.0], [0.0, 3.0], [4.0, 0.0]], covariance=np.eye(2))
    y = truth.sample(60, np.random.default_rng(5))
    prior = MultivariatePrior([0.0, 0.0], [4.0, 4.0], [1.0, 1.0])
    one = catalog.parameterization("unordered", 3, prior)
    sampler = Gibbs(draws=4000, permute=True)
    drawn = sampler.sample(one, Data.of_points(y), starts(3, 2), chance.seed(9)).mixture
    first = drawn.order(0)[..., 0].ravel()
    assert stats.chisquare(np.bincount(first, minlength=3)).pvalue > chance.alpha()


@pytest.mark.parametrize("kind", KINDS)
def test_draws_have_covariances_of_their_kind_and_frozen_parameters_stay(kind):
    y = np.random.default_rng(2).normal(size=(30, 2))
    begin = Mixture([0.2, 0.8], starts(2, 2).mu, covariance=[[1.0, 0.3], [0.3, 2.0]])
    one = catalog.parameterization("unordered", 2, prior_of(kind))
    drawn = Gibbs(draws=10, tune=5, frozen=("w",)).sample(one, Data.of_points(y), begin, 1)
    one.unconstrain(drawn.mixture)  # which refuses covariances of another kind
    assert np.all(drawn.mixture.w == [0.2, 0.8])


def test_weights_that_are_counts_repeat_the_points():
    y, counts = np.random.default_rng(3).normal(size=(40, 2)), np.tile([1.0, 2.0, 0.0, 1.0], 10)
    one = catalog.parameterization("unordered", 4, prior_of())
    many = Data.of_points(np.repeat(y, counts.astype(int), axis=0))
    first, second = (
        Gibbs(draws=10, tune=5).sample(one, data, starts(4, 2), 2).mixture
        for data in (Data.of_points(y, counts), many)
    )
    np.testing.assert_allclose(first.mu[:, :3], second.mu[:, :3], rtol=1e-8, atol=1e-8)


def test_memory_is_at_most_ten_times_the_data():
    rng = np.random.default_rng(4)
    y = rng.normal(size=(100_000, 8)) + rng.integers(0, 5, (100_000, 1))
    data = Data.of_points(y)
    prior = MultivariatePrior([2.0] * 8, [3.0] * 8, [1.0] * 8)
    one = catalog.parameterization("unordered", 5, prior)
    begin = Mixture(np.full(5, 0.2), rng.normal(2.0, 1.0, (1, 5, 8)), covariance=np.eye(8))
    sampler = Gibbs(draws=4, tune=1)
    sampler.sample(one, Data.of_points(y[:100]), begin, 0)  # compiles
    tracemalloc.start()
    sampler.sample(one, data, begin, 0)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10 * y.nbytes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"data": Data.of_points(np.eye(4).reshape(2, 4, 2))}, "data must be one sample, got a"),
        ({"data": Data.of_points(np.eye(3))}, "data must have the 2 columns of the prior, got 3"),
        ({"data": Data.of_points([[0.0, 1], [1, 3], [2, 5]])}, "must not be collinear"),
        ({"data": Data.of_points([[0.0, 1], [1, 3]])}, "must have more points than its 2"),
        (
            {"data": Data.of_points([[1.0, 0], [1, 1], [3, 1]], [1, 0.5, 1])},
            "must be whole numbers",
        ),
        ({"starts": starts(2, 2)[0]}, "one mixture for each chain"),
        ({"starts": starts(3, 2)}, "starts must have 2 components in 2 dimensions, they have 3"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"one": ("ordered", {"frozen": ("mu",)})}, "frozen must be empty"),
        ({"one": ("relative(clearance=0.5)", {})}, "prior must be the reference prior"),
    ],
)
def test_what_it_cannot_sample_is_refused(given, message):
    label, settings = given.get("one", ("unordered", {}))
    y = np.random.default_rng(0).normal(size=(9, 2))
    with pytest.raises(ValueError, match=message):
        Gibbs(**settings).sample(
            catalog.parameterization(label, 2, prior_of()),
            given.get("data", Data.of_points(y)),
            given.get("starts", starts(2, 2)),
            given.get("seed", 0),
        )
