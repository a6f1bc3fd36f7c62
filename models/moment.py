"""Mixture mean, total standard deviation and a direction on the sphere (Kamary, Lee & Robert).

With ``xi`` the coordinates of ``sqrt(w_k) (mu_k - m)`` in an orthonormal basis of the complement
of ``sqrt(w)`` and ``y_k = sqrt(w_k) sigma_k``, the vector ``(xi, y)`` has length s. The sampler
sees the coordinates ``(m, log s, xi / y_K, log(y_k / y_K))``, which has no boundary.

With ``gap="pooled"`` it sees ``(m, log s, (mu_{k+1} - mu_k) / u, log(sigma_k / sigma_K))`` instead,
``u^2 = sum_k w_k sigma_k^2``: overlapping components determine m and s, whatever the rest, and a
component whose weight goes to 0 keeps a gap and a scale of its own, where ``xi`` and ``y`` shrink
with it. ``s^2 = u^2 (1 + b)``, b the variance of the means in units of u, is explicit, so
``d mu d sigma = u^(K-1) prod_k sigma_k dm d(log s) d(gaps / u) d(log ratios)``.
"""

from functools import partial
from math import gamma, log, pi

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from ordered_mix import distributions
from ordered_mix import prior as declare
from ordered_mix.prior import scale_families

GAPS = ("sphere", "pooled")


def block(k, prior, *, signed=True, gap="sphere"):
    """Declare the priors in the open model and return (w, mu, sigma).

    ``signed=False`` (K = 2) samples the log of the gap's coordinate, which identifies the labels;
    ``gap="pooled"`` has gaps in pooled standard deviations.
    """
    w = declare.weights(k, prior)
    given = {"k": k, "family": prior.scale_family, "signed": signed, "gap": gap}
    settings = {**given, "native": prior.native}
    coordinates = pm.CustomDist(
        "coordinates",
        w,
        *map(pt.as_tensor, (prior.location, prior.spread, prior.scale)),
        dist=partial(_draw, **settings),
        logp=partial(_logp, **settings),
        support_point=lambda rv, size, w, location, spread, scale: pt.zeros(rv.shape) + 0.1,
        signature="(k),(),(),()->(d)",
        class_name="MomentChart",
        dims=declare.dimension("coordinate", 2 * k),
    )
    mu, sigma = _forward(pt, w, coordinates, k, signed, gap)
    pm.Deterministic("mixture_mean", coordinates[0])
    pm.Deterministic("total_sd", pt.exp(coordinates[1]))
    return w, mu, sigma


def coordinates(mixture, *, signed=True, gap="sphere"):
    """Free coordinates of a mixture, by variable name."""
    mixture = mixture if signed else mixture.sorted()
    return {
        "w": mixture.w,
        "coordinates": _coordinates(np, mixture.w, mixture.mu, mixture.sigma, signed, gap),
    }


def skip(k, prior, *, signed=True, gap="sphere"):
    """Why this parameterization does not apply, if so.

    Raises
    ------
    ValueError
        If an option is not one of those accepted.
    """
    if not isinstance(signed, bool):
        raise ValueError(f"signed must be True or False, got {signed!r}")
    if gap not in GAPS:
        raise ValueError(f"gap must be one of {', '.join(GAPS)}, got {gap!r}")
    if gap == "pooled" and not signed:
        return "gaps in pooled standard deviations are signed"
    if prior.known_sigma is not None or prior.common_scale:
        return "known scales, or a common one, are no coordinates of the sphere"
    if not signed and k != 2:
        return "signed=False is for two components"
    return declare.no_gaps(k, prior, ordered=not signed)


def _forward(xp, w, coordinates, k, signed, gap):
    if gap == "pooled":
        return _forward_pooled(xp, w, coordinates, k)
    mean, log_s = coordinates[..., :1], coordinates[..., 1:2]
    slope, log_ratio = _slope(xp, coordinates, k, signed), coordinates[..., k + 1 :]
    ratio = xp.concatenate([xp.exp(log_ratio), xp.ones_like(mean)], axis=-1)
    last = xp.exp(log_s) / xp.sqrt(
        (slope**2).sum(-1, keepdims=True) + (ratio**2).sum(-1, keepdims=True)
    )
    root = xp.sqrt(w)
    return mean + _rotate(xp, root, slope * last) / root, ratio * last / root


def _forward_pooled(xp, w, coordinates, k):
    mean, log_s = coordinates[..., :1], coordinates[..., 1:2]
    ratio = xp.concatenate([xp.exp(coordinates[..., k + 1 :]), xp.ones_like(mean)], axis=-1)
    along = (coordinates[..., None, 2 : k + 1] * np.tril(np.ones((k, k - 1)), -1)).sum(-1)
    off = along - (w * along).sum(-1, keepdims=True)
    unit = xp.exp(log_s) / xp.sqrt(1 + (w * off**2).sum(-1, keepdims=True))
    return mean + unit * off, unit * ratio / xp.sqrt((w * ratio**2).sum(-1, keepdims=True))


def _slope(xp, coordinates, k, signed):
    return coordinates[..., 2 : k + 1] if signed else -xp.exp(coordinates[..., 2 : k + 1])


def _rotate(xp, root, xi):
    # Householder reflection that takes the last axis to -sqrt(w): its other columns are the basis
    v = xp.concatenate([root[..., :-1], root[..., -1:] + 1], axis=-1)
    along = (v[..., :-1] * xi).sum(-1, keepdims=True) / (1 + root[..., -1:])
    return xp.concatenate([xi, xp.zeros_like(along)], axis=-1) - v * along


def _coordinates(xp, w, mu, sigma, signed, gap):
    if gap == "pooled":
        return _coordinates_pooled(xp, w, mu, sigma)
    mean = (w * mu).sum(-1, keepdims=True)
    root = xp.sqrt(w)
    y = root * sigma
    scaled = root * (mu - mean)
    v = xp.concatenate([root[..., :-1], root[..., -1:] + 1], axis=-1)
    along = (v * scaled).sum(-1, keepdims=True) / (1 + root[..., -1:])
    xi = (scaled - v * along)[..., :-1]
    log_s = 0.5 * xp.log((xi**2).sum(-1, keepdims=True) + (y**2).sum(-1, keepdims=True))
    slope = xi / y[..., -1:]
    slope = slope if signed else xp.log(-slope)
    log_ratio = xp.log(y[..., :-1]) - xp.log(y[..., -1:])
    return xp.concatenate([mean, log_s, slope, log_ratio], axis=-1)


def _coordinates_pooled(xp, w, mu, sigma):
    mean, square = ((w * values).sum(-1, keepdims=True) for values in (mu, sigma**2))
    log_s = 0.5 * xp.log(square + (w * (mu - mean) ** 2).sum(-1, keepdims=True))
    gaps = (mu[..., 1:] - mu[..., :-1]) / xp.sqrt(square)
    log_ratio = xp.log(sigma[..., :-1]) - xp.log(sigma[..., -1:])
    return xp.concatenate([mean, log_s, gaps, log_ratio], axis=-1)


def _draw(w, location, spread, scale, size, *, k, family, signed, gap, native):
    if native:
        drawn = _draw_native(w, location, spread, size, k, signed)
        if gap == "pooled":
            mu, sigma = _forward(pt, w, drawn, k, signed, "sphere")
            return _coordinates_pooled(pt, w, mu, sigma)
        return drawn
    sigma = scale_families.draw(k, scale, family, size)
    mu = pm.Normal.dist(location[..., None], spread[..., None], size=sigma.shape)
    return _coordinates(pt, w, mu if signed else pt.sort(mu, axis=-1), sigma, signed, gap)


def _draw_native(w, location, spread, size, k, signed):
    mean = pm.Normal.dist(location, spread, size=size)[..., None]
    log_s = pt.log(pm.HalfNormal.dist(spread, size=size))[..., None]
    xi = pm.Normal.dist(size=(*tuple(mean.shape[:-1]), k - 1))
    y = pt.abs(pm.Normal.dist(size=(*tuple(mean.shape[:-1]), k)))
    slope = xi / y[..., -1:]
    slope = slope if signed else pt.log(pt.abs(slope))
    return pt.concatenate([mean, log_s, slope, pt.log(y[..., :-1] / y[..., -1:])], axis=-1)


def _logp(coordinates, w, location, spread, scale, *, k, family, signed, gap, native):
    mu, sigma = _forward(pt, w, coordinates, k, signed, gap)
    log_y = pt.log(pt.sqrt(w) * sigma)
    if gap == "pooled":
        unit = 0.5 * pt.log((w * sigma**2).sum(-1))
        log_direction = (k - 1) * unit + (pt.log(sigma) + pt.log(w)).sum(-1)
    else:
        log_y = pt.log(pt.sqrt(w) * sigma)
        log_direction = (k - 1) * log_y[..., -1] + log_y.sum(-1)
    if not signed:
        log_direction = log_direction + coordinates[..., 2]
    if native:
        return _native_logp(coordinates, location, spread, log_direction, k, signed)
    normal = pm.logp(pm.Normal.dist(location[..., None], spread[..., None]), mu).sum(-1)
    labels = 0.0 if signed else distributions.log_factorial(k)
    logp = normal + scale_families.logp(sigma, scale, family) + labels
    return logp - pt.log(w).sum(-1) + log_direction


def _native_logp(coordinates, location, spread, log_direction, k, signed):
    dimension = 2 * k - 1
    area = 2 * pi ** (dimension / 2) / gamma(dimension / 2) / 2 ** (k if signed else k + 1)
    log_s = coordinates[..., 1]
    flat = log_direction - dimension * log_s - log(area)
    mean = pm.logp(pm.Normal.dist(location, spread), coordinates[..., 0])
    return mean + pm.logp(pm.HalfNormal.dist(spread), pt.exp(log_s)) + log_s + flat
