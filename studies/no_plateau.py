"""Which parameterization learns without a plateau, whatever the separation?

Where two components coincide gradient flow closes their gap like a power of time in most
coordinates. Only with the mixture mean and the squared gap, with the bent link and along the
natural gradient does it decay exponentially. Far from the singularity the squared gap is badly
scaled. The mixture mean with the link ``sqrt(2 + gap^2) / 2`` ("bent") is a squared gap near 0 and
half a gap far out: here the condition number at the truth and the steps of an ascent are compared
with the best ones over separations. Weights and scales are known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.data import population
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import SEPARATION, legend, lines, panels
from ordered_mix.study.effects import exact, rows_of
from ordered_mix.theory.dynamics import curvature, times_to
from ordered_mix.theory.gap_flow import EXPONENTIAL, NATURAL, gap_flow
from ordered_mix.theory.mean_coordinates import COORDINATES
from ordered_mix.theory.singularity import two_normals

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

EXCESS, LONGEST = 1e-6, 1e5
STEPS = (0.04, 0.08)
SEPARATIONS = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def flow_cell(seed: int, weight: float) -> list[dict]:
    """Gap and excess loss of the flows in which the gap decays exponentially, at even times."""
    return list(gap_flow(weight, EXPONENTIAL))


def condition_cell(seed: int, separation: float, weight: float) -> list[dict]:
    """Condition number of the information at the truth in every parameterization, on two grids."""
    truth, rows = two_normals(separation, weight), []
    for step in STEPS:
        data = population(truth, step)
        for name in COORDINATES:
            least, largest = curvature(name, truth, data.y, data.weight).tolist()
            rows.append({"name": name, "step": step, "condition": largest / least})
    return rows


def ascent_cell(seed: int, separation: float) -> list[dict]:
    """Steps of half the stable size from means half as far apart again, off the centre."""
    truth, rows = two_normals(separation, 0.5), []
    start = 1.5 * truth.mu + 0.1 * separation
    for step in STEPS:
        data = population(truth, step)
        for name in COORDINATES:
            (steps,) = times_to(
                (EXCESS,), name, truth, start, data.y, data.weight, LONGEST, fair=True
            )
            rows.append({"name": name, "step": step, "steps": steps})
    return rows


def predicted_decay(name: str, weight: float) -> float:
    """Rate of the exponential decay of the gap."""
    c = weight * (1 - weight)
    # near 0 the bent link is sqrt(2) / 2 + gap^2 / (4 sqrt(2)): its squared stretch is 8 / gap^2
    return {"resolved": c**2 / 4, "bent": 8 * c**2, NATURAL: 0.5}[name]


def local_decays(path: pd.DataFrame) -> Array:
    """Minus the slopes of the log gap in time."""
    return -np.diff(np.log(path["gap"])) / np.diff(path["time"])


def _decays(table: pd.DataFrame) -> Effect:
    """Largest relative error of the rate at the end of the paths, and one step before the end."""
    errors = []
    for (name, weight), part in table.groupby(["name", "weight"]):
        decays = local_decays(part.sort_values("time"))
        errors.append(np.abs(decays[-2:] / predicted_decay(name, weight) - 1))
    before, last = np.max(errors, axis=0).tolist()
    return exact(last, before)


def worst(rows: pd.DataFrame, column: str) -> pd.Series:
    """Largest ratio to the best one over separations, of a column that is better when small."""
    wide = rows.pivot(index="separation", columns="name", values=column).fillna(np.inf)
    return wide.div(wide.min(axis=1), axis=0).max()


def _one_for_all(column: str, **where: Any) -> Callable[[pd.DataFrame], Effect]:
    def effect(table: pd.DataFrame) -> Effect:
        grids = (rows_of(table, step=step, **where) for step in STEPS)
        return exact(*(float(worst(rows, column).min()) for rows in grids))

    return effect


CLAIMS = (
    Claim("no plateau in the squared gap",
          "With the mixture mean, the squared gap or the bent link the gap decays exponentially, "
          "as it does along the natural gradient, at the predicted rates.",
          "the flow of the gap on the slow manifold", _decays, "below", 0.02,
          "relative error of the rate, the largest over parameterizations and weights",
          of=("flow",),
          words=(
              "With the mixture mean and the squared gap, with the bent link and along the natural "
              "gradient there is no plateau: the gap decays exponentially, at rates that miss the "
              "predicted ones by at most {0:.2%}.",
              "The gap does not decay at the predicted exponential rates: off by up to {0:.0%}.",
              "Whether the gap decays at the predicted exponential rates is undecided ({0:.1%}).",
          )),
    Claim("one parameterization for every separation",
          "One parameterization has a condition number within 10% of the best at every separation.",
          "a question of this project, at the truth, weights 1/2 and scales known",
          _one_for_all("condition", weight=0.5), "below", 1.1,
          "worst ratio to the best over separations, of the parameterization where it is least",
          of=("condition",),
          words=(
              "One parameterization has a condition number near the best at every separation, at "
              "most {0:.2f} times it.",
              "None has a condition number near the best at every separation: it is {0:.2f} times "
              "the best somewhere.",
              "Whether one has a condition number near the best at every separation is undecided "
              "({0:.2f}).",
          )),
    Claim("one ascent for every separation",
          "In one parameterization ascent takes steps within 10% of the fewest at every "
          "separation.",
          "a question of this project, fair steps to an excess loss of 1e-6, weights 1/2 known",
          _one_for_all("steps"), "below", 1.1,
          "worst ratio to the fewest over separations, of the parameterization where it is least",
          of=("ascent",),
          words="In the parameterization where that is least, ascent takes up to {0:.2f} times the "
          "fewest steps to an excess loss of 1e-6."),
)  # fmt: skip


def decay_figure(result: StudyResult) -> Figure:
    """Gap against time in the flows that decay exponentially, weight 1/2.

    The bent link and the natural gradient have the same rate there, and one line.
    """
    rows = rows_of(result.tables["flow"], ("name", "time", "gap"), weight=0.5)
    figure, ((axes,),) = panels(1, 1, (6.0, 4.2))
    lines(axes, rows, "time", "gap", "name")
    if len(rows):
        axes.set(xscale="log", yscale="log", xlabel="time of the flow", ylabel="gap / sigma")
    return legend(figure, axes)


def condition_figure(result: StudyResult) -> Figure:
    """Condition number at the truth and steps of the ascent against separation, weight 1/2."""
    figure, ((left, right),) = panels(1, 2, (8.5, 4.6))
    columns = ("name", "step")
    condition = rows_of(result.tables["condition"], columns, weight=0.5)
    lines(left, rows_of(condition, step=STEPS[0]), "separation", "condition", "name")
    ascent = rows_of(result.tables["ascent"], columns)
    lines(right, rows_of(ascent, step=STEPS[0]), "separation", "steps", "name")
    left.set(ylabel="condition number of the information")
    right.set(ylabel=f"fair steps to an excess loss of {EXCESS:g}")
    for axes in (left, right):
        if axes.lines:
            axes.set(xlabel=SEPARATION, xscale="log", yscale="log", ylim=(0.9, 1e4))
    return legend(figure, (left, right), 5)


WEIGHTS = {"smoke": {"weight": (0.5,)}, "laptop": {"weight": (0.5, 0.3)}, "cluster": {}}
study = Study(
    name="no_plateau",
    question="Which parameterization learns without a plateau, whatever the separation?",
    source="Amari, Park & Ozeki 2006, on plateaus",
    experiments={
        "flow": Experiment(cell=flow_cell, factors={"weight": (0.5, 0.3, 0.1)}, sizes=WEIGHTS),
        "condition": Experiment(
            cell=condition_cell,
            factors={"separation": SEPARATIONS, "weight": (0.5, 0.3, 0.1)},
            sizes=WEIGHTS,
        ),
        "ascent": Experiment(
            cell=ascent_cell,
            factors={"separation": SEPARATIONS},
            sizes={"smoke": {"separation": (0.5, 2.0)}, "laptop": {}, "cluster": {}},
        ),
    },
    claims=CLAIMS,
    figures={"decay": decay_figure, "condition": condition_figure},
    answer=("no plateau in the squared gap", "one parameterization for every separation"),
    chief=(
        "no plateau in the squared gap",
        "one parameterization for every separation",
        "one ascent for every separation",
    ),
)
