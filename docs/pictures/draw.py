"""Draw the pictures of README.md: a fit, and the published table of the study never_loses."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from ordered_mix import fit
from ordered_mix.engine.outcome import load_result
from ordered_mix.parameterization import catalog
from ordered_mix.report.figures.style import Drawing
from ordered_mix.report.of_fit import FitReport
from ordered_mix.study.drawing import curves, interval, looks

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parents[1] / "studies" / "results" / "never_loses"
NAMES = {
    "unordered, diagonal": "unordered",
    "ordered, diagonal": "ordered",
    "moment(gap=pooled), dense": "moment(gap=pooled), dense mass matrix",
}
PANELS = {
    "raw_rhat": "R-hat of the draws as sampled",
    "rhat": "R-hat, the same draws sorted by mean",
    "rate": "effective draws for 1,000 passes",
}
FITTED = "faithful:waiting"
INK, MUTED, GRID = "ink", "muted", "grid"
THEMES = {
    "light": {INK: "#1f2328", MUTED: "#59636e", GRID: "#d1d9e0", "fill": "#d1d9e0",
              "surface": "#ffffff"},
    "dark": {INK: "#f0f6fc", MUTED: "#9198a1", GRID: "#3d444d", "fill": "#3d444d",
             "surface": "#0d1117"},
}  # fmt: skip
FONT = 'font-family="sans-serif" width="640"'
LIMIT = 1.01


def rows() -> pd.DataFrame:
    """Runs at n = 200 with equal weights under the adaptive prior; the rate of converged ones."""
    study = catalog.module("never_loses", "study")
    table = load_result(study.study, RESULTS).tables["never_loses"]
    found = study.runs(table, prior="adaptive", weight=0.5)
    found = found[found["contender"].isin(NAMES)]
    rate = found["rate"].where(found["converged"])
    return found.assign(rate=rate, shown=found["contender"].map(NAMES))


def numbers(found: pd.DataFrame) -> str:
    """The plotted means in words, by panel and parameterization, from separation 0 upwards."""
    parts = []
    for column, label in PANELS.items():
        for name in NAMES.values():
            mine = found[found["shown"] == name].groupby("separation")[column]
            means = [f"{interval(values.dropna(), log=True)[0]:.3g}" for _, values in mine]
            parts.append(f"{label}, {name}: {', '.join(means)}")
    places = ", ".join(f"{place:g}" for place in sorted(found["separation"].unique()))
    return f"Against separations {places}. {'; '.join(parts)}."


def draw(found: pd.DataFrame, theme: Mapping[str, str]) -> str:
    """The picture as SVG in the colours of a theme."""
    style = {
        "svg.hashsalt": "ordered_mix", "font.size": 10, "axes.linewidth": 0.7,
        "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": theme[MUTED],
        "text.color": theme[INK], "axes.labelcolor": theme[INK], "xtick.color": theme[MUTED],
        "ytick.color": theme[MUTED], "grid.color": theme[GRID], "legend.frameon": False,
    }  # fmt: skip
    with matplotlib.style.context(["default", style]):
        figure = Figure(figsize=(9.4, 3.3), layout="constrained")
        grid = figure.subplots(1, len(PANELS))
        coordinates = [name.rpartition(", ")[0] for name in NAMES]
        series = dict(zip(NAMES.values(), looks(coordinates).values(), strict=True))
        for axes, (column, label) in zip(grid, PANELS.items(), strict=True):
            curves(axes, found, column, "shown", series, log=True)
            axes.set_title(label, loc="left", fontsize=10.5)
            axes.set_xlabel("separation of the means / sd")
        grid[-1].yaxis.set_major_formatter("{x:g}")
        for axes in grid[:2]:
            axes.set_yscale("linear")
            axes.set_ylim(0.97, 1.78)
            axes.axhline(LIMIT, color=theme[MUTED], linewidth=0.8, linestyle=(0, (4, 2)))
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(NAMES))
        buffer = io.StringIO()
        about = {"Date": None, "Creator": None, "Description": numbers(found)}
        figure.savefig(buffer, format="svg", metadata=about)
    return buffer.getvalue()


def themed(drawing: Drawing, theme: Mapping[str, str]) -> str:
    """A figure of the report as a file of its own, in the colours of a theme."""
    svg = re.sub(r"var\(--([a-z]+)\)", lambda found: theme[found[1]], str(drawing.svg))
    svg = re.sub(r' style="width[^"]*"| style="max-width[^"]*"', "", svg, count=1)
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    about = f"<desc>{escape(drawing.alt)}</desc>"
    opening, rest = svg.replace("<svg", f"{head} {FONT}", 1).split(">", 1)
    return f"{opening}>{about}{rest}\n"


def main() -> None:
    """Write the pictures, one for each theme of the page that shows them."""
    found, fitted = rows(), FitReport(fit(FITTED)).picture()
    assert fitted is not None
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name, theme in THEMES.items():
        folder.joinpath(f"labels-{name}.svg").write_text(draw(found, theme), encoding="utf-8")
        folder.joinpath(f"fit-{name}.svg").write_text(themed(fitted, theme), encoding="utf-8")


if __name__ == "__main__":
    main()
