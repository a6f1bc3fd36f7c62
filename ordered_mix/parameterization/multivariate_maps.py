"""Maps between flat coordinates and mixtures in D dimensions, along a model file's direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.multivariate import MultivariatePrior, reference
from ordered_mix.multivariate.axis import frame, unit_axis
from ordered_mix.multivariate.covariances import factors, free_shape
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import Prior

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MultivariateMaps:
    """What `MultivariateParameterization` knows of its coordinates, see there.

    Free coordinates x are those before transforms: the model file's, the orthogonal parts
    ``E v_k`` in the units of the data (along columns of E of length 1), and the entries of the
    factors themselves in place of the logs of their diagonals.
    """

    name: str
    module: ModuleType = field(repr=False)
    k: int
    prior: MultivariatePrior
    options: Mapping[str, Any] = field(default_factory=dict)
    axis: Any = 0

    @cached_property
    def direction(self) -> Array:
        """The unit vector a, shape (d,)."""
        return unit_axis(self.axis, self.prior.d)

    @cached_property
    def along(self) -> Parameterization:
        """The model file's own parameterization, of the weights and the means along a."""
        a, unit = self.direction, float(np.linalg.norm(self.direction * self.prior.scale))
        prior = Prior(
            location=float(a @ self.prior.location),
            spread=float(np.linalg.norm(a * self.prior.spread)),
            concentration=self.prior.concentration,
            known_sigma=unit,
        )
        return Parameterization(self.name, self.module, self.k, prior, self.options)

    @cached_property
    def frame(self) -> tuple[Array, Array]:
        """Regression b (d,) of the means on a.mu, and E (d, d - 1), spread of what is left."""
        return frame(self.direction, np.asarray(self.prior.spread))

    @property
    def dimension(self) -> int:
        """Number of free coordinates."""
        return self._ends[-1]

    def free(self, z: Array) -> Array:
        """Free coordinates x of the unconstrained coordinates, shape (..., dimension)."""
        first, across, factor = self._split(z)
        own = self.along.graph.free(first, self.along.prior)
        return flat((own, across * self._lengths, self._with_logs(factor, np.exp)), z.shape[:-1])

    def unconstrain_free(self, x: Array) -> Array:
        """Unconstrained coordinates of the free coordinates, the inverse of `free`."""
        first, across, factor = self._split(x)
        own = self.along.graph.unconstrain_free(first, self.along.prior)
        return flat((own, across / self._lengths, self._with_logs(factor, np.log)), x.shape[:-1])

    def parameters(self, z: Array, free: bool = False) -> tuple[Array, Array, Array]:
        """Weights, means and Cholesky factors at z, or at free coordinates; (..., dimension)."""
        first, across, factor = self._split(z)
        graph = self.along.graph
        w, along, _ = (graph.forward_free if free else graph.forward)(first, self.along.prior)
        if free:
            across, factor = across / self._lengths, self._with_logs(factor, np.log)
        offset = along - self.along.prior.location
        mu = np.asarray(self.prior.location) + offset[..., None] * self.frame[0]
        mu = mu + across @ self.frame[1].T
        return w, mu, factors(self.prior.covariance, factor, self.k, self.prior.d)

    def pullback(
        self, z: Array, root: Array, dw: Array, dmu: Array, droot: Array, free: bool = False
    ) -> Array:
        """Derivatives in z of a function, from those in weights, means and factors at z."""
        first, graph = self._split(z)[0], self.along.graph
        back = graph.pullback_free if free else graph.pullback
        slope = back(first, self.along.prior, dw, dmu @ self.frame[0], np.zeros_like(dw))
        across = dmu @ self.frame[1]
        if self.prior.covariance == "tied":
            root, droot = root[..., :1, :, :], droot.sum(axis=-3, keepdims=True)
        if free:
            across, root = across / self._lengths, np.ones_like(root)
        factor = reference.of_factors(self.prior.covariance, root, droot)
        return flat((slope, across, factor), z.shape[:-1])

    @cached_property
    def _lengths(self) -> Array:
        """Lengths of the columns of E, shape (d - 1,)."""
        return np.linalg.norm(self.frame[1], axis=0)

    @cached_property
    def _ends(self) -> tuple[int, int, int]:
        first = self.along.dimension
        second = first + self.k * (self.prior.d - 1)
        size = free_shape(self.prior.covariance, self.k, self.prior.d)
        return first, second, second + size[0] * size[1]

    @cached_property
    def logs(self) -> NDArray[np.bool_]:
        """Which coordinates are logs of diagonal entries of factors, shape (dimension,)."""
        found = np.zeros(self.dimension, dtype=bool)
        self._split(found)[2][..., : self._diagonal] = True
        return found

    @cached_property
    def _diagonal(self) -> int:
        """How many of the coordinates of a factor are on its diagonal."""
        return 1 if self.prior.covariance == "spherical" else self.prior.d

    def _with_logs(self, factor: Array, change: Any) -> Array:
        """Coordinates of factors with the first of each changed to logs or back."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            pieces = [change(factor[..., : self._diagonal]), factor[..., self._diagonal :]]
        return np.concatenate(pieces, axis=-1)

    def _split(self, z: Array) -> tuple[Array, Array, Array]:
        first, second, _ = self._ends
        across = z[..., first:second].reshape(*z.shape[:-1], self.k, self.prior.d - 1)
        size = free_shape(self.prior.covariance, self.k, self.prior.d)
        return z[..., :first], across, z[..., second:].reshape(*z.shape[:-1], *size)


def flat(pieces: tuple[Array, ...], batch: tuple[int, ...]) -> Array:
    """Coordinates, one piece after the other; shape (*batch, dimension)."""
    return np.concatenate([piece.reshape(*batch, -1) for piece in pieces], axis=-1)
