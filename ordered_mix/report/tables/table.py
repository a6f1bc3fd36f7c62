"""The tables of the report: few columns each, formatted to be read, with the figures' colours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.compare.columns import PREDICTIVE, SAMPLERS, Column
from ordered_mix.mixture import Array, Mixture
from ordered_mix.report.figures.cost import parameterization_of

if TYPE_CHECKING:
    from ordered_mix.compare.compared import Compared
    from ordered_mix.compare.comparison import Comparison

Format = Callable[[Any], str]
MOST_OPTIMA = 8
NO_VALUE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
EM_COLOUR = "var(--muted)"


@dataclass(frozen=True)
class Row:
    """One row: its header, a colour or an empty string, and the cells as text."""

    label: str
    colour: str
    cells: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table with a caption that says what it holds and, in a note, in which units.

    The last column of one with prose holds sentences.
    """

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Row]
    prose: bool = False


def fixed(decimals: int, unit: str = "") -> Format:
    """Numbers with so many decimals, grouped thousands and a true minus sign."""

    def text(value: Any) -> str:
        if value is None or not np.isfinite(value):
            return NO_VALUE
        return f"{value + 0.0:,.{decimals}f}{unit}".replace("-", MINUS)

    return text


def significant(digits: int) -> Format:
    """Numbers with so many significant digits."""

    def text(value: Any) -> str:
        if value is None or not np.isfinite(value):
            return NO_VALUE
        return f"{value:.{digits}g}".replace("-", MINUS)

    return text


def percent(value: float) -> str:
    """A share as a percentage, with more decimals below 1%."""
    return fixed(2 if 0 < value < 0.01 else 1, "%")(100 * value)


POINT: Mapping[str, tuple[str, Format]] = {
    "status": ("Best run", lambda word: str(word).replace("_", " ")),
    "passes_per_run": ("Passes per run, median", fixed(0)),
    "passes": ("Passes, all runs", fixed(0)),
    "share_at_best": ("Runs that reach their best", percent),
    "log_likelihood": ("Log likelihood", fixed(4)),
    "below_maximum": ("Below the maximum", fixed(4)),
}
SECONDS: Mapping[str, tuple[str, Format]] = {
    "seconds": ("Seconds", fixed(3)),
    "ess_per_second": ("ESS per second", fixed(0)),
}


def written(columns: Mapping[str, Column]) -> dict[str, tuple[str, Format]]:
    """Headings and formats of the columns of a comparison."""
    return {
        name: (column.heading, percent if "%" in column.digits else fixed(int(column.digits[1])))
        for name, column in columns.items()
    }


def tables(comparison: Comparison, shades: Mapping[str, str]) -> list[Table]:
    """Every table that applies to a comparison; none holds wall-clock times."""
    found = [*side_by_side(comparison, shades), estimates(comparison, shades), optima(comparison)]
    return [item for item in found if item.rows]


def side_by_side(
    comparison: Compared, shades: Mapping[str, str], further: Mapping[str, Column] | None = None
) -> list[Table]:
    """Samplers, criteria and point estimators of a comparison in any number of dimensions.

    Parameters
    ----------
    further : mapping of str to Column, optional
        Columns of samplers beside the usual ones.
    """
    table, columns = comparison.table, {**SAMPLERS, **(further or {})}
    sampled = table[table["status"] == "sampled"]
    point = table[table["status"] != "sampled"]
    found = [
        _select("Samplers", "Smallest ESS and largest R-hat over weights, means and scales.",
                sampled, written(columns), comparison, shades),
        _select("Predictive accuracy", "Expected log predictive density (elpd) in nats.",
                sampled, written(PREDICTIVE), comparison, shades),
        _select("Point estimators", "From the starts the chains share; log likelihoods in nats.",
                point, POINT, comparison, shades),
    ]  # fmt: skip
    return [item for item in found if item.rows]


def seconds(comparison: Compared, shades: Mapping[str, str]) -> Table:
    """Wall-clock times, which no other table holds."""
    note = "Without compilation. These change from run to run, the rest does not."
    timings = comparison.timings
    return _select("Wall-clock time", note, timings, SECONDS, comparison, shades)


def estimates(comparison: Comparison, shades: Mapping[str, str]) -> Table:
    """Point estimates, and posterior means with standard deviations, relabelled."""
    k, scale = comparison.settings.components, float(comparison.data.scale)
    rows, best = [], comparison.maximum.mixture
    if best is not None:
        rows.append(Row("em, best of all starts", EM_COLOUR, _cells(best, None, scale)))
    for label, fit in comparison.fits.items():
        mixture = fit.mixture[int(np.argmax(fit.objective))]
        mixture = mixture.permute(mixture.order())
        rows.append(Row(label, shades.get(parameterization_of(label), EM_COLOUR),
                        _cells(mixture, None, scale)))  # fmt: skip
    for label, item in comparison.sampled.items():
        flat = [getattr(item.labelled, name).reshape(-1, k) for name in ("w", "mu", "sigma")]
        means = Mixture(*(value.mean(axis=0) for value in flat))
        deviations = [value.std(axis=0, ddof=1) for value in flat]
        rows.append(Row(label, shades[item.coordinates],
                        _cells(means, deviations, scale)))  # fmt: skip
    columns = [f"{name} {j + 1}" for name in ("Weight", "Mean", "Sd") for j in range(k)]
    note = (
        "Components numbered in the order of their means; for samplers posterior mean ± posterior "
        "sd, relabelled by what separates the components."
    )
    return Table("Estimates", note, columns, rows)


def answer(estimates: pd.DataFrame, hdi_prob: float, scale: float) -> Table:
    """The estimates of each component with their intervals, EM and MAP beside."""
    names = {"w": "weight", "mu": "mean", "sigma": "sd"}
    unit, interval = magnitude(scale), f"{hdi_prob:.0%} HDI"
    columns = {"mean": "Mean", "sd": "Sd", "hdi_low": f"{interval}, from", "hdi_high": "to",
               "em": "EM", "map": "MAP"}  # fmt: skip
    present = {key: name for key, name in columns.items() if key in estimates}
    rows = []
    for row in estimates.to_dict("records"):
        write = fixed(3) if row["quantity"] == "w" else unit
        marked = "*" if row["lone"] else ""
        label = f"component {row['component']}, {names[row['quantity']]}{marked}"
        rows.append(Row(label, "", [write(row[key]) for key in present]))
    note = (
        f"Posterior mean and standard deviation with the interval of highest density that holds "
        f"{hdi_prob:.0%}; beside them the maximum of the likelihood and the posterior mode."
    )
    if estimates["lone"].any():
        note += " * The component holds less than two data points: the prior decides."
    return Table("The fitted mixture", note, list(present.values()), rows)


def optima(comparison: Comparison) -> Table:
    """Where the starts of the multi-start ended, the highest likelihood first."""
    found, scale = comparison.maximum.optima, float(comparison.data.scale)
    rows = []
    if found is None:
        return Table("Maxima of the likelihood", "", [], [])
    for index in range(min(len(found.hits), MOST_OPTIMA)):
        notes = ["best interior"] if index == found.best_index else []
        notes += ["spurious: narrower than the data's spacing"] if found.spurious[index] else []
        cells = [fixed(4)(found.fit.log_likelihood[index]), percent(found.hit_rate[index]),
                 ", ".join(notes) or NO_VALUE]  # fmt: skip
        cells += _cells(found.fit.mixture[index], None, scale)
        rows.append(Row(f"{index + 1}", "", cells))
    k = comparison.settings.components
    columns = ["Log likelihood", "Starts that end here", "Note"]
    columns += [f"{name} {j + 1}" for name in ("Weight", "Mean", "Sd") for j in range(k)]
    failed = ", ".join(f"{n} {word.replace('_', ' ')}" for word, n in found.failures.items())
    more = len(found.hits) - len(rows)
    note = f"Distinct ends of EM from {found.starts} starts."
    note += f" {more} lower ones are left out." if more else ""
    note += f" Ended otherwise: {failed}." if failed else ""
    return Table("Maxima of the likelihood", note, columns, rows)


def magnitude(scale: float) -> Format:
    """Numbers in the unit of the data, fit for its standard deviation."""
    decimals = 3 - round(np.log10(scale))
    if -4 <= decimals <= 6:
        return fixed(max(decimals, 0))
    return significant(5)


def _cells(mixture: Mixture, deviations: Sequence[Array] | None, scale: float) -> list[str]:
    cells = []
    formats = (fixed(3), magnitude(scale), magnitude(scale))
    for index, (name, write) in enumerate(zip(("w", "mu", "sigma"), formats, strict=True)):
        for j, value in enumerate(getattr(mixture, name)):
            spread = f" ± {write(deviations[index][j])}" if deviations is not None else ""
            cells.append(write(value) + spread)
    return cells


def _select(
    title: str,
    note: str,
    table: pd.DataFrame,
    columns: Mapping[str, tuple[str, Format]],
    comparison: Compared,
    shades: Mapping[str, str],
) -> Table:
    present = {name: column for name, column in columns.items() if name in table}
    names = {label: item.coordinates for label, item in comparison.sampled.items()}
    rows = [
        Row(
            row["label"],
            shades.get(names.get(row["label"], parameterization_of(row["label"])), EM_COLOUR),
            [write(row[name]) for name, (_, write) in present.items()],
        )
        for row in table.to_dict("records")
    ]
    return Table(title, note, [header for header, _ in present.values()], rows)
