"""How does the spurious minimum of separated components change with their separation?

With as many fitted means as true components, some of them on one component and one mean on two
others is a local minimum of the population negative log likelihood if the components are well
separated (Chen, Song, Xi & Zhang). Here this minimum is polished by Newton's method over
separations, and continued to the fold where it disappears.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import SEPARATION, legend, lines, looks, nothing, panels, plain_ticks
from ordered_mix.study.effects import exact, rows_of
from ordered_mix.theory.continuation import branch, fold
from ordered_mix.theory.polish import Landscape, polish
from ordered_mix.theory.separated import describe, grid_of, steps_of, true_means, truth_of

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

CHEN = "Chen, Song, Xi & Zhang, Local minima structures in Gaussian mixture models"


def mingled(arrangement: str, true: int, fitted: int, separation: float) -> Array:
    """Means near a minimum with all spare ones on the first component, one on the last two."""
    truth = true_means(arrangement, true, separation)
    spare = fitted - true + 2
    around = np.zeros((spare, truth.shape[1]))
    around[:, 0] = np.linspace(-0.3, 0.4, spare)
    return np.concatenate([truth[0] + around, truth[1:-2], truth[-2:].mean(axis=0)[None]])


def decay_cell(
    seed: int, arrangement: str, true: int, fitted: int, separation: float
) -> list[dict[str, Any]]:
    """Approximation error of the mingled minimum at one separation, on both grids."""
    truth = truth_of(arrangement, true, separation)
    begin = mingled(arrangement, true, fitted, separation)
    w = np.full(fitted, 1 / fitted)
    fine, coarse = (polish(Landscape(grid_of(truth, step), w), begin) for step in steps_of(truth))
    again = describe(truth, coarse)["approximation_error"]
    return [{**describe(truth, fine), "approximation_error_coarse": again}]


def fold_cell(
    seed: int, arrangement: str, true: int, fitted: int, separation: float
) -> list[dict[str, Any]]:
    """The branch of the mingled minimum, from this separation down and around its fold."""
    w = np.full(fitted, 1 / fitted)
    begin = mingled(arrangement, true, fitted, separation)
    folds, rows = [], []
    for number in (0, 1):

        def at(gap: float, number: int = number) -> Landscape:
            truth = truth_of(arrangement, true, gap)
            return Landscape(grid_of(truth, steps_of(truth)[number]), w)

        points = branch(at, polish(at(separation), begin).mu, separation, -0.3, 60)
        lost = [p.smallest_eigenvalue < 0 for p in points]
        if True not in lost:
            raise RuntimeError("the branch keeps its minimum as far as it was followed")
        first = lost.index(True)
        folds.append(fold(at, points[first]))
        if not number:
            rows = [*points[:first], folds[0], *points[first : first + 15]]
    return [
        {
            "fold": folds[0].parameter,
            "fold_coarse": folds[1].parameter,
            "separation_at": point.parameter,
            "smallest_eigenvalue": point.smallest_eigenvalue,
            "spare_gap": float(np.linalg.norm(np.ptp(point.mu[: fitted - true + 2], 0))),
        }
        for point in rows
    ]


# --- effects --------------------------------------------------------------------------------------

ERRORS = ("approximation_error", "approximation_error_coarse")
CONFIGURATION = ["arrangement", "true", "fitted"]


def slopes(rows: pd.DataFrame, column: str) -> dict[Any, float]:
    """Log-log slope of the approximation error against the separation, by configuration."""
    lost = rows[rows[column].isna() | ~rows["certified"].astype(bool)]
    if len(lost):
        raise ValueError(f"{len(lost)} minima of the decay are not certified")
    found = {}
    for name, part in rows.groupby(CONFIGURATION):
        if len(part) >= 3:
            logs = np.log(part[["separation", column]].to_numpy(float))
            found[name] = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
    return found


def slope_on_line(table: pd.DataFrame) -> Effect:
    """The slope for three components on the line."""
    return exact(*(slopes(table, name)["line", 3, 3] for name in ERRORS))


def slope_elsewhere(table: pd.DataFrame) -> Effect:
    """The slowest slope of the other configurations."""
    found = [slopes(table, name) for name in ERRORS]
    return exact(*(max(v for key, v in one.items() if key != ("line", 3, 3)) for one in found))


def threshold(table: pd.DataFrame) -> Effect:
    """Separation at the fold of three components on the line."""
    rows = rows_of(table, arrangement="line", true=3, fitted=3)
    return exact(rows["fold"].iloc[0], rows["fold_coarse"].iloc[0])


CLAIMS = (
    Claim("threshold",
          "Three components on the line have no spurious minimum up to separation 10.",
          CHEN + ", a separation condition; the value from exact quadrature",
          threshold, "above", 10.0, "standard deviations", of=("fold",),
          words="For three components on the line it is there from a separation of {0:.6f} on."),
    Claim("error decays", "The approximation error of the minima decays with the separation.",
          CHEN, slope_elsewhere, "below", 0.0, "slowest log-log slope, other configurations",
          of=("decay",),
          words=(
              "In the other configurations the distance of its means from what they stand for "
              "decays like the separation to the power {0:.1f}, or faster.",
              "In another configuration the distance of its means from what they stand for goes "
              "like the separation to the power {0:.1f}.",
              "Whether this distance decays in the other configurations is undecided ({0:.1f}).",
          )),
    Claim("faster on the line",
          "For three components on the line the approximation error of the minima decays faster "
          "than 1/separation.",
          CHEN, slope_on_line, "below", -1.0, "log-log slope", of=("decay",),
          words="From there on its means come to what they stand for like the separation to the "
          "power {0:.1f}."),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    columns = zip(*(rows[name] for name in CONFIGURATION), strict=True)
    return rows.assign(name=[f"{where}, {true} true, {k} fitted" for where, true, k in columns])


def decay_figure(result: StudyResult) -> Figure:
    """Approximation error of the minimum against the separation."""
    rows = _named(result.tables["decay"])
    figure, ((axes,),) = panels(1, 1, (5.5, 3.9))
    lines(axes, rows, "separation", "approximation_error", "name")
    if len(rows):
        ends = np.array([rows["separation"].min(), rows["separation"].max()])
        axes.plot(ends, ends[0] / ends, "k:", label="1 / separation")
        axes.set(xscale="log", yscale="log", xlabel=SEPARATION, ylabel="largest error / sigma")
        plain_ticks(axes.xaxis, [8, 10, 12, 14, 16, 18])
    return legend(figure, axes, 2)


def bifurcation_figure(result: StudyResult) -> Figure:
    """Gap of the spare means on the first component against the separation, through the fold.

    Full lines are minima, dashed ones saddles; a minimum appears at the point.
    """
    rows = _named(result.tables["fold"])
    figure, ((axes,),) = panels(1, 1, (5.5, 4.0))
    for name, look in looks(rows["name"]).items():
        part = rows[rows["name"] == name]
        color, at, gap = look.color, part["separation_at"], part["spare_gap"]
        stable, unstable = (sign * part["smallest_eigenvalue"] > -1e-8 for sign in (1, -1))
        label = f"{name}: from {part['fold'].iloc[0]:.3f}"
        axes.plot(at, gap.where(stable), color=color, label=label)
        axes.plot(at, gap.where(unstable), "--", color=color)
        turn = part["smallest_eigenvalue"].abs().idxmin()
        axes.plot(at[turn], gap[turn], "o", color=color)
    if rows.empty:
        nothing(axes)
    axes.set(xlabel=SEPARATION, ylabel="spread of the spare means / sigma", ylim=(0, None))
    return legend(figure, axes, 2)


THREE = {"arrangement": ("line",), "true": (3,), "fitted": (3,)}
FOUR = {"arrangement": ("line",), "true": (4,), "fitted": (4,)}
TRIANGLE = {"arrangement": ("triangle",), "true": (3,), "fitted": (3,)}
WIDE, NEARER = (11.0, 12.0, 13.0, 14.0, 16.0, 18.0), (8.0, 9.0, 10.0, 11.0, 12.0)
FACTORS = {"arrangement": ("line", "triangle"), "true": (3, 4), "fitted": (3, 4)}
DECAYS = (
    {**THREE, "separation": WIDE},
    {**FOUR, "separation": NEARER},
    {**TRIANGLE, "separation": NEARER},
)
FOLDS = (
    {**THREE, "fitted": (3, 4), "separation": (14.0,)},
    {**FOUR, "separation": (10.0,)},
    {**TRIANGLE, "separation": (9.0,)},
)

study = Study(
    name="spurious_minima",
    question="How does the spurious minimum of separated components change with their separation?",
    source=CHEN,
    experiments={
        "decay": Experiment(
            cell=decay_cell,
            factors={**FACTORS, "separation": (*NEARER, 13.0, 14.0, 16.0, 18.0)},
            sizes={
                "smoke": ({**THREE, "separation": WIDE[:3]}, {**FOUR, "separation": NEARER[2:]}),
                "laptop": DECAYS,
                "cluster": DECAYS,
            },
        ),
        "fold": Experiment(
            cell=fold_cell,
            factors={**FACTORS, "separation": (9.0, 10.0, 14.0)},
            sizes={"smoke": {**THREE, "separation": (14.0,)}, "laptop": FOLDS, "cluster": FOLDS},
        ),
    },
    claims=CLAIMS,
    figures={"bifurcation": bifurcation_figure, "decay": decay_figure},
    answer=("threshold", "faster on the line"),
    chief=("threshold", "faster on the line", "error decays"),
)
