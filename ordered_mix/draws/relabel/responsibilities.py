"""Responsibilities of many draws, held or made anew in blocks so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.arrays import Array, finite

BLOCK_BYTES = 32_000_000
STORED_BYTES = 200_000_000
TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Responsibilities:
    """Probability of each component for each point in each draw.

    Parameters
    ----------
    draws : tuple of int
        Number of chains, and of draws of each.
    points, components : int
    block : callable
        Takes a slice of the flat draws and returns their responsibilities,
        shape (draws of the slice, point, component).
    log_joint : callable, optional
        Takes a slice and returns the log of weight times density, of the same shape.
    is_held : bool
        Whether they have been computed already.
    """

    draws: tuple[int, int]
    points: int
    components: int
    block: Callable[[slice], Array]
    log_joint: Callable[[slice], Array] | None = None
    is_stored: bool = False

    def __iter__(self) -> Iterator[tuple[slice, Array]]:
        """Slices of the flat draws and their responsibilities."""
        for part in self._parts():
            yield part, self.block(part)

    def stored(self) -> Responsibilities:
        """The same, computed once if they fit in 200 MB, else anew whenever they are asked for."""
        total = self.draws[0] * self.draws[1]
        if self.is_stored or 8 * total * self.points * self.components > STORED_BYTES:
            return self
        values = np.empty((total, self.points, self.components))
        for part, block in self:
            values[part] = block
        return replace(self, block=values.__getitem__, is_stored=True)

    def at(self, draw: int) -> Array:
        """Those of one flat draw, shape (point, component)."""
        return self.block(slice(draw, draw + 1))[0]

    def log_likelihood(self) -> Array | None:
        """Log likelihood of every draw, shape (chain, draw), if densities are known."""
        if self.log_joint is None:
            return None
        sums = [log_density(self.log_joint(part)).sum(axis=-1) for part in self._parts()]
        return np.concatenate(sums).reshape(self.draws)

    def pointwise(self, draw: int) -> Array:
        """Log density of every point in one flat draw, if densities are known."""
        if self.log_joint is None:
            raise ValueError("responsibilities hold no densities")
        return np.asarray(log_density(self.log_joint(slice(draw, draw + 1)))[0])

    def _parts(self) -> Iterator[slice]:
        total = self.draws[0] * self.draws[1]
        size = max(1, BLOCK_BYTES // (8 * self.points * self.components))
        return (slice(start, min(start + size, total)) for start in range(0, total, size))


def given(responsibilities: ArrayLike | Responsibilities) -> Responsibilities:
    """Responsibilities from an array of shape (chain, draw, point, component), checked.

    Raises
    ------
    ValueError
        If they are malformed, negative, not finite, or do not add up to 1 within 0.001.
    """
    if isinstance(responsibilities, Responsibilities):
        return responsibilities
    p = np.asarray(responsibilities)
    if p.ndim != 4 or p.size == 0:
        raise ValueError(
            "responsibilities must have the axes (chain, draw, point, component), all non-empty, "
            f"got an array of shape {p.shape}"
        )
    total = p.sum(axis=-1, dtype=np.float64)
    if not np.all(np.isfinite(total)):
        finite("responsibilities", p)
    if p.min() < 0 or np.abs(total - 1).max() > TOLERANCE:
        raise ValueError(
            "responsibilities must be non-negative and add up to 1 over components, got sums from "
            f"{total.min():.6g} to {total.max():.6g} and a minimum of {p.min():.6g}"
        )
    flat = p.reshape(-1, *p.shape[2:])

    def block(part: slice) -> Array:
        values = flat[part].astype(np.float64, copy=False)
        return values / values.sum(axis=-1, keepdims=True)

    return Responsibilities(p.shape[:2], p.shape[2], p.shape[3], block)


def from_log_joint(
    log_joint: Callable[[slice], Array], draws: tuple[int, int], points: int, components: int
) -> Responsibilities:
    """Responsibilities from the log of weight times density, made for slices of flat draws."""

    def block(part: slice) -> Array:
        values = log_joint(part)
        values -= _over_components(np.maximum, values)
        np.exp(values, out=values)
        values /= _over_components(np.add, values)
        return values

    return Responsibilities(draws, points, components, block, log_joint)


def _over_components(combine: np.ufunc, values: Array) -> Array:
    """Reduction of a short last axis, which is kept: faster than numpy's own there."""
    total = values[..., 0].copy()
    for component in range(1, values.shape[-1]):
        combine(total, values[..., component], out=total)
    return total[..., None]


def log_density(log_joint: Array) -> Array:
    """Log of the sum over components of the exponentials, on the last axis."""
    largest = log_joint.max(axis=-1)
    return np.asarray(largest + np.log(np.exp(log_joint - largest[..., None]).sum(axis=-1)))


def from_log_likelihood(
    log_likelihood: ArrayLike, weights: ArrayLike | None = None
) -> Responsibilities:
    """Responsibilities of components of any family.

    Parameters
    ----------
    log_likelihood : array_like, shape (chain, draw, point, component)
        Log density of each point under each component.
    weights : array_like, shape (chain, draw, component), optional
        Their weights; without them the log likelihood is taken to hold the log weights.

    Raises
    ------
    ValueError
        If the log likelihood is malformed, NaN or infinite upwards, or a point has no component.
    """
    values = np.asarray(log_likelihood)
    if values.ndim != 4 or values.size == 0:
        raise ValueError(
            "log_likelihood must have the axes (chain, draw, point, component), all non-empty, "
            f"got an array of shape {values.shape}"
        )
    largest = values.max(axis=-1)
    if not np.all(np.isfinite(largest)):
        raise ValueError(
            "log_likelihood must be numbers or -inf, with a component of positive density for "
            f"every point, but {int(np.sum(~np.isfinite(largest)))} points of draws have none"
        )
    flat = values.reshape(-1, *values.shape[2:])
    log_w = np.zeros((1, 1, 1))
    if weights is not None:
        with np.errstate(divide="ignore"):
            log_w = np.log(np.asarray(weights, dtype=np.float64)).reshape(-1, 1, values.shape[3])

    def log_joint(part: slice) -> Array:
        return flat[part] + (log_w if weights is None else log_w[part])

    return from_log_joint(log_joint, values.shape[:2], *values.shape[2:])


def sample_allocations(
    responsibilities: ArrayLike | Responsibilities, rng: np.random.Generator
) -> NDArray[np.integer]:
    """Allocations drawn from their responsibilities, shape (chain, draw, point).

    For models whose allocations are summed out, as PyMC's and Stan's are.
    """
    p = given(responsibilities)
    z = np.empty((p.draws[0] * p.draws[1], p.points), dtype=np.min_scalar_type(p.components))
    for part, block in p:
        uniform = rng.random((*block.shape[:2], 1))
        z[part] = np.sum(uniform > np.cumsum(block, axis=-1)[..., :-1], axis=-1)
    return z.reshape(*p.draws, p.points)
