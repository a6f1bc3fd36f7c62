"""Flows of two means in every parameterization, Appendix D's expansion, and local rates of EM and ECM."""

import numpy as np
import pytest

from ordered_mix.data import population, simulate
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization, split
from ordered_mix.prior import Prior
from ordered_mix.theory.dynamics import (
    curvature,
    derivatives,
    expanded,
    mean_slope,
    times_to,
    velocity,
)
from ordered_mix.theory.rates import local_rate, tail_rate

LINKS = {"relative": "identity", "relative(link=log)": "log", "relative(link=softplus)": "softplus",
         "relative(link=square)": "square"}  # fmt: skip


def two(weight, mu, sigma=(1.0, 1.0)):
    return Mixture(np.array([weight, 1 - weight]), np.array(mu, dtype=float), np.array(sigma))


def objective(mixture, data):
    return float(data.weight @ mixture.log_density(data.y))


def test_mean_slope_is_the_derivative_with_unequal_weights_and_scales():
    data = population(two(0.3, (-1, 1), (1, 2)))
    at = two(0.4, (-0.3, 0.9), (1.2, 0.7))
    slope = mean_slope(at, data.y, data.weight)
    for component, unit in enumerate(1e-5 * np.eye(2)):
        ends = [objective(two(0.4, at.mu + sign * unit, at.sigma), data) for sign in (1, -1)]
        assert slope[component] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)
    unweighted = mean_slope(at, data.y)
    assert unweighted == pytest.approx(mean_slope(at, data.y, np.full(data.n, 3.0)))


@pytest.mark.parametrize("coordinates", ["unordered", "centred", "signed", "resolved", *LINKS])
def test_velocity_and_curvature_are_those_of_the_model_files(coordinates, build):
    from ordered_mix.estimators.gradient import largest_curvature
    from ordered_mix.parameterization import catalog

    name = split(coordinates)[0]
    prior = Prior(known_w=(0.5, 0.5), known_sigma=1.0)
    options = {"link": LINKS[coordinates]} if coordinates in LINKS else {}
    system = catalog.parameterization(name, 2, prior, **options)
    kind = "unconstrained" if options.get("link") in ("log", "softplus", "square") else "free"
    data, at = population(two(0.5, (-1, 1))), two(0.5, (-0.4, 0.5))
    z = system.unconstrain(at)
    if kind == "free":
        jacobian = system.jacobian_free(system.free(z))[2:4]
    else:
        jacobian = system.jacobian(z)[2:4]
    slope = mean_slope(at, data.y, data.weight)
    assert velocity(coordinates, at, slope) == pytest.approx(
        jacobian @ jacobian.T @ slope, rel=1e-9
    )
    largest = curvature(coordinates, at, data.y, data.weight)[1]
    assert largest == pytest.approx(largest_curvature(system, data, at, kind), rel=1e-6)


def test_squared_gap_beside_the_first_mean_has_its_own_curvature():
    data, gap = population(two(0.5, (0, 0))), 0.3
    at = two(0.5, (-gap / 2, gap / 2))
    step, hessian = 1e-4, np.empty((2, 2))

    def value(first, squared):
        return objective(two(0.5, (first, first + np.sqrt(squared))), data)

    x = np.array([-gap / 2, gap**2])
    for i, j in np.ndindex(2, 2):
        a, b = step * np.eye(2)[[i, j]]
        corners = [value(*(x + s * a + t * b)) * s * t for s in (1, -1) for t in (1, -1)]
        hessian[i, j] = -sum(corners) / (4 * step**2)
    found = curvature("relative, squared gap", at, data.y, data.weight)
    assert found == pytest.approx(np.linalg.eigvalsh(hessian), rel=1e-4)


def test_reference_values_of_the_slow_line():
    data = population(two(0.5, (0, 0)))
    assert curvature("unordered", two(0.5, (0, 0)), data.y, data.weight)[1] == pytest.approx(0.5)
    assert curvature("relative", two(0.5, (0, 0)), data.y, data.weight)[1] == pytest.approx(1.25)
    at = two(0.5, (-0.05, 0.05))
    for coordinates, condition in (("unordered", 134.11), ("relative", 838.67)):
        low, high = curvature(coordinates, at, data.y, data.weight)
        assert high / low == pytest.approx(condition, abs=0.005)


def test_the_gap_decays_as_predicted_near_the_singularity():
    truth = two(0.5, (0, 0))
    data, levels = population(truth), (1e-9, 1e-10)
    for coordinates, constant in (("unordered", 4.0), ("relative", 10.0), ("signed", 8.0)):
        times = times_to(levels, coordinates, truth, (-0.05, 0.05), data.y, data.weight, 1e6)
        squared = np.sqrt(64 * np.array(levels))  # excess loss = gap^4 / 64
        assert np.diff(times)[0] == pytest.approx(constant * np.diff(1 / squared)[0], rel=0.02)
    start = two(0.5, (-0.01, 0.01)).mu
    assert times_to((1e-3,), "unordered", truth, start, data.y, data.weight) == [0.0]
    assert np.isnan(times_to((1e-9,), "unordered", truth, (-1, 1), data.y, data.weight, 1.0)[0])


def test_fair_times_count_steps_of_half_the_stable_size():
    truth = two(0.5, (0, 0))
    data, levels = population(truth), (1e-8, 1e-9)
    for coordinates, largest in (("unordered", 0.5), ("relative", 1.25)):
        raw, fair = (
            np.diff(
                times_to(levels, coordinates, truth, (-0.05, 0.05), data.y, data.weight, 1e6, fair)
            )
            for fair in (False, True)
        )
        assert fair[0] == pytest.approx(largest * raw[0], rel=0.01)


def test_expansion_errors_vanish_at_the_order_after_the_last_term():
    data = population(two(0.3, (0, 0)))
    errors = {1.0: [], 3.0: []}
    for u in (2e-3, 4e-3):
        at = two(0.3, 0.5 + u * np.array([0.7, -0.3]))
        right = derivatives(at, data.y, data.weight)
        for third, found in errors.items():
            found.append(np.abs(expanded(at, data.y, data.weight, third) - right))
    orders = {third: np.log2(found[1] / found[0]) for third, found in errors.items()}
    assert orders[1.0] == pytest.approx([4, 3, 4], abs=0.1)
    assert orders[3.0] == pytest.approx([3, 2, 3], abs=0.1)


def test_derivatives_are_those_of_the_objective():
    data, x = population(two(0.5, (-1, 1))), np.array([0.35, -0.8, 0.2])

    def value(v, u, w):
        return objective(two(v, (w + (1 - v) * u, w - v * u)), data)

    v, u, w = x
    found = derivatives(two(v, (w + (1 - v) * u, w - v * u)), data.y, data.weight)
    for at, unit in enumerate(1e-5 * np.eye(3)):
        assert found[at] == pytest.approx((value(*(x + unit)) - value(*(x - unit))) / 2e-5, 1e-6)


def test_bad_coordinates_are_named():
    data, at = population(two(0.5, (0, 0))), two(0.5, (0, 1))
    with pytest.raises(ValueError, match="coordinates must be one of unordered"):
        velocity("polar", at, np.ones(2))
    three = Mixture(np.ones(3) / 3, np.arange(3.0), np.ones(3))
    with pytest.raises(ValueError, match="two components, got 3"):
        curvature("relative", three, data.y, data.weight)
    with pytest.raises(ValueError, match="no closed conditional steps"):
        velocity("moment", at, np.ones(2))


# --- local rates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gap", "em", "ecm"),
    [
        (0.1, 0.995024835, 0.997512417),
        (1.0, 0.656736047, 0.828368024),
        (4.0, 0.274389635, 0.510827741),
    ],
)
def test_rates_have_the_reference_values(gap, em, ecm):
    truth = two(0.5, (-gap / 2, gap / 2))
    data = population(truth)
    assert local_rate(truth, data.y, data.weight) == pytest.approx(em, abs=1e-9)
    found = local_rate(truth, data.y, data.weight, "relative")
    assert found == pytest.approx(ecm, abs=1e-9)


def test_the_expansion_takes_batches():
    pair = two(0.3, (-0.1, 0.1)), two(0.6, (0.0, 0.3))
    y = [-1.0, 0.2, 0.9]
    found = expanded(Mixture.stack(pair), y)
    np.testing.assert_allclose(found, [expanded(one, y) for one in pair], rtol=1e-13)


@pytest.mark.parametrize("reference", [None, 1, 2])
def test_rates_are_those_of_iterations_with_unequal_weights_and_scales(reference):
    data = simulate(two(0.3, (-1.5, 1.5), (1, 1.4)), 400, seed=3)
    known = {"frozen": ("w", "sigma")}
    one = Stop(log_likelihood=0.0, passes=2)
    tight = Stop(log_likelihood=0.0, parameters=1e-13, passes=20_000)
    start = two(0.3, (-1.5, 1.5), (1, 1.4))
    best = EM(stop=tight, **known).fit(parameterization("unordered", 2), data, start).mixture
    shifts = 1e-5 * np.concatenate([np.eye(2), -np.eye(2)])
    starts = Mixture(best.w, best.mu + shifts, best.sigma)
    moved, model = EM(stop=one, **known), parameterization("unordered", 2)
    if reference is not None:
        moved, model = ECM(stop=one, **known), parameterization("relative", 2, reference=reference)
    ends = moved.fit(model, data, starts).mixture.mu
    jacobian = (ends[:2] - ends[2:]).T / 2e-5
    found = local_rate(best, data.y, label=model.label)
    assert found == pytest.approx(np.abs(np.linalg.eigvals(jacobian)).max(), abs=1e-6)


def test_a_reference_that_is_no_component_is_named():
    for reference in (0, 3):
        with pytest.raises(ValueError, match=f"reference must be .* 1 to 2, got {reference}"):
            local_rate(two(0.5, (0, 1)), [0.0, 1.0], label=f"relative(reference={reference})")


def test_tail_rate_of_a_geometric_sequence():
    mu = 0.9 ** np.arange(300)[:, None] * np.array([1.0, -1.0]) + 3.0
    assert tail_rate(mu, [3.0, 3.0]) == pytest.approx(0.9, abs=1e-8)
    assert np.isnan(tail_rate(np.ones((4, 2)), np.zeros(2)))
