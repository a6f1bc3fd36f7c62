"""Passes to a level, expected passes with restarts, and distances between mixtures."""

import numpy as np
import pytest
from scipy import stats

from ordered_mix.mixture import Mixture
from ordered_mix.theory.speed import (
    expected_passes,
    passes_to,
    shortfall,
    sorted_distance,
    wasserstein,
)

PASSES = np.array([[1, 1], [3, 2], [7, 4]])
OBJECTIVE = np.array([[-9.0, -8.0], [-4.0, -7.0], [-1.0, -6.0]])


def test_passes_to_a_level_are_those_of_the_first_snapshot_there():
    assert passes_to(PASSES, OBJECTIVE, [-4.0, -6.5]).tolist() == [3.0, 4.0]
    assert passes_to(PASSES, OBJECTIVE, -2.0).tolist() == [7.0, np.inf]


def test_shortfall_is_the_distance_to_the_best_so_far():
    assert shortfall(PASSES, OBJECTIVE, 0.0, after=3).tolist() == [4.0, 7.0]
    assert shortfall(PASSES, OBJECTIVE, 0.0, after=0).tolist() == [np.inf, np.inf]


def test_expected_passes_charge_the_failures_to_the_successes():
    passes, share = expected_passes([[10.0, np.inf, 30.0], [np.inf] * 3], [[50, 100, 50]] * 2)
    assert passes.tolist() == [(10 + 100 + 30) / 2, 200.0]
    assert share.tolist() == [2 / 3, 0.0]


def test_expected_passes_meet_a_simulation_of_restarts():
    rng = np.random.default_rng(1)
    success = rng.random(200_000) < 0.25
    wanted = (0.75 / 0.25) * 40 + 10  # failures of 40 passes before a success of 10
    passes, _ = expected_passes(np.where(success, 10.0, np.inf), np.full(success.size, 40))
    assert passes == pytest.approx(wanted, rel=0.02)


def test_wasserstein_of_shifted_mixtures_is_the_shift():
    one = Mixture([0.3, 0.7], [0.0, 3.0], [1.0, 0.5])
    assert wasserstein(one, one.affine(0.7, 1.0)) == pytest.approx(0.7, abs=1e-6)
    assert wasserstein(one, one.permute([1, 0])) == pytest.approx(0.0, abs=1e-12)
    scaled = Mixture([1.0], [0.0], [2.0])
    wanted = np.sqrt(2 / np.pi)  # E|Z| times the difference of the scales
    assert wasserstein(Mixture([1.0], [0.0], [1.0]), scaled) == pytest.approx(wanted, abs=1e-4)


def test_wasserstein_meets_that_of_samples():
    one, two = Mixture([0.5, 0.5], [-1, 1], [1, 1]), Mixture([0.2, 0.8], [0, 2], [0.5, 1.5])
    rng = np.random.default_rng(2)
    sampled = stats.wasserstein_distance(one.sample(400_000, rng), two.sample(400_000, rng))
    assert wasserstein(one, two) == pytest.approx(sampled, rel=0.01)


def test_distances_take_batches_and_ignore_labels():
    rng = np.random.default_rng(3)
    many = Mixture(
        rng.dirichlet([2, 2], (3, 4)), rng.normal(size=(3, 4, 2)), 1 + rng.random((3, 4, 2))
    )
    truth = Mixture([0.5, 0.5], [-1.0, 1.0], [1.0, 1.0])
    for distance in (wasserstein, sorted_distance):
        found = distance(many, truth)
        assert found.shape == (3, 4)
        assert np.allclose(distance(many.permute([1, 0]), truth), found, atol=1e-12)
        assert found[1, 2] == pytest.approx(float(distance(many[1, 2], truth)), rel=1e-9)
    moved = Mixture([0.4, 0.6], [1.0, -1.0], [1.0, 3.0])
    assert sorted_distance(moved, truth) == pytest.approx(np.sqrt(2 * 0.1**2 + 2**2))
