"""Hamiltonian moves of many particles at once, in tempered posteriors of any parameterization."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.mixture import Array
from ordered_mix.parameterization.multivariate import FARTHEST, MultivariateParameterization
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes import kernels


class Points(NamedTuple):
    """Points in unconstrained coordinates with what one pass says of them.

    Attributes
    ----------
    z : ndarray (..., dimension)
    log_prior, log_likelihood : ndarray (...)
        Minus infinity where a point is out of the reach of floating-point numbers.
    prior_gradient, likelihood_gradient : ndarray (..., dimension)
    """

    z: Array
    log_prior: Array
    log_likelihood: Array
    prior_gradient: Array
    likelihood_gradient: Array

    def rows(self, *index: Any) -> Points:
        """Selected points."""
        return Points(*(value[index] for value in self))

    def reshape(self, *shape: int) -> Points:
        """These points with other leading axes."""
        axes = self.log_prior.ndim
        return Points(*(value.reshape(*shape, *value.shape[axes:]) for value in self))

    def log_density(self, beta: Array) -> Array:
        """Log density at the inverse temperature beta, which broadcasts against the points."""
        return self.log_prior + beta * self.log_likelihood

    def gradient(self, beta: Array) -> Array:
        """Gradient of `log_density`."""
        return self.prior_gradient + np.asarray(beta)[..., None] * self.likelihood_gradient


class Target(NamedTuple):
    """Prior and likelihood apart, in the coordinates of a standardised parameterization."""

    parameterization: Parameterization
    data: Data

    @property
    def in_threads(self) -> bool:
        """Whether several threads may evaluate points at a time."""
        return self.parameterization.graph.in_threads

    def at(self, z: Array) -> Points:
        """Evaluate points z (..., dimension): one pass each."""
        graph, prior = self.parameterization.graph, self.parameterization.prior
        with np.errstate(all="ignore"):
            w, mu, sigma = graph.forward(z, prior)
            moments = kernels.e_step(self.data.y, w, mu, sigma, weight=self.data.weight)
            scores = (
                moments.s0 / w,
                moments.s1 / sigma**2,
                moments.s2 / sigma**3 - moments.s0 / sigma,
            )
            slope = graph.pullback(z, prior, *scores)
            log_prior, prior_slope = graph.log_prior(z, prior, True)
        return _points(z, log_prior, moments.log_likelihood, prior_slope, slope)


class TargetOfPoints(NamedTuple):
    """The same in several dimensions."""

    parameterization: MultivariateParameterization
    data: Data

    @property
    def in_threads(self) -> bool:
        """Whether several threads may evaluate points at a time; not in several dimensions."""
        return False

    def at(self, z: Array) -> Points:
        """Evaluate points z (..., dimension): one pass each."""
        inside = np.all(np.abs(z) < FARTHEST, axis=-1)
        there = np.where(inside[..., None], z, 0.0)
        with np.errstate(all="ignore"):
            log_prior, prior_slope = self.parameterization.log_prior(there)
            log_likelihood, slope = self.parameterization.log_likelihood(there, self.data)
        log_prior = np.where(inside, log_prior, -np.inf)
        return _points(z, log_prior, log_likelihood, prior_slope, slope)


def _points(
    z: Array, log_prior: Array, log_likelihood: Array, prior_slope: Array, slope: Array
) -> Points:
    finite = np.isfinite(log_prior) & np.isfinite(log_likelihood)
    finite &= np.isfinite(slope).all(axis=-1) & np.isfinite(prior_slope).all(axis=-1)
    return Points(
        np.asarray(z),
        np.where(finite, log_prior, -np.inf),
        np.where(finite, log_likelihood, 0.0),
        np.where(finite[..., None], prior_slope, 0.0),
        np.where(finite[..., None], slope, 0.0),
    )


class Noise(NamedTuple):
    """What a move consumes: standard normals (..., dimension), and uniforms (...) twice."""

    momentum: Array
    stretch: Array
    accept: Array


def noise(rngs: list[np.random.Generator], *shape: int) -> Noise:
    """Noise with one leading axis entry for each generator; shape is that of z below it."""
    momentum = np.stack([rng.standard_normal(shape) for rng in rngs])
    stretch, accept = (np.stack([rng.random(shape[:-1]) for rng in rngs]) for _ in range(2))
    return Noise(momentum, stretch, accept)


def move(
    target: Target | TargetOfPoints, points: Points, beta: Array, whitening: Array, step: Array,
    leaps: int, given: Noise,
) -> tuple[Points, Array]:  # fmt: skip
    """One Hamiltonian move of every point (Neal 2011, Handbook of MCMC, section 5.3).

    Parameters
    ----------
    target : Target or TargetOfPoints
    points : Points, shape (..., chain)
    beta : array, broadcasts against (..., chain)
    whitening : array, shape (..., dimension, dimension)
        Inverse of the Cholesky factor of the mass matrix.
    step : array, broadcasts against (..., chain)
        Step size, which is stretched by a uniform factor between .8 and 1.2 for each point.
    leaps : int
        Number of leapfrog steps, one pass each.
    given : Noise

    Returns
    -------
    points : Points
        After the move.
    acceptance : ndarray (..., chain)
        Probability with which each was accepted.
    """
    sizes = (step * (0.8 + 0.4 * given.stretch))[..., None]
    back = np.swapaxes(whitening, -1, -2)
    momentum, there = given.momentum, points
    begin = points.log_density(beta) - 0.5 * np.sum(momentum**2, axis=-1)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(leaps):
            momentum = momentum + 0.5 * sizes * (there.gradient(beta) @ back)
            there = target.at(there.z + sizes * (momentum @ whitening))
            momentum = momentum + 0.5 * sizes * (there.gradient(beta) @ back)
        end = there.log_density(beta) - 0.5 * np.sum(momentum**2, axis=-1)
        ratio = np.where(np.isfinite(end), end - begin, -np.inf)
    acceptance = np.exp(np.minimum(ratio, 0.0))
    return chosen(given.accept < acceptance, there, points), acceptance


def chosen(where: NDArray[np.bool_], there: Points, here: Points) -> Points:
    """The points of there where the condition holds, else those of here."""
    pairs = zip(there, here, strict=True)
    return Points(
        *(np.where(where[..., None] if a.ndim > where.ndim else where, a, b) for a, b in pairs)
    )


def precision(gradient: Array, weight: Array) -> Array:
    """Mean outer product of the gradients of a log density, in its own distribution.

    It is the mean of minus the Hessian: a local precision that modes far apart do not blur.

    Parameters
    ----------
    gradient : array, shape (..., points, dimension)
    weight : array, shape (..., points)
        Adding up to 1.
    """
    return np.einsum("...n,...ni,...nj->...ij", weight, gradient, gradient)


def whitening(precision: Array) -> Array:
    """Inverse Cholesky factor of a precision, its correlations drawn a tenth towards 0."""
    scale = np.sqrt(np.einsum("...ii->...i", precision)) + 1e-12
    unit = precision / (scale[..., :, None] * scale[..., None, :])
    factor = np.linalg.cholesky(0.9 * unit + 0.1 * np.eye(precision.shape[-1]))
    return np.linalg.inv(factor) / scale[..., None, :]
