"""The compiled code that runs any tape, and the posterior density that samplers call.

It is one file because numba's cache of a function notices changes in that function's file only;
the pass over the data lies elsewhere and is called by its address.
"""

# numba's own types do not know what an intrinsic takes.
# mypy: disable-error-code="call-arg,unreachable"

from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from ordered_mix.mixture import Array
from ordered_mix.parameterization.symbols import CODES
from ordered_mix.passes import fused
from ordered_mix.passes.addresses import address_of, pass_at, pointer
from ordered_mix.passes.kernels import read_only

_options: dict[str, Any] = {"cache": fused.can_cache(), "nogil": True, "error_model": "numpy"}
(
    ADD, SUB, MUL, DIV, NEG, EXP, LOG, SQRT, SQR, POW, ABS, SOFTPLUS, SIGMOID, LOG1P, EXPM1,
    LOG1MEXP, TANH, MAXIMUM, MINIMUM, SWITCH, GT, GE, LT, LE, EQ, NEQ, AND, OR, INVERT, ISINF,
    ISNAN, SIGN, STOP,
) = range(len(CODES))  # fmt: skip
REALS = types.CPointer(types.double)
NO_SCORES = np.empty((0, 0))


@numba.njit(**_options)
def _softplus(x):
    if x > 36.0:
        return x
    return np.exp(x) if x < -37.0 else np.log1p(np.exp(x))


@numba.njit(**_options)
def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


@numba.njit(**_options)
def _log1mexp(x):
    return np.log1p(-np.exp(x)) if x < -0.6931471805599453 else np.log(-np.expm1(x))


@numba.njit(**_options)
def _sign(x):
    return x if np.isnan(x) else (1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0))


@numba.njit(**_options)
def _forward(program, base, v):
    """Fill the slots from base on."""
    for i in range(program.shape[0]):
        code = program[i, 0]
        x, y = v[program[i, 1]], v[program[i, 2]]
        r = 0.0
        if code == ADD:
            r = x + y
        elif code == SUB:
            r = x - y
        elif code == MUL:
            r = x * y
        elif code == DIV:
            r = x / y
        elif code == NEG:
            r = -x
        elif code == EXP:
            r = np.exp(x)
        elif code == LOG:
            r = np.log(x)
        elif code == SQRT:
            r = np.sqrt(x)
        elif code == SQR:
            r = x * x
        elif code == POW:
            r = x**y
        elif code == ABS:
            r = abs(x)
        elif code == SOFTPLUS:
            r = _softplus(x)
        elif code == SIGMOID:
            r = _sigmoid(x)
        elif code == LOG1P:
            r = np.log1p(x)
        elif code == EXPM1:
            r = np.expm1(x)
        elif code == LOG1MEXP:
            r = _log1mexp(x)
        elif code == TANH:
            r = np.tanh(x)
        elif code == MAXIMUM:
            r = y if y > x or np.isnan(y) else x
        elif code == MINIMUM:
            r = y if y < x or np.isnan(y) else x
        elif code == SWITCH:
            r = y if x != 0.0 else v[program[i, 3]]
        elif code == GT:
            r = 1.0 if x > y else 0.0
        elif code == GE:
            r = 1.0 if x >= y else 0.0
        elif code == LT:
            r = 1.0 if x < y else 0.0
        elif code == LE:
            r = 1.0 if x <= y else 0.0
        elif code == EQ:
            r = 1.0 if x == y else 0.0
        elif code == NEQ:
            r = 1.0 if x != y else 0.0
        elif code == AND:
            r = 1.0 if x != 0.0 and y != 0.0 else 0.0
        elif code == OR:
            r = 1.0 if x != 0.0 or y != 0.0 else 0.0
        elif code == INVERT:
            r = 1.0 if x == 0.0 else 0.0
        elif code == ISINF:
            r = 1.0 if np.isinf(x) else 0.0
        elif code == ISNAN:
            r = 1.0 if np.isnan(x) else 0.0
        elif code == SIGN:
            r = _sign(x)
        elif code == STOP:
            r = x
        v[base + i] = r


@numba.njit(**_options)
def _backward(program, base, v, d):
    """Add to d, the derivatives in every slot, what the slots from base on pass down."""
    for i in range(program.shape[0] - 1, -1, -1):
        g = d[base + i]
        if g == 0.0:
            continue
        code, a, b = program[i, 0], program[i, 1], program[i, 2]
        x, y, r = v[a], v[b], v[base + i]
        if code == ADD:
            d[a] += g
            d[b] += g
        elif code == SUB:
            d[a] += g
            d[b] -= g
        elif code == MUL:
            d[a] += g * y
            d[b] += g * x
        elif code == DIV:
            d[a] += g / y
            d[b] -= g * r / y
        elif code == NEG:
            d[a] -= g
        elif code == EXP:
            d[a] += g * r
        elif code == LOG:
            d[a] += g / x
        elif code == SQRT:
            d[a] += 0.5 * g / r
        elif code == SQR:
            d[a] += 2.0 * g * x
        elif code == POW:
            d[a] += g * y * x ** (y - 1.0)
            if x > 0.0:
                d[b] += g * r * np.log(x)
        elif code == ABS:
            d[a] += g * _sign(x)
        elif code == SOFTPLUS:
            d[a] += g * _sigmoid(x)
        elif code == SIGMOID:
            d[a] += g * r * (1.0 - r)
        elif code == LOG1P:
            d[a] += g / (1.0 + x)
        elif code == EXPM1:
            d[a] += g * np.exp(x)
        elif code == LOG1MEXP:
            d[a] -= g / np.expm1(-x)
        elif code == TANH:
            d[a] += g * (1.0 - r * r)
        elif code == MAXIMUM or code == MINIMUM:
            if r == y:
                d[b] += g
            else:
                d[a] += g
        elif code == SWITCH:
            if x != 0.0:
                d[b] += g
            else:
                d[program[i, 3]] += g


@numba.njit(**_options)
def _fill(v, start, given):
    # an assignment of slices compiles the message of its error, which takes longer than the rest
    for i in range(given.size):
        v[start + i] = given[i]


@numba.njit(**_options)
def run(program, fixed, points, outputs, scores, backwards):
    """`values`, or `pullback` if backwards, for compiled callers."""
    base = fixed.size + points.shape[1]
    size = base + program.shape[0]
    v, d = np.empty(size), np.empty(size)
    _fill(v, 0, fixed)
    found = np.empty((points.shape[0], points.shape[1] if backwards else outputs.size))
    for row in range(points.shape[0]):
        _fill(v, fixed.size, points[row])
        _forward(program, base, v)
        if not backwards:
            for j in range(outputs.size):
                found[row, j] = v[outputs[j]]
            continue
        for i in range(size):
            d[i] = 0.0
        for j in range(outputs.size):
            d[outputs[j]] += scores[row, j]
        _backward(program, base, v, d)
        for j in range(points.shape[1]):
            found[row, j] = d[fixed.size + j]
    return found


def values(
    program: NDArray[np.int64], fixed: Array, points: Array, outputs: NDArray[np.int64]
) -> Array:
    """Outputs (rows, outputs) at points (rows, dimension)."""
    return run(program, fixed, read_only(points), outputs, NO_SCORES, False)


def pullback(
    program: NDArray[np.int64],
    fixed: Array,
    points: Array,
    outputs: NDArray[np.int64],
    scores: Array,
) -> Array:
    """Derivatives (rows, dimension) of a function, from those in the outputs, scores."""
    return run(program, fixed, read_only(points), outputs, scores, True)


# what a density is given, as whole numbers: addresses, lengths and slots
PROGRAM, OPERATIONS, FIXED, KNOWN, DIMENSION, COMPONENTS, OUTPUTS, POINTS, SIZE, WEIGHT, WEIGHTS, \
    PASS, POWER = range(13)  # fmt: skip


def _density(dimension, x_, gradient_, value_, given_):
    """Log posterior and gradient at x: the tape, the pass over the data, the tape backwards."""
    given = numba.carray(given_, (13,), np.int64)
    if dimension != given[DIMENSION]:
        return -1
    program = numba.carray(pointer(given[PROGRAM]), (given[OPERATIONS], 4), np.int64)
    fixed = numba.carray(pointer(given[FIXED]), (given[KNOWN],), np.float64)
    k = given[COMPONENTS]
    outputs = numba.carray(pointer(given[OUTPUTS]), (3 * k + 1,), np.int64)
    power = numba.carray(pointer(given[POWER]), (1,), np.float64)[0]
    first, base = given[KNOWN], given[KNOWN] + given[DIMENSION]
    size = base + program.shape[0]
    work = np.empty(2 * size + 6 * k + 1)
    v, d = work[:size], work[size : 2 * size]
    parameters, sums = work[2 * size : 2 * size + 3 * k], work[2 * size + 3 * k :]
    x = numba.carray(x_, (given[DIMENSION],))
    gradient = numba.carray(gradient_, (given[DIMENSION],))
    _fill(v, 0, fixed)
    _fill(v, first, x)
    _forward(program, base, v)
    for j in range(3 * k):
        parameters[j] = v[outputs[j]]
    pass_at(
        given[PASS], given[SIZE], given[POINTS], given[WEIGHTS], given[WEIGHT], k,
        address_of(parameters), address_of(sums),
    )  # fmt: skip
    value = v[outputs[3 * k]] + power * sums[0]
    d[:] = 0.0
    d[outputs[3 * k]] = 1.0
    for j in range(k):
        w, sigma = parameters[j], parameters[2 * k + j]
        s0, s1, s2 = sums[1 + j], sums[1 + k + j], sums[1 + 2 * k + j]
        d[outputs[j]] += power * (s0 / w)
        d[outputs[k + j]] += power * (s1 / (sigma * sigma))
        d[outputs[2 * k + j]] += power * (s2 / (sigma * sigma * sigma) - s0 / sigma)
    _backward(program, base, v, d)
    finite = True
    for j in range(dimension):
        gradient[j] = d[first + j]
        finite &= np.isfinite(gradient[j])
    numba.carray(value_, (1,))[0] = value
    if not finite:
        return 3
    return 0 if np.isfinite(value) else 4


def _copy(dimension, length, x_, out_, given_):
    x, out = numba.carray(x_, (dimension,)), numba.carray(out_, (length,))
    for i in range(dimension):
        out[i] = x[i]
    return 0


@lru_cache(maxsize=1)
def callbacks() -> tuple[Any, Any]:
    """The density and the identity, as the C functions that nutpie calls."""
    whole = types.uint64
    density = types.int64(whole, REALS, REALS, REALS, types.voidptr)
    copy = types.int64(whole, whole, REALS, REALS, types.voidptr)
    options = {"cache": _options["cache"], "error_model": "numpy"}
    return numba.cfunc(density, **options)(_density), numba.cfunc(copy, **options)(_copy)
