"""Which points belong together: the co-clustering matrix, which needs no labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from ordered_mix.draws.relabel.partition import co_clustering as probabilities
from ordered_mix.draws.relabel.partition import partition
from ordered_mix.report.figures.style import FURTHER, Drawing, canvas, styled, to_svg

if TYPE_CHECKING:
    from ordered_mix.compare.diagnosis import DrawsDiagnosis

MOST_POINTS = 300
MOST_DRAWS = 400


def co_clustering(found: DrawsDiagnosis) -> Drawing | None:
    """The matrix of at most 300 points and 400 draws; None where allocations are not known."""
    allocations = found.allocations(MOST_DRAWS, MOST_POINTS)
    return None if allocations is None or found.k == 1 else _matrix(found.name, allocations)


@styled
def _matrix(name: str, allocations: np.ndarray) -> Drawing:
    similarity = probabilities(allocations)
    estimate = partition(allocations)
    order = np.argsort(estimate.clusters, kind="stable")
    sizes = np.bincount(estimate.clusters)
    figure = canvas(3.2, 3.6)
    axes = figure.subplots()
    colours = _shades(FURTHER[2])
    image = axes.imshow(similarity[np.ix_(order, order)], cmap=colours, vmin=0, vmax=1)
    for edge in np.cumsum(sizes)[:-1] - 0.5:
        axes.axhline(edge, color="#888888", linewidth=0.6)
        axes.axvline(edge, color="#888888", linewidth=0.6)
    axes.set_xlabel("point")
    axes.set_ylabel("point")
    figure.colorbar(image, label="probability of one component")
    clusters = f"{sizes.size} cluster{'s' if sizes.size > 1 else ''}"
    members = ", ".join(str(size) for size in sizes)
    alt = (
        f"Co-clustering matrix of {len(order)} points of {name}, sorted by the partition of least "
        f"expected variation of information: {clusters} of {members} points."
    )
    return Drawing(
        "Which points belong together",
        to_svg(figure, alt),
        alt,
        f"Probability that two points share a component, whatever its label, for {len(order)} "
        f"points evenly spread over the data. They are sorted by the partition of least expected "
        f"variation of information, which has {clusters}.",
    )


def _shades(colour: str) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list("shades", ["#ffffff00", colour])
