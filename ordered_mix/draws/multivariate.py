"""Draws of mixtures in several dimensions, in the units of the data, with what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariateData
from ordered_mix.passes.multivariate_pass import log_density
from ordered_mix.prior import COMPONENT

COORDINATE = "coordinate"
LOG_LIKELIHOOD_BYTES = 40_000_000
DIMENSIONS = {
    "w": (COMPONENT,),
    "mu": (COMPONENT, COORDINATE),
    "covariance": (COMPONENT, COORDINATE, f"{COORDINATE}_2"),
}


@dataclass(frozen=True, eq=False, repr=False)
class MultivariateDraws:
    """Posterior draws in several dimensions.

    Parameters
    ----------
    tree : DataTree
        ``posterior`` (w, mu, covariance), ``sample_stats``, their ``warmup_`` groups,
        ``observed_data``, and ``log_likelihood`` unless it would exceed 40 MB.
        The attribute ``seconds`` is the wall-clock time of the sampler.
    """

    tree: xr.DataTree

    def __repr__(self) -> str:
        chains, draws = self.mixture.batch_shape
        return f"MultivariateDraws({chains} chains of {draws:,} draws, K={self.mixture.k})"

    @cached_property
    def mixture(self) -> Mixture:
        """Draws as they come, in the units of the data; batch shape (chain, draw)."""
        posterior = self.tree["posterior"].dataset
        return Mixture(*(posterior[name].to_numpy() for name in DIMENSIONS))

    @property
    def statistics(self) -> xr.Dataset:
        """Sampler statistics after warm-up, by ArviZ's names."""
        return self.tree["sample_stats"].to_dataset()

    @property
    def seconds(self) -> float:
        """Wall-clock time of the sampler."""
        return float(self.tree.attrs["seconds"])

    @property
    def passes(self) -> NDArray[np.int64]:
        """Passes over the data after warm-up; shape (chain,)."""
        return self._steps("sample_stats")

    @property
    def warmup_passes(self) -> NDArray[np.int64]:
        """Passes over the data during warm-up; shape (chain,)."""
        return self._steps("warmup_sample_stats")

    def _steps(self, group: str) -> NDArray[np.int64]:
        return self.tree[group]["n_steps"].sum("draw").to_numpy().astype(np.int64)


def assemble(
    mixture: Mixture,
    statistics: Mapping[str, NDArray[Any]],
    tune: int,
    data: MultivariateData,
) -> xr.DataTree:
    """A tree of draws in the units of the data, the first of which are warm-up.

    Parameters
    ----------
    mixture : Mixture, batch shape (chain, draw)
    statistics : mapping of str to array, shape (chain, draw)
        By ArviZ's names; ``n_steps`` are the passes of each draw.
    tune : int
    data : MultivariateData
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
        pointwise = log_density(data.y, kept.w, kept.mu, kept.root)
        groups["log_likelihood"] = xr.Dataset({"y": (("chain", "draw", "point"), pointwise)})
    return xr.DataTree.from_dict(groups)
