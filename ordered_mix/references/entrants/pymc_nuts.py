"""PyMC's own NUTS on the plain mixture, `pm.NormalMixture`."""

import numpy as np
import pymc as pm

from ordered_mix.references.entrant import Budget, Clock, Sampled, within
from ordered_mix.references.plain import mixture_of, plain_model
from ordered_mix.references.reference import load_reference

CHAINS = 4


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """As many draws as tuning draws; compilation is not timed."""
    reference = load_reference(name)

    def run(size: int) -> Sampled:
        clock = Clock()
        with plain_model(reference.definition):
            tree = pm.sample(
                draws=size, tune=size, chains=CHAINS, cores=1, random_seed=seed,
                nuts_sampler="pymc", discard_tuned_samples=False, progressbar=False, quiet=True,
                compute_convergence_checks=False,
            )  # fmt: skip
        steps = [tree[group]["n_steps"] for group in ("sample_stats", "warmup_sample_stats")]
        passes = float(sum(np.sum(group.to_numpy()) for group in steps))
        seconds = clock.part(float(tree["posterior"].attrs["sampling_time"]))
        return Sampled(mixture_of(tree, reference.definition), passes, seconds)

    return within(budget, run, first=100)
