"""Pairs of columns with the components and their uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ordered_mix.fitted.points_plot import certain, plot_points
from ordered_mix.report.figures.style import Drawing, styled, to_svg

if TYPE_CHECKING:
    from ordered_mix.fitted.points import FittedPoints

DRAWS = 12


@styled
def pairs(fitted: FittedPoints) -> Drawing:
    """Every pair of columns: points by component, ellipses of single draws and of the maximum."""
    counts = np.bincount(fitted.points["component"], minlength=fitted.components + 1)[1:]
    unsure = int(np.sum(~certain(fitted.points)))
    told = ", ".join(f"component {at + 1} {count}" for at, count in enumerate(counts))
    alt = (
        f"Pairs of {', '.join(fitted.data.columns)}: points by component ({told}), {unsure} of "
        "them uncertain, and an ellipse for each component."
    )
    return Drawing(
        "The components",
        to_svg(plot_points(fitted, DRAWS), alt, shrinks=False),
        alt,
        "Points by the component they most probably belong to, hollow where that has a "
        "probability below 0.9. Thick ellipses hold 90% of each component of the maximum of the "
        f"likelihood, thin ones of {DRAWS} single draws: where they spread, the component is "
        "uncertain.",
        scrolls=True,
    )
