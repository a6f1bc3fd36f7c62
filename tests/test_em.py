"""Laws of EM, and its parity with independent implementations and published values."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from ordered_mix.data import Data, load, population, simulate
from ordered_mix.estimators.em import EM, VariancePenalty
from ordered_mix.estimators.loop.problem import Problem
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization

RUNS = 10
PROBLEMS = 100
TO_THE_END = Stop(log_likelihood=1e-13, passes=20_000)

UNORDERED, THREE = (parameterization("unordered", k) for k in (2, 3))
VARIANTS = {
    "free": EM(),
    "tied": EM(scales="tied"),
    "floor": EM(floor=0.3),
    "tied floor": EM(scales="tied", floor=0.5),
    "frozen w": EM(frozen=("w",)),
    "frozen mu": EM(frozen=("mu",)),
    "frozen sigma": EM(frozen=("sigma",)),
    "only w": EM(frozen=("mu", "sigma")),
    "only mu": EM(frozen=("w", "sigma")),
    "only sigma": EM(frozen=("w", "mu")),
    "penalty": EM(penalty=VariancePenalty.inverse_gamma(2.0, 0.5)),
    "tied penalty": EM(scales="tied", penalty=VariancePenalty(1.0, 0.3)),
    "hot": EM(temperature=3.0),
    "cold": EM(temperature=0.4),
    "hard": EM(assignment="hard"),
    "hard tied": EM(assignment="hard", scales="tied"),
}


def random_problems(seed: int, k: int) -> tuple[Data, Mixture]:
    """Ten data sets, among them tied, heavy-tailed and weighted ones, and random starts."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(max(3, k), 60))
    y = rng.standard_t(rng.choice([1.0, 3.0, 30.0]), (RUNS, n)) * 10 ** rng.uniform(-3, 3)
    if rng.random() < 0.3:
        y = np.round(y, 1) + rng.normal(size=(RUNS, 1))
        y[:, 0] += 1.0
    weight = rng.gamma(1.0, size=y.shape) if rng.random() < 0.5 else None
    data = Data(y, weight)
    mu = data.location[:, None] + data.scale[:, None] * rng.normal(size=(RUNS, k))
    sigma = data.scale[:, None] * rng.uniform(0.2, 2.0, (RUNS, k))
    return data, Mixture(rng.dirichlet(np.full(k, 0.7), RUNS), mu, sigma)


@settings(
    max_examples=PROBLEMS, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from(sorted(VARIANTS)))
def test_the_objective_never_decreases_on_1000_random_problems(seed, k, name):
    data, starts = random_problems(seed, k)
    estimator = replace(VARIANTS[name], stop=Stop(passes=60))
    trace = estimator.fit(parameterization("unordered", k), data, starts).trace
    fall = -np.diff(trace.objective, axis=0)
    assert np.all(fall <= 1e-10 * np.maximum(np.abs(trace.objective[:-1]), data.total_weight))
    assert np.all(np.isfinite(trace.objective))


@pytest.mark.parametrize(
    ("name", "log_likelihood"),
    [
        ("faithful:waiting", -1034.00174983),
        ("faithful:eruptions", -276.360040496),
        ("acidity", -184.644708901),
        ("enzyme", -54.6400150),
    ],
)
def test_maxima_of_the_shipped_data(name, log_likelihood):
    data = load(name)
    low, high = np.quantile(data.y, [0.25, 0.85])
    fit = EM(stop=TO_THE_END).fit(
        UNORDERED, data, Mixture([0.5, 0.5], [low, high], [data.scale / 3] * 2)
    )
    assert fit.status == "converged"
    assert abs(fit.log_likelihood - log_likelihood) < 1e-6


def test_maximum_of_the_waiting_times():
    fit = EM(stop=TO_THE_END).fit(
        UNORDERED, load("faithful:waiting"), Mixture([0.5, 0.5], [50.0, 85.0], [5.0, 5.0])
    )
    np.testing.assert_allclose(fit.mixture.mu, [54.614856, 80.091070], atol=1e-5)
    np.testing.assert_allclose(fit.mixture.sigma, [5.871220, 5.867734], atol=1e-5)
    np.testing.assert_allclose(fit.mixture.w[0], 0.360886, atol=1e-6)


@pytest.mark.parametrize(("scales", "covariance"), [("free", "full"), ("tied", "tied")])
def test_parity_with_scikit_learn_after_the_same_iterations(scales, covariance):
    y = load("galaxies").y / 1000
    w, mu, sigma = [0.2, 0.5, 0.3], [12.0, 20.0, 25.0], [2.0, 2.0, 2.0]
    precisions = np.reshape(0.25, (1, 1)) if scales == "tied" else np.full((3, 1, 1), 0.25)
    peer = GaussianMixture(
        3,
        covariance_type=covariance,
        tol=0.0,
        reg_covar=0.0,
        max_iter=25,
        weights_init=w,
        means_init=np.reshape(mu, (3, 1)),
        precisions_init=precisions,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(y[:, None])
    fit = EM(scales=scales, stop=Stop(log_likelihood=0, passes=26)).fit(
        THREE, Data(y), Mixture(w, mu, sigma)
    )
    variance = np.broadcast_to(np.ravel(peer.covariances_), 3)
    np.testing.assert_allclose(fit.mixture.w, peer.weights_, rtol=1e-8)
    np.testing.assert_allclose(fit.mixture.mu, peer.means_[:, 0], rtol=1e-8)
    np.testing.assert_allclose(fit.mixture.sigma**2, variance, rtol=1e-8)
    np.testing.assert_allclose(fit.log_likelihood / 82, peer.score(y[:, None]), rtol=1e-8)


def test_scaling_and_shifting_the_data_scales_and_shifts_the_fit():
    data = load("acidity")
    start = Mixture([0.5, 0.5], [4.0, 6.0], [0.5, 0.5])
    fit = EM(stop=Stop(passes=40)).fit(UNORDERED, data, start)
    for location, scale in ((1e9, 1e3), (-3e-9, 1e-9), (0.0, 1e200)):
        other = EM(stop=Stop(passes=40)).fit(
            UNORDERED, Data(location + scale * data.y), start.affine(location, scale)
        )
        back = Mixture(
            other.mixture.w, (other.mixture.mu - location) / scale, other.mixture.sigma / scale
        )
        shifted = other.log_likelihood + data.n * np.log(scale)
        assert other.passes == fit.passes
        np.testing.assert_allclose(shifted, fit.log_likelihood, rtol=0, atol=1e-6)
        np.testing.assert_allclose(back.mu, fit.mixture.mu, atol=1e-8)
        np.testing.assert_allclose(back.sigma, fit.mixture.sigma, rtol=1e-8)


def test_relabelling_the_start_relabels_every_iterate():
    data, start = load("enzyme"), Mixture([0.2, 0.3, 0.5], [0.2, 1.0, 1.5], [0.1, 0.2, 0.5])
    one = EM(stop=Stop(passes=30)).fit(THREE, data, start).trace.mixture
    other = EM(stop=Stop(passes=30)).fit(THREE, data, start.permute([2, 0, 1])).trace.mixture
    np.testing.assert_allclose(other.mu, one.mu[:, [2, 0, 1]], rtol=1e-12)
    np.testing.assert_allclose(other.w, one.w[:, [2, 0, 1]], rtol=1e-12)


def test_a_weight_of_two_counts_a_point_twice():
    y = load("acidity").y[:60]
    start = Mixture([0.5, 0.5], [4.0, 6.0], [0.5, 0.5])
    weight = np.where(np.arange(60) < 20, 2.0, 1.0)
    weighted = EM().fit(UNORDERED, Data(y, weight), start)
    repeated = EM().fit(UNORDERED, Data(np.append(y, y[:20])), start)
    np.testing.assert_allclose(weighted.log_likelihood, repeated.log_likelihood, rtol=1e-13)
    np.testing.assert_allclose(weighted.mixture.mu, repeated.mixture.mu, rtol=1e-10)


def test_a_batch_of_data_and_starts_gives_what_single_runs_give():
    rng = np.random.default_rng(1)
    y = rng.normal(size=(3, 1, 50)) + 3 * (rng.random((3, 1, 50)) < 0.4)
    starts = Mixture([0.5, 0.5], rng.normal(1.0, 2.0, (3, 4, 2)), [1.0, 1.0])
    fit = EM().fit(UNORDERED, Data(y), starts)
    assert fit.mixture.batch_shape == fit.status.shape == (3, 4)
    for row, column in np.ndindex(3, 4):
        single = EM().fit(UNORDERED, Data(y[row, 0]), starts[row, column])
        assert single.passes == fit.passes[row, column]
        np.testing.assert_allclose(single.mixture.mu, fit.mixture.mu[row, column], rtol=1e-12)
        np.testing.assert_allclose(single.log_likelihood, fit.log_likelihood[row, column])


@pytest.mark.parametrize(
    ("frozen", "name"), [(("w",), "w"), (("mu",), "mu"), (("sigma",), "sigma")]
)
def test_frozen_parameters_keep_their_values(frozen, name):
    start = Mixture([0.3, 0.7], [50.0, 85.0], [4.0, 6.0])
    fit = EM(frozen=frozen).fit(UNORDERED, load("faithful:waiting"), start)
    np.testing.assert_allclose(getattr(fit.mixture, name), getattr(start, name), rtol=1e-14)


def test_tied_scales_start_from_the_pooled_scale():
    start = Mixture([0.25, 0.75], [50.0, 85.0], [2.0, 6.0])
    trace = EM(scales="tied").fit(UNORDERED, load("faithful:waiting"), start).trace
    np.testing.assert_allclose(trace.mixture.sigma[0], np.sqrt(0.25 * 4 + 0.75 * 36))
    assert np.all(trace.mixture.sigma[..., 0] == trace.mixture.sigma[..., 1])


def test_variance_collapse_is_a_status_with_advice():
    data, start = Data([-1.0, 1.0, 3.0]), Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 0.01])
    fit = EM().fit(UNORDERED, data, start)
    assert fit.status == "variance_collapsed"
    assert "set a floor or a prior" in str(fit.advice)
    np.testing.assert_allclose(fit.log_likelihood, -1.23097587, atol=1e-8)
    np.testing.assert_allclose(fit.mixture.sigma, start.sigma)
    assert EM(floor=0.01).fit(UNORDERED, data, start).converged
    assert EM(scales="tied").fit(UNORDERED, data, start).converged


def test_inverse_gamma_penalty_ends_where_it_is_known_to_end():
    fit = EM(frozen=("w",), penalty=VariancePenalty.inverse_gamma(2.0, 1.0), stop=TO_THE_END).fit(
        UNORDERED, Data([-1.0, 1.0, 3.0]), Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 0.01])
    )
    np.testing.assert_allclose(fit.mixture.mu, [-0.001662901, 2.992830367], atol=1e-8)
    np.testing.assert_allclose(fit.mixture.sigma**2, [0.4998726661, 0.2876185519], atol=1e-8)


def test_chen_tan_penalty_is_the_published_m_step():
    data = load("acidity")
    penalty = VariancePenalty.chen_tan(0.1, data)
    start = Mixture([0.5, 0.5], [4.0, 6.0], [0.5, 0.5])
    after = (
        EM(penalty=penalty, stop=Stop(log_likelihood=0, passes=2))
        .fit(UNORDERED, data, start)
        .mixture
    )
    r = start.responsibilities(data.y)
    count = r.sum(axis=0)
    squares = np.sum(r * (data.y[:, None] - r.T @ data.y / count) ** 2, axis=0)
    expected = (squares + 2 * 0.1 * data.scale**2) / (count + 2 * 0.1)
    np.testing.assert_allclose(after.sigma**2, expected, rtol=1e-12)


def test_map_em_ends_at_the_mode_of_the_posterior():
    from ordered_mix.prior import Prior

    data = load("acidity")
    prior = Prior(location=5.0, spread=1.5, scale=0.4, concentration=2.0)
    posterior = EM(posterior=True, stop=Stop(log_likelihood=1e-13))
    fit = posterior.fit(
        parameterization("unordered", 2, prior), data, Mixture([0.5, 0.5], [4.0, 6.0], [0.5, 0.5])
    )

    def log_posterior(w0, mu, sigma):
        w = np.array([w0, 1 - w0])
        scale = stats.invgamma.logpdf(sigma**2, 2, scale=0.16) + np.log(2 * sigma)
        prior_density = (
            stats.norm.logpdf(mu, 5.0, 1.5).sum() + scale.sum() + stats.dirichlet.logpdf(w, [2, 2])
        )
        return prior_density + Mixture(w, mu, sigma).log_density(data.y).sum()

    point = np.concatenate([fit.mixture.w[:1], fit.mixture.mu, fit.mixture.sigma])
    best = log_posterior(point[0], point[1:3], point[3:])
    np.testing.assert_allclose(fit.objective, best, rtol=1e-12)
    for index in range(5):
        step = 1e-4 * np.eye(5)[index]
        up, down = (log_posterior(p[0], p[1:3], p[3:]) for p in (point + step, point - step))
        assert abs(up - down) / 2e-4 < 1e-4
        assert up < best and down < best
    assert fit.trace.gradient_norm[-1] < 1e-6
    assert np.all(np.diff(fit.trace.objective) >= -1e-10)


def test_tempered_iteration_is_the_brute_force_one():
    data = load("acidity")
    start = Mixture([0.3, 0.7], [4.0, 6.0], [0.4, 0.7])
    fit = EM(temperature=2.5, stop=Stop(log_likelihood=0, passes=2)).fit(UNORDERED, data, start)
    powers = np.exp(start.log_components(data.y) / 2.5)
    r = powers / powers.sum(axis=1, keepdims=True)
    mu = r.T @ data.y / r.sum(axis=0)
    np.testing.assert_allclose(fit.mixture.w, r.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(fit.mixture.mu, mu, rtol=1e-12)
    np.testing.assert_allclose(fit.trace.objective[0], 2.5 * np.log(powers.sum(axis=1)).sum())
    np.testing.assert_allclose(fit.log_likelihood, fit.mixture.log_density(data.y).sum())


def test_an_annealing_schedule_escapes_a_bad_start():
    data = simulate(Mixture([1 / 3] * 3, [-12.0, 0.0, 12.0], [1.0] * 3), 600, seed=3)
    start = Mixture([1 / 3] * 3, [-12.3, -11.7, 6.0], [1.0] * 3)
    frozen = ("w", "sigma")
    plain = EM(frozen=frozen).fit(THREE, data, start)
    schedule = tuple(np.geomspace(120.0, 1.0, 80))
    annealed = EM(frozen=frozen, temperature=schedule).fit(THREE, data, start)
    assert plain.converged and annealed.converged
    assert annealed.log_likelihood > plain.log_likelihood + 1000
    np.testing.assert_allclose(np.sort(annealed.mixture.mu), [-12, 0, 12], atol=0.3)


def test_hard_assignment_with_equal_frozen_weights_and_scales_is_k_means():
    data = load("galaxies")
    start = np.array([10_000.0, 20_000.0, 30_000.0])
    fit = EM(assignment="hard", frozen=("w", "sigma")).fit(
        THREE, data, Mixture([1 / 3] * 3, start, [2_000.0] * 3)
    )
    peer = KMeans(3, init=start[:, None], n_init=1, tol=0).fit(data.y[:, None])
    np.testing.assert_allclose(np.sort(fit.mixture.mu), np.sort(peer.cluster_centers_[:, 0]))
    np.testing.assert_allclose(fit.log_likelihood, fit.mixture.log_density(data.y).sum())


def test_small_known_variances_approach_k_means():
    data = Data([-1.0, 1.0, 3.0])
    expected = {0.5: (-0.052373272, 2.818486408), 0.1: (-1.53e-7, 2.999999388)}
    for c, mu in expected.items():
        start = Mixture([0.5, 0.5], [0.0, 3.0], [np.sqrt(c)] * 2)
        fit = EM(frozen=("w", "sigma"), stop=Stop(log_likelihood=0, parameters=1e-13)).fit(
            UNORDERED, data, start
        )
        np.testing.assert_allclose(fit.mixture.mu, mu, atol=2e-9)


def test_annealing_splits_the_merged_point_at_the_variance_of_the_data():
    data = Data([-1.0, 1.0, 3.0])
    for c in (2.5, 3.0):
        start = Mixture([0.5, 0.5], [1 - 1e-5, 1 + 1e-5], [np.sqrt(c)] * 2)
        trace = (
            EM(frozen=("w", "sigma"), stop=Stop(0.0, passes=4)).fit(UNORDERED, data, start).trace
        )
        gap = np.diff(trace.mixture.mu, axis=-1)[:, 0]
        np.testing.assert_allclose(gap[1:3] / gap[:2], (8 / 3) / c, rtol=1e-6)


@pytest.mark.parametrize(
    ("gap", "rate"),
    [(0.5, 0.888472600), (1.0, 0.656736047), (2.0, 0.449599509), (4.0, 0.274389635)],
)
def test_local_rates_are_the_theoretical_eigenvalues(gap, rate):
    truth = Mixture([0.5, 0.5], [0.0, gap], [1.0, 1.0])
    start = Mixture([0.5, 0.5], [-1e-3, gap + 2e-3], [1.0, 1.0])
    stop = Stop(log_likelihood=0, passes=60 if gap < 1 else 15)
    trace = EM(frozen=("w", "sigma"), stop=stop).fit(UNORDERED, population(truth), start).trace
    error = np.linalg.norm(trace.mixture.mu - truth.mu, axis=-1)[:-1]
    np.testing.assert_allclose(error[-3] / error[-4], rate, rtol=1e-3)


def test_one_component_is_the_sample_mean_and_variance_in_one_iteration():
    data = load("galaxies")
    fit = EM(stop=Stop(log_likelihood=0, passes=2)).fit(
        parameterization("unordered", 1), data, Mixture([1.0], [1.0], [1.0])
    )
    np.testing.assert_allclose(fit.mixture.mu, data.y.mean())
    np.testing.assert_allclose(fit.mixture.sigma, data.y.std())


def test_a_component_far_from_all_data_is_reported_as_empty():
    fit = EM().fit(UNORDERED, Data(np.arange(10.0)), Mixture([0.5, 0.5], [4.0, 1e4], [2.0, 2.0]))
    assert fit.status == "component_emptied"
    assert np.isfinite(fit.log_likelihood)


def test_a_mean_jumping_to_a_cluster_1e9_narrower_keeps_its_digits():
    rng = np.random.default_rng(0)
    narrow = rng.normal(1.0, 1e-9, 500)
    data = Data(np.concatenate([narrow, rng.normal(5.0, 0.1, 500)]))
    fit = EM(stop=Stop(log_likelihood=1e-6)).fit(
        UNORDERED, data, Mixture([0.5, 0.5], [2.0, 5.0], [0.5, 0.1])
    )
    assert fit.status == "converged"
    np.testing.assert_allclose(fit.mixture.sigma[0], narrow.std(), rtol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frozen": ("means",)}, "frozen may hold w, mu, sigma, got 'means'"),
        ({"scales": "equal"}, "scales must be one of free, tied, got 'equal'"),
        ({"assignment": "firm"}, "assignment must be one of soft, hard, got 'firm'"),
        ({"floor": -1.0}, "floor must be at least 0 and finite, got -1.0"),
        ({"temperature": 0.0}, "temperature must be at least 0.05"),
        ({"temperature": (2.0, float("nan"))}, "temperature must be at least 0.05"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        EM(**arguments)


def test_bad_penalties_are_named():
    with pytest.raises(ValueError, match="rate must be at least 0 and finite, got -1"):
        VariancePenalty(1.0, -1.0)


def test_problems_are_compared_by_identity():
    """Their arrays have no single truth value."""
    parts = Data([0.0, 1.0, 3.0]), Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 1.0])
    problem = Problem(*parts)
    assert {problem, problem} == {problem} != {Problem(*parts)}


def test_constant_data_and_wrong_batches_are_refused():
    start = Mixture([0.5, 0.5], [0.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="must not be constant"):
        EM().fit(UNORDERED, Data(np.ones(5)), start)
    with pytest.raises(ValueError, match="starts must have a batch shape"):
        EM().fit(
            UNORDERED,
            Data(np.random.default_rng(0).normal(size=(3, 5))),
            Mixture.stack([start] * 2),
        )
