"""Undo label switching: permutations of the components, one for each draw, and their application.

A permutation array has shape (chain, draw, component); ``relabelled[c, d, j]`` is
``draws[c, d, permutation[c, d, j]]``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.diagnostics._draws import Array, mixture_draws

FOLD_KEYS = ("mu", "sigma", "w")


class Folded(NamedTuple):
    """Folded draws of shape (chain, draw, component), and the permutation that folded them."""

    w: Array
    mu: Array
    sigma: Array
    permutation: NDArray[np.int64]


def fold(w: ArrayLike, mu: ArrayLike, sigma: ArrayLike, by: str = "mu") -> Folded:
    """Sort the components of every draw, carrying the other parameters along.

    Folding is the quotient by relabelling. As a relabelling method it is the identifiability
    constraint of Diebolt & Robert (1994), called AIC ("artificial identifiability constraint")
    by Papastamoulis (2016).

    Parameters
    ----------
    w, mu, sigma : array_like, shape (chain, draw, component)
        Weights, means and standard deviations; known ones may have shape (component,).
    by : {"mu", "sigma", "w"}
        The parameter that is ascending after folding.

    Returns
    -------
    Folded
        The folded draws and the permutation.

    Raises
    ------
    ValueError
        If the draws are malformed, `by` is unknown, or the weights (or the scales) are known and
        unequal: then the labels are not exchangeable and a relabelled draw is another model.

    References
    ----------
    Diebolt & Robert (1994), JRSS B 56, 363-375. Papastamoulis (2016), JSS 69, code snippet 1.
    """
    if by not in FOLD_KEYS:
        raise ValueError(f"by must be one of {', '.join(FOLD_KEYS)}, got {by!r}")
    w, mu, sigma = mixture_draws(w, mu, sigma)
    _require_exchangeable("w", w)
    _require_exchangeable("sigma", sigma)
    permutation = np.argsort({"mu": mu, "sigma": sigma, "w": w}[by], axis=-1, kind="stable")
    folded = (np.take_along_axis(values, permutation, axis=-1) for values in (w, mu, sigma))
    return Folded(*folded, permutation)


def _require_exchangeable(name: str, values: Array) -> None:
    first = values[0, 0]
    fixed = values.shape[0] * values.shape[1] > 1 and bool(np.all(values == first))
    if fixed and np.any(first != first[0]):
        raise ValueError(
            f"{name} is fixed at the unequal values {np.array2string(first, precision=4)}, so the "
            f"labels are not exchangeable; folding accepts an estimated {name} or equal values"
        )
