"""The evidence from draws: against quadrature and weighted prior draws, in several coordinates."""

import chance
import numpy as np
import pytest
from oracles import one_component, weighted_prior
from scipy import stats
from scipy.special import ndtri
from scipy.stats import poisson

from ordered_mix.data import Data, load, simulate
from ordered_mix.draws.bridge import bridge
from ordered_mix.draws.chib import chib
from ordered_mix.draws.components import posterior_components, prior_components
from ordered_mix.draws.evidence import Evidence, from_wbic, laplace_metropolis
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.smc import SMC
from ordered_mix.samplers.tempering import Tempering
from ordered_mix.theory.quadrature import means_posterior

PRIOR = Prior(location=0.3, spread=1.5, scale=0.7, concentration=2.0)
MEANS_ONLY = Prior(spread=2.0, known_w=(0.5, 0.5), known_sigma=1.0)
QUANTILES = Data(ndtri((np.arange(1, 51) - 0.5) / 50), name="quantiles")
FEW = Data(np.array([-1.0, 0.2, 0.5, 2.5]))


def gibbs(k, prior, data, draws=4000, chains=4):
    mu = np.random.default_rng(k).choice(data.y, (chains, k))
    starts = Mixture(np.full(k, 1 / k), mu, np.full((chains, k), float(data.scale)))
    parameterization = catalog.parameterization("unordered", k, prior)
    return Gibbs(draws=draws).sample(parameterization, data, starts, chance.seed(1)).mixture


@pytest.fixture(scope="module")
def means_only():
    return gibbs(2, MEANS_ONLY, QUANTILES)


@pytest.fixture(scope="module")
def few_points():
    exact = weighted_prior(FEW.y, PRIOR, 3, 400_000, seed=3)
    return gibbs(3, PRIOR, FEW), exact


def agrees(found, exact, error=0.0, comparisons=1):
    assert found.standard_error < 0.2 and found.warning == ""
    # no warning: the draws are worth 100 independent ones
    allowed = chance.z_for(comparisons, 100) * np.hypot(found.standard_error, error)
    assert abs(found.log_evidence - exact) < allowed


@pytest.mark.parametrize(
    ("name", "labels"),
    [("unordered", "sorted"), ("unordered", "symmetrised"), ("signed", "symmetrised"),
     ("relative", "sorted")],
)  # fmt: skip
@pytest.mark.chance
def test_bridge_of_two_free_means_is_that_of_quadrature(name, labels, means_only):
    parameterization = catalog.parameterization(name, 2, MEANS_ONLY)
    found = bridge(parameterization, QUANTILES, means_only, labels=labels)
    agrees(found, means_posterior(QUANTILES.y).log_evidence())


@pytest.mark.chance
def test_chib_of_two_free_means_is_that_of_quadrature(means_only):
    parameterization = catalog.parameterization("unordered", 2, MEANS_ONLY)
    found = chib(parameterization, QUANTILES, means_only)
    agrees(found, means_posterior(QUANTILES.y).log_evidence())


@pytest.mark.parametrize(
    ("name", "labels"), [("unordered", "sorted"), ("ordered", "sorted"), ("moment", "symmetrised")]
)
@pytest.mark.chance
def test_bridge_of_few_points_is_that_of_the_weighted_prior(name, labels, few_points):
    draws, exact = few_points
    parameterization = catalog.parameterization(name, 3, PRIOR)
    found = bridge(parameterization, FEW, draws, labels=labels)
    agrees(found, exact.log_evidence, exact.error)


@pytest.mark.chance
def test_chib_of_few_points_is_that_of_the_weighted_prior(few_points):
    draws, exact = few_points
    found = chib(catalog.parameterization("ordered", 3, PRIOR), FEW, draws)
    agrees(found, exact.log_evidence, exact.error)


@pytest.mark.chance
def test_one_component_is_that_of_quadrature():
    data = simulate(Mixture([1.0], [1.0], [0.5]), 200, seed=1)
    exact = one_component(data.y, PRIOR).log_evidence
    draws = gibbs(1, PRIOR, data)
    parameterization = catalog.parameterization("unordered", 1, PRIOR)
    agrees(bridge(parameterization, data, draws), exact)
    # all points are in one group: the ordinate is exact but for its quadrature
    assert chib(parameterization, data, draws).log_evidence == pytest.approx(exact, abs=1e-3)
    assert laplace_metropolis(parameterization, data, draws).log_evidence == pytest.approx(
        exact, abs=0.1
    )


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.chance
def test_estimators_agree_on_galaxies_in_several_coordinates(k):
    """Modes that are no relabelling of each other, which a few points do not have."""
    data = load("galaxies")
    prior = Prior().affine(float(data.location), float(data.scale))
    names = ("unordered", "signed", "ordered") if k > 1 else ("unordered",)
    found = []
    for seed, name in enumerate(names):
        parameterization = catalog.parameterization(name, k, prior)
        tree = (
            SMC(particles=256, length=16)
            .sample(parameterization, data, seed=chance.seed(seed))
            .tree
        )
        found.append((tree.attrs["log_evidence"], tree.attrs["log_evidence_se"]))
    draws = gibbs(k, prior, data, 10_000, chains=8)
    bridged = bridge(catalog.parameterization("unordered", k, prior), data, draws)
    values, errors = np.array(found).T
    assert np.all(errors < 0.5) and bridged.standard_error < 0.2
    # errors from eight islands: Student's quantile, in place of the normal one
    limit = stats.t.isf(chance.alpha(3) / 2, 7) * np.hypot(errors, bridged.standard_error)
    assert np.all(np.abs(values - bridged.log_evidence) < limit)


@pytest.mark.chance
def test_no_estimate_depends_on_labels_or_units(means_only):
    rng = np.random.default_rng(2)
    switched = means_only.permute(
        rng.permuted(np.tile([0, 1], (*means_only.batch_shape, 1)), axis=-1)
    )
    parameterization = catalog.parameterization("unordered", 2, MEANS_ONLY)
    one = bridge(parameterization, QUANTILES, means_only)
    assert bridge(parameterization, QUANTILES, switched) == one
    halved = catalog.parameterization("unordered", 2, MEANS_ONLY.affine(0.0, 0.5))
    data = Data(0.5 * QUANTILES.y)
    other = bridge(halved, data, means_only.affine(0.0, 0.5))
    expected = one.log_evidence + data.n * np.log(2)
    assert other.log_evidence == pytest.approx(expected, abs=1e-9)
    for draws in (means_only, switched):
        agrees(chib(parameterization, QUANTILES, draws), one.log_evidence, one.standard_error, 2)


def test_chains_in_different_modes_are_warned_of(means_only):
    parted = Mixture(means_only.w, means_only.mu.copy(), means_only.sigma)
    parted.mu[:2] += [3.0, 6.0]
    parameterization = catalog.parameterization("unordered", 2, MEANS_ONLY)
    found = bridge(parameterization, QUANTILES, parted)
    assert "the chains disagree after sorting" in found.warning


def test_minus_wbic_is_an_evidence_with_a_warning():
    values = np.random.default_rng(0).normal(-50.0, 1.0, (4, 500))
    found = from_wbic(values)
    assert found.log_evidence == pytest.approx(values.mean())
    assert 0 < found.standard_error < 0.1 and "WBIC" in found.warning


@pytest.mark.chance
def test_priors_over_the_number_of_components_are_distributions():
    k = np.arange(1, 20_000)
    assert prior_components(k, "poisson").sum() == pytest.approx(1)
    assert prior_components(k, "poisson")[2] == pytest.approx(poisson.pmf(2, 1))
    negative = prior_components(k, "beta_negative_binomial")
    # a geometric whose success probability is Beta(4, 3)
    share = chance.rng(0).beta(4, 3, 100_000)
    for at in (0, 1, 4):
        terms = share * (1 - share) ** at
        assert abs(negative[at] - terms.mean()) < chance.z_for(3) * terms.std() / np.sqrt(
            terms.size
        )


def test_posterior_over_the_number_of_components():
    evidences = {k: Evidence(v, 0.1, "exact") for k, v in ((2, -9.0), (1, -10.0), (3, -9.5))}
    table = posterior_components(evidences, "poisson")
    mass = np.exp([-10.0, -9.0, -9.5]) * poisson.pmf([0, 1, 2], 1)
    assert table["components"].tolist() == [1, 2, 3]
    assert np.allclose(table["posterior"], mass / mass.sum(), rtol=1e-12)
    noise = np.random.default_rng(1).normal(0, 0.1, (100_000, 3))
    shares = mass * np.exp(noise)
    spread = (shares / shares.sum(axis=1, keepdims=True)).std(axis=0)
    assert np.allclose(table["posterior_error"], spread, rtol=0.05)


FLAT = '''"""Means with a flat prior."""

import pymc as pm

from ordered_mix import prior as declare


def block(k, prior):
    return declare.weights(k, prior), pm.Flat("mu", shape=k), declare.scales(k, prior)


def coordinates(mixture):
    return {"mu": mixture.mu}
'''


def test_an_improper_prior_has_no_evidence(means_only, tmp_path):
    path = tmp_path / "flat.py"
    path.write_text(FLAT)
    flat = catalog.parameterization(str(path), 2, MEANS_ONLY)
    for estimate in (bridge, laplace_metropolis):
        with pytest.raises(ValueError, match="prior of flat must be proper and give finite draws"):
            estimate(flat, QUANTILES, means_only)
    begin = Mixture([0.5, 0.5], [[-1.0, 1.0], [0.0, 1.0]], [1.0, 1.0])
    with pytest.raises(ValueError, match="prior of flat must be proper and give finite draws"):
        Tempering(draws=4, tune=32).sample(flat, QUANTILES, begin, 0)


def test_chib_with_labels_as_they_come_lacks_log_k_factorial():
    """Two components so far apart that no chain switches."""
    data = simulate(Mixture([0.5, 0.5], [-6.0, 6.0], [1.0, 1.0]), 60, seed=1)
    prior = Prior(spread=6.0, scale=1.0)
    parameterization = catalog.parameterization("unordered", 2, prior)
    start = Mixture([0.5, 0.5], [[-6.0, 6.0]], [1.0, 1.0])
    draws = Gibbs(draws=500, tune=100).sample(parameterization, data, start, 1).mixture
    both = [chib(parameterization, data, draws, labels=labels)
            for labels in ("permuted", "as they come")]  # fmt: skip
    difference = both[0].log_evidence - both[1].log_evidence
    assert difference == pytest.approx(np.log(2), abs=1e-9)
    assert not both[0].warning and "off by up to log 2!" in both[1].warning
    with pytest.raises(ValueError, match="labels must be one of permuted, as they come"):
        chib(parameterization, data, draws, labels="sorted")


def test_bad_arguments_are_refused(means_only):
    parameterization = catalog.parameterization("unordered", 2, MEANS_ONLY)
    for given, message in (
        ({"draws": means_only[0]}, r"draws must have the axes \(chain, draw\)"),
        ({"draws": means_only, "labels": "as they come"}, "labels must be one of sorted"),
        ({"draws": gibbs(3, PRIOR, FEW, 10)}, "draws must have 2 components, they have 3"),
    ):
        with pytest.raises(ValueError, match=message):
            bridge(parameterization, QUANTILES, **given)
    native = catalog.parameterization("relative", 2, Prior(native=True))
    with pytest.raises(ValueError, match="prior must be the reference prior for Chib's"):
        chib(native, QUANTILES, means_only)
    adaptive = catalog.parameterization("unordered", 2, Prior(scale_family="adaptive"))
    with pytest.raises(ValueError, match="must be 'inverse_gamma' for Chib's estimator"):
        chib(adaptive, QUANTILES, means_only)
    with pytest.raises(ValueError, match="prior must be one of uniform"):
        posterior_components({1: Evidence(0.0, 0.1, "exact")}, "flat")
    with pytest.raises(ValueError, match="evidences must be finite"):
        posterior_components({1: Evidence(np.nan, 0.1, "exact")})
