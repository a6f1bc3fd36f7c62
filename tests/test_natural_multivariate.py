"""Natural gradient in several dimensions: an information with known values, paths, maxima."""

import numpy as np
import pytest

from ordered_mix.data import Data
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.coordinates import coordinates_of
from ordered_mix.estimators.loop.metric_multivariate import information, nodes
from ordered_mix.estimators.loop.problem import problem_of
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.natural import NaturalGradient
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.parameterization import catalog
from ordered_mix.passes.multivariate_pass import white_pass
from ordered_mix.prior import Prior
from ordered_mix.theory import fisher

STATED = {2: 0.04, 4: 0.07, 8: 0.13}
TRUTH = Mixture(
    [0.4, 0.6],
    [[-1.5, 0.0], [1.5, 2.0]],
    covariance=[[[0.6, 0.2], [0.2, 0.5]], [[1.0, -0.3], [-0.3, 0.8]]],
)
DATA = Data.of_points(TRUTH.sample(200, np.random.default_rng(3)))


def model(label="unordered", covariance="full", k=2, d=2, axis=(1.0, 2.0)):
    prior = MultivariatePrior([0.2] * d, [3.0] * d, [0.8] * d, covariance=covariance)
    return catalog.parameterization(label, k, prior, axis=axis[:d])


def information_in(one, mixture, kind="unconstrained", data=DATA):
    system = coordinates_of(one, problem_of(one, data, mixture), kind)
    run = np.arange(1)
    return system.information(run, system.evaluate(run, system.start()))[0]


def relative(found, exact):
    size = np.sqrt(np.diag(exact))
    return np.abs((found - exact) / np.outer(size, size)).max()


@pytest.mark.parametrize("d", [1, 2, 3, 8])
def test_nodes_have_the_moments_of_a_normal_distribution(d):
    z, share = nodes(d)
    assert share.min() > 0 and z.shape == (4096, d)
    np.testing.assert_allclose(share.sum(), 1, atol=1e-12)
    np.testing.assert_allclose(share @ z, 0, atol=1e-12)
    np.testing.assert_allclose((z * share[:, None]).T @ z, np.eye(d), atol=1e-12)
    products = (z[:, :, None] * z[:, None]).reshape(len(z), -1)
    fourth = ((products * share[:, None]).T @ products).reshape([d] * 4)
    one = np.eye(d)
    isserlis = sum(np.einsum(f"{pair},{rest}->abcd", one, one)
                   for pair, rest in (("ab", "cd"), ("ac", "bd"), ("ad", "bc")))  # fmt: skip
    np.testing.assert_allclose(fourth, isserlis, atol=1e-11)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_one_component_has_the_information_of_a_normal_distribution(d):
    """Inverse covariance for the mean, and ``tr(S^-1 dS S^-1 dS) / 2`` for the covariance."""
    rng = np.random.default_rng(d)
    covariance = np.cov(rng.normal(size=(d, 4 * d))).reshape(d, d)
    one = model(k=1, d=d, axis=(1.0, 0.0, 0.0, 0.0, 0.0))
    mixture = Mixture([1.0], rng.normal(size=(1, d)), covariance=covariance[None])
    data = Data.of_points(mixture.sample(50, rng))
    z = one.unconstrain(mixture)
    moved = [one.forward(z + sign * 1e-6 * np.eye(z.size)) for sign in (1, -1)]
    dmu = (moved[0].mu - moved[1].mu)[:, 0] / 2e-6
    change = np.linalg.solve(covariance, (moved[0].covariance - moved[1].covariance)[:, 0] / 2e-6)
    exact = dmu @ np.linalg.solve(covariance, dmu.T)
    exact += 0.5 * np.einsum("aij,bji->ab", change, change)
    assert relative(information_in(one, mixture, data=data), exact) < 1e-7


@pytest.mark.parametrize(
    "pair",
    [
        Mixture([0.3, 0.7], [0.0, 1.0], [0.5, 1.0]),
        Mixture([0.5, 0.5], [-1.0, 1.0], [1.0, 1.0]),
        Mixture([0.2, 0.8], [0.0, 6.0], [1.0, 2.0]),
    ],
)
def test_a_mixture_that_factorises_has_the_information_of_one_dimension(pair):
    """The second coordinate is the same in both components and independent of the first."""
    width = 0.7
    covariance = np.stack([np.diag([sigma**2, width**2]) for sigma in pair.sigma])
    mu = np.column_stack([pair.mu, [0.3, 0.3]])
    found = information(pair.w[None], mu[None], np.linalg.cholesky(covariance)[None])[0]
    # features of each component: r / w, r z1, r z2, r (z1^2 - 1), r z1 z2, r (z2^2 - 1)
    own = fisher.information(pair)
    scale = np.concatenate([[1, 1], pair.sigma, pair.sigma])
    own = own * np.outer(scale, scale)
    first = np.array([0, 6, 1, 7, 3, 9])
    assert relative(found[np.ix_(first, first)], own) < STATED[2]
    both = own[:2, :2] * np.outer(pair.w, pair.w)
    assert relative(found[np.ix_([2, 8], [2, 8])], both) < STATED[2]
    assert relative(found[np.ix_([5, 11], [5, 11])], 2 * both) < STATED[2]
    assert np.abs(found[np.ix_(first, [2, 8])]).max() < STATED[2] * np.abs(found).max()


@pytest.mark.parametrize("d", [2, 4, 8])
@pytest.mark.parametrize("k", [2, 3])
def test_the_rule_keeps_its_stated_error(d, k):
    """Against plain means of scores over 65,536 other points; the mean of 1 is one of them."""
    rng = np.random.default_rng([d, k])
    mixture = Mixture(
        rng.dirichlet(np.full(k, 5.0)),
        rng.normal(size=(k, d)) * 1.5 / np.sqrt(d),
        covariance=np.stack([np.cov(rng.normal(size=(d, 2 * d + 1))) for _ in range(k)]),
    )
    one = model(k=k, d=d, axis=(1.0,) + (0.0,) * (d - 1))
    found = information_in(one, mixture, data=Data.of_points(mixture.sample(50, rng)))
    y = mixture.sample(65_536, rng)
    exact = scores_by_points(one, mixture, y)
    # of the reference itself: fourth moments of a normal score have a relative error of .02
    assert relative(found, exact) < STATED[d] + 0.05
    assert np.linalg.eigvalsh(found)[0] > 0


def scores_by_points(one, mixture, y):
    """Mean outer product of scores in unconstrained coordinates, from one pass a point."""
    z = one.unconstrain(mixture)
    total = np.zeros((z.size, z.size))
    for block in np.array_split(y, 64):
        at = np.tile(z, (len(block), 1))
        w, mu, root = one.parameters(at)
        moments = white_pass(block[:, None], w, mu, root)
        scores = one.pullback(at, root, *moments.scores(w, root))
        total += scores.T @ scores
    return total / len(y)


@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical", "tied"])
def test_the_information_turns_with_the_coordinates(covariance):
    """Exactly, as there is one rule for the mixture: J^T I J between any two coordinates."""
    prior = model(covariance=covariance).prior
    start = Mixture(TRUTH.w, TRUTH.mu, covariance=0.7 * np.eye(2))
    base = model(covariance=covariance)
    first = information_in(base, start)
    for label, kind in (("relative", "unconstrained"), ("signed", "free"), ("centred", "free")):
        other = catalog.parameterization(label, 2, prior, axis=(1.0, 2.0))
        found = information_in(other, start, kind)
        x = other.coordinates(start) if kind == "free" else other.unconstrain(start)
        moved = x + 1e-6 * np.concatenate([np.eye(x.size), -np.eye(x.size)])
        z = other.unconstrain_free(moved) if kind == "free" else moved
        ends = np.split(base.unconstrain(other.forward(z).sorted(base.direction)), 2)
        jacobian = ((ends[0] - ends[1]) / 2e-6).T
        assert relative(found, jacobian.T @ first @ jacobian) < 1e-6
        assert np.linalg.eigvalsh(found)[0] > 0


def test_the_information_turns_with_the_points_to_the_stated_error():
    angle = 0.6
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = Mixture(
        TRUTH.w, TRUTH.mu @ rotation.T, covariance=rotation @ TRUTH.covariance @ rotation.T
    )
    there = Data.of_points(DATA.y @ rotation.T)
    first, other = information_in(model(), TRUTH), information_in(model(), turned, data=there)
    base = model()
    z, back = base.unconstrain(turned), []
    for unit in np.eye(z.size):
        ends = [base.forward(z + sign * 1e-6 * unit) for sign in (1, -1)]
        ends = [base.unconstrain(Mixture(one.w, one.mu @ rotation,
                covariance=rotation.T @ one.covariance @ rotation)) for one in ends]  # fmt: skip
        back.append((ends[0] - ends[1]) / 2e-6)
    jacobian = np.array(back).T
    assert relative(other, jacobian.T @ first @ jacobian) < 2 * STATED[2]


@pytest.mark.parametrize("coordinates", ["free", "unconstrained"])
def test_line_search_reaches_the_maximum_in_few_passes(coordinates):
    start = Mixture([0.5, 0.5], [[-1.0, 0.5], [1.0, 1.5]], covariance=np.eye(2))
    fit = NaturalGradient(coordinates=coordinates).fit(model("relative"), DATA, start)
    assert fit.converged and fit.passes <= 25
    best = EM(stop=Stop(log_likelihood=1e-12)).fit(model(), DATA, start)
    np.testing.assert_allclose(fit.log_likelihood, best.log_likelihood, rtol=0, atol=1e-6)
    assert np.all(np.diff(fit.trace.objective) >= 0)
    assert np.isfinite(fit.trace.extra["condition_number"]).all()


def test_paths_agree_in_coordinates_that_depend_linearly_on_each_other():
    start = Mixture([0.5, 0.5], [[-1.0, 0.5], [1.0, 1.5]], covariance=np.eye(2))
    climb = NaturalGradient(step=0.5, stop=Stop(0.0, passes=10))
    paths = [climb.fit(model(label), DATA, start).trace.mixture.mu
             for label in ("unordered", "relative", "centred")]  # fmt: skip
    for path in paths[1:]:
        np.testing.assert_allclose(path, paths[0], atol=1e-8)


def test_one_dimension_takes_the_path_of_one_dimension_to_the_stated_error():
    y = DATA.y[:, 0]
    start = Mixture([0.5, 0.5], [-1.5, 1.5], [0.7, 0.8])
    climb = NaturalGradient(step=0.5, stop=Stop(0.0, passes=6))
    there = Mixture(start.w, start.mu[:, None], covariance=start.sigma[:, None, None] ** 2)
    several = model("relative", d=1)
    one = catalog.parameterization("relative", 2, Prior(0.2, 3.0, 0.8))
    path = climb.fit(one, Data(y), start).trace.mixture
    other = climb.fit(several, Data.of_points(y[:, None]), there).trace.mixture
    np.testing.assert_allclose(other.mu[..., 0], path.mu, atol=0.01)
    np.testing.assert_allclose(np.sqrt(other.covariance[..., 0, 0]), path.sigma, atol=0.01)


def test_a_singular_information_is_a_status_and_damping_goes_on():
    start = Mixture([0.5, 0.5], [[0.3, 1.0], [0.3, 1.0]], covariance=2 * np.eye(2))
    fit = NaturalGradient().fit(model(), DATA, start)
    assert fit.status == "singular_information" and np.isfinite(fit.log_likelihood)
    nearly = Mixture([0.5, 0.5], [[0.3, 1.0], [0.31, 1.01]], covariance=2 * np.eye(2))
    damped = NaturalGradient(damping=0.1).fit(model(), DATA, nearly)
    best = EM().fit(model(), DATA, TRUTH)
    assert damped.converged
    np.testing.assert_allclose(damped.log_likelihood, best.log_likelihood, atol=1e-3)
