"""How a network learns in coordinates: gradient flow, plateaus, and the singularities beside it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from ordered_mix.mixture import Array
from ordered_mix.theory.network import (
    Inputs,
    Network,
    coordinates_of,
    expand_in,
    loss,
    network_at,
    response,
)

TOLERANCES = {"rtol": 1e-6, "atol": 1e-9}


class Path(NamedTuple):
    """States of a flow, and the loss at each.

    Parameters
    ----------
    time : ndarray, shape (times,)
    network : Network, arrays of shape (times, units)
    loss : ndarray, shape (times,)
    """

    time: Array
    network: Network
    loss: Array


class Plateau(NamedTuple):
    """The longest time in which the loss does not halve.

    Attributes
    ----------
    start, length : float
    left : bool
        Whether the flow came to the level at all; if not, the plateau may be longer.
    """

    start: float
    length: float
    left: bool


class Nearness(NamedTuple):
    """How near a network is to each kind of singularity; 0 on it.

    Attributes
    ----------
    overlap : float
        Least distance between (weight, bias) of two units, or of one and the other's negative.
    elimination : float
        Root mean square of what the least unit adds, relative to the scale.
    dependence : float
        Smallest eigenvalue of the matrix of cosines between the units as functions of the input.
    """

    overlap: float
    elimination: float
    dependence: float


def flow(
    coordinates: str,
    start: Network,
    teacher: Network,
    inputs: Inputs,
    times: ArrayLike,
    fair: bool = True,
    frozen: tuple[str, ...] = (),
) -> Path:
    """Gradient flow of the loss in a parameterization.

    Parameters
    ----------
    coordinates : str
        A name in `ordered_mix.theory.network.COORDINATES`.
    start : Network
        A single one, at time 0.
    teacher : Network
        What it learns.
    inputs : Inputs
    times : array_like, shape (times,)
        Ascending.
    fair : bool
        Divide the flow by the largest curvature (of either sign) where it is, in these: time is
        then the sum of step times largest curvature, and no step is longer than the loss allows.
    frozen : tuple of {"output", "weight", "bias"}
        What stays as it is.

    Raises
    ------
    ValueError
        If the coordinates are not known, or cannot describe the start.
    RuntimeError
        If the integration fails.
    """
    target = response(teacher, inputs.x)
    origin = coordinates_of(coordinates, start)
    free = np.repeat([name not in frozen for name in Network._fields], len(start.weight))
    square = np.ix_(free, free)

    def whole(moving: Array) -> Array:
        z = origin.copy()
        z[free] = moving
        return z

    def speed(time: float, moving: Array) -> Array:
        at = expand_in(coordinates, whole(moving), target, inputs)
        return -at.gradient[free] / (largest_curvature(at.hessian[square]) if fair else 1.0)

    def jacobian(time: float, moving: Array) -> Array:
        # for the solver's iterations only, so how the curvature changes may be left out
        hessian = expand_in(coordinates, whole(moving), target, inputs).hessian[square]
        return -hessian / (largest_curvature(hessian) if fair else 1.0)

    grid = np.asarray(times, dtype=np.float64)
    found = solve_ivp(
        speed, (0.0, grid[-1]), origin[free], "LSODA", t_eval=grid, jac=jacobian, **TOLERANCES
    )
    if not found.success or not np.isfinite(found.y).all():
        raise RuntimeError(f"the flow in {coordinates!r} could not be followed: {found.message}")
    networks = network_at(coordinates, np.stack([whole(moving) for moving in found.y.T]))
    return Path(grid, networks, loss(networks, target, inputs))


def largest_curvature(hessian: Array) -> float:
    """Largest absolute eigenvalue of a Hessian: steps beyond 2 over it may raise the loss."""
    return float(np.abs(np.linalg.eigvalsh(hessian)).max())


def overlap_constants(inputs: Inputs) -> tuple[float, float]:
    """Loss and decay where two units of output 1/2 without bias learn one: ``tanh(x)``.

    Returns
    -------
    quartic : float
        B of the loss ``B gap^4 / 2``, the mean weight being the best for the gap.
    decay : float
        Rate of the gap under the flow in (mean weight, squared gap), at late times.
    """
    active = np.tanh(inputs.x)
    by_mean = (1 - active**2) * inputs.x
    by_square = -active * (1 - active**2) * inputs.x**2 / 4
    features = np.stack([by_mean, by_square])
    hessian = (features * inputs.probability) @ features.T
    quartic = hessian[1, 1] - hessian[0, 1] ** 2 / hessian[0, 0]
    return float(quartic), float(np.linalg.eigvalsh(hessian)[0] / 2)


def time_to(path: Path, level: float) -> float:
    """When the loss of a path first comes to a level, infinite if it does not."""
    falling = _falling(path)
    if falling[-1] > level:
        return np.inf
    return float(np.interp(-np.log(level), -np.log(falling), path.time))


def plateau(path: Path, level: float) -> Plateau:
    """The longest time in which the loss of a path does not halve, before it comes to a level."""
    falling = _falling(path)
    end = min(time_to(path, level), float(path.time[-1]))
    height = -np.log(falling)
    half = np.interp(height + np.log(2), height, path.time)
    lengths = np.minimum(half, end) - path.time
    longest = int(np.argmax(lengths))
    start, length = float(path.time[longest]), float(max(lengths[longest], 0.0))
    return Plateau(start, length, bool(falling[-1] <= level))


def _falling(path: Path) -> Array:
    """The loss without the solver's rounding errors, which can raise it or make it 0."""
    return np.minimum.accumulate(np.maximum(path.loss, np.finfo(float).tiny))


def nearness(network: Network, inputs: Inputs, scale: float) -> Nearness:
    """Nearness of a single network to overlap, elimination and linear dependence of its units.

    Parameters
    ----------
    network : Network
    inputs : Inputs
    scale : float
        Root mean square of the teacher.
    """
    incoming = np.stack([network.weight, network.bias], axis=-1)
    first, second = np.triu_indices(len(incoming), 1)
    distance = np.linalg.norm(incoming[first] - incoming[second], axis=-1)
    mirrored = np.linalg.norm(incoming[first] + incoming[second], axis=-1)
    active = np.tanh(network.weight[:, None] * inputs.x + network.bias[:, None])
    gram = (active * inputs.probability) @ active.T
    size = np.sqrt(np.diag(gram))
    least = np.maximum(size, np.finfo(float).tiny ** 0.5)  # a unit that is 0 depends on all others
    cosines = gram / np.outer(least, least)
    return Nearness(
        float(np.minimum(distance, mirrored).min(initial=np.inf)),
        float((np.abs(network.output) * size).min() / scale),
        float(max(np.linalg.eigvalsh(cosines)[0], 0.0)),
    )
