"""Does a mixture describe the data? Discrepancies whose distribution given the draw is known.

Given the parameters, ``u_i = F(y_i)`` is a uniform sample, so the probability that replicated data
are as far from the draw's distribution as the data is exact and needs no simulation: its mean over
the draws is the posterior predictive p-value (Gelman, Meng & Stern 1996).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr

from ordered_mix.arrays import rounding
from ordered_mix.mixture import Array, Mixture

FEWEST_DRAWS, MOST_DRAWS = 40, 200
MOST_EVALUATIONS = 2_000_000
MOST_LOO_DRAWS = 1000
MOST_LOO_POINTS = 2000
LEAST = 1e-300
NAMES = ("ks", "tails", "extreme", "loo_pit")


@dataclass(frozen=True)
class Check:
    """One discrepancy between the data and what the draws say of them.

    Attributes
    ----------
    distance : float
        Mean over the draws, of the largest distance of the distribution functions (ks, loo_pit),
        the Anderson-Darling statistic (tails), or the smallest two-sided tail (extreme).
    p : float
        Posterior predictive p-value; small if the data are farther than replicated ones.
    at : float
        The data value at which the discrepancy is largest.
    """

    distance: float
    p: float
    at: float


@dataclass(frozen=True, eq=False)
class Checks:
    """All discrepancies.

    Attributes
    ----------
    ks : Check
        Kolmogorov-Smirnov distance: the bulk.
    tails : Check
        Anderson-Darling statistic: the tails.
    extreme : Check
        The value that is farthest out.
    loo_pit : Check
        Distance of the leave-one-out probability integral transforms from uniform ones.
    pit : ndarray, shape (points,)
        Those transforms, of the points ``pit_y``.
    """

    ks: Check
    tails: Check
    extreme: Check
    loo_pit: Check
    pit: Array
    pit_y: Array

    def named(self) -> dict[str, Check]:
        """The checks by their names."""
        return {name: getattr(self, name) for name in NAMES}


def checks(y: Array, draws: Mixture) -> Checks:
    """Compare data with the draws of a mixture that was fitted to them.

    Parameters
    ----------
    y : array, shape (n,)
        The data. Of rounded data, all multiples of a step, what counts is the probability of each
        rounding cell; of a value that repeats among continuous ones, that of all that is nearer to
        it than to other values.
    draws : Mixture, batch shape (chain, draw)

    Returns
    -------
    Checks
    """
    y = np.sort(y)
    flat = thinned(draws, int(np.clip(MOST_EVALUATIONS // y.size, FEWEST_DRAWS, MOST_DRAWS)))
    step = rounding(y)
    lower, upper = transforms(y, flat, step)
    pit, points = loo_pit(y, draws, step)
    of_pit = stats.kstest(pit, "uniform")
    at = points[np.argmin(np.abs(pit - of_pit.statistic_location))]
    return Checks(
        **discrepancies(y, lower, upper),
        loo_pit=Check(float(of_pit.statistic), float(of_pit.pvalue), float(at)),
        pit=pit,
        pit_y=points,
    )


def discrepancies(y: Array, below: Array, above: Array) -> dict[str, Check]:
    """The checks ``ks``, ``tails`` and ``extreme`` of transforms that are uniform given the draw.

    Parameters
    ----------
    y : array, shape (n,)
        What is told of the points, in increasing order of their transforms.
    below, above : array, shape (draw, n)
        The transforms in increasing order, and 1 less these.
    """
    return {"ks": _kolmogorov(y, below), "tails": _anderson(y, below, above),
            "extreme": _extreme(y, below, above)}  # fmt: skip


def thinned(draws: Mixture, most: int) -> Mixture:
    """At most so many draws, evenly spaced over all chains; batch shape (draw,)."""
    flat = draws.reshape(-1)
    count = flat.batch_shape[0]
    return flat if count <= most else flat[np.linspace(0, count - 1, most).astype(int)]


def transforms(y: Array, draws: Mixture, step: float) -> tuple[Array, Array]:
    """Distribution functions F and 1 - F of each draw at sorted points, shape (draw, point).

    Points of one cell are spread evenly over its probability.
    """
    points, first, count = np.unique(y, return_index=True, return_counts=True)
    lower, upper = (_tails(edge, draws) for edge in _cells(points, count, step))
    share = (np.arange(y.size) - np.repeat(first, count) + 0.5) / np.repeat(count, count)
    cell = np.repeat(np.arange(points.size), count)
    below = lower[0][:, cell] * (1 - share) + upper[0][:, cell] * share
    return below, lower[1][:, cell] * (1 - share) + upper[1][:, cell] * share


def _cells(points: Array, count: NDArray[np.int64], step: float) -> tuple[Array, Array]:
    """Lower and upper ends of the cell of each distinct value.

    With a step it is a rounding cell. Without, a value that is there once is a point, and one that
    repeats reaches half way to its neighbours, at the ends of the data as far out as inwards.
    """
    if step:
        return points - step / 2, points + step / 2
    gaps = np.diff(points) if points.size > 1 else np.zeros(1)
    tied = 0.5 * (count > 1)
    return (
        points - tied * np.concatenate([gaps[:1], gaps]),
        points + tied * np.concatenate([gaps, gaps[-1:]]),
    )


def loo_pit(y: Array, draws: Mixture, step: float = 0.0) -> tuple[Array, Array]:
    """Leave-one-out probability integral transforms and the points they are of.

    Importance weights 1 / p(y_i | draw), truncated at sqrt(draws) times their mean (Ionides 2008).

    Parameters
    ----------
    y : array, shape (n,)
        Sorted data; of many, evenly spaced ones are taken.
    draws : Mixture, batch shape (chain, draw)
    step : float
        The rounding step, 0 without.
    """
    flat = thinned(draws, MOST_LOO_DRAWS)
    chosen = np.unique(np.linspace(0, y.size - 1, min(y.size, MOST_LOO_POINTS)).astype(int))
    points = y[chosen]
    below = transforms(points, flat, step)[0]
    log_weight = -flat.log_density(points)
    weight = np.exp(log_weight - log_weight.max(axis=0))
    weight = np.minimum(weight, np.sqrt(len(weight)) * weight.mean(axis=0))
    return np.sum(weight * below, axis=0) / weight.sum(axis=0), points


def _tails(points: Array, draws: Mixture) -> tuple[Array, Array]:
    z = (points[:, None] - draws.mu[:, None]) / draws.sigma[:, None]
    w = draws.w[:, None]
    return np.sum(w * ndtr(z), axis=-1), np.sum(w * ndtr(-z), axis=-1)


def _kolmogorov(y: Array, below: Array) -> Check:
    n = y.size
    grid = np.arange(n) / n
    difference = np.maximum(below - grid, grid + 1 / n - below)
    distance = kolmogorov_smirnov(below)
    p = stats.kstwo.sf(distance, n)
    return Check(
        float(distance.mean()), float(p.mean()), float(y[difference.mean(axis=0).argmax()])
    )


def _anderson(y: Array, below: Array, above: Array) -> Check:
    n = y.size
    statistic = anderson_darling(below, above)
    difference = np.abs(below - (np.arange(n) + 0.5) / n) / np.sqrt(
        np.maximum(below * above, LEAST)
    )
    p = 1 - anderson_darling_cdf(statistic)
    return Check(
        float(statistic.mean()), float(p.mean()), float(y[difference.mean(axis=0).argmax()])
    )


def _extreme(y: Array, below: Array, above: Array) -> Check:
    tail = np.minimum(2 * np.minimum(below, above), 1.0)
    smallest = tail.min(axis=1)
    p = -np.expm1(y.size * np.log1p(-np.minimum(smallest, 1 - 1e-16)))
    at = np.bincount(tail.argmin(axis=1)).argmax()
    return Check(float(smallest.mean()), float(p.mean()), float(y[at]))


def kolmogorov_smirnov(below: Array) -> Array:
    """Largest distance from the uniform distribution, along the last axis of sorted values."""
    n = below.shape[-1]
    grid = np.arange(n) / n
    return np.maximum(below - grid, grid + 1 / n - below).max(axis=-1)


def anderson_darling(below: Array, above: Array) -> Array:
    """Anderson-Darling statistic of sorted values F, given F and 1 - F along the last axis."""
    n = below.shape[-1]
    rank = 2 * np.arange(1, n + 1) - 1
    terms = np.log(np.maximum(below, LEAST)) + np.log(np.maximum(above[..., ::-1], LEAST))
    return -n - np.sum(rank * terms, axis=-1) / n


def anderson_darling_cdf(statistic: Array) -> Array:
    """Limiting distribution of the Anderson-Darling statistic of a uniform sample.

    References
    ----------
    Marsaglia & Marsaglia (2004), Journal of Statistical Software 9(2), function ``adinf``.
    """
    z = np.maximum(np.asarray(statistic, dtype=np.float64), 1e-3)
    low = (2.00012, 0.247105, -0.0649821, 0.0347962, -0.0116720, 0.00168691)
    high = (1.0776, -2.30695, 0.43424, -0.082433, 0.008056, -0.0003146)
    small, large = np.minimum(z, 2.0), np.maximum(z, 2.0)
    below = np.exp(-1.2337141 / small) / np.sqrt(small) * np.polynomial.Polynomial(low)(small)
    with np.errstate(over="ignore"):
        above = np.exp(-np.exp(np.polynomial.Polynomial(high)(np.minimum(large, 50.0))))
    return np.where(z < 2, below, above)
