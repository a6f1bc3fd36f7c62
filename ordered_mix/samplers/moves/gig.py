"""Exact draws of the generalised inverse Gaussian distribution, compiled."""

from __future__ import annotations

from math import cosh, exp, expm1, log, sinh, sqrt

import numba
import numpy as np

from ordered_mix.passes.fused import _exact


@numba.njit(**_exact)
def gig(p: float, a: float, b: float, rng: np.random.Generator) -> float:
    """One draw with the density proportional to ``x^(p - 1) exp(-(a x + b / x) / 2)``.

    Parameters
    ----------
    p : float
        At least 0.
    a, b : float
        Positive.
    rng : Generator

    Notes
    -----
    Rejection from a bound of the log-concave density of ``log x`` with one constant and two
    exponential pieces (Devroye 2014, Statistics and Computing 24, 239-246, section 4): the
    acceptance rate is bounded below for all parameters.
    """
    omega = sqrt(a) * sqrt(b)
    root = sqrt(omega * omega + p * p)
    alpha = omega * (omega / (root + p))
    right, left = _right_end(alpha, p), _left_end(alpha, p)
    eta, zeta = -_psi(right, alpha, p), -_slope(right, alpha, p)
    theta, xi = -_psi(-left, alpha, p), _slope(-left, alpha, p)
    above, below = 1.0 / zeta, 1.0 / xi
    start, end = -(left - below * theta), right - above * eta
    middle = end - start
    while True:
        piece = rng.random() * (below + middle + above)
        if piece < middle:
            x, bound = start + middle * rng.random(), 0.0
        elif piece < middle + above:
            x = end - above * log(1.0 - rng.random())
            bound = -eta - zeta * (x - right)
        else:
            x = start + below * log(1.0 - rng.random())
            bound = -theta + xi * (x + left)
        if log(1.0 - rng.random()) + bound <= _psi(x, alpha, p):
            return exp(x) * ((p + root) / omega) * sqrt(b / a)


@numba.njit(**_exact)
def _psi(x, alpha, p):
    """Log density of ``log x`` about its mode, 0 there."""
    return -alpha * (cosh(x) - 1.0) - p * (expm1(x) - x)


@numba.njit(**_exact)
def _slope(x, alpha, p):
    return -alpha * sinh(x) - p * expm1(x)


@numba.njit(**_exact)
def _right_end(alpha, p):
    drop = -_psi(1.0, alpha, p)
    if drop > 2.0:
        return sqrt(2.0 / (alpha + p))
    return 1.0 if drop >= 0.5 else log(4.0 / (alpha + 2.0 * p))


@numba.njit(**_exact)
def _left_end(alpha, p):
    drop = -_psi(-1.0, alpha, p)
    if drop > 2.0:
        return sqrt(4.0 / (alpha * cosh(1.0) + p))
    if drop >= 0.5:
        return 1.0
    by_alpha = log(1.0 + 1.0 / alpha + sqrt(1.0 / (alpha * alpha) + 2.0 / alpha))
    return min(1.0 / p, by_alpha) if p > 0.0 else by_alpha
