"""Average learning dynamics of two components with known weights: the flow of their means.

Gradient ascent in a chart moves the means along ``J J^T gradient`` (Park & Ozeki 2009). Every
chart here is a location, of which each component has a share, and a function of the gap:
``mu1 = location - share gap``, ``mu2 = location + (1 - share) gap``, ``gap = link(d)``. So one
gradient in (mu1, mu2) gives the flow in all of them. The gap is ``mu2 - mu1`` and may be negative
where the link allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from ordered_mix.mixture import Array, Mixture
from ordered_mix.passes import kernels
from ordered_mix.passes.observed import observed_information

MEANS = slice(2, 4)
TOLERANCES = {"rtol": 1e-6, "atol": 1e-9}


class Chart(NamedTuple):
    """Coordinates of two means.

    Parameters
    ----------
    share : callable
        From the second weight to the share of the gap that lies left of the location.
    stretch : callable
        Derivative of the gap in d, as a function of the gap.
    bend : callable
        Second derivative of the gap in d, as a function of the gap.
    """

    share: Callable[[Any], Any]
    stretch: Callable[[Array], Array] = np.ones_like
    bend: Callable[[Array], Array] = np.zeros_like


def _reference(weight: float) -> float:
    return 0.0


def _midpoint(weight: float) -> float:
    return 0.5


def _mean(weight: float) -> float:
    return weight


CHARTS: Mapping[str, Chart | None] = {
    "unordered": None,
    "relative": Chart(_reference),
    "centred": Chart(_midpoint),
    "folded": Chart(_mean),
    "resolved": Chart(_mean, lambda gap: 0.5 / gap, lambda gap: -0.25 / gap**3),
    "bent": Chart(_mean, lambda gap: 2 * np.sqrt(2 + gap**2) / gap, lambda gap: -8 / gap**3),
    "relative, log": Chart(_reference, lambda gap: gap, lambda gap: gap),
    "relative, softplus": Chart(
        _reference, lambda gap: -np.expm1(-gap), lambda gap: -np.exp(-gap) * np.expm1(-gap)
    ),
    "relative, square": Chart(
        _reference, lambda gap: 2 * np.sqrt(np.abs(gap)), lambda gap: np.full_like(gap, 2.0)
    ),
    "relative, squared gap": Chart(_reference, lambda gap: 0.5 / gap, lambda gap: -0.25 / gap**3),
}
"""The means themselves (None), and charts: the first mean, the midpoint or the mixture mean with
the gap (``relative``, ``centred``, ``folded``), the mixture mean with the squared gap
(``resolved``) or with ``sqrt(2 + gap^2) / 2`` (``bent``), and further links of the gap beside the
first mean. ``bent`` is a squared gap near 0 and half a gap far out, in units in which the
information is the identity at both ends for equal weights and unit scales."""


def chart_named(name: str) -> Chart | None:
    """The chart of this name; None for the means as they come.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in CHARTS:
        raise ValueError(f"chart must be one of {', '.join(CHARTS)}, got {name!r}")
    return CHARTS[name]


def mean_slope(mixture: Mixture, y: ArrayLike, weight: ArrayLike | None = None) -> Array:
    """Gradient of the mean log likelihood in the means, by Fisher's identity.

    Parameters
    ----------
    mixture : Mixture, batch shape (...)
    y : array_like, shape (n,)
        Points.
    weight : array_like, shape (n,), optional
        Their weights; each counts once by default.

    Returns
    -------
    array, shape (..., k)
    """
    points, weights = _sample(y, weight)
    moments = kernels.e_step(points, mixture.w, mixture.mu, mixture.sigma, weights)
    return moments.s1 / mixture.sigma**2


def velocity(chart: str, mixture: Mixture, slope: ArrayLike) -> Array:
    """Velocity of (mu1, mu2) under the gradient flow in a chart.

    Parameters
    ----------
    chart : str
        A name in `CHARTS`.
    mixture : Mixture, batch shape (...)
        Two components; where they are.
    slope : array_like, shape (..., 2)
        Gradient in (mu1, mu2), from `mean_slope`.

    Returns
    -------
    array, shape (..., 2)

    Raises
    ------
    ValueError
        If the chart is not known, or there are not two components.
    """
    slope = np.asarray(slope, dtype=np.float64)
    system = _chart(chart, mixture)
    if system is None:
        return slope
    share = system.share(mixture.w[..., 1])
    along = (1 - share) * slope[..., 1] - share * slope[..., 0]
    opening = system.stretch(mixture.mu[..., 1] - mixture.mu[..., 0]) ** 2 * along
    location = slope.sum(axis=-1)
    return np.stack([location - share * opening, location + (1 - share) * opening], axis=-1)


def curvature(chart: str, mixture: Mixture, y: ArrayLike, weight: ArrayLike | None = None) -> Array:
    """Eigenvalues of the negative Hessian of the mean log likelihood in a chart, ascending.

    Ascent with a fixed step is stable below 2 over the largest one, and their ratio is the
    condition number of the flow.

    Parameters
    ----------
    chart : str
        A name in `CHARTS`.
    mixture : Mixture
        A single one, two components.
    y, weight
        As in `mean_slope`.

    Returns
    -------
    array, shape (2,)

    Raises
    ------
    ValueError
        If the chart is not known, the mixture is a batch, or there are not two components.
    """
    system = _chart(chart, mixture)
    observed = observed_information(mixture, y, weight)[MEANS, MEANS]
    if system is None:
        return np.linalg.eigvalsh(observed)
    share, gap = system.share(float(mixture.w[1])), mixture.mu[1:] - mixture.mu[:1]
    stretch, bend = float(system.stretch(gap)[0]), float(system.bend(gap)[0])
    along = np.array([-share, 1 - share])
    jacobian = np.stack([np.ones(2), stretch * along], axis=1)
    hessian = jacobian.T @ observed @ jacobian
    if bend:
        hessian[1, 1] -= bend * (along @ mean_slope(mixture, y, weight))
    return np.linalg.eigvalsh(hessian)


def times_to(
    levels: Sequence[float],
    chart: str,
    truth: Mixture,
    start: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    longest: float = 1e4,
    fair: bool = False,
) -> list[float]:
    """When the gradient flow in a chart comes to given excess losses.

    Parameters
    ----------
    levels : sequence of float
        Mean log likelihoods below that of the truth, descending.
    chart : str
        A name in `CHARTS`.
    truth : Mixture
        A single one with two components, whose weights and scales are known.
    start : array_like, shape (2,)
        Means at time 0.
    y, weight
        As in `mean_slope`.
    longest : float
        Time at which to give up.
    fair : bool
        Divide the flow by its largest curvature where it is, so that the time counts steps of half
        the largest stable size.

    Returns
    -------
    list of float
        0 where the start is below the level, NaN where the flow does not come to it.
    """
    points, weights = _sample(y, weight)
    first = np.asarray(start, dtype=np.float64)
    best = float(weights @ truth.log_density(points))

    def flow(time: float, mu: Array) -> Array:
        at = Mixture(truth.w, mu, truth.sigma)
        speed = velocity(chart, at, mean_slope(at, points, weights))
        return speed / np.abs(curvature(chart, at, points, weights)).max() if fair else speed

    def passing(level: float) -> Callable[[float, Array], float]:
        def event(time: float, mu: Array) -> float:
            moments = kernels.e_step(points, truth.w, mu, truth.sigma, weights)
            excess = best - float(moments.log_likelihood)
            return float(np.log(max(excess, 1e-300) / level))

        event.terminal = level == levels[-1]  # type: ignore[attr-defined]
        return event

    events = [passing(level) for level in levels]
    path = solve_ivp(flow, (0, longest), first, method="LSODA", events=events, **TOLERANCES)
    return [
        0.0 if event(0.0, first) <= 0 else float(found[0]) if found.size else np.nan
        for event, found in zip(events, path.t_events, strict=True)
    ]


def derivatives(mixture: Mixture, y: ArrayLike, weight: ArrayLike | None = None) -> Array:
    """Mean derivatives of the log density in (v, u, w), shape (..., 3).

    Esser & Nielsen 2022, Appendix D: v is the first weight, ``u = mu1 - mu2`` and w the mixture
    mean, each differentiated with the other two held.

    Parameters
    ----------
    mixture : Mixture, batch shape (...)
        Two components.
    y, weight
        As in `mean_slope`.
    """
    _chart("unordered", mixture)
    points, weights = _sample(y, weight)
    moments = kernels.e_step(points, mixture.w, mixture.mu, mixture.sigma, weights)
    v, u = mixture.w[..., 0], mixture.mu[..., 0] - mixture.mu[..., 1]
    slope = moments.s1 / mixture.sigma**2
    by_w = slope.sum(axis=-1)
    by_share = moments.s0[..., 0] / v - moments.s0[..., 1] / (1 - v)
    by_u = (1 - v) * slope[..., 0] - v * slope[..., 1]
    return np.stack([by_share - u * by_w, by_u, by_w], axis=-1)


def expanded(
    mixture: Mixture, y: ArrayLike, weight: ArrayLike | None = None, third: float = 1.0
) -> Array:
    """The same, truncated: the log density to third order in u, unit scales; shape (..., 3).

    With ``c = v (1 - v)`` and ``x = y - w`` the log density is that of Normal(w, 1) plus
    ``c u^2 He2(x) / 2 + c (1 - 2 v) u^3 He3(x) / 6``.

    Parameters
    ----------
    mixture : Mixture, batch shape (...)
        Two components of unit scale.
    y, weight
        As in `mean_slope`.
    third : float
        Factor of the third-order terms; 3 in Appendix D as printed in the version we read.
    """
    _chart("unordered", mixture)
    points, weights = _sample(y, weight)
    v, u = mixture.w[..., 0], mixture.mu[..., 0] - mixture.mu[..., 1]
    c, skew = v * (1 - v), 1 - 2 * v
    x = points - mixture.mean()[..., None]
    one, two, three = x @ weights, (x**2 - 1) @ weights, (x**3 - 3 * x) @ weights
    by_v = skew * u**2 * two / 2 + third * (1 - 6 * c) * u**3 * three / 6
    by_u = c * u * two + third * c * skew * u**2 * three / 2
    by_w = one - c * u**2 * one - third * c * skew * u**3 * two / 2
    return np.stack([by_v, by_u, by_w], axis=-1)


def _sample(y: ArrayLike, weight: ArrayLike | None) -> tuple[Array, Array]:
    """Points, and weights that add up to 1."""
    points = np.asarray(y, dtype=np.float64)
    weights = np.ones(points.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    return points, weights / weights.sum()


def _chart(name: str, mixture: Mixture) -> Chart | None:
    system = chart_named(name)
    if mixture.k != 2:
        raise ValueError(f"mixture must have two components, got {mixture.k}")
    return system
