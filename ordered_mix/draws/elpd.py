"""Predictive criteria from draws: WAIC and PSIS-LOO, pointwise, and their paired differences.

A pointwise log likelihood is one array of shape (chain, draw, point), or an iterable of such arrays
that are consecutive blocks of points, so that memory stays bounded whatever the number of points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import arviz_stats
import numpy as np
import xarray as xr
from arviz_stats import ELPDData, ELPDDataLOO
from arviz_stats.base import array_stats
from scipy.special import logsumexp

from ordered_mix.arrays import Array
from ordered_mix.draws.pointwise import (
    PointwiseLogLikelihood,
    point_blocks,
    pointwise_log_likelihood,
)

__all__ = [
    "Difference",
    "ELPDDataPSIS",
    "ELPDDataWAIC",
    "difference",
    "loo",
    "pointwise_log_likelihood",
    "waic",
]

HIGH_P_WAIC = 0.4
POINT = "point"


@dataclass(kw_only=True, repr=False)
class ELPDDataWAIC(ELPDData):
    """WAIC in the style of ArviZ's ``ELPDData``: it prints, compares and plots like LOO there.

    Attributes
    ----------
    mcse : float
        Monte Carlo standard error of ``elpd``: what another run of the chains would change.
    p_waic_i : DataArray
        Posterior variance of the log likelihood of each point (ddof = 1).
    n_high_p : int
        Number of points with ``p_waic_i`` above 0.4, for which WAIC is unreliable
        (Vehtari, Gelman & Gabry 2017).
    """

    _kind: ClassVar[str] = "waic"

    mcse: float
    p_waic_i: xr.DataArray
    n_high_p: int

    def _footer(self) -> str:
        if not self.n_high_p:
            return ""
        return (
            f"\n\n{self.n_high_p} of {self.n_data_points} points have p_waic above {HIGH_P_WAIC}; "
            "prefer LOO."
        )


@dataclass(kw_only=True, repr=False)
class ELPDDataPSIS(ELPDDataLOO):
    """ArviZ's ``ELPDDataLOO`` with the Monte Carlo standard error of ``elpd``.

    Attributes
    ----------
    mcse : float
        Monte Carlo standard error of ``elpd``, from the unsmoothed importance weights; it is
        unreliable where k-hat exceeds ``good_k``.
    subsample_size : int, optional
        Number of points whose LOO was computed, if not all (`draws.predictive`); the error of
        the subsample is in ``mcse``, and ``pareto_k`` is NaN at the others.
    """

    mcse: float
    subsample_size: int | None = None

    @property
    def largest_pareto_k(self) -> float:
        """Largest k-hat of the points whose LOO was computed."""
        return float(np.nanmax(self.pareto_k))


class Difference(NamedTuple):
    """Difference of two expected log predictive densities, first minus second."""

    elpd: float
    se: float

    @property
    def z(self) -> float:
        """The difference in paired standard errors; 0 if the two agree at every point."""
        return self.elpd / self.se if self.se > 0 else 0.0


def waic(log_likelihood: PointwiseLogLikelihood) -> ELPDDataWAIC:
    """Widely applicable information criterion, on the scale of the log predictive density.

    ``elpd_i = log mean_s p(y_i | s) - var_s log p(y_i | s)`` with the variance on S - 1 degrees of
    freedom, and ``se = sqrt(n var_i elpd_i)``, both as in the R package loo.

    Parameters
    ----------
    log_likelihood : ndarray, shape (chain, draw, point), or an iterable of such blocks of points
        For example from `pointwise_log_likelihood`.

    Returns
    -------
    ELPDDataWAIC
        ``elpd``, ``se``, ``p``, ``mcse``, pointwise ``elpd_i`` and ``p_waic_i``, and ``n_high_p``.

    Raises
    ------
    ValueError
        If a block is malformed, not finite, or has fewer than four draws per chain.

    References
    ----------
    Watanabe (2010), JMLR 11, 3571-3594.
    Vehtari, Gelman & Gabry (2017), Statistics and Computing 27, 1413-1432, section 2.
    """
    elpd, p = [], []
    influence: Array = np.zeros(())
    for block in point_blocks(log_likelihood):
        variance = np.var(block, axis=(0, 1), ddof=1)
        log_mean = logsumexp(block, axis=(0, 1)) - np.log(block[..., 0].size)
        elpd.append(log_mean - variance)
        p.append(variance)
        influence = influence + _waic_influence(block, log_mean, variance)
    p_i = np.concatenate(p)
    n_high_p = int(np.sum(p_i > HIGH_P_WAIC))
    return ELPDDataWAIC(
        **_summary(np.concatenate(elpd), p_i, influence),
        warning=n_high_p > 0,
        good_k=None,  # type: ignore[arg-type]
        p_waic_i=_points(p_i),
        n_high_p=n_high_p,
    )


def loo(log_likelihood: PointwiseLogLikelihood) -> ELPDDataPSIS:
    """Leave-one-out cross-validation by Pareto smoothed importance sampling, through ArviZ.

    The relative efficiency is that of the likelihood of each point, as in the R package loo, so
    that the result depends neither on the labels nor on the coordinates of the draws.

    Parameters
    ----------
    log_likelihood : ndarray, shape (chain, draw, point), or an iterable of such blocks of points
        For example from `pointwise_log_likelihood`.

    Returns
    -------
    ELPDDataPSIS
        With ``mcse``, pointwise ``elpd_i``, ``p_loo_i`` and ``pareto_k``; ``warning`` is True if a
        k-hat exceeds ``good_k``.

    Raises
    ------
    ValueError
        If a block is malformed, not finite, or has fewer than four draws per chain.

    References
    ----------
    Vehtari, Gelman & Gabry (2017), Statistics and Computing 27, 1413-1432.
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), JMLR 25(72).
    """
    pointwise: list[tuple[float, float, float]] = []
    influence: Array = np.zeros(())
    for block in point_blocks(log_likelihood):
        pointwise.extend(_loo_point(block[:, :, i]) for i in range(block.shape[2]))
        influence = influence + _loo_influence(block)
    elpd_i, pareto_k, p_i = np.array(pointwise, dtype=np.float64).T
    good_k = min(1 - 1 / np.log10(influence.size), 0.7)
    return ELPDDataPSIS(
        **_summary(elpd_i, p_i, influence),
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
        raise ValueError(f"second must be of the kind {first.kind!r} of first, got {second.kind!r}")
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


def _waic_influence(block: Array, log_mean: Array, variance: Array) -> Array:
    """First-order effect of each draw on the mean that estimates elpd_waic; (chain, draw)."""
    likelihood = np.exp(block - log_mean) - 1
    spread = (block - block.mean(axis=(0, 1))) ** 2 - variance
    return np.sum(likelihood - spread, axis=-1)


def _loo_influence(block: Array) -> Array:
    """First-order effect of each draw on the mean that estimates elpd_loo; (chain, draw)."""
    log_mean = logsumexp(-block, axis=(0, 1)) - np.log(block[..., 0].size)
    return np.sum(1 - np.exp(-block - log_mean), axis=-1)


def _summary(elpd_i: Array, p_i: Array, influence: Array) -> dict[str, Any]:
    if elpd_i.size < 2:
        raise ValueError("log_likelihood must hold at least 2 points for a standard error, got 1")
    return {
        "elpd": float(elpd_i.sum()),
        "se": _se(elpd_i),
        "p": float(p_i.sum()),
        "mcse": float(arviz_stats.mcse(influence, method="mean", chain_axis=0, draw_axis=1)),
        "n_samples": influence.size,
        "n_data_points": elpd_i.size,
        "scale": "log",
        "elpd_i": _points(elpd_i),
    }


def _se(pointwise: Array) -> float:
    return float(np.sqrt(pointwise.size * np.var(pointwise, ddof=1)))


def _points(values: Array) -> xr.DataArray:
    return xr.DataArray(values, dims=[POINT])
