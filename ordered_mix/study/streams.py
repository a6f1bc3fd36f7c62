"""Flows in the plane of two means, drawn as streamlines over their speed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ordered_mix.arrays import Array
from ordered_mix.mixture import Mixture

INK, SIGNAL = "#222222", "#d55e00"
WIDTHS = {2: (7.0, 0.7), 3: (9.0, 0.45)}
"""Width of a figure in inches and density of its streamlines, by number of columns."""


class Flow(NamedTuple):
    """A flow on a square of points.

    Parameters
    ----------
    title : str
    at, velocity : ndarray, shape (points^2, 2)
        The means, the second one fastest, and how they move.
    truth : ndarray, shape (2,)
        Where the truth is marked.
    top : float
        Speed at which the colours end.
    """

    title: str
    at: Array
    velocity: Array
    truth: Array
    top: float


def square(truth: Mixture, span: float, points: int) -> Mixture:
    """Means on a square around the centre of the truth's, the second one fastest."""
    axis = np.linspace(-span, span, points)
    mu1, mu2 = np.meshgrid(*2 * [truth.mu.mean() + axis], indexing="ij")
    return Mixture(truth.w, np.stack([mu1.ravel(), mu2.ravel()], axis=1), truth.sigma)


def every_other(table: pd.DataFrame) -> pd.DataFrame:
    """Every other point of a square of means in both directions, half the resolution."""
    kept = np.union1d(table["mu1"], table["mu2"])[::2]
    return table[table["mu1"].isin(kept) & table["mu2"].isin(kept)]


def streams(flows: Sequence[Sequence[Flow | None]], by: str) -> Figure:
    """Panels of flows; what is missing stays empty.

    Parameters
    ----------
    flows : sequence of sequence of Flow or None
        In rows and columns.
    by : {"row", "column"}
        Whether a row or a column shares its colours.
    """
    rows, columns = len(flows), len(flows[0])
    width, density = WIDTHS.get(columns, (9.0, 0.33))
    figure = Figure(figsize=(width, (width / columns + 0.3) * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        flow, below = flows[row][column], row == rows - 1
        axes.tick_params(labelsize=7)
        axes.set(xlabel="mu1 / sigma1" if below else "", ylabel="" if column else "mu2 / sigma1")
        if flow is None:
            continue
        axes.set_title(flow.title, fontsize=8)
        filled = _stream(axes, flow, density)
        if by == "column" and below:
            _speed_bar(figure, filled, list(grid[:, column]), "bottom")
        if by == "row" and column == columns - 1:
            _speed_bar(figure, filled, list(grid[row, :]), "right")
    return figure


def _stream(axes: Axes, flow: Flow, density: float) -> Any:
    side = round(np.sqrt(len(flow.at)))
    axis = flow.at[:side, 1]
    velocity = np.where(np.isfinite(flow.velocity), flow.velocity, 0.0)
    levels = np.geomspace(flow.top / 1e3, flow.top, 10)
    speed = np.clip(np.linalg.norm(velocity, axis=1), levels[0], levels[-1]).reshape(side, side)
    filled = axes.contourf(axis, axis, speed.T, levels=levels, cmap="Blues", norm=LogNorm())
    filled.set_rasterized(True)
    u, v = velocity.reshape(side, side, 2).T
    drawn = axes.streamplot(axis, axis, u, v, density=density, arrowsize=0.7, color=INK)
    for path in drawn.lines.get_segments():
        thinned = np.concatenate([path[:-1:5], path[-1:]])  # for a small file
        axes.plot(*thinned.T, color=INK, linewidth=0.7)
    drawn.lines.remove()
    axes.plot(axis[[0, -1]], axis[[0, -1]], "--", color=SIGNAL, linewidth=0.9)
    axes.plot(*flow.truth, "*", color=SIGNAL, markersize=9, markeredgecolor="white")
    axes.set(aspect="equal", xlim=axis[[0, -1]], ylim=axis[[0, -1]])
    return filled


def _speed_bar(figure: Figure, filled: Any, group: list[Axes], place: str) -> None:
    bar = figure.colorbar(filled, ax=group, location=place, shrink=0.8, aspect=30)
    bar.set_ticks(filled.levels[::4], labels=[f"{level:.2g}" for level in filled.levels[::4]])
    bar.ax.tick_params(labelsize=7)
    bar.set_label("speed of (mu1, mu2)", fontsize=8)
