"""Laws of every parameterization in one, two and three dimensions, along any axis."""

import math

import numpy as np
import pytest
from scipy import stats

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, reference
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable
from ordered_mix.prior import Prior

AXES = {1: (0,), 2: (1, (0.6, -0.8)), 3: (0, (1.0, 2.0, -0.5))}


def prior_of(d, kind="full", family="inverse_gamma"):
    scale = [0.7] * d if kind == "spherical" else [0.5, 0.9, 1.4][:d]
    return MultivariatePrior([0.3, -0.2, 0.1][:d], [1.5, 2.0, 0.8][:d], scale, 2.0, family, kind)


def cases():
    """Every model file that applies, at each number of dimensions."""
    for name in catalog.names():
        for d, axes in AXES.items():
            for axis in axes:
                try:
                    yield catalog.parameterization(name, 2, prior_of(d), axis=axis)
                except NotApplicable:
                    continue


CASES = list(cases())
every = pytest.mark.parametrize("one", CASES, ids=lambda one: f"{one.label}-{one.prior.d}")


def points(one, count=3, seed=0):
    return np.random.default_rng(seed).normal(0.0, 0.6, (count, one.dimension))


def test_the_files_of_the_order_apply():
    names = {one.name for one in CASES if one.prior.d == 3}
    assert names >= {"unordered", "ordered", "relative", "centred", "signed"}


@every
def test_coordinates_lead_to_a_mixture_and_back(one):
    z = points(one)
    mixture = one.forward(z)
    np.testing.assert_allclose(one.unconstrain(mixture), z, rtol=1e-8, atol=1e-8)
    assert np.all(np.diff(mixture.mu @ one.direction) > 0) or not one.orders


@every
def test_density_is_that_of_the_reference_prior_times_the_labellings(one):
    z = points(one)
    expected = reference.log_density(one.prior, one.forward(z)) + one.log_det(z)
    expected += math.lgamma(one.k + 1) - math.log(one.labellings)
    np.testing.assert_allclose(one.log_prior(z)[0], expected, rtol=1e-9)


@every
def test_jacobian_is_that_of_differences(one):
    z, step = points(one, 1)[0], 1e-6

    def values(at):
        w, mu, _ = one.parameters(at)
        return np.concatenate([w[:-1], mu.ravel()])

    size = z.size - 2 * one.prior.d * (one.prior.d + 1) // 2
    rows = [(values(z + step * e) - values(z - step * e)) / (2 * step) for e in np.eye(z.size)]
    expected = np.linalg.slogdet(np.array(rows)[:size])[1]
    np.testing.assert_allclose(one.log_det(z), expected, rtol=1e-6, atol=1e-6)


@every
def test_gradient_of_the_posterior_is_that_of_differences(one):
    rng = np.random.default_rng(1)
    data = Data.of_points(rng.normal(size=(9, one.prior.d)), rng.gamma(1.0, size=9))
    z, step = points(one, 2), 1e-6
    _, slope = one.log_posterior(z, data)
    for at, e in enumerate(np.eye(one.dimension)):
        ends = [one.log_posterior(z + sign * step * e, data)[0] for sign in (1, -1)]
        difference = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(slope[:, at], difference, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("kind", ["diagonal", "spherical", "tied"])
@pytest.mark.parametrize("family", ["inverse_gamma", "adaptive"])
@pytest.mark.parametrize("name", ["unordered", "relative"])
def test_every_kind_of_covariance_obeys_the_laws(kind, family, name):
    one = catalog.parameterization(name, 3, prior_of(3, kind, family), axis=(1.0, 2.0, -0.5))
    test_coordinates_lead_to_a_mixture_and_back(one)
    test_density_is_that_of_the_reference_prior_times_the_labellings(one)
    test_gradient_of_the_posterior_is_that_of_differences(one)


@pytest.mark.parametrize("name", ["unordered", "ordered", "relative", "centred", "signed"])
def test_one_dimension_is_the_parameterization_of_one_dimension(name):
    own = catalog.parameterization(name, 3, Prior(0.3, 1.5, 0.5))
    one = catalog.parameterization(name, 3, prior_of(1))
    z = points(one)
    w, mu, root = one.parameters(z)
    there = own.unconstrain(Mixture(w, mu[..., 0], root[..., 0, 0]))
    np.testing.assert_allclose(own.log_prior(there), one.log_prior(z)[0], rtol=1e-9)


@pytest.mark.parametrize("name", ["ordered", "relative", "centred", "signed"])
def test_isotropic_posteriors_do_not_change_when_data_and_axis_are_rotated(name):
    rotation = stats.special_ortho_group(3).rvs(random_state=2)
    prior = MultivariatePrior([0.0] * 3, [2.0] * 3, [0.6] * 3)
    axis = np.array([0.5, 1.0, -1.0])
    one = catalog.parameterization(name, 2, prior, axis=axis)
    other = catalog.parameterization(name, 2, prior, axis=rotation @ axis)
    y = np.random.default_rng(3).normal(size=(12, 3))
    mixture = one.forward(points(one))
    turned = Mixture(
        mixture.w, mixture.mu @ rotation.T, covariance=rotation @ mixture.covariance @ rotation.T
    )
    found = []
    for at, mix, data in ((one, mixture, y), (other, turned, y @ rotation.T)):
        z = at.unconstrain(mix)
        # densities by means and entries of covariances, whose volume a rotation keeps
        logs = np.log(np.diagonal(mix.root, axis1=-2, axis2=-1))
        value = at.log_posterior(z, Data.of_points(data))[0] - at.log_det(z)
        found.append(value - np.sum(logs * [4, 3, 2], axis=(-1, -2)))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)


def test_affine_coordinates_hold_the_same_mixtures():
    location, scale = np.array([1.0, -2.0]), np.array([3.0, 0.2])
    one = catalog.parameterization("relative", 2, prior_of(2), axis=(0.6, -0.8), clearance=0.1)
    moved = one.affine(location, scale)
    mixture = one.forward(points(one))
    there = mixture.affine(location, scale)
    z = moved.unconstrain(there)
    np.testing.assert_allclose(moved.forward(z).mu, there.mu, rtol=1e-10, atol=1e-10)
    assert np.all(moved.sorted(there).mu == there.mu)
    shift = reference.log_density(moved.prior, there) - reference.log_density(one.prior, mixture)
    np.testing.assert_allclose(shift, shift[0])


def test_starts_are_moved_inside_the_domain():
    one = catalog.parameterization("ordered", 3, prior_of(2), axis=1)
    mixture = Mixture(np.ones(3) / 3, [[0, 1.0], [2, 0.0], [1, 0.0]], covariance=np.eye(2))
    z = one.start(mixture)
    assert np.all(np.isfinite(z)) and np.all(np.diff(one.forward(z).mu[:, 1]) > 0)


def test_an_unsorted_mixture_has_the_coordinates_of_the_sorted_one():
    one = catalog.parameterization("ordered", 3, prior_of(3), axis=(1.0, 2.0, -0.5))
    mixture = one.forward(points(one))
    shuffled = mixture.permute([2, 0, 1])
    np.testing.assert_array_equal(one.unconstrain(shuffled), one.unconstrain(mixture))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: catalog.parameterization("ordered", 2, prior_of(2), axis=2), "axis must be a"),
        (lambda: catalog.parameterization("ordered", 1, prior_of(2)), "at least two components"),
        (
            lambda: catalog.parameterization("relative", 2, prior_of(2), order="sigma"),
            "nothing to order by",
        ),
        (
            lambda: catalog.parameterization("unordered", 2, prior_of(2)).unconstrain(
                Mixture([1.0], [[0.0, 0.0]], covariance=np.eye(2))
            ),
            "mixture must have 2 components in 2 dimensions, it has 1 in 2",
        ),
        (
            lambda: catalog.parameterization("unordered", 1, prior_of(2, "diagonal")).unconstrain(
                Mixture([1.0], [[0.0, 0.0]], covariance=[[1.0, 0.5], [0.5, 1.0]])
            ),
            "covariance of the mixture must be diagonal",
        ),
        (
            lambda: catalog.parameterization("ordered", 2, prior_of(2)).unconstrain(
                Mixture([0.5, 0.5], [[1.0, 0.0], [1.0, 1.0]], covariance=np.eye(2))
            ),
            "inside the domain",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
