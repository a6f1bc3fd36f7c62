"""Bessel functions of the adaptive prior, compiled."""

from math import asinh, cosh, exp, lgamma, log, pi

import numba

from ordered_mix.passes.fused import _exact

LARGE = 1e15  # where they have their limit to rounding


@numba.njit(**_exact)
def bessel_k(order, x):
    """Log of the Bessel function K, and the next one's ratio to it, by the trapezoid rule.

    ``K_v(x)`` is half the integral of ``exp(-x cosh t + v t)`` over the line (DLMF 10.32.9), whose
    integrand falls exponentially to the left of its largest value and faster to the right.
    """
    if not x < LARGE:
        return 0.5 * log(0.5 * pi / x) - x, 1.0
    if x < 1e-8:
        return lgamma(order) - log(2.0) + order * log(2.0 / x), 2.0 * order / x
    peak = asinh(order / x)
    width = (x * x + order * order) ** -0.25
    top = order * peak - x * cosh(peak)
    # near its peak it is a normal density of sd width, for which the rule errs by exp(-55)
    step = min(0.25, 0.6 * width)
    low, high = peak - max(9.0 * width, 40.0 / order), peak + 9.0 * width
    count = int((high - low) / step) + 1
    first = second = 0.0
    for i in range(count):
        t = low + i * step
        power = exp(t)
        term = exp(order * t - 0.5 * x * (power + 1.0 / power) - top)
        first += term
        second += term * power
    return log(0.5 * step * first) + top, second / first
