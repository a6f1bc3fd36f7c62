"""The exchangeable reference prior, and what a parameterization declares of it in a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions import transforms
from pymc.distributions.shape_utils import rv_size_is_none
from pytensor.tensor import TensorVariable

from ordered_mix import distributions

COMPONENT = "component"
GAP = "gap_index"
SCALE_FAMILIES = ("inverse_gamma", "half_normal")


@dataclass(frozen=True)
class Prior:
    """The exchangeable reference prior of a mixture.

    ``mu_k`` iid Normal(location, spread), ``sigma_k^2`` iid InverseGamma(2, scale^2) and
    ``w`` ~ Dirichlet(concentration, ...). The inverse gamma vanishes at ``sigma = 0``: with
    half-normal scales and tied data the posterior is improper.

    Parameters
    ----------
    location, spread : float
        Mean and standard deviation of each component's mean.
    scale : float
        ``scale^2`` is the prior mean of each variance (inverse gamma), or the scale parameter of
        the half-normal.
    concentration : float
        Concentration of the Dirichlet.
    scale_family : {"inverse_gamma", "half_normal"}
        Family of the scales.
    known_w : tuple of float, optional
        Weights that are known, in the order of the components.
    known_sigma : float, optional
        The common standard deviation, if it is known.
    native : bool
        Give each parameterization its customary independent prior on its own coordinates instead
        of the fold of the reference prior.

    Raises
    ------
    ValueError
        If a scale or a concentration is not positive, or known weights are not a distribution.
    """

    location: Any = 0.0
    spread: Any = 2.0
    scale: Any = 0.5
    concentration: Any = 2.0
    scale_family: str = "inverse_gamma"
    known_w: tuple[float, ...] | None = None
    known_sigma: Any = None
    native: bool = False

    def __post_init__(self) -> None:
        for name in ("spread", "scale", "concentration", "known_sigma"):
            value = getattr(self, name)
            if isinstance(value, Real) and not 0 < float(value) < np.inf:
                raise ValueError(f"{name} of the prior must be positive and finite, got {value}")
        if isinstance(self.location, Real) and not np.isfinite(float(self.location)):
            raise ValueError(f"location of the prior must be finite, got {self.location}")
        if self.scale_family not in SCALE_FAMILIES:
            raise ValueError(
                f"scale_family must be one of {', '.join(SCALE_FAMILIES)}, "
                f"got {self.scale_family!r}"
            )
        if self.known_w is not None:
            total = sum(self.known_w)
            if min(self.known_w) <= 0 or abs(total - 1) > 1e-9:
                raise ValueError(f"known_w must be positive and add up to 1, got {self.known_w}")

    @property
    def exchangeable(self) -> bool:
        """Whether the prior is the same for every labelling of the components."""
        return self.known_w is None or len(set(self.known_w)) == 1

    def affine(self, location: float, scale: float) -> Prior:
        """The same prior for ``location + scale * y``."""
        return replace(
            self,
            location=location + scale * self.location,
            spread=scale * self.spread,
            scale=scale * self.scale,
            known_sigma=None if self.known_sigma is None else scale * self.known_sigma,
        )

    def numbers(self) -> dict[str, float]:
        """Numeric hyper-parameters by field name; a compiled model swaps them like data."""
        names = ("location", "spread", "scale", "concentration", "known_sigma")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def form(self) -> Prior:
        """What is left of the prior without its numbers, which a compiled model swaps."""
        ones: dict[str, Any] = dict.fromkeys(self.numbers(), 1.0)
        return replace(self, **ones)


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
    if prior.known_sigma is not None:
        return pt.ones(k) * prior.known_sigma
    if prior.scale_family == "half_normal":
        return pm.HalfNormal("sigma", prior.scale, dims=dimension(COMPONENT, k))
    return pm.CustomDist(
        "sigma",
        prior.scale,
        dist=_root_inverse_gamma,
        logp=_root_inverse_gamma_logp,
        default_transform=transforms.log,
        support_point=lambda rv, size, scale: pt.broadcast_to(scale, rv.shape),
        class_name="RootInverseGamma",
        dims=dimension(COMPONENT, k),
    )


def ordered_scales(k: int, prior: Prior, link: str, clearance: float) -> TensorVariable:
    """Declare increasing scales with ``k!`` times the prior's density; shape (k,).

    The scales less their clearances ``0, xi, 2 xi, ...`` carry the prior.
    """
    family = prior.scale_family
    steps = pm.CustomDist(
        "sigma_steps" if clearance else "sigma",
        prior.scale,
        dist=partial(_sorted_scales, k=k, family=family),
        logp=partial(_sorted_scales_logp, k=k, family=family),
        default_transform=distributions.ScaleChain(distributions.LINKS[link]),
        support_point=partial(_increasing, k=k),
        signature="()->(k)",
        class_name="OrderedScales",
        dims=dimension(COMPONENT, k),
    )
    return steps + clearance * np.arange(k) if clearance else steps


def iid_means(k: int, prior: Prior) -> TensorVariable:
    """Declare unordered means ``mu``, iid Normal(location, spread); shape (k,)."""
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
        model.add_coord(name, np.arange(length))
    return name


def scale_logp(sigma: TensorVariable, prior: Prior) -> TensorVariable:
    """Prior log density of each scale."""
    return _scale_logp(sigma, pt.as_tensor(prior.scale), prior.scale_family)


def draw_scales(k: int, scale: Any, family: str, size: Any) -> TensorVariable:
    """Prior draws of k iid scales, shape ``(*size, k)``, as a graph."""
    batch = tuple(scale.shape) if rv_size_is_none(size) else tuple(size)
    shape, parameter = (*batch, k), scale[..., None]
    if family == "half_normal":
        return pm.HalfNormal.dist(parameter, size=shape)
    return _root_inverse_gamma(parameter, shape)


def _root_inverse_gamma(scale: Any, size: Any) -> TensorVariable:
    return pt.sqrt(pm.InverseGamma.dist(2.0, scale**2, size=size))


def _root_inverse_gamma_logp(sigma: TensorVariable, scale: Any) -> TensorVariable:
    log_ratio = pt.log(scale) - pt.log(sigma)
    density = np.log(2.0) + 4 * log_ratio - pt.exp(2 * log_ratio) - pt.log(sigma)
    return pt.switch(sigma > 0, density, -np.inf)


def _scale_logp(sigma: TensorVariable, scale: Any, family: str) -> TensorVariable:
    if family == "half_normal":
        return pm.logp(pm.HalfNormal.dist(scale), sigma)
    return _root_inverse_gamma_logp(sigma, scale)


def _sorted_scales(scale: Any, size: Any, *, k: int, family: str) -> TensorVariable:
    return pt.sort(draw_scales(k, scale, family, size), axis=-1)


def _sorted_scales_logp(sigma: TensorVariable, scale: Any, *, k: int, family: str) -> Any:
    logp = _scale_logp(sigma, scale[..., None], family).sum(axis=-1)
    ordered = pt.all(sigma[..., 1:] >= sigma[..., :-1], axis=-1)
    return pt.switch(ordered, logp + distributions.log_factorial(k), -np.inf)


def _increasing(rv: Any, size: Any, scale: Any, *, k: int) -> TensorVariable:
    return pt.broadcast_to(scale[..., None] * np.linspace(0.5, 1.5, k), rv.shape)


def _half_normals(spread: Any, size: Any, *, k: int) -> TensorVariable:
    batch = tuple(spread.shape) if rv_size_is_none(size) else tuple(size)
    return pm.HalfNormal.dist(spread[..., None], size=(*batch, k - 1))


def _half_normals_logp(gap: TensorVariable, spread: Any) -> TensorVariable:
    return pm.logp(pm.HalfNormal.dist(spread[..., None]), gap).sum(axis=-1)
