"""Questions on points in several dimensions: checks with known laws, power scaling, modes."""

import json
from dataclasses import astuple

import chance
import numpy as np
import pytest
from scipy import stats

from ordered_mix.data import Data
from ordered_mix.draws.checks import checks
from ordered_mix.draws.checks_points import (
    DISTANCE,
    checks_of_points,
    squared_distance,
    transforms_of_distance,
)
from ordered_mix.draws.prior_sensitivity import prior_sensitivity
from ordered_mix.draws.prior_sensitivity_points import prior_sensitivity_of_points
from ordered_mix.fitted.agreement import Agreement, did_the_chains_agree
from ordered_mix.fitted.description_points import does_the_mixture_describe_the_points
from ordered_mix.fitted.modes import modes_found
from ordered_mix.fitted.refits import Refits
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.prior import Prior

THREE = Mixture(
    [0.2, 0.3, 0.5], [[0.0, 0.0, 1.0], [2.0, 1.0, 0.0], [-1.0, 3.0, 0.5]],
    covariance=[np.diag([1.0, 0.2, 2.0]), np.full((3, 3), 0.4) + np.diag([0.5, 1.0, 0.3]),
                np.eye(3)],
)  # fmt: skip


def repeated(mixture, chains=2, draws=20):
    return mixture.reshape(1, 1)[np.zeros((chains, draws), int), np.zeros((chains, draws), int)]


def test_of_one_component_the_distance_is_that_of_mahalanobis():
    rng = np.random.default_rng(0)
    covariance = np.cov(rng.normal(size=(3, 9)))
    one = Mixture([1.0], rng.normal(size=(1, 3)), covariance=covariance[None])
    y = rng.normal(size=(7, 3))
    away = y - one.mu[0]
    exact = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
    np.testing.assert_allclose(squared_distance(y, one), exact, rtol=1e-7)


@pytest.mark.chance
def test_distances_are_chi_squared_under_the_mixture():
    y = THREE.sample(20_000, chance.rng(1))
    found = squared_distance(y, THREE)
    assert stats.kstest(found, stats.chi2(3).cdf).pvalue > chance.alpha(2)
    number, below, above = transforms_of_distance(y[:50], THREE.reshape(1))
    np.testing.assert_allclose(below + above, 1, atol=1e-12)
    assert np.all(np.diff(below) >= 0) and sorted(number) == list(range(1, 51))
    assert number[-1] - 1 == np.argmax(found[:50])
    wider = squared_distance(1.1 * y, THREE)
    assert stats.kstest(wider, stats.chi2(3).cdf).pvalue < 1e-6


def test_along_a_column_the_checks_are_those_of_one_dimension():
    rng = np.random.default_rng(2)
    y = THREE.sample(80, rng)
    draws = repeated(THREE)
    found = checks_of_points(y, draws, {"second": np.array([0.0, 1.0, 0.0])})
    own = Mixture(draws.w, draws.mu[..., 1], np.sqrt(draws.covariance[..., 1, 1]))
    one = checks(y[:, 1], own)
    for name in ("ks", "tails", "extreme"):
        np.testing.assert_allclose(
            astuple(found["second"][name]), astuple(getattr(one, name)), rtol=1e-9
        )
    assert set(found) == {"second", DISTANCE}


def looked_at(y, mixture, refitted=None):
    columns = {"x": np.array([1.0, 0.0]), "y": np.array([0.0, 1.0])}
    found = checks_of_points(y, repeated(mixture), columns)
    return does_the_mixture_describe_the_points(found, refitted or {})


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda y: y, "Yes."),
        (lambda y: y * [1.0, 2.0], " along y"),
        (lambda y: np.column_stack([y[:, 0], y[:, 0]]) + 1e-3 * y, "No: points"),
        (lambda y: np.vstack([y, [[5.0, -5.0]]]), "No: "),
    ],
)
def test_the_verdict_says_what_is_missed_and_where(spoil, told):
    """Normal points; a wrong scale; a dependence that no column shows; an outlier."""
    one = Mixture([1.0], [[0.0, 0.0]], covariance=np.eye(2)[None])
    y = stats.norm.ppf((np.arange(200) + 0.5) / 200)
    y = np.column_stack([y, np.random.default_rng(3).permutation(y)])
    verdict = looked_at(spoil(y), one)
    assert told in verdict.answer and verdict.status == ("good" if told == "Yes." else "bad")
    assert verdict.key == "describe" and set(verdict.values) == {"x", "y", DISTANCE, "missed"}
    assert bool(verdict.values["missed"]) == (verdict.status == "bad")
    json.dumps(vars(verdict))


def test_bootstrap_p_values_count_times_the_number_of_looks():
    y = stats.norm.ppf((np.arange(200) + 0.5) / 200)
    y = np.column_stack([y, np.random.default_rng(3).permutation(y)])
    one = Mixture([1.0], [[0.0, 0.0]], covariance=np.eye(2)[None])
    for p, status in ((0.0016, "bad"), (0.0018, "good")):
        assert looked_at(y, one, {"x": Refits(p, 0.5)}).status == status


def test_power_scaling_in_one_dimension_is_that_of_one_dimension():
    rng = np.random.default_rng(4)
    w = rng.dirichlet([5.0, 5.0], (2, 300))
    mu = np.array([-1.0, 1.5]) + 0.3 * rng.normal(size=(2, 300, 2))
    sigma = np.exp(0.2 * rng.normal(size=(2, 300, 2)))
    y = np.concatenate([rng.normal(-1, 1, 20), rng.normal(1.5, 1, 20)])
    for family in ("inverse_gamma", "adaptive"):
        own = prior_sensitivity(
            Mixture(w, mu, sigma), Data(y), Prior(0.2, 3.0, 0.8, scale_family=family), -80.0, -79.0
        ).power_scaling
        several = prior_sensitivity_of_points(
            Mixture(w, mu[..., None], covariance=sigma[..., None, None] ** 2),
            Data.of_points(y[:, None], columns=("x",)),
            MultivariatePrior([0.2], [3.0], [0.8], scale_family=family), -80.0, -79.0,
        )  # fmt: skip
        assert several.below_maximum == 1.0 and several.allowance == 2.5
        found = several.power_scaling
        for name in ("w[1]", "w[2]", "mu[x][1]", "mu[x][2]", "sigma[x][1]", "sigma[x][2]"):
            other = own.loc[name.replace("[x]", "")]
            np.testing.assert_allclose(found.loc[name], other, rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(found.loc["mixture sigma[x]"], own.loc["sd"], rtol=1e-6)


def test_modes_of_points_have_the_weights_of_the_particles():
    """Two places for the second component, with three quarters and a quarter of the mass."""
    rng = np.random.default_rng(5)
    y = np.concatenate([rng.normal(at, 0.5, (30, 2)) for at in ([0, 0], [4, 0], [0, 4])])

    def around(second, shape):
        mu = np.broadcast_to([[0.0, 0.0], second], (*shape, 2, 2))
        mu = mu + 0.05 * rng.normal(size=mu.shape)
        return np.array([0.5, 0.5]) * np.ones((*shape, 2)), mu

    pieces = [
        around(second, shape) for second, shape in (([4.0, 0.1], (1, 200)), ([0.1, 4.0], (1, 200)))
    ]
    chains = Mixture(*(np.concatenate(v) for v in zip(*pieces, strict=True)), covariance=np.eye(2))
    pieces = [
        around(second, shape) for second, shape in (([4.0, 0.1], (4, 300)), ([0.1, 4.0], (4, 100)))
    ]
    joined = (np.concatenate(v, axis=1) for v in zip(*pieces, strict=True))
    particles = Mixture(*joined, covariance=np.eye(2))
    heavy, light = modes_found(y, chains, particles)
    assert heavy.chains == (0,) and light.chains == (1,)
    assert heavy.weight == pytest.approx(0.75, abs=0.02)
    np.testing.assert_allclose(heavy.means, [[0.0, 0.0], [4.0, 0.1]], atol=0.05)
    assert light.means.shape == (2, 2)


def test_words_name_the_sampler_whose_chains_sat_apart():
    bad = Agreement(1.8, 5.0, 5.0, 0, 2, 100, np.zeros(2), np.zeros(2, bool), 0, 0.0)
    good = Agreement(1.001, 900.0, 900.0, 0, 8, 4096, np.zeros(8), np.zeros(8, bool), 0, 0.0)
    verdict = did_the_chains_agree(good, 2, bad, "Gibbs sampling")
    assert verdict.reason.startswith("Chains of Gibbs sampling sat in different modes")
    assert "Chains of NUTS sat" in did_the_chains_agree(good, 2, bad).reason
