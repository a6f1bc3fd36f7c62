"""Sampled posteriors against exact ones by quadrature: weights and scale known, means free.

Data are normal quantiles, so the truth is a single component and the posterior is singular.
The quadratures are checked against values derived on their own, against the mean of the likelihood
over a quasi-random prior sample, and against finer nodes.
"""

import json
from functools import cache
from math import factorial, log
from pathlib import Path

import chance
import numpy as np
import pytest
from scipy.special import logsumexp, ndtri
from scipy.stats import norm, qmc

from ordered_mix.data import Data
from ordered_mix.draws.elpd import loo, pointwise_log_likelihood, waic
from ordered_mix.draws.wbic import wbic, wbic_beta
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS

PRIOR = Prior(spread=2.0, known_w=(0.5, 0.5), known_sigma=1.0)
DATA = Data(ndtri((np.arange(1, 51) - 0.5) / 50), name="quantiles")
STARTS = Mixture([[0.5, 0.5]] * 4, [[-2, 1.5], [1, -1], [0.1, 0.6], [0.5, -0.7]], [[1.0, 1.0]] * 4)
SIZE, REACH = 401, 8.0


class Exact:
    """Posterior of (mu_1, mu_2) on a fine grid; the trapezoid rule is exponentially accurate."""

    def __init__(self):
        axis = np.linspace(-REACH, REACH, SIZE)
        components = norm.logpdf(DATA.y[:, None], axis)
        pointwise = np.logaddexp(components[:, :, None], components[:, None, :]) - np.log(2)
        prior = norm.logpdf(axis, 0, 2)
        self.pointwise = pointwise.reshape(DATA.n, -1)
        self.log_prior = (prior[:, None] + prior).ravel() + 2 * np.log(axis[1] - axis[0])
        self.low = np.minimum.outer(axis, axis).ravel()
        self.gap = np.abs(np.subtract.outer(axis, axis)).ravel()
        self.log_likelihood = self.pointwise.sum(axis=0)

    def mass(self, beta=1.0):
        log_mass = self.log_prior + beta * self.log_likelihood
        return np.exp(log_mass - logsumexp(log_mass))

    @property
    def log_evidence(self):
        return logsumexp(self.log_prior + self.log_likelihood)

    def waic(self):
        mass = self.mass()
        lppd = np.log(np.exp(self.pointwise) @ mass)
        variance = self.pointwise**2 @ mass - (self.pointwise @ mass) ** 2
        return float(np.sum(lppd - variance)), float(variance.sum())

    def elpd_loo(self):
        return float(-np.sum(np.log(np.exp(-self.pointwise) @ self.mass())))


@pytest.fixture(scope="module")
def exact():
    return Exact()


def test_quadrature_has_the_known_values(exact):
    assert exact.log_evidence == pytest.approx(-73.87232389, abs=1e-7)
    elpd, p = exact.waic()
    assert elpd == pytest.approx(-71.70144735, abs=1e-7)
    assert p == pytest.approx(1.10752375, abs=1e-7)
    assert exact.elpd_loo() == pytest.approx(-71.70187794, abs=1e-7)
    wbic = -exact.mass(1 / np.log(50)) @ exact.log_likelihood
    assert wbic == pytest.approx(73.564986, abs=1e-5)


@pytest.mark.chance
@pytest.mark.parametrize(
    ("name", "options"),
    [("unordered", {}), ("signed", {}), ("relative", {"link": "softplus"}), ("resolved", {})],
)
def test_draws_match_the_exact_posterior(name, options, exact):
    parameterization = catalog.parameterization(name, 2, PRIOR, **options)
    sampler = NUTS(draws=3000, tune=1000, target_accept=0.95)
    draws = sampler.sample(parameterization, DATA, STARTS, chance.seed(21)).mixture
    ascending = draws.sorted()
    gap = ascending.mu[..., 1] - ascending.mu[..., 0]
    measured = {
        "low": ascending.mu[..., 0],
        "low squared": ascending.mu[..., 0] ** 2,
        "gap": gap,
        "near the boundary": (gap < 0.3).astype(float),
    }
    mass = exact.mass()
    truths = {
        "low": exact.low @ mass,
        "low squared": exact.low**2 @ mass,
        "gap": exact.gap @ mass,
        "near the boundary": _mass_below(exact, 0.3),
    }
    chance.check_means(measured, truths, 6)

    parameters = (draws.w, draws.mu, draws.sigma)
    for criterion, elpd in ((waic, exact.waic()[0]), (loo, exact.elpd_loo())):
        found = criterion(pointwise_log_likelihood(DATA.y, *parameters))
        assert abs(found.elpd - elpd) < chance.z_for(6, chance.ENOUGH) * found.mcse


@pytest.mark.chance
@pytest.mark.parametrize("name", ["unordered", "signed"])
def test_wbic_through_the_same_models(name, exact):
    parameterization = catalog.parameterization(name, 2, PRIOR)
    sampler = NUTS(draws=3000, inverse_temperature=wbic_beta(DATA.n))
    drawn = sampler.sample(parameterization, DATA, STARTS, chance.seed(5)).mixture
    found = wbic(e_step(DATA.y, drawn.w, drawn.mu, drawn.sigma).log_likelihood)
    assert abs(found.value - 73.564986) < chance.z_for(1, chance.ENOUGH) * found.mcse


def _mass_below(exact, epsilon):
    """Posterior mass at gap < epsilon: in (centre, gap) the boundary lies on the grid."""
    gap = (np.arange(300) + 0.5) * epsilon / 300
    centre = np.linspace(-3, 3, 301)
    low, high = centre[:, None] - gap / 2, centre[:, None] + gap / 2
    terms = np.logaddexp(
        norm.logpdf(DATA.y[:, None, None], low), norm.logpdf(DATA.y[:, None, None], high)
    )
    logs = terms.sum(axis=0) - DATA.n * np.log(2) + norm.logpdf(low, 0, 2) + norm.logpdf(high, 0, 2)
    cell = (gap[1] - gap[0]) * (centre[1] - centre[0])
    return 2 * np.exp(logs - exact.log_evidence).sum() * cell


# --- two and three means, 20 to 200 points, all coordinates -----------------------------

EPSILON = 0.3
SIZES = (20, 60, 200)
REFERENCE = json.loads((Path(__file__).parent / "reference/exact_means.json").read_text())["cases"]
OPTIONS = {("relative", 2): {"link": "softplus"}}  # the one compiled above


def quantiles(n):
    return Data(ndtri((np.arange(1, n + 1) - 0.5) / n), name="quantiles")


class Nodes:
    """Sorted means on nodes: their overall mean by the trapezoid rule, their gaps by Gauss.

    The gaps have nodes of their own below EPSILON, so that every integrand is smooth on each part.
    """

    def __init__(self, n, k, fine=1.0, wide=1.0):
        self.data = quantiles(n)
        reach, farthest = 12 * wide / np.sqrt(n), (4.0 + 16 / np.sqrt(n)) * wide
        middle, step = np.linspace(-reach, reach, int(80 * fine * wide) + 1, retstep=True)
        parts = [(0.0, EPSILON, int(8 * fine)), (EPSILON, farthest, int(32 * fine * wide))]
        at, mass = [], []
        for low, high, count in parts:
            abscissa, weight = np.polynomial.legendre.leggauss(count)
            at.append(low + (high - low) * (abscissa + 1) / 2)
            mass.append(weight * (high - low) / 2)
        gap, weight = np.concatenate(at), np.concatenate(mass)
        axes = np.meshgrid(middle, *[gap] * (k - 1), indexing="ij")
        volume = np.meshgrid(np.full(middle.size, step), *[weight] * (k - 1), indexing="ij")
        self.gaps = np.stack([axis.ravel() for axis in axes[1:]], axis=-1)
        offset = np.concatenate([np.zeros((len(self.gaps), 1)), self.gaps.cumsum(axis=-1)], axis=-1)
        self.mu = axes[0].ravel()[:, None] + offset - offset.mean(axis=-1, keepdims=True)
        likely = e_step(self.data.y, np.full(k, 1 / k), self.mu, np.ones(k)).log_likelihood
        prior = norm.logpdf(self.mu, 0, 2).sum(axis=-1) + log(factorial(k))
        self.log_prior = prior + np.log(np.stack(volume)).sum(axis=0).ravel()
        self.log_likelihood = likely

    def log_evidence(self, beta=1.0):
        return float(logsumexp(self.log_prior + beta * self.log_likelihood))

    def mass(self, beta=1.0):
        return np.exp(self.log_prior + beta * self.log_likelihood - self.log_evidence(beta))

    def moments(self):
        """Means and variances of the sorted means, and the mass at a gap below EPSILON."""
        mass = self.mass()
        mean = mass @ self.mu
        near = float(mass[(self.gaps < EPSILON).any(axis=-1)].sum())
        return mean, mass @ (self.mu - mean) ** 2, near


@cache
def nodes(n, k):
    return Nodes(n, k)


@pytest.mark.parametrize("case", REFERENCE, ids=lambda case: f"{case['k']}-{case['n']}")
def test_the_reference_posteriors(case):
    exact = nodes(case["n"], case["k"])
    mean, variance, near = exact.moments()
    assert exact.log_evidence() == pytest.approx(case["log_evidence"], abs=1e-6)
    assert mean == pytest.approx(case["mean"], abs=1e-6)
    assert variance == pytest.approx(case["variance"], abs=1e-6)
    assert near == pytest.approx(case["mass_below_epsilon"], abs=1e-6)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("n", SIZES)
def test_finer_nodes_change_nothing(n, k):
    coarse, fine = nodes(n, k), Nodes(n, k, 1.25)
    assert coarse.log_evidence() == pytest.approx(fine.log_evidence(), abs=1e-6)
    for one, other in zip(coarse.moments(), fine.moments(), strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_evidence_of_two_means_is_the_known_one():
    assert Nodes(50, 2).log_evidence() == pytest.approx(-73.87232389, abs=1e-8)


@pytest.mark.chance
@pytest.mark.parametrize("k", [2, 3])
def test_evidence_is_the_mean_likelihood_under_the_prior(k):
    exact, nets = nodes(20, k), []
    for net in range(16):
        sobol = qmc.Sobol(k, rng=chance.rng(net)).random(2**12)
        found = e_step(exact.data.y, np.full(k, 1 / k), 2 * ndtri(sobol), np.ones(k))
        nets.append(np.exp(found.log_likelihood - exact.log_evidence()).mean())
    assert np.std(nets, ddof=1) < 0.05
    assert chance.mean_of(nets, 1.0)


def build(name, k):
    prior = Prior(spread=2.0, known_w=(1 / k,) * k, known_sigma=1.0)
    return catalog.parameterization(name, k, prior, **OPTIONS.get((name, k), {}))


def starts(k):
    mu = chance.rng(k).normal(0, 1.5, (4, k))
    return Mixture(np.full((4, k), 1 / k), mu, np.ones((4, k)))


def check(exact, draws, cases=1):
    """Sorted means, variances and mass near the boundary."""
    ascending = draws.sorted().mu
    mean, variance, near = exact.moments()
    measured = {
        "mean": ascending,
        "variance": (ascending - mean) ** 2,
        "near": (np.diff(ascending, axis=-1) < EPSILON).any(axis=-1).astype(float),
    }
    truths = {"mean": mean, "variance": variance, "near": near}
    chance.check_means(measured, truths, cases * (2 * mean.size + 1), enough=100)


@pytest.mark.chance
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("name", catalog.names())
def test_every_coordinates_draws_the_exact_posterior(name, k):
    try:
        parameterization = build(name, k)
    except NotApplicable as reason:
        pytest.skip(str(reason))
    for n in SIZES:
        sampler, exact = NUTS(draws=2000, tune=500, target_accept=0.95), nodes(n, k)
        drawn = sampler.sample(parameterization, exact.data, starts(k), chance.seed(7))
        check(exact, drawn.mixture, len(SIZES))


@pytest.mark.chance
@pytest.mark.parametrize(
    "sampler",
    [
        NUTS(adaptation="low_rank", draws=2000),
        NUTS(adaptation="dense", draws=2000),
        NUTS(sampler="pymc", draws=1000),
    ],
)
def test_other_samplers_draw_the_exact_posterior(sampler):
    exact = nodes(60, 2)
    drawn = sampler.sample(build("unordered", 2), exact.data, starts(2), chance.seed(3))
    check(exact, drawn.mixture)


@pytest.mark.chance
def test_evidence_from_tempered_draws():
    """Thermodynamic integration: the mean log likelihood over inverse temperatures 0 to 1."""
    exact = Nodes(20, 3, wide=2.0)  # the prior, too
    assert exact.log_evidence(0.0) == pytest.approx(0.0, abs=1e-4)
    abscissa, weight = np.polynomial.legendre.leggauss(6)
    root = (abscissa + 1) / 2  # in beta = root^3, nearly polynomial
    weights = weight / 2 * 3 * root**2
    truth = [exact.mass(beta) @ exact.log_likelihood for beta in root**3]
    rule = float(weights @ truth)
    assert rule == pytest.approx(exact.log_evidence(), abs=1e-3)
    found, errors = [], []
    for number, beta in enumerate(root**3):
        sampler = NUTS(draws=1000, tune=500, inverse_temperature=float(beta))
        seed = chance.seed(number)
        drawn = sampler.sample(build("signed", 3), exact.data, starts(3), seed).mixture
        likely = e_step(exact.data.y, drawn.w, drawn.mu, drawn.sigma).log_likelihood
        found.append(likely.mean())
        errors.append(chance.table_of({"l": likely}, 7)["mcse_mean"].iloc[0])
    allowed = chance.z_for(7, chance.ENOUGH) * np.hypot.reduce(weights * errors)
    assert abs(weights @ found - rule) < allowed
