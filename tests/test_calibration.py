"""Ranks of simulation-based calibration and their tests; test_nuts.py has a small calibration."""

import chance
import numpy as np
import pytest
from scipy.stats import kstwobign

from ordered_mix.parameterization import catalog, reference
from ordered_mix.theory.calibration import (
    band,
    largest_difference,
    rank,
    reach,
    scores,
    thin,
    uniformity,
)

file = catalog.module("calibration", "study")


@pytest.fixture
def rng():
    return chance.rng(5)


@pytest.mark.chance
def test_rank_counts_what_lies_below(rng):
    assert rank(2.5, [1, 2, 3, 4], rng) == 2
    assert rank(-1, [1, 2], rng) == 0 and rank(9, [1, 2], rng) == 2
    tied = [rank(2, [1, 2, 2, 3], rng) for _ in range(600)]
    assert set(tied) == {1, 2, 3}
    assert all(chance.proportion(count, 600, 1 / 3, 3) for count in np.bincount(tied)[1:])


def test_thin_takes_equal_parts_of_all_chains():
    draws = np.arange(40).reshape(2, 20)
    assert thin(draws, 4).tolist() == [5, 15, 25, 35]
    assert thin(draws, 40).tolist() == list(range(40))
    with pytest.raises(ValueError, match="count must lie between 1 and the 40 draws, got 41"):
        thin(draws, 41)


def test_largest_difference_of_known_ranks():
    assert largest_difference(np.repeat(np.arange(4), 5), 3) == pytest.approx(0)
    assert largest_difference([0, 0, 0, 0], 3) == pytest.approx(0.75)
    assert largest_difference([0, 1, 2, 2], 3) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="ranks must be whole numbers from 0 to 3"):
        largest_difference([0, 4], 3)
    with pytest.raises(ValueError, match="at least one of them"):
        largest_difference([], 3)


def test_reach_is_close_to_the_limit_of_kolmogorov():
    limit = kstwobign.isf(0.01) / np.sqrt(500)
    assert reach(500, 0.01) == pytest.approx(limit, rel=1e-3)
    with pytest.raises(ValueError, match="size must be positive and alpha within"):
        reach(0, 0.05)
    for alpha in (-0.1, 0.0, 1.0):
        with pytest.raises(ValueError, match="alpha within"):
            reach(500, alpha)


@pytest.mark.chance
def test_scores_of_uniform_ranks_pass_and_stay_in_the_band(rng):
    size, inside, values = 200, 0, []
    found = band(size)
    for _ in range(300):
        u = scores(rng.integers(0, 32, size), 31, rng)
        values.append(uniformity(u))
        difference = np.searchsorted(np.sort(u), found.at, side="right") / size - found.at
        inside += np.all((difference >= found.low - 1e-9) & (difference <= found.high + 1e-9))
    # the band and the test are those of ArviZ: by simulation, and an approximation
    assert any(chance.proportion(inside, 300, p, 2) for p in (0.94, 0.95, 0.96))
    rejected = np.sum(np.array(values) < 0.05)
    assert any(chance.proportion(rejected, 300, p, 2) for p in (0.04, 0.05, 0.06))


@pytest.mark.chance
@pytest.mark.parametrize(
    "off", [lambda u: u**1.7, lambda u: 0.5 + 0.5 * (u - 0.5), lambda u: np.round(u)]
)
def test_biased_wide_and_stuck_draws_are_found(off, rng):
    ranks = np.minimum(32 * off(rng.uniform(size=1000)), 31).astype(int)
    assert uniformity(scores(ranks, 31, rng)) < chance.alpha()
    assert largest_difference(ranks, 31) > reach(1000, chance.alpha())


@pytest.mark.chance
def test_a_prior_draw_that_is_not_sorted_is_found(rng):
    """Without data the posterior is the prior: sorted truths are calibrated, others are not."""
    found = {}
    for name in ("sorted", "as it comes"):
        ranks = []
        for _ in range(300):
            truth, draws = (reference.draw(file.PRIOR, 2, size, rng) for size in (1, 31))
            truth = truth.sorted() if name == "sorted" else truth
            ranks.append(rank(truth.mu[0, 0], draws.sorted().mu[:, 0], rng))
        found[name] = uniformity(scores(ranks, 31, rng))
    assert found["as it comes"] < chance.alpha() < found["sorted"]
