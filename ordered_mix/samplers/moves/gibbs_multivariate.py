"""Gibbs sampling in several dimensions: what `samplers.gibbs` does with points."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.multivariate import assemble
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.multivariate.covariances import factors, free_coordinates
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.samplers.moves.inputs import (
    repeated,
    standard_sample,
    standard_starts,
)
from ordered_mix.samplers.moves.sweeps_multivariate import KINDS, MultivariateConjugate, sweeps

Array = NDArray[np.float64]

POINTS_A_CALL = 10_000_000  # about a second, between two of which a user may interrupt


class Settings(Protocol):
    """What is asked of `samplers.gibbs.Gibbs`."""

    @property
    def draws(self) -> int: ...

    @property
    def tune(self) -> int: ...

    @property
    def permute(self) -> bool: ...

    @property
    def frozen(self) -> tuple[str, ...]: ...

    @property
    def cores(self) -> int: ...


def sample_points(
    settings: Settings,
    parameterization: MultivariateParameterization,
    data: Data,
    starts: Mixture,
    seed: int,
) -> Draws:
    """Sample one chain from each start, as `samplers.gibbs.Gibbs.sample`.

    Points are sampled in units of the standard deviation of each coordinate, the same for all
    where covariances are spherical.
    """
    standard = standard_sample(parameterization, data)
    begin = standard_starts(standard, starts)
    y = np.ascontiguousarray(repeated(standard.data.y, data.weight).T)
    clock = time.perf_counter()
    own = standard.parameterization
    flat = _run(settings, y, own.prior, begin, seed)
    seconds = time.perf_counter() - clock
    mixture = standard.outwards(own.sorted(_mixture(flat, own.k, data.d)))
    passes = np.ones(mixture.batch_shape, dtype=np.int64)
    return assemble(mixture, {"n_steps": passes}, settings.tune, data, seconds)


def _run(
    settings: Settings, y: Array, prior: MultivariatePrior, begin: Mixture, seed: int
) -> Array:
    """States of all sweeps, shape (chain, sweep, k (1 + d + d d))."""
    numbers = conjugate(prior, settings.frozen)
    (chains,), k, d = begin.batch_shape, begin.k, begin.d
    free = free_coordinates(prior.covariance, begin.root)
    root = factors(prior.covariance, free, k, d)
    out = np.empty((chains, settings.tune + settings.draws, k * (1 + d + d * d)))
    step = max(1, POINTS_A_CALL // (y.size * k))
    chain = partial(_chain, y, numbers, settings.permute, step)
    tasks = (begin.w, begin.mu, root, np.random.SeedSequence(seed).spawn(chains), out)
    if settings.cores == 1:
        for task in zip(*tasks, strict=True):
            chain(*task)
    else:
        with ThreadPoolExecutor(settings.cores) as pool:
            list(pool.map(chain, *tasks))
    return out


def _chain(
    y: Array,
    prior: MultivariateConjugate,
    permute: bool,
    step: int,
    w: Array,
    mu: Array,
    root: Array,
    seed: np.random.SeedSequence,
    out: Array,
) -> None:
    rng = np.random.Generator(np.random.Philox(seed))
    key = np.uint64(rng.integers(2**64, dtype=np.uint64))
    state = [np.array(value, order="C") for value in (w, mu, root)]
    for first in range(0, len(out), step):
        sweeps(y, prior, *state, key, first, permute, rng, out[first : first + step])


def conjugate(prior: MultivariatePrior, frozen: tuple[str, ...] = ()) -> MultivariateConjugate:
    """The prior as the compiled sweeps take it."""
    adaptive, ones = prior.scale_family == "adaptive", np.ones(prior.d)
    return MultivariateConjugate(
        location=np.array(prior.location),
        spread=np.array(prior.spread),
        beta=prior.betas * ones,
        rate=prior.b0 * ones * adaptive,
        concentration=float(prior.concentration),
        kind=KINDS[prior.covariance],
        free_w="w" not in frozen,
        free_mu="mu" not in frozen,
        free_covariance="sigma" not in frozen,
    )


def _mixture(flat: Array, k: int, d: int) -> Mixture:
    w, mu, root = np.split(flat, [k, k + k * d], axis=-1)
    root = root.reshape(*flat.shape[:-1], k, d, d)
    covariance = root @ np.swapaxes(root, -1, -2)
    return Mixture(w, mu.reshape(*flat.shape[:-1], k, d), covariance=covariance)
