"""Gibbs sampling: exact posteriors, calibration, seeds, labels, and what it refuses."""

from dataclasses import replace

import arviz_stats
import chance
import numba
import numpy as np
import pytest
from oracles import one_component, weighted_prior
from scipy import stats
from scipy.special import ndtri

from ordered_mix.data import Data, load, simulate
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.moves.gig import gig
from ordered_mix.samplers.moves.sweeps import Conjugate, sweeps
from ordered_mix.theory.calibration import largest_difference, rank, reach
from ordered_mix.theory.quadrature import means_posterior

PRIOR = Prior(location=0.3, spread=1.5, scale=0.7, concentration=2.0)


def starts(k, chains=4, spread=1.0, w=None):
    mu = np.random.default_rng(k).normal(0, spread, (chains, k))
    return Mixture(np.full(k, 1 / k) if w is None else w, mu, np.full((chains, k), spread))


def error(values):
    return float(arviz_stats.mcse(values, method="mean", chain_axis=0, draw_axis=1))


def agree(values, exact, exact_error=0.0, comparisons=1):
    """Whether the mean of draws may be the exact one, given both errors."""
    ess = float(arviz_stats.ess(values, chain_axis=0, draw_axis=1))
    assert ess > 400
    allowed = chance.z_for(comparisons, ess) * np.hypot(error(values), exact_error)
    assert abs(values.mean() - exact) < allowed


@numba.njit
def _many(p, a, b, rng, out):
    for i in range(out.size):
        out[i] = gig(p, a, b, rng)


@pytest.mark.parametrize(("p", "omega"), [(1.5, 0.1), (1.5, 30.0), (3.5, 1.0), (99.5, 5.0)])
@pytest.mark.chance
def test_generalised_inverse_gaussian_draws_have_their_distribution(p, omega):
    a, b = 8.0 * omega, omega / 8.0
    draws = np.empty(20_000)
    _many(p, a, b, chance.rng(1), draws)
    exact = stats.geninvgauss(p, omega, scale=1 / 8)
    assert stats.kstest(draws, exact.cdf).pvalue > chance.alpha()


@pytest.mark.chance
def test_one_component_has_the_moments_of_quadrature():
    data = simulate(Mixture([1.0], [1.0], [0.5]), 12, seed=1)
    exact = one_component(data.y, PRIOR)
    parameterization = catalog.parameterization("unordered", 1, PRIOR)
    drawn = Gibbs(draws=5000).sample(parameterization, data, starts(1), seed=chance.seed(1)).mixture
    for value, nodes in ((drawn.mu, exact.mu), (drawn.sigma, exact.sigma)):
        for power in (1, 2):
            agree(value[..., 0] ** power, exact.mean(nodes[:, 0] ** power)[0], 0.0, 4)


@pytest.mark.chance
def test_two_free_means_have_the_moments_of_quadrature():
    y = ndtri((np.arange(1, 51) - 0.5) / 50)
    prior = Prior(spread=2.0, known_w=(0.5, 0.5), known_sigma=1.0)
    exact = means_posterior(y)
    draws = Gibbs(draws=20_000).sample(
        catalog.parameterization("ordered", 2, prior), Data(y), starts(2), chance.seed(2)
    )
    drawn = draws.mixture
    assert np.all(drawn.w == 0.5) and np.allclose(drawn.sigma, 1.0, rtol=1e-12)
    for at in (0, 1):
        agree(drawn.mu[..., at], exact.mass() @ exact.mu[:, at], 0.0, 3)
    gap, exact_gap = np.diff(drawn.mu)[..., 0], np.diff(exact.mu)[:, 0]
    agree(gap**2, exact.mass() @ exact_gap**2, 0.0, 3)


@pytest.mark.chance
def test_few_points_have_the_moments_of_the_weighted_prior():
    y = np.array([-1.0, 0.2, 0.5, 2.5])
    exact = weighted_prior(y, PRIOR, 3, 400_000, seed=3)
    parameterization = catalog.parameterization("unordered", 3, PRIOR)
    drawn = Gibbs(draws=10_000).sample(parameterization, Data(y), starts(3), chance.seed(3)).mixture
    for quantity in (
        lambda w, mu, sigma: e_step(y, w, mu, sigma).log_likelihood,
        lambda w, mu, sigma: w.max(axis=-1),
        lambda w, mu, sigma: np.log(sigma).min(axis=-1),
        lambda w, mu, sigma: np.sum(w * mu, axis=-1),
    ):
        values = quantity(drawn.w, drawn.mu, drawn.sigma)
        agree(values, *exact.mean(quantity(exact.w, exact.mu, exact.sigma)), comparisons=4)


@pytest.mark.chance
def test_adaptive_scales_have_the_moments_of_the_weighted_prior():
    y, prior = np.array([-1.0, 0.2, 0.5, 2.5]), replace(PRIOR, scale_family="adaptive")
    exact = weighted_prior(y, prior, 2, 400_000, seed=5)
    parameterization = catalog.parameterization("ordered", 2, prior)
    drawn = Gibbs(draws=20_000).sample(parameterization, Data(y), starts(2), chance.seed(5)).mixture
    for quantity in (
        lambda w, mu, sigma: e_step(y, w, mu, sigma).log_likelihood,
        lambda w, mu, sigma: np.log(sigma).min(axis=-1),
    ):
        values = quantity(drawn.w, drawn.mu, drawn.sigma)
        agree(values, *exact.mean(quantity(exact.w, exact.mu, exact.sigma)), comparisons=4)


@pytest.mark.parametrize("rate", [0.0, 0.04])
@pytest.mark.chance
def test_ranks_of_the_truth_are_uniform(rate):
    """Calibration at 1,000 simulations, with a fixed scale and with a hierarchical one."""
    rng = chance.rng(4)
    numbers = Conjugate(0.3, 1.5, 0.7, rate, 2.0, True, True, True)
    ranks = {"mean": [], "least scale": [], "likelihood": []}
    for _ in range(1000):
        beta = numbers.scale**2 if rate == 0 else rate / rng.gamma(0.5)
        w, mu = rng.dirichlet([2.0, 2.0]), rng.normal(0.3, 1.5, 2)
        sigma = np.sqrt(beta / rng.gamma(2.0, size=2))
        y = Mixture(w, mu, sigma).sample(15, rng)
        # a chain that begins at the truth is in equilibrium
        out, state = np.empty((400, 3, 2)), np.stack([w, mu, sigma])
        sweeps(y, numbers, state, np.uint64(rng.integers(2**62)), 0, False, rng, out)
        drawn = np.moveaxis(out[19::20], 1, 0)
        for name, quantity in (
            ("mean", lambda w, mu, sigma: np.sum(w * mu, axis=-1)),
            ("least scale", lambda w, mu, sigma: sigma.min(axis=-1)),
            ("likelihood", lambda *given, y=y: e_step(y, *given).log_likelihood),
        ):
            ranks[name].append(rank(float(quantity(w, mu, sigma)), quantity(*drawn), rng))
    for name, found in ranks.items():
        assert largest_difference(found, 20) < reach(1000, chance.alpha(3)), name


def test_draws_do_not_depend_on_cores_and_depend_on_the_seed():
    data = load("galaxies")
    prior = PRIOR.affine(float(data.location), float(data.scale))
    parameterization = catalog.parameterization("relative", 3, prior)
    begin = starts(3).affine(float(data.location), float(data.scale))
    one, two, other = (
        Gibbs(draws=50, tune=20, cores=cores).sample(parameterization, data, begin, seed).mixture
        for cores, seed in ((1, 7), (3, 7), (1, 8))
    )
    for name in ("w", "mu", "sigma"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
        assert not np.any(getattr(one, name)[:, -1] == getattr(other, name)[:, -1])


@pytest.mark.chance
def test_permuted_labels_are_uniform_and_change_no_label_invariant_quantity():
    data = simulate(Mixture([0.3, 0.3, 0.4], [-4.0, 0.0, 4.0], [1.0, 1.0, 1.0]), 60, seed=5)
    prior = Prior(spread=4.0, scale=1.0)
    parameterization = catalog.parameterization("unordered", 3, prior)
    plain, permuted = (
        Gibbs(draws=6000, permute=permute)
        .sample(parameterization, data, starts(3), chance.seed(9))
        .mixture
        for permute in (False, True)
    )
    first = permuted.order("mu")[..., 0].ravel()
    assert stats.chisquare(np.bincount(first, minlength=3)).pvalue > chance.alpha(2)
    lowest, expected = permuted.sorted().mu[..., 0], plain.sorted().mu[..., 0]
    agree(lowest, expected.mean(), error(expected), 2)


def test_frozen_parameters_stay_and_the_rest_moves():
    begin = starts(2, w=np.array([0.2, 0.8]))
    parameterization = catalog.parameterization("unordered", 2, PRIOR)
    data = simulate(begin[0], 30, seed=6)
    drawn = Gibbs(draws=50, frozen=("w", "sigma")).sample(parameterization, data, begin, 1).mixture
    assert np.all(drawn.w == [0.2, 0.8])
    assert np.allclose(drawn.sigma, 1.0, rtol=1e-12)
    assert np.ptp(drawn.mu[..., 0]) > 0


def test_fifty_components_and_weights_that_are_counts():
    points = np.linspace(-2, 2, 40)
    parameterization = catalog.parameterization("unordered", 50, PRIOR)
    sampler = Gibbs(draws=20, tune=5)
    counts = np.tile([1.0, 2.0, 0.0, 1.0], 10)
    data, twice = Data(points, counts), Data(np.repeat(points, counts.astype(int)))
    one, two = (sampler.sample(parameterization, d, starts(50), 2) for d in (data, twice))
    assert np.allclose(one.mixture.mu[:, :3], two.mixture.mu[:, :3], rtol=1e-9, atol=1e-9)
    assert one.passes.tolist() == [20] * 4 and one.warmup_passes.tolist() == [5] * 4


@pytest.mark.parametrize("n", [1_000, 1_000_000])
def test_a_sweep_is_one_pass_whatever_the_number_of_points(n):
    data = simulate(Mixture([0.4, 0.6], [-2.0, 1.0], [1.0, 0.5]), n, seed=7)
    parameterization = catalog.parameterization("unordered", 2, PRIOR)
    drawn = Gibbs(draws=30, tune=4).sample(parameterization, data, starts(2)[:1], 3)
    assert drawn.passes.tolist() == [30] and drawn.warmup_passes.tolist() == [4]
    # no array of draws by points is made where it would be large
    assert ("log_likelihood" in drawn.tree.children) == (n == 1_000)


@pytest.mark.parametrize(
    ("prior", "label", "settings", "message"),
    [
        (replace(PRIOR, scale_family="half_normal"), "unordered", {}, "conditionally conjugate"),
        (replace(PRIOR, native=True), "relative", {}, "prior must be the reference prior"),
        (PRIOR, "relative(clearance=0.5)", {}, "prior must be the reference prior"),
        (PRIOR, "ordered", {"frozen": ("mu",)}, "frozen must be empty for coordinates that sort"),
        (replace(PRIOR, known_w=(0.3, 0.7)), "unordered", {"permute": True}, "permute must be"),
    ],
)
def test_priors_it_cannot_sample_are_refused(prior, label, settings, message):
    parameterization = catalog.parameterization(label, 2, prior)
    with pytest.raises(ValueError, match=message):
        Gibbs(**settings).sample(parameterization, load("galaxies"), starts(2), 0)


def test_bad_settings_data_and_starts_are_refused():
    parameterization = catalog.parameterization("unordered", 2, PRIOR)
    data = Data(np.arange(5.0))
    for settings, message in (
        ({"draws": 3}, "draws must be at least 4, got 3"),
        ({"frozen": ("gap",)}, "frozen must be among w, mu, sigma, got gap"),
        ({"permute": True, "frozen": ("w",)}, "permute needs all parameters free"),
    ):
        with pytest.raises(ValueError, match=message):
            Gibbs(**settings)
    for given, begin, message in (
        (Data(np.ones((2, 5))), starts(2), "data must be one sample"),
        (Data(np.ones(5)), starts(2), "is constant"),
        (Data(np.arange(3.0), np.array([1.0, 0.5, 1.0])), starts(2), "must be whole numbers"),
        (data, starts(2)[0], "one mixture for each chain"),
        (data, starts(3), "starts must have 2 components, they have 3"),
    ):
        with pytest.raises(ValueError, match=message):
            Gibbs().sample(parameterization, given, begin, 0)
