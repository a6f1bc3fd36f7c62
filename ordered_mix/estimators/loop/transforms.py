"""From unconstrained to free coordinates in numpy, recognised by what the graph does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.affine import PROBES, TOLERANCE, Affine, affine_map
from ordered_mix.parameterization.parameterization import Parameterization

Array = NDArray[np.float64]


class Transform(NamedTuple):
    """A map of one variable and the derivatives in z of a function, from those in x."""

    forward: Callable[[Array], Array]
    pullback: Callable[[Array, Array, Array], Array]


def _simplex(z: Array) -> Array:
    """All but the last of the weights whose logits are z and minus their sum."""
    if z.shape[1] == 1:
        from scipy.special import expit

        return expit(2 * z)
    last = -z.sum(axis=1, keepdims=True)
    top = np.maximum(z.max(axis=1, keepdims=True), last)
    shares = np.exp(z - top)
    return shares / (shares.sum(axis=1, keepdims=True) + np.exp(last - top))


def _simplex_pullback(z: Array, x: Array, slope: Array) -> Array:
    if z.shape[1] == 1:
        return 2 * x * (1 - x) * slope
    mean = np.sum(x * slope, axis=1, keepdims=True)
    last = 1 - x.sum(axis=1, keepdims=True)
    return x * (slope - mean) + last * mean


def _ordered(z: Array) -> Array:
    return np.cumsum(np.concatenate([z[:, :1], np.exp(z[:, 1:])], axis=1), axis=1)


def _ordered_pullback(z: Array, x: Array, slope: Array) -> Array:
    later = np.cumsum(slope[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([later[:, :1], later[:, 1:] * np.exp(z[:, 1:])], axis=1)


TRANSFORMS = (
    Transform(lambda z: z, lambda z, x, slope: slope),
    Transform(np.exp, lambda z, x, slope: x * slope),
    Transform(lambda z: np.logaddexp(0, z), lambda z, x, slope: -np.expm1(-x) * slope),
    Transform(np.square, lambda z, x, slope: 2 * z * slope),
    Transform(_simplex, _simplex_pullback),
    Transform(_ordered, _ordered_pullback),
)


class Transformed:
    """Transforms of the variables followed by an affine map."""

    def __init__(self, parts: tuple[tuple[slice, Transform], ...], affine: Affine) -> None:
        self.parts, self.affine = parts, affine
        self._held: tuple[Any, Any] = (None, None)

    def forward(self, z: Array) -> tuple[Array, ...]:
        """(w, mu, sigma) at z, shape (runs, dimension)."""
        return self.affine.forward(self._free(z))

    def pullback(self, z: Array, scores: Array) -> Array:
        """Derivatives in z of a function, from those in (w, mu, sigma), shape (runs, 3 k)."""
        x = self._free(z)
        slope = self.affine.pullback(x, scores)
        gradient = np.empty_like(z)
        for where, transform in self.parts:
            gradient[:, where] = transform.pullback(z[:, where], x[:, where], slope[:, where])
        return gradient

    def _free(self, z: Array) -> Array:
        # asked twice for each pass, and no coordinates are ever changed in place
        if self._held[0] is not z:
            x = np.empty_like(z)
            for where, transform in self.parts:
                x[:, where] = transform.forward(z[:, where])
            self._held = (z, x)
        return self._held[1]


def closed_form_map(parameterization: Parameterization, kind: str) -> Affine | Transformed | None:
    """A map in numpy that equals the graph's, None if there is none of the known kinds."""
    affine = affine_map(parameterization)
    if affine is None or kind == "free":
        return affine
    z = np.random.default_rng(1).standard_normal((PROBES, parameterization.dimension))
    x = parameterization.free(z)
    parts = []
    for where in parameterization.graph.slices.values():
        found = [t for t in TRANSFORMS if _agrees(t.forward(z[:, where]), x[:, where])]
        if not found:
            return None
        parts.append((where, found[0]))
    return Transformed(tuple(parts), affine)


def _agrees(one: Array, other: Array) -> bool:
    return bool(np.all(np.abs(one - other) <= TOLERANCE * (1 + np.abs(other))))
