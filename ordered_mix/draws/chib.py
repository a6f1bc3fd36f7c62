"""Chib's estimator of the evidence, averaged over all labellings."""

from __future__ import annotations

import itertools

import arviz_stats
import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import invgamma, norm

from ordered_mix.data import Data
from ordered_mix.draws.evidence import FEW, MOST_COMPONENTS, Evidence, Standard, standard
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import reference
from ordered_mix.parameterization.conjugate import check_conjugate
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes import kernels
from ordered_mix.prior import Prior

LABELS = ("permuted", "as they come")
BLOCK = 4_000_000
MOST_DRAWS = 4000
NODES = np.linspace(-1.0, 1.0, 321)


def chib(
    parameterization: Parameterization,
    data: Data,
    draws: Mixture,
    *,
    labels: str = "permuted",
    seed: int = 0,
) -> Evidence:
    """Log evidence from the posterior ordinate at a draw in its bulk, for draws of any sampler.

    Allocations are drawn anew given each draw. Given them the parameters' density is exact, and
    its average over draws and all K! labellings is the ordinate (Chib 1995, JASA 90, 1313-1321;
    Berkhof, van Mechelen & Gelman 2003, Statistica Sinica 13, 423-442).

    Parameters
    ----------
    parameterization : Parameterization
        With the reference prior, in the units of the data.
    data : Data
        Unweighted.
    draws : Mixture, batch shape (chain, draw)
        Posterior draws in the units of the data; switching does no harm. About 4,000 are used.
    labels : {"permuted", "as they come"}
        Whether the ordinate is averaged over all labellings. As first published it was not, which
        is off by up to log K! in a way that no constant repairs once labels switch (Neal 1999).
    seed : int
        Of the allocations.

    Raises
    ------
    ValueError
        If the prior is not conditionally conjugate, or another argument is not accepted.
    """
    if labels not in LABELS:
        raise ValueError(f"labels must be one of {', '.join(LABELS)}, got {labels!r}")
    check_conjugate(parameterization, "Chib's estimator")
    if parameterization.prior.known_sigma is None:
        _check_fixed(parameterization.prior.scale_family)
    if data.weight is not None:
        raise ValueError(f"data must be unweighted for Chib's estimator, {data!r} is not")
    permute = labels == "permuted" and parameterization.prior.exchangeable
    if permute and parameterization.k > MOST_COMPONENTS:
        raise ValueError(
            f"components must be at most {MOST_COMPONENTS} for the average over all labellings, "
            f"got {parameterization.k}"
        )
    step = max(1, draws.mu[..., 0].size // MOST_DRAWS)
    draws = draws[:, ::step] if len(draws.batch_shape) == 2 else draws
    units = standard(parameterization, data, draws)
    prior, y = units.parameterization.prior, units.data.y
    point, height = _bulk(units)
    sums = _allocated(y, units.draws, np.random.default_rng(seed))
    ordinates = _ordinate(prior, point, sums, permute).reshape(draws.batch_shape)
    scaled = np.exp(ordinates - ordinates.max())
    log_ordinate = float(np.log(scaled.mean()) + ordinates.max())
    mcse = float(arviz_stats.mcse(scaled, method="mean", chain_axis=0, draw_axis=1))
    worth = min(
        float(scaled.sum() ** 2 / np.sum(scaled**2)),
        float(arviz_stats.ess(scaled, chain_axis=0, draw_axis=1)) if np.ptp(scaled) else np.inf,
    )
    warning = "" if worth >= FEW else f"the ordinate rests on {worth:.0f} draws only"
    if parameterization.prior.exchangeable and not permute and parameterization.k > 1:
        warning = f"without the other labellings it is off by up to log {parameterization.k}!"
    error = mcse / float(scaled.mean())
    return Evidence(
        height - log_ordinate - units.constant, error, f"chib, labels {labels}", warning
    )


def _check_fixed(family: str) -> None:
    if family != "inverse_gamma":
        raise ValueError(
            "scale_family of the prior must be 'inverse_gamma' for Chib's estimator, "
            f"got {family!r}"
        )


def _bulk(units: Standard) -> tuple[Mixture, float]:
    """A draw in the bulk of the posterior, and its log density in (w, mu, sigma^2).

    The highest density would be that of a narrow mode with little mass, if there is one: density
    is taken times the volume that the parameters' own scales span.
    """
    flat = units.draws.reshape(-1)
    given = (units.data.y, flat.w, flat.mu, flat.sigma)
    prior = units.parameterization.prior
    height = kernels.e_step(*given).log_likelihood + reference.log_density(prior, flat)
    if prior.known_sigma is None:
        # from the density of sigma to that of sigma^2
        height = height - np.sum(np.log(2 * flat.sigma), axis=-1)
    volume = np.sum(3 * np.log(flat.sigma) + np.log(flat.w), axis=-1)
    at = int((height + volume).argmax())
    return flat[at], float(height[at])


def _allocated(y: Array, draws: Mixture, rng: np.random.Generator) -> Array:
    """Counts, sums and sums of squares of drawn allocations; shape (3, draws, k)."""
    flat = draws.reshape(-1)
    size = max(1, BLOCK // (y.size * flat.k))
    pieces = []
    for start in range(0, flat.batch_shape[0], size):
        edges = np.cumsum(flat[start : start + size].responsibilities(y), axis=-1)
        label = (rng.random((*edges.shape[:-1], 1)) > edges[..., :-1]).sum(axis=-1)
        own = label[..., None] == np.arange(flat.k)
        pieces.append(np.stack([own.sum(axis=1), y @ own, y**2 @ own]))
    return np.concatenate(pieces, axis=1)


def _ordinate(prior: Prior, at: Mixture, sums: Array, permute: bool) -> Array:
    """Log density at a point given allocations, averaged over labellings; shape (draws,)."""
    terms = _components(prior, at, sums)
    count, k = sums[0], at.k
    constant = np.zeros(len(count))
    if prior.known_w is None and k > 1:
        shape = prior.concentration + count
        constant = gammaln(shape.sum(axis=-1)) - gammaln(shape).sum(axis=-1)
        terms = terms + (shape[..., None] - 1) * np.log(at.w)
    labellings = [tuple(range(k))]
    if permute:
        labellings = list(itertools.permutations(range(k)))
    rows = np.arange(k)
    values = [terms[:, rows, list(labels)].sum(axis=-1) for labels in labellings]
    return constant + logsumexp(values, axis=0) - np.log(len(labellings))


def _components(prior: Prior, at: Mixture, sums: Array) -> Array:
    """Log density of each component's parameters given each's points; shape (draws, k, k).

    The first k counts groups of points, the second components of the point.
    """
    count, total, squares = (value[..., None] for value in sums)
    if prior.known_sigma is not None:
        precision = 1 / prior.spread**2 + count / prior.known_sigma**2
        mean = (prior.location / prior.spread**2 + total / prior.known_sigma**2) / precision
        return norm.logpdf(at.mu, mean, precision**-0.5)
    variance = at.sigma**2
    about = squares - 2 * at.mu * total + count * at.mu**2
    joint = norm.logpdf(at.mu, prior.location, prior.spread)
    joint = joint + invgamma.logpdf(variance, 2, scale=prior.scale**2)
    joint = joint - 0.5 * count * np.log(2 * np.pi * variance) - 0.5 * about / variance
    return joint - _marginal(prior, sums)[..., None]


def _marginal(prior: Prior, sums: Array) -> Array:
    """Log evidence of the points of each group as one component, by quadrature in its mean."""
    count, total, squares = sums
    mean = total / np.maximum(count, 1)
    within = np.maximum(squares - count * mean**2, 0)
    width = np.sqrt((prior.scale**2 + 0.5 * within) / np.maximum(count, 1))
    own = mean[..., None] + width[..., None] * np.sinh(6 * NODES) / 4
    common = np.broadcast_to(prior.location + 9 * prior.spread * NODES, own.shape)
    nodes = np.sort(np.concatenate([own, common], axis=-1), axis=-1)
    about = within[..., None] + count[..., None] * (nodes - mean[..., None]) ** 2
    shape = 2 + 0.5 * count
    log_f = norm.logpdf(nodes, prior.location, prior.spread)
    log_f = log_f - shape[..., None] * np.log(prior.scale**2 + 0.5 * about)
    top = log_f.max(axis=-1)
    integral = np.trapezoid(np.exp(log_f - top[..., None]), nodes, axis=-1)
    constant = 4 * np.log(prior.scale) + gammaln(shape) - 0.5 * count * np.log(2 * np.pi)
    return constant + top + np.log(integral)
