"""nutpie on the plain PyMC mixture, `pm.NormalMixture`, compiled anew for each model."""

from functools import lru_cache
from typing import Any

import numpy as np
import nutpie

from ordered_mix.references.entrant import Budget, Clock, Sampled, within
from ordered_mix.references.plain import mixture_of, plain_model
from ordered_mix.references.reference import load_reference

CHAINS = 4


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """As many draws as tuning draws; compilation is not timed."""
    reference = load_reference(name)
    compiled = _compiled(name)

    def run(size: int) -> Sampled:
        clock = Clock()
        tree = nutpie.sample(
            compiled, draws=size, tune=size, chains=CHAINS, cores=1, seed=seed,
            progress_bar=False, save_warmup=True,
        )  # fmt: skip
        steps = [tree[group]["n_steps"] for group in ("sample_stats", "warmup_sample_stats")]
        passes = float(sum(np.sum(group.to_numpy()) for group in steps))
        return Sampled(mixture_of(tree, reference.definition), passes, clock.seconds())

    return within(budget, run)


@lru_cache(maxsize=16)
def _compiled(name: str) -> Any:
    return nutpie.compile_pymc_model(plain_model(load_reference(name).definition))
