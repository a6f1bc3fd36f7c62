"""What a study of samplers keeps of one run: effective draws, convergence, labels, cost."""

from __future__ import annotations

from math import factorial
from typing import Any

import arviz_stats
import numpy as np

from ordered_mix.arrays import MIN_DRAWS, Array
from ordered_mix.draws.chain_measures import chain_measures
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.rhat import RHAT_THRESHOLD, rhat

CHECKPOINTS = 8


def sampler_measures(draws: Draws) -> dict[str, Any]:
    """Measure a run in which weights, means and scales are all free.

    Parameters
    ----------
    draws : Draws
        At least two chains, with their log likelihood.

    Returns
    -------
    dict of str to float, int or None
        ``ess`` (smallest sorted bulk ESS), ``rhat`` and ``raw_rhat`` (largest, sorted and as
        drawn), ``invariant_ess`` and ``invariant_rhat`` (of what no relabelling changes: log
        likelihood, mixture mean, and the density at three points of the data), ``passes`` and
        ``seconds`` after warm-up, ``warmup_passes``, ``converged_passes`` (those, warm-up included,
        at the first of eight checkpoints from which sorted R-hat stays at or below 1.01; None if
        there is none), ``divergences_per_1000``, ``gap_mass`` and ``divergent_gap_mass`` (as in
        `chain_measures`), ``switching_rate``, and ``visited`` (mean share of the orders of the
        means that a chain visits).

    Raises
    ------
    ValueError
        If the draws hold no log likelihood, which is left out above 200 MB.
    """
    if "log_likelihood" not in draws.tree.children:
        raise ValueError("draws must hold their log likelihood, they are too many for it")
    mixture, statistics = draws.mixture, draws.statistics
    steps = statistics["n_steps"].to_numpy()
    diverging = np.zeros(steps.shape, dtype=bool)
    if "diverging" in statistics:
        diverging = statistics["diverging"].to_numpy()
    found = chain_measures(mixture.w, mixture.mu, mixture.sigma, diverging)
    passes, warmup = int(draws.passes.sum()), int(draws.warmup_passes.sum())
    invariant = _invariant(draws)
    return {
        "ess": found.ess,
        "rhat": found.rhat,
        "raw_rhat": found.raw_rhat,
        "invariant_ess": min(
            float(arviz_stats.ess(one, chain_axis=0, draw_axis=1)) for one in invariant
        ),
        "invariant_rhat": max(map(rhat, invariant)),
        "passes": passes,
        "warmup_passes": warmup,
        "converged_passes": _converged(draws, steps, warmup),
        "seconds": draws.seconds * passes / (passes + warmup),
        "divergences_per_1000": 1000 * found.divergence_rate,
        "gap_mass": found.gap_mass,
        "divergent_gap_mass": found.divergent_gap_mass,
        "switching_rate": found.switching_rate,
        "visited": _visited(draws),
    }


def _invariant(draws: Draws) -> list[Array]:
    pointwise = draws.tree["log_likelihood"]["y"].to_numpy()
    y = draws.tree["observed_data"]["y"].to_numpy()
    tenth = len(y) // 10
    at = np.argsort(y)[[tenth, len(y) // 2, -1 - tenth]]
    return [pointwise.sum(axis=-1), draws.mixture.mean(), *np.moveaxis(pointwise[..., at], -1, 0)]


def _converged(draws: Draws, steps: Array, warmup: int) -> float | None:
    """Looks back from the end: most checkpoints of a run that converges late are not needed."""
    ascending = draws.mixture.sorted()
    values = np.concatenate([ascending.w[..., :-1], ascending.mu, ascending.sigma], axis=-1)
    lengths = np.geomspace(MIN_DRAWS, steps.shape[1], CHECKPOINTS).round().astype(int)
    found = None
    for length in lengths[::-1]:
        early = np.moveaxis(values[:, :length], -1, 0)
        if not all(rhat(one) <= RHAT_THRESHOLD for one in early):
            break
        found = float(warmup + steps[:, :length].sum())
    return found


def _visited(draws: Draws) -> float:
    order = draws.mixture.order("mu")
    seen = [len(np.unique(chain, axis=0)) for chain in order]
    return float(np.mean(seen)) / factorial(order.shape[-1])
