"""Diagnose draws that someone else made: what relabelling does to them, convergence, criteria."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import arviz_stats  # noqa: F401 - early: it walks the stack of imports, which grows deep below
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ordered_mix.compare.diagnosis_points import points_of
from ordered_mix.compare.diagnosis_verdicts import verdicts
from ordered_mix.data import Data
from ordered_mix.draws.convergence import convergence, invariant_scalars
from ordered_mix.draws.elpd import ELPDDataPSIS, ELPDDataWAIC, loo, waic
from ordered_mix.draws.predictive import Predictive, predictive
from ordered_mix.draws.quantities import coincidence, invariant_quantities
from ordered_mix.draws.relabel.effect import capped
from ordered_mix.draws.relabel.named import SCALES, Given
from ordered_mix.draws.relabel.permute import permute
from ordered_mix.draws.relabel.responsibilities import sample_allocations
from ordered_mix.draws.relabel.tree import RelabelledTree, relabel_tree
from ordered_mix.draws.statistics import Diagnosis
from ordered_mix.draws.statistics import diagnose as arviz_diagnose
from ordered_mix.draws.switching import Switching, gap_mass, switching_of
from ordered_mix.fitted.verdict import Verdict
from ordered_mix.mixture import Array, Mixture
from ordered_mix.shown import html

FEWEST = 25
FEWEST_PER_CHAIN = 8
FEWEST_OF_EACH = 4
MEASURED = ("rhat", "ess_bulk", "ess_tail", "mcse_mean", "mcse_sd")
RAW, RELABELLED, INVARIANT = "raw", "relabelled", "label-invariant"


@dataclass(frozen=True, eq=False)
class DrawsDiagnosis:
    """What `diagnose` finds; it renders as a report in a notebook.

    Parameters
    ----------
    name : str
        What the report calls the draws.
    tree : DataTree
        The draws as given.
    relabelled : RelabelledTree
        A relabelled copy of the draws, and what was found while making it.
    asked : dict
        The arguments of `diagnose` that say what the draws are, as far as they were given.
    """

    name: str
    tree: xr.DataTree
    relabelled: RelabelledTree
    asked: dict[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The relabelling algorithm; "none" where the raw labels were kept."""
        return self.relabelled.method

    @property
    def y(self) -> Array | None:
        """The data, if they are known."""
        return self.relabelled.known.y

    @property
    def k(self) -> int:
        """Number of components."""
        return self.relabelled.known.components

    @property
    def shape(self) -> tuple[int, int]:
        """Number of chains, and of draws of each."""
        return self.relabelled.known.shape[:2]

    @cached_property
    def mixture(self) -> Mixture | None:
        """Weights, means and scales, if the components were named as normal ones.

        None where the model is not known to be a normal mixture: see `relabel`, likelihood.
        """
        known, roles = self.relabelled.known, self.relabelled.known.roles
        if not {"w", "mu", "sigma"} <= set(roles) or not known.normal:
            return None
        return Mixture(roles["w"], roles["mu"], roles["sigma"])

    @cached_property
    def points(self) -> tuple[Data, Mixture] | None:
        """Data and draws in several dimensions (`diagnosis_points.points_of`)."""
        return points_of(self.tree["posterior"].to_dataset(), self.relabelled.known)

    @cached_property
    def relabelled_mixture(self) -> Mixture | None:
        """The mixture with the labels of the relabelled copy."""
        order = self.relabelled.permutation.to_numpy()
        return None if self.mixture is None else self.mixture.permute(order)

    @property
    def quantity(self) -> str:
        """The parameter that figures show: the means, unless only another one tells them apart."""
        known, by = self.relabelled.known, self.relabelled.effect.by
        return by if by in known.parameters else known.means

    def traced(self, labels: str) -> Array:
        """The raw or relabelled values of that parameter, (chain, draw, component)."""
        known = self.relabelled.known
        values = known.parameters.get(self.quantity, np.zeros(known.shape))
        scales = [known.named[role].name for role in SCALES if role in known.named]
        if any(self.quantity == name or self.quantity.startswith(f"{name}[") for name in scales):
            values = np.exp(values)
        if labels == RAW:
            return np.asarray(values)
        return permute(values, self.relabelled.permutation.to_numpy())

    @cached_property
    def switching(self) -> Switching:
        """Label switching of the raw draws, by the relabelling found."""
        mass = float("nan")
        if self.mixture is not None:
            mass = gap_mass(self.mixture.w, self.mixture.mu, self.mixture.sigma)
        elif self.points is not None:
            mass = coincidence(self.points[1])
        judged = self.relabelled.effect.judged
        order = self.relabelled.relabelling.permutation
        return switching_of(order[..., judged] if judged.any() else order, mass)

    @cached_property
    def invariants(self) -> dict[str, Array]:
        """Quantities of every draw that do not depend on labels, shape (chain, draw)."""
        known = self.relabelled.known
        if self.points is not None:
            found = invariant_quantities(*self.points)
        elif known.stored is not None:
            found = {"log likelihood": known.stored.sum(axis=-1)}
        elif self.mixture is not None and self.y is not None:
            mixture = self.mixture
            found = invariant_scalars(self.y, mixture.w, mixture.mu, mixture.sigma)
        else:
            found = _moments_over_components(known.parameters, known.w)
        return {name: values for name, values in found.items() if np.ptp(values) > 0}

    def values_of(self, quantity: str, component: int, labels: str) -> Array:
        """Raw or relabelled draws of one component-indexed scalar, shape (chain, draw)."""
        table = self.relabelled.effect.table
        row = table[(table["quantity"] == quantity) & (table["label"] == component)].iloc[0]
        before, after = self.relabelled.pairs[row["variable"]]
        further = (int(i) for i in row["entry"].split(", ") if i)
        index: Any = (slice(None), slice(None), component, *further)
        return np.asarray((before if labels == RAW else after)[index])

    def allocations(self, draws: int, points: int) -> NDArray[np.integer] | None:
        """Allocations of some draws and points, evenly spread, (1, draw, point); None if unknown.

        Those of the model, or drawn from the responsibilities.
        """
        known = self.relabelled.known
        every = np.unique(np.linspace(0, known.shape[0] * known.shape[1] - 1, draws).astype(int))
        if known.allocations is not None:
            flat = known.allocations.reshape(-1, known.allocations.shape[2])
            z = flat[every]
        elif known.responsibilities is not None:
            p = np.stack([known.responsibilities.at(int(draw)) for draw in every])
            z = sample_allocations(p[None], np.random.default_rng(known.seed))[0]
        else:
            return None
        at = np.unique(np.linspace(0, z.shape[1] - 1, points).astype(int))
        if self.y is not None and self.y.shape == z.shape[1:]:
            at = np.argsort(self.y, kind="stable")[at]
        return z[None, :, at]

    @cached_property
    def table(self) -> pd.DataFrame:
        """R-hat, ESS and MCSE of every quantity: raw, relabelled, and what depends on no labels.

        The columns of `convergence`, preceded by labels and followed by bimodality and judged,
        False for components that are nearly empty. Quantities are the user's variables, with the
        indices of their entries. One chain is compared with itself:
        its first half with its second.
        """
        tables = [self._measured(RAW), self._measured(RELABELLED), self._of_invariants()]
        return pd.concat([one for one in tables if one is not None], ignore_index=True)

    @cached_property
    def arviz(self) -> Diagnosis | None:
        """ArviZ's own diagnosis of the relabelled copy; None for one chain.

        Variables that are no numbers, or hold values that are not finite, are left out.
        """
        draws = self.relabelled.draws
        posterior = draws["posterior"].to_dataset()
        kept = [name for name, values in posterior.data_vars.items()
                if values.dtype.kind in "biuf" and {"chain", "draw"} <= set(values.dims)
                and name not in self.not_finite]  # fmt: skip
        fronted = posterior[kept].transpose("chain", "draw", ...)
        if self.shape[0] == 1 or not any(_varies(values) for values in fronted.values()):
            return None
        groups = {name: node.to_dataset() for name, node in draws.children.items()}
        return arviz_diagnose(xr.DataTree.from_dict(groups | {"posterior": fronted}))

    @cached_property
    def not_finite(self) -> list[str]:
        """Variables of the posterior with a value that is no finite number."""
        variables = self.tree["posterior"].to_dataset().data_vars
        return [str(name) for name, values in variables.items()
                if values.dtype.kind == "f" and not np.all(np.isfinite(values))]  # fmt: skip

    @cached_property
    def predictive(self) -> Predictive | None:
        """WAIC and LOO of the stored log likelihood, or of normal components at a bounded cost.

        None where no log likelihood can be trusted.
        """
        known = self.relabelled.known
        if known.stored is not None:
            return Predictive(waic(known.stored), loo(known.stored))
        if self.y is None:
            return None
        drawn = self.mixture if self.points is None else self.points[1]
        return None if drawn is None else predictive(self.y, drawn)

    @property
    def elpd_waic(self) -> ELPDDataWAIC | None:
        """WAIC, None where no log likelihood can be trusted."""
        return None if self.predictive is None else self.predictive.waic

    @property
    def elpd_loo(self) -> ELPDDataPSIS | None:
        """PSIS-LOO, None where no log likelihood can be trusted."""
        return None if self.predictive is None else self.predictive.loo

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The questions a user has, each with an answer and the numbers it rests on."""
        return verdicts(self)

    def worst(self, column: str, labels: str) -> float:
        """Worst R-hat (largest) or ESS (smallest) of raw, relabelled or invariant quantities.

        Labels with a mean weight below 1% are left out; NaN if nothing is left.
        """
        rows = self.table[(self.table["labels"] == labels) & self.table["judged"]]
        values = rows[column].dropna()
        if values.empty:
            return float("nan")
        return float(values.max() if column in ("rhat", "bimodality") else values.min())

    def _measured(self, labels: str) -> pd.DataFrame | None:
        when = "before" if labels == RAW else "after"
        measured = self.relabelled.effect.table
        rows = []
        for row in measured.to_dict("records"):
            values = self.values_of(row["quantity"], row["label"], labels)
            if not np.all(np.isfinite(values)) or np.ptp(values) == 0:
                continue
            line = _convergence(values)
            line.insert(0, "quantity", row["quantity"])
            line.insert(1, "component", row["label"])
            line["bimodality"] = row[f"bimodality_{when}"]
            line["judged"] = row["judged"]
            rows.append(line)
        return _labelled(rows, labels)

    def _of_invariants(self) -> pd.DataFrame | None:
        rows = []
        for name, values in self.invariants.items():
            line = _convergence(values)
            line.insert(0, "quantity", name)
            line.insert(1, "component", -1)
            line["bimodality"], line["judged"] = np.nan, True
            rows.append(line)
        return _labelled(rows, INVARIANT)

    _repr_html_ = html


def diagnose(
    draws: Any,
    mu: Given = "mu",
    sigma: Given = "sigma",
    weights: Given = "w",
    *,
    y: ArrayLike | None = None,
    method: str | None = None,
    name: str = "draws",
    **named: Any,
) -> DrawsDiagnosis:
    """Diagnose the draws of anybody's mixture.

    Parameters
    ----------
    draws : DataTree, Dataset or InferenceData
        With a ``posterior`` group. One chain is diagnosed as far as one chain can be.
    mu, sigma, weights
        Names of the variables, or known values, as in `relabel`.
    y : array_like, optional
        The data; by default the only variable of ``observed_data``.
    method : str, optional
        Relabelling algorithm; by default the one `relabel` chooses.
    name : str
        What the report calls the draws.
    **named
        Further arguments of `relabel`: tau, chol, cov, parameters, separate, responsibilities,
        log_likelihood, allocations, dims, order, seed, group, sample_dims, likelihood.

    Raises
    ------
    ValueError
        As `relabel`, or if there are too few draws for LOO while a log likelihood is known.
    """
    tree = relabel_tree(draws, method, mu, sigma, weights, y=y, **named)
    known = tree.known
    chains, size = known.shape[:2]
    if size < FEWEST_PER_CHAIN and chains == 1:
        raise ValueError(f"draws must be at least {FEWEST_PER_CHAIN} of one chain, got {size}")
    if size < FEWEST_OF_EACH:
        raise ValueError(f"draws must be at least {FEWEST_OF_EACH} of each chain, got {size}")
    computed = len(known.y) if known.normal and known.y is not None else None
    points = computed if known.stored is None else known.stored.shape[2]
    if points is not None and (chains * size < FEWEST or points < 2):
        raise ValueError(
            f"draws must be at least {FEWEST} in all and y at least 2 points, for LOO to be "
            f"estimated, got {chains * size} and {points}"
        )
    asked = {"mu": mu, "sigma": sigma, "weights": weights, **named}
    given = tree.given
    return DrawsDiagnosis(name, given, tree, asked)


def _convergence(values: Array) -> pd.DataFrame:
    """`convergence` of one quantity, (chain, draw); one chain is split in two."""
    array = np.asarray(values, dtype=np.float64)
    if len(array) == 1:
        half = array.shape[1] // 2
        array = array[0, : 2 * half].reshape(2, half)
    if not np.all(np.isfinite(array)) or np.ptp(array) == 0:
        return pd.DataFrame([dict.fromkeys(MEASURED, np.nan)])
    table = convergence({"": array})[list(MEASURED)]
    return table.assign(rhat=table["rhat"].map(capped))


def _varies(values: xr.DataArray) -> bool:
    """Whether every entry takes several values, so that ArviZ can say something of it."""
    return bool((values.max(("chain", "draw")) > values.min(("chain", "draw"))).all())


def _moments_over_components(
    parameters: Mapping[str, Array], weights: Array | None
) -> dict[str, Array]:
    """Weighted means and variances over the components of each draw, which need no labels."""
    found = {}
    for name, values in parameters.items():
        w = np.full(values.shape, 1 / values.shape[-1]) if weights is None else weights
        mean = np.sum(w * values, axis=-1)
        found[f"mean of {name} over components"] = mean
        spread = np.sum(w * (values - mean[..., None]) ** 2, axis=-1)
        found[f"variance of {name} over components"] = spread
    return found


def _labelled(rows: list[pd.DataFrame], labels: str) -> pd.DataFrame | None:
    if not rows:
        return None
    table = pd.concat(rows, ignore_index=True)
    table.insert(0, "labels", labels)
    return table
