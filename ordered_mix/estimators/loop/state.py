"""What the loop hands from one iteration to the next, and what it asks of estimators and data."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Codes = NDArray[np.int8]


class Failure(IntEnum):
    """Why a step of a run failed; the lower-case name is the status."""

    NONE = 0
    VARIANCE_COLLAPSED = 1
    COMPONENT_EMPTIED = 2
    LEFT_DOMAIN = 3
    NO_ASCENT = 4
    SINGULAR_INFORMATION = 5


class State(NamedTuple):
    """What the next step of a batch of runs needs; every array leads with the run.

    Arrays are never changed in place once they are in a state.
    """

    w: Array
    mu: Array
    sigma: Array
    log_likelihood: Array
    objective: Array
    passes: Index
    failure: Codes
    memory: tuple[Array, ...] = ()

    def select(self, which: Index | NDArray[np.bool_]) -> State:
        """The state of some of the runs."""
        arrays: dict[str, Any] = {name: getattr(self, name)[which] for name in self._fields[:-1]}
        return self._replace(**arrays, memory=tuple(value[which] for value in self.memory))


class Layout(Protocol):
    """What the loop asks of a batch of runs over data in working units."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Batch shape of the runs."""

    @property
    def size(self) -> int:
        """Number of runs."""

    @property
    def log_scale(self) -> Array:
        """Log likelihood in working units less that in the units of the data, (runs,)."""

    def moments(self, runs: Index, w: Array, mu: Array, sigma: Array) -> Any:
        """One pass for each of these runs; its first field is ``log_likelihood``."""

    def widths(self, sigma: Array) -> Array:
        """Standard deviations that go with each mean."""

    def restore(self, w: Array, mu: Array, sigma: Array) -> Any:
        """Mixtures in the units of the data."""


class Algorithm(Protocol):
    """What the loop asks of an estimator, in working units."""

    settle: int
    """Iterations before the stopping rules apply."""

    def begin(self) -> State:
        """Evaluate all starts."""

    def step(self, iteration: int, runs: Index, state: State) -> State:
        """Advance these runs and evaluate them; a failed run keeps its state and tells why."""

    def gradient_norm(self, runs: Index, state: State) -> Array:
        """Norm of the gradient of the objective, shape (runs,)."""

    def extra(self, runs: Index, state: State) -> dict[str, Array]:
        """Further columns of the trace, each (runs,)."""
