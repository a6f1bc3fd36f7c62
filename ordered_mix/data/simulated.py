"""Data from mixtures: simulated samples, and the population as a weighted grid."""

from __future__ import annotations

import math

import numpy as np

from ordered_mix.data.data import Data
from ordered_mix.mixture import Mixture


def simulate(mixture: Mixture, n: int, seed: int, name: str = "simulated") -> Data:
    """Draw n points from a mixture (from each mixture of a batch).

    Raises
    ------
    ValueError
        If n is not a positive whole number.
    """
    if not (isinstance(n, int | np.integer) and n >= 1):
        raise ValueError(f"n must be a positive whole number, got {n}")
    return Data(mixture.sample(n, np.random.default_rng(seed)), name=name)


def population(mixture: Mixture, step: float = 0.02, reach: float = 12.0) -> Data:
    """The population limit of one mixture: a fine grid weighted by the true density.

    The trapezoid rule on a uniform grid, exponentially accurate for these integrands; the weights
    add up to 1, so log likelihoods are expectations for one observation.

    Parameters
    ----------
    mixture : Mixture
        A single mixture, the truth.
    step : float
        Grid step in units of the narrowest standard deviation.
    reach : float
        How far the grid extends beyond the outermost means, in standard deviations.

    Raises
    ------
    ValueError
        If mixture is a batch, or step or reach is not positive.
    """
    if mixture.batch_shape:
        raise ValueError(f"mixture must be a single one, got a batch of {mixture.batch_shape}")
    if not (0 < step < np.inf and 0 < reach < np.inf):
        raise ValueError(f"step and reach must be positive and finite, got {step} and {reach}")
    low = float(np.min(mixture.mu - reach * mixture.sigma))
    high = float(np.max(mixture.mu + reach * mixture.sigma))
    count = math.ceil((high - low) / (step * float(mixture.sigma.min()))) + 1
    if count > 10_000_000:
        raise ValueError(
            f"step must keep the grid at or below 10,000,000 points, {step} needs {count}"
        )
    y = np.linspace(low, high, count)
    density = mixture.density(y)
    return Data(y, density / density.sum(), name="population")
