"""The widely applicable Bayesian information criterion, from draws of a tempered posterior.

A tempered posterior is proportional to ``prior * likelihood^beta``.
"""

from typing import NamedTuple

import arviz_stats
import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import enough_draws, scalar_draws


class Estimate(NamedTuple):
    """A value and its Monte Carlo standard error."""

    value: float
    mcse: float


def wbic_beta(n: int) -> float:
    """Inverse temperature 1 / log n at which WBIC is computed; n is the number of points."""
    if n < 3:
        raise ValueError(f"n must be at least 3 for a temperature above 1, got {n}")
    return float(1 / np.log(n))


def wbic(log_likelihood: ArrayLike) -> Estimate:
    """Widely applicable Bayesian information criterion, close to minus the log evidence.

    ``WBIC = E_beta[-log likelihood]`` over draws at ``beta = 1 / log n``. Smaller is better; it
    has the scale of a log likelihood, half of BIC's.

    Parameters
    ----------
    log_likelihood : array_like, shape (chain, draw)
        Log likelihood of draws tempered at `wbic_beta`.

    References
    ----------
    Watanabe (2013), JMLR 14, 867-897.
    """
    values = enough_draws("log_likelihood", scalar_draws("log_likelihood", log_likelihood))
    mcse = arviz_stats.mcse(values, method="mean", chain_axis=0, draw_axis=1)
    return Estimate(float(-values.mean()), float(mcse))
