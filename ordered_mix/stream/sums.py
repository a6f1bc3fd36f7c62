"""What is summed over the blocks of one part: of the first pass, and of every later one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ordered_mix.files.blocks import Block
from ordered_mix.mixture import Array
from ordered_mix.passes import kernels

FARTHEST = 1e150
AT_ONCE = 1 << 18
"""Points that are summed at once: 2 MB, which stay in a processor's cache."""


class Summary(NamedTuple):
    """What the first pass finds: of a block, of a part or of all data.

    Parameters
    ----------
    rows : int
        Number of points.
    weight : float
        Their total weight.
    low, high : float
        Smallest and largest point of positive weight.
    center : float
        A point of reference near the mean.
    first, second : float
        Weighted sums of the deviations from it, and of their squares.
    """

    rows: int
    weight: float
    low: float
    high: float
    center: float
    first: float
    second: float

    @property
    def location(self) -> float:
        """Weighted mean."""
        return self.center + self.first / self.weight

    @property
    def scale(self) -> float:
        """Weighted standard deviation (divisor: total weight)."""
        mean = self.first / self.weight
        variance = self.second / self.weight - mean * mean
        return math.sqrt(max(variance, 0.0)) if self.high > self.low else 0.0


def summarise(blocks: Iterable[Block]) -> Summary | None:
    """The first pass over the blocks of a part; None if it has no points of positive weight."""
    return joined([_of_points(*part) for block in blocks for part in _pieces(block)])


def joined(found: Sequence[Summary]) -> Summary | None:
    """One summary of several, with sums that are rounded once.

    Deviations are from the mean of all, so that their squares do not cancel (Chan, Golub & LeVeque
    1983, American Statistician 37, 242-247).
    """
    weighty = [one for one in found if one.weight > 0]
    if not weighty:
        return None
    weight = math.fsum(one.weight for one in weighty)
    origin = weighty[0].center
    offset = math.fsum(one.weight * (one.center - origin) + one.first for one in weighty) / weight
    center = origin + offset
    moved = [one.center - center for one in weighty]
    pairs = list(zip(weighty, moved, strict=True))
    return Summary(
        sum(one.rows for one in found),
        weight,
        min(one.low for one in weighty),
        max(one.high for one in weighty),
        center,
        math.fsum(term for one, by in pairs for term in (one.first, one.weight * by)),
        math.fsum(
            term
            for one, by in pairs
            for term in (one.second, 2 * by * one.first, one.weight * by * by)
        ),
    )


def _pieces(block: Block) -> Iterator[Block]:
    """Parts of a block that stay in a processor's cache."""
    y, weight = block
    for start in range(0, y.size, AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        yield Block(y[rows], None if weight is None else weight[rows])


def _of_points(y: Array, weight: Array | None) -> Summary:
    rows = y.size
    if weight is not None:
        y, weight = y[weight > 0], weight[weight > 0]
    if not y.size:
        return Summary(rows, 0.0, np.inf, -np.inf, 0.0, 0.0, 0.0)
    low, high = float(y.min()), float(y.max())
    if not max(abs(low), abs(high)) <= FARTHEST:
        raise ValueError(
            f"data must lie between {-FARTHEST:g} and {FARTHEST:g}, they go from {low:g} to "
            f"{high:g}: give them in another unit"
        )
    # squares about the middle cancel where points are far from it
    center = min(max(float(np.average(y, weights=weight)), low), high)
    deviation = y - center
    weighted = deviation if weight is None else weight * deviation
    total = float(rows) if weight is None else float(weight.sum())
    return Summary(
        rows, total, low, high, center, float(weighted.sum()), float(weighted @ deviation)
    )


def pass_sums(
    blocks: Iterable[Block], location: float, scale: float, w: Array, mu: Array, sigma: Array
) -> Array | None:
    """Sums of one pass over the blocks of a part; None if it has no points.

    Parameters
    ----------
    blocks : iterable of Block
    location, scale : float
        What points are standardised by.
    w, mu, sigma : array, shape (runs, k)

    Returns
    -------
    array, shape (runs, 1 + 3 k)
        Log likelihood, then s0, s1 and s2 of `Moments`, of the standardised points.
    """
    found, work = [], np.empty(AT_ONCE)
    rows = np.zeros(len(mu), dtype=np.intp)
    for block in blocks:
        for y, weight in _pieces(block):
            points = np.subtract(y, location, out=work[: y.size])
            points *= 1 / scale
            of_runs = None if weight is None else weight[None]
            moments = kernels.e_step(points[None], w, mu, sigma, of_runs, rows=rows)
            found.append(np.column_stack(moments))
    return rounded_once(found) if found else None


def rounded_once(terms: Sequence[Array]) -> Array:
    """The sum of arrays, each entry rounded once, so that the order does not matter."""
    stacked = np.stack(terms)
    if len(terms) == 1 or not np.isfinite(stacked).all():
        with np.errstate(invalid="ignore"):
            return stacked.sum(axis=0)
    flat = stacked.reshape(len(terms), -1).T.tolist()
    return np.array([math.fsum(column) for column in flat]).reshape(stacked.shape[1:])
