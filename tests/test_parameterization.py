"""Maps, starts, domains and densities of the library, for every model file."""

from concurrent.futures import ThreadPoolExecutor
from math import lgamma

import numpy as np
import pytest

from ordered_mix.data import Data, population, simulate
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog, laws, reference
from ordered_mix.parameterization.batching import INTERPRETED
from ordered_mix.parameterization.laws import points_of
from ordered_mix.passes import kernels
from ordered_mix.prior import Prior


@pytest.mark.parametrize("k", [2, 3, 5])
def test_relative_log_gap_and_ordered_are_the_same_geometry(k, numbers):
    prior = Prior(**numbers)
    relative, ordered = (
        catalog.parameterization(name, k, prior) for name in ("relative", "ordered")
    )
    data = simulate(Mixture([0.4, 0.6], [-1, 2], [1, 0.7]), 50, seed=1)
    mixture = reference.draw(prior, k, 30, np.random.default_rng(2)).sorted()
    densities = [p.log_posterior(p.unconstrain(mixture), data)[0] for p in (relative, ordered)]
    np.testing.assert_allclose(*densities, atol=1e-8)
    native = catalog.parameterization("ordered", k, Prior(native=True, **numbers))
    without = native.log_posterior(native.unconstrain(mixture), data)[0]
    np.testing.assert_allclose(densities[1] - without, lgamma(k + 1), atol=1e-8)


def test_tied_means_part_evenly_by_a_thousandth_of_the_scale(build):
    found = build("relative", 3, clearance=0.1)
    tied = Mixture([1 / 3] * 3, [5.0, 5.0, 5.0], [2.0, 2.0, 2.0])
    np.testing.assert_allclose(found.forward(found.start(tied)).mu, [4.898, 5, 5.102], rtol=1e-12)


@pytest.mark.structures(5)
def test_pymc_has_a_valid_initial_point(found):
    model = found.model(Data(np.array([-1.0, 0.5, 2.0])))
    logp = model.compile_fn(model.logp(), mode=INTERPRETED)
    assert np.isfinite(logp(model.initial_point()))


@pytest.mark.parametrize(
    ("name", "options", "mixture", "message"),
    [
        ("ordered", {}, ([0.5, 0.5], [1, 1], [1, 1]), r"mu_2 - mu_1 = 0 must exceed 0"),
        ("relative", {"clearance": 0.5}, ([0.5, 0.5], [1, 1.4], [1, 1]), r"= 0.4 must exceed 0.5"),
        ("relative", {"order": "sigma"}, ([0.5, 0.5], [1, 2], [1, 1]), r"sigma_2 - sigma_1 = 0"),
        ("relative", {"order": "both"}, ([0.5, 0.5], [1, 2], [3, 1]), r"sigma_2 - sigma_1 = -2"),
        ("relative", {"weight_clearance": 0.2}, ([0.1, 0.9], [1, 2], [1, 1]), r"weight 0.1 must"),
        (
            "relative",
            {"link": "identity", "clearance": 1},
            ([0.5, 0.5], [1, 1.5], [1, 1]),
            r"= 0.5",
        ),
        ("centred", {}, ([0.5, 0.5], [1, 1], [1, 1]), r"mu_2 - mu_1 = 0 must exceed 0"),
        ("resolved", {}, ([0.5, 0.5], [1, 1], [1, 1]), r"mu_2 - mu_1 = 0 must exceed 0"),
        ("moment", {"signed": False}, ([0.5, 0.5], [1, 1], [1, 1]), r"mu_2 - mu_1 = 0"),
        ("unordered", {}, ([0, 1], [1, 2], [1, 1]), r"weight 0 must exceed 0"),
        ("unordered", {}, ([1], [1], [1]), r"mixture must have 2 components, it has 1"),
    ],
)
def test_a_start_outside_the_domain_names_the_gap(build, name, options, mixture, message):
    found = build(name, 2, **options)
    with pytest.raises(ValueError, match=message):
        found.unconstrain(Mixture(*mixture))


@pytest.mark.structures(2, 3, 5)
def test_copies_and_order(found):
    identifiable = found.name in {"ordered", "relative", "centred", "resolved"}
    identifiable |= found.options.get("signed") is False or found.options.get("gap") == "bent"
    assert (found.labellings == 1) == identifiable == (found.order_by is not None)


def test_maps_take_any_batch_axes(build):
    found = build("relative", 3)
    z = points_of(found, 12, seed=6)
    shaped = z.reshape(3, 4, -1)
    assert found.forward(shaped).batch_shape == (3, 4)
    assert found.jacobian(shaped).shape == (3, 4, 9, found.dimension)
    assert found.log_det(shaped).shape == (3, 4)
    np.testing.assert_array_equal(
        found.unconstrain(found.forward(shaped)).reshape(z.shape),
        found.unconstrain(found.forward(z)),
    )
    np.testing.assert_array_equal(found.jacobian(shaped).reshape(12, 9, -1), found.jacobian(z))
    with pytest.raises(ValueError, match="8 entries along the last axis, got shape"):
        found.forward(z[:, :-1])


def test_known_values_are_the_same_in_a_batch_of_k():
    found = catalog.parameterization("unordered", 2, Prior(known_w=(0.3, 0.7)))
    mixture = found.forward(np.zeros((2, found.dimension)))
    np.testing.assert_array_equal(mixture.w, [[0.3, 0.7], [0.3, 0.7]])


@pytest.mark.structures(2, 3)
def test_jacobian_against_finite_differences(found):
    z, step = points_of(found, 3, seed=7), 1e-5
    units = step * np.eye(found.dimension)
    ahead, behind = (found.forward(z[:, None] + sign * units) for sign in (1, -1))
    slopes = [
        (getattr(ahead, name) - getattr(behind, name)) / (2 * step) for name in ("w", "mu", "sigma")
    ]
    numeric = np.swapaxes(np.concatenate(slopes, axis=-1), -1, -2)
    size = np.abs(numeric).max()
    np.testing.assert_allclose(found.jacobian(z), numeric, atol=1e-8 * max(size, 1))


def numeric_jacobian(function, z, step=1e-5):
    """Central differences, shape (points, outputs, inputs)."""
    units = step * np.eye(z.shape[-1])
    slopes = (function(z[:, None] + units) - function(z[:, None] - units)) / (2 * step)
    return np.swapaxes(slopes, -1, -2)


def test_free_coordinates_lead_to_the_same_mixture(build):
    for found in (build("relative", 3, link="square"), build("moment", 3), build("resolved", 2)):
        z = points_of(found, 5, seed=8)
        x = found.free(z)
        np.testing.assert_allclose(found.unconstrain_free(x), z, atol=1e-12)
        np.testing.assert_allclose(found.forward_free(x).mu, found.forward(z).mu, rtol=1e-12)
        chained = found.jacobian_free(x) @ numeric_jacobian(found.free, z)
        np.testing.assert_allclose(chained, found.jacobian(z), atol=1e-7)


def test_log_posterior_makes_one_pass(build, monkeypatch):
    found, calls = build("relative", 3), []
    original = kernels.e_step

    def counted(*arguments, **options):
        calls.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(kernels, "e_step", counted)
    data = simulate(Mixture([0.4, 0.6], [-1, 2], [1, 0.7]), 50, seed=1)
    found.log_posterior(points_of(found, 7, seed=9), data)
    assert len(calls) == 1


def test_threads_may_share_the_maps(build):
    system = build("relative", 2)
    z = np.random.default_rng(4).standard_normal((200, system.dimension))
    alone = [system.log_prior(row) for row in z]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(system.log_prior, z)) == alone


def test_log_posterior_takes_weighted_data_and_batches(build):
    found = build("signed", 2)
    z = points_of(found, 3, seed=10)
    truth = Mixture([0.4, 0.6], [-1, 2], [1, 0.7])
    grid = population(truth, step=0.1)
    value, _ = found.log_posterior(z, grid)
    expected = found.log_prior(z) + found.forward(z).log_density(grid.y) @ grid.weight
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    rows = simulate(Mixture.stack([truth] * 3), 20, seed=2)
    value, slope = found.log_posterior(z, rows)
    for row in range(3):
        alone, slope_alone = found.log_posterior(z[row], Data(rows.y[row]))
        np.testing.assert_allclose(value[row], alone, rtol=1e-12)
        np.testing.assert_allclose(slope[row], slope_alone, rtol=1e-12)


def test_density_of_the_free_coordinates_leaves_the_transforms_out(build):
    found = build("relative", 3)
    z = points_of(found, 5, seed=11)
    with_det = found.log_prior(z) - found.graph.log_det_transforms(z, found.prior)
    np.testing.assert_allclose(found.log_prior(z, jacobian=False), with_det, rtol=1e-12)


def test_one_component_has_no_labels():
    found = catalog.parameterization("unordered", 1)
    assert (found.labellings, found.order_by, found.dimension) == (1, None, 2)
    outcome = laws.matched_prior(found, points_of(found, 5, seed=13), 14)
    assert outcome.holds, outcome


@pytest.mark.structures(3)
def test_plain_model_twin_and_pass_agree(found):
    outcome = laws.models_agree(found, points_of(found, 2, 3), seed=4)
    assert outcome.holds, outcome
