"""Whether a fit is at a maximum: the least curvature of the log likelihood where it ended."""

from __future__ import annotations

import numpy as np

from ordered_mix.mixture import Array, Mixture
from ordered_mix.passes.observed import observed_information, scores

FLAT = 1e-3
"""Least curvatures above minus this are no sign of a saddle, gradients below it are taken for 0."""


def least_curvature(
    mixture: Mixture, y: Array, weight: Array | None, frozen: tuple[str, ...], scales: str
) -> float:
    """Smallest eigenvalue of the observed information, for 1 of the complete data's.

    In these units it is 1 less the rate of EM along the direction (Dempster, Laird & Rubin 1977):
    below 0 the likelihood rises along it and EM moves away, so the point is a saddle.

    Parameters
    ----------
    mixture : Mixture
        A single one.
    y, weight : array, shape (n,)
    frozen, scales
        As in `EM`.

    Returns
    -------
    float
        NaN where the gradient does not vanish: the run was stopped early or at a bound, or has
        another objective than the likelihood.
    """
    weights = np.ones(y.shape) if weight is None else weight
    slope = (weights / weights.sum()) @ scores(mixture, y)[1]
    columns = _directions(mixture, mixture.w * slope[: mixture.k], frozen, scales)
    if not columns.shape[1]:
        return np.inf
    if not np.linalg.norm(slope @ columns) < FLAT:
        return np.nan
    observed = observed_information(mixture, y, weight, columns)
    return float(np.linalg.eigvalsh(observed)[0])


def _directions(mixture: Mixture, share: Array, frozen: tuple[str, ...], scales: str) -> Array:
    """Directions of the free parameters in which the complete data's information is the identity.

    From the shares of the data that the components hold; shape (3 k, d).
    """
    k = mixture.k
    root = np.sqrt(np.maximum(share, np.finfo(float).tiny))
    # the first column of the orthogonal matrix is along the root: the rest keeps the sum
    complement = np.linalg.qr(np.column_stack([root, np.eye(k)[:, : k - 1]]))[0][:, 1:]
    width = mixture.sigma / root
    common = scales == "tied"
    by_scale = mixture.sigma[:, None] if common else np.diag(width)
    blocks = {"w": root[:, None] * complement, "mu": np.diag(width), "sigma": by_scale / np.sqrt(2)}
    columns = []
    for at, (name, block) in enumerate(blocks.items()):
        if name not in frozen:
            columns.append(np.zeros((3 * k, block.shape[1])))
            columns[-1][at * k : (at + 1) * k] = block
    return np.concatenate([np.zeros((3 * k, 0)), *columns], axis=1)
