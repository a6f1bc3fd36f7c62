"""How many components: what each criterion loses against its best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ordered_mix.report.figures.style import (
    INK,
    MUTED,
    Drawing,
    canvas,
    legend,
    light_grid,
    styled,
    to_svg,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ordered_mix.mixture import Array

# marker, and nats that one unit of the criterion is worth
CRITERIA = {
    "bic": ("BIC", "o", -0.5),
    "icl": ("ICL", "s", -0.5),
    "sbic": ("sBIC", "^", -0.5),
    "elpd_loo": ("LOO", "D", 1.0),
    "elpd_waic": ("WAIC", "v", 1.0),
    "log_evidence": ("evidence", "*", 1.0),
}
CLOSE = 5.0


@styled
def criteria(table: pd.DataFrame) -> Drawing:
    """Nats that each number of components is behind the best one, by every criterion.

    Parameters
    ----------
    table : DataFrame
        One row for each number of components, as `Fitted.criteria`; the posterior over them is
        drawn where it holds ``probability``.
    """
    behind = {}
    for name, (_, _, worth) in CRITERIA.items():
        if name in table and table[name].notna().any():
            nats = worth * table[name]
            behind[name] = (nats.max() - nats).to_numpy()
    k = table["components"].to_numpy()
    shares = "probability" in table and bool(table["probability"].notna().any())
    figure = canvas(4.2 if shares else 2.6)
    axes = figure.add_subplot(2 if shares else 1, 1, 1)
    if shares:
        _posterior(figure.add_subplot(2, 1, 2, sharex=axes), k, table["probability"].to_numpy())
    for name, values in behind.items():
        marker, bold = CRITERIA[name][1], name == "log_evidence"
        axes.plot(
            k, values, marker=marker, color=INK if bold else MUTED, markersize=8 if bold else 4.5,
            linewidth=1.6 if bold else 0.8, markerfacecolor=INK if bold else "none", clip_on=False,
        )  # fmt: skip
    if "log_evidence" in behind:
        error = table["log_evidence_se"].to_numpy()
        axes.errorbar(k, behind["log_evidence"], error, color=INK, linestyle="", linewidth=1)
    axes.set_yscale("symlog", linthresh=CLOSE)
    axes.set_ylim(bottom=-0.4)
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(lambda value, position: f"{value:g}")
    axes.set(xlabel="components K", ylabel="nats behind the best")
    light_grid(axes, "y")
    handles = [
        Line2D([], [], marker=CRITERIA[name][1], linestyle="", color=INK,
               markerfacecolor=INK if name == "log_evidence" else "none")
        for name in behind
    ]  # fmt: skip
    legend(figure, handles, [CRITERIA[name][0] for name in behind], len(behind))
    said = "; ".join(
        f"{CRITERIA[name][0]}: " + ", ".join(
            f"K = {count} {value:.2f}" for count, value in zip(k, values, strict=True)
            if np.isfinite(value)
        )
        for name, values in behind.items()
    )  # fmt: skip
    alt = f"Nats that each number of components is behind the best. {said}."
    if shares:
        alt += " Posterior probability: " + ", ".join(
            f"K = {count} {value:.3f}" for count, value in zip(k, table["probability"], strict=True)
        ) + "."  # fmt: skip
    return Drawing(
        "Criteria by number of components",
        to_svg(figure, alt),
        alt,
        "How far each number of components is behind the best one by the same criterion, in nats "
        "(half the difference of BIC, ICL and sBIC); the best is on top, the scale is linear up "
        "to 5 and logarithmic below.",
    )


def _posterior(axes: Axes, k: Array, probability: Array) -> None:
    axes.bar(k, np.nan_to_num(probability), color=MUTED, width=0.5)
    axes.set(xlabel="components K", ylabel="posterior\nprobability", ylim=(0, 1))
    light_grid(axes, "y")
