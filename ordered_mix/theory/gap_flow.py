"""Gradient flow of two means towards a truth of one component, known weights and unit scales.

The gap closes like a power of time in most coordinates. In three of the flows it decays
exponentially: with the mixture mean and the squared gap, with the bent link, and along the natural
gradient, which is the same in all coordinates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.integrate import solve_ivp

from ordered_mix.data import Data, population
from ordered_mix.mixture import Array, Mixture
from ordered_mix.theory.dynamics import mean_slope, velocity
from ordered_mix.theory.fisher import information
from ordered_mix.theory.mean_coordinates import COORDINATES
from ordered_mix.theory.singularity import two_normals

NATURAL = "natural gradient"
FLOWS = (*COORDINATES, NATURAL)
EXPONENTIAL = ("resolved", "bent", NATURAL)
START = 0.2


def gap_flow(weight: float, flows: Sequence[str] = FLOWS) -> Iterator[dict[str, str | float]]:
    """Gap and excess loss along flows towards Normal(0, 1), at times in the asymptotic range.

    Parameters
    ----------
    weight : float
        Of the first component.
    flows : sequence of str
        Coordinates, or the natural gradient.

    Yields
    ------
    dict
        ``name`` of the flow, ``time``, ``gap`` in standard deviations and ``excess`` in nats.
    """
    truth = two_normals(0.0, weight)
    data = population(truth)
    mass = np.asarray(data.weight)
    best = float(mass @ truth.log_density(data.y))
    start = two_normals(START, weight).mu
    for flow in flows:
        times = flow_times(flow)

        def slope(time: float, mu: Array, flow: str = flow) -> Array:
            return flow_velocity(flow, Mixture(truth.w, mu, truth.sigma), data)

        path = solve_ivp(slope, (0, times[-1]), start, "LSODA", t_eval=times, rtol=1e-8, atol=1e-12)
        for time, mu in zip(times.tolist(), path.y.T, strict=True):
            excess = best - float(mass @ Mixture(truth.w, mu, truth.sigma).log_density(data.y))
            yield {"name": flow, "time": time, "gap": float(mu[1] - mu[0]), "excess": excess}


def flow_velocity(flow: str, at: Mixture, data: Data) -> Array:
    """Velocity of the means in a parameterization, or along the natural gradient; shape (2,)."""
    slope = mean_slope(at, data.y, data.weight)
    if flow != NATURAL:
        return velocity(flow, at, slope)
    direction: Array = np.linalg.solve(information(at)[2:4, 2:4], slope)
    return direction


def flow_times(flow: str) -> Array:
    """Times of a flow: evenly spaced where it decays exponentially, else a factor of 2 apart.

    They are later for the slower powers.
    """
    if flow == "resolved":
        return np.arange(20.0, 181.0, 20.0)
    if flow in EXPONENTIAL:
        return np.arange(1.0, 7.0)
    first = 18 if "link=" in flow else 10
    times: Array = np.exp2(np.arange(first, first + 9.0))
    return times
