"""The domain of a parameterization: what it is sorted by, what lies outside, what is nearest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.mixture import Array, Mixture

TIE = 1e-3


@dataclass(frozen=True)
class Domain:
    """Where the mixtures of a parameterization lie.

    Parameters
    ----------
    orders : tuple of str
        What they are sorted by: ``mu``, ``sigma``, both or nothing.
    clearances : mapping
        What the gaps of ``mu`` and of ``sigma`` and the weights ``w`` exceed; 0 if not listed.
    """

    orders: tuple[str, ...]
    clearances: Mapping[str, float]

    def sorted(self, mixture: Mixture) -> Mixture:
        """The mixture with its components in the order of the domain."""
        return mixture.sorted(self.orders[0]) if self.orders else mixture

    def violation(self, mixture: Mixture, outside: NDArray[np.bool_]) -> str | None:
        """The first gap or weight that is too small, in words.

        Parameters
        ----------
        mixture : Mixture, batch shape (...)
        outside : array of bool, shape (...)
            Mixtures that must not touch the boundary either.
        """
        ascending = self.sorted(mixture)
        for key in self.orders:
            gap, least = np.diff(getattr(ascending, key), axis=-1), self._least(key)
            short = np.argwhere((gap < least) | (outside[..., None] & (gap <= least)))
            if short.size:
                at = short[0, -1] + 1
                given = f"{key}_{at + 1} - {key}_{at} = {gap[tuple(short[0])]:.6g}"
                return f"the gap {given} must exceed {least:g}"
        short = np.argwhere(outside[..., None] & (ascending.w <= self._least("w")))
        if not short.size:
            return None
        return f"the weight {ascending.w[tuple(short[0])]:.6g} must exceed {self._least('w'):g}"

    def nearest(self, mixture: Mixture) -> Mixture:
        """The nearest mixture that is well inside.

        Gaps are kept a thousandth of the mean scale above their clearance, weights a thousandth
        of the room above theirs.
        """
        ascending = self.sorted(mixture)
        mu, sigma = ascending.mu, ascending.sigma
        least = TIE * sigma.mean(axis=-1)
        if "mu" in self.orders:
            mu = separated(mu, self._least("mu") + least)
        if "sigma" in self.orders:
            sigma = separated(sigma, self._least("sigma") + least, floor=least)
        return Mixture(above_floor(ascending.w, self._least("w"), TIE), mu, sigma)

    def _least(self, key: str) -> float:
        return self.clearances.get(key, 0.0)


def sorted_keys(mixture: Mixture) -> tuple[str, ...]:
    """What all mixtures of a batch are sorted by: ``mu``, ``sigma``, both or nothing."""
    gaps = {key: np.diff(getattr(mixture, key), axis=-1) for key in ("mu", "sigma")}
    # known values are what they are, in whatever order
    free = {key: gap for key, gap in gaps.items() if np.any(gap != gap[0])}
    return tuple(key for key, gap in free.items() if np.any(gap > 0) and np.all(gap >= 0))


def separated(values: Array, gap: ArrayLike, floor: ArrayLike = -np.inf) -> Array:
    """Nearest values in least squares whose successive differences are at least ``gap``.

    Isotonic regression of the values less ``0, gap, 2 gap, ...`` (pool adjacent violators).

    Parameters
    ----------
    values : array, shape (..., k)
    gap : array_like, shape (...)
        Least difference.
    floor : array_like, shape (...)
        Least value of the first.

    Returns
    -------
    array, shape (..., k)
    """
    steps = np.asarray(gap)[..., None] * np.arange(values.shape[-1])
    level = values - steps
    separate = np.all(np.diff(level) >= 0, axis=-1) & (level[..., 0] >= np.asarray(floor))
    if np.all(separate):
        return values
    # scipy takes a third of a second to import, which EM alone does not need
    from scipy.optimize import isotonic_regression

    pooled = np.apply_along_axis(lambda row: isotonic_regression(row).x, -1, level)
    moved = np.maximum(pooled, np.asarray(floor)[..., None]) + steps
    return np.where(separate[..., None], values, moved)


def above_floor(w: Array, floor: float, share: float) -> Array:
    """Weights drawn towards equal ones until the least has a share of the room above the floor.

    Parameters
    ----------
    w : array, shape (..., k)
    floor : float
        Below ``1 / k``.
    share : float
        Share of ``1 / k - floor``.
    """
    equal = 1 / w.shape[-1]
    least = floor + share * (equal - floor)
    lowest = w.min(axis=-1, keepdims=True)
    short = np.clip(least - lowest, 0, None)
    pull = np.where(short > 0, short / np.where(short > 0, equal - lowest, 1.0), 0.0)
    return (1 - pull) * w + pull * equal
