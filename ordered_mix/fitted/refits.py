"""Goodness of fit by parametric bootstrap: how far refitted replicates are from their data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordered_mix.arrays import rounding
from ordered_mix.data import Data
from ordered_mix.draws.checks import anderson_darling, kolmogorov_smirnov, transforms
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog

REPLICATES = 400
FEWEST = 200
MOST_EVALUATIONS = 400_000_000
MOST_PASSES = 100
MOST_POINTS = 20_000


class Refits(NamedTuple):
    """Bootstrap p-values of the maximum; NaN if too few replicates have a maximum."""

    ks: float
    tails: float


def refits(data: Data, maximum: Mixture, seed: int = 0) -> Refits:
    """Parametric bootstrap of the Kolmogorov-Smirnov and Anderson-Darling statistics.

    Posterior predictive p-values are conservative, because the draws are fitted to the data; here
    replicates drawn from the maximum are fitted by EM, too, from where they were drawn. EM is
    stopped early for large samples, which leaves the replicates a little too far: conservative.
    Above 20,000 points posterior predictive p-values are sharp enough, and nothing is refitted.

    Parameters
    ----------
    data : Data
        One sample.
    maximum : Mixture
        The maximum likelihood fit.
    seed : int

    References
    ----------
    McLachlan & Peel (2000), Finite Mixture Models, section 6.4.
    """
    if data.n > MOST_POINTS:
        return Refits(np.nan, np.nan)
    y = np.sort(data.y)
    step = rounding(y)
    passes = int(np.clip(MOST_EVALUATIONS // (REPLICATES * y.size * maximum.k), 3, MOST_PASSES))
    replicates = np.sort(_drawn(maximum, y, step, np.random.default_rng(seed)), axis=-1)
    replicates = replicates[np.ptp(replicates, axis=-1) > 0]
    em = EM(stop=Stop(log_likelihood=1e-6, passes=passes), snapshots=2)
    model = catalog.parameterization("unordered", maximum.k)
    fit = em.fit(model, Data(replicates), Mixture.stack([maximum] * len(replicates)))
    kept = np.flatnonzero(np.isin(fit.status, ("converged", "budget_exhausted")))
    if len(kept) < FEWEST:
        return Refits(np.nan, np.nan)
    difference = np.array([_statistics(replicates[run], fit.mixture[run], step) for run in kept])
    exceeded = np.sum(difference >= _statistics(y, maximum, step), axis=0)
    return Refits(*((1 + exceeded) / (1 + len(kept))).tolist())


def _drawn(maximum: Mixture, y: Array, step: float, rng: np.random.Generator) -> Array:
    drawn = Mixture.stack([maximum] * REPLICATES).sample(y.size, rng)
    return y[0] + step * np.round((drawn - y[0]) / step) if step else drawn


def _statistics(y: Array, mixture: Mixture, step: float) -> Array:
    below, above = transforms(y, mixture.reshape(1), step)
    return np.array([kolmogorov_smirnov(below)[0], anderson_darling(below, above)[0]])
