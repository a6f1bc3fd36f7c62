"""One posterior of points in several dimensions, sampled: labels, convergence, switching."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.draws.convergence import convergence
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.predictive import predictive, thinned
from ordered_mix.draws.quantities import along, coincidence, invariant_quantities, quantities
from ordered_mix.draws.relabel.assignment import Permutation
from ordered_mix.draws.relabel.normal import multivariate_normal
from ordered_mix.draws.relabel.permute import permute
from ordered_mix.draws.relabel.stephens import stephens
from ordered_mix.draws.switching import Switching, gap_mass, switching_of
from ordered_mix.fitted.agreement import Agreement, agreement_of, log_likelihoods
from ordered_mix.fitted.posterior import Sampled
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.multivariate import MultivariateParameterization

Array = NDArray[np.float64]

MOST_POINTS = 1000
"""Points up to which relabelling looks at all of them."""


@dataclass(frozen=True, eq=False, repr=False)
class PosteriorOfPoints(Sampled):
    """Draws of one posterior in several dimensions, relabelled by Stephens' algorithm.

    Parameters
    ----------
    data : Data
    spelled : str
        What the parameterization is called, with its axis as the user spelled it.
    """

    parameterization: MultivariateParameterization
    data: Data = field(kw_only=True)
    spelled: str = field(kw_only=True)

    @property
    def coordinates(self) -> str:
        """What the parameterization is called."""
        return self.spelled

    def quantities(self, mixture: Mixture) -> dict[str, Array]:
        """Weights, means, standard deviations and correlations, each (..., component)."""
        return quantities(mixture, self.data.columns)

    def in_order(self, mixture: Mixture) -> Mixture:
        """A single mixture with the labels of the draws as far as may be."""
        return mixture.permute(_matched(few(self.data), mixture, self._mean))

    @cached_property
    def _mean(self) -> Array:
        """Mean probability of each component at some points, (point, component)."""
        return _responsibilities(few(self.data), self.labelled)

    @cached_property
    def invariants(self) -> pd.DataFrame:
        """`draws.convergence.convergence` of what does not depend on labels."""
        kept = thinned(self.draws.mixture, self.data.n)
        share = kept.batch_shape[1] / self.draws.mixture.batch_shape[1]
        passes = float(self.draws.passes.sum()) * share
        return convergence(invariant_quantities(self.data, kept), passes, self.draws.seconds)

    @cached_property
    def agreement(self) -> Agreement:
        """What tells whether the chains agree."""
        kept = thinned(self.draws.mixture, self.data.n)
        heights = log_likelihoods(self.data.y, kept, self.data.weight)
        named = self.quantities(self.labelled)
        mass = coincidence(self.labelled)
        return agreement_of(named, heights, mass, self.divergences, self.restarted)

    @cached_property
    def switching(self) -> Switching:
        """Label switching of the raw draws, by what the relabelling undoes; gaps along the axis."""
        mu, sigma = along(self.draws.mixture, self.parameterization.direction)
        return switching_of(self.permutation, gap_mass(self.draws.mixture.w, mu, sigma))


def posterior_of_points(
    draws: Draws,
    data: Data,
    parameterization: MultivariateParameterization,
    estimator: str,
    spelled: str,
    permutation: Permutation,
    note: str = "",
    restarted: int = 0,
) -> PosteriorOfPoints:
    """Draws and their labels with WAIC and LOO.

    Parameters
    ----------
    permutation : ndarray of int
        What `labels_of_points` gives.
    note : str
        Behind the label.
    """
    waic, loo = predictive(data.y, draws.mixture)
    return PosteriorOfPoints(
        f"{estimator} {spelled}{note}", estimator, parameterization, draws, waic, loo,
        permutation, restarted, data=data, spelled=spelled,
    )  # fmt: skip


def labels_of_points(
    data: Data,
    draws: Mixture,
    reference: Mixture | None = None,
) -> Permutation:
    """Permutations that make labels agree, with those of a reference as far as may be."""
    y = few(data)
    found = stephens(multivariate_normal(y, draws.w, draws.mu, draws.root)).permutation
    if reference is None:
        return found
    mean = _responsibilities(y, draws.permute(found))
    own = np.argsort(_matched(y, reference, mean))
    return permute(found, np.broadcast_to(own, found.shape))


def few(data: Data) -> Array:
    """Points, of many some that are evenly spread."""
    return data.y[:: max(1, data.n // MOST_POINTS)]


def _responsibilities(y: Array, draws: Mixture) -> Array:
    """Mean over some draws of the probabilities of the components, (point, component)."""
    flat = draws.reshape(-1)
    return np.mean([flat[at].responsibilities(y) for at in range(0, len(flat.w), 10)], axis=0)


def _matched(y: Array, mixture: Mixture, mean: Array) -> NDArray[np.int64]:
    """The permutation of a single mixture whose responsibilities are nearest to others."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(-mean.T @ mixture.responsibilities(y))[1]
