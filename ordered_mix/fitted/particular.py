"""What is particular about the data, in sentences: codes, mistakes, spikes, edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ordered_mix.arrays import rounding
from ordered_mix.data import Data
from ordered_mix.mixture import Array

FEWEST = 10  # points, below which nothing is far from the others
MOST_VALUES, COUNT = 12, 10
SPIKE, HEAPED, POSITIVE = 0.05, 0.3, 6
LEAST_TOP, SHARE, EDGE = 25, 0.05, 0.4


def particular(data: Data) -> list[str]:
    """Sentences on what a mixture of normals is no answer to.

    Parameters
    ----------
    data : Data
        One sample.
    """
    found = []
    if far := far_values(data):
        found.append(
            f"Far from all other values: {far}. Is that a mistake or a code? If so, "
            f"--where '{the_rest(data)}' fits the rest."
        )
    values, counts = np.unique(data.y, return_counts=True)
    if values.size <= MOST_VALUES and data.n >= COUNT * values.size:
        listed = ", ".join(f"{value:.10g}" for value in values)
        found.append(
            f"The data hold {values.size} different values only ({listed}). If they are counts or "
            "codes of categories, how often each is there says more than a mixture of normals."
        )
    elif spike := _spike(values, counts):
        limit = " or a limit of detection" if spike[0] in (values[0], values[-1]) else ""
        found.append(
            f"{spike[0]:.10g} is there {times(spike[1], data.n)} times, no other value a fifth as "
            f"often. If it is a code{limit}, --where 'COLUMN!={spike[0]:.10g}' fits the rest."
        )
    elif heap := _heaped(values, counts):
        found.append(
            f"{heap[1]:.0%} of the values are multiples of {heap[0]:.10g}, where even digits would "
            "give 10%: part of them are rounded, and a narrow component may sit on one of these."
        )
    return found


def normal_logarithms(data: Data, bic: float) -> str:
    """A sentence if one normal for the logarithms of the data is better than the mixture.

    By 6 in BIC ("positive evidence", Kass & Raftery 1995, section 3.2), and better than one normal
    for the data, too.

    Parameters
    ----------
    data : Data
        One sample.
    bic : float
        The smallest BIC of the mixtures.
    """
    y = data.y
    if y.min() <= 0:
        return ""
    logs = np.log(y)
    spread = 2 * np.log(data.n) + data.n * (1 + np.log(2 * np.pi))
    of_logs = spread + data.n * np.log(logs.var()) + 2 * logs.sum()
    of_data = spread + data.n * np.log(y.var())
    if not of_logs < np.fmin(bic, of_data) - POSITIVE:
        return ""
    return (
        f"One normal for the logarithms of these data has a smaller BIC ({of_logs:.1f}): a column "
        "of logarithms may be what to fit."
    )


def far_values(data: Data) -> str:
    """A few values at one end that are far from all others, with their counts; else empty.

    At most one in twenty of ten points or more, beyond a gap of more than three times the range
    of the others.
    """
    far = np.unique(_far(data)[0]).tolist()
    return ", ".join(
        f"{value:.10g} ({times(int(np.sum(data.y == value)), data.n)})" for value in far[:3]
    )


def the_rest(data: Data) -> str:
    """What --where keeps of data that have far values."""
    far, nearest = _far(data)
    above = bool(far[0] > nearest)
    middle = (nearest + (far.min() if above else far.max())) / 2
    return f"COLUMN{'<' if above else '>'}{middle:.10g}"


def _far(data: Data) -> tuple[Array, float]:
    """Values beyond the gap, none or those at one end, and the nearest of the others."""
    y = np.sort(data.y)
    few = max(1, data.n // 20)
    gaps = np.diff(y)
    for ends, inner in ((slice(0, few), slice(None)), (slice(-few, None), slice(None, None, -1))):
        part = gaps[ends][inner]
        if y.size < FEWEST:
            break
        beyond = int(part.argmax()) + 1
        rest = y[inner][beyond:]
        if part.max() > 3 * np.ptp(rest) > 0:
            return y[inner][:beyond], float(rest[0])
    return np.empty(0), np.nan


def edges(data: Data) -> list[float]:
    """The ends at which the density of the data seems to break off.

    Exceedances over a high order statistic have a mean of half the largest one where the density
    ends at a positive value, and of less where it falls off: a generalised Pareto law of shape -1
    against shapes near 0 (Pickands 1975, Annals of Statistics 3, 119-131). It is asked where the
    mixture fails: in 1,000 simulations each 4.5% of the ends of 300 normal points looked like that,
    7% of those of two normals 4 sd apart, 17% of theirs at 100 points and .2% at 1,000; of uniform
    points 95% and more. Tied data have none.
    """
    y = np.sort(data.y)
    top = max(LEAST_TOP, int(SHARE * y.size))
    if y.size < 4 * top or np.unique(y).size < 0.9 * y.size:
        return []
    found = []
    for end, ordered in ((y[0], -y[::-1]), (y[-1], y)):
        beyond = ordered[-top:] - ordered[-top - 1]
        if beyond[:-1].mean() > EDGE * beyond[-1]:
            found.append(float(end))
    return found


def times(count: int, n: int) -> str:
    """How often a value is there."""
    return "once" if count == 1 else f"{count} of {n}"


def _heaped(values: Array, counts: NDArray[np.int64]) -> tuple[float, float] | None:
    """Ten rounding steps, and the share of the values that are multiples of it, if large."""
    step = rounding(np.repeat(values, np.minimum(counts, 2)))
    if not step or values.size <= MOST_VALUES:
        return None
    tens = values / (10 * step)
    share = float(counts[np.abs(tens - np.round(tens)) < 0.01].sum() / counts.sum())
    often = share > HEAPED and counts.sum() * share >= FEWEST
    return (10 * step, share) if often else None


def _spike(values: Array, counts: NDArray[np.int64]) -> tuple[float, int] | None:
    """A value that is there often, and five times as often as any other."""
    if values.size < 2:
        return None
    second, most = np.argsort(counts, kind="stable")[-2:]
    often = counts[most] >= max(FEWEST, SPIKE * counts.sum()) and counts[most] >= 5 * counts[second]
    return (float(values[most]), int(counts[most])) if often else None
