"""Gradient ascent on the log likelihood in the coordinates of a parameterization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.climb import Climb, FixedStep, LargestStable, LineSearch
from ordered_mix.estimators.loop.coordinates import (
    COORDINATES,
    PROBE,
    Coordinates,
    coordinates_of,
)
from ordered_mix.estimators.loop.estimator import Estimator, choice
from ordered_mix.estimators.loop.problem import problem_of

Array = NDArray[np.float64]

STEPS = ("line_search", "largest_stable")


@dataclass(frozen=True)
class GradientAscent(Estimator):
    """Ascent along the gradient of the mean log likelihood (per unit of weight).

    By Fisher's identity the gradient in any coordinates is the transposed Jacobian times a
    function of the moments of one pass. Gaps keep their clearance by projection in the free
    coordinates and with ``link="identity"``; the other links keep it by themselves. The trace has
    the column ``step``.

    Parameters
    ----------
    step : float, "line_search" or "largest_stable"
        A number is the fixed step, as the learning rate of Esser & Nielsen 2022, in units of the
        coordinates squared. ``line_search`` follows the gradient for standardised data, so that
        its path does not depend on the unit of the data, and backtracks from twice the last step
        to a sufficient increase (Armijo 1966); every trial inside the domain is a pass.
        ``largest_stable`` is ``fraction`` times the limit ``2 / curvature`` beyond which ascent
        overshoots, the largest curvature of the mean log likelihood being followed by a power
        iteration of one extra pass for each iteration; a unit that all coordinates share does
        not matter to it.
    coordinates : {"free", "unconstrained"}
        The constrained coordinates of the parameterization (means, gaps, scales, weights; in
        several dimensions entries of Cholesky factors as scales), or those a sampler sees.
    fraction : float
        Share of the stability limit, below 1.
    stop, snapshots
        As in `Estimator`.

    Raises
    ------
    ValueError
        If step or fraction is not positive, or another argument is none of the accepted values.
    """

    step: float | str = "line_search"
    coordinates: str = "free"
    fraction: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("coordinates", self.coordinates, COORDINATES)
        if isinstance(self.step, str):
            choice("step", self.step, STEPS)
        elif not 0 < self.step < np.inf:
            raise ValueError(f"step must be positive and finite or a name, got {self.step}")
        if not 0 < self.fraction < 1:
            raise ValueError(f"fraction must be between 0 and 1, got {self.fraction}")

    def algorithm(self, parameterization: Any, problem: Any) -> Climb:
        coordinates = coordinates_of(parameterization, problem, self.coordinates)
        if self.step == "line_search":
            return LineSearch(coordinates)
        if self.step == "largest_stable":
            return LargestStable(coordinates, self.fraction)
        return FixedStep(coordinates, float(self.step))


def largest_curvature(
    parameterization: Any, data: Any, at: Any, coordinates: str = "free"
) -> Array:
    """Largest eigenvalue of the negative Hessian of the mean log likelihood; shape (...).

    Gradient ascent near ``at`` is stable for steps below 2 over this, so a step in units of its
    inverse compares coordinate systems fairly.

    Parameters
    ----------
    parameterization : Parameterization or MultivariateParameterization
    data : Data, batch shape (...)
    at : Mixture, batch shape (...)
        Inside the domain, away from its bounds.
    coordinates : {"free", "unconstrained"}
    """
    choice("coordinates", coordinates, COORDINATES)
    problem = problem_of(parameterization, data, at)
    system = coordinates_of(parameterization, problem, coordinates)
    hessian = central_hessian(system, system.start())
    return np.linalg.eigvalsh(-hessian)[:, -1].reshape(problem.shape)


def central_hessian(system: Coordinates, x: Array) -> Array:
    """Hessian of the mean log likelihood by central differences, shape (runs, d, d)."""
    runs = np.arange(len(x))
    length = np.repeat(PROBE * system.typical_length(runs)[:, None], x.shape[1], axis=1)
    length = np.where(system.positive, np.minimum(length, 0.5 * np.abs(x)), length)
    rows = []
    for at, unit in enumerate(np.eye(x.shape[1])):
        move = length[:, at, None]
        ends = [system.evaluate(runs, x + sign * move * unit) for sign in (1, -1)]
        rows.append((ends[0].gradient - ends[1].gradient) / (2 * move))
    hessian = np.stack(rows, axis=1)
    return 0.5 * (hessian + np.swapaxes(hessian, 1, 2))
