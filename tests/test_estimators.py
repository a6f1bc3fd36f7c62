"""One conformance test for every file of the folder of estimators: contract and laws."""

import inspect
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from ordered_mix.compare.comparison import Settings
from ordered_mix.data import Data
from ordered_mix.estimators.loop.estimator import Estimator
from ordered_mix.estimators.loop.fit import ADVICE, Fit
from ordered_mix.estimators.loop.problem import Problem
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.optima.multistart import MultiStart
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import Prior

NAMES = catalog.names("estimator")
EVERY = pytest.mark.parametrize("name", NAMES)
COORDINATES = pytest.mark.parametrize("coordinates", ["unordered", "relative"])
TRUTH = Mixture([0.4, 0.6], [-1.5, 1.5], [0.8, 1.0])
PRIOR = Prior(0.0, 3.0, 1.0)
DATA = Data(TRUTH.sample(150, np.random.default_rng(3)))
STARTS = Mixture([0.5, 0.5], [[-2.0, 1.0], [-0.5, 2.5], [-1.0, 1.0]], [1.0, 1.0])
STOP = Stop(log_likelihood=1e-11, gradient=1e-7, passes=3000)


def build(name, **options):
    return catalog.estimator(name, stop=STOP, **options)


def model(coordinates="relative", k=2, prior=PRIOR):
    return catalog.parameterization(coordinates, k, prior)


def parameters(mixture):
    return np.concatenate([mixture.w, mixture.mu, mixture.sigma], axis=-1)


def test_the_folder_is_the_registry():
    assert {"ecm", "em", "gradient", "map", "natural"} <= set(NAMES)
    assert "loop" not in NAMES
    with pytest.raises(ValueError, match=r"estimator must be one of .*, got 'emm', did you mean"):
        catalog.estimator("emm")
    with pytest.raises(ValueError, match=r"options of em must be among .*, got colour"):
        catalog.estimator("em(colour=1)")
    assert catalog.estimator("gradient(step=0.25)").step == 0.25


@EVERY
def test_it_is_a_frozen_dataclass_whose_repr_is_its_identity(name):
    estimator = build(name)
    kind = type(estimator)
    assert (
        is_dataclass(kind) and kind.__dataclass_params__.frozen and isinstance(estimator, Estimator)
    )
    assert list(inspect.signature(kind.fit).parameters) == [
        "self", "parameterization", "data", "starts",
    ]  # fmt: skip
    assert {"stop", "snapshots"} <= {one.name for one in fields(kind)}
    same, other = build(name), build(name, snapshots=3)
    assert estimator == same and repr(estimator) == repr(same) and hash(estimator) == hash(same)
    assert estimator != other and repr(estimator) != repr(other)
    assert eval(repr(estimator), {kind.__name__: kind, "Stop": Stop}) == estimator


@EVERY
@COORDINATES
def test_batches_broadcast_and_their_runs_are_those_of_single_fits(name, coordinates):
    estimator, found = build(name), model(coordinates)
    y = np.stack([DATA.y, TRUTH.sample(150, np.random.default_rng(4))])
    fit = estimator.fit(found, Data(y[:, None]), STARTS)
    assert isinstance(fit, Fit)
    shapes = {value.shape for value in (fit.status, fit.passes, fit.log_likelihood, fit.objective)}
    assert shapes == {(2, 3)} and fit.mixture.batch_shape == (2, 3)
    for at in np.ndindex(2, 3):
        single = estimator.fit(found, Data(y[at[0]]), STARTS[at[1]])
        assert single.status.shape == () and single.status == fit.status[at]
        np.testing.assert_allclose(
            parameters(single.mixture), parameters(fit.mixture[at]), rtol=0, atol=1e-5
        )
        np.testing.assert_allclose(single.log_likelihood, fit.log_likelihood[at], atol=1e-6)


@EVERY
@COORDINATES
def test_trace_and_statuses_tell_how_a_run_went(name, coordinates):
    fit = build(name).fit(model(coordinates), DATA, STARTS)
    assert set(np.unique(fit.status)) <= set(ADVICE)
    assert fit.converged.all()
    trace = fit.trace
    np.testing.assert_array_equal(trace.passes[-1], fit.passes)
    np.testing.assert_array_equal(trace.mixture.mu[-1], fit.mixture.mu)
    assert np.all(np.diff(trace.passes, axis=0) >= 0) and np.all(trace.passes >= 1)
    assert np.all(np.diff(trace.objective, axis=0) >= -1e-9 * np.abs(trace.objective[1:]))
    direct = fit.mixture.log_density(DATA.y).sum(axis=-1)
    np.testing.assert_allclose(fit.log_likelihood, direct, rtol=1e-9)
    assert (
        len(replace(build(name), snapshots=3).fit(model(coordinates), DATA, STARTS).trace.passes)
        <= 4
    )


@EVERY
@COORDINATES
def test_every_pass_is_counted(name, coordinates, monkeypatch):
    counted = []
    moments, density = Problem.moments, Parameterization.log_posterior

    def counting_moments(self, runs, *rest):
        counted.append(runs.size)
        return moments(self, runs, *rest)

    def counting_density(self, z, *rest):
        counted.append(len(z))
        return density(self, z, *rest)

    monkeypatch.setattr(Problem, "moments", counting_moments)
    monkeypatch.setattr(Parameterization, "log_posterior", counting_density)
    fit = build(name).fit(model(coordinates), DATA, STARTS)
    assert sum(counted) == fit.passes.sum()


@EVERY
def test_a_budget_of_passes_ends_a_run(name):
    tight = replace(build(name), stop=Stop(log_likelihood=0.0, passes=3))
    fit = tight.fit(model(), DATA, Mixture([0.9, 0.1], [-4.0, 0.0], [2.0, 0.5]))
    assert fit.status == "budget_exhausted" and fit.rule == "passes"


@EVERY
@COORDINATES
def test_another_unit_of_the_data_moves_the_fit_with_them(name, coordinates):
    location, scale = -40.0, 250.0
    found = model(coordinates)
    here = build(name).fit(found, DATA, STARTS)
    there = build(name).fit(
        found.affine(location, scale),
        Data(location + scale * DATA.y),
        STARTS.affine(location, scale),
    )
    back = there.mixture.affine(-location / scale, 1 / scale)
    np.testing.assert_allclose(parameters(back), parameters(here.mixture), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(there.status, here.status)


@EVERY
@COORDINATES
def test_other_labels_at_the_start_make_the_same_mixtures(name, coordinates):
    one, other = (
        build(name).fit(model(coordinates), DATA, starts)
        for starts in (STARTS, STARTS.permute([1, 0]))
    )
    np.testing.assert_allclose(
        parameters(one.mixture.sorted()), parameters(other.mixture.sorted()), rtol=0, atol=1e-4
    )


@EVERY
@COORDINATES
def test_it_goes_on_from_its_own_result(name, coordinates):
    estimator, found = build(name), model(coordinates)
    cut = replace(estimator, stop=Stop(log_likelihood=0.0, passes=6)).fit(found, DATA, STARTS)
    assert not cut.converged.any()
    rest, whole = (estimator.fit(found, DATA, begin) for begin in (cut.mixture, STARTS))
    assert np.all(rest.objective >= cut.objective - 1e-9)
    np.testing.assert_allclose(
        parameters(rest.mixture), parameters(whole.mixture), rtol=0, atol=1e-4
    )
    again = estimator.fit(found, DATA, whole.mixture)
    assert np.all(again.objective >= whole.objective - 1e-9)
    assert again.passes.sum() < whole.passes.sum()


@EVERY
def test_what_the_prior_knows_stays(name):
    known = replace(PRIOR, known_w=(0.5, 0.5), known_sigma=0.9)
    starts = Mixture([0.5, 0.5], STARTS.mu, [0.9, 0.9])
    fit = build(name).fit(model(prior=known), DATA, starts)
    np.testing.assert_allclose(fit.mixture.w, 0.5, rtol=1e-12)
    np.testing.assert_allclose(fit.mixture.sigma, 0.9, rtol=1e-12)
    with pytest.raises(ValueError, match=r"starts must have the sigma that the prior knows, 0\.9"):
        build(name).fit(model(prior=known), DATA, STARTS)


@EVERY
@pytest.mark.parametrize(
    ("data", "starts", "message"),
    [
        (DATA, Mixture([1.0], [0.0], [1.0]), "starts must have 2 components as relative, got 1"),
        (Data(np.ones(9)), STARTS, "must not be constant"),
        (Data(np.arange(28.0).reshape(4, 7)), STARTS, "starts must have a batch shape that"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(name, data, starts, message):
    with pytest.raises(ValueError, match=message) as caught:
        build(name).fit(model(), data, starts)
    assert "\n" not in str(caught.value)


@EVERY
def test_bad_fields_are_refused(name):
    with pytest.raises(ValueError, match="snapshots must be at least 2, got 1"):
        build(name, snapshots=1)


@EVERY
def test_many_starts_work_with_every_estimator(name):
    optima = MultiStart(starts=9, estimator=build(name)).fit(model(), DATA)
    assert optima.starts == 9
    best = MultiStart(starts=9).fit(model("unordered"), DATA)
    atol = 0.2 if name == "map" else 1e-3  # its optimum is another one
    np.testing.assert_allclose(optima.best.mu, best.best.mu, rtol=0, atol=atol)


@EVERY
def test_a_comparison_knows_it(name):
    assert Settings(estimators=(name, "nuts")).estimators == (name, "nuts")
