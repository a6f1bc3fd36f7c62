"""The record of a batch of runs: thinned snapshots, and the last state of every run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.fit import Fit, Trace
from ordered_mix.estimators.loop.state import Algorithm, Index, Layout, State

TRACE_NUMBERS = 1_000_000
"""Most numbers a trace may hold, about 8 MB."""


class Record:
    """Last state of every run, and snapshots of it at a stride that doubles when full."""

    def __init__(self, algorithm: Algorithm, size: int, state: State, snapshots: int) -> None:
        self.algorithm = algorithm
        self.size = size
        self.extra_names = tuple(algorithm.extra(np.arange(size), state))
        width = sum(int(np.prod(value.shape[1:])) for value in state[:3])
        width += 5 + len(self.extra_names)
        self.capacity = max(2, min(snapshots, TRACE_NUMBERS // (width * max(1, size))))
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
