"""What is known of a reference posterior: numbers of a mixture that no relabelling changes."""

from __future__ import annotations

import numpy as np

from ordered_mix.mixture import Array, Mixture
from ordered_mix.references.definition import Definition

DECILES = np.linspace(0.1, 0.9, 9)
BLOCK = 4_000_000


def functionals(definition: Definition, draws: Mixture) -> dict[str, Array]:
    """Every functional of every draw.

    Mean, variance and density of the mixture at the deciles of the data, the log likelihood of the
    data, the largest weight and the smallest standard deviation where they are not known, and
    whether so many component means lie above the split.

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
    found = {"mean": flat.mean(), "variance": flat.sd() ** 2}
    at = np.quantile(definition.data.y, DECILES)
    density = flat.density(at)
    found |= {f"density_{i + 1}": density[:, i] for i in range(len(at))}
    found["log_likelihood"] = log_likelihood(definition.data.y, flat)
    if definition.prior.known_w is None:
        found["largest_weight"] = flat.w.max(axis=-1)
    if definition.prior.known_sigma is None:
        found["smallest_sd"] = flat.sigma.min(axis=-1)
    if definition.split is not None:
        above = np.sum(flat.mu > definition.split, axis=-1)
        found |= {f"above_{j}": (above == j).astype(float) for j in range(definition.k + 1)}
    return {name: values.reshape(draws.batch_shape) for name, values in found.items()}


def log_likelihood(y: Array, draws: Mixture) -> Array:
    """Log likelihood of the points in plain numpy: the compiled pass takes no part in it.

    Parameters
    ----------
    y : array, shape (n,)
    draws : Mixture, batch shape (draw,)
    """
    step = max(1, BLOCK // (y.size * draws.k))
    starts = range(0, draws.batch_shape[0], step)
    return np.concatenate([draws[i : i + step].log_density(y).sum(axis=-1) for i in starts])
