"""What a relabelling did: R-hat, ESS and bimodality before and after, and whether labels mean much.

Random labels have an R-hat of 1: a low R-hat after relabelling is no proof of success. Hence the
distance of the labels, within chains and over all draws, and the bimodality that is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import arviz_stats
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.assignment import Permutation
from ordered_mix.draws.relabel.separation import APART, Parameters, closest, occupied
from ordered_mix.draws.relabel.uncertainty import margin

BIMODAL = 0.8
ALLOWED = 0.01
LARGEST = 1e6
AGREES, DISAGREES = 1.05, 1.1
MOST_ENTRIES = 200
MEASURES = ("rhat", "ess", "bimodality")


@dataclass(frozen=True, eq=False)
class Effect:
    """What a relabelling did to the draws.

    Attributes
    ----------
    table : DataFrame
        A row for every component-indexed scalar with the columns quantity (the variable, with its
        further indices in brackets), variable, label (its position), entry (the further indices),
        judged (False for nearly empty labels), and rhat, ess and bimodality, each with
        ``_before`` and ``_after``. Of variables with many entries some are measured, evenly spread.
    changed : float
        Share of draws whose permutation is not the most frequent one, of labels that are judged:
        a permutation that all draws share only numbers the labels.
    margin : ndarray, shape (chain, draw)
        What it costs each draw to exchange two labels that are judged, in nats; see
        `uncertainty.margin`.
    separation : float
        Distance of the two closest labels after relabelling, in standard deviations.
    by : str
        The parameter that tells these two apart best.
    within : tuple of float
        The same distance within chains, averaged over them, before and after.
    judged : ndarray of bool, shape (component,)
        False for labels with a mean weight below 1%: where they are means nothing.
    """

    table: pd.DataFrame
    changed: float
    margin: Array
    separation: float
    by: str
    within: tuple[float, float]
    judged: NDArray[np.bool_]

    @property
    def nearly_empty(self) -> int:
        """Number of labels that are not judged."""
        return int(np.sum(~self.judged))

    @property
    def meaningful(self) -> bool:
        """Whether the labels found mean something: they are at least 2 sd apart."""
        return self.separation >= APART

    @property
    def within_chains(self) -> bool:
        """Whether labels mean something within chains, whatever they mean between them."""
        return self.within[1] >= APART

    def worst(self, measure: str, when: str) -> float:
        """Largest rhat or bimodality, or smallest ess, ``before`` or ``after``."""
        values = self.table.loc[self.table["judged"], f"{measure}_{when}"].dropna()
        if values.empty:
            return np.nan
        return float(values.min() if measure == "ess" else values.max())

    @property
    def by_variable(self) -> pd.DataFrame:
        """The worst of every variable that is permuted, of labels that are judged.

        A row for each variable with the columns variable, rhat, ess and bimodality, each with
        ``_before`` and ``_after``: the largest, the smallest ess.
        """
        worst = {f"{key}_{when}": "min" if key == "ess" else "max"
                 for key in MEASURES for when in ("before", "after")}  # fmt: skip
        judged = self.table[self.table["judged"]]
        return judged.groupby("variable", sort=False)[list(worst)].agg(worst).reset_index()

    @property
    def worse(self) -> list[str]:
        """Variables whose labels agreed before, and do not any more."""
        found = []
        for row in self.by_variable.to_dict("records"):
            mixed = row["rhat_before"] <= AGREES < DISAGREES < row["rhat_after"]
            if row["bimodality_before"] <= BIMODAL and (mixed or row["bimodality_after"] > BIMODAL):
                found.append(str(row["variable"]))
        return found

    @property
    def harm(self) -> str | None:
        """How the relabelled draws are worse than the raw ones, None if they are not."""
        before, after = self.within
        if before >= APART and after < before / 2:
            return (
                f"within chains the closest labels are {in_words(before)} standard deviations "
                f"apart as sampled, and {in_words(after)} once relabelled"
            )
        modes = self.worst("bimodality", "before"), self.worst("bimodality", "after")
        if modes[0] <= BIMODAL < modes[1]:
            return f"the largest bimodality rises from {modes[0]:.2f} to {modes[1]:.2f}"
        rhat = self.worst("rhat", "before"), self.worst("rhat", "after")
        if modes[0] <= BIMODAL and rhat[1] > max(1 + ALLOWED, rhat[0]) + ALLOWED:
            return f"the largest R-hat rises from {rhat[0]:.3f} to {rhat[1]:.3f}"
        return None


def effect(
    variables: Mapping[str, tuple[Array, Array]],
    parameters: Parameters,
    permutation: Permutation,
    weights: Array | None = None,
) -> Effect:
    """Measure what permutations do to draws.

    Parameters
    ----------
    variables : mapping of str to pairs of ndarrays, shape (chain, draw, component, ...)
        What is permuted, before and after; about 200 scalars of them are measured, of every
        variable at least one for each label.
    parameters : mapping of str to ndarray, shape (chain, draw, component)
        By which labels are told apart.
    permutation : ndarray of int, shape (chain, draw, component)
    weights : ndarray, shape (chain, draw, component), optional
        Labels whose mean weight is below 1% are not judged.
    """
    distance, by = closest(parameters, permutation, weights)
    judged = occupied(permutation, weights)
    identity = np.broadcast_to(np.arange(permutation.shape[-1]), permutation.shape)
    return Effect(
        table=_table(variables, permutation, judged),
        changed=changed(permutation[..., judged]) if judged.any() else 0.0,
        judged=judged,
        margin=margin(parameters, permutation[..., judged] if judged.any() else permutation),
        separation=distance,
        by=by,
        within=(_within(parameters, identity, weights), _within(parameters, permutation, weights)),
    )


def changed(permutation: Permutation) -> float:
    """Share of draws whose permutation, of all labels or of some, is not the most frequent one."""
    flat = permutation.reshape(-1, permutation.shape[-1])
    counts = np.unique(flat, axis=0, return_counts=True)[1]
    return float(1 - counts.max() / len(flat))


def bimodality(values: Array) -> float:
    """Share of the variance that the best split of the values in two explains.

    0.64 for a normal, 0.75 for a uniform distribution, and 1 for two points; above 0.8 two modes
    stand apart (Otsu's criterion). NaN if the values do not vary.
    """
    x = np.sort(np.ravel(values))
    total = x.var()
    if total <= 0:
        return float("nan")
    n = np.arange(1, x.size)
    sums = np.cumsum(x)
    gap = (sums[-1] - sums[:-1]) / (x.size - n) - sums[:-1] / n
    return float((n * (x.size - n) * gap**2).max() / x.size**2 / total)


def measures(values: Array) -> dict[str, float]:
    """R-hat, bulk ESS and bimodality of one quantity, (chain, draw); one chain is split in two."""
    array = values
    if len(values) == 1 and values.shape[1] >= 8:
        half = values.shape[1] // 2
        array = values[0, : 2 * half].reshape(2, half)
    found = dict.fromkeys(MEASURES, float("nan"))
    if (
        not np.all(np.isfinite(values))
        or np.ptp(values) == 0
        or len(array) < 2
        or array.shape[1] < 4
    ):
        return found
    axes = {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(divide="ignore", invalid="ignore"):
        found["rhat"] = capped(float(arviz_stats.rhat(array, **axes)))
        found["ess"] = float(arviz_stats.ess(array, method="bulk", **axes))
    found["bimodality"] = bimodality(values)
    return found


def capped(rhat: float) -> float:
    """Infinity where chains do not vary, but differ: only rounding makes it a number."""
    return float("inf") if rhat > LARGEST else rhat


def _table(
    variables: Mapping[str, tuple[Array, Array]],
    permutation: Permutation,
    judged: NDArray[np.bool_],
) -> pd.DataFrame:
    moved = bool(np.any(permutation != np.arange(permutation.shape[-1])))
    rows: list[dict[str, object]] = []
    places = _entries({name: before.shape[2:] for name, (before, _) in variables.items()})
    for name, (before, after) in variables.items():
        for index in places[name]:
            at: Any = (slice(None), slice(None), *index)
            first = measures(before[at].astype(np.float64))
            second = measures(after[at].astype(np.float64)) if moved else first
            entry = ", ".join(map(str, index[1:]))
            row: dict[str, object] = {
                "quantity": f"{name}[{entry}]" if entry else name,
                "variable": name,
                "label": index[0],
                "entry": entry,
                "judged": bool(judged[index[0]]),
            }
            row |= {f"{key}_before": value for key, value in first.items()}
            row |= {f"{key}_after": value for key, value in second.items()}
            rows.append(row)
    columns = ["quantity", "variable", "label", "entry", "judged"]
    columns += [f"{key}_{when}" for when in ("before", "after") for key in MEASURES]
    return pd.DataFrame(rows, columns=columns).astype({"judged": bool})


def _entries(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, list[tuple[int, ...]]]:
    """The entries of every variable that are measured: all, or some for each label."""
    found: dict[str, list[tuple[int, ...]]] = {}
    left = MOST_ENTRIES
    for done, name in enumerate(sorted(shapes, key=lambda name: np.prod(shapes[name]))):
        labels, *further = shapes[name]
        every = list(np.ndindex(*further))
        share = max(1, left // (len(shapes) - done) // labels)
        at = np.unique(np.linspace(0, len(every) - 1, min(share, len(every))).astype(int))
        found[name] = [(label, *every[place]) for label in range(labels) for place in at]
        left -= len(found[name])
    return found


def _within(parameters: Parameters, permutation: Permutation, weights: Array | None) -> float:
    found = []
    for chain in range(permutation.shape[0]):
        part = slice(chain, chain + 1)
        share = None if weights is None else weights[part]
        own = {name: values[part] for name, values in parameters.items()}
        found.append(closest(own, permutation[part], share)[0])
    return float(np.mean(found))


def in_words(value: float) -> str:
    """A distance in standard deviations."""
    return f"{value:.1f}" if np.isfinite(value) else "infinitely many"
