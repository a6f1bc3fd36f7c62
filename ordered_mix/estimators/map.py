"""Maximum a posteriori by gradient in the unconstrained coordinates of a parameterization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize

from ordered_mix.data import Data
from ordered_mix.estimators.loop.estimator import Estimator, choice
from ordered_mix.estimators.loop.fit import Fit, Trace
from ordered_mix.estimators.loop.hessian import HESSIAN_PASSES, hessian
from ordered_mix.estimators.loop.lockstep import lockstep
from ordered_mix.estimators.loop.problem import Problem, problem_of
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.kernels import e_step

METHODS = {"lbfgs": "L-BFGS-B", "trust_region": "trust-exact"}
ROUNDING = 1e-14
"""Relative change of the objective that is taken for rounding, where L-BFGS always stops."""


class _Path(NamedTuple):
    """What one run visited, snapshot by snapshot, in unconstrained coordinates."""

    points: Array
    objective: Array
    gradient_norm: Array
    iteration: NDArray[np.int64]
    passes: NDArray[np.int64]
    status: str
    rule: str


@dataclass(frozen=True)
class MAP(Estimator):
    """Posterior mode by L-BFGS or an exact trust region, on one pass per evaluation.

    The mode depends on the coordinates when the Jacobian is on (it maximises the density of the
    sampler's coordinates), and on the free coordinates when it is off. The objective of the fit is
    the log posterior density up to a constant, in standardised data.

    Parameters
    ----------
    jacobian : bool
        Maximise the density of the unconstrained coordinates (on) or of the free ones (off).
    method : {"lbfgs", "trust_region"}
        L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995), or a trust region with the Hessian of
        `loop.hessian` (Conn, Gould & Toint 2000), whose passes count.
    stop : Stop
        Its gradient is the largest entry of that in the unconstrained coordinates, for
        standardised data; ``parameters`` is no rule here.
    snapshots : int
        As in `Estimator`.

    Raises
    ------
    ValueError
        If the method or a stopping rule is none of those accepted.
    """

    jacobian: bool = True
    method: str = "lbfgs"
    stop: Stop = field(
        default_factory=lambda: Stop(log_likelihood=0.0, gradient=1e-6, passes=2000), kw_only=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("method", self.method, tuple(METHODS))
        if self.stop.parameters:
            raise ValueError(f"stop of MAP has no rule parameters, got {self.stop.parameters}")

    def fit(self, parameterization: Parameterization, data: Data, starts: Mixture) -> Fit:
        """Fit every start to every data set, see `Estimator.fit`."""
        problem = problem_of(parameterization, data, starts)
        begins = _begins(problem)
        found: list[tuple[Parameterization, NDArray[np.int64], list[_Path]]] = []
        for row in range(len(problem.points)):
            runs = np.flatnonzero(problem.rows == row)
            if not runs.size:
                continue
            location, scale = problem.location[runs[0]], problem.scale[runs[0]]
            standard = parameterization.affine(float(-location / scale), float(1 / scale))
            weight = None if problem.weight is None else problem.weight[row]
            points = standard.start(begins[runs].affine(-location / scale, 1 / scale))
            paths = self._paths(standard, Data(problem.points[row], weight), points)
            found.append((standard, runs, paths))
        return _fit(found, problem)

    def _paths(self, standard: Parameterization, data: Data, points: Array) -> list[_Path]:
        def evaluate(z: Array) -> tuple[Array, Array]:
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                return standard.log_posterior(z, data, self.jacobian)

        return lockstep([partial(self._climb, standard, data, z) for z in points], evaluate)

    def _climb(
        self,
        standard: Parameterization,
        data: Data,
        start: Array,
        evaluate: Callable[[Array], tuple[Array, Array]],
    ) -> _Path:
        evaluations: list[tuple[Array, float, float]] = []
        visited = [(0, 1)]
        settled: list[int] = []

        def objective(point: Array) -> tuple[float, Array]:
            value, gradient = evaluate(point)
            finite = np.isfinite(value) and np.all(np.isfinite(gradient))
            slope = gradient if finite else np.zeros_like(gradient)
            height = float(value) if finite else -np.inf
            evaluations.append((point.copy(), height, float(np.abs(slope).max())))
            return -height, -slope

        def accept(intermediate_result: OptimizeResult) -> None:
            points = [entry[0] for entry in evaluations]
            at = max(i for i, p in enumerate(points) if np.array_equal(p, intermediate_result.x))
            before = visited[-1][0]
            visited.append((at, len(evaluations)))
            change = abs(evaluations[at][1] - evaluations[before][1])
            if at != before and 0 < self.stop.log_likelihood >= change:
                settled.append(at)
                raise StopIteration

        def curvature(point: Array) -> Array:
            evaluations.extend([evaluations[-1]] * HESSIAN_PASSES * point.size)
            return -hessian(standard, data, point, self.jacobian)

        second = {"hess": curvature} if self.method == "trust_region" else {}
        result = minimize(
            objective,
            start,
            jac=True,
            method=METHODS[self.method],
            callback=accept,
            options=self._options(),
            **second,
        )
        status, rule = ("converged", "log_likelihood") if settled else _ending(result)
        return _path(evaluations, visited, self.snapshots, status, rule)

    def _options(self) -> dict[str, float]:
        passes = self.stop.passes
        if self.method == "trust_region":
            return {"gtol": self.stop.gradient, "maxiter": passes}
        return {
            "maxfun": passes,
            "maxiter": passes,
            "ftol": ROUNDING,
            "gtol": self.stop.gradient,
            "maxls": 40,
        }


def _begins(problem: Problem) -> Mixture:
    """The start of each run, in the units of the data; batch shape (runs,)."""
    shape = (*problem.shape, problem.k)
    starts = (getattr(problem.starts, name) for name in ("w", "mu", "sigma"))
    return Mixture(*(np.broadcast_to(value, shape).reshape(-1, problem.k) for value in starts))


def _ending(result: OptimizeResult) -> tuple[str, str]:
    """Status and rule of what SciPy ended by itself."""
    status, rule = {0: ("converged", "log_likelihood"), 1: ("budget_exhausted", "passes")}.get(
        result.status, ("no_ascent", "")
    )
    by_gradient = "PROJECTED GRADIENT" in str(result.message).upper() or "hess" in result
    return status, "gradient" if status == "converged" and by_gradient else rule


def _path(
    evaluations: list[tuple[Array, float, float]],
    visited: list[tuple[int, int]],
    snapshots: int,
    status: str,
    rule: str,
) -> _Path:
    iteration = np.arange(len(visited))
    if len(visited) > snapshots:
        iteration = np.unique(np.linspace(0, len(visited) - 1, snapshots).astype(np.int64))
    kept = [evaluations[visited[at][0]] for at in iteration]
    passes = np.array([visited[at][1] for at in iteration])
    passes[-1] = len(evaluations)
    points, objective, gradient_norm = (np.array(column) for column in zip(*kept, strict=True))
    return _Path(points, objective, gradient_norm, iteration, passes, status, rule)


def _fit(
    found: list[tuple[Parameterization, NDArray[np.int64], list[_Path]]], problem: Problem
) -> Fit:
    length = max((len(path.objective) for _, _, paths in found for path in paths), default=1)
    columns: dict[str, NDArray[Any]] = {
        name: np.zeros((length, problem.size), dtype=kind)
        for name, kind in (("iteration", np.int64), ("passes", np.int64), ("objective", float),
                           ("gradient_norm", float))
    }  # fmt: skip
    values = [np.ones((length, problem.size, problem.k)) for _ in range(3)]
    words = {name: np.zeros(problem.size, dtype="U32") for name in ("status", "rule")}
    for standard, runs, paths in found:
        for name, column in columns.items():
            column[:, runs] = _padded(paths, name, length)
        for name, word in words.items():
            word[runs] = [getattr(path, name) for path in paths]
        at = (problem.location[runs[0]], problem.scale[runs[0]])
        mixture = standard.forward(_padded(paths, "points", length)).affine(*at)
        for value, name in zip(values, ("w", "mu", "sigma"), strict=True):
            value[:, runs] = getattr(mixture, name)
    shape = (length, *problem.shape)
    mixture = Mixture(*(value.reshape(*shape, problem.k) for value in values))
    data = problem.data
    moments = e_step(data.y, mixture.w, mixture.mu, mixture.sigma, weight=data.weight)
    scalars: dict[str, Any] = {name: value.reshape(shape) for name, value in columns.items()}
    trace = Trace(mixture=mixture, log_likelihood=moments.log_likelihood, **scalars)
    ends = {name: word.reshape(problem.shape) for name, word in words.items()}
    return Fit(
        mixture=mixture[-1],
        log_likelihood=moments.log_likelihood[-1],
        passes=trace.passes[-1],
        trace=trace,
        **ends,
    )


def _padded(paths: list[_Path], name: str, length: int) -> NDArray[Any]:
    """One field of all paths, the last entry of the shorter ones repeated; shape (length, runs)."""
    padded = []
    for path in paths:
        at = np.minimum(np.arange(length), len(path.objective) - 1)
        padded.append(getattr(path, name)[at])
    return np.stack(padded, axis=1)
