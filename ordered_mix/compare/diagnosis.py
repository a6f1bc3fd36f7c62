"""Diagnose draws that someone else made: label switching, convergence once relabelled, criteria."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from ordered_mix.compare.verdicts import ESS, RHAT, Verdict
from ordered_mix.draws.convergence import convergence, raw_and_folded
from ordered_mix.draws.elpd import ELPDDataPSIS, ELPDDataWAIC, loo, pointwise_log_likelihood, waic
from ordered_mix.draws.pointwise import PointwiseLogLikelihood
from ordered_mix.draws.relabel.tree import (
    RelabelledTree,
    mixture_of,
    observed,
    posterior_of,
    relabel_tree,
)
from ordered_mix.draws.statistics import Diagnosis
from ordered_mix.draws.statistics import diagnose as arviz_diagnose
from ordered_mix.draws.switching import Switching, switching
from ordered_mix.mixture import Array, Mixture
from ordered_mix.shown import html

MOST_RESPONSIBILITIES = 50_000_000
NEARLY = 1.05
FEWEST = 25


@dataclass(frozen=True, eq=False)
class DrawsDiagnosis:
    """What `diagnose` finds; it renders as a report in a notebook.

    Parameters
    ----------
    name : str
        What the report calls the draws.
    tree : DataTree
        The draws as given.
    mixture : Mixture, batch shape (chain, draw)
        Their weights, means and scales.
    y : array, shape (n,), or None
        The data, if known.
    method : str
        The relabelling algorithm.
    relabelled : RelabelledTree
        A relabelled copy of the draws.
    names : tuple of str
        Names of the variables for (w, mu, sigma); None for equal known weights.
    """

    name: str
    tree: xr.DataTree
    mixture: Mixture
    y: Array | None
    method: str
    relabelled: RelabelledTree
    names: tuple[str | None, str, str]

    @cached_property
    def switching(self) -> Switching:
        """Label switching of the raw draws."""
        return switching(self.mixture.w, self.mixture.mu, self.mixture.sigma)

    @cached_property
    def relabelled_mixture(self) -> Mixture:
        """The draws with the labels of the relabelled copy."""
        return self.mixture.permute(self.relabelled.relabelling.permutation)

    @cached_property
    def table(self) -> pd.DataFrame:
        """R-hat, ESS and MCSE of every quantity: raw, folded by mean, relabelled."""
        mixture, relabelled = self.mixture, self.relabelled_mixture
        raw = raw_and_folded(mixture.w, mixture.mu, mixture.sigma)
        values = {"w": relabelled.w, "mu": relabelled.mu, "sigma": relabelled.sigma}
        third = convergence(values)
        third.insert(0, "labels", "relabelled")
        return pd.concat([raw, third], ignore_index=True)

    @cached_property
    def arviz(self) -> Diagnosis:
        """ArviZ's own diagnosis of the relabelled copy."""
        return arviz_diagnose(self.relabelled.draws)

    @cached_property
    def elpd_waic(self) -> ELPDDataWAIC | None:
        """WAIC, None without data."""
        return None if self.y is None else waic(self._pointwise(self.y))

    @cached_property
    def elpd_loo(self) -> ELPDDataPSIS | None:
        """PSIS-LOO, None without data."""
        return None if self.y is None else loo(self._pointwise(self.y))

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The questions a user has, each with an answer and the numbers it rests on."""
        found = [_converged(self), _labels(self), _boundary(self), _sampler(self), _criteria(self)]
        return [verdict for verdict in found if verdict is not None]

    def worst(self, column: str, labels: str) -> float:
        """Worst R-hat (largest) or ESS (smallest) of the raw, folded or relabelled quantities."""
        values = self.table[self.table["labels"] == labels][column]
        return float(values.max() if column == "rhat" else values.min())

    def _pointwise(self, y: Array) -> PointwiseLogLikelihood:
        return pointwise_log_likelihood(y, self.mixture.w, self.mixture.mu, self.mixture.sigma)

    _repr_html_ = html


def diagnose(
    draws: xr.DataTree,
    mu: str = "mu",
    sigma: str = "sigma",
    weights: str | None = "w",
    y: ArrayLike | None = None,
    method: str | None = None,
    name: str = "draws",
) -> DrawsDiagnosis:
    """Diagnose the draws of anybody's Gaussian mixture.

    Parameters
    ----------
    draws : DataTree
        With a ``posterior`` group of at least two chains.
    mu, sigma, weights : str
        Names of the variables; ``weights=None`` for equal known ones.
    y : array_like, shape (n,), optional
        The data; by default the only variable of ``observed_data``.
    method : str, optional
        Relabelling algorithm (`draws.relabel.methods.relabel`); Stephens' if the data are
        known, else sorting by mean.
    name : str
        What the report calls the draws.

    Raises
    ------
    ValueError
        If a name is wrong, the draws are malformed, not finite or of one chain only, or too few
        for LOO while the data are known.
    """
    arrays = mixture_of(posterior_of(draws), mu, sigma, weights)
    if arrays[1].shape[0] < 2:
        raise ValueError("draws must come from at least 2 chains to compare, got 1")
    data = observed(draws) if y is None else np.asarray(y, dtype=np.float64).ravel()
    size = arrays[1][..., 0].size
    if data is not None and (size < FEWEST or data.size < 2):
        raise ValueError(
            f"draws must be at least {FEWEST} in all and y at least 2 points, for LOO to be "
            f"estimated, got {size} and {data.size}"
        )
    method = method or ("sort_mu" if data is None else "stephens")
    relabelled = relabel_tree(draws, method, mu, sigma, weights, y=_few(data, arrays[1]))
    mixture = Mixture(arrays[0] / arrays[0].sum(axis=-1, keepdims=True), *arrays[1:])
    return DrawsDiagnosis(name, draws, mixture, data, method, relabelled, (weights, mu, sigma))


def _few(y: Array | None, mu: Array) -> Array | None:
    """Points spread evenly over the data, as many as the responsibilities of all draws allow."""
    if y is None:
        return None
    most = max(1, MOST_RESPONSIBILITIES // mu.size)
    return np.sort(y)[np.linspace(0, y.size - 1, min(most, y.size)).astype(int)]


def _converged(found: DrawsDiagnosis) -> Verdict:
    question = "Have the chains converged, labels aside?"
    rhat, ess = found.worst("rhat", "folded"), found.worst("ess_bulk", "folded")
    reason = f"Folded by mean: largest R-hat {rhat:.3f}, smallest bulk ESS {ess:.0f}."
    if rhat < RHAT and ess >= ESS:
        return Verdict(question, "Yes.", reason)
    if rhat < RHAT:
        return Verdict(question, f"R-hat is fine, but fewer than {ESS} effective draws.", reason)
    return Verdict(question, "No: sample longer, or look for more than label switching.", reason)


def _labels(found: DrawsDiagnosis) -> Verdict:
    question = "Do the labels switch, and which draws should be reported?"
    raw, folded, relabelled = (
        found.worst("rhat", labels) for labels in ("raw", "folded", "relabelled")
    )
    measured = found.switching
    reason = (
        f"Largest R-hat: raw {raw:.2f}, folded by mean {folded:.3f}, relabelled ({found.method}) "
        f"{relabelled:.3f}; smallest ESS relabelled {found.worst('ess_bulk', 'relabelled'):.0f}. "
        + " ".join(measured.interpretation()[key] for key in ("switching_rate",
                                                              "chain_disagreement"))
    )  # fmt: skip
    if measured.modes_visited == 1:
        return Verdict(question, "No: report them as they are.", reason)
    if relabelled < RHAT:
        return Verdict(question, "Yes: report the relabelled copy.", reason)
    if folded < RHAT:
        return Verdict(question, "Yes: report the draws folded by mean.", reason)
    if min(relabelled, folded) < NEARLY:
        return Verdict(question, "Yes: relabel, and sample longer.", reason)
    return Verdict(question, "Yes, and no relabelling repairs these chains.", reason)


def _boundary(found: DrawsDiagnosis) -> Verdict | None:
    if found.mixture.k == 1:
        return None
    mass = found.switching.gap_mass
    near = "Yes: means overlap, and labels mean little there." if mass > 0.01 else "No."
    return Verdict(
        "Do components overlap at gap = 0?",
        near,
        f"{mass:.1%} of the draws have a smallest gap below 0.1 pooled scales.",
    )


def _sampler(found: DrawsDiagnosis) -> Verdict:
    answer = "It has complaints." if found.arviz.has_errors else "It finds nothing to complain of."
    reason = "; ".join(found.arviz.complaints) or "Every check of its own passed"
    return Verdict("What does ArviZ say of the relabelled draws?", answer, f"{reason}.")


def _criteria(found: DrawsDiagnosis) -> Verdict | None:
    waic_, loo_ = found.elpd_waic, found.elpd_loo
    if waic_ is None or loo_ is None:
        return None
    worst = float(np.max(loo_.pareto_k))
    reason = (
        f"elpd_waic {waic_.elpd:.2f} (se {waic_.se:.2f}, p {waic_.p:.2f}, points above "
        f"0.4: {waic_.n_high_p}); elpd_loo {loo_.elpd:.2f} (se {loo_.se:.2f}), largest Pareto k "
        f"{worst:.2f}."
    )
    good = worst <= loo_.good_k
    answer = "Yes, they do not depend on labels." if good else "Not LOO: a Pareto k is too high."
    return Verdict("Can WAIC and LOO be used?", answer, reason)
