"""NumPyro's NUTS on the plain mixture with the labels summed out, where it is installed."""

from typing import Any

import numpy as np

from ordered_mix.mixture import Mixture
from ordered_mix.references.entrant import Budget, Clock, Sampled, one_column, within
from ordered_mix.references.reference import load_reference


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """Four chains, as many draws as tuning draws; steps are compiled anew for every length."""
    try:
        import jax
        import numpyro
        import numpyro.distributions as dist
        from numpyro.infer import MCMC, NUTS
    except ImportError:
        raise ValueError("entrant numpyro needs the package numpyro, which is not installed") from None
    reference, prior = load_reference(name), load_reference(name).definition.prior
    one_column("numpyro", reference)
    k, y = reference.definition.k, jax.numpy.asarray(reference.data.y)
    if prior.scale_family != "inverse_gamma":
        raise ValueError(f"prior must have inverse-gamma scales for numpyro, {name} has others")

    def model() -> None:
        w: Any = np.array(prior.known_w)
        if prior.known_w is None:
            w = numpyro.sample("w", dist.Dirichlet(np.full(k, prior.concentration)))
        mu = numpyro.sample("mu", dist.Normal(prior.location, prior.spread).expand([k]))
        sigma: Any = prior.known_sigma
        if sigma is None:
            v = numpyro.sample("v", dist.InverseGamma(2.0, prior.scale**2).expand([k]))
            sigma = numpyro.deterministic("sigma", v**0.5)
        parts = dist.MixtureSameFamily(dist.Categorical(w), dist.Normal(mu, sigma))
        numpyro.sample("y", parts, obs=y)

    def run(size: int) -> Sampled:
        clock, fields = Clock(), ("num_steps",)
        chains = MCMC(NUTS(model), num_warmup=size, num_samples=size, num_chains=4,
                      chain_method="sequential", progress_bar=False)  # fmt: skip
        chains.warmup(jax.random.key(seed), extra_fields=fields, collect_warmup=True)
        passes = float(chains.get_extra_fields()["num_steps"].sum())
        chains.run(chains.post_warmup_state.rng_key, extra_fields=fields)
        passes += float(chains.get_extra_fields()["num_steps"].sum())
        found = {key: np.asarray(value, float) for key, value in chains.get_samples().items()}
        w = found["w"] / found["w"].sum(-1, keepdims=True) if "w" in found else prior.known_w
        draws = Mixture(w, found["mu"], found.get("sigma", prior.known_sigma))
        return Sampled(draws, passes, clock.seconds())

    return within(budget, run)
