"""The seeds and thresholds of the tests that draw: that the thresholds hold what they say."""

import importlib.util

import chance
import numpy as np
import pytest
from scipy import stats

from ordered_mix.draws.convergence import convergence


def autocorrelated(rng, decay, chains=4, draws=400):
    """Stationary chains with mean 0 and standard deviation 1."""
    steps = rng.normal(size=(draws, chains)) * np.sqrt(1 - decay**2)
    steps[0] /= np.sqrt(1 - decay**2)
    for one in range(1, draws):
        steps[one] += decay * steps[one - 1]
    return steps.T


@pytest.mark.chance
def test_no_more_than_the_share_of_a_test_is_used():
    assert chance.TESTS * 4 * chance.alpha(4) == pytest.approx(chance.SUITE)
    assert stats.norm.sf(chance.z_for(3)) * 2 * 3 * chance.TESTS == pytest.approx(chance.SUITE)
    assert chance.z_for(3, ess=40) > chance.z_for(3, ess=4000) > chance.z_for(3)


def test_a_test_that_draws_must_be_counted():
    with pytest.raises(AssertionError, match="must be marked chance"):
        chance.alpha()


@pytest.mark.chance
@pytest.mark.parametrize("decay", [0.0, 0.7])
def test_means_miss_by_as_many_errors_as_the_quantile_says(decay):
    """At 1%, where misses can be counted; R-hat at the same level."""
    rng, missed, apart = chance.rng(1), 0, 0
    runs, level = 400, 0.01
    for _ in range(runs):
        values = autocorrelated(rng, decay)
        row = convergence({"x": values}).iloc[0]
        quantile = stats.t.isf(level / 2, row["ess_bulk"] / 4)
        missed += abs(values.mean()) > quantile * row["mcse_mean"]
        noise = stats.chi2.isf(level / 2, 7) / 7
        apart += row["rhat"] > np.sqrt(1 + 8 / row["ess_bulk"] * noise)
    for count in (missed, apart):
        assert stats.binom.sf(count - 1, runs, level) > chance.alpha(2), (missed, apart)


@pytest.mark.chance
def test_what_is_wrong_is_found():
    rng = chance.rng(2)
    values = autocorrelated(rng, 0.5)
    chance.check_means({"x": values}, {"x": 0.0}, 1)
    error = convergence({"x": values})["mcse_mean"].iloc[0]
    with pytest.raises(AssertionError):
        chance.check_means({"x": values}, {"x": 13 * error}, 1)
    with pytest.raises(AssertionError):
        chance.table_of({"x": values + np.array([[0], [0], [0], [1]])})
    with pytest.raises(AssertionError):
        chance.table_of({"x": values}, enough=5000)
    assert chance.mean_of(rng.normal(size=50), 0) and not chance.mean_of(rng.normal(size=50), 2)
    assert chance.spread_of(rng.normal(size=50), 1) and not chance.spread_of(rng.normal(size=50), 3)
    assert chance.proportion(48, 100, 0.5) and not chance.proportion(20, 100, 0.5)


def test_seeds_are_shifted_together(monkeypatch):
    found = {}
    for shift in ("", "0", "1"):
        monkeypatch.setenv("SEEDS", shift)
        fresh = importlib.util.module_from_spec(importlib.util.find_spec("chance"))
        fresh.__loader__.exec_module(fresh)
        found[shift] = fresh.seed(7), fresh.rng(7).integers(1000)
    assert found[""] == found["0"] != found["1"]
    assert found["0"][0] == 7 and found["1"][0] == 10_007


@pytest.mark.chance
def test_errors_that_are_right_pass_and_errors_of_a_third_do_not():
    rng = chance.rng(2)
    islands = rng.normal(size=(60, 16))
    values, errors = islands.mean(axis=1), islands.std(axis=1, ddof=1) / 4
    assert chance.errors_of(values, errors, 15)
    assert not chance.errors_of(values, errors / 3, 15) and not chance.errors_of(
        values, 3 * errors, 15
    )
