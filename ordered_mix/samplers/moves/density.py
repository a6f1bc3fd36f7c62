"""The posterior as nutpie calls it: a tape around the pass, nothing compiled for the model."""

from __future__ import annotations

from ctypes import c_double
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import nutpie
from nutpie.compile_pymc import CompiledPyMCModel

from ordered_mix.data import Data
from ordered_mix.mixture import Array
from ordered_mix.parameterization import tape
from ordered_mix.parameterization.maps import TapeMap
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.fused import pass_address
from ordered_mix.prior import Prior

POINT = "z"


def posterior(standard: Parameterization, data: Data, inverse_temperature: float) -> Any:
    """The density of the unconstrained coordinates as a model that nutpie samples.

    Model files with an operation that a tape lacks are compiled by nutpie, once per structure
    (parameterization, k, options, form of the prior).

    Parameters
    ----------
    standard : Parameterization
    data : Data
        One sample, weighted or not, in the units of the prior.
    inverse_temperature : float
        Power of the likelihood.
    """
    known = standard.graph.posterior()
    if isinstance(known, TapeMap):
        return _around_tape(known, standard, data, inverse_temperature)
    options = tuple(sorted(standard.options.items()))
    compiled = _compiled(standard.module, standard.k, standard.prior.form(), options)
    used = {variable.name for variable in compiled.shared_var_keys}
    values = standard.fused_data(data, inverse_temperature)
    return compiled.with_data(**{name: values[name] for name in used})


def density(model: Any, point: Array) -> tuple[float, Array]:
    """Log density and gradient as nutpie sees them, both NaN where it gives up."""
    value, gradient, point = np.empty(1), np.empty(point.size), np.array(point, dtype=np.float64)
    arrays = (c_double.from_buffer(array) for array in (point, gradient, value))
    if model.compiled_logp_func.ctypes(point.size, *arrays, model.user_data.ctypes.data):
        return np.nan, np.full(point.size, np.nan)
    return float(value[0]), gradient


def _around_tape(
    known: TapeMap, standard: Parameterization, data: Data, inverse_temperature: float
) -> Any:
    record, dimension = known.tape, standard.dimension
    held = {
        "program": record.program,
        "fixed": known.fixed(standard.prior.numbers()),
        "outputs": record.outputs,
        "points": np.ascontiguousarray(data.y, dtype=np.float64),
        "weight": np.ascontiguousarray(
            () if data.weight is None else data.weight, dtype=np.float64
        ),
        "power": np.array([inverse_temperature], dtype=np.float64),
    }
    given = np.zeros(13, dtype=np.int64)
    for index, name in (
        (tape.PROGRAM, "program"), (tape.FIXED, "fixed"), (tape.OUTPUTS, "outputs"),
        (tape.POINTS, "points"), (tape.WEIGHT, "weight"), (tape.POWER, "power"),
    ):  # fmt: skip
        given[index] = held[name].ctypes.data
    for index, number in (
        (tape.OPERATIONS, len(record.program)), (tape.KNOWN, held["fixed"].size),
        (tape.DIMENSION, dimension), (tape.COMPONENTS, standard.k),
        (tape.SIZE, held["points"].size), (tape.WEIGHTS, held["weight"].size),
        (tape.PASS, pass_address(standard.k == 2)),
    ):  # fmt: skip
        given[index] = number
    return around(*tape.callbacks(), held, given, dimension)


def around(
    log_density: Any, copy: Any, held: dict[str, Any], given: Any, dimension: int
) -> CompiledPyMCModel:
    """A model of nutpie around C functions, which are given the address of `given`.

    Parameters
    ----------
    log_density, copy : C functions
        The density with its gradient, and the identity.
    held : dict of str to ndarray
        What `given` has the addresses of, which must live as long as the model.
    given : ndarray of int64
    dimension : int
    """
    return CompiledPyMCModel(
        dims={}, compiled_logp_func=log_density, compiled_expand_func=copy,
        initial_point_func=None, shared_data=held, shared_var_keys={}, user_data=given,
        n_expanded=dimension, shape_info=([POINT], [slice(0, dimension)], [(dimension,)]),
        logp_func=None, expand_func=None, _n_dim=dimension, _shapes={POINT: (dimension,)},
        _coords={},
    )  # fmt: skip


@lru_cache(maxsize=16)
def _compiled(module: ModuleType, k: int, prior: Prior, options: tuple[Any, ...]) -> Any:
    fused_model = Parameterization(module.__name__, module, k, prior, dict(options)).fused_model()
    return nutpie.compile_pymc_model(fused_model, var_names=[])


def compiled_models() -> int:
    """Number of models that nutpie has compiled in this process."""
    return _compiled.cache_info().currsize
