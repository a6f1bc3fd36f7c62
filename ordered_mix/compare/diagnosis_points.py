"""Draws in several dimensions that someone else made, as a mixture with its data."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ordered_mix.data import Data
from ordered_mix.draws.relabel.evidence import Known
from ordered_mix.draws.relabel.likelihood import factors, means
from ordered_mix.mixture import Mixture


def points_of(posterior: xr.Dataset, known: Known) -> tuple[Data, Mixture] | None:
    """Data and draws as they came, batch shape (chain, draw), if all of both is known.

    None unless mu, cov or chol, weights and the data are, and the model is known to be a normal
    mixture: see `relabel`, likelihood.
    """
    factor = factors(known)
    if not known.normal or factor is None or known.w is None or known.y is None:
        return None
    covariance = factor @ np.swapaxes(factor, -1, -2)
    w = known.w / known.w.sum(axis=-1, keepdims=True)
    data = Data.of_points(known.y, columns=_columns(posterior[known.means], known.y.shape[1]))
    return data, Mixture(w, means(known), covariance=covariance)


def _columns(values: xr.DataArray, d: int) -> tuple[str, ...]:
    """Names of the coordinates, if a dimension of the means has them."""
    own = (values[dim].to_numpy() for dim in values.dims if dim in values.coords)
    named = (tuple(map(str, names)) for names in own if names.dtype.kind in "UTO")
    return next((names for names in named if len(set(names)) == d), ())
