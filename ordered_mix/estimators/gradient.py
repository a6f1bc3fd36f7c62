"""Gradient ascent on the log likelihood in the coordinates of a parameterization."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.estimators._coordinates import COORDINATES, Coordinates, Point
from ordered_mix.estimators._expectation import COLLAPSED
from ordered_mix.estimators._fit import Fit
from ordered_mix.estimators._iterate import Failure, Index, State, Stop, iterate
from ordered_mix.estimators._problem import Problem
from ordered_mix.estimators.em import choice
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import Parameterization

Array = NDArray[np.float64]

STEPS = ("line_search", "largest_stable")
SUFFICIENT = 1e-4
SHRINK, GROW = 0.5, 2.0
MOST_TRIALS = 60
FIRST_MOVE = 0.1
PROBE = 1e-4
FIRST_PROBES = 20


@dataclass(frozen=True)
class GradientAscent:
    """Ascent along the gradient of the mean log likelihood (per unit of weight).

    By Fisher's identity the gradient in any coordinates is the transposed Jacobian times a
    function of the moments of one pass. Gaps keep their clearance by projection in the free
    coordinates and with ``link="identity"``; the other links keep it by themselves.

    Parameters
    ----------
    step : float, "line_search" or "largest_stable"
        A number is the fixed step, as the learning rate of Esser & Nielsen 2022, in units of the
        coordinates squared. ``line_search`` backtracks from twice the last step to a sufficient
        increase (Armijo 1966); every trial inside the domain is a pass. ``largest_stable`` is
        ``fraction`` times the limit ``2 / curvature`` beyond which ascent overshoots, the
        largest curvature of the mean log likelihood being followed by a power iteration of one
        extra pass for each iteration; paths then do not depend on the unit of the coordinates.
    coordinates : {"free", "unconstrained"}
        The constrained coordinates of the parameterization (means, gaps, scales, weights), or
        those a sampler sees.
    fraction : float
        Share of the stability limit, below 1.
    stop : Stop
        Stopping rules.
    snapshots : int
        Most snapshots the trace may hold.

    Raises
    ------
    ValueError
        If step or fraction is not positive, or another argument is none of the accepted values.
    """

    step: float | str = "line_search"
    coordinates: str = "free"
    fraction: float = 0.5
    stop: Stop = field(default_factory=Stop)
    snapshots: int = 200

    def __post_init__(self) -> None:
        choice("coordinates", self.coordinates, COORDINATES)
        if isinstance(self.step, str):
            choice("step", self.step, STEPS)
        elif not 0 < self.step < np.inf:
            raise ValueError(f"step must be positive and finite or a name, got {self.step}")
        if not 0 < self.fraction < 1:
            raise ValueError(f"fraction must be between 0 and 1, got {self.fraction}")

    def fit(self, parameterization: Parameterization, data: Data, starts: Mixture) -> Fit:
        """Climb from every start on every data set.

        Parameters
        ----------
        parameterization : Parameterization
            With its prior, if it knows weights or scales, and its options in the units of the
            data; the rest of the prior does not matter.
        data : Data, batch shape (...)
        starts : Mixture, batch shape (...)
            The two batch shapes broadcast.

        Returns
        -------
        Fit
            Its trace has the column ``step``.

        Raises
        ------
        ValueError
            If a start lies outside the domain or has other weights or scales than those known.
        """
        problem = Problem(data, starts)
        coordinates = Coordinates(parameterization, problem, self.coordinates)
        return iterate(self._climb(coordinates), problem, self.stop, self.snapshots)

    def _climb(self, coordinates: Coordinates) -> Climb:
        if self.step == "line_search":
            return LineSearch(coordinates)
        if self.step == "largest_stable":
            return _LargestStable(coordinates, self.fraction)
        return FixedStep(coordinates, float(self.step))


class Climb:
    """What all ascents share; ``memory`` begins with coordinates, gradient, direction and step."""

    settle = 0

    def __init__(self, coordinates: Coordinates) -> None:
        self.coordinates = coordinates

    def begin(self) -> State:
        x = self.coordinates.start()
        runs = np.arange(len(x))
        point = self.coordinates.evaluate(runs, x)
        passes, memory = self.prepare(runs, point)
        return self._state(runs, point, passes + 1, np.zeros(len(x), dtype=np.int8), memory)

    def prepare(self, runs: Index, point: Point) -> tuple[Index, tuple[Array, ...]]:
        """Passes and memory, the step first, before the first iteration."""
        raise NotImplementedError

    def step(self, iteration: int, runs: Index, state: State) -> State:
        """One iteration."""
        raise NotImplementedError

    def gradient_norm(self, runs: Index, state: State) -> Array:
        return np.linalg.norm(self.coordinates.free_gradient(self._point(state)), axis=1)

    def extra(self, runs: Index, state: State) -> dict[str, Array]:
        return {"step": state.memory[3]}

    def direction(self, runs: Index, point: Point) -> Array:
        """Where to go from a point."""
        return point.gradient

    def _point(self, state: State) -> Point:
        x, gradient = state.memory[:2]
        return Point(x, state.w, state.mu, state.sigma, state.log_likelihood, gradient)

    def _state(
        self,
        runs: Index,
        point: Point,
        passes: Index,
        failure: NDArray[np.int8],
        memory: tuple[Array, ...],
    ) -> State:
        x, w, mu, sigma, log_likelihood, gradient = point
        memory = (x, gradient, self.direction(runs, point), *memory)
        return State(w, mu, sigma, log_likelihood, log_likelihood, passes, failure, memory)

    def _moved(
        self, runs: Index, state: State, x: Array, passes: Index, memory: tuple[Array, ...]
    ) -> State:
        """The state at new coordinates; runs that leave the domain or collapse stay and fail."""
        here = self._point(state)
        point, inside = self.coordinates.attempt(runs, x, here)
        failure = np.zeros(runs.size, dtype=np.int8)
        failure[~inside] = Failure.LEFT_DOMAIN
        narrow = point.sigma <= COLLAPSED
        if narrow.any():
            failure[inside & narrow.any(axis=1)] = Failure.VARIANCE_COLLAPSED
        point = point.where(failure > 0, here)
        return self._state(runs, point, passes + inside, failure, memory)


class FixedStep(Climb):
    """A step of one size."""

    def __init__(self, coordinates: Coordinates, size: float) -> None:
        super().__init__(coordinates)
        self.size = size

    def prepare(self, runs: Index, point: Point) -> tuple[Index, tuple[Array, ...]]:
        return np.zeros(runs.size, dtype=np.int64), (np.full(runs.size, self.size),)

    def step(self, iteration: int, runs: Index, state: State) -> State:
        x, _, direction, size = state.memory
        x = self.coordinates.project(x + size[:, None] * direction)
        return self._moved(runs, state, x, state.passes, (size,))


class _LargestStable(Climb):
    """A share of the stability limit, the curvature followed by a power iteration."""

    def __init__(self, coordinates: Coordinates, fraction: float) -> None:
        super().__init__(coordinates)
        self.fraction = fraction

    def prepare(self, runs: Index, point: Point) -> tuple[Index, tuple[Array, ...]]:
        direction = np.random.default_rng(0).standard_normal(point.x.shape)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        size = _typical_length(self.coordinates, runs) ** 2
        for _ in range(FIRST_PROBES):
            size, direction = self._probe(runs, point, size, direction)
        return np.full(runs.size, FIRST_PROBES), (size, direction)

    def step(self, iteration: int, runs: Index, state: State) -> State:
        x, _, direction, size, probed = state.memory
        x = self.coordinates.project(x + size[:, None] * direction)
        moved = self._moved(runs, state, x, state.passes, (size, probed))
        size, probed = self._probe(runs, self._point(moved), size, probed)
        memory = (*moved.memory[:3], size, probed)
        return moved._replace(passes=moved.passes + 1, memory=memory)

    def _probe(
        self, runs: Index, point: Point, size: Array, direction: Array
    ) -> tuple[Array, Array]:
        """Step and next direction from the change of the gradient along a direction."""
        length = PROBE * _typical_length(self.coordinates, runs)
        length = self.coordinates.probe(point.x, length, direction)[:, None]
        there, _ = self.coordinates.attempt(runs, point.x + length * direction, point)
        change = (there.gradient - point.gradient) / length
        curvature = np.linalg.norm(change, axis=1)
        curved = curvature > 1e-300
        safe = np.where(curved, curvature, 1.0)
        size = np.where(curved, self.fraction * 2 / safe, size)
        return size, np.where(curved[:, None], change / safe[:, None], direction)


class LineSearch(Climb):
    """Backtracking to a sufficient increase."""

    def prepare(self, runs: Index, point: Point) -> tuple[Index, tuple[Array, ...]]:
        norm = np.linalg.norm(point.gradient, axis=1)
        first = FIRST_MOVE * _typical_length(self.coordinates, runs) / np.maximum(norm, 1e-300)
        return np.zeros(runs.size, dtype=np.int64), (first,)

    def step(self, iteration: int, runs: Index, state: State) -> State:
        here = self._point(state)
        direction = state.memory[2]
        point, size = here, self.first_size(state.memory[3])
        passes, pending = state.passes.copy(), np.arange(runs.size)
        for _ in range(MOST_TRIALS):
            move = size[pending, None] * direction[pending]
            trial, inside = self._try(runs[pending], here, pending, move)
            passes[pending] += inside
            good = inside & self._sufficient(runs[pending], trial, here, pending)
            point = _put(point, pending[good], trial, good)
            pending = pending[~good]
            size[pending] *= SHRINK
            if not pending.size:
                break
        failure = np.zeros(runs.size, dtype=np.int8)
        failure[pending] = Failure.NO_ASCENT
        failure[np.any(point.sigma <= COLLAPSED, axis=1)] = Failure.VARIANCE_COLLAPSED
        return self._state(runs, point.where(failure > 0, here), passes, failure, (size,))

    def first_size(self, last: Array) -> Array:
        """The first step to try, from the last one taken."""
        return last * GROW

    def _try(
        self, runs: Index, here: Point, pending: Index, move: Array
    ) -> tuple[Point, NDArray[np.bool_]]:
        start = Point(*(value[pending] for value in here))
        x = self.coordinates.project(start.x + move)
        return self.coordinates.attempt(runs, x, start)

    def _sufficient(
        self, runs: Index, trial: Point, here: Point, pending: Index
    ) -> NDArray[np.bool_]:
        total = self.coordinates.problem.total_weight[runs]
        gain = trial.log_likelihood - here.log_likelihood[pending]
        promised = np.sum(here.gradient[pending] * (trial.x - here.x[pending]), axis=1)
        return gain >= SUFFICIENT * total * promised


def largest_curvature(
    parameterization: Parameterization, data: Data, at: Mixture, coordinates: str = "free"
) -> Array:
    """Largest eigenvalue of the negative Hessian of the mean log likelihood; shape (...).

    Gradient ascent near ``at`` is stable for steps below 2 over this, so a step in units of its
    inverse compares coordinate systems fairly.

    Parameters
    ----------
    parameterization : Parameterization
    data : Data, batch shape (...)
    at : Mixture, batch shape (...)
        Inside the domain, away from its bounds.
    coordinates : {"free", "unconstrained"}
    """
    choice("coordinates", coordinates, COORDINATES)
    problem = Problem(data, at)
    system = Coordinates(parameterization, problem, coordinates)
    hessian = central_hessian(system, system.start())
    return np.linalg.eigvalsh(-hessian)[:, -1].reshape(problem.shape)


def central_hessian(system: Coordinates, x: Array) -> Array:
    """Hessian of the mean log likelihood by central differences, shape (runs, d, d)."""
    runs = np.arange(len(x))
    length = np.repeat(PROBE * _typical_length(system, runs)[:, None], x.shape[1], axis=1)
    length = np.where(system.positive, np.minimum(length, 0.5 * np.abs(x)), length)
    rows = []
    for at, unit in enumerate(np.eye(x.shape[1])):
        move = length[:, at, None]
        ends = [system.evaluate(runs, x + sign * move * unit) for sign in (1, -1)]
        rows.append((ends[0].gradient - ends[1].gradient) / (2 * move))
    hessian = np.stack(rows, axis=1)
    return 0.5 * (hessian + np.swapaxes(hessian, 1, 2))


def _typical_length(system: Coordinates, runs: Index) -> Array:
    """Scale of the data for free coordinates, 1 for unconstrained ones."""
    return system.problem.scale[runs] if system.kind == "free" else np.ones(runs.size)


def _put(point: Point, rows: Index, trial: Point, which: NDArray[np.bool_]) -> Point:
    values = []
    for old, new in zip(point, trial, strict=True):
        value = old.copy()
        value[rows] = new[which]
        values.append(value)
    return Point(*values)
