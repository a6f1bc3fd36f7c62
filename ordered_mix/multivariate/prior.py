"""The exchangeable reference prior in several dimensions, as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.data import Data
from ordered_mix.multivariate.covariances import check_kind, free_shape
from ordered_mix.prior.prior import SHARE, default_prior

Array = NDArray[np.float64]

FAMILIES = ("inverse_gamma", "adaptive")


@dataclass(frozen=True)
class MultivariatePrior:
    """The exchangeable reference prior of a mixture in D dimensions.

    ``mu_k`` ~ Normal(location, diag(spread^2)), ``w`` ~ Dirichlet(concentration, ...), and
    covariances by their kind and family. ``inverse_gamma``, the fixed prior: full and tied ones
    ``Sigma`` ~ InverseWishart(D + 3, 2 diag(scale^2)), variances of diagonal and spherical ones
    InverseGamma(2, scale^2); of every kind each diagonal entry of ``Sigma`` is
    InverseGamma(2, scale_d^2). ``adaptive``: the same with beta_d in the place of scale_d^2 and
    ``beta_d`` ~ InverseGamma(1/2, b0_d), ``b0 = (scale / 10)^2``, integrated out. In one dimension
    both are those of `prior.Prior`, which is a class of its own: its numbers may be those of a
    graph that a compiled model swaps, and known values, a common scale and half-normal scales are
    priors of one dimension only, as the kinds of covariances are of several.

    Parameters
    ----------
    location, spread : sequence of float
        Mean and standard deviation of each coordinate of each component's mean.
    scale : sequence of float
        See above; in the units of the coordinates.
    concentration : float
        Concentration of the Dirichlet.
    scale_family : {"inverse_gamma", "adaptive"}
    covariance : {"full", "diagonal", "spherical", "tied"}
        Spherical covariances need one scale for all coordinates.

    Raises
    ------
    ValueError
        If a value is out of range or the lengths differ.
    """

    location: Sequence[float] = (0.0, 0.0)
    spread: Sequence[float] = (2.0, 2.0)
    scale: Sequence[float] = (0.5, 0.5)
    concentration: float = 2.0
    scale_family: str = "inverse_gamma"
    covariance: str = "full"

    def __post_init__(self) -> None:
        check_kind(self.covariance)
        if self.scale_family not in FAMILIES:
            raise ValueError(
                f"scale_family must be one of {', '.join(FAMILIES)} in several dimensions, "
                f"got {self.scale_family!r}"
            )
        for name in ("location", "spread", "scale"):
            values = tuple(float(value) for value in np.ravel(getattr(self, name)))
            object.__setattr__(self, name, values)
            if len(values) != len(self.location):
                raise ValueError(
                    f"{name} of the prior must hold {len(self.location)} numbers as location "
                    f"does, got {len(values)}"
                )
            if not np.all(np.isfinite(values)) or (name != "location" and min(values) <= 0):
                raise ValueError(f"{name} of the prior must be positive and finite, got {values}")
        if not 0 < self.concentration < np.inf:
            raise ValueError(
                f"concentration of the prior must be positive and finite, got {self.concentration}"
            )
        if self.covariance == "spherical" and np.ptp(self.scale) > 1e-12 * max(self.scale):
            raise ValueError(
                f"scale of the prior must be the same in every coordinate for spherical "
                f"covariances, got {self.scale}"
            )

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return len(self.location)

    @property
    def betas(self) -> Array:
        """Rates ``scale^2`` of the inverse gammas: one a coordinate, a single one if spherical."""
        own = self.scale[:1] if self.covariance == "spherical" else self.scale
        return np.square(own)

    @property
    def b0(self) -> Array:
        """Rates of the inverse gammas of the betas, of the adaptive family."""
        return self.betas / SHARE**2

    @property
    def power(self) -> float:
        """Power of beta_d in the density of one covariance: half the degrees of freedom."""
        return 0.5 * (self.d + 3) if self.covariance in ("full", "tied") else 2.0

    def free_parameters(self, k: int) -> int:
        """Number of parameters of k components."""
        return k - 1 + k * self.d + int(np.prod(free_shape(self.covariance, k, self.d)))

    def affine(self, location: ArrayLike, scale: ArrayLike) -> MultivariatePrior:
        """This prior for ``location + scale * y``, coordinate by coordinate.

        Raises
        ------
        ValueError
            If covariances are spherical and scale differs between coordinates.
        """
        factor = np.broadcast_to(np.asarray(scale, dtype=np.float64), (self.d,))
        moved = np.asarray(location) + factor * np.asarray(self.location)
        values: dict[str, Any] = {
            "location": moved,
            "spread": factor * np.asarray(self.spread),
            "scale": factor * np.asarray(self.scale),
        }
        return replace(self, **values)


def default_multivariate_prior(
    data: Data,
    kind: str = "adaptive",
    *,
    covariance: str = "full",
    concentration: float = 2.0,
) -> MultivariatePrior:
    """The reference prior on the scale of the data: in each coordinate that of one dimension.

    Parameters
    ----------
    data : Data
        One sample, weighted or not.
    kind : {"adaptive", "fixed"}
        See `prior.default_prior`.
    covariance : {"full", "diagonal", "spherical", "tied"}
        Spherical covariances take the root mean square of the coordinates' scales.
    concentration : float

    Raises
    ------
    ValueError
        If the data are a batch, or there is no such kind.
    """
    if kind not in ("adaptive", "fixed"):
        raise ValueError(
            f"prior must be one of adaptive, fixed in several dimensions, got {kind!r}"
        )
    if data.y.ndim != 2:
        raise ValueError(f"data must be one sample, got a batch of shape {data.y.shape}")
    each = [default_prior(Data(y, data.weight, data.name), kind) for y in data.y.T]
    scale = np.array([float(prior.scale) for prior in each])
    if covariance == "spherical":
        scale = np.full(data.d, np.sqrt(np.mean(scale**2)))
    return MultivariatePrior(
        [prior.location for prior in each],
        [prior.spread for prior in each],
        scale.tolist(),
        concentration,
        each[0].scale_family,
        covariance,
    )


def standard_units(data: Data, prior: MultivariatePrior) -> tuple[Array, Array]:
    """Location and scale (..., d) that standardise points, one scale if spherical."""
    scale = data.scale
    if prior.covariance == "spherical":
        scale = np.broadcast_to(scale.max(axis=-1, keepdims=True), scale.shape)
    return data.location, scale
