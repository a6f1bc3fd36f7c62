"""The exchangeable reference prior, and what a parameterization declares of it in a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.shape_utils import rv_size_is_none
from pytensor.tensor import TensorVariable

from ordered_mix import distributions, scale_families
from ordered_mix.mixture import Mixture

if TYPE_CHECKING:
    from ordered_mix.data import Data

COMPONENT = "component"
COMMON = "common_sigma"
GAP = "gap_index"
KINDS = {"adaptive": "adaptive", "fixed": "inverse_gamma", "half-normal": "half_normal"}


@dataclass(frozen=True)
class Prior:
    """The exchangeable reference prior of a mixture.

    ``mu_k`` iid Normal(location, spread), ``w`` ~ Dirichlet(concentration, ...), and the scales by
    their family. ``inverse_gamma``, the fixed prior: ``sigma_k^2`` iid InverseGamma(2, scale^2).
    ``adaptive``: ``sigma_k^2`` iid InverseGamma(2, beta) with beta ~ InverseGamma(1/2, b0),
    ``b0 = (scale / 10)^2``, integrated out. Both vanish at ``sigma = 0``: with half-normal scales
    and tied data the posterior is improper.

    Parameters
    ----------
    location, spread : float
        Mean and standard deviation of each component's mean.
    scale : float
        ``scale^2`` is the prior mean of each variance (inverse gamma); the spread of the data, of
        which components may be any small part (adaptive); the scale of the half-normal.
    concentration : float
        Concentration of the Dirichlet.
    scale_family : {"inverse_gamma", "half_normal", "adaptive"}
        Family of the scales.
    known_w : tuple of float, optional
        Weights that are known, in the order of the components.
    known_mu : tuple of float, optional
        Means that are known.
    known_sigma : float or tuple of float, optional
        The standard deviation of all components, or of each, if it is known.
    common_scale : bool
        One standard deviation for all components: ``sigma^2`` has the prior of a single one.
    native : bool
        Give each parameterization its customary independent prior on its own coordinates instead
        of the sorted reference prior.

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
    known_mu: tuple[float, ...] | None = None
    known_sigma: Any = None
    common_scale: bool = False
    native: bool = False

    def __post_init__(self) -> None:
        for name in ("spread", "scale", "concentration", "known_sigma"):
            value = getattr(self, name)
            if isinstance(value, Real) and not 0 < float(value) < np.inf:
                raise ValueError(f"{name} of the prior must be positive and finite, got {value}")
        if isinstance(self.location, Real) and not np.isfinite(float(self.location)):
            raise ValueError(f"location of the prior must be finite, got {self.location}")
        if self.scale_family not in scale_families.FAMILIES:
            raise ValueError(
                f"scale_family must be one of {', '.join(scale_families.FAMILIES)}, "
                f"got {self.scale_family!r}"
            )
        if self.known_w is not None:
            total = sum(self.known_w)
            if min(self.known_w) <= 0 or abs(total - 1) > 1e-9:
                raise ValueError(f"known_w must be positive and add up to 1, got {self.known_w}")
        if self.known_mu is not None and not np.isfinite(self.known_mu).all():
            raise ValueError(f"known_mu must be finite, got {self.known_mu}")
        if isinstance(self.known_sigma, tuple) and not min(self.known_sigma) > 0:
            raise ValueError(f"known_sigma must be positive, got {self.known_sigma}")
        if self.common_scale and self.known_sigma is not None:
            raise ValueError("common_scale must be False where the scales are known, got True")

    @property
    def known(self) -> dict[str, tuple[float, ...]]:
        """Values of each component that are known, by parameter."""
        given = {"w": self.known_w, "mu": self.known_mu, "sigma": self.known_sigma}
        return {name: value for name, value in given.items() if isinstance(value, tuple)}

    @property
    def exchangeable(self) -> bool:
        """Whether the prior is the same for every labelling of the components."""
        return all(len(set(values)) == 1 for values in self.known.values())

    def free_parameters(self, k: int) -> int:
        """Number of parameters of k components that are not known."""
        weights = k - 1 if self.known_w is None else 0
        means = k if self.known_mu is None else 0
        scales = 1 if self.common_scale else k
        return weights + means + (scales if self.known_sigma is None else 0)

    def common_coordinates(self, mixture: Mixture) -> dict[str, Any]:
        """The free coordinate of a common scale, by its name; empty without one.

        Where the scales differ it is their root mean square.
        """
        if not self.common_scale:
            return {}
        return {COMMON: np.sqrt(np.mean(mixture.sigma**2, axis=-1, keepdims=True))}

    @property
    def b0(self) -> Any:
        """Rate of the inverse gamma of beta, of the adaptive scales: ``(scale / 10)^2``."""
        return (self.scale / scale_families.SHARE) ** 2

    def holding(self, mixture: Mixture) -> Mixture:
        """The mixture with the values that are known, and the scales made one if they are."""
        known = {"w": self.known_w, "mu": self.known_mu, "sigma": self.known_sigma}
        given: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
        if self.common_scale:
            within = np.sum(mixture.w * mixture.sigma**2, axis=-1, keepdims=True)
            given["sigma"] = np.sqrt(within)
        values = {name: getattr(mixture, name) for name in ("w", "mu", "sigma")}
        for name, value in given.items():
            values[name] = np.broadcast_to(np.asarray(value, dtype=float), mixture.mu.shape)
        return Mixture(**values)

    def affine(self, location: float, scale: float) -> Prior:
        """The same prior for ``location + scale * y``."""
        return replace(
            self,
            location=location + scale * self.location,
            spread=scale * self.spread,
            scale=scale * self.scale,
            known_mu=_affine(self.known_mu, location, scale),
            known_sigma=_affine(self.known_sigma, 0.0, scale),
        )

    def numbers(self) -> dict[str, float]:
        """Numeric hyper-parameters by field name; a compiled model swaps them like data."""
        names = ("location", "spread", "scale", "concentration", "known_sigma")
        given = {name: getattr(self, name) for name in names}
        return {name: v for name, v in given.items() if v is not None and not isinstance(v, tuple)}

    def form(self) -> Prior:
        """What is left of the prior without its numbers, which a compiled model swaps."""
        ones: dict[str, Any] = dict.fromkeys(self.numbers(), 1.0)
        return replace(self, **ones)


def _affine(values: Any, location: float, scale: float) -> Any:
    """``location + scale * values`` of None, a number or a tuple of numbers."""
    if isinstance(values, tuple):
        return tuple(location + scale * value for value in values)
    return None if values is None else location + scale * values


def default_prior(
    data: Data,
    kind: str = "adaptive",
    *,
    scale: float | None = None,
    location: float | None = None,
    spread: float | None = None,
    concentration: float = 2.0,
) -> Prior:
    """The reference prior on the scale of the data, which `compare` and `sample` take.

    Parameters
    ----------
    data : Data
        One sample, weighted or not.
    kind : {"adaptive", "fixed", "half-normal"}
        Family of the scales. The fixed one, that of the studies, widens components that are narrow
        against the spread of all data.
    scale : float, optional
        `Prior.scale`, in the units of the data. Adaptive: by default min(standard deviation,
        interquartile range / 1.349), the standard deviation where that range is 0; else half the
        standard deviation.
    location, spread : float, optional
        Mean and standard deviation of each mean, by default the data's mean and twice their
        standard deviation.
    concentration : float
        Concentration of the Dirichlet.

    Raises
    ------
    ValueError
        If the data are constant or a batch, there is no such kind, or a value is out of range.
    """
    if kind not in KINDS:
        raise ValueError(f"prior must be one of {', '.join(KINDS)}, got {kind!r}")
    if data.y.ndim != 1 or not data.scale > 0:
        raise ValueError(f"data must be one sample that is not constant, {data!r} is not")
    sd = float(data.scale)
    if scale is None:
        scale = _robust_spread(data) if kind == "adaptive" else 0.5 * sd
    return Prior(
        location=float(data.location) if location is None else location,
        spread=2 * sd if spread is None else spread,
        scale=scale,
        concentration=concentration,
        scale_family=KINDS[kind],
    )


def _robust_spread(data: Data) -> float:
    """The smaller of the standard deviation and that of a normal with the same quartiles."""
    quartiles, weight = np.array([0.25, 0.75]), data.weight
    if weight is None:
        low, high = np.quantile(data.y, quartiles)
    else:
        low, high = np.quantile(data.y, quartiles, weights=weight, method="inverted_cdf")
    return float(min(data.scale, (high - low) / 1.349) if high > low else data.scale)


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


def no_gaps(k: int, prior: Prior, *, ordered: bool = True) -> str | None:
    """Why the means have no gaps to sample, or none that are positive; None if they have."""
    if k < 2:
        return "gaps need at least two components"
    if prior.known_mu is not None:
        return "known means have no gaps to sample"
    if not ordered or prior.exchangeable:
        return None
    which = "unequal weights" if "w" in prior.known else "unequal scales"
    return f"known {which} make the order of the means a restriction, not a labelling"


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
        model.add_coord(name, np.arange(length))
    return name


def _half_normals(spread: Any, size: Any, *, k: int) -> TensorVariable:
    batch = tuple(spread.shape) if rv_size_is_none(size) else tuple(size)
    return pm.HalfNormal.dist(spread[..., None], size=(*batch, k - 1))


def _half_normals_logp(gap: TensorVariable, spread: Any) -> TensorVariable:
    return pm.logp(pm.HalfNormal.dist(spread[..., None]), gap).sum(axis=-1)
