"""Which parameter tells components apart, and labels chosen by it.

Parameters are a mapping of names to component-indexed scalars of shape (chain, draw, component).
Distances between labels are means of their difference in a draw, in its standard deviations. Two
independent draws from one distribution are 1 to 1.4 apart once sorted, and two weights up to 1.73:
below `APART` labels mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, component_draws
from ordered_mix.draws.relabel.assignment import (
    Permutation,
    Relabelling,
    assigned,
    best_assignment,
    iterate,
)

APART = 2.0
NEARLY_EMPTY = 0.01
MOST_KEYS = 6
ROUNDS = 20

Parameters = Mapping[str, Array]


class Labels(NamedTuple):
    """Labels chosen by what separates the components.

    Attributes
    ----------
    permutation : ndarray of int, shape (chain, draw, component)
        ``relabelled[c, d, j] = draws[c, d, permutation[c, d, j]]``; labels ascend in the mean of
        the parameter they are numbered by.
    by : str
        The parameter that separates the two closest labels best, after relabelling.
    separation : float
        How far the two closest labels are apart, in standard deviations.
    meaningful : bool
        Whether that is at least `APART`; otherwise labels mean nothing.
    """

    permutation: Permutation
    by: str
    separation: float
    meaningful: bool


def label(
    w: ArrayLike,
    mu: ArrayLike,
    sigma: ArrayLike,
    order: str = "mu",
) -> Labels:
    """Choose labels for draws of a normal mixture by the parameters that separate components.

    Parameters
    ----------
    w, mu, sigma : array_like, shape (chain, draw, component)
        Weights, means and standard deviations.
    order : {"mu", "sigma", "w"}
        What the labels are numbered by: the posterior mean of it ascends.

    Returns
    -------
    Labels
        Apply it with ``np.take_along_axis(values, labels.permutation, axis=-1)``.
    """
    w = component_draws("w", w)
    given = {"mu": mu, "sigma": np.log(component_draws("sigma", sigma)), "w": w}
    parameters = {name: component_draws(name, values) for name, values in given.items()}
    found, by = separate(parameters, w)
    permutation = number(found.permutation, parameters[order])
    distance, by = closest(parameters, permutation, w)
    return Labels(permutation, by, distance, distance >= APART)


def separate(parameters: Parameters, weights: Array | None = None) -> tuple[Relabelling, str]:
    """Labels under which components are as far apart as the parameters allow.

    Sorts by every parameter in turn, aligns every draw with the labels found (`align`), and
    keeps what separates the two closest labels best.

    Parameters
    ----------
    parameters : mapping of str to ndarray, shape (chain, draw, component)
    weights : ndarray, shape (chain, draw, component), optional
        Labels whose mean weight is below 1% are not judged.

    Returns
    -------
    Relabelling
        Its loss is the negative separation.
    str
        The parameter sorted by.
    """
    sorts = {name: np.argsort(values, axis=-1, kind="stable")
             for name, values in parameters.items()}  # fmt: skip
    scores = {name: closest(parameters, order, weights)[0] for name, order in sorts.items()}
    best = sorted(scores, key=lambda name: -scores[name])[:MOST_KEYS]
    found: list[tuple[Relabelling, str]] = [
        (Relabelling(sorts[name], loss=-scores[name]), name) for name in best
    ]
    for name in best:
        aligned = align(parameters, sorts[name])
        score = closest(parameters, aligned.permutation, weights)[0]
        found.append((aligned._replace(loss=-score), name))
    return min(found, key=lambda one: one[0].loss)


def align(parameters: Parameters, start: Permutation, max_iterations: int = ROUNDS) -> Relabelling:
    """Bring every draw close to the means of the labels, in standard deviations within labels.

    Alternates between the means and the pooled variances of the relabelled parameters and, for
    each draw, the permutation of least squared distance, by linear assignment.

    Parameters
    ----------
    parameters : mapping of str to ndarray, shape (chain, draw, component)
    start : ndarray of int, shape (chain, draw, component)
    """
    values = stacked(parameters)
    shape = start.shape

    def step(permutation: Permutation) -> tuple[Permutation, float]:
        gain = -_distances(values, permutation)
        found = best_assignment(gain)
        return found, -assigned(gain, found)

    return iterate(step, start.reshape(-1, shape[-1]), (shape[0], shape[1]), max_iterations)


def distances(parameters: Parameters, permutation: Permutation) -> Array:
    """How far labels are apart by each parameter, in standard deviations.

    Returns
    -------
    ndarray, shape (parameter, label, label)
        Mean of the difference of two labels in a draw over its standard deviation.
    """
    k = permutation.shape[-1]
    out = np.empty((len(parameters), k, k))
    for row, values in zip(out, parameters.values(), strict=True):
        flat = np.take_along_axis(values, permutation, axis=-1).reshape(-1, k)
        mean = flat.mean(axis=0)
        covariance = np.atleast_2d(np.cov(flat.T, ddof=0))
        own = np.diag(covariance)
        # differences that do not vary but for rounding
        variance = np.maximum(own[:, None] + own - 2 * covariance, 1e-12 * own)
        gap, scale = np.abs(mean[:, None] - mean), np.sqrt(variance)
        row[...] = np.divide(gap, scale, out=np.where(gap > 0, np.inf, 0.0), where=scale > 0)
    return out


def closest(
    parameters: Parameters, permutation: Permutation, weights: Array | None = None
) -> tuple[float, str]:
    """Distance of the two closest labels by the parameter that tells them apart best, and it.

    Labels whose mean weight is below 1% are left out; infinity if fewer than two are left.
    """
    names = list(parameters)
    between = distances(parameters, permutation)
    judged = occupied(permutation, weights)
    pairs = [(j, k) for j in np.flatnonzero(judged) for k in np.flatnonzero(judged) if j < k]
    if not pairs:
        return np.inf, names[0]
    at = min(pairs, key=lambda pair: between[:, *pair].max())
    return float(between[:, *at].max()), names[int(between[:, *at].argmax())]


def occupied(permutation: Permutation, weights: Array | None) -> np.ndarray:
    """Whether each label holds at least 1% of the weight on average."""
    if weights is None:
        return np.ones(permutation.shape[-1], dtype=bool)
    relabelled = np.take_along_axis(weights, permutation, axis=-1)
    return np.asarray(relabelled.mean(axis=(0, 1)) >= NEARLY_EMPTY)


def number(permutation: Permutation, key: Array) -> Permutation:
    """Labels numbered so that the posterior mean of a parameter ascends."""
    mean = np.take_along_axis(key, permutation, axis=-1).mean(axis=(0, 1))
    return permutation[..., np.argsort(mean, kind="stable")]


def stacked(parameters: Parameters) -> Array:
    """Flat draws of all parameters, shape (parameter, draw, component)."""
    return np.stack([values.reshape(-1, values.shape[-1]) for values in parameters.values()])


def label_statistics(values: Array, permutation: Permutation) -> tuple[Array, Array]:
    """Means of the relabelled parameters (parameter, label), pooled variances (parameter,)."""
    relabelled = np.take_along_axis(values, permutation[None], axis=-1)
    mean = relabelled.mean(axis=1)
    return mean, relabelled.var(axis=1).mean(axis=-1)


def _distances(values: Array, permutation: Permutation) -> Array:
    """Half the squared distance of component k from label j in each draw, (draw, j, k)."""
    mean, variance = label_statistics(values, permutation)
    total = np.zeros((values.shape[1], values.shape[2], values.shape[2]))
    for one, centre, spread in zip(values, mean, variance, strict=True):
        if spread > 0:
            total += (one[:, None, :] - centre[:, None]) ** 2 / (2 * spread)
    return total


def label_distances(parameters: Parameters, permutation: Permutation) -> Array:
    """Half the squared distance of relabelled component k from label j, (chain, draw, j, k).

    In pooled standard deviations of the labels, added up over the parameters.
    """
    shape = permutation.shape
    flat = permutation.reshape(-1, shape[-1])
    cost = _distances(stacked(parameters), flat)
    relabelled = np.take_along_axis(cost, flat[:, None, :], axis=-1)
    return relabelled.reshape(*shape[:2], shape[-1], shape[-1])
