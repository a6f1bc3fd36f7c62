"""Does a mixture describe points in several dimensions? Transforms that are uniform given a draw.

Along a direction the mixture is one of numbers, and the checks are those of `draws.checks`. All
coordinates together: the conditional distribution functions of one coordinate given those before
are independent and uniform (Rosenblatt 1952), so the sum of the squares of their normal scores is
chi-squared with D degrees of freedom. For one component that is the squared Mahalanobis distance.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.special
from numpy.typing import NDArray

from ordered_mix.arrays import rounding
from ordered_mix.draws.checks import (
    FEWEST_DRAWS,
    MOST_DRAWS,
    MOST_EVALUATIONS,
    Check,
    discrepancies,
    thinned,
    transforms,
)
from ordered_mix.draws.quantities import along
from ordered_mix.mixture import Mixture

Array = NDArray[np.float64]

DISTANCE = "distance"


def checks_of_points(
    y: Array, draws: Mixture, directions: Mapping[str, Array]
) -> dict[str, dict[str, Check]]:
    """Compare points with the draws of a mixture that was fitted to them.

    Parameters
    ----------
    y : array, shape (n, d)
    draws : Mixture, batch shape (chain, draw)
    directions : mapping of str to array, shape (d,)

    Returns
    -------
    dict of str to dict of str to Check
        For each direction, and for ``distance``, the checks ``ks``, ``tails`` and ``extreme``.
        What a check of the distance is ``at`` is the number of a point, from 1.
    """
    most = int(np.clip(MOST_EVALUATIONS // y.size, FEWEST_DRAWS, MOST_DRAWS))
    flat = thinned(draws, most)
    found = {name: discrepancies(*transforms_along(y, flat, one))
             for name, one in directions.items()}  # fmt: skip
    return found | {DISTANCE: discrepancies(*transforms_of_distance(y, flat))}


def transforms_along(y: Array, draws: Mixture, direction: Array) -> tuple[Array, Array, Array]:
    """Sorted coordinates along a direction, and their transforms F and 1 - F, (draw, point)."""
    at = np.sort(y @ direction)
    return at, *transforms(at, Mixture(draws.w, *along(draws, direction)), rounding(at))


def transforms_of_distance(y: Array, draws: Mixture) -> tuple[Array, Array, Array]:
    """Numbers of the points from the nearest one on, and sorted transforms F and 1 - F."""
    squares = np.stack([squared_distance(y, draws[at]) for at in range(len(draws.w))])
    number = np.argsort(squares.mean(axis=0)).astype(np.float64) + 1
    half, freedom = 0.5 * np.sort(squares, axis=1), 0.5 * y.shape[1]
    below = scipy.special.gammainc(freedom, half)
    return number, below, scipy.special.gammaincc(freedom, half)


def squared_distance(y: Array, mixture: Mixture) -> Array:
    """Sums of squared normal scores of the conditional distributions, shape (n,).

    Under a single mixture they are independent draws of the chi-squared distribution with d
    degrees of freedom.
    """
    inverse = np.linalg.inv(mixture.root)
    white = (y - mixture.mu[:, None]) @ np.swapaxes(inverse, -1, -2)
    scale = np.log(np.diagonal(inverse, axis1=-1, axis2=-2))[:, None]
    terms = scale - 0.5 * white**2
    with np.errstate(divide="ignore"):
        before = np.cumsum(terms, axis=-1) - terms + np.log(mixture.w)[:, None, None]
    share = np.exp(before - np.logaddexp.reduce(before, axis=0))
    below, above = (np.sum(share * scipy.special.ndtr(z), axis=0) for z in (white, -white))
    nearer = np.minimum(below, above)
    return np.sum(scipy.special.ndtri(nearer) ** 2, axis=-1)
