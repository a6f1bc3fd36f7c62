"""Predictive criteria from draws: WAIC and PSIS-LOO, pointwise, and their paired differences.

A pointwise log likelihood is one array of shape (chain, draw, point), or an iterable of such arrays
that are consecutive blocks of points, so that memory stays bounded whatever the number of points.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import xarray as xr
from arviz_stats import ELPDData, ELPDDataLOO
from arviz_stats.base import array_stats
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from ordered_mix.diagnostics._draws import Array, finite, mixture_draws
from ordered_mix.kernels import log_density

HIGH_P_WAIC = 0.4
POINT = "point"

PointwiseLogLikelihood = NDArray[np.float64] | Iterable[NDArray[np.float64]]


@dataclass(kw_only=True, repr=False)
class ELPDDataWAIC(ELPDData):
    """WAIC in the style of ArviZ's ``ELPDData``: it prints, compares and plots like LOO there.

    Attributes
    ----------
    p_waic_i : DataArray
        Posterior variance of the log likelihood of each point (ddof = 1).
    n_high_p : int
        Number of points with ``p_waic_i`` above 0.4, for which WAIC is unreliable
        (Vehtari, Gelman & Gabry 2017).
    """

    _kind: ClassVar[str] = "waic"

    p_waic_i: xr.DataArray
    n_high_p: int

    def _footer(self) -> str:
        if not self.n_high_p:
            return ""
        return (
            f"\n\n{self.n_high_p} of {self.n_data_points} points have p_waic above {HIGH_P_WAIC}; "
            "prefer LOO."
        )


class Difference(NamedTuple):
    """Difference of two expected log predictive densities, first minus second."""

    elpd: float
    se: float

    @property
    def z(self) -> float:
        """The difference in paired standard errors; 0 if the two agree at every point."""
        return self.elpd / self.se if self.se > 0 else 0.0


def pointwise_log_likelihood(
    y: ArrayLike, w: ArrayLike, mu: ArrayLike, sigma: ArrayLike, megabytes: float = 64
) -> Iterator[Array]:
    """Log likelihood of every point in every draw, in blocks of points.

    Parameters
    ----------
    y : array_like, shape (point,)
        The data.
    w, mu, sigma : array_like, shape (chain, draw, component)
        Draws of the mixture, raw or folded: the values do not depend on labels.
    megabytes : float
        Size of a block.

    Yields
    ------
    ndarray, shape (chain, draw, points of the block)
    """
    y = finite("y", y)
    if y.ndim != 1 or y.size == 0:
        raise ValueError(f"y must be a non-empty vector, got an array of shape {y.shape}")
    if not megabytes > 0:
        raise ValueError(f"megabytes must be positive, got {megabytes}")
    w, mu, sigma = mixture_draws(w, mu, sigma)
    points = max(1, int(megabytes * 1e6 / (8 * mu.shape[0] * mu.shape[1])))
    blocks = (y[start : start + points] for start in range(0, y.size, points))
    return (log_density(block, w, mu, sigma) for block in blocks)


def waic(log_likelihood: PointwiseLogLikelihood) -> ELPDDataWAIC:
    """Widely applicable information criterion, on the scale of the log predictive density.

    ``elpd_i = log mean_s p(y_i | s) - var_s log p(y_i | s)`` with the variance on S - 1 degrees of
    freedom, and ``se = sqrt(n var_i elpd_i)``, both as in the R package loo.

    Parameters
    ----------
    log_likelihood : ndarray, shape (chain, draw, point), or an iterable of such blocks of points
        For example `pointwise_log_likelihood`.

    Returns
    -------
    ELPDDataWAIC
        ``elpd``, ``se``, ``p``, pointwise ``elpd_i`` and ``p_waic_i``, and ``n_high_p``.

    Raises
    ------
    ValueError
        If a block is malformed, not finite, or has fewer than two draws.

    References
    ----------
    Watanabe (2010), JMLR 11, 3571-3594.
    Vehtari, Gelman & Gabry (2017), Statistics and Computing 27, 1413-1432, section 2.
    """
    log_mean, variance, samples = [], [], 0
    for block in _blocks(log_likelihood):
        samples = block.shape[0] * block.shape[1]
        flat = block.reshape(samples, -1)
        log_mean.append(logsumexp(flat, axis=0) - np.log(samples))
        variance.append(np.var(flat, axis=0, ddof=1))
    p_i = np.concatenate(variance)
    elpd_i = np.concatenate(log_mean) - p_i
    n_high_p = int(np.sum(p_i > HIGH_P_WAIC))
    return ELPDDataWAIC(
        **_summary(elpd_i, p_i, samples),
        warning=n_high_p > 0,
        good_k=None,
        p_waic_i=_points(p_i),
        n_high_p=n_high_p,
    )


def loo(log_likelihood: PointwiseLogLikelihood) -> ELPDDataLOO:
    """Leave-one-out cross-validation by Pareto smoothed importance sampling, through ArviZ.

    The relative efficiency is that of the likelihood of each point, as in the R package loo, so
    that the result depends neither on the labels nor on the coordinates of the draws.

    Parameters
    ----------
    log_likelihood : ndarray, shape (chain, draw, point), or an iterable of such blocks of points
        For example `pointwise_log_likelihood`.

    Returns
    -------
    ELPDDataLOO
        With pointwise ``elpd_i``, ``p_loo_i`` and ``pareto_k``; ``warning`` is True if a k-hat
        exceeds ``good_k``.

    Raises
    ------
    ValueError
        If a block is malformed, not finite, or has fewer than four draws per chain.

    References
    ----------
    Vehtari, Gelman & Gabry (2017), Statistics and Computing 27, 1413-1432.
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), JMLR 25(72).
    """
    pointwise, samples = [], 0
    for block in _blocks(log_likelihood, min_draws=4):
        samples = block.shape[0] * block.shape[1]
        pointwise.extend(_loo_point(block[:, :, i]) for i in range(block.shape[2]))
    elpd_i, pareto_k, p_i = np.array(pointwise, dtype=np.float64).T
    good_k = min(1 - 1 / np.log10(samples), 0.7)
    return ELPDDataLOO(
        **_summary(elpd_i, p_i, samples),
        warning=bool(np.any(pareto_k > good_k)),
        good_k=good_k,
        pareto_k=_points(pareto_k),
        p_loo_i=_points(p_i),
    )


def difference(first: ELPDData, second: ELPDData) -> Difference:
    """Difference of two criteria of one kind on the same points, with its paired standard error.

    ``se = sqrt(n var_i(first_i - second_i))`` on n - 1 degrees of freedom (Vehtari, Gelman &
    Gabry 2017, section 5).

    Raises
    ------
    ValueError
        If the two are of different kinds or hold different numbers of points.
    """
    if first.kind != second.kind:
        raise ValueError(
            f"second must be of the kind {first.kind!r} of first, got {second.kind!r}"
        )
    if first.n_data_points != second.n_data_points or first.n_data_points < 2:
        raise ValueError(
            f"second must hold the same points as first and at least 2, got "
            f"{second.n_data_points} and {first.n_data_points} points"
        )
    gap = np.asarray(first.elpd_i) - np.asarray(second.elpd_i)
    return Difference(float(gap.sum()), _se(gap))


def _loo_point(log_likelihood: Array) -> tuple[float, float, float]:
    likelihood = np.exp(log_likelihood - log_likelihood.max())
    r_eff = 1.0
    if np.ptp(likelihood) > np.finfo(float).resolution:
        r_eff = float(
            array_stats.ess(likelihood, chain_axis=0, draw_axis=1, method="mean", relative=True)
        )
    return array_stats.loo(log_likelihood, chain_axis=0, draw_axis=1, r_eff=r_eff)


def _blocks(log_likelihood: PointwiseLogLikelihood, min_draws: int = 2) -> Iterator[Array]:
    blocks = [log_likelihood] if isinstance(log_likelihood, np.ndarray) else log_likelihood
    draws: tuple[int, ...] | None = None
    for values in blocks:
        block = np.asarray(values, dtype=np.float64)
        if block.ndim != 3 or block.size == 0:
            raise ValueError(
                "log_likelihood must have the axes (chain, draw, point), all non-empty, "
                f"got an array of shape {block.shape}"
            )
        if draws not in (None, block.shape[:2]) or block.shape[1] < min_draws:
            raise ValueError(
                f"log_likelihood must have at least {min_draws} draws per chain, the same in every "
                f"block, got blocks of shape {draws or block.shape} and {block.shape}"
            )
        draws = block.shape[:2]
        yield finite("log_likelihood", block)
    if draws is None:
        raise ValueError("log_likelihood must hold at least one block of points, got none")


def _summary(elpd_i: Array, p_i: Array, samples: int) -> dict:
    if elpd_i.size < 2:
        raise ValueError("log_likelihood must hold at least 2 points for a standard error, got 1")
    return {
        "elpd": float(elpd_i.sum()),
        "se": _se(elpd_i),
        "p": float(p_i.sum()),
        "n_samples": samples,
        "n_data_points": elpd_i.size,
        "scale": "log",
        "elpd_i": _points(elpd_i),
    }


def _se(pointwise: Array) -> float:
    return float(np.sqrt(pointwise.size * np.var(pointwise, ddof=1)))


def _points(values: Array) -> xr.DataArray:
    return xr.DataArray(values, dims=[POINT])
