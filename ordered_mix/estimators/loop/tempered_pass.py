"""Passes with other responsibilities than the posterior ones: tempered and hard."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.problem import Index, Problem

Array = NDArray[np.float64]


def tempered_pass(
    problem: Problem, runs: Index, w: Array, mu: Array, sigma: Array, temperature: float
) -> tuple[Array, ...]:
    """Log likelihood (NaN, not evaluated), free energy and moments at a temperature.

    ``(w N(y | mu, sigma))^b``, b = 1 / temperature, is a constant times
    ``w^b sigma^(1-b) N(y | mu, sigma / sqrt b)``, so an ordinary pass with other weights and
    scales serves. The free energy ``sum log sum_k (w_k N_k)^b / b`` is what EM then maximises.
    """
    b = 1 / temperature
    with np.errstate(divide="ignore"):
        log_weight = b * np.log(w) + (1 - b) * np.log(sigma)
    top = log_weight.max(axis=1, keepdims=True)
    weight = np.exp(log_weight - top)
    total = weight.sum(axis=1, keepdims=True)
    moments = problem.moments(runs, weight / total, mu, sigma / np.sqrt(b))
    constant = (top + np.log(total))[:, 0] + 0.5 * (1 - b) * np.log(2 * np.pi) - 0.5 * np.log(b)
    energy = (moments.log_likelihood + problem.total_weight[runs] * constant) / b
    return np.full(len(energy), np.nan), energy, moments.s0, moments.s1, moments.s2


def hard_pass(
    problem: Problem, runs: Index, w: Array, mu: Array, sigma: Array
) -> tuple[Array, ...]:
    """Log likelihood, classification log likelihood and moments of the hard assignment."""
    return _hard_moments(*problem.samples(runs), w, mu, sigma)


@numba.njit(cache=True, nogil=True)
def _hard_moments(y, weight, w, mu, sigma):
    """Log likelihood, classification log likelihood and moments of the hard assignment."""
    runs, k = mu.shape
    log_likelihood, classification = np.zeros(runs), np.zeros(runs)
    s0, s1, s2 = np.zeros((runs, k)), np.zeros((runs, k)), np.zeros((runs, k))
    terms = np.empty(k)
    for run in range(runs):
        for i in range(y.shape[1]):
            best = 0
            for j in range(k):
                z = (y[run, i] - mu[run, j]) / sigma[run, j]
                log_w = np.log(w[run, j]) if w[run, j] > 0 else -np.inf
                terms[j] = log_w - np.log(sigma[run, j]) - 0.5 * z * z - 0.9189385332046727
                if terms[j] > terms[best]:
                    best = j
            q, d = weight[run, i], y[run, i] - mu[run, best]
            classification[run] += q * terms[best]
            log_likelihood[run] += q * (terms[best] + np.log(np.sum(np.exp(terms - terms[best]))))
            s0[run, best] += q
            s1[run, best] += q * d
            s2[run, best] += q * d * d
    return log_likelihood, classification, s0, s1, s2
