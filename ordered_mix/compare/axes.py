"""Directions by name, and which of them separates components."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.draws.quantities import along
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import axis_of
from ordered_mix.multivariate.axis import DIRECTIONS

Array = NDArray[np.float64]

MOST_DRAWS = 1000


def check_axis(axis: Any, data: Data) -> None:
    """Refuse what names no direction of these data.

    Raises
    ------
    ValueError
    """
    if not (isinstance(axis, str) and axis in DIRECTIONS):
        axis_of(axis, data)


def axes_of(data: Data, labelled: Mixture, mixture: Mixture) -> pd.DataFrame:
    """How well every column, the principal and the discriminant direction tell components apart.

    Parameters
    ----------
    data : Data
    labelled : Mixture, batch shape (chain, draw)
        Draws with labels that agree, of at least two components.
    mixture : Mixture
        A fit, for the discriminant direction.

    Returns
    -------
    DataFrame
        One row for each direction, the best first: axis, separation (posterior mean of the
        smallest distance between neighbouring means along it, in pooled standard deviations of
        the two), and kept (share of the draws in which the components have the usual order along
        it).
    """
    flat = labelled.reshape(-1)
    kept = flat[np.linspace(0, len(flat.w) - 1, min(MOST_DRAWS, len(flat.w))).astype(int)]
    rows = []
    for name in (*data.columns, *DIRECTIONS):
        mu, sigma = along(kept, axis_of(name, data, mixture))
        usual = np.argsort(mu.mean(axis=0))
        gap = np.diff(mu[:, usual], axis=-1)
        square = sigma[:, usual] ** 2
        pooled = np.sqrt((square[:, 1:] + square[:, :-1]) / 2)
        rows.append(
            {
                "axis": name,
                "separation": float(np.mean(np.abs(gap / pooled).min(axis=-1))),
                "kept": float(np.mean(np.all(gap > 0, axis=-1))),
            }
        )
    table = pd.DataFrame(rows).sort_values("separation", ascending=False, kind="stable")
    return table.reset_index(drop=True)
