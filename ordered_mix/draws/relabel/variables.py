"""The DataArray floor: permutations as DataArrays, applied to variables by their dimensions."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ordered_mix.draws.relabel.assignment import Permutation, check_permutation
from ordered_mix.draws.relabel.permute import permute, permute_allocations

SAMPLE_DIMS = ("chain", "draw")
COMPONENT = "component"


def as_dataarray(permutation: ArrayLike, like: xr.Dataset, dim: str | None = None) -> xr.DataArray:
    """A permutation with the coordinates of chains, draws and components of a dataset.

    Parameters
    ----------
    permutation : array_like of int, shape (chain, draw, component)
    like : Dataset
        Draws with the dimensions chain and draw.
    dim : str, optional
        Its component dimension, whose coordinates the components get.

    Returns
    -------
    DataArray, dims (chain, draw, component)
        ``relabelled[c, d, j] = draws[c, d, permutation[c, d, j]]``.
    """
    array = check_permutation(permutation)
    coords = {name: like.coords[name].to_numpy() for name in SAMPLE_DIMS if name in like.coords}
    if dim is not None and dim in like.coords:
        coords[COMPONENT] = like.coords[dim].to_numpy()
    return xr.DataArray(array, dims=(*SAMPLE_DIMS, COMPONENT), coords=coords, name="permutation")


def permute_variable(
    values: xr.DataArray, permutation: xr.DataArray | Permutation, dims: Collection[str]
) -> xr.DataArray:
    """Relabelled copy of a variable, permuted along every component dimension it has.

    Parameters
    ----------
    values : DataArray
        With the dimensions chain and draw, and others, in any order.
    permutation : DataArray or ndarray of int, (chain, draw, component)
    dims : collection of str
        Component dimensions; both of a transition matrix.

    Raises
    ------
    ValueError
        If the permutation does not fit a dimension.
    """
    order = _array(permutation)
    front = values.transpose(*SAMPLE_DIMS, ...)
    array: NDArray = front.to_numpy()
    for axis, dim in enumerate(front.dims):
        if dim in dims:
            array = permute(array, order, axis)
    return front.copy(data=array).transpose(*values.dims)


def permute_values(
    values: xr.DataArray, permutation: xr.DataArray | Permutation, first: int = 0
) -> xr.DataArray:
    """Relabelled copy of allocations: a variable whose values are components.

    Parameters
    ----------
    values : DataArray of whole numbers
        With the dimensions chain and draw.
    permutation : DataArray or ndarray of int, (chain, draw, component)
    first : int
        The number of the first component, 0 or 1.
    """
    front = values.transpose(*SAMPLE_DIMS, ...)
    array = front.to_numpy()
    flat = array.reshape(*array.shape[:2], -1).astype(np.int64) - first
    moved = permute_allocations(flat, _array(permutation)).reshape(array.shape) + first
    return front.copy(data=moved.astype(array.dtype)).transpose(*values.dims)


def permute_separate(
    values: list[xr.DataArray], permutation: xr.DataArray | Permutation
) -> list[xr.DataArray]:
    """Relabelled copies of variables that are one for each component, such as mu_0 and mu_1.

    One variable fewer than components are weights, of which the last is what is missing to 1.
    """
    order = _array(permutation)
    fronts = [one.transpose(*SAMPLE_DIMS, ...) for one in values]
    arrays = np.stack([one.to_numpy() for one in fronts], axis=2)
    if arrays.shape[2] == order.shape[2] - 1:
        rest = 1 - arrays.sum(axis=2, keepdims=True)
        moved = permute(np.concatenate([arrays, rest], axis=2), order)
        same = np.all(order == np.arange(order.shape[2]), axis=-1)
        moved[:, :, :-1] = np.where(_fit(same, arrays.ndim), arrays, moved[:, :, :-1])
    else:
        moved = permute(arrays, order)
    pairs = zip(fronts, values, strict=True)
    return [
        front.copy(data=np.ascontiguousarray(moved[:, :, j])).transpose(*one.dims)
        for j, (front, one) in enumerate(pairs)
    ]


def _fit(flags: NDArray[np.bool_], ndim: int) -> NDArray[np.bool_]:
    return flags.reshape(*flags.shape, *[1] * (ndim - 2))


def _array(permutation: xr.DataArray | Permutation) -> Permutation:
    if isinstance(permutation, xr.DataArray):
        permutation = permutation.transpose(*SAMPLE_DIMS, ...).to_numpy()
    return check_permutation(permutation)
