"""Separated components of unit scale on the line and in the plane, and fits of their means.

Populations are fine grids weighted by the true density; fitted components weigh the same and have
unit scales, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data, population
from ordered_mix.mixture import Mixture
from ordered_mix.theory.minima import Structure, approximation_error, shared_mass, structure
from ordered_mix.theory.polish import Minimum

Array = NDArray[np.float64]

STEPS = (0.02, 0.04)
PLANE_STEPS = (0.25, 0.4)
REACH = 7.5
"""How far from every component a point of the plane counts, in standard deviations."""


def true_means(arrangement: str, true: int, separation: float) -> Array:
    """Means (true, d), neighbours one separation apart; on the line or in the plane."""
    if arrangement == "line":
        return np.asarray(
            separation * (np.arange(true) - (true - 1) / 2)[:, None], dtype=np.float64
        )
    angles = 2 * np.pi * np.arange(true) / true + np.pi / 2
    radius = separation / (2 * np.sin(np.pi / true))
    return np.asarray(radius * np.column_stack([np.cos(angles), np.sin(angles)]))


def truth_of(arrangement: str, true: int, separation: float, weight: float = 1.0) -> Mixture:
    """The true mixture; the first component weighs `weight` times each of the others."""
    w = np.append(weight, np.ones(true - 1))
    means = true_means(arrangement, true, separation)
    return Mixture(w / w.sum(), means, covariance=np.eye(means.shape[1]))


def flat(mixture: Mixture) -> Mixture:
    """A mixture of one dimension as a univariate one."""
    return Mixture(mixture.w, mixture.mu[..., 0], np.sqrt(mixture.covariance[..., 0, 0]))


def grid_of(truth: Mixture, step: float) -> Data:
    """The population; in the plane only grid points that any component reaches."""
    if truth.d == 1:
        return population(flat(truth), step)
    low, high = truth.mu.min(axis=0) - 8, truth.mu.max(axis=0) + 8
    axes = [np.arange(a, b, step) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, truth.d)
    squares = ((points[:, None] - truth.mu) ** 2).sum(axis=2).min(axis=1)
    points = points[squares < REACH**2]
    density = np.exp(truth.log_density(points))
    return Data.of_points(points, density / density.sum(), name="population")


def steps_of(truth: Mixture) -> tuple[float, float]:
    """Steps of the fine and of the coarse grid."""
    return STEPS if truth.d == 1 else PLANE_STEPS


def points_of(data: Data) -> Array:
    """Points (n, d)."""
    return data.y if data.event_shape else data.y[:, None]


def classify(truth: Mixture, means: Array) -> Structure:
    """The structure of fitted means of equal weight, on the population of the truth."""
    data = grid_of(truth, steps_of(truth)[1])
    points, weight = points_of(data), np.asarray(data.weight)
    fitted = Mixture(np.full(len(means), 1 / len(means)), means, covariance=np.eye(truth.d))
    mass = shared_mass(fitted.responsibilities(points), truth.responsibilities(points), weight)
    return structure(mass)


def describe(truth: Mixture, one: Minimum) -> dict[str, Any]:
    """Certificate and structure of a stationary point, and its means as text.

    Spaces part the means, commas their coordinates.
    """
    found = classify(truth, one.mu)
    ordered = one.mu[np.lexsort(one.mu.T[::-1])]
    return {
        "certified": one.certified,
        "gradient_norm": one.gradient_norm,
        "smallest_eigenvalue": one.smallest_eigenvalue,
        "pattern": found.pattern,
        "structure": found.holds,
        "exact": found.exact,
        "approximation_error": approximation_error(found, one.mu, truth.mu, truth.w),
        "means": " ".join(",".join(f"{value:.9g}" for value in mean) for mean in ordered),
    }
