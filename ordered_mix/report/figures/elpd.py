"""How well each model predicts: WAIC and LOO as differences to the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D

from ordered_mix.draws.elpd import difference
from ordered_mix.report.figures.style import (
    INK,
    MUTED,
    Drawing,
    canvas,
    legend,
    light_grid,
    styled,
    to_svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ordered_mix.fitted.posterior import Sampled

CRITERIA = {"waic": ("WAIC", "o", 0.17), "loo": ("LOO", "D", -0.17)}


@styled
def forest(
    sampled: Sequence[Sampled], fewer_components: Sampled | None, shades: dict[str, str]
) -> Drawing:
    """WAIC and LOO of every model as a difference to the best, with two kinds of error.

    Parameters
    ----------
    sampled : sequence of Sampled
        The models with K components.
    fewer_components : Sampled or None
        The model with one component less.
    shades : dict of str to str
        Colour of each parameterization.
    """
    items = [*sampled, *([fewer_components] if fewer_components else [])]
    rows = {
        (item.label, kind): _against_best(item, items, kind) for item in items for kind in CRITERIA
    }
    zoom = fewer_components is not None and _far(fewer_components, rows)
    figure = canvas(0.42 * len(items) + 1.25)
    panels = figure.subplots(1, 2 if zoom else 1, sharey=True, squeeze=False)[0]
    for panel, shown in zip(panels, (items, list(sampled)), strict=False):
        for item in shown:
            colour = MUTED if item is fewer_components else shades[item.coordinates]
            for kind in CRITERIA:
                _interval(panel, items.index(item), kind, rows[item.label, kind], colour)
        panel.axvline(0, color=MUTED, linewidth=0.7)
        light_grid(panel, "y")
    panels[0].set_yticks(range(len(items)), [_short(item.label) for item in items])
    panels[0].set_ylim(len(items) - 0.5, -0.5)
    figure.supxlabel("elpd minus that of the best, nats", fontsize=9)
    if zoom:
        panels[0].set_title("all models")
        panels[1].set_title(f"K = {sampled[0].draws.mixture.k} only, closer")
    handles: list[Any] = [
        Line2D([], [], color=INK, marker=marker, markersize=4.5, linestyle="",
               markerfacecolor=INK if kind == "waic" else "none")
        for kind, (_, marker, _) in CRITERIA.items()
    ]  # fmt: skip
    handles += [Line2D([], [], color=INK, linewidth=width) for width in (0.9, 3.2)]
    legend(figure, handles, ["WAIC", "LOO", "±1 standard error", "±1 Monte Carlo error"], 2)
    alt = "; ".join(
        f"{label}, {CRITERIA[kind][0]}: {delta:.2f} with standard error {se:.2f}, Monte Carlo "
        f"error {mcse:.2f}"
        for (label, kind), (delta, se, mcse) in rows.items()
    )
    alt = f"Expected log predictive density minus that of the best model. {alt}."
    return Drawing(
        "Predictive accuracy",
        to_svg(figure, alt),
        alt,
        "Expected log predictive density (elpd) of each model minus that of the best; further left "
        "predicts worse. Thin: standard error of the paired difference. Thick: Monte Carlo error, "
        "what another run would change.",
    )


def _far(
    fewer_components: Sampled, rows: dict[tuple[str, str], tuple[float, float, float]]
) -> bool:
    """Whether one model is so far off that the others need a closer look."""
    reach = {key: abs(delta) + max(se, mcse) for key, (delta, se, mcse) in rows.items()}
    others = [value for (label, _), value in reach.items() if label != fewer_components.label]
    return abs(rows[fewer_components.label, "loo"][0]) > 4 * max(others)


def _against_best(item: Sampled, items: Sequence[Sampled], kind: str) -> tuple[float, float, float]:
    elpd = {other.label: getattr(other, f"elpd_{kind}") for other in items}
    best = max(elpd.values(), key=lambda value: value.elpd)
    gap = difference(elpd[item.label], best)
    return gap.elpd + 0.0, gap.se, float(elpd[item.label].mcse)


def _interval(
    axes: Axes, row: int, kind: str, values: tuple[float, float, float], colour: str
) -> None:
    delta, se, mcse = values
    _, marker, offset = CRITERIA[kind]
    at = row - offset
    axes.plot([delta - se, delta + se], [at, at], color=colour, linewidth=0.9)
    axes.plot([delta - mcse, delta + mcse], [at, at], color=colour, linewidth=3.2, alpha=0.55,
              solid_capstyle="butt")  # fmt: skip
    face = colour if kind == "waic" else "none"
    axes.plot(delta, at, marker=marker, markersize=4.5, color=colour, markerfacecolor=face)


def _short(label: str) -> str:
    head, comma, note = label.partition(", ")
    return f"{head}\n{note}" if comma else label.replace(" ", "\n", 1)
