"""Maximum a posteriori by gradient in the unconstrained coordinates of a parameterization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult

from ordered_mix.estimators.loop.estimator import Estimator, choice
from ordered_mix.estimators.loop.fit import Fit, Trace
from ordered_mix.estimators.loop.hessian import HESSIAN_PASSES, hessian
from ordered_mix.estimators.loop.lockstep import lockstep
from ordered_mix.estimators.loop.optimiser import Path, Run, ending, path_of
from ordered_mix.estimators.loop.problem import Problem, problem_of
from ordered_mix.estimators.loop.problem_multivariate import MultivariateProblem
from ordered_mix.estimators.loop.standard import Standard, standard_of
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.loop.whitening import expected_gain, labelled_information
from ordered_mix.mixture import Array, Mixture

METHODS = {"lbfgs": "L-BFGS-B", "trust_region": "trust-exact"}
ROUNDING = 1e-14
"""Relative change of the objective that is taken for rounding, where L-BFGS always stops."""
# what may be left to gain where the objective no longer changes, in units of that change
LEFT = 100.0
NO_ASCENT = 2


@dataclass(frozen=True)
class MAP(Estimator):
    """Posterior mode by L-BFGS or an exact trust region, on one pass per evaluation.

    The mode depends on the coordinates when the Jacobian is on (it maximises the density of the
    sampler's coordinates), and on the free coordinates when it is off. Full and tied covariances
    are coordinates as Cholesky factors, so that their mode depends on the order of the columns,
    too. The objective of the fit is the log posterior density up to a constant, in standardised
    data.

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

    def fit(self, parameterization: Any, data: Any, starts: Any) -> Fit:
        """Fit every start to every data set, see `Estimator.fit`."""
        problem: Problem | MultivariateProblem = problem_of(parameterization, data, starts)
        begins = problem.begins
        found: list[tuple[Standard, NDArray[np.int64], list[Path]]] = []
        for row in np.unique(problem.rows):
            runs = np.flatnonzero(problem.rows == row)
            standard = _standard(parameterization, problem, int(row), runs[0])
            points = standard.parameterization.start(standard.inwards(begins[runs]))
            found.append((standard, runs, self._paths(standard, points)))
        return _fit(found, problem)

    def _paths(self, standard: Standard, points: Array) -> list[Path]:
        def evaluate(z: Array) -> tuple[Array, Array]:
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                return standard.parameterization.log_posterior(z, standard.data, self.jacobian)

        return lockstep([partial(self._climb, standard, z) for z in points], evaluate)

    def _climb(
        self, standard: Standard, start: Array, evaluate: Callable[[Array], tuple[Array, Array]]
    ) -> Path:
        run = Run(evaluate, self.stop)
        method = METHODS[self.method]
        if self.method == "trust_region":

            def curvature(point: Array) -> Array:
                run.evaluations.extend([run.evaluations[-1]] * HESSIAN_PASSES * point.size)
                return -hessian(standard.parameterization, standard.data, point, self.jacobian)

            options = {"gtol": self.stop.gradient, "maxiter": self.stop.passes}
            result = run.minimize(start, method, options, hess=curvature)
        else:
            result = self._in_fitting_units(run, standard, start)
        return path_of(run, self.snapshots, *ending(run, result))

    def _in_fitting_units(self, run: Run, standard: Standard, start: Array) -> OptimizeResult:
        """L-BFGS, again in units of the information as long as that says there is more to gain."""
        options = {"ftol": ROUNDING, "gtol": self.stop.gradient, "maxls": 40}
        result = run.minimize(start, METHODS[self.method], options, share=0.5)
        while result.status in (0, 1) and not run.settled and run.left > 0:
            last = run.last
            little = LEFT * ROUNDING * max(1.0, abs(last.height))
            known = (standard.parameterization, standard.data)
            information = labelled_information(*known, last.point)
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


def _standard(
    parameterization: Any, problem: Problem | MultivariateProblem, row: int, run: int
) -> Standard:
    """One of the data sets, that of this run, in units of its own."""
    if isinstance(problem, MultivariateProblem):
        return standard_of(parameterization, problem.sample(row))
    location, scale = float(problem.location[run]), float(problem.scale[run])
    standard = parameterization.affine(-location / scale, 1 / scale)
    return Standard(standard, problem.sample(row), location, scale)


def _fit(
    found: list[tuple[Standard, NDArray[np.int64], list[Path]]],
    problem: Problem | MultivariateProblem,
) -> Fit:
    length = max((len(path.objective) for _, _, paths in found for path in paths), default=1)
    columns: dict[str, NDArray[Any]] = {
        name: np.zeros((length, problem.size), dtype=kind)
        for name, kind in (("iteration", np.int64), ("passes", np.int64), ("objective", float),
                           ("gradient_norm", float))
    }  # fmt: skip
    starts, lead = problem.starts, len(problem.starts.batch_shape)
    shapes = {name: value.shape[lead:] for name, value in starts.parameters.items()}
    values = {name: np.ones((length, problem.size, *shape)) for name, shape in shapes.items()}
    words = {name: np.zeros(problem.size, dtype="U32") for name in ("status", "rule")}
    for standard, runs, paths in found:
        for name, column in columns.items():
            column[:, runs] = _padded(paths, name, length)
        for name, word in words.items():
            word[runs] = [getattr(path, name) for path in paths]
        visited = standard.forward(_padded(paths, "points", length))
        for name, value in values.items():
            value[:, runs] = getattr(visited, name)
    batch = (length, *problem.shape)
    mixture = Mixture(
        **{name: values[name].reshape(*batch, *shape) for name, shape in shapes.items()}
    )
    log_likelihood = problem.log_likelihood(mixture)
    scalars: dict[str, Any] = {name: value.reshape(batch) for name, value in columns.items()}
    trace = Trace(mixture=mixture, log_likelihood=log_likelihood, **scalars)
    ends = {name: word.reshape(problem.shape) for name, word in words.items()}
    return Fit(
        mixture=mixture[-1],
        log_likelihood=log_likelihood[-1],
        passes=trace.passes[-1],
        trace=trace,
        **ends,
    )


def _padded(paths: list[Path], name: str, length: int) -> NDArray[Any]:
    """One field of all paths, the last entry of the shorter ones repeated; shape (length, runs)."""
    padded = []
    for path in paths:
        at = np.minimum(np.arange(length), len(path.objective) - 1)
        padded.append(getattr(path, name)[at])
    return np.stack(padded, axis=1)
