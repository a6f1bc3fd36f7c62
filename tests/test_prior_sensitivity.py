"""Whether the prior decides, on data where it does and where it does not."""

import numpy as np
import pytest
from adaptive_gibbs import gibbs

from ordered_mix import default_prior
from ordered_mix.data import Data, load
from ordered_mix.draws.prior_sensitivity import prior_sensitivity
from ordered_mix.estimators.map import MAP
from ordered_mix.mixture import Mixture
from ordered_mix.optima.multistart import MultiStart
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior

TEN = Data([3.95, 3.99, 4.0, 4.04, 4.1, 10.9, 11.5, 11.9, 11.7, 12.3], name="ten points")


def measured(data, kind, sweeps=2000):
    """Two chains of a Gibbs sampler, the mode and the maximum."""
    prior, rng = default_prior(data, kind), np.random.default_rng(4)
    draws = Mixture.stack([gibbs(data.y, 2, prior, sweeps, rng) for _ in range(2)])
    best = MultiStart(seed=1).fit(catalog.parameterization("unordered", 2), data)
    plain = catalog.parameterization("unordered", 2, prior)
    mode = MAP(jacobian=False).fit(plain, data, Mixture.stack([best.best, draws[0, -1]]))
    reached = float(mode.log_likelihood[np.argmax(mode.objective)])
    return prior_sensitivity(draws, data, prior, reached, best.log_likelihood)


def test_the_fixed_prior_decides_on_ten_points():
    found = measured(TEN, "fixed")
    assert found.allowance == 2.5 and 12 < found.below_maximum < 14
    assert found.decides and found.answer == "Yes."
    assert f"{found.below_maximum:.2f} nats" in found.reason
    assert {"sigma[1]", "sigma[2]"} <= set(found.sensitive)


def test_no_prior_decides_on_the_waiting_times():
    for kind in ("fixed", "adaptive"):
        found = measured(load("faithful:waiting"), kind)
        assert 0 <= found.below_maximum < 0.1
        assert found.sensitive == [] and found.answer == "No."
        likelihood = found.power_scaling["likelihood"]
        assert likelihood[["mu[1]", "sigma[2]", "sd"]].min() > 0.05


def test_a_prior_at_odds_with_the_data_moves_what_it_is_about():
    data = load("faithful:waiting")
    prior = default_prior(data, "fixed", location=300.0, spread=20.0)
    draws = gibbs(data.y, 2, prior, 2000, np.random.default_rng(1))
    found = prior_sensitivity(Mixture.stack([draws]), data, prior, -1035.0, -1034.0)
    assert not found.decides and found.sensitive
    assert {"mu[1]", "mu[2]"} <= set(found.sensitive)
    assert found.answer.startswith("In part: ")


def test_known_weights_have_no_sensitivity():
    prior = Prior(known_w=(0.5, 0.5), known_sigma=1.0)
    mu = np.random.default_rng(1).normal([-1.0, 1.0], 0.1, (2, 200, 2))
    draws = Mixture(np.full(mu.shape, 0.5), mu, np.ones(mu.shape))
    found = prior_sensitivity(draws, Data([-1.0, 1.0]), prior, -3.0, -2.5)
    assert list(found.power_scaling.index) == ["mean", "sd", "mu[1]", "mu[2]"]
    assert found.allowance == 1.0


def test_what_cannot_be_measured_is_refused():
    draws = Mixture(np.full((2, 5, 2), 0.5), np.zeros((2, 5, 2)), np.ones((2, 5, 2)))
    with pytest.raises(ValueError, match="prior must be matched"):
        prior_sensitivity(draws, TEN, Prior(native=True), 0.0, 0.0)
    with pytest.raises(ValueError, match=r"mixture must have axes \(chain, draw\)"):
        prior_sensitivity(draws[0], TEN, Prior(), 0.0, 0.0)
