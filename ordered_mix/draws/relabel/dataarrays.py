"""The DataArray floor: permutations found from DataArrays with named dimensions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ordered_mix.draws.relabel.assignment import Permutation
from ordered_mix.draws.relabel.ecr import check_allocations
from ordered_mix.draws.relabel.methods import Evidence, find
from ordered_mix.draws.relabel.named import finite_values
from ordered_mix.draws.relabel.responsibilities import given
from ordered_mix.draws.relabel.variables import SAMPLE_DIMS, as_dataarray


def relabel_dataarrays(
    method: str,
    component: str,
    parameters: Mapping[str, xr.DataArray] | None = None,
    responsibilities: xr.DataArray | None = None,
    allocations: xr.DataArray | None = None,
    seed: int = 0,
) -> xr.DataArray:
    """Find the permutations of any mixture's draws from DataArrays.

    Parameters
    ----------
    method : str
        An algorithm of `relabel.methods.METHODS`, or ``sort_NAME`` with the name of a parameter.
    component : str
        The component dimension.
    parameters : mapping of str to DataArray, dims (chain, draw, component)
        In any order of the dimensions; needed by separate, pra and sorting.
    responsibilities : DataArray, dims (chain, draw, ..., component), optional
        Further dimensions are those of the points.
    allocations : DataArray of whole numbers, dims (chain, draw, ...), optional
        Components from 0 on.
    seed : int
        Seed of allocations that are drawn from responsibilities.

    Returns
    -------
    DataArray of int, dims (chain, draw, component)
        Apply it with `permute_variable` and `permute_values`.

    Raises
    ------
    ValueError
        If there is no component dimension, or as in `relabel.methods.find`.
    """
    named = dict(parameters or {})
    arrays = [*named.values(), *([] if responsibilities is None else [responsibilities])]
    sized = [one for one in arrays if component in one.dims]
    if not sized or len(sized) < len(arrays):
        raise ValueError(
            f"component must be a dimension of every parameter and of responsibilities, got "
            f"{component!r} and {[one.dims for one in arrays]}"
        )
    k = sized[0].sizes[component]
    p = None if responsibilities is None else given(_points(responsibilities, component))
    z = None if allocations is None else check_allocations("allocations", _points(allocations), k)
    scalars = {name: finite_values(name, one.transpose(*SAMPLE_DIMS, component).to_numpy())
               for name, one in named.items()}  # fmt: skip
    evidence = Evidence(k, scalars, p, z, roles=scalars, seed=seed)
    found: Permutation = find(method, evidence).permutation
    return as_dataarray(found, sized[0].to_dataset(name="like"), component)


def _points(values: xr.DataArray, *last: str) -> np.ndarray:
    """Values with the axes (chain, draw, point), and the dimensions that come last."""
    array = values.transpose(*SAMPLE_DIMS, ..., *last).to_numpy()
    return array.reshape(*array.shape[:2], -1, *array.shape[array.ndim - len(last) :])
