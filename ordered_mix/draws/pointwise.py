"""Pointwise log likelihood of draws in blocks of points, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.arrays import MIN_DRAWS, Array, finite, mixture_draws
from ordered_mix.mixture import Mixture
from ordered_mix.passes import kernels, mixtures

PointwiseLogLikelihood = NDArray[np.float64] | Iterable[NDArray[np.float64]]


def pointwise_log_likelihood(
    y: ArrayLike, w: ArrayLike, mu: ArrayLike, sigma: ArrayLike, megabytes: float = 32
) -> Iterator[Array]:
    """Log likelihood of every point in every draw, in blocks of points.

    Parameters
    ----------
    y : array_like, shape (point,)
        The data.
    w, mu, sigma : array_like, shape (chain, draw, component)
        Draws of the mixture, raw or sorted: the values do not depend on labels.
    megabytes : float
        Size of a block.

    Yields
    ------
    ndarray, shape (chain, draw, points of the block)
    """
    y = finite("y", y)
    if y.ndim != 1 or y.size == 0:
        raise ValueError(f"y must be a non-empty vector, got an array of shape {y.shape}")
    if not megabytes > 0:
        raise ValueError(f"megabytes must be positive, got {megabytes}")
    w, mu, sigma = mixture_draws(w, mu, sigma)
    parts = _parts(y.size, mu[..., 0].size, megabytes)
    return (kernels.log_density(y[part], w, mu, sigma) for part in parts)


def pointwise_of(y: Array, draws: Mixture, megabytes: float = 32) -> Iterator[Array]:
    """The same of mixtures of batch shape (chain, draw) at points y, shape (n,) or (n, d)."""
    parts = _parts(len(y), draws.w[..., 0].size, megabytes)
    return (mixtures.log_density(y[part], draws) for part in parts)


def _parts(n: int, draws: int, megabytes: float) -> Iterator[slice]:
    points = max(1, int(megabytes * 1e6 / (8 * draws)))
    return (slice(start, start + points) for start in range(0, n, points))


def point_blocks(log_likelihood: PointwiseLogLikelihood) -> Iterator[Array]:
    """Blocks of shape (chain, draw, points), checked; an array is one block."""
    blocks = [log_likelihood] if isinstance(log_likelihood, np.ndarray) else log_likelihood
    draws: tuple[int, ...] | None = None
    for values in blocks:
        block = np.asarray(values, dtype=np.float64)
        if block.ndim != 3 or block.size == 0:
            raise ValueError(
                "log_likelihood must have the axes (chain, draw, point), all non-empty, "
                f"got an array of shape {block.shape}"
            )
        if draws not in (None, block.shape[:2]) or block.shape[1] < MIN_DRAWS:
            raise ValueError(
                f"log_likelihood must have at least {MIN_DRAWS} draws per chain, the same in every "
                f"block, got blocks of shape {draws or block.shape} and {block.shape}"
            )
        draws = block.shape[:2]
        yield finite("log_likelihood", block)
    if draws is None:
        raise ValueError("log_likelihood must hold at least one block of points, got none")
