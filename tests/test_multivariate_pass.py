"""The pass in several dimensions: oracles, gradients, one dimension, batches, weights."""

import mpmath
import numpy as np
import pytest
from scipy import stats

from ordered_mix.mixture import Mixture
from ordered_mix.passes import kernels
from ordered_mix.passes.multivariate_pass import log_density, white_pass


def problem(d, k, n=40, seed=0, batch=()):
    """Points, weights, means and Cholesky factors of a random mixture."""
    rng = np.random.default_rng(seed)
    w = rng.dirichlet(np.full(k, 3.0), batch)
    mu = rng.normal(size=(*batch, k, d))
    root = np.tril(rng.normal(0.0, 0.4, (*batch, k, d, d)), -1)
    root = root + np.exp(rng.normal(0.0, 0.3, (*batch, k, d, 1))) * np.eye(d)
    return rng.normal(size=(n, d)), w, mu, root


def covariance(root):
    return root @ np.swapaxes(root, -1, -2)


@pytest.mark.parametrize(("d", "k"), [(1, 1), (1, 3), (2, 2), (3, 1), (5, 3), (9, 2)])
@pytest.mark.parametrize("n", [1, 511, 513])
def test_log_likelihood_and_moments_are_those_of_scipy(d, k, n):
    y, w, mu, root = problem(d, k, n)
    weight = np.random.default_rng(1).gamma(1.0, size=n)
    terms = np.stack(
        [
            np.log(w[j]) + stats.multivariate_normal.logpdf(y, mu[j], covariance(root[j]))
            for j in range(k)
        ]
    ).reshape(k, n)
    density = np.logaddexp.reduce(terms, axis=0)
    r = weight * np.exp(terms - density)
    z = np.stack([np.linalg.solve(root[j], (y - mu[j]).T) for j in range(k)])
    found = white_pass(y, w, mu, root, weight)
    np.testing.assert_allclose(found.log_likelihood, np.sum(weight * density), rtol=1e-12)
    np.testing.assert_allclose(found.s0, r.sum(axis=1), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.z1, np.einsum("kn,kin->ki", r, z), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(
        found.z2, np.einsum("kn,kin,kjn->kij", r, z, z), rtol=1e-9, atol=1e-10
    )
    np.testing.assert_allclose(log_density(y, w, mu, root), density, rtol=1e-12, atol=1e-12)


def test_one_dimension_is_the_pass_of_one_dimension():
    y, w, mu, root = problem(1, 3, 1000)
    sigma = root[:, 0, 0]
    own = kernels.e_step(y[:, 0], w, mu[:, 0], sigma)
    found = white_pass(y, w, mu, root)
    np.testing.assert_allclose(found.log_likelihood, own.log_likelihood, rtol=1e-12)
    np.testing.assert_allclose(found.s0, own.s0, rtol=1e-12)
    np.testing.assert_allclose(sigma * found.z1[:, 0], own.s1, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(sigma**2 * found.z2[:, 0, 0], own.s2, rtol=1e-12)
    dw, dmu, droot = found.scores(w, root)
    np.testing.assert_allclose(dw, own.s0 / w, rtol=1e-12)
    np.testing.assert_allclose(dmu[:, 0], own.s1 / sigma**2, rtol=1e-12, atol=1e-10)
    expected = own.s2 / sigma**3 - own.s0 / sigma
    np.testing.assert_allclose(droot[:, 0, 0], expected, rtol=1e-12, atol=1e-10)


def exact(y, w, mu, root):
    """Log likelihood in 40 digits."""
    with mpmath.workdps(40):
        total = mpmath.mpf(0)
        for point in y:
            density = mpmath.mpf(0)
            for weight, mean, factor in zip(w, mu, root, strict=True):
                lower = mpmath.matrix(factor.tolist())
                z = mpmath.lu_solve(lower, mpmath.matrix((point - mean).tolist()))
                log_det = sum(mpmath.log(lower[i, i]) for i in range(len(mean)))
                constant = len(mean) * mpmath.log(2 * mpmath.pi) / 2 + log_det
                square = sum(value**2 for value in z)
                density += mpmath.mpf(float(weight)) * mpmath.exp(-square / 2 - constant)
            total += mpmath.log(density)
        return total


@pytest.mark.parametrize("distance", [0.0, 30.0])
def test_gradient_is_that_of_forty_digits(distance):
    y, w, mu, root = problem(3, 2, 5)
    y[0] += distance
    found = white_pass(y, w, mu, root)
    np.testing.assert_allclose(found.log_likelihood, float(exact(y, w, mu, root)), rtol=1e-13)
    scores = found.scores(w, root)
    step = 1e-6
    for at, (value, slope) in enumerate(zip((w, mu, root), scores, strict=True)):
        for index in np.ndindex(value.shape):
            if at == 2 and index[2] > index[1]:
                assert slope[index] == 0.0
                continue
            ends = []
            for sign in (1, -1):
                moved = [w.copy(), mu.copy(), root.copy()]
                moved[at][index] += sign * step
                ends.append(exact(y, *moved))
            difference = float((ends[0] - ends[1]) / (2 * step))
            np.testing.assert_allclose(slope[index], difference, rtol=1e-6, atol=1e-7)


def test_batches_of_sets_and_mixtures_are_done_one_by_one():
    _, w, mu, root = problem(2, 3, batch=(4, 1))
    y = np.random.default_rng(2).normal(size=(5, 30, 2))
    weight = np.random.default_rng(3).gamma(1.0, size=(5, 30))
    found = white_pass(y, w, mu, root, weight)
    assert found.log_likelihood.shape == (4, 5) and found.z2.shape == (4, 5, 3, 2, 2)
    for i, j in np.ndindex(4, 5):
        own = white_pass(y[j], w[i, 0], mu[i, 0], root[i, 0], weight[j])
        for many, one in zip(found, own, strict=True):
            np.testing.assert_array_equal(many[i, j], one)


def test_weights_are_repetitions_and_none_counts_once():
    y, w, mu, root = problem(3, 2, 12)
    counts = np.arange(12)
    repeated = white_pass(np.repeat(y, counts, axis=0), w, mu, root)
    for one, other in zip(white_pass(y, w, mu, root, counts), repeated, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)
    for one, other in zip(
        white_pass(y, w, mu, root), white_pass(y, w, mu, root, np.ones(12)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_component_without_weight_has_no_part():
    y, w, mu, root = problem(2, 3)
    w = np.array([0.4, 0.0, 0.6])
    found = white_pass(y, w, mu, root)
    own = white_pass(y, w[[0, 2]], mu[[0, 2]], root[[0, 2]])
    assert found.s0[1] == 0.0
    np.testing.assert_allclose(found.log_likelihood, own.log_likelihood, rtol=1e-14)


def test_log_densities_of_batches_are_those_of_the_mixture():
    y, w, mu, root = problem(3, 2, 700, batch=(2, 3))
    mixture = Mixture(w, mu, covariance=covariance(root))
    np.testing.assert_allclose(
        log_density(y, w, mu, root), mixture.log_density(y), rtol=1e-11, atol=1e-11
    )


def test_shapes_that_differ_are_refused():
    y, w, mu, root = problem(3, 2)
    with pytest.raises(ValueError, match="must agree in dimensions and components"):
        white_pass(y[:, :2], w, mu, root)
    with pytest.raises(ValueError, match="must agree in dimensions and components"):
        white_pass(y, w, mu, root[:1])
