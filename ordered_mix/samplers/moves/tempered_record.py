"""What parallel tempering records: its draws, its ladder, and the evidence by stepping stones."""

from __future__ import annotations

from typing import Any, NamedTuple

import arviz_stats
import numpy as np
import xarray as xr

from ordered_mix.mixture import Array
from ordered_mix.samplers.moves.hmc import Points


class Tuning(NamedTuple):
    """What warm-up adapts: one entry for each temperature above the prior's 0."""

    beta: Array
    white: Array
    step: Array


class Record(NamedTuple):
    """A stretch of iterations; arrays of shape (iteration, ..., chain)."""

    cold: Points
    log_likelihood: Array
    rejection: Array
    precision: Array
    acceptance: Array
    passes: Array
    trips: Array


def record_of(rows: list[tuple[Any, ...]]) -> Record:
    """A record of what each iteration kept."""
    cold, *rest = zip(*rows, strict=True)
    points = Points(*(np.stack(values) for values in zip(*cold, strict=True)))
    return Record(points, *(np.stack(values) for values in rest))


def statistics_of(kept: Record) -> dict[str, Array]:
    """What the tree says of each draw, by ArviZ's names, shape (chain, draw)."""
    return {
        "lp": kept.cold.log_density(np.ones(1)).T,
        "acceptance_rate": kept.acceptance[:, -1].T,
        "n_steps": kept.passes.T,
    }


def stepping_stones(beta: Array, log_likelihood: Array) -> tuple[float, float]:
    """Log evidence and its standard error from a ladder (Xie et al. 2011, Syst. Biol. 60, 150-160).

    Parameters
    ----------
    beta : array, shape (temperature,)
        From 0 to 1.
    log_likelihood : array, shape (iteration, temperature, chain)
    """
    terms = np.diff(beta)[:, None] * log_likelihood[:, :-1]
    top = terms.max(axis=(0, 2), keepdims=True)
    ratio = np.exp(terms - top)
    mean = ratio.mean(axis=(0, 2), keepdims=True)
    log_evidence = float(np.sum(top + np.log(mean)))
    # what each iteration contributes, to first order; temperatures are not independent
    influence = np.sum(ratio / mean, axis=1).T
    error = arviz_stats.mcse(influence, method="mean", chain_axis=0, draw_axis=1)
    return log_evidence, float(error)


def write_record(
    tree: xr.DataTree, warm: list[Record], kept: Record, tuning: Tuning, constant: float
) -> None:
    """Write schedule, barrier, round trips and evidence to a tree of draws.

    ``constant`` is the log density of the data in their own units less that of the standardised
    ones, with the sign changed.
    """
    passes = np.concatenate([record.passes for record in warm]).T
    warmup = xr.Dataset({"n_steps": (("chain", "draw"), passes)})
    tree["warmup_sample_stats"] = xr.DataTree(warmup)
    rejection = kept.rejection.mean(axis=(0, 2))
    tree["tempering"] = xr.DataTree(
        xr.Dataset(
            {
                "inverse_temperature": ("temperature", tuning.beta),
                "rejection_rate": ("step", rejection),
                "acceptance_rate": ("above_prior", kept.acceptance.mean(axis=(0, 2))),
                "step_size": ("above_prior", tuning.step),
                "round_trips": ("chain", kept.trips[-1]),
            }
        )
    )
    log_evidence, error = stepping_stones(tuning.beta, kept.log_likelihood)
    tree.attrs["barrier"] = float(rejection.sum())
    tree.attrs["log_evidence"] = log_evidence - constant
    tree.attrs["log_evidence_se"] = error
