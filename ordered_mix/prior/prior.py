"""The exchangeable reference prior, as numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ordered_mix.mixture import Mixture

if TYPE_CHECKING:
    from ordered_mix.data import Data

COMPONENT = "component"
COMMON = "common_sigma"
GAP = "gap_index"
FAMILIES = ("inverse_gamma", "half_normal", "adaptive")
SHARE = 10.0  # b0 is the square of this part of the data's spread
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
        If a scale or a concentration is not positive, known weights are not a distribution, or
        known values are not one number for each component.
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
        for name in ("known_w", "known_mu", "known_sigma"):
            value = getattr(self, name)
            if isinstance(value, list | np.ndarray):
                object.__setattr__(self, name, _numbers(name, value))
        for name in ("spread", "scale", "concentration", "known_sigma"):
            value = getattr(self, name)
            if isinstance(value, Real) and not 0 < float(value) < np.inf:
                raise ValueError(f"{name} of the prior must be positive and finite, got {value}")
        if isinstance(self.location, Real) and not np.isfinite(float(self.location)):
            raise ValueError(f"location of the prior must be finite, got {self.location}")
        if self.scale_family not in FAMILIES:
            raise ValueError(
                f"scale_family must be one of {', '.join(FAMILIES)}, got {self.scale_family!r}"
            )
        w, sigma = self.known_w, self.known_sigma
        if w is not None and not (all(one > 0 for one in w) and abs(sum(w) - 1) <= 1e-9):
            raise ValueError(f"known_w must be positive and add up to 1, got {w}")
        if self.known_mu is not None and not np.isfinite(self.known_mu).all():
            raise ValueError(f"known_mu must be finite, got {self.known_mu}")
        if isinstance(sigma, tuple) and not all(0 < one < np.inf for one in sigma):
            raise ValueError(f"known_sigma must be positive and finite, got {sigma}")
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
        return (self.scale / SHARE) ** 2

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
        """This prior for ``location + scale * y``."""
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


def _numbers(name: str, values: Any) -> Any:
    """A number or a tuple of numbers, from an array or a list."""
    found = np.asarray(values, dtype=float)
    if found.ndim > 1:
        raise ValueError(f"{name} must be a number for each component, got shape {found.shape}")
    return tuple(found.tolist()) if found.ndim else float(found)


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
    if data.event_shape:
        raise ValueError(
            f"data must be numbers, as points have the prior that "
            f"multivariate.default_multivariate_prior gives, got {data!r}"
        )
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
