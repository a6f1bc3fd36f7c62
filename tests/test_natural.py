"""Natural gradient: known informations and rates, invariance, damping, condition numbers."""

import numpy as np
import pytest

from ordered_mix.data import Data, load, population, simulate
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.metric import information
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.natural import NaturalGradient
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.theory import fisher

KNOWN = Prior(known_w=(0.5, 0.5), known_sigma=1.0)


def pair(gap, middle=0.0):
    return Mixture([0.5, 0.5], [middle - gap / 2, middle + gap / 2], [1.0, 1.0])


def system(name, prior=KNOWN, **options):
    return catalog.parameterization(name, 2, prior, **options)


@pytest.mark.parametrize(
    ("mixture", "tolerance"),
    [
        (Mixture([0.5, 0.5], [-0.05, 0.05], [1.0, 1.0]), 1e-12),
        (Mixture([0.3, 0.7], [0.0, 20.0], [1.0, 1.0]), 1e-12),
        (Mixture([0.3, 0.7], [0.0, 1.0], [0.1, 1.0]), 1e-9),
        (Mixture([0.2, 0.3, 0.5], [0.0, 1.0, 5.0], [0.2, 1.0, 3.0]), 1e-7),
        (Mixture([0.01, 0.99], [0.0, 1.0], [0.01, 1.0]), 0.02),
    ],
)
def test_the_metric_is_the_fisher_information(mixture, tolerance):
    exact = fisher.information(mixture)
    quick = information(mixture.w[None], mixture.mu[None], mixture.sigma[None])[0]
    size = np.sqrt(np.diag(exact))
    np.testing.assert_allclose((quick - exact) / np.outer(size, size), 0, atol=tolerance)


def climb(name, **fields):
    stop = Stop(log_likelihood=0, passes=101)
    ascent = NaturalGradient(step=0.02, stop=stop, **fields)
    truth = population(Mixture([1.0], [0.0], [1.0]))
    return ascent.fit(system(name), truth, pair(0.1)).trace


@pytest.mark.parametrize("name", ["unordered", "relative", "signed", "resolved"])
def test_the_gap_falls_exponentially_in_every_coordinate_system(name):
    gap = np.diff(climb(name).mixture.mu, axis=-1)[:, 0]
    rate = (np.log(gap[100]) - np.log(gap[0])) / (100 * 0.02)
    np.testing.assert_allclose(rate, -0.5, rtol=0.02)


def test_condition_numbers_are_the_known_ones():
    conditions = {
        "unordered": 2 / 0.01,
        "relative": 12.5 / 0.01,
        "signed": 8 / 0.01,
        "resolved": 32,
    }
    for name, expected in conditions.items():
        measured = climb(name).extra["condition_number"][0]
        np.testing.assert_allclose(measured, expected, rtol=0.01)


def test_paths_agree_in_coordinates_that_depend_linearly_on_each_other():
    data = simulate(pair(2.0), 150, seed=0)
    paths = [
        NaturalGradient(step=0.5, stop=Stop(0.0, passes=15))
        .fit(system(name), data, pair(1.0))
        .trace
        for name in ("unordered", "relative", "centred")
    ]
    for path in paths[1:]:
        np.testing.assert_allclose(path.mixture.mu, paths[0].mixture.mu, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "coordinates"),
    [("unordered", "free"), ("relative", "unconstrained"), ("moment", "unconstrained")],
)
def test_line_search_reaches_the_maximum_in_few_passes(name, coordinates):
    data, start = load("faithful:waiting"), Mixture([0.5, 0.5], [50.0, 85.0], [8.0, 8.0])
    prior = Prior().affine(float(data.location), float(data.scale))
    fit = NaturalGradient(coordinates=coordinates).fit(system(name, prior), data, start)
    assert fit.converged and fit.passes <= 20
    best = EM(stop=Stop(log_likelihood=1e-12)).fit(system("unordered", Prior()), data, start)
    np.testing.assert_allclose(fit.log_likelihood, best.log_likelihood, rtol=0, atol=1e-6)


def test_neither_the_unit_nor_the_offset_of_the_data_matters():
    data, start = load("faithful:waiting"), Mixture([0.5, 0.5], [50.0, 85.0], [8.0, 8.0])
    one = NaturalGradient().fit(system("relative", Prior()), data, start)
    moved = Data(1e-9 * data.y + 1e-6)
    other = NaturalGradient().fit(system("relative", Prior()), moved, start.affine(1e-6, 1e-9))
    assert one.passes == other.passes
    np.testing.assert_allclose((other.mixture.mu - 1e-6) / 1e-9, one.mixture.mu, rtol=1e-6)


def test_a_singular_information_is_a_status_and_damping_goes_on():
    data = simulate(pair(3.0), 300, seed=1)
    start = Mixture([0.5, 0.5], [0.3, 0.3], [1.0, 1.0])
    fit = NaturalGradient().fit(system("unordered"), data, start)
    assert fit.status == "singular_information"
    assert np.isfinite(fit.log_likelihood)
    assert fit.trace.extra["condition_number"][0] > 1e14
    nearly = Mixture([0.5, 0.5], [0.3 - 1e-4, 0.3 + 1e-4], [1.0, 1.0])
    damped = NaturalGradient(damping=0.1).fit(system("unordered"), data, nearly)
    assert damped.converged
    np.testing.assert_allclose(np.diff(damped.mixture.mu), 3.0, atol=0.4)


def test_the_objective_never_decreases_with_a_line_search():
    rng = np.random.default_rng(0)
    y = np.stack([simulate(pair(2.0), 60, seed=seed).y for seed in range(20)])
    starts = Mixture(rng.dirichlet([3, 3], 20), rng.normal(0, 1, (20, 2)), np.ones(2)).sorted()
    fit = NaturalGradient(damping=1e-3, stop=Stop(passes=60)).fit(
        system("relative", Prior()), Data(y), starts
    )
    assert np.all(np.diff(fit.trace.objective, axis=0) >= 0)
    assert np.all(np.isfinite(fit.log_likelihood))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": -1.0}, "step must be positive and finite or a name, got -1.0"),
        ({"step": "largest_stable"}, "step must be one of line_search, got 'largest_stable'"),
        ({"damping": -0.1}, "damping must be at least 0 and finite, got -0.1"),
        ({"coordinates": "z"}, "coordinates must be one of free, unconstrained, got 'z'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        NaturalGradient(**arguments)


@pytest.mark.parametrize("name", ["unordered", "relative", "resolved"])
def test_runaway_starts_end_with_a_status(name):
    truth = Mixture([0.5, 0.5], [-0.5, 0.5], [1.0, 1.0])
    samples = np.stack([simulate(truth, 200, seed).y for seed in range(10)])
    rng = np.random.default_rng(0)
    location, scale = samples.mean(axis=1)[:, None, None], samples.std(axis=1)[:, None, None]
    starts = Mixture(
        rng.dirichlet([5, 5], (10, 8)),
        location + 1.5 * scale * rng.standard_normal((10, 8, 2)),
        scale * np.exp(0.3 * rng.standard_normal((10, 8, 2)) - 0.5),
    )
    climb = NaturalGradient(coordinates="unconstrained", damping=1e-3, stop=Stop(passes=40))
    fit = climb.fit(system(name, Prior()), Data(samples[:, None]), starts)
    assert np.isfinite(fit.log_likelihood).all()
    assert "variance_collapsed" in fit.status and "converged" in fit.status
