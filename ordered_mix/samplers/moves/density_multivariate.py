"""The posterior density in several dimensions, compiled: the tape of the model file, the pass."""

# numba's own types do not know what the compiled functions take.
# mypy: disable-error-code="call-arg"

from __future__ import annotations

from math import exp, log, pi, sqrt
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.multivariate.covariances import free_shape
from ordered_mix.multivariate.reference import log_density_factors
from ordered_mix.parameterization.maps import TapeMap
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.parameterization.tape import NO_SCORES, run
from ordered_mix.passes.fused import _exact
from ordered_mix.passes.points import one_pass
from ordered_mix.samplers.moves.bessel import bessel_k
from ordered_mix.samplers.moves.matrices import inverted
from ordered_mix.samplers.moves.sweeps_multivariate import FULL, KINDS, SPHERICAL, TIED

Array = NDArray[np.float64]


class Given(NamedTuple):
    """What the compiled density is given beside the point."""

    program: NDArray[np.int64]
    fixed: Array
    outputs: NDArray[np.int64]
    k: int
    kind: int
    location: Array
    centre: float
    b: Array
    across: Array
    betas: Array
    b0: Array
    order: float
    powers: Array
    constant: float
    y: Array
    weight: Array
    temperature: float


def given(standard: MultivariateParameterization, data: Data, temperature: float) -> Given | None:
    """The arguments of `density`, None where the model file has an operation that a tape lacks.

    Parameters
    ----------
    standard : MultivariateParameterization
    data : Data
        One sample, weighted or not, in the units of the prior.
    temperature : float
        Power of the likelihood.
    """
    prior, along = standard.prior, standard.along
    known = along.graph.posterior()
    if not isinstance(known, TapeMap):
        return None
    d, k = prior.d, standard.k
    matrices, entries = free_shape(prior.covariance, k, d)
    wishart = prior.covariance in ("full", "tied")
    powers = np.arange(1.0, d + 1) + d + 2 if wishart else np.full(entries, 4.0)
    adaptive = prior.scale_family == "adaptive"
    made = Given(
        known.tape.program, known.fixed(along.prior.numbers()), known.tape.outputs, k,
        KINDS[prior.covariance], np.array(prior.location), float(along.prior.location),
        *standard.frame, prior.betas, prior.b0 if adaptive else np.zeros(0),
        matrices * prior.power - 0.5, powers, 0.0, np.ascontiguousarray(data.y.T),
        np.zeros(0) if data.weight is None else np.ascontiguousarray(data.weight),
        float(temperature),
    )  # fmt: skip
    # the constant is what the density of unit factors lacks
    root = np.broadcast_to(np.eye(d), (k, d, d))
    total = np.full(prior.betas.size, float(matrices))
    exact = float(log_density_factors(prior, root)) - 0.5 * k * (d - 1) * np.log(2 * np.pi)
    return made._replace(constant=exact - _log_rates(made.betas, made.b0, made.order, total)[0])


@numba.njit(**_exact)
def density(z: Array, given: Given) -> tuple[float, Array]:
    """Log posterior of z (dimension), unnormalised, and its gradient, for one pass."""
    k, d, kind = given.k, given.location.size, given.kind
    matrices = 1 if kind == TIED else k
    entries = given.powers.size
    if kind in (FULL, TIED):
        entries += d * (d - 1) // 2
    second = z.size - matrices * entries
    first = second - k * (d - 1)
    own = z[:first].copy().reshape(1, first)
    found = run(given.program, given.fixed, own, given.outputs, NO_SCORES, False)[0]
    across = z[first:second].copy().reshape(k, d - 1)
    free = z[second:].copy().reshape(matrices, entries)
    w, mu = found[:k].copy(), np.empty((k, d))
    for j in range(k):
        for row in range(d):
            mu[j, row] = given.location[row] + (found[k + j] - given.centre) * given.b[row]
            for column in range(d - 1):
                mu[j, row] += given.across[row, column] * across[j, column]
    root = _roots(free, k, d, kind)
    log_likelihood, s0, z1, z2 = one_pass(given.y, given.weight, w, mu, root)
    out, scores = np.empty(z.size), np.zeros((1, found.size))
    scores[0, 3 * k] = 1.0
    value = found[3 * k] + given.constant + given.temperature * log_likelihood
    inverse = np.empty((k, d, d))
    for j in range(k):
        inverse[j] = inverted(root[j])
        scores[0, j] = given.temperature * s0[j] / w[j]
        for row in range(d):
            slope = 0.0
            for i in range(row, d):
                slope += inverse[j, i, row] * z1[j, i]
            slope *= given.temperature
            scores[0, k + j] += slope * given.b[row]
            z1[j, row] = slope
        for column in range(d - 1):
            total = -across[j, column]
            value -= 0.5 * across[j, column] ** 2
            for row in range(d):
                total += given.across[row, column] * z1[j, row]
            out[first + j * (d - 1) + column] = total
    out[:first] = run(given.program, given.fixed, own, given.outputs, scores, True)[0]
    value += _factors(given, free, root, inverse, s0, z2, out[second:])
    return value, out


@numba.njit(**_exact)
def _roots(free, k, d, kind):
    root = np.zeros((k, d, d))
    for j in range(k):
        at = 0 if kind == TIED else j
        place = d
        for row in range(d):
            root[j, row, row] = exp(free[at, 0 if kind == SPHERICAL else row])
            if kind in (FULL, TIED):
                for column in range(row):
                    root[j, row, column] = free[at, place]
                    place += 1
    return root


@numba.njit(**_exact)
def _factors(given, free, root, inverse, s0, z2, out):
    """Log prior of the factors but for a constant; write the gradient of all by them to out."""
    k, d, kind = given.k, given.location.size, given.kind
    matrices, entries = free.shape
    logs = given.powers.size
    total = np.zeros(given.betas.size)
    for j in range(matrices):
        for row in range(d):
            for column in range(row + 1):
                if kind != SPHERICAL:
                    total[column] += inverse[j, row, column] ** 2
                elif row == column == 0:
                    total[0] += inverse[j, 0, 0] ** 2
    value, rate = _log_rates(given.betas, given.b0, given.order, total)
    out[:] = 0.0
    for j in range(k):
        at = 0 if kind == TIED else j
        slope = _likelihood_slope(inverse[j], s0[j], z2[j])
        slope *= given.temperature
        if kind in (FULL, TIED) and j < matrices:
            slope += _prior_slope(inverse[j], rate)
        place = d
        for row in range(d):
            own = at * entries + (0 if kind == SPHERICAL else row)
            out[own] += root[j, row, row] * slope[row, row]
            if kind in (FULL, TIED):
                for column in range(row):
                    out[at * entries + place] += slope[row, column]
                    place += 1
    for j in range(matrices):
        for row in range(logs):
            value -= given.powers[row] * free[j, row]
            out[j * entries + row] -= given.powers[row]
            if kind not in (FULL, TIED):
                out[j * entries + row] += 2.0 * rate[row] * exp(-2.0 * free[j, row])
    return value


@numba.njit(**_exact)
def _likelihood_slope(inverse, s0, z2):
    """Lower triangle of ``L^-T (z2 - s0 I)``."""
    d = inverse.shape[0]
    slope = np.zeros((d, d))
    for row in range(d):
        for column in range(row + 1):
            for i in range(row, d):
                excess = z2[i, column] - (s0 if i == column else 0.0)
                slope[row, column] += inverse[i, row] * excess
    return slope


@numba.njit(**_exact)
def _prior_slope(inverse, rate):
    """Lower triangle of ``2 L^-T L^-1 diag(rate) L^-T``."""
    d = inverse.shape[0]
    inner, slope = np.zeros((d, d)), np.zeros((d, d))
    for row in range(d):
        for column in range(d):
            for i in range(min(row, column) + 1):
                inner[row, column] += inverse[row, i] * rate[i] * inverse[column, i]
    for row in range(d):
        for column in range(row + 1):
            for i in range(row, d):
                slope[row, column] += 2.0 * inverse[i, row] * inner[i, column]
    return slope


@numba.njit(**_exact)
def _log_rates(betas, b0, order, total):
    """Log of ``prod beta^(order + 1/2) exp(-beta total)``, or of its mean, and the mean betas."""
    value, rate = 0.0, np.empty(total.size)
    for at in range(total.size):
        if b0.size == 0:
            value += (order + 0.5) * log(betas[at]) - betas[at] * total[at]
            rate[at] = betas[at]
            continue
        bessel, ratio = bessel_k(order, 2.0 * sqrt(b0[at] * total[at]))
        value += 0.5 * log(b0[at] / pi) + log(2.0) + bessel
        value += 0.5 * order * (log(b0[at]) - log(total[at]))
        rate[at] = sqrt(b0[at] / total[at]) * ratio
    return value, rate
