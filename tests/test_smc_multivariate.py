"""Sequential Monte Carlo in several dimensions: evidence, moments, agreement with Gibbs."""

import arviz_stats
import chance
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from ordered_mix.data import Data, load_points
from ordered_mix.draws.bridge_multivariate import bridge_points
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, default_multivariate_prior, reference
from ordered_mix.parameterization import catalog
from ordered_mix.passes.multivariate_pass import white_pass
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.smc import SMC

ISLANDS = 8
SAMPLER = SMC(particles=256, islands=ISLANDS)


def log_likelihood(y, mixture):
    return white_pass(y, mixture.w, mixture.mu, mixture.root).log_likelihood


@pytest.mark.parametrize("label", ["unordered", "relative(axis=1)"])
@pytest.mark.chance
def test_evidence_of_few_points_is_the_mean_likelihood_under_the_prior(label):
    """Points in units of their own, which the evidence must not notice."""
    base = np.array([[-1.0, 0.2], [0.5, 2.0], [0.4, -0.3], [1.0, 0.5]])
    for kind, unit in (("full", 100.0), ("spherical", 1.0)):
        y, scale = base * [1.0, unit], [0.7, 0.7 * unit]
        prior = MultivariatePrior([0.3, 0.1], [1.5, 1.5 * unit], scale, covariance=kind)
        weighted = log_likelihood(y, reference.draw(prior, 2, 200_000, np.random.default_rng(1)))
        exact = logsumexp(weighted) - np.log(weighted.size)
        weight = np.exp(weighted - logsumexp(weighted))
        own_error = np.sqrt(np.sum(weight**2))
        one = catalog.parameterization(label, 2, prior)
        tree = SAMPLER.sample(one, Data.of_points(y), seed=chance.seed(2)).tree
        assert own_error < 0.05
        error = np.hypot(tree.attrs["log_evidence_se"], own_error)
        limit = stats.t.isf(chance.alpha(4) / 2, ISLANDS - 1)
        assert abs(tree.attrs["log_evidence"] - exact) < limit * error
        begin = reference.draw(prior, 2, 4, np.random.default_rng(3))
        chains = Gibbs(draws=4000, tune=200).sample(one, Data.of_points(y), begin, chance.seed(4))
        found = bridge_points(one, Data.of_points(y), chains.mixture, seed=chance.seed(5))
        error = np.hypot(found.standard_error, own_error)
        assert abs(found.log_evidence - exact) < chance.z_for(4, 1000) * error


@pytest.mark.chance
def test_smc_and_gibbs_agree_on_the_geyser():
    data = load_points("faithful")
    one = catalog.parameterization("ordered", 2, default_multivariate_prior(data), axis=1)
    run = SAMPLER.sample(one, data, seed=chance.seed(3))
    particles = run.mixture
    begin = Mixture(
        [0.4, 0.6],
        np.broadcast_to([[2.0, 54.0], [4.3, 80.0]], (4, 2, 2)),
        covariance=np.diag([0.2, 40.0]),
    )
    chains = Gibbs(draws=2000, tune=200).sample(one, data, begin, chance.seed(4)).mixture
    assert np.all(np.diff(particles.mu[..., 1]) > 0)
    found = bridge_points(one, data, chains, seed=chance.seed(5))
    error = np.hypot(run.tree.attrs["log_evidence_se"], found.standard_error)
    limit = stats.t.isf(chance.alpha(5) / 2, ISLANDS - 1)
    assert abs(run.tree.attrs["log_evidence"] - found.log_evidence) < limit * error
    for quantity in (
        lambda mixture: mixture.mu[..., 0, 0],
        lambda mixture: mixture.w[..., 1],
        lambda mixture: np.log(mixture.covariance[..., 1, 1, 1]),
        lambda mixture: mixture.total_covariance()[..., 0, 1],
    ):
        islands, values = quantity(particles).mean(axis=1), quantity(chains)
        own = float(arviz_stats.mcse(values, method="mean", chain_axis=0, draw_axis=1))
        error = np.hypot(islands.std(ddof=1) / np.sqrt(ISLANDS), own)
        limit = stats.t.isf(chance.alpha(5) / 2, ISLANDS - 1)
        assert abs(islands.mean() - values.mean()) < limit * error


def test_passes_are_counted_and_seeds_give_the_same_draws():
    y = np.random.default_rng(0).normal(size=(9, 2))
    one = catalog.parameterization("unordered", 1, MultivariatePrior())
    sampler = SMC(particles=32, islands=2)
    first, second = (sampler.sample(one, Data.of_points(y), seed=1) for _ in range(2))
    assert first.mixture.mu.tobytes() == second.mixture.mu.tobytes()
    assert first.passes.min() > 0 and first.warmup_passes.min() > 0
    with pytest.raises(ValueError, match="data must have the 2 columns of the prior, got 1"):
        sampler.sample(one, Data.of_points(y[:, :1]))
