"""Normal components of numbers and of points: their parameters checked, log densities, draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

FARTHEST = 1e150
LOG_2_PI = np.log(2 * np.pi)


def checked(
    w: ArrayLike, mu: ArrayLike, sigma: ArrayLike | None, covariance: ArrayLike | None
) -> dict[str, Array]:
    """Parameters by name with one batch shape; beside covariances their Cholesky factors, root.

    Raises
    ------
    ValueError
        As `mixture.Mixture`.
    """
    if (sigma is None) == (covariance is None):
        raise ValueError("sigma or covariance must be given, and not both of them")
    spread = ("sigma", sigma) if covariance is None else ("covariance", covariance)
    given = dict((("w", w), ("mu", mu), spread))
    arrays = [np.asarray(value, dtype=np.float64) for value in given.values()]
    together = np.broadcast_arrays(*map(np.atleast_1d, arrays)) if covariance is None else (
        _points(*arrays)
    )  # fmt: skip
    found = dict(zip(given, together, strict=True))
    for name, value in found.items():
        if not np.all(np.isfinite(value)):
            raise ValueError(f"{name} must be finite, but {_first(value, ~np.isfinite(value))}")
    weights = found["w"]
    if np.any(weights < 0) or np.any(np.abs(weights.sum(axis=-1) - 1) > 1e-8):
        raise ValueError(
            f"w must hold non-negative weights that add up to 1, got {example(weights)}"
        )
    if covariance is not None:
        return found | {"root": _factors(found["covariance"])}
    if np.any(found["sigma"] <= 0):
        wrong = _first(found["sigma"], found["sigma"] <= 0)
        raise ValueError(f"sigma must be positive, but {wrong}")
    return found


def log_of_numbers(y: Array, w: Array, mu: Array, sigma: Array) -> Array:
    """``log w_k + log Normal(y | mu_k, sigma_k)``, shape (..., n, k), at y of shape (n,)."""
    with np.errstate(divide="ignore", over="ignore"):
        deviation = (y[:, None] - mu[..., None, :]) / sigma[..., None, :]
        constant = np.log(w) - np.log(sigma) - 0.5 * LOG_2_PI
    deviation = np.clip(deviation, -FARTHEST, FARTHEST)
    return constant[..., None, :] - 0.5 * deviation**2


def log_of_points(y: Array, w: Array, mu: Array, root: Array) -> Array:
    """``log w_k + log Normal(y | mu_k, L_k L_k^T)``, shape (..., n, k), at y of shape (n, d)."""
    deviation = np.swapaxes(y - mu[..., None, :], -1, -2)
    whitened = np.linalg.solve(root, deviation)
    log_det = np.log(np.diagonal(root, axis1=-1, axis2=-2)).sum(axis=-1)
    with np.errstate(divide="ignore"):
        constant = np.log(w) - log_det - 0.5 * mu.shape[-1] * LOG_2_PI
    return np.swapaxes(constant[..., None] - 0.5 * np.sum(whitened**2, axis=-2), -1, -2)


def draw_numbers(n: int, w: Array, mu: Array, sigma: Array, rng: np.random.Generator) -> Array:
    """n numbers from each mixture of a batch, shape (..., n)."""
    uniform = rng.random((*w.shape[:-1], n, 1))
    component = (uniform > np.cumsum(w, axis=-1)[..., None, :-1]).sum(axis=-1)
    normal = rng.standard_normal(component.shape)
    mu = np.take_along_axis(mu, component, axis=-1)
    return mu + np.take_along_axis(sigma, component, axis=-1) * normal


def draw_points(n: int, w: Array, mu: Array, root: Array, rng: np.random.Generator) -> Array:
    """n points from a single mixture, shape (n, d)."""
    k, d = mu.shape
    component = rng.choice(k, n, p=w / w.sum())
    return mu[component] + np.einsum("nij,nj->ni", root[component], rng.standard_normal((n, d)))


def example(value: Array) -> str:
    """The first of several rows, for a message."""
    row = np.atleast_1d(value.reshape(-1, value.shape[-1])[0] if value.size else value)
    return "[" + ", ".join(f"{number:.6g}" for number in row) + "]"


def _points(w: Array, mu: Array, covariance: Array) -> list[Array]:
    if mu.ndim < 2:
        raise ValueError(f"mu must have shape (..., k, d) beside covariance, got {mu.shape}")
    k, d = mu.shape[-2:]
    batch = np.broadcast_shapes(w.shape[:-1], mu.shape[:-2], covariance.shape[:-3])
    given = ((w, (k,)), (mu, (k, d)), (covariance, (k, d, d)))
    return [np.broadcast_to(value, (*batch, *shape)) for value, shape in given]


def _factors(covariance: Array) -> Array:
    largest = np.abs(covariance).max(axis=(-1, -2), keepdims=True)
    uneven = np.abs(covariance - np.swapaxes(covariance, -1, -2)) > 1e-10 * largest
    try:
        if not np.any(uneven):
            return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        pass
    raise ValueError("covariance must be symmetric and positive definite, it is not")


def _first(value: Array, where: NDArray[np.bool_]) -> str:
    return f"{int(where.sum())} of its values are not, the first is {value[where].flat[0]}"
