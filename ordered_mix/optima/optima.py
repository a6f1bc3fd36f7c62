"""The distinct optima that a multi-start found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.mixture import Mixture

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]

FEWEST_NEIGHBOURS, NEIGHBOURS = 3, 10


@dataclass(frozen=True, eq=False)
class Optima:
    """Distinct optima up to relabelling, the highest objective first.

    Parameters
    ----------
    fit : Fit, batch shape (optima,)
        The polished fit of each optimum, components in increasing order of the means.
    hits : array of int, shape (optima,)
        Starts that ended at each optimum.
    spurious : array of bool, shape (optima,)
        Whether a component is narrower than the spacing of the data it sits on.
    failures : mapping of str to int
        Starts that ended otherwise, by status.
    passes : int
        Passes over the data of all starts and of the polishing.
    collapsed : array, shape (collapsed starts,)
        The value onto which each start shrank a component, if it did.
    """

    fit: Fit
    hits: NDArray[np.int64]
    spurious: NDArray[np.bool_]
    failures: dict[str, int]
    passes: int
    collapsed: Array = field(default_factory=lambda: np.empty(0))

    @property
    def starts(self) -> int:
        """Number of starts."""
        return int(self.hits.sum()) + sum(self.failures.values())

    @property
    def hit_rate(self) -> Array:
        """Share of the starts that ended at each optimum, shape (optima,)."""
        return self.hits / self.starts

    @property
    def best_index(self) -> int:
        """Position of the best converged interior optimum; the best of all if there is none."""
        good = np.flatnonzero(~self.spurious & self.fit.converged)
        return int(good[0]) if good.size else 0

    @property
    def best(self) -> Mixture:
        """The best interior mixture, in increasing order of the means."""
        return self.fit.mixture[self.best_index]

    @property
    def log_likelihood(self) -> float:
        """Log likelihood of `best`."""
        return float(self.fit.log_likelihood[self.best_index])

    def table(self) -> pandas.DataFrame:
        """One row for each optimum: log likelihood, objective, hits, flags, parameters."""
        import pandas

        columns = {
            "log_likelihood": self.fit.log_likelihood,
            "objective": self.fit.objective,
            "hits": self.hits,
            "hit_rate": self.hit_rate,
            "spurious": self.spurious,
            "status": self.fit.status,
        }
        for name in ("w", "mu", "sigma"):
            value = getattr(self.fit.mixture, name)
            columns |= {f"{name}[{index}]": value[:, index] for index in range(value.shape[1])}
        return pandas.DataFrame(columns)

    def __repr__(self) -> str:
        lines = [
            f"{len(self.hits)} optima from {self.starts} starts, {self.passes} passes "
            "(* the best interior one)",
            f"  {'log likelihood':>16} {'hits':>5}  {'weights':24} {'means':30} {'scales':30}",
        ]
        for index, hits in enumerate(self.hits):
            mixture = self.fit.mixture[index]
            mark = "*" if index == self.best_index else " "
            cells = (_cells(mixture.w), _cells(mixture.mu), _cells(mixture.sigma))
            note = " spurious" if self.spurious[index] else ""
            if not self.fit.converged[index]:
                note += f" {self.fit.status[index]}"
            lines.append(
                f"{mark} {self.fit.log_likelihood[index]:16.6f} {hits:5d}  "
                f"{cells[0]:24} {cells[1]:30} {cells[2]:30}{note}"
            )
        lines += [f"  {count} starts ended as {word}" for word, count in self.failures.items()]
        return "\n".join(line.rstrip() for line in lines)


class NoOptimum(ValueError):
    """No start ends at an optimum.

    Attributes
    ----------
    starts : int
    collapsed : array, shape (collapsed starts,)
        The value onto which each start shrank a component, if it did.
    """

    def __init__(self, starts: int, advice: str, collapsed: Array) -> None:
        super().__init__(f"no start of {starts} ends at an optimum: {advice}")
        self.starts, self.collapsed = starts, collapsed


def collapsed_onto(fit: Fit) -> Array:
    """Mean of the narrowest component of each run whose variance collapsed."""
    ended = fit.mixture[np.flatnonzero(fit.status == "variance_collapsed")]
    narrowest = ended.sigma.argmin(axis=-1, keepdims=True)
    return np.take_along_axis(ended.mu, narrowest, axis=-1)[..., 0]


def spurious(data: Data, mixture: Mixture) -> NDArray[np.bool_]:
    """Whether a component is narrower than the spacing of the data it sits on.

    The spacing is the mean distance between neighbours among the points around the component's
    mean that are closest together, as many as it holds but from three to ten, or among all points
    if that is smaller, and at least half the smallest distance between distinct points (the
    rounding of tied data).

    Parameters
    ----------
    data : Data
        A single sample.
    mixture : Mixture, batch shape (...)

    Returns
    -------
    array of bool, shape (...)
    """
    if mixture.k == 1:
        return np.zeros(mixture.batch_shape, dtype=bool)
    y = np.sort(data.y if data.weight is None else data.y[data.weight > 0])
    held = np.clip(np.round(mixture.w * len(y)), FEWEST_NEIGHBOURS, NEIGHBOURS).astype(int)
    count = np.minimum(held, len(y))
    position = np.searchsorted(y, mixture.mu)
    local = np.full(mixture.mu.shape, np.inf)
    for before in range(NEIGHBOURS + 1):
        first = np.clip(position - np.minimum(before, count), 0, len(y) - count)
        width = y[first + count - 1] - y[first]
        local = np.minimum(local, width / np.maximum(count - 1, 1))
    overall = (y[-1] - y[0]) / max(len(y) - 1, 1)
    rounding = np.diff(np.unique(y)).min() / 2
    return np.any(mixture.sigma < np.maximum(np.minimum(local, overall), rounding), axis=-1)


def _cells(values: Array) -> str:
    return " ".join(f"{value:.5g}" for value in values)
