"""Assignment of components to labels, one draw at a time, without enumerating the K! permutations.

Here draws are flat: gain has shape (draw, label, component), a permutation (draw, label).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from ordered_mix.arrays import Array

Permutation = NDArray[np.int64]


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
    """

    permutation: Permutation
    iterations: int = 1
    converged: bool = True


def best_assignment(gain: Array) -> Permutation:
    """The component for each label that maximises the summed gain of each draw."""
    permutation = np.empty(gain.shape[:2], dtype=np.int64)
    for draw, matrix in enumerate(gain):
        permutation[draw] = linear_sum_assignment(matrix, maximize=True)[1]
    return permutation


def iterate(
    step: Callable[[Permutation], Permutation],
    start: Permutation,
    draws: tuple[int, int],
    max_iterations: int,
) -> Relabelling:
    """Repeat a step on flat permutations until they no longer change; draws is (chain, draw)."""
    if max_iterations < 1:
        raise ValueError(f"max_iterations must be at least 1, got {max_iterations}")
    permutation, converged, iteration = start, False, 0
    while not converged and iteration < max_iterations:
        previous, permutation = permutation, step(permutation)
        converged = np.array_equal(previous, permutation)
        iteration += 1
    return Relabelling(permutation.reshape(*draws, -1), iteration, converged)


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
