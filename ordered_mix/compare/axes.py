"""Directions by name, and which of them separates components."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ordered_mix.draws.quantities import along
from ordered_mix.multivariate import MultivariateData, MultivariateMixture
from ordered_mix.multivariate.axis import unit_axis

Array = NDArray[np.float64]

PRINCIPAL, DISCRIMINANT = "principal", "discriminant"
MOST_DRAWS = 1000


def direction_of(axis: Any, data: MultivariateData, mixture: MultivariateMixture) -> Array:
    """A unit vector, shape (d,).

    Parameters
    ----------
    axis : str, int or array_like
        The name of a column; ``principal``, along which the standardised points vary most;
        ``discriminant``, along which the components of the mixture are farthest apart for their
        width (Fisher 1936, Annals of Eugenics 7, 179-188); or what `axis.unit_axis` takes.
    data : MultivariateData
    mixture : MultivariateMixture
        A fit.

    Raises
    ------
    ValueError
        If it names no direction.
    """
    if isinstance(axis, str) and axis in data.columns:
        return np.eye(data.d)[data.columns.index(axis)]
    if isinstance(axis, str) and axis == PRINCIPAL:
        return unit_axis(np.linalg.eigh(data.correlation)[1][:, -1] / data.scale, data.d)
    if isinstance(axis, str) and axis == DISCRIMINANT:
        within = np.einsum("k,kij->ij", mixture.w, mixture.covariance)
        inverse = np.linalg.inv(np.linalg.cholesky(within))
        between = inverse @ (mixture.total_covariance() - within) @ inverse.T
        return unit_axis(np.linalg.eigh(between)[1][:, -1] @ inverse, data.d)
    check_axis(axis, data)
    return unit_axis(axis, data.d)


def check_axis(axis: Any, data: MultivariateData) -> None:
    """Refuse what names no direction of these data.

    Raises
    ------
    ValueError
    """
    names = (*data.columns, PRINCIPAL, DISCRIMINANT)
    if not isinstance(axis, str):
        unit_axis(axis, data.d)
    elif axis not in names:
        raise ValueError(
            f"axis must be one of {', '.join(names)} or a coordinate from 0 to {data.d - 1}, "
            f"got {axis!r}"
        )


def axes_of(
    data: MultivariateData, labelled: MultivariateMixture, mixture: MultivariateMixture
) -> pd.DataFrame:
    """How well every column, the principal and the discriminant direction tell components apart.

    Parameters
    ----------
    data : MultivariateData
    labelled : MultivariateMixture, batch shape (chain, draw)
        Draws with labels that agree, of at least two components.
    mixture : MultivariateMixture
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
    for name in (*data.columns, PRINCIPAL, DISCRIMINANT):
        mu, sigma = along(kept, direction_of(name, data, mixture))
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
