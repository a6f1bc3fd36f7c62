"""Every entry of docs/errata.md, demonstrated; what is right is computed by the library."""

import re
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from ordered_mix.data import Data, population, simulate
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.parameterization.parameterization import NotApplicable
from ordered_mix.prior import Prior
from ordered_mix.theory.dynamics import (
    curvature,
    derivatives,
    expanded,
    mean_slope,
    printed_flow,
    times_to,
    velocity,
)
from ordered_mix.theory.fisher import information
from ordered_mix.theory.rates import local_rate
from ordered_mix.theory.singularity import loglog_slope

PAGE = Path(__file__).resolve().parents[1] / "docs" / "errata.md"
STUDY = catalog.module("trajectories", "study")
KNOWN = ("w", "sigma")
UNORDERED, RELATIVE = (parameterization(name, 2) for name in ("unordered", "relative"))
ONCE = Stop(log_likelihood=0.0, passes=2)
TIGHT = Stop(log_likelihood=0.0, parameters=1e-12, passes=20_000)


def two(weight, mu, sigma=(1.0, 1.0)):
    return Mixture(np.array([weight, 1 - weight]), np.array(mu, dtype=float), np.array(sigma))


TRUTH, START = two(0.5, (-5.1, -5.0)), two(0.5, (-2.5, 2.0))


def expected(responsibilities, mixture, y):
    """Q, the expectation of ln p(X, Z | theta)."""
    return float(np.sum(responsibilities * mixture.log_components(y)))


def slope_of(function, x, step=1e-5):
    """Gradient by central differences."""
    units = step * np.eye(len(x))
    return np.array([(function(x + unit) - function(x - unit)) / (2 * step) for unit in units])


def of_u(v, u, w, sigma=(1.0, 1.0)):
    """The mixture with weight v, u = mu1 - mu2 and mean w."""
    return two(v, (w + (1 - v) * u, w - v * u), sigma)


# --- 1 to 6: the algorithms -----------------------------------------------------------------------


def test_the_derived_reference_mean_maximises_q():
    data = simulate(TRUTH, 200, seed=1)
    r, gap = START.responsibilities(data.y), 4.5

    def q(first):
        return expected(r, two(0.5, (first, first + gap)), data.y)

    best = minimize_scalar(lambda first: -q(first), bracket=(-20, 20), options={"xtol": 1e-12}).x
    derived = data.y.mean() - r[:, 1].mean() * gap
    swept = ECM(frozen=KNOWN, stop=ONCE).fit(RELATIVE, data, START).mixture.mu[0]
    assert [derived, swept] == pytest.approx([best, best], abs=1e-6)
    printed = [STUDY.printed_sweep(name, data, START.mu)[0] for name in STUDY.PRINTED]
    assert all(q(first) < q(derived) - 100 for first in printed)
    assert abs(printed[0] - printed[1]) > 1  # nor do they agree with each other


def test_the_printed_reference_means_do_not_move_with_the_data():
    data, shift = simulate(TRUTH, 200, seed=1), 10.0
    moved, ecm = Data(data.y + shift), ECM(frozen=KNOWN, stop=ONCE)
    for name in STUDY.PRINTED:
        here = STUDY.printed_sweep(name, data, START.mu)
        there = STUDY.printed_sweep(name, moved, START.mu + shift)
        assert np.abs(there - here - shift).max() > 1
    here = ecm.fit(RELATIVE, data, START).mixture.mu
    there = ecm.fit(RELATIVE, moved, START.affine(shift, 1.0)).mixture.mu
    assert there == pytest.approx(here + shift, abs=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_appendix_b_jumps_to_the_sample_mean_and_loses_likelihood(seed):
    data = simulate(TRUTH, 200, seed=seed)
    printed = STUDY.follow("as in Appendix B", data, START.mu)
    assert len(printed.mu) - 1 <= 3
    assert printed.mu[-1] == pytest.approx([data.y.mean()] * 2, abs=1e-6)
    assert np.diff(printed.log_likelihood).min() < -1
    derived = STUDY.follow("ecm", data, START.mu)
    assert np.diff(derived.log_likelihood).min() > -1e-9
    spread = Data(1.1 / data.y.std() * data.y)  # s2 > 1: the merged point is not the maximum
    ends = [STUDY.follow(name, spread, START.mu) for name in ("as in Appendix B", "em")]
    assert ends[0].log_likelihood[-1] < ends[1].log_likelihood[-1] - 0.1


def test_q_needs_the_logarithm_of_the_joint_density():
    data, at = simulate(two(0.5, (-1, 1)), 200, seed=2), two(0.5, (-0.3, 1.4))
    r = at.responsibilities(data.y)

    def q(mu):
        return expected(r, two(0.5, mu), data.y)

    def without_logarithm(mu):
        return float(np.sum(r * np.exp(two(0.5, mu).log_components(data.y))))

    def of_the_labels_only(mu):
        return float(np.sum(r * np.log(two(0.5, mu).responsibilities(data.y))))

    def of_the_data(mu):  # what line 5 takes the expectation of: no label occurs in it
        return float(np.sum(r * two(0.5, mu).log_density(data.y)[:, None]))

    right = data.n * mean_slope(at, data.y)
    assert slope_of(q, at.mu) == pytest.approx(right, rel=1e-7)
    assert slope_of(of_the_labels_only, at.mu) == pytest.approx([0, 0], abs=1e-7)
    em = EM(frozen=KNOWN, stop=ONCE).fit(UNORDERED, data, at).mixture.mu
    ends = [minimize(lambda mu, f=f: -f(mu), at.mu).x for f in (q, without_logarithm)]
    assert ends[0] == pytest.approx(em, abs=1e-4)
    assert np.abs(ends[1] - em).max() > 0.1
    best = EM(frozen=KNOWN, stop=TIGHT).fit(UNORDERED, data, at).mixture.mu
    assert minimize(lambda mu: -of_the_data(mu), at.mu).x == pytest.approx(best, abs=1e-4)
    assert np.abs(best - em).max() > 0.1


def test_the_gap_at_its_bound_has_a_multiplier_that_pushes_up():
    data, clearance = Data(np.array([-1.0, -0.5, 0.5, 1.2])), 1.5
    at = two(0.5, (-0.1, -0.1 + clearance))
    r = at.responsibilities(data.y)
    first = data.y.mean() - r[:, 1].mean() * clearance

    def q(gap):
        return expected(r, two(0.5, (first, first + gap)), data.y)

    free = r[:, 1] @ data.y / r[:, 1].sum() - first
    assert free < clearance
    # Q + multiplier (gap - clearance) is stationary at the bound
    multiplier = -slope_of(lambda gap: q(gap[0]), np.array([clearance]))[0]
    assert multiplier == pytest.approx(r[:, 1].sum() * (clearance - free), rel=1e-6)
    assert multiplier > 0.1
    swept = (
        ECM(frozen=KNOWN, stop=ONCE)
        .fit(parameterization("relative", 2, clearance=clearance), data, at)
        .mixture.mu
    )
    assert swept == pytest.approx([first, first + clearance], abs=1e-12)
    assert all(q(clearance + more) < q(clearance) for more in (1e-3, 0.1, 1.0))


def test_the_printed_gaps_become_negative():
    data, start = simulate(two(0.5, (5.0, 5.1)), 200, seed=1), np.array([5.0, 8.0])
    for name in STUDY.PRINTED:
        at, gaps = start, []
        for _ in range(4):
            at = STUDY.printed_sweep(name, data, at)
            gaps.append(at[1] - at[0])
        assert min(gaps) < -1, name
    fit = ECM(frozen=KNOWN).fit(RELATIVE, data, Mixture(TRUTH.w, start, TRUTH.sigma))
    assert np.diff(fit.trace.mixture.mu).min() > 0


@pytest.mark.parametrize("seed", range(4))
def test_algorithm_1_as_printed_goes_to_and_fro(seed):
    data, at = simulate(TRUTH, 200, seed=seed), START.mu
    path = []
    for _ in range(1000):
        at = STUDY.printed_sweep("as in Algorithm 1", data, at)
        path.append(at)
    assert path[-1] == pytest.approx(path[-3], abs=1e-9)
    assert np.diff(path[-2:], axis=1).max() < 0  # the second mean is the smaller one in both
    assert np.abs(path[-1] - path[-2]).max() > 1
    derived = STUDY.follow("ecm", data, START.mu)
    assert derived.settled and np.diff(derived.log_likelihood).min() > -1e-9


def test_conditional_steps_after_a_full_m_step_move_nothing():
    data = simulate(two(0.4, (-1, 1), (1, 1.5)), 200, seed=3)
    at = start = two(0.4, (-0.2, 2.5), (1, 1.5))
    path = EM(frozen=KNOWN, stop=Stop(0.0, passes=11)).fit(UNORDERED, data, start).trace.mixture.mu
    for iteration in range(10):
        r = at.responsibilities(data.y)
        t = r / at.sigma**2
        full = np.sum(r * data.y[:, None], axis=0) / r.sum(axis=0)  # argmax over all of theta
        gap = full[1] - full[0]
        first = (t.sum(axis=1) @ data.y - gap * t[:, 1].sum()) / t.sum()
        gap = max(0.0, t[:, 1] @ data.y / t[:, 1].sum() - first)
        literal = np.array([first, first + gap])
        assert literal == pytest.approx(path[iteration + 1], abs=1e-10)
        at = Mixture(at.w, literal, at.sigma)
    swept = ECM(frozen=KNOWN, stop=ONCE).fit(RELATIVE, data, start).mixture.mu
    assert np.abs(swept - path[1]).max() > 0.05


def test_counts_divided_by_n_break_weights_and_means():
    data = simulate(two(0.3, (-1, 1)), 100, seed=4)
    at = two(0.4, (-0.5, 1.5))
    after = EM(stop=ONCE).fit(UNORDERED, data, at).mixture
    r = at.responsibilities(data.y)
    for factor, right in ((1.0, True), (1 / data.n, False)):
        counts = factor * r.sum(axis=0)
        weights, means = counts / data.n, data.y @ r / counts
        assert weights.sum() == pytest.approx(factor, rel=1e-12)
        assert np.allclose(weights, after.w, rtol=1e-9) == right
        assert np.allclose(means, after.mu, rtol=1e-9) == right


# --- 7 to 12: Appendix D --------------------------------------------------------------------------


def test_the_relative_jacobian_and_its_product():
    v, first, gap = 0.3, -0.4, 0.9

    def singular_coordinates(v, first, gap):
        return np.array([v, gap, v * first + (1 - v) * (first + gap)])

    x, jacobian = np.array([v, first, gap]), np.empty((3, 3))
    for column in range(3):  # automatic differentiation by a complex step, exact to rounding
        ends = singular_coordinates(*(x + 1e-30j * np.eye(3)[column]))
        jacobian[:, column] = ends.imag / 1e-30
    # rows v, gap and mixture mean; columns by v, by mu1 and by the gap
    right = np.array([[1, 0, 0], [0, 0, 1], [-gap, 1, 1 - v]])
    np.testing.assert_allclose(jacobian, right, atol=1e-15)
    product = [[1, 0, -gap], [0, 1, 1 - v], [-gap, 1 - v, gap**2 + v**2 - 2 * v + 2]]
    np.testing.assert_allclose(jacobian @ jacobian.T, product, atol=1e-15)
    np.testing.assert_array_equal(product, np.transpose(product))
    assert np.linalg.eigvalsh(product).min() > 0
    # and it is the chain rule of the derivatives that the library computes
    data = population(two(0.5, (-1, 1)))
    by_v, by_u, by_w = derivatives(two(v, (first, first + gap)), data.y, data.weight)

    def objective(x):
        return float(data.weight @ two(x[0], (x[1], x[1] + x[2])).log_density(data.y))

    assert jacobian.T @ [by_v, -by_u, by_w] == pytest.approx(slope_of(objective, x), abs=1e-8)


def test_the_relative_flow_is_a_symmetric_product_times_the_gradient():
    at, slope = two(0.5, (-0.3, 0.9)), np.eye(2)
    product = np.stack([velocity("relative", at, row) for row in slope], axis=1)
    np.testing.assert_allclose(product, [[1, 1], [1, 2]], atol=1e-15)
    ends = [(3 - 5**0.5) / 2, (3 + 5**0.5) / 2]
    np.testing.assert_allclose(np.linalg.eigvalsh(product), ends, rtol=1e-12)


def test_printed_third_order_coefficients_are_three_times_too_large():
    v, w, y = 0.3, 0.2, 1.1
    x, c = y - w, v * (1 - v)

    def log_ratio(u):
        ends = [(v, (1 - v) * u), (1 - v, -v * u)]
        return mpmath.log(sum(p * mpmath.exp(x * m - m * m / 2) for p, m in ends))

    taylor = [float(value) for value in mpmath.taylor(log_ratio, 0, 3)]
    third = c * (1 - 2 * v) * (x**3 - 3 * x) / 6
    assert taylor == pytest.approx([0, 0, c * (x**2 - 1) / 2, third], abs=1e-10)
    # each of the three derivatives has its error in the order after the last term, or not
    data, errors = population(two(v, (0, 0))), {1.0: [], 3.0: []}
    for u in (2e-3, 4e-3):
        at = of_u(v, u, 0.5)
        for factor, found in errors.items():
            wrong = expanded(at, data.y, data.weight, factor)
            found.append(np.abs(wrong - derivatives(at, data.y, data.weight)))
    orders = {factor: np.log2(found[1] / found[0]) for factor, found in errors.items()}
    assert orders[1.0] == pytest.approx([4, 3, 4], abs=0.1)
    assert orders[3.0] == pytest.approx([3, 2, 3], abs=0.1)


def test_each_rate_of_the_flow_needs_its_own_derivatives():
    v, u, w = 0.3, -1.3, 0.2
    data = population(two(0.5, (-1, 1)))
    at = of_u(v, u, w)
    by_v, by_u, by_w = found = derivatives(at, data.y, data.weight)
    jacobian = np.array([[1, 0, 0], [0, 1, -1], [u, v, 1 - v]])

    def objective(x):
        return float(data.weight @ two(x[0], x[1:]).log_density(data.y))

    step = slope_of(objective, np.array([v, *at.mu]))
    rates = jacobian @ step  # one small step of ascent in (v, mu1, mu2), seen in (v, u, w)
    square = u**2 + v**2 + (1 - v) ** 2
    du = 2 * by_u + (2 * v - 1) * by_w
    dw = u * by_v + (2 * v - 1) * by_u + square * by_w
    assert [du, dw] == pytest.approx(rates[1:], abs=1e-8)
    for a, b in ((0, 1), (0, 2), (1, 2)):  # one derivative in the place of another
        swapped = found.copy()
        swapped[[a, b]] = found[[b, a]]
        assert np.abs(jacobian @ jacobian.T @ swapped - rates).max() > 0.01


def test_the_flow_of_the_truth_rests_only_in_expectation():
    truth = two(0.3, (-1, 1))
    data = population(truth)
    assert derivatives(truth, data.y, data.weight) == pytest.approx([0, 0, 0], abs=1e-10)
    each = np.array([derivatives(truth, np.array([y])) for y in (-2.0, 0.0, 2.0)])
    assert np.abs(each).max(axis=1).min() > 0.1


def test_expansions_in_u_are_not_exact():
    data = population(two(0.5, (0, 0)))
    errors = []
    for u in (0.02, 2.0, 20.0):
        at = of_u(0.5, u, 0.3)
        right = derivatives(at, data.y, data.weight)
        gap = np.abs(expanded(at, data.y, data.weight) - right).max()
        errors.append(gap / np.abs(right).max())
    assert errors[0] < 1e-3 and min(errors[1:]) > 1  # further off than the derivatives are large


def test_the_derivative_in_u_has_the_sign_of_mu1_minus_mu2():
    data, v = population(two(0.5, (-1, 1))), 0.3
    at = of_u(v, -1.3, 0.2)
    by_u = derivatives(at, data.y, data.weight)[1]

    def objective(difference):
        return float(data.weight @ of_u(v, difference[0], 0.2).log_density(data.y))

    right = slope_of(objective, np.array([-1.3]))[0]
    reversed_ = slope_of(lambda u: objective(-u), np.array([1.3]))[0]  # u' = mu2 - mu1
    assert by_u == pytest.approx(right, abs=1e-8)
    assert reversed_ == pytest.approx(-right, abs=1e-8) and abs(right) > 0.01


@pytest.mark.parametrize(("v", "first", "gap"), [(0.5, -0.4, 0.9), (0.3, 1.1, -0.6)])
def test_the_relative_flow_as_printed_depends_on_the_origin(v, first, gap):
    at, shift = two(v, (first, first + gap)), 20.0
    data = population(two(0.5, (0, 0)))
    for label, follows in (("unordered", True), ("relative", False)):
        flow = printed_flow(label, at, data.y, data.weight)
        after = printed_flow(label, at.affine(shift, 1.0), data.y + shift, data.weight)
        assert (np.abs(after - flow).max() < 1e-9) == follows
    # letter by letter, at single points
    w = first + (1 - v) * gap
    for x in (-1.3, 0.4, 2.0):
        u = gap
        two_x, skew = w**2 - 2 * w * x + x**2 - 1, 2 * v**2 - 3 * v + 1
        three_x = w**3 - 3 * w**2 * x + 3 * w * (x**2 - 1) - x * (x**2 - 3)
        by_w = x - w + u**2 * (1 - v) * v * (w - x) - 3 / 2 * u**3 * v * skew * two_x
        by_v = -1 / 2 * u**2 * (2 * v - 1) * two_x
        by_v -= 1 / 2 * u**3 * (6 * v**2 - 6 * v + 1) * three_x
        by_u = u * (1 - v) * v * two_x + 3 / 2 * u**2 * v * skew * ((x - w) ** 3 + 3 * (w - x))
        opening = by_u - (1 - v - gap) * by_v
        moving = (
            (first + gap) * by_v - (1 - v - gap) * by_v
            + (first**2 + 2 * gap * first + 3 * gap**2 + 2 * v**2 + 2 - 4 * gap) * by_w
        )  # fmt: skip
        means = [moving - (1 - v) * opening, moving + v * opening]
        assert printed_flow("relative", at, np.array([x])) == pytest.approx(means, rel=1e-10)


# --- 13 to 18: statements -------------------------------------------------------------------------

# derivatives of (w, mu, sigma) in (first weight, mu1, mu2, sigma1, sigma2)
FREE = np.vstack([[1, 0, 0, 0, 0], [-1, 0, 0, 0, 0], np.eye(5)[1:]])


def smallest(weight, mu, sigma):
    return np.linalg.eigvalsh(information(two(weight, mu, sigma), FREE)).min()


def test_exchangeable_labels_leave_the_information_regular():
    one = two(0.4, (-1.5, 1.5), (1.0, 0.7))
    other, y = one.permute([1, 0]), np.linspace(-4, 4, 50)
    np.testing.assert_allclose(one.log_density(y), other.log_density(y), rtol=1e-12)
    assert smallest(0.4, (-1.5, 1.5), (1.0, 0.7)) > 1e-3
    assert smallest(0.6, (1.5, -1.5), (0.7, 1.0)) > 1e-3
    assert abs(smallest(1.0, (-1.5, 1.5), (1.0, 0.7))) < 1e-10


def test_equal_weights_means_or_scales_alone_are_not_singular():
    assert smallest(0.5, (-1.5, 1.5), (1.0, 0.7)) > 1e-3
    assert smallest(0.4, (-1.5, 1.5), (1.0, 1.0)) > 1e-3
    assert smallest(0.4, (0.0, 0.0), (1.0, 3.0)) > 1e-3
    assert abs(smallest(0.4, (0.0, 0.0), (1.0, 1.0))) < 1e-10


def test_distances_to_the_reference_exclude_models_and_order_none():
    def allowed(means):
        distances = np.abs(np.array(means) - means[0])  # the first is the reference
        return len(np.unique(distances[1:])) == len(means) - 1

    mu = np.array([0.0, -1.0, 1.0])
    excluded = Mixture(np.array([0.2, 0.3, 0.5]), mu, np.full(3, 0.3))
    chain = np.zeros((9, 8))
    chain[:3, :2] = [[1, 0], [0, 1], [-1, -1]]
    chain[3:, 2:] = np.eye(6)
    assert np.linalg.eigvalsh(information(excluded, chain)).min() > 1e-3
    assert not allowed(mu)
    assert allowed([0.0, 2.0, -1.0]) and allowed([0.0, -1.0, 2.0])


def test_ordering_means_and_scales_jointly_loses_models():
    truth = two(0.5, (-1.0, 1.0), (2.0, 0.5))
    for labels in ((0, 1), (1, 0)):
        one = truth.permute(labels)
        assert not (np.diff(one.mu)[0] > 0 and np.diff(one.sigma)[0] > 0)
    data = population(truth)
    heights = {
        order: float(
            ECM(stop=TIGHT)
            .fit(parameterization("relative", 2, order=order), data, truth)
            .log_likelihood
        )
        for order in ("mu", "sigma", "both")
    }
    best = float(data.weight @ truth.log_density(data.y))
    assert heights["mu"] == pytest.approx(best, abs=1e-9)
    assert heights["sigma"] == pytest.approx(best, abs=1e-9)
    assert heights["both"] < best - 0.05


def test_with_known_unequal_weights_a_positive_gap_is_a_restriction():
    truth = two(0.2, (1.5, -1.5))
    data = population(truth)
    best = float(data.weight @ truth.log_density(data.y))
    assert np.abs(truth.log_density(data.y) - two(0.2, (-1.5, 1.5)).log_density(data.y)).max() > 1
    starts = Mixture(truth.w, np.array([[-2.0, -1.0], [-1.0, 0.5], [0.5, 3.0]]), truth.sigma)
    ends = ECM(frozen=KNOWN, stop=TIGHT).fit(RELATIVE, data, starts).log_likelihood
    assert ends.max() < best - 0.02
    free = EM(frozen=KNOWN, stop=TIGHT).fit(UNORDERED, data, two(0.2, (1.0, 0.0))).log_likelihood
    assert float(free) == pytest.approx(best, abs=1e-9)
    with pytest.raises(NotApplicable, match="restriction"):
        catalog.parameterization("relative", 2, Prior(known_w=(0.2, 0.8), known_sigma=1.0))


def test_ascent_and_the_natural_gradient_go_up_the_log_likelihood():
    data, at, step = population(two(0.5, (-1, 1))), two(0.5, (-0.3, 0.8)), 1e-3
    slope = mean_slope(at, data.y, data.weight)
    natural = np.linalg.solve(information(at)[2:4, 2:4], slope)
    here = float(data.weight @ at.log_density(data.y))
    for direction in (slope, natural):
        up, down = (
            float(data.weight @ two(0.5, at.mu + sign * step * direction).log_density(data.y))
            for sign in (1, -1)
        )
        assert up > here > down


def test_mixtures_are_not_an_exponential_family():
    # ln p = ln h + eta T - A: the log densities of a family with d statistics span d + 2 dimensions
    rng, y = np.random.default_rng(0), np.linspace(-4, 4, 400)
    mu, sigma = rng.uniform(-4, 4, (12, 2)), rng.uniform(0.5, 2, (12, 1))
    normals, mixtures = Mixture(np.ones(1), mu[:, :1], sigma), two(0.5, mu)
    ranks = [np.linalg.matrix_rank(one.log_density(y), tol=1e-6) for one in (normals, mixtures)]
    assert ranks == [3, 12]


def test_the_length_element_is_the_same_in_relative_coordinates():
    at, step = two(0.4, (-0.7, 1.1)), np.array([0.3, -0.2])  # (dmu1, dmu2)
    means = np.vstack([np.zeros((2, 2)), np.eye(2), np.zeros((2, 2))])
    relative = means @ np.array([[1, 0], [1, 1]])  # mu2 = mu1 + gap
    along = np.array([step[0], step[1] - step[0]])
    lengths = [
        moved @ information(at, jacobian) @ moved
        for moved, jacobian in ((step, means), (along, relative))
    ]
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-10) and lengths[0] > 0.01


def test_relative_coordinates_do_not_have_the_smaller_norm():
    assert np.linalg.norm([-1, 1]) == pytest.approx(1.414, abs=5e-4)
    assert np.linalg.norm([-1, 1 - (-1)]) == pytest.approx(2.236, abs=5e-4)
    # the same functions either way: so is the worst of any loss over them
    data = population(two(0.5, (-1, 1)))
    axis = np.linspace(-2, 2, 9)
    means = np.array([(a, b) for a in axis for b in axis])
    ascending = np.stack([means.min(axis=1), np.abs(means[:, 1] - means[:, 0])], axis=1)
    theta = two(0.5, means)
    relative = two(0.5, np.stack([ascending[:, 0], ascending.sum(axis=1)], axis=1))
    losses = [-one.log_density(data.y) @ data.weight for one in (theta, relative)]
    np.testing.assert_allclose(*losses, rtol=1e-12)
    assert losses[0].max() == pytest.approx(losses[1].max(), rel=1e-12)


# --- 19 to 22: claims -----------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_relative_ecm_is_slower_than_em_near_the_singularity(weight):
    truth = two(weight, (-0.05, 0.05))
    data = population(truth)
    em = local_rate(truth, data.y, data.weight)
    for reference, share in ((1, weight), (2, 1 - weight)):
        ecm = local_rate(truth, data.y, data.weight, f"relative(reference={reference})")
        assert ecm > em
        assert np.log(em) / np.log(ecm) == pytest.approx(1 / share, rel=0.02)


@pytest.mark.parametrize(
    ("mean", "half", "original", "relative", "share"),
    [(0, 2, 0.491067, 0.996307, 0.762), (20, 10, 3.053508, 5.092179, 0.881)],
)
def test_larger_gradients_are_a_matter_of_scale(mean, half, original, relative, share):
    data, axis = population(two(0.5, (mean, mean))), np.linspace(mean - half, mean + half, 41)
    plane = two(0.5, np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))
    slope = mean_slope(plane, data.y, data.weight)
    lengths = {
        coordinates: np.linalg.norm(velocity(coordinates, plane, slope), axis=1)
        for coordinates in ("unordered", "relative")
    }
    assert lengths["unordered"].mean() == pytest.approx(original, abs=1e-6)
    assert lengths["relative"].mean() == pytest.approx(relative, abs=1e-6)
    longer = lengths["relative"] > lengths["unordered"]
    assert longer.mean() == pytest.approx(share, abs=5e-4)
    merged = two(0.5, (mean, mean))
    largest = {
        coordinates: curvature(coordinates, merged, data.y, data.weight)[1]
        for coordinates in lengths
    }
    fair = {
        coordinates: lengths[coordinates].mean() / largest[coordinates] for coordinates in lengths
    }
    assert fair["relative"] < fair["unordered"]


def test_relative_coordinates_make_the_valley_worse():
    data = population(two(0.5, (0, 0)))
    merged, apart = two(0.5, (0, 0)), two(0.5, (-0.05, 0.05))
    for coordinates, largest, condition in (("unordered", 0.5, 134.11), ("relative", 1.25, 838.67)):
        assert curvature(coordinates, merged, data.y, data.weight)[1] == pytest.approx(largest)
        low, high = curvature(coordinates, apart, data.y, data.weight)
        assert high / low == pytest.approx(condition, abs=0.005)


def test_relative_coordinates_do_not_shorten_the_plateau():
    truth = two(0.5, (0, 0))
    data, levels = population(truth), (1e-8, 1e-9)
    squared = np.sqrt(64 * np.array(levels))  # excess loss = gap^4 / 64
    for coordinates, constant in (("unordered", 4.0), ("relative", 10.0)):
        times = times_to(levels, coordinates, truth, (-0.05, 0.05), data.y, data.weight, 1e6)
        assert np.diff(times)[0] == pytest.approx(constant * np.diff(1 / squared)[0], rel=0.02)


@pytest.mark.parametrize(
    ("coordinates", "power"),
    [
        ("unordered", 1 / 2),
        ("relative", 1 / 2),
        ("relative(link=square)", 1 / 3),
        ("relative(link=log)", 1 / 4),
    ],
)
def test_links_of_the_gap_slow_the_plateau_further(coordinates, power):
    data, gaps = population(two(0.5, (0, 0))), np.array([0.4, 0.2, 0.1, 0.05])
    line = two(0.5, gaps[:, None] * np.array([-0.5, 0.5]))
    flow = velocity(coordinates, line, mean_slope(line, data.y, data.weight))
    closing = loglog_slope(gaps, flow[:, 0] - flow[:, 1])  # gap' ~ -gap^(1 + 1/p)
    assert 1 / (closing.exponent - 1) == pytest.approx(power, rel=1e-3)


@pytest.mark.parametrize(("clearance", "gap"), [(0.0, 0.0), (1e-3, 4.0)])
def test_projection_on_a_gap_of_zero_is_a_trap(clearance, gap):
    truth = two(0.5, (-2, 2))
    data = population(truth)
    first, wide = 6.0, 0.1
    for _ in range(400):
        at = two(0.5, (first, first + wide))
        slope = mean_slope(at, data.y, data.weight)
        if abs(slope.sum()) < 1e-8 and slope[1] < 1e-8:  # what is left points into the bound
            break
        first, wide = first + 0.5 * slope.sum(), max(clearance, wide + 0.5 * slope[1])
    else:
        pytest.fail("the ascent has not come to rest")
    assert wide == pytest.approx(gap, abs=1e-6)
    assert first + wide / 2 == pytest.approx(0, abs=1e-6)


# --- the page -------------------------------------------------------------------------------------


def test_the_page_names_exactly_the_tests_there_are():
    text = PAGE.read_text(encoding="utf-8")
    entries = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    assert [entry.split(".")[0] for entry in entries] == [str(n + 1) for n in range(len(entries))]
    assert all(re.search(r"`test_\w+`", entry) for entry in entries)
    written = [name for name in globals() if name.startswith("test_")]
    assert sorted(re.findall(r"`(test_\w+)`", text)) == sorted(written)
    assert set(re.findall(r"ordered-mix run (\w+)", text)) <= set(catalog.names("study"))
    assert "](docs/errata.md)" in (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
