"""Which parameter tells components apart, and labels chosen by it.

Parameters are a mapping of names to component-indexed scalars of shape (chain, draw, component).
Distances between labels are means of their difference in a draw, in its standard deviations. Two
independent draws from one distribution are 1 to 1.4 apart once sorted, and two weights up to 1.73:
below `APART` labels mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.assignment import (
    Permutation,
    Relabelling,
    assigned,
    best_assignment,
    iterate,
    references,
)

APART = 2.0
NEARLY_EMPTY = 0.01
MOST_KEYS = 6
MOST_TRIED = 2000
STARTS = 5
ROUNDS = 20
LEAST = 1e-3
BLOCK = 4_000_000
ROUNDING = 1e-9

Parameters = Mapping[str, Array]


def separate(parameters: Parameters, weights: Array | None = None) -> tuple[Relabelling, str]:
    """Labels under which components are as far apart as the parameters allow.

    Sorts by every parameter in turn, aligns every draw with the labels found (`align`), starts
    from the labels of some draws too, and keeps what separates the two closest labels best. The
    choice is made on at most 2,000 draws, evenly spread.

    Parameters
    ----------
    parameters : mapping of str to ndarray, shape (chain, draw, component)
    weights : ndarray, shape (chain, draw, component), optional
        Labels whose mean weight is below 1% are not judged, and components count by their weight.

    Returns
    -------
    Relabelling
        Its loss is the negative separation.
    str
        The parameter sorted by, empty where it was begun with the labels of a draw.
    """
    few, share = _few(parameters), None if weights is None else _spread(weights)
    found, by, is_sort = _best(few, share)
    if is_sort:
        return Relabelling(np.argsort(parameters[by], axis=-1, kind="stable"), loss=found.loss), by
    centres = label_statistics(stacked(few), found.permutation[0], _flat(share))
    start = _nearest(stacked(parameters), *centres, _flat(weights))[0]
    shape = next(iter(parameters.values())).shape
    aligned = align(parameters, start.reshape(shape), weights)
    return aligned._replace(loss=-closest(parameters, aligned.permutation, weights)[0]), by


def _best(parameters: Parameters, weights: Array | None) -> tuple[Relabelling, str, bool]:
    """The start that separates best, the parameter it sorts by, and whether it only sorts."""
    sorts = {name: np.argsort(values, axis=-1, kind="stable")
             for name, values in parameters.items()}  # fmt: skip
    scores = {name: closest(parameters, order, weights)[0] for name, order in sorts.items()}
    best = sorted(scores, key=lambda name: -scores[name])[:MOST_KEYS]
    found = [(Relabelling(sorts[name], loss=-scores[name]), name, True) for name in best]
    starts = [(sorts[name], name) for name in best]
    starts += [(start, "") for start in _labels_of_draws(parameters, weights)]
    for start, name in starts:
        aligned = align(parameters, start, weights)
        score = closest(parameters, aligned.permutation, weights)[0]
        found.append((aligned._replace(loss=-score), name, False))
    return min(found, key=lambda one: one[0].loss)


def _labels_of_draws(parameters: Parameters, weights: Array | None) -> list[Permutation]:
    """The labels of some draws in turn, given to all by their distance."""
    values, shape = stacked(parameters), next(iter(parameters.values())).shape
    variance = values.reshape(len(values), -1).var(axis=-1)
    return [
        _nearest(values, values[:, draw], variance, _flat(weights))[0].reshape(shape)
        for draw in references(values.shape[1], STARTS)
    ]


def align(
    parameters: Parameters,
    start: Permutation,
    weights: Array | None = None,
    max_iterations: int = ROUNDS,
) -> Relabelling:
    """Bring every draw close to the means of the labels, in standard deviations within labels.

    Alternates between the means and the pooled variances of the relabelled parameters and, for
    each draw, the permutation of least squared distance, by linear assignment.

    Parameters
    ----------
    parameters : mapping of str to ndarray, shape (chain, draw, component)
    start : ndarray of int, shape (chain, draw, component)
    weights : ndarray, shape (chain, draw, component), optional
        Components count by their weight: a nearly empty one may be anywhere.
    max_iterations : int
    """
    values, shares = stacked(parameters), _flat(weights)
    shape = start.shape

    def step(permutation: Permutation) -> tuple[Permutation, float]:
        return _nearest(values, *label_statistics(values, permutation, shares), shares)

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
        row[...] = np.divide(
            gap, scale, out=np.where(gap > 0, np.inf, 0.0), where=scale > ROUNDING * gap
        )
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


def label_statistics(
    values: Array, permutation: Permutation, weights: Array | None = None
) -> tuple[Array, Array]:
    """Means of the relabelled parameters (parameter, label), pooled variances (parameter,)."""
    relabelled = np.take_along_axis(values, permutation[None], axis=-1)
    if weights is None:
        return relabelled.mean(axis=1), relabelled.var(axis=1).mean(axis=-1)
    share = np.take_along_axis(weights, permutation, axis=-1)
    mean = np.sum(share * relabelled, axis=1) / share.sum(axis=0)
    squares = (relabelled - mean[:, None]) ** 2
    return mean, np.sum(share * squares, axis=(1, 2)) / share.sum()


def label_distances(parameters: Parameters, permutation: Permutation) -> Array:
    """Half the squared distance of relabelled component k from label j, (chain, draw, j, k).

    In pooled standard deviations of the labels, added up over the parameters. The permutation may
    hold some of the labels only.
    """
    shape = permutation.shape
    blocks = np.concatenate(list(blocks_of_distances(parameters, permutation)))
    return blocks.reshape(*shape[:2], shape[-1], shape[-1])


def blocks_of_distances(parameters: Parameters, permutation: Permutation) -> Iterator[Array]:
    """`label_distances` of consecutive flat draws, (draw, j, k), in blocks of bounded memory."""
    flat = permutation.reshape(-1, permutation.shape[-1])
    values = stacked(parameters)
    statistics = label_statistics(values, flat)
    size = max(1, BLOCK // (flat.shape[1] * values.shape[2]))
    for start in range(0, len(flat), size):
        part = slice(start, start + size)
        cost = _costs(values[:, part], *statistics, None)
        yield np.take_along_axis(cost, flat[part, None, :], axis=-1)


def _nearest(
    values: Array, mean: Array, variance: Array, weights: Array | None
) -> tuple[Permutation, float]:
    """The permutation of least cost of each draw, and the sum; in blocks that bound the memory."""
    size = max(1, BLOCK // (mean.shape[1] * values.shape[2]))
    found, loss = [], 0.0
    for start in range(0, values.shape[1], size):
        part = slice(start, start + size)
        share = None if weights is None else weights[part]
        gain = -_costs(values[:, part], mean, variance, share)
        found.append(best_assignment(gain))
        loss -= assigned(gain, found[-1])
    return np.concatenate(found), loss


def _costs(values: Array, mean: Array, variance: Array, weights: Array | None) -> Array:
    """Half the squared distance of component k from label j in each draw, (draw, j, k)."""
    total = np.zeros((values.shape[1], mean.shape[1], values.shape[2]))
    for one, centre, spread in zip(values, mean, variance, strict=True):
        if spread > 0:
            total += (one[:, None, :] - centre[:, None]) ** 2 / (2 * spread)
    if weights is not None:
        total *= weights[:, None, :]
    return total


def _flat(weights: Array | None) -> Array | None:
    """Weights of flat draws in units of their mean; none is 0, so that every label has a place."""
    if weights is None:
        return None
    flat = weights.reshape(-1, weights.shape[-1])
    return flat * flat.shape[1] + LEAST


def _few(parameters: Parameters) -> dict[str, Array]:
    return {name: _spread(values) for name, values in parameters.items()}


def _spread(values: Array) -> Array:
    """At most 2,000 draws, evenly spread, as those of one chain."""
    flat = values.reshape(1, -1, values.shape[-1])
    if flat.shape[1] <= MOST_TRIED:
        return flat
    return flat[:, np.linspace(0, flat.shape[1] - 1, MOST_TRIED).astype(int)]
