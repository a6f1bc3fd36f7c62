"""What `fit` returns: the estimates, which point belongs where, and whether to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.data import Data
from ordered_mix.fitted.estimates import estimates, membership, points_table
from ordered_mix.fitted.maximum import Maximum, criteria_of, log_likelihood
from ordered_mix.fitted.particular import normal_logarithms, particular
from ordered_mix.fitted.verdict import Verdict, headline
from ordered_mix.mixture import Array, Mixture
from ordered_mix.shown import html

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

    from ordered_mix.draws.checks import Checks
    from ordered_mix.draws.draws import Draws
    from ordered_mix.draws.prior_sensitivity import PriorSensitivity
    from ordered_mix.fitted.agreement import Agreement
    from ordered_mix.fitted.posterior import Posterior
    from ordered_mix.fitted.refits import Refits
    from ordered_mix.prior import Prior


PARAMETERS = ("w", "mu", "sigma")
MOST_SHARED = 5  # points: the prior of a weight counts for two


def default_mass() -> float:
    """Mass of the intervals that ArviZ gives by default, its ``stats.ci_prob``."""
    from arviz import rcParams

    return float(rcParams["stats.ci_prob"])


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """One fitted mixture; components are numbered from 1 in the order of their means.

    Parameters
    ----------
    data : Data
        In its own units.
    components : int
        Number of components K.
    maximum : Maximum
        What EM found.
    criteria : DataFrame
        One row for each number of components that was looked at: log_likelihood, bic, icl, sbic
        (smaller is better), in_the_way (the values onto which EM shrinks components), elpd_loo
        with elpd_loo_se where it was sampled, and with a sampler log_evidence, log_evidence_se and
        probability (`fitted.evidence`).
    hdi_prob : float
        Mass of the intervals.
    prior : Prior, optional
        In the units of the data; None without MAP and samplers.
    mode : Mixture, optional
        Posterior mode of weights, means and scales.
    posterior : Posterior, optional
        Draws with their labels and all that is measured on them.
    chains : Agreement, optional
        How the chains of NUTS agreed, where they did not and the draws are particles of
        sequential Monte Carlo.
    settings : mapping
        What was asked.
    one_less : Maximum, optional
        What EM found with one component less; None for K = 1 and in a range of K.
    """

    data: Data
    components: int
    maximum: Maximum
    criteria: pd.DataFrame
    hdi_prob: float
    prior: Prior | None = None
    mode: Mixture | None = None
    posterior: Posterior | None = None
    chains: Agreement | None = None
    settings: Mapping[str, Any] | None = None
    one_less: Maximum | None = None

    def __repr__(self) -> str:
        best = self.estimate
        cells = ", ".join(
            f"{name}=[{', '.join(f'{value:.4g}' for value in getattr(best, name))}]"
            for name in ("w", "mu", "sigma")
        )
        return f"Fitted({self.data.name!r}, n={self.data.n}, K={self.components}, {cells})"

    _repr_html_ = html

    @property
    def draws(self) -> Draws | None:
        """Draws as sampled; None if nothing was."""
        return None if self.posterior is None else self.posterior.draws

    @property
    def labelled(self) -> Mixture | None:
        """Draws with labels by what separates, batch shape (chain, draw)."""
        return None if self.posterior is None else self.posterior.labelled

    @cached_property
    def estimate(self) -> Mixture:
        """One mixture: the posterior means, else the posterior mode, else the maximum."""
        if self.labelled is not None:
            means = [getattr(self.labelled, name).mean(axis=(0, 1)) for name in PARAMETERS]
            return Mixture(*means)
        one = self.mode if self.mode is not None else self.maximum.mixture
        assert one is not None
        return one.permute(one.order())

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """Weights, means and scales of each component, one row each (`fitted.estimates`).

        The column points says how many data points are most probably of the component, lone
        whether those are all that it has, and are one or none.
        """
        mode = None if self.mode is None else self.mode.permute(self.mode.order())
        points = {"em": self.maximum.mixture, "map": mode}
        table = estimates(self.components, self.labelled, points, self.hdi_prob)
        counts = self.points["component"].value_counts()
        return table.assign(
            points=table["component"].map(counts).fillna(0).astype(int),
            lone=table["component"].isin(self.lone),
        )

    def summary(self) -> pd.DataFrame:
        """The estimates with the index ``w[1]``, ``mu[1]``, ... as ArviZ's summary has."""
        table = self.estimates
        names = [f"{row.quantity}[{row.component}]" for row in table.itertuples()]
        return table.drop(columns=["component", "quantity"]).set_axis(names, axis=0)

    @cached_property
    def points(self) -> pd.DataFrame:
        """Membership of each data point: y, component, probability_1, ..., in the data's order."""
        return points_table(self.data.y, self.predict_proba())

    @cached_property
    def lone(self) -> dict[int, str]:
        """Components that hold one data point or none, and which; the prior decides on them.

        One that shares its points with another holds those shares, if they are a few in all.
        """
        if self.prior is None:
            return {}
        held = {k: self.data.y[self.points["component"] == k] for k in self.numbers}
        shares = {k: float(self.points[f"probability_{k}"].sum()) for k in self.numbers}
        return {
            k: f"one value, {values[0]:.10g}" if values.size else "no value"
            for k, values in held.items()
            if values.size < 2 and shares[k] < MOST_SHARED
        }

    @property
    def numbers(self) -> range:
        """The numbers of the components, from 1."""
        return range(1, self.components + 1)

    def predict_proba(self, y: ArrayLike | None = None) -> Array:
        """Probability of each component at points, shape (points, K).

        Parameters
        ----------
        y : array_like, shape (points,), optional
            By default the data.
        """
        at = self.data.y if y is None else Data(np.atleast_1d(np.squeeze(np.asarray(y)))).y
        return membership(self.estimate if self.labelled is None else self.labelled, at)

    @property
    def agreement(self) -> Agreement | None:
        """What tells whether the chains agree; None without draws."""
        return None if self.posterior is None else self.posterior.agreement

    @cached_property
    def checks(self) -> Checks | None:
        """Discrepancies between data and posterior; None without draws."""
        if self.draws is None:
            return None
        from ordered_mix.draws.checks import checks

        return checks(self.data.y, self.draws.mixture)

    @cached_property
    def refits(self) -> Refits | None:
        """Goodness of fit of the maximum by parametric bootstrap; None without a maximum."""
        from ordered_mix.fitted.refits import refits

        return None if self.maximum.mixture is None else refits(self.data, self.maximum.mixture)

    @property
    def nats_below_maximum(self) -> float | None:
        """How far the likelihood of the posterior mode is below its maximum; None without both."""
        if self.mode is None or self.maximum.mixture is None:
            return None
        return max(0.0, self.maximum.log_likelihood - log_likelihood(self.data, self.mode))

    @cached_property
    def prior_sensitivity(self) -> PriorSensitivity | None:
        """How much of the posterior is the prior's doing; None without draws or a matched prior."""
        from ordered_mix.draws.predictive import thinned
        from ordered_mix.draws.prior_sensitivity import prior_sensitivity

        if self.labelled is None or self.prior is None or self.prior.native or self.mode is None:
            return None
        draws = thinned(self.labelled, self.data.n)
        height = log_likelihood(self.data, self.mode)
        return prior_sensitivity(draws, self.data, self.prior, height, self.maximum.log_likelihood)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The three questions that a fit must answer before it is used, those that can be asked."""
        from ordered_mix.fitted.questions import questions

        return questions(self)

    @property
    def notes(self) -> list[str]:
        """What is particular about the data, in sentences."""
        from ordered_mix.fitted.questions import no_maximum

        found = particular(self.data)
        smallest = float(np.fmin(self.criteria["bic"].min(), self.bic))
        if logarithms := normal_logarithms(self.data, smallest):
            found.append(logarithms)
        if self.maximum.mixture is None:
            found.append(
                f"There are no EM estimates, as the likelihood has no interior maximum: "
                f"{no_maximum(self.maximum)}."
            )
        elif self.maximum.note:
            found.append(
                f"{no_maximum(self.maximum)}; the maximum that is shown is the best one inside."
            )
        return found

    @cached_property
    def bic(self) -> float:
        """BIC of the maximum; of the posterior mode, where the likelihood has no maximum."""
        best = self.maximum
        if best.mixture is None and self.mode is not None:
            height = log_likelihood(self.data, self.mode)
            best = replace(best, mixture=self.mode, log_likelihood=height)
        return criteria_of(self.data, best, self.components)["bic"]

    @property
    def headline(self) -> str:
        """The answers in one sentence."""
        return headline(self.verdicts)

    @property
    def tree(self) -> xr.DataTree:
        """An ArviZ DataTree: labelled draws as ``posterior``, raw ones as ``raw_posterior``.

        Raises
        ------
        ValueError
            If nothing was sampled.
        """
        from ordered_mix.draws.published import published
        from ordered_mix.fitted.labels import method_of

        if self.posterior is None:
            raise ValueError("estimators must hold a sampler for there to be draws, nothing was")
        draws = self.posterior.draws
        return published(draws.tree, self.posterior.permutation, method_of(draws.mixture))

    def save(self, path: str | Path) -> None:
        """Write the draws as a netCDF file that ArviZ opens.

        Raises
        ------
        ValueError
            If nothing was sampled.
        """
        self.tree.to_netcdf(Path(path), engine="h5netcdf")

    def plot_fit(self) -> Figure:
        """The data as a histogram, the fitted density and its components."""
        from ordered_mix.fitted.plots import plot_fit

        return plot_fit(self)

    def plot_posterior(self) -> Any:
        """Posterior densities of weights, means and scales with their intervals, by ArviZ.

        Returns
        -------
        arviz_plots.PlotCollection
        """
        from ordered_mix.fitted.plots import plot_posterior

        return plot_posterior(self)
