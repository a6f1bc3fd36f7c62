"""Effect sizes with 95% intervals, pairs that are complete, and winners that intervals allow."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ordered_mix.study.claims import Effect
from ordered_mix.study.confidence import at_confidence, confidence

TIE = "tie"


class Winner(NamedTuple):
    """The outcome of a contest.

    Parameters
    ----------
    name : str
        The winner, or ``tie``.
    tied : tuple of str
        Those that may be the best, the one with the best average first; one alone if it wins.
    lead : dict of str to Effect
        By how much the best average exceeds each other one, simultaneous 95% intervals.
    """

    name: str
    tied: tuple[str, ...]
    lead: dict[str, Effect]


def mean(values: ArrayLike, level: float | None = None) -> Effect:
    """Mean of independent observations with Student's interval.

    Parameters
    ----------
    values : array_like
    level : float, optional
        Confidence of the interval; without, that of `confidence`.

    Raises
    ------
    ValueError
        If there are fewer than 2 values, or one is not finite.
    """
    sample = _finite(values)
    center, sd, count = float(sample.mean()), float(sample.std(ddof=1)), len(sample)
    level = confidence() if level is None else level
    reach = float(stats.t.ppf((1 + level) / 2, count - 1)) * sd / np.sqrt(count)
    return Effect(center, center - reach, center + reach, count)


def paired_ratio(first: ArrayLike, second: ArrayLike) -> Effect:
    """Geometric mean of first / second over pairs, Student's interval on the log scale.

    Raises
    ------
    ValueError
        If the lengths differ, there are fewer than 2 pairs, or a value is not positive and finite.
    """
    top, bottom = _finite(first), _finite(second)
    if len(top) != len(bottom):
        raise ValueError(f"first and second must be pairs, got {len(top)} and {len(bottom)}")
    if min(top.min(), bottom.min()) <= 0:
        raise ValueError("first and second must be positive to have a ratio")
    return from_logs(mean(np.log(top) - np.log(bottom)))


def from_logs(logs: Effect) -> Effect:
    """The ratio whose logarithm an effect is."""
    estimate, low, high = np.exp(logs[:3]).tolist()
    return Effect(estimate, low, high, logs.observations)


def geometric_mean(ratios: pd.Series, unit: str) -> Effect:
    """Geometric mean over units, those of a unit averaged first; every unit is complete.

    Parameters
    ----------
    ratios : Series
        Positive numbers; its index names the unit of each.
    unit : str
        The level of the index whose values are independent.

    Raises
    ------
    ValueError
        If there is none, or a unit lacks one.
    """
    logs = np.log(ratios).groupby(unit)
    counts = logs.agg(["size", "count"])
    if counts.empty or (counts.to_numpy() != counts["size"].max()).any():
        raise ValueError("table must hold every run of every data set, it does not")
    return from_logs(mean(logs.mean()))


def less(effect: Effect, number: float) -> Effect:
    """By how much an effect exceeds a number."""
    estimate, low, high, count = effect
    return Effect(estimate - number, low - number, high - number, count)


def extreme(samples: Iterable[ArrayLike], pick: Callable[[Sequence[float]], float]) -> Effect:
    """The largest or the least of several means; their intervals hold together in 95%.

    Parameters
    ----------
    samples : iterable of array
        Independent observations of each.
    pick : callable
        `max` or `min`.

    Raises
    ------
    ValueError
        If there is no sample, or `mean` raises for one.

    Notes
    -----
    Bonferroni: where every interval holds its mean, the largest mean lies between the largest of
    the lower ends and the largest of the upper ends.
    """
    values = list(samples)
    if not values:
        raise ValueError("samples must hold at least one, got none")
    level = 1 - (1 - confidence()) / len(values)
    estimates, lows, highs, counts = zip(*(mean(one, level) for one in values), strict=True)
    return Effect(pick(estimates), pick(lows), pick(highs), min(counts))


def furthest(samples: Iterable[ArrayLike]) -> Effect:
    """The largest distance of several means from 0; their intervals hold together in 95%.

    Parameters
    ----------
    samples : iterable of array
        Independent observations of each.

    Raises
    ------
    ValueError
        If there is no sample, or `mean` raises for one.
    """
    values = list(samples)
    if not values:
        raise ValueError("samples must hold at least one, got none")
    level = 1 - (1 - confidence()) / len(values)
    found = [mean(one, level) for one in values]
    size, reach = np.array([(abs(one.estimate), one.high - one.estimate) for one in found]).T
    low, high = np.maximum(size - reach, 0.0).max(), (size + reach).max()
    count = min(one.observations for one in found)
    return Effect(float(size.max()), float(low), float(high), count)


def rows_of(table: pd.DataFrame, columns: Sequence[str] = (), **where: Any) -> pd.DataFrame:
    """Rows of a table with these values; columns that it lacks are there, and empty.

    Parameters
    ----------
    table : DataFrame
        Tidy rows.
    columns : sequence of str
        Columns that are used, which a table without the cells that fill them lacks.
    **where
        The value wanted in a column, or a tuple of those that will do.
    """
    rows = table
    for name, value in where.items():
        rows = rows[rows[name].isin(value) if isinstance(value, tuple) else rows[name] == value]
    return rows.assign(**{name: np.nan for name in columns if name not in rows})


def paired(
    rows: pd.DataFrame, by: str, names: Sequence[Any], value: str, units: Sequence[str]
) -> pd.DataFrame:
    """One column for each contender and one row for each unit, nothing missing.

    Parameters
    ----------
    rows : DataFrame
        Tidy rows; units are those of all contenders in it, also of ones that are not named.
    by : str
        Column that names the contender.
    names : sequence
        The contenders wanted.
    value : str
        Column with the measure.
    units : sequence of str
        Columns that make a unit, such as a data set.

    Raises
    ------
    ValueError
        If a contender has no rows at all, or some unit lacks one, as after a failure.
    """
    absent = [str(name) for name in names if name not in set(rows[by])]
    if absent:
        raise ValueError(f"the table holds no such runs of {', '.join(absent)}")
    wide = rows.pivot(index=list(units), columns=by, values=value)[list(names)]
    lost = int(wide.isna().any(axis=1).sum())
    if lost:
        raise ValueError(f"{lost} of {len(wide)} data sets have no {value} for every {by}")
    return wide


def share(successes: ArrayLike) -> Effect:
    """Share of successes among independent trials, the exact interval of Clopper and Pearson.

    Raises
    ------
    ValueError
        If there are no trials.
    """
    trials = np.asarray(successes, dtype=bool).ravel()
    if not trials.size:
        raise ValueError("successes must hold at least one trial, got none")
    result = stats.binomtest(int(trials.sum()), trials.size)
    low, high = result.proportion_ci(confidence(), method="exact")
    return Effect(float(result.statistic), float(low), float(high), trials.size)


def extreme_share(samples: Iterable[ArrayLike], pick: Callable[..., Any]) -> Effect:
    """The largest or the least of several shares; their exact intervals hold together in 95%.

    Parameters
    ----------
    samples : iterable of array of bool
        Independent trials of each.
    pick : callable
        `numpy.max` or `numpy.min`.

    Raises
    ------
    ValueError
        If there is no sample, or one holds no trial.
    """
    trials = [np.asarray(one, dtype=bool).ravel() for one in samples]
    if not trials:
        raise ValueError("samples must hold at least one, got none")
    with at_confidence(1 - (1 - confidence()) / len(trials)):
        found = np.array([share(one)[:3] for one in trials])
    estimate, low, high = pick(found, axis=0).tolist()
    return Effect(estimate, low, high, min(map(len, trials)))


def difference_of_shares(first: ArrayLike, second: ArrayLike) -> Effect:
    """Share of successes of one less that of another on the same units, by those that differ.

    Parameters
    ----------
    first, second : array_like of bool, shape (units,)
        Success of each on every unit.

    Raises
    ------
    ValueError
        If the lengths differ, or there are no units.

    Notes
    -----
    McNemar's exact test, turned into an interval: given how many units differ, the number of those
    that favour the first is binomial, and its exact interval excludes 1/2 where the test decides.
    """
    one, other = (np.asarray(values, dtype=bool).ravel() for values in (first, second))
    if len(one) != len(other) or not len(one):
        raise ValueError(f"first and second must be pairs, got {len(one)} and {len(other)}")
    favour, against = int(np.sum(one & ~other)), int(np.sum(other & ~one))
    differ = favour + against
    if not differ:
        most = share(one & ~one).high
        return Effect(0.0, -most, most, len(one))
    low, high = stats.binomtest(favour, differ).proportion_ci(confidence(), method="exact")
    scale = differ / len(one)
    return Effect(
        (favour - against) / len(one), (2 * low - 1) * scale, (2 * high - 1) * scale, len(one)
    )


def median(values: ArrayLike) -> Effect:
    """Median with the interval between order statistics, which assumes no distribution.

    Raises
    ------
    ValueError
        If there are fewer than 6 values, too few for such an interval, or one is not finite.
    """
    sample = np.sort(_finite(values))
    rank = int(stats.binom.ppf((1 - confidence()) / 2, len(sample), 0.5)) - 1
    if rank < 0:
        raise ValueError(f"values must be at least 6 for a 95% interval, got {len(sample)}")
    return Effect(
        float(np.median(sample)), float(sample[rank]), float(sample[-1 - rank]), len(sample)
    )


def bootstrap(
    units: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    resamples: int = 999,
    seed: int = 1,
) -> Effect:
    """Any statistic of independent units, with the bias-corrected interval over resampled units.

    Parameters
    ----------
    units : array_like, shape (unit, ...)
        What is independent, e.g. the numbers of each replicate; they are drawn together.
    statistic : callable
        From samples of such units, shape (sample, unit, ...), to a number for each, e.g. a rank
        correlation or a slope.
    resamples, seed : int
        Number of resamples and their seed.

    Raises
    ------
    ValueError
        If there are fewer than 2 units, or the statistic is not finite in a resample.

    Notes
    -----
    Bias-corrected and accelerated (Efron 1987): percentiles of resamples alone miss where the
    statistic is biased, as a rank correlation of few units is.
    """
    values = np.asarray(units, dtype=float)
    if len(values) < 2:
        raise ValueError(f"units must be at least 2 to resample, got {len(values)}")

    def of_units(chosen: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
        places = np.moveaxis(chosen, axis, -1)
        samples = values[places.reshape(-1, places.shape[-1])]
        found = np.asarray(statistic(samples), dtype=float).reshape(places.shape[:-1])
        if not np.isfinite(found).all():
            raise ValueError("the statistic must be finite in every resample, it is not")
        return found

    places = np.arange(len(values))
    estimate = float(of_units(places, 0))
    # an interval's end far out in the tail needs resamples beyond it
    resamples = max(resamples, int(np.ceil(10 / (1 - confidence()))))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (places,), of_units, vectorized=True, n_resamples=resamples, method="BCa",
            confidence_level=confidence(), rng=np.random.default_rng(seed),
        )  # fmt: skip
    low, high = found.confidence_interval
    if not np.isfinite([low, high]).all():
        # no resample lies beyond the estimate: there is no bias to correct
        ends = [(1 - confidence()) / 2, (1 + confidence()) / 2]
        low, high = np.quantile(found.bootstrap_distribution, ends)
    return Effect(estimate, float(low), float(high), len(values))


def exact(value: float, coarse: float) -> Effect:
    """A deterministic quantity; a coarser computation moves it by the interval's reach.

    Parameters
    ----------
    value : float
        As exact as it was computed.
    coarse : float
        The same on a grid with twice the step, one step earlier on its way to a limit, or from
        twice as far off.
    """
    value, coarse = _finite([value, coarse]).tolist()
    reach = abs(value - coarse)
    return Effect(value, value - reach, value + reach)


def share_of_grid(hits: ArrayLike, coarse: ArrayLike) -> Effect:
    """Share of the points of a grid: no sample, so it has a reach in place of an interval.

    Parameters
    ----------
    hits : array_like of bool
        Whether each point of the grid is counted.
    coarse : array_like of bool
        The same for a grid of twice the step.

    Raises
    ------
    ValueError
        If there are no points.

    Notes
    -----
    The share of an area is known to one point of the grid at best.
    """
    fine, rough = (np.asarray(values, dtype=bool).ravel() for values in (hits, coarse))
    if not fine.size or not rough.size:
        raise ValueError("hits and coarse must hold at least one point, got none")
    value = float(fine.mean())
    reach = max(abs(value - float(rough.mean())), 1 / fine.size)
    return Effect(value, value - reach, value + reach)


def winner(samples: Mapping[str, ArrayLike], larger: bool = True) -> Winner:
    """The best of several contenders measured on the same units, or a tie.

    Parameters
    ----------
    samples : mapping of str to array, shape (units,)
        Paired observations, e.g. the log ESS per pass on each data set.
    larger : bool
        Whether larger is better.

    Raises
    ------
    ValueError
        If there are fewer than 2 contenders or units, or the units are not the same.

    Notes
    -----
    Bonferroni over the K - 1 others, which is enough: a wrong winner must beat the true best,
    and there are K - 1 pairs in which that can happen.
    """
    if len(samples) < 2:
        raise ValueError(f"samples must hold at least 2 contenders, got {len(samples)}")
    values = {name: _finite(sample) for name, sample in samples.items()}
    if len({len(sample) for sample in values.values()}) > 1:
        raise ValueError("samples must hold the same units for every contender")
    sign = 1 if larger else -1
    ranked = sorted(values, key=lambda name: -sign * float(values[name].mean()))
    level = 1 - (1 - confidence()) / (len(ranked) - 1)
    best = ranked[0]
    lead = {name: mean(sign * (values[best] - values[name]), level) for name in ranked[1:]}
    tied = (best, *(name for name, effect in lead.items() if effect.low <= 0))
    return Winner(best if len(tied) == 1 else TIE, tied, lead)


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=float).ravel()
    if len(sample) < 2:
        raise ValueError(f"values must be at least 2 for an interval, got {len(sample)}")
    if not np.isfinite(sample).all():
        raise ValueError(f"values must be finite, {np.sum(~np.isfinite(sample))} are not")
    return sample
