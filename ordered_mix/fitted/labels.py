"""Labels by what separates the components, numbered from 1 in the order of their means."""

from __future__ import annotations

import numpy as np

from ordered_mix.draws.relabel.assignment import Permutation
from ordered_mix.draws.relabel.normal import responsibilities_of
from ordered_mix.draws.relabel.stephens import stephens
from ordered_mix.mixture import Array, Mixture

MOST_RESPONSIBILITIES = 25_000_000


def method_of(draws: Mixture) -> str:
    """What `labels_by_what_separates` takes for such draws."""
    return "sorted by mean" if one_scale(draws) else "Stephens"


def one_scale(draws: Mixture) -> bool:
    """Whether each draw has one scale for all its components."""
    return bool(np.all(draws.sigma == draws.sigma[..., :1]))


def labels_by_what_separates(draws: Mixture, y: Array, exchangeable: bool = True) -> Permutation:
    """Permutations under which the draws agree best on which component each point belongs to.

    Means that coincide do not separate components, nor do scales or weights that do; the
    responsibilities (Stephens 2000) use whatever does. Components are then numbered in the order
    of their posterior means. With one scale for all, means are what separates, and draws are
    sorted by them.

    Parameters
    ----------
    draws : Mixture, batch shape (chain, draw)
    y : array, shape (n,)
        The data; evenly spaced order statistics stand for many points.
    exchangeable : bool
        Whether labels are free; where known weights differ they are what they are.

    Returns
    -------
    ndarray of int, shape (chain, draw, component)
        ``labelled[c, d, j] = draws[c, d, permutation[c, d, j]]``.
    """
    if draws.k == 1 or not exchangeable:
        return np.broadcast_to(np.arange(draws.k), draws.mu.shape)
    if one_scale(draws):
        return draws.order()
    points = few_points(y, draws.mu.size)
    permutation = stephens(responsibilities_of(points, draws.w, draws.mu, draws.sigma)).permutation
    means = np.take_along_axis(draws.mu, permutation, axis=-1).mean(axis=(0, 1))
    return permutation[..., np.argsort(means, kind="stable")]


def few_points(y: Array, size: int) -> Array:
    """Points spread evenly over the data, as many as responsibilities of so many numbers allow."""
    most = max(1, MOST_RESPONSIBILITIES // size)
    if y.size <= most:
        return y
    return np.sort(y)[np.linspace(0, y.size - 1, most).astype(int)]
