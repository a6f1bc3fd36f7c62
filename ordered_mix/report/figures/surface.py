"""The likelihood of two means, and how four algorithms climb it from the same starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ordered_mix.data import Data
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.natural import NaturalGradient
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior
from ordered_mix.report.figures.style import (
    FILL,
    INK,
    MUTED,
    PALETTE,
    Drawing,
    canvas,
    shortened,
    styled,
    thousands,
    to_svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ordered_mix.estimators.loop.fit import Fit
    from ordered_mix.mixture import Array

MOST_POINTS = 2000
CELLS = 51
BELOW = (400.0, 200.0, 100.0, 50.0, 25.0, 12.0, 5.0, 1.0)
"""Contours, in nats per 100 points below the highest point of the surface."""
STARTS = ((0.03, 0.97), (0.02, 0.12), (0.88, 0.98), (0.45, 0.55))
"""Quantiles of the data at which the two means start."""
DAMPING = 0.01
COLOURS = {
    "EM": INK,
    "ECM, relative": PALETTE["relative"],
    "gradient": PALETTE["unordered"],
    "natural gradient": PALETTE["unordered"],
}


@styled
def surface(data: Data, best: Mixture) -> Drawing:
    """Log likelihood over both means, with the paths of EM, ECM, gradient and natural gradient.

    Weights are held at those of the best fit, both scales at its pooled one, so that every path
    lies on the surface.

    Parameters
    ----------
    data : Data
        One sample.
    best : Mixture
        The best fit, one mixture of two components.
    """
    sample = thinned(data)
    sigma = float(np.sqrt(np.sum(best.w * best.sigma**2)))
    fits = climbs(sample, best.w, sigma)
    mu = np.linspace(*_extent(sample, fits), CELLS)
    height = heights(sample, best.w, sigma, mu)
    figure = canvas(4.8)
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    words = {name: _passes(fit) for name, fit in fits.items()}
    for axes, (name, fit) in zip(grid.flat, fits.items(), strict=True):
        _contours(axes, mu, height, sample.n)
        _paths(axes, fit, COLOURS[name])
        axes.set_title(f"{name}\n{words[name]}", linespacing=1.25)
    short = shortened(data.name, 14)
    for axes in grid[1]:
        axes.set_xlabel(f"mean 1, {short}")
    for axes in grid[:, 0]:
        axes.set_ylabel(f"mean 2, {short}")
    thin = f" {sample.n:,} of {data.n:,} points, evenly spread, stand for the data." * (
        sample.n < data.n
    )
    alt = "; ".join(f"{name} {text}, ending at {_ends(fits[name])}" for name, text in words.items())
    alt = f"Log likelihood over both means with four paths by each algorithm. {alt}."
    return Drawing(
        "Paths over the likelihood",
        to_svg(figure, alt),
        alt,
        "Darker is likelier; on the dashed line both means are equal. Weights are held at those of "
        f"the best EM fit and both scales at {sigma:.4g}. Four starts (circles), the same for all; "
        "a dot for each iteration, a cross at the end, and the passes that reach the maximum to "
        f"0.01 nats.{thin}",
    )


def thinned(data: Data) -> Data:
    """At most 2,000 points, spread evenly over the sorted data."""
    if data.n <= MOST_POINTS:
        return data
    chosen = np.linspace(0, data.n - 1, MOST_POINTS).round().astype(int)
    return Data(np.sort(data.y)[chosen], name=data.name)


def climbs(data: Data, w: Array, sigma: float) -> Mapping[str, Fit]:
    """The fits of the two means by each algorithm, all from the same starts.

    Parameters
    ----------
    data : Data
    w : array, shape (2,)
        Weights, known.
    sigma : float
        Common standard deviation, known.
    """
    mu = np.quantile(data.y, STARTS)
    starts = Mixture(np.broadcast_to(w, mu.shape), mu, np.full(mu.shape, sigma))
    stop = Stop(passes=1000)
    known = ("w", "sigma")
    prior = Prior(known_w=tuple(map(float, w)), known_sigma=sigma)
    means = catalog.parameterization("unordered", 2, prior)
    relative = catalog.parameterization("relative", 2)
    gradient = GradientAscent(step="largest_stable", stop=stop)
    natural = NaturalGradient(damping=DAMPING, stop=stop)
    return {
        "EM": EM(stop=stop).fit(means, data, starts),
        "ECM, relative": ECM(frozen=known, stop=stop).fit(relative, data, starts),
        "gradient": gradient.fit(means, data, starts),
        "natural gradient": natural.fit(means, data, starts),
    }


def heights(data: Data, w: Array, sigma: float, mu: Array) -> Array:
    """Log likelihood at every pair of means, shape (m, m), the second mean along the rows.

    Parameters
    ----------
    data : Data
    w : array, shape (2,)
    sigma : float
    mu : array, shape (m,)
    """
    second, first = np.meshgrid(mu, mu, indexing="ij")
    pairs = np.stack([first.ravel(), second.ravel()], axis=-1)
    scales = np.full(pairs.shape, sigma)
    moments = e_step(data.y[None], np.broadcast_to(w, pairs.shape), pairs, scales)
    return moments.log_likelihood.reshape(first.shape)


def _extent(data: Data, fits: Mapping[str, Fit]) -> tuple[float, float]:
    visited = np.concatenate([fit.trace.mixture.mu.ravel() for fit in fits.values()])
    low, high = min(data.y.min(), visited.min()), max(data.y.max(), visited.max())
    margin = 0.06 * (high - low)
    return float(low - margin), float(high + margin)


def _contours(axes: Axes, mu: Array, height: Array, n: int) -> None:
    levels = [float(height.max() - below * n / 100) for below in BELOW]
    for level in levels:
        axes.contourf(mu, mu, height, [level, np.inf], colors=[FILL], alpha=0.16)
    axes.contour(mu, mu, height, levels, colors=[MUTED], linewidths=0.4, linestyles="-")
    axes.plot(mu[[0, -1]], mu[[0, -1]], color=MUTED, linewidth=0.7, linestyle=(0, (4, 2)))
    for axis in (axes.xaxis, axes.yaxis):
        thousands(axis, mu[0], mu[-1], 4)
    axes.set_aspect("equal")


def _paths(axes: Axes, fit: Fit, colour: str) -> None:
    for path in np.moveaxis(fit.trace.mixture.mu, 1, 0):
        axes.plot(*path.T, color=colour, linewidth=1.1, marker=".", markersize=3.2)
        axes.plot(*path[0], "o", color=colour, markersize=5, markerfacecolor="none")
        axes.plot(*path[-1], "+", color=INK, markersize=8, markeredgewidth=1.3)


def _passes(fit: Fit) -> str:
    """Fewest and most passes to the highest end, among the runs that reach it."""
    trace = fit.trace
    near = trace.log_likelihood >= np.nanmax(trace.log_likelihood) - 0.01
    reached = near.any(axis=0)
    needed = np.take_along_axis(trace.passes, near.argmax(axis=0)[None], 0)[0][reached]
    low, high = needed.min(), needed.max()
    span = f"{low}" if low == high else f"{low}\N{EN DASH}{high}"
    elsewhere = int((~reached).sum())
    return f"{span} passes" + (f", {elsewhere} end elsewhere" if elsewhere else "")


def _ends(fit: Fit) -> str:
    return ", ".join(f"({first:.3g}, {second:.3g})" for first, second in fit.mixture.mu)
