"""Natural gradient: the gradient in the metric of the Fisher information (Amari 1998)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.climb import Climb, FixedStep, LineSearch
from ordered_mix.estimators.loop.coordinates import COORDINATES, Point, coordinates_of
from ordered_mix.estimators.loop.estimator import Estimator, choice
from ordered_mix.estimators.loop.state import Failure, Index, State

Array = NDArray[np.float64]

SINGULAR = 1e-14


@dataclass(frozen=True)
class NaturalGradient(Estimator):
    """Ascent along ``(I + damping diag(I))^-1 gradient`` of the mean log likelihood.

    I is the Fisher information of one observation in the coordinates, ``J^T I(w, mu, sigma) J``,
    by a rule of bounded cost at the current mixture (`loop.metric`, in several dimensions
    `loop.metric_multivariate`); it is no pass over the data and not counted as one. In
    the limit of small steps and without damping the path is the same in all coordinates. The trace
    has the columns ``step`` and ``condition_number``, that of I without damping (infinite if I is
    singular); the status is ``singular_information`` where the damped I cannot be inverted.

    Parameters
    ----------
    step : float or "line_search"
        A number is the fixed step (1 is Fisher scoring); ``line_search`` backtracks from 1 to a
        sufficient increase.
    damping : float
        Relative to the diagonal of I. Near a singularity, where components coincide, I is nearly
        singular and some damping keeps the steps within the range of the linearisation.
    coordinates : {"free", "unconstrained"}
        As in `GradientAscent`.
    stop, snapshots
        As in `Estimator`.

    Raises
    ------
    ValueError
        If step is not positive, damping is negative, or another argument is none of the accepted
        values.
    """

    step: float | str = "line_search"
    damping: float = 0.0
    coordinates: str = "free"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("coordinates", self.coordinates, COORDINATES)
        if isinstance(self.step, str):
            choice("step", self.step, ("line_search",))
        elif not 0 < self.step < np.inf:
            raise ValueError(f"step must be positive and finite or a name, got {self.step}")
        if not 0 <= self.damping < np.inf:
            raise ValueError(f"damping must be at least 0 and finite, got {self.damping}")

    def algorithm(self, parameterization: Any, problem: Any) -> Climb:
        coordinates = coordinates_of(parameterization, problem, self.coordinates)
        climb: _Natural
        if self.step == "line_search":
            climb = _NaturalSearch(coordinates)
        else:
            climb = _NaturalFixed(coordinates, float(self.step))
        climb.damping = self.damping
        return climb


class _Natural(Climb):
    """Directions in the metric of the information; a singular one fails the next step."""

    damping = 0.0

    def direction(self, runs: Index, point: Point) -> Array:
        metric = self.coordinates.information(runs, point)
        with np.errstate(divide="ignore", invalid="ignore"):
            size = np.sqrt(np.diagonal(metric, axis1=1, axis2=2))
            scaled = metric / (size[:, :, None] * size[:, None, :])
        scaled = np.nan_to_num(scaled, nan=0.0, posinf=0.0, neginf=0.0)
        values, vectors = np.linalg.eigh(scaled)
        values = values + self.damping
        regular = values[:, :1] > SINGULAR * values[:, -1:]
        inverse = np.where(regular, 1 / np.where(regular, values, 1.0), 0.0)
        size = np.where(size > 0, size, 1.0)
        along = np.einsum("rij,ri->rj", vectors, point.gradient / size) * inverse
        return np.einsum("rij,rj->ri", vectors, along) / size

    def step(self, iteration: int, runs: Index, state: State) -> State:
        moved = super().step(iteration, runs, state)
        _, gradient, direction = state.memory[:3]
        lost = np.all(direction == 0, axis=1) & np.any(gradient != 0, axis=1)
        if not lost.any():
            return moved
        failure = np.where(lost, Failure.SINGULAR_INFORMATION, moved.failure).astype(np.int8)
        return moved._replace(failure=failure)

    def extra(self, runs: Index, state: State) -> dict[str, Array]:
        metric = self.coordinates.information(runs, self._point(state))
        finite = np.isfinite(metric).all(axis=(1, 2), keepdims=True)
        values = np.linalg.eigvalsh(np.where(finite, metric, 0.0))
        positive = values[:, 0] > 0
        least = np.where(positive, values[:, 0], 1.0)
        condition = np.where(positive, values[:, -1] / least, np.inf)
        return super().extra(runs, state) | {"condition_number": condition}


class _NaturalFixed(_Natural, FixedStep):
    """A step of one size."""


class _NaturalSearch(_Natural, LineSearch):
    """Backtracking from a step of 1."""

    def prepare(self, runs: Index, point: Point) -> tuple[Index, tuple[Array, ...]]:
        return np.zeros(runs.size, dtype=np.int64), (np.ones(runs.size),)

    def first_size(self, last: Array) -> Array:
        return np.ones_like(last)
