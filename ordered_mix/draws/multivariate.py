"""Draws in several dimensions as a tree, in the units of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.mixture import Mixture
from ordered_mix.passes.mixtures import log_density
from ordered_mix.prior import COMPONENT

COORDINATE = "coordinate"
LOG_LIKELIHOOD_BYTES = 40_000_000
DIMENSIONS = {
    "w": (COMPONENT,),
    "mu": (COMPONENT, COORDINATE),
    "covariance": (COMPONENT, COORDINATE, f"{COORDINATE}_2"),
}


def assemble(
    mixture: Mixture,
    statistics: Mapping[str, NDArray[Any]],
    tune: int,
    data: Data,
    seconds: float,
) -> Draws:
    """Draws in the units of the data, the first of which are warm-up.

    Parameters
    ----------
    mixture : Mixture, batch shape (chain, draw)
    statistics : mapping of str to array, shape (chain, draw)
        By ArviZ's names; ``n_steps`` are the passes of each draw.
    tune : int
    data : Data
    seconds : float
        Wall-clock time of the sampler.
    """
    groups = {}
    for prefix, part in (("warmup_", np.s_[:, :tune]), ("", np.s_[:, tune:])):
        if prefix and not tune:
            continue
        chosen = mixture[part]
        variables = {
            name: (("chain", "draw", *dims), getattr(chosen, name))
            for name, dims in DIMENSIONS.items()
        }
        names = list(data.columns)
        coords = {COORDINATE: names, f"{COORDINATE}_2": names}
        groups[f"{prefix}posterior"] = xr.Dataset(variables, coords=coords)
        groups[f"{prefix}sample_stats"] = xr.Dataset(
            {name: (("chain", "draw"), values[part]) for name, values in statistics.items()}
        )
    groups["observed_data"] = xr.Dataset(
        {"y": (("point", COORDINATE), data.y)}, coords={COORDINATE: list(data.columns)}
    )
    kept = mixture[:, tune:]
    if kept.w[..., 0].size * data.n * 8 <= LOG_LIKELIHOOD_BYTES:
        pointwise = log_density(data.y, kept)
        groups["log_likelihood"] = xr.Dataset({"y": (("chain", "draw", "point"), pointwise)})
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["seconds"] = seconds
    return Draws(tree)
