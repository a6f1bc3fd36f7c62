"""NUTS in several dimensions: the compiled posterior that nutpie calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from nutpie.compiled_pyfunc import from_pyfunc

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.multivariate import assemble
from ordered_mix.errors import SamplingFailed
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.samplers.moves.callback_multivariate import model_of
from ordered_mix.samplers.moves.density import POINT, density
from ordered_mix.samplers.moves.density_multivariate import given
from ordered_mix.samplers.moves.inputs import standard_sample, standard_starts
from ordered_mix.samplers.moves.starts import off_stationary
from ordered_mix.samplers.moves.trace import traces

Array = NDArray[np.float64]


def sample_points(
    chains: Callable[[Any, Array], tuple[Any, float]],
    parameterization: MultivariateParameterization,
    data: Data,
    starts: Mixture,
    tune: int,
    inverse_temperature: float,
) -> Draws:
    """Sample one chain from each start, as `samplers.nuts.NUTS.sample`.

    Parameters
    ----------
    chains : callable
        Samples a model of nutpie from unconstrained coordinates (chain, dimension); returns its
        raw trace and the seconds it took.
    """
    standard = standard_sample(parameterization, data)
    own = standard.parameterization
    model, found = posterior(own, standard.data, inverse_temperature)
    points, _ = off_stationary(own.start(standard_starts(standard, starts)), found)
    raw, seconds = chains(model, points)
    parts = traces(raw)
    z = np.concatenate([part.z for part in parts], axis=1)
    if not np.isfinite(z).all():
        raise SamplingFailed("its draws are not finite: its map or its density is at fault")
    statistics = {
        name: np.concatenate([part.statistics[name] for part in parts], axis=1)
        for name in parts[0].statistics
    }
    return assemble(standard.forward(z), statistics, tune, data, seconds)


def posterior(
    standard: MultivariateParameterization, data: Data, inverse_temperature: float
) -> tuple[Any, Callable[[Array], tuple[float, Array]]]:
    """The density of the unconstrained coordinates as a model of nutpie, and as a function.

    Model files with an operation that a tape lacks are interpreted.

    Parameters
    ----------
    standard : MultivariateParameterization
    data : Data
        One sample, weighted or not, in the units of the prior.
    inverse_temperature : float
        Power of the likelihood.
    """
    compiled = given(standard, data, inverse_temperature)
    if compiled is not None:
        model = model_of(compiled, standard.dimension)
        return model, partial(density, model)
    found = interpreted(standard, data, inverse_temperature)
    return _around(found, standard.dimension), found


def interpreted(
    standard: MultivariateParameterization, data: Data, inverse_temperature: float
) -> Callable[[Array], tuple[float, Array]]:
    """The density and its gradient without compiled code, minus infinity far out."""

    def found(z: Array) -> tuple[float, Array]:
        try:
            with np.errstate(all="ignore"):
                prior, slope = standard.log_prior(z)
                likelihood, more = standard.log_likelihood(z, data)
        except np.linalg.LinAlgError:  # a factor with a diagonal of 0
            return -np.inf, np.zeros_like(z)
        value = float(prior + inverse_temperature * likelihood)
        slope = slope + inverse_temperature * more
        finite = np.isfinite(value) and np.isfinite(slope).all()
        return (value, slope) if finite else (-np.inf, np.zeros_like(z))

    return found


def _around(found: Callable[[Array], tuple[float, Array]], dimension: int) -> Any:
    return from_pyfunc(
        dimension,
        lambda: found,
        lambda _seed, _other, _chain: lambda z: {POINT: z},
        [np.dtype(np.float64)],
        [(dimension,)],
        [POINT],
    )
