"""Random-walk Metropolis of many chains with one step size: the plainest sampler of all."""

import numpy as np

from ordered_mix.references.entrant import Budget, Clock, Sampled, Target, within
from ordered_mix.references.reference import load_reference

CHAINS = 20
ACCEPTED = 0.3


def sample(
    name: str, seed: int, budget: Budget, coordinates: str = "unordered", jacobian: int = 1
) -> Sampled:
    """Half of the iterations are warm-up, in which the step size is adapted."""
    target = Target(load_reference(name), coordinates, jacobian)

    def run(size: int) -> Sampled:
        clock, rng = Clock(), np.random.default_rng(seed)
        z = target.start(CHAINS, seed)
        height, step, kept = target.log_density(z), 0.1, []
        for i in range(size):
            new = z + step * rng.standard_normal(z.shape)
            there = target.log_density(new)
            taken = np.log(rng.random(CHAINS)) < there - height
            z, height = np.where(taken[:, None], new, z), np.where(taken, there, height)
            if i < size // 2:
                step *= np.exp((taken.mean() - ACCEPTED) / np.sqrt(1 + i))
            else:
                kept.append(z)
        draws = target.mixture(np.stack(kept))
        return Sampled(draws, CHAINS * (size + 1), clock.seconds())

    return within(budget, run)
