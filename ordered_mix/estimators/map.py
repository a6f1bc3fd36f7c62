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
from ordered_mix.estimators.loop.whitening import expected_gain, labelled_information
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.stream.stream import Stream, moments_of

METHODS = {"lbfgs": "L-BFGS-B", "trust_region": "trust-exact"}
ROUNDING = 1e-14
"""Relative change of the objective that is taken for rounding, where L-BFGS always stops."""
# what may be left to gain where the objective no longer changes, in units of that change
LEFT = 100.0
NO_ASCENT = 2


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
        `loop.hessian` (Conn, Gould & Toint 2000), whose passes count. Where L-BFGS stops and the
        information of labelled data says that there is more to gain, it goes on in units of it;
        without success the status is ``no_ascent``.
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

    def fit(self, parameterization: Parameterization, data: Data | Stream, starts: Mixture) -> Fit:
        """Fit every start to every data set, see `Estimator.fit`."""
        problem = problem_of(parameterization, data, starts)
        begins = _begins(problem)
        found: list[tuple[Parameterization, NDArray[np.int64], list[_Path]]] = []
        for row in range(max(1, int(np.prod(data.batch_shape)))):
            runs = np.flatnonzero(problem.rows == row)
            if not runs.size:
                continue
            location, scale = problem.location[runs[0]], problem.scale[runs[0]]
            standard = parameterization.affine(float(-location / scale), float(1 / scale))
            points = standard.start(begins[runs].affine(-location / scale, 1 / scale))
            paths = self._paths(standard, problem.sample(row), points)
            found.append((standard, runs, paths))
        return _fit(found, problem)

    def _paths(self, standard: Parameterization, data: Data | Stream, points: Array) -> list[_Path]:
        def evaluate(z: Array) -> tuple[Array, Array]:
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                return standard.log_posterior(z, data, self.jacobian)

        return lockstep([partial(self._climb, standard, data, z) for z in points], evaluate)

    def _climb(
        self,
        standard: Parameterization,
        data: Data | Stream,
        start: Array,
        evaluate: Callable[[Array], tuple[Array, Array]],
    ) -> _Path:
        run = _Run(evaluate, self.stop)
        method = METHODS[self.method]
        if self.method == "trust_region":

            def curvature(point: Array) -> Array:
                run.evaluations.extend([run.evaluations[-1]] * HESSIAN_PASSES * point.size)
                return -hessian(standard, data, point, self.jacobian)

            options = {"gtol": self.stop.gradient, "maxiter": self.stop.passes}
            result = run.minimize(start, method, options, hess=curvature)
        else:
            result = self._in_fitting_units(run, standard, data, start)
        return _path(run, self.snapshots, *_ending(run, result))

    def _in_fitting_units(
        self, run: _Run, standard: Parameterization, data: Data | Stream, start: Array
    ) -> OptimizeResult:
        """L-BFGS, again in units of the information as long as that says there is more to gain."""
        options = {"ftol": ROUNDING, "gtol": self.stop.gradient, "maxls": 40}
        result = run.minimize(start, METHODS[self.method], options, share=0.5)
        while result.status in (0, 1) and not run.settled and run.left > 0:
            last = run.last
            little = LEFT * ROUNDING * max(1.0, abs(last.height))
            information = labelled_information(standard, data, last.point)
            if not np.isfinite(information).all():
                break
            if expected_gain(information, last.gradient) <= little:
                result.status = 0
                break
            root = np.linalg.inv(np.linalg.cholesky(information)).T
            result = run.minimize(last.point, METHODS[self.method], options, root)
            if run.last.height - last.height <= little:
                result.status = result.status or NO_ASCENT
        return result


class _Evaluation(NamedTuple):
    asked: Array
    point: Array
    height: float
    gradient: Array


class _Run:
    """All evaluations of one climb, and which of them the optimiser accepted, at which cost."""

    def __init__(self, evaluate: Callable[[Array], tuple[Array, Array]], stop: Stop) -> None:
        self.evaluate, self.stop = evaluate, stop
        self.evaluations: list[_Evaluation] = []
        self.visited: list[tuple[int, int]] = [(0, 1)]
        self.settled = False

    @property
    def last(self) -> _Evaluation:
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
            self.evaluations.append(_Evaluation(asked.copy(), point.copy(), height, slope))
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


def _begins(problem: Problem) -> Mixture:
    """The start of each run, in the units of the data; batch shape (runs,)."""
    shape = (*problem.shape, problem.k)
    starts = (getattr(problem.starts, name) for name in ("w", "mu", "sigma"))
    return Mixture(*(np.broadcast_to(value, shape).reshape(-1, problem.k) for value in starts))


def _ending(run: _Run, result: OptimizeResult) -> tuple[str, str]:
    """Status and rule of what ended the climb."""
    if run.settled:
        return "converged", "log_likelihood"
    status, rule = {0: ("converged", "log_likelihood"), 1: ("budget_exhausted", "passes")}.get(
        result.status, ("no_ascent", "")
    )
    by_gradient = "PROJECTED GRADIENT" in str(result.message).upper() or "hess" in result
    return status, "gradient" if status == "converged" and by_gradient else rule


def _path(run: _Run, snapshots: int, status: str, rule: str) -> _Path:
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
    return _Path(points, objective, slopes, iteration, passes, status, rule)


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
    moments = moments_of(problem.data, mixture.w, mixture.mu, mixture.sigma)
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
