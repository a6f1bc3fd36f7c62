"""A batch of runs laid out flat: data sets x starts, of numbers or of points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.mixture import Mixture

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BatchOfRuns:
    """Which data set and which start each run has.

    Parameters
    ----------
    data : Data or Stream, batch shape (...)
        The samples; its batch shape broadcasts against that of the starts, so data of shape
        (sets, 1, n) and starts of batch shape (sets, starts) make sets x starts runs.
    starts : Mixture, batch shape (...)
        Where the runs begin, in the units of the data.

    Raises
    ------
    ValueError
        If the batch shapes do not broadcast.
    """

    data: Any
    starts: Mixture

    def __post_init__(self) -> None:
        _ = self.shape

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Batch shape of the runs."""
        samples, starts = self.data.batch_shape, self.starts.batch_shape
        try:
            return np.broadcast_shapes(samples, starts)
        except ValueError:
            raise ValueError(
                f"starts must have a batch shape that broadcasts with that of the data, {samples}, "
                f"got {starts}"
            ) from None

    @cached_property
    def size(self) -> int:
        """Number of runs."""
        return int(np.prod(self.shape))

    @property
    def k(self) -> int:
        """Number of components."""
        return self.starts.k

    @cached_property
    def rows(self) -> Index:
        """Data set of each run, shape (runs,)."""
        samples = self.data.batch_shape
        return self.flat(np.arange(int(np.prod(samples))).reshape(samples))

    @cached_property
    def total_weight(self) -> Array:
        """Total weight of each run's data, shape (runs,)."""
        return self.flat(self.data.total_weight)

    @cached_property
    def begins(self) -> Mixture:
        """The start of each run, in the units of the data; batch shape (runs,)."""
        lead, given = len(self.starts.batch_shape), self.starts.parameters.items()
        return Mixture(**{name: self.flat(value, value.ndim - lead) for name, value in given})

    def flat(self, value: NDArray[Any], trailing: int = 0) -> NDArray[Any]:
        """A value of each data set or start as one of each run, shape (runs, ...)."""
        shape = value.shape[value.ndim - trailing :]
        return np.array(np.broadcast_to(value, (*self.shape, *shape))).reshape(self.size, *shape)
