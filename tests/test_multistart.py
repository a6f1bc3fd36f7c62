"""Multi-start: the optima a user gets by default, hit rates, and spurious ones flagged."""

from dataclasses import replace

import numpy as np
import pytest

from ordered_mix.data import Data, load, population, simulate
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial import METHODS, initial_mixtures
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.fitted.maximum import find_maximum
from ordered_mix.mixture import Mixture
from ordered_mix.optima.multistart import MultiStart
from ordered_mix.optima.optima import spurious
from ordered_mix.parameterization.catalog import parameterization


def in_thousands(data: Data) -> Data:
    return Data(data.y / 1000, name=data.name)


@pytest.mark.parametrize(
    ("name", "k", "log_likelihood"),
    [
        ("faithful:waiting", 2, -1034.00174983),
        ("faithful:eruptions", 2, -276.360040496),
        ("acidity", 2, -184.644708901),
        ("enzyme", 2, -54.6400150),
        ("galaxies", 3, -203.481980),
    ],
)
def test_the_default_finds_the_maxima_of_the_shipped_data(name, k, log_likelihood):
    data = in_thousands(load(name)) if name == "galaxies" else load(name)
    optima = MultiStart().fit(parameterization("unordered", k), data)
    assert abs(optima.log_likelihood - log_likelihood) < 1e-6
    assert not optima.spurious[optima.best_index]
    assert abs(find_maximum(data, k).log_likelihood - log_likelihood) < 1e-6


def test_the_default_finds_a_good_third_component_of_enzyme():
    data = load("enzyme")
    assert MultiStart().fit(parameterization("unordered", 3), data).log_likelihood >= -47.8268
    assert find_maximum(data, 3).log_likelihood >= -47.8268


def test_the_means_scales_and_weights_of_the_waiting_times():
    best = MultiStart().fit(parameterization("unordered", 2), load("faithful:waiting")).best
    np.testing.assert_allclose(best.mu, [54.614856, 80.091070], atol=1e-5)
    np.testing.assert_allclose(best.sigma, [5.871220, 5.867734], atol=1e-5)
    np.testing.assert_allclose(best.w[0], 0.360886, atol=1e-6)


def test_a_start_at_every_optimum_finds_them_all_once():
    data = load("acidity")
    known = MultiStart().fit(parameterization("unordered", 2), data)
    start = known.fit.mixture.permute([1, 0])
    again = MultiStart().fit(parameterization("unordered", 2), data, start)
    np.testing.assert_array_equal(again.hits, 1)
    np.testing.assert_allclose(again.fit.log_likelihood, [-184.644708901, -187.234513], atol=1e-6)


def test_hits_and_failures_add_up_to_the_starts():
    optima = MultiStart(starts=50, seed=5).fit(parameterization("unordered", 4), load("galaxies"))
    assert optima.starts == 50
    assert optima.hits.sum() + sum(optima.failures.values()) == 50
    np.testing.assert_allclose(optima.hit_rate, optima.hits / 50)
    assert np.all(np.diff(optima.fit.objective) <= 0)
    assert np.all(np.diff(optima.fit.mixture.mu) >= 0)


def test_spurious_optima_are_flagged_and_passed_over():
    optima = MultiStart().fit(parameterization("unordered", 4), in_thousands(load("galaxies")))
    assert optima.spurious[0] and optima.best_index > 0
    assert optima.fit.mixture.sigma[0].min() < 0.05
    np.testing.assert_allclose(optima.log_likelihood, -197.710311, atol=1e-5)
    assert "spurious" in repr(optima)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_spurious_means_narrower_than_the_spacing(scale):
    y = scale * np.concatenate([np.linspace(0, 1, 101), [5.0, 5.2, 5.4]])
    broad = Mixture([0.9, 0.1], [0.5 * scale, 5.2 * scale], [0.3 * scale, 0.16 * scale])
    narrow = Mixture([0.9, 0.1], [0.5 * scale, 0.25 * scale], [0.3 * scale, 0.005 * scale])
    assert not spurious(Data(y), broad)
    assert spurious(Data(y), narrow)


def test_a_component_of_many_points_may_be_narrow_but_not_below_the_rounding():
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.normal(0, 1e-3, 200), rng.normal(0, 1, 200)])
    assert not spurious(Data(y), Mixture([0.5, 0.5], [0.0, 0.0], [1e-3, 1.0]))
    rounded = Data(np.round(rng.normal(70, 10, 300)))
    narrow = Mixture([0.5, 0.5], [70.0, 75.0], [10.0, 0.4])
    assert spurious(rounded, narrow)


def test_collapsing_starts_are_counted_apart():
    starts = Mixture([0.5, 0.5], [[55.0, 80.0], [70.0, 90.0]], [[5.0, 5.0], [13.0, 0.01]])
    optima = MultiStart().fit(parameterization("unordered", 2), load("faithful:waiting"), starts)
    assert optima.failures == {"variance_collapsed": 1}
    assert optima.hits.tolist() == [1]
    assert "1 starts ended as variance_collapsed" in repr(optima)


def test_no_optimum_at_all_is_an_error_with_advice():
    start = Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 0.01])
    with pytest.raises(ValueError, match=r"no start of 1 ends at an optimum: .* set a floor"):
        MultiStart().fit(parameterization("unordered", 2), Data([-1.0, 1.0, 3.0]), start)


def test_a_floor_carries_over_to_both_stages():
    estimator = EM(floor=0.25, stop=Stop(log_likelihood=1e-12))
    optima = MultiStart(estimator=estimator).fit(parameterization("unordered", 3), load("enzyme"))
    assert optima.fit.mixture.sigma.min() >= 0.25 * (1 - 1e-12)


def test_populations_are_fitted_too():
    truth = Mixture([0.3, 0.7], [-1.0, 2.0], [1.0, 0.5])
    best = (
        MultiStart(explore=Stop(log_likelihood=1e-9))
        .fit(parameterization("unordered", 2), population(truth))
        .best
    )
    np.testing.assert_allclose(best.mu, truth.mu, atol=1e-3)


def test_the_seed_decides_the_starts():
    data = load("enzyme")
    one, same, other = (
        MultiStart(seed=seed).start(parameterization("unordered", 3), data) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.mu, same.mu)
    assert np.any(one.mu != other.mu)
    assert one.batch_shape == (60,)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_starts_lie_in_the_data_and_differ(method):
    data = simulate(Mixture([0.5, 0.5], [0.0, 1e6], [1.0, 1.0]), 500, seed=0)
    starts = initial_mixtures(data, 3, 40, method, seed=0)
    assert starts.batch_shape == (40,)
    assert starts.mu.min() >= data.y.min() and starts.mu.max() <= data.y.max()
    assert len(np.unique(starts.mu.round(9), axis=0)) > 20
    assert np.all(np.diff(np.sort(starts.mu, axis=-1)) > 0)


def test_quantile_starts_begin_with_equal_slices():
    start = initial_mixtures(Data(np.arange(9.0)), 3, 1, "quantile", seed=0)[0]
    np.testing.assert_allclose(start.mu, [1.0, 4.0, 7.0], atol=1e-12)
    np.testing.assert_allclose(start.sigma, np.sqrt(2 / 3))
    np.testing.assert_allclose(start.w, 1 / 3)


def test_starts_ignore_points_without_weight():
    data = Data([0.0, 1.0, 2.0, 100.0], weight=[1.0, 1.0, 1.0, 0.0])
    for method in METHODS:
        assert initial_mixtures(data, 2, 10, method, seed=0).mu.max() <= 2.0


def test_as_many_components_as_points_start_at_the_points():
    data = Data([3.0, 1.0, 2.0, 2.0])
    for method in METHODS:
        starts = initial_mixtures(data, 3, 5, method, seed=0)
        np.testing.assert_allclose(np.sort(starts.mu, axis=-1), [[1.0, 2.0, 3.0]] * 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Data(np.ones((2, 3, 4))), 2, 1, "random", 0), r"single sample, got a batch of \(2, 3\)"),
        ((Data([1.0, 1.0, 2.0]), 3, 1, "random", 0), "k must be from 1 to 2.*, got 3"),
        ((Data([1.0, 1.0, 2.0]), 0, 1, "random", 0), "k must be from 1 to 2.*, got 0"),
        ((Data([1.0, 2.0]), 1, 0, "random", 0), "starts must be at least 1, got 0"),
        ((Data([1.0, 2.0]), 1, 1, "grid", 0), "method must be one of .*, got 'grid'"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        initial_mixtures(*arguments)


def test_other_estimators_start_many_times_too():
    estimator = ECM(stop=Stop(log_likelihood=1e-10))
    model = parameterization("relative", 2, clearance=1.0)
    optima = MultiStart(starts=12, estimator=estimator).fit(model, load("acidity"))
    assert optima.fit.rule.tolist() == ["log_likelihood"] * len(optima.fit.status)
    np.testing.assert_allclose(optima.log_likelihood, -184.644708901, rtol=0, atol=1e-6)
    assert np.all(np.diff(optima.fit.mixture.mu) >= 1.0)


def test_given_starts_must_have_as_many_components():
    with pytest.raises(ValueError, match="starts must have 3 components as unordered, got 2"):
        MultiStart().fit(
            parameterization("unordered", 3),
            load("acidity"),
            Mixture([0.5, 0.5], [[4.0, 6.0]], [1.0, 1.0]),
        )


def test_too_few_starts_are_refused():
    with pytest.raises(ValueError, match="starts must be at least the number of methods"):
        MultiStart(starts=2)


@pytest.mark.parametrize("k", [2, 4])
def test_polishing_the_best_ends_and_a_part_of_the_points_find_the_same_optimum(k):
    """Against polishing all ends of all points; four components overfit two."""
    rng = np.random.default_rng(8)
    data = Data(np.append(rng.normal(0, 1, 500), rng.normal(4, 0.5, 500)))
    model = parameterization("unordered", k)
    whole = MultiStart(starts=30, seed=1, estimator=EM(stop=Stop(1e-9, passes=1500)))
    some = replace(whole, polished=6, subsample=400)
    best, found = whole.fit(model, data), some.fit(model, data)
    assert len(found.hits) <= 6 and found.passes < best.passes and found.starts == 30
    assert found.log_likelihood > best.log_likelihood - (1e-6 if k == 2 else 1.0)
    assert ("not_polished" in found.failures) == (k == 4)
