"""Assignment of components to labels, one draw at a time.

Here draws are flat: gain has shape (draw, label, component), a permutation (draw, label).
"""

from collections.abc import Callable, Iterable
from itertools import permutations
from math import nan
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from ordered_mix.arrays import Array

Permutation = NDArray[np.int64]
FEW = 3


class Relabelling(NamedTuple):
    """Permutations found by a relabelling algorithm.

    Attributes
    ----------
    permutation : ndarray of int, shape (chain, draw, component)
        ``relabelled[c, d, j] = draws[c, d, permutation[c, d, j]]``.
    iterations : int
        Rounds of the algorithm; 1 for those that need no iteration.
    converged : bool
        False if the permutations still changed in the last round allowed.
    loss : float
        What the algorithm minimises, summed over draws, at its permutations; NaN for a constraint,
        which minimises nothing.
    """

    permutation: Permutation
    iterations: int = 1
    converged: bool = True
    loss: float = nan


def best_assignment(gain: Array) -> Permutation:
    """The component for each label that maximises the summed gain of each draw."""
    k = gain.shape[-1]
    if k <= FEW:  # enumerating is faster than a loop over draws
        orders = np.array(list(permutations(range(k))), dtype=np.int64)
        total = gain[:, np.arange(k), orders].sum(axis=-1)
        return orders[np.argmax(total, axis=-1)]
    permutation = np.empty(gain.shape[:2], dtype=np.int64)
    for draw, matrix in enumerate(gain):
        permutation[draw] = linear_sum_assignment(matrix, maximize=True)[1]
    return permutation


def assigned(gain: Array, permutation: Permutation) -> float:
    """The gain of the permutations, summed over draws and labels."""
    return float(np.take_along_axis(gain, permutation[..., None], axis=-1).sum())


def iterate(
    step: Callable[[Permutation], tuple[Permutation, float]],
    start: Permutation,
    draws: tuple[int, int],
    max_iterations: int,
) -> Relabelling:
    """Repeat a step until the permutations no longer change; draws is (chain, draw).

    A step takes flat permutations and returns the next ones and their loss.
    """
    if max_iterations < 1:
        raise ValueError(f"max_iterations must be at least 1, got {max_iterations}")
    permutation, converged, iteration, loss = start, False, 0, nan
    while not converged and iteration < max_iterations:
        previous, (permutation, loss) = permutation, step(permutation)
        converged = np.array_equal(previous, permutation)
        iteration += 1
    return Relabelling(permutation.reshape(*draws, -1), iteration, converged, loss)


def best_of(
    step: Callable[[Permutation], tuple[Permutation, float]],
    starts: Iterable[Permutation],
    draws: tuple[int, int],
    max_iterations: int,
) -> Relabelling:
    """`iterate` from several starts; the end of smallest loss, the first of equals.

    Starts that differ by one permutation of all draws lead to the same end: one of them is taken.
    """
    distinct: list[Permutation] = []
    for start in starts:
        numbered = start[:, np.argsort(start[0])]
        if not any(np.array_equal(numbered, other[:, np.argsort(other[0])]) for other in distinct):
            distinct.append(start)
    found = [iterate(step, start, draws, max_iterations) for start in distinct]
    return min(found, key=lambda one: one.loss)


def references(draws: int, starts: int) -> list[int]:
    """Draws to align the others with at the start: the first, and others evenly spread."""
    if starts < 1:
        raise ValueError(f"starts must be at least 1, got {starts}")
    spread = np.linspace(0, draws, starts, endpoint=False).astype(int)
    return list(dict.fromkeys(spread.tolist()))


def invert(permutation: Permutation) -> Permutation:
    """The permutations that undo the given ones, along the last axis."""
    return np.argsort(permutation, axis=-1)


def check_permutation(permutation: ArrayLike) -> Permutation:
    """Permutations of shape (chain, draw, component), checked."""
    array = np.asarray(permutation)
    if array.ndim != 3 or array.size == 0 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            "permutation must hold integers with the axes (chain, draw, component), got "
            f"{array.dtype} of shape {array.shape}"
        )
    if np.any(np.sort(array, axis=-1) != np.arange(array.shape[-1])):
        raise ValueError(
            f"permutation must hold each of 0 to {array.shape[-1] - 1} once in every draw, "
            "but some draws do not"
        )
    return array.astype(np.int64, copy=False)
