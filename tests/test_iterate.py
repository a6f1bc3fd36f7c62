"""The loop of the estimators: stopping rules, the active set, bounded traces, tables, plots."""

import numpy as np
import pytest

from ordered_mix.data import Data, load
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop import problem, record
from ordered_mix.estimators.loop.fit import ADVICE, Fit
from ordered_mix.estimators.loop.state import Failure
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization

UNORDERED = parameterization("unordered", 2)
START = Mixture([0.5, 0.5], [50.0, 85.0], [5.0, 5.0])


def fit(**rules):
    return EM(stop=Stop(**rules)).fit(UNORDERED, load("faithful:waiting"), START)


def test_each_rule_ends_the_run_where_it_says_and_is_recorded():
    full = fit(log_likelihood=0, passes=100).trace
    change = np.abs(np.diff(full.log_likelihood))
    by_likelihood = fit(log_likelihood=1e-4)
    assert by_likelihood.rule == "log_likelihood"
    assert by_likelihood.trace.iteration[-1] == 1 + np.argmax(change <= 1e-4)
    by_gradient = fit(log_likelihood=0, gradient=1e-5)
    assert by_gradient.rule == "gradient"
    assert by_gradient.trace.iteration[-1] == np.argmax(full.gradient_norm <= 1e-5)
    scale = full.mixture.sigma[:-1]
    moves = [np.diff(full.mixture.mu, axis=0) / scale, np.diff(full.mixture.sigma, axis=0) / scale]
    moves = np.max(np.abs([*moves, np.diff(full.mixture.w, axis=0)]), axis=(0, 2))
    by_parameters = fit(log_likelihood=0, parameters=1e-3)
    assert by_parameters.rule == "parameters"
    assert by_parameters.trace.iteration[-1] == 1 + np.argmax(moves <= 1e-3)
    by_budget = fit(log_likelihood=0, passes=7)
    assert (by_budget.status, by_budget.rule, by_budget.passes) == ("budget_exhausted", "passes", 7)


def test_the_gradient_norm_is_that_of_the_log_likelihood():
    mixture, data = fit(log_likelihood=0, passes=3).mixture, load("faithful:waiting")
    step = 1e-6

    def log_likelihood(w, mu, sigma):
        return Mixture(w, mu, sigma).log_density(data.y).sum()

    slopes = []
    for index in range(2):
        unit = step * np.eye(2)[index]
        tilted = [mixture.w * np.exp(sign * unit) for sign in (1, -1)]
        pairs = (
            [
                (mixture.w, mixture.mu + sign * unit * mixture.sigma, mixture.sigma)
                for sign in (1, -1)
            ],
            [(mixture.w, mixture.mu, mixture.sigma * np.exp(sign * unit)) for sign in (1, -1)],
            [(w / w.sum(), mixture.mu, mixture.sigma) for w in tilted],
        )
        for up, down in pairs:
            slopes.append((log_likelihood(*up) - log_likelihood(*down)) / (2 * step) / data.n)
    measured = fit(log_likelihood=0, passes=3).trace.gradient_norm[-1]
    np.testing.assert_allclose(measured, np.linalg.norm(slopes), rtol=1e-6)


def test_finished_runs_leave_the_batch_and_cost_no_passes(monkeypatch):
    asked = []
    kernel = problem.Problem.moments

    def counting(self, runs, *parameters):
        asked.append(len(runs))
        return kernel(self, runs, *parameters)

    monkeypatch.setattr(problem.Problem, "moments", counting)
    starts = Mixture([0.5, 0.5], [[54.6, 80.1], [20.0, 70.0], [69.0, 72.0]], [5.87, 5.87])
    result = EM().fit(UNORDERED, load("faithful:waiting"), starts)
    assert len(set(result.passes.tolist())) == 3
    assert sum(asked) == result.passes.sum()
    assert asked == sorted(asked, reverse=True)


def test_traces_hold_every_iteration_until_they_are_thinned_to_a_doubling_stride():
    every = fit(log_likelihood=0, passes=150).trace
    assert every.iteration.tolist() == [*range(149), 149]
    thin = EM(stop=Stop(log_likelihood=0, passes=1000), snapshots=20).fit(
        UNORDERED, load("faithful:waiting"), START
    )
    assert len(thin.trace.iteration) <= 21
    assert thin.trace.iteration[0] == 0 and thin.trace.iteration[-1] == 999
    assert np.unique(np.diff(thin.trace.iteration[:-1])).tolist() == [64]
    np.testing.assert_array_equal(thin.trace.mixture.mu[-1], thin.mixture.mu)


def test_memory_of_the_trace_of_a_large_batch_is_bounded(monkeypatch):
    monkeypatch.setattr(record, "TRACE_NUMBERS", 10_000)
    starts = Mixture([0.5, 0.5], np.linspace(40, 90, 200).reshape(100, 2), [5.0, 5.0])
    result = EM(stop=Stop(log_likelihood=0, passes=300)).fit(
        UNORDERED, load("faithful:waiting"), starts
    )
    assert result.trace.mixture.mu.size <= 10_000
    assert np.all(result.trace.iteration[-1] == 299)


def test_no_run_is_a_fit_of_none():
    result = EM().fit(UNORDERED, load("faithful:waiting"), START.reshape(1)[:0])
    assert result.mixture.batch_shape == result.status.shape == (0,)
    assert repr(result) == "Fit(Mixture(k=2, batch_shape=(0,)))"


def test_one_pass_evaluates_the_start():
    result = fit(passes=1)
    assert (result.status, result.passes) == ("budget_exhausted", 1)
    expected = START.log_density(load("faithful:waiting").y).sum()
    np.testing.assert_allclose(result.log_likelihood, expected, rtol=1e-12)


def test_table_is_tidy_and_ends_each_run_at_its_own_iteration():
    starts = Mixture([0.5, 0.5], [[54.0, 80.0], [20.0, 70.0]], [5.87, 5.87])
    result = EM().fit(UNORDERED, load("faithful:waiting"), starts)
    table = result.table()
    assert list(table)[:6] == [
        "run",
        "iteration",
        "passes",
        "log_likelihood",
        "objective",
        "gradient_norm",
    ]
    assert list(table)[6:] == ["w[0]", "w[1]", "mu[0]", "mu[1]", "sigma[0]", "sigma[1]"]
    last = table.groupby("run").tail(1)
    np.testing.assert_array_equal(last["passes"], result.passes)
    np.testing.assert_array_equal(last["log_likelihood"], result.log_likelihood)
    assert len(table) == result.passes.sum()
    assert not table.isna().any().any()


def test_plot_draws_the_distance_to_the_best_objective_and_every_mean():
    axes = fit().plot().axes
    assert len(axes) == 2 and axes[0].get_yscale() == "log"
    assert len(axes[1].lines) == 2


def test_statuses_have_one_line_of_advice_each():
    names = [name.lower() for name in Failure.__members__ if name != "NONE"]
    assert len(names) == len(set(Failure)) - 1 and set(names) <= set(ADVICE)
    assert all(text.endswith(".") and "\n" not in text for text in ADVICE.values())
    result = fit(log_likelihood=0, passes=2)
    assert str(result.advice).startswith("The pass budget ran out")
    assert "1 budget_exhausted" in repr(result)


def test_a_status_outside_the_vocabulary_is_refused():
    result = fit()
    with pytest.raises(ValueError, match=r"status must be one of converged, .*, got 'fine'"):
        Fit(result.mixture, result.log_likelihood, np.array("fine"), result.passes, result.trace)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"log_likelihood": -1.0}, "log_likelihood must be at least 0, got -1.0"),
        ({"gradient": float("nan")}, "gradient must be at least 0, got nan"),
        ({"passes": 0}, "passes must be at least 1, got 0"),
    ],
)
def test_bad_rules_are_named(rules, message):
    with pytest.raises(ValueError, match=message):
        Stop(**rules)


def test_a_tolerance_below_rounding_still_ends_the_run():
    result = EM(stop=Stop(log_likelihood=1e-300, passes=100_000)).fit(
        UNORDERED, Data(np.tile(load("faithful:waiting").y, 50)), START
    )
    assert result.status == "converged"
