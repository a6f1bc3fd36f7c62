"""The one loop of all estimators: batched runs, an active set, stopping rules, thinned traces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.record import Record
from ordered_mix.estimators.loop.state import Algorithm, Codes, Failure, Index, Layout, State
from ordered_mix.estimators.loop.stop import RULES, Stop

Array = NDArray[np.float64]


def iterate(algorithm: Algorithm, problem: Layout, stop: Stop, snapshots: int = 200) -> Fit:
    """Run an algorithm until every run of the batch has met a rule or failed.

    Finished runs leave the batch, so they cost no further passes.

    Parameters
    ----------
    algorithm : Algorithm
    problem : Problem, or the like in several dimensions
    stop : Stop
    snapshots : int
        Most snapshots a trace may hold; when it is full every other one is dropped.

    Returns
    -------
    Fit
    """
    runs = np.arange(problem.size)
    state = algorithm.begin()
    record = Record(algorithm, problem.size, state, snapshots)
    codes = np.zeros(problem.size, dtype=np.int8)
    failures = np.zeros(problem.size, dtype=np.int8)
    iteration = 0
    rules = _rules(algorithm, problem, stop, runs, state, None)
    while runs.size:
        ended = (rules > 0) | (state.failure > 0)
        if ended.any():
            codes[runs[ended]] = rules[ended]
            failures[runs[ended]] = state.failure[ended]
            last = _complete(problem, runs[ended], state.select(ended))
            record.update(iteration, runs[ended], last)
            runs, state = runs[~ended], state.select(~ended)
            if not runs.size:
                break
        record.take(iteration, runs, state)
        following = algorithm.step(iteration, runs, state)
        iteration += 1
        settled = iteration > algorithm.settle
        rules = _rules(algorithm, problem, stop, runs, following, state if settled else None)
        state = following
    return record.fit(problem, _statuses(failures, codes), np.array(RULES)[codes])


def _rules(
    algorithm: Algorithm,
    problem: Layout,
    stop: Stop,
    runs: Index,
    state: State,
    previous: State | None,
) -> Codes:
    code = np.zeros(runs.size, dtype=np.int8)
    code[state.passes >= stop.passes] = 4
    if stop.gradient > 0:
        code[algorithm.gradient_norm(runs, state) <= stop.gradient] = 3
    if previous is not None:
        if stop.parameters > 0:
            code[_movement(problem, state, previous) <= stop.parameters] = 2
        if stop.log_likelihood > 0:
            rounding = 4 * np.finfo(float).eps * np.abs(state.objective)
            change = np.abs(state.objective - previous.objective)
            code[change <= np.maximum(stop.log_likelihood, rounding)] = 1
    code[state.failure > 0] = 0
    return code


def _complete(problem: Layout, runs: Index, state: State) -> State:
    """Evaluate the log likelihood of runs whose last pass did not contain it."""
    if not np.isnan(state.log_likelihood).any():
        return state
    moments = problem.moments(runs, state.w, state.mu, state.sigma)
    return state._replace(log_likelihood=moments.log_likelihood, passes=state.passes + 1)


def _movement(problem: Layout, state: State, previous: State) -> Array:
    """Largest change of a mean or scale in units of the scale, or of a weight."""
    old, new = problem.widths(previous.sigma), problem.widths(state.sigma)
    steps = ((state.mu - previous.mu) / old, (new - old) / old, state.w - previous.w)
    return np.max([np.abs(step).reshape(len(step), -1).max(axis=1) for step in steps], axis=0)


def _statuses(failures: Codes, codes: Codes) -> NDArray[np.str_]:
    ends = np.where(codes == 4, "budget_exhausted", "converged")
    words = np.array([failure.name.lower() for failure in Failure])
    return np.where(failures > 0, words[failures], ends)
