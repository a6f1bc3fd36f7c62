"""The univariate Gaussian mixture as a value: density, responsibilities, sampling, sorting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SORT_KEYS = ("mu", "sigma", "w")
FARTHEST = 1e150


@dataclass(frozen=True, eq=False)
class Mixture:
    """A batch of Gaussian mixtures ``sum_k w_k Normal(mu_k, sigma_k)``.

    Parameters
    ----------
    w, mu, sigma : array_like, shape (..., k)
        Weights, means and standard deviations, broadcast to one shape. Leading axes are batch
        axes (chains and draws, data sets and starts, ...).

    Raises
    ------
    ValueError
        If a value is not finite, a weight is negative, the weights of a mixture do not add up to
        1, or a standard deviation is not positive.
    """

    w: Array
    mu: Array
    sigma: Array

    def __post_init__(self) -> None:
        arrays = [np.asarray(value, dtype=np.float64) for value in (self.w, self.mu, self.sigma)]
        w, mu, sigma = np.broadcast_arrays(*map(np.atleast_1d, arrays))
        for name, value in (("w", w), ("mu", mu), ("sigma", sigma)):
            if not np.all(np.isfinite(value)):
                raise ValueError(f"{name} must be finite, but {_first(value, ~np.isfinite(value))}")
            object.__setattr__(self, name, value)
        if np.any(w < 0) or np.any(np.abs(w.sum(axis=-1) - 1) > 1e-8):
            raise ValueError(
                f"w must hold non-negative weights that add up to 1, got {_example(w)}"
            )
        if np.any(sigma <= 0):
            raise ValueError(f"sigma must be positive, but {_first(sigma, sigma <= 0)}")

    def __repr__(self) -> str:
        if self.batch_shape:
            return f"Mixture(k={self.k}, batch_shape={self.batch_shape})"
        return (
            f"Mixture(w={_example(self.w)}, mu={_example(self.mu)}, sigma={_example(self.sigma)})"
        )

    @property
    def k(self) -> int:
        """Number of components."""
        return self.mu.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the leading batch axes, ``()`` for a single mixture."""
        return self.mu.shape[:-1]

    def __getitem__(self, index: object) -> Mixture:
        """Select along the batch axes."""
        shape = self.batch_shape
        if not shape:
            raise IndexError("a single mixture has no batch axis to select from")
        positions = np.arange(int(np.prod(shape))).reshape(shape)[index]  # type: ignore[call-overload]
        flat = (value.reshape(-1, self.k)[positions] for value in self._arrays())
        return Mixture(*flat)

    @classmethod
    def stack(cls, mixtures: Sequence[Mixture]) -> Mixture:
        """Join mixtures of one shape along a new leading batch axis."""
        if not mixtures:
            raise ValueError("mixtures must hold at least one mixture, it is empty")
        columns = zip(*(mixture._arrays() for mixture in mixtures), strict=True)
        return cls(*(np.stack(column) for column in columns))

    def reshape(self, *batch_shape: int) -> Mixture:
        """The same mixtures with another arrangement of the batch axes."""
        return Mixture(*(value.reshape(*batch_shape, self.k) for value in self._arrays()))

    def log_components(self, y: ArrayLike) -> Array:
        """``log w_k + log Normal(y | mu_k, sigma_k)``, shape (..., n, k), for y of shape (n,)."""
        y = np.asarray(y, dtype=np.float64)
        if y.ndim != 1:
            raise ValueError(f"y must have shape (n,), got {y.shape}")
        with np.errstate(divide="ignore", over="ignore"):
            deviation = (y[:, None] - self.mu[..., None, :]) / self.sigma[..., None, :]
            constant = np.log(self.w) - np.log(self.sigma) - 0.5 * np.log(2 * np.pi)
        deviation = np.clip(deviation, -FARTHEST, FARTHEST)
        return constant[..., None, :] - 0.5 * deviation**2

    def log_density(self, y: ArrayLike) -> Array:
        """Log density at the points y, shape (n,); returns shape (..., n)."""
        return np.logaddexp.reduce(self.log_components(y), axis=-1)

    def density(self, y: ArrayLike) -> Array:
        """Density at the points y, shape (n,); returns shape (..., n)."""
        return np.exp(self.log_density(y))

    def responsibilities(self, y: ArrayLike) -> Array:
        """Posterior probability of each component at the points y; shape (..., n, k)."""
        log_components = self.log_components(y)
        joint = np.exp(log_components - log_components.max(axis=-1, keepdims=True))
        return joint / joint.sum(axis=-1, keepdims=True)

    def mean(self) -> Array:
        """Mean of the mixture distribution, shape (...)."""
        return np.sum(self.w * self.mu, axis=-1)

    def sd(self) -> Array:
        """Standard deviation of the mixture distribution, shape (...)."""
        distance = np.hypot(self.sigma, self.mu - self.mean()[..., None])
        unit = distance.max(axis=-1)
        return unit * np.sqrt(np.sum(self.w * (distance / unit[..., None]) ** 2, axis=-1))

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n points from each mixture of the batch; shape (..., n)."""
        uniform = rng.random((*self.batch_shape, n, 1))
        component = (uniform > np.cumsum(self.w, axis=-1)[..., None, :-1]).sum(axis=-1)
        normal = rng.standard_normal(component.shape)
        mu = np.take_along_axis(self.mu, component, axis=-1)
        return mu + np.take_along_axis(self.sigma, component, axis=-1) * normal

    def order(self, by: str = "mu") -> NDArray[np.int64]:
        """Permutation that sorts the components by ``mu``, ``sigma`` or ``w``; shape (..., k)."""
        if by not in SORT_KEYS:
            raise ValueError(f"by must be one of {', '.join(SORT_KEYS)}, got {by!r}")
        return np.argsort(getattr(self, by), axis=-1, kind="stable")

    def permute(self, permutation: ArrayLike) -> Mixture:
        """Relabel the components; permutation has shape (..., k).

        Raises
        ------
        ValueError
            If a row of permutation does not hold each of 0 .. k - 1 once.
        """
        index = np.asarray(permutation)
        if np.any(np.sort(index, axis=-1) != np.arange(self.k)):
            raise ValueError(f"permutation must hold each of 0 to {self.k - 1} once, got {index}")
        index = np.broadcast_to(index, self.mu.shape)
        return Mixture(*(np.take_along_axis(value, index, axis=-1) for value in self._arrays()))

    def sorted(self, by: str = "mu") -> Mixture:
        """Representative under relabelling: components sorted, weights and scales carried along."""
        return self.permute(self.order(by))

    def affine(self, location: ArrayLike, scale: ArrayLike) -> Mixture:
        """The mixture of ``location + scale * y``; location and scale broadcast over the batch."""
        scale = np.asarray(scale, dtype=np.float64)[..., None]
        if np.any(scale <= 0):
            raise ValueError(f"scale must be positive, got {_example(scale)}")
        location = np.asarray(location, dtype=np.float64)[..., None]
        return Mixture(self.w, location + scale * self.mu, scale * self.sigma)

    def _arrays(self) -> tuple[Array, Array, Array]:
        return self.w, self.mu, self.sigma


def _example(value: Array) -> str:
    row = np.atleast_1d(value.reshape(-1, value.shape[-1])[0] if value.size else value)
    return "[" + ", ".join(f"{number:.6g}" for number in row) + "]"


def _first(value: Array, where: NDArray[np.bool_]) -> str:
    return f"{int(where.sum())} of its values are not, the first is {value[where].flat[0]}"
