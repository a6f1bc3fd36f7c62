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
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.kernels import e_step

METHODS = {"lbfgs": "L-BFGS-B", "trust_region": "trust-exact"}


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
        Stop when the relative change of the objective is below this (L-BFGS only).
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
        evaluations: list[tuple[Array, float, float]] = []
        visited: list[tuple[int, int]] = []

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
            visited.append((at, len(evaluations)))

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
        return _path(evaluations, [(0, 1), *visited], result)

    def _options(self) -> dict[str, float]:
        if self.method == "trust_region":
            return {"gtol": self.gradient, "maxiter": self.passes}
        return {
            "maxfun": self.passes,
            "maxiter": self.passes,
            "ftol": self.objective,
            "gtol": self.gradient,
            "maxls": 40,
        }


def _path(
    evaluations: list[tuple[Array, float, float]],
    visited: list[tuple[int, int]],
    result: Any,
) -> _Path:
    kept = [evaluations[index] for index, _ in visited]
    passes = np.array([count for _, count in visited])
    passes[-1] = len(evaluations)
    status, rule = {0: ("converged", "log_likelihood"), 1: ("budget_exhausted", "passes")}.get(
        result.status, ("no_ascent", "")
    )
    by_gradient = "PROJECTED GRADIENT" in str(result.message).upper() or "hess" in result
    if status == "converged" and by_gradient:
        rule = "gradient"
    points, objective, gradient_norm = (np.array(column) for column in zip(*kept, strict=True))
    return _Path(points, objective, gradient_norm, passes, status, rule)


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
