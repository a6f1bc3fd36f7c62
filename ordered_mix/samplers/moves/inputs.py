"""What every sampler asks of data and starts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ordered_mix.data import Data
from ordered_mix.estimators.loop.standard import Standard, standard_of
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.parameterization.proper import proper_draws
from ordered_mix.stream.stream import Stream


def standard_sample(parameterization: Any, data: Data | Stream) -> Standard:
    """One sample and a parameterization in the units of the standardised data.

    Raises
    ------
    ValueError
        If the data are a batch, streamed, constant, not of the prior's dimensions, or lie in a
        plane.
    """
    if isinstance(data, Stream):
        raise ValueError(
            f"data must be in memory for a sampler, as every draw goes over all of it many times, "
            f"and {data.name} is a stream of {data.n:,} points: sample binned(stream).data, or "
            "take optima.laplace and check it by importance"
        )
    if data.batch_shape:
        raise ValueError(f"data must be one sample, got a batch of shape {data.y.shape}")
    shape = parameterization.event_shape
    if bool(data.event_shape) != bool(shape):
        raise ValueError(f"data must be {'points' if shape else 'numbers'} here, got {data!r}")
    if data.event_shape != shape:
        raise ValueError(f"data must have the {shape[0]} columns of the prior, got {data.d}")
    if shape:
        data.check_full()
    elif not float(data.scale) > 0:
        raise ValueError(f"data must hold two different points, {data.name} is constant")
    return standard_of(parameterization, data)


def standard_starts(standard: Standard, starts: Mixture) -> Mixture:
    """Starts in the units of the standardised data, batch shape (chain,).

    Raises
    ------
    ValueError
        If they are not one mixture of as many components and dimensions for each chain.
    """
    if len(starts.batch_shape) != 1 or not starts.batch_shape[0]:
        raise ValueError(
            f"starts must be one mixture for each chain, got batch {starts.batch_shape}"
        )
    k, shape = standard.parameterization.k, standard.parameterization.event_shape
    if starts.event_shape != shape or (shape and starts.k != k):
        raise ValueError(
            f"starts must have {k} components in {standard.data.d} dimensions, "
            f"they have {starts.k} in {starts.d}"
        )
    if starts.k != k:
        raise ValueError(f"starts must have {k} components, they have {starts.k}")
    return standard.inwards(starts)


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
