"""Draws in any of the forms they come in, as one DataTree with the dimensions chain and draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

SAMPLE_DIMS = ("chain", "draw")


def as_tree(
    draws: Any, group: str = "posterior", sample_dims: tuple[str, ...] = SAMPLE_DIMS
) -> xr.DataTree:
    """Draws as a DataTree whose group has the dimensions chain and draw.

    Parameters
    ----------
    draws : DataTree, Dataset, or InferenceData
        A Dataset is taken as the group. Samples stacked along one dimension are unstacked if it
        has a MultiIndex of chains and draws, and are one chain otherwise.
    group : str
    sample_dims : tuple of str
        The names of the dimensions of chains and draws, or of the one of stacked samples.

    Raises
    ------
    ValueError
        If there is no such group, or it has none of these dimensions.
    """
    tree = _tree(draws, group)
    if group not in tree.children:
        raise ValueError(
            f"draws must hold a {group} group, got the groups {', '.join(sorted(tree.children))}"
        )
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    for name, data in groups.items():
        if not name.endswith("_data"):  # what is observed may have dimensions of any name
            groups[name] = _in_chains(data, sample_dims)
    held = groups[group]
    if 0 in (held.sizes.get(dim) for dim in SAMPLE_DIMS):
        raise ValueError(f"draws must hold a draw of a chain in the {group}, got none")
    if not set(SAMPLE_DIMS) <= set(held.dims):
        raise ValueError(
            f"draws must have the dimensions {' and '.join(sample_dims)} in the {group}, "
            f"got {', '.join(map(str, held.dims)) or 'none'}"
        )
    made = xr.DataTree.from_dict(groups)
    made.attrs = dict(tree.attrs)
    return made


def _tree(draws: Any, group: str) -> xr.DataTree:
    if isinstance(draws, xr.DataTree):
        return draws
    if isinstance(draws, xr.Dataset):
        return xr.DataTree.from_dict({group: draws})
    if hasattr(draws, "groups") and callable(draws.groups):  # arviz before 1.0
        return xr.DataTree.from_dict({name: draws[name] for name in draws.groups()})
    raise ValueError(
        "draws must be a DataTree, a Dataset or an InferenceData object, "
        f"got {type(draws).__name__}"
    )


def _in_chains(data: xr.Dataset, sample_dims: tuple[str, ...]) -> xr.Dataset:
    if sample_dims != SAMPLE_DIMS and set(sample_dims) <= set(data.dims):
        if len(sample_dims) == 2:
            return data.rename(dict(zip(sample_dims, SAMPLE_DIMS, strict=True)))
        return _unstacked(data, sample_dims[0])
    dims = set(map(str, data.dims))
    if set(SAMPLE_DIMS) <= dims:
        return data
    if "sample" in dims:
        return _unstacked(data, "sample")
    return data.expand_dims("chain") if "draw" in dims else data


def _unstacked(data: xr.Dataset, dim: str) -> xr.Dataset:
    index = data.indexes.get(dim)
    if isinstance(index, pd.MultiIndex) and set(index.names) == set(SAMPLE_DIMS):
        return data.unstack(dim).transpose(*SAMPLE_DIMS, ...)
    own = {name for name, values in data.coords.items() if values.dims == (dim,)}
    if set(SAMPLE_DIMS) <= own:  # its MultiIndex was reset, as files need it
        return _unstacked(
            data.drop_indexes(dim, errors="ignore").set_index({dim: SAMPLE_DIMS}), dim
        )
    plain = data.drop_vars(own - {dim}).rename({dim: "draw"})
    return plain.assign_coords(draw=np.arange(plain.sizes["draw"])).expand_dims("chain")
