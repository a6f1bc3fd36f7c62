"""Parallel tempering of this package."""

from ordered_mix.references.entrant import (
    Budget,
    Clock,
    Sampled,
    of_ours,
    one_column,
    starts,
    within,
)
from ordered_mix.references.reference import load_reference
from ordered_mix.samplers.tempering import Tempering

CHAINS = 2


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """As many iterations kept as in warm-up."""
    reference = load_reference(name)
    one_column("tempering", reference)

    def run(size: int) -> Sampled:
        clock, sampler = Clock(), Tempering(draws=size, tune=size, temperatures=8)
        begin = starts(reference, CHAINS, seed)
        found = sampler.sample(reference.parameterization(), reference.data, begin, seed)
        return of_ours(found, clock)

    return within(budget, run)
