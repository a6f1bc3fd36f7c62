"""Coordinates of a mixture of two in which the Fisher information is diagonal near coincidence.

Near coincidence the density is a normal one times a series of Hermite polynomials, whose
coefficients are cumulants, and the information of one observation is
``sum_j dk_j dk_j' / (j! s^(2j))``: cumulants of different order do not mix. The mixture mean and
the log of the total scale s are the first two, free of the rest. Let ``w_1, w_2`` be the weights,
``c = w_1 w_2`` and ``t = w_1 - w_2``, u the pooled scale, g the gap in units of it, and
``l = log(sigma_1 / sigma_2)``. In units of u the third cumulant

    k_3 = c g (t g^2 + 3 (sigma_2^2 - sigma_1^2)),

is 0 where l is ``l_0 = log((1 + t w_2 g^2 / 3) / (1 - t w_1 g^2 / 3)) / 2``. In ``l - l_0`` it is
``-6 c g (l - l_0)`` to leading order, and where that is 0 the fourth is ``-2/3 c (1 - c) g^4``. So
the third cumulant determines ``l - l_0``, the fourth ``(c (1 - c))^(1/4) g``, and the fifth the
weight: the information is diagonal to leading order where the mixture has no skewness, with
``6 c^2 g^2``, ``8/27 (c (1 - c))^(3/2) g^6`` and order ``g^10``.

``l_0`` ends where the expansion does: ``g^2 / sqrt(1 + g^4 / 9) < 3`` stands for g^2, so that it
is finite for every gap and weight and no longer moves with gaps that the data show.
"""

# numba's own types do not know what the compiled functions take.
# mypy: disable-error-code="call-arg,unreachable"

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from ordered_mix.arrays import Array
from ordered_mix.passes.fused import can_cache

_options: dict[str, Any] = {"cache": can_cache(), "error_model": "numpy"}


class Cumulants:
    """From (half the log odds, mean, log s, scaled gap, l - l_0) to the moments with pooled gaps.

    A bijection of R^5 (`mapped.Bijection`): the gap is scaled by a function of the weight, and the
    log ratio of the scales shifted by one of both.
    """

    numbers = np.zeros(1)

    def forward(self, x: Array) -> tuple[Array, Array]:
        """z and the log determinant of its derivative, shapes (..., 5) and (...)."""
        odds, mean, log_s, scaled, off = np.moveaxis(x, -1, 0)
        lean = np.tanh(odds)
        log_scale = _log_scale(lean)
        gap = scaled * np.exp(-log_scale)
        return np.stack([odds, mean, log_s, gap, off + _ridge(lean, gap)], axis=-1), -log_scale

    def inverse(self, z: Array) -> Array:
        """x of z, shape (..., 5)."""
        odds, mean, log_s, gap, ratio = np.moveaxis(z, -1, 0)
        lean = np.tanh(odds)
        scaled = gap * np.exp(_log_scale(lean))
        return np.stack([odds, mean, log_s, scaled, ratio - _ridge(lean, gap)], axis=-1)

    @property
    def place(self) -> Any:
        """Compiled ``(x, numbers) -> z``, of one point."""
        return _place

    @property
    def pull(self) -> Any:
        """Compiled ``(x, gradient, numbers)``: see `mapped.Bijection`."""
        return _pull


@numba.njit(**_options)
def _log_scale(lean):
    c = 0.25 * (1 - lean * lean)
    return 0.25 * np.log(c * (1 - c))


@numba.njit(**_options)
def _bounded(gap):
    return gap * gap / np.sqrt(1 + gap**4 / 9)


@numba.njit(**_options)
def _ridge(lean, gap):
    """l_0, for ``lean = w_1 - w_2``."""
    square = _bounded(gap) / 6
    above, below = 1 + lean * (1 - lean) * square, 1 - lean * (1 + lean) * square
    return 0.5 * (np.log(above) - np.log(below))


@numba.njit(**_options)
def _place(x, numbers):
    lean = np.tanh(x[0])
    z = x.copy()
    z[3] = x[3] * np.exp(-_log_scale(lean))
    z[4] = x[4] + _ridge(lean, z[3])
    return z


@numba.njit(**_options)
def _pull(x, gradient, numbers):
    lean = np.tanh(x[0])
    log_scale = _log_scale(lean)
    gap, c, turn = x[3] * np.exp(-log_scale), 0.25 * (1 - lean * lean), 1 - lean * lean
    square = _bounded(gap) / 6
    above, below = 1 + lean * (1 - lean) * square, 1 - lean * (1 + lean) * square
    by_square = 0.5 * lean * ((1 - lean) / above + (1 + lean) / below)
    by_lean = 0.5 * square * ((1 - 2 * lean) / above + (1 + 2 * lean) / below)
    by_gap = gradient[3] + gradient[4] * by_square * gap / 3 / (1 + gap**4 / 9) ** 1.5
    scale_by_odds = -0.5 * lean * (1 - 2 * c) / (1 - c)
    out = gradient.copy()
    out[3] = by_gap * np.exp(-log_scale)
    out[0] += gradient[4] * by_lean * turn - (by_gap * gap + 1) * scale_by_odds
    return -log_scale, out
