"""Gibbs sampling of this package."""

from ordered_mix.references.entrant import Budget, Clock, Sampled, of_ours, starts, within
from ordered_mix.references.reference import load_reference
from ordered_mix.samplers.gibbs import Gibbs

CHAINS = 4


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """A third of the sweeps are warm-up."""
    reference = load_reference(name)

    def run(size: int) -> Sampled:
        clock, sampler = Clock(), Gibbs(draws=size, tune=size // 2)
        begin = starts(reference, CHAINS, seed)
        found = sampler.sample(reference.parameterization(), reference.data, begin, seed)
        return of_ours(found, clock)

    return within(budget, run)
