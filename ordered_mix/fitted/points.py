"""A Gaussian mixture fitted to points in several dimensions by EM and Gibbs sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ordered_mix.data import Data, as_points
from ordered_mix.draws.checks import Check
from ordered_mix.draws.checks_points import checks_of_points
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.predictive import thinned
from ordered_mix.draws.prior_sensitivity import PriorSensitivity
from ordered_mix.draws.prior_sensitivity_points import prior_sensitivity_of_points
from ordered_mix.draws.quantities import quantities
from ordered_mix.fitted.agreement import Agreement
from ordered_mix.fitted.crossing import disagree, particle_sampler
from ordered_mix.fitted.estimates import posterior_summary
from ordered_mix.fitted.evidence import MOST_POINTS
from ordered_mix.fitted.fit import component_range
from ordered_mix.fitted.maximum import Maximum
from ordered_mix.fitted.mode import mode_of_points
from ordered_mix.fitted.points_numbers import (
    STARTS,
    criteria_of_points,
    maximum_of_points,
    numbers_of_points,
)
from ordered_mix.fitted.points_starts import initial_points
from ordered_mix.fitted.posterior_points import (
    PosteriorOfPoints,
    labels_of_points,
    posterior_of_points,
)
from ordered_mix.fitted.questions import chosen_components
from ordered_mix.fitted.questions_points import questions_of_points
from ordered_mix.fitted.refits import Refits
from ordered_mix.fitted.refits_points import refits_of_points
from ordered_mix.fitted.verdict import Verdict, headline
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, axis_of, default_multivariate_prior
from ordered_mix.parameterization import catalog
from ordered_mix.passes.mixtures import log_likelihood
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.shown import html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

MOST_DRAWS = 400
DISCRIMINANT = "discriminant"


@dataclass(frozen=True, eq=False)
class FittedPoints:
    """A mixture in several dimensions, by maximum likelihood and by posterior draws.

    Parameters
    ----------
    data : Data
    found : Maximum
        What EM from many starts found.
    posterior : PosteriorOfPoints
        Gibbs draws with their labels.
    criteria : DataFrame
        One row for each number of components that was looked at
        (`points_numbers.numbers_of_points`).
    hdi_prob : float
        Mass of the intervals.
    mode : Mixture, optional
        Posterior mode of weights, means and Cholesky factors.
    chains : Agreement, optional
        How the chains agreed, where they did not and the draws are particles of sequential Monte
        Carlo.
    """

    data: Data
    found: Maximum
    posterior: PosteriorOfPoints
    criteria: pd.DataFrame
    hdi_prob: float
    mode: Mixture | None = None
    chains: Agreement | None = None

    def __repr__(self) -> str:
        return f"FittedPoints({self.data.name!r}, K={self.components}, d={self.data.d})"

    _repr_html_ = html

    @property
    def components(self) -> int:
        """Number of components."""
        return self.maximum.k

    @property
    def prior(self) -> MultivariatePrior:
        """In the units of the data."""
        return self.posterior.parameterization.prior

    @property
    def maximum(self) -> Mixture:
        """The best end of EM, its components sorted by their means along the axis."""
        mixture: Mixture = self.found.mixture
        return mixture

    @property
    def draws(self) -> Draws:
        """Draws as they came."""
        return self.posterior.draws

    @property
    def labelled(self) -> Mixture:
        """The draws relabelled by Stephens' algorithm, batch shape (chain, draw)."""
        return self.posterior.labelled

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """Weights, means, standard deviations and correlations of each component.

        Columns: component (from 1), parameter, mean, sd, hdi_low, hdi_high, hdi_prob, ess_bulk,
        rhat of the relabelled draws, and em.
        """
        columns = self.data.columns
        drawn, best = quantities(self.labelled, columns), quantities(self.maximum, columns)
        rows = [
            {"component": at + 1, "parameter": name}
            | posterior_summary(values[..., at], self.hdi_prob)
            | {"em": float(best[name][at])}
            for at in range(self.components)
            for name, values in drawn.items()
        ]
        return pd.DataFrame(rows)

    @cached_property
    def points(self) -> pd.DataFrame:
        """One row for each point: its coordinates, component (from 1), probability_1, ..."""
        flat = self.labelled.reshape(-1)
        thin = flat[np.linspace(0, len(flat.w) - 1, min(MOST_DRAWS, len(flat.w))).astype(int)]
        share = np.zeros((self.data.n, self.components))
        for at in range(len(thin.w)):
            share += thin[at].responsibilities(self.data.y)
        share /= len(thin.w)
        columns = dict(zip(self.data.columns, self.data.y.T, strict=True))
        probabilities = {f"probability_{at + 1}": share[:, at] for at in range(share.shape[1])}
        return pd.DataFrame({**columns, "component": share.argmax(axis=1) + 1, **probabilities})

    @cached_property
    def directions(self) -> dict[str, Array]:
        """Directions along which data and mixture are compared: columns, and what separates."""
        found = {name: axis_of(at, self.data) for at, name in enumerate(self.data.columns)}
        if self.components > 1:
            found[DISCRIMINANT] = axis_of(DISCRIMINANT, self.data, self.maximum)
        return found

    @cached_property
    def checks(self) -> dict[str, dict[str, Check]]:
        """Discrepancies between data and posterior (`draws.checks_points`)."""
        return checks_of_points(self.data.y, self.draws.mixture, self.directions)

    @cached_property
    def refits(self) -> dict[str, Refits]:
        """Goodness of fit of the maximum by parametric bootstrap (`refits_points`)."""
        model = self.posterior.parameterization
        return refits_of_points(self.data, self.maximum, model, self.directions)

    @cached_property
    def prior_sensitivity(self) -> PriorSensitivity:
        """How much of the posterior is the prior's doing.

        Raises
        ------
        ValueError
            If no posterior mode was looked for.
        """
        if self.mode is None:
            raise ValueError("mode must be known to ask whether the prior decides, it is not")
        height = float(log_likelihood(self.data.y, self.mode, self.data.weight))
        draws = thinned(self.labelled, self.data.n)
        return prior_sensitivity_of_points(
            draws, self.data, self.prior, height, self.found.log_likelihood
        )

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The questions a user has, each with an answer and the numbers it rests on."""
        return questions_of_points(self)

    @property
    def headline(self) -> str:
        """The answers in one sentence."""
        return headline(self.verdicts)

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
    components: int | str | tuple[int, int] = 2,
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
    progress: Callable[[str], None] = lambda stage: None,
) -> FittedPoints:
    """Fit a mixture to several columns of numbers.

    Parameters
    ----------
    data : Data, str, path or array_like
        What `data.as_points` takes.
    components : int, str or (int, int)
        Number of components K, or a range of them as ``"1-4"`` or (1, 4): then the one of
        smallest BIC is fitted, and all have their evidence, LOO and WAIC in `criteria`.
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
    progress : callable
        Called with the name of each stage before it begins.

    Raises
    ------
    ValueError
        If an argument is not accepted, or no run of EM from its starts converged.
    """
    points = as_points(data)
    if isinstance(components, int):
        smallest = largest = components
    else:
        smallest, largest = component_range(components)
    if points.y.ndim != 2 or not 1 <= smallest <= largest <= points.n:
        raise ValueError(
            f"components must be from 1 to {points.n}, the points of {points.name}, "
            f"got {components}"
        )
    if not 0 < hdi_prob < 1:
        raise ValueError(f"hdi_prob must lie between 0 and 1, got {hdi_prob}")
    chosen = default_multivariate_prior(
        points, prior, covariance=covariance, concentration=concentration
    )
    by_fit = isinstance(axis, str) and axis == DISCRIMINANT and smallest > 1
    axis = axis if by_fit else axis_of(axis, points)
    sampler, k = Gibbs(draws=draws, tune=tune, cores=cores), smallest
    table = None
    if largest > smallest:
        table, _ = numbers_of_points(
            points, chosen, smallest, largest, seed=seed, cores=cores, progress=progress
        )
        k = chosen_components(table)
    progress("em and gibbs")
    starts = initial_points(points, k, STARTS + chains, seed)
    one = catalog.parameterization("unordered", k, chosen)
    found = maximum_of_points(points, starts[:STARTS], one, axis)
    drawn = sampler.sample(one, points, starts[STARTS:], seed)
    item = _posterior(points, one, "gibbs", drawn, found.mixture)
    disagreed: Agreement | None = None
    if disagree(item.agreement) and points.n <= MOST_POINTS:
        progress("sequential Monte Carlo: the chains disagree")
        drawn = particle_sampler(cores).sample(one, points, seed=seed)
        other = _posterior(points, one, "smc", drawn, found.mixture)
        if other.agreement.rhat < item.agreement.rhat:
            item, disagreed = other, item.agreement
    progress("posterior mode")
    mode = mode_of_points(points, chosen, starts[STARTS:], found.mixture)
    if table is None:
        loo = {"elpd_loo": float(item.elpd_loo.elpd), "elpd_loo_se": float(item.elpd_loo.se)}
        row = {"components": k, **criteria_of_points(points, found, chosen), "in_the_way": ""}
        table = pd.DataFrame([row | loo])
    return FittedPoints(points, found, item, table, hdi_prob, mode, disagreed)


def _posterior(
    points: Data, one: Any, estimator: str, drawn: Draws, best: Mixture
) -> PosteriorOfPoints:
    permutation = labels_of_points(points, drawn.mixture, best)
    return posterior_of_points(drawn, points, one, estimator, "unordered", permutation)
