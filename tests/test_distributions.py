"""Ordered normals, gaps and their links, in a PyMC model of one's own."""

from math import lgamma

import chance
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import halfnorm, kstest, norm

from ordered_mix.distributions import LINKS, ScaleChain, chain, gaps, ordered_normal
from ordered_mix.parameterization.batching import INTERPRETED

LOCATION, SPREAD = 0.4, 1.6


def log_density(variable, values):
    """Log density of a variable at each of many values."""
    value = variable.type("value")
    function = pytensor.function([value], pm.logp(variable, value), mode=INTERPRETED)
    return np.array([function(one) for one in np.asarray(values, dtype=float)])


def declared(build, **options):
    """A variable in a model of its own."""
    with pm.Model():
        return build("x", **options)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_ordered_normal_has_the_factorial(k):
    x = declared(ordered_normal, mu=LOCATION, sigma=SPREAD, k=k)
    values = np.sort(np.random.default_rng(1).normal(0, 2, (5, k)))
    expected = norm.logpdf(values, LOCATION, SPREAD).sum(axis=-1) + lgamma(k + 1)
    np.testing.assert_allclose(log_density(x, values), expected, rtol=1e-12)
    if k > 1:
        assert np.all(log_density(x, values[:, ::-1]) == -np.inf)


@pytest.mark.chance
@pytest.mark.parametrize("k", [2, 3])
def test_ordered_normal_draws_are_order_statistics(k):
    x = declared(ordered_normal, mu=LOCATION, sigma=SPREAD, k=k)
    draws = pm.draw(x, 4000, random_seed=chance.seed(2), mode=INTERPRETED)
    assert np.all(np.diff(draws) >= 0)
    # expected order statistics of two and three standard normals
    top = {2: 1 / np.sqrt(np.pi), 3: 1.5 / np.sqrt(np.pi)}[k]
    for position, expected in ((0, -top), (-1, top)):
        assert chance.mean_of(draws[:, position], LOCATION + SPREAD * expected, 3)
    pooled = chance.rng(3).permuted(draws, axis=1)[:, 0]
    assert kstest(pooled, norm(LOCATION, SPREAD).cdf).pvalue > chance.alpha(3)


def test_ordered_normal_in_a_users_model():
    with pm.Model(coords={"group": ["a", "b", "c"]}) as model:
        spread = pm.HalfNormal("spread", 2.0)
        means = ordered_normal("means", 1.0, spread, k=3, dims="group")
        pm.Normal("y", means[np.array([0, 1, 2, 2])], 1.0, observed=[-1.0, 0.5, 2.0, 2.5])
        prior = pm.sample_prior_predictive(50, random_seed=4, compile_kwargs={"mode": INTERPRETED})
    drawn = prior["prior"]["means"]
    assert drawn.dims == ("chain", "draw", "group")
    assert np.all(np.diff(drawn.to_numpy()) >= 0)
    # PyMC's ordered transform alone cannot start from its default point
    start = model.initial_point()
    logp, slope = model.compile_fn([model.logp(), model.dlogp()], mode=INTERPRETED)(start)
    assert np.isfinite(logp) and np.all(np.isfinite(slope))


def test_ordered_normal_has_the_length_of_its_dimension():
    with pm.Model(coords={"group": ["a", "b", "c"]}):
        assert ordered_normal("means", dims="group").type.shape == (3,)
        with pytest.raises(ValueError, match=r"k must be the length of 'group', 3, got 2"):
            ordered_normal("two", k=2, dims="group")
        for dims in (None, "other"):
            with pytest.raises(ValueError, match="k must be given, or dims with a coordinate"):
                ordered_normal("none", dims=dims)


def test_ordered_normal_takes_batches():
    x = declared(ordered_normal, mu=0.0, sigma=1.0, k=3, shape=(4, 3))
    draws = pm.draw(x, 10, random_seed=5, mode=INTERPRETED)
    assert draws.shape == (10, 4, 3)
    assert np.all(np.diff(draws) >= 0)
    values = np.sort(np.random.default_rng(6).normal(size=(1, 4, 3)))
    expected = norm.logpdf(values).sum(axis=-1) + np.log(6)
    np.testing.assert_allclose(log_density(x, values), expected, rtol=1e-12)


def test_ordered_normal_can_be_observed():
    with pm.Model() as model:
        ordered_normal("x", 0.0, 1.0, k=2, observed=[-0.5, 1.0])
    found = model.compile_fn(model.logp(), mode=INTERPRETED)({})
    assert found == pytest.approx(norm.logpdf([-0.5, 1.0]).sum() + np.log(2), rel=1e-12)


def test_two_gaps_are_half_normal():
    gap = declared(gaps, k=2, spread=SPREAD)
    values = np.array([[0.01], [0.7], [4.0]])
    expected = halfnorm.logpdf(values[:, 0], scale=SPREAD * np.sqrt(2))
    np.testing.assert_allclose(log_density(gap, values), expected, rtol=1e-12)
    assert log_density(gap, [[-0.1]])[0] == -np.inf


@pytest.mark.parametrize("ordered", [True, False])
def test_three_gaps_have_mass_one(ordered):
    gap = declared(gaps, k=3, spread=1.0, ordered=ordered)
    x, weight = np.polynomial.legendre.leggauss(30)
    low, high = (0.0, 9.0) if ordered else (-10.0, 10.0)
    x, weight = low + (high - low) * (x + 1) / 2, weight * (high - low) / 2
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(log_density(gap, grid)).reshape(30, 30)
    assert weight @ density @ weight == pytest.approx(1.0, abs=1e-8)


@pytest.mark.chance
@pytest.mark.parametrize("ordered", [True, False])
def test_gaps_are_differences_of_normals(ordered):
    gap = declared(gaps, k=4, spread=SPREAD, ordered=ordered)
    draws = pm.draw(gap, 4000, random_seed=chance.seed(7), mode=INTERPRETED)
    normals = chance.rng(8).normal(0, SPREAD, (4000, 4))
    wanted = np.diff(np.sort(normals) if ordered else normals)
    for position in range(3):
        assert kstest(draws[:, position], wanted[:, position]).pvalue > chance.alpha(6)
    # 1 / sqrt(4000) for normals; gaps have longer tails, for which it is doubled
    allowed = 2 * chance.z_for(6) * np.sqrt(2 / 4000)
    np.testing.assert_allclose(np.corrcoef(draws.T), np.corrcoef(wanted.T), atol=allowed)


def link_functions(transform, size):
    """Backward, forward and both log determinants of a transform, compiled."""
    d = pt.vector("d", shape=(size,))
    value = transform.backward(d)
    jacobian = pytensor.gradient.jacobian(value, d, vectorize=True)
    outputs = [value, transform.forward(value), transform.log_jac_det(d), jacobian]
    return pytensor.function([d], outputs, mode=INTERPRETED)


TRANSFORMS = {**LINKS, "scales": ScaleChain(LINKS["softplus"])}
COMPILED = {}


@pytest.mark.parametrize("name", TRANSFORMS)
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(d=st.lists(st.floats(-12, 12).filter(lambda x: abs(x) > 1e-3), min_size=3, max_size=3))
def test_links_invert_and_state_their_determinant(name, d):
    if name not in COMPILED:
        COMPILED[name] = link_functions(TRANSFORMS[name], 3)
    d = np.abs(d) if name == "square" else np.array(d)
    value, back, log_det, jacobian = COMPILED[name](d)
    assert np.all(value > 0)
    if name != "scales":
        np.testing.assert_allclose(back, d, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(jacobian)[1], rtol=1e-9, atol=1e-9)


def test_scale_chain_is_increasing_and_inverts():
    value, back, _, _ = link_functions(TRANSFORMS["scales"], 3)(np.array([-0.5, 0.3, 1.2]))
    assert np.all(np.diff(value) > 0)
    np.testing.assert_allclose(back, [-0.5, 0.3, 1.2], rtol=1e-12)


def test_square_link_visits_a_gap_from_both_sides():
    function = link_functions(LINKS["square"], 2)
    np.testing.assert_array_equal(
        function(np.array([0.5, 2.0]))[0], function(np.array([-0.5, 2.0]))[0]
    )


def test_chain_of_positions():
    gap = pt.vector("gap", shape=(3,))
    positions = pytensor.function([gap], chain(gap, 4), mode=INTERPRETED)
    np.testing.assert_array_equal(positions(np.array([1.0, 0.5, 2.0])), [0.0, 1.0, 1.5, 3.5])


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (ordered_normal, {"k": 0}, "k must be a whole number of at least 1, got 0"),
        (ordered_normal, {"k": 2.0}, "k must be a whole number of at least 1, got 2.0"),
        (ordered_normal, {"k": 2, "mu": [0.0, 1.0]}, "mu must be a scalar, got 1 axes"),
        (ordered_normal, {"k": 2, "sigma": np.ones((2, 2))}, "sigma must be a scalar, got 2 axes"),
        (gaps, {"k": 1, "spread": 1.0}, "k must be a whole number of at least 2, got 1"),
    ],
)
def test_bad_input(build, options, message):
    with pytest.raises(ValueError, match=message):
        declared(build, **options)
