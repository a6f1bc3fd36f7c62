"""Goodness of fit by parametric bootstrap in several dimensions, as `fitted.refits` in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.arrays import rounding
from ordered_mix.data import Data
from ordered_mix.draws.checks import anderson_darling, kolmogorov_smirnov
from ordered_mix.draws.checks_points import DISTANCE, transforms_along, transforms_of_distance
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.fitted.refits import (
    FEWEST,
    MOST_EVALUATIONS,
    MOST_PASSES,
    MOST_POINTS,
    REPLICATES,
    Refits,
)
from ordered_mix.mixture import Mixture

Array = NDArray[np.float64]


def refits_of_points(
    data: Data,
    maximum: Mixture,
    parameterization: Any,
    directions: Mapping[str, Array],
    seed: int = 0,
) -> dict[str, Refits]:
    """Bootstrap p-values of the maximum for each direction, and for ``distance``.

    Replicates are rounded as the columns are. See `fitted.refits.refits`; no result where there
    are more than 20,000 points or too few replicates have a maximum.

    Parameters
    ----------
    data : Data
        One sample.
    maximum : Mixture
        The maximum likelihood fit.
    parameterization : MultivariateParameterization
        Its prior says the kind of covariances.
    directions : mapping of str to array, shape (d,)
    seed : int
    """
    if data.n > MOST_POINTS:
        return {}
    size = REPLICATES * data.n * data.d**2 * maximum.k
    stop = Stop(log_likelihood=1e-6, passes=int(np.clip(MOST_EVALUATIONS // size, 3, MOST_PASSES)))
    replicates = _drawn(maximum, data.y, np.random.default_rng(seed))
    fit: Any = EM(stop=stop, snapshots=2).fit(parameterization, Data.of_points(replicates), maximum)
    kept = np.flatnonzero(np.isin(fit.status, ("converged", "budget_exhausted")))
    if len(kept) < FEWEST:
        return {}
    own = _statistics(data.y, maximum, directions)
    others = np.array([_statistics(replicates[at], fit.mixture[at], directions) for at in kept])
    p = (1 + np.sum(others >= own, axis=0)) / (1 + len(kept))
    return {name: Refits(*row) for name, row in zip((*directions, DISTANCE), p.tolist(),
                                                     strict=True)}  # fmt: skip


def _drawn(maximum: Mixture, y: Array, rng: np.random.Generator) -> Array:
    drawn = np.stack([maximum.sample(len(y), rng) for _ in range(REPLICATES)])
    for at, column in enumerate(y.T):
        if step := rounding(np.sort(column)):
            first = column.min()
            drawn[..., at] = first + step * np.round((drawn[..., at] - first) / step)
    return drawn


def _statistics(y: Array, mixture: Mixture, directions: Mapping[str, Array]) -> Array:
    """Kolmogorov-Smirnov and Anderson-Darling statistics, shape (directions + 1, 2)."""
    one = mixture.reshape(1)
    found = [transforms_along(y, one, direction)[1:] for direction in directions.values()]
    found.append(transforms_of_distance(y, one)[1:])
    return np.array([[kolmogorov_smirnov(below)[0], anderson_darling(below, above)[0]]
                     for below, above in found])  # fmt: skip
