"""Observed information of a mixture on a weighted sample, and the scores it is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.mixture import Array, Mixture


def observed_information(
    mixture: Mixture,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    jacobian: ArrayLike | None = None,
) -> Array:
    """Observed information in (w, mu, sigma) of an average observation, exactly.

    Louis 1982 (eq. 3.2): the expectation of minus the complete data's second derivatives less the
    covariance of their scores, given the data. At a stationary point ``J^T I J`` is minus the
    Hessian in other coordinates; elsewhere the map's own curvature adds to it.

    Parameters
    ----------
    mixture : Mixture
        A single one.
    y : array_like, shape (n,)
        Points.
    weight : array_like, shape (n,), optional
        Their weights; each counts once by default.
    jacobian : array_like, shape (3 k, d), optional
        Derivatives of (w, mu, sigma) in the coordinates.

    Returns
    -------
    array, shape (d, d)

    Raises
    ------
    ValueError
        If mixture is a batch.
    """
    if mixture.batch_shape:
        raise ValueError(f"mixture must be a single one, got a batch of {mixture.batch_shape}")
    points = np.asarray(y, dtype=np.float64)
    weights = np.ones(points.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    weights = weights / weights.sum()
    _, score = scores(mixture, points)
    found = (weights[:, None] * score).T @ score - _complete_data(mixture, points, weights)
    if jacobian is None:
        return found
    columns = checked(jacobian, mixture)
    return columns.T @ found @ columns


def _complete_data(mixture: Mixture, y: Array, weight: Array) -> Array:
    """Mean of the second derivatives of f_k = w_k Normal_k over the density; no cross terms."""
    k, sigma = mixture.k, mixture.sigma
    density = weight[:, None] * np.exp(_log_normals(mixture, y) - mixture.log_density(y)[:, None])
    u = (y[:, None] - mixture.mu) / sigma
    share = mixture.w * density
    second = np.zeros((3, 3, k))
    second[0, 1] = second[1, 0] = np.sum(density * u, axis=0) / sigma
    second[0, 2] = second[2, 0] = np.sum(density * (u**2 - 1), axis=0) / sigma
    second[1, 1] = np.sum(share * (u**2 - 1), axis=0) / sigma**2
    second[1, 2] = second[2, 1] = np.sum(share * (u**3 - 3 * u), axis=0) / sigma**2
    second[2, 2] = np.sum(share * (u**4 - 5 * u**2 + 2), axis=0) / sigma**2
    return np.einsum("abk,kl->akbl", second, np.eye(k)).reshape(3 * k, 3 * k)


def scores(mixture: Mixture, y: Array) -> tuple[Array, Array]:
    """Log density, and its derivatives in (w, mu, sigma), at points y; (..., n), (..., n, 3 k).

    The weights count as free: columns of a Jacobian that keep their sum tie them.
    """
    log_normals = _log_normals(mixture, y)
    with np.errstate(divide="ignore"):
        log_density = np.logaddexp.reduce(np.log(mixture.w)[..., None, :] + log_normals, axis=-1)
    ratio = np.exp(log_normals - log_density[..., None])
    sigma = mixture.sigma[..., None, :]
    u = (y[..., None] - mixture.mu[..., None, :]) / sigma
    share = mixture.w[..., None, :] * ratio / sigma
    return log_density, np.concatenate([ratio, share * u, share * (u**2 - 1)], axis=-1)


def _log_normals(mixture: Mixture, y: Array) -> Array:
    u = (y[..., None] - mixture.mu[..., None, :]) / mixture.sigma[..., None, :]
    return -0.5 * u**2 - np.log(mixture.sigma)[..., None, :] - 0.5 * np.log(2 * np.pi)


def checked(jacobian: ArrayLike, mixture: Mixture) -> Array:
    """A Jacobian with 3 k rows, as an array.

    Raises
    ------
    ValueError
        If it has other than 3 k rows.
    """
    columns = np.asarray(jacobian, dtype=np.float64)
    if columns.ndim < 2 or columns.shape[-2] != 3 * mixture.k:
        raise ValueError(
            f"jacobian must have {3 * mixture.k} rows for {mixture.k} components, got an array of "
            f"shape {columns.shape}"
        )
    return columns
