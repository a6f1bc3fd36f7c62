"""Tables of a fitted mixture: estimates of each component, and membership of each point."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ordered_mix.mixture import Array, Mixture

PARAMETERS = ("w", "mu", "sigma")
MOST_DRAWS = 400
POINTS_A_BLOCK = 5_000


def estimates(
    k: int, labelled: Mixture | None, points: Mapping[str, Mixture | None], hdi_prob: float
) -> pd.DataFrame:
    """One row for each component and quantity.

    Parameters
    ----------
    k : int
        Number of components.
    labelled : Mixture, batch shape (chain, draw), or None
        Labelled draws.
    points : mapping of str to Mixture or None
        Point estimates by the name of their column, matched to the labels of the draws.
    hdi_prob : float
        Mass of the highest-density intervals.

    Returns
    -------
    DataFrame
        Columns component (from 1), quantity, then with draws mean, sd, hdi_low, hdi_high,
        hdi_prob, ess_bulk and rhat, then the point estimates.
    """
    matched = {
        name: one if labelled is None else matched_to(labelled, one)
        for name, one in points.items()
        if one is not None
    }
    rows = []
    for component in range(k):
        for quantity in PARAMETERS:
            row: dict[str, object] = {"component": component + 1, "quantity": quantity}
            if labelled is not None:
                row |= posterior_summary(getattr(labelled, quantity)[..., component], hdi_prob)
            for name, one in matched.items():
                row[name] = float(getattr(one, quantity)[component])
            rows.append(row)
    return pd.DataFrame(rows)


def matched_to(labelled: Mixture, one: Mixture) -> Mixture:
    """A mixture with its components in the order of those of the draws that they are nearest to."""
    # scipy.optimize takes half a second to import, which EM alone does not need
    from scipy.optimize import linear_sum_assignment

    cost = np.zeros((labelled.k, one.k))
    for name in PARAMETERS:
        drawn = getattr(labelled, name).reshape(-1, labelled.k)
        spread = np.maximum(drawn.std(axis=0), 1e-12 * np.abs(drawn).max())
        difference = (getattr(one, name)[None, :] - drawn.mean(axis=0)[:, None]) / spread[:, None]
        cost += np.minimum(difference**2, 1e6)
    return one.permute(linear_sum_assignment(cost)[1])


def membership(mixture: Mixture, y: Array) -> Array:
    """Probability of each component at each point, a mean over draws; shape (point, component)."""
    flat = mixture.reshape(-1)
    count = flat.batch_shape[0]
    if count > MOST_DRAWS:
        flat = flat[np.linspace(0, count - 1, MOST_DRAWS).astype(int)]
    blocks = np.array_split(y, max(1, -(-y.size // POINTS_A_BLOCK)))
    return np.concatenate([flat.responsibilities(block).mean(axis=0) for block in blocks])


def points_table(y: Array, probabilities: Array) -> pd.DataFrame:
    """One row for each point: y, component (from 1), probability_1, ..."""
    columns: dict[str, NDArray] = {"y": y, "component": probabilities.argmax(axis=1) + 1}
    for index in range(probabilities.shape[1]):
        columns[f"probability_{index + 1}"] = probabilities[:, index]
    return pd.DataFrame(columns)


def posterior_summary(values: Array, hdi_prob: float) -> dict[str, float]:
    """Mean, sd, interval, effective size and R-hat of draws (chain, draw)."""
    # ArviZ takes a second to import, which EM alone does not need
    import arviz_stats
    from arviz_stats.base import array_stats

    from ordered_mix.draws.rhat import rhat

    low, high = array_stats.hdi(values.ravel(), hdi_prob)
    found = {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if np.ptp(values) else 0.0,
        "hdi_low": float(low),
        "hdi_high": float(high),
        "hdi_prob": hdi_prob,
    }
    if np.ptp(values) == 0:
        return found | {"ess_bulk": np.nan, "rhat": np.nan}
    axes = {"chain_axis": 0, "draw_axis": 1}
    return found | {
        "ess_bulk": float(arviz_stats.ess(values, method="bulk", **axes)),
        "rhat": rhat(values),
    }
