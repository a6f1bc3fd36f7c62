"""What every sampler asks of data and starts."""

from __future__ import annotations

import numpy as np

from ordered_mix.data import Data
from ordered_mix.mixture import Array, Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.multivariate.prior import standard_units
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.parameterization.proper import proper_draws
from ordered_mix.stream.stream import Stream


def one_sample(data: Data | Stream) -> tuple[float, float]:
    """Location and scale of one sample.

    Raises
    ------
    ValueError
        If the data are a batch, constant or streamed.
    """
    if isinstance(data, Stream):
        raise ValueError(
            f"data must be in memory for a sampler, as every draw goes over all of it many times, "
            f"and {data.name} is a stream of {data.n:,} points: sample binned(stream).data, or "
            "take optima.laplace and check it by importance"
        )
    if data.y.ndim != 1:
        raise ValueError(f"data must be one sample, got a batch of shape {data.y.shape}")
    if not float(data.scale) > 0:
        raise ValueError(f"data must hold two different points, {data.name} is constant")
    return float(data.location), float(data.scale)


def standard_starts(starts: Mixture, k: int, location: float, scale: float) -> Mixture:
    """Starts in the units of the standardised data, batch shape (chain,).

    Raises
    ------
    ValueError
        If they are not one mixture of k components for each chain.
    """
    if len(starts.batch_shape) != 1 or not starts.batch_shape[0]:
        raise ValueError(
            f"starts must be one mixture for each chain, got batch {starts.batch_shape}"
        )
    if starts.k != k:
        raise ValueError(f"starts must have {k} components, they have {starts.k}")
    return starts.affine(-location / scale, 1 / scale)


def one_sample_of_points(data: Data, prior: MultivariatePrior) -> tuple[Array, Array]:
    """Location and scale (d,) of one sample; for spherical covariances one scale for all.

    Raises
    ------
    ValueError
        If the data are a batch, not of the prior's dimensions, or lie in a plane.
    """
    if data.y.ndim != 2:
        raise ValueError(f"data must be one sample, got a batch of shape {data.y.shape}")
    if data.d != prior.d:
        raise ValueError(f"data must have the {prior.d} columns of the prior, got {data.d}")
    data.check_full()
    return standard_units(data, prior)


def standard_starts_of_points(starts: Mixture, k: int, location: Array, scale: Array) -> Mixture:
    """Starts in the units of the standardised points, batch shape (chain,).

    Raises
    ------
    ValueError
        If they are not one mixture of k components in as many dimensions for each chain.
    """
    if len(starts.batch_shape) != 1 or not starts.batch_shape[0]:
        raise ValueError(
            f"starts must be one mixture for each chain, got batch {starts.batch_shape}"
        )
    if (starts.k, starts.d) != (k, location.size):
        raise ValueError(
            f"starts must have {k} components in {location.size} dimensions, "
            f"they have {starts.k} in {starts.d}"
        )
    return starts.affine(-location / scale, 1 / scale)


def prior_points(
    standard: Parameterization | MultivariateParameterization, count: int, seed: int
) -> Array:
    """Unconstrained coordinates of prior draws, shape (count, dimension).

    Raises
    ------
    ValueError
        If the prior is improper.
    """
    if isinstance(standard, MultivariateParameterization):
        return standard.unconstrain(standard.draw_prior(count, seed))
    return standard.unconstrain_unchecked(proper_draws(standard, count, seed))


def repeated(y: Array, weight: Array | None) -> Array:
    """The points along the first axis, each as often as its weight says.

    Raises
    ------
    ValueError
        If a weight is not a whole number.
    """
    if weight is None:
        return y
    if np.any(weight != np.round(weight)):
        raise ValueError("weights of the data must be whole numbers for Gibbs sampling")
    return np.repeat(y, weight.astype(np.int64), axis=0)
