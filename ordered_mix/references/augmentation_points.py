"""Data augmentation in several dimensions in plain numpy, many chains at once.

What `ordered_mix.references.augmentation` is in one dimension: the witness against the other
samplers, with which it shares no code. Everything is conjugate given the allocations.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordered_mix.mixture import Array, Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.references.definition import Definition


class State(NamedTuple):
    """Weights (chain, k), means (chain, k, d) and covariances (chain, k, d, d)."""

    w: Array
    mu: Array
    covariance: Array


def augmentation_points(
    definition: Definition, seed: int, chains: int, draws: int, tune: int, thin: int
) -> Mixture:
    """Independent chains of Gibbs sampling under the fixed prior of full covariances.

    Parameters
    ----------
    definition : Definition
    seed, chains, draws, tune, thin
        As for `ordered_mix.references.augmentation.augmentation`.

    Returns
    -------
    Mixture, batch shape (chain, draw)
        In the units of the data, labels as they come.

    Raises
    ------
    ValueError
        If covariances are not full or have another prior.
    """
    prior = definition.prior
    if (prior.scale_family, prior.covariance) != ("inverse_gamma", "full"):
        raise ValueError(
            f"prior must be the fixed one of full covariances, "
            f"got {prior.scale_family} and {prior.covariance}"
        )
    location, scale = definition.data.location, definition.data.scale
    y = (definition.data.y - location) / scale
    prior = prior.affine(-location / scale, 1 / scale)
    rng = np.random.default_rng(seed)
    state, kept = _start(y, definition.k, chains, rng), []
    for sweep in range(tune + draws * thin):
        state = _sweep(y, prior, state, rng)
        if sweep >= tune and (sweep - tune) % thin == thin - 1:
            kept.append(state)
    w, mu, covariance = (np.stack(values, axis=1) for values in zip(*kept, strict=True))
    return Mixture(w, mu, covariance=covariance).affine(location, scale)


def _start(y: Array, k: int, chains: int, rng: np.random.Generator) -> State:
    n, d = y.shape
    variance = rng.uniform(0.2, 1.0, (chains, k, 1, 1)) ** 2
    return State(np.full((chains, k), 1 / k), y[rng.integers(n, size=(chains, k))],
                 variance * np.eye(d))  # fmt: skip


def _sweep(y: Array, prior: MultivariatePrior, state: State, rng: np.random.Generator) -> State:
    count, total, squares = _allocated(y, state, rng)
    gamma = rng.standard_gamma(prior.concentration + count)
    known, inverse = np.asarray(prior.spread) ** -2.0, np.linalg.inv(state.covariance)
    precision = np.diag(known) + count[..., None, None] * inverse
    pull = known * prior.location + _times(inverse, total)
    centre = np.linalg.solve(precision, pull[..., None])[..., 0]
    above = np.swapaxes(np.linalg.cholesky(precision), -1, -2)
    noise = np.linalg.solve(above, rng.standard_normal((*centre.shape, 1)))[..., 0]
    mu = centre + noise
    cross = total[..., :, None] * mu[..., None, :]
    about = squares - cross - np.swapaxes(cross, -1, -2)
    about = about + count[..., None, None] * mu[..., :, None] * mu[..., None, :]
    centred = 2 * np.diag(np.square(prior.scale)) + about
    covariance = _inverse_wishart(y.shape[1] + 3 + count, centred, rng)
    return State(gamma / gamma.sum(axis=-1, keepdims=True), mu, covariance)


def _allocated(y: Array, state: State, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Counts (chain, k), sums (chain, k, d) and sums of products of drawn allocations."""
    w, mu, covariance = state
    (chains, k, d), n = mu.shape, len(y)
    root = np.linalg.cholesky(covariance)
    deviation = np.swapaxes(y - mu[..., None, :], -1, -2)
    white = np.linalg.solve(root, deviation)
    log_det = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
    height = (np.log(w) - log_det)[..., None] - 0.5 * np.sum(white**2, axis=-2)
    share = np.exp(height - height.max(axis=1, keepdims=True))
    edge = np.cumsum(share, axis=1)
    cut = rng.random((chains, 1, n)) * edge[:, -1:]
    label = np.sum(cut >= edge[:, :-1], axis=1)[:, None]
    own = (label == np.arange(k)[:, None]).astype(float)
    products = (y[:, :, None] * y[:, None, :]).reshape(n, d * d)
    return own.sum(axis=-1), own @ y, (own @ products).reshape(chains, k, d, d)


def _inverse_wishart(freedom: Array, scale: Array, rng: np.random.Generator) -> Array:
    """Draws of InverseWishart(freedom, scale), shapes (...) and (..., d, d).

    By Bartlett's decomposition: with scale = C C^T and a lower triangular A of normals below and
    chi-distributed numbers on the diagonal, Sigma = (C A^-T) (C A^-T)^T.
    """
    d = scale.shape[-1]
    lower = np.tril(rng.standard_normal(scale.shape), -1)
    at = np.arange(d)
    lower[..., at, at] = np.sqrt(rng.chisquare(freedom[..., None] - at))
    root = np.linalg.cholesky(0.5 * (scale + np.swapaxes(scale, -1, -2)))
    factor = np.linalg.solve(lower, np.swapaxes(root, -1, -2))
    return np.swapaxes(factor, -1, -2) @ factor


def _times(matrix: Array, vector: Array) -> Array:
    return (matrix @ vector[..., None])[..., 0]
