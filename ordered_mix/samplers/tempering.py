"""Non-reversible parallel tempering with Hamiltonian moves: modes that no single chain crosses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.multivariate import (
    AnyParameterization,
)
from ordered_mix.samplers.moves.hmc import (
    Noise,
    Points,
    Target,
    TargetOfPoints,
    move,
    noise,
    precision,
    whitening,
)
from ordered_mix.samplers.moves.inputs import (
    prior_points,
    standard_starts,
)
from ordered_mix.samplers.moves.ladder import (
    RoundTrips,
    equal_rejections,
    exchanged,
    swap_probability,
)
from ordered_mix.samplers.moves.settings import at_least, check_seed
from ordered_mix.samplers.moves.tempered_record import (
    Record,
    Tuning,
    record_of,
    statistics_of,
    write_record,
)
from ordered_mix.samplers.moves.untempered import draws_of, target_of, unit_constant

TARGET = 0.8
ROUNDS = 5
FIRST_POWER = 3.0


@dataclass(frozen=True)
class Tempering:
    """Parallel tempering by even and odd swaps in turn (Syed et al. 2022).

    Every chain is a ladder of its own, from fresh draws of the prior to the posterior. Warm-up
    runs in rounds, after each of which the inverse temperatures are moved to equal rejection
    rates (Syed, Bouchard-Côté, Deligiannidis & Doucet 2022, JRSS B 84, 321-350).

    Parameters
    ----------
    draws, tune : int
        Iterations kept and iterations before them, per chain.
    temperatures : int
        Length of the ladder, the prior's included; twice the barrier is a good choice.
    leaps : int
        Mean number of leapfrog steps of a move, which is drawn anew for each iteration.

    Raises
    ------
    ValueError
        If a setting is out of range.
    """

    takes_starts: ClassVar[bool] = True

    draws: int = 1000
    tune: int = 1000
    temperatures: int = 12
    leaps: int = 3

    def __post_init__(self) -> None:
        at_least(self, draws=4, tune=2**ROUNDS, temperatures=3, leaps=1)

    def sample(
        self, parameterization: AnyParameterization, data: Data, starts: Mixture, seed: int
    ) -> Draws:
        """Sample one ladder from each start.

        Parameters
        ----------
        parameterization : AnyParameterization
            With a proper prior, in the units of the data.
        data : Data
            One sample, weighted or not.
        starts : Mixture, batch shape (chain,)
            Where every temperature above the prior's begins, in the units of the data.
        seed : int

        Returns
        -------
        Draws
            At the inverse temperature 1. Its tree has the attributes ``log_evidence``,
            ``log_evidence_se`` (by stepping stones, in the units of the data) and ``barrier``,
            and a group ``tempering`` with the schedule, rejection rates and round trips.

        Raises
        ------
        ValueError
            If data, prior or starts are not accepted.
        """
        check_seed(seed)
        target, standard = target_of(parameterization, data)
        begin = target.parameterization.start(standard_starts(standard, starts))
        clock = time.perf_counter()
        warm, kept, tuning = self._run(target, begin, seed)
        seconds = time.perf_counter() - clock
        z = np.swapaxes(kept.cold.z, 0, 1)
        draws = draws_of(parameterization, standard, data, z, statistics_of(kept), seconds)
        write_record(draws.tree, warm, kept, tuning, unit_constant(data, standard.scale))
        return draws

    def _run(
        self, target: Target | TargetOfPoints, begin: Array, seed: int
    ) -> tuple[list[Record], Record, Tuning]:
        chains, dimension = begin.shape
        first, *seeds = np.random.SeedSequence(seed).spawn(chains + 1)
        rngs = [np.random.default_rng(child) for child in seeds]
        shared = np.random.default_rng(first)
        beta = np.linspace(0.0, 1.0, self.temperatures) ** FIRST_POWER
        unit = np.broadcast_to(np.eye(dimension), (self.temperatures - 1, dimension, dimension))
        tuning = Tuning(beta, unit, np.full(self.temperatures - 1, 0.1))
        points = target.at(np.broadcast_to(begin, (self.temperatures, *begin.shape)))
        warm, rounds = [], _rounds(self.tune)
        for number, length in enumerate(rounds):
            points, record, step = self._stretch(target, points, tuning, length, rngs, shared, True)
            warm.append(record)
            tuning = _adapted(tuning, record, step, last=number == len(rounds) - 1)
        points, kept, _ = self._stretch(target, points, tuning, self.draws, rngs, shared, False)
        return warm, kept, tuning

    def _stretch(
        self,
        target: Target | TargetOfPoints,
        points: Points,
        tuning: Tuning,
        length: int,
        rngs: list[np.random.Generator],
        shared: np.random.Generator,
        adapt: bool,
    ) -> tuple[Points, Record, Array]:
        """Iterations under one schedule; the step sizes move if they are to be adapted."""
        size, chains, dimension = points.z.shape
        fresh = prior_points(target.parameterization, length * chains, int(shared.integers(2**31)))
        prior = target.at(fresh.reshape(length, chains, dimension))
        beta, step = tuning.beta, tuning.step
        trips, rows = RoundTrips(size, chains), []
        for i in range(length):
            leaps = int(shared.integers(1, 2 * self.leaps))
            given = _turned(noise(rngs, size - 1, dimension))
            ladder = points.rows(np.s_[1:])
            moved, acceptance = move(
                target, ladder, beta[1:, None], tuning.white, step[:, None], leaps, given
            )
            points = _stacked(prior.rows(i), moved)
            points, row = _exchanged(points, beta, i % 2, rngs, trips)
            passes = np.full(chains, leaps * (size - 1) + 1)
            rows.append((*row, acceptance, passes, trips.count.copy()))
            if adapt:
                gain = 2.0 / (1 + i) ** 0.5
                step = step * np.exp(gain * (acceptance.mean(axis=1) - TARGET))
        return points, record_of(rows), step


def _stacked(prior: Points, moved: Points) -> Points:
    """The ladder: fresh prior draws below what has moved."""
    pairs = zip(prior, moved, strict=True)
    return Points(*(np.concatenate([a[None], b]) for a, b in pairs))


def _exchanged(
    points: Points, beta: Array, parity: int, rngs: list[np.random.Generator], trips: RoundTrips
) -> tuple[Points, tuple[Any, ...]]:
    """Exchange neighbours of one parity; and what the record keeps of it."""
    size, chains = points.log_prior.shape
    reached = np.isfinite(points.log_prior)
    log_likelihood = np.where(reached, points.log_likelihood, -np.inf)
    probability = swap_probability(beta, log_likelihood)
    uniform = np.stack([rng.random(size - 1) for rng in rngs], axis=1)
    turn = (np.arange(size - 1) % 2 == parity)[:, None]
    order = exchanged((uniform < probability) & turn, size)
    trips.swap(order)
    after = points.rows(order, np.arange(chains))
    gradient = after.gradient(beta[:, None])[1:]
    outer = precision(gradient, np.full((size - 1, chains), 1 / chains))
    return after, (after.rows(-1), log_likelihood, 1 - probability, outer)


def _rounds(tune: int) -> list[int]:
    """Lengths of the rounds, each about twice the one before."""
    lengths = [tune // 2 ** (ROUNDS - i) for i in range(ROUNDS - 1)]
    return [*lengths, tune - sum(lengths)]


def _turned(given: Noise) -> Noise:
    """Noise by temperature and chain from that by chain and temperature."""
    return Noise(*(np.swapaxes(value, 0, 1) for value in given))


def _adapted(tuning: Tuning, record: Record, step: Array, last: bool) -> Tuning:
    """Schedule of equal rejections, with precisions interpolated to it."""
    old = tuning.beta
    new = equal_rejections(old, record.rejection.mean(axis=(0, 2)))
    if last:  # what remains to be moved is little: step sizes go with their mass matrices
        return Tuning(new, tuning.white, step)
    half = len(record.precision) // 2
    outer = record.precision[half:].mean(axis=0)
    at = np.clip(np.searchsorted(old[1:], new[1:]), 1, old.size - 2)
    low, high = old[1:][at - 1], old[1:][at]
    share = np.clip((new[1:] - low) / (high - low), 0.0, 1.0)
    between = (1 - share)[:, None, None] * outer[at - 1] + share[:, None, None] * outer[at]
    return Tuning(new, whitening(between), np.full(step.shape, 0.5))
