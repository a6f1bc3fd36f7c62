"""The one loop of all estimators: batched runs, an active set, stopping rules, thinned traces."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators._fit import Fit, Trace

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Codes = NDArray[np.int8]

TRACE_NUMBERS = 4_000_000


class Failure(IntEnum):
    """Why a step of a run failed; the lower-case name is the status."""

    NONE = 0
    VARIANCE_COLLAPSED = 1
    COMPONENT_EMPTIED = 2
    LEFT_DOMAIN = 3
    NO_ASCENT = 4
    SINGULAR_INFORMATION = 5


RULES = ("", "log_likelihood", "parameters", "gradient", "passes")


@dataclass(frozen=True)
class Stop:
    """Stopping rules; the first one met ends a run, 0 switches a rule off.

    Parameters
    ----------
    log_likelihood : float
        Change of the (total) log likelihood, or of the objective, from one iteration to the next.
        Never tighter than the rounding of the log likelihood itself.
    parameters : float
        Largest change of a mean or a scale in units of the scale, or of a weight.
    gradient : float
        Norm of the gradient of the objective for one unit of weight.
    passes : int
        Budget of passes over the data for each run.

    Raises
    ------
    ValueError
        If a tolerance is negative or the budget is below 1.
    """

    log_likelihood: float = 1e-9
    parameters: float = 0.0
    gradient: float = 0.0
    passes: int = 10_000

    def __post_init__(self) -> None:
        for name in ("log_likelihood", "parameters", "gradient"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.passes < 1:
            raise ValueError(f"passes must be at least 1, got {self.passes}")


class State(NamedTuple):
    """What the next step of a batch of runs needs; every array leads with the run.

    Arrays are never changed in place once they are in a state.
    """

    w: Array
    mu: Array
    sigma: Array
    log_likelihood: Array
    objective: Array
    passes: Index
    failure: Codes
    memory: tuple[Array, ...] = ()

    def select(self, which: Index | NDArray[np.bool_]) -> State:
        """The state of some of the runs."""
        arrays: dict[str, Any] = {name: getattr(self, name)[which] for name in self._fields[:-1]}
        return self._replace(**arrays, memory=tuple(value[which] for value in self.memory))


class Layout(Protocol):
    """What the loop asks of a batch of runs over data in working units."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Batch shape of the runs."""

    @property
    def size(self) -> int:
        """Number of runs."""

    @property
    def log_scale(self) -> Array:
        """Log likelihood in working units less that in the units of the data, (runs,)."""

    def moments(self, runs: Index, w: Array, mu: Array, sigma: Array) -> Any:
        """One pass for each of these runs; its first field is ``log_likelihood``."""

    def widths(self, sigma: Array) -> Array:
        """Standard deviations that go with each mean."""

    def restore(self, w: Array, mu: Array, sigma: Array) -> Any:
        """Mixtures in the units of the data."""


class Algorithm(Protocol):
    """What the loop asks of an estimator, in working units."""

    settle: int
    """Iterations before the stopping rules apply."""

    def begin(self) -> State:
        """Evaluate all starts."""

    def step(self, iteration: int, runs: Index, state: State) -> State:
        """Advance these runs and evaluate them; a failed run keeps its state and tells why."""

    def gradient_norm(self, runs: Index, state: State) -> Array:
        """Norm of the gradient of the objective, shape (runs,)."""

    def extra(self, runs: Index, state: State) -> dict[str, Array]:
        """Further columns of the trace, each (runs,)."""


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
    record = _Record(algorithm, problem.size, state, snapshots)
    codes = np.zeros(problem.size, dtype=np.int8)
    failures = np.zeros(problem.size, dtype=np.int8)
    iteration = 0
    rules = _rules(algorithm, problem, stop, runs, state, None)
    while True:
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


class _Record:
    """Last state of every run, and snapshots of it at a stride that doubles when full."""

    def __init__(self, algorithm: Algorithm, size: int, state: State, snapshots: int) -> None:
        self.algorithm = algorithm
        self.size = size
        self.extra_names = tuple(algorithm.extra(np.arange(size), state))
        width = sum(value[0].size for value in state[:3]) + 5 + len(self.extra_names)
        self.capacity = max(2, min(snapshots, TRACE_NUMBERS // (width * size)))
        self.stride = 1
        self.last: list[NDArray[Any]] = [np.empty_like(value) for value in state[:6]]
        self.last += [np.zeros(size, dtype=np.int64)]
        self.last += [np.empty(size) for _ in range(1 + len(self.extra_names))]
        self.snapshots: list[list[NDArray[Any]]] = []

    def update(self, iteration: int, runs: Index, state: State) -> None:
        """Keep the state of these runs."""
        for last, value in zip(self.last, self._values(iteration, runs, state), strict=True):
            last[runs] = value

    def _values(self, iteration: int, runs: Index, state: State) -> list[NDArray[Any]]:
        extra = self.algorithm.extra(runs, state)
        gradient_norm = self.algorithm.gradient_norm(runs, state)
        iterations = np.broadcast_to(np.int64(iteration), runs.shape)
        return [*state[:6], iterations, gradient_norm, *extra.values()]

    def take(self, iteration: int, runs: Index, state: State) -> None:
        if iteration % self.stride:
            return
        if len(self.snapshots) == self.capacity:
            self.snapshots = self.snapshots[::2]
            self.stride *= 2
            if iteration % self.stride:
                return
        if runs.size == self.size:
            # Every step makes new arrays, so those of a state can be kept as they are.
            self.snapshots.append(self._values(iteration, runs, state))
            return
        self.update(iteration, runs, state)
        self.snapshots.append([value.copy() for value in self.last])

    def fit(self, problem: Layout, status: NDArray[np.str_], rule: NDArray[np.str_]) -> Fit:
        columns = [np.stack(values) for values in zip(*self.snapshots, self.last, strict=True)]
        w, mu, sigma, log_likelihood, objective, passes, iteration, gradient_norm, *extra = columns
        shift = problem.log_scale
        batch = (len(w), *problem.shape)
        log_likelihood = (log_likelihood - shift).reshape(batch)
        trace = Trace(
            iteration=iteration.reshape(batch),
            passes=passes.reshape(batch),
            mixture=problem.restore(w, mu, sigma),
            log_likelihood=log_likelihood,
            objective=(objective - shift).reshape(batch),
            gradient_norm=gradient_norm.reshape(batch),
            extra={n: v.reshape(batch) for n, v in zip(self.extra_names, extra, strict=True)},
        )
        return Fit(
            mixture=problem.restore(w[-1], mu[-1], sigma[-1]),
            log_likelihood=log_likelihood[-1],
            status=status.reshape(problem.shape),
            passes=trace.passes[-1],
            trace=trace,
            rule=rule.reshape(problem.shape),
        )
