"""Exact leave-one-out cross-validation of a posterior: sampled anew without each point."""

from __future__ import annotations

from typing import NamedTuple

import arviz_stats
import numpy as np

from ordered_mix.data import Data
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.samplers.nuts import NUTS


class CrossValidation(NamedTuple):
    """Log predictive density of each point without it, and its Monte Carlo standard error.

    Both have shape (point,); they have the scale of ``elpd_i`` in `draws.elpd`.
    """

    elpd_i: Array
    mcse_i: Array

    @property
    def elpd(self) -> float:
        """Sum over the points."""
        return float(self.elpd_i.sum())

    @property
    def mcse(self) -> float:
        """Monte Carlo standard error of the sum: the runs are independent."""
        return float(np.sqrt(np.sum(self.mcse_i**2)))


def cross_validate(
    sampler: NUTS, parameterization: Parameterization, data: Data, starts: Mixture, seed: int
) -> CrossValidation:
    """Sample once for each point that is left out, under the prior for all of them.

    Parameters
    ----------
    sampler : NUTS
    parameterization : Parameterization
        With its prior in the units of the data.
    data : Data
        One unweighted sample.
    starts : Mixture, batch shape (chain,)
        One start for each chain, the same in every run.
    seed : int
        Of the first run; run i has it plus i.

    Raises
    ------
    ValueError
        If the data are weighted, or as `NUTS.sample` does.
    """
    if data.weight is not None or data.y.ndim != 1:
        raise ValueError(f"data must be one unweighted sample to leave points out, got {data!r}")
    scores = []
    for i, left_out in enumerate(data.y):
        rest = Data(np.delete(data.y, i), name=data.name)
        draws = sampler.sample(parameterization, rest, starts, seed + i)
        density = draws.mixture.density(left_out[None])[..., 0]
        mean = float(density.mean())
        mcse = float(arviz_stats.mcse(density, method="mean", chain_axis=0, draw_axis=1))
        scores.append((np.log(mean), mcse / mean))
    return CrossValidation(*np.array(scores, dtype=np.float64).T)
