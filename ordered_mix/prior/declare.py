"""What a parameterization declares of the reference prior in an open PyMC model."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.shape_utils import rv_size_is_none
from pytensor.tensor import TensorVariable

from ordered_mix import distributions
from ordered_mix.prior import scale_families
from ordered_mix.prior.prior import COMMON, COMPONENT, GAP, Prior


def weights(k: int, prior: Prior, floor: float = 0.0) -> TensorVariable:
    """Declare the weights ``w`` in the open model; shape (k,).

    With a floor, ``(w - floor) / (1 - k floor)`` carries the Dirichlet prior.

    Raises
    ------
    ValueError
        If the known weights are not k.
    """
    if prior.known_w is not None:
        if len(prior.known_w) != k:
            raise ValueError(f"known_w must hold {k} weights, got {len(prior.known_w)}")
        return pt.constant(np.array(prior.known_w))
    if k == 1:
        return pt.constant(np.ones(1))
    concentration = pt.as_tensor(prior.concentration) * np.ones(k)
    if floor == 0:
        return pm.Dirichlet("w", concentration, dims=dimension(COMPONENT, k))
    free = pm.Dirichlet("w_above_floor", concentration, dims=dimension(COMPONENT, k))
    return floor + (1 - k * floor) * free


def scales(k: int, prior: Prior) -> TensorVariable:
    """Declare the standard deviations ``sigma`` in the open model; shape (k,)."""
    if isinstance(prior.known_sigma, tuple):
        return pt.constant(np.array(prior.known_sigma))
    if prior.known_sigma is not None:
        return pt.ones(k) * prior.known_sigma
    if prior.common_scale:
        dims = dimension("common_index", 1)
        one = scale_families.iid(1, prior.scale, prior.scale_family, name=COMMON, dims=dims)
        return pt.ones(k) * one[0]
    return scale_families.iid(k, prior.scale, prior.scale_family, dims=dimension(COMPONENT, k))


def ordered_scales(k: int, prior: Prior, link: str, clearance: float) -> TensorVariable:
    """Declare increasing scales with ``k!`` times the prior's density; shape (k,).

    The scales less their clearances ``0, xi, 2 xi, ...`` carry the prior.
    """
    name, dims = "sigma_steps" if clearance else "sigma", dimension(COMPONENT, k)
    steps = scale_families.increasing(
        name, k, prior.scale, prior.scale_family, distributions.LINKS[link], dims=dims
    )
    return steps + clearance * np.arange(k) if clearance else steps


def iid_means(k: int, prior: Prior) -> TensorVariable:
    """Declare unordered means ``mu``, iid Normal(location, spread), or known; shape (k,)."""
    if prior.known_mu is not None:
        return pt.constant(np.array(prior.known_mu))
    return pm.Normal("mu", prior.location, prior.spread, dims=dimension(COMPONENT, k))


def mean_gaps(
    k: int, prior: Prior, *, ordered: bool = True, transform: Any = None, name: str = "gap"
) -> TensorVariable:
    """Declare the gaps between the means; shape (k - 1,).

    Matched: those of the reference prior. Native: iid HalfNormal(spread), signed ones
    Normal(0, spread).
    """
    dims = dimension(GAP, k - 1)
    if not prior.native:
        return distributions.gaps(
            name, k, prior.spread, ordered=ordered, transform=transform, dims=dims
        )
    if not ordered:
        return pm.Normal(name, 0.0, prior.spread, dims=dims)
    return pm.CustomDist(
        name,
        prior.spread,
        dist=partial(_half_normals, k=k),
        logp=_half_normals_logp,
        support_point=lambda rv, size, spread: pt.broadcast_to(spread[..., None], rv.shape),
        signature="()->(g)",
        default_transform=transform,
        class_name="IndependentGaps",
        dims=dims,
    )


def anchored_means(
    k: int, prior: Prior, gap: TensorVariable, anchor: Any, clearance: float = 0.0
) -> TensorVariable:
    """Declare ``location = sum_k anchor_k mu_k`` and return the means; unit Jacobian, shape (k,).

    Anchors: a unit vector (one component is the reference), equal shares (the centre), or the
    weights (the mixture mean). Matched: the mean of iid normal means is
    Normal(location, spread / sqrt k), independent of the gaps, and the anchored location is that
    mean plus a linear function of the gaps. Native: Normal(location, spread).
    """
    offset = distributions.chain(gap, k)
    anchor = pt.as_tensor(anchor)
    if prior.native:
        location = pm.Normal("location", prior.location, prior.spread)
    else:
        shift = pt.sum(anchor * offset) - pt.mean(offset)
        location = pm.Normal("location", prior.location + shift, prior.spread / np.sqrt(k))
    cleared = offset + clearance * np.arange(k)
    return location + cleared - pt.sum(anchor * cleared)


def dimension(name: str, length: int) -> str:
    """Give the open model a dimension of this name, if it has none yet, and return the name."""
    model = pm.modelcontext(None)
    if name not in model.coords:
        # a constant, so that the graph knows its shapes
        model.add_coord(name, np.arange(length), length=pt.constant(length))
    return name


def _half_normals(spread: Any, size: Any, *, k: int) -> TensorVariable:
    batch = tuple(spread.shape) if rv_size_is_none(size) else tuple(size)
    return pm.HalfNormal.dist(spread[..., None], size=(*batch, k - 1))


def _half_normals_logp(gap: TensorVariable, spread: Any) -> TensorVariable:
    return pm.logp(pm.HalfNormal.dist(spread[..., None]), gap).sum(axis=-1)
