"""Label switching at a glance: traces and rank plots, raw beside relabelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import arviz_stats
import numpy as np
from arviz_stats.base import array_stats
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ordered_mix.report.figures.style import (
    FILL,
    GRID,
    MUTED,
    Drawing,
    canvas,
    legend,
    ramp,
    shortened,
    styled,
    thousands,
    to_svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ordered_mix.mixture import Array
    from ordered_mix.report.figures.chains import Chains

MOST_POINTS = 4000
AT = np.linspace(0, 1, 81)
BAND = 0.95


@styled
def labels(chains: Chains, unit: str) -> Drawing:
    """Traces and fractional-rank plots of the means, before and after their labels are in order.

    Parameters
    ----------
    chains : Chains
        At least two.
    unit : str
        What the means are measured in: the name of the data or of the variable.
    """
    raw, repaired = chains.traced
    values = {"raw": raw, chains.repair: repaired}
    if raw.shape[-1] == 1:
        del values["raw"]
    shades = ramp(chains.colour, raw.shape[-1])
    half_width = rank_band(repaired)
    figure = canvas(3.8)
    grid = figure.subplots(
        2, len(values), sharey="row", sharex="row", height_ratios=(1.25, 1), squeeze=False
    )
    extent = np.quantile(raw, (0.0005, 0.9995)) if raw.size > 4000 else (raw.min(), raw.max())
    largest = half_width
    for column, (name, means) in enumerate(values.items()):
        _trace(grid[0, column], means, shades)
        _ranks(grid[1, column], means, shades, half_width)
        largest = max(largest, largest_rank_line(means))
        if len(values) > 1:
            note = "as sampled" if name == "raw" else chains.by
            grid[0, column].set_title(f"{name}: {note}")
    named = dict.fromkeys((chains.what, unit))
    grid[0, 0].set_ylabel("\n".join(map(shortened, named)))
    margin = 0.06 * (extent[1] - extent[0])
    grid[0, 0].set_ylim(extent[0] - margin, extent[1] + margin)
    grid[1, 0].set_ylim(-1.2 * largest, 1.2 * largest)
    grid[1, 0].set_ylabel("rank ECDF\nminus uniform")
    handles = [Line2D([], [], color=shade, linewidth=2.5) for shade in shades]
    legend(figure, handles, [f"component {j + 1}" for j in range(len(shades))], min(len(shades), 3))
    alt = _alt(chains, values, half_width)
    trade = " Where the colours trade places, labels have switched." if len(values) > 1 else ""
    return Drawing(
        chains.label,
        to_svg(figure, alt),
        alt,
        f"Above: {_above(chains.what)} of every component over the draws, chain after "
        f"chain.{trade} Below: for "
        f"each chain and component, the distribution of its ranks among all chains; the grey "
        f"band holds all lines of chains that agree, with probability {BAND:.0%}.",
    )


def _above(what: str) -> str:
    return "the mean" if what == "means" else shortened(what)


def rank_band(means: Array) -> float:
    """Half-width of a simultaneous 95% band for the rank lines of chains that agree.

    The inequality of Dvoretzky, Kiefer and Wolfowitz with the effective draws of a chain by itself
    in place of the draws, shared out over all chains and components.
    """
    chains, draws, k = means.shape
    ess = [
        [
            float(arviz_stats.ess(chain[None, :, j], method="bulk", chain_axis=0, draw_axis=1))
            for chain in means
        ]
        for j in range(k)
    ]
    effective = min(float(np.mean(ess, axis=1).min()), draws)
    return float(np.sqrt(np.log(2 * chains * k / (1 - BAND)) / (2 * effective)))


def rank_lines(draws: Array, at: Array) -> Array:
    """ECDF of the fractional ranks of each chain minus the uniform one, shape (chain, m)."""
    ranks = array_stats.compute_ranks(draws, axis=(0, 1), relative=True)
    lines = [np.searchsorted(np.sort(chain), at, side="right") / len(chain) for chain in ranks]
    return np.array(lines) - at


def largest_rank_line(means: Array) -> float:
    """Largest distance of a rank line of any chain and component from zero."""
    return max(float(np.abs(rank_lines(means[..., j], AT)).max()) for j in range(means.shape[-1]))


def _trace(axes: Axes, means: Array, shades: list[str]) -> None:
    chains, draws, _ = means.shape
    every = max(1, chains * draws // MOST_POINTS)
    x = (np.arange(chains)[:, None] + np.arange(draws) / draws)[:, ::every]
    for j, shade in reversed(list(enumerate(shades))):
        for chain in range(chains):
            axes.plot(x[chain], means[chain, ::every, j], color=shade, linewidth=0.5,
                      rasterized=True)  # fmt: skip
    for edge in range(1, chains):
        axes.axvline(edge, color=MUTED, linewidth=0.6)
    axes.set_xlim(0, chains)
    named = range(0, chains, -(-chains // 8))
    axes.set_xticks([chain + 0.5 for chain in named], [str(chain + 1) for chain in named])
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel(f"chain, {draws:,} draws each")
    thousands(axes.yaxis, means.min(), means.max(), 4)


def _ranks(axes: Axes, means: Array, shades: list[str], half_width: float) -> None:
    axes.axhspan(-half_width, half_width, color=FILL, linewidth=0)
    axes.axhline(0, color=GRID, linewidth=0.7)
    for j, shade in reversed(list(enumerate(shades))):
        for line in rank_lines(means[..., j], AT):
            axes.plot(AT, line, color=shade, linewidth=0.9)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    axes.set_xlabel("fractional rank")
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _alt(chains: Chains, values: dict[str, Array], half_width: float) -> str:
    parts = [
        f"{name}: largest R-hat {chains.rhat[name]:.3f}, largest deviation of a rank line "
        f"{largest_rank_line(means):.2f}"
        for name, means in values.items()
    ]
    measured = chains.switching
    return (
        f"Traces and rank plots of the {chains.what} of {chains.label}. Labels switch in "
        f"{measured.switching_rate:.1%} of the steps; {measured.modes_visited} of "
        f"{measured.modes_possible:g} labellings are visited. {'; '.join(parts)}. The 95% band is "
        f"±{half_width:.2f}."
    )
