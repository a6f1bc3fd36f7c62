"""Checks of draws shared by the diagnostics: every bad input ends here, before any work."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MIN_DRAWS = 4
FINEST = 1e-4


class Quantity(NamedTuple):
    """One varying quantity: its component is -1 if it has none; values (chain, draw)."""

    name: str
    component: int
    values: Array


def finite(name: str, values: ArrayLike) -> Array:
    """Values as float64; ValueError if one of them is not a finite number."""
    array = np.asarray(values, dtype=np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        raise ValueError(
            f"{name} must be finite, but {int(bad.sum())} of its {array.size} values are not, "
            f"the first is {array[bad].flat[0]}"
        )
    return array


def component_draws(name: str, values: ArrayLike, min_chains: int = 1) -> Array:
    """Draws of shape (chain, draw, component), checked."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 3 or array.size == 0:
        raise ValueError(
            f"{name} must have the axes (chain, draw, component), all non-empty, "
            f"got an array of shape {array.shape}"
        )
    return _enough_chains(name, finite(name, array), min_chains)


def scalar_draws(name: str, values: ArrayLike, min_chains: int = 1) -> Array:
    """Draws of shape (chain, draw), checked."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"{name} must have the axes (chain, draw), both non-empty, "
            f"got an array of shape {array.shape}"
        )
    return _enough_chains(name, finite(name, array), min_chains)


def mixture_draws(
    w: ArrayLike, mu: ArrayLike, sigma: ArrayLike, min_chains: int = 1
) -> tuple[Array, Array, Array]:
    """Draws of (w, mu, sigma), checked and broadcast to the shape of mu.

    Weights and scales that are known may be given once, with shape (component,).
    """
    mu = component_draws("mu", mu, min_chains)
    w, sigma = _broadcast("w", w, mu), _broadcast("sigma", sigma, mu)
    if np.any(w < 0) or np.any(np.abs(w.sum(axis=-1) - 1) > 1e-6):
        total = w.sum(axis=-1)
        raise ValueError(
            "w must hold non-negative weights that add up to 1 in every draw, got sums from "
            f"{total.min():.6g} to {total.max():.6g} and a minimum of {w.min():.6g}"
        )
    if np.any(sigma <= 0):
        raise ValueError(f"sigma must be positive, got a minimum of {sigma.min():.6g}")
    return w, mu, sigma


def _broadcast(name: str, values: ArrayLike, mu: Array) -> Array:
    array = finite(name, values)
    try:
        return np.broadcast_to(array, mu.shape)
    except ValueError:
        raise ValueError(
            f"{name} must have the shape {mu.shape} of mu or broadcast to it, got {array.shape}"
        ) from None


def _enough_chains(name: str, array: Array, min_chains: int) -> Array:
    if array.shape[0] < min_chains:
        raise ValueError(
            f"{name} has {array.shape[0]} chain, but this diagnostic compares chains "
            f"and accepts {min_chains} or more"
        )
    return array


def enough_draws(name: str, values: Array) -> Array:
    """Values unchanged; ValueError if there are too few draws for R-hat and ESS."""
    if values.shape[1] < MIN_DRAWS:
        raise ValueError(
            f"{name} has {values.shape[1]} draws per chain, but R-hat and ESS accept "
            f"{MIN_DRAWS} or more"
        )
    return values


def varying_quantities(draws: Mapping[str, ArrayLike]) -> list[Quantity]:
    """The quantities of several chains that vary, with components taken apart."""
    columns = []
    for name, values in draws.items():
        array = np.asarray(values, dtype=np.float64)
        if array.ndim == 2:
            checked = scalar_draws(name, array, min_chains=2)[..., None]
        else:
            checked = component_draws(name, array, min_chains=2)
        for component in range(checked.shape[-1]):
            column = enough_draws(name, checked[..., component])
            if np.ptp(column) > 0:
                columns.append(Quantity(name, -1 if array.ndim == 2 else component, column))
    if not columns:
        raise ValueError(
            f"draws must hold a quantity that varies, got only constants in {sorted(draws)}"
        )
    return columns


def rounding(y: Array) -> float:
    """Step of rounded data, 0 if they are not: sorted points, some of them equal, on a lattice."""
    distinct = np.unique(y)
    if distinct.size in (1, y.size):
        return 0.0
    step = float(np.diff(distinct).min())
    lattice = (distinct - distinct[0]) / step
    fine = step < FINEST * (distinct[-1] - distinct[0])
    return 0.0 if fine or not np.allclose(lattice, np.round(lattice), atol=1e-3) else step


def unit_axis(axis: Any, d: int) -> Array:
    """A unit vector of a coordinate or of a direction, shape (d,).

    Parameters
    ----------
    axis : int or array_like, shape (d,)
        A coordinate, from 0, or a direction of any length.
    d : int
        Number of dimensions.

    Raises
    ------
    ValueError
        If it is neither, or has no direction.
    """
    if isinstance(axis, int | np.integer) and 0 <= axis < d:
        return np.eye(d)[int(axis)]
    try:
        vector = np.asarray(axis, dtype=np.float64)
    except (TypeError, ValueError):
        vector = np.empty(0)
    length = np.linalg.norm(vector) if vector.shape == (d,) else 0.0
    if not 0 < length < np.inf:
        hint = ", whose name axis_of finds in data" if isinstance(axis, str) else ""
        raise ValueError(
            f"axis must be a coordinate from 0 to {d - 1} or a direction of {d} numbers that are "
            f"not all 0, got {axis!r}{hint}"
        )
    return vector / length
