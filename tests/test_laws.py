"""The laws of every model file, at any scale of the prior; the check measures the same."""

import chance
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog, laws, reference
from ordered_mix.parameterization.laws import points_of
from ordered_mix.prior import Prior


def test_every_model_file_is_tested(variants):
    assert sorted(variants) == catalog.names()


def with_prior(found, prior):
    """The same structure under other numbers."""
    return catalog.parameterization(found.name, found.k, prior, **found.options)


@pytest.mark.structures(2, 3, 5)
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


@pytest.mark.structures(2, 3)
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


def clearances(found):
    """Clearances of the gaps and the weights, 0 where there are none."""
    return {"mu": 0.0, "sigma": 0.0, "w": 0.0, **found.domain.clearances}


@pytest.mark.structures(2, 3, 5)
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
    # what is inside already stays where it is, sorted
    inside = found.forward(points_of(found, 20, seed=5))
    np.testing.assert_allclose(found.forward(found.start(inside)).mu, inside.mu, rtol=1e-12)


@pytest.mark.chance
@pytest.mark.structures(2, family="adaptive")
def test_laws_with_adaptive_scales(found):
    z = points_of(found, 10, seed=3)
    for law in (laws.gradient, laws.matched_prior, laws.prior_mass, laws.prior_draws):
        outcome = law(found, z, 4)
        assert outcome.holds, outcome


@pytest.mark.chance
@pytest.mark.parametrize(
    ("name", "k", "options"),
    [
        ("unordered", 1, {}),
        ("moment", 3, {}),
        ("relative", 3, {"order": "both"}),
        ("relative", 3, {"order": "sigma", "clearance": 0.1}),
    ],
)
def test_laws_with_adaptive_scales_of_other_sizes(name, k, options, build):
    found = build(name, k, family="adaptive", **options)
    z = points_of(found, 10, seed=5)
    for law in (laws.gradient, laws.matched_prior, laws.prior_draws, laws.order_of_draws):
        outcome = law(found, z, 6)
        assert outcome.holds, outcome


def test_models_agree_on_adaptive_scales(build):
    found = build("relative", 2, family="adaptive", order="both")
    outcome = laws.models_agree(found, points_of(found, 3, seed=7), 8)
    assert outcome.holds, outcome


@pytest.mark.parametrize("name", ["unordered", "moment"])
def test_adaptive_scales_move_along_with_the_data(name, build):
    found = build(name, 3, family="adaptive")
    moved = found.affine(40.0, 7.0)
    z = points_of(found, 5, seed=12)
    there = moved.unconstrain(found.forward(z).affine(40.0, 7.0))
    here = found.log_prior(z) - found.log_det(z)
    shift = moved.log_prior(there) - moved.log_det(there)
    np.testing.assert_allclose(shift, here - 6 * np.log(7.0), atol=1e-9)


@pytest.mark.chance
@pytest.mark.parametrize(("name", "options"), [("moment", {}), ("relative", {"order": "sigma"})])
def test_laws_with_half_normal_scales(name, options, numbers):
    prior = Prior(**numbers, scale_family="half_normal")
    found = catalog.parameterization(name, 2, prior, **options)
    z = points_of(found, 20, seed=chance.seed(1))
    for law in (laws.round_trip, laws.matched_prior, laws.prior_draws, laws.prior_mass):
        outcome = law(found, z, chance.seed(2))
        assert outcome.holds, outcome


@pytest.mark.structures(2, 3)
def test_gradient(found):
    outcome = laws.gradient(found, points_of(found, 10, 1), seed=2)
    assert outcome.holds, outcome


def test_laws_say_why_they_do_not_apply(build):
    cleared = build("relative", 3, clearance=0.1)
    assert "zero clearance" in laws.matched_prior(cleared, None, 0).skipped
    assert "native" in laws.prior_draws(build("signed", 2, native=True), None, 0).skipped
    assert "no order" in laws.order_of_draws(build("signed", 2), None, 0).skipped
    assert "two components" in laws.prior_mass(build("ordered", 3), None, 0).skipped
