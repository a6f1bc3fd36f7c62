"""Convergence of chains, raw and sorted side by side, and the effective draws a pass buys.

R-hat, ESS and MCSE are ArviZ's. Quantities that never vary (known weights or
scales) are left out of every table, because convergence means nothing for them.
"""

from __future__ import annotations

from collections.abc import Mapping

import arviz_stats
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, finite, mixture_draws, varying_quantities
from ordered_mix.draws.relabel.permute import sort_components
from ordered_mix.draws.rhat import rhat
from ordered_mix.passes.kernels import e_step, log_density

TAILS = (0.05, 0.95)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def convergence(
    draws: Mapping[str, ArrayLike], passes: float | None = None, seconds: float | None = None
) -> pd.DataFrame:
    """R-hat, ESS and MCSE of every quantity.

    Parameters
    ----------
    draws : mapping of str to array_like, shape (chain, draw) or (chain, draw, component)
        At least two chains of at least four draws.
    passes, seconds : float, optional
        Passes over the data and wall-clock seconds spent after warm-up, by all chains together.

    Returns
    -------
    DataFrame
        One row per quantity and component (-1 for a quantity without components) with the
        columns quantity, component, rhat (rank-normalised split), ess_bulk, ess_tail (of the 5
        and 95% quantiles), mcse_mean, mcse_sd and, if given what was spent, ess_per_pass and
        ess_per_second (of the bulk ESS).

    Raises
    ------
    ValueError
        If a quantity is malformed or not finite, there is one chain only or fewer than four
        draws, passes or seconds are not positive, or no quantity varies.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), Bayesian Analysis 16, 667-718.
    """
    for name, spent in (("passes", passes), ("seconds", seconds)):
        if spent is not None and not (np.isfinite(spent) and spent > 0):
            raise ValueError(f"{name} must be a positive number, got {spent}")
    rows = [
        {"quantity": name, "component": component, **_measures(values)}
        for name, component, values in varying_quantities(draws)
    ]
    table = pd.DataFrame(rows)
    if passes is not None:
        table["ess_per_pass"] = table["ess_bulk"] / passes
    if seconds is not None:
        table["ess_per_second"] = table["ess_bulk"] / seconds
    return table


def raw_and_sorted(
    w: ArrayLike,
    mu: ArrayLike,
    sigma: ArrayLike,
    passes: float | None = None,
    seconds: float | None = None,
) -> pd.DataFrame:
    """`convergence` of w, mu and sigma before and after sorting by the means.

    Returns
    -------
    DataFrame
        The columns of `convergence`, preceded by ``labels``, which is "raw" or "sorted".
    """
    w, mu, sigma = mixture_draws(w, mu, sigma, min_chains=2)
    ascending = sort_components(w, mu, sigma)
    names = ("w", "mu", "sigma")
    both = {
        "raw": dict(zip(names, (w, mu, sigma), strict=True)),
        "sorted": dict(zip(names, ascending[:3], strict=True)),
    }
    return side_by_side(both, passes, seconds)


def side_by_side(
    both: Mapping[str, Mapping[str, ArrayLike]],
    passes: float | None = None,
    seconds: float | None = None,
) -> pd.DataFrame:
    """`convergence` of the same quantities with their labels as sampled and as repaired.

    Parameters
    ----------
    both : mapping of str to mapping of str to array
        Quantities, each (chain, draw, component), by what was done to the labels.
    passes, seconds : float, optional
        As in `convergence`.

    Returns
    -------
    DataFrame
        The columns of `convergence`, preceded by ``labels``, the keys of both.
    """
    tables = []
    for labels, values in both.items():
        table = convergence(values, passes, seconds)
        table.insert(0, "labels", labels)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def invariant_scalars(
    y: ArrayLike,
    w: ArrayLike,
    mu: ArrayLike,
    sigma: ArrayLike,
    points: ArrayLike | None = None,
) -> dict[str, Array]:
    """Quantities of every draw that do not depend on labels.

    Parameters
    ----------
    y : array_like, shape (n,)
        The data.
    w, mu, sigma : array_like, shape (chain, draw, component)
        Raw or sorted draws.
    points : array_like, shape (m,), optional
        Where to evaluate the predictive density; by default the 5, 25, 50, 75 and 95% quantiles
        of the data.

    Returns
    -------
    dict of str to ndarray, shape (chain, draw)
        ``log_likelihood`` and one ``density at POINT`` for each point.
    """
    y = finite("y", y)
    if y.ndim != 1 or y.size == 0:
        raise ValueError(f"y must be a non-empty vector, got an array of shape {y.shape}")
    w, mu, sigma = mixture_draws(w, mu, sigma)
    at = np.quantile(y, QUANTILES) if points is None else np.atleast_1d(finite("points", points))
    density = np.exp(log_density(at, w, mu, sigma))
    scalars = {"log_likelihood": e_step(y, w, mu, sigma).log_likelihood}
    return scalars | {f"density at {x:.6g}": density[..., i] for i, x in enumerate(at)}


def _measures(values: Array) -> dict[str, float]:
    axes = {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(invalid="ignore"):  # chains that never move have no error to estimate
        mcse_sd = float(arviz_stats.mcse(values, method="sd", **axes))
    return {
        "rhat": rhat(values),
        "ess_bulk": float(arviz_stats.ess(values, method="bulk", **axes)),
        "ess_tail": float(arviz_stats.ess(values, method="tail", prob=TAILS, **axes)),
        "mcse_mean": float(arviz_stats.mcse(values, method="mean", **axes)),
        "mcse_sd": mcse_sd,
    }
