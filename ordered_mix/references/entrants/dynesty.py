"""Nested sampling of dynesty (Speagle 2020), where it is installed."""

import numpy as np
from scipy import stats

from ordered_mix.mixture import Mixture
from ordered_mix.passes import kernels
from ordered_mix.references.entrant import Budget, Clock, Sampled, one_column, within
from ordered_mix.references.reference import load_reference


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """Random walks in the quantiles of the prior, as many live points as the budget allows."""
    try:
        import dynesty
    except ImportError:
        raise ValueError("entrant dynesty needs the package dynesty, which is not installed") from None
    reference, prior = load_reference(name), load_reference(name).definition.prior
    one_column("dynesty", reference)
    if prior.scale_family != "inverse_gamma":
        raise ValueError(f"prior must have inverse-gamma scales for dynesty, {name} has others")
    k, y = reference.definition.k, reference.data.y
    laws = [stats.norm(prior.location, prior.spread)]
    laws += [stats.gamma(prior.concentration)] if prior.known_w is None else []
    laws += [stats.invgamma(2, scale=prior.scale**2)] if prior.known_sigma is None else []

    def transform(u: np.ndarray) -> np.ndarray:
        return np.concatenate([law.ppf(x) for law, x in zip(laws, u.reshape(-1, k), strict=True)])

    def mixture(x: np.ndarray) -> Mixture:
        rows = list(np.moveaxis(x.reshape(*x.shape[:-1], -1, k), -2, 0))
        mu, w = rows[0], rows[1] if prior.known_w is None else np.array(prior.known_w)
        sigma = prior.known_sigma if prior.known_sigma is not None else np.sqrt(rows[-1])
        return Mixture(w / w.sum(axis=-1, keepdims=True), mu, sigma)

    def height(x: np.ndarray) -> float:
        one = mixture(x)
        return float(kernels.e_step(y, one.w, one.mu, one.sigma).log_likelihood)

    def run(size: int) -> Sampled:
        clock, rng = Clock(), np.random.default_rng(seed)
        nested = dynesty.NestedSampler(
            height, transform, k * len(laws), nlive=size, sample="rwalk", rstate=rng
        )
        nested.run_nested(print_progress=False)
        found = nested.results
        draws = mixture(found.samples_equal(rstate=rng))
        return Sampled(draws, float(np.sum(found.ncall)), clock.seconds())

    return within(budget, run)
