"""WAIC and LOO against reference values, quadrature and brute force."""

from pathlib import Path

import arviz_stats
import chance
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

from ordered_mix.draws.elpd import difference, loo, pointwise_log_likelihood, waic

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def reference():
    """Data and 10 x 1000 reference draws of low_dim_gauss_mix: y, w, mu, sigma."""
    draws = pd.read_csv(HERE / "reference" / "low_dim_gauss_mix_draws.csv.gz")
    data = HERE.parent / "ordered_mix" / "datasets" / "low_dim_gauss_mix.csv"

    def columns(*names):
        return draws[list(names)].to_numpy().reshape(10, 1000, len(names))

    w1 = columns("w1")
    w = np.concatenate([w1, 1 - w1], axis=-1)
    return pd.read_csv(data)["y"].to_numpy(), w, columns("mu1", "mu2"), columns("sigma1", "sigma2")


@pytest.fixture(scope="module")
def reference_waic(reference):
    return waic(pointwise_log_likelihood(*reference))


def test_waic_of_the_reference_draws(reference_waic):
    assert reference_waic.elpd == pytest.approx(-2101.767176, abs=1e-6)
    assert reference_waic.se == pytest.approx(22.975461, abs=1e-6)
    assert reference_waic.p == pytest.approx(5.099628, abs=1e-6)
    assert reference_waic.n_high_p == int(np.sum(reference_waic.p_waic_i > 0.4))
    assert (reference_waic.n_samples, reference_waic.n_data_points) == (10_000, 1000)
    assert float(reference_waic.elpd_i.sum()) == pytest.approx(reference_waic.elpd, abs=1e-9)


def test_loo_of_the_reference_draws(reference):
    result = loo(pointwise_log_likelihood(*reference))
    assert result.elpd == pytest.approx(-2101.7701, abs=1e-3)
    assert result.p == pytest.approx(5.10, abs=0.005)
    assert float(result.pareto_k.max()) == pytest.approx(0.17, abs=0.02)
    assert not result.warning


def small_log_likelihood(seed=0, shape=(2, 400, 30)):
    rng = np.random.default_rng(seed)
    theta = rng.normal(0, 0.2, size=shape[:2])
    y = np.linspace(-2, 2, shape[2])
    return -0.5 * (y - theta[..., None]) ** 2 - 0.5 * np.log(2 * np.pi)


@pytest.mark.parametrize("criterion", [waic, loo])
def test_blocks_of_points_change_nothing(criterion):
    whole = small_log_likelihood()
    blocks = (whole[..., start : start + 7] for start in range(0, 30, 7))
    first, second = criterion(whole), criterion(blocks)
    assert first.elpd == pytest.approx(second.elpd, abs=1e-12)
    assert (first.se, first.p) == pytest.approx((second.se, second.p), abs=1e-12)
    np.testing.assert_allclose(first.elpd_i, second.elpd_i, atol=1e-13)


def test_pointwise_log_likelihood_is_bounded_and_right():
    rng = np.random.default_rng(5)
    y = rng.normal(size=23)
    w, mu = rng.dirichlet(np.ones(2), (2, 10)), rng.normal(size=(2, 10, 2))
    sigma = rng.uniform(0.5, 2, size=(2, 10, 2))
    blocks = list(pointwise_log_likelihood(y, w, mu, sigma, megabytes=5 * 160e-6))
    assert [block.shape[-1] for block in blocks] == [5, 5, 5, 5, 3]
    z = (y[:, None] - mu[..., None, :]) / sigma[..., None, :]
    kernel = np.exp(-0.5 * z**2) / (sigma[..., None, :] * np.sqrt(2 * np.pi))
    expected = np.log(np.sum(w[..., None, :] * kernel, axis=-1))
    np.testing.assert_allclose(np.concatenate(blocks, axis=-1), expected, rtol=1e-12)


@pytest.mark.chance
def test_waic_against_quadrature():
    """Two unit normals, p = 1/2, means iid normal with variance 4: values of exact quadrature."""
    y = norm.ppf((np.arange(50) + 0.5) / 50)
    grid = np.linspace(-5, 5, 401)
    component = norm.logpdf(y[:, None], loc=grid)
    log_posterior = norm.logpdf(grid, scale=2)[:, None] + norm.logpdf(grid, scale=2)
    for row in component:
        log_posterior = log_posterior + np.logaddexp(row[:, None], row) - np.log(2)
    weights = np.exp(log_posterior - log_posterior.max())
    rng = chance.rng(11)
    index = rng.choice(weights.size, size=40_000, p=(weights / weights.sum()).ravel())
    mu = np.stack(np.unravel_index(index, weights.shape), axis=-1)
    draws = grid[mu].reshape(4, 10_000, 2)
    result = waic(pointwise_log_likelihood(y, np.full(2, 0.5), draws, np.ones(2)))
    allowed = chance.z_for(3)
    assert abs(result.elpd + 71.70144735) < allowed * result.mcse < 0.06
    # p is as uncertain as the variances that elpd contains
    assert abs(result.p - 1.10752375) < allowed * result.mcse
    exact_loo = loo(pointwise_log_likelihood(y, np.full(2, 0.5), draws, np.ones(2)))
    assert abs(exact_loo.elpd + 71.70187794) < allowed * exact_loo.mcse < 0.06


def test_loo_against_arviz_on_a_tree():
    values = small_log_likelihood(seed=6)
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"theta": (("chain", "draw"), values[..., 0])}),
            "log_likelihood": xr.Dataset({"y": (("chain", "draw", "obs"), values)}),
        }
    )
    expected = arviz_stats.loo(tree, reff=1.0, pointwise=True)
    result = loo(values)
    assert result.elpd == pytest.approx(expected.elpd, abs=2e-3)
    assert result.good_k == pytest.approx(expected.good_k)
    np.testing.assert_allclose(result.pareto_k, expected.pareto_k, atol=0.1)
    assert result.se == pytest.approx(expected.se, rel=1e-3)


def autocorrelated_log_likelihood(seed, draws=500, decay=0.6):
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(2, draws))
    for step in range(1, draws):
        theta[:, step] = decay * theta[:, step - 1] + np.sqrt(1 - decay**2) * theta[:, step]
    y = np.linspace(-2, 2, 25)
    return -0.5 * (y - 0.2 * theta[..., None]) ** 2


@pytest.mark.chance
@pytest.mark.parametrize("criterion", [waic, loo])
def test_monte_carlo_error_is_the_spread_between_runs(criterion):
    """Over 80 runs of autocorrelated chains."""
    seeds = [chance.seed(base) for base in range(80)]
    runs = [criterion(autocorrelated_log_likelihood(seed)) for seed in seeds]
    reported = np.sqrt(np.mean([run.mcse**2 for run in runs]))
    assert chance.spread_of([run.elpd for run in runs], reported)


def test_waic_prints_and_compares_like_arviz():
    first, second = waic(small_log_likelihood()), waic(small_log_likelihood() - 0.1)
    assert "elpd_waic" in str(first) and "p_waic" in str(first)
    table = arviz_stats.compare({"better": first, "worse": second})
    assert list(table.index) == ["better", "worse"]


def test_waic_warns_about_points_with_high_variance():
    values = small_log_likelihood()
    assert not waic(values).warning
    values[..., 3] *= 40
    result = waic(values)
    assert result.warning and result.n_high_p == 1
    assert "1 of 30 points have p_waic above 0.4" in str(result)


def test_difference_is_paired():
    values = small_log_likelihood()
    shift = np.linspace(0, 1, 30)
    gap = difference(waic(values), waic(values - shift))
    assert gap.elpd == pytest.approx(shift.sum())
    assert gap.se == pytest.approx(np.sqrt(30 * np.var(shift, ddof=1)))
    assert gap.z == pytest.approx(gap.elpd / gap.se)
    assert difference(waic(values), waic(values)).z == 0


def test_difference_bad_input():
    values = small_log_likelihood()
    with pytest.raises(ValueError, match="of the kind 'waic' of first, got 'loo'"):
        difference(waic(values), loo(values))
    with pytest.raises(ValueError, match="the same points"):
        difference(waic(values), waic(values[..., :20]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 5)), r"\(chain, draw, point\)"),
        (np.full((2, 5, 3), np.nan), "log_likelihood must be finite"),
        (np.zeros((2, 3, 3)), "at least 4 draws per chain"),
        ([], "at least one block of points"),
        (np.zeros((2, 5, 0)), r"all non-empty, got an array of shape \(2, 5, 0\)"),
        ([np.zeros((2, 5, 3)), np.zeros((2, 6, 3))], r"shape \(2, 5\) and \(2, 6, 3\)"),
        (np.zeros((2, 5, 1)), "at least 2 points"),
    ],
)
def test_waic_bad_input(values, message):
    with pytest.raises(ValueError, match=message):
        waic(values)


def test_pointwise_log_likelihood_fails_before_any_work():
    good = np.full((1, 3, 2), 0.5), np.zeros((1, 3, 2)), np.ones((1, 3, 2))
    with pytest.raises(ValueError, match="y must be finite"):
        pointwise_log_likelihood([1.0, np.nan], *good)
    with pytest.raises(ValueError, match="y must be a non-empty vector"):
        pointwise_log_likelihood([], *good)
    with pytest.raises(ValueError, match="megabytes must be positive"):
        pointwise_log_likelihood([1.0], *good, megabytes=0)
