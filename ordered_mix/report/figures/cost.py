"""Figures of the cost in passes over the data: effective draws, and the way to the optimum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ordered_mix.compare.verdicts import efficiency_by_chain
from ordered_mix.report.figures.style import (
    INK,
    MUTED,
    Drawing,
    canvas,
    legend,
    light_grid,
    log_axis,
    styled,
    superscript,
    to_svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ordered_mix.estimators.loop.fit import Fit
    from ordered_mix.fitted.posterior import Sampled
    from ordered_mix.mixture import Array

FLOOR = 1e-9
DOTTED = (0, (1, 1.2))
COLLAPSED = ("variance_collapsed", "component_emptied", "left_domain")


@styled
def efficiency(sampled: Sequence[Sampled], shades: dict[str, str]) -> Drawing:
    """Smallest relabelled bulk ESS per 1,000 passes: bars for all chains, dots for each.

    Parameters
    ----------
    sampled : sequence of Sampled
        Any number of samplers.
    shades : dict of str to str
        Colour of each parameterization.
    """
    total = [1000 * item.worst("ess_per_pass", "relabelled") for item in sampled]
    chains = [1000 * np.exp(efficiency_by_chain(item)) for item in sampled]
    figure = canvas(0.38 * len(sampled) + 0.85)
    axes = figure.subplots()
    for row, item in enumerate(sampled):
        colour = shades[item.coordinates]
        axes.barh(row, total[row], height=0.62, color=colour, alpha=0.55)
        axes.plot(chains[row], np.full(len(chains[row]), row), "o", markersize=4, color=INK,
                  markerfacecolor=colour, markeredgewidth=0.6)  # fmt: skip
        axes.annotate(f"{total[row]:.3g}", (1, row), xycoords=("axes fraction", "data"),
                      ha="right", va="center")  # fmt: skip
    axes.set_yticks(range(len(sampled)), [item.label for item in sampled])
    axes.set_ylim(len(sampled) - 0.5, -0.5)
    axes.annotate("all chains", (1, -0.5), (0, 4), ("axes fraction", "data"), "offset points",
                  ha="right", color=MUTED)  # fmt: skip
    axes.set_xlim(0, 1.25 * max(max(total), *(values.max() for values in chains)))
    axes.set_xlabel("effective draws per 1,000 passes")
    axes.tick_params(axis="y", length=0)
    alt = "; ".join(
        f"{item.label} {value:.3g} (chains {', '.join(f'{x:.3g}' for x in dots)})"
        for item, value, dots in zip(sampled, total, chains, strict=True)
    )
    alt = f"Smallest relabelled effective sample size per 1,000 passes over the data: {alt}."
    return Drawing(
        "What a pass buys",
        to_svg(figure, alt),
        alt,
        "Smallest relabelled bulk ESS over weights, means and scales, for 1,000 passes over the "
        "data after warm-up. Bars: all chains together. Dots: each chain by itself.",
    )


@styled
def convergence(fits: Mapping[str, Fit], shades: dict[str, str]) -> Drawing:
    """Objective left to gain against passes, one row for each parameterization.

    Parameters
    ----------
    fits : mapping of str to Fit
        By label: ``em``, ``map NAME`` and ``map NAME, no Jacobian``.
    shades : dict of str to str
        Colour of each parameterization.
    """
    names = list(dict.fromkeys(parameterization_of(label) for label in fits)) or [""]
    rows = [name for name in names if name] or [""]
    figure = canvas(max(0.85 * len(rows) + 0.9, 2.4))
    panels = figure.subplots(len(rows), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for name, panel in zip(rows, panels, strict=True):
        for label, fit in fits.items():
            if parameterization_of(label) in ("", name):
                _paths(panel, label, fit, shades.get(name, INK))
        panel.set_yscale("log")
        log_axis(panel.yaxis, superscript, 4)
        light_grid(panel, "y")
        if name:
            panel.set_title(name, pad=2)
    panels[0].set_ylim(bottom=FLOOR / 2)
    longest = max(int(fit.passes.max()) for fit in fits.values())
    panels[-1].set_xlabel("passes over the data, each run")
    if longest > 400:
        panels[0].set_xscale("log")
        log_axis(panels[-1].xaxis, "{:,g}".format, 5)
    figure.supylabel("objective below the best found, nats", fontsize=9, color=INK)
    styles = {"EM": (MUTED, "-"), "MAP": (INK, "-"), "MAP without Jacobian": (INK, (0, (2, 1.5)))}
    present = dict.fromkeys(_kind(label) for label in fits)
    shown = {name: styles.get(name, (INK, DOTTED)) for name in present}
    handles = [Line2D([], [], color=colour, linestyle=dash) for colour, dash in shown.values()]  # type: ignore[arg-type]
    legend(figure, handles, list(shown), 3)
    alt = _convergence_alt(fits)
    return Drawing(
        "The way to the optimum",
        to_svg(figure, alt),
        alt,
        "How far each run from the shared starts still is from the best value of its own "
        "objective. Steeper is faster; a line that stays high ended at a worse optimum.",
    )


def parameterization_of(label: str) -> str:
    """The parameterization in the label of a point fit; empty for EM, which needs none."""
    return label.partition(" ")[2].removesuffix(", no Jacobian")


def left_to_gain(fit: Fit) -> tuple[NDArray[np.int64], Array]:
    """Passes, and the best objective of a sound run minus the objective; (snapshots, runs)."""
    snapshots = len(fit.trace.passes)
    objective = fit.trace.objective.reshape(snapshots, -1)
    passes = fit.trace.passes.reshape(snapshots, -1)
    sound = ~np.isin(fit.status, COLLAPSED).reshape(-1)
    best = np.nanmax(objective[-1, sound] if sound.any() else objective[-1])
    return passes, np.maximum(best - objective, FLOOR)


def _kind(label: str) -> str:
    name = label.partition(" ")[0]
    if label.endswith(", no Jacobian"):
        return f"{name.upper()} without Jacobian"
    return name.upper() if name in ("em", "ecm", "map") else name


def _paths(axes: Axes, label: str, fit: Fit, colour: str) -> None:
    passes, gap = left_to_gain(fit)
    em, kind = label == "em", _kind(label)
    dashes = {"EM": "-", "MAP": "-", "MAP without Jacobian": (0, (2, 1.5))}
    axes.plot(passes, gap, color=MUTED if em else colour, linewidth=0.9 if em else 1.1,
              alpha=0.8, linestyle=dashes.get(kind, DOTTED))  # fmt: skip
    axes.plot(passes[-1], gap[-1], ".", markersize=3.5, color=MUTED if em else colour)


def _convergence_alt(fits: Mapping[str, Fit]) -> str:
    parts = []
    for label, fit in fits.items():
        reached = float(np.mean(left_to_gain(fit)[1][-1] < 1e-4))
        parts.append(
            f"{label}: median {np.median(fit.passes):.0f} passes, {reached:.0%} of the runs "
            "reach the best"
        )
    return f"Objective left to gain against passes over the data. {'; '.join(parts)}."
