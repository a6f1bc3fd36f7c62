"""Numerics: offsets, units, ties, outliers, many components and many points change no result."""

import os

import numpy as np
import pytest

from ordered_mix.compare.compare import check
from ordered_mix.compare.comparison import Settings
from ordered_mix.data import Data, load
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.map import MAP
from ordered_mix.estimators.natural import NaturalGradient
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes import kernels
from ordered_mix.prior import Prior

THOROUGH = pytest.mark.skipif(
    "THOROUGH" not in os.environ, reason="ten million points take minutes: `make reliability`"
)
TRUTH = Mixture([0.4, 0.6], [-1.5, 1.5], [0.8, 1.0])
POINTS = TRUTH.sample(400, np.random.default_rng(3))
UNORDERED = catalog.parameterization("unordered", 2)
STOP = Stop(log_likelihood=1e-12, passes=400)
ESTIMATORS = {
    "EM": EM(stop=STOP),
    "ECM": ECM(stop=STOP),
    "gradient": GradientAscent(stop=Stop(log_likelihood=0, parameters=1e-10, passes=2000)),
    "natural gradient": NaturalGradient(damping=1e-3, stop=STOP),
    "MAP": MAP(),
    "MAP without Jacobian": MAP(jacobian=False),
}
ALGORITHMS = {"EM": EM, "ECM": ECM}
PLACES = [(1e9, 1.0), (-1e9, 1.0), (0.0, 1e9), (0.0, 1e-9), (0.0, 1e130), (0.0, 1e-130)]
CASES = [(name, place) for name in ESTIMATORS for place in PLACES]


def moved(location, scale):
    """Data at an offset or in another unit, and the same numbers brought back exactly."""
    y = location + scale * POINTS
    return Data(y), Data((y - location) / scale)


def fitted(estimator, data, start, prior):
    return estimator.fit(catalog.parameterization("relative", 2, prior), data, start)


def spread_of(fit, location, scale):
    """Parameters on the standardised scale."""
    mixture = fit.mixture
    return np.concatenate(
        [mixture.w, (mixture.mu - location) / scale, mixture.sigma / scale], axis=-1
    )


@pytest.mark.parametrize(("name", "place"), CASES)
def test_offset_and_unit_of_the_data_do_not_matter(name, place):
    location, scale = place
    there, here = moved(location, scale)
    start = Mixture(np.full((2, 2), 0.5), [[-2.0, 1.0], [-0.5, 2.5]], np.ones((2, 2)))
    prior = Prior(0.0, 3.0, 1.0)
    one = fitted(ESTIMATORS[name], here, start, prior)
    other = fitted(
        ESTIMATORS[name], there, start.affine(location, scale), prior.affine(location, scale)
    )
    np.testing.assert_allclose(
        spread_of(other, location, scale), spread_of(one, 0.0, 1.0), rtol=1e-6, atol=1e-6
    )
    assert np.array_equal(one.status, other.status)
    change = 400 * np.log(scale)
    np.testing.assert_allclose(
        other.log_likelihood + change, one.log_likelihood, rtol=0, atol=1e-6 * (1 + abs(change))
    )


@pytest.mark.structures(2)
@pytest.mark.parametrize("kind", ["free", "unconstrained"])
def test_line_search_takes_the_same_path_in_another_unit(found, kind):
    if kind == "unconstrained" and found.options.get("link") in ("softplus", "square"):
        pytest.skip("these links know the unit of what they map")
    ascent = GradientAscent(coordinates=kind, stop=Stop(log_likelihood=0, passes=20))
    start = Mixture(np.full((1, 2), 0.5), [[-1.0, 2.0]], [[0.7, 1.2]])
    here = ascent.fit(found, Data(POINTS), start)
    move = -3e3, 1e4
    there = ascent.fit(found.affine(*move), Data(move[0] + move[1] * POINTS), start.affine(*move))
    assert np.array_equal(here.trace.passes, there.trace.passes)
    lost = here.trace.objective - there.trace.objective
    np.testing.assert_allclose(lost, 400 * np.log(1e4), rtol=1e-9)


@pytest.mark.parametrize(("location", "scale"), PLACES)
@pytest.mark.parametrize("name", ["unordered", "ordered", "relative", "centred", "moment"])
def test_the_density_that_the_sampler_sees_does_not_know_the_unit(name, location, scale):
    there, here = moved(location, scale)
    prior, z = Prior(0.0, 3.0, 1.0), np.random.default_rng(1).standard_normal((8, 5))
    found = []
    for data, at, unit in ((here, 0.0, 1.0), (there, location, scale)):
        one = catalog.parameterization(name, 2, prior.affine(at, unit))
        middle, width = float(data.location), float(data.scale)
        standard = one.affine(-middle / width, 1 / width)
        value, gradient = standard.log_posterior(z, data.standardized())[:2]
        found.append((value, gradient))
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6 * np.abs(mine).max())


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("scale", [1e-140, 1e-100, 1e-60, 1e-9, 1e9, 1e60, 1e100, 1e140])
def test_the_pass_keeps_its_digits_in_any_unit(scale, k):
    unit = 2.0 ** np.round(np.log2(scale))  # exact, so that nothing else rounds
    one = Mixture(np.full(k, 1 / k), 2.0 * np.arange(k), 0.5 + np.arange(k))
    other = one.affine(0.0, unit)
    here = kernels.e_step(POINTS, one.w, one.mu, one.sigma)
    there = kernels.e_step(unit * POINTS, other.w, other.mu, other.sigma)
    shift = POINTS.size * np.log(unit)
    np.testing.assert_allclose(there.log_likelihood + shift, here.log_likelihood, rtol=1e-9)
    np.testing.assert_allclose(there.s0, here.s0, rtol=1e-10)
    np.testing.assert_allclose(there.s1 / unit, here.s1, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(there.s2 / unit / unit, here.s2, rtol=1e-10)
    pointwise = kernels.log_density(unit * POINTS, other.w, other.mu, other.sigma)
    np.testing.assert_allclose(pointwise.sum() + shift, here.log_likelihood, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-200, 1e200, 1e300])
def test_units_beyond_reach_are_refused(scale):
    with pytest.raises(ValueError, match="data must have a standard deviation between 1e-140 and"):
        check(Data(scale * POINTS), Settings())


def test_ties_are_points_of_more_weight():
    data = load("faithful:waiting")
    assert data.n > 5 * np.unique(data.y).size or np.unique(data.y).size < data.n / 4
    values, counts = np.unique(data.y, return_counts=True)
    start = initial_mixtures(data, 2, 3, "random", 1)
    whole, weighted = (
        EM(stop=STOP).fit(UNORDERED, one, start) for one in (data, Data(values, counts))
    )
    np.testing.assert_allclose(whole.mixture.mu, weighted.mixture.mu, rtol=1e-9)
    np.testing.assert_allclose(whole.log_likelihood, weighted.log_likelihood, rtol=1e-12)


def test_heavily_tied_data_collapse_only_where_they_are_said_to():
    data = Data(np.repeat([1.0, 2.0, 5.0], 100))
    fit = EM(stop=STOP).fit(UNORDERED, data, initial_mixtures(data, 2, 20, "random", 1))
    assert set(np.unique(fit.status)) <= {"converged", "variance_collapsed", "budget_exhausted"}
    assert np.isfinite(fit.log_likelihood).all() and np.all(fit.mixture.sigma > 0)
    safe = MAP().fit(catalog.parameterization("unordered", 2, Prior(2.0, 2.0, 1.0)), data,
                     initial_mixtures(data, 2, 4, "random", 1))  # fmt: skip
    assert np.isfinite(safe.objective).all() and np.all(safe.mixture.sigma > 0.01)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", ["EM", "MAP"])
def test_outliers_at_a_million_sigma_are_a_component_of_their_own(name, sign):
    data = Data(np.append(POINTS, [sign * 1e6, sign * (1e6 + 1.0)]))
    start = Mixture([[0.9, 0.1]], [[0.0, sign * 9e5]], [[2.0, 1e3]]).sorted()
    if name == "MAP":
        fit = fitted(ESTIMATORS[name], data, start, Prior(0.0, 1e7, 1.0))
    else:
        fit = ESTIMATORS[name].fit(UNORDERED, data, start)
    assert str(fit.status[0]) == "converged"
    ascending = fit.mixture[0].sorted()
    far = 1 if sign > 0 else 0
    assert np.isfinite(fit.log_likelihood).all()
    # the two points are 1 apart: their mean to a hundredth of that
    np.testing.assert_allclose(ascending.mu[far], sign * (1e6 + 0.5), rtol=0, atol=0.01)
    # 2 points and up to 2 pseudo-counts of the prior's concentration among 402
    np.testing.assert_allclose(ascending.w[far], 2 / 402, atol=0.006)
    # of the posterior's standard deviation, 2 / sqrt(400), three
    np.testing.assert_allclose(ascending.mu[1 - far], POINTS.mean(), atol=0.3)


@pytest.mark.parametrize("k", [1, 2, 5, 10, 15, 20])
@pytest.mark.parametrize("name", ["EM", "ECM"])
def test_up_to_twenty_components_are_found(name, k):
    truth = Mixture(np.full(k, 1 / k), 10.0 * np.arange(k), np.ones(k))
    data = Data(truth.sample(60 * k, np.random.default_rng(k)))
    coordinates = "relative" if name == "ECM" and k > 1 else "unordered"
    model = catalog.parameterization(coordinates, k)
    fit = ALGORITHMS[name](stop=Stop(passes=5000)).fit(model, data, truth)
    assert str(fit.status) == "converged"
    np.testing.assert_allclose(fit.mixture.mu, truth.mu, atol=0.6)
    at_truth = truth.log_density(data.y).sum()
    assert at_truth <= fit.log_likelihood <= at_truth + 5 * 3 * k


@pytest.mark.parametrize("k", [2, 3, 8, 20])
def test_two_points_for_each_component_are_enough_to_run(k):
    data = Data(np.random.default_rng(k).normal(size=2 * k))
    fit = EM().fit(
        catalog.parameterization("unordered", k), data, initial_mixtures(data, k, 5, "random", 1)
    )
    assert np.isfinite(fit.log_likelihood).all() and np.all(fit.mixture.sigma > 0)
    assert all(fit.advice)


@pytest.mark.parametrize("n", [10, 1000, 100_000, 1_000_000])
def test_a_pass_agrees_with_sums_of_the_closed_form(n):
    y = TRUTH.sample(n, np.random.default_rng(n))
    fit = EM(stop=Stop(passes=2)).fit(UNORDERED, Data(y), TRUTH)
    r = TRUTH.responsibilities(y)
    mu = r.T @ y / r.sum(axis=0)
    np.testing.assert_allclose(fit.trace.mixture.mu[1], mu, rtol=1e-9)
    log_likelihood = TRUTH.log_density(y).sum()
    np.testing.assert_allclose(fit.trace.log_likelihood[0], log_likelihood, rtol=1e-11)


@THOROUGH
def test_ten_million_points_are_fitted_in_bounded_memory():
    import resource

    n = 10_000_000
    y = TRUTH.sample(n, np.random.default_rng(1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fit = EM(stop=Stop(passes=6)).fit(UNORDERED, Data(y), TRUTH)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 12 * n * 8 / 1024
    np.testing.assert_allclose(fit.mixture.mu, TRUTH.mu, atol=0.01)
    assert np.all(np.diff(fit.trace.log_likelihood) >= 0)
