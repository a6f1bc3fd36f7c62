"""A triangular map between a standard normal and draws, learnt from them, for a sampler to move in.

After the affine map that whitens the draws, coordinate i of the draws is

    v_i = m_i(x_1 .. x_{i-1}) + exp(s_i(x_1 .. x_{i-1})) sinh((arcsinh x_i + e_i) / d_i),

the last factor the sinh-arcsinh of Jones & Pewsey (2009, Biometrika 96, 761-780). m is a linear
function and s one of ``t = x / sqrt(1 + x^2 / 9)``, both plus a quadratic form in t: far out m is
linear and s constant. Such a map is a bijection whatever its coefficients. They are fitted
coordinate by coordinate, by maximum likelihood with a ridge (Parno & Marzouk 2018, SIAM/ASA JUQ 6,
645-682).
"""

# numba's own types do not know what the compiled functions take.
# mypy: disable-error-code="call-arg,unreachable"

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numba
import numpy as np
from scipy import optimize

from ordered_mix.arrays import Array
from ordered_mix.passes.fused import can_cache

_options: dict[str, Any] = {"cache": can_cache(), "error_model": "numpy"}
REACH, RIDGE, BEND, SKEW = 9.0, 0.05, 0.7, 1.5


@dataclass(frozen=True, eq=False)
class TriangularMap:
    """A bijection of x, to be standard normal, to z.

    Attributes
    ----------
    center : ndarray, shape (dimension,)
    whitening : ndarray, shape (dimension, dimension)
        From v to ``z - center``, triangular but for the order of the rows.
    coefficients : ndarray, shape (2 dimension, terms)
        Of m, then of s: a constant, x, t, and a symmetric quadratic form in t.
    skew, bend : ndarray, shape (dimension,)
        e and d.
    """

    center: Array
    whitening: Array
    coefficients: Array
    skew: Array
    bend: Array

    def forward(self, x: Array) -> tuple[Array, Array]:
        """z and the log determinant of its derivative, shapes (..., dimension) and (...)."""
        place, log_scale = np.split(_terms(x) @ self.coefficients.T, 2, axis=-1)
        y = (np.arcsinh(x) + self.skew) / self.bend
        v = place + np.exp(log_scale) * np.sinh(y)
        log_slope = np.log(np.cosh(y)) - np.log(self.bend) - 0.5 * np.log1p(x * x)
        return self.center + v @ self.whitening.T, self.constant + (log_scale + log_slope).sum(-1)

    def inverse(self, z: Array) -> Array:
        """x of z, shape (..., dimension)."""
        v = (z - self.center) @ np.linalg.inv(self.whitening).T
        x = np.zeros_like(v)
        for i in range(v.shape[-1]):
            place, log_scale = np.split(_terms(x) @ self.coefficients.T, 2, axis=-1)
            y = np.arcsinh((v[..., i] - place[..., i]) * np.exp(-log_scale[..., i]))
            x[..., i] = np.sinh(self.bend[i] * y - self.skew[i])
        return x

    @property
    def constant(self) -> float:
        """Log determinant of the whitening."""
        return float(np.linalg.slogdet(self.whitening)[1])

    @property
    def numbers(self) -> Array:
        """The attributes, the log determinant of the whitening first, in one vector."""
        parts = self.whitening, self.coefficients, self.center, self.skew, self.bend
        return np.concatenate([[self.constant], *(np.ravel(part) for part in parts)])

    @property
    def affine(self) -> TriangularMap:
        """The affine part alone."""
        d = self.center.size
        coefficients = np.zeros_like(self.coefficients)
        return replace(self, coefficients=coefficients, skew=np.zeros(d), bend=np.ones(d))

    @property
    def place(self) -> Any:
        """Compiled ``(x, numbers) -> z``, of one point."""
        return _place

    @property
    def pull(self) -> Any:
        """Compiled ``(x, gradient, numbers)``: see `mapped.Bijection`."""
        return _pull


def fitted(z: Array, order: tuple[int, ...]) -> TriangularMap:
    """The map of draws, shape (draw, dimension), with its coordinates in this order."""
    center, d = z.mean(axis=0), len(order)
    root = np.linalg.cholesky(np.cov(z[:, order].T))
    v = np.linalg.solve(root, (z - center)[:, order].T).T
    whitening = np.empty((d, d))
    whitening[list(order)] = root
    coefficients, last = np.zeros((2 * d, 1 + 2 * d + d * d)), np.zeros((2, d))
    x = np.zeros_like(v)
    for i in range(d):
        terms = _terms(x)
        kept = np.zeros((2, terms.shape[1]), dtype=bool)
        kept[:, 0] = kept[0, 1 : 1 + i] = kept[1, 1 + d : 1 + d + i] = True
        kept[:, 1 + 2 * d :] = np.pad(np.tri(i, dtype=bool), (0, d - i)).ravel()
        place, log_scale, last[:, i] = _component(v[:, i], terms[:, kept[0]], terms[:, kept[1]])
        coefficients[i, kept[0]], coefficients[d + i, kept[1]] = place, log_scale
        rest = (v[:, i] - terms @ coefficients[i]) * np.exp(-terms @ coefficients[d + i])
        x[:, i] = np.sinh(last[1, i] * np.arcsinh(rest) - last[0, i])
    square = coefficients[:, 1 + 2 * d :].reshape(-1, d, d)
    coefficients[:, 1 + 2 * d :] = (0.5 * (square + square.swapaxes(1, 2))).reshape(2 * d, -1)
    return TriangularMap(center, whitening, coefficients, *last)


@numba.njit(**_options)
def _unpacked(numbers, d):
    """Whitening, coefficients, center, skew and bend."""
    terms = 1 + 2 * d + d * d
    first, last = 1 + d * d, 1 + d * d + 2 * d * terms
    whitening = numbers[1:first].reshape(d, d)
    coefficients, ends = numbers[first:last].reshape(2 * d, terms), numbers[last:].reshape(3, d)
    return whitening, coefficients, ends[0], ends[1], ends[2]


@numba.njit(**_options)
def _parts(x, coefficients, skew, bend):
    """t, then m, s, and the argument of sinh."""
    d = x.size
    t = x / np.sqrt(1 + x * x / REACH)
    out = coefficients[:, 0].copy()
    for i in range(2 * d):
        for j in range(d):
            out[i] += coefficients[i, 1 + j] * x[j] + coefficients[i, 1 + d + j] * t[j]
            for k in range(d):
                out[i] += coefficients[i, 1 + 2 * d + j * d + k] * t[j] * t[k]
    return t, out[:d], out[d:], (np.arcsinh(x) + skew) / bend


@numba.njit(**_options)
def _place(x, numbers):
    d = x.size
    whitening, coefficients, center, skew, bend = _unpacked(numbers, d)
    _, place, log_scale, y = _parts(x, coefficients, skew, bend)
    v, z = place + np.exp(log_scale) * np.sinh(y), center.copy()
    for i in range(d):
        for j in range(d):
            z[i] += whitening[i, j] * v[j]
    return z


@numba.njit(**_options)
def _pull(x, gradient, numbers):
    d = x.size
    whitening, coefficients, _, skew, bend = _unpacked(numbers, d)
    t, _, log_scale, y = _parts(x, coefficients, skew, bend)
    back = np.zeros(2 * d)
    for i in range(d):
        for j in range(d):
            back[j] += whitening[i, j] * gradient[i]
    along = np.exp(log_scale) * back[:d]
    back[d:] = along * np.sinh(y) + 1
    norm = np.sqrt(1 + x * x)
    slope, bounded = np.cosh(y) / (bend * norm), (1 + x * x / REACH) ** -1.5
    out = along * slope + np.tanh(y) / (bend * norm) - x / norm**2
    for i in range(2 * d):
        for j in range(d):
            by_t = coefficients[i, 1 + d + j]
            for k in range(d):
                by_t += 2 * coefficients[i, 1 + 2 * d + j * d + k] * t[k]
            out[j] += back[i] * (coefficients[i, 1 + j] + bounded[j] * by_t)
    return numbers[0] + np.sum(log_scale) + np.sum(np.log(slope)), out


def _terms(x: Array) -> Array:
    t = x / np.sqrt(1 + x * x / REACH)
    square = (t[..., :, None] * t[..., None, :]).reshape(*t.shape[:-1], -1)
    return np.concatenate([np.ones((*t.shape[:-1], 1)), x, t, square], axis=-1)


def _component(v: Array, place: Array, log_scale: Array) -> tuple[Array, Array, Array]:
    """Coefficients of m and s, and (e, d), for one coordinate of the draws."""
    a, b = place.shape[1], log_scale.shape[1]

    def loss(theta: Array) -> tuple[float, Array]:
        skew, bend = theta[-2], np.exp(theta[-1])
        shift = np.exp(-log_scale @ theta[a:-2])
        rest = (v - place @ theta[:a]) * shift
        norm, y = np.sqrt(1 + rest * rest), np.arcsinh(rest)
        q = bend * y - skew
        x = np.sinh(q)
        log_density = -0.5 * x * x + theta[-1] + np.log(np.cosh(q) / norm * shift)
        by_q = x * np.cosh(q) - np.tanh(q)
        by_rest = by_q * bend / norm + rest / norm**2
        gradient = np.concatenate([
            -(by_rest * shift) @ place, (1 - by_rest * rest) @ log_scale,
            [-by_q.sum(), (by_q * y).sum() * bend - len(v)],
        ]) / len(v)  # fmt: skip
        penalty = RIDGE * theta
        penalty[[0, a]] = 0.0
        return float(-log_density.mean() + 0.5 * penalty @ theta), gradient + penalty

    bounds = [(None, None)] * (a + b) + [(-SKEW, SKEW), (-BEND, BEND)]
    found = optimize.minimize(
        loss, np.zeros(a + b + 2), jac=True, method="L-BFGS-B", bounds=bounds
    ).x
    return found[:a], found[a:-2], np.array([found[-2], np.exp(found[-1])])
