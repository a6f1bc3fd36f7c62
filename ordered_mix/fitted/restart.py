"""Chains that sit where there is no mass are sampled again from the best optimum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.predictive import thinned
from ordered_mix.fitted.agreement import log_likelihoods, stuck
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.multivariate import AnyParameterization
from ordered_mix.samplers.moves.sampler import Sampler


class Restarted(NamedTuple):
    """Draws, and how many of their chains are second attempts."""

    draws: Draws
    restarted: int


def sample_restarting(
    sampler: Sampler,
    parameterization: AnyParameterization,
    data: Data,
    starts: Mixture,
    best: Mixture,
    seed: int,
) -> Restarted:
    """Sample, and replace chains that are far below the others by chains from the best optimum.

    Over-dispersed starts show whether chains find each other, and lose some of them where modes
    are far apart; the answer comes from chains that are where the mass is.

    Parameters
    ----------
    sampler : Sampler
        One that takes no starts has no chain to begin again.
    parameterization : AnyParameterization
    data : Data
    starts : Mixture, batch shape (chain,)
        Over-dispersed.
    best : Mixture
        A single mixture, the best optimum known.
    seed : int
        Chains that begin again have the next one.
    """
    draws = sampler.sample(parameterization, data, starts, seed)
    if not sampler.takes_starts:
        return Restarted(draws, 0)
    bad = stuck(log_likelihoods(data.y, thinned(draws.mixture, data.n), data.weight))
    if not bad.any():
        return Restarted(draws, 0)
    count = int(bad.sum())
    once_more = best.reshape(1)[[0] * count]
    again = sampler.sample(parameterization, data, once_more, seed + 1)
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
