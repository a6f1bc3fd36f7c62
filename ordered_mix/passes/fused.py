"""The compiled code of the fused pass; `kernels` is its interface.

What makes it fast and exact:

- Every inner loop is straight-line arithmetic (`exp` and `log` are polynomials), so the compiler
  turns it into vector instructions. Only the functions that sum may be reordered.
- Two components: the log odds are a product of two linear factors in y whose roots are held to
  twice the working precision, so they keep their relative accuracy at any separation.
- Any other number: in blocks with a distant point, the logarithms of the terms are held to twice
  the working precision until the largest is subtracted, so it loses nothing.

Sums run over blocks of 512 points, blocks over chunks of 65,536, chunks over the data: rounding
stays below 1e-13 of the sum of absolute terms up to 1e7 points, whatever the number of threads.

It is one file because numba's cache of a function notices changes in that function's file only.
"""

# numba's own types do not know what an intrinsic takes.
# mypy: disable-error-code="call-arg,unreachable"

from functools import lru_cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import float64, int64, types
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic
from numpy.typing import NDArray

from ordered_mix.passes.addresses import PASS, pointer

BLOCK = 512
CHUNK = 128 * BLOCK
HALF_LOG_2PI = 0.9189385332046727
ROUND = 6755399441055744.0  # 1.5 2^52: adding it leaves the nearest integer in the lowest bits
TWO_52 = 4503599627370496.0
TWO_52_BITS = 0x4330000000000000
ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
LOG_ZERO = -1e300  # finite, so that a difference of two of them is not NaN
LOWEST = -708.0  # exp is 0 below it
NEAR = 20.0  # half a squared distance of 6.3 standard deviations


def can_cache() -> bool:
    """Whether numba finds a folder for compiled code, beside this file or in the user's cache."""
    try:
        numba.njit(cache=True)(can_cache)
    except RuntimeError:
        return False
    return True


_exact: dict[str, Any] = {"cache": can_cache(), "nogil": True, "error_model": "numpy"}
_inlined: dict[str, Any] = {**_exact, "inline": "always"}
_fused: dict[str, Any] = {**_exact, "fastmath": {"contract"}}
_summing: dict[str, Any] = {**_exact, "fastmath": {"contract", "reassoc", "nsz"}}


@intrinsic
def _bits(typing_context, x):
    return int64(float64), lambda _context, build, _type, args: build.bitcast(
        args[0], ir.IntType(64)
    )


@intrinsic
def _from_bits(typing_context, x):
    return float64(int64), lambda _context, build, _type, args: build.bitcast(
        args[0], ir.DoubleType()
    )


@intrinsic
def _widest(typing_context):
    """Vectors as wide as the processor has, whatever the compiler would rather take.

    LLVM prefers 256 bits on processors by Intel that have 512, where this arithmetic then takes
    nearly twice as long.
    """

    def ask(context, build, _type, args):
        # llvmlite knows the attributes without a value only
        set.add(build.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), ask


@intrinsic
def _read_only(typing_context, array):
    # the same type as the data of a batch, so that what sums is compiled once
    return array.copy(readonly=True)(
        array
    ), lambda context, build, signature, args: impl_ret_borrowed(
        context, build, signature.return_type, args[0]
    )


@intrinsic
def _fma(typing_context, x, y, z):
    signature = float64(float64, float64, float64)
    return signature, lambda _context, build, _type, args: build.fma(*args)


@numba.njit(**_fused)
def _exp(x):
    """Return exp(x) for x <= 0. The coefficients interpolate at Chebyshev nodes."""
    clipped = max(x, LOWEST)
    shifted = clipped * 1.4426950408889634 + ROUND
    power = shifted - ROUND
    r = (clipped - power * 0.6931471803691238) - power * 1.9082149292705877e-10
    p = 2.510038549551032e-08
    p = p * r + 2.7620088445409746e-07
    p = p * r + 2.7557268459997064e-06
    p = p * r + 2.4801521295954376e-05
    p = p * r + 0.00019841269863053618
    p = p * r + 0.0013888888917213717
    p = p * r + 0.008333333333330062
    p = p * r + 0.04166666666662413
    p = p * r + 0.16666666666666669
    p = p * r + 0.5
    p = 1.0 + (r + r * r * p)
    return 0.0 if x < LOWEST else _from_bits(_bits(p) + (_bits(shifted) << 52))


@numba.njit(**_fused)
def _log(x):
    """Return log(x) for x >= 1, from 2 atanh((m - 1) / (m + 1)) with m in [sqrt 1/2, sqrt 2)."""
    power = (_bits(x) - ROOT_HALF_BITS) >> 52
    m = _from_bits(_bits(x) - (power << 52))
    f = (m - 1.0) / (m + 1.0)
    s = f * f
    p = 0.14617807153417325
    p = p * s + 0.15331611722055008
    p = p * s + 0.1818289243253687
    p = p * s + 0.22222211089379496
    p = p * s + 0.28571428626253836
    p = p * s + 0.3999999999989889
    p = p * s + 0.666666666666667
    exponent = _from_bits(power + TWO_52_BITS) - TWO_52
    nan_if_nan = x - x
    return exponent * 0.6931471805599453 + (2.0 * f + (f * s * p + nan_if_nan))


@numba.njit(**_exact)
def _two_sum(a, b):
    """Return a + b rounded, and its rounding error."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@numba.njit(**_exact)
def _log_height(w, sigma):
    """Return log(w / sigma) rounded, and its rounding error."""
    ratio = w / sigma
    if 1e-300 < ratio < 1e300:
        high = np.log(ratio)
        return high, ratio / np.exp(high) - 1.0
    return LOG_ZERO if w == 0.0 else np.log(w) - np.log(sigma), 0.0


@numba.njit(**_exact)
def _crossing(mu1, mu2, s1, s2):
    """Return (mu1 s2 + mu2 s1) / (s1 + s2) to twice the working precision."""
    p, q = mu1 * s2, mu2 * s1
    top, top_low = _two_sum(p, q)
    top_low += _fma(mu1, s2, -p) + _fma(mu2, s1, -q)
    bottom, bottom_low = _two_sum(s1, s2)
    high = top / bottom
    low = ((_fma(-high, bottom, top) + top_low) - high * bottom_low) / bottom
    return high + low, low - ((high + low) - high)


@numba.njit(**_inlined)
def _pair(w, mu, sigma):
    """Return the coefficients of two components: z-scores, log terms and log odds.

    z_1^2 - z_2^2 = (z_1 - z_2)(z_1 + z_2) vanishes where the z-scores are equal (nowhere for
    equal scales: then that factor is constant) and where they are opposite.
    """
    s1, s2 = sigma
    area = s1 * s2
    equal, equal_low = 0.0, 0.0
    slope, level = 0.0, (mu[1] - mu[0]) / area
    if s1 != s2:
        equal, equal_low = _crossing(mu[0], mu[1], -s1, s2)
        square, level = area * area, 0.0
        if 1e-300 < square < 1e300:
            slope = 0.5 * ((s2 - s1) * (s2 + s1)) / square
        else:  # scales beyond 1e75 or below 1e-75
            slope = 0.5 * ((s2 - s1) / area) * ((s2 + s1) / area)
    opposite, opposite_low = _crossing(mu[0], mu[1], s1, s2)
    c1 = _log_height(w[0], s1)[0] - HALF_LOG_2PI
    c2 = _log_height(w[1], s2)[0] - HALF_LOG_2PI
    odds = (w[1] / w[0]) * (s1 / s2)
    log_odds = np.log(odds) if 1e-300 < odds < 1e300 else c2 - c1
    centres = (mu[0], 1.0 / s1, c1, mu[1], 1.0 / s2, c2)
    return centres, (equal, equal_low, opposite, opposite_low, slope, level, log_odds)


@numba.njit(**_fused)
def _log_odds(y, pair):
    """Return the log odds of the second component."""
    equal, equal_low, opposite, opposite_low, slope, level, log_odds = pair[1]
    factor = slope * ((y - equal) - equal_low) + level
    return log_odds + factor * ((y - opposite) - opposite_low)


@numba.njit(**_fused)
def _point(y, log_odds, minor, pair):
    """Return both responsibilities and z-scores, the larger log term and the sum over it."""
    mu1, inverse1, c1, mu2, inverse2, c2 = pair[0]
    z1, z2 = (y - mu1) * inverse1, (y - mu2) * inverse2
    second = log_odds > 0.0
    total = 1.0 + minor
    r_major = 1.0 / total
    r_minor = minor * r_major
    z = z2 if second else z1
    top = (c2 if second else c1) - 0.5 * z * z
    r1 = r_minor if second else r_major
    r2 = r_major if second else r_minor
    return r1, r2, z1, z2, top, total


@numba.njit(**_summing)
def _two_block(y, weight, pair, work):
    """Return the sums over a block: log likelihood, then r, r z, r z^2 of both components."""
    _widest()
    # two loops, because what one needs at a time has no room in the registers
    for i in range(y.size):
        log_odds = _log_odds(y[i], pair)
        work[0, i] = log_odds
        work[1, i] = _exp(-abs(log_odds))
    log_likelihood, product = 0.0, 1.0
    a0 = a1 = a2 = b0 = b1 = b2 = 0.0
    for i in range(y.size):
        r1, r2, z1, z2, top, total = _point(y[i], work[0, i], work[1, i], pair)
        if weight is None:
            log_likelihood += top
            product *= total
        else:
            log_likelihood += weight[i] * (top + _log(total))
            r1 *= weight[i]
            r2 *= weight[i]
        a0 += r1
        b0 += r2
        a1 += r1 * z1
        b1 += r2 * z2
        a2 += r1 * z1 * z1
        b2 += r2 * z2 * z2
    return log_likelihood + np.log(product), a0, b0, a1, b1, a2, b2


@numba.njit(**_fused)
def _two_log_density(y, pair, out):
    _widest()
    for i in range(y.size):
        log_odds = _log_odds(y[i], pair)
        _, _, _, _, top, total = _point(y[i], log_odds, _exp(-abs(log_odds)), pair)
        out[i] = top + _log(total)


@numba.njit(**_fused)
def _log_terms(y, mu, sigma, c, log_term, top):
    """Write c - z^2 / 2, and keep the larger of it and top."""
    _widest()
    inverse = 1.0 / sigma
    for i in range(y.size):
        z = (y[i] - mu) * inverse
        e = c - 0.5 * z * z
        log_term[i] = e
        top[i] = e if e > top[i] else top[i]


@numba.njit(**_exact)
def _long_log_terms(y, mu, sigma, c, high, low, top_high, top_low):
    """Do as `_log_terms` with sums of two floats: c and the results have a high and a low part."""
    inverse = 1.0 / sigma
    inverse_low = _fma(-inverse, sigma, 1.0) * inverse
    for i in range(y.size):
        d, d_low = _two_sum(y[i], -mu)
        z = d * inverse
        z_low = _fma(d, inverse, -z) + (d * inverse_low + d_low * inverse)
        square = z * z
        square_low = _fma(z, z, -square) + 2.0 * z * z_low
        e, e_low = _two_sum(c[0], -0.5 * square)
        e_low += c[1] - 0.5 * square_low
        larger = e > top_high[i]
        high[i], low[i] = e, e_low
        top_high[i] = e if larger else top_high[i]
        top_low[i] = e_low if larger else top_low[i]


@numba.njit(**_exact)
def _relative_terms(term, top, total):
    """Replace log terms by terms over the largest, and add them to total."""
    _widest()
    for i in range(total.size):
        term[i] = _exp(term[i] - top[i])
        total[i] += term[i]


@numba.njit(**_exact)
def _long_relative_terms(high, low, top_high, top_low, total):
    for i in range(total.size):
        high[i] = _exp((high[i] - top_high[i]) + (low[i] - top_low[i]))
        total[i] += high[i]


@numba.njit(**_exact)
def _all_near(top, limit):
    far = 0
    for i in range(top.size):
        far += 0 if top[i] >= limit else 1
    return far == 0


@numba.njit(**_exact)
def _terms(y, w, mu, sigma, work):
    """Fill work (K + 2, 2, at least n); return the largest log term of each point and the total.

    The terms over the largest are in work[:K, 0]. Plain floats do while every point is near some
    component and no weight is minute: their error is in proportion to the log terms.
    """
    k, n = mu.size, y.size
    top, top_low, total = work[k, 0, :n], work[k, 1, :n], work[k + 1, 0, :n]
    top[:] = -np.inf
    total[:] = 0.0
    highest, lowest = LOG_ZERO, 0.0
    for j in range(k):
        c, _ = _log_height(w[j], sigma[j])
        highest = max(highest, c)
        lowest = min(lowest, c) if c > LOG_ZERO else lowest
        _log_terms(y, mu[j], sigma[j], c, work[j, 0], top)
    if lowest > -5.0 * NEAR and _all_near(top, highest - NEAR):
        for j in range(k):
            _relative_terms(work[j, 0], top, total)
        return top, total
    top[:] = -np.inf
    for j in range(k):
        c = _log_height(w[j], sigma[j])
        _long_log_terms(y, mu[j], sigma[j], c, work[j, 0], work[j, 1], top, top_low)
    for j in range(k):
        _long_relative_terms(work[j, 0], work[j, 1], top, top_low, total)
    return top, total


@numba.njit(**_summing)
def _log_sum(top, total, weight):
    """Return the log likelihood of a block and turn total into weight / total."""
    _widest()
    log_likelihood = 0.0
    for i in range(top.size):
        log_likelihood += weight[i] * (top[i] - HALF_LOG_2PI + _log(total[i]))
        total[i] = weight[i] / total[i]
    return log_likelihood


@numba.njit(**_summing)
def _component_sums(y, term, factor, mu, sigma):
    _widest()
    s0, s1, s2, inverse = 0.0, 0.0, 0.0, 1.0 / sigma
    for i in range(y.size):
        z = (y[i] - mu) * inverse
        r = term[i] * factor[i]
        s0 += r
        s1 += r * z
        s2 += r * z * z
    return s0, s1, s2


@numba.njit(**_inlined)
def _many_block(y, weight, w, mu, sigma, work, out):
    """Add the sums over a block to out (1 + 3 K), ordered as in `_two_block`."""
    k = mu.size
    top, total = _terms(y, w, mu, sigma, work)
    out[0] += _log_sum(top, total, weight)
    for j in range(k):
        s0, s1, s2 = _component_sums(y, work[j, 0], total, mu[j], sigma[j])
        out[1 + j] += s0
        out[1 + k + j] += s1
        out[1 + 2 * k + j] += s2


@numba.njit(**_exact)
def _two_sums(y, weight, w, mu, sigma, out):
    pair, work = _pair(w, mu, sigma), np.empty((2, min(BLOCK, y.size)))
    log_likelihood = a0 = b0 = a1 = b1 = a2 = b2 = 0.0
    for start in range(0, y.size, BLOCK):
        points, q = y[start : start + BLOCK], weight[start : start + BLOCK]
        if q.size:
            part = _two_block(points, q, pair, work)
        else:
            part = _two_block(points, None, pair, work)
        log_likelihood += part[0]
        a0 += part[1]
        b0 += part[2]
        a1 += part[3]
        b1 += part[4]
        a2 += part[5]
        b2 += part[6]
    s1, s2 = sigma
    out[0], out[1], out[2] = log_likelihood, a0, b0
    out[3], out[4], out[5], out[6] = s1 * a1, s2 * b1, s1 * s1 * a2, s2 * s2 * b2


@numba.njit(**_inlined)
def _many_sums(y, weight, w, mu, sigma, out):
    k = mu.size
    work = np.empty((k + 2, 2, min(BLOCK, y.size)))
    ones = np.ones(min(BLOCK, y.size))
    out[:] = 0.0
    for start in range(0, y.size, BLOCK):
        points, q = y[start : start + BLOCK], weight[start : start + BLOCK]
        if q.size == 0:
            q = _read_only(ones)[: points.size]
        _many_block(points, q, w, mu, sigma, work, out)
    for j in range(k):
        out[1 + k + j] *= sigma[j]
        out[1 + 2 * k + j] *= sigma[j] * sigma[j]


@numba.njit(**_exact)
def _sums(y, weight, w, mu, sigma, out):
    """Write log_likelihood, s0, s1, s2 of up to `CHUNK` points to out (1 + 3 K)."""
    if mu.size == 2:
        _two_sums(y, weight, w, mu, sigma, out)
    else:
        _many_sums(y, weight, w, mu, sigma, out)


@numba.njit(**_exact)
def one_pass(
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    w: NDArray[np.float64],
    mu: NDArray[np.float64],
    sigma: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Go once over one data set on one core, without the GIL.

    Compiled code for compiled callers: the arguments are not checked. It returns bit for bit
    what `e_step` does.

    Parameters
    ----------
    y : ndarray (n), C-contiguous float64
    weight : ndarray (n) or (0), C-contiguous float64
        Weights of the points; an empty array means that all are 1.
    w, mu, sigma : ndarray (K), C-contiguous float64

    Returns
    -------
    log_likelihood : float
    s0, s1, s2 : ndarray (K)
        See `Moments`.
    """
    k = mu.size
    total, part = np.zeros(1 + 3 * k), np.empty(1 + 3 * k)
    y_: Any = _read_only(y)
    weight_: Any = _read_only(weight)
    for start in range(0, y.size, CHUNK):
        _sums(y_[start : start + CHUNK], weight_[start : start + CHUNK], w, mu, sigma, part)
        total += part
    return total[0], total[1 : 1 + k], total[1 + k : 1 + 2 * k], total[1 + 2 * k :]


@numba.njit(**_inlined)
def _arrays(n, y_, weights, weight_, k, parameters_):
    y: Any = _read_only(numba.carray(pointer(y_), (n,), np.float64))
    weight = _read_only(numba.carray(pointer(weight_), (weights,), np.float64))
    parameters = numba.carray(pointer(parameters_), (3 * k,), np.float64)
    return y, weight, parameters[:k], parameters[k : 2 * k], parameters[2 * k :]


def _two_pass(n, y_, weights, weight_, k, parameters_, sums_):
    y, weight, w, mu, sigma = _arrays(n, y_, weights, weight_, k, parameters_)
    sums = numba.carray(pointer(sums_), (7,), np.float64)
    part = np.empty(7)
    sums[:] = 0.0
    for start in range(0, y.size, CHUNK):
        _two_sums(y[start : start + CHUNK], weight[start : start + CHUNK], w, mu, sigma, part)
        sums += part


def _many_pass(n, y_, weights, weight_, k, parameters_, sums_):
    y, weight, w, mu, sigma = _arrays(n, y_, weights, weight_, k, parameters_)
    sums = numba.carray(pointer(sums_), (1 + 3 * k,), np.float64)
    part = np.empty(sums.size)
    sums[:] = 0.0
    for start in range(0, y.size, CHUNK):
        _many_sums(y[start : start + CHUNK], weight[start : start + CHUNK], w, mu, sigma, part)
        sums += part


def _two_densities(n, y_, weights, weight_, k, parameters_, density_):
    y, _, w, mu, sigma = _arrays(n, y_, weights, weight_, k, parameters_)
    density = numba.carray(pointer(density_), (n,), np.float64)
    _two_log_density(y, _pair(w, mu, sigma), density)


def _many_densities(n, y_, weights, weight_, k, parameters_, density_):
    y, _, w, mu, sigma = _arrays(n, y_, weights, weight_, k, parameters_)
    density = numba.carray(pointer(density_), (n,), np.float64)
    work = np.empty((k + 2, 2, min(BLOCK, n)))
    for start in range(0, n, BLOCK):
        top, total = _terms(y[start : start + BLOCK], w, mu, sigma, work)
        for i in range(total.size):
            density[start + i] = top[i] - HALF_LOG_2PI + _log(total[i])


@lru_cache(maxsize=4)
def _address(function: Any) -> int:
    compile_ = numba.cfunc(PASS, cache=_exact["cache"], error_model="numpy")
    compiled: Any = compile_(function)
    return compiled.address


def pass_address(two: bool) -> int:
    """Address of the compiled pass: ``(n, y, weights, weight, k, parameters, sums)``.

    Whole numbers and addresses; ``parameters`` (3 K) are w, mu and sigma, ``sums`` (1 + 3 K) the
    log likelihood, s0, s1 and s2. Whoever calls it by its address runs the very same code. The
    one for two components is compiled apart from that for any number.
    """
    return _address(_two_pass if two else _many_pass)


def density_address(two: bool) -> int:
    """Address of the log densities at every point, with the arguments of the pass.

    In place of the sums come the densities (n); weights are not read.
    """
    return _address(_two_densities if two else _many_densities)
