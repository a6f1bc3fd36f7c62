"""A sample as weighted points on a grid, with a bound on what that does to its log likelihood."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.files.blocks import Block
from ordered_mix.mixture import Array, Mixture
from ordered_mix.stream.stream import Stream

BINS_A_SCALE, MOST_BINS = 256, 1 << 17
REACH = 12.0
"""How far the grid goes from the mean, in standard deviations; points beyond stay as they are."""
MOST_BEYOND = 100_000
ORDERS = 5
ROUNDING = 1e-15


class Grid(NamedTuple):
    """Bins of one width from a lowest point."""

    low: float
    width: float
    bins: int


@dataclass(frozen=True, eq=False)
class Binned:
    """Two weighted points for each bin, which have its first four moments, 0 to 3.

    They are the nodes of the Gauss rule of the points of the bin. With l the log density of a
    mixture, the log likelihood of the nodes differs from that of the points by
    ``sum_j G_j l''''(x_j) / 24`` with x_j somewhere in bin j and G_j the sum over its points of
    ``(y - a_j)^2 (y - b_j)^2``, a_j and b_j the nodes (Davis & Rabinowitz 1984, Methods of
    Numerical Integration, section 2.7): about ``n width^4 / 4320`` times the fourth derivative.

    Parameters
    ----------
    data : Data
        The nodes, weighted.
    width : float
        Of a bin.
    centers : array, shape (bins,)
        Those of the bins with points in the grid.
    fourth : array, shape (bins,)
        G_j.
    """

    data: Data
    width: float
    centers: Array
    fourth: Array

    def bound(self, mixture: Mixture) -> Array:
        """How far the log likelihood of mixtures may be off, rounding aside; shape (...).

        With r the responsibilities at a point, s_k and -c_k the first two derivatives of
        ``log Normal(y | mu_k, sigma_k)``, ``l'''' = 3 Var(c) - 6 E[(c - Ec) (s - Es)^2] + k4(s)``
        under r. Over a bin with R and C the largest differences of s and c among components it is
        at most ``3 Var(c) + (6 C + R^2) Var(s)``; products r_k r_l grow from the center by
        ``exp(R width)`` at most.
        """
        flat = mixture.reshape(-1)
        found = [self._bound(flat[index]) for index in range(flat.batch_shape[0])]
        return np.array(found).reshape(mixture.batch_shape)

    def _bound(self, mixture: Mixture) -> float:
        precision = mixture.sigma**-2.0
        ends = self.centers[:, None] + self.width / 2 * np.array([-1.0, 1.0])
        slopes = (mixture.mu - ends[..., None]) * precision
        spread = np.ptp(slopes, axis=-1).max(axis=-1)
        terms = mixture.log_components(self.centers)
        logs = terms - np.logaddexp.reduce(terms, axis=-1)[:, None]
        variance_s, variance_c = np.zeros(spread.shape), np.zeros(spread.shape)
        for k, l in zip(*np.triu_indices(mixture.k, 1), strict=True):  # noqa: E741
            both = np.minimum(logs[:, k] + logs[:, l] + spread * self.width, np.log(0.25))
            difference = np.abs(slopes[..., k] - slopes[..., l]).max(axis=-1)
            variance_s += np.exp(both) * difference**2
            variance_c += np.exp(both) * (precision[k] - precision[l]) ** 2
        variance_s = np.minimum(variance_s, spread**2 / 4)
        fourth = 3 * variance_c + (6 * np.ptp(precision) + spread**2) * variance_s
        return float(self.fourth @ fourth / 24)


def binned(data: Stream | Data, width: float | None = None) -> Binned:
    """Weighted points that stand for a sample, by one pass.

    Parameters
    ----------
    data : Stream or Data
        One sample.
    width : float, optional
        Of a bin, in the units of the data; by default their standard deviation over 256. It should
        be small against the smallest scale of a mixture, which `Binned.bound` measures.

    Raises
    ------
    ValueError
        If the data are constant or a batch, the width is not positive, or more than 100,000 points
        lie more than twelve standard deviations from the mean.
    """
    if data.batch_shape or not data.scale > 0:
        raise ValueError(f"data must be one sample that is not constant, {data!r} is not")
    if width is not None and not 0 < width < np.inf:
        raise ValueError(f"width must be positive and finite, got {width}")
    grid = _grid(data, width)
    if isinstance(data, Stream):
        found = data.over(_counted, *data.units, grid)
    else:
        found = iter([_counted([Block(data.y, data.weight)], 0.0, 1.0, grid)])
    sums, beyond = np.zeros((grid.bins, ORDERS)), []
    for places, of_part, outside in found:
        sums[places] += of_part
        beyond.append(outside)
        if sum(one.shape[1] for one in beyond) > MOST_BEYOND:
            raise ValueError(
                f"data must have at most {MOST_BEYOND:,} points beyond {REACH:g} standard "
                f"deviations of the mean to be put on a grid, {data.name} has more"
            )
    return _nodes(grid, sums, np.concatenate(beyond, axis=1), data.name)


def _grid(data: Stream | Data, width: float | None) -> Grid:
    location, scale = float(data.location), float(data.scale)
    low, high = location - REACH * scale, location + REACH * scale
    if isinstance(data, Stream):
        units = data.units
        low = max(low, (data.summary.low - units[0]) / units[1])
        high = min(high, (data.summary.high - units[0]) / units[1])
    else:
        low, high = max(low, float(data.y.min())), min(high, float(data.y.max()))
    width = max(width or scale / BINS_A_SCALE, (high - low) / (MOST_BINS - 1))
    return Grid(low, width, int((high - low) / width) + 1)


def _counted(
    blocks: Iterable[Block], location: float, scale: float, grid: Grid
) -> tuple[NDArray[np.int64], Array, Array]:
    """Bins that are not empty, their sums, and points with weights beyond the grid, (2, points)."""
    sums, beyond = np.zeros((grid.bins, ORDERS)), [np.empty((2, 0))]
    for y, weight in blocks:
        points = y if (location, scale) == (0.0, 1.0) else (y - location) / scale
        q = np.ones(1) if weight is None else weight
        outside = _add(np.ascontiguousarray(points), np.ascontiguousarray(q), *grid, sums)
        if outside:
            far = (points < grid.low) | (points >= grid.low + grid.width * grid.bins)
            beyond.append(np.stack([points[far], np.broadcast_to(q, y.shape)[far]]))
    places = np.flatnonzero(sums[:, 0])
    return places, sums[places], np.concatenate(beyond, axis=1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add(y, weight, low, width, bins, sums):
    """Add powers of the place within the bin, from -1/2 to 1/2; returns how many are outside."""
    outside = 0
    inverse = 1.0 / width
    for i in range(y.size):
        place = (y[i] - low) * inverse
        at = np.int64(np.floor(place)) if 0.0 <= place < bins else -1
        if at < 0:
            outside += 1
            continue
        u = place - at - 0.5
        q = weight[i] if weight.size > 1 else weight[0]
        for order in range(5):
            sums[at, order] += q
            q *= u
    return outside


def _nodes(grid: Grid, sums: Array, beyond: Array, name: str) -> Binned:
    """From the sums of powers in each bin to the Gauss rule of its points."""
    filled = np.flatnonzero(sums[:, 0] > 0)
    sums = sums[filled]
    centers = grid.low + (filled.astype(np.float64) + 0.5) * grid.width
    weight, (mean, second, third) = sums[:, 0], (sums[:, 1:4] / sums[:, :1]).T
    variance = second - mean**2
    # one point, or several that are equal up to rounding
    wide = variance > 64 * np.finfo(float).eps
    variance = np.where(wide, variance, 1.0)
    skew = np.where(wide, (third - mean * (3 * second - 2 * mean**2)) / variance, 0.0)
    root = np.sqrt(skew**2 / 4 + variance)
    left = np.where(wide, np.maximum(mean + skew / 2 - root, -0.5), mean)
    right = np.where(wide, np.minimum(mean + skew / 2 + root, 0.5), mean)
    share = np.where(wide, (right - mean) / np.where(wide, right - left, 1.0), 1.0)
    # the sum of (u - left)^2 (u - right)^2 over the points of a bin
    total, product = left + right, left * right
    of_powers = np.stack(
        [product**2, -2 * total * product, total**2 + 2 * product, -2 * total, np.ones(len(filled))]
    )
    fourth = np.abs(np.einsum("ob,bo->b", of_powers, sums)) + ROUNDING * weight
    y = np.concatenate([centers + grid.width * left, centers + grid.width * right, beyond[0]])
    counts = np.concatenate([weight * share, weight * (1 - share), beyond[1]])
    kept = counts > 0
    order = np.argsort(y[kept], kind="stable")
    data = Data(y[kept][order], counts[kept][order], name)
    return Binned(data, grid.width, centers, fourth * grid.width**4)
