"""Newton's method on the means of a location mixture, and the certificate of a minimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from ordered_mix.data import Data

Array = NDArray[np.float64]

GRADIENT = 1e-9
NEGATIVE = -1e-7
STEP = 1e-6
EMPTY = 1e-12
SMALLEST_CURVATURE = 1e-9
LARGEST_STEP = 0.5
AWAY = 0.05


class Derivatives(NamedTuple):
    """Value, gradient (k * d,) and Hessian (k * d, k * d) in the means, component by component.

    The mass (k,) is each component's share of the data.
    """

    value: float
    gradient: Array
    hessian: Array
    mass: Array

    @property
    def em_step(self) -> float:
        """Largest step of an iteration of EM from here, infinite with an empty component."""
        if self.mass.min() < EMPTY:
            return np.inf
        slopes = np.linalg.norm(self.gradient.reshape(len(self.mass), -1), axis=1)
        return float(np.max(slopes / self.mass))


class Minimum(NamedTuple):
    """A stationary point with what certifies it.

    Parameters
    ----------
    mu : ndarray, shape (k, d)
    value : float
        Negative log likelihood for one unit of weight.
    gradient_norm : float
    smallest_eigenvalue : float
        Of the Hessian.
    em_step : float
        Largest step of an iteration of EM. A component far from all data has no gradient, but EM
        brings it back at once: such a place is no minimum.
    """

    mu: Array
    value: float
    gradient_norm: float
    smallest_eigenvalue: float
    em_step: float

    @property
    def certified(self) -> bool:
        """``|gradient| < 1e-9``, smallest eigenvalue ``> -1e-7`` and EM step ``< 1e-6``."""
        flat = self.gradient_norm < GRADIENT and self.em_step < STEP
        return flat and self.smallest_eigenvalue > NEGATIVE


@dataclass(frozen=True, eq=False)
class Landscape:
    """Negative log likelihood of the means; weights known, covariances the identity.

    Parameters
    ----------
    data : Data
        A single sample or population; the value is for one unit of its weight.
    w : array_like, shape (k,)
        Weights of the fitted components.

    Raises
    ------
    ValueError
        If data is a batch, or the weights are not positive with sum 1.
    """

    data: Data
    w: ArrayLike

    def __post_init__(self) -> None:
        y = self.data.y if self.data.event_shape else self.data.y[..., None]
        if y.ndim != 2:
            raise ValueError(f"data must be a single sample, got a batch of {y.shape[:-2]}")
        w = np.asarray(self.w, dtype=np.float64)
        if w.ndim != 1 or np.any(w <= 0) or abs(w.sum() - 1) > 1e-8:
            raise ValueError(f"w must hold positive weights with sum 1, got {w}")
        weight = np.ones(len(y)) if self.data.weight is None else self.data.weight
        for name, value in (("w", w), ("_points", y), ("_share", weight / weight.sum())):
            object.__setattr__(self, name, value)

    def evaluate(self, mu: ArrayLike) -> Derivatives:
        """Value, gradient and Hessian at the means, shape (k, d), or (k,) in one dimension.

        With r the responsibilities and e_k = y - mu_k, the gradient is ``-E[r_k e_k]`` and the
        Hessian ``E[r_k (I - e_k e_k')]`` on the diagonal plus ``E[r_k r_l e_k e_l']``.

        Raises
        ------
        ValueError
            If the means are of another number or dimension than the weights and the data.
        """
        points, share = self._points, self._share  # type: ignore[attr-defined]
        means = self._means(mu)
        k, d = means.shape
        deviation = points[:, None, :] - means
        terms = np.log(self.w) - 0.5 * np.einsum("nkd,nkd->nk", deviation, deviation)
        top = terms.max(axis=1, keepdims=True)
        joint = np.exp(terms - top)
        total = joint.sum(axis=1, keepdims=True)
        r = joint / total
        value = 0.5 * d * np.log(2 * np.pi) - share @ (top + np.log(total))[:, 0]
        pull = (r[..., None] * deviation).reshape(len(points), k * d)
        weighted = share[:, None] * pull
        hessian = pull.T @ weighted
        mass = share @ r
        scatter = np.einsum("nki,nkj->kij", weighted.reshape(deviation.shape), deviation)
        for j in range(k):
            block = slice(j * d, (j + 1) * d)
            hessian[block, block] += mass[j] * np.eye(d) - scatter[j]
        return Derivatives(float(value), -weighted.sum(axis=0), hessian, mass)

    def _means(self, mu: ArrayLike) -> Array:
        means = np.asarray(mu, dtype=np.float64)
        means = means[:, None] if means.ndim == 1 else means
        wanted = len(np.asarray(self.w)), self._points.shape[1]  # type: ignore[attr-defined]
        if means.shape != wanted:
            raise ValueError(f"mu must have the shape {wanted}, got {np.shape(mu)}")
        return means


def polish(landscape: Landscape, mu: ArrayLike, steps: int = 200) -> Minimum:
    """Descend from means near a minimum to full accuracy.

    Newton steps with the absolute values of the Hessian's eigenvalues never climb and leave
    saddles; at a saddle that symmetry makes stationary, a step along the most negative direction.

    Parameters
    ----------
    landscape : Landscape
    mu : array_like, shape (k, d) or (k,)
        Where to begin.
    steps : int
        Budget.

    Returns
    -------
    Minimum
        Certified or not.
    """
    means = np.asarray(mu, dtype=np.float64)
    means = means[:, None] if means.ndim == 1 else means
    now = landscape.evaluate(means)
    for _ in range(steps):
        values, vectors = np.linalg.eigh(now.hessian)
        if np.linalg.norm(now.gradient) < 0.01 * GRADIENT:
            if values[0] > NEGATIVE:
                break
            move = AWAY * vectors[:, 0]
        else:
            curvature = np.maximum(np.abs(values), SMALLEST_CURVATURE)
            move = -vectors @ ((vectors.T @ now.gradient) / curvature)
        move *= min(1.0, LARGEST_STEP / np.abs(move).max())
        tried = _descend(landscape, means, move, now)
        if tried is None:
            break
        means, now = tried
    smallest = float(np.linalg.eigvalsh(now.hessian)[0])
    norm = float(np.linalg.norm(now.gradient))
    return Minimum(means, now.value, norm, smallest, now.em_step)


def distinct(minima: Sequence[Minimum], distance: float = 0.03) -> tuple[list[Minimum], list[int]]:
    """Minima that differ by more than a relabelling, the lowest first, and the one of each.

    Parameters
    ----------
    minima : sequence of Minimum
    distance : float
        Smallest distance between means of different minima; those of flat ones are known to about
        the cube root of the gradient's norm.

    Returns
    -------
    list of Minimum, list of int
        The second has the position of each given minimum in the first.
    """
    order = sorted(range(len(minima)), key=lambda index: minima[index].value)
    kept: list[Minimum] = []
    label = [-1] * len(minima)
    for index in order:
        one = minima[index]
        near = (n for n, other in enumerate(kept) if _distance(one.mu, other.mu) < distance)
        label[index] = next(near, len(kept))
        if label[index] == len(kept):
            kept.append(one)
    return kept, label


def _descend(
    landscape: Landscape, means: Array, move: Array, now: Derivatives
) -> tuple[Array, Derivatives] | None:
    """The first of ever shorter moves that does not climb, beyond rounding."""
    for _ in range(30):
        trial = means + move.reshape(means.shape)
        there = landscape.evaluate(trial)
        close = abs(there.value - now.value) < 1e-13 * (1 + abs(now.value))
        smaller = np.linalg.norm(there.gradient) < np.linalg.norm(now.gradient)
        if there.value < now.value - 1e-13 or (close and smaller):
            return trial, there
        move = move / 2
    return None


def _distance(one: Array, other: Array) -> float:
    """Largest distance between means under the best matching."""
    distance = np.linalg.norm(one[:, None] - other, axis=-1)
    rows, columns = linear_sum_assignment(distance**2)
    return float(distance[rows, columns].max())
