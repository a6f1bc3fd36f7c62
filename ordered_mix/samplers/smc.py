"""Sequential Monte Carlo from the prior to the posterior: every mode, and the evidence."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.errors import SamplingFailed
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.multivariate import (
    AnyParameterization,
)
from ordered_mix.samplers.moves.hmc import (
    Points,
    Target,
    TargetOfPoints,
    move,
    noise,
    precision,
    whitening,
)
from ordered_mix.samplers.moves.inputs import prior_points
from ordered_mix.samplers.moves.settings import at_least, check_seed
from ordered_mix.samplers.moves.stages import Stage, record
from ordered_mix.samplers.moves.untempered import draws_of, target_of, unit_constant

MOST_STAGES = 1000
LEAST_STEP = 1e-9
TARGET = 0.8


@dataclass(frozen=True)
class SMC:
    """Waste-free sequential Monte Carlo with likelihood tempering (Dau & Chopin 2022).

    Particles are drawn from the prior and carried to the posterior over inverse temperatures
    that are chosen on the way (Del Moral, Doucet & Jasra 2006). At each, a few are resampled and
    every state of their Markov chains is kept. Islands share the schedule and nothing else: how
    much they differ is the standard error of the evidence.

    Parameters
    ----------
    particles : int
        Particles of each island.
    islands : int
        Independent runs; the chains of the draws. The standard error of the evidence has one
        degree of freedom less than there are islands.
    length : int
        States of the chain that follows each resampled particle, itself included.
    leaps : int
        Mean number of leapfrog steps of a Hamiltonian move, which is drawn anew for each.
    threshold : float
        The next temperature leaves this share of the particles as effective size.
    cores : int
        Islands moved at the same time; the draws do not depend on it. The pass itself takes all
        cores where there are many points, whatever this says.

    Raises
    ------
    ValueError
        If a setting is out of range.
    """

    takes_starts: ClassVar[bool] = False

    particles: int = 512
    islands: int = 16
    length: int = 16
    leaps: int = 4
    threshold: float = 0.5
    cores: int = 1

    def __post_init__(self) -> None:
        at_least(self, islands=2, length=2, leaps=1, cores=1)
        if self.particles < 2 * self.length or self.particles % self.length:
            raise ValueError(
                f"particles must be a multiple of length={self.length} and at least twice that, "
                f"got {self.particles}"
            )
        if not 0 < self.threshold < 1:
            raise ValueError(
                f"threshold must lie between 0 and 1, at whose ends the schedule stalls or jumps, "
                f"got {self.threshold}"
            )

    def sample(
        self,
        parameterization: AnyParameterization,
        data: Data,
        starts: Mixture | None = None,
        seed: int = 0,
    ) -> Draws:
        """Sample the posterior, one chain of draws for each island.

        Parameters
        ----------
        parameterization : AnyParameterization
            With a proper prior, in the units of the data.
        data : Data
            One sample, weighted or not.
        starts : Mixture, optional
            Not used: particles are drawn from the prior.
        seed : int

        Returns
        -------
        Draws
            The attributes ``log_evidence`` and ``log_evidence_se`` of its tree are for the data
            in their own units; ``warmup_sample_stats`` holds one draw for each temperature.

        Raises
        ------
        ValueError
            If data or prior are not accepted.
        SamplingFailed
            If the schedule stalls.
        """
        check_seed(seed)
        target, standard = target_of(parameterization, data)
        clock = time.perf_counter()
        points, stages = self._run(target, seed)
        seconds = time.perf_counter() - clock
        statistics = {"lp": points.log_density(np.ones(1))}
        draws = draws_of(parameterization, standard, data, points.z, statistics, seconds)
        record(draws.tree, stages, points.log_prior.shape, unit_constant(data, standard.scale))
        return draws

    def _run(self, target: Target | TargetOfPoints, seed: int) -> tuple[Points, list[Stage]]:
        seeds = np.random.SeedSequence(seed).spawn(self.islands + 1)
        first, *rngs = [np.random.default_rng(child) for child in seeds]
        total = self.islands * self.particles
        z = prior_points(target.parameterization, total, int(first.integers(2**31)))
        points = target.at(z.reshape(self.islands, self.particles, -1))
        shared = np.random.default_rng(seeds[0].spawn(1)[0])
        stages: list[Stage] = []
        beta, step = 0.0, 0.5
        while beta < 1.0:
            if len(stages) == MOST_STAGES:
                raise SamplingFailed(f"the schedule stalls at inverse temperature {beta:.3g}")
            weight, ratio, new = self._reweighted(points, beta)
            if new - beta < LEAST_STEP:
                raise SamplingFailed(f"the schedule stalls at inverse temperature {beta:.3g}")
            points, acceptance, passes = self._moved(
                target, points, weight, new, step, rngs, shared
            )
            ess = 1 / np.sum(weight**2, axis=-1)
            stages.append(Stage(new, ratio, ess, acceptance, step, passes))
            step *= float(np.exp(2 * (np.mean(acceptance) - TARGET)))
            beta = new
        return points, stages

    def _reweighted(self, points: Points, beta: float) -> tuple[Array, Array, float]:
        """Normalised weights, log mean weights by island, and the next inverse temperature."""
        log_likelihood = np.where(np.isfinite(points.log_prior), points.log_likelihood, -np.inf)
        if not np.isfinite(log_likelihood).any(axis=-1).all():
            raise SamplingFailed("no particle of an island has a finite density")
        new = beta + _increment(log_likelihood, 1.0 - beta, self.threshold)
        new = 1.0 if new > 1.0 - 1e-12 else new
        log_weight = (new - beta) * log_likelihood
        top = log_weight.max(axis=-1, keepdims=True)
        weight = np.exp(log_weight - top)
        ratio = top[..., 0] + np.log(weight.mean(axis=-1))
        return weight / weight.sum(axis=-1, keepdims=True), ratio, new

    def _moved(
        self,
        target: Target | TargetOfPoints,
        points: Points,
        weight: Array,
        beta: float,
        step: float,
        rngs: list[np.random.Generator],
        shared: np.random.Generator,
    ) -> tuple[Points, Array, int]:
        """Resample ancestors and keep every state of their chains; passes of each island."""
        white = whitening(precision(points.gradient(np.full(1, beta)), weight))
        ancestors = self.particles // self.length
        index = np.stack(
            [systematic(w, ancestors, rng) for w, rng in zip(weight, rngs, strict=True)]
        )
        here = points.rows(np.arange(self.islands)[:, None], index)
        leaps = [int(shared.integers(1, 2 * self.leaps)) for _ in range(self.length - 1)]
        threads = self.cores if target.in_threads else 1
        parts = np.array_split(np.arange(self.islands), min(threads, self.islands))
        chains = partial(_chains, target, beta, step, leaps)
        given = [(here.rows(part), white[part], [rngs[i] for i in part]) for part in parts]
        with ThreadPoolExecutor(len(parts)) as pool:
            found = list(pool.map(chains, *zip(*given, strict=True)))
        moved, acceptance = zip(*found, strict=True)
        kept = Points(*(np.concatenate(values) for values in zip(*moved, strict=True)))
        return kept, np.concatenate(acceptance), sum(leaps) * ancestors


def _chains(
    target: Target | TargetOfPoints, beta: float, step: float, leaps: list[int],
    here: Points, white: Array, rngs: list[np.random.Generator],
) -> tuple[Points, Array]:  # fmt: skip
    """All states of the chains of some islands, those of an ancestor contiguous; acceptance."""
    states, accepted = [here], []
    for count in leaps:
        given = noise(rngs, *here.z.shape[1:])
        here, acceptance = move(
            target, here, np.full(1, beta), white, np.full(1, step), count, given
        )
        states.append(here)
        accepted.append(acceptance.mean(axis=-1))
    kept = Points(*(np.stack(values, axis=2) for values in zip(*states, strict=True)))
    return _flat(kept), np.mean(accepted, axis=0)


def _flat(points: Points) -> Points:
    islands, ancestors, length = points.log_prior.shape
    return points.reshape(islands, ancestors * length)


def systematic(weight: Array, count: int, rng: np.random.Generator) -> Any:
    """Indices of systematic resampling; weight adds up to 1."""
    edges = np.cumsum(weight)
    cuts = (np.arange(count) + rng.random()) / count * edges[-1]
    return np.minimum(np.searchsorted(edges, cuts, side="right"), weight.size - 1)


def _increment(log_likelihood: Array, most: float, threshold: float) -> float:
    """Largest increment that leaves the effective size, by bisection."""
    centred = log_likelihood - log_likelihood.max()

    def share(increment: float) -> float:
        weight = np.exp(increment * centred)
        return float(weight.sum() ** 2 / (weight**2).sum() / weight.size)

    low, high = 0.0, most
    if share(high) >= threshold:
        return high
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if share(middle) >= threshold else (low, middle)
    return low
