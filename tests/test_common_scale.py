"""One scale for all components, known means and known scales: laws, an oracle, the fit.

The oracles are a PyMC model as a person writes it, and the Gibbs sampler of the tests.
"""

import arviz
import chance
import numpy as np
import pymc as pm
import pytest
from adaptive_gibbs import gibbs
from columns_of_numbers import column

from ordered_mix import fit
from ordered_mix.data import Data
from ordered_mix.errors import RunError
from ordered_mix.fitted.restriction import Restriction
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog, laws
from ordered_mix.parameterization.laws import points_of
from ordered_mix.parameterization.parameterization import NotApplicable
from ordered_mix.prior import Prior, default_prior
from ordered_mix.samplers.gibbs import Gibbs

NUMBERS = {"location": 0.4, "spread": 1.6, "scale": 0.7, "concentration": 2.0}
HELD = {
    "common": {"common_scale": True},
    "common, adaptive": {"common_scale": True, "scale_family": "adaptive"},
    "means": {"known_mu": (1.1, -0.6), "scale_family": "adaptive"},
    "scales": {"known_sigma": (0.5, 1.5)},
}
LEAST_ESS = 150
SHORT = {"draws": 1000, "tune": 700}


@pytest.mark.chance
@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("name", catalog.names("parameterization"))
def test_laws_hold(name, held):
    prior = Prior(**NUMBERS, **HELD[held])
    try:
        found = catalog.parameterization(name, 2, prior)
    except NotApplicable as reason:
        assert "known" in str(reason) and name != "unordered"
        return
    z = points_of(found, 10, seed=chance.seed(3))
    assert found.dimension == prior.free_parameters(2)
    for law in (laws.round_trip, laws.log_determinant, laws.gradient, laws.matched_prior,
                laws.prior_draws):  # fmt: skip
        outcome = law(found, z, chance.seed(4))
        assert outcome.holds, outcome


def test_the_density_is_that_of_a_model_as_people_write_it():
    """Both are densities of unconstrained coordinates, theirs of log v = 2 log sigma."""
    y = np.array([-0.3, 0.2, 1.4, 1.9, 2.2])
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.full(2, 2.0))
        mu = pm.Normal("mu", 0.4, 1.6, shape=2)
        v = pm.InverseGamma("v", 2.0, 0.7**2)
        pm.NormalMixture("y", w, mu, sigma=pm.math.sqrt(v), observed=y)
    theirs = model.compile_logp()
    ours = catalog.parameterization("unordered", 2, Prior(**NUMBERS, common_scale=True))
    mixture = Mixture([0.3, 0.7], [0.1, 1.8], [0.6, 0.6])
    z = ours.unconstrain(mixture)
    there = {
        "mu": mixture.mu,
        "v_log__": np.log(0.36),
        "w_simplex__": z[ours.graph.slices["w"]],
    }
    assert ours.log_posterior(z, Data(y))[0] == pytest.approx(theirs(there) + np.log(2))


@pytest.mark.chance
def test_a_common_scale_tells_a_close_pair_apart():
    """Components .4 and .6 of sd .2: the posterior against an independent Gibbs sampler."""
    data = column("close_pair")
    found = fit(data, 2, scales="common", **SHORT)
    assert found.agreement.ess >= LEAST_ESS and found.agreement.status != "bad"
    prior = default_prior(data)
    oracle = gibbs(data.y, 2, Restriction("common").of_prior(prior), 6000, chance.rng(5)).sorted()
    draws = found.labelled
    assert np.array_equal(draws.mu, found.draws.mixture.sorted().mu)  # means are what separates
    for quantity, k in (("w", 0), ("mu", 0), ("mu", 1), ("sigma", 0)):
        ours = getattr(draws, quantity)[..., k]
        theirs = getattr(oracle, quantity)[:, k].reshape(4, -1)
        errors = [arviz.mcse(part, method="mean", chain_axis=0, draw_axis=1)
                  for part in (ours, theirs)]  # fmt: skip
        limit = chance.z_for(4, LEAST_ESS) * np.hypot(*errors)
        assert abs(ours.mean() - theirs.mean()) < limit, (quantity, k)
    summary = found.summary()
    for name, truth in (("mu[1]", 0.4), ("mu[2]", 0.6), ("sigma[1]", 0.2)):
        assert abs(summary.loc[name, "mean"] - truth) < 2 * summary.loc[name, "sd"]
    assert summary.loc["sigma[1]", "mean"] == summary.loc["sigma[2]", "mean"]
    assert "sorted by mean" in found.tree["posterior"].attrs["labels"]


def test_known_values_are_kept_in_their_order():
    data = column("two_lines")
    means = fit(data, 2, fixed={"mu": [2.0, -2.0]}, draws=200, tune=300, chains=2)
    table = means.summary()
    assert table.loc[["mu[1]", "mu[2]"], "mean"].tolist() == pytest.approx([2.0, -2.0])
    assert table.loc["mu[1]", "sd"] == 0 and abs(table.loc["w[1]", "mean"] - 0.3) < 0.1
    assert table.loc["w[1]", "em"] == pytest.approx(table.loc["w[1]", "map"], abs=0.01)
    scales = fit(data, 2, fixed={"sigma": [0.1, 0.12]}, draws=200, tune=300, chains=2)
    table = scales.summary()
    assert table.loc[["sigma[1]", "sigma[2]"], "mean"].tolist() == pytest.approx([0.1, 0.12])
    # both labellings are modes here, and the likelihood says which is the better one
    assert scales.agreement.status != "bad"


def test_what_a_prior_knows_is_what_is_asked():
    prior = Prior(known_w=(0.2, 0.8), known_mu=(1.0, 2.0))
    held = Restriction.of(prior, 2)
    assert held.of_prior(Prior()) == prior
    assert Restriction.of(Prior(known_sigma=2.0), 3).of_prior(Prior()) == Prior(known_sigma=2.0)
    common = Restriction("common").of_prior(Prior())
    assert common.common_scale and Restriction.of(common, 2) == Restriction("common")
    there = prior.affine(1.0, 2.0)
    assert there.known_mu == (3.0, 5.0) and there.known_w == prior.known_w
    data = column("two_lines")
    asked = fit(data, 2, estimators=("em",), fixed={"mu": [2.0, -2.0]})
    carried = fit(data, 2, estimators=("em",), prior=Prior(known_mu=(2.0, -2.0)))
    assert carried.maximum.log_likelihood == asked.maximum.log_likelihood


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"known_mu": (np.nan, 1.0)}, "known_mu must be finite"),
        ({"known_sigma": (1.0, 0.0)}, "known_sigma must be positive"),
        ({"known_sigma": 1.0, "common_scale": True}, "common_scale must be False"),
    ],
)
def test_wrong_values_of_a_prior(values, message):
    with pytest.raises(ValueError, match=message):
        Prior(**values)


def test_gibbs_says_what_takes_a_common_scale():
    data = column("close_pair")
    model = catalog.parameterization("unordered", 2, Prior(common_scale=True))
    starts = Mixture.stack([Mixture([0.5, 0.5], [0.4, 0.6], [0.2, 0.2])])
    with pytest.raises(ValueError, match="without common_scale for Gibbs sampling, NUTS and SMC"):
        Gibbs(draws=10, tune=10).sample(model, data, starts, seed=1)
    with pytest.raises(ValueError, match="known_mu must hold 3 values, got 2"):
        catalog.parameterization("unordered", 3, Prior(known_mu=(0.0, 1.0)))
    spikes = np.repeat([0.0, 1.0], 20)
    with pytest.raises(RunError, match="no maximum to find"):
        fit(spikes, 2, estimators=("em",), scales="common")
