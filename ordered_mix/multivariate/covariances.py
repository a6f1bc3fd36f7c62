"""Kinds of covariances as constraints of one representation, their lower Cholesky factors.

Free coordinates of a factor L: the logs of its diagonal, then what lies below it row by row. Full
covariances have them for each component; tied ones once; diagonal ones have the logs only, and
spherical ones a single log.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KINDS = ("full", "diagonal", "spherical", "tied")


def check_kind(kind: str) -> None:
    """Refuse what is no kind of covariances.

    Raises
    ------
    ValueError
    """
    if kind not in KINDS:
        raise ValueError(f"covariance must be one of {', '.join(KINDS)}, got {kind!r}")


def free_shape(kind: str, k: int, d: int) -> tuple[int, int]:
    """Number of free factors, and of free coordinates of each."""
    entries = {"diagonal": d, "spherical": 1}.get(kind, d * (d + 1) // 2)
    return (1 if kind == "tied" else k), entries


def factors(kind: str, free: Array, k: int, d: int) -> Array:
    """Cholesky factors (..., k, d, d) of free coordinates (..., matrices, entries)."""
    matrices, entries = free_shape(kind, k, d)
    free = np.asarray(free, dtype=np.float64).reshape(*free.shape[:-2], matrices, entries)
    root = np.zeros((*free.shape[:-1], d, d))
    at = np.arange(d)
    root[..., at, at] = np.exp(free[..., : min(d, entries)])
    if entries > d:
        root[..., *np.tril_indices(d, -1)] = free[..., d:]
    return np.broadcast_to(root, (*free.shape[:-2], k, d, d))


def free_coordinates(kind: str, root: Array) -> Array:
    """Free coordinates (..., matrices, entries) of Cholesky factors (..., k, d, d) of this kind."""
    d = root.shape[-1]
    logs = np.log(np.diagonal(root, axis1=-2, axis2=-1))
    if kind == "diagonal":
        return logs
    if kind == "spherical":
        return logs[..., :1]
    both = np.concatenate([logs, root[..., *np.tril_indices(d, -1)]], axis=-1)
    return both[..., :1, :] if kind == "tied" else both


def closest(kind: str, covariance: Array, counts: Array) -> Array:
    """Covariances of a kind closest to free ones (..., k, d, d), for components of such counts.

    They are the ones of greatest likelihood if the free ones are the components' second moments.
    """
    d = covariance.shape[-1]
    if kind == "diagonal":
        return covariance * np.eye(d)
    if kind == "spherical":
        return np.trace(covariance, axis1=-1, axis2=-2)[..., None, None] / d * np.eye(d)
    if kind == "tied":
        share = counts / counts.sum(axis=-1, keepdims=True)
        common = np.sum(share[..., None, None] * covariance, axis=-3, keepdims=True)
        return np.repeat(common, covariance.shape[-3], axis=-3)
    return covariance
