"""A Gibbs sampler that draws the rate of the scales, against which the closed form is held.

Diebolt & Robert 1994; given the variances, the rate is generalised inverse Gaussian.
"""

import numpy as np
from scipy.stats import geninvgauss

from ordered_mix.mixture import Mixture


def gibbs(y, k, prior, sweeps, rng):
    """One chain without its first fifth, labels as they come; batch shape (draw,)."""
    mu, v, w = np.quantile(y, (np.arange(k) + 0.5) / k), np.full(k, y.var() / k**2), np.ones(k)
    rate, kept = prior.scale**2, []
    for _ in range(sweeps):
        if prior.scale_family == "adaptive":
            rate = draw_rate(v[:1] if prior.common_scale else v, prior.b0, rng)
        log_share = np.log(w) - 0.5 * np.log(v) - 0.5 * (y[:, None] - mu) ** 2 / v
        share = np.exp(log_share - log_share.max(axis=1, keepdims=True)).cumsum(axis=1)
        label = (share < rng.random((len(y), 1)) * share[:, -1:]).sum(axis=1)
        count = np.bincount(label, minlength=k)
        w = rng.dirichlet(prior.concentration + count)
        variance = 1 / (prior.spread**-2 + count / v)
        pull = prior.location / prior.spread**2 + np.bincount(label, y, minlength=k) / v
        mu = rng.normal(variance * pull, np.sqrt(variance))
        squares = np.bincount(label, (y - mu[label]) ** 2, minlength=k)
        if prior.common_scale:
            v = np.full(k, (rate + squares.sum() / 2) / rng.gamma(2 + len(y) / 2))
        else:
            v = (rate + squares / 2) / rng.gamma(2 + count / 2)
        kept.append((w, mu, np.sqrt(v)))
    return Mixture(*map(np.array, zip(*kept[sweeps // 5 :], strict=True)))


def draw_rate(v, b0, rng):
    """The rate given the variances: density ∝ x^(p-1) exp(-(2 S x + 2 b0 / x) / 2)."""
    s = np.sum(1 / v)
    return geninvgauss.rvs(
        2 * len(v) - 0.5, 2 * np.sqrt(s * b0), scale=np.sqrt(b0 / s), random_state=rng
    )
