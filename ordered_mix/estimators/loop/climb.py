"""The ascents on a flat batch of runs: a fixed step, a line search, the largest stable step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.coordinates import PROBE, Coordinates, Point
from ordered_mix.estimators.loop.state import Failure, Index, State

Array = NDArray[np.float64]

SUFFICIENT = 1e-4
SHRINK, GROW = 0.5, 2.0
MOST_TRIALS = 60
FIRST_MOVE = 0.1
FIRST_PROBES = 20


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
        failure[inside & self.coordinates.collapsed(point, runs)] = Failure.VARIANCE_COLLAPSED
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


class LargestStable(Climb):
    """A share of the stability limit, the curvature followed by a power iteration."""

    def __init__(self, coordinates: Coordinates, fraction: float) -> None:
        super().__init__(coordinates)
        self.fraction = fraction

    def prepare(self, runs: Index, point: Point) -> tuple[Index, tuple[Array, ...]]:
        direction = np.random.default_rng(0).standard_normal(point.x.shape)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        size = self.coordinates.typical_length(runs) ** 2
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
        length = PROBE * self.coordinates.typical_length(runs)
        length = self.coordinates.probe(point.x, length, direction)[:, None]
        there, _ = self.coordinates.attempt(runs, point.x + length * direction, point)
        change = (there.gradient - point.gradient) / length
        curvature = np.linalg.norm(change, axis=1)
        curved = curvature > 1e-300
        safe = np.where(curved, curvature, 1.0)
        size = np.where(curved, self.fraction * 2 / safe, size)
        return size, np.where(curved[:, None], change / safe[:, None], direction)


class LineSearch(Climb):
    """Backtracking to a sufficient increase, along the gradient for standardised data."""

    def direction(self, runs: Index, point: Point) -> Array:
        return point.gradient * self.coordinates.units(runs) ** 2

    def prepare(self, runs: Index, point: Point) -> tuple[Index, tuple[Array, ...]]:
        norm = np.linalg.norm(point.gradient * self.coordinates.units(runs), axis=1)
        first = FIRST_MOVE / np.maximum(norm, 1e-300)
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
        failure[self.coordinates.collapsed(point, runs)] = Failure.VARIANCE_COLLAPSED
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


def _put(point: Point, rows: Index, trial: Point, which: NDArray[np.bool_]) -> Point:
    values = []
    for old, new in zip(point, trial, strict=True):
        value = old.copy()
        value[rows] = new[which]
        values.append(value)
    return Point(*values)
