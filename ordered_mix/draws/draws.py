"""What samplers return: draws in the units of the data, statistics by ArviZ's names, passes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.draws.statistics import arviz_names
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.mixtures import log_density
from ordered_mix.prior import COMPONENT
from ordered_mix.shown import html

STATISTICS = (
    "tree_depth", "reached_max_treedepth", "acceptance_rate", "lp", "n_steps", "energy",
    "diverging", "step_size", "energy_error",
)  # fmt: skip
LOG_LIKELIHOOD_BYTES = 200_000_000


@dataclass(frozen=True, eq=False, repr=False)
class Draws:
    """Posterior draws with what they cost.

    Parameters
    ----------
    tree : DataTree
        ``posterior`` (w, mu, sigma and the free coordinates, in the units of the data; of points
        w, mu and covariance),
        ``sample_stats`` by ArviZ's names, ``unconstrained_posterior`` (the sampler's own
        coordinates of the standardised data, infinite where a weight rounds to 0 or 1), their
        ``warmup_`` groups, ``observed_data``, and ``log_likelihood`` unless it would exceed
        200 MB. The attribute ``seconds`` is the wall-clock time of the sampler without
        compilation; ``start_moved`` is how far each chain's start was moved off stationary
        coordinates, in unconstrained coordinates (0 where nothing was).
    """

    tree: xr.DataTree

    def __repr__(self) -> str:
        chains, draws = self.mixture.batch_shape
        return f"Draws({chains} chains of {draws:,} draws, K={self.mixture.k})"

    @cached_property
    def mixture(self) -> Mixture:
        """Draws as they come, in the units of the data; batch shape (chain, draw)."""
        return _mixture(self.tree["posterior"].dataset)

    @property
    def seconds(self) -> float:
        """Wall-clock time of the sampler, without compilation."""
        return float(self.tree.attrs["seconds"])

    @property
    def passes(self) -> NDArray[np.int64]:
        """Passes over the data after warm-up, one for each leapfrog step; shape (chain,)."""
        return self._steps("sample_stats")

    @property
    def warmup_passes(self) -> NDArray[np.int64]:
        """Passes over the data during warm-up; shape (chain,)."""
        return self._steps("warmup_sample_stats")

    @property
    def statistics(self) -> xr.Dataset:
        """Sampler statistics after warm-up, by ArviZ's names."""
        return self.tree["sample_stats"].to_dataset()

    _repr_html_ = html

    def _steps(self, group: str) -> NDArray[np.int64]:
        return self.tree[group]["n_steps"].sum("draw").to_numpy().astype(np.int64)


def assemble(
    raw: xr.DataTree,
    seconds: float,
    parameterization: Parameterization,
    standard: Parameterization,
    data: Data,
) -> Draws:
    groups: dict[str, xr.Dataset] = {}
    for prefix in ("", "warmup_"):
        if f"{prefix}posterior" not in raw.children:  # nothing of a warm-up is kept
            continue
        drawn = _mixture(raw[f"{prefix}posterior"].to_dataset())
        mixture = drawn.affine(data.location, data.scale)
        named = raw[f"{prefix}sample_stats"].data_vars.items()
        statistics = arviz_names({str(name): values for name, values in named})
        groups[f"{prefix}posterior"] = _posterior(mixture, parameterization)
        own = raw.get(f"{prefix}unconstrained_posterior")
        # early in warm-up a weight may round to 0 or 1
        z = standard.unconstrain_unchecked(drawn) if own is None else own["z"].to_numpy()
        groups[f"{prefix}unconstrained_posterior"] = _dataset({"z": z})
        groups[f"{prefix}sample_stats"] = _dataset(
            {name: statistics[name].to_numpy() for name in STATISTICS if name in statistics}
        )
    groups["observed_data"] = xr.Dataset({"y": ("point", data.y)})
    mixture = _mixture(groups["posterior"])
    if mixture.w[..., 0].size * data.n * 8 <= LOG_LIKELIHOOD_BYTES:
        pointwise = log_density(data.y, mixture)
        groups["log_likelihood"] = xr.Dataset({"y": (("chain", "draw", "point"), pointwise)})
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["seconds"] = seconds
    chains = mixture.batch_shape[0]
    tree.attrs["start_moved"] = np.asarray(raw.attrs.get("start_moved", np.zeros(chains)))
    return Draws(tree)


def _mixture(posterior: xr.Dataset) -> Mixture:
    if "covariance" in posterior:
        w, mu, covariance = (posterior[name].to_numpy() for name in ("w", "mu", "covariance"))
        return Mixture(w, mu, covariance=covariance)
    w, mu, sigma = (posterior[name].to_numpy() for name in ("w", "mu", "sigma"))
    k = 1 if mu.ndim == 2 else mu.shape[2]
    shape = (*mu.shape[:2], k)
    return Mixture(*(value.reshape(shape) for value in (w, mu, sigma)))


def _posterior(mixture: Mixture, parameterization: Parameterization) -> xr.Dataset:
    coordinates = parameterization.coordinates(mixture)
    free = {name: coordinates[name] for name in parameterization.graph.names}
    return _dataset({**free, "w": mixture.w, "mu": mixture.mu, "sigma": mixture.sigma})


def _dataset(values: dict[str, Any]) -> xr.Dataset:
    variables = {}
    for name, value in values.items():
        own = COMPONENT if name in ("w", "mu", "sigma") else f"{name}_index"
        variables[name] = (("chain", "draw", own)[: value.ndim], value)
    chains, draws = next(iter(values.values())).shape[:2]
    coords = {"chain": np.arange(chains), "draw": np.arange(draws)}
    return xr.Dataset(variables, coords=coords)
