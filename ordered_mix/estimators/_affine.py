"""Maps that are affine in the free coordinates, read off the graph as matrices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordered_mix.parameterization import Parameterization

Array = NDArray[np.float64]

PROBES = 4
TOLERANCE = 1e-12


class Affine(NamedTuple):
    """``parameter = x @ matrix.T + constant`` for each of w, mu and sigma.

    Most maps from free coordinates to (w, mu, sigma) are of this kind, and two small products
    take a tenth of the time of the graph, which matters beside a pass over little data.
    """

    matrices: tuple[Array, Array, Array]
    constants: tuple[Array, Array, Array]

    def forward(self, x: Array) -> tuple[Array, ...]:
        """(w, mu, sigma) at x, shape (runs, dimension)."""
        return tuple(
            x @ matrix.T + constant if matrix.any() else np.repeat(constant[None], len(x), axis=0)
            for matrix, constant in zip(self.matrices, self.constants, strict=True)
        )

    def pullback(self, x: Array, *scores: Array) -> Array:
        """Derivatives in x of a function, from those in w, mu and sigma."""
        gradient = np.zeros_like(x)
        for matrix, score in zip(self.matrices, scores, strict=True):
            if matrix.any():
                gradient += score @ matrix
        return gradient


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
    w, mu, sigma = (np.ascontiguousarray(part) for part in np.split(jacobian[0], 3))
    at_w, at_mu, at_sigma = np.split(constant[0], 3)
    return Affine((w, mu, sigma), (at_w, at_mu, at_sigma))
