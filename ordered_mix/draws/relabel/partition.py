"""The partition of the points, which needs no labels: co-clustering and point estimates of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.ecr import check_allocations
from ordered_mix.draws.relabel.responsibilities import Responsibilities, given

MOST_POINTS = 5_000
MOST_CANDIDATES = 200
SWEEPS = 50


class Partition(NamedTuple):
    """A point estimate of the partition.

    Attributes
    ----------
    clusters : ndarray of int, shape (point,)
        Cluster of each point, 0 for that of the first point, and so on as they appear.
    loss : float
        Expected posterior loss.
    """

    clusters: NDArray[np.int64]
    loss: float


def co_clustering(
    allocations: ArrayLike | None = None,
    responsibilities: ArrayLike | Responsibilities | None = None,
    components: int | None = None,
) -> Array:
    """Posterior probability that two points share a component, whatever its label.

    Parameters
    ----------
    allocations : array_like of int, shape (chain, draw, point), optional
        Sampled allocations of `components` components, or else
    responsibilities : array_like, shape (chain, draw, point, component), optional
        from which it follows without sampling.

    Returns
    -------
    ndarray, shape (point, point)

    Raises
    ------
    ValueError
        If neither or both are given, or there are more than 5,000 points.
    """
    if (allocations is None) == (responsibilities is None):
        raise ValueError("allocations or responsibilities must be given, one of them")
    if responsibilities is not None:
        p = given(responsibilities)
        _few_enough(p.points)
        total = np.zeros((p.points, p.points))
        for _, block in p:
            wide = np.moveaxis(block, 1, 0).reshape(p.points, -1)
            total += wide @ wide.T
        found = total / (p.draws[0] * p.draws[1])
    else:
        z = np.asarray(allocations)
        k = int(z.max()) + 1 if components is None else components
        z = check_allocations("allocations", z, k)
        _few_enough(z.shape[2])
        flat = z.reshape(-1, z.shape[2])
        found = np.zeros((flat.shape[1], flat.shape[1]))
        for component in range(k):
            member = (flat == component).astype(np.float64)
            found += member.T @ member
        found /= len(flat)
    np.fill_diagonal(found, 1.0)
    return found


def partition(allocations: ArrayLike, loss: str = "vi") -> Partition:
    """The partition of least expected loss.

    The best of the partitions drawn (at most 200, evenly spread) is improved by moving one point
    at a time while the loss falls. For the variation of information the loss is the lower bound
    of Wade & Ghahramani, which needs the co-clustering matrix only.

    Parameters
    ----------
    allocations : array_like of int, shape (chain, draw, point)
        Sampled allocations, in any labels; see `sample_allocations`.
    loss : {"vi", "binder"}
        Variation of information, in bits for each point, or Binder's loss: pairs of points on
        which partitions disagree, as a share of all n^2 ordered pairs.

    Raises
    ------
    ValueError
        If the loss is unknown or the allocations are malformed.

    References
    ----------
    Binder (1978), Biometrika 65, 31-38. Wade & Ghahramani (2018), Bayesian Analysis 13, 559-626,
    section 4. Dahl (2006), least squares.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}")
    array = np.asarray(allocations)
    similarity = co_clustering(array)
    z = check_allocations("allocations", array, int(array.max()) + 1)
    flat = z.reshape(-1, z.shape[2])
    spread = np.unique(np.linspace(0, len(flat) - 1, MOST_CANDIDATES).astype(int))
    candidates = [flat[draw].astype(np.int64) for draw in spread]
    best = min(candidates, key=lambda one: LOSSES[loss](one, similarity))
    best = _improve(best.copy(), similarity, loss)
    return Partition(_as_they_appear(best), LOSSES[loss](best, similarity))


def binder(clusters: NDArray[np.int64], similarity: Array) -> float:
    """Expected Binder loss of a partition."""
    same = clusters[:, None] == clusters
    return float(np.mean(np.where(same, 1 - similarity, similarity)))


def variation_of_information(clusters: NDArray[np.int64], similarity: Array) -> float:
    """Lower bound of the expected variation of information, in bits.

    Wade & Ghahramani (2018), equation 13, in which the expectation is moved into the logarithm.
    """
    same = (clusters[:, None] == clusters).astype(np.float64)
    size, expected = same.sum(axis=1), similarity.sum(axis=1)
    both = (same * similarity).sum(axis=1)
    return float(np.mean(np.log2(size) + np.log2(expected) - 2 * np.log2(both)))


LOSSES = {"vi": variation_of_information, "binder": binder}


def _improve(clusters: NDArray[np.int64], similarity: Array, loss: str) -> NDArray[np.int64]:
    """Move points one at a time, also to a cluster of their own, while the loss falls."""
    for _ in range(SWEEPS):
        moved = False
        for point in range(clusters.size):
            labels = np.append(np.unique(clusters), clusters.max() + 1)
            now = clusters[point]
            change = MOVES[loss](clusters, similarity, point, labels)
            to = labels[int(np.argmin(change))]
            if change.min() < change[labels == now][0] - 1e-12:
                clusters[point], moved = to, True
        if not moved:
            break
    return clusters


def _move_binder(
    clusters: NDArray[np.int64], similarity: Array, point: int, labels: NDArray[np.int64]
) -> Array:
    """The loss, up to a constant, with a point in each of the clusters."""
    others = np.arange(clusters.size) != point
    gain = 1 - 2 * similarity[point]
    return np.array([gain[(clusters == label) & others].sum() for label in labels])


def _move_vi(
    clusters: NDArray[np.int64], similarity: Array, point: int, labels: NDArray[np.int64]
) -> Array:
    """The loss, up to a constant, with a point in each of the clusters."""
    others = np.arange(clusters.size) != point
    found = []
    for label in labels:
        member = (clusters == label) & others
        size, row = member.sum(), similarity[point, member]
        both = similarity[np.ix_(member, member)].sum(axis=1)
        before = size * np.log2(max(size, 1)) - 2 * np.log2(both).sum()
        after = (size + 1) * np.log2(size + 1) - 2 * np.log2(both + row).sum()
        found.append(after - before - 2 * np.log2(row.sum() + similarity[point, point]))
    return np.array(found)


MOVES = {"vi": _move_vi, "binder": _move_binder}


def _as_they_appear(clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    _, first, inverse = np.unique(clusters, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def _few_enough(points: int) -> None:
    if points > MOST_POINTS:
        raise ValueError(
            f"points must be at most {MOST_POINTS:,} for a co-clustering matrix, got {points:,}"
        )
