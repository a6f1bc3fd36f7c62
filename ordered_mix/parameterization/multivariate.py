"""Parameterizations in several dimensions: a model file orders the means along one direction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import reference
from ordered_mix.multivariate.covariances import factors, free_coordinates
from ordered_mix.parameterization.multivariate_maps import MultivariateMaps, flat
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.multivariate_pass import white_pass

if TYPE_CHECKING:
    import pymc as pm

Array = NDArray[np.float64]

FARTHEST = 300.0  # the exponential of an unconstrained coordinate, squared, is still a number


@dataclass(frozen=True, eq=False)
class MultivariateParameterization(MultivariateMaps):
    """A coordinate system for mixtures in D dimensions, from a model file of one dimension.

    The model file takes weights and the means along a unit vector a, whose reference prior is
    Normal(a.location, a.spread). Given it, ``mu_k = location + (a.mu_k - a.location) b + E v_k``
    with ``v_k`` standard normal in D - 1 dimensions, which no order concerns; b is the regression
    of the means on a.mu. Covariances have the logs of the diagonals of their Cholesky factors and
    what is below. Unconstrained coordinates are those of the model file, the v_k, the factors.

    Parameters
    ----------
    name : str
        What tables call it.
    module : module
        The model file.
    k : int
        Number of components.
    prior : MultivariatePrior
        The prior, in the units of the data it will meet.
    options : mapping
        Keyword options of the model file.
    axis : int or array_like, shape (d,)
        Coordinate, from 0, or direction a, along which the file orders the means.

    Raises
    ------
    NotApplicable
        If the model file skips this k or option, with its reason.
    ValueError
        If axis is no coordinate or direction.
    """

    def __post_init__(self) -> None:
        _ = self.along

    @property
    def label(self) -> str:
        """Name with the options and the axis, e.g. ``relative(axis=1, link=square)``."""
        a = self.direction
        at = np.flatnonzero(a)
        shown = str(at[0]) if at.size == 1 and a[at[0]] > 0 else str(a.round(4).tolist())
        given = {"axis": shown, **self.options}
        return f"{self.name}({', '.join(f'{key}={value}' for key, value in given.items())})"

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of a point of the data, (d,)."""
        return (self.prior.d,)

    @property
    def reason_not_sampled(self) -> str | None:
        """Why NUTS cannot sample these coordinates, if so."""
        return self.along.reason_not_sampled

    @property
    def orders(self) -> bool:
        """Whether the components are sorted along the axis."""
        return self.along.order_by is not None

    @property
    def labellings(self) -> int:
        """How often the domain covers each unlabelled mixture: 1 if identifiable, else K!."""
        return self.along.labellings

    def sorted(self, mixture: Mixture) -> Mixture:
        """The mixture with its components in the order of the domain."""
        return mixture.sorted(self.direction) if self.orders else mixture

    def affine(self, location: ArrayLike, scale: ArrayLike) -> MultivariateParameterization:
        """This parameterization for ``location + scale * y``, coordinate by coordinate."""
        turned = self.direction / np.asarray(scale)
        rescaled = getattr(self.module, "rescaled", None)
        factor = float(1 / np.linalg.norm(turned))
        options = rescaled(factor, **self.options) if rescaled else self.options
        prior = self.prior.affine(location, scale)
        return replace(self, prior=prior, options=options, axis=turned)

    def forward(self, z: Array) -> Mixture:
        """Mixture at the unconstrained coordinates z, shape (..., dimension)."""
        w, mu, root = self.parameters(z)
        return Mixture(w, mu, covariance=root @ np.swapaxes(root, -1, -2))

    def unconstrain(self, mixture: Mixture) -> Array:
        """Unconstrained coordinates of a mixture, sorted first, shape (..., dimension).

        Raises
        ------
        ValueError
            If the mixture has another size, lies outside the domain, or its covariances are not
            of the prior's kind.
        """
        if (mixture.k, mixture.d) != (self.k, self.prior.d):
            raise ValueError(
                f"mixture must have {self.k} components in {self.prior.d} dimensions, "
                f"it has {mixture.k} in {mixture.d}"
            )
        mixture, kind = self.sorted(mixture), self.prior.covariance
        free = free_coordinates(kind, mixture.root)
        if not np.allclose(factors(kind, free, self.k, self.prior.d), mixture.root, rtol=1e-6):
            raise ValueError(f"covariance of the mixture must be {kind}, it is not")
        first = self.along.unconstrain(self._along(mixture))
        return self._joined(first, mixture, free)

    def coordinates(self, mixture: Mixture) -> Array:
        """Free coordinates of a mixture, sorted first, on the boundary too; (..., dimension)."""
        mixture = self.sorted(mixture)
        along = self._along(mixture)
        first = self.along.graph.flatten(self.along.coordinates(along), mixture.batch_shape)
        factor = free_coordinates(self.prior.covariance, mixture.root)
        z = self._joined(first, mixture, factor)
        _, across, _ = self._split(z)
        return flat((first, across * self._lengths, self._with_logs(factor, np.exp)),
                    mixture.batch_shape)  # fmt: skip

    def start(self, mixture: Mixture) -> Array:
        """Unconstrained coordinates of the nearest mixture inside the domain, sorted if it sorts.

        Gaps along the axis are kept a thousandth of the prior's scale above their clearance.
        """
        ascending = self.sorted(mixture)
        first = self.along.start(self._along(ascending))
        free = free_coordinates(self.prior.covariance, ascending.root)
        return self._joined(first, ascending, free)

    def log_prior(self, z: Array, jacobian: bool = True) -> tuple[Array, Array]:
        """Log prior density and its gradient in z, of z itself or of the free coordinates."""
        first, across, free = self._split(z)
        root = factors(self.prior.covariance, free, self.k, self.prior.d)
        density, slope = self.along.graph.log_prior(first, self.along.prior, jacobian)
        constant = 0.5 * self.k * (self.prior.d - 1) * np.log(2 * np.pi)
        density = density - 0.5 * np.sum(across**2, axis=(-1, -2)) - constant
        density = density + reference.log_density_factors(self.prior, root)
        factor = reference.gradient_factors(self.prior, root)
        if not jacobian:
            density = density - self.k * np.sum(np.log(self._lengths))
            density = density - np.sum(free[..., : self._diagonal], axis=(-1, -2))
            factor[..., : self._diagonal] -= 1
        return density, flat((slope, -across, factor), z.shape[:-1])

    def log_likelihood(self, z: Array, data: Data) -> tuple[Array, Array]:
        """Log likelihood at z and its gradient, for one pass over the data."""
        w, mu, root = self.parameters(z)
        moments = white_pass(data.y, w, mu, root, data.weight)
        return moments.log_likelihood, self.pullback(z, root, *moments.scores(w, root))

    def log_posterior(self, z: Array, data: Data, jacobian: bool = True) -> tuple[Array, Array]:
        """Unnormalised log posterior and its gradient in z, for one pass over the data.

        Parameters
        ----------
        z : array, shape (..., dimension)
            Unconstrained coordinates.
        data : Data
        jacobian : bool
            Whether the density is that of z or that of the free coordinates.

        Returns
        -------
        log_posterior : array, shape (...)
            Minus infinity, with a gradient of 0, where a coordinate is beyond 300.
        gradient : array, shape (..., dimension)
        """
        inside = np.all(np.abs(z) < FARTHEST, axis=-1)
        there = np.where(inside[..., None], z, 0.0)
        prior, slope = self.log_prior(there, jacobian)
        likelihood, more = self.log_likelihood(there, data)
        value = np.where(inside, prior + likelihood, -np.inf)
        return value, np.where(inside[..., None], slope + more, 0.0)

    def log_det(self, z: Array) -> Array:
        """Log ``|d(w_1 .. w_(K-1), mu, free coordinates of the factors) / dz|``, shape (...)."""
        b, across = self.frame
        one = np.linalg.slogdet(np.column_stack([b, across]))[1]
        return self.along.log_det(self._split(z)[0]) + self.k * one

    def model(self, data: Data) -> pm.Model:
        """The PyMC model a person would write, with the observed variable ``y``.

        Raises
        ------
        ValueError
            If the data are weighted, a batch, or not of the prior's columns.
        """
        from ordered_mix.parameterization.multivariate_models import plain_model

        return plain_model(self, data)

    def draw_prior(self, count: int, seed: int) -> Mixture:
        """Draws of the reference prior, in the order of the domain; batch shape (count,)."""
        drawn = reference.draw(self.prior, self.k, count, np.random.default_rng(seed))
        return self.sorted(drawn)

    def _along(self, mixture: Mixture) -> Mixture:
        return Mixture(mixture.w, mixture.mu @ self.direction, self.along.prior.known_sigma)

    def _joined(self, first: Array, mixture: Mixture, free: Array) -> Array:
        deviation = mixture.mu - self.prior.location
        b, across = self.frame
        rest = deviation - (deviation @ self.direction)[..., None] * b
        return flat((first, rest @ np.linalg.pinv(across).T, free), mixture.batch_shape)


type AnyParameterization = Parameterization | MultivariateParameterization
"""Of numbers, or of points."""
