"""Named scalars of mixtures in several dimensions: of each component, and free of labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.passes.multivariate_pass import log_density

Array = NDArray[np.float64]

NEAR = 0.1
POINTS = (0.05, 0.5, 0.95)
"""Quantiles of the first principal component at which the density is looked at."""


def quantities(mixture: Mixture, columns: Sequence[str]) -> dict[str, Array]:
    """Weights, means, standard deviations and correlations of each component, each (..., k)."""
    sigma = np.sqrt(np.diagonal(mixture.covariance, axis1=-1, axis2=-2))
    found = {"w": mixture.w}
    found |= {f"mu[{name}]": mixture.mu[..., at] for at, name in enumerate(columns)}
    found |= {f"sigma[{name}]": sigma[..., at] for at, name in enumerate(columns)}
    for row in range(mixture.d):
        for column in range(row):
            product = sigma[..., row] * sigma[..., column]
            name = f"correlation[{columns[column]}, {columns[row]}]"
            found[name] = mixture.covariance[..., row, column] / product
    return found


def invariant_quantities(data: Data, mixture: Mixture) -> dict[str, Array]:
    """Quantities of every draw that do not depend on labels.

    Parameters
    ----------
    data : Data
        One sample.
    mixture : Mixture, batch shape (chain, draw)

    Returns
    -------
    dict of str to ndarray, shape (chain, draw)
        The log likelihood; mean and standard deviation of the mixture in each coordinate, and
        its correlations; the log density at three points of the data, where the scores of the
        first principal component have their 5, 50 and 95% quantiles.
    """
    pointwise = log_density(data.y, mixture.w, mixture.mu, mixture.root)
    weight = np.ones(data.n) if data.weight is None else data.weight
    found = {"log likelihood": pointwise @ weight}
    one = Mixture(
        np.ones((*mixture.batch_shape, 1)), mixture.mean()[..., None, :],
        covariance=mixture.total_covariance()[..., None, :, :],
    )  # fmt: skip
    named = quantities(one, data.columns)
    found |= {f"mixture {name}": values[..., 0] for name, values in named.items() if name != "w"}
    score = (data.y - data.location) / data.scale @ np.linalg.eigh(data.correlation)[1][:, -1]
    order = np.argsort(score, kind="stable")
    for share in POINTS:
        at = order[round(share * (data.n - 1))]
        found[f"log density at point {at + 1}"] = pointwise[..., at]
    return found


def along(mixture: Mixture, direction: Array) -> tuple[Array, Array]:
    """Means and standard deviations of the components along a direction, each (..., k)."""
    variance = np.einsum("i,...ij,j->...", direction, mixture.covariance, direction)
    return mixture.mu @ direction, np.sqrt(variance)


def coincidence(mixture: Mixture) -> float:
    """Share of the draws in which two components are closer than 0.1 pooled scales; 0 for K = 1.

    The distance of Mahalanobis with the pooled covariance ``sum_k w_k Sigma_k``: in one dimension
    this is `switching.gap_mass`.
    """
    if mixture.k == 1:
        return 0.0
    pooled = np.sum(mixture.w[..., None, None] * mixture.covariance, axis=-3)
    whitened = np.linalg.solve(np.linalg.cholesky(pooled), np.swapaxes(mixture.mu, -1, -2))
    rows, columns = np.triu_indices(mixture.k, 1)
    distance = np.linalg.norm(whitened[..., rows] - whitened[..., columns], axis=-2)
    return float(np.mean(distance.min(axis=-1) < NEAR))
