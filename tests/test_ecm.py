"""Laws of ECM: monotone, EM without order, corrected Algorithm 1, local rates, clearances."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from ordered_mix.data import Data, load, population, simulate
from ordered_mix.estimators.ecm import ECM, clear_weights
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.directions import mean_directions
from ordered_mix.estimators.loop.penalty import VariancePenalty
from ordered_mix.estimators.loop.scale_gaps import scale_step
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization, split
from ordered_mix.parameterization.parameterization import NotApplicable

RUNS = 10
KNOWN = ("w", "sigma")

VARIANTS = {
    "relative": ECM(),
    "relative(clearance=0.4)": ECM(),
    "relative(reference=2, clearance=0.1)": ECM(),
    "ordered": ECM(),
    "centred": ECM(),
    "signed": ECM(),
    "resolved": ECM(),
    "sheared(gap=bent, reach=inf)": ECM(),
    "relative(link=square)": ECM(frozen=KNOWN),
    "relative(order=sigma, clearance=0.1)": ECM(),
    "relative(order=both, clearance=0.1)": ECM(),
    "relative(weight_clearance=0.15)": ECM(),
    "relative(order=both)": ECM(penalty=VariancePenalty.inverse_gamma(2.0, 0.3)),
    "relative(link=softplus)": ECM(scales="tied"),
}
"""By the label of the coordinates."""


def fitted(label, data, starts, **options):
    """The fit in the coordinates of a label, for as many components as the starts have."""
    estimator = replace(VARIANTS.get(label, ECM()), **options)
    return estimator.fit(parameterization(label, starts.k), data, starts)


def two_only(label):
    """Whether coordinates are those of two components."""
    return label.startswith(("resolved", "sheared"))


@settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.sampled_from(sorted(VARIANTS)))
def test_the_objective_never_decreases_on_1000_random_problems(seed, k, name):
    k = 2 if two_only(name) else k
    rng = np.random.default_rng(seed)
    y = rng.standard_t(rng.choice([2.0, 30.0]), (RUNS, int(rng.integers(8, 60))))
    data = Data(y, rng.gamma(1.0, size=y.shape) if rng.random() < 0.5 else None)
    mu, sigma = rng.normal(size=(RUNS, k)), rng.uniform(0.2, 2.0, (RUNS, k))
    starts = Mixture(rng.dirichlet(np.full(k, 0.7), RUNS), mu, sigma)
    trace = fitted(name, data, starts, stop=Stop(passes=60)).trace
    fall = -np.diff(trace.objective, axis=0)
    assert np.all(fall <= 1e-10 * np.maximum(np.abs(trace.objective[:-1]), data.total_weight))
    assert np.all(np.isfinite(trace.objective))


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_clearances_hold_at_every_iterate(name):
    _, options = split(name)
    start = Mixture([0.05, 0.35, 0.6], [20.0, 19.9, 23.0], [1.0, 2.0, 0.9])
    if two_only(name):
        start = Mixture([0.4, 0.6], [20.0, 19.9], [1.0, 2.0])
    data = Data(load("galaxies").y / 1000)
    fit = fitted(name, data, start, stop=Stop(passes=100))
    path, clearance = fit.trace.mixture, options.get("clearance", 0.0)
    if options.get("order", "mu") != "sigma" and name != "signed":
        assert np.all(np.diff(path.mu) >= clearance - 1e-12)
    if options.get("order", "mu") != "mu":
        assert np.all(np.diff(path.sigma) >= clearance - 1e-12)
    assert np.all(path.w >= options.get("weight_clearance", 0.0) - 1e-15)


@pytest.mark.parametrize("frozen", [(), KNOWN, ("w",)])
def test_unordered_coordinates_give_em(frozen):
    data = load("enzyme")
    start = Mixture([0.3, 0.3, 0.4], [1.0, 0.2, 1.5], [0.2, 0.1, 0.5])
    stop = Stop(passes=50)
    means = parameterization("unordered", 3)
    one = ECM(frozen=frozen, stop=stop).fit(means, data, start)
    other = EM(frozen=frozen, stop=stop).fit(means, data, start)
    np.testing.assert_array_equal(one.trace.mixture.mu, other.trace.mixture.mu)
    np.testing.assert_array_equal(one.trace.mixture.sigma, other.trace.mixture.sigma)


def test_relative_coordinates_give_the_corrected_algorithm_1():
    y = simulate(Mixture([0.5, 0.5], [-1.0, 1.0], [1.0, 1.0]), 100, seed=1).y
    clearance = 0.1
    fit = ECM(frozen=KNOWN, stop=Stop(log_likelihood=0, passes=21)).fit(
        parameterization("relative", 2, clearance=clearance),
        Data(y),
        Mixture([0.5, 0.5], [-0.2, 0.5], [1.0, 1.0]),
    )
    mu1, gap = -0.2, 0.7
    for iteration in range(21):
        recorded = fit.trace.mixture.mu[iteration]
        np.testing.assert_allclose(recorded, [mu1, mu1 + gap], rtol=0, atol=1e-12)
        density = np.exp(-0.5 * (y[:, None] - np.array([mu1, mu1 + gap])) ** 2)
        g2 = density[:, 1] / density.sum(axis=1)
        mu1 = y.mean() - g2.mean() * gap
        gap = max(clearance, np.sum(g2 * y) / g2.sum() - mu1)


@pytest.mark.parametrize("penalty", [None, VariancePenalty(3.0, 0.3)])
def test_every_step_of_a_sweep_is_the_maximum_over_its_coordinate(penalty):
    data = load("enzyme")
    before = Mixture([0.3, 0.3, 0.4], [0.3, 0.9, 1.5], [0.2, 0.4, 0.6])
    model = parameterization("relative", 3, reference=2, clearance=0.2, order="both")
    after = ECM(penalty=penalty, stop=Stop(0.0, passes=2)).fit(model, data, before).mixture
    r = before.responsibilities(data.y)

    def loss(parameters):
        reference, low, high, *scales = parameters
        mu, sigma = reference + np.array([-low, 0.0, high]), np.cumsum(scales)
        lost = 0.0 if penalty is None else np.sum(6 * np.log(sigma) + 0.3 / sigma**2)
        return lost - np.sum(r * Mixture(before.w, mu, sigma).log_components(data.y))

    point = [0.9, 0.6, 0.6, 0.2, 0.2, 0.2]
    for index, lower in ((0, 0.0), (2, 0.2), (1, 0.2), (3, 0.01), (4, 0.2), (5, 0.2)):

        def along(value, index=index):
            return loss([*point[:index], value, *point[index + 1 :]])

        point[index] = minimize_scalar(
            along, bounds=(lower, 2.0), method="bounded", options={"xatol": 1e-12}
        ).x
    expected = point[0] + np.array([-point[1], 0.0, point[2]])
    np.testing.assert_allclose(after.mu, expected, atol=1e-6)
    np.testing.assert_allclose(after.sigma, np.cumsum(point[3:]), atol=1e-6)
    np.testing.assert_allclose(after.w, r.mean(axis=0), rtol=1e-10)


def population_rate(gap: float, w: float, label: str = "relative") -> float:
    truth = Mixture([w, 1 - w], [0.0, gap], [1.0, 1.0])
    start = Mixture([w, 1 - w], [-1e-3, gap + 2e-3], [1.0, 1.0])
    stop = Stop(log_likelihood=0, passes=80 if gap < 1 else 26)
    trace = fitted(label, population(truth), start, frozen=KNOWN, stop=stop).trace
    error = np.linalg.norm(trace.mixture.mu - truth.mu, axis=-1)[:-1]
    return error[-1] / error[-2]


@pytest.mark.parametrize(
    ("gap", "rate"), [(0.5, 0.944236300), (1.0, 0.828368024), (4.0, 0.510827741)]
)
def test_local_rates_are_the_theoretical_eigenvalues(gap, rate):
    np.testing.assert_allclose(population_rate(gap, 0.5), rate, rtol=1e-3)


def test_at_a_gap_of_two_the_slow_eigenvalue_shows_in_the_product_of_the_steps():
    # Two eigenvalues close in size: fit the two-term recursion of the errors instead of a ratio.
    truth = Mixture([0.5, 0.5], [0.0, 2.0], [1.0, 1.0])
    start = Mixture([0.5, 0.5], [-1e-4, 2.0 + 2e-4], [1.0, 1.0])
    stop = Stop(0.0, passes=30)
    trace = fitted("relative", population(truth), start, frozen=KNOWN, stop=stop).trace
    error = (trace.mixture.mu - truth.mu)[8:11]
    step = np.linalg.solve(error[:2], error[1:]).T
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(step)).max(), 0.633044164, rtol=1e-3)


@pytest.mark.parametrize("w", [0.3, 0.5])
def test_the_sweep_over_mixture_mean_and_gap_has_the_rate_of_em(w):
    rates = [population_rate(1.0, w, name) for name in ("signed", "resolved", "unordered")]
    np.testing.assert_allclose(rates, rates[2], rtol=1e-3)
    assert population_rate(1.0, w, "relative") > 1.1 * rates[2]


@pytest.mark.parametrize("reference", [1, 2])
def test_near_the_singularity_the_slowdown_is_one_over_the_weight_of_the_reference(reference):
    w, gap = 0.3, 0.25
    truth = Mixture([w, 1 - w], [0.0, gap], [1.0, 1.0])
    start = Mixture([w, 1 - w], [-0.001, gap + 0.001], [1.0, 1.0])
    rates = []
    for label in ("unordered", f"relative(reference={reference})"):
        stop = Stop(log_likelihood=0, passes=150)
        trace = fitted(label, population(truth), start, frozen=KNOWN, stop=stop).trace
        error = np.diff(trace.mixture.mu, axis=-1)[:, 0] - gap
        rates.append(error[140] / error[139])
    slowdown = (1 - rates[0]) / (1 - rates[1])
    np.testing.assert_allclose(slowdown, 1 / (w, 1 - w)[reference - 1], rtol=0.05)


def test_slow_eigenvalue_at_the_merged_point_of_a_sample():
    y = simulate(Mixture([1.0], [0.0], [0.8]), 200, seed=2).y
    w, s2 = 0.4, y.var()
    start = Mixture([w, 1 - w], y.mean() + 1e-4 * np.array([-0.6, 0.4]), [1.0, 1.0])
    trace = fitted("relative", Data(y), start, frozen=KNOWN, stop=Stop(0.0, passes=40)).trace
    gap = np.diff(trace.mixture.mu, axis=-1)[:, 0]
    np.testing.assert_allclose(gap[31] / gap[30], 1 - w * (1 - s2), rtol=1e-6)


def test_ecm_needs_twice_the_iterations_of_em_in_the_near_singular_protocol():
    truth = Mixture([0.5, 0.5], [-5.1, -5.0], [1.0, 1.0])
    y = truth.sample(60 * 200, np.random.default_rng(0)).reshape(60, 200)
    start = Mixture([0.5, 0.5], [-2.5, 2.0], [1.0, 1.0])
    stop = Stop(log_likelihood=1e-8)
    iterations = [
        fitted(label, Data(y), start, frozen=KNOWN, stop=stop).passes - 1
        for label in ("unordered", "relative")
    ]
    assert 1.8 <= np.median(iterations[1] / iterations[0]) <= 2.2
    assert np.all(iterations[1] >= iterations[0])


def test_a_binding_clearance_ends_at_the_constrained_maximum():
    data = Data(load("acidity").y)
    start = Mixture([0.6, 0.4], [4.3, 6.2], [0.4, 0.5])
    fit = fitted("relative(clearance=2.5)", data, start, stop=Stop(log_likelihood=1e-12))

    def loss(p):
        mixture = Mixture([p[0], 1 - p[0]], [p[1], p[1] + 2.5], np.exp(p[2:]))
        return -mixture.log_density(data.y).sum()

    start = [fit.mixture.w[0] + 0.01, fit.mixture.mu[0] - 0.01, *np.log(fit.mixture.sigma)]
    best = minimize(
        loss, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000}
    )
    np.testing.assert_allclose(np.diff(fit.mixture.mu), 2.5, rtol=1e-12)
    np.testing.assert_allclose(fit.log_likelihood, -best.fun, rtol=0, atol=1e-7)


def test_scale_steps_are_at_the_best_root_of_the_polynomial():
    rng = np.random.default_rng(0)
    for _ in range(200):
        gap, counts = rng.uniform(0, 3), rng.uniform(0.1, 50, 2)
        squares = counts * rng.uniform(0.01, 9, 2)
        a, b = np.poly1d([1, 0]), np.poly1d([1, gap])
        first, second = a**2 * b**3 * counts[0], b**2 * a**3 * counts[1]
        roots = (first - b**3 * squares[0] + second - a**3 * squares[1]).roots
        roots = roots[(np.abs(roots.imag) < 1e-7) & (roots.real > 0)].real

        def value(first, gap=gap, counts=counts, squares=squares):
            scales = np.array([first, first + gap])
            return np.sum(-counts * np.log(scales) - squares / (2 * scales**2))

        expected = max(roots, key=value)
        step = scale_step(np.array([[1.0, 1.0 + gap]]), counts[None], squares[None], -np.inf)
        np.testing.assert_allclose(value(1.0 + step[0]), value(expected), rtol=1e-12)


def test_cleared_weights_maximise_the_expected_log_weights():
    rng = np.random.default_rng(0)
    for _ in range(20):
        w = rng.dirichlet(np.full(4, 0.4))
        best = minimize(
            lambda x, w=w: -np.sum(w * np.log(x)),
            np.full(4, 0.25),
            bounds=[(0.1, 1.0)] * 4,
            constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(clear_weights(w, 0.1), best.x, atol=1e-5)


def test_shifting_the_data_shifts_the_fit():
    data, start = load("acidity"), Mixture([0.5, 0.5], [4.0, 6.0], [0.5, 0.5])
    model, scale = parameterization("relative", 2, clearance=2.2), 1e6
    fit = ECM().fit(model, data, start)
    moved = ECM().fit(
        model.affine(-7e8, scale), Data(scale * data.y - 7e8), start.affine(-7e8, scale)
    )
    np.testing.assert_allclose((moved.mixture.mu + 7e8) / scale, fit.mixture.mu, atol=1e-8)
    assert moved.passes == fit.passes


def test_a_collapse_is_a_status():
    start = Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 0.01])
    fit = fitted("relative", Data([-1.0, 1.0, 3.0]), start)
    assert fit.status == "variance_collapsed"


@pytest.mark.parametrize(
    "label", ["moment", "moment(signed=False)", "sheared", "sheared(gap=bent)"]
)
def test_coordinates_that_move_the_means_along_curves_are_refused(label):
    start = Mixture([0.5, 0.5], [4.0, 6.0], [0.5, 0.5])
    with pytest.raises(NotApplicable, match="no closed conditional steps"):
        fitted(label, load("acidity"), start)


@pytest.mark.parametrize("options", [{"scales": "tied"}, {"floor": 0.1}])
def test_ordered_scales_must_be_free(options):
    start = Mixture([0.5, 0.5], [4.0, 6.0], [0.5, 0.6])
    with pytest.raises(ValueError, match="scales must be free and without a floor to be ordered"):
        fitted("relative(order=both)", load("acidity"), start, **options)


@pytest.mark.parametrize(
    ("label", "k"),
    [("unordered", 3), ("ordered", 3), ("relative(reference=2)", 4), ("centred", 3), ("signed", 3),
     ("resolved", 2), ("sheared(reach=inf)", 2), ("sheared(gap=bent, reach=inf)", 2)],
)  # fmt: skip
def test_directions_are_those_that_finite_differences_show(label, k):
    model = parameterization(label, k)
    rng = np.random.default_rng(3)
    z = rng.standard_normal(model.dimension)
    here = model.forward(z)
    moves = []
    for unit in np.eye(model.dimension):
        ahead, behind = model.forward(z + 1e-6 * unit), model.forward(z - 1e-6 * unit)
        rest = np.concatenate([ahead.w - behind.w, ahead.sigma - behind.sigma])
        if np.abs(rest).max() < 1e-12:
            moves.append((ahead.mu - behind.mu) / 2e-6)
    found = [one.at(here.w) for one in mean_directions(model)]
    assert len(found) == len(moves) == k
    cosines = [[abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b) for b in moves] for a in found]
    np.testing.assert_allclose(np.max(cosines, axis=1), 1, atol=1e-8)
    assert np.linalg.matrix_rank(found) == k


def test_gaps_go_outwards_from_the_reference():
    found = mean_directions(parameterization("relative", 4, reference=3))
    assert [one.gap for one in found] == [None, 2, 1, 0]
