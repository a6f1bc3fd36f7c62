"""PyMC's sequential Monte Carlo on the plain mixture, `pm.NormalMixture`."""

import pymc as pm
from pymc.smc.kernels import IMH

from ordered_mix.references.entrant import Budget, Clock, Sampled, within
from ordered_mix.references.plain import mixture_of, plain_model
from ordered_mix.references.reference import load_reference


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """Two runs, as many particles as the budget allows; compilation is timed."""
    definition = load_reference(name).definition

    def run(size: int) -> Sampled:
        clock, counted = Clock(), []

        class Kernel(IMH):
            def mutate(self) -> None:
                super().mutate()
                counted.append(self.draws * (self.n_steps - 1))  # its count begins at 1

        with plain_model(definition):
            tree = pm.sample_smc(size, Kernel, chains=2, cores=1, random_seed=seed,
                                 progressbar=False, compute_convergence_checks=False)  # fmt: skip
        return Sampled(mixture_of(tree, definition), 2 * size + sum(counted), clock.seconds())

    return within(budget, run, first=100)
