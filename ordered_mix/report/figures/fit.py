"""The fitted density with its components, over the data if they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from ordered_mix.report.figures.style import (
    FILL,
    INK,
    Drawing,
    canvas,
    legend,
    shortened,
    styled,
    superscript,
    thousands,
    to_svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ordered_mix.data import Data
    from ordered_mix.mixture import Array, Mixture
    from ordered_mix.report.figures.chains import Chains

BAND = (0.05, 0.95)
MOST_DRAWS = 1000
POINTS = 240
PREDICTED = 20
TAIL = 0.001


@styled
def density(
    chains: Chains, unit: str, data: Data | None = None, maximum: Mixture | None = None
) -> Drawing:
    """Posterior mean predictive density with its 90% band, and its weighted components.

    Parameters
    ----------
    chains : Chains
        Whose draws to show.
    unit : str
        What the density is of: the name of the data or of the variable.
    data : Data, optional
        One sample that varies, shown as a histogram.
    maximum : Mixture, optional
        The maximum likelihood fit, one mixture with its means in increasing order, whose
        components are shown; by default they are the means over the relabelled draws.
    """
    raw, repaired = chains.mixtures
    grid = _grid(raw, data)
    mean, low, high = predictive(raw, grid)
    fit, origin = (repaired, chains.repair) if maximum is None else (maximum, "EM")
    figure = canvas(3.1)
    axes = figure.subplots()
    lines: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 2))}
    for part in components(fit, grid).T:
        axes.plot(grid, part, **lines)
    axes.fill_between(grid, low, high, color=chains.colour, alpha=0.3, linewidth=0)
    axes.plot(grid, mean, color=chains.colour, linewidth=1.8)
    handles: dict[str, Any] = {
        "posterior mean": Line2D([], [], color=chains.colour, linewidth=1.8),
        "90% band": Patch(color=chains.colour, alpha=0.3, linewidth=0),
        "components, EM" if maximum else "components": Line2D([], [], **lines),
    }
    if data is not None:
        axes.hist(data.y, bin_edges(data.y).tolist(), density=True, color=FILL, zorder=0.5)
        handles = {"data": Patch(color=FILL)} | handles
    axes.set_xlabel(shortened(unit))
    axes.set_xlim(grid[0], grid[-1])
    thousands(axes.xaxis, grid[0], grid[-1], 7)
    _density_axis(axes, float(high.max()))
    axes.set_ylim(bottom=0)
    legend(figure, list(handles.values()), list(handles), 4)
    alt = _density_alt(chains.label, data, peaks(grid, mean), fit, origin)
    histogram = "Histogram of the data; posterior" if data is not None else "Posterior"
    return Drawing(
        "Fitted density",
        to_svg(figure, alt),
        alt,
        f"{histogram} mean predictive density of {chains.label} with the 5 to 95% band of the "
        f"draws at each point; weighted components of the "
        f"{'best EM fit' if maximum else f'{origin} draws'}.",
    )


def predictive(draws: Mixture, grid: Array) -> tuple[Array, Array, Array]:
    """Mean and 5 and 95% quantiles of the density at the points of a grid, each shape (m,)."""
    values = _thinned(draws).density(grid)
    low, high = np.quantile(values, BAND, axis=0)
    return values.mean(axis=0), low, high


def components(draws: Mixture, grid: Array) -> Array:
    """Weighted densities of the components, means over the draws, shape (m, k)."""
    return np.exp(_thinned(draws).log_components(grid)).mean(axis=0)


def _thinned(draws: Mixture) -> Mixture:
    flat = draws.reshape(-1)
    return flat[:: max(1, flat.batch_shape[0] // MOST_DRAWS)]


def peaks(grid: Array, values: Array) -> Array:
    """Positions of the local maxima of a curve."""
    inner = values[1:-1]
    return grid[1:-1][(inner > values[:-2]) & (inner >= values[2:])]


def _density_alt(label: str, data: Data | None, tops: Array, fit: Mixture, origin: str) -> str:
    flat = fit.reshape(-1)
    parts = "; ".join(
        f"mean {mu:.4g}, standard deviation {sigma:.3g}, weight {w:.2f}"
        for w, mu, sigma in zip(*(v.mean(axis=0) for v in (flat.w, flat.mu, flat.sigma)),
                                strict=True)
    )  # fmt: skip
    histogram = "" if data is None else (
        f"Histogram of {data.n} values of {data.name} from {data.y.min():.4g} to "
        f"{data.y.max():.4g}. "
    )  # fmt: skip
    return (
        f"{histogram}The posterior mean density of {label} peaks at "
        f"{', '.join(f'{x:.4g}' for x in tops)}. Components, {origin}: {parts}."
    )


def _density_axis(axes: Axes, highest: float) -> None:
    exponent = int(np.floor(np.log10(highest)))
    if -3 <= exponent <= 3:
        axes.set_ylabel("density, per unit of the data")
        return
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10.0**exponent:g}"))
    axes.set_ylabel(f"density, {superscript(10.0**exponent)} per unit of the data")


def _grid(draws: Mixture, data: Data | None) -> Array:
    """Points over the data, or over all but the outermost 0.1% of what the draws predict."""
    if data is None:
        predicted = _thinned(draws).sample(PREDICTED, np.random.default_rng(0))
        low, high = np.quantile(predicted, (TAIL, 1 - TAIL))
    else:
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
