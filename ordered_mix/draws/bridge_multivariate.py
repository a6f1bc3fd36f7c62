"""Bridge sampling of the evidence in several dimensions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.draws.bridge import Normal, meng_wong, warning
from ordered_mix.draws.evidence import Evidence
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.multivariate import MultivariateParameterization

Array = NDArray[np.float64]


def bridge_points(
    parameterization: MultivariateParameterization,
    data: Data,
    draws: Mixture,
    *,
    seed: int = 0,
) -> Evidence:
    """Bridge sampling between draws sorted along the axis and a normal proposal.

    The first half of each chain makes the proposal, the second half the estimate, as in one
    dimension (`draws.bridge.bridge`). What is sorted lives where the means increase along the
    axis of the parameterization, with K! times the density.

    Parameters
    ----------
    parameterization : MultivariateParameterization
        With the prior of the draws, in the units of the data, and an axis that separates.
    data : Data
        One sample.
    draws : Mixture, batch shape (chain, draw)
        Posterior draws in the units of the data.
    seed : int

    Raises
    ------
    ValueError
        If data or draws have other dimensions than the prior, or data are a batch.
    """
    if data.y.ndim != 2 or data.d != parameterization.prior.d:
        raise ValueError(
            f"data must be one sample of {parameterization.prior.d} columns, "
            f"got shape {data.y.shape}"
        )
    scale = data.scale
    if parameterization.prior.covariance == "spherical":
        scale = np.full(data.d, scale.max())
    standard = parameterization.affine(-data.location / scale, 1 / scale)
    own = data.affine(-data.location / scale, 1 / scale)
    agreed = draws.affine(-data.location / scale, 1 / scale).sorted(standard.direction)
    half = draws.batch_shape[1] // 2
    proposal = Normal.fitted(standard.unconstrain(agreed[:, :half]))
    kept = standard.unconstrain(agreed[:, half:])
    drawn = proposal.draw(kept[..., 0].size, np.random.default_rng(seed))
    posterior, other = (
        _log_density(standard, own, z) - proposal.log_density(z)
        for z in (kept.reshape(drawn.shape), drawn)
    )
    posterior = posterior.reshape(kept.shape[:2])
    log_evidence, error = meng_wong(posterior, other)
    constant = float(data.total_weight) * float(np.sum(np.log(scale)))
    return Evidence(log_evidence - constant, error, "bridge, sorted", warning(posterior, error))


def _log_density(standard: MultivariateParameterization, data: Data, z: Array) -> Array:
    """Log posterior of z, of sorted draws, unnormalised."""
    height = standard.log_posterior(z, data)[0]
    if standard.orders or standard.k == 1:
        return height
    _, mu, _ = standard.parameters(z)
    inside = np.all(np.diff(mu @ standard.direction, axis=-1) > 0, axis=-1)
    return np.where(inside, height + math.lgamma(standard.k + 1), -np.inf)
