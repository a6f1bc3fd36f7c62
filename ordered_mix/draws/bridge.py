"""Bridge sampling: the evidence from draws and a normal proposal whose labels agree with theirs."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import arviz_stats
import numpy as np
from scipy.linalg import solve_triangular

from ordered_mix.data import Data
from ordered_mix.draws.evidence import (
    FEW,
    MOST_COMPONENTS,
    Evidence,
    Standard,
    agreed_labels,
    exchangeable,
    log_labellings,
    standard,
)
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.parameterization import Parameterization

LABELS = ("sorted", "symmetrised")
ITERATIONS = 1000
RHAT = 1.05


def bridge(
    parameterization: Parameterization,
    data: Data,
    draws: Mixture,
    *,
    labels: str = "sorted",
    seed: int = 0,
) -> Evidence:
    """Bridge sampling between the draws and a normal proposal (Meng & Wong 1996).

    The first half of each chain makes the proposal, the second half the estimate. Labels are
    made to agree before: a proposal around one labelling against draws that switch in part would
    be wrong by up to log K!.

    Parameters
    ----------
    parameterization : Parameterization
        With the prior of the draws, in the units of the data; the proposal is normal in its
        unconstrained coordinates.
    data : Data
    draws : Mixture, batch shape (chain, draw)
        Posterior draws in the units of the data.
    labels : {"sorted", "symmetrised"}
        Whether draws are sorted by mean, or the proposal is averaged over all K! labellings
        (which nothing is needed for in coordinates that sort).
    seed : int

    Raises
    ------
    ValueError
        If an argument is not accepted.

    Notes
    -----
    The iteration of Meng & Wong (1996, Statistica Sinica 6, 831-860, eq. 4.1), its relative error
    by Frühwirth-Schnatter (2004, Econometrics Journal 7, 143-167, eq. 16).
    """
    if labels not in LABELS:
        raise ValueError(f"labels must be one of {', '.join(LABELS)}, got {labels!r}")
    symmetrise = labels == "symmetrised" and parameterization.labellings > 1
    if symmetrise and parameterization.k > MOST_COMPONENTS:
        raise ValueError(
            f"labels='symmetrised' is for at most {MOST_COMPONENTS} components, "
            f"got {parameterization.k}"
        )
    units = standard(parameterization, data, draws)
    sort = exchangeable(parameterization)
    half = draws.batch_shape[1] // 2
    agreed = agreed_labels(units, sort)
    proposal = Normal.fitted(units.parameterization.unconstrain(agreed[:, :half]))
    kept = units.parameterization.unconstrain((units.draws if symmetrise else agreed)[:, half:])
    sort = sort and not symmetrise
    drawn = proposal.draw(kept[..., 0].size, np.random.default_rng(seed))
    ratios = [
        _log_ratio(units, proposal, points, sort, symmetrise)
        for points in (kept.reshape(drawn.shape), drawn)
    ]
    posterior = ratios[0].reshape(kept.shape[:2])
    log_evidence, error = meng_wong(posterior, ratios[1])
    return Evidence(
        log_evidence - units.constant, error, f"bridge, {labels}", warning(posterior, error)
    )


class Normal(NamedTuple):
    """A normal proposal by its mean and the Cholesky factor of its covariance."""

    mean: Array
    factor: Array

    @classmethod
    def fitted(cls, z: Array) -> Normal:
        """The normal with the mean and the covariance of points z (..., dimension)."""
        flat = z.reshape(-1, z.shape[-1])
        covariance = np.atleast_2d(np.cov(flat, rowvar=False))
        ridge = 1e-10 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        return cls(flat.mean(axis=0), np.linalg.cholesky(covariance + ridge))

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Independent draws, shape (count, dimension)."""
        return self.mean + rng.standard_normal((count, self.mean.size)) @ self.factor.T

    def log_density(self, z: Array) -> Array:
        """Log density at z (points, dimension)."""
        white = solve_triangular(self.factor, (z - self.mean).T, lower=True)
        constant = np.sum(np.log(np.diag(self.factor))) + 0.5 * self.mean.size * np.log(2 * np.pi)
        return -0.5 * np.sum(white**2, axis=0) - constant


def _log_ratio(units: Standard, proposal: Normal, z: Array, sort: bool, symmetrise: bool) -> Array:
    """Log of the unnormalised posterior over the proposal at z (points, dimension)."""
    height, mixture = units.log_density(z)
    if symmetrise:
        return height - _symmetrised(units, proposal, z, mixture)
    if sort:
        # the sorted draws live where the means increase, with K! times the density
        inside = np.all(np.diff(mixture.mu, axis=-1) > 0, axis=-1)
        height = np.where(inside, height + log_labellings(units.parameterization), -np.inf)
    return height - proposal.log_density(z)


def _symmetrised(units: Standard, proposal: Normal, z: Array, mixture: Mixture) -> Array:
    """Log density of the proposal averaged over the labellings."""
    parameterization = units.parameterization
    here, terms = parameterization.log_det(z), []
    for labels in itertools.permutations(range(parameterization.k)):
        other = parameterization.unconstrain(mixture.permute(np.array(labels)))
        change = here - parameterization.log_det(other)
        terms.append(proposal.log_density(other) + change)
    return np.logaddexp.reduce(terms, axis=0) - log_labellings(parameterization)


def meng_wong(posterior: Array, proposal: Array) -> tuple[float, float]:
    """Log normalising constant and its relative error, from log ratios at draws of both."""
    effective = min(float(arviz_stats.ess(posterior, chain_axis=0, draw_axis=1)), posterior.size)
    share = effective / (effective + proposal.size)
    log_s, log_rest = math.log(share), math.log1p(-share)
    estimate = float(np.median(posterior))
    for _ in range(ITERATIONS):
        top = proposal - np.logaddexp(log_s + proposal, log_rest + estimate)
        bottom = -np.logaddexp(log_s + posterior, log_rest + estimate)
        new = float(
            np.logaddexp.reduce(top) - np.log(top.size)
            - np.logaddexp.reduce(bottom.ravel()) + np.log(bottom.size)
        )  # fmt: skip
        if abs(new - estimate) < 1e-10:
            break
        estimate = new
    first = np.exp(top - top.max())
    second = np.exp(bottom - bottom.max())
    own = first.var(ddof=1) / first.mean() ** 2 / first.size
    mcse = float(arviz_stats.mcse(second, method="mean", chain_axis=0, draw_axis=1))
    return new, math.sqrt(own + (mcse / second.mean()) ** 2)


def warning(posterior: Array, error: float) -> str:
    """What to beware of, from log ratios at draws (chain, draw); empty if nothing."""
    effective = float(arviz_stats.ess(posterior, chain_axis=0, draw_axis=1))
    if len(posterior) > 1:
        rhat = float(arviz_stats.rhat(posterior, chain_axis=0, draw_axis=1))
        if rhat > RHAT:
            return (
                f"the chains disagree after sorting (R-hat {rhat:.2f}): modes may be missing or "
                "wrongly weighted, and the standard error does not know of them"
            )
    if effective < FEW:
        return f"the draws are worth {effective:.0f} independent ones only"
    if error > 1:
        return "the proposal hardly overlaps the posterior: the standard error is not to be trusted"
    return ""
