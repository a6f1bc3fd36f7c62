"""The posterior in several dimensions as the C function that nutpie calls, without Python."""

# numba's own types do not know what an intrinsic takes.
# mypy: disable-error-code="call-arg,unreachable"

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np
from nutpie.compile_pymc import CompiledPyMCModel

from ordered_mix.parameterization import tape
from ordered_mix.passes.addresses import pointer
from ordered_mix.passes.fused import _exact
from ordered_mix.samplers.moves.density import around
from ordered_mix.samplers.moves.density_multivariate import Given, density

ARRAYS = (
    "program", "fixed", "outputs", "location", "b", "across", "betas", "b0", "powers", "y",
    "weight",
)  # fmt: skip
NUMBERS = ("centre", "order", "constant", "temperature")
(
    PROGRAM, FIXED, OUTPUTS, LOCATION, B, ACROSS, BETAS, B0, POWERS, Y, WEIGHT, REALS,
    DIMENSION, K, KIND, D, OPERATIONS, KNOWN, RATES, HYPER, LOGS, N, WEIGHTS, LENGTH,
) = range(24)  # fmt: skip
"""What the table holds at which place: addresses of arrays, then lengths."""


def model_of(given: Given, dimension: int) -> CompiledPyMCModel:
    """The density of these arguments as a model that nutpie samples."""
    held: dict[str, Any] = {name: np.ascontiguousarray(getattr(given, name)) for name in ARRAYS}
    held["numbers"] = np.array([getattr(given, name) for name in NUMBERS])
    table = np.zeros(LENGTH, dtype=np.int64)
    table[: REALS + 1] = [array.ctypes.data for array in held.values()]
    table[DIMENSION:] = [
        dimension, given.k, given.kind, given.location.size, len(given.program), given.fixed.size,
        given.betas.size, given.b0.size, given.powers.size, given.y.shape[1], given.weight.size,
    ]  # fmt: skip
    return around(callback(), tape.callbacks()[1], held, table, dimension)


@lru_cache(maxsize=1)
def callback() -> Any:
    """The density as a C function."""
    options = {"cache": _exact["cache"], "error_model": "numpy"}
    signature = numba.types.int64(
        numba.types.uint64, tape.REALS, tape.REALS, tape.REALS, numba.types.voidptr
    )
    return numba.cfunc(signature, **options)(_density)


def _density(dimension, x_, gradient_, value_, table_):
    """Log posterior and gradient at x, for the arguments that the table points to."""
    t = numba.carray(table_, (LENGTH,), np.int64)
    if dimension != t[DIMENSION]:
        return -1
    d, k = t[D], t[K]
    numbers = numba.carray(pointer(t[REALS]), (4,), np.float64)
    given = Given(
        numba.carray(pointer(t[PROGRAM]), (t[OPERATIONS], 4), np.int64),
        numba.carray(pointer(t[FIXED]), (t[KNOWN],), np.float64),
        numba.carray(pointer(t[OUTPUTS]), (3 * k + 1,), np.int64),
        k,
        t[KIND],
        numba.carray(pointer(t[LOCATION]), (d,), np.float64),
        numbers[0],
        numba.carray(pointer(t[B]), (d,), np.float64),
        numba.carray(pointer(t[ACROSS]), (d, d - 1), np.float64),
        numba.carray(pointer(t[BETAS]), (t[RATES],), np.float64),
        numba.carray(pointer(t[B0]), (t[HYPER],), np.float64),
        numbers[1],
        numba.carray(pointer(t[POWERS]), (t[LOGS],), np.float64),
        numbers[2],
        numba.carray(pointer(t[Y]), (d, t[N]), np.float64),
        numba.carray(pointer(t[WEIGHT]), (t[WEIGHTS],), np.float64),
        numbers[3],
    )
    gradient = numba.carray(gradient_, (t[DIMENSION],))
    value, slope = density(numba.carray(x_, (t[DIMENSION],)), given)
    finite = True
    for j in range(slope.size):
        gradient[j] = slope[j]
        finite &= np.isfinite(slope[j])
    numba.carray(value_, (1,))[0] = value
    if not finite:
        return 3
    return 0 if np.isfinite(value) else 4
