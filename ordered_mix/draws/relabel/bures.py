"""Wasserstein distances and barycentres of normals of several dimensions."""

from __future__ import annotations

import numpy as np

from ordered_mix.arrays import Array

ROUNDS = 50
SETTLED = 1e-9


def squared_distance(covariance: Array, other: Array) -> Array:
    """Squared 2-Wasserstein distance of centred normals (the Bures distance of covariances).

    ``trace(S + T - 2 (S^1/2 T S^1/2)^1/2)``; leading axes are broadcast.

    References
    ----------
    Gelbrich (1990), Mathematische Nachrichten 147, 185-203.
    """
    root = square_root(covariance)
    eigenvalues = np.linalg.eigvalsh(root @ other @ root)
    cross = np.sqrt(np.maximum(eigenvalues, 0)).sum(axis=-1)
    traces = np.trace(covariance, axis1=-2, axis2=-1) + np.trace(other, axis1=-2, axis2=-1)
    return np.asarray(np.maximum(traces - 2 * cross, 0))


def barycentre(covariances: Array) -> Array:
    """Covariance of the 2-Wasserstein barycentre of centred normals, over the first axis.

    The fixed point ``S = mean of (S^1/2 T S^1/2)^1/2`` of Agueh & Carlier, by the iteration of
    Alvarez-Esteban et al., which lowers the loss in every round.

    Parameters
    ----------
    covariances : ndarray, shape (draw, ..., dim, dim)

    References
    ----------
    Agueh & Carlier (2011), SIAM J. Math. Anal. 43, 904-924. Alvarez-Esteban, del Barrio,
    Cuesta-Albertos & Matran (2016), J. Math. Anal. Appl. 441, 744-762, theorem 4.2.
    """
    centre = covariances.mean(axis=0)
    for _ in range(ROUNDS):
        root = square_root(centre)
        mean = square_root(root @ covariances @ root).mean(axis=0)
        inverse = np.linalg.inv(root)
        after = inverse @ mean @ mean @ inverse
        moved, centre = np.abs(after - centre).max(), after
        if moved <= SETTLED * np.abs(centre).max():
            break
    return centre


def square_root(matrices: Array) -> Array:
    """Symmetric square roots of positive definite matrices, on the last two axes."""
    values, vectors = np.linalg.eigh(matrices)
    roots = np.sqrt(np.maximum(values, 0))
    return np.asarray(vectors * roots[..., None, :] @ np.swapaxes(vectors, -1, -2))
