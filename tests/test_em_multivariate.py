"""EM in several dimensions: parity with scikit-learn, one dimension as a case, laws, ordering."""

import warnings

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar
from sklearn.mixture import GaussianMixture

from ordered_mix.data import Data, load
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.parameterization.catalog import parameterization

PEER = {"full": "full", "diagonal": "diag", "spherical": "spherical", "tied": "tied"}
TRUTH = Mixture(
    [0.2, 0.3, 0.5],
    [[0.0, 0.0, 0.0], [2.0, 1.0, -1.0], [-2.0, 2.0, 1.0]],
    covariance=[np.eye(3), np.diag([0.5, 1.0, 2.0]), np.eye(3) + 0.4],
)


def geyser() -> np.ndarray:
    columns = [load(f"faithful:{name}").y for name in ("eruptions", "waiting")]
    return np.column_stack(columns)


def simulated(n=200, seed=0):
    return TRUTH.sample(n, np.random.default_rng(seed))


def fitted(data, start, covariance="full", label="unordered", **fields):
    """EM in unordered coordinates, ECM in others; of the prior they take the kind only."""
    data = data if isinstance(data, Data) else Data.of_points(data)
    prior = MultivariatePrior([0.0] * data.d, [2.0] * data.d, [0.5] * data.d, covariance=covariance)
    kind = EM if label == "unordered" else ECM
    return kind(**fields).fit(parameterization(label, start.k, prior), data, start)


def start_of(y, k=3, seed=1):
    rng = np.random.default_rng(seed)
    chosen = y[rng.choice(len(y), k, replace=False)]
    return Mixture(np.full(k, 1 / k), chosen, covariance=np.diag(y.var(axis=0)))


@pytest.mark.parametrize("covariance", sorted(PEER))
@pytest.mark.parametrize("name", ["geyser", "simulated"])
def test_parity_with_scikit_learn_after_the_same_iterations(covariance, name):
    y = geyser() if name == "geyser" else simulated()
    k, d = 3, y.shape[1]
    w, mu = np.array([0.2, 0.3, 0.5]), start_of(y).mu
    inverse = 1 / np.mean(y.var(axis=0))
    precisions = {
        "full": np.repeat(inverse * np.eye(d)[None], k, axis=0),
        "diagonal": np.full((k, d), inverse),
        "spherical": np.full(k, inverse),
        "tied": inverse * np.eye(d),
    }[covariance]
    peer = GaussianMixture(
        k,
        covariance_type=PEER[covariance],
        tol=0.0,
        reg_covar=0.0,
        max_iter=20,
        weights_init=w,
        means_init=mu,
        precisions_init=precisions,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(y)
    start = Mixture(w, mu, covariance=np.eye(d) / inverse)
    fit = fitted(y, start, covariance, stop=Stop(0.0, passes=21))
    expected = {
        "full": lambda c: c,
        "diagonal": lambda c: c[:, :, None] * np.eye(d),
        "spherical": lambda c: c[:, None, None] * np.eye(d),
        "tied": lambda c: np.repeat(c[None], k, axis=0),
    }[covariance](peer.covariances_)
    np.testing.assert_allclose(fit.mixture.w, peer.weights_, rtol=1e-8)
    np.testing.assert_allclose(fit.mixture.mu, peer.means_, rtol=1e-8)
    np.testing.assert_allclose(fit.mixture.covariance, expected, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(fit.log_likelihood / len(y), peer.score(y), rtol=1e-8)


def test_one_dimension_is_the_univariate_em():
    data, start = load("enzyme"), Mixture([0.3, 0.3, 0.4], [0.2, 1.0, 1.5], [0.1, 0.2, 0.5])
    one = EM(stop=Stop(passes=40)).fit(parameterization("unordered", 3), data, start)
    there = Mixture(start.w, start.mu[:, None], covariance=start.sigma[:, None, None] ** 2)
    other = fitted(data.y[:, None], there, stop=Stop(passes=40))
    assert one.passes == other.passes
    np.testing.assert_allclose(other.log_likelihood, one.log_likelihood, rtol=1e-12)
    np.testing.assert_allclose(other.mixture.mu[:, 0], one.mixture.mu, rtol=1e-9)
    np.testing.assert_allclose(other.mixture.covariance[:, 0, 0], one.mixture.sigma**2, rtol=1e-9)


LABELS = ["unordered", "relative(axis=1, clearance=0.3)", "centred", "signed(axis=1)"]


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("covariance", sorted(PEER))
def test_the_log_likelihood_never_decreases(covariance, label):
    for seed in range(15):
        y = np.random.default_rng(seed).standard_t(3, (40, 2))
        trace = fitted(y, start_of(y, seed=seed), covariance, label).trace
        fall = -np.diff(trace.objective)
        assert np.all(fall <= 1e-10 * np.abs(trace.objective[:-1]))


def test_unordered_em_does_not_depend_on_the_units_of_the_data():
    y = geyser()
    start = start_of(y, 2)
    fit = fitted(y, start)
    scale = np.array([1e9, 1e-6])
    moved = fitted(y * scale + [1e9, 0.0], start.affine([1e9, 0.0], scale))
    assert moved.passes == fit.passes
    np.testing.assert_allclose((moved.mixture.mu - [1e9, 0.0]) / scale, fit.mixture.mu, rtol=1e-6)
    shifted = moved.log_likelihood + 272 * np.log(scale).sum()
    np.testing.assert_allclose(shifted, fit.log_likelihood, rtol=0, atol=1e-5)


def test_batches_of_data_and_starts_give_what_single_runs_give():
    y = np.stack([simulated(60, seed) for seed in range(2)])[:, None]
    starts = [start_of(simulated(60, 0), 2, seed) for seed in range(3)]
    batch = Mixture(
        np.stack([s.w for s in starts]),
        np.stack([s.mu for s in starts]),
        covariance=TRUTH.covariance[0],
    )
    fit = fitted(y, batch)
    assert fit.status.shape == (2, 3)
    single = fitted(y[1, 0], batch[2])
    np.testing.assert_allclose(fit.mixture.mu[1, 2], single.mixture.mu, rtol=1e-12)
    assert fit.passes[1, 2] == single.passes


def test_weights_count_points():
    y = simulated(50)
    weight = np.where(np.arange(50) < 10, 2.0, 1.0)
    one = fitted(Data.of_points(y, weight), start_of(y, 2))
    other = fitted(np.vstack([y, y[:10]]), start_of(y, 2))
    np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, rtol=1e-12)


def test_every_step_of_the_sweep_is_a_conditional_maximum():
    y = simulated()
    at, clearance = 1, 0.2
    start = Mixture(
        [0.3, 0.3, 0.4], [[0, 0, 0], [2, 0.4, 0], [-2, 1.5, 0]], covariance=np.eye(3) + 0.3
    )
    label = f"relative(axis={at}, clearance={clearance})"
    after = fitted(y, start, label=label, frozen=("w", "sigma"), stop=Stop(0.0, passes=2)).mixture
    r = start.responsibilities(y)

    def loss(mu):
        terms = [
            stats.multivariate_normal.logpdf(y, mean, cov)
            for mean, cov in zip(mu, start.covariance, strict=True)
        ]
        return -np.sum(r * np.transpose(terms))

    mu = start.mu.copy()
    mu[:] = r.T @ y / r.sum(axis=0)[:, None]
    mu[:, at] = start.mu[:, at]
    others = [0, 2]

    def settle(mu):
        means = r.T @ y / r.sum(axis=0)[:, None]
        fixed = mu.copy()
        for j in range(3):
            cov = start.covariance[j]
            fixed[j, others] = means[j, others] + cov[others, at] / cov[at, at] * (
                mu[j, at] - means[j, at]
            )
        return fixed

    start_mu = start.mu.copy()
    moves = [np.ones(3), np.array([0, 1.0, 1.0]), np.array([0, 0, 1.0])]
    bounds = [(-5, 5), (clearance - 0.4, 5), (clearance - 1.1, 5)]
    for move, bound in zip(moves, bounds, strict=True):
        direction = np.zeros((3, 3))
        direction[:, at] = move

        def along(x, direction=direction, start_mu=start_mu):
            return loss(start_mu + x * direction)

        best = minimize_scalar(along, bounds=bound, method="bounded", options={"xatol": 1e-12})
        start_mu = start_mu + best.x * direction
    np.testing.assert_allclose(after.mu, settle(start_mu), atol=1e-5)
    assert loss(after.mu) <= loss(start_mu)


def test_relative_coordinates_keep_the_order_and_reach_the_same_maximum():
    y = geyser()
    relative, plain = (
        fitted(y, start_of(y, 2), label=label) for label in ("relative(axis=1)", "unordered")
    )
    assert np.all(np.diff(relative.trace.mixture.mu[..., 1]) >= 0)
    np.testing.assert_allclose(relative.log_likelihood, plain.log_likelihood, rtol=0, atol=1e-6)
    np.testing.assert_allclose(relative.mixture.mu, plain.mixture.sorted(1).mu, rtol=1e-3)


def test_a_clearance_binds():
    fit = fitted(geyser(), start_of(geyser(), 2), label="relative(clearance=4.0)")
    np.testing.assert_allclose(np.diff(fit.mixture.mu[:, 0]), 4.0)


def test_frozen_parameters_stay():
    y, start = geyser(), start_of(geyser(), 2)
    fit = fitted(y, start, frozen=("w", "sigma"))
    np.testing.assert_allclose(fit.mixture.covariance, start.covariance, rtol=1e-12)
    np.testing.assert_allclose(fit.mixture.w, start.w)


def test_gradients_vanish_at_the_maximum_in_every_model():
    for covariance in PEER:
        stop = Stop(log_likelihood=0, gradient=1e-7)
        fit = fitted(geyser(), start_of(geyser(), 2), covariance, stop=stop)
        assert fit.rule == "gradient"


def test_a_collapse_is_a_status():
    y = np.vstack([simulated(30), [[50.0, 50.0, 50.0]]])
    start = Mixture([0.5, 0.5], [[0, 0, 0], [50, 50, 50]], covariance=np.eye(3))
    assert fitted(y, start).status == "variance_collapsed"
    assert fitted(y, start, "tied").converged


def test_a_component_far_from_all_data_is_reported_as_empty():
    start = Mixture([0.5, 0.5], [[0, 0, 0], [500, 500, 500]], covariance=np.eye(3))
    data = Data.of_points(simulated(30))
    assert fitted(data, start).status == "component_emptied"
    frozen = fitted(data, start, frozen=("mu", "sigma"))
    assert frozen.converged and frozen.mixture.w[1] < 1e-12


def test_tables_and_plots_name_every_entry():
    fit = fitted(geyser(), start_of(geyser(), 2), stop=Stop(passes=5))
    table = fit.table()
    assert {"w[1]", "mu[1,0]", "covariance[1,0,1]"} <= set(table)
    assert len(table) == 5
    assert len(fit.plot().axes[1].lines) == 4


def test_log_densities_are_those_of_scipy():
    y = simulated(20)
    terms = [
        np.log(w) + stats.multivariate_normal.logpdf(y, mu, covariance)
        for w, mu, covariance in zip(TRUTH.w, TRUTH.mu, TRUTH.covariance, strict=True)
    ]
    np.testing.assert_allclose(TRUTH.log_density(y), np.logaddexp.reduce(terms), rtol=1e-12)
    np.testing.assert_allclose(TRUTH.responsibilities(y).sum(axis=1), 1)


def test_samples_have_the_moments_of_the_mixture():
    y = simulated(40_000)
    mean = TRUTH.w @ TRUTH.mu
    np.testing.assert_allclose(y.mean(axis=0), mean, atol=0.05)
    second = np.einsum("k,kij->ij", TRUTH.w, TRUTH.covariance)
    second += np.einsum("k,ki,kj->ij", TRUTH.w, TRUTH.mu - mean, TRUTH.mu - mean)
    np.testing.assert_allclose(np.cov(y.T), second, atol=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MultivariatePrior(covariance="diag"), "covariance must be one of full, .*'diag'"),
        (lambda: fitted(geyser(), start_of(geyser()), floor=0.1), "floor must be left out in sev"),
        (lambda: Data.of_points(np.ones(3)), r"y must have shape \(..., n, d\)"),
        (lambda: Data.of_points(np.ones((3, 2))), "no coordinate of y may be constant"),
        (lambda: Data.of_points(np.full((3, 2), np.nan)), "y must be finite"),
        (lambda: Data.of_points(np.eye(2), np.ones(3)), r"weight must have shape \(2,\)"),
        (lambda: Mixture([1.0], [[0.0]], covariance=[[[0.0]]]), "positive definite"),
        (lambda: Mixture([0.9], [[0.0]], covariance=[[[1.0]]]), "w must hold"),
        (lambda: TRUTH.log_density(np.zeros((2, 2))), r"y must have shape \(n, 3\)"),
        (
            lambda: fitted(geyser(), TRUTH),
            "starts must have the 2 dimensions of the prior, got 3",
        ),
        (
            lambda: fitted(geyser(), start_of(geyser()), label="relative(axis=2)"),
            "axis must be a coordinate from 0 to 1 or a direction of 2 numbers .*, got 2",
        ),
        (lambda: Data([[1.0, 2.0], [1.0, np.nan]]), "y must be finite"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
