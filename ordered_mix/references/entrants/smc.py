"""Sequential Monte Carlo of this package, as many particles as the budget allows."""

from ordered_mix.references.entrant import Budget, Clock, Sampled, of_ours, within
from ordered_mix.references.reference import load_reference
from ordered_mix.samplers.smc import SMC


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """Two islands."""
    reference = load_reference(name)

    def run(size: int) -> Sampled:
        clock, sampler = Clock(), SMC(particles=size // 8 * 8, islands=2, length=8)
        parameterization = reference.parameterization()
        return of_ours(sampler.sample(parameterization, reference.data, seed=seed), clock)

    return within(budget, run)
