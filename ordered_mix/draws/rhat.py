"""R-hat through ArviZ: of one quantity, of many short chains, and along a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import arviz_stats
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ordered_mix.arrays import MIN_DRAWS, Array, enough_draws, scalar_draws, varying_quantities

RHAT_THRESHOLD = 1.01


class Reached(NamedTuple):
    """Where R-hat falls below a threshold for good: draws per chain, and passes of all chains."""

    draws: int
    passes: float | None


def rhat(values: Array) -> float:
    """Rank-normalised split R-hat of one quantity, (chain, draw); infinite for frozen chains."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(arviz_stats.rhat(values, chain_axis=0, draw_axis=1))


def nested_rhat(draws: ArrayLike, superchains: Sequence[int]) -> float:
    """Nested R-hat of one quantity, for many short chains started in groups.

    Parameters
    ----------
    draws : array_like, shape (chain, draw)
        At least four draws per chain.
    superchains : sequence of int, one per chain
        The group of each chain (chains of a group share a start); groups of equal size.

    Raises
    ------
    ValueError
        If the draws are malformed, or the groups do not cover the chains in equal numbers.

    References
    ----------
    Margossian et al. (2024), Bayesian Analysis, doi:10.1214/24-BA1453.
    """
    values = enough_draws("draws", scalar_draws("draws", draws, min_chains=2))
    names, group, sizes = np.unique(superchains, return_inverse=True, return_counts=True)
    if group.shape != values.shape[:1] or names.size < 2 or np.ptp(sizes) > 0:
        raise ValueError(
            f"superchains must name a group for each of the {values.shape[0]} chains, in at least "
            f"2 groups of equal size, got {list(superchains)}"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(
            arviz_stats.rhat_nested(values, superchain_ids=group, chain_axis=0, draw_axis=1)
        )


def rhat_path(
    draws: Mapping[str, ArrayLike],
    steps: ArrayLike | None = None,
    warmup_passes: float = 0.0,
    points: int = 20,
) -> pd.DataFrame:
    """R-hat of the first draws of every chain, for a growing number of draws.

    Parameters
    ----------
    draws : mapping of str to array_like, shape (chain, draw) or (chain, draw, component)
        As in `convergence`.
    steps : array_like, shape (chain, draw), optional
        Passes over the data spent on each draw (leapfrog steps).
    warmup_passes : float
        Passes spent before the first draw, by all chains together.
    points : int
        Number of lengths, geometrically spaced from four draws to all.

    Returns
    -------
    DataFrame
        Columns draws (per chain), passes (of all chains with their warm-up; only if `steps` is
        given), quantity, component, rhat.
    """
    varying = varying_quantities(draws)
    n = min(values.shape[1] for _, _, values in varying)
    if points < 1:
        raise ValueError(f"points must be at least 1, got {points}")
    lengths = np.unique(np.geomspace(MIN_DRAWS, n, points).round().astype(int))
    spent = None if steps is None else _cumulative(steps, varying[0][2].shape, warmup_passes)
    rows = [
        {
            "draws": int(length),
            **({} if spent is None else {"passes": float(spent[length - 1])}),
            "quantity": name,
            "component": component,
            "rhat": rhat(values[:, :length]),
        }
        for length in lengths
        for name, component, values in varying
        if np.ptp(values[:, :length]) > 0
    ]
    return pd.DataFrame(rows)


def reached(path: pd.DataFrame, threshold: float = RHAT_THRESHOLD) -> Reached | None:
    """First length in a `rhat_path` from which the largest R-hat stays at or below threshold.

    Returns None if the last length is still above it.
    """
    worst = path.groupby("draws")["rhat"].max().sort_index()
    below = worst.to_numpy()[::-1] <= threshold
    count = below.size if below.all() else int(below.argmin())
    if count == 0:
        return None
    draws = int(worst.index[-count])
    passes = path.loc[path["draws"] == draws, "passes"].iloc[0] if "passes" in path else None
    return Reached(draws, None if passes is None else float(passes))


def _cumulative(steps: ArrayLike, shape: tuple[int, ...], warmup_passes: float) -> Array:
    spent = scalar_draws("steps", steps)
    if spent.shape != shape or np.any(spent < 0):
        raise ValueError(
            f"steps must hold non-negative numbers of shape {shape} like the draws, "
            f"got shape {spent.shape} and a minimum of {spent.min():.6g}"
        )
    return warmup_passes + np.cumsum(spent.sum(axis=0))
