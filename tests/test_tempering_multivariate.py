"""Parallel tempering in several dimensions: evidence, moments, refusals."""

import arviz_stats
import chance
import numpy as np
import pytest
from scipy.special import logsumexp

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, reference
from ordered_mix.parameterization import catalog
from ordered_mix.passes.multivariate_pass import white_pass
from ordered_mix.samplers.tempering import Tempering

SMALL = Tempering(draws=600, tune=300, temperatures=6)
POINTS = np.array([[-1.0, 20.0], [0.5, 200.0], [0.4, -30.0], [1.0, 50.0]])
SCALE = [0.7, 70.0]


def prior_of(covariance="full"):
    return MultivariatePrior([0.3, 10.0], [1.5, 150.0], SCALE, covariance=covariance)


@pytest.mark.parametrize(
    ("label", "covariance"), [("unordered", "full"), ("relative(axis=1)", "diagonal")]
)
@pytest.mark.chance
def test_few_points_have_evidence_and_moments_of_weighted_prior_draws(label, covariance):
    """Columns in units of their own, which neither notices."""
    prior, data = prior_of(covariance), Data.of_points(POINTS)
    one = catalog.parameterization(label, 2, prior)
    drawn = one.sorted(reference.draw(prior, 2, 200_000, np.random.default_rng(1)))
    given = white_pass(POINTS, drawn.w, drawn.mu, drawn.root).log_likelihood
    exact = logsumexp(given) - np.log(given.size)
    weight = np.exp(given - logsumexp(given))
    own_error = np.sqrt(np.sum(weight**2))
    assert own_error < 0.05
    run = SMALL.sample(one, data, one.draw_prior(4, 3), chance.seed(2))
    error = np.hypot(run.tree.attrs["log_evidence_se"], own_error)
    assert error < 0.2
    assert abs(run.tree.attrs["log_evidence"] - exact) < chance.z_for(4, 100) * error
    for quantity in (
        lambda mixture: mixture.total_covariance()[..., 0, 1],
        lambda mixture: mixture.mean()[..., 1],
        lambda mixture: mixture.mu[..., 0, 0] * mixture.mu[..., 1, 0],
    ):
        values, expected = quantity(run.mixture), weight @ quantity(drawn)
        spread = np.sqrt(np.sum(weight**2 * (quantity(drawn) - expected) ** 2))
        ess = float(arviz_stats.ess(values, chain_axis=0, draw_axis=1))
        assert ess > 100
        own = float(arviz_stats.mcse(values, method="mean", chain_axis=0, draw_axis=1))
        allowed = chance.z_for(4, ess) * np.hypot(own, spread)
        assert abs(values.mean() - expected) < allowed


def test_passes_are_counted_and_what_does_not_fit_is_refused():
    one, data = catalog.parameterization("unordered", 1, prior_of()), Data.of_points(POINTS)
    sampler = Tempering(draws=8, tune=32, temperatures=3)
    start = Mixture(np.ones((2, 1)), np.zeros((2, 1, 2)), covariance=np.eye(2))
    first, second = (sampler.sample(one, data, start, 1) for _ in range(2))
    assert first.mixture.mu.tobytes() == second.mixture.mu.tobytes()
    assert first.passes.min() > 0 and first.warmup_passes.min() > 0
    assert first.tree["tempering"]["round_trips"].shape == (2,)
    assert first.seconds > 0
    with pytest.raises(ValueError, match="starts must have 1 components in 2 dimensions"):
        sampler.sample(one, data, Mixture([[1.0]], [[[0.0]]], covariance=[[[[1.0]]]]), 1)
    with pytest.raises(ValueError, match="must have more points than its 2 columns, it has 2"):
        sampler.sample(one, Data.of_points(POINTS[:2]), start, 1)
