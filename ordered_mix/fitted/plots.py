"""Figures of a fitted mixture for scripts and notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.fitted.fitted import Fitted

POINTS = 400
BAND = (0.055, 0.945)
MOST_DRAWS = 400


def plot_fit(fitted: Fitted) -> Figure:
    """The data, the fitted density with its 89% band if there are draws, and the components."""
    from matplotlib.figure import Figure

    y = fitted.data.y
    low, high = float(y.min()), float(y.max())
    grid = np.linspace(low - 0.08 * (high - low), high + 0.08 * (high - low), POINTS)
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    bins = int(np.clip(round(2 * y.size**0.4), 10, 60))
    axes.hist(y, bins=bins, density=True, color="0.85", label="data")
    one = fitted.estimate
    if fitted.labelled is not None:
        flat = fitted.labelled.reshape(-1)
        step = max(1, flat.batch_shape[0] // MOST_DRAWS)
        values = flat[::step].density(grid)
        axes.fill_between(grid, *np.quantile(values, BAND, axis=0), color="C0", alpha=0.3, lw=0)
        axes.plot(grid, values.mean(axis=0), color="C0", label="posterior mean")
    else:
        axes.plot(grid, one.density(grid), color="C0", label="fit")
    parts = np.exp(one.log_components(grid))
    for index in range(one.k):
        label = f"component {index + 1}"
        axes.plot(grid, parts[:, index], color=f"C{index + 1}", ls="--", lw=1, label=label)
    axes.set(xlabel=fitted.data.name, ylabel="density")
    axes.legend(frameon=False)
    return figure


def plot_posterior(fitted: Fitted) -> Any:
    """Posterior densities with their intervals, on the labelled draws, by arviz-plots."""
    import arviz

    return arviz.plot_dist(
        fitted.tree, var_names=["w", "mu", "sigma"], ci_kind="hdi", ci_prob=fitted.hdi_prob
    )
