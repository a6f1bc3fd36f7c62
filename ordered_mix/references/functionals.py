"""What is known of a reference posterior: numbers of a mixture that no relabelling changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ordered_mix.mixture import Array
from ordered_mix.references.definition import Definition

DECILES = np.linspace(0.1, 0.9, 9)
BLOCK = 200_000  # of numbers: what they take fits a processor's cache


def functionals(definition: Definition, draws: Any) -> dict[str, Array]:
    """Every functional of every draw.

    Mean, variance and density of the mixture at the deciles of the data, the log likelihood of the
    data, the largest weight and the smallest standard deviation where they are not known, and
    whether so many component means lie above the split. In several dimensions the mean and the
    covariance by columns, the log density at nine `landmarks`, the smallest log determinant of a
    covariance in the place of the smallest standard deviation, and means above in the first column.

    Parameters
    ----------
    definition : Definition
    draws : Mixture, any batch shape
        In the units of the data.

    Returns
    -------
    dict of str to ndarray
        Each of the batch shape.
    """
    flat = draws.reshape(-1)
    found = _of_points(definition, flat) if definition.d > 1 else _of_numbers(definition, flat)
    if definition.split is not None:
        along = flat.mu if definition.d == 1 else flat.mu[..., 0]
        above = np.sum(along > definition.split, axis=-1)
        found |= {f"above_{j}": (above == j).astype(float) for j in range(definition.k + 1)}
    return {name: values.reshape(draws.batch_shape) for name, values in found.items()}


def landmarks(y: Array) -> Array:
    """Nine points of the data, shape (9, d): those of the ranks of the deciles.

    They are ordered by the first column, ties by the next ones; the rank is round(n i / 10).

    Parameters
    ----------
    y : array, shape (n, d)
    """
    ranks = np.round(DECILES * len(y)).astype(int) - 1
    return y[np.lexsort(y.T[::-1])[ranks]]


def log_likelihood(y: Array, draws: Any) -> Array:
    """Log likelihood of the points in plain numpy: the compiled pass takes no part in it.

    Parameters
    ----------
    y : array, shape (n,) or (n, d)
    draws : Mixture, batch shape (draw,)
    """
    step = max(1, BLOCK // (y.size * draws.k))
    starts = range(0, draws.batch_shape[0], step)
    return np.concatenate([draws[i : i + step].log_density(y).sum(axis=-1) for i in starts])


def _of_numbers(definition: Definition, flat: Any) -> dict[str, Array]:
    found = {"mean": flat.mean(), "variance": flat.sd() ** 2}
    at = np.quantile(definition.data.y, DECILES)
    density = flat.density(at)
    found |= {f"density_{i + 1}": density[:, i] for i in range(len(at))}
    found["log_likelihood"] = log_likelihood(definition.data.y, flat)
    if definition.prior.known_w is None:
        found["largest_weight"] = flat.w.max(axis=-1)
    if definition.prior.known_sigma is None:
        found["smallest_sd"] = flat.sigma.min(axis=-1)
    return found


def _of_points(definition: Definition, flat: Any) -> dict[str, Array]:
    y, mean, covariance = definition.data.y, flat.mean(), flat.total_covariance()
    found = {f"mean_{i + 1}": mean[:, i] for i in range(definition.d)}
    found |= {f"covariance_{i + 1}_{j + 1}": covariance[:, i, j]
              for i in range(definition.d) for j in range(i + 1)}  # fmt: skip
    heights = flat.log_density(landmarks(y))
    found |= {f"log_density_{i + 1}": heights[:, i] for i in range(len(DECILES))}
    found["log_likelihood"] = log_likelihood(y, flat)
    found["largest_weight"] = flat.w.max(axis=-1)
    found["smallest_log_det"] = np.linalg.slogdet(flat.covariance)[1].min(axis=-1)
    return found
