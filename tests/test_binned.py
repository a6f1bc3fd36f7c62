"""Binned data: the moments of the points, and a bound on the log likelihood that holds."""

from dataclasses import replace

import chance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ordered_mix import Data, Mixture, default_prior, parameterization, stream
from ordered_mix.estimators.map import MAP
from ordered_mix.optima.importance import importance
from ordered_mix.optima.laplace import laplace
from ordered_mix.passes.kernels import e_step
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.stream.binned import MOST_BEYOND, binned

TRUTH = Mixture([0.4, 0.6], [-1.0, 1.5], [0.5, 1.0])


def sample(n, seed=0, mixture=TRUTH):
    return Data(mixture.sample(n, np.random.default_rng(seed)))


def change(data, grid, mixture):
    """What binning does to the log likelihood, and what rounding may."""
    exact, other = (
        e_step(one.y, mixture.w, mixture.mu, mixture.sigma, weight=one.weight).log_likelihood
        for one in (data, grid.data)
    )
    return np.abs(other - exact), 1e-12 * (np.abs(exact) + data.n)


@pytest.mark.parametrize("weighted", [False, True])
def test_each_bin_keeps_its_moments(weighted):
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 5, 3_000) / 2 if weighted else None
    data = Data(np.append(rng.gamma(2, 1, 2_999), 1e3), weight)
    grid = binned(data, 0.05)
    edges = np.append(grid.centers - grid.width / 2, grid.centers[-1] + grid.width / 2)
    found, expected = (_moments_by_bin(one, grid.centers, edges) for one in (grid.data, data))
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert len(grid.data.y) <= 2 * len(grid.centers) + 1
    assert_allclose(grid.data.total_weight, data.total_weight, rtol=1e-13)
    for name in ("location", "scale"):
        assert_allclose(getattr(grid.data, name), getattr(data, name), rtol=1e-12)


def _moments_by_bin(data, centers, edges):
    """Sums of the powers 0 to 3 of the place within each bin, shape (bins, 4)."""
    counts = np.ones(data.n) if data.weight is None else data.weight
    # the last point is far beyond the grid
    y, counts = data.y[data.y < edges[-1]], counts[data.y < edges[-1]]
    at = np.searchsorted(edges[1:-1], y)
    u = (y - centers[at]) / (edges[-1] - centers[-1])
    sums = [np.bincount(at, counts * u**power, minlength=len(centers)) for power in range(4)]
    return np.transpose(sums)


def test_tied_points_stay_where_they_are():
    data = Data(np.repeat([0.0, 1.0, 1.001, 7.0], [50, 3, 4, 11]))
    grid = binned(data, 0.5)
    assert_allclose(grid.data.y, [0.0, 1.0, 1.001, 7.0], atol=1e-12)
    assert_allclose(grid.data.weight, [50, 3, 4, 11], rtol=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(2, 4).flatmap(
        lambda k: st.tuples(
            st.lists(st.floats(0.05, 1), min_size=k, max_size=k),
            st.lists(st.floats(-4, 4), min_size=k, max_size=k),
            st.lists(st.floats(0.05, 3), min_size=k, max_size=k),
        )
    ),
    st.sampled_from([0.3, 0.1, 0.02]),
)
def test_the_bound_holds_for_any_mixture(parameters, width):
    w, mu, sigma = map(np.array, parameters)
    mixture = Mixture(w / w.sum(), mu, sigma)
    data = sample(2_000)
    grid = binned(data, width)
    found, rounding = change(data, grid, mixture)
    assert found <= grid.bound(mixture) + rounding


def test_the_bound_is_no_order_of_magnitude_too_large_and_falls_by_the_fourth_power():
    data, bounds = sample(50_000), []
    for width in (0.2, 0.1, 0.05):
        grid = binned(data, width)
        found, _ = change(data, grid, TRUTH)
        bounds.append(float(grid.bound(TRUTH)))
        assert found <= bounds[-1] <= 100 * found
    assert 12 < bounds[0] / bounds[1] and 12 < bounds[1] / bounds[2] < 20


def test_one_component_needs_no_more_than_moments():
    data = sample(1_000)
    grid, one = binned(data, 2.0), Mixture([[1.0]], [[0.3]], [[0.7]])
    found, rounding = change(data, grid, one)
    assert_array_equal(grid.bound(one), [0.0])
    assert (found <= rounding).all()


def test_a_stream_is_binned_as_data_in_memory(tmp_path):
    data = sample(30_000)
    pq.write_table(pa.table({"x": data.y}), tmp_path / "a.parquet", row_group_size=7_000)
    found, expected = binned(stream(tmp_path / "a.parquet:x")), binned(data)
    for name in ("y", "weight"):
        values = (getattr(one.data, name) for one in (found, expected))
        assert_allclose(*values, rtol=1e-8, atol=1e-9)
    assert_allclose(found.bound(TRUTH), expected.bound(TRUTH), rtol=1e-6)


def test_few_points_may_be_far_and_many_may_not():
    y = np.append(np.random.default_rng(0).standard_normal(5_000), [1e4, -2e4, 3e4])
    grid = binned(Data(y), 0.01)
    assert_array_equal(grid.data.y[[0, -2, -1]], [-2e4, 1e4, 3e4])
    assert_array_equal(grid.data.weight[[0, -2, -1]], 1)
    many = np.append(0.0, np.full(MOST_BEYOND + 1, 9.0))
    weight = np.where(many == 0, 1e9, 1.0)
    with pytest.raises(ValueError, match="must have at most 100,000 points beyond 12 standard"):
        binned(Data(many, weight))


@pytest.mark.parametrize(
    ("data", "width", "message"),
    [
        (Data(np.ones(5)), None, "must be one sample that is not constant"),
        (Data(np.zeros((2, 5))), None, "must be one sample that is not constant"),
        (Data([1.0, 2.0]), 0.0, r"width must be positive and finite, got 0\.0"),
    ],
)
def test_bad_input_is_named(data, width, message):
    with pytest.raises(ValueError, match=message):
        binned(data, width)


# --- what stands for the posterior ----------------------------------------------------------------


@pytest.mark.chance
def test_the_posterior_of_binned_data_is_that_of_the_points():
    data = sample(20_000)
    grid, model = binned(data), parameterization("unordered", 2, default_prior(data))
    mode = MAP().fit(model, data, TRUTH.reshape(1)).mixture
    starts = Mixture.stack([mode[0]] * 2)
    nuts, found = NUTS(draws=500, tune=500), []
    for one, seed in ((data, 1), (grid.data, 2)):
        mixture = nuts.sample(model, one, starts, chance.seed(seed)).mixture
        found.append(mixture.sorted())
    exact, other = found
    assert grid.bound(other[:, ::50]).max() < 1e-5
    for name in ("w", "mu", "sigma"):
        a, b = (getattr(one, name)[..., 0] for one in (exact, other))
        ess = [_ess(one) for one in (a, b)]
        error = np.sqrt(a.var() / ess[0] + b.var() / ess[1])
        assert min(ess) > chance.ENOUGH
        assert abs(a.mean() - b.mean()) < chance.z_for(3, min(ess)) * error


def _ess(draws):
    import arviz_stats

    return float(arviz_stats.ess(draws, method="mean", chain_axis=0, draw_axis=1))


def laplace_of(data):
    model = parameterization("unordered", 2, default_prior(data))
    return laplace(model, data, MAP().fit(model, data, TRUTH.reshape(1)).mixture[0])


def test_pareto_k_tells_a_good_approximation_from_one_that_is_too_narrow():
    """Means of eight: of good ones 0.37 with an error of 0.05, of narrow ones 1.2 and 0.1."""
    data = sample(2_000, seed=5)
    good = laplace_of(data)
    narrow = replace(good, covariance=good.covariance / 25)
    found = [[importance(one, data, 400, seed=at) for at in range(8)] for one in (good, narrow)]
    k, ess = (
        [[getattr(one, name) for one in row] for row in found] for name in ("pareto_k", "ess")
    )
    assert np.mean(k[0]) < 0.7 < np.mean(k[1])
    assert min(ess[0]) > 300 > 150 > max(ess[1])


def test_weighted_draws_are_drawn_again_with_equal_weights():
    data = sample(2_000, seed=5)
    found = importance(laplace_of(data), data, 400)
    assert_allclose(found.weight.sum(), 1.0)
    means, again = found.mixture.mu[:, 0], found.resampled(40_000, 0).mu[:, 0]
    # systematic resampling takes each draw as often as its weight says, up to one
    counts = np.array([np.sum(again == one) for one in means])
    assert np.abs(counts - 40_000 * found.weight).max() <= 1 + 1e-6
    with pytest.raises(ValueError, match="draws must be at least 100 for a Pareto k, got 99"):
        importance(laplace_of(data), data, 99)
