"""The stages of a sequential Monte Carlo run, and what is recorded of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from ordered_mix.draws.evidence import log_mean
from ordered_mix.mixture import Array


class Stage(NamedTuple):
    """One inverse temperature of a run; arrays have one entry for each island."""

    beta: float
    log_ratio: Array
    ess: Array
    acceptance: Array
    step: float
    passes: int


def record(tree: xr.DataTree, stages: list[Stage], shape: tuple[int, ...], constant: float) -> None:
    """Give a tree of draws the schedule, the passes and the evidence.

    Parameters
    ----------
    tree : DataTree
    stages : list of Stage
    shape : tuple of int
        Islands and particles.
    constant : float
        What the log evidence of the standardised data exceeds that of the data.
    """
    islands, particles = shape
    columns = {
        "inverse_temperature": np.array([[stage.beta] * islands for stage in stages]).T,
        "log_ratio": np.array([stage.log_ratio for stage in stages]).T,
        "ess": np.array([stage.ess for stage in stages]).T,
        "acceptance_rate": np.array([stage.acceptance for stage in stages]).T,
        "step_size": np.array([[stage.step] * islands for stage in stages]).T,
        "n_steps": np.array(
            [[stage.passes] * islands for stage in stages[:-1]] + [[0] * islands]
        ).T,
    }
    log_evidence, error = log_mean(columns["log_ratio"].sum(axis=1))
    statistics = tree["sample_stats"].to_dataset()
    steps = np.zeros((islands, particles), dtype=np.int64)
    steps[:, 0] = stages[-1].passes
    statistics["n_steps"] = (("chain", "draw"), steps)
    tree["sample_stats"] = xr.DataTree(statistics)
    warmup = {name: (("chain", "draw"), value) for name, value in columns.items()}
    coords = {"chain": np.arange(islands), "draw": np.arange(len(stages))}
    tree["warmup_sample_stats"] = xr.DataTree(xr.Dataset(warmup, coords=coords))
    tree.attrs["log_evidence"] = log_evidence - constant
    tree.attrs["log_evidence_se"] = error
