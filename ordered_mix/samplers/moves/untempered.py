"""The ends of samplers that temper: their target from the data, and draws from their points."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ordered_mix.draws.draws import Draws, assemble
from ordered_mix.draws.multivariate import assemble as assemble_points
from ordered_mix.mixture import Array
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.samplers.moves.hmc import Target, TargetOfPoints
from ordered_mix.samplers.moves.inputs import one_sample, one_sample_of_points


def target_of(parameterization: Any, data: Any) -> tuple[Target | TargetOfPoints, Any, Any]:
    """The target for one sample in standard units, its location and its scale.

    Raises
    ------
    ValueError
        If data are not accepted.
    """
    if isinstance(parameterization, MultivariateParameterization):
        at, unit = one_sample_of_points(data, parameterization.prior)
        own = (-at / unit, 1 / unit)
        return TargetOfPoints(parameterization.affine(*own), data.affine(*own)), at, unit
    location, scale = one_sample(data)
    standard = parameterization.affine(-location / scale, 1 / scale)
    return Target(standard, data.standardized()), location, scale


def draws_of(
    parameterization: Any,
    target: Target | TargetOfPoints,
    data: Any,
    z: Array,
    statistics: dict[str, Array],
    seconds: float,
) -> Draws:
    """Draws at coordinates z (chain, draw, dimension) of a target, in the units of the data.

    Parameters
    ----------
    statistics : dict of str to array, shape (chain, draw)
        By ArviZ's names.
    """
    mixture: Any = target.parameterization.forward(z)
    if isinstance(target, TargetOfPoints):
        at, unit = one_sample_of_points(data, parameterization.prior)
        return assemble_points(mixture.affine(at, unit), statistics, 0, data, seconds)
    values = {name: getattr(mixture, name) for name in ("w", "mu", "sigma")}
    posterior = {name: (("chain", "draw", "component"), value) for name, value in values.items()}
    table = {name: (("chain", "draw"), value) for name, value in statistics.items()}
    groups = {"posterior": xr.Dataset(posterior), "sample_stats": xr.Dataset(table)}
    raw = xr.DataTree.from_dict(groups)
    return assemble(raw, seconds, parameterization, target.parameterization, data)


def unit_constant(data: Any, scale: Any) -> float:
    """What the log density of the standardised data has more than that of the data."""
    return float(data.total_weight) * float(np.sum(np.log(scale)))
