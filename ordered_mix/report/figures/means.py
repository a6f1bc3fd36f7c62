"""The joint posterior of neighbouring means: the bowtie, and where an ordering cuts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ordered_mix.report.figures.style import (
    GRID,
    INK,
    MUTED,
    Drawing,
    canvas,
    shortened,
    styled,
    thousands,
    to_svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ordered_mix.mixture import Array, Mixture
    from ordered_mix.report.figures.chains import Chains

PAIR_WIDTH = 2.9
COLUMNS = 2
MOST_DRAWS = 4000
TAIL = 0.001


def limits(several: Sequence[Chains]) -> tuple[float, float]:
    """Common limits of the means of several posteriors, without the outermost 0.1%."""
    ends = [np.quantile(chains.mixtures[0].mu, (TAIL, 1 - TAIL)) for chains in several]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    margin = 0.06 * (high - low)
    return float(low - margin), float(high + margin)


@styled
def pairs(
    chains: Chains, unit: str, extent: tuple[float, float], maximum: Mixture | None = None
) -> Drawing:
    """Raw draws of the means of components k and k + 1 with the line gap = 0.

    Parameters
    ----------
    chains : Chains
        Draws with at least two components.
    unit : str
        What the means are measured in: the name of the data or of the variable.
    extent : tuple of float
        Limits of both axes, the same for every parameterization.
    maximum : Mixture, optional
        The maximum likelihood fit, marked with a cross.
    """
    mu = chains.mixtures[0].mu
    count = mu.shape[-1] - 1
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    short = shortened(unit, 24 if count == 1 else 14)
    figure = canvas(PAIR_WIDTH, PAIR_WIDTH) if count == 1 else canvas(2.0 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for j, panel in enumerate(panels):
        if j >= count:
            panel.set_axis_off()
            continue
        _panel(panel, mu[..., j : j + 2], chains.colour, extent)
        if maximum is not None:
            _crosses(panel, maximum.mu[j : j + 2], chains.free)
        panel.set_xlabel(f"mean {j + 1}, {short}")
        panel.set_ylabel(f"mean {j + 2}, {short}")
        if chains.ordered:
            panel.fill_between(extent, extent[0], extent, color=GRID, linewidth=0, alpha=0.5)
    alt = _alt(chains, mu)
    cross = "" if maximum is None else ", a cross the best EM fit"
    excludes = "" if maximum is None else ", which an ordering excludes (grey)"
    return Drawing(
        chains.label,
        to_svg(figure, alt),
        alt,
        f"Every point is a draw as sampled{cross}. On the line the two means are equal "
        f"(gap\u00a0=\u00a00); below it they have traded labels{excludes}.",
    )


def _panel(axes: Axes, means: Array, colour: str, extent: tuple[float, float]) -> None:
    flat = means.reshape(-1, 2)
    flat = flat[:: max(1, len(flat) // MOST_DRAWS)]
    axes.plot(extent, extent, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
    axes.scatter(
        flat[:, 0], flat[:, 1], s=3, color=colour, alpha=0.4, linewidths=0, rasterized=True
    )
    axes.set(xlim=extent, ylim=extent, aspect="equal")
    axes.text(0.985, 0.985, "gap = 0", transform=axes.transAxes, ha="right", va="bottom",
              rotation=45, rotation_mode="anchor", fontsize=8, color=MUTED)  # fmt: skip
    for axis in (axes.xaxis, axes.yaxis):
        thousands(axis, *extent, 3)


def _crosses(axes: Axes, means: Array, both: bool) -> None:
    for at in (means, means[::-1]) if both else (means,):
        axes.plot(*at, marker="+", markersize=9, markeredgewidth=1.6, color=INK)


def _alt(chains: Chains, mu: Array) -> str:
    parts = []
    for j in range(mu.shape[-1] - 1):
        gap = mu[..., j + 1] - mu[..., j]
        parts.append(
            f"mean {j + 2} minus mean {j + 1} has the 5 to 95% range "
            f"{np.quantile(gap, 0.05):.3g} to {np.quantile(gap, 0.95):.3g} and is negative in "
            f"{np.mean(gap < 0):.1%} of the draws"
        )
    near = f"{chains.switching.gap_mass:.2%} of the draws are near gap = 0."
    return f"Joint posterior of neighbouring means under {chains.label}: {'; '.join(parts)}; {near}"
