"""Laws that every parameterization obeys, each measured as one error against one tolerance.

A law is a function of a parameterization, points of its domain and a seed; `LAWS` lists them. The
same functions judge our own model files in the tests and a user's in `check_parameterization`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pymc as pm
from scipy.stats import ks_2samp, qmc, t

from ordered_mix.data import Data, simulate
from ordered_mix.distributions import log_factorial
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import reference
from ordered_mix.parameterization.batching import INTERPRETED, untraced
from ordered_mix.parameterization.parameterization import Parameterization

DRAWS = 20_000
ALPHA = 1e-7
NETS, NET_SIZE = 16, 2**11
DEGREES = 5


@dataclass(frozen=True)
class Outcome:
    """How one law came out.

    Parameters
    ----------
    law : str
        What it says.
    error, tolerance : float
        The law holds if the error does not exceed the tolerance.
    skipped : str
        Why the law does not apply, if it does not.
    problem : str
        What kept it from being measured, if anything did; the law fails.
    """

    law: str
    error: float = np.nan
    tolerance: float = np.nan
    skipped: str = ""
    problem: str = ""

    @property
    def holds(self) -> bool:
        """Whether the law holds or does not apply."""
        return bool(self.skipped) or bool(self.error <= self.tolerance)

    def __str__(self) -> str:
        if self.skipped:
            return f"skipped  {self.law}: {self.skipped}"
        verdict = "holds" if self.holds else "FAILS"
        measured = self.problem or f"error {self.error:.2g}, allowed {self.tolerance:.2g}"
        return f"{verdict:<8} {self.law}: {measured}"


def points_of(parameterization: Parameterization, count: int, seed: int) -> Array:
    """Unconstrained coordinates of reference draws moved into the domain; (count, dimension)."""
    rng = np.random.default_rng(seed)
    drawn = reference.draw(parameterization.prior, parameterization.k, count, rng)
    return parameterization.start(drawn)


def round_trip(parameterization: Parameterization, z: Array, seed: int) -> Outcome:
    """From mixtures to coordinates and back; relative to the largest mean, scale and weight."""
    there = parameterization.forward(z)
    back = parameterization.forward(parameterization.unconstrain(there))
    error = max(
        np.max(np.abs(getattr(back, name) - value) / np.abs(value).max(axis=-1, keepdims=True))
        for name, value in (("w", there.w), ("mu", there.mu), ("sigma", there.sigma))
    )
    return Outcome("round trip", float(error), 1e-12)


def log_determinant(parameterization: Parameterization, z: Array, seed: int) -> Outcome:
    """Log determinants of the transforms and of the map add up to that of the whole."""
    graph, x = parameterization.graph, parameterization.free(z)
    parts = graph.log_det_transforms(z, parameterization.prior) + parameterization.log_det_free(x)
    error = np.abs(parts - parameterization.log_det(z)).max()
    return Outcome("log determinant", float(error), 1e-9)


def gradient(parameterization: Parameterization, z: Array, seed: int) -> Outcome:
    """Gradient of the log posterior against central differences of sixth order."""
    data, step = _sample(parameterization, seed), 2e-5
    shifts = step * np.array([-3, -2, -1, 1, 2, 3])[:, None, None]
    weights = np.array([-1, 9, -45, 45, -9, 1]) / (60 * step)
    around = z[..., None, None, :] + shifts * np.eye(parameterization.dimension)
    values = parameterization.log_posterior(around, data)[0]
    numeric = np.tensordot(values, weights, axes=([-2], [0]))
    exact = parameterization.log_posterior(z, data)[1]
    size = np.maximum(np.abs(exact).max(axis=-1), 1.0)
    error = np.max(np.abs(exact - numeric).max(axis=-1) / size)
    return Outcome("gradient", float(error), 1e-8)


def matched_prior(parameterization: Parameterization, z: Array, seed: int) -> Outcome:
    """Log posterior less log determinant is that of the sorted reference prior.

    ``log posterior - log|det| + log(copies)`` is the same in all parameterizations; it equals
    ``log K! + log reference prior + log likelihood``.
    """
    law = "matched prior"
    if _unmatched(parameterization):
        return Outcome(law, skipped=_unmatched(parameterization))
    data, mixture = _sample(parameterization, seed), parameterization.forward(z)
    orders = len(parameterization.domain.orders) * log_factorial(parameterization.k)
    likelihood = mixture.log_density(data.y).sum(axis=-1)
    expected = orders + reference.log_density(parameterization.prior, mixture) + likelihood
    found = parameterization.log_posterior(z, data)[0] - parameterization.log_det(z)
    size = np.maximum(np.abs(expected), 1.0)
    return Outcome(law, float(np.max(np.abs(found - expected) / size)), 1e-9)


def prior_mass(parameterization: Parameterization, z: Array, seed: int) -> Outcome:
    """The prior integrates to 1, by randomised quasi-Monte Carlo quadrature for K = 2."""
    law = "prior mass"
    if parameterization.k != 2:
        return Outcome(law, skipped="quadrature is for two components")
    pilot = parameterization.start(parameterization.draw_prior(2000, seed))
    center, root = pilot.mean(axis=0), np.linalg.cholesky(np.cov(pilot.T))
    masses = []
    for net in range(NETS):
        sobol = qmc.Sobol(parameterization.dimension, rng=np.random.default_rng([seed, net]))
        spread = t.ppf(sobol.random(NET_SIZE), DEGREES)
        at = center + spread @ root.T
        log_proposal = t.logpdf(spread, DEGREES).sum(axis=-1) - np.log(np.diag(root)).sum()
        ratio = np.exp(parameterization.log_prior(at) - log_proposal)
        masses.append(np.mean(np.where(parameterization.inside(at), ratio, 0.0)))
    error = np.std(masses, ddof=1) / np.sqrt(NETS)
    allowed = float(t.isf(ALPHA / 2, NETS - 1) * error)
    return Outcome(law, abs(float(np.mean(masses)) - 1), max(allowed, 1e-3))


def prior_draws(parameterization: Parameterization, z: Array, seed: int) -> Outcome:
    """20,000 prior draws against sorted reference draws, by Kolmogorov-Smirnov distances.

    The critical distance has family-wise error rate 1e-7 over all quantities compared (Smirnov's
    limit, Bonferroni).
    """
    law = "prior draws"
    if _unmatched(parameterization):
        return Outcome(law, skipped=_unmatched(parameterization))
    drawn, k = _drawn(parameterization, seed), parameterization.k
    wanted = reference.draw(parameterization.prior, k, DRAWS, np.random.default_rng([seed, 1]))
    pairs = list(
        zip(
            _quantities(parameterization, drawn), _quantities(parameterization, wanted), strict=True
        )
    )
    distances = [ks_2samp(*pair, method="asymp").statistic for pair in pairs]
    critical = np.sqrt(np.log(2 * len(pairs) / ALPHA) / DRAWS)
    return Outcome(law, float(max(distances)), float(critical))


def order_of_draws(parameterization: Parameterization, z: Array, seed: int) -> Outcome:
    """Share of prior draws that are not in the order of the domain, with its clearances."""
    law = "order of draws"
    domain = parameterization.domain
    if not domain.orders:
        return Outcome(law, skipped="the domain has no order")
    drawn, share = _drawn(parameterization, seed), 0.0
    for key in domain.orders:
        gap = np.diff(getattr(drawn, key), axis=-1)
        share = max(share, float(np.mean(np.any(gap < domain.clearances.get(key, 0.0), axis=-1))))
    return Outcome(law, share, 0.0)


def models_agree(parameterization: Parameterization, z: Array, seed: int) -> Outcome:
    """Density and gradient of the plain PyMC model and of its twin around the fused pass."""
    data = _sample(parameterization, seed)
    value, slope = parameterization.log_posterior(z[:3], data)
    plain, fused_model = parameterization.model(data), parameterization.fused_model()
    with fused_model:
        pm.set_data(parameterization.fused_data(data))
    error = 0.0
    for model in (plain, fused_model):
        with untraced():
            function = model.logp_dlogp_function(ravel_inputs=True, mode=INTERPRETED)
        function.set_extra_values({})  # PyMC 6.0 does not do it itself where there are none
        for row, expected, expected_slope in zip(z[:3], value, slope, strict=True):
            found, found_slope = function(row)
            miss = np.append(found_slope - expected_slope, found - expected)
            size = max(1.0, abs(expected), *np.abs(expected_slope))
            error = max(error, float(np.max(np.abs(miss)) / size))
    return Outcome("models agree", error, 1e-8)


LAWS: tuple[Callable[[Parameterization, Array, int], Outcome], ...] = (
    round_trip,
    log_determinant,
    gradient,
    matched_prior,
    prior_mass,
    prior_draws,
    order_of_draws,
    models_agree,
)


@lru_cache(maxsize=1)
def _drawn(parameterization: Parameterization, seed: int) -> Mixture:
    # two laws look at the same draws: their graph takes longer to compile than to run
    return parameterization.draw_prior(DRAWS, seed)


def _sample(parameterization: Parameterization, seed: int) -> Data:
    prior = parameterization.prior
    ends = prior.location + prior.spread * np.array([-1.0, 1.0])
    return simulate(Mixture(np.full(2, 0.5), ends, prior.scale), 40, seed)


def _unmatched(parameterization: Parameterization) -> str:
    if parameterization.prior.native:
        return "a native prior is not the reference prior"
    if any(parameterization.domain.clearances.values()):
        return "the law holds at zero clearance"
    return ""


def _quantities(parameterization: Parameterization, mixture: Mixture) -> list[Array]:
    if parameterization.prior.exchangeable:
        mixture = mixture.sorted(parameterization.order_by or "mu")
    mu, sigma = mixture.mu, mixture.sigma
    if len(parameterization.domain.orders) > 1:
        # sorted by both: the reference prior given that the two orders agree
        sigma = np.sort(sigma, axis=-1)
    joint = [mixture.mean(), mixture.sd(), np.sum(mu * sigma, axis=-1)]
    return [
        *np.moveaxis(mu, -1, 0),
        *np.moveaxis(sigma, -1, 0),
        *np.moveaxis(mixture.w, -1, 0),
        *joint,
    ]
