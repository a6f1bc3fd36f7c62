"""Gibbs sampling by data augmentation: what most software means by sampling a mixture."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import xarray as xr

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws, assemble
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.conjugate import check_conjugate
from ordered_mix.parameterization.multivariate import (
    AnyParameterization,
    MultivariateParameterization,
)
from ordered_mix.prior import Prior
from ordered_mix.samplers.moves.gibbs_multivariate import sample_points
from ordered_mix.samplers.moves.inputs import repeated, standard_sample, standard_starts
from ordered_mix.samplers.moves.settings import at_least, check_seed
from ordered_mix.samplers.moves.sweeps import Conjugate, sweeps

PARAMETERS = ("w", "mu", "sigma")
POINTS_A_CALL = 20_000_000  # about a second, between two of which a user may interrupt


@dataclass(frozen=True)
class Gibbs:
    """Data augmentation under the reference prior (Diebolt & Robert 1994).

    A sweep is one pass: allocations given the parameters, then weights, means and scales given
    the allocations. The chain does not depend on coordinates; its draws are recorded in those of
    the parameterization, sorted if it sorts.

    Parameters
    ----------
    draws, tune : int
        Sweeps kept and sweeps before them, per chain.
    permute : bool
        Whether the labels are permuted at random after each sweep, the permutation sampler of
        Frühwirth-Schnatter (2001, JASA 96, 194-209): every labelling is visited alike.
    frozen : tuple of {"w", "mu", "sigma"}
        Parameters that stay at the starts: the draws are those given their values.
    cores : int
        Chains sampled at the same time; the draws do not depend on it.

    Raises
    ------
    ValueError
        If a setting is out of range.
    """

    takes_starts: ClassVar[bool] = True

    draws: int = 1000
    tune: int = 1000
    permute: bool = False
    frozen: tuple[str, ...] = ()
    cores: int = 1

    def __post_init__(self) -> None:
        at_least(self, draws=4, tune=1, cores=1)
        unknown = sorted(set(self.frozen) - set(PARAMETERS))
        if unknown:
            raise ValueError(
                f"frozen must be among {', '.join(PARAMETERS)}, got {', '.join(unknown)}"
            )
        if self.permute and self.frozen:
            raise ValueError(f"permute needs all parameters free, got frozen={self.frozen}")

    def sample(
        self, parameterization: AnyParameterization, data: Data, starts: Mixture, seed: int
    ) -> Draws:
        """Sample one chain from each start.

        Parameters
        ----------
        parameterization : AnyParameterization
            With the reference prior, whose scales are inverse gamma, adaptive or known.
        data : Data
            One sample; weights must be whole numbers.
        starts : Mixture, batch shape (chain,)
            One start for each chain, in the units of the data.
        seed : int
            The same seed gives the same draws for any number of cores.

        Raises
        ------
        ValueError
            If the prior is not conditionally conjugate, or data or starts are not accepted.
        """
        check_seed(seed)
        self._check(parameterization)
        if isinstance(parameterization, MultivariateParameterization):
            return sample_points(self, parameterization, data, starts, seed)
        own = standard_sample(parameterization, data)
        standard, begin = own.parameterization, standard_starts(own, starts)
        y = np.ascontiguousarray(repeated(own.data.y, data.weight))
        clock = time.perf_counter()
        states = self._run(y, standard.prior, begin, seed)
        seconds = time.perf_counter() - clock
        mixture = standard.domain.sorted(Mixture(*np.moveaxis(states, 2, 0)))
        return assemble(self._tree(mixture), seconds, parameterization, standard, data)

    def _check(self, parameterization: AnyParameterization) -> None:
        if isinstance(parameterization, MultivariateParameterization):
            along = parameterization.along
        else:
            along = parameterization
        check_conjugate(along, "Gibbs sampling")
        label = parameterization.label
        if self.frozen and along.order_by:
            raise ValueError(
                f"frozen must be empty for coordinates that sort the components, "
                f"got {self.frozen} for {label}"
            )
        if self.permute and not along.prior.exchangeable:
            raise ValueError("permute must be False for known weights that differ, got True")

    def _run(self, y: Array, prior: Prior, begin: Mixture, seed: int) -> Array:
        """States of all sweeps, shape (chain, sweep, 3, k)."""
        numbers = conjugate(prior, self.frozen)
        w = begin.w if prior.known_w is None else np.broadcast_to(prior.known_w, begin.w.shape)
        sigma = begin.sigma if prior.known_sigma is None else np.full(w.shape, prior.known_sigma)
        states = np.stack([w, begin.mu, sigma], axis=1)
        out = np.empty((len(states), self.tune + self.draws, *states.shape[1:]))
        step = max(1, POINTS_A_CALL // (y.size * begin.k))
        chain = partial(_chain, y, numbers, self.permute, step)
        seeds = np.random.SeedSequence(seed).spawn(len(states))
        if self.cores == 1:
            for task in zip(states, seeds, out, strict=True):
                chain(*task)
        else:
            with ThreadPoolExecutor(self.cores) as pool:
                list(pool.map(chain, states, seeds, out))
        return out

    def _tree(self, mixture: Mixture) -> xr.DataTree:
        groups = {}
        for prefix, part in (("warmup_", np.s_[:, : self.tune]), ("", np.s_[:, self.tune :])):
            chosen = mixture[part]
            values = {name: getattr(chosen, name) for name in PARAMETERS}
            groups[f"{prefix}posterior"] = xr.Dataset(
                {name: (("chain", "draw", "component"), value) for name, value in values.items()}
            )
            passes = np.ones(chosen.batch_shape, dtype=np.int64)
            groups[f"{prefix}sample_stats"] = xr.Dataset({"n_steps": (("chain", "draw"), passes)})
        return xr.DataTree.from_dict(groups)


def _chain(
    y: Array,
    prior: Conjugate,
    permute: bool,
    step: int,
    state: Array,
    seed: np.random.SeedSequence,
    out: Array,
) -> None:
    rng = np.random.Generator(np.random.Philox(seed))
    key = np.uint64(rng.integers(2**64, dtype=np.uint64))
    state = state.copy()
    for first in range(0, len(out), step):
        sweeps(y, prior, state, key, first, permute, rng, out[first : first + step])


def conjugate(prior: Prior, frozen: tuple[str, ...] = ()) -> Conjugate:
    """The prior as the sweeps take it; what is frozen stays where it starts."""
    return Conjugate(
        location=float(prior.location),
        spread=float(prior.spread),
        scale=float(prior.scale),
        rate=float(prior.b0) if prior.scale_family == "adaptive" else 0.0,
        concentration=float(prior.concentration),
        free_w=prior.known_w is None and "w" not in frozen,
        free_mu="mu" not in frozen,
        free_sigma=prior.known_sigma is None and "sigma" not in frozen,
    )
