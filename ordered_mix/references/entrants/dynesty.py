"""Nested sampling of dynesty (Speagle 2020), where it is installed."""

import numpy as np

from ordered_mix.references.cube import cube
from ordered_mix.references.entrant import Budget, Clock, Sampled, within
from ordered_mix.references.reference import load_reference


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """Random walks in the unit cube, as many live points as the budget allows."""
    try:
        from dynesty import NestedSampler
    except ImportError:
        raise ValueError(
            "entrant dynesty needs the package dynesty, which is not installed"
        ) from None
    one = cube("dynesty", load_reference(name))

    def run(size: int) -> Sampled:
        clock, rng = Clock(), np.random.default_rng(seed)
        nested = NestedSampler(
            one.log_likelihood, np.array, one.dimension, nlive=size, sample="rwalk", rstate=rng
        )
        nested.run_nested(print_progress=False)
        draws = one.mixture(nested.results.samples_equal(rstate=rng))
        return Sampled(draws, float(np.sum(nested.results.ncall)), clock.seconds())

    return within(budget, run)
