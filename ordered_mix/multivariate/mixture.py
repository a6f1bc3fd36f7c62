"""Gaussian mixtures in several dimensions, as values with leading batch axes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.multivariate.axis import unit_axis

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MultivariateMixture:
    """A batch of Gaussian mixtures in d dimensions.

    Parameters
    ----------
    w : array_like, shape (..., k)
        Weights.
    mu : array_like, shape (..., k, d)
        Means.
    covariance : array_like, shape (..., k, d, d)
        Covariance matrices.

    Raises
    ------
    ValueError
        If a value is not finite, the weights are no distribution, or a covariance is not
        symmetric and positive definite.
    """

    w: Array
    mu: Array
    covariance: Array

    def __post_init__(self) -> None:
        w, mu, covariance = (
            np.asarray(value, dtype=np.float64) for value in (self.w, self.mu, self.covariance)
        )
        k, d = mu.shape[-2:]
        batch = np.broadcast_shapes(w.shape[:-1], mu.shape[:-2], covariance.shape[:-3])
        w = np.broadcast_to(w, (*batch, k))
        mu = np.broadcast_to(mu, (*batch, k, d))
        covariance = np.broadcast_to(covariance, (*batch, k, d, d))
        for name, value in (("w", w), ("mu", mu), ("covariance", covariance)):
            if not np.all(np.isfinite(value)):
                raise ValueError(f"{name} must be finite, it is not")
            object.__setattr__(self, name, value)
        if np.any(w < 0) or np.any(np.abs(w.sum(axis=-1) - 1) > 1e-8):
            raise ValueError("w must hold non-negative weights that add up to 1, it does not")
        if not _positive_definite(covariance):
            raise ValueError("covariance must be symmetric and positive definite, it is not")

    def __repr__(self) -> str:
        return f"MultivariateMixture(k={self.k}, d={self.d}, batch_shape={self.batch_shape})"

    @property
    def k(self) -> int:
        """Number of components."""
        return self.mu.shape[-2]

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return self.mu.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the leading batch axes."""
        return self.mu.shape[:-2]

    def __getitem__(self, index: object) -> MultivariateMixture:
        """Select along the batch axes."""
        if not self.batch_shape:
            raise IndexError("a single mixture has no batch axis to select from")
        flat = np.arange(int(np.prod(self.batch_shape))).reshape(self.batch_shape)
        positions = flat[index]  # type: ignore[call-overload]
        k, d = self.k, self.d
        w, mu = self.w.reshape(-1, k), self.mu.reshape(-1, k, d)
        covariance = self.covariance.reshape(-1, k, d, d)
        return MultivariateMixture(w[positions], mu[positions], covariance[positions])

    def reshape(self, *batch_shape: int) -> MultivariateMixture:
        """These mixtures with another arrangement of the batch axes."""
        k, d = self.k, self.d
        return MultivariateMixture(
            self.w.reshape(*batch_shape, k), self.mu.reshape(*batch_shape, k, d),
            self.covariance.reshape(*batch_shape, k, d, d),
        )  # fmt: skip

    def log_density(self, y: ArrayLike) -> Array:
        """Log density at the points y, shape (n, d); returns shape (..., n)."""
        return np.logaddexp.reduce(self.log_components(y), axis=-1)

    def log_components(self, y: ArrayLike) -> Array:
        """Log of weight times density of each component at the points y; shape (..., n, k)."""
        y = np.asarray(y, dtype=np.float64)
        if y.ndim != 2 or y.shape[1] != self.d:
            raise ValueError(f"y must have shape (n, {self.d}), got {y.shape}")
        root = self.root
        deviation = np.swapaxes(y - self.mu[..., None, :], -1, -2)
        whitened = np.linalg.solve(root, deviation)
        log_det = np.log(np.diagonal(root, axis1=-1, axis2=-2)).sum(axis=-1)
        with np.errstate(divide="ignore"):
            constant = np.log(self.w) - log_det - 0.5 * self.d * np.log(2 * np.pi)
        return np.swapaxes(constant[..., None] - 0.5 * np.sum(whitened**2, axis=-2), -1, -2)

    def responsibilities(self, y: ArrayLike) -> Array:
        """Posterior probability of each component at the points y; shape (..., n, k)."""
        terms = self.log_components(y)
        joint = np.exp(terms - terms.max(axis=-1, keepdims=True))
        return joint / joint.sum(axis=-1, keepdims=True)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n points from a single mixture; shape (n, d).

        Raises
        ------
        ValueError
            If the mixture is a batch.
        """
        if self.batch_shape:
            raise ValueError(f"sample needs a single mixture, got a batch of {self.batch_shape}")
        component = rng.choice(self.k, n, p=self.w / self.w.sum())
        root = self.root[component]
        return self.mu[component] + np.einsum("nij,nj->ni", root, rng.standard_normal((n, self.d)))

    @cached_property
    def root(self) -> Array:
        """Lower Cholesky factors of the covariances, shape (..., k, d, d)."""
        return np.linalg.cholesky(self.covariance)

    def mean(self) -> Array:
        """Mean of the mixture distribution, shape (..., d)."""
        return np.sum(self.w[..., None] * self.mu, axis=-2)

    def total_covariance(self) -> Array:
        """Covariance of the mixture distribution, shape (..., d, d)."""
        deviation = self.mu - self.mean()[..., None, :]
        between = deviation[..., :, None] * deviation[..., None, :]
        return np.sum(self.w[..., None, None] * (self.covariance + between), axis=-3)

    def order(self, axis: Any = 0) -> NDArray[np.int64]:
        """Permutation that sorts the means along a coordinate or a direction; shape (..., k)."""
        return np.argsort(self.mu @ unit_axis(axis, self.d), axis=-1, kind="stable")

    def permute(self, permutation: ArrayLike) -> MultivariateMixture:
        """Relabel the components; permutation has shape (..., k).

        Raises
        ------
        ValueError
            If a row of permutation does not hold each of 0 .. k - 1 once.
        """
        order = np.asarray(permutation)
        if np.any(np.sort(order, axis=-1) != np.arange(self.k)):
            raise ValueError(f"permutation must hold each of 0 to {self.k - 1} once, got {order}")
        order = np.broadcast_to(order, self.w.shape)
        return MultivariateMixture(
            np.take_along_axis(self.w, order, axis=-1),
            np.take_along_axis(self.mu, order[..., None], axis=-2),
            np.take_along_axis(self.covariance, order[..., None, None], axis=-3),
        )

    def sorted(self, axis: Any = 0) -> MultivariateMixture:
        """Components in the order of their means along a coordinate or a direction."""
        return self.permute(self.order(axis))

    def affine(self, location: ArrayLike, scale: ArrayLike) -> MultivariateMixture:
        """The mixture of ``location + scale * y``, coordinate by coordinate.

        Raises
        ------
        ValueError
            If scale is not positive.
        """
        scale = np.broadcast_to(np.asarray(scale, dtype=np.float64), (self.d,))
        if np.any(scale <= 0):
            raise ValueError(f"scale must be positive, got {scale}")
        mu = np.asarray(location, dtype=np.float64) + scale * self.mu
        return MultivariateMixture(self.w, mu, self.covariance * np.outer(scale, scale))


def _positive_definite(covariance: Array) -> bool:
    largest = np.abs(covariance).max(axis=(-1, -2), keepdims=True)
    if np.any(np.abs(covariance - np.swapaxes(covariance, -1, -2)) > 1e-10 * largest):
        return False
    try:
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return False
    return True
