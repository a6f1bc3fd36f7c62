"""The affine-invariant ensemble of emcee (Foreman-Mackey et al. 2013), where it is installed."""

import numpy as np

from ordered_mix.references.entrant import Budget, Clock, Sampled, Target, within
from ordered_mix.references.reference import load_reference


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """Four walkers for each coordinate, 32 at least; half of the steps are warm-up."""
    try:
        import emcee
    except ImportError:
        raise ValueError("entrant emcee needs the package emcee, which is not installed") from None
    target = Target(load_reference(name))

    def run(size: int) -> Sampled:
        dimension = target.start(1, seed).shape[-1]
        begin, clock = target.start(max(32, 4 * dimension), seed), Clock()
        walkers = emcee.EnsembleSampler(len(begin), dimension, target.log_density, vectorize=True)
        walkers.random_state = np.random.RandomState(seed).get_state()
        walkers.run_mcmc(begin, size, skip_initial_state_check=True)
        draws = target.mixture(walkers.get_chain(discard=size // 2, flat=True))
        return Sampled(draws, len(begin) * (size + 1), clock.seconds())

    return within(budget, run)
