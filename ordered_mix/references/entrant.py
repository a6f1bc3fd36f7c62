"""What a sampler that enters the table is given, and what it gives back."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes import kernels
from ordered_mix.references.reference import Reference, load_reference

MOST_GROWTH, SPARE = 16.0, 0.9
MOST_ITERATIONS = 20_000


class Budget(NamedTuple):
    """What a sampler may spend, tuning and pilots included.

    Attributes
    ----------
    passes : float
        Evaluations of the likelihood of all data.
    seconds : float
        Of the processor, without compilation.
    """

    passes: float = np.inf
    seconds: float = np.inf


class Sampled(NamedTuple):
    """What a sampler gives back.

    Attributes
    ----------
    draws : Mixture, any batch shape
        In the units of the data; labels need not mean anything.
    passes : float
        Spent, tuning and pilots included; NaN if the sampler does not count them.
    seconds : float
    """

    draws: Any
    passes: float
    seconds: float


def enter(entrant: str, name: str, seed: int, budget: Budget) -> Sampled:
    """Run a sampler of the folder ``entrants``, or of a file of your own.

    Parameters
    ----------
    entrant : str
        A name that ``catalog.names("entrant")`` lists or the path of a .py file, which defines
        ``sample(name, seed, budget)``; options of it may stand in brackets:
        ``nuts(coordinates=ordered)``.
    name : str
        Of the reference.
    seed : int
    budget : Budget

    Raises
    ------
    ValueError
        If there is no such sampler or reference, or the sampler does not take the model.
    """
    label, options = catalog.split(entrant)
    found = getattr(catalog.module(label, "entrant"), "sample", None)
    if not callable(found):
        raise ValueError(f"entrant {label!r} must define `sample(name, seed, budget)`")
    load_reference(name)
    return found(name, seed, budget, **options)


def within(budget: Budget, run: Callable[[int], Sampled], first: int = 32) -> Sampled:
    """The longest run that fits into a budget, its length found by short ones that count, too.

    Parameters
    ----------
    budget : Budget
    run : callable
        From a number of iterations to what they gave and cost.
    first : int
        Iterations of the first run. Where seconds count it is made twice, the second of them
        counts: the first compiles. No run has more than 20,000.
    """
    found, size = run(first), first
    if np.isfinite(budget.seconds):
        found = run(first)
    passes, seconds = found.passes, found.seconds
    while True:
        left = [
            (most - spent) / own
            for most, spent, own in (
                (budget.passes, passes, found.passes),
                (budget.seconds, seconds, found.seconds),
            )
            if np.isfinite(most)
        ]
        growth = SPARE * min(left)
        # what is far off is measured again on the way there, at little cost
        growth = min(growth if growth < MOST_GROWTH else growth**0.5, MOST_ITERATIONS / size)
        if not growth > 1.5:
            return Sampled(found.draws, passes, seconds)
        size = int(size * growth)
        found = run(size)
        passes, seconds = passes + found.passes, seconds + found.seconds


class Clock:
    """Seconds of the processor since it was made, those of ended child processes included."""

    def __init__(self) -> None:
        self.begin, self.wall = _processor(), time.perf_counter()

    def seconds(self) -> float:
        """So far."""
        return _processor() - self.begin

    def part(self, elapsed: float) -> float:
        """Seconds of the processor in a stretch of so many seconds on the wall."""
        return elapsed * min(1.0, self.seconds() / max(time.perf_counter() - self.wall, 1e-9))


def of_ours(draws: Any, clock: Clock) -> Sampled:
    """What a sampler of this package drew; what its tree costs beside is left out."""
    passes = int(draws.passes.sum() + draws.warmup_passes.sum())
    return Sampled(draws.mixture, passes, clock.part(draws.seconds))


def one_column(entrant: str, reference: Reference) -> None:
    """Refuse a reference of several dimensions.

    Raises
    ------
    ValueError
    """
    d = reference.definition.d
    if d > 1:
        raise ValueError(f"data must have one column for {entrant}, got {d} columns")


def starts(reference: Reference, chains: int, seed: int) -> Any:
    """Means from the data, equal weights and the scale of all data; batch shape (chain,)."""
    data, k = reference.data, reference.definition.k
    mu = np.random.default_rng(seed).choice(data.y, (chains, k))
    w = np.full(k, 1 / k)
    if reference.definition.d > 1:
        return Mixture(w, mu, covariance=np.diag(data.scale**2))
    return Mixture(w, mu, np.full((chains, k), float(data.scale)))


@dataclass(frozen=True, eq=False)
class Target:
    """The posterior of standardised data in unconstrained coordinates, for samplers of any kind.

    Parameters
    ----------
    reference : Reference
    coordinates : str
    jacobian : int
        Power of the Jacobian of the coordinates: any but 1 is a mistake, made on purpose.
    """

    reference: Reference
    coordinates: str = "unordered"
    jacobian: int = 1

    def log_density(self, z: Array) -> Array:
        """Log density at z (..., dimension), one pass each; minus infinity out of reach."""
        standard, data = self._standard
        with np.errstate(all="ignore"):
            try:
                height = self._height(standard, data, z)
            except (ValueError, np.linalg.LinAlgError):
                return self._one_by_one(z)
            if self.jacobian != 1:
                height = height + (self.jacobian - 1) * standard.log_det(z)
        return np.where(np.isfinite(height), height, -np.inf)

    def start(self, chains: int, seed: int) -> Array:
        """Coordinates of `starts`, each moved a little, shape (chain, dimension)."""
        location, scale = self.reference.data.location, self.reference.data.scale
        begin = starts(self.reference, chains, seed).affine(-location / scale, 1 / scale)
        z = self._standard[0].start(begin)
        return z + 0.1 * np.random.default_rng(seed).standard_normal(z.shape)

    def mixture(self, z: Array) -> Any:
        """Mixtures in the units of the data."""
        location, scale = self.reference.data.location, self.reference.data.scale
        return self._standard[0].forward(z).affine(location, scale)

    def _height(self, standard: Any, data: Any, z: Array) -> Array:
        if self.reference.definition.d > 1:
            return standard.log_posterior(z, data)[0]
        mixture = standard.forward(z)
        given = (data.y, mixture.w, mixture.mu, mixture.sigma)
        return standard.log_prior(z) + kernels.e_step(*given).log_likelihood

    @cached_property
    def _standard(self) -> tuple[Any, Any]:
        data = self.reference.data
        parameterization = self.reference.parameterization(self.coordinates)
        own = parameterization.affine(-data.location / data.scale, 1 / data.scale)
        if self.reference.definition.d > 1:
            return own, data.affine(-data.location / data.scale, 1 / data.scale)
        return own, data.standardized()

    def _one_by_one(self, z: Array) -> Array:
        if z.ndim == 1:
            return np.array(-np.inf)
        return np.array([self.log_density(point) for point in z])


def _processor() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
