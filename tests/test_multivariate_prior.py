"""The prior in several dimensions: oracles, one dimension, laws of its draws, what is refused."""

from dataclasses import replace

import chance
import numpy as np
import pytest
from scipy import stats

from ordered_mix.data import Data, load_points
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, default_multivariate_prior
from ordered_mix.multivariate.axis import unit_axis
from ordered_mix.multivariate.covariances import KINDS, factors, free_coordinates, free_shape
from ordered_mix.multivariate.reference import draw, log_density, log_density_factors
from ordered_mix.parameterization import reference
from ordered_mix.prior import Prior, default_prior

FAMILIES = ("inverse_gamma", "adaptive")
both = pytest.mark.parametrize("family", FAMILIES)
kinds = pytest.mark.parametrize("kind", KINDS)


def prior_of(kind, family="inverse_gamma", d=3):
    scale = [0.7] * d if kind == "spherical" else [0.5, 0.9, 1.4][:d]
    return MultivariatePrior([0.3] * d, [1.5] * d, scale, 2.0, family, kind)


def free_of(kind, k, d, seed=0):
    return np.random.default_rng(seed).normal(0.0, 0.4, free_shape(kind, k, d))


def covariances(kind, free, k, d):
    root = factors(kind, free, k, d)
    return root @ np.swapaxes(root, -1, -2)


@kinds
@pytest.mark.parametrize("d", [1, 2, 3])
def test_free_coordinates_lead_back(kind, d):
    free = np.random.default_rng(1).normal(size=(4, *free_shape(kind, 3, d)))
    root = factors(kind, free, 3, d)
    assert root.shape == (4, 3, d, d)
    np.testing.assert_allclose(free_coordinates(kind, root), free, atol=1e-14)


def log_jacobian(kind, free, k, d):
    """Log |d(free entries of the covariances) / d(free coordinates)| by differences."""
    lower = np.tril_indices(d)
    if kind in ("diagonal", "spherical"):
        lower = tuple(np.arange(free.shape[1]) for _ in range(2))

    def entries(x):
        full = covariances(kind, x.reshape(free.shape), k, d)[: free.shape[0]]
        return full[:, lower[0], lower[1]].ravel()

    step, at = 1e-6, free.ravel()
    columns = [
        (entries(at + step * e) - entries(at - step * e)) / (2 * step) for e in np.eye(at.size)
    ]
    return np.linalg.slogdet(np.array(columns))[1]


def log_density_given(kind, covariance, beta):
    """Of the covariances, from scipy's distributions."""
    d = covariance.shape[-1]
    if kind in ("full", "tied"):
        law = stats.invwishart(d + 3, 2 * np.diag(beta))
        one = covariance[:1] if kind == "tied" else covariance
        return sum(float(law.logpdf(value)) for value in one)
    variances = np.diagonal(covariance, axis1=-2, axis2=-1)
    if kind == "spherical":
        variances = variances[:, :1]
    return float(stats.invgamma(2.0, scale=beta[: variances.shape[1]]).logpdf(variances).sum())


@kinds
@pytest.mark.parametrize("d", [1, 2, 3])
def test_density_of_the_fixed_prior_is_that_of_scipy(kind, d):
    prior, k = prior_of(kind, d=d), 2
    free = free_of(kind, k, d)
    covariance = covariances(kind, free, k, d)
    expected = log_density_given(kind, covariance, np.square(prior.scale))
    expected += log_jacobian(kind, free, k, d)
    found = log_density_factors(prior, factors(kind, free, k, d))
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    w, mu = np.array([0.3, 0.7]), np.random.default_rng(2).normal(size=(k, d))
    whole = log_density(prior, Mixture(w, mu, covariance=covariance))
    expected += stats.norm(0.3, 1.5).logpdf(mu).sum() + stats.dirichlet([2.0, 2.0]).logpdf(w)
    np.testing.assert_allclose(whole, expected, rtol=1e-7)


@kinds
@pytest.mark.parametrize("k", [1, 2, 3])
def test_density_of_the_adaptive_prior_is_the_mean_over_beta(kind, k):
    """Quadrature over the logs of both betas, of which each has its own."""
    prior, d = prior_of(kind, "adaptive", 2), 2
    free = free_of(kind, k, d, seed=k)
    covariance = covariances(kind, free, k, d)
    grid = np.linspace(-10, 6, 49)
    rates = stats.invgamma(0.5, scale=prior.b0)
    many = [grid] * prior.b0.size
    logs = np.stack(np.meshgrid(*many, indexing="ij"), axis=-1).reshape(-1, prior.b0.size)
    beta = np.exp(logs)
    weight = rates.logpdf(beta).sum(axis=1) + logs.sum(axis=1)
    full = np.broadcast_to(beta, (len(beta), d))
    values = [log_density_given(kind, covariance, one) for one in full]
    step = (grid[1] - grid[0]) ** prior.b0.size
    exact = np.logaddexp.reduce(np.array(values) + weight) + np.log(step)
    found = log_density_factors(prior, factors(kind, free, k, d))
    np.testing.assert_allclose(found - log_jacobian(kind, free, k, d), exact, rtol=1e-7)


@both
def test_one_dimension_is_the_prior_of_one_dimension(family):
    rng = np.random.default_rng(3)
    for kind in ("full", "diagonal", "spherical"):
        own = Prior(0.3, 1.5, 0.7, 2.0, family)
        prior = MultivariatePrior([0.3], [1.5], [0.7], 2.0, family, kind)
        w, mu, sigma = rng.dirichlet([1, 1, 1], 5), rng.normal(size=(5, 3)), rng.gamma(1, 1, (5, 3))
        expected = reference.log_density(own, Mixture(w, mu, sigma)) + np.log(sigma).sum(axis=-1)
        found = log_density(
            prior, Mixture(w, mu[..., None], covariance=sigma[..., None, None] ** 2)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-11)


@both
def test_extreme_covariances_have_finite_densities(family):
    prior = prior_of("full", family)
    for size in (1e-100, 1e-6, 1e6, 1e100):
        assert np.isfinite(log_density_factors(prior, size * np.eye(3) * np.ones((4, 1, 1))))


@kinds
@pytest.mark.chance
def test_diagonal_entries_of_drawn_covariances_are_inverse_gamma(kind):
    prior = prior_of(kind)
    drawn = draw(prior, 2, 20_000, chance.rng(1))
    for at, scale in enumerate(prior.scale):
        law = stats.invgamma(2.0, scale=scale**2)
        values = drawn.covariance[:, 1, at, at]
        assert stats.kstest(values, law.cdf).pvalue > chance.alpha(12)


@kinds
@pytest.mark.chance
def test_diagonal_entries_of_the_adaptive_prior_are_ratios_of_gammas(kind):
    """InverseGamma(2, beta) with beta ~ InverseGamma(1/2, b0): b0 / v is Gamma(1/2) Gamma(2)."""
    prior = prior_of(kind, "adaptive")
    drawn = draw(prior, 2, 20_000, chance.rng(2)).covariance[:, 0]
    b0 = np.square(prior.scale) / 100

    grid = np.linspace(-40, 6, 4001)
    gamma, step = np.exp(grid), grid[1] - grid[0]

    def law(v, own):
        """Probability below v, by the trapezoid rule in the log of the first gamma."""
        above = stats.gamma(2.0).sf(own / (v * gamma))
        return step * np.sum(above * stats.gamma(0.5).pdf(gamma) * gamma)

    for at in range(3):
        for cut in b0[at] * np.array([0.3, 3.0, 100.0]):
            below = int(np.sum(drawn[:, at, at] < cut))
            assert chance.proportion(below, 20_000, law(cut, b0[at]), 36)


@both
@kinds
@pytest.mark.chance
def test_draws_are_distributed_as_the_density_says(kind, family):
    """The mean over draws of q / p is 1, for a narrow density q within the support."""
    prior, d, k = prior_of(kind, family, 2), 2, 2
    drawn = draw(prior, k, 40_000, chance.rng(4))
    free = free_coordinates(kind, drawn.root)
    flat = free.reshape(len(free), -1)
    middle, width = np.median(flat, axis=0), 0.5 * np.subtract(*np.quantile(flat, [0.75, 0.25], 0))
    log_q = stats.norm(middle, width).logpdf(flat).sum(axis=1)
    ratio = np.exp(log_q - log_density_factors(prior, drawn.root))
    assert chance.mean_of(ratio, 1.0, 8)
    assert flat.shape[1] == int(np.prod(free_shape(kind, k, d)))


@both
@kinds
def test_affine_priors_have_the_density_of_affine_mixtures(kind, family):
    prior = prior_of(kind, family)
    scale = np.array([2.0, 2.0, 2.0] if kind == "spherical" else [2.0, 0.1, 7.0])
    location = np.array([1.0, -2.0, 0.5])
    mixture = draw(prior, 2, 4, np.random.default_rng(5))
    moved = prior.affine(location, scale)
    shift = log_density(moved, mixture.affine(location, scale)) - log_density(prior, mixture)
    # below the diagonal L_ij is multiplied by scale_i, and each mean by scale
    matrices = free_shape(kind, 2, 3)[0] if kind in ("full", "tied") else 0
    expected = -2 * np.log(scale).sum() - matrices * (np.log(scale) @ [0, 1, 2])
    np.testing.assert_allclose(shift, expected, rtol=1e-8)


def test_isotropic_full_and_spherical_priors_do_not_change_under_rotation():
    rotation = stats.special_ortho_group(3).rvs(random_state=1)
    for kind in ("full", "tied", "spherical"):
        prior = MultivariatePrior([0.0] * 3, [2.0] * 3, [0.6] * 3, 2.0, "inverse_gamma", kind)
        mixture = draw(prior, 2, 6, np.random.default_rng(7))
        turned = Mixture(
            mixture.w,
            mixture.mu @ rotation.T,
            covariance=rotation @ mixture.covariance @ rotation.T,
        )

        def of_covariances(one, prior=prior):
            """Density by the entries of the covariances, of which a rotation keeps the volume."""
            logs = np.log(np.diagonal(one.root, axis1=-2, axis2=-1))
            free = 1 if prior.covariance == "tied" else 2
            powers = np.arange(4, 1, -1) if prior.covariance != "spherical" else np.zeros(3)
            return log_density(prior, one) - np.sum(logs[..., :free, :] * powers, axis=(-1, -2))

        np.testing.assert_allclose(of_covariances(turned), of_covariances(mixture), rtol=1e-9)


@pytest.mark.parametrize("kind", ["adaptive", "fixed"])
def test_default_prior_is_that_of_one_dimension_in_every_coordinate(kind):
    data = load_points("iris")
    prior = default_multivariate_prior(data, kind)
    for at in range(4):
        own = default_prior(Data(data.y[:, at]), kind)
        assert (prior.location[at], prior.spread[at]) == (own.location, own.spread)
        assert prior.scale[at] == own.scale and prior.scale_family == own.scale_family
    spherical = default_multivariate_prior(data, kind, covariance="spherical")
    assert len(set(spherical.scale)) == 1


def test_number_of_free_parameters():
    counts = {kind: prior_of(kind).free_parameters(2) for kind in KINDS}
    assert counts == {"full": 19, "diagonal": 13, "spherical": 9, "tied": 13}


def test_axes_are_unit_vectors():
    assert unit_axis(1, 3).tolist() == [0, 1, 0]
    np.testing.assert_allclose(unit_axis([3.0, 4.0], 2), [0.6, 0.8])


@pytest.mark.parametrize("axis", [3, -1, [0.0, 0.0, 0.0], [1.0, 2.0], "x", [np.nan, 1.0, 1.0]])
def test_what_is_no_axis_is_refused(axis):
    with pytest.raises(ValueError, match="axis must be a coordinate from 0 to 2 or a direction"):
        unit_axis(axis, 3)


def test_sorting_along_a_direction_carries_all_parameters_along():
    mixture = draw(prior_of("full"), 3, 4, np.random.default_rng(8))
    axis = np.array([1.0, -2.0, 0.5])
    ascending = mixture.sorted(axis)
    assert np.all(np.diff(ascending.mu @ axis) >= 0)
    y = np.random.default_rng(9).normal(size=(7, 3))
    np.testing.assert_allclose(ascending.log_density(y), mixture.log_density(y), rtol=1e-12)
    np.testing.assert_allclose(ascending.total_covariance(), mixture.total_covariance())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: replace(prior_of("full"), covariance="diag"), "covariance must be one of full"),
        (lambda: replace(prior_of("full"), scale=(1.0, -1.0, 1.0)), "scale of the prior must be"),
        (lambda: replace(prior_of("full"), spread=(1.0,)), "spread of the prior must hold 3"),
        (lambda: replace(prior_of("full"), concentration=0.0), "concentration of the prior"),
        (lambda: replace(prior_of("full"), scale_family="half_normal"), "scale_family must be"),
        (lambda: prior_of("spherical").affine(0.0, [1, 2, 3]), "same in every coordinate"),
        (lambda: default_multivariate_prior(load_points("iris"), "half-normal"), "prior must be"),
        (
            lambda: default_multivariate_prior(Data.of_points(np.eye(4).reshape(2, 4, 2))),
            "data must be one sample, got a batch",
        ),
    ],
)
def test_bad_priors_are_named_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
