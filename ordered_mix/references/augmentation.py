"""Data augmentation in plain numpy, many chains at once: the witness against the other samplers.

It shares no code with them: no compiled pass, no coordinates, no moves. What is not conjugate
given the allocations, half-normal scales and the rate of adaptive ones, is moved by a Metropolis
step whose proposal is the conjugate part.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordered_mix.mixture import Array, Mixture
from ordered_mix.prior import Prior
from ordered_mix.references.definition import Definition

FEW_POINTS = 3


class State(NamedTuple):
    """Weights, means, variances (chain, k) and the rate of the variances (chain, 1)."""

    w: Array
    mu: Array
    v: Array
    rate: Array


def augmentation(
    definition: Definition, seed: int, chains: int, draws: int, tune: int, thin: int
) -> Mixture:
    """Independent chains of Gibbs sampling (Diebolt & Robert 1994).

    Parameters
    ----------
    definition : Definition
    seed : int
    chains : int
    draws : int
        Kept from each chain.
    tune : int
        Sweeps before the first that is kept.
    thin : int
        Sweeps from one that is kept to the next.

    Returns
    -------
    Mixture, batch shape (chain, draw)
        In the units of the data, labels as they come.
    """
    location, scale = float(definition.data.location), float(definition.data.scale)
    y = (definition.data.y - location) / scale
    prior = definition.prior.affine(-location / scale, 1 / scale)
    rng = np.random.default_rng(seed)
    state, kept = _start(y, definition.k, prior, chains, rng), []
    for sweep in range(tune + draws * thin):
        state = _sweep(y, prior, state, rng)
        if sweep >= tune and (sweep - tune) % thin == thin - 1:
            kept.append(state[:3])
    w, mu, v = (np.stack(values, axis=1) for values in zip(*kept, strict=True))
    return Mixture(w, mu, np.sqrt(v)).affine(location, scale)


def _start(y: Array, k: int, prior: Prior, chains: int, rng: np.random.Generator) -> State:
    mu = rng.choice(y, (chains, k))
    w = (
        np.full((chains, k), 1 / k)
        if prior.known_w is None
        else np.tile(prior.known_w, (chains, 1))
    )
    sigma = prior.known_sigma or rng.uniform(0.2, 1.0, (chains, k))
    return State(w, mu, np.broadcast_to(sigma, mu.shape) ** 2, np.full((chains, 1), 0.1))


def _sweep(y: Array, prior: Prior, state: State, rng: np.random.Generator) -> State:
    count, total, squares = _allocated(y, state, rng)
    w, mu, v, rate = state
    if prior.known_w is None:
        gamma = rng.standard_gamma(prior.concentration + count)
        w = gamma / gamma.sum(axis=-1, keepdims=True)
    precision = prior.spread**-2 + count / v
    pull = prior.location * prior.spread**-2 + total / v
    mu = pull / precision + rng.standard_normal(mu.shape) / np.sqrt(precision)
    if prior.known_sigma is None:
        about = np.maximum(squares - 2 * mu * total + count * mu**2, 0.0)
        v, rate = _variances(prior, count, about, v, rate, rng)
    return State(w, mu, v, rate)


def _allocated(y: Array, state: State, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Counts, sums and sums of squares of drawn allocations, each (chain, k)."""
    w, mu, v, _ = state
    deviation = y - mu[..., None]
    height = (np.log(w) - 0.5 * np.log(v))[..., None] - 0.5 * deviation**2 / v[..., None]
    share = np.exp(height - height.max(axis=1, keepdims=True))
    edge = np.cumsum(share, axis=1)
    cut = rng.random((len(w), 1, y.size)) * edge[:, -1:]
    label = np.sum(cut >= edge[:, :-1], axis=1)[:, None]
    own = (label == np.arange(w.shape[1])[:, None]).astype(float)
    sums = own @ np.stack([np.ones_like(y), y, y**2], axis=-1)
    return sums[..., 0], sums[..., 1], sums[..., 2]


def _variances(
    prior: Prior, count: Array, about: Array, v: Array, rate: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    if prior.scale_family == "half_normal":
        return _half_normal(prior.scale, count, about, v, rng), rate
    base = np.full_like(rate, prior.scale**2)
    if prior.scale_family == "adaptive":
        base = _rate(prior.b0, v, rate, rng)
    return (base + 0.5 * about) / rng.standard_gamma(2 + 0.5 * count), base


def _rate(b0: float, v: Array, rate: Array, rng: np.random.Generator) -> Array:
    """Metropolis step of the rate, whose density is x^(2K - 3/2) exp(-x S - b0 / x)."""
    shape = 2 * v.shape[1] - 0.5
    for _ in range(3):
        new = rng.standard_gamma(shape, rate.shape) / np.sum(1 / v, axis=-1, keepdims=True)
        accept = np.log(rng.random(rate.shape)) < b0 / rate - b0 / new
        rate = np.where(accept, new, rate)
    return rate


def _half_normal(
    scale: float, count: Array, about: Array, v: Array, rng: np.random.Generator
) -> Array:
    """Metropolis step of the variances, density v^(-(n + 1) / 2) exp(-S / 2v - v / 2 scale^2)."""
    many = count >= FEW_POINTS
    shape = np.where(many, 0.5 * (count - 1), 1.0)
    drawn = 0.5 * np.maximum(about, 1e-300) / rng.standard_gamma(shape)
    walked = v * np.exp(rng.standard_normal(v.shape))
    new = np.where(many, drawn, walked)

    def height(x: Array) -> Array:
        rest = -0.5 * (count - 1) * np.log(x) - 0.5 * about / x  # the walk is in log v
        return -0.5 * x / scale**2 + np.where(many, 0.0, rest)

    return np.where(np.log(rng.random(v.shape)) < height(new) - height(v), new, v)
