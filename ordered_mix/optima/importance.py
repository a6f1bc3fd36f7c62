"""How good Laplace's approximation is: importance weights of its draws, and their Pareto k."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ordered_mix.data import Data
from ordered_mix.mixture import Array, Mixture
from ordered_mix.optima.laplace import Laplace
from ordered_mix.stream.stream import Stream

GOOD, USABLE = 0.5, 0.7
"""Pareto k below which weighted draws are as good as any, and up to which they serve."""


@dataclass(frozen=True, eq=False)
class Importance:
    """Draws of an approximation with the weights that make them draws of the posterior.

    Parameters
    ----------
    mixture : Mixture, batch shape (draws,)
        In the units of the data.
    weight : array, shape (draws,)
        Smoothed, they add up to 1.
    pareto_k : float
        Shape of the tail of the weights: below 0.5 their variance is finite, above 0.7 the
        approximation is too far off to be repaired by them.
    ess : float
        Effective number of draws, ``1 / sum weight^2``.
    """

    mixture: Mixture
    weight: Array
    pareto_k: float
    ess: float

    def resampled(self, draws: int, seed: int) -> Mixture:
        """Draws of equal weight, batch shape (draws,), by systematic resampling, shuffled."""
        rng = np.random.default_rng(seed)
        at = (np.arange(draws) + rng.random()) / draws
        chosen = np.searchsorted(np.cumsum(self.weight), at * self.weight.sum())
        return self.mixture[rng.permutation(np.minimum(chosen, self.weight.size - 1))]


def importance(
    approximation: Laplace, data: Data | Stream, draws: int = 1000, seed: int = 0
) -> Importance:
    """Weigh draws of Laplace's approximation by the posterior, Pareto smoothed.

    Vehtari, Simpson, Gelman, Yao & Gabry 2024, Journal of Machine Learning Research 25(72). The
    weights see the neighbourhood of the mode: one that was not found stays unknown.

    Parameters
    ----------
    approximation : Laplace
    data : Data or Stream
        Those that it was made of. All draws are evaluated in one reading, for a pass each.
    draws : int
    seed : int

    Raises
    ------
    ValueError
        If the Hessian was not positive definite, or draws is below 100.
    """
    # ArviZ takes a second to import
    from arviz_stats.base import array_stats

    if draws < 100:
        raise ValueError(f"draws must be at least 100 for a Pareto k, got {draws}")
    z, log_density = approximation.draw(draws, seed)
    location, scale = approximation.location, approximation.scale
    if isinstance(data, Stream) or not data.event_shape:
        own = data.standardized()
    else:
        own = data.affine(-location / scale, 1 / scale)
    height = approximation.parameterization.log_posterior(z, own)[0]
    ratio = height - log_density
    # it takes what leave-one-out has, log likelihoods, whose inverse is the weight
    log_weight, k = array_stats.psislw(-(ratio - ratio.max()))
    weight = np.exp(log_weight - np.logaddexp.reduce(log_weight))
    drawn = approximation.parameterization.forward(z)
    mixture = drawn.affine(location, scale)
    return Importance(mixture, weight, float(k), float(1 / np.sum(weight**2)))
