"""Truths that several studies share, and the data sets that come from them."""

from __future__ import annotations

import numpy as np

from ordered_mix.data import Data, simulate
from ordered_mix.mixture import Mixture
from ordered_mix.study.grid import seed_of


def two_normals(separation: float, weight: float = 0.5) -> Mixture:
    """Two components of scale 1 at plus and minus half the separation; `weight` of the lower."""
    ends = np.array([-separation / 2, separation / 2])
    return Mixture(np.array([weight, 1 - weight]), ends, np.ones(2))


def shared_data(separation: float, n: int, replicate: int) -> Data:
    """The data of equal weights that all cells of a separation, n and replicate share."""
    seed = seed_of("data", separation=separation, n=n, replicate=replicate)
    return simulate(two_normals(separation), n, seed)
