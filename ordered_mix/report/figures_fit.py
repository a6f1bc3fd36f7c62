"""Figures of the fit: its density over the data, and how well each model predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from ordered_mix.diagnostics.information import difference
from ordered_mix.report.style import (
    FILL,
    INK,
    MUTED,
    Drawing,
    canvas,
    legend,
    light_grid,
    shortened,
    styled,
    superscript,
    thousands,
    to_svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ordered_mix.comparison import Sampled
    from ordered_mix.data import Data
    from ordered_mix.mixture import Array, Mixture

BAND = (0.05, 0.95)
MOST_DRAWS = 1000
POINTS = 240
CRITERIA = {"waic": ("WAIC", "o", 0.17), "loo": ("LOO", "D", -0.17)}


@styled
def density(data: Data, item: Sampled, maximum: Mixture, colour: str) -> Drawing:
    """Posterior mean predictive density with its 90% band, over the histogram and the EM fit.

    Parameters
    ----------
    data : Data
        One sample.
    item : Sampled
        Whose draws to show.
    maximum : Mixture
        The maximum likelihood fit, one mixture with its means in increasing order.
    colour : str
        Colour of the parameterization.
    """
    grid = _grid(data)
    mean, low, high = predictive(item.draws.mixture, grid)
    parts = np.exp(maximum.log_components(grid))
    figure = canvas(3.1)
    axes = figure.subplots()
    axes.hist(data.y, bin_edges(data.y).tolist(), density=True, color=FILL)
    for part in parts.T:
        axes.plot(grid, part, color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
    axes.fill_between(grid, low, high, color=colour, alpha=0.3, linewidth=0)
    axes.plot(grid, mean, color=colour, linewidth=1.8)
    axes.set_xlabel(shortened(data.name))
    axes.set_xlim(grid[0], grid[-1])
    thousands(axes.xaxis, grid[0], grid[-1], 7)
    _density_axis(axes, float(high.max()))
    axes.set_ylim(bottom=0)
    handles = [
        Patch(color=FILL),
        Line2D([], [], color=colour, linewidth=1.8),
        Patch(color=colour, alpha=0.3, linewidth=0),
        Line2D([], [], color=INK, linewidth=0.9, linestyle=(0, (4, 2))),
    ]
    legend(figure, handles, ["data", "posterior mean", "90% band", "components, EM"], 4)
    alt = _density_alt(data, item, maximum, grid, mean)
    return Drawing(
        "Fitted density",
        to_svg(figure, alt),
        alt,
        f"Histogram of the data; posterior mean predictive density of {item.label} with the 5 to "
        "95% band of the draws at each point; weighted components of the best EM fit.",
    )


def predictive(draws: Mixture, grid: Array) -> tuple[Array, Array, Array]:
    """Mean and 5 and 95% quantiles of the density at the points of a grid, each shape (m,)."""
    flat = draws.reshape(-1)
    every = max(1, flat.batch_shape[0] // MOST_DRAWS)
    values = flat[::every].density(grid)
    low, high = np.quantile(values, BAND, axis=0)
    return values.mean(axis=0), low, high


def peaks(grid: Array, values: Array) -> Array:
    """Positions of the local maxima of a curve."""
    inner = values[1:-1]
    return grid[1:-1][(inner > values[:-2]) & (inner >= values[2:])]


def _density_alt(data: Data, item: Sampled, maximum: Mixture, grid: Array, mean: Array) -> str:
    at = ", ".join(f"{x:.4g}" for x in peaks(grid, mean))
    parts = "; ".join(
        f"mean {mu:.4g}, standard deviation {sigma:.3g}, weight {w:.2f}"
        for w, mu, sigma in zip(maximum.w, maximum.mu, maximum.sigma, strict=True)
    )
    return (
        f"Histogram of {data.n} values of {data.name} from {data.y.min():.4g} to "
        f"{data.y.max():.4g}. The posterior mean density of {item.label} peaks at {at}. "
        f"Components of the EM fit: {parts}."
    )


def _density_axis(axes: Axes, highest: float) -> None:
    exponent = int(np.floor(np.log10(highest)))
    if -3 <= exponent <= 3:
        axes.set_ylabel("density, per unit of the data")
        return
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10.0**exponent:g}"))
    axes.set_ylabel(f"density, {superscript(10.0**exponent)} per unit of the data")


def _grid(data: Data) -> Array:
    low, high = float(data.y.min()), float(data.y.max())
    margin = 0.08 * (high - low)
    return np.linspace(low - margin, high + margin, POINTS)


def bin_edges(y: Array) -> Array:
    """Histogram edges; for rounded data a whole number of rounding steps wide, so none is favoured.

    Parameters
    ----------
    y : array, shape (n,)
    """
    low, high = float(y.min()), float(y.max())
    count = int(np.clip(round(2 * len(y) ** 0.4), 10, 60))
    width = (high - low) / count
    step = float(np.diff(np.unique(y)).min())
    lattice = (y - low) / step
    if step < width / 50 or not np.allclose(lattice, np.round(lattice), atol=1e-3):
        return np.linspace(low, high, count + 1)
    width = step * np.ceil(width / step)
    count = int(np.ceil((high - low + step) / width - 1e-6))
    return low - step / 2 + width * np.arange(count + 1)


@styled
def forest(sampled: Sequence[Sampled], fewer: Sampled | None, shades: dict[str, str]) -> Drawing:
    """WAIC and LOO of every model as a difference to the best, with two kinds of error.

    Parameters
    ----------
    sampled : sequence of Sampled
        The models with K components.
    fewer : Sampled or None
        The model with one component less.
    shades : dict of str to str
        Colour of each parameterization.
    """
    items = [*sampled, *([fewer] if fewer else [])]
    rows = {
        (item.label, kind): _against_best(item, items, kind) for item in items for kind in CRITERIA
    }
    zoom = fewer is not None and _far(fewer, rows)
    figure = canvas(0.42 * len(items) + 1.25)
    panels = figure.subplots(1, 2 if zoom else 1, sharey=True, squeeze=False)[0]
    for panel, shown in zip(panels, (items, list(sampled)), strict=False):
        for item in shown:
            colour = MUTED if item is fewer else shades[item.parameterization.label]
            for kind in CRITERIA:
                _interval(panel, items.index(item), kind, rows[item.label, kind], colour)
        panel.axvline(0, color=MUTED, linewidth=0.7)
        light_grid(panel, "y")
    panels[0].set_yticks(range(len(items)), [_short(item.label) for item in items])
    panels[0].set_ylim(len(items) - 0.5, -0.5)
    figure.supxlabel("elpd minus that of the best, nats", fontsize=9)
    if zoom:
        panels[0].set_title("all models")
        panels[1].set_title(f"K = {sampled[0].draws.mixture.k} only, closer")
    handles: list[Any] = [
        Line2D([], [], color=INK, marker=marker, markersize=4.5, linestyle="",
               markerfacecolor=INK if kind == "waic" else "none")
        for kind, (_, marker, _) in CRITERIA.items()
    ]  # fmt: skip
    handles += [Line2D([], [], color=INK, linewidth=width) for width in (0.9, 3.2)]
    legend(figure, handles, ["WAIC", "LOO", "±1 standard error", "±1 Monte Carlo error"], 2)
    alt = "; ".join(
        f"{label}, {CRITERIA[kind][0]}: {delta:.2f} with standard error {se:.2f}, Monte Carlo "
        f"error {mcse:.2f}"
        for (label, kind), (delta, se, mcse) in rows.items()
    )
    alt = f"Expected log predictive density minus that of the best model. {alt}."
    return Drawing(
        "Predictive accuracy",
        to_svg(figure, alt),
        alt,
        "Expected log predictive density (elpd) of each model minus that of the best; further left "
        "predicts worse. Thin: standard error of the paired difference. Thick: Monte Carlo error, "
        "what another run would change.",
    )


def _far(fewer: Sampled, rows: dict[tuple[str, str], tuple[float, float, float]]) -> bool:
    """Whether one model is so far off that the others need a closer look."""
    reach = {key: abs(delta) + max(se, mcse) for key, (delta, se, mcse) in rows.items()}
    others = [value for (label, _), value in reach.items() if label != fewer.label]
    return abs(rows[fewer.label, "loo"][0]) > 4 * max(others)


def _against_best(item: Sampled, items: Sequence[Sampled], kind: str) -> tuple[float, float, float]:
    elpd = {other.label: getattr(other, f"elpd_{kind}") for other in items}
    best = max(elpd.values(), key=lambda value: value.elpd)
    gap = difference(elpd[item.label], best)
    return gap.elpd + 0.0, gap.se, float(elpd[item.label].mcse)


def _interval(
    axes: Axes, row: int, kind: str, values: tuple[float, float, float], colour: str
) -> None:
    delta, se, mcse = values
    _, marker, offset = CRITERIA[kind]
    at = row - offset
    axes.plot([delta - se, delta + se], [at, at], color=colour, linewidth=0.9)
    axes.plot([delta - mcse, delta + mcse], [at, at], color=colour, linewidth=3.2, alpha=0.55,
              solid_capstyle="butt")  # fmt: skip
    face = colour if kind == "waic" else "none"
    axes.plot(delta, at, marker=marker, markersize=4.5, color=colour, markerfacecolor=face)


def _short(label: str) -> str:
    head, comma, note = label.partition(", ")
    return f"{head}\n{note}" if comma else label.replace(" ", "\n", 1)
