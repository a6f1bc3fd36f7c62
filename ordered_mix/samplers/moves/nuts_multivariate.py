"""NUTS in several dimensions: the compiled posterior as a Python function that nutpie calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from nutpie.compiled_pyfunc import from_pyfunc

from ordered_mix.draws.multivariate import MultivariateDraws, assemble
from ordered_mix.errors import SamplingFailed
from ordered_mix.multivariate import MultivariateData, MultivariateMixture
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.samplers.moves.density_multivariate import density, given
from ordered_mix.samplers.moves.inputs import one_sample_of_points, standard_starts_of_points
from ordered_mix.samplers.moves.starts import off_stationary
from ordered_mix.samplers.moves.trace import traces

Array = NDArray[np.float64]
POINT = "z"


def sample_points(
    chains: Callable[[Any, Array], tuple[Any, float]],
    parameterization: MultivariateParameterization,
    data: MultivariateData,
    starts: MultivariateMixture,
    tune: int,
    inverse_temperature: float,
) -> MultivariateDraws:
    """Sample one chain from each start, as `samplers.nuts.NUTS.sample`.

    Parameters
    ----------
    chains : callable
        Samples a model of nutpie from unconstrained coordinates (chain, dimension); returns its
        raw trace and the seconds it took.
    """
    location, scale = one_sample_of_points(data, parameterization.prior)
    standard = parameterization.affine(-location / scale, 1 / scale)
    begin = standard_starts_of_points(starts, parameterization.k, location, scale)
    own = data.affine(-location / scale, 1 / scale)
    found = log_posterior(standard, own, inverse_temperature)
    points, _ = off_stationary(standard.start(begin), found)
    raw, seconds = chains(posterior(found, standard.dimension), points)
    parts = traces(raw)
    z = np.concatenate([part.z for part in parts], axis=1)
    if not np.isfinite(z).all():
        raise SamplingFailed("its draws are not finite: its map or its density is at fault")
    statistics = {
        name: np.concatenate([part.statistics[name] for part in parts], axis=1)
        for name in parts[0].statistics
    }
    tree = assemble(standard.forward(z).affine(location, scale), statistics, tune, data)
    tree.attrs["seconds"] = seconds
    return MultivariateDraws(tree)


def log_posterior(
    standard: MultivariateParameterization, data: MultivariateData, inverse_temperature: float
) -> Callable[[Array], tuple[float, Array]]:
    """The density of the unconstrained coordinates and its gradient, minus infinity far out.

    Parameters
    ----------
    standard : MultivariateParameterization
    data : MultivariateData
        One sample, weighted or not, in the units of the prior.
    inverse_temperature : float
        Power of the likelihood.
    """

    compiled = given(standard, data, inverse_temperature)

    def interpreted(z: Array) -> tuple[float, Array]:
        try:
            prior, slope = standard.log_prior(z)
            likelihood, more = standard.log_likelihood(z, data)
        except np.linalg.LinAlgError:  # a factor with a diagonal of 0
            return np.nan, np.zeros_like(z)
        value = float(prior + inverse_temperature * likelihood)
        return value, slope + inverse_temperature * more

    def found(z: Array) -> tuple[float, Array]:
        with np.errstate(all="ignore"):
            value, slope = interpreted(z) if compiled is None else density(z, compiled)
        finite = np.isfinite(value) and np.isfinite(slope).all()
        return (value, slope) if finite else (-np.inf, np.zeros_like(z))

    return found


def posterior(found: Callable[[Array], tuple[float, Array]], dimension: int) -> Any:
    """That density as a model that nutpie samples."""
    return from_pyfunc(
        dimension,
        lambda: found,
        lambda _seed, _other, _chain: lambda z: {POINT: z},
        [np.dtype(np.float64)],
        [(dimension,)],
        [POINT],
    )
