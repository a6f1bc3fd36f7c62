"""Figures that ArviZ has, drawn by arviz-plots on the draws' DataTree in the report's look."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import arviz
import matplotlib.pyplot as plt
import matplotlib.style
import numpy as np
import xarray as xr
from markupsafe import Markup

from ordered_mix.report.figures.style import RC, WIDTH, Drawing, shortened, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.draws.checks import Checks
    from ordered_mix.fitted.posterior import Posterior

WORDS: dict[Any, Any] = {"w": "weight", "mu": "mean", "sigma": "sd"}
MOST_ROWS = 8
# arviz-plots takes its neutrals from what they stand out from, which has to be a colour
PAPER = {"figure.facecolor": "#ffffff", "axes.facecolor": "#ffffff"}
NEUTRALS = {"#ffffff": "surface", "#000000": "ink", "#595959": "muted", "#949494": "muted",
            "#959595": "muted"}  # fmt: skip
UNFILLED = re.compile(r'(<text [^>]*style=")(?![^"]*fill:)')  # black, which matplotlib leaves out
COLOURS = {"#1f77b4": "#2a6f97", "#ff7f0e": "#c2571a"}


def densities(tree: xr.DataTree, hdi_prob: float, unit: str) -> Drawing | None:
    """Posterior densities of weights, means and standard deviations, with mean and HDI.

    None for more than eight components.

    Parameters
    ----------
    tree : DataTree
        With labelled draws in ``posterior``.
    hdi_prob : float
    unit : str
        What the means are measured in: the name of the data.
    """
    draws = _varying(tree)
    k = draws.sizes["component"]
    if k > MOST_ROWS:
        return None

    def draw() -> Any:
        grid = arviz.PlotCollection.grid(
            draws, cols=["__variable__"], rows=["component"], backend="matplotlib",
            figure_kwargs={"figsize": (WIDTH, 1.15 * k + 0.2), "layout": "constrained"},
        )  # fmt: skip
        return arviz.plot_dist(
            tree, var_names=[str(name) for name in draws], ci_kind="hdi", ci_prob=hdi_prob,
            point_estimate="mean", plot_collection=grid, labeller=_labeller(),
            visuals={"point_estimate_text": False},
        )  # fmt: skip

    found = {WORDS[str(name)]: draws[name].mean(["chain", "draw"]).to_numpy() for name in draws}
    means = "; ".join(
        f"{word} " + ", ".join(f"{value:.4g}" for value in values) for word, values in found.items()
    )
    alt = f"Posterior densities for {k} components of {unit}, with their means: {means}."
    return Drawing(
        "Posterior densities", _svg(draw, alt), alt,
        f"One row for each component, in the order of their means; means and standard deviations "
        f"in the units of {shortened(unit)}. Dot: posterior mean; bar: interval of "
        f"highest density that holds {hdi_prob:.0%}. Drawn by arviz-plots.",
    )  # fmt: skip


def transforms(checks: Checks) -> Drawing:
    """Leave-one-out probability integral transforms against uniform ones."""
    pit = xr.Dataset({"transform": (("point",), checks.pit)})
    tree = xr.DataTree.from_dict({"pit": pit})

    def draw() -> Any:
        return arviz.plot_ecdf_pit(
            tree, group="pit", sample_dims=["point"], backend="matplotlib",
            figure_kwargs={"figsize": (WIDTH, 2.4), "layout": "constrained"},
            visuals={"title": False, "p_value_text": False,
                     "xlabel": {"text": "leave-one-out transform"}},
        )  # fmt: skip

    alt = (
        f"ECDF of {checks.pit.size} leave-one-out transforms minus the uniform one; the largest "
        f"distance is {checks.loo_pit.distance:.3f} (p {checks.loo_pit.p:.2g}), near the value "
        f"{checks.loo_pit.at:.4g}."
    )
    return Drawing(
        "Is each point where the others predict it?", _svg(draw, alt), alt,
        "Share of the other points' prediction that lies below each point (LOO-PIT), as its "
        "distribution minus that of uniform numbers: a line near 0 if the mixture describes the "
        "data, above 0 where there are more points than predicted so far. Drawn by arviz-plots.",
    )  # fmt: skip


def energy(item: Posterior) -> Drawing | None:
    """Energies of NUTS and their transitions; None without a record of them."""
    tree = item.draws.tree
    if "sample_stats" not in tree.children or "energy" not in tree["sample_stats"]:
        return None

    def draw() -> Any:
        return arviz.plot_energy(
            tree, backend="matplotlib", show_bfmi=False,
            figure_kwargs={"figsize": (WIDTH, 2.2), "layout": "constrained"},
        )  # fmt: skip

    values = tree["sample_stats"]["energy"].to_numpy()
    alt = (
        f"Energies of {item.label}: standard deviation {values.std():.2f}, of their changes from "
        f"draw to draw {np.diff(values, axis=1).std():.2f}."
    )
    return Drawing(
        "Energy", _svg(draw, alt), alt,
        "Energies of the draws (marginal) and their changes from draw to draw (transition): if the "
        "changes are much narrower, the chains move slowly through the tails. By arviz-plots.",
    )  # fmt: skip


def _varying(tree: xr.DataTree) -> xr.Dataset:
    """Weights, means and scales that are not known."""
    draws = tree["posterior"].dataset[list(WORDS)]
    return draws[[name for name in draws if np.ptp(draws[name].to_numpy(), axis=(0, 1)).any()]]


def _labeller() -> Any:
    return arviz.labels.MapLabeller(var_name_map=WORDS)


def _svg(draw: Callable[[], Any], alt: str) -> Markup:
    with matplotlib.style.context(["default", RC | PAPER]):
        figure: Figure = draw().viz["figure"].item()
        for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
            patch.set_visible(False)
        text = str(to_svg(figure, alt))
        plt.close(figure)
    for colour, variable in NEUTRALS.items():
        text = text.replace(colour, f"var(--{variable})")
    for colour, ours in COLOURS.items():
        text = text.replace(colour, ours)
    return Markup(UNFILLED.sub(r"\1fill: var(--ink); ", text))
