"""A network with one hidden layer of tanh units, its squared loss and its coordinates.

The network ``f(x) = sum_i output_i tanh(weight_i x + bias_i)`` learns a teacher of the same form.
Its units can be permuted and, tanh being odd, their signs flipped, so the loss is singular where
two units coincide, like a mixture where two components do. Relative incoming weights order whole
units by their weight: ``weight_i = weight_{i-1} + gap_{i-1}``, where outputs and biases move along.
Its coordinates are written down here: the model files are those of mixtures, a network has no
weights that add up to 1, no scales and no prior.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.mixture import Array


class Network(NamedTuple):
    """Units of the hidden layer, each an array of shape (..., units)."""

    output: Array
    weight: Array
    bias: Array


class Inputs(NamedTuple):
    """Quadrature over the inputs: points and their probabilities, shape (points,)."""

    x: Array
    probability: Array


class Expansion(NamedTuple):
    """Loss, gradient (p,) and Hessian (p, p) at one point."""

    loss: float
    gradient: Array
    hessian: Array


class System(NamedTuple):
    """Coordinates of the incoming weights; outputs and biases are coordinates themselves.

    Parameters
    ----------
    centred : bool
        Whether the location is the mean of the weights, not the first weight.
    power : float
        A gap is ``d^power + clearance``.
    clearance : float
        Least gap, if the power is not 1.
    """

    centred: bool = False
    power: float = 1.0
    clearance: float = 0.0


CLEARANCE = 0.01
COORDINATES: dict[str, System | None] = {
    "unordered": None,
    "relative": System(),
    "centred": System(centred=True),
    "relative square": System(power=2.0),
    "relative clearance": System(power=2.0, clearance=CLEARANCE),
    "resolved": System(centred=True, power=0.5),
}
"""The weights themselves (None), the first weight and free gaps, the mean weight and free gaps, the
first weight and ``gap = d^2``, the same with a clearance, the mean weight and squared gaps."""
WALL = 1e-10  # least squared gap: there the root has no derivative


def normal_inputs(step: float = 0.125, reach: float = 7.0) -> Inputs:
    """Standard normal inputs on a uniform grid (the trapezoid rule)."""
    x = np.arange(-round(reach / step), round(reach / step) + 1, dtype=np.float64) * step
    density = np.exp(-(x**2) / 2)
    return Inputs(x, density / density.sum())


def response(network: Network, x: ArrayLike) -> Array:
    """What the network returns, shape (..., points)."""
    points = np.asarray(x, dtype=np.float64)
    inner = np.asarray(network.weight)[..., None] * points + np.asarray(network.bias)[..., None]
    answer: Array = (np.asarray(network.output)[..., None] * np.tanh(inner)).sum(axis=-2)
    return answer


def loss(network: Network, target: ArrayLike, inputs: Inputs) -> Array:
    """Half the mean squared error, shape (...).

    Parameters
    ----------
    network : Network
    target : array_like, shape (points,)
        What the teacher returns at the inputs.
    inputs : Inputs
    """
    miss = response(network, inputs.x) - np.asarray(target, dtype=np.float64)
    half: Array = miss**2 @ inputs.probability / 2
    return half


def expand(network: Network, target: ArrayLike, inputs: Inputs) -> Expansion:
    """Loss and its exact derivatives in (outputs, weights, biases) at a single network."""
    output, weight, bias = (np.asarray(part, dtype=np.float64) for part in network)
    units, x = len(output), inputs.x
    active = np.tanh(weight[:, None] * x + bias[:, None])
    first = 1 - active**2
    second = -2 * active * first * output[:, None]
    residual = output @ active - np.asarray(target, dtype=np.float64)
    pulled = residual * inputs.probability
    features = np.concatenate([active, output[:, None] * first * x, output[:, None] * first])
    hessian = (features * inputs.probability) @ features.T
    o, w, b = (np.arange(units) + block * units for block in range(3))
    for rows, columns, values in (
        (o, w, first @ (x * pulled)),
        (o, b, first @ pulled),
        (w, b, second @ (x * pulled)),
    ):
        hessian[rows, columns] += values
        hessian[columns, rows] += values
    hessian[w, w] += second @ (x**2 * pulled)
    hessian[b, b] += second @ pulled
    return Expansion(float(residual @ pulled / 2), features @ pulled, hessian)


def sorted_units(network: Network) -> Network:
    """This function with positive incoming weights and its units, not entries, sorted by them.

    A unit whose weight is negative changes the signs of weight, bias and output (tanh is odd).
    """
    sign = np.where(np.asarray(network.weight) < 0, -1.0, 1.0)
    flipped = [sign * np.asarray(part, dtype=np.float64) for part in network]
    order = np.argsort(flipped[1], axis=-1, kind="stable")
    return Network(*(np.take_along_axis(part, order, axis=-1) for part in flipped))


def coordinates_of(coordinates: str, network: Network) -> Array:
    """Coordinates of one network: outputs, those of the weights, biases; shape (p,).

    Raises
    ------
    ValueError
        If there are no such coordinates, or the network has none because a gap is too small.
    """
    system, weight = _system(coordinates), np.asarray(network.weight, dtype=np.float64)
    if system is not None:
        gaps = np.diff(weight)
        location = weight.mean() if system.centred else weight[0]
        if system.power != 1 and len(gaps) and not gaps.min() >= system.clearance:
            raise ValueError(
                f"weights must be at least {system.clearance} apart and ascending in "
                f"{coordinates!r}, got {weight.tolist()}"
            )
        free = gaps if system.power == 1 else (gaps - system.clearance) ** (1 / system.power)
        weight = np.concatenate([[location], free])
    return np.concatenate([network.output, weight, network.bias])


def network_at(coordinates: str, z: Array) -> Network:
    """The network with these coordinates, shape (..., p)."""
    system = _system(coordinates)
    units = z.shape[-1] // 3
    output, inner, bias = z[..., :units], z[..., units : 2 * units], z[..., 2 * units :]
    if system is None:
        return Network(output, inner, bias)
    gaps = _gaps(system, inner[..., 1:])[0]
    return Network(output, inner[..., :1] + gaps @ _along(system.centred, units).T, bias)


def expand_in(coordinates: str, z: Array, target: ArrayLike, inputs: Inputs) -> Expansion:
    """Loss and its exact derivatives in the coordinates of a parameterization, at one point."""
    system = _system(coordinates)
    network = network_at(coordinates, z)
    plain = expand(network, target, inputs)
    if system is None:
        return plain
    units = len(network.weight)
    block = slice(units, 2 * units)
    _, stretch, bend = _gaps(system, z[units + 1 : 2 * units])
    along = _along(system.centred, units)
    jacobian = np.eye(3 * units)
    jacobian[block, units] = 1.0
    jacobian[block, units + 1 : 2 * units] = along * stretch
    hessian = jacobian.T @ plain.hessian @ jacobian
    inside = np.arange(units + 1, 2 * units)
    hessian[inside, inside] += bend * (along.T @ plain.gradient[block])
    return Expansion(plain.loss, jacobian.T @ plain.gradient, hessian)


def _gaps(system: System, d: Array) -> tuple[Array, Array, Array]:
    """Gaps and their first and second derivatives in the coordinate."""
    q = system.power
    if q == 1:
        return d, np.ones_like(d), np.zeros_like(d)
    d = np.maximum(d, WALL) if q < 1 else d
    return d**q + system.clearance, q * d ** (q - 1), q * (q - 1) * d ** (q - 2)


@lru_cache
def _along(centred: bool, units: int) -> Array:
    """How much each gap moves each weight, shape (units, units - 1)."""
    beyond = (np.arange(units)[:, None] > np.arange(units - 1)).astype(np.float64)
    return beyond - beyond.mean(axis=0) if centred else beyond


def _system(name: str) -> System | None:
    if name not in COORDINATES:
        raise ValueError(f"coordinates must be one of {', '.join(COORDINATES)}, got {name!r}")
    return COORDINATES[name]
