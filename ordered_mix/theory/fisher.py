"""Fisher information of a mixture in any coordinates, expected, and its spectrum.

The information of one observation in theta = (w_1 .. w_K, mu_1 .. mu_K, sigma_1 .. sigma_K) is the
mean outer product of the scores; in coordinates with the Jacobian J = d theta / d coordinates it
is J^T I J. The score of w_k is that of the density ``sum_k w_k Normal_k`` with the weights free;
any J whose columns keep the sum of the weights makes it the information on the simplex.
Jacobians come from `Parameterization.jacobian` and `Parameterization.jacobian_free`; the observed
information is `passes.observed`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.mixture import Array, Mixture
from ordered_mix.passes.observed import checked, scores

STEP, REACH = 0.02, 12.0
MOST_POINTS = 20_000_000


def information(mixture: Mixture, jacobian: ArrayLike | None = None) -> Array:
    """Expected information of one observation, by the trapezoid rule.

    Parameters
    ----------
    mixture : Mixture, batch shape (...)
        The true density and the point.
    jacobian : array_like, shape (..., 3 k, d), optional
        Derivatives of (w, mu, sigma) in the coordinates; without it the information is in
        (w, mu, sigma).

    Returns
    -------
    array, shape (..., d, d)

    Raises
    ------
    ValueError
        If the Jacobian has other than 3 k rows, or the grid would be too large.
    """
    root = score_root(mixture, jacobian)
    return np.swapaxes(root, -1, -2) @ root


def score_root(mixture: Mixture, jacobian: ArrayLike | None = None) -> Array:
    """Scores on a grid, times the root of its weights: R with R^T R the information.

    Singular values of R give small eigenvalues of the information to full accuracy.

    Parameters
    ----------
    mixture, jacobian
        As in `information`.

    Returns
    -------
    array, shape (..., points, d)
    """
    y, step = _grid(mixture)
    log_density, score = scores(mixture, y)
    root = np.sqrt(step[..., None] * np.exp(log_density))[..., None] * score
    return root if jacobian is None else root @ checked(jacobian, mixture)


def spectrum(mixture: Mixture, jacobian: ArrayLike | None = None) -> Array:
    """Eigenvalues of the expected information, ascending, shape (..., d).

    For a batch of mixtures along a path (`singularity.merging`) this is the spectrum along it.
    """
    values = np.linalg.svd(score_root(mixture, jacobian), compute_uv=False)
    return values[..., ::-1] ** 2


def condition_number(mixture: Mixture, jacobian: ArrayLike | None = None) -> Array:
    """Largest by smallest eigenvalue of the expected information, shape (...)."""
    values = spectrum(mixture, jacobian)
    with np.errstate(divide="ignore"):
        return values[..., -1] / values[..., 0]


def length_elements(
    mixture: Mixture, jacobians: Mapping[str, ArrayLike], tangent: ArrayLike
) -> dict[str, float]:
    """Squared length ds^2 of one displacement in several coordinates; they must agree.

    The displacement of the coordinates is the one that moves (w, mu, sigma) along the tangent,
    and ``ds^2 = dx^T J^T I J dx``.

    Parameters
    ----------
    mixture : Mixture
        A single one.
    jacobians : mapping from name to array_like, shape (3 k, d)
    tangent : array_like, shape (3 k,)
        Displacement of (w, mu, sigma) within reach of all coordinates.

    Raises
    ------
    ValueError
        If some coordinates cannot move along the tangent.
    """
    lengths, target = {}, np.asarray(tangent, dtype=np.float64)
    for name, jacobian in jacobians.items():
        columns = checked(jacobian, mixture)
        step = np.linalg.lstsq(columns, target)[0]
        missed = np.abs(columns @ step - target).max()
        if missed > 1e-8 * np.abs(target).max():
            raise ValueError(f"tangent must be within reach of {name}, it misses by {missed:.3g}")
        lengths[name] = float(step @ information(mixture, columns) @ step)
    return lengths


def _grid(mixture: Mixture) -> tuple[Array, Array]:
    low = np.min(mixture.mu - REACH * mixture.sigma, axis=-1)
    high = np.max(mixture.mu + REACH * mixture.sigma, axis=-1)
    count = int(np.ceil(np.max((high - low) / (STEP * mixture.sigma.min(axis=-1))))) + 1
    if count * mixture.mu.size > MOST_POINTS:
        raise ValueError(
            f"mixture must need at most {MOST_POINTS:,} values on the grid, it needs "
            f"{count * mixture.mu.size:,}: fewer at a time, or scales that are less different"
        )
    share = np.linspace(0.0, 1.0, count)
    y = low[..., None] + (high - low)[..., None] * share
    return y, (high - low) / (count - 1)
