"""One run of a serial optimiser: what it evaluated, what it accepted, and why it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize

from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Array


class Path(NamedTuple):
    """What one run visited, snapshot by snapshot, in unconstrained coordinates."""

    points: Array
    objective: Array
    gradient_norm: Array
    iteration: NDArray[np.int64]
    passes: NDArray[np.int64]
    status: str
    rule: str


class Evaluation(NamedTuple):
    asked: Array
    point: Array
    height: float
    gradient: Array


class Run:
    """All evaluations of one climb, and which of them the optimiser accepted, at which cost."""

    def __init__(self, evaluate: Callable[[Array], tuple[Array, Array]], stop: Stop) -> None:
        self.evaluate, self.stop = evaluate, stop
        self.evaluations: list[Evaluation] = []
        self.visited: list[tuple[int, int]] = [(0, 1)]
        self.settled = False

    @property
    def last(self) -> Evaluation:
        """Where the optimiser is."""
        return self.evaluations[self.visited[-1][0]]

    @property
    def left(self) -> int:
        """Passes that may still be spent."""
        return self.stop.passes - len(self.evaluations)

    def minimize(
        self,
        start: Array,
        method: str,
        options: dict[str, float],
        root: Array | None = None,
        share: float = 1.0,
        **second: Any,
    ) -> OptimizeResult:
        """From a start, in units of it plus ``root`` times what the optimiser moves.

        At most this share of the passes that are left is spent.
        """
        begin = len(self.evaluations)

        def objective(asked: Array) -> tuple[float, Array]:
            point = asked if root is None else start + root @ asked
            value, gradient = self.evaluate(point)
            finite = np.isfinite(value) and np.all(np.isfinite(gradient))
            slope = gradient if finite else np.zeros_like(gradient)
            height = float(value) if finite else -np.inf
            self.evaluations.append(Evaluation(asked.copy(), point.copy(), height, slope))
            return -height, -(slope if root is None else root.T @ slope)

        def accept(intermediate_result: OptimizeResult) -> None:
            at = next(
                at
                for at in reversed(range(begin, len(self.evaluations)))
                if np.array_equal(self.evaluations[at].asked, intermediate_result.x)
            )
            before, change = (
                self.visited[-1][0],
                abs(self.evaluations[at].height - self.last.height),
            )
            self.visited.append((at, len(self.evaluations)))
            if at != before and 0 < self.stop.log_likelihood >= change:
                self.settled = True
                raise StopIteration

        if not second:
            left = max(1, int(share * self.left))
            options = {**options, "maxfun": left, "maxiter": left}
        first = start if root is None else np.zeros_like(start)
        return minimize(
            objective, first, jac=True, method=method, callback=accept, options=options, **second
        )


def ending(run: Run, result: OptimizeResult) -> tuple[str, str]:
    """Status and rule of what ended the climb."""
    if run.settled:
        return "converged", "log_likelihood"
    status, rule = {0: ("converged", "log_likelihood"), 1: ("budget_exhausted", "passes")}.get(
        result.status, ("no_ascent", "")
    )
    by_gradient = "PROJECTED GRADIENT" in str(result.message).upper() or "hess" in result
    return status, "gradient" if status == "converged" and by_gradient else rule


def path_of(run: Run, snapshots: int, status: str, rule: str) -> Path:
    iteration = np.arange(len(run.visited))
    if len(run.visited) > snapshots:
        iteration = np.unique(np.linspace(0, len(run.visited) - 1, snapshots).astype(np.int64))
    kept = [run.evaluations[run.visited[at][0]] for at in iteration]
    passes = np.array([run.visited[at][1] for at in iteration])
    passes[-1] = len(run.evaluations)
    points, objective = (
        np.array([getattr(one, name) for one in kept]) for name in ("point", "height")
    )
    slopes = np.array([np.abs(one.gradient).max() for one in kept])
    return Path(points, objective, slopes, iteration, passes, status, rule)
