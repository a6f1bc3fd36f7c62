"""One posterior, sampled: its labels, convergence, switching and predictive accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ordered_mix.draws.convergence import side_by_side
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.elpd import ELPDDataPSIS, ELPDDataWAIC
from ordered_mix.draws.predictive import predictive
from ordered_mix.draws.relabel.assignment import Permutation
from ordered_mix.draws.statistics import SamplerSummary, summarise_sampler
from ordered_mix.draws.switching import Switching, switching
from ordered_mix.fitted.agreement import PARAMETERS, Agreement, agreement
from ordered_mix.fitted.labels import labels_by_what_separates
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.parameterization import Parameterization


@dataclass(frozen=True, eq=False, repr=False)
class Sampled:
    """Draws with labels by what separates the components, in any number of dimensions.

    Parameters
    ----------
    label : str
        What tables and reports call it.
    estimator : str
        The sampler's name.
    parameterization : AnyParameterization
        Coordinates and prior.
    draws : Draws
        As sampled, with the data.
    elpd_waic : ELPDDataWAIC
    elpd_loo : ELPDDataPSIS
    permutation : ndarray of int, shape (chain, draw, component)
        Labels by what separates the components.
    restarted : int
        Chains that were sampled again from the best optimum.
    """

    label: str
    estimator: str
    parameterization: Any
    draws: Draws
    elpd_waic: ELPDDataWAIC
    elpd_loo: ELPDDataPSIS
    permutation: Permutation
    restarted: int = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r}, {self.draws!r})"

    @property
    def coordinates(self) -> str:
        """What the parameterization is called."""
        return str(self.parameterization.label)

    @cached_property
    def labelled(self) -> Mixture:
        """Draws with labels by what separates the components, batch shape (chain, draw)."""
        return self.draws.mixture.permute(self.permutation)

    def quantities(self, mixture: Mixture) -> dict[str, Array]:
        """What is estimated of every component, each (..., component)."""
        raise NotImplementedError

    def in_order(self, mixture: Mixture) -> Mixture:
        """A single mixture with its components in the order of the labels."""
        raise NotImplementedError

    @cached_property
    def convergence(self) -> pd.DataFrame:
        """R-hat, ESS and MCSE, raw and relabelled (`draws.convergence.side_by_side`)."""
        both = {"raw": self.draws.mixture, "relabelled": self.labelled}
        named = {labels: self.quantities(mixture) for labels, mixture in both.items()}
        return side_by_side(named, int(self.draws.passes.sum()), self.draws.seconds)

    @property
    def divergences(self) -> int:
        """Number of divergent transitions; particles have none."""
        statistics = self.draws.statistics
        return int(statistics["diverging"].sum()) if "diverging" in statistics else 0

    @cached_property
    def label_changes(self) -> float:
        """Share of steps after which the labels that separate the components are others."""
        changed = self.permutation[:, 1:] != self.permutation[:, :-1]
        return float(np.mean(changed.any(axis=-1)))

    @cached_property
    def sampler(self) -> SamplerSummary:
        """Divergences, tree depth and energy."""
        statistics = self.draws.statistics
        return summarise_sampler({str(name): statistics[name].to_numpy() for name in statistics})

    def worst(self, column: str, labels: str) -> float:
        """Worst R-hat (largest) or ESS (smallest) of the raw or relabelled quantities."""
        rows = self.convergence[self.convergence["labels"] == labels][column]
        return float(rows.max() if column == "rhat" else rows.min())


@dataclass(frozen=True, eq=False, repr=False)
class Posterior(Sampled):
    """Draws of one posterior on one column of numbers; measures are lazy."""

    parameterization: Parameterization

    def quantities(self, mixture: Mixture) -> dict[str, Array]:
        """Weights, means and scales, each (..., component)."""
        return {name: getattr(mixture, name) for name in PARAMETERS}

    def in_order(self, mixture: Mixture) -> Mixture:
        """A single mixture with its components in the order of their means."""
        return mixture.permute(mixture.order())

    @cached_property
    def agreement(self) -> Agreement:
        """What tells whether the chains agree."""
        y = self.draws.tree["observed_data"]["y"].to_numpy()
        return agreement(y, self.labelled, self.divergences, self.restarted)

    @cached_property
    def switching(self) -> Switching:
        """Label switching of the raw draws."""
        mixture = self.draws.mixture
        return switching(mixture.w, mixture.mu, mixture.sigma)


def labels_of(draws: Draws, parameterization: Parameterization) -> Permutation:
    """Labels of draws by what separates the components."""
    y = draws.tree["observed_data"]["y"].to_numpy()
    return labels_by_what_separates(draws.mixture, y, parameterization.prior.exchangeable)


def posterior_of(
    draws: Draws,
    parameterization: Parameterization,
    estimator: str,
    label: str,
    permutation: Permutation,
    restarted: int = 0,
) -> Posterior:
    """Draws and their labels with WAIC and LOO."""
    y = draws.tree["observed_data"]["y"].to_numpy()
    waic, loo = predictive(y, draws.mixture)
    return Posterior(label, estimator, parameterization, draws, waic, loo, permutation, restarted)
