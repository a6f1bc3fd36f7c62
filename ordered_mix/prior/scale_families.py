"""Families of the prior of the scales: joint log densities and draws, as PyTensor graphs.

``inverse_gamma``: ``sigma_k^2`` iid InverseGamma(2, scale^2). ``half_normal``: ``sigma_k`` iid
HalfNormal(scale). ``adaptive``: ``sigma_k^2`` iid InverseGamma(2, beta) given
beta ~ InverseGamma(1/2, b0), ``b0 = (scale / 10)^2``, with beta integrated out. With
``v_k = sigma_k^2``, ``S = sum_k 1 / v_k``, ``x = 2 sqrt(b0 S)`` and ``n = 2 K - 1`` its density is

``p(v) = (b0 / S)^K prod_k v_k^-3 exp(-x) sum_{j=0..n} (n + j)! / (j! (n - j)!) (2 x)^-j``,

the polynomial being that of the Bessel function ``K_(n + 1/2)`` (DLMF 10.49.12).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions import transforms
from pymc.distributions.shape_utils import rv_size_is_none
from pytensor.gradient import disconnected_grad
from pytensor.tensor import TensorVariable

from ordered_mix import distributions
from ordered_mix.prior.prior import SHARE

TYPICAL = 0.2  # a scale near the median of the adaptive prior, in units of its scale


def iid(k: int, scale: Any, family: str, name: str = "sigma", **kwargs: Any) -> TensorVariable:
    """Declare k exchangeable scales in the open model; shape (k,)."""
    if family == "half_normal":
        return pm.HalfNormal(name, scale, **kwargs)
    if family == "adaptive":
        return pm.CustomDist(
            name,
            scale,
            dist=partial(_draw_together, k=k, family=family),
            logp=partial(_logp_together, family=family),
            default_transform=distributions.LINKS["log"],
            support_point=partial(_spread_out, k=k, low=TYPICAL, high=TYPICAL),
            signature="()->(k)",
            class_name="AdaptiveScales",
            **kwargs,
        )
    return pm.CustomDist(
        name,
        scale,
        dist=_root_inverse_gamma,
        logp=_root_inverse_gamma_logp,
        default_transform=transforms.log,
        support_point=lambda rv, size, scale: pt.broadcast_to(scale, rv.shape),
        class_name="RootInverseGamma",
        **kwargs,
    )


def increasing(
    name: str, k: int, scale: Any, family: str, link: distributions.GapLink, **kwargs: Any
) -> TensorVariable:
    """Declare increasing scales with ``k!`` times the density; shape (k,)."""
    return pm.CustomDist(
        name,
        scale,
        dist=partial(_draw_sorted, k=k, family=family),
        logp=partial(_logp_sorted, k=k, family=family),
        default_transform=distributions.ScaleChain(link),
        support_point=partial(_spread_out, k=k, low=0.5, high=1.5),
        signature="()->(k)",
        class_name="OrderedScales",
        **kwargs,
    )


def logp(sigma: TensorVariable, scale: Any, family: str) -> TensorVariable:
    """Joint prior log density of the scales along the last axis of sigma; shape (...).

    ``scale`` has the shape of the result.
    """
    scale = scale[..., None]
    if family == "adaptive":
        # PyTensor holds numbers like 2.0 in single precision, and their tenth with its error
        return _adaptive_logp(sigma, scale.astype("float64"))
    if family == "half_normal":
        return pm.logp(pm.HalfNormal.dist(scale), sigma).sum(axis=-1)
    return _root_inverse_gamma_logp(sigma, scale).sum(axis=-1)


def draw(k: int, scale: Any, family: str, size: Any) -> TensorVariable:
    """Prior draws of k exchangeable scales, shape ``(*size, k)``, as a graph."""
    batch = tuple(scale.shape) if rv_size_is_none(size) else tuple(size)
    shape, parameter = (*batch, k), scale[..., None]
    if family == "half_normal":
        return pm.HalfNormal.dist(parameter, size=shape)
    if family == "adaptive":
        # beta = b0 / Gamma(1/2, 1), so its root is the scale of all of them
        gamma = pm.Gamma.dist(0.5, 1.0, size=(*batch, 1))
        unit = _root_inverse_gamma(pt.ones_like(parameter), shape)
        return parameter.astype("float64") / SHARE / pt.sqrt(gamma) * unit
    return _root_inverse_gamma(parameter, shape)


def bessel_coefficients(k: int) -> np.ndarray:
    """Logs of ``(n + j)! / (j! (n - j)!)`` for j = 0 .. n, n = 2 k - 1."""
    from scipy.special import gammaln

    n = 2 * k - 1
    j = np.arange(n + 1)
    return gammaln(n + j + 1) - gammaln(j + 1) - gammaln(n - j + 1)


def _adaptive_logp(sigma: TensorVariable, scale: Any) -> TensorVariable:
    k = sigma.type.shape[-1]
    if k is None:
        raise ValueError("sigma must have a known number of components")
    log_ratio = pt.log(scale / SHARE) - pt.log(sigma)
    # b0 S = sum exp(2 log_ratio), whose terms may overflow
    log_root = 0.5 * _log_sum_exp(2 * log_ratio)
    coefficients = pt.constant(bessel_coefficients(k))
    j = pt.constant(np.arange(2.0 * k))
    polynomial = _log_sum_exp(coefficients - j * (np.log(4.0) + log_root[..., None]))
    # log (b0 / S)^k prod v^-3 prod 2 sigma, each ratio b0 / v kept together
    powers = pt.sum(5 * log_ratio, axis=-1) - 2 * k * log_root - k * pt.log(scale / SHARE)[..., 0]
    density = k * np.log(2.0) + powers - 2 * pt.exp(log_root) + polynomial
    return pt.switch(pt.all(sigma > 0, axis=-1), density, -np.inf)


def _log_sum_exp(terms: TensorVariable) -> TensorVariable:
    # the shift cancels, so it has no part in the gradient
    largest = disconnected_grad(pt.max(terms, axis=-1, keepdims=True))
    return pt.log(pt.sum(pt.exp(terms - largest), axis=-1)) + largest[..., 0]


def _root_inverse_gamma(scale: Any, size: Any) -> TensorVariable:
    return pt.sqrt(pm.InverseGamma.dist(2.0, scale**2, size=size))


def _root_inverse_gamma_logp(sigma: TensorVariable, scale: Any) -> TensorVariable:
    log_ratio = pt.log(scale) - pt.log(sigma)
    density = np.log(2.0) + 4 * log_ratio - pt.exp(2 * log_ratio) - pt.log(sigma)
    return pt.switch(sigma > 0, density, -np.inf)


def _draw_together(scale: Any, size: Any, *, k: int, family: str) -> TensorVariable:
    return draw(k, scale, family, size)


def _logp_together(sigma: TensorVariable, scale: Any, *, family: str) -> TensorVariable:
    return logp(sigma, scale, family)


def _draw_sorted(scale: Any, size: Any, *, k: int, family: str) -> TensorVariable:
    return pt.sort(draw(k, scale, family, size), axis=-1)


def _logp_sorted(sigma: TensorVariable, scale: Any, *, k: int, family: str) -> TensorVariable:
    ordered = pt.all(sigma[..., 1:] >= sigma[..., :-1], axis=-1)
    density = logp(sigma, scale, family) + distributions.log_factorial(k)
    return pt.switch(ordered, density, -np.inf)


def _spread_out(
    rv: Any, size: Any, scale: Any, *, k: int, low: float, high: float
) -> TensorVariable:
    return pt.broadcast_to(scale[..., None] * np.linspace(low, high, k), rv.shape)
