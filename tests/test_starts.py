"""Starts on stationary coordinates are moved by next to nothing and recorded, never refused."""

import numpy as np
import pytest

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.samplers.moves.starts import STEPS, off_stationary
from ordered_mix.samplers.nuts import NUTS

SAMPLES = {
    "two points": [-1.0, 1.0],
    "tied": [-1.0] * 4 + [1.0] * 4,
    "lattice": np.arange(-3.0, 4.0),
    "mirrored": [-2.2, -1.3, -1.1, -0.4, 0.4, 1.1, 1.3, 2.2],
}
EVEN = {
    2: Mixture([[0.5, 0.5]], [[-0.75, 0.75]], [[0.5, 0.5]]),
    3: Mixture([[0.25, 0.5, 0.25]], [[-0.75, 0.0, 0.75]], [[0.5, 0.5, 0.5]]),
}


def density(parameterization, data):
    return lambda z: parameterization.log_posterior(z, data)


@pytest.mark.structures(2, 3)
@pytest.mark.parametrize("name", SAMPLES)
def test_starts_leave_stationary_coordinates_by_next_to_nothing(found, name):
    if found.reason_not_sampled:
        pytest.skip(found.reason_not_sampled)
    centred = found.affine(-0.3, 1.0)  # the prior of these structures has its location at 0.3
    at = density(centred, Data(SAMPLES[name]))
    points = np.repeat(centred.start(EVEN[found.k]), 2, axis=0)
    points[1] += 0.1
    starts = off_stationary(points, at)
    assert np.all(np.abs(at(starts.points)[1]) > 1e-9)
    assert np.all(starts.moved <= STEPS[0] * np.sqrt(found.dimension))
    still = np.abs(at(points)[1]) <= 1e-9
    assert np.array_equal(starts.points[~still], points[~still])
    assert np.array_equal(starts.moved > 0, still.any(axis=-1))


def test_a_coordinate_that_only_a_longer_move_leaves():
    def flat_bottom(z):
        slope = -np.where(np.abs(z) < 0.05, 0.0, z)
        return -0.5 * np.sum(z**2), slope

    starts = off_stationary(np.array([[0.0, 1.0], [2.0, 1.0]]), flat_bottom)
    assert starts.points.tolist() == [[0.1, 1.0], [2.0, 1.0]]
    assert starts.moved.tolist() == [0.1, 0.0]


def test_what_cannot_be_started_from_is_one_sentence():
    with pytest.raises(ValueError, match="must depend on every coordinate, near the start of cha"):
        off_stationary(np.zeros((1, 2)), lambda z: (0.0, np.array([1.0, 0.0])))
    with pytest.raises(ValueError, match="finite log posterior and gradient, that of chain 1"):
        off_stationary(np.array([[0.0], [1.0]]), lambda z: (-np.inf if z > 0 else 0.0, np.ones(1)))


@pytest.mark.parametrize("name", ["signed", "unordered"])
def test_symmetric_data_are_sampled_from_a_symmetric_start(name):
    data = Data(np.array(SAMPLES["two points"]), np.full(2, 20.0))
    parameterization = catalog.parameterization(name, 2)
    starts = Mixture(
        *(np.repeat(value, 2, axis=0) for value in (EVEN[2].w, EVEN[2].mu, EVEN[2].sigma))
    )
    slope = density(parameterization, data)(parameterization.start(starts))[1]
    assert np.any(slope == 0)  # on any processor: two mirrored terms cancel without rounding
    runs = [
        NUTS(draws=30, tune=30, seed=seed, cores=cores).fit(parameterization, data, starts)
        for seed, cores in ((5, 1), (5, 2), (5, 1), (6, 1))
    ]
    for draws in runs:
        moved = draws.tree.attrs["start_moved"]
        assert np.all((moved > 0) & (moved < 0.02))
        assert np.isfinite(draws.mixture.mu).all()
    first, *same, other = (draws.mixture.mu for draws in runs)
    assert all(np.array_equal(first, again) for again in same)
    assert not np.array_equal(first, other)


def test_a_start_that_is_not_stationary_is_left_alone():
    parameterization = catalog.parameterization("signed", 2)
    starts = Mixture([[0.4, 0.6]], [[-1.0, 0.8]], [[0.5, 0.7]])
    draws = NUTS(draws=4, tune=4).fit(parameterization, Data([-1.0, -0.8, 0.3, 1.0, 1.2]), starts)
    assert draws.tree.attrs["start_moved"].tolist() == [0.0]
