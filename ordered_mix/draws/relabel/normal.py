"""Responsibilities of normal components, of one dimension or several."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, finite, mixture_draws
from ordered_mix.draws.relabel.responsibilities import Responsibilities, from_log_joint

FARTHEST = 1e150
LOG_2_PI = float(np.log(2 * np.pi))


def normal(y: ArrayLike, w: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> Responsibilities:
    """Responsibilities of normal components.

    Parameters
    ----------
    y : array_like, shape (point,)
        The data.
    w, mu, sigma : array_like, shape (chain, draw, component)
        Draws; known weights and scales may have shape (component,).
    """
    y = finite("y", y)
    w, mu, sigma = mixture_draws(w, mu, sigma)
    k = mu.shape[2]
    flat = [values.reshape(-1, 1, k) for values in (w, mu, sigma)]

    def log_joint(part: slice) -> Array:
        weight, mean, scale = (values[part] for values in flat)
        return normal_log_joint(y, weight, mean, scale)

    return from_log_joint(log_joint, mu.shape[:2], y.size, k)


def normal_log_joint(y: Array, w: Array, mu: Array, sigma: Array) -> Array:
    """``log w + log Normal(y | mu, sigma)``, (draw, point, component), of (draw, 1, component)."""
    with np.errstate(divide="ignore", over="ignore"):
        values = (y[:, None] - mu) / sigma
        constant = np.log(w) - np.log(sigma) - 0.5 * LOG_2_PI
    np.clip(values, -FARTHEST, FARTHEST, out=values)
    np.square(values, out=values)
    values *= -0.5
    values += constant
    return values


def multivariate_normal(
    y: ArrayLike, w: ArrayLike, mu: ArrayLike, chol: ArrayLike
) -> Responsibilities:
    """Responsibilities of multivariate normal components.

    Parameters
    ----------
    y : array_like, shape (point, dim)
        The data.
    w : array_like, shape (chain, draw, component)
    mu : array_like, shape (chain, draw, component, dim)
    chol : array_like, shape (chain, draw, component, dim, dim)
        Lower Cholesky factors of the covariances.
    """
    y = finite("y", y)
    w, mu, chol = (finite(name, values) for name, values in
                   (("w", w), ("mu", mu), ("chol", chol)))  # fmt: skip
    *draws, k, dims = mu.shape
    if y.ndim != 2 or y.shape[1] != dims or chol.shape != (*mu.shape, dims):
        raise ValueError(
            f"y must have the shape (point, {dims}) and chol the shape {(*mu.shape, dims)} to fit "
            f"mu of shape {mu.shape}, got {y.shape} and {chol.shape}"
        )
    flat_w, flat_mu = w.reshape(-1, k), mu.reshape(-1, k, dims)
    flat_chol = chol.reshape(-1, k, dims, dims)

    def log_joint(part: slice) -> Array:
        return multivariate_log_joint(y, flat_w[part], flat_mu[part], flat_chol[part])

    return from_log_joint(log_joint, (draws[0], draws[1]), len(y), k)


def multivariate_log_joint(y: Array, w: Array, mu: Array, chol: Array) -> Array:
    """``log w + log Normal(y | mu, chol chol')``, shape (draw, point, component)."""
    standard = np.linalg.inv(chol)
    deviation = np.einsum("skde,snke->snkd", standard, y[None, :, None] - mu[:, None])
    with np.errstate(divide="ignore"):
        constant = np.log(w) - np.log(np.abs(np.einsum("skdd->skd", chol))).sum(axis=-1)
    return constant[:, None] - 0.5 * (np.sum(deviation**2, axis=-1) + y.shape[1] * LOG_2_PI)


def responsibilities_of(y: ArrayLike, w: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> Array:
    """Responsibilities of every draw of a normal mixture in one array.

    They take 8 bytes per draw, point and component; `normal` makes them in blocks.

    Parameters
    ----------
    y : array_like, shape (point,)
        The data.
    w, mu, sigma : array_like, shape (chain, draw, component)
        Draws.

    Returns
    -------
    ndarray, shape (chain, draw, point, component)
    """
    made = normal(y, w, mu, sigma)
    blocks = np.concatenate([block for _, block in made])
    return blocks.reshape(*made.draws, made.points, made.components)
