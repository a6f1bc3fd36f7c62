"""Tables of mixtures in several dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ordered_mix.fitted.points_plot import certain
from ordered_mix.report.tables.table import Row, Table, fixed, magnitude, percent, significant

if TYPE_CHECKING:
    from ordered_mix.compare.points import ComparisonOfPoints
    from ordered_mix.fitted.points import FittedPoints

MOST_UNCERTAIN = 20


def answer(fitted: FittedPoints) -> Table:
    """The estimates of each component with their intervals, EM beside."""
    interval = f"{fitted.hdi_prob:.0%} HDI"
    columns = {"mean": "Mean", "sd": "Sd", "hdi_low": f"{interval}, from", "hdi_high": "to",
               "em": "EM"}  # fmt: skip
    units = dict(zip(fitted.data.columns, fitted.data.scale, strict=True))
    rows = []
    for row in fitted.estimates.to_dict("records"):
        name = row["parameter"]
        unit = units.get(name.partition("[")[2].removesuffix("]"))
        write = fixed(3) if unit is None else magnitude(float(unit))
        label = f"component {row['component']}, {name}"
        rows.append(Row(label, "", [write(row[key]) for key in columns]))
    note = (
        f"Posterior mean and standard deviation with the interval of highest density that holds "
        f"{fitted.hdi_prob:.0%}; beside them the maximum of the likelihood. w is the weight, mu "
        "the mean, sigma the standard deviation."
    )
    return Table("The fitted mixture", note, list(columns.values()), rows)


def classification(fitted: FittedPoints) -> Table:
    """How many points belong to each component, and how surely."""
    points, sure = fitted.points, certain(fitted.points)
    rows = []
    for at in range(1, fitted.components + 1):
        mine = (points["component"] == at).to_numpy()
        expected = float(points[f"probability_{at}"].sum())
        cells = [fixed(0)(int(mine.sum())), fixed(1)(expected),
                 fixed(0)(int(np.sum(mine & ~sure)))]  # fmt: skip
        rows.append(Row(f"component {at}", "", cells))
    note = (
        "Points by the component they most probably belong to, the expected number, and how many "
        "of them belong to it with a probability below 0.9."
    )
    return Table("Points by component", note, ["Points", "Expected", "Uncertain"], rows)


def uncertain(fitted: FittedPoints) -> Table:
    """The points that may belong to several components, the least certain first."""
    points = fitted.points[~certain(fitted.points)]
    names = [f"probability_{at}" for at in range(1, fitted.components + 1)]
    order = points[names].max(axis=1).sort_values(kind="stable").index[:MOST_UNCERTAIN]
    rows = [
        Row(f"point {at + 1}", "", [significant(6)(points.loc[at, name])
                                   for name in fitted.data.columns]
            + [percent(float(points.loc[at, name])) for name in names])
        for at in order
    ]  # fmt: skip
    columns = [*fitted.data.columns, *(f"component {at + 1}" for at in range(fitted.components))]
    more = len(points) - len(rows)
    note = "Their coordinates, and the probability of each component." + (
        f" {more} more are in points.csv." if more else ""
    )
    return Table("Points that may belong to several components", note, columns, rows)


def axes(comparison: ComparisonOfPoints) -> Table:
    """Which directions tell components apart."""
    rows = [
        Row(row["axis"], "", [fixed(2)(row["separation"]), percent(row["kept"])])
        for row in comparison.axes.to_dict("records")
    ]
    note = (
        "Smallest distance of neighbouring means along each direction, in pooled standard "
        "deviations (posterior mean), and how many of the draws have the usual order along it."
    )
    return Table("Directions", note, ["Separation", "Draws in the usual order"], rows)


def directions(comparison: ComparisonOfPoints) -> Table:
    """The axis of every parameterization that orders components."""
    ordering = {name: vector for name, vector in comparison.directions.items() if "axis" in name}
    rows = [Row(name, "", list(map(fixed(3), vector))) for name, vector in ordering.items()]
    return Table("Axes", "Unit vectors along which components are ordered.",
                 list(comparison.data.columns), rows)  # fmt: skip
