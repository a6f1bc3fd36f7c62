"""Undo label switching: permutations of the components, one for each draw, and their application.

A permutation array has shape (chain, draw, component); ``relabelled[c, d, j]`` is
``draws[c, d, permutation[c, d, j]]``. Algorithms that need allocations or responsibilities are in
`ecr` and `stephens`; `relabel_tree` applies any of them to a DataTree.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.arrays import Array, component_draws, finite, mixture_draws
from ordered_mix.draws.relabel.assignment import (
    Relabelling,
    best_assignment,
    check_permutation,
    invert,
)

SORT_KEYS = ("mu", "sigma", "w")


class SortedDraws(NamedTuple):
    """Sorted draws of shape (chain, draw, component), and the permutation that sorted them."""

    w: Array
    mu: Array
    sigma: Array
    permutation: NDArray[np.int64]


def sort_components(w: ArrayLike, mu: ArrayLike, sigma: ArrayLike, by: str = "mu") -> SortedDraws:
    """Sort the components of every draw, carrying the other parameters along.

    Sorting is the quotient by relabelling. As a relabelling algorithm it is the identifiability
    constraint of Diebolt & Robert (1994), the "AIC" (artificial identifiability constraint) of
    Papastamoulis (2016).

    Parameters
    ----------
    w, mu, sigma : array_like, shape (chain, draw, component)
        Weights, means and standard deviations; known ones may have shape (component,).
    by : {"mu", "sigma", "w"}
        The parameter that is ascending after sorting.

    Returns
    -------
    Sorted
        The sorted draws and the permutation.

    Raises
    ------
    ValueError
        If the draws are malformed, `by` is unknown, or the weights (or the scales) are known and
        unequal: then the labels are not exchangeable and a relabelled draw is another model.

    References
    ----------
    Diebolt & Robert (1994), JRSS B 56, 363-375. Papastamoulis (2016), JSS 69, code snippet 1.
    """
    if by not in SORT_KEYS:
        raise ValueError(f"by must be one of {', '.join(SORT_KEYS)}, got {by!r}")
    w, mu, sigma = mixture_draws(w, mu, sigma)
    require_exchangeable("w", w)
    require_exchangeable("sigma", sigma)
    permutation = constraint({"mu": mu, "sigma": sigma, "w": w}[by]).permutation
    w, mu, sigma = (np.take_along_axis(values, permutation, axis=-1) for values in (w, mu, sigma))
    return SortedDraws(w, mu, sigma, permutation)


def constraint(key: ArrayLike) -> Relabelling:
    """Relabel by a constraint of the user's own: components ascending in a key.

    Parameters
    ----------
    key : array_like, shape (chain, draw, component)
        Any function of the draws, for example ``mu / sigma``.
    """
    return Relabelling(np.argsort(component_draws("key", key), axis=-1, kind="stable"))


def pra(parameters: ArrayLike, pivot: ArrayLike) -> Relabelling:
    """Pivotal reordering: the permutation closest to one draw of high posterior density.

    Maximises the scalar product of the permuted parameters and the pivot, which minimises their
    Euclidean distance, by linear assignment instead of the K! comparisons of the original.

    Parameters
    ----------
    parameters : array_like, shape (chain, draw, component, kind)
        Component-indexed parameters; those of a large scale count most, so scale them first.
    pivot : array_like, shape (component, kind)
        For example the draw with the largest posterior density.

    References
    ----------
    Marin, Mengersen & Robert (2005), Handbook of Statistics 25, 459-507, section 3.1.
    """
    values, pivot = finite("parameters", parameters), finite("pivot", pivot)
    if values.ndim != 4 or values.size == 0:
        raise ValueError(
            "parameters must have the axes (chain, draw, component, kind), all non-empty, "
            f"got an array of shape {values.shape}"
        )
    if pivot.shape != values.shape[2:]:
        raise ValueError(f"pivot must have the shape {values.shape[2:]}, got {pivot.shape}")
    flat = values.reshape(-1, *values.shape[2:])
    return Relabelling(best_assignment(pivot @ flat.transpose(0, 2, 1)).reshape(values.shape[:3]))


def permute(values: ArrayLike, permutation: ArrayLike, axis: int = 2) -> NDArray:
    """Relabelled copy of a component-indexed quantity.

    Parameters
    ----------
    values : array_like, shape (chain, draw, ..., component, ...)
        Draws.
    permutation : array_like of int, shape (chain, draw, component)
        From any algorithm, or the user's own.
    axis : int
        The component axis of `values`, not one of the first two.

    Raises
    ------
    ValueError
        If the permutation is not one in some draw, or does not fit the values.
    """
    permutation = check_permutation(permutation)
    array = np.asarray(values)
    if not -array.ndim <= axis < array.ndim or axis % array.ndim < 2:
        raise ValueError(
            f"axis must be a component axis after (chain, draw) of values of shape {array.shape}, "
            f"got {axis}"
        )
    axis %= array.ndim
    if (*array.shape[:2], array.shape[axis]) != permutation.shape:
        raise ValueError(
            f"permutation of shape {permutation.shape} does not fit values of shape {array.shape} "
            f"with the components on axis {axis}"
        )
    expanded = np.ones(array.ndim, dtype=int)
    expanded[[0, 1, axis]] = permutation.shape
    return np.take_along_axis(array, permutation.reshape(expanded), axis=axis)


def permute_allocations(allocations: ArrayLike, permutation: ArrayLike) -> NDArray[np.int64]:
    """Relabelled copy of allocations, shape (chain, draw, point), whose values are components."""
    permutation = check_permutation(permutation)
    array = np.asarray(allocations)
    fits = array.ndim == 3 and array.shape[:2] == permutation.shape[:2]
    if not fits or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            "allocations must hold integers with the axes (chain, draw, point) of the "
            f"permutation's {permutation.shape[:2]} draws, got {array.dtype} of shape {array.shape}"
        )
    if array.min() < 0 or array.max() >= permutation.shape[2]:
        raise ValueError(
            f"allocations must lie in 0 to {permutation.shape[2] - 1}, "
            f"got {array.min()} to {array.max()}"
        )
    return np.take_along_axis(invert(permutation), array, axis=-1)


def require_exchangeable(name: str, values: Array) -> None:
    """ValueError if values are known and unequal, so that labels carry meaning."""
    first = values[0, 0]
    fixed = values.shape[0] * values.shape[1] > 1 and bool(np.all(values == first))
    if fixed and np.any(first != first[0]):
        raise ValueError(
            f"{name} is fixed at the unequal values {np.array2string(first, precision=4)}, so the "
            f"labels are not exchangeable; sorting accepts an estimated {name} or equal values"
        )
