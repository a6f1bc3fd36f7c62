"""NumPyro's NUTS (Phan, Pradhan & Jankowiak 2019) on the plain mixture, where it is installed."""

from ordered_mix.references.entrant import Budget, Clock, Sampled, within
from ordered_mix.references.plain_numpyro import mixture_of, numpyro_model
from ordered_mix.references.reference import load_reference


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """Four chains, as many draws as tuning draws; every length is compiled anew, and timed."""
    definition = load_reference(name).definition
    model, steps = numpyro_model(definition), "num_steps"
    from jax import random
    from numpyro.infer import MCMC, NUTS

    def run(size: int) -> Sampled:
        clock, key = Clock(), random.key(seed)
        chains = MCMC(NUTS(model), num_warmup=size, num_samples=size, num_chains=4,
                      chain_method="sequential", progress_bar=False)  # fmt: skip
        chains.warmup(key, extra_fields=(steps,), collect_warmup=True)
        passes = float(chains.get_extra_fields()[steps].sum())
        chains.run(random.fold_in(key, 1), extra_fields=(steps,))
        passes += float(chains.get_extra_fields()[steps].sum())
        draws = mixture_of(chains.get_samples(), definition)
        return Sampled(draws, passes, clock.seconds())

    return within(budget, run)
