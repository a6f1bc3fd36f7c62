"""Networks with one hidden layer: derivatives, parameterizations, singularities, flows and plateaus."""

import numpy as np
import pytest

from ordered_mix.theory.network import (
    CLEARANCE,
    COORDINATES,
    Network,
    coordinates_of,
    expand,
    expand_in,
    loss,
    network_at,
    normal_inputs,
    response,
    sorted_units,
)
from ordered_mix.theory.network_flow import (
    Path,
    flow,
    largest_curvature,
    nearness,
    overlap_constants,
    plateau,
    time_to,
)

INPUTS = normal_inputs()
TEACHER = Network(np.array([1.0, -0.7]), np.array([0.8, 1.9]), np.array([0.2, -1.0]))
TARGET = response(TEACHER, INPUTS.x)
STUDENT = Network(np.array([0.4, -1.1, 0.8]), np.array([0.3, 0.7, 1.6]), np.array([0.5, 0.0, -0.4]))
ONE = Network(np.ones(1), np.ones(1), np.zeros(1))


def test_the_loss_is_that_of_a_long_sample():
    x = np.random.default_rng(1).normal(size=200_000)
    miss = response(STUDENT, x) - response(TEACHER, x)
    error = (miss**2).std() / np.sqrt(x.size) / 2
    assert loss(STUDENT, TARGET, INPUTS) == pytest.approx((miss**2).mean() / 2, abs=4 * error)
    assert loss(TEACHER, TARGET, INPUTS) == 0


def test_a_finer_and_wider_grid_changes_nothing():
    fine = normal_inputs(0.02, 9.0)
    value = loss(STUDENT, response(TEACHER, fine.x), fine)
    assert loss(STUDENT, TARGET, INPUTS) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("coordinates", COORDINATES)
def test_gradient_and_hessian_are_those_of_the_loss_in_the_coordinates(coordinates):
    z = coordinates_of(coordinates, STUDENT)
    at = expand_in(coordinates, z, TARGET, INPUTS)
    assert at.loss == pytest.approx(float(loss(STUDENT, TARGET, INPUTS)))
    for which, unit in enumerate(1e-5 * np.eye(len(z))):
        ends = [loss(network_at(coordinates, z + s * unit), TARGET, INPUTS) for s in (1, -1)]
        assert at.gradient[which] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)
        slopes = [expand_in(coordinates, z + s * unit, TARGET, INPUTS).gradient for s in (1, -1)]
        assert at.hessian[which] == pytest.approx((slopes[0] - slopes[1]) / 2e-5, abs=1e-7)


@pytest.mark.parametrize("coordinates", COORDINATES)
def test_coordinates_hold_the_network(coordinates):
    for part, again in zip(
        STUDENT, network_at(coordinates, coordinates_of(coordinates, STUDENT)), strict=True
    ):
        assert again == pytest.approx(part)
    batch = network_at(coordinates, np.stack([coordinates_of(coordinates, STUDENT)] * 2))
    assert batch.weight.shape == (2, 3)


def test_the_clearance_is_the_least_gap():
    close = STUDENT._replace(weight=np.array([0.3, 0.3 + CLEARANCE / 2, 1.0]))
    with pytest.raises(ValueError, match=r"at least 0\.01 apart"):
        coordinates_of("relative clearance", close)
    with pytest.raises(ValueError, match="ascending"):
        coordinates_of("resolved", STUDENT._replace(weight=np.array([1.0, 0.5, 2.0])))
    z = coordinates_of("relative clearance", STUDENT)
    z[4:6] = 0
    assert np.diff(network_at("relative clearance", z).weight) == pytest.approx([CLEARANCE] * 2)
    with pytest.raises(ValueError, match="parameterization must be one of"):
        coordinates_of("ordered", STUDENT)


def test_units_are_ordered_and_not_entries():
    mixed = Network(np.array([0.4, -1.1, 0.8]), np.array([0.9, -0.2, 0.5]), np.array([1, 2, -1.0]))
    ordered = sorted_units(mixed)
    assert ordered.weight.tolist() == [0.2, 0.5, 0.9] and ordered.bias.tolist() == [-2, -1, 1]
    assert response(ordered, INPUTS.x) == pytest.approx(response(mixed, INPUTS.x))
    entries = Network(*(np.sort(part) for part in ordered))
    assert loss(entries, response(mixed, INPUTS.x), INPUTS) > 0.01
    assert loss(Network(*(part[::-1] for part in mixed)), TARGET, INPUTS) == pytest.approx(
        float(loss(mixed, TARGET, INPUTS))
    )


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("overlap", {"weight": np.array([0.3, 0.7, 0.7]), "bias": np.array([0.5, 0.2, 0.2])}),
        ("overlap", {"weight": np.array([0.3, 0.7, -0.7]), "bias": np.array([0.5, 0.2, -0.2])}),
        ("elimination", {"output": np.array([0.4, 0.0, 0.8])}),
        ("dependence", {"weight": np.array([0.0, 0.0, 1.6]), "bias": np.array([0.5, 0.3, 0.1])}),
        ("dependence", {"weight": np.array([0.0, 0.7, 1.6]), "bias": np.array([0.0, 0.3, 0.1])}),
    ],
)
def test_the_information_is_singular_at_every_kind(kind, change):
    there = STUDENT._replace(**change)
    # at its own teacher the Hessian is the Fisher information of unit noise
    at = expand(there, response(there, INPUTS.x), INPUTS)
    assert np.abs(np.linalg.eigvalsh(at.hessian)).min() < 1e-12
    assert np.linalg.eigvalsh(expand(STUDENT, response(STUDENT, INPUTS.x), INPUTS).hessian)[0] > 0
    assert getattr(nearness(there, INPUTS, 1.0), kind) < 1e-12
    assert min(nearness(STUDENT, INPUTS, 1.0)) > 1e-4


def test_largest_curvature_at_the_overlap_is_larger_in_relative_weights():
    two = Network(np.full(2, 0.5), np.ones(2), np.zeros(2))
    curvature = {}
    for coordinates in ("unordered", "relative"):
        at = expand_in(
            coordinates, coordinates_of(coordinates, two), response(ONE, INPUTS.x), INPUTS
        )
        curvature[coordinates] = largest_curvature(at.hessian[2:4, 2:4])
    assert curvature["relative"] / curvature["unordered"] == pytest.approx(2.5)


def test_constants_at_the_overlap():
    quartic, decay = overlap_constants(INPUTS)
    assert quartic == pytest.approx(0.0010096997, abs=5e-11)
    assert decay == pytest.approx(4.95102e-4, abs=5e-10)


@pytest.mark.parametrize(
    ("coordinates", "power", "constant"),
    [("unordered", 1 / 2, 1 / 8), ("relative", 1 / 2, 1 / 3.2), ("centred", 1 / 2, 1 / 4),
     ("relative square", 1 / 3, 1 / 24)],
)  # fmt: skip
def test_two_units_that_should_be_one_meet_like_components(coordinates, power, constant):
    two = Network(np.full(2, 0.5), np.array([0.9, 1.1]), np.zeros(2))
    times = np.array([0.0, 2.0**23, 2.0**24])
    path = flow(coordinates, two, ONE, INPUTS, times, fair=False, frozen=("output", "bias"))
    gap = np.diff(path.network.weight)[:, 0]
    assert np.log2(gap[1] / gap[2]) == pytest.approx(power, abs=3e-3)
    quartic = 0.0010096997
    assert gap[2] ** (1 / power) * times[2] == pytest.approx(constant / quartic, rel=0.03)
    assert path.loss[2] == pytest.approx(quartic * gap[2] ** 4 / 2, rel=1e-3)


def test_in_squared_gaps_they_meet_exponentially():
    two = Network(np.full(2, 0.5), np.array([0.9, 1.1]), np.zeros(2))
    times = np.array([0.0, 5000.0, 6000.0])
    path = flow("resolved", two, ONE, INPUTS, times, fair=False, frozen=("output", "bias"))
    gap = np.diff(path.network.weight)[:, 0]
    assert np.log(gap[1] / gap[2]) / 1000 == pytest.approx(4.95102e-4, rel=1e-3)


def test_fair_time_is_the_sum_of_step_times_largest_curvature():
    start, step = coordinates_of("relative", STUDENT), 0.002
    z, times = start.copy(), np.array([0.0, 1.0, 2.0])
    for _ in range(1000):
        at = expand_in("relative", z, TARGET, INPUTS)
        z -= step * at.gradient / largest_curvature(at.hessian)
    path = flow("relative", STUDENT, TEACHER, INPUTS, times)
    assert path.loss[-1] == pytest.approx(loss(network_at("relative", z), TARGET, INPUTS), rel=5e-3)
    assert path.loss[0] == pytest.approx(float(loss(STUDENT, TARGET, INPUTS)))
    kept = flow("relative", STUDENT, TEACHER, INPUTS, times, frozen=("output", "bias")).network
    assert np.ptp(kept.output, axis=0).max() == 0 and np.ptp(kept.bias, axis=0).max() == 0
    assert np.ptp(kept.weight, axis=0).max() > 0


def test_plateau_is_the_longest_time_without_halving():
    time = np.linspace(0, 100, 1001)
    # halves every 1, but for a plateau from 10 to 60
    height = np.where(time < 10, time, np.where(time < 60, 10 + (time - 10) / 500, time - 49.9))
    path = Path(time, STUDENT, 2.0**-height)
    flat = plateau(path, 2.0**-40)
    assert flat.left and flat.length == pytest.approx(50.9, abs=0.2)
    assert 9 < flat.start < 10.2
    assert time_to(path, 2.0**-40) == pytest.approx(89.9, abs=0.1)
    assert time_to(path, path.loss[-1]) == pytest.approx(100)
    before = plateau(path, 2.0**-9)
    assert before.left and before.length == pytest.approx(1, abs=0.11)
    never = plateau(path, 2.0**-60)
    assert not never.left and never.length == flat.length and time_to(path, 2.0**-60) == np.inf
