"""Variables computed from components that have no meaning in another order of the components."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.variables import SAMPLE_DIMS

if TYPE_CHECKING:
    from ordered_mix.draws.relabel.evidence import Known

CLOSE = 1e-4


def why_left(posterior: xr.Dataset, name: str, dims: Collection[str], known: Known) -> str | None:
    """Why a variable with a component dimension is left alone; None if it is not.

    What the user named is never taken for a sorted copy: means that the model itself sorts are
    those of its components.
    """
    if posterior[name].dtype.kind != "f":
        return None
    if _stick_breaking(posterior[name], dims, known.w):
        return "it holds stick-breaking fractions, which have no meaning in another order"
    if name in {one.name for one in known.named.values()}:
        return None
    source = _sorted_from(posterior, name, dims)
    return None if source is None else f"it holds the values of {source} in sorted order"


def _sorted_from(posterior: xr.Dataset, name: str, dims: Collection[str]) -> str | None:
    """The variable that this one is a sorted copy of; None if there is none."""
    values = posterior[name]
    for other in map(str, posterior.data_vars):
        one = posterior[other]
        if other == name or set(one.dims) != set(values.dims) or one.dtype.kind != "f":
            continue
        for dim in set(map(str, values.dims)) & set(dims):
            order = tuple(axis for axis in values.dims if axis != dim)
            mine, theirs = (each.transpose(*order, dim).to_numpy() for each in (values, one))
            if np.allclose(mine, theirs, rtol=CLOSE, atol=0):
                continue
            ascending = np.sort(theirs, axis=-1)
            if any(np.array_equal(mine, each) for each in (ascending, ascending[..., ::-1])):
                return other
    return None


def adds_up_to_one(values: xr.DataArray, dim: str) -> bool:
    """Whether a variable holds probabilities along a dimension, as a transition matrix does."""
    return bool(values.dtype.kind == "f" and abs(values.sum(dim) - 1).max() < CLOSE)


def _stick_breaking(values: xr.DataArray, dims: Collection[str], w: Array | None) -> bool:
    """Whether a variable holds the fractions that break a stick into the weights."""
    own = [dim for dim in values.dims if dim not in SAMPLE_DIMS]
    if w is None or w.shape[2] < 2 or len(own) != 1 or own[0] not in dims:
        return False
    v = values.transpose(*SAMPLE_DIMS, own[0]).to_numpy().astype(np.float64)
    if v.min() < 0 or v.max() > 1:
        return False
    left = np.cumprod(1 - v, axis=-1)
    sticks = v * np.concatenate([np.ones_like(left[..., :1]), left[..., :-1]], axis=-1)
    total = sticks.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        normalised = np.abs(sticks / total - w).max()
    plain = np.abs(sticks[..., :-1] - w[..., :-1]).max()
    same_as_weights = np.abs(v - w).max() < CLOSE
    return bool(min(plain, normalised) < CLOSE and not same_as_weights)
