"""Maps that are affine in the free coordinates, read off the graph as matrices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordered_mix.parameterization.parameterization import Parameterization

Array = NDArray[np.float64]

PROBES = 4
TOLERANCE = 1e-12


class Affine(NamedTuple):
    """``(w, mu, sigma) = x @ matrix.T + constant``, k columns each.

    Most maps from free coordinates to (w, mu, sigma) are of this kind, and one small product
    takes a tenth of the time of the graph, which matters beside a pass over little data.
    """

    matrix: Array
    constant: Array

    def forward(self, x: Array) -> tuple[Array, ...]:
        """(w, mu, sigma) at x, shape (runs, dimension)."""
        values = x @ self.matrix.T + self.constant
        k = values.shape[1] // 3
        return values[:, :k], values[:, k : 2 * k], values[:, 2 * k :]

    def pullback(self, x: Array, scores: Array) -> Array:
        """Derivatives in x of a function, from those in (w, mu, sigma), shape (runs, 3 k)."""
        return scores @ self.matrix


def affine_map(parameterization: Parameterization) -> Affine | None:
    """The affine map of a parameterization's free coordinates, None if it is none."""
    z = np.random.default_rng(0).standard_normal((PROBES, parameterization.dimension))
    x = parameterization.free(z)
    jacobian = parameterization.jacobian_free(x)
    values = np.concatenate(parameterization.graph.forward_free(x, parameterization.prior), axis=1)
    constant = values - np.einsum("pij,pj->pi", jacobian, x)
    for probes in (jacobian, constant):
        if np.ptp(probes, axis=0).max() > TOLERANCE * (1 + np.abs(probes).max()):
            return None
    return Affine(jacobian[0], constant[0])
