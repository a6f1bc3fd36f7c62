"""Sampled posteriors against exact ones by quadrature: weights and scale known, means free.

Data are 50 normal quantiles, so the truth is a single component and the posterior is singular.
The quadrature is checked against values derived on their own.
"""

import numpy as np
import pytest
from scipy.special import logsumexp, ndtri
from scipy.stats import norm

from ordered_mix import catalog
from ordered_mix.data import Data
from ordered_mix.diagnostics.convergence import convergence
from ordered_mix.diagnostics.information import loo, pointwise_log_likelihood, waic
from ordered_mix.estimators.nuts import NUTS
from ordered_mix.estimators.tempered import singular_criteria
from ordered_mix.mixture import Mixture
from ordered_mix.prior import Prior

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


@pytest.mark.parametrize(
    ("name", "options"),
    [("unordered", {}), ("folded", {}), ("relative", {"link": "softplus"}), ("resolved", {})],
)
def test_draws_match_the_exact_posterior(name, options, exact):
    parameterization = catalog.parameterization(name, 2, PRIOR, **options)
    sampler = NUTS(draws=3000, tune=1000, seed=21, target_accept=0.95)
    draws = sampler.fit(parameterization, DATA, STARTS).mixture
    folded = draws.fold()
    gap = folded.mu[..., 1] - folded.mu[..., 0]
    measured = {
        "low": folded.mu[..., 0],
        "low squared": folded.mu[..., 0] ** 2,
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
    table = convergence(measured).set_index("quantity")
    assert table["ess_bulk"].min() > 300
    for quantity, truth in truths.items():
        error = table.loc[quantity, "mcse_mean"]
        assert abs(measured[quantity].mean() - truth) < 4 * error, (quantity, truth, error)

    parameters = (draws.w, draws.mu, draws.sigma)
    for criterion, elpd in ((waic, exact.waic()[0]), (loo, exact.elpd_loo())):
        found = criterion(pointwise_log_likelihood(DATA.y, *parameters))
        assert abs(found.elpd - elpd) < 4 * found.mcse


@pytest.mark.parametrize("name", ["unordered", "folded"])
def test_wbic_through_the_same_models(name, exact):
    parameterization = catalog.parameterization(name, 2, PRIOR)
    found = singular_criteria(parameterization, DATA, STARTS, NUTS(draws=3000, seed=5))
    assert abs(found.wbic.value - 73.564986) < 4 * found.wbic.mcse
    betas = np.array([1.0, 1.5]) / np.log(50)
    means = [-exact.mass(beta) @ exact.log_likelihood for beta in betas]
    coefficient = (means[0] - means[1]) / (1 / betas[0] - 1 / betas[1])
    two = found.learning_coefficient
    assert abs(two.value - coefficient) < 4 * two.mcse
    mass = exact.mass(betas[0])
    variance = mass @ exact.log_likelihood**2 - (mass @ exact.log_likelihood) ** 2
    one = found.learning_coefficient_from_variance
    assert abs(one.value - betas[0] ** 2 * variance) < 4 * one.mcse


def test_weighted_data_have_no_log_n():
    weighted = Data(DATA.y, np.ones(50))
    with pytest.raises(ValueError, match="unweighted"):
        singular_criteria(catalog.parameterization("unordered", 2, PRIOR), weighted, STARTS)


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
