"""Exact posteriors of two equal components with unit scales: what draws are measured against.

Only the means are free, so that the posterior is a density in the plane. With the trapezoid rule
in the midpoint and Gauss-Legendre nodes in the gap every criterion has ten digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from scipy.stats import halfnorm, norm

from ordered_mix.arrays import Array, finite
from ordered_mix.passes.kernels import e_step, log_density

PRIORS = ("matched", "relative", "centred")
HALVES, ONES = np.full(2, 0.5), np.ones(2)
GAPS = 60
STEP = 0.4
COARSE = (33, 33)
DROP = 36.0
BINS = 400
BLOCK = 4_000_000


class ExactCriteria(NamedTuple):
    """Criteria of an exact posterior, sums over the points in nats.

    Attributes
    ----------
    elpd_waic, p_waic : float
        With the posterior variance of each point's log likelihood as its penalty.
    elpd_loo : float
        Leave-one-out cross-validation: ``-sum_i log E[1 / p(y_i)]`` is exact for it.
    training : float
        Log predictive density of the points themselves.
    """

    elpd_waic: float
    p_waic: float
    elpd_loo: float
    training: float


@dataclass(frozen=True, eq=False)
class MeansPosterior:
    """Posterior of the two means on nodes with their masses.

    Parameters
    ----------
    y : array, shape (n,)
        The data.
    mu : array, shape (nodes, 2)
        Increasing means.
    log_prior : array, shape (nodes,)
        Log prior mass of each node.
    log_likelihood : array, shape (nodes,)
    inverse_temperature : float
        Power of the likelihood. The nodes cover and resolve the posterior at this one only, so
        another one takes another posterior.
    """

    y: Array
    mu: Array
    log_prior: Array
    log_likelihood: Array
    inverse_temperature: float = 1.0

    def log_evidence(self) -> float:
        """Log of the mean of ``likelihood^inverse_temperature`` under the prior."""
        return float(logsumexp(self._log_joint()))

    def mass(self) -> Array:
        """Posterior mass of each node, shape (nodes,)."""
        return np.exp(self._log_joint() - self.log_evidence())

    def wbic(self) -> float:
        """Mean of minus the log likelihood in this posterior (Watanabe 2013)."""
        return float(-self.mass() @ self.log_likelihood)

    def criteria(self) -> ExactCriteria:
        """WAIC, leave-one-out cross-validation and the training score."""
        mass, nodes = self._support()
        sums = np.zeros(3)
        for block in _densities(self.y, nodes):
            mean = mass @ block
            variance = mass @ (block - mean) ** 2
            sums += [_log_mean(block, mass).sum(), variance.sum(), -_log_mean(-block, mass).sum()]
        training, p_waic, elpd_loo = sums.tolist()
        return ExactCriteria(training - p_waic, p_waic, elpd_loo, training)

    def log_predictive(self, points: ArrayLike) -> Array:
        """Log posterior predictive density at points, shape (points,)."""
        mass, nodes = self._support()
        points = finite("points", points)
        return np.concatenate([_log_mean(block, mass) for block in _densities(points, nodes)])

    def _log_joint(self) -> Array:
        return self.log_prior + self.inverse_temperature * self.log_likelihood

    def _support(self) -> tuple[Array, Array]:
        mass = self.mass()
        kept = mass > 1e-15 * mass.max()
        return mass[kept], self.mu[kept]


def means_posterior(
    y: ArrayLike,
    location: float = 0.0,
    spread: float = 2.0,
    prior: str = "matched",
    inverse_temperature: float = 1.0,
) -> MeansPosterior:
    """Posterior of the means of ``Normal(mu_1, 1) / 2 + Normal(mu_2, 1) / 2`` by quadrature.

    Parameters
    ----------
    y : array_like, shape (n,)
        At least 2 points.
    location, spread : float
        Mean and standard deviation of the prior's normals.
    prior : {"matched", "relative", "centred"}
        Means iid Normal(location, spread), or the native prior of a parameterization: mu_1, or
        the midpoint, ~ Normal(location, spread) and gap ~ HalfNormal(spread).
    inverse_temperature : float
        Power of the likelihood.

    Raises
    ------
    ValueError
        If y is not a vector of at least 2 finite points, or another argument is not accepted.
    """
    y = finite("y", y)
    if y.ndim != 1 or y.size < 2:
        raise ValueError(f"y must be a vector of at least 2 points, got shape {y.shape}")
    if prior not in PRIORS:
        raise ValueError(f"prior must be one of {', '.join(PRIORS)}, got {prior!r}")
    if not (spread > 0 and 0 < inverse_temperature <= 1):
        raise ValueError(
            "spread must be positive and inverse_temperature above 0 and at most 1, got "
            f"{spread} and {inverse_temperature}"
        )
    box = _box(y, location, spread, prior, inverse_temperature)
    # across the ridge the posterior is no narrower than one mean known to 1 / sqrt(n beta)
    width = float(np.diff(box[0])[0]) * np.sqrt(y.size * inverse_temperature)
    shape = max(32, int(np.ceil(width / STEP))), GAPS
    mu, log_prior = _nodes(box, shape, location, spread, prior)
    log_likelihood = e_step(y, HALVES, mu, ONES).log_likelihood
    return MeansPosterior(y, mu, log_prior, log_likelihood, inverse_temperature)


def learning_coefficient(first: MeansPosterior, second: MeansPosterior) -> float:
    """From the WBIC of two posteriors that differ in their inverse temperatures (Watanabe 2013).

    Raises
    ------
    ValueError
        If they do not differ in it.
    """
    betas = first.inverse_temperature, second.inverse_temperature
    if betas[0] == betas[1]:
        raise ValueError(
            f"inverse_temperature of first and second must differ, both are {betas[0]}"
        )
    return (first.wbic() - second.wbic()) / (1 / betas[0] - 1 / betas[1])


def _nodes(
    box: Array, shape: tuple[int, int], location: float, spread: float, prior: str
) -> tuple[Array, Array]:
    """Means and log prior masses, the gaps running fastest."""
    (left, right), (low, high) = box
    middle, step = np.linspace(left, right, shape[0], retstep=True)
    abscissa, weight = np.polynomial.legendre.leggauss(shape[1])
    gap = low + (high - low) * (abscissa + 1) / 2
    log_weight = np.log(step) + np.log(weight * (high - low) / 2)
    mu = np.stack([middle[:, None] - gap / 2, middle[:, None] + gap / 2], axis=-1)
    if prior == "matched":
        log_prior = norm.logpdf(mu, location, spread).sum(axis=-1) + np.log(2)
    else:
        anchor = mu[..., 0] if prior == "relative" else middle[:, None]
        log_prior = norm.logpdf(anchor, location, spread) + halfnorm.logpdf(gap, scale=spread)
    return mu.reshape(-1, 2), (log_prior + log_weight).ravel()


def _box(y: Array, location: float, spread: float, prior: str, beta: float) -> Array:
    """Where midpoint and gap have mass: a grid that is moved and narrowed until it stays."""
    points, weight = _binned(y)
    scale = max(float(y.std()), 0.5)
    box = np.array([y.mean() + scale * np.array([-3.0, 3.0]), [0.0, 6 * scale]])
    for _ in range(30):
        mu, _ = _nodes(box, COARSE, location, spread, prior)
        log_mass = beta * e_step(points, HALVES, mu, ONES, weight=weight).log_likelihood
        # the nodes' weights would count as prior: what matters here is the density
        log_mass = log_mass + norm.logpdf(mu, location, spread).sum(axis=-1)
        inside = (log_mass > log_mass.max() - DROP).reshape(COARSE)
        moved = np.array([_covered(inside.any(axis=1 - axis), box[axis]) for axis in (0, 1)])
        moved[1, 0] = max(moved[1, 0], 0.0)
        settled = np.abs(moved - box).max(axis=1) < 0.08 * np.diff(moved, axis=1)[:, 0]
        box = moved
        if settled.all():
            break
    return box


def _covered(inside: Array, edges: Array) -> Array:
    """The nodes inside with a step to spare, half the width more where they reach an edge."""
    low, high = edges
    step = (high - low) / (len(inside) - 1)
    first, last = np.flatnonzero(inside)[[0, -1]]
    spare_low = 0.5 * (high - low) if first == 0 else step
    spare_high = 0.5 * (high - low) if last == len(inside) - 1 else step
    return np.array([low + first * step - spare_low, low + last * step + spare_high])


def _binned(y: Array) -> tuple[Array, Array]:
    if y.size <= BINS:
        return y, np.ones(y.size)
    edges = np.linspace(y.min(), y.max(), BINS + 1)
    index = np.clip(np.searchsorted(edges, y, side="right") - 1, 0, BINS - 1)
    count = np.bincount(index, minlength=BINS)
    total = np.bincount(index, y, minlength=BINS)
    return total[count > 0] / count[count > 0], count[count > 0].astype(np.float64)


def _densities(points: Array, mu: Array) -> Iterator[Array]:
    """Log densities, shape (nodes, points of a block)."""
    size = max(1, BLOCK // len(mu))
    for start in range(0, points.size, size):
        yield log_density(points[start : start + size], HALVES, mu, ONES)


def _log_mean(block: Array, mass: Array) -> Array:
    top = block.max(axis=0)
    return top + np.log(mass @ np.exp(block - top))
