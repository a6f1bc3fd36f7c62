"""Describe label switching: how often labels change, whether chains agree, if ordering bites."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import factorial, lgamma

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.arrays import Array, mixture_draws

GAP_EPSILON = 0.1


@dataclass(frozen=True, eq=False)
class Switching:
    """How a set of chains moves between the K! labellings of a mixture.

    The labelling of a draw is the permutation that undoes its labels: the one a relabelling found
    (`switching_of`), or by default the one that sorts its means.

    Attributes
    ----------
    switching_rate : float
        Share of consecutive pairs of draws of one chain whose labellings differ.
    chain_disagreement : float
        Mean over pairs of chains of the total variation distance between their occupancies of
        the labellings. For chains that never switch it is the share of pairs that sit in
        different modes; it is near 0 both for chains that agree and for chains that switch often.
    modes_visited : int
        Number of labellings seen in any chain.
    modes_possible : float
        K!, as a float because it is large.
    labellings : ndarray of int, shape (modes_visited, component)
        The labellings, the most visited first.
    occupancy : ndarray, shape (modes_visited,)
        Share of all draws in each of them.
    relative_entropy : float
        Entropy of the occupancy divided by log K!: 1 is uniform over all modes, 0 is one mode.
        Defined as 1 for K = 1.
    first_passage : ndarray, shape (chain,)
        Draws until the labelling first differs from that of the chain's first draw; infinity
        if the chain never left its first mode.
    gap_mass : float
        Share of draws whose smallest gap between neighbouring means is below
        ``epsilon`` times the pooled scale ``sqrt(sum_k w_k sigma_k^2)`` of the draw; NaN where
        means are not known.
    epsilon : float
        The bound on the gap, in pooled scales.
    """

    switching_rate: float
    chain_disagreement: float
    modes_visited: int
    modes_possible: float
    labellings: NDArray[np.int64]
    occupancy: Array
    relative_entropy: float
    first_passage: Array
    gap_mass: float
    epsilon: float

    def interpretation(self) -> dict[str, str]:
        """One line in words for each measure, keyed by the name of the measure."""
        return {
            "switching_rate": _switching_line(self.switching_rate),
            "chain_disagreement": _disagreement_line(self.chain_disagreement),
            "modes_visited": (
                f"{self.modes_visited} of {self.modes_possible:.6g} labellings visited."
            ),
            "relative_entropy": _entropy_line(self),
            "first_passage": _passage_line(self.first_passage),
            "gap_mass": _gap_line(self.gap_mass, self.epsilon),
        }


def switching(
    w: ArrayLike, mu: ArrayLike, sigma: ArrayLike, epsilon: float = GAP_EPSILON
) -> Switching:
    """Measure label switching in raw draws.

    Parameters
    ----------
    w, mu, sigma : array_like, shape (chain, draw, component)
        Raw draws of at least two chains of at least two draws; known weights and scales may
        have shape (component,).
    epsilon : float
        Bound on the gap for ``gap_mass``, in pooled within-component scales.

    Returns
    -------
    Switching
        The measures; ``interpretation()`` puts each in words.

    Raises
    ------
    ValueError
        If the draws are malformed, there is one chain or one draw only, or epsilon is not
        positive.
    """
    if not (np.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"epsilon must be a positive number, got {epsilon}")
    w, mu, sigma = mixture_draws(w, mu, sigma, min_chains=2)
    if mu.shape[1] < 2:
        raise ValueError("mu has 1 draw per chain, but switching needs 2 or more")
    order = np.argsort(mu, axis=-1, kind="stable")
    return switching_of(order, gap_mass(w, mu, sigma, epsilon), epsilon)


def switching_of(
    permutation: ArrayLike, gap_mass: float = float("nan"), epsilon: float = GAP_EPSILON
) -> Switching:
    """Measure label switching by the permutations that a relabelling found.

    Parameters
    ----------
    permutation : array_like of int, shape (chain, draw, component)
        Of any relabelling; of one chain, what one chain can tell.
    gap_mass, epsilon : float
        Share of draws with a small gap between means, if it is known.
    """
    order = np.asarray(permutation)
    labellings, mode = _labellings(order)
    counts = np.stack([np.bincount(chain, minlength=len(labellings)) for chain in mode])
    occupancy = counts.sum(axis=0) / mode.size
    visited = np.argsort(-occupancy, kind="stable")
    return Switching(
        switching_rate=float(np.mean(mode[:, 1:] != mode[:, :-1])),
        chain_disagreement=_disagreement(counts / mode.shape[1]),
        modes_visited=len(labellings),
        modes_possible=float(factorial(order.shape[-1])),
        labellings=labellings[visited],
        occupancy=occupancy[visited],
        relative_entropy=_relative_entropy(occupancy, order.shape[-1]),
        first_passage=_first_passage(mode),
        gap_mass=gap_mass,
        epsilon=float(epsilon),
    )


def gap_mass(w: ArrayLike, mu: ArrayLike, sigma: ArrayLike, epsilon: float = GAP_EPSILON) -> float:
    """Share of draws whose smallest gap is below epsilon pooled scales; 0 for K = 1.

    This is the mass close to the boundary at which an ordering constraint bites. The pooled
    scale of a draw is ``sqrt(sum_k w_k sigma_k^2)``.
    """
    w, mu, sigma = mixture_draws(w, mu, sigma)
    if mu.shape[-1] == 1:
        return 0.0
    gap = np.diff(np.sort(mu, axis=-1), axis=-1).min(axis=-1)
    pooled_scale = np.sqrt(np.sum(w * sigma**2, axis=-1))
    return float(np.mean(gap < epsilon * pooled_scale))


def _labellings(order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct labellings, (visited, component), and the index of each draw's, (chain, draw)."""
    distinct, index = np.unique(order.reshape(-1, order.shape[-1]), axis=0, return_inverse=True)
    return distinct, index.reshape(order.shape[:2])


def _disagreement(shares: Array) -> float:
    if len(shares) == 1:
        return float("nan")
    pairs = combinations(shares, 2)
    return float(np.mean([0.5 * np.abs(first - second).sum() for first, second in pairs]))


def _relative_entropy(occupancy: Array, k: int) -> float:
    if k == 1:
        return 1.0
    return float(max(0.0, -np.sum(occupancy * np.log(occupancy))) / lgamma(k + 1))


def _first_passage(mode: NDArray[np.int64]) -> Array:
    left = mode != mode[:, :1]
    return np.where(left.any(axis=1), left.argmax(axis=1), np.inf)


def _switching_line(rate: float) -> str:
    if rate == 0:
        return "Labels never switch within a chain."
    return (
        f"Labels switch in {rate:.2%} of steps; raw means of components are meaningless, "
        "sorted or relabelled ones are not."
    )


def _disagreement_line(disagreement: float) -> str:
    if np.isnan(disagreement):
        return "One chain cannot tell whether chains agree on the labels."
    if disagreement < 0.1:
        return "The chains agree on the labels, or visit the labellings in equal shares."
    return (
        f"The chains label the components differently ({disagreement:.0%} on average), which makes "
        "raw R-hat large: judge convergence on relabelled draws."
    )


def _entropy_line(result: Switching) -> str:
    if result.modes_possible == 1:
        return "One component has one labelling."
    if result.relative_entropy < 0.01:
        return "All draws share one labelling, as under an ordering constraint."
    if result.switching_rate == 0:
        return "Several labellings are occupied only because chains started in different ones."
    if result.relative_entropy > 0.95:
        return "All labellings are visited about equally, as the symmetry of the posterior demands."
    return (
        f"Labellings are visited unevenly (entropy {result.relative_entropy:.2f} of the uniform): "
        "the chains have not explored the symmetric modes in proportion."
    )


def _passage_line(first_passage: Array) -> str:
    reached = first_passage[np.isfinite(first_passage)]
    if reached.size == 0:
        return "No chain reached a second mode."
    first = int(reached.min())
    return (
        f"{reached.size} of {first_passage.size} chains reached a second mode, "
        f"the earliest after {first} draw{'s' if first > 1 else ''}."
    )


def _gap_line(mass: float, epsilon: float) -> str:
    if np.isnan(mass):
        return "Gaps between means are measured for normal mixtures only."
    share = f"{mass:.1%} of the draws have two means within {epsilon:g} pooled scales"
    if mass < 0.01:
        return f"{share}: an ordering constraint does not bite."
    return f"{share}: an ordering constraint bites, and the number of components may be too large."
