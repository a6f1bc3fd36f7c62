"""Statistics of a NUTS run and ArviZ's own diagnosis, for nutpie and PyMC alike."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import arviz_stats
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, scalar_draws

ARVIZ_NAMES = {
    "depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "mean_tree_accept": "acceptance_rate",
    "logp": "lp",
}
LOW_BFMI = 0.3
FEW_EFFECTIVE = re.compile(r"have fewer than (\d+) effective samples:\s+([^\n]+)")


@dataclass(frozen=True, eq=False)
class SamplerSummary:
    """Summary of the sampler statistics after warm-up.

    Attributes
    ----------
    divergences : int
        Number of divergent transitions in all chains.
    divergence_rate : float
        Their share of all transitions.
    tree_depth : float
        Mean depth of the trees.
    saturated : int
        Number of transitions that hit the largest depth allowed.
    steps : int
        Leapfrog steps of all chains: passes over the data after warm-up.
    acceptance_rate : float
        Mean acceptance probability.
    bfmi : ndarray, shape (chain,)
        Energy Bayesian fraction of missing information; below 0.3 is poor (Betancourt 2016).
    """

    divergences: int
    divergence_rate: float
    tree_depth: float
    saturated: int
    steps: int
    acceptance_rate: float
    bfmi: Array


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """ArviZ's diagnosis: whether a check failed, its text, and its details by check."""

    has_errors: bool
    text: str
    details: Mapping[str, Any]

    @property
    def complaints(self) -> list[str]:
        """The checks that failed, in a few words each."""
        divergent = self.details.get("divergent", {}).get("n_divergent", 0)
        saturated = self.details.get("treedepth", {}).get("n_max", 0)
        lists = {
            "E-BFMI is low in the chains": self.details.get("bfmi", {}).get("failed_chains", []),
            "ESS is low for": self.details.get("ess", {}).get("bad_params", []),
            "R-hat is high for": self.details.get("rhat", {}).get("bad_params", []),
        }
        found = [f"{divergent} of the draws diverged"] if divergent else []
        found += [f"{saturated} of the draws hit the largest tree depth"] if saturated else []
        found += [f"{text} {', '.join(map(str, names))}" for text, names in lists.items()
                  if names]  # fmt: skip
        # not among the details
        found += [f"fewer than {number} effective draws for {names}"
                  for number, names in FEW_EFFECTIVE.findall(self.text)]  # fmt: skip
        return found or (["its own words are in the report"] if self.has_errors else [])


def arviz_names(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics of a run under the names ArviZ expects, whatever the sampler called them."""
    return {ARVIZ_NAMES.get(str(name), str(name)): values for name, values in statistics.items()}


def summarise_sampler(statistics: Mapping[str, ArrayLike]) -> SamplerSummary:
    """Summarise the statistics of a NUTS run.

    Parameters
    ----------
    statistics : mapping of str to array_like, shape (chain, draw)
        diverging, tree_depth, reached_max_treedepth, n_steps, acceptance_rate and energy, under
        these names or nutpie's.

    Raises
    ------
    ValueError
        If a statistic is missing or malformed.
    """
    named = arviz_names(statistics)
    needed = ("diverging", "tree_depth", "reached_max_treedepth", "n_steps", "acceptance_rate")
    missing = [name for name in (*needed, "energy") if name not in named]
    if missing:
        raise ValueError(
            f"statistics must hold {', '.join((*needed, 'energy'))}, but {', '.join(missing)} "
            f"is missing from {', '.join(sorted(named))}"
        )
    diverging, depth, saturated, steps, acceptance, energy = (
        scalar_draws(name, named[name]) for name in (*needed, "energy")
    )
    return SamplerSummary(
        divergences=int(diverging.sum()),
        divergence_rate=float(diverging.mean()),
        tree_depth=float(depth.mean()),
        saturated=int(saturated.sum()),
        steps=int(steps.sum()),
        acceptance_rate=float(acceptance.mean()),
        bfmi=np.atleast_1d(np.asarray(arviz_stats.bfmi(energy, chain_axis=0, draw_axis=1))),
    )


def diagnose(draws: xr.DataTree) -> Diagnosis:
    """ArviZ's `diagnose` of the variables that vary, with statistics of nutpie renamed for it.

    Parameters
    ----------
    draws : DataTree
        With a ``posterior`` group and, for the checks of the sampler, ``sample_stats``.

    Raises
    ------
    ValueError
        If there is no posterior group, no variable varies, or a variable is not finite.
    """
    if "posterior" not in draws.children:
        raise ValueError(
            f"draws must hold a posterior group, got the groups {sorted(draws.children)}"
        )
    posterior = draws["posterior"].to_dataset()
    varying = [name for name, values in posterior.data_vars.items() if _varies(name, values)]
    if not varying:
        raise ValueError(
            f"draws must hold a variable that varies, got only constants in {list(posterior)}"
        )
    groups = {"posterior": _numbered(posterior[varying])}
    if "sample_stats" in draws.children:
        statistics = draws["sample_stats"].to_dataset()
        present = {old: new for old, new in ARVIZ_NAMES.items() if old in statistics}
        groups["sample_stats"] = _numbered(statistics.rename(present))
    text = io.StringIO()
    with contextlib.redirect_stdout(text), np.errstate(divide="ignore", invalid="ignore"):
        has_errors, details = arviz_stats.diagnose(
            xr.DataTree.from_dict(groups), return_diagnostics=True
        )
    return Diagnosis(bool(has_errors), text.getvalue().strip(), details)


def _numbered(draws: xr.Dataset) -> xr.Dataset:
    """ArviZ asks for coordinates of chain and draw, which a tree need not have."""
    missing = {name for name in ("chain", "draw") if name not in draws.coords}
    return draws.assign_coords({name: np.arange(draws.sizes[name]) for name in missing})


def _varies(name: object, values: xr.DataArray) -> bool:
    array = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise ValueError(
            f"draws must be finite, but {int((~np.isfinite(array)).sum())} values of {name} are not"
        )
    return bool(np.all(np.ptp(array.reshape(-1, *array.shape[2:]), axis=0) > 0))
