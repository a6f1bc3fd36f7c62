"""Truths that several studies share, and the data sets that come from them."""

from __future__ import annotations

import numpy as np

from ordered_mix.data import Data, simulate
from ordered_mix.estimators.loop.initial import initial_mixtures
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


def shared_problem(
    separation: float, weight: float, n: int, replicate: int, chains: int
) -> tuple[Data, Mixture]:
    """Data of two components at 0 and the separation, and random starts, of all contenders."""
    shared = {"separation": separation, "weight": weight, "n": n, "k": 2, "replicate": replicate}
    truth = Mixture([weight, 1 - weight], [0.0, separation], np.ones(2))
    data = simulate(truth, n, seed_of("data", **shared))
    return data, initial_mixtures(data, 2, chains, "random", seed_of("starts", **shared))


def row_of_normals(d: int, k: int, separation: float, correlation: float) -> Mixture:
    """Equal components in d dimensions whose means differ in the first coordinate only.

    Neighbours are the separation apart in Mahalanobis' distance. The first two coordinates have
    the correlation; the last is twice as wide as the first, over all components.
    """
    gap = separation * np.sqrt(1 - correlation**2)
    mu = np.zeros((k, d))
    mu[:, 0] = gap * (np.arange(k) - (k - 1) / 2)
    covariance = np.eye(d)
    if d == 1:
        mu *= separation / gap
    else:
        covariance[0, 1] = covariance[1, 0] = correlation
        scale = np.ones(d)
        scale[-1] = 2 * np.sqrt(1 + mu[:, 0].var())
        covariance *= np.outer(scale, scale)
    return Mixture(np.full(k, 1 / k), mu, covariance=covariance)


def starts_near(truth: Mixture, count: int, rng: np.random.Generator) -> Mixture:
    """Starts at a mixture of points, means moved by a third of a standard deviation."""
    moved = rng.standard_normal((count, truth.k, truth.d, 1)) / 3
    mu = truth.mu + (truth.root @ moved)[..., 0]
    return Mixture(truth.w, mu, covariance=truth.covariance)
