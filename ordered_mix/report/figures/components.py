"""Evidence and criteria by number of components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ordered_mix.report.figures.style import (
    INK,
    MUTED,
    Drawing,
    canvas,
    light_grid,
    styled,
    to_svg,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ordered_mix.compare.several import Several

MARKS = {"bic": ("BIC", "o"), "sbic": ("sBIC", "s"), "icl": ("ICL", "^")}
ELPD = {"elpd_loo": ("LOO", "D"), "elpd_waic": ("WAIC", "o")}


@styled
def by_number(found: Several) -> Drawing:
    """Log evidence, LOO, WAIC, BIC, sBIC and ICL against K, and the posterior over K."""
    rows = found.table
    figure = canvas(5.2)
    (evidence, share), (elpd, criteria) = figure.subplots(2, 2, sharex=True)
    at = rows["components"].to_numpy()
    evidence.errorbar(
        at, rows["log_evidence"], rows["log_evidence_se"], color=INK, marker="o", markersize=4,
        linewidth=1,
    )  # fmt: skip
    evidence.set_title("log evidence, nats")
    share.bar(at, rows["probability"].fillna(0), color=MUTED, width=0.6)
    share.set_title("probability of K")
    share.set_ylim(0, 1)
    for name, (label, marker) in ELPD.items():
        _line(elpd, rows, name, label, marker)
    elpd.set_title("elpd, nats")
    for name, (label, marker) in MARKS.items():
        _line(criteria, rows, name, label, marker)
    criteria.set_title("deviance, smaller is better")
    for axes in (elpd, criteria):
        axes.set_xlabel("K")
        axes.set_xticks(at)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    for axes in (evidence, share, elpd, criteria):
        light_grid(axes, "y")
    alt = "; ".join(_row(row) for row in rows.to_dict("records"))
    alt = f"Evidence and criteria by number of components. {alt}."
    return Drawing(
        "How many components",
        to_svg(figure, alt),
        alt,
        "Larger is better for the evidence and the elpd, smaller for the criteria below on the "
        "right. Bars of the evidence are standard errors between runs.",
    )


def _line(axes: Axes, rows: pd.DataFrame, name: str, label: str, marker: str) -> None:
    if rows[name].notna().any():
        axes.plot(
            rows["components"], rows[name], marker=marker, markersize=4, linewidth=1, label=label
        )


def _row(row: dict[str, float]) -> str:
    names = {"log_evidence": "log evidence", "probability": "probability", "elpd_loo": "LOO",
             "elpd_waic": "WAIC", "bic": "BIC", "sbic": "sBIC", "icl": "ICL"}  # fmt: skip
    known = [f"{words} {row[name]:.2f}" for name, words in names.items() if np.isfinite(row[name])]
    return f"K = {row['components']}: {', '.join(known)}"
