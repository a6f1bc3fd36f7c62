"""Gradient ascent: the update itself, known exponents and curvatures, bounds, statuses."""

import numpy as np
import pytest

from ordered_mix.data import Data, load, population, simulate
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import GradientAscent, largest_curvature
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.loop.transforms import closed_form_map
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior

KNOWN = Prior(known_w=(0.5, 0.5), known_sigma=1.0)
SINGULAR = population(Mixture([1.0], [0.0], [1.0]))


def system(name, prior=KNOWN, **options):
    return catalog.parameterization(name, 2, prior, **options)


def pair(gap, middle=0.0):
    return Mixture([0.5, 0.5], [middle - gap / 2, middle + gap / 2], [1.0, 1.0])


def test_a_fixed_step_in_relative_coordinates_is_the_update_of_the_paper():
    y = simulate(pair(1.0), 100, seed=0).y
    step, clearance = 0.3, 0.2
    ascent = GradientAscent(step=step, stop=Stop(log_likelihood=0, passes=31))
    trace = ascent.fit(
        system("relative", link="identity", clearance=clearance), Data(y), pair(1.5, 0.7)
    ).trace
    mu1, gap = -0.05, 1.5
    for iteration in range(31):
        np.testing.assert_allclose(trace.mixture.mu[iteration], [mu1, mu1 + gap], atol=1e-12)
        density = np.exp(-0.5 * (y[:, None] - np.array([mu1, mu1 + gap])) ** 2)
        r = density / density.sum(axis=1, keepdims=True)
        slope = np.mean(r * (y[:, None] - np.array([mu1, mu1 + gap])), axis=0)
        mu1, gap = mu1 + step * slope.sum(), max(clearance, gap + step * slope[1])
    assert np.all(trace.extra["step"] == step)


@pytest.mark.parametrize(
    ("name", "curvature"), [("unordered", 0.5), ("relative", 1.25), ("signed", 1.0)]
)
def test_largest_curvature_at_the_singular_point(name, curvature):
    measured = largest_curvature(system(name), SINGULAR, pair(0.01))
    np.testing.assert_allclose(measured, curvature, rtol=1e-4)


@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_steps_are_stable_up_to_two_over_the_curvature(factor):
    truth = pair(3.0)
    data, relative = population(truth), system("relative")
    step = 2 * factor / float(largest_curvature(relative, data, truth))
    stop = Stop(log_likelihood=0, passes=600)
    fit = GradientAscent(step=step, stop=stop).fit(relative, data, pair(3.0, 1e-6))
    distance = np.abs(fit.mixture.mu - truth.mu).max()
    assert distance < 1e-9 if factor < 1 else distance > 1e-3


@pytest.mark.parametrize(("name", "a"), [("unordered", 4.0), ("relative", 10.0), ("signed", 8.0)])
def test_the_gap_falls_like_one_over_the_root_of_time(name, a):
    step, gap = 0.5, 0.1
    ascent = GradientAscent(step=step, stop=Stop(log_likelihood=0, passes=2001), snapshots=3000)
    trace = ascent.fit(system(name), SINGULAR, pair(gap)).trace
    inverse = np.diff(trace.mixture.mu, axis=-1)[:, 0] ** -2.0
    slope = (inverse[2000] - inverse[1000]) / (1000 * step)
    np.testing.assert_allclose(slope, 1 / a, rtol=0.01)


def test_mixture_mean_and_squared_gap_fall_exponentially():
    step = 0.5
    ascent = GradientAscent(step=step, stop=Stop(log_likelihood=0, passes=501), snapshots=600)
    trace = ascent.fit(system("resolved"), SINGULAR, pair(0.1)).trace
    gap = np.log(np.diff(trace.mixture.mu, axis=-1)[:, 0])
    np.testing.assert_allclose((gap[500] - gap[300]) / (200 * step), -1 / 64, rtol=0.01)


def test_the_merged_point_absorbs_projection_and_a_clearance_releases_it():
    data = simulate(pair(3.0), 500, seed=1)
    ascent = GradientAscent(step=0.5, stop=Stop(passes=400))
    held = ascent.fit(system("relative", link="identity"), data, pair(0.0))
    assert np.diff(held.mixture.mu) == 0
    options = {"link": "identity", "clearance": 1e-3}
    free = ascent.fit(system("relative", **options), data, pair(0.0))
    assert np.diff(free.mixture.mu) > 2.5
    assert free.log_likelihood > held.log_likelihood + 50


@pytest.mark.parametrize("options", [{"link": "square"}, {"link": "identity"}])
def test_gaps_keep_their_clearance_in_unconstrained_coordinates(options):
    data = simulate(pair(0.0), 200, seed=3)
    ascent = GradientAscent(coordinates="unconstrained", stop=Stop(passes=300))
    fit = ascent.fit(system("relative", clearance=0.5, **options), data, pair(2.0))
    gap = np.diff(fit.trace.mixture.mu, axis=-1)
    assert np.all(gap >= 0.5 - 1e-12)
    np.testing.assert_allclose(gap[-1], 0.5, atol=1e-2)


COORDINATES = [
    ("unordered", "free"), ("relative", "free"), ("relative", "unconstrained"),
    ("centred", "unconstrained"), ("ordered", "unconstrained"), ("signed", "free"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "coordinates"), COORDINATES)
def test_line_search_climbs_to_the_maximum_without_a_step_down(name, coordinates):
    data = Data((load("faithful:waiting").y - 70) / 13)
    start = Mixture([0.5, 0.5], [-1.0, 1.0], [0.6, 0.6])
    ascent = GradientAscent(coordinates=coordinates, stop=Stop(log_likelihood=1e-9))
    fit = ascent.fit(system(name, Prior()), data, start)
    assert fit.converged
    assert np.all(np.diff(fit.trace.objective) >= 0)
    best = EM(stop=Stop(log_likelihood=1e-12)).fit(system("unordered", Prior()), data, start)
    np.testing.assert_allclose(fit.log_likelihood, best.log_likelihood, rtol=0, atol=1e-4)


def test_the_gradient_norm_vanishes_where_the_log_likelihood_is_flat_to_second_order():
    data = Data((load("faithful:waiting").y - 70) / 13)
    start = Mixture([0.5, 0.5], [-1.0, 1.0], [0.6, 0.6])
    relative = system("relative", Prior())
    ascent = GradientAscent(coordinates="unconstrained", stop=Stop(passes=2))
    fit = ascent.fit(relative, data, start)
    z, slopes = relative.unconstrain(start), []
    for unit in 1e-6 * np.eye(5):
        ends = [relative.forward(z + sign * unit).log_density(data.y).mean() for sign in (1, -1)]
        slopes.append((ends[0] - ends[1]) / 2e-6)
    np.testing.assert_allclose(fit.trace.gradient_norm[0], np.linalg.norm(slopes), rtol=1e-7)


@pytest.mark.parametrize("name", ["unordered", "relative", "centred"])
def test_paths_of_the_largest_stable_step_do_not_depend_on_the_unit(name):
    data = simulate(pair(2.0), 200, seed=4)
    ascent = GradientAscent(step="largest_stable", stop=Stop(log_likelihood=0, passes=120))
    fit = ascent.fit(system(name), data, pair(1.0, 0.5))
    unit = 1000.0
    prior = Prior(known_w=(0.5, 0.5), known_sigma=unit)
    far = ascent.fit(system(name, prior), Data(unit * data.y), pair(1.0, 0.5).affine(0.0, unit))
    np.testing.assert_allclose(far.trace.mixture.mu / unit, fit.trace.mixture.mu, atol=1e-6)
    assert np.all(np.diff(fit.trace.objective) >= -1e-9)


def test_the_largest_stable_step_is_a_share_of_two_over_the_curvature():
    truth = pair(2.0)
    data, relative = population(truth), system("relative")
    ascent = GradientAscent(step="largest_stable", fraction=0.4, stop=Stop(0.0, passes=300))
    fit = ascent.fit(relative, data, pair(2.0, 0.1))
    limit = 2 / float(largest_curvature(relative, data, truth))
    np.testing.assert_allclose(fit.trace.extra["step"][-1], 0.4 * limit, rtol=1e-3)


def test_a_batch_of_data_and_starts_gives_what_single_runs_give():
    y = np.stack([simulate(pair(2.0), 80, seed=seed).y for seed in range(2)])[:, None]
    starts = Mixture([0.5, 0.5], [[-1.0, 1.0], [0.0, 3.0], [-0.5, 0.1]], [1.0, 1.0])
    for step in (0.5, "line_search"):
        ascent = GradientAscent(step=step, stop=Stop(log_likelihood=1e-7))
        fit = ascent.fit(system("relative"), Data(y), starts)
        assert fit.status.shape == (2, 3) and np.all(fit.converged)
        for row, column in np.ndindex(2, 3):
            single = ascent.fit(system("relative"), Data(y[row, 0]), starts[column])
            assert single.passes == fit.passes[row, column]
            np.testing.assert_allclose(
                single.mixture.mu, fit.mixture.mu[row, column], rtol=1e-9, atol=1e-9
            )


def test_passes_count_every_trial(monkeypatch):
    from ordered_mix.estimators.loop.problem import Problem

    asked, kernel = [], Problem.moments

    def counting(self, runs, *parameters):
        asked.append(len(runs))
        return kernel(self, runs, *parameters)

    monkeypatch.setattr(Problem, "moments", counting)
    for step in (0.5, "line_search", "largest_stable"):
        asked.clear()
        starts = Mixture([0.5, 0.5], [[-1.0, 1.0], [0.0, 3.0]], [1.0, 1.0])
        fit = GradientAscent(step=step, stop=Stop(passes=50)).fit(
            system("relative"), simulate(pair(2.0), 60, seed=0), starts
        )
        assert sum(asked) == fit.passes.sum()


def test_a_step_out_of_the_domain_is_a_status_with_the_mixture_before_it():
    data = load("acidity")
    start = Mixture([0.5, 0.5], [4.0, 6.0], [0.4, 0.4])
    fit = GradientAscent(step=10.0).fit(system("relative", Prior()), data, start)
    assert fit.status == "left_domain"
    assert "smaller step" in str(fit.advice)
    np.testing.assert_allclose(fit.mixture.sigma, start.sigma)
    assert np.isfinite(fit.log_likelihood)


CLOSED_FORM = {
    "unordered": {}, "relative": {}, "relative softplus": {"link": "softplus"},
    "relative square": {"link": "square", "clearance": 0.3}, "ordered": {}, "centred": {},
    "relative identity": {"link": "identity", "reference": 2, "weight_clearance": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("kind", ["free", "unconstrained"])
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("name", sorted(CLOSED_FORM))
def test_quick_maps_are_those_of_the_graph(name, k, kind):
    parameterization = catalog.parameterization(name.split()[0], k, **CLOSED_FORM[name])
    closed_form, rng = closed_form_map(parameterization, kind), np.random.default_rng(1)
    at, graph = rng.normal(size=(5, parameterization.dimension)), parameterization.graph
    forward, pullback = graph.forward, graph.pullback
    if kind == "free":
        at, forward, pullback = parameterization.free(at), graph.forward_free, graph.pullback_free
    prior, scores = parameterization.prior, rng.normal(size=(3, 5, k))
    for one, other in zip(closed_form.forward(at), forward(at, prior), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    np.testing.assert_allclose(
        closed_form.pullback(at, np.concatenate(scores, axis=1)),
        pullback(at, prior, *scores),
        atol=1e-12,
    )


@pytest.mark.parametrize("name", ["unordered", "relative", "signed"])
def test_known_weights_and_scales_make_more_maps_quick(name):
    closed_form = closed_form_map(system(name), "unconstrained")
    z = np.array([[0.3, -0.2]])
    for one, other in zip(
        closed_form.forward(z), system(name).graph.forward(z, KNOWN), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-14)


@pytest.mark.parametrize("name", ["resolved", "moment", "signed"])
def test_curved_maps_are_left_to_the_graph(name):
    assert closed_form_map(system(name, Prior()), "free") is None


def test_starts_must_have_what_the_prior_knows():
    scales = Prior(known_sigma=1.0)
    with pytest.raises(ValueError, match=r"starts must have the sigma that the prior knows, 1.0"):
        GradientAscent().fit(
            system("unordered", scales), load("acidity"), Mixture([0.4, 0.6], [0, 1], [2.0, 2.0])
        )
    with pytest.raises(ValueError, match=r"starts must have the sigma that the prior knows, 1.0"):
        GradientAscent().fit(
            system("relative"), load("acidity"), Mixture([0.5, 0.5], [0.0, 1.0], [2.0, 2.0])
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": 0.0}, "step must be positive and finite or a name, got 0.0"),
        ({"step": "armijo"}, "step must be one of line_search, largest_stable, got 'armijo'"),
        ({"coordinates": "x"}, "coordinates must be one of free, unconstrained, got 'x'"),
        ({"fraction": 1.5}, "fraction must be between 0 and 1, got 1.5"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GradientAscent(**arguments)


@pytest.mark.structures(2, 3)
def test_bounds_that_a_model_file_declares_hold_for_its_coordinates(found):
    z = np.random.default_rng(0).standard_normal((200, found.dimension))
    bounded = found.lower > -np.inf
    x = found.free(z)[found.inside(z)]
    assert np.all(x[:, bounded] >= found.lower[bounded])
    gaps = "mu" in found.domain.orders and "mu" not in found.graph.names and found.k > 1
    assert bounded.any() == (gaps and found.name != "moment")


def test_ascent_keeps_a_bent_gap_positive_by_projection():
    bent = system("sheared", gap="bent", reach=np.inf)
    fit = GradientAscent(step=5.0, stop=Stop(passes=200)).fit(bent, SINGULAR, pair(0.3))
    assert fit.status != "left_domain"
    assert np.all(np.diff(fit.trace.mixture.mu, axis=-1) >= 0)
