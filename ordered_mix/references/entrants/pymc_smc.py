"""PyMC's sequential Monte Carlo on the plain mixture, `pm.NormalMixture`."""

import numpy as np
import pymc as pm
from pymc.smc.kernels import IMH

from ordered_mix.references.entrant import Budget, Clock, Sampled, within
from ordered_mix.references.plain import mixture_of, plain_model
from ordered_mix.references.reference import load_reference


class Counted(IMH):
    """Its own kernel, whose stages say how often the likelihood was evaluated."""

    def sample_stats(self) -> dict[str, float]:
        return {**super().sample_stats(), "passes": self.draws * (self.n_steps - 1)}


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """Two runs, as many particles as the budget allows; compilation is timed by PyMC."""
    reference = load_reference(name)

    def run(size: int) -> Sampled:
        clock, settings = Clock(), {"chains": 2, "cores": 1, "random_seed": seed}
        with plain_model(reference.definition):
            tree = pm.sample_smc(
                size, Counted, **settings, progressbar=False, compute_convergence_checks=False
            )
        stages = np.concatenate([np.ravel(one) for one in tree["sample_stats"]["passes"].data])
        passes = 2 * size + float(sum(np.sum(one) for one in stages if one is not None))
        return Sampled(mixture_of(tree, reference.definition), passes, clock.seconds())

    return within(budget, run)
