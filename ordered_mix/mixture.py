"""The Gaussian mixture as a value: density, responsibilities, moments, sampling, sorting."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.arrays import unit_axis
from ordered_mix.normal import (
    checked,
    draw_numbers,
    draw_points,
    example,
    log_of_numbers,
    log_of_points,
)

Array = NDArray[np.float64]

SORT_KEYS = ("mu", "sigma", "w")


class Mixture:
    """A batch of Gaussian mixtures ``sum_k w_k Normal(mu_k, ...)`` of numbers or of points.

    Mixtures of numbers have ``sigma`` and points of shape ``()``; mixtures of points in d
    dimensions have ``covariance`` and points of shape ``(d,)``. Leading axes are batch axes (chains
    and draws, data sets and starts, ...), to which all parameters are broadcast.

    Parameters
    ----------
    w : array_like, shape (..., k)
        Weights.
    mu : array_like, shape (..., k) or (..., k, d)
        Means.
    sigma : array_like, shape (..., k), optional
        Standard deviations, of mixtures of numbers.
    covariance : array_like, shape (..., k, d, d), optional
        Covariance matrices, of mixtures of points.

    Raises
    ------
    ValueError
        If not one of sigma and covariance is given, a value is not finite, a weight is negative,
        the weights of a mixture do not add up to 1, a standard deviation is not positive, or a
        covariance is not symmetric and positive definite.
    """

    w: Array
    mu: Array

    def __init__(
        self,
        w: ArrayLike,
        mu: ArrayLike,
        sigma: ArrayLike | None = None,
        *,
        covariance: ArrayLike | None = None,
    ) -> None:
        vars(self).update(checked(w, mu, sigma, covariance))

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a mixture is a value, its {name} cannot be set")

    def __repr__(self) -> str:
        if self.event_shape:
            return f"Mixture(k={self.k}, d={self.d}, batch_shape={self.batch_shape})"
        if self.batch_shape:
            return f"Mixture(k={self.k}, batch_shape={self.batch_shape})"
        return f"Mixture(w={example(self.w)}, mu={example(self.mu)}, sigma={example(self.sigma)})"

    @property
    def k(self) -> int:
        """Number of components."""
        return self.w.shape[-1]

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return self.mu.shape[-1] if self.event_shape else 1

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the leading batch axes, ``()`` for a single mixture."""
        return self.w.shape[:-1]

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of a point: ``()`` of numbers, ``(d,)`` of points in d dimensions."""
        return self.mu.shape[self.w.ndim :]

    @property
    def parameters(self) -> dict[str, Array]:
        """What the mixtures are made of, by name: w, mu and sigma, or w, mu and covariance."""
        spread = "covariance" if self.event_shape else "sigma"
        return {name: getattr(self, name) for name in ("w", "mu", spread)}

    @cached_property
    def sigma(self) -> Array:
        """Standard deviations, of points those of each coordinate; of the shape of mu."""
        return np.sqrt(np.diagonal(self.covariance, axis1=-1, axis2=-2))

    @cached_property
    def covariance(self) -> Array:
        """Covariance matrices, shape (..., k, d, d)."""
        return self.sigma[..., None, None] ** 2

    @cached_property
    def root(self) -> Array:
        """Lower Cholesky factors of the covariances, shape (..., k, d, d)."""
        return self.sigma[..., None, None]

    def __getitem__(self, index: object) -> Mixture:
        """Select along the batch axes."""
        shape = self.batch_shape
        if not shape:
            raise IndexError("a single mixture has no batch axis to select from")
        positions = np.arange(int(np.prod(shape))).reshape(shape)[index]  # type: ignore[call-overload]
        lead, given = len(shape), self.parameters.items()
        flat = {name: value.reshape(-1, *value.shape[lead:]) for name, value in given}
        return Mixture(**{name: value[positions] for name, value in flat.items()})

    @classmethod
    def stack(cls, mixtures: Sequence[Mixture]) -> Mixture:
        """Join mixtures of one shape along a new leading batch axis.

        Raises
        ------
        ValueError
            If there are none, or their shapes differ.
        """
        if not mixtures:
            raise ValueError("mixtures must hold at least one mixture, it is empty")
        if len({mixture.mu.shape for mixture in mixtures}) > 1:
            shapes = [mixture.mu.shape for mixture in mixtures]
            raise ValueError(f"mixtures must have means of one shape, got {shapes}")
        given = [mixture.parameters for mixture in mixtures]
        return cls(**{name: np.stack([one[name] for one in given]) for name in given[0]})

    def reshape(self, *batch_shape: int) -> Mixture:
        """These mixtures with another arrangement of the batch axes."""
        lead = len(self.batch_shape)
        given = self.parameters.items()
        return Mixture(
            **{name: value.reshape(*batch_shape, *value.shape[lead:]) for name, value in given}
        )

    def log_components(self, y: ArrayLike) -> Array:
        """``log w_k + log Normal(y | component k)``, shape (..., n, k).

        Parameters
        ----------
        y : array_like, shape (n,) or (n, d)
            The points.

        Raises
        ------
        ValueError
            If y has another shape.
        """
        y = np.asarray(y, dtype=np.float64)
        if y.shape[1:] != self.event_shape or y.ndim == 0:
            shape = f"(n, {self.d})" if self.event_shape else "(n,)"
            raise ValueError(f"y must have shape {shape}, got {y.shape}")
        if self.event_shape:
            return log_of_points(y, self.w, self.mu, self.root)
        return log_of_numbers(y, self.w, self.mu, self.sigma)

    def log_density(self, y: ArrayLike) -> Array:
        """Log density at the points y, shape (n,) or (n, d); returns shape (..., n)."""
        return np.logaddexp.reduce(self.log_components(y), axis=-1)

    def density(self, y: ArrayLike) -> Array:
        """Density at the points y, shape (n,) or (n, d); returns shape (..., n)."""
        return np.exp(self.log_density(y))

    def responsibilities(self, y: ArrayLike) -> Array:
        """Posterior probability of each component at the points y; shape (..., n, k)."""
        log_components = self.log_components(y)
        joint = np.exp(log_components - log_components.max(axis=-1, keepdims=True))
        return joint / joint.sum(axis=-1, keepdims=True)

    def mean(self) -> Array:
        """Mean of the mixture distribution, shape (...) or (..., d)."""
        w = self.w[..., None] if self.event_shape else self.w
        return np.sum(w * self.mu, axis=self.w.ndim - 1)

    def sd(self) -> Array:
        """Standard deviation of the mixture distribution, shape (...) or (..., d)."""
        if self.event_shape:
            return np.sqrt(np.diagonal(self.total_covariance(), axis1=-1, axis2=-2))
        distance = np.hypot(self.sigma, self.mu - self.mean()[..., None])
        unit = distance.max(axis=-1)
        return unit * np.sqrt(np.sum(self.w * (distance / unit[..., None]) ** 2, axis=-1))

    def total_covariance(self) -> Array:
        """Covariance of the mixture distribution, shape (..., d, d)."""
        mu = self.mu.reshape(*self.w.shape, self.d)
        deviation = mu - np.sum(self.w[..., None] * mu, axis=-2)[..., None, :]
        between = deviation[..., :, None] * deviation[..., None, :]
        return np.sum(self.w[..., None, None] * (self.covariance + between), axis=-3)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n points from each mixture of the batch; shape (..., n) or, of one, (n, d).

        Raises
        ------
        ValueError
            If it is a batch of mixtures of points.
        """
        if not self.event_shape:
            return draw_numbers(n, self.w, self.mu, self.sigma, rng)
        if self.batch_shape:
            raise ValueError(f"sample needs a single mixture, got a batch of {self.batch_shape}")
        return draw_points(n, self.w, self.mu, self.root, rng)

    def order(self, by: Any = "mu") -> NDArray[np.int64]:
        """Permutation that sorts the components; shape (..., k).

        Parameters
        ----------
        by : {"mu", "sigma", "w"}, int or array_like, shape (d,)
            What they are sorted by. Of points: ``w``, or a coordinate, from 0, or a direction
            along which the means are sorted; ``mu`` is the first coordinate.

        Raises
        ------
        ValueError
            If it is nothing of this.
        """
        named = isinstance(by, str)
        if self.event_shape and not (named and by == "w"):
            axis = 0 if named and by == "mu" else by
            return np.argsort(self.mu @ unit_axis(axis, self.d), axis=-1, kind="stable")
        if not named or by not in SORT_KEYS:
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
        index = np.broadcast_to(index, self.w.shape)
        axis, chosen = self.w.ndim - 1, {}
        for name, value in self.parameters.items():
            positions = index.reshape(*index.shape, *(1 for _ in value.shape[index.ndim :]))
            chosen[name] = np.take_along_axis(value, positions, axis=axis)
        return Mixture(**chosen)

    def sorted(self, by: Any = "mu") -> Mixture:
        """Representative under relabelling: components in `order`, with all that is theirs."""
        return self.permute(self.order(by))

    def affine(self, location: ArrayLike, scale: ArrayLike) -> Mixture:
        """The mixture of ``location + scale * y``.

        Parameters
        ----------
        location, scale : array_like
            Of numbers, they broadcast over the batch; of points, shape () or (d,), one of each
            coordinate.

        Raises
        ------
        ValueError
            If scale is not positive.
        """
        scale = np.asarray(scale, dtype=np.float64)
        location = np.asarray(location, dtype=np.float64)
        if not self.event_shape:
            location, scale = location[..., None], scale[..., None]
        if np.any(scale <= 0):
            raise ValueError(f"scale must be positive, got {example(scale)}")
        mu = location + scale * self.mu
        if not self.event_shape:
            return Mixture(self.w, mu, scale * self.sigma)
        scale = np.broadcast_to(scale, self.event_shape)
        return Mixture(self.w, mu, covariance=self.covariance * np.outer(scale, scale))
