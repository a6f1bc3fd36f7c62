"""Diagnose draws that someone else made: label switching, convergence once relabelled, criteria."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from ordered_mix.draws.convergence import convergence, raw_and_folded
from ordered_mix.draws.elpd import ELPDDataPSIS, ELPDDataWAIC
from ordered_mix.draws.predictive import Predictive, predictive
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
from ordered_mix.fitted.agreement import ESS, RHAT
from ordered_mix.fitted.labels import few_points
from ordered_mix.fitted.verdict import BAD, GOOD, NEARLY, UNDECIDED, Verdict
from ordered_mix.mixture import Array, Mixture
from ordered_mix.shown import html

NEARLY_CONVERGED = 1.05
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
    def predictive(self) -> Predictive | None:
        """WAIC and LOO at a bounded cost, None without data."""
        return None if self.y is None else predictive(self.y, self.mixture)

    @property
    def elpd_waic(self) -> ELPDDataWAIC | None:
        """WAIC, None without data."""
        return None if self.predictive is None else self.predictive.waic

    @property
    def elpd_loo(self) -> ELPDDataPSIS | None:
        """PSIS-LOO, None without data."""
        return None if self.predictive is None else self.predictive.loo

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The questions a user has, each with an answer and the numbers it rests on."""
        found = [_converged(self), _labels(self), _boundary(self), _sampler(self), _criteria(self)]
        return [verdict for verdict in found if verdict is not None]

    def worst(self, column: str, labels: str) -> float:
        """Worst R-hat (largest) or ESS (smallest) of the raw, folded or relabelled quantities."""
        values = self.table[self.table["labels"] == labels][column]
        return float(values.max() if column == "rhat" else values.min())

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
    few = None if data is None else few_points(data, arrays[1].size)
    relabelled = relabel_tree(draws, method, mu, sigma, weights, y=few)
    mixture = Mixture(arrays[0] / arrays[0].sum(axis=-1, keepdims=True), *arrays[1:])
    return DrawsDiagnosis(name, draws, mixture, data, method, relabelled, (weights, mu, sigma))


def _converged(found: DrawsDiagnosis) -> Verdict:
    question = "Have the chains converged, labels aside?"
    rhat, ess = (
        found.worst("rhat", "relabelled"), found.worst("ess_bulk", "relabelled")
    )  # fmt: skip
    reason = f"Relabelled: largest R-hat {rhat:.3f}, smallest bulk ESS {ess:.0f}."
    values = {"rhat": rhat, "ess_bulk": ess}
    if rhat < RHAT and ess >= ESS:
        clause = "the chains have converged"
        return Verdict("converged", GOOD, question, "Yes.", reason, clause, values)
    if rhat < RHAT:
        few = f"fewer than {ESS} effective draws"
        clause = f"the chains agree, but hold {few}"
        answer = f"R-hat is fine, but {few}."
        return Verdict("converged", NEARLY, question, answer, reason, clause, values)
    answer = "No: sample longer, or look for more than label switching."
    clause = "the chains have not converged yet"
    return Verdict("converged", BAD, question, answer, reason, clause, values)


def _labels(found: DrawsDiagnosis) -> Verdict:
    raw, by_mean, relabelled = (
        found.worst("rhat", labels) for labels in ("raw", "folded", "relabelled")
    )
    measured = found.switching
    values = {"rhat_raw": raw, "rhat_sorted": by_mean, "rhat_relabelled": relabelled,
              "modes_visited": measured.modes_visited, "method": found.method}  # fmt: skip
    reason = (
        f"Largest R-hat: raw {raw:.2f}, sorted by mean {by_mean:.3f}, relabelled ({found.method}) "
        f"{relabelled:.3f}; smallest ESS relabelled {found.worst('ess_bulk', 'relabelled'):.0f}. "
        + " ".join(measured.interpretation()[key] for key in ("switching_rate",
                                                              "chain_disagreement"))
    )  # fmt: skip
    status, answer, clause = _which_draws(raw, by_mean, relabelled, measured.modes_visited)
    question = "Do the labels switch, and which draws should be reported?"
    return Verdict("labels", status, question, answer, reason, clause, values)


def _which_draws(raw: float, by_mean: float, relabelled: float, modes: int) -> tuple[str, str, str]:
    """Status, answer and clause of the question which draws to report."""
    if modes == 1:
        return GOOD, "No: report them as they are.", "labels do not switch"
    if relabelled < RHAT:
        what = "report the relabelled copy"
        return GOOD, f"Yes: {what}.", f"labels switch: {what}"
    if by_mean < RHAT:
        what = "report the draws sorted by mean"
        return GOOD, f"Yes: {what}.", f"labels switch: {what}"
    if min(relabelled, by_mean) < NEARLY_CONVERGED:
        return (
            NEARLY,
            "Yes: relabel, and sample longer.",
            "labels switch: relabel, and sample longer",
        )
    what = "no relabelling repairs these chains"
    return BAD, f"Yes, and {what}.", f"labels switch, and {what}"


def _boundary(found: DrawsDiagnosis) -> Verdict | None:
    if found.mixture.k == 1:
        return None
    mass = found.switching.gap_mass
    near = mass > 0.01
    return Verdict(
        "boundary",
        NEARLY if near else GOOD,
        "Do components overlap at gap = 0?",
        "Yes: means overlap, and labels mean little there." if near else "No.",
        f"{mass:.1%} of the draws have a smallest gap below 0.1 pooled scales.",
        "components overlap at gap = 0" if near else "",
        {"gap_mass": mass},
    )


def _sampler(found: DrawsDiagnosis) -> Verdict:
    bad = found.arviz.has_errors
    return Verdict(
        "arviz",
        BAD if bad else GOOD,
        "What does ArviZ say of the relabelled draws?",
        "It has complaints." if bad else "It finds nothing to complain of.",
        f"{'; '.join(found.arviz.complaints) or 'Every check of its own passed'}.",
        "",
        {"complaints": found.arviz.complaints},
    )


def _criteria(found: DrawsDiagnosis) -> Verdict | None:
    waic_, loo_ = found.elpd_waic, found.elpd_loo
    if waic_ is None or loo_ is None:
        return None
    worst = loo_.largest_pareto_k
    reason = (
        f"elpd_waic {waic_.elpd:.2f} (se {waic_.se:.2f}, p {waic_.p:.2f}, points above "
        f"0.4: {waic_.n_high_p}); elpd_loo {loo_.elpd:.2f} (se {loo_.se:.2f}), largest Pareto k "
        f"{worst:.2f}."
    )
    question, values = "Can WAIC and LOO be used?", {"largest_pareto_k": worst}
    if worst <= loo_.good_k:
        answer = "Yes, they do not depend on labels."
        return Verdict("criteria", GOOD, question, answer, reason, "", values)
    clause = "LOO cannot be used: a Pareto k is too high"
    answer = "Not LOO: a Pareto k is too high."
    return Verdict("criteria", UNDECIDED, question, answer, reason, clause, values)
