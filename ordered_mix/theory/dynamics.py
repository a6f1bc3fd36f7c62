"""Average learning dynamics of two components with known weights: the flow of their means.

Gradient ascent in coordinates with the Jacobian J moves the means along ``J J^T gradient`` (Park &
Ozeki 2009), so one gradient in (mu1, mu2) gives the flow in all of them. The gap is ``mu2 - mu1``
and may be negative where the coordinates allow it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from ordered_mix.mixture import Array, Mixture
from ordered_mix.passes import kernels
from ordered_mix.passes.observed import observed_information
from ordered_mix.theory.mean_coordinates import MeanCoordinates, mean_coordinates

MEANS = slice(2, 4)
TOLERANCES = {"rtol": 1e-6, "atol": 1e-9}


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


def velocity(label: str, mixture: Mixture, slope: ArrayLike) -> Array:
    """Velocity of (mu1, mu2) under the gradient flow in coordinates.

    Parameters
    ----------
    label : str
        As in `mean_coordinates`.
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
        If the coordinates are not known, or there are not two components.
    """
    slope = np.asarray(slope, dtype=np.float64)
    coordinates = _of_two(label, mixture)
    if coordinates.direction is None:
        return slope
    along = coordinates.along(mixture.w)
    opening = coordinates.stretch(mixture) ** 2 * np.sum(along * slope, axis=-1)
    return slope.sum(axis=-1, keepdims=True) + along * opening[..., None]


def curvature(label: str, mixture: Mixture, y: ArrayLike, weight: ArrayLike | None = None) -> Array:
    """Eigenvalues of the negative Hessian of the mean log likelihood in coordinates, ascending.

    Ascent with a fixed step is stable below 2 over the largest one, and their ratio is the
    condition number of the flow.

    Parameters
    ----------
    label : str
        As in `mean_coordinates`.
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
        If the coordinates are not known, the mixture is a batch, or there are not two components.
    """
    coordinates = _of_two(label, mixture)
    observed = observed_information(mixture, y, weight)[MEANS, MEANS]
    if coordinates.direction is None:
        return np.linalg.eigvalsh(observed)
    along = coordinates.along(mixture.w)
    jacobian = np.stack([np.ones(2), coordinates.stretch(mixture) * along], axis=1)
    hessian = jacobian.T @ observed @ jacobian
    bend = float(coordinates.bend(mixture))
    if bend:
        hessian[1, 1] -= bend * (along @ mean_slope(mixture, y, weight))
    return np.linalg.eigvalsh(hessian)


def times_to(
    levels: Sequence[float],
    label: str,
    truth: Mixture,
    start: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    longest: float = 1e4,
    fair: bool = False,
) -> list[float]:
    """When the gradient flow in coordinates comes to given excess losses.

    Parameters
    ----------
    levels : sequence of float
        Mean log likelihoods below that of the truth, descending.
    label : str
        As in `mean_coordinates`.
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
        speed = velocity(label, at, mean_slope(at, points, weights))
        return speed / np.abs(curvature(label, at, points, weights)).max() if fair else speed

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
    _of_two("unordered", mixture)
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
    """`derivatives` truncated: the log density to third order in u, unit scales; shape (..., 3).

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
    _of_two("unordered", mixture)
    v, u = mixture.w[..., 0], mixture.mu[..., 0] - mixture.mu[..., 1]
    return _truncated(v, u, mixture.mean(), *_sample(y, weight), third=third)


def printed_flow(
    label: str, mixture: Mixture, y: ArrayLike, weight: ArrayLike | None = None
) -> Array:
    """Velocity of the means by Appendix D of Esser & Nielsen 2022 as printed; shape (..., 2).

    The weight is fixed and eta = 1, as in Figure 1. Of the two forms printed it is the expanded
    one, with which the appendix says its figures are drawn: derivatives stand in one another's
    place, the Jacobian of the relative coordinates is wrong, and third-order terms are three times
    too large (docs/errata.md).

    Parameters
    ----------
    label : {"unordered", "relative"}
        Which of the two flows.
    mixture : Mixture, batch shape (...)
        Two components of unit scale.
    y, weight
        As in `mean_slope`.

    Raises
    ------
    ValueError
        If label is another one, or there are not two components.
    """
    if label not in ("unordered", "relative"):
        raise ValueError(f"label must be unordered or relative, got {label!r}")
    _of_two(label, mixture)
    v, first, w = mixture.w[..., 0], mixture.mu[..., 0], mixture.mean()
    gap = mixture.mu[..., 1] - first
    # u' is the gap; the derivatives printed for u = mu1 - mu2 are used for it as they are
    u = gap if label == "relative" else -gap
    by_v, by_u, by_w = np.moveaxis(_truncated(v, u, w, *_sample(y, weight), third=3.0), -1, 0)
    if label == "unordered":
        du = 2 * by_u - (1 - 2 * v) * by_v
        dw = (u - 1 + 2 * v) * by_v + (u**2 + v**2 + (1 - v) ** 2) * by_w
    else:
        du = by_u - (1 - v - gap) * by_v
        square = first**2 + 2 * gap * first + 3 * gap**2 + 2 * v**2 + 2 - 4 * gap
        dw = (first + gap) * by_v - (1 - v - gap) * by_v + square * by_w
    opening = -du if label == "relative" else du
    return np.stack([dw + (1 - v) * opening, dw - v * opening], axis=-1)


def _truncated(v: Array, u: Array, w: Array, points: Array, weights: Array, third: float) -> Array:
    """Mean derivatives in (v, u, w) of the log density to third order in u; shape (..., 3)."""
    c, skew = v * (1 - v), 1 - 2 * v
    x = points - w[..., None]
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


def _of_two(label: str, mixture: Mixture) -> MeanCoordinates:
    coordinates = mean_coordinates(label)
    if mixture.k != 2:
        raise ValueError(f"mixture must have two components, got {mixture.k}")
    return coordinates
