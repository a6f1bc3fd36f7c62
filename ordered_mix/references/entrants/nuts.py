"""NUTS of this package in the coordinates of any parameterization."""

from ordered_mix.references.entrant import Budget, Clock, Sampled, of_ours, starts, within
from ordered_mix.references.reference import load_reference
from ordered_mix.samplers.nuts import NUTS

CHAINS = 4


def sample(
    name: str,
    seed: int,
    budget: Budget,
    coordinates: str = "unordered",
    adaptation: str = "diagonal",
) -> Sampled:
    """As many draws as tuning draws."""
    reference = load_reference(name)
    parameterization = reference.parameterization(coordinates)

    def run(size: int) -> Sampled:
        clock, sampler = Clock(), NUTS(draws=size, tune=size, adaptation=adaptation)
        begin = starts(reference, CHAINS, seed)
        return of_ours(sampler.sample(parameterization, reference.data, begin, seed), clock)

    return within(budget, run)
