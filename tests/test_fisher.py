"""Fisher information: exact values, exponents at the singularity, invariance, observed data."""

import numpy as np
import pytest
from mpmath import mp

from ordered_mix.data import population, simulate
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.passes.observed import observed_information
from ordered_mix.prior import Prior
from ordered_mix.theory import fisher
from ordered_mix.theory.singularity import loglog_slope, merging

SEMI = Mixture([0.3, 0.7], [-1.0, 1.2], [0.8, 1.3])
COORDINATES = {
    # label: (model file, options, free coordinates or the sampler's)
    "(mu1, mu2)": ("unordered", {}, True),
    "(mu1, D)": ("relative", {}, True),
    "(w, D)": ("signed", {}, True),
    "(w, s = D^2)": ("resolved", {}, True),
    "(mu1, D = d^2)": ("relative", {"link": "square"}, False),
    "(mu1, D = e^d)": ("relative", {"link": "log"}, False),
}


def two(gap, share=0.5):
    """Means at distance gap around 0, weights (share, 1 - share), unit scales."""
    return Mixture([share, 1 - share], [-(1 - share) * gap, share * gap], [1.0, 1.0])


def jacobian(label, mixture):
    """Jacobian of the parameterization at a mixture of known weights and unit scales."""
    if label == "(mu1, s = D^2)":
        gap = mixture.mu[1] - mixture.mu[0]
        return jacobian("(mu1, D)", mixture) @ np.diag([1 / (2 * gap), 1.0])
    name, options, free = COORDINATES[label]
    # the order of the means is a restriction with unequal weights; the map is the same
    weights = (0.5, 0.5)
    if name in ("unordered", "signed"):
        weights = tuple(mixture.w)
    parameterization = catalog.parameterization(
        name, 2, Prior(known_w=weights, known_sigma=1.0), **options
    )
    z = parameterization.unconstrain(mixture)
    return (
        parameterization.jacobian_free(parameterization.free(z))
        if free
        else parameterization.jacobian(z)
    )


def smallest(label, mixture):
    return fisher.spectrum(mixture, jacobian(label, mixture))[0]


@pytest.mark.parametrize(
    ("gap", "label", "printed", "last_digit"),
    [
        (0.1, "(mu1, mu2)", 2.487583e-3, 1e-9),
        (0.1, "(mu1, D)", 9.948344e-4, 1e-10),
        (1.0, "(mu1, mu2)", 0.1716320, 1e-7),
        (1.0, "(mu1, D)", 0.06741380, 1e-8),
        (4.0, "(mu1, mu2)", 0.3628052, 1e-7),
        (4.0, "(mu1, D)", 0.1832809, 1e-7),
        (0.1, "(w, s = D^2)", 0.0311, 1e-4),
    ],
)
def test_smallest_eigenvalues_with_equal_weights(gap, label, printed, last_digit):
    assert smallest(label, two(gap)) == pytest.approx(printed, abs=0.51 * last_digit)


COLUMN = np.eye(6)
UNKNOWN = {"scale": COLUMN[4] + COLUMN[5], "weight": COLUMN[0] - COLUMN[1]}


@pytest.mark.parametrize(("unknown", "value"), [("scale", 2.5e-7), ("weight", 4.1e-8)])
def test_squared_gap_is_singular_when_a_scale_or_the_weight_is_unknown(unknown, value):
    mixture = two(0.1)
    wider = np.column_stack([jacobian("(w, s = D^2)", mixture), UNKNOWN[unknown]])
    found = fisher.spectrum(mixture, wider)[0]
    assert found == pytest.approx(value, rel=0.02)
    # like D^4 and like D^6
    path = np.array([0.2, 0.1, 0.05])
    values = [
        fisher.spectrum(
            two(d), np.column_stack([jacobian("(w, s = D^2)", two(d)), UNKNOWN[unknown]])
        )[0]
        for d in path
    ]
    assert loglog_slope(path, values).exponent == pytest.approx(
        4 if unknown == "scale" else 6, abs=0.05
    )


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_with_the_weight_unknown_the_smallest_eigenvalue_is_gap_to_the_sixth(share):
    for gap in (0.05, 0.02):
        mixture = two(gap, share)
        means = np.column_stack([UNKNOWN["weight"], COLUMN[2], COLUMN[3]])
        found = fisher.spectrum(mixture, means)[0]
        assert found == pytest.approx(gap**6 / 24, rel=6 * gap)


def leading(label, share):
    """Leading terms of the smallest eigenvalue and its exponent as the gap vanishes."""
    p1, p2 = share, 1 - share
    c = p1 * p2
    return {
        "(mu1, mu2)": (2 * c**2 / (p1**2 + p2**2), 2),
        "(mu1, D)": (2 * c**2 / (1 + p2**2), 2),
        "(w, D)": (2 * c**2, 2),
        "(w, s = D^2)": (c**2 / 2, 0),
        "(mu1, s = D^2)": (2 * c**2 / p2**2, 2),
        "(mu1, D = d^2)": (8 * c**2, 3),
        "(mu1, D = e^d)": (2 * c**2, 4),
    }[label]


LABELS = [*COORDINATES, "(mu1, s = D^2)"]


@pytest.mark.parametrize("label", LABELS)
def test_exponent_and_leading_term_at_the_singularity(label):
    gaps = np.array([0.08, 0.04, 0.02])
    values = np.array([smallest(label, two(gap)) for gap in gaps])
    factor, exponent = leading(label, 0.5)
    slope = loglog_slope(gaps, values, correction=1.0 if "d^2" in label else 2.0)
    assert slope.exponent == pytest.approx(exponent, abs=0.01)
    assert abs(slope.local[-1] - exponent) < abs(slope.local[0] - exponent) + 1e-9
    assert values[-1] / gaps[-1] ** exponent == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize("label", ["(mu1, mu2)", "(w, D)"])
def test_leading_term_with_unequal_weights(label):
    factor, exponent = leading(label, 0.3)
    assert smallest(label, two(0.02, 0.3)) / 0.02**exponent == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize(
    ("label", "leading_term"),
    [
        ("(mu1, mu2)", lambda d: 2 / d**2),
        ("(mu1, D)", lambda d: 12.5 / d**2),
        ("(w, D)", lambda d: 8 / d**2),
        ("(w, s = D^2)", lambda d: 32.0),
        ("(mu1, s = D^2)", lambda d: 1 / (8 * d**4)),
        ("(mu1, D = d^2)", lambda d: 2 / d**3),
        ("(mu1, D = e^d)", lambda d: 8 / d**4),
    ],
)
def test_condition_numbers_with_equal_weights(label, leading_term):
    mixture = two(0.02)
    found = fisher.condition_number(mixture, jacobian(label, mixture))
    # the correction of the square link is of the order of the gap, of the others gap squared
    assert found == pytest.approx(leading_term(0.02), rel=0.06)


def test_merged_components_have_a_singular_information():
    means = np.column_stack([COLUMN[2], COLUMN[3]])
    assert fisher.condition_number(two(0.0), means) > 1e15


@pytest.mark.parametrize(
    ("clearance", "cost"), [(0.1, 1.5573191e-6), (0.5, 9.0437950e-4), (1.0, 0.012087997)]
)
def test_cost_of_a_clearance_at_a_single_normal(clearance, cost):
    truth = Mixture([1.0], [0.0], [1.0])
    grid = population(truth)
    best = two(clearance)
    divergence = grid.weight @ (truth.log_density(grid.y) - best.log_density(grid.y))
    assert divergence == pytest.approx(cost, rel=1e-6)


def test_information_against_high_precision_quadrature():
    w, mu, sigma = (tuple(map(float, value)) for value in (SEMI.w, SEMI.mu, SEMI.sigma))
    with mp.workdps(25):

        def scores(y):
            normals = [mp.npdf(y, m, s) for m, s in zip(mu, sigma, strict=True)]
            density = sum(v * n for v, n in zip(w, normals, strict=True))
            u = [(y - m) / s for m, s in zip(mu, sigma, strict=True)]
            means = [v * n * z / s for v, n, z, s in zip(w, normals, u, sigma, strict=True)]
            scales = [
                v * n * (z**2 - 1) / s for v, n, z, s in zip(w, normals, u, sigma, strict=True)
            ]
            return [*normals, *means, *scales], density

        def entry(i, j):
            def integrand(y):
                score, density = scores(y)
                return score[i] * score[j] / density

            return mp.quad(integrand, [-14, -2, 0, 2, 16])

        exact = {(i, j): float(entry(i, j)) for i, j in [(0, 0), (0, 3), (2, 4), (4, 5), (5, 5)]}
    found = fisher.information(SEMI)
    for (i, j), value in exact.items():
        assert found[i, j] == pytest.approx(value, rel=1e-12, abs=1e-13)


def test_weights_of_zero_and_batches():
    edge = Mixture([1.0, 0.0], [0.0, 0.5], [1.0, 1.0])
    assert np.all(np.isfinite(fisher.information(edge)))
    batch = Mixture.stack([SEMI, two(1.0), edge])
    together = fisher.information(batch)
    for row in range(3):
        np.testing.assert_allclose(together[row], fisher.information(batch[row]), atol=1e-12)
    assert fisher.spectrum(batch, np.eye(6)).shape == (3, 6)


def test_observed_information_is_minus_the_second_derivative():
    data = simulate(SEMI, 40, seed=1)
    theta = np.concatenate([SEMI.w, SEMI.mu, SEMI.sigma])
    step = 1e-4

    def gradient(at):
        w, mu, sigma = np.split(at, 3)
        m = e_step(data.y, w, mu, sigma)
        return np.concatenate([m.s0 / w, m.s1 / sigma**2, m.s2 / sigma**3 - m.s0 / sigma]) / data.n

    numeric = np.array(
        [
            (
                8 * (gradient(theta + e) - gradient(theta - e))
                - gradient(theta + 2 * e)
                + gradient(theta - 2 * e)
            )
            / (12 * step)
            for e in step * np.eye(6)
        ]
    )
    found = observed_information(SEMI, data.y)
    np.testing.assert_allclose(found, -numeric, atol=1e-8 * np.abs(found).max())


def test_observed_information_is_expected_information_on_average():
    grid = population(SEMI)
    observed = observed_information(SEMI, grid.y, grid.weight)
    np.testing.assert_allclose(observed, fisher.information(SEMI), atol=1e-12)
    data = simulate(SEMI, 200_000, seed=2)
    sampled = observed_information(SEMI, data.y)
    np.testing.assert_allclose(sampled, fisher.information(SEMI), atol=0.03)


def test_observed_information_counts_weights_and_transforms():
    data = simulate(SEMI, 30, seed=3)
    twice = np.repeat(data.y, 2)
    weighted = observed_information(SEMI, data.y, np.full(30, 2.0))
    np.testing.assert_allclose(weighted, observed_information(SEMI, twice), atol=1e-12)
    columns = np.column_stack([COLUMN[2], COLUMN[3]])
    moved = observed_information(SEMI, data.y, jacobian=columns)
    np.testing.assert_allclose(moved, observed_information(SEMI, data.y)[2:4, 2:4])


def test_length_element_is_the_same_in_all_coordinates():
    mixture = SEMI
    jacobians = {}
    for name, options in [
        ("unordered", {}),
        ("ordered", {}),
        ("relative", {"link": "softplus", "reference": 2}),
        ("relative", {"link": "square"}),
        ("centred", {}),
        ("signed", {}),
        ("moment", {}),
        ("resolved", {}),
    ]:
        parameterization = catalog.parameterization(name, 2, Prior(), **options)
        z = parameterization.unconstrain(mixture)
        jacobians[f"{parameterization.label} sampler"] = parameterization.jacobian(z)
        jacobians[f"{parameterization.label} free"] = parameterization.jacobian_free(
            parameterization.free(z)
        )
    rng = np.random.default_rng(4)
    for _ in range(3):
        tangent = rng.normal(size=6)
        tangent[:2] -= tangent[:2].mean()
        lengths = np.array(list(fisher.length_elements(mixture, jacobians, tangent).values()))
        expected = tangent @ fisher.information(mixture) @ tangent
        np.testing.assert_allclose(lengths, expected, rtol=1e-9)


def test_path_to_the_singularity_keeps_the_mean():
    path = merging(SEMI, [1.0, 0.5, 0.0])
    np.testing.assert_allclose(path.mean(), SEMI.mean())
    np.testing.assert_allclose(np.diff(path.mu)[:, 0], [2.2, 1.1, 0.0])
    means = np.column_stack([COLUMN[2], COLUMN[3]])
    assert np.all(np.diff(fisher.spectrum(path, means)[:2, 0]) < 0)


def test_slopes_are_free_of_a_correction_of_the_order_given():
    gaps = np.array([0.04, 0.02, 0.01])
    slope = loglog_slope(gaps, 5 * gaps**3 * (1 + gaps), correction=1)
    assert slope.exponent == pytest.approx(3, abs=5e-4)
    assert abs(slope.local[-1] - 3) > 0.01
    slope = loglog_slope(gaps, 5 * gaps**3 * (1 + gaps**2))
    assert slope.exponent == pytest.approx(3, abs=5e-7)
    assert slope.error == abs(slope.exponent - slope.local[-1]) > 4e-4


def test_bad_input():
    with pytest.raises(
        ValueError, match=r"jacobian must have 6 rows for 2 components, got .*\(4, 2\)"
    ):
        fisher.information(SEMI, np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"mixture must be a single one, got a batch of \(2,\)"):
        observed_information(Mixture.stack([SEMI, SEMI]), [0.0])
    with pytest.raises(ValueError, match=r"mixture must be a single one, got a batch of \(2,\)"):
        merging(Mixture.stack([SEMI, SEMI]), [1.0])
    with pytest.raises(ValueError, match="values on the grid"):
        fisher.information(Mixture([0.5, 0.5], [0.0, 0.0], [1e-6, 1.0]))
    with pytest.raises(ValueError, match=r"tangent must be within reach of means, it misses by 1"):
        fisher.length_elements(SEMI, {"means": np.eye(6)[:, 2:4]}, COLUMN[0])
    with pytest.raises(ValueError, match=r"three or more points each, got \(2,\)"):
        loglog_slope([1.0, 0.5], [1.0, 0.25])
    with pytest.raises(ValueError, match="gap and value must be positive"):
        loglog_slope([1.0, 0.5, 0.0], [1.0, 0.25, 0.1])
    with pytest.raises(ValueError, match="gap and value must be positive"):
        loglog_slope([1.0, 0.5, 0.2], [1.0, 0.25, 0.0])
