"""The ends of samplers that temper: their target from the data, and draws from their points."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws, assemble
from ordered_mix.draws.multivariate import assemble as assemble_points
from ordered_mix.estimators.loop.standard import Standard
from ordered_mix.mixture import Array
from ordered_mix.parameterization.multivariate import (
    AnyParameterization,
    MultivariateParameterization,
)
from ordered_mix.samplers.moves.hmc import Target, TargetOfPoints
from ordered_mix.samplers.moves.inputs import standard_sample


def target_of(
    parameterization: AnyParameterization, data: Data
) -> tuple[Target | TargetOfPoints, Standard]:
    """The target for one sample in standard units, and these units.

    Raises
    ------
    ValueError
        If data are not accepted.
    """
    standard = standard_sample(parameterization, data)
    kind = TargetOfPoints if data.event_shape else Target
    return kind(standard.parameterization, standard.data), standard


def draws_of(
    parameterization: AnyParameterization,
    standard: Standard,
    data: Data,
    z: Array,
    statistics: dict[str, Array],
    seconds: float,
) -> Draws:
    """Draws at coordinates z (chain, draw, dimension) in standard units, in those of the data.

    Parameters
    ----------
    statistics : dict of str to array, shape (chain, draw)
        By ArviZ's names.
    """
    if isinstance(parameterization, MultivariateParameterization):
        return assemble_points(standard.forward(z), statistics, 0, data, seconds)
    values = standard.parameterization.forward(z).parameters
    posterior = {name: (("chain", "draw", "component"), value) for name, value in values.items()}
    table = {name: (("chain", "draw"), value) for name, value in statistics.items()}
    groups = {"posterior": xr.Dataset(posterior), "sample_stats": xr.Dataset(table)}
    raw = xr.DataTree.from_dict(groups)
    return assemble(raw, seconds, parameterization, standard.parameterization, data)


def unit_constant(data: Data, scale: Any) -> float:
    """What the log density of the standardised data has more than that of the data."""
    return float(data.total_weight) * float(np.sum(np.log(scale)))
