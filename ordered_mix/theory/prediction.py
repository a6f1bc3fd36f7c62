"""Exact generalisation loss of a posterior predictive, which criteria estimate from the data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from ordered_mix.arrays import Array, finite
from ordered_mix.data import Data, population
from ordered_mix.draws.pointwise import pointwise_log_likelihood
from ordered_mix.mixture import Mixture


def log_predictive(points: ArrayLike, w: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> Array:
    """Log posterior predictive density, the log of the mean density over draws.

    Parameters
    ----------
    points : array_like, shape (point,)
    w, mu, sigma : array_like, shape (chain, draw, component)
        Draws of the mixture, raw or sorted.

    Returns
    -------
    array, shape (point,)
    """
    blocks = pointwise_log_likelihood(points, w, mu, sigma)
    return np.concatenate(
        [logsumexp(block, axis=(0, 1)) - np.log(block[..., 0].size) for block in blocks]
    )


def generalisation_loss(weight: ArrayLike, log_density: ArrayLike) -> float:
    """Mean of minus a log density over a population, in nats for one observation.

    Parameters
    ----------
    weight : array_like, shape (point,)
        Masses of the population's points, e.g. of `ordered_mix.data.population`.
    log_density : array_like, shape (point,)
        Log of the density that predicts, e.g. `log_predictive`; the truth's gives its entropy.

    Raises
    ------
    ValueError
        If the two differ in shape or hold values that are not finite, or the masses do not add
        up to 1.

    References
    ----------
    Watanabe (2010), JMLR 11, 3571-3594, section 2.
    """
    mass, score = finite("weight", weight), finite("log_density", log_density)
    if mass.shape != score.shape or abs(mass.sum() - 1) > 1e-6:
        raise ValueError(
            "weight must add up to 1 over the points of log_density, got a sum of "
            f"{mass.sum():.6g} and shapes {mass.shape} and {score.shape}"
        )
    return float(-np.sum(mass * score))


def exact_losses(
    truth: Mixture, data: Data, predict: Callable[[Array], Array], step: float = 0.05
) -> dict[str, float]:
    """Generalisation loss of a log density over the population, and what it is compared with.

    Parameters
    ----------
    truth : Mixture
    data : Data
        A sample from it.
    predict : callable
        From points to the log of the density that predicts.
    step : float
        Step of the population's grid.

    Returns
    -------
    dict of str to float
        ``generalisation`` of the density and ``entropy`` of the truth, in nats for one
        observation, and ``sample_entropy``, minus the truth's log density summed over the data.
    """
    grid = population(truth, step=step)
    assert grid.weight is not None
    return {
        "generalisation": generalisation_loss(grid.weight, predict(grid.y)),
        "entropy": generalisation_loss(grid.weight, truth.log_density(grid.y)),
        "sample_entropy": float(-truth.log_density(data.y).sum()),
    }
