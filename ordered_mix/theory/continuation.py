"""Follow a stationary point as the data change, through folds, and locate the folds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.theory.polish import Landscape

Array = NDArray[np.float64]

NUDGE = 1e-4
CLOSE = 1e-10
NEAR = 5.0
ITERATIONS = 25
SHORTER = (1.0, 0.5, 0.25, 0.125, 0.0625)


class BranchPoint(NamedTuple):
    """A stationary point at one value of the parameter.

    Parameters
    ----------
    parameter : float
    mu : ndarray, shape (k, d)
    smallest_eigenvalue : float
        Of the Hessian; it changes sign at a fold.
    value : float
        Negative log likelihood for one unit of weight.
    """

    parameter: float
    mu: Array
    smallest_eigenvalue: float
    value: float


def branch(
    at: Callable[[float], Landscape],
    mu: ArrayLike,
    parameter: float,
    step: float,
    count: int,
) -> list[BranchPoint]:
    """Stationary points along a branch by pseudo-arclength continuation (Keller 1977).

    Parameters
    ----------
    at : callable
        The landscape at a value of the parameter.
    mu : array_like, shape (k, d)
        A stationary point at `parameter`.
    parameter : float
        Where to begin.
    step : float
        Length of a step in means and parameter, shortened where the correction fails; negative
        to begin towards smaller parameters.
    count : int
        Number of steps.

    Returns
    -------
    list of BranchPoint
        At most ``count + 1``, fewer if the shortest step fails, too.
    """
    shape = np.shape(mu)
    point = np.append(np.ravel(mu), parameter)
    found = [_describe(at, point, shape)]
    ahead = np.append(np.zeros(point.size - 1), np.sign(step))
    for _ in range(count):
        jacobian = _jacobian(at, point, shape)
        tangent = np.linalg.svd(jacobian)[2][-1]
        ahead = tangent * np.sign(tangent @ ahead)
        for part in SHORTER:
            corrected = _correct(at, point, part * abs(step) * ahead, shape)
            if corrected is not None:
                break
        if corrected is None:
            break
        point = corrected
        found.append(_describe(at, point, shape))
    return found


def fold(at: Callable[[float], Landscape], near: BranchPoint) -> BranchPoint:
    """The fold next to a point of a branch: stationary, with smallest eigenvalue 0.

    Parameters
    ----------
    at : callable
        The landscape at a value of the parameter.
    near : BranchPoint
        Close to the fold: means and parameter within 5 standard deviations.

    Returns
    -------
    BranchPoint

    Raises
    ------
    RuntimeError
        If Newton's method does not get there.
    """
    shape = near.mu.shape
    point = begin = np.append(near.mu.ravel(), near.parameter)
    for _ in range(ITERATIONS):
        if np.abs(point - begin).max() > NEAR:
            break
        residual = _extended(at, point, shape)
        if np.linalg.norm(residual) < CLOSE:
            return _describe(at, point, shape)
        shifts = NUDGE * np.eye(point.size)
        columns = [
            _extended(at, point + s, shape) - _extended(at, point - s, shape) for s in shifts
        ]
        point = point - np.linalg.solve(np.array(columns).T / (2 * NUDGE), residual)
    raise RuntimeError(f"no fold found near parameter {near.parameter:g}")


def _gradient(at: Callable[[float], Landscape], point: Array, shape: tuple[int, ...]) -> Array:
    return at(float(point[-1])).evaluate(point[:-1].reshape(shape)).gradient


def _extended(at: Callable[[float], Landscape], point: Array, shape: tuple[int, ...]) -> Array:
    there = at(float(point[-1])).evaluate(point[:-1].reshape(shape))
    return np.append(there.gradient, np.linalg.eigvalsh(there.hessian)[0])


def _jacobian(at: Callable[[float], Landscape], point: Array, shape: tuple[int, ...]) -> Array:
    """Of the gradient in means and parameter, shape (k d, k d + 1)."""
    hessian = at(float(point[-1])).evaluate(point[:-1].reshape(shape)).hessian
    shift = np.append(np.zeros(point.size - 1), NUDGE)
    rise = _gradient(at, point + shift, shape) - _gradient(at, point - shift, shape)
    return np.column_stack([hessian, rise / (2 * NUDGE)])


def _correct(
    at: Callable[[float], Landscape], point: Array, move: Array, shape: tuple[int, ...]
) -> Array | None:
    """Back to the branch across the move's direction; None if that leads as far as the move."""
    guess = new = point + move
    length = np.linalg.norm(move)
    for _ in range(ITERATIONS):
        residual = _gradient(at, new, shape)
        if np.linalg.norm(residual) < CLOSE:
            return new
        system = np.vstack([_jacobian(at, new, shape), move / length])
        across = (new - guess) @ move / length
        new = new - np.linalg.solve(system, np.append(residual, across))
        if np.linalg.norm(new - guess) > length:
            return None
    return None


def _describe(
    at: Callable[[float], Landscape], point: Array, shape: tuple[int, ...]
) -> BranchPoint:
    there = at(float(point[-1])).evaluate(point[:-1].reshape(shape))
    smallest = float(np.linalg.eigvalsh(there.hessian)[0])
    return BranchPoint(float(point[-1]), point[:-1].reshape(shape), smallest, there.value)
