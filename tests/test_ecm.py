"""Laws of ECM: monotone, EM without order, corrected Algorithm 1, local rates, clearances."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from ordered_mix.data import Data, load, population, simulate
from ordered_mix.estimators.ecm import ECM, clear_weights
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.penalty import VariancePenalty
from ordered_mix.estimators.loop.scale_gaps import scale_step
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture

RUNS = 10
KNOWN = ("w", "sigma")

VARIANTS = {
    "relative": {},
    "relative clearance": {"clearance": 0.4},
    "reference 2": {"reference": 2, "clearance": 0.1},
    "centred": {"parameterization": "centred", "clearance": 0.2},
    "folded": {"parameterization": "folded"},
    "resolved": {"parameterization": "resolved"},
    "known w and sigma": {"frozen": KNOWN},
    "ordered scales": {"order": "sigma", "clearance": 0.1},
    "both ordered": {"order": "both", "clearance": 0.1},
    "weight clearance": {"weight_clearance": 0.15},
    "penalty": {"penalty": VariancePenalty.inverse_gamma(2.0, 0.3), "order": "both"},
    "tied": {"scales": "tied"},
}


@settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.sampled_from(sorted(VARIANTS)))
def test_the_objective_never_decreases_on_1000_random_problems(seed, k, name):
    rng = np.random.default_rng(seed)
    y = rng.standard_t(rng.choice([2.0, 30.0]), (RUNS, int(rng.integers(8, 60))))
    data = Data(y, rng.gamma(1.0, size=y.shape) if rng.random() < 0.5 else None)
    mu, sigma = rng.normal(size=(RUNS, k)), rng.uniform(0.2, 2.0, (RUNS, k))
    starts = Mixture(rng.dirichlet(np.full(k, 0.7), RUNS), mu, sigma)
    trace = ECM(**VARIANTS[name], stop=Stop(passes=60)).fit(data, starts).trace
    fall = -np.diff(trace.objective, axis=0)
    assert np.all(fall <= 1e-10 * np.maximum(np.abs(trace.objective[:-1]), data.total_weight))
    assert np.all(np.isfinite(trace.objective))


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_clearances_hold_at_every_iterate(name):
    options = VARIANTS[name]
    start = Mixture([0.05, 0.35, 0.6], [20.0, 19.9, 23.0], [1.0, 2.0, 0.9])
    data = Data(load("galaxies").y / 1000)
    fit = ECM(**options, stop=Stop(passes=100)).fit(data, start)
    path, clearance = fit.trace.mixture, options.get("clearance", 0.0)
    if options.get("order", "mu") != "sigma" and name != "folded":
        assert np.all(np.diff(path.mu) >= clearance - 1e-12)
    if options.get("order", "mu") != "mu":
        assert np.all(np.diff(path.sigma) >= clearance - 1e-12)
    assert np.all(path.w >= options.get("weight_clearance", 0.0) - 1e-15)


@pytest.mark.parametrize("frozen", [(), KNOWN, ("w",)])
def test_unordered_coordinates_give_em(frozen):
    data = load("enzyme")
    start = Mixture([0.3, 0.3, 0.4], [1.0, 0.2, 1.5], [0.2, 0.1, 0.5])
    stop = Stop(passes=50)
    one = ECM(parameterization="unordered", frozen=frozen, stop=stop).fit(data, start)
    other = EM(frozen=frozen, stop=stop).fit(data, start)
    np.testing.assert_array_equal(one.trace.mixture.mu, other.trace.mixture.mu)
    np.testing.assert_array_equal(one.trace.mixture.sigma, other.trace.mixture.sigma)


def test_relative_coordinates_give_the_corrected_algorithm_1():
    y = simulate(Mixture([0.5, 0.5], [-1.0, 1.0], [1.0, 1.0]), 100, seed=1).y
    clearance = 0.1
    fit = ECM(frozen=KNOWN, clearance=clearance, stop=Stop(log_likelihood=0, passes=21)).fit(
        Data(y), Mixture([0.5, 0.5], [-0.2, 0.5], [1.0, 1.0])
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
    after = (
        ECM(reference=2, clearance=0.2, order="both", penalty=penalty, stop=Stop(0.0, passes=2))
        .fit(data, before)
        .mixture
    )
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


def population_rate(gap: float, w: float, **options) -> float:
    truth = Mixture([w, 1 - w], [0.0, gap], [1.0, 1.0])
    start = Mixture([w, 1 - w], [-1e-3, gap + 2e-3], [1.0, 1.0])
    stop = Stop(log_likelihood=0, passes=80 if gap < 1 else 26)
    trace = ECM(frozen=KNOWN, stop=stop, **options).fit(population(truth), start).trace
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
    trace = ECM(frozen=KNOWN, stop=Stop(0.0, passes=30)).fit(population(truth), start).trace
    error = (trace.mixture.mu - truth.mu)[8:11]
    step = np.linalg.solve(error[:2], error[1:]).T
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(step)).max(), 0.633044164, rtol=1e-3)


@pytest.mark.parametrize("w", [0.3, 0.5])
def test_the_sweep_over_mixture_mean_and_gap_has_the_rate_of_em(w):
    rates = [
        population_rate(1.0, w, parameterization=name)
        for name in ("folded", "resolved", "unordered")
    ]
    np.testing.assert_allclose(rates, rates[2], rtol=1e-3)
    assert population_rate(1.0, w, parameterization="relative") > 1.1 * rates[2]


@pytest.mark.parametrize("reference", [1, 2])
def test_near_the_singularity_the_slowdown_is_one_over_the_weight_of_the_reference(reference):
    w, gap = 0.3, 0.25
    truth = Mixture([w, 1 - w], [0.0, gap], [1.0, 1.0])
    start = Mixture([w, 1 - w], [-0.001, gap + 0.001], [1.0, 1.0])
    rates = []
    for options in ({"parameterization": "unordered"}, {"reference": reference}):
        stop = Stop(log_likelihood=0, passes=150)
        trace = ECM(frozen=KNOWN, stop=stop, **options).fit(population(truth), start).trace
        error = np.diff(trace.mixture.mu, axis=-1)[:, 0] - gap
        rates.append(error[140] / error[139])
    slowdown = (1 - rates[0]) / (1 - rates[1])
    np.testing.assert_allclose(slowdown, 1 / (w, 1 - w)[reference - 1], rtol=0.05)


def test_slow_eigenvalue_at_the_merged_point_of_a_sample():
    y = simulate(Mixture([1.0], [0.0], [0.8]), 200, seed=2).y
    w, s2 = 0.4, y.var()
    start = Mixture([w, 1 - w], y.mean() + 1e-4 * np.array([-0.6, 0.4]), [1.0, 1.0])
    trace = ECM(frozen=KNOWN, stop=Stop(0.0, passes=40)).fit(Data(y), start).trace
    gap = np.diff(trace.mixture.mu, axis=-1)[:, 0]
    np.testing.assert_allclose(gap[31] / gap[30], 1 - w * (1 - s2), rtol=1e-6)


def test_ecm_needs_twice_the_iterations_of_em_in_the_near_singular_protocol():
    truth = Mixture([0.5, 0.5], [-5.1, -5.0], [1.0, 1.0])
    y = truth.sample(60 * 200, np.random.default_rng(0)).reshape(60, 200)
    start = Mixture([0.5, 0.5], [-2.5, 2.0], [1.0, 1.0])
    stop = Stop(log_likelihood=1e-8)
    iterations = [
        estimator(frozen=KNOWN, stop=stop).fit(Data(y), start).passes - 1 for estimator in (EM, ECM)
    ]
    assert 1.8 <= np.median(iterations[1] / iterations[0]) <= 2.2
    assert np.all(iterations[1] >= iterations[0])


def test_a_binding_clearance_ends_at_the_constrained_maximum():
    data = Data(load("acidity").y)
    fit = ECM(clearance=2.5, stop=Stop(log_likelihood=1e-12)).fit(
        data, Mixture([0.6, 0.4], [4.3, 6.2], [0.4, 0.5])
    )

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
    fit = ECM(clearance=2.2).fit(data, start)
    scale = 1e6
    moved = ECM(clearance=2.2 * scale).fit(Data(scale * data.y - 7e8), start.affine(-7e8, scale))
    np.testing.assert_allclose((moved.mixture.mu + 7e8) / scale, fit.mixture.mu, atol=1e-8)
    assert moved.passes == fit.passes


def test_a_collapse_is_a_status():
    fit = ECM().fit(Data([-1.0, 1.0, 3.0]), Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 0.01]))
    assert fit.status == "variance_collapsed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parameterization": "moment"}, "parameterization 'moment' has no closed conditional"),
        ({"parameterization": "rel"}, "parameterization must be one of unordered, .*, got 'rel'"),
        ({"order": "w"}, "order must be one of mu, sigma, both, got 'w'"),
        ({"clearance": -1.0}, "clearance must be at least 0 and finite, got -1.0"),
        ({"weight_clearance": 1.5}, "weight_clearance must be at least 0 and below 1, got 1.5"),
        ({"order": "both", "parameterization": "centred"}, "order must be 'mu' for 'centred'"),
        ({"order": "both", "scales": "tied"}, "scales must be free and without a floor"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ECM(**arguments)


def test_arguments_that_do_not_fit_the_number_of_components_are_named():
    start = Mixture([0.5, 0.5], [0.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="reference must be a component from 1 to 2, got 3"):
        ECM(reference=3).fit(load("acidity"), start)
    with pytest.raises(ValueError, match="weight_clearance must be below 1/2 for 2 components"):
        ECM(weight_clearance=0.6).fit(load("acidity"), start)
