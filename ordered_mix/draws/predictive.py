"""WAIC and LOO of draws at a bounded cost: thinned draws, subsampled points, once for a model."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordered_mix.draws.elpd import (
    ELPDDataPSIS,
    ELPDDataWAIC,
    loo,
    waic,
)
from ordered_mix.draws.pointwise import pointwise_of
from ordered_mix.mixture import Array, Mixture

MOST_EVALUATIONS = 100_000_000
FEWEST_DRAWS = 1000
MOST_LOO_POINTS = 2000


class Predictive(NamedTuple):
    """WAIC and LOO of one model, on the same draws."""

    waic: ELPDDataWAIC
    loo: ELPDDataPSIS


def predictive(y: Array, draws: Mixture, seed: int = 0) -> Predictive:
    """WAIC of all points, and LOO of all or of a random part with its error.

    Draws are thinned, to no fewer than a thousand, where draws times points exceed 10^8. Above
    2,000 points LOO is computed for a random 2,000 of them; the others have WAIC's value plus the
    mean difference of the two, which makes the sum the difference estimator of Magnusson,
    Andersen, Jonasson & Vehtari (2020, AISTATS). Its standard error is in ``mcse``, and the same
    seed takes the same points for every model.

    Parameters
    ----------
    y : array, shape (n,) or (n, d)
        The data.
    draws : Mixture, batch shape (chain, draw)
    seed : int
        Of the subsample.
    """
    n = len(y)
    kept = thinned(draws, n)
    of_waic = waic(pointwise_of(y, kept))
    if n <= MOST_LOO_POINTS:
        return Predictive(of_waic, loo(pointwise_of(y, kept)))
    chosen = np.sort(np.random.default_rng(seed).choice(n, MOST_LOO_POINTS, replace=False))
    part = loo(pointwise_of(y[chosen], kept))
    return Predictive(of_waic, _whole(of_waic, part, chosen))


def thinned(draws: Mixture, n: int) -> Mixture:
    """Every so many draws of each chain, so that draws times points stay bounded."""
    chains, length = draws.batch_shape
    wanted = max(FEWEST_DRAWS, MOST_EVALUATIONS // max(n, 1))
    step = max(1, chains * length // wanted)
    return draws[:, ::step]


def _whole(of_waic: ELPDDataWAIC, part: ELPDDataPSIS, chosen: NDArray[np.int64]) -> ELPDDataPSIS:
    n, m = of_waic.n_data_points, chosen.size
    surplus = np.asarray(part.elpd_i) - np.asarray(of_waic.elpd_i)[chosen]
    elpd_i = of_waic.elpd_i + surplus.mean()
    elpd_i[chosen] = part.elpd_i.to_numpy()
    error = n * np.sqrt((1 - m / n) / m) * surplus.std(ddof=1)
    pareto_k = of_waic.elpd_i * np.nan
    pareto_k[chosen] = part.pareto_k.to_numpy()
    p_loo_i = of_waic.p_waic_i + float(np.mean(part.p_loo_i) - np.mean(of_waic.p_waic_i[chosen]))
    p_loo_i[chosen] = part.p_loo_i.to_numpy()
    return replace(
        part,
        elpd=float(elpd_i.sum()),
        se=float(np.sqrt(n * np.var(elpd_i, ddof=1))),
        p=float(p_loo_i.sum()),
        n_data_points=n,
        elpd_i=elpd_i,
        pareto_k=pareto_k,
        p_loo_i=p_loo_i,
        mcse=float(np.hypot(part.mcse * n / m, error)),
        subsample_size=m,
    )
