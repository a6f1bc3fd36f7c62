"""A Gaussian mixture fitted to points in several dimensions by EM and Gibbs sampling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ordered_mix.draws.multivariate import MultivariateDraws
from ordered_mix.draws.relabel.normal import multivariate_normal
from ordered_mix.draws.relabel.stephens import stephens
from ordered_mix.estimators.em import EM
from ordered_mix.fitted.estimates import posterior_summary
from ordered_mix.multivariate import (
    MultivariateData,
    MultivariateMixture,
    as_points,
    axis_of,
    default_multivariate_prior,
)
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.samplers.gibbs import Gibbs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

STARTS = 20
MOST_POINTS, MOST_DRAWS = 1000, 400


@dataclass(frozen=True, eq=False)
class FittedPoints:
    """A mixture in several dimensions, by maximum likelihood and by posterior draws.

    Parameters
    ----------
    data : MultivariateData
    maximum : MultivariateMixture
        The best end of EM, its components sorted by their means along the axis.
    draws : MultivariateDraws
        Gibbs draws as they came.
    labelled : MultivariateMixture, batch shape (chain, draw)
        The draws relabelled by Stephens' algorithm.
    hdi_prob : float
        Mass of the intervals.
    """

    data: MultivariateData
    maximum: MultivariateMixture
    draws: MultivariateDraws
    labelled: MultivariateMixture
    hdi_prob: float

    def __repr__(self) -> str:
        return f"FittedPoints({self.data.name!r}, K={self.maximum.k}, d={self.data.d})"

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """Weights, means, standard deviations and correlations of each component.

        Columns: component (from 1), parameter, mean, sd, hdi_low, hdi_high, hdi_prob, ess_bulk,
        rhat of the relabelled draws, and em.
        """
        drawn, best = _quantities(self.labelled, self.data), _quantities(self.maximum, self.data)
        rows = [
            {"component": at + 1, "parameter": name}
            | posterior_summary(values[..., at], self.hdi_prob)
            | {"em": float(best[name][at])}
            for at in range(self.maximum.k)
            for name, values in drawn.items()
        ]
        return pd.DataFrame(rows)

    @cached_property
    def points(self) -> pd.DataFrame:
        """One row for each point: its coordinates, component (from 1), probability_1, ..."""
        flat = self.labelled.reshape(-1)
        thin = flat[np.linspace(0, len(flat.w) - 1, min(MOST_DRAWS, len(flat.w))).astype(int)]
        share = np.zeros((self.data.n, self.maximum.k))
        for at in range(len(thin.w)):
            share += thin[at].responsibilities(self.data.y)
        share /= len(thin.w)
        columns = dict(zip(self.data.columns, self.data.y.T, strict=True))
        probabilities = {f"probability_{at + 1}": share[:, at] for at in range(share.shape[1])}
        return pd.DataFrame({**columns, "component": share.argmax(axis=1) + 1, **probabilities})

    @cached_property
    def tree(self) -> xr.DataTree:
        """The draws as an ArviZ tree, relabelled."""
        tree = self.draws.tree.copy()
        posterior = tree["posterior"].to_dataset()
        for name in ("w", "mu", "covariance"):
            posterior[name] = (posterior[name].dims, getattr(self.labelled, name))
        tree["posterior"] = xr.DataTree(posterior)
        return tree

    def plot(self) -> Figure:
        """Every pair of columns, points by component, with ellipses that hold 90% of each."""
        from ordered_mix.fitted.points_plot import plot_points

        return plot_points(self)


def fit_points(
    data: Any,
    components: int = 2,
    *,
    covariance: str = "full",
    axis: Any = 0,
    prior: str = "adaptive",
    concentration: float = 2.0,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    seed: int = 1,
    cores: int = 1,
    hdi_prob: float = 0.89,
) -> FittedPoints:
    """Fit a mixture to several columns of numbers.

    Parameters
    ----------
    data : MultivariateData, str, path or array_like
        What `multivariate.as_points` takes.
    components : int
        Number of components, K.
    covariance : {"full", "diagonal", "spherical", "tied"}
    axis : int, str or array_like, shape (d,)
        Along which the components are listed: a column by number, from 0, or by name,
        ``principal``, ``discriminant``, or a direction; see `multivariate.axis_of`.
    prior : {"adaptive", "fixed"}
        See `default_multivariate_prior`.
    concentration : float
        Of the Dirichlet of the weights.
    draws, tune, chains : int
        Sweeps of the Gibbs sampler kept and before them, and chains, each from its own start.
    seed, cores : int
        The same seed gives the same draws for any number of cores.
    hdi_prob : float
        Mass of the intervals.

    Raises
    ------
    ValueError
        If an argument is not accepted, or no run of EM from its starts converged.
    """
    points = as_points(data)
    if points.y.ndim != 2 or not 1 <= components <= points.n:
        raise ValueError(
            f"components must be from 1 to {points.n}, the points of {points.name}, "
            f"got {components}"
        )
    if not 0 < hdi_prob < 1:
        raise ValueError(f"hdi_prob must lie between 0 and 1, got {hdi_prob}")
    chosen = default_multivariate_prior(
        points, prior, covariance=covariance, concentration=concentration
    )
    by_fit = isinstance(axis, str) and axis == "discriminant" and components > 1
    direction = None if by_fit else axis_of(axis, points)
    sampler = Gibbs(draws=draws, tune=tune, cores=cores)
    one = catalog.parameterization("unordered", components, chosen)
    starts = initial_points(points, components, STARTS + chains, seed)
    maximum = _maximum(points, starts[:STARTS], one)
    maximum = maximum.sorted(axis_of(axis, points, maximum) if direction is None else direction)
    drawn = sampler.sample(one, points, starts[STARTS:], seed)
    labelled = _labelled(points, drawn.mixture, maximum)
    return FittedPoints(points, maximum, drawn, labelled, hdi_prob)


def initial_points(data: MultivariateData, k: int, starts: int, seed: int) -> MultivariateMixture:
    """Starts at points drawn by k-means++ in units of the coordinates; batch shape (starts,)."""
    rng = np.random.default_rng(seed)
    z = (data.y - data.location) / data.scale
    weight = np.ones(data.n) if data.weight is None else data.weight
    chosen = np.empty((starts, k), dtype=int)
    for start in range(starts):
        distance = np.ones(data.n)
        for at in range(k):
            mass = weight * distance
            mass = mass if mass.sum() > 0 else weight
            chosen[start, at] = rng.choice(data.n, p=mass / mass.sum())
            own = np.sum((z - z[chosen[start, at]]) ** 2, axis=1)
            distance = own if at == 0 else np.minimum(distance, own)
    covariance = np.diag((data.scale / k ** (1 / data.d)) ** 2)
    return MultivariateMixture(np.full(k, 1 / k), data.y[chosen], covariance)


def _maximum(
    data: MultivariateData, starts: MultivariateMixture, one: MultivariateParameterization
) -> MultivariateMixture:
    """The best converged end of EM."""
    fit = EM().fit(one, data, starts)
    converged = np.asarray(fit.converged)
    if not converged.any():
        raise ValueError(
            f"components must be few enough for EM, none of its runs on {data.name} with "
            f"{starts.k} converged"
        )
    best = int(np.argmax(np.where(converged, fit.log_likelihood, -np.inf)))
    ends: Any = fit.mixture
    found: MultivariateMixture = ends[best]
    return found


def _labelled(
    data: MultivariateData, draws: MultivariateMixture, maximum: MultivariateMixture
) -> MultivariateMixture:
    """The draws with labels made to agree, those of the maximum as far as may be."""
    from scipy.optimize import linear_sum_assignment

    step = max(1, data.n // MOST_POINTS)
    y = data.y[::step]
    given = multivariate_normal(y, draws.w, draws.mu, draws.root)
    agreed = draws.permute(stephens(given).permutation)
    flat = agreed.reshape(-1)
    mean = np.mean([flat[at].responsibilities(y) for at in range(0, len(flat.w), 10)], axis=0)
    _, order = linear_sum_assignment(-maximum.responsibilities(y).T @ mean)
    return agreed.permute(order)


def _quantities(mixture: MultivariateMixture, data: MultivariateData) -> dict[str, Array]:
    """Parameters that have a name, each (..., k)."""
    names = data.columns
    sigma = np.sqrt(np.diagonal(mixture.covariance, axis1=-1, axis2=-2))
    found = {"w": mixture.w}
    found |= {f"mu[{name}]": mixture.mu[..., at] for at, name in enumerate(names)}
    found |= {f"sigma[{name}]": sigma[..., at] for at, name in enumerate(names)}
    for row in range(data.d):
        for column in range(row):
            product = sigma[..., row] * sigma[..., column]
            name = f"correlation[{names[column]}, {names[row]}]"
            found[name] = mixture.covariance[..., row, column] / product
    return found
