"""Draws as they are written: labelled ones as ``posterior``, raw ones in a group of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ordered_mix.draws.relabel.assignment import Permutation
from ordered_mix.draws.relabel.permute import permute

RAW = "raw_posterior"
PARAMETERS = ("w", "mu", "sigma", "covariance")
"""Those of one dimension, and of several."""
COMPONENT = "component"


def published(tree: xr.DataTree, permutation: Permutation, method: str) -> xr.DataTree:
    """A copy whose posterior holds labelled weights, means and scales or covariances.

    Parameters
    ----------
    tree : DataTree
        Raw draws; the posterior's w, mu and sigma have the dimensions chain, draw, component.
    permutation : ndarray of int, shape (chain, draw, component)
    method : str
        How the labels were found.

    Returns
    -------
    DataTree
        ``posterior`` labelled, components numbered from 1; ``raw_posterior`` as sampled, with the
        coordinates of the sampler and the permutation. Attributes of both say which they are.
    """
    raw = tree["posterior"].to_dataset()
    variables = {}
    for name in (name for name in PARAMETERS if name in raw):
        values = raw[name].to_numpy()
        values = values[..., None] if values.ndim == 2 else values
        further = raw[name].dims[3:]
        variables[name] = (("chain", "draw", COMPONENT, *further), permute(values, permutation))
    coords = {
        "chain": np.arange(permutation.shape[0]),
        "draw": np.arange(permutation.shape[1]),
        COMPONENT: np.arange(1, permutation.shape[2] + 1),
    }
    names = {name: raw[name] for name in raw.coords if name not in coords}
    labelled = xr.Dataset(variables, coords=coords | names)
    labelled.attrs = {
        "labels": f"relabelled ({method}), components numbered from 1 in the order of their means",
        "raw_draws": RAW,
    }
    kept = raw.assign(permutation=(("chain", "draw", "label"), permutation))
    kept.attrs = {"labels": "as sampled, they may switch", "labelled_draws": "posterior"}
    groups: dict[str, Any] = {
        name: group for name, group in tree.children.items() if name != "posterior"
    }
    made: dict[str, Any] = {"posterior": labelled, RAW: kept}
    copy = xr.DataTree.from_dict(made | groups)
    copy.attrs = dict(tree.attrs)
    return copy


def raw_draws(tree: xr.DataTree) -> xr.DataTree:
    """The tree that was published, with the raw draws as its posterior."""
    if RAW not in tree.children:
        return tree
    raw = tree[RAW].to_dataset().drop_vars("permutation")
    raw.attrs = {}
    groups = {
        name: group for name, group in tree.children.items() if name not in (RAW, "posterior")
    }
    made: dict[str, Any] = {"posterior": raw}
    copy = xr.DataTree.from_dict(made | groups)
    copy.attrs = dict(tree.attrs)
    return copy
