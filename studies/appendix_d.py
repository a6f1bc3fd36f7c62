"""Does the expansion of Appendix D describe the average learning dynamics?

Appendix D of Esser & Nielsen 2022, after Park & Ozeki 2009, expands the log density in
``u = mu1 - mu2`` around the mixture mean w, with y = x - w:
``dl/du = c u He2(y) + c (1 - 2v) u^2 He3(y) / 2`` and so on; as printed in the version we read, its
third-order terms are three times too large. The flow as printed has further slips, in the Jacobian,
in the sign of u and in which derivative stands where; it is run exactly so (eta = 1).

``expansion`` has the error of the derivatives by u, the mixture mean half a sigma off the truth's;
``truncation`` the exact and the expanded gradients on squares of means, the two planes of Figure 1
among them; ``printed`` the flow as printed around the truths 0 and 20.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data, population
from ordered_mix.mixture import Array, Mixture
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import legend, looks, panels
from ordered_mix.study.effects import exact, rows_of
from ordered_mix.study.streams import Flow, every_other, square, streams
from ordered_mix.theory.dynamics import derivatives, expanded, printed_flow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

Rows = list[dict[str, Any]]

APPENDIX = "Esser & Nielsen 2022, Appendix D"
FORMS = {"corrected": 1.0, "printed": 3.0}
WORDS = {"exact": "exact", "corrected": "corrected expansion", "printed": "expansion as printed"}
SPAN = 2.0
PLANES = {
    "truth at 0": (0.0, SPAN, 0.5),
    "truth at 20": (20.0, 10.0, 0.5),
    "first weight 0.3": (0.0, SPAN, 0.3),
}
"""Both means of the truth, half the width of the square around them, and the first weight."""
PAPER_PLANES = tuple(PLANES)[:2]
FLOW = ("mu1", "mu2", "slope1", "slope2")


def _truth(mean: float, weight: float) -> tuple[Mixture, Data]:
    truth = Mixture(np.array([weight, 1 - weight]), np.full(2, mean), np.ones(2))
    return truth, population(truth, 0.02)


def expansion(seed: int, weight: float, points: int) -> Rows:
    """Error of the expanded derivatives at the difference u; nothing is random."""
    truth, data = _truth(0.0, weight)
    rows = []
    for u in np.geomspace(SPAN / 1000, SPAN, points):
        ends = float(truth.mean()) + 0.5 + u * np.array([truth.w[1], -truth.w[0]])
        at = Mixture(truth.w, ends, truth.sigma)
        right = derivatives(at, data.y, data.weight)
        for form, third in FORMS.items():
            error = np.abs(expanded(at, data.y, data.weight, third) - right).tolist()
            row = dict(zip(("error_v", "error_u", "error_w"), error, strict=True))
            rows.append({"form": form, "u": u, **row})
    return rows


def truncation(seed: int, plane: str, points: int) -> Rows:
    """Gradient in the means on a square of points, exact and as Appendix D expands it."""
    mean, span, v = PLANES[plane]
    truth, data = _truth(mean, v)
    at = square(truth, span, points)
    found = {"exact": derivatives(at, data.y, data.weight)}
    found |= {form: expanded(at, data.y, data.weight, third) for form, third in FORMS.items()}
    rows: Rows = []
    for form, (_, by_u, by_w) in ((form, value.T) for form, value in found.items()):
        slope = np.stack([by_u + v * by_w, (1 - v) * by_w - by_u], axis=1)
        rows += [{"form": form, **row} for row in _rows(at, slope)]
    return rows


def printed(seed: int, mean: float, points: int) -> Rows:
    """Flow of the means as Appendix D prints it on a square of points, in both coordinates."""
    truth, data = _truth(mean, 0.5)
    at = square(truth, SPAN, points)
    return [
        {"coordinates": coordinates, **row}
        for coordinates in ("unordered", "relative")
        for row in _rows(at, printed_flow(coordinates, at, data.y, data.weight))
    ]


def _rows(at: Mixture, slope: Array) -> Rows:
    values = np.concatenate([at.mu, slope], axis=1).tolist()
    return [dict(zip(FLOW, row, strict=True)) for row in values]


# --- effects --------------------------------------------------------------------------------------


def order_of_error(form: str) -> Callable[[pd.DataFrame], Effect]:
    """Power of u in the error of dl/du, from the two smallest u, and from the next two."""

    def effect(table: pd.DataFrame) -> Effect:
        rows = rows_of(table, form=form, weight=table["weight"].min()).sort_values("u")
        local = np.diff(np.log(rows["error_u"])) / np.diff(np.log(rows["u"]))
        return exact(float(local[0]), float(local[1]))

    return effect


def truncation_error(rows: pd.DataFrame) -> float:
    """Median over a plane of the relative error of the gradient as printed."""
    right, wrong = (
        rows_of(rows, form=form).set_index(["mu1", "mu2"])[["slope1", "slope2"]]
        for form in ("exact", "printed")
    )
    size = np.linalg.norm(right, axis=1)
    error = np.linalg.norm(wrong - right, axis=1)
    return float(np.median(error[size > 1e-9] / size[size > 1e-9]))


def describes(table: pd.DataFrame) -> Effect:
    """The smaller median error at the paper's two truths."""
    planes = [rows_of(table, plane=plane) for plane in PAPER_PLANES]
    fine = min(map(truncation_error, planes))
    return exact(fine, min(truncation_error(every_other(plane)) for plane in planes))


def moves_with_the_data(table: pd.DataFrame) -> Effect:
    """Mean speed of the relative flow as printed around the truth 20, for 1 around the truth 0."""
    planes = [rows_of(table, coordinates="relative", mean=mean) for mean in (20.0, 0.0)]

    def ratio(rows: list[pd.DataFrame]) -> float:
        there, here = (float(np.hypot(one["slope1"], one["slope2"]).mean()) for one in rows)
        return there / here

    return exact(ratio(planes), ratio([every_other(plane) for plane in planes]))


CLAIMS = (
    Claim("printed expansion is of third order",
          "The error of the printed dl/du vanishes like the third power of u.",
          APPENDIX, order_of_error("printed"), "above", 2.5, "power of u", of=("expansion",),
          words="The error of dl/du as printed in Appendix D vanishes like u to the power "
          "{0:.2f}."),
    Claim("corrected expansion is of third order",
          "The error of the corrected dl/du vanishes like the third power of u.",
          f"{APPENDIX}, third-order terms divided by three", order_of_error("corrected"), "above",
          2.5, "power of u", of=("expansion",),
          words="Corrected it vanishes like u to the power {0:.2f}."),
    Claim("expansion describes Figure 1",
          "The truncated expansion is within 10% of the exact field on a plane of Figure 1.",
          APPENDIX, describes, "below", 0.1, "median relative error, the smaller of the two truths",
          of=("truncation",),
          words=("On a plane of Figure 1 the truncated expansion is off by {0:.0%} in the median.",
                 "On the planes of Figure 1 the truncated expansion does not, it is off by {0:.0%} "
                 "or more in the median.",
                 "Whether the truncated expansion describes the planes of Figure 1 is undecided "
                 "(off by {0:.0%} in the median).")),
    Claim("printed flow moves with the data",
          "The relative flow of Appendix D as printed is as fast around the truth 20 as around 0.",
          APPENDIX, moves_with_the_data, "below", 1.01,
          "mean speed at 20 for 1 at 0, planes of half width 2", of=("printed",),
          words=("The relative flow as printed moves with the data.",
                 "The relative flow as printed is {0:.0f} times as fast around the truth 20 as "
                 "around the truth 0, for the same data moved.",
                 "Whether the relative flow as printed moves with the data is undecided.")),
)  # fmt: skip


def truncation_figure(result: StudyResult) -> Figure:
    """Appendix D: the exact field, the corrected expansion and the printed one, side by side."""
    table = result.tables["truncation"]
    return streams([[_flow(table, plane, form) for form in WORDS] for plane in PLANES], by="row")


def _flow(table: pd.DataFrame, plane: str, form: str) -> Flow | None:
    rows = rows_of(table, plane=plane)
    if rows.empty:
        return None
    exactly, own = (rows_of(rows, form=one) for one in ("exact", form))
    top = 2.6 * float(np.hypot(exactly["slope1"], exactly["slope2"]).max())
    at, slope = own[["mu1", "mu2"]].to_numpy(), own[["slope1", "slope2"]].to_numpy()
    title = WORDS[form] + ("" if plane in PAPER_PLANES else f"\n{plane}")
    return Flow(title, at, slope, np.full(2, PLANES[plane][0]), top)


def expansion_figure(result: StudyResult) -> Figure:
    """Error of dl/du as Appendix D expands it, printed and corrected, against u."""
    rows, style = result.tables["expansion"], looks(FORMS)
    figure, ((axes,),) = panels(1, 1, (6, 4.2))
    for (form, weight), part in rows.groupby(["form", "weight"]) if len(rows) else ():
        words: dict[str, Any] = {"label": f"{WORDS[form]}, first weight {weight:g}"}
        words |= {"alpha": 1.0 if weight < 0.5 else 0.4}
        part = part.sort_values("u")
        axes.plot(part["u"], part["error_u"], **words, **style[form]._asdict())
        axes.set(xscale="log", yscale="log")
    axes.set(xlabel="u = mu1 - mu2, in sigma", ylabel="error of the mean dl/du")
    return legend(figure, axes, 2)


POINTS = (7, 13, 21, 31, 41)
PLANE_SIZES = {
    "smoke": {"points": (21,)}, "laptop": {"points": (21,)}, "cluster": {"points": (41,)},
}  # fmt: skip

study = Study(
    name="appendix_d",
    question="Does the expansion of Appendix D describe the average learning dynamics?",
    source=f"{APPENDIX}; Park & Ozeki 2009",
    experiments={
        "expansion": Experiment(
            expansion,
            {"weight": (0.5, 0.3), "points": POINTS},
            {"smoke": {"points": (7,)}, "laptop": {"points": (13,)}, "cluster": {"points": (31,)}},
        ),
        "truncation": Experiment(
            truncation, {"plane": tuple(PLANES), "points": POINTS}, PLANE_SIZES
        ),
        "printed": Experiment(printed, {"mean": (0.0, 20.0), "points": POINTS}, PLANE_SIZES),
    },
    claims=CLAIMS,
    figures={"truncation": truncation_figure, "expansion": expansion_figure},
    answer=("expansion describes Figure 1", "printed flow moves with the data"),
    chief=(
        "expansion describes Figure 1",
        "printed expansion is of third order",
        "printed flow moves with the data",
    ),
)
