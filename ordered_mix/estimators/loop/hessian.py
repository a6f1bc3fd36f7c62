"""Hessian of the log posterior in unconstrained coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np

from ordered_mix.mixture import Array

# a central difference of the exact gradient at two steps, extrapolated (Richardson)
STEPS = (1e-3, 5e-4)
HESSIAN_PASSES = 2 * len(STEPS)


def hessian(parameterization: Any, data: Any, z: Array, jacobian: bool) -> Array:
    """Hessian of the log posterior at one point z, for `HESSIAN_PASSES` passes per coordinate.

    Central differences of the exact gradient at two steps, extrapolated to the fourth order.
    """
    units = np.eye(z.size)
    by_step = []
    for step in STEPS:
        points = z + step * np.concatenate([units, -units])
        _, gradient = parameterization.log_posterior(points, data, jacobian)
        by_step.append((gradient[: z.size] - gradient[z.size :]) / (2 * step))
    full = (4 * by_step[1] - by_step[0]) / 3
    return 0.5 * (full + full.T)
