"""Maximum a posteriori by gradient in the unconstrained coordinates of a parameterization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from ordered_mix.data import Data
from ordered_mix.estimators.em import choice
from ordered_mix.estimators.laplace import HESSIAN_PASSES, hessian
from ordered_mix.estimators.loop.fit import Fit, Trace
from ordered_mix.estimators.loop.lockstep import lockstep
from ordered_mix.estimators.loop.whitening import expected_gain, labelled_information
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.kernels import e_step

METHODS = {"lbfgs": "L-BFGS-B", "trust_region": "trust-exact"}
# what may be left to gain where the objective no longer changes, in units of that change
LEFT = 100.0
NO_ASCENT = 2


class _Path(NamedTuple):
    """What one run visited: unconstrained points, objective, gradient norm and passes so far."""

    points: Array
    objective: Array
    gradient_norm: Array
    passes: np.ndarray
    status: str
    rule: str


@dataclass(frozen=True)
class MAP:
    """Posterior mode by L-BFGS or an exact trust region, on one pass per evaluation.

    The mode depends on the coordinates when the Jacobian is on (it maximises the density of the
    sampler's coordinates), and on the free coordinates when it is off.

    Parameters
    ----------
    jacobian : bool
        Maximise the density of the unconstrained coordinates (on) or of the free ones (off).
    method : {"lbfgs", "trust_region"}
        L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995), or a trust region with the Hessian of
        `laplace.hessian` (Conn, Gould & Toint 2000), whose passes count.
    gradient : float
        Stop when the largest entry of the gradient is below this.
    objective : float
        Stop when the relative change of the objective is below this (L-BFGS only). If the
        information of labelled data says that there is more to gain, L-BFGS goes on in units of
        it; without success the status is ``no_ascent``.
    passes : int
        Budget of passes over the data for each run.

    Raises
    ------
    ValueError
        If a tolerance or the budget is not positive.
    """

    jacobian: bool = True
    method: str = "lbfgs"
    gradient: float = 1e-6
    objective: float = 1e-14
    passes: int = 2000

    def __post_init__(self) -> None:
        choice("method", self.method, tuple(METHODS))
        for name in ("gradient", "objective", "passes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    def fit(self, parameterization: Parameterization, data: Data, starts: Mixture) -> Fit:
        """Climb from each start.

        Parameters
        ----------
        parameterization : Parameterization
            With its prior in the units of the data.
        data : Data
            One sample, weighted or not.
        starts : Mixture, batch shape (start,)
            In the units of the data.

        Returns
        -------
        Fit
            Batch shape (start,). ``objective`` is the log posterior density up to a constant, in
            standardised data.

        Raises
        ------
        ValueError
            If the data are a batch or constant, or a start lies outside the domain.
        """
        if data.y.ndim != 1 or len(starts.batch_shape) != 1:
            raise ValueError(
                "data must be one sample and starts have one batch axis, got "
                f"{data.y.shape} and {starts.batch_shape}"
            )
        location, scale = float(data.location), float(data.scale)
        standard = parameterization.affine(-location / scale, 1 / scale)
        points = standard.start(starts.affine(-location / scale, 1 / scale))
        standardized = data.standardized()
        climbs = [partial(self._climb, standard, standardized, point) for point in points]

        def evaluate(z: Array) -> tuple[Array, Array]:
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                return standard.log_posterior(z, standardized, self.jacobian)

        return _fit(lockstep(climbs, evaluate), standard, data)

    def _climb(
        self,
        standard: Parameterization,
        data: Data,
        start: Array,
        evaluate: Callable[[Array], tuple[Array, Array]],
    ) -> _Path:
        run = _Run(evaluate, self.passes)
        if self.method == "trust_region":
            options = {"gtol": self.gradient, "maxiter": self.passes}

            def curvature(point: Array) -> Array:
                run.evaluations.extend([run.evaluations[-1]] * HESSIAN_PASSES * point.size)
                return -hessian(standard, data, point, self.jacobian)

            return _path(run, run.minimize(start, METHODS[self.method], options, hess=curvature))
        options = {"ftol": self.objective, "gtol": self.gradient, "maxls": 40}
        result = run.minimize(start, METHODS[self.method], options)
        while result.status == 0:
            last = run.evaluations[run.visited[-1][0]]
            little = LEFT * self.objective * max(1.0, abs(last.height))
            information = labelled_information(standard, data, last.point)
            if expected_gain(information, last.gradient) <= little:
                break
            root = np.linalg.inv(np.linalg.cholesky(information)).T
            result = run.minimize(last.point, METHODS[self.method], options, root)
            if run.evaluations[run.visited[-1][0]].height - last.height <= little:
                result.status = result.status or NO_ASCENT
        return _path(run, result)


class _Evaluation(NamedTuple):
    asked: Array
    point: Array
    height: float
    gradient: Array


class _Run:
    """All evaluations of one climb, and which of them the optimiser accepted, at which cost."""

    def __init__(self, evaluate: Callable[[Array], tuple[Array, Array]], passes: int) -> None:
        self.evaluate, self.passes = evaluate, passes
        self.evaluations: list[_Evaluation] = []
        self.visited: list[tuple[int, int]] = [(0, 1)]

    def minimize(
        self,
        start: Array,
        method: str,
        options: dict[str, float],
        root: Array | None = None,
        **second: Any,
    ) -> OptimizeResult:
        """From a start, in units of it plus ``root`` times what the optimiser moves."""
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
            found = (
                at
                for at in reversed(range(begin, len(self.evaluations)))
                if np.array_equal(self.evaluations[at].asked, intermediate_result.x)
            )
            self.visited.append((next(found), len(self.evaluations)))

        if not second:
            left = max(1, self.passes - begin)
            options = {**options, "maxfun": left, "maxiter": left}
        first = start if root is None else np.zeros_like(start)
        return minimize(
            objective, first, jac=True, method=method, callback=accept, options=options, **second
        )


def _path(run: _Run, result: Any) -> _Path:
    kept = [run.evaluations[index] for index, _ in run.visited]
    passes = np.array([count for _, count in run.visited])
    passes[-1] = len(run.evaluations)
    status, rule = {0: ("converged", "log_likelihood"), 1: ("budget_exhausted", "passes")}.get(
        result.status, ("no_ascent", "")
    )
    by_gradient = "PROJECTED GRADIENT" in str(result.message).upper() or "hess" in result
    if status == "converged" and by_gradient:
        rule = "gradient"
    return _Path(
        np.array([entry.point for entry in kept]),
        np.array([entry.height for entry in kept]),
        np.array([np.abs(entry.gradient).max() for entry in kept]),
        passes,
        status,
        rule,
    )


def _fit(paths: list[_Path], standard: Parameterization, data: Data) -> Fit:
    length = max(len(path.objective) for path in paths)

    def column(name: str) -> np.ndarray:
        padded = [
            getattr(path, name)[np.minimum(np.arange(length), len(path.objective) - 1)]
            for path in paths
        ]
        return np.stack(padded, axis=1)

    mixture = standard.forward(column("points")).affine(data.location, data.scale)
    log_likelihood = e_step(
        data.y, mixture.w, mixture.mu, mixture.sigma, weight=data.weight
    ).log_likelihood
    trace = Trace(
        iteration=np.broadcast_to(np.arange(length)[:, None], (length, len(paths))),
        passes=column("passes"),
        mixture=mixture,
        log_likelihood=log_likelihood,
        objective=column("objective"),
        gradient_norm=column("gradient_norm"),
    )
    return Fit(
        mixture=mixture[-1],
        log_likelihood=log_likelihood[-1],
        status=np.array([path.status for path in paths]),
        passes=column("passes")[-1],
        trace=trace,
        rule=np.array([path.rule for path in paths]),
    )
