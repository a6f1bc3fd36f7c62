"""Proper distributions for ordered normals, ordered scales and the gaps between normals.

They can be used in anyone's own PyMC model. The densities of ordered vectors include the ``k!``
that PyMC's ``ordered`` transform leaves out, and their prior draws are ordered.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import lgamma
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions import transforms
from pymc.distributions.shape_utils import rv_size_is_none
from pymc.logprob.transforms import Transform
from pytensor.tensor import TensorVariable
from scipy.special import ndtri


class GapLink(Transform):
    """Map between a vector of positive gaps and the sampler's coordinates.

    ``log``: gap = exp(d); ``softplus``: gap = log(1 + exp(d)); ``square``: gap = d^2, where the
    sampler may also visit the mirror image -d of the same gap.
    """

    ndim_supp = 1

    def __init__(self, name: str) -> None:
        self.name = name

    def backward(self, value: TensorVariable, *inputs: Any) -> TensorVariable:
        """Gap of the coordinate."""
        return {"log": pt.exp, "softplus": pt.softplus, "square": pt.square}[self.name](value)

    def forward(self, value: TensorVariable, *inputs: Any) -> TensorVariable:
        """Coordinate of the gap."""
        if self.name == "softplus":
            return value + pt.log(-pt.expm1(-value))
        return {"log": pt.log, "square": pt.sqrt}[self.name](value)

    def log_jac_det(self, value: TensorVariable, *inputs: Any) -> TensorVariable:
        """Log of the product of the derivatives of the gaps."""
        slopes = {
            "log": lambda d: d,
            "softplus": lambda d: -pt.softplus(-d),
            "square": lambda d: pt.log(2 * pt.abs(d)),
        }
        return slopes[self.name](value).sum(axis=-1)


class ScaleChain(Transform):
    """Increasing positive scales from the log of the first and a link for each gap."""

    ndim_supp = 1
    name = "scale_chain"

    def __init__(self, link: GapLink) -> None:
        self.link = link

    def backward(self, value: TensorVariable, *inputs: Any) -> TensorVariable:
        """Scales of the coordinates."""
        steps = [pt.exp(value[..., :1]), self.link.backward(value[..., 1:])]
        return pt.cumsum(pt.concatenate(steps, axis=-1), axis=-1)

    def forward(self, value: TensorVariable, *inputs: Any) -> TensorVariable:
        """Coordinates of the scales."""
        steps = [pt.log(value[..., :1]), self.link.forward(pt.diff(value, axis=-1))]
        return pt.concatenate(steps, axis=-1)

    def log_jac_det(self, value: TensorVariable, *inputs: Any) -> TensorVariable:
        """Log determinant: the chain itself has determinant 1."""
        return value[..., 0] + self.link.log_jac_det(value[..., 1:])


LINKS = {name: GapLink(name) for name in ("log", "softplus", "square")}


def ordered_normal(
    name: str, mu: Any = 0.0, sigma: Any = 1.0, *, k: int | None = None, **kwargs: Any
) -> TensorVariable:
    """Order statistics of k iid Normal(mu, sigma): a proper distribution of ordered vectors.

    The density is ``k! prod_i Normal(x_i | mu, sigma)`` on ``x_1 < ... < x_k``, prior draws are
    sorted, and NUTS gets PyMC's ``ordered`` transform.

    Parameters
    ----------
    name : str
        Name of the variable in the open model.
    mu, sigma : float or scalar tensor
        Mean and standard deviation of the underlying normals.
    k : int, optional
        Length of the vector; by default that of the coordinate in ``dims``.
    **kwargs
        Passed on to `pymc.CustomDist` (``dims``, ``observed``, ...).

    Returns
    -------
    TensorVariable, shape (k,)

    Raises
    ------
    ValueError
        If k is not a whole number of at least 1, is not that of the coordinate or not known, or
        if mu or sigma is not a scalar.
    """
    k = _length(k, kwargs.get("dims"))
    for label, value in (("mu", mu), ("sigma", sigma)):
        if pt.as_tensor(value).ndim:
            raise ValueError(f"{label} must be a scalar, got {pt.as_tensor(value).ndim} axes")
    kwargs.setdefault("default_transform", transforms.ordered)
    return pm.CustomDist(
        name,
        mu,
        sigma,
        dist=partial(_sorted_normals, k=k),
        logp=ordered_normal_logp,
        support_point=partial(_spread_out, k=k),
        signature="(),()->(k)",
        class_name="OrderedNormal",
        **kwargs,
    )


def ordered_normal_logp(x: TensorVariable, mu: Any, sigma: Any) -> TensorVariable:
    """Log density of the order statistics of iid normals at x, along its last axis."""
    terms = pm.logp(pm.Normal.dist(mu[..., None], sigma[..., None]), x)
    logp = terms.sum(axis=-1) + pt.gammaln(x.shape[-1].astype("float64") + 1)
    return pt.switch(pt.all(x[..., 1:] >= x[..., :-1], axis=-1), logp, -np.inf)


def gaps(
    name: str, k: int, spread: Any, *, ordered: bool = True, transform: Any = None, **kwargs: Any
) -> TensorVariable:
    """Differences of k iid Normal(., spread), sorted first or as they come; shape (k - 1,).

    Sorted, they are positive and the density has the ``k!``; for k = 2 that is
    HalfNormal(spread sqrt 2). Either way they are independent of the mean of the normals.

    Parameters
    ----------
    name : str
        Name of the variable in the open model.
    k : int
        Number of normals, at least 2.
    spread : float or scalar tensor
        Their standard deviation.
    ordered : bool
        Whether the normals are sorted before the differences are taken.
    transform : pymc transform, optional
        Maps the gaps to the sampler's coordinates, one of `LINKS`; without it the gaps are their
        own coordinates, which suits signed gaps and projected point estimation.
    **kwargs
        Passed on to `pymc.CustomDist`.

    Raises
    ------
    ValueError
        If k is not a whole number of at least 2.
    """
    _check_length(k, 2)
    return pm.CustomDist(
        name,
        spread,
        dist=partial(_differences, k=k, ordered=ordered),
        logp=partial(_gaps_logp, k=k, ordered=ordered),
        support_point=_one_spread,
        signature="()->(g)",
        default_transform=transform,
        class_name="OrderedGaps" if ordered else "SignedGaps",
        **kwargs,
    )


def chain(gap: TensorVariable, k: int) -> TensorVariable:
    """Positions ``0, gap_1, gap_1 + gap_2, ...`` along the chain of k components."""
    # a masked sum: PyTensor loops over batches of a cumulative sum that is joined to zeros
    return pt.sum(gap[..., None, :] * np.tril(np.ones((k, k - 1)), -1), axis=-1)


def log_factorial(k: int) -> float:
    """``log k!``."""
    return lgamma(k + 1)


def _length(k: int | None, dims: str | Sequence[str] | None) -> int:
    """The length that was given or that a coordinate of the open model has."""
    named = (dims,) if isinstance(dims, str) else tuple(dims or ())
    values = pm.modelcontext(None).coords.get(named[-1]) if named else None
    if k is None:
        if values is None:
            raise ValueError(f"k must be given, or dims with a coordinate, got dims={dims!r}")
        return len(values)
    _check_length(k, 1)
    if values is not None and len(values) != k:
        raise ValueError(f"k must be the length of {named[-1]!r}, {len(values)}, got {k}")
    return k


def _check_length(k: int, least: int) -> None:
    if not isinstance(k, int | np.integer) or k < least:
        raise ValueError(f"k must be a whole number of at least {least}, got {k}")


def _sorted_normals(mu: Any, sigma: Any, size: Any, *, k: int) -> TensorVariable:
    return pt.sort(_iid_normals(mu, sigma, size, k), axis=-1)


def _spread_out(rv: Any, size: Any, mu: Any, sigma: Any, *, k: int) -> TensorVariable:
    quantiles = ndtri((np.arange(k) + 0.5) / k)
    return pt.broadcast_to(mu[..., None] + sigma[..., None] * quantiles, rv.shape)


def _one_spread(rv: Any, size: Any, spread: Any) -> TensorVariable:
    return pt.broadcast_to(spread[..., None], rv.shape)


def _differences(spread: Any, size: Any, *, k: int, ordered: bool) -> TensorVariable:
    normals = _iid_normals(pt.zeros_like(spread), spread, size, k)
    return pt.diff(pt.sort(normals, axis=-1) if ordered else normals, axis=-1)


def _iid_normals(mu: Any, sigma: Any, size: Any, k: int) -> TensorVariable:
    batch = pt.broadcast_shape(mu, sigma) if rv_size_is_none(size) else tuple(size)
    return pm.Normal.dist(mu[..., None], sigma[..., None], size=(*batch, k))


def _gaps_logp(gap: TensorVariable, spread: Any, *, k: int, ordered: bool) -> TensorVariable:
    offset = chain(gap, k)
    squares = pt.sum((offset - pt.mean(offset, axis=-1, keepdims=True)) ** 2, axis=-1)
    constant = -0.5 * (k - 1) * np.log(2 * np.pi) - 0.5 * np.log(k)
    logp = constant - (k - 1) * pt.log(spread) - 0.5 * squares / spread**2
    if not ordered:
        return logp
    return pt.switch(pt.all(gap >= 0, axis=-1), logp + log_factorial(k), -np.inf)
