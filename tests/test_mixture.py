"""The mixture as a value: density, responsibilities, samples, relabelling, affine maps, batches."""

import chance
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from ordered_mix.mixture import SORT_KEYS, Mixture

BATCH = Mixture(
    np.array([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]]),
    np.array([[1.0, -2.0, 0.5], [3.0, 3.0, -1.0]]),
    np.array([[0.5, 1.0, 2.0], [0.1, 0.2, 0.3]]),
)


@st.composite
def mixtures(draw, largest=4):
    k = draw(st.integers(1, largest))
    counts = draw(st.lists(st.floats(0.01, 1.0), min_size=k, max_size=k))
    mu = draw(st.lists(st.floats(-10, 10), min_size=k, max_size=k))
    sigma = draw(st.lists(st.floats(0.1, 5.0), min_size=k, max_size=k))
    return Mixture(np.array(counts) / sum(counts), mu, sigma)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(mixtures())
def test_the_density_integrates_to_one_and_is_the_sum_of_normals(mixture):
    grid = np.linspace(-80, 80, 40_001)
    density = mixture.density(grid)
    np.testing.assert_allclose(integrate.trapezoid(density, grid), 1, rtol=1e-9)
    expected = sum(
        w * stats.norm.pdf(grid, mu, sigma)
        for w, mu, sigma in zip(mixture.w, mixture.mu, mixture.sigma, strict=True)
    )
    np.testing.assert_allclose(density, expected, rtol=1e-12, atol=1e-300)


def test_the_log_density_is_right_where_the_density_underflows():
    mixture, y = Mixture([0.25, 0.75], [0.0, 3.0], [1e-2, 2.0]), [1e4, -500.0, 0.001]
    mpmath.mp.dps = 40
    for point, value in zip(y, mixture.log_density(y), strict=True):
        terms = [
            mpmath.mpf(w) * mpmath.npdf(point, mu, sigma)
            for w, mu, sigma in ((0.25, 0.0, 1e-2), (0.75, 3.0, 2.0))
        ]
        np.testing.assert_allclose(value, float(mpmath.log(mpmath.fsum(terms))), rtol=1e-14)


def test_points_and_components_at_the_ends_of_the_doubles_give_no_nan():
    mixture = Mixture([0.5, 0.5], [-1e308, 1e308], [1e-300, 1e300])
    y = np.array([-1.7e308, -1e308, 0.0, 1.7e308])
    assert np.all(np.isfinite(mixture.log_density(y)))
    np.testing.assert_allclose(mixture.responsibilities(y).sum(axis=-1), 1)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(mixtures(), st.floats(-20, 20))
def test_responsibilities_follow_bayes(mixture, y):
    r = mixture.responsibilities([y])[0]
    joint = mixture.w * stats.norm.pdf(y, mixture.mu, mixture.sigma)
    np.testing.assert_allclose(r.sum(), 1, rtol=1e-14)
    np.testing.assert_allclose(r * joint.sum(), joint, rtol=1e-9, atol=1e-300)


def test_components_of_weight_zero_take_nothing():
    r = BATCH.responsibilities([-1.0, 0.0])
    assert np.all(r[1, :, 2] == 0)
    assert np.all(np.isfinite(BATCH.log_density([1e6])))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(mixtures(), st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_affine_maps_change_variables(mixture, shift, scale):
    y = np.linspace(-12, 12, 7)
    moved = mixture.affine(scale * shift, scale)
    expected = mixture.log_density(y) - np.log(scale)
    np.testing.assert_allclose(moved.log_density(scale * (shift + y)), expected, atol=1e-5)
    np.testing.assert_allclose(moved.mean(), scale * (shift + mixture.mean()), rtol=1e-9)
    np.testing.assert_allclose(moved.sd(), scale * mixture.sd(), rtol=1e-6)


def test_mean_and_sd_are_the_moments():
    for mixture in (BATCH[0], BATCH[1], Mixture([1.0], [2.0], [3.0])):
        y = np.linspace(-60, 60, 240_001)
        density = mixture.density(y)
        mean = integrate.trapezoid(y * density, y)
        np.testing.assert_allclose(mixture.mean(), mean, rtol=1e-9)
        variance = integrate.trapezoid((y - mean) ** 2 * density, y)
        np.testing.assert_allclose(mixture.sd(), np.sqrt(variance), rtol=1e-9)
    np.testing.assert_allclose(BATCH[0].affine(0.0, 1e200).sd(), 1e200 * BATCH[0].sd())


@pytest.mark.chance
def test_samples_follow_the_mixture_and_the_seed():
    sample = BATCH.sample(5000, chance.rng(0))
    assert sample.shape == (2, 5000)
    np.testing.assert_array_equal(sample, BATCH.sample(5000, chance.rng(0)))
    for row in range(2):
        mixture = BATCH[row]

        def distribution(y, mixture=mixture):
            return stats.norm.cdf((y[:, None] - mixture.mu) / mixture.sigma) @ mixture.w

        assert stats.kstest(sample[row], distribution).pvalue > chance.alpha(2)


@pytest.mark.parametrize("key", SORT_KEYS)
def test_sorting_sorts_one_parameter_and_carries_the_others_along(key):
    ascending = BATCH.sorted(key)
    assert np.all(np.diff(getattr(ascending, key)) >= 0)
    y = np.linspace(-5, 5, 11)
    np.testing.assert_allclose(ascending.density(y), BATCH.density(y), rtol=1e-13)
    for row in range(2):
        before = set(zip(BATCH.w[row], BATCH.mu[row], BATCH.sigma[row], strict=True))
        assert before == set(
            zip(ascending.w[row], ascending.mu[row], ascending.sigma[row], strict=True)
        )
    again = ascending.sorted(key)
    np.testing.assert_array_equal(again.mu, ascending.mu)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(mixtures(), st.randoms(use_true_random=False))
def test_sorting_undoes_every_relabelling(mixture, random):
    permutation = list(range(mixture.k))
    random.shuffle(permutation)
    relabelled = mixture.permute(permutation)
    np.testing.assert_array_equal(relabelled.mu, mixture.mu[permutation])
    np.testing.assert_array_equal(relabelled.sorted().mu, mixture.sorted().mu)


def test_equal_means_keep_their_order_when_sorted():
    assert BATCH[1].order().tolist() == [2, 0, 1]


def test_batches_are_selected_stacked_and_reshaped():
    assert (BATCH.k, BATCH.batch_shape, BATCH[0].batch_shape) == (3, (2,), ())
    stacked = Mixture.stack([BATCH, BATCH.sorted(), BATCH.sorted("w")])
    assert stacked.batch_shape == (3, 2)
    np.testing.assert_array_equal(stacked[1].mu, BATCH.sorted().mu)
    np.testing.assert_array_equal(stacked[1, 0].sigma, BATCH.sorted()[0].sigma)
    np.testing.assert_array_equal(stacked[:, 1].w, stacked.w[:, 1])
    np.testing.assert_array_equal(stacked[np.array([True, False, True])].mu, stacked.mu[::2])
    np.testing.assert_array_equal(stacked[..., 0].mu, stacked.mu[:, 0])
    assert stacked.reshape(-1).batch_shape == (6,)
    assert stacked.reshape(2, 3).batch_shape == (2, 3)


def test_batch_axes_lead_every_result():
    y = np.linspace(-1, 1, 5)
    stacked = Mixture.stack([BATCH] * 4)
    assert stacked.log_components(y).shape == (4, 2, 5, 3)
    assert stacked.responsibilities(y).shape == (4, 2, 5, 3)
    assert stacked.density(y).shape == (4, 2, 5)
    assert stacked.mean().shape == stacked.sd().shape == (4, 2)
    assert stacked.affine(np.zeros(2), np.ones(2)).batch_shape == (4, 2)
    np.testing.assert_array_equal(stacked.density(y)[3, 1], BATCH[1].density(y))


def test_parameters_broadcast_to_one_shape():
    mixture = Mixture([0.5, 0.5], np.zeros((4, 1, 2)), np.ones((3, 1)))
    assert mixture.batch_shape == (4, 3)
    assert mixture.w.shape == mixture.mu.shape == mixture.sigma.shape == (4, 3, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5, 0.6], [0, 1], [1, 1]), r"w must hold non-negative weights .*, got \[0.5, 0.6\]"),
        (([-0.5, 1.5], [0, 1], [1, 1]), r"w must hold non-negative weights .*, got \[-0.5, 1.5\]"),
        (([0.5, 0.5], [0, np.nan], [1, 1]), "mu must be finite, but 1 of its values are not"),
        (([0.5, 0.5], [0, 1], [1, np.inf]), "sigma must be finite, but 1 of its values are not"),
        (([0.5, 0.5], [0, 1], [1, 0.0]), "sigma must be positive, but 1 of its values are not"),
        (([0.5, 0.5], [0, 1], [1, -2.0]), "the first is -2.0"),
        (([np.nan, 0.5], [0, 1], [1, 1]), "w must be finite"),
        (([], [], []), "w must hold non-negative weights that add up to 1"),
    ],
)
def test_what_is_no_mixture_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Mixture(*arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BATCH.sorted("size"), "by must be one of mu, sigma, w, got 'size'"),
        (lambda: BATCH.permute([0, 0, 1]), "permutation must hold each of 0 to 2 once"),
        (lambda: BATCH.affine(0.0, 0.0), "scale must be positive, got"),
        (lambda: BATCH.affine(0.0, -1.0), "scale must be positive, got"),
        (lambda: BATCH.density(0.0), r"y must have shape \(n,\), got \(\)"),
        (lambda: BATCH.density(np.zeros((2, 2))), r"y must have shape \(n,\), got \(2, 2\)"),
        (lambda: Mixture.stack([]), "mixtures must hold at least one mixture"),
        (lambda: Mixture([0.5, 0.5], [0, 1, 2], [1, 1]), "shape mismatch"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_single_mixture_has_no_batch_axis():
    with pytest.raises(IndexError, match="a single mixture has no batch axis"):
        BATCH[0][0]


def test_representations_show_a_single_mixture_and_the_shape_of_a_batch():
    assert repr(Mixture([1.0], [2.0], [3.0])) == "Mixture(w=[1], mu=[2], sigma=[3])"
    assert repr(BATCH) == "Mixture(k=3, batch_shape=(2,))"


def test_numbers_are_the_case_of_one_column():
    y, rng = np.linspace(-3, 3, 7), np.random.default_rng(0)
    points = Mixture(BATCH.w, BATCH.mu[..., None], covariance=BATCH.covariance)
    assert (points.k, points.d, points.batch_shape) == (BATCH.k, BATCH.d, BATCH.batch_shape)
    assert points.event_shape == (1,) and BATCH.event_shape == ()
    np.testing.assert_allclose(points.sigma[..., 0], BATCH.sigma, rtol=1e-15)
    np.testing.assert_allclose(points.root, BATCH.root, rtol=1e-15)
    with np.errstate(invalid="ignore"):
        expected, found = BATCH.log_components(y), points.log_components(y[:, None])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(points.density(y[:, None]), BATCH.density(y), rtol=1e-12)
    np.testing.assert_allclose(points.mean()[..., 0], BATCH.mean(), rtol=1e-14)
    np.testing.assert_allclose(points.sd()[..., 0], BATCH.sd(), rtol=1e-14)
    np.testing.assert_allclose(points.total_covariance(), BATCH.total_covariance(), rtol=1e-14)
    for by in ("mu", "w"):
        np.testing.assert_array_equal(points.order(by), BATCH.order(by))
    np.testing.assert_array_equal(points[0].order([-1.0]), BATCH[0].order()[::-1])
    stacked = Mixture.stack([points, points.affine(1.0, 2.0)])
    np.testing.assert_allclose(stacked[1].sigma[..., 0], BATCH.affine(1.0, 2.0).sigma, rtol=1e-14)
    assert stacked.reshape(4)[3].sample(5, rng).shape == (5, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "sigma or covariance must be given, and not both of them"),
        ({"sigma": [1.0], "covariance": np.eye(1)}, "sigma or covariance must be given, and not"),
        ({"mu": [0.0], "covariance": np.eye(1)}, r"mu must have shape \(..., k, d\) beside"),
        ({"covariance": [[1.0, 2.0], [0.0, 1.0]]}, "covariance must be symmetric and positive"),
        ({"covariance": [[1.0, 2.0], [2.0, 1.0]]}, "covariance must be symmetric and positive"),
        ({"covariance": [[1.0, 0.0], [0.0, np.inf]]}, "covariance must be finite, but 1 of its"),
        ({"w": [0.5], "covariance": np.eye(2)}, "w must hold non-negative weights that add up"),
    ],
)
def test_bad_parameters_of_points_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        Mixture(**({"w": [1.0], "mu": [[0.0, 0.0]]} | given))


def test_points_are_refused_where_numbers_are_meant():
    points = Mixture([1.0], [[0.0, 0.0]], covariance=np.eye(2))
    with pytest.raises(ValueError, match=r"y must have shape \(n, 2\), got \(3,\)"):
        points.log_density(np.zeros(3))
    with pytest.raises(ValueError, match="sample needs a single mixture"):
        points.reshape(1).sample(3, np.random.default_rng(0))
    with pytest.raises(ValueError, match="axis must be a coordinate from 0 to 1"):
        points.sorted("sigma")
    with pytest.raises(ValueError, match="mixtures must have means of one shape"):
        Mixture.stack([points, points.reshape(1)])
    with pytest.raises(AttributeError, match="a mixture is a value"):
        points.w = np.ones(1)
