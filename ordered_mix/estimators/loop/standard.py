"""One sample and a parameterization in the units of the standardised data."""

from __future__ import annotations

from typing import Any, NamedTuple

from ordered_mix.mixture import Array, Mixture
from ordered_mix.multivariate.prior import standard_units
from ordered_mix.parameterization.multivariate import MultivariateParameterization


class Standard(NamedTuple):
    """In one dimension location and scale are numbers, in several arrays (d,).

    Attributes
    ----------
    parameterization : Parameterization or MultivariateParameterization
        For the standardised data.
    data : Data or Stream
        Standardised.
    location, scale : float or array
        Of the data in their own units.
    """

    parameterization: Any
    data: Any
    location: Any
    scale: Any

    def inwards(self, mixture: Mixture) -> Mixture:
        """Mixtures of the data as those of the standardised data."""
        return mixture.affine(-self.location / self.scale, 1 / self.scale)

    def outwards(self, mixture: Mixture) -> Mixture:
        """Mixtures of the standardised data as those of the data."""
        return mixture.affine(self.location, self.scale)

    def forward(self, z: Array) -> Mixture:
        """Mixtures at coordinates for standardised data, in the units of the data."""
        return self.outwards(self.parameterization.forward(z))


def standard_of(parameterization: Any, data: Any) -> Standard:
    """One sample in units of its own; spherical covariances have one scale for all columns.

    Parameters
    ----------
    parameterization : Parameterization or MultivariateParameterization
    data : Data or Stream
    """
    if not isinstance(parameterization, MultivariateParameterization):
        location, scale = float(data.location), float(data.scale)
        standard = parameterization.affine(-location / scale, 1 / scale)
        return Standard(standard, data.standardized(), location, scale)
    at, unit = standard_units(data, parameterization.prior)
    own = (-at / unit, 1 / unit)
    return Standard(parameterization.affine(*own), data.affine(*own), at, unit)
