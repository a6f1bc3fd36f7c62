"""Laplace's approximation at a mode, in the unconstrained coordinates of a parameterization."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ordered_mix.estimators.loop.hessian import hessian
from ordered_mix.estimators.loop.standard import standard_of
from ordered_mix.mixture import Array


@dataclass(frozen=True, eq=False)
class Laplace:
    """A normal approximation of the posterior at a mode.

    Parameters
    ----------
    parameterization : Parameterization or MultivariateParameterization
        In the units of the standardised data, where the approximation is normal.
    location, scale : float or array, shape (d,)
        Of the data.
    mean : array, shape (dimension,)
        The mode.
    covariance : array, shape (dimension, dimension)
        Inverse of minus the Hessian; NaN if that is not positive definite.
    positive_definite : bool
    log_evidence : float
        Log evidence of the data in their own units; NaN if not positive definite. For those that
        hold each mixture K! times it is that of one mode times K!.
    """

    parameterization: Any
    location: Any
    scale: Any
    mean: Array
    covariance: Array
    positive_definite: bool
    log_evidence: float

    def sample(self, draws: int, seed: int) -> Any:
        """Mixtures drawn of the approximation, in the units of the data; batch shape (draws,).

        Raises
        ------
        ValueError
            If the Hessian was not positive definite.
        """
        z, _ = self.draw(draws, seed)
        return self.parameterization.forward(z).affine(self.location, self.scale)

    def draw(self, draws: int, seed: int) -> tuple[Array, Array]:
        """Draws in the unconstrained coordinates, (draws, dimension), and their log densities.

        Raises
        ------
        ValueError
            If the Hessian was not positive definite.
        """
        if not self.positive_definite:
            raise ValueError("draws need a positive definite Hessian, this mode has none")
        rng = np.random.default_rng(seed)
        z = rng.multivariate_normal(self.mean, self.covariance, size=draws)
        root = np.linalg.cholesky(self.covariance)
        standard = np.linalg.solve(root, (z - self.mean).T)
        constant = 0.5 * self.mean.size * np.log(2 * np.pi) + np.sum(np.log(np.diag(root)))
        return z, -0.5 * np.sum(standard**2, axis=0) - constant


def laplace(parameterization: Any, data: Any, mode: Any) -> Laplace:
    """Laplace's approximation at a mode of the density of the unconstrained coordinates.

    Parameters
    ----------
    parameterization : Parameterization or MultivariateParameterization
        With its prior in the units of the data.
    data : Data or Stream
        One sample.
    mode : Mixture
        A single mixture, such as the best of `MAP(jacobian=True).fit`.

    Warns
    -----
    UserWarning
        If minus the Hessian is not positive definite: the point is no maximum, or the posterior
        is singular there.
    """
    standard, standardized, location, scale = standard_of(parameterization, data)
    z = standard.unconstrain(mode.affine(-location / scale, 1 / scale))
    precision = -hessian(standard, standardized, z, jacobian=True)
    eigenvalues = np.linalg.eigvalsh(precision)
    if not eigenvalues[0] > 1e-10 * abs(eigenvalues[-1]):
        warnings.warn(
            f"the Hessian at this mode is not negative definite (smallest curvature "
            f"{eigenvalues[0]:.3g}): Laplace's approximation does not exist there",
            stacklevel=2,
        )
        nothing = np.full_like(precision, np.nan)
        return Laplace(standard, location, scale, z, nothing, False, float("nan"))
    height = float(standard.log_posterior(z, standardized)[0])
    volume = 0.5 * z.size * np.log(2 * np.pi) - 0.5 * float(np.sum(np.log(eigenvalues)))
    evidence = height + volume + np.log(parameterization.labellings)
    in_units = evidence - float(data.total_weight) * np.sum(np.log(scale))
    return Laplace(standard, location, scale, z, np.linalg.inv(precision), True, float(in_units))
