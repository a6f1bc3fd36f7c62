"""Every model file x K x options obeys the laws; starts, domains and densities of the library."""

import contextlib
import itertools
from functools import cache
from math import lgamma

import numpy as np
import pymc as pm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, norm

from ordered_mix import catalog, kernels, laws, reference
from ordered_mix.batching import INTERPRETED
from ordered_mix.data import Data, population, simulate
from ordered_mix.laws import points_of
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import NotApplicable
from ordered_mix.prior import Prior

VARIANTS = {
    "unordered": [{}],
    "ordered": [{}],
    "relative": [
        {},
        {"link": "softplus"},
        {"link": "square", "reference": 2},
        {"link": "identity"},
        {"order": "sigma", "link": "square"},
        {"order": "both"},
        {"order": "both", "clearance": 0.1, "weight_clearance": 0.1, "reference": 2},
    ],
    "centred": [{}],
    "folded": [{}],
    "moment": [{}, {"signed": False}],
    "resolved": [{}],
}
NUMBERS = {"location": 0.3, "spread": 1.7, "scale": 0.6, "concentration": 3.0}
SIZES = (2, 3, 5)


@cache
def build(name, k, native=False, **options):
    """One parameterization for all tests, its maps compiled once."""
    return catalog.parameterization(name, k, Prior(native=native, **NUMBERS), **options)


def structures(sizes=SIZES, native=False):
    """Every combination that applies, as pytest parameters."""
    found = []
    for name, k in itertools.product(VARIANTS, sizes):
        for options in VARIANTS[name]:
            with contextlib.suppress(NotApplicable):
                one = build(name, k, native, **options)
                found.append(pytest.param(one, id=f"{one.label}-{k}"))
    return found


def with_prior(found, prior):
    """The same structure under other numbers."""
    return catalog.parameterization(found.name, found.k, prior, **found.options)


def clearances(found):
    """Clearances of the gaps and the weights, 0 where there are none."""
    return {"mu": 0.0, "sigma": 0.0, "w": 0.0, **found.domain.clearances}


EVERY = pytest.mark.parametrize("found", structures())
FEW = pytest.mark.parametrize("found", structures(sizes=(2, 3)))
PAIRS = pytest.mark.parametrize("found", structures(sizes=(2,)))
NATIVE = pytest.mark.parametrize("found", structures(sizes=(2,), native=True))


def test_every_model_file_is_tested():
    assert sorted(VARIANTS) == catalog.names()


@EVERY
def test_laws_at_any_scale(found):
    # derandomised: the same prior scales and points on every run
    @settings(max_examples=8, deadline=None, derandomize=True, database=None)
    @given(
        location=st.floats(-100, 100),
        spread=st.floats(0.5, 50),
        scale=st.floats(0.05, 50),
        concentration=st.floats(0.5, 10),
        seed=st.integers(0, 2**32 - 1),
    )
    def check(location, spread, scale, concentration, seed):
        scaled = with_prior(found, Prior(location, spread, scale, concentration))
        z = points_of(scaled, 4, seed)
        for law in (laws.round_trip, laws.log_determinant, laws.matched_prior):
            outcome = law(scaled, z, seed)
            assert outcome.holds, outcome

    check()


@pytest.mark.parametrize(("name", "options"), [("moment", {}), ("relative", {"order": "sigma"})])
def test_laws_with_half_normal_scales(name, options):
    prior = Prior(**NUMBERS, scale_family="half_normal")
    found = catalog.parameterization(name, 2, prior, **options)
    z = points_of(found, 20, seed=1)
    for law in (laws.round_trip, laws.matched_prior, laws.prior_draws, laws.prior_mass):
        outcome = law(found, z, 2)
        assert outcome.holds, outcome


@EVERY
def test_prior_draws_and_their_order(found):
    for law in (laws.prior_draws, laws.order_of_draws):
        outcome = law(found, None, seed=5)
        assert outcome.holds, outcome


@FEW
def test_gradient(found):
    outcome = laws.gradient(found, points_of(found, 10, 1), seed=2)
    assert outcome.holds, outcome


@pytest.mark.parametrize("found", structures(sizes=(3,)))
def test_plain_model_twin_and_pass_agree(found):
    outcome = laws.models_agree(found, points_of(found, 2, 3), seed=4)
    assert outcome.holds, outcome


@PAIRS
def test_prior_mass(found):
    outcome = laws.prior_mass(found, None, seed=6)
    assert outcome.holds, outcome


def test_laws_say_why_they_do_not_apply():
    cleared = build("relative", 3, clearance=0.1)
    assert "zero clearance" in laws.matched_prior(cleared, None, 0).skipped
    assert "native" in laws.prior_draws(build("folded", 2, native=True), None, 0).skipped
    assert "no order" in laws.order_of_draws(build("folded", 2), None, 0).skipped
    assert "two components" in laws.prior_mass(build("ordered", 3), None, 0).skipped


def legendre_mass(found, boxes):
    """Integral of the prior over a box of unconstrained coordinates, (low, high, nodes) each."""
    axes, weights = [], []
    for low, high, nodes in boxes:
        x, weight = np.polynomial.legendre.leggauss(nodes)
        axes.append(low + (high - low) * (x + 1) / 2)
        weights.append(weight * (high - low) / 2)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    density = np.exp(found.log_prior(grid))
    for weight in reversed(weights):
        density = density @ weight
    return float(density)


WIDE = (-40.0, 40.0, 500)
MEANS_BOXES = {
    "unordered": [WIDE, WIDE],
    "ordered": [WIDE, (-40.0, 4.0, 400)],
    "centred": [(-40.0, 4.0, 400), WIDE],
    "folded": [WIDE, WIDE],
    "resolved": [(-80.0, 8.0, 400), WIDE],
}
GAP_BOXES = {
    "log": (-40.0, 4.0, 400),
    "softplus": (-40.0, 25.0, 400),
    "square": (0.0, 5.0, 200),
    "identity": (0.0, 25.0, 300),
}
KNOWN = Prior(location=0.3, spread=1.7, known_w=(0.5, 0.5), known_sigma=1.0)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", MEANS_BOXES)
def test_mass_of_the_means_is_one(name, native):
    prior = Prior(**{**vars(KNOWN), "native": native})
    mass = legendre_mass(catalog.parameterization(name, 2, prior), MEANS_BOXES[name])
    # PyMC's own ordered transform leaves out the K!
    assert mass == pytest.approx(0.5 if name == "ordered" and native else 1.0, abs=1e-10)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("link", GAP_BOXES)
def test_mass_of_the_gap_is_one_for_every_link(link, native):
    prior = Prior(**{**vars(KNOWN), "native": native})
    found = catalog.parameterization("relative", 2, prior, link=link)
    assert legendre_mass(found, [GAP_BOXES[link], WIDE]) == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("native", [False, True])
def test_mass_of_the_moment_chart_is_one(native):
    # in (mean, log s, angle, angle): the chart's slopes are tangents of angles
    prior = Prior(location=0.3, spread=1.2, scale=0.8, known_w=(0.3, 0.7), native=native)
    found = catalog.parameterization("moment", 2, prior)
    axes = [np.polynomial.legendre.leggauss(nodes) for nodes in (24, 60, 40, 40)]
    ends = [(-10, 10), (-9, 6), (-np.pi / 2, np.pi / 2), (0, np.pi / 2)]
    x = [
        low + (high - low) * (node + 1) / 2
        for (low, high), (node, _) in zip(ends, axes, strict=True)
    ]
    weight = [w * (high - low) / 2 for (low, high), (_, w) in zip(ends, axes, strict=True)]
    slope, ratio = np.tan(x[2]), np.log(np.tan(x[3]))
    weight[2] = weight[2] / np.cos(x[2]) ** 2
    weight[3] = weight[3] / (np.sin(x[3]) * np.cos(x[3]))
    mass = 0.0
    for mean, at_mean in zip(x[0], weight[0], strict=True):
        grid = np.stack(np.meshgrid([mean], x[1], slope, ratio, indexing="ij"), axis=-1)
        mass += at_mean * (np.exp(found.log_prior(grid))[0] @ weight[3] @ weight[2] @ weight[1])
    assert mass == pytest.approx(1.0, abs=2e-4)


@NATIVE
def test_native_draws_follow_the_native_density(found):
    if found.name == "ordered":
        pytest.skip("PyMC's own prior has neither the K! nor ordered draws, tested by itself")
    if any(clearances(found).values()):
        pytest.skip("the same prior as without clearance, moved")
    z = found.unconstrain(found.draw_prior(20_000, seed=7))
    low, center, high = np.quantile(z, [0.25, 0.5, 0.75], axis=0)
    ratio = np.exp(norm.logpdf(z, center, 0.4 * (high - low)).sum(axis=-1) - found.log_prior(z))
    # the mean of q(z) / p(z) over draws of p is the mass of q
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / np.sqrt(ratio.size)
    assert ratio.std() / np.sqrt(ratio.size) < 0.05


def test_native_ordered_draws_are_not_ordered():
    drawn = build("ordered", 2, native=True).draw_prior(1000, seed=8)
    assert 0.4 < np.mean(drawn.mu[:, 0] > drawn.mu[:, 1]) < 0.6


def test_draws_above_a_clearance_carry_the_unshifted_prior():
    options = {"clearance": 0.4, "weight_clearance": 0.1, "reference": 2}
    drawn = build("relative", 3, **options).draw_prior(4000, seed=9)
    assert np.all(np.diff(drawn.mu) >= 0.4) and np.all(drawn.w >= 0.1)
    moved = drawn.mu - 0.4 * (np.arange(3) - 1)
    wanted = build("relative", 3, reference=2).draw_prior(4000, seed=9)
    np.testing.assert_allclose(moved, wanted.mu, atol=1e-12)
    np.testing.assert_allclose((drawn.w - 0.1) / 0.7, wanted.w, atol=1e-12)


@pytest.mark.parametrize("k", SIZES)
def test_relative_log_gap_and_ordered_are_the_same_geometry(k):
    prior = Prior(**NUMBERS)
    relative, ordered = (
        catalog.parameterization(name, k, prior) for name in ("relative", "ordered")
    )
    data = simulate(Mixture([0.4, 0.6], [-1, 2], [1, 0.7]), 50, seed=1)
    mixture = reference.draw(prior, k, 30, np.random.default_rng(2)).fold()
    densities = [p.log_posterior(p.unconstrain(mixture), data)[0] for p in (relative, ordered)]
    np.testing.assert_allclose(*densities, atol=1e-8)
    native = catalog.parameterization("ordered", k, Prior(native=True, **NUMBERS))
    without = native.log_posterior(native.unconstrain(mixture), data)[0]
    np.testing.assert_allclose(densities[1] - without, lgamma(k + 1), atol=1e-8)


@pytest.mark.parametrize("known", [{"known_w": (0.3, 0.7)}, {"known_sigma": 1.5}])
@pytest.mark.parametrize("name", ["unordered", "folded", "moment", "ordered"])
def test_laws_hold_with_known_weights_or_scales(name, known):
    try:
        found = catalog.parameterization(name, 2, Prior(**NUMBERS, **known))
    except NotApplicable as reason:
        assert "known" in str(reason)
        return
    z = points_of(found, 10, seed=3)
    assert found.copies == (1 if name == "ordered" else 2)
    for law in (laws.round_trip, laws.log_determinant, laws.matched_prior, laws.prior_draws):
        outcome = law(found, z, 4)
        assert outcome.holds, outcome


@EVERY
def test_any_mixture_has_a_start(found):
    k = found.k
    tied = Mixture(np.full(k, 1 / k), np.zeros(k), np.ones(k))
    empty = Mixture(np.eye(k)[0], np.arange(k)[::-1] * 1e-7, np.ones(k))
    random = reference.draw(found.prior, k, 50, np.random.default_rng(4))
    low = clearances(found)
    for mixture in (tied, empty, random, None):
        z = found.start(mixture)
        there = found.forward(z)
        assert np.all(np.isfinite(z)) and np.all(np.isfinite(found.log_prior(z)))
        assert np.all(found.inside(z))
        for key in found.domain.orders:
            assert np.all(np.diff(getattr(there, key)) > low[key])
        assert np.all(there.w > low["w"])
    # what is inside already stays where it is, folded
    inside = found.forward(points_of(found, 20, seed=5))
    np.testing.assert_allclose(found.forward(found.start(inside)).mu, inside.mu, rtol=1e-12)


def test_tied_means_part_evenly_by_a_thousandth_of_the_scale():
    found = build("relative", 3, clearance=0.1)
    tied = Mixture([1 / 3] * 3, [5.0, 5.0, 5.0], [2.0, 2.0, 2.0])
    np.testing.assert_allclose(found.forward(found.start(tied)).mu, [4.898, 5, 5.102], rtol=1e-12)


@FEW
def test_pymc_has_a_valid_initial_point(found):
    model = found.model(Data(np.array([-1.0, 0.5, 2.0])))
    logp = model.compile_fn(model.logp(), mode=INTERPRETED)
    assert np.isfinite(logp(model.initial_point()))


@pytest.mark.parametrize("name", VARIANTS)
def test_many_draws_at_once_are_those_of_pymc(name):
    found = build(name, 2)
    with found.model(Data(np.zeros(1))) as model:
        one_by_one = pm.draw(
            [model["mu"], model["sigma"], model["w"]], 1000, random_seed=1, mode=INTERPRETED
        )
    at_once = found.draw_prior(20_000, seed=2)
    together = (at_once.mu, at_once.sigma, at_once.w)
    p_values = [
        ks_2samp(few[:, j], many[:, j]).pvalue
        for few, many in zip(one_by_one, together, strict=True)
        for j in range(2)
    ]
    assert min(p_values) > 1e-4 / (6 * len(VARIANTS))


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
def test_a_start_outside_the_domain_names_the_gap(name, options, mixture, message):
    found = build(name, 2, **options)
    with pytest.raises(ValueError, match=message):
        found.unconstrain(Mixture(*mixture))


@EVERY
def test_copies_and_order(found):
    identifiable = found.name in {"ordered", "relative", "centred", "resolved"}
    identifiable |= found.options.get("signed") is False
    assert (found.copies == 1) == identifiable == (found.order_by is not None)


def test_maps_take_any_batch_axes():
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


@FEW
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


def test_free_coordinates_lead_to_the_same_mixture():
    for found in (build("relative", 3, link="square"), build("moment", 3), build("resolved", 2)):
        z = points_of(found, 5, seed=8)
        x = found.free(z)
        np.testing.assert_allclose(found.unconstrain_free(x), z, atol=1e-12)
        np.testing.assert_allclose(found.forward_free(x).mu, found.forward(z).mu, rtol=1e-12)
        chained = found.jacobian_free(x) @ numeric_jacobian(found.free, z)
        np.testing.assert_allclose(chained, found.jacobian(z), atol=1e-7)


def numeric_jacobian(function, z, step=1e-5):
    """Central differences, shape (points, outputs, inputs)."""
    units = step * np.eye(z.shape[-1])
    slopes = (function(z[:, None] + units) - function(z[:, None] - units)) / (2 * step)
    return np.swapaxes(slopes, -1, -2)


def test_log_posterior_makes_one_pass(monkeypatch):
    found, calls = build("relative", 3), []
    original = kernels.e_step

    def counted(*arguments, **options):
        calls.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(kernels, "e_step", counted)
    data = simulate(Mixture([0.4, 0.6], [-1, 2], [1, 0.7]), 50, seed=1)
    found.log_posterior(points_of(found, 7, seed=9), data)
    assert len(calls) == 1


def test_log_posterior_takes_weighted_data_and_batches():
    found = build("folded", 2)
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


def test_density_of_the_free_coordinates_leaves_the_transforms_out():
    found = build("relative", 3)
    z = points_of(found, 5, seed=11)
    with_det = found.log_prior(z) - found.graph.log_det_transforms(z, found.prior)
    np.testing.assert_allclose(found.log_prior(z, jacobian=False), with_det, rtol=1e-12)


@FEW
def test_affine_change_of_the_data_moves_everything_along(found):
    location, scale = 40.0, 7.0
    moved = found.affine(location, scale)
    z = points_of(found, 5, seed=12)
    mixture = found.forward(z)
    there = mixture.affine(location, scale)
    shift = moved.log_prior(moved.unconstrain(there)) - moved.log_det(moved.unconstrain(there))
    here = found.log_prior(z) - found.log_det(z)
    # 2 K coordinates carry the unit of the data
    np.testing.assert_allclose(shift, here - 2 * found.k * np.log(scale), atol=1e-9)


def test_one_component_has_no_labels():
    found = catalog.parameterization("unordered", 1)
    assert (found.copies, found.order_by, found.dimension) == (1, None, 2)
    outcome = laws.matched_prior(found, points_of(found, 5, seed=13), 14)
    assert outcome.holds, outcome
