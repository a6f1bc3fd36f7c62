"""Pair plots of a mixture in several dimensions, with ellipses and their uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ordered_mix.fitted.points import FittedPoints
    from ordered_mix.mixture import Mixture

MASS = 0.9
MOST_COLUMNS = 8
DRAWS = 30
MOST_POINTS = 2000
SURE = 0.9
ANGLES = np.linspace(0.0, 2 * np.pi, 60)


def plot_points(fitted: FittedPoints, draws: int = DRAWS) -> Figure:
    """Every pair of the first columns: points by component, and the ellipses of the components.

    Thin lines are single draws, thick ones the maximum of the likelihood; each ellipse holds 90%
    of its component in the two columns. Points that belong to their component with a probability
    below 0.9 are hollow. Of many points 2,000 are shown, evenly spread.

    Parameters
    ----------
    fitted : FittedPoints
    draws : int
        How many single draws are shown.
    """
    from matplotlib.figure import Figure

    data = fitted.data
    count = min(data.d, MOST_COLUMNS)
    size = max(2, count)
    figure = Figure(figsize=(2.2 * size, 2.2 * size), layout="constrained")
    grid = figure.subplots(count, count, squeeze=False)
    for row in range(count):
        for column in range(count):
            axes = grid[row, column]
            if column > row:
                axes.set_visible(False)
            elif column == row:
                _histogram(axes, fitted, row)
            else:
                _pair(axes, fitted, column, row, draws)
            if row == count - 1:
                axes.set_xlabel(data.columns[column])
            if column == 0 and row > 0:
                axes.set_ylabel(data.columns[row])
    return figure


def ellipse(mixture: Mixture, component: int, pair: tuple[int, int]) -> NDArray[np.float64]:
    """Outline that holds 90% of one component in two coordinates, shape (2, points)."""
    index = np.array(pair)
    covariance = mixture.covariance[component][np.ix_(index, index)]
    circle = np.stack([np.cos(ANGLES), np.sin(ANGLES)])
    radius = np.sqrt(-2 * np.log(1 - MASS))  # chi squared with two degrees of freedom
    return mixture.mu[component][index, None] + radius * np.linalg.cholesky(covariance) @ circle


def certain(points: pd.DataFrame) -> NDArray[np.bool_]:
    """Which points belong to one component with a probability of at least 0.9."""
    return points.filter(like="probability_").max(axis=1).to_numpy() >= SURE


def _histogram(axes: Axes, fitted: FittedPoints, at: int) -> None:
    component = fitted.points["component"].to_numpy()
    groups = [fitted.data.y[component == own + 1, at] for own in range(fitted.maximum.k)]
    colours = [f"C{own}" for own in range(fitted.maximum.k)]
    axes.hist(groups, bins=20, stacked=True, color=colours, alpha=0.6)
    axes.set_yticks([])


def _pair(axes: Axes, fitted: FittedPoints, column: int, row: int, count: int) -> None:
    shown = fitted.points.iloc[:: max(1, fitted.data.n // MOST_POINTS)]
    component, sure = shown["component"].to_numpy(), certain(shown)
    y, (chains, draws) = shown.to_numpy(), fitted.labelled.batch_shape
    chosen = np.linspace(0, chains * draws - 1, min(count, chains * draws)).astype(int)
    for own in range(fitted.maximum.k):
        for known, face in ((sure, f"C{own}"), (~sure, "none")):
            mine = (component == own + 1) & known
            axes.scatter(y[mine, column], y[mine, row], s=6, alpha=0.6, linewidths=0.6,
                         facecolors=face, edgecolors=f"C{own}")  # fmt: skip
        for at in chosen:
            drawn = fitted.labelled[at // draws, at % draws]
            axes.plot(*ellipse(drawn, own, (column, row)), color=f"C{own}", lw=0.4, alpha=0.3)
        axes.plot(*ellipse(fitted.maximum, own, (column, row)), color=f"C{own}", lw=1.6)
