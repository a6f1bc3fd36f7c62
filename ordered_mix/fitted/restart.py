"""Chains that sit where there is no mass are sampled again from the best optimum."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ordered_mix.draws.draws import Draws
from ordered_mix.draws.predictive import thinned
from ordered_mix.fitted.agreement import log_likelihoods, stuck
from ordered_mix.mixture import Array, Mixture


class Restarted(NamedTuple):
    """Draws, and how many of their chains are second attempts."""

    draws: Draws
    restarted: int


def restart_stuck_chains(
    draws: Draws, y: Array, best: Mixture, sample: Callable[[Mixture], Draws]
) -> Restarted:
    """Replace chains that are far below the others by chains from the best optimum.

    Over-dispersed starts show whether chains find each other, and lose some of them where modes
    are far apart; the answer comes from chains that are where the mass is.

    Parameters
    ----------
    draws : Draws
    y : array, shape (n,)
        The data.
    best : Mixture
        A single mixture, the best optimum known.
    sample : callable
        Draws from these starts, one chain each.
    """
    bad = stuck(log_likelihoods(y, thinned(draws.mixture, y.size)))
    if not bad.any():
        return Restarted(draws, 0)
    count = int(bad.sum())
    again = sample(Mixture.stack([best] * count))
    return Restarted(Draws(_replaced(draws.tree, bad, again.tree)), count)


def _replaced(tree: xr.DataTree, which: NDArray[np.bool_], other: xr.DataTree) -> xr.DataTree:
    groups = {}
    for name, group in tree.children.items():
        dataset = group.to_dataset()
        if "chain" in dataset.dims and name in other.children:
            new = other[name].to_dataset()
            dataset = dataset.assign(
                {key: _with_chains(dataset[key], which, new[key]) for key in dataset.data_vars}
            )
        groups[name] = dataset
    copy = xr.DataTree.from_dict(groups)
    copy.attrs = dict(tree.attrs)
    copy.attrs["seconds"] = float(tree.attrs["seconds"]) + float(other.attrs["seconds"])
    return copy


def _with_chains(old: xr.DataArray, which: NDArray[np.bool_], new: xr.DataArray) -> xr.DataArray:
    values = old.to_numpy().copy()
    values[which] = new.to_numpy()
    return old.copy(data=values)
