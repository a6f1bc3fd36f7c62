"""What a comparison keeps of one run: labels and convergence, raw and sorted, in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass

import arviz_stats
import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, mixture_draws, scalar_draws
from ordered_mix.draws.convergence import TAILS
from ordered_mix.draws.relabel.permute import sort_components
from ordered_mix.draws.rhat import rhat
from ordered_mix.draws.switching import gap_mass, switching

AXES = {"chain_axis": 0, "draw_axis": 1}


@dataclass(frozen=True, eq=False)
class ChainMeasures:
    """Labels, convergence and cost of a set of chains.

    R-hat is the largest and ESS the smallest over the weights but the last, the means and the
    scales; bulk ESS unless it says tail.

    Attributes
    ----------
    raw_rhat, raw_ess : float
        Of the draws as they come.
    rhat, ess, tail_ess : float
        Of the sorted draws.
    switching_rate, chain_disagreement : float
        As in `switching`.
    gap_mass : float
        Share of draws whose smallest gap is below a tenth of the pooled scale.
    divergent_gap_mass : float or None
        The same share among the divergent draws, None if there are none.
    divergence_rate : float
        Share of draws that are divergent.
    mean, sd : ndarray, shape (3 component - 1,)
        Of the sorted weights but the last, means and scales.
    """

    raw_rhat: float
    raw_ess: float
    rhat: float
    ess: float
    tail_ess: float
    switching_rate: float
    chain_disagreement: float
    gap_mass: float
    divergent_gap_mass: float | None
    divergence_rate: float
    mean: Array
    sd: Array


def chain_measures(
    w: ArrayLike, mu: ArrayLike, sigma: ArrayLike, diverging: ArrayLike
) -> ChainMeasures:
    """Measure one run in which weights, means and scales are all free.

    Parameters
    ----------
    w, mu, sigma : array_like, shape (chain, draw, component)
        Raw draws of at least two chains.
    diverging : array_like, shape (chain, draw)
        Whether each draw ended a divergent transition.

    Raises
    ------
    ValueError
        If the draws are malformed or diverging has another shape.

    Notes
    -----
    A quantity that never moves in any chain has no draws worth counting: an infinite R-hat and
    an ESS of 1. Bulk ESS compares chains (Vehtari et al. 2021), so chains that settle in
    different places are worth about as many draws as there are chains.
    """
    w, mu, sigma = mixture_draws(w, mu, sigma, min_chains=2)
    divergent = scalar_draws("diverging", diverging).astype(bool)
    if divergent.shape != mu.shape[:2]:
        raise ValueError(f"diverging must have shape {mu.shape[:2]}, got {divergent.shape}")
    ascending = sort_components(w, mu, sigma)
    labels = switching(w, mu, sigma)
    raw, quotient = _quantities(w, mu, sigma), _quantities(*ascending[:3])
    rhat_sorted, ess_sorted = _worst(quotient)
    moved = np.any(ascending.permutation != np.arange(mu.shape[-1]))
    rhat_raw, ess_raw = _worst(raw) if moved else (rhat_sorted, ess_sorted)
    near = None
    if divergent.any():
        near = gap_mass(*(values[divergent][None] for values in (w, mu, sigma)))
    return ChainMeasures(
        raw_rhat=rhat_raw,
        raw_ess=ess_raw,
        rhat=rhat_sorted,
        ess=ess_sorted,
        tail_ess=min(_ess(values, method="tail", prob=TAILS) for values in quotient),
        switching_rate=labels.switching_rate,
        chain_disagreement=labels.chain_disagreement,
        gap_mass=labels.gap_mass,
        divergent_gap_mass=near,
        divergence_rate=float(divergent.mean()),
        mean=quotient.mean(axis=(1, 2)),
        sd=quotient.std(axis=(1, 2)),
    )


def sorted_convergence(w: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> tuple[float, float]:
    """R-hat and bulk ESS of the sorted draws, the two of `chain_measures` alone.

    Parameters
    ----------
    w, mu, sigma : array_like, shape (chain, draw, component)
        Raw draws of at least two chains.

    Raises
    ------
    ValueError
        If the draws are malformed.
    """
    w, mu, sigma = mixture_draws(w, mu, sigma, min_chains=2)
    return _worst(_quantities(*sort_components(w, mu, sigma)[:3]))


def _quantities(w: Array, mu: Array, sigma: Array) -> Array:
    """What varies freely, shape (quantity, chain, draw)."""
    return np.moveaxis(np.concatenate([w[..., :-1], mu, sigma], axis=-1), -1, 0)


def _worst(quantities: Array) -> tuple[float, float]:
    moving = [values for values in quantities if np.ptp(values) > 0]
    if len(moving) < len(quantities):
        return np.inf, 1.0
    return max(map(rhat, moving)), min(_ess(values, method="bulk") for values in moving)


def _ess(values: Array, **settings: object) -> float:
    if np.ptp(values) == 0:
        return 1.0
    found = float(arviz_stats.ess(values, **settings, **AXES))
    return found if np.isfinite(found) else 1.0
