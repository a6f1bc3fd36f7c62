"""What does a clearance of the gap buy, for its price in likelihood?

A clearance (Esser & Nielsen 2022) keeps the gap above xi. With c = w1 w2 and against a truth that
is one component the best fit then loses ``c^2 xi^4 / 4``, and its condition number is that at a gap
of xi. With the weight unknown it is not enough to keep components apart: one that empties leaves
the information singular at any gap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ordered_mix.data import population
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import MARKERS, SHADES, legend, nothing, panels
from ordered_mix.study.effects import exact, rows_of
from ordered_mix.study.experiment import SIZES
from ordered_mix.theory.coordinates import jacobian
from ordered_mix.theory.fisher import spectrum
from ordered_mix.theory.mean_coordinates import COORDINATES
from ordered_mix.theory.singularity import loglog_slope, two_normals

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

PAPER = "Esser & Nielsen 2022, section 3"
DERIVED = "expansion of the score in the gap"
CLEARANCES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)
STEPS = (0.04, 0.08)
MODELS = ("unordered", "relative", "centred", "signed", "resolved")
EXACT = Stop(log_likelihood=0.0, parameters=1e-11, passes=20_000)


def fit_cell(
    seed: int, separation: float, weight: float, unknown: str, clearance: float, step: float
) -> list[dict]:
    """The best fit with a gap of at least the clearance, its loss and its conditioning."""
    truth = two_normals(separation, weight)
    data = population(truth, step)
    frozen = ("w",) if unknown == "scale" else ("w", "sigma")
    search = ECM(frozen=frozen, scales="tied", stop=EXACT)
    separated = catalog.parameterization("relative", 2, link="identity", clearance=clearance)
    width = clearance + float(np.diff(truth.mu)[0])
    start = Mixture(truth.w, 0.2 + width * np.array([-truth.w[1], truth.w[0]]), truth.sigma)
    fit = search.fit(separated, data, start)
    if not fit.converged.all():
        raise RuntimeError(f"the best fit was not found: {fit.advice}")
    loss = np.asarray(data.weight) @ (truth.log_density(data.y) - fit.mixture.log_density(data.y))
    row = {
        "loss": float(loss),
        "gap": float(np.diff(fit.mixture.mu)[0]),
        "mean": float(fit.mixture.mean()),
        "sigma": float(fit.mixture.sigma[0]),
    }
    rows = []
    for coordinates in MODELS:
        values = spectrum(fit.mixture, jacobian(coordinates, fit.mixture, unknown))
        rows.append({**row, "coordinates": coordinates, "least": values[0], "largest": values[-1]})
    return rows


def emptied_cell(seed: int, weight: float) -> list[dict]:
    """Smallest eigenvalue of the information at a gap of 1, the weight unknown."""
    truth = two_normals(1.0, weight)
    return [
        {"coordinates": name, "least": spectrum(truth, jacobian(name, truth, "weight"))[0]}
        for name in COORDINATES
    ]


# --- effects --------------------------------------------------------------------------------------


def filtration(table: pd.DataFrame, step: float = STEPS[0], unknown: str = "none") -> pd.DataFrame:
    """Best fits to one component by clearance, one row for each parameterization."""
    rows = rows_of(table, step=step, unknown=unknown, separation=0.0, weight=0.5)
    return rows.assign(condition=rows["largest"] / rows["least"]).sort_values("clearance")


def _exponent_of(
    column: str, predicted: float, unknown: str = "none"
) -> Callable[[pd.DataFrame], Effect]:
    """Exponent of the clearance in a column, less the predicted one."""

    def effect(table: pd.DataFrame) -> Effect:
        rows = rows_of(filtration(table, unknown=unknown), coordinates="relative").head(3)
        slope = loglog_slope(rows["clearance"], rows[column])
        return exact(slope.exponent - predicted, float(slope.local[-1]) - predicted)

    return effect


def _price(table: pd.DataFrame) -> Effect:
    """Loss at the smallest clearance relative to c^2 xi^4 / 4, less 1."""

    def ratio(step: float) -> float:
        row = filtration(table, step).iloc[0]
        return float(row["loss"] / (row["clearance"] ** 4 / 64) - 1)

    return exact(*map(ratio, STEPS))


def _free_above(table: pd.DataFrame) -> Effect:
    """Largest loss where the truth's own gap exceeds the clearance."""
    rows = table[table["separation"] > table["clearance"]]
    largest = rows["loss"].abs().groupby(rows["step"]).max()
    return exact(*(float(largest[step]) for step in STEPS))


def _emptied(table: pd.DataFrame) -> Effect:
    """Smallest eigenvalue at a gap of 1 and weight 0.01 for 1 at weight 0.5, weight unknown.

    The largest over parameterizations, on one grid: these integrands are smooth, and halving the
    step changes nothing that is shown.
    """
    found = table.pivot(index="coordinates", columns="weight", values="least")
    largest = float((found[0.01] / found[0.5]).max())
    return exact(largest, largest)


CLAIMS = (
    Claim("price of a clearance",
          "The loss of the best fit to one component is c^2 xi^4 / 4 for a small clearance xi.",
          DERIVED, _price, "within", 0.01, "relative error at the smallest clearance", of=("fit",),
          words=(
              "Against one component a small clearance xi costs c^2 xi^4 / 4 nats for each point, "
              "with a relative error of {0:.1%}.",
              "Against one component a small clearance xi does not cost c^2 xi^4 / 4 nats for each "
              "point: off by {0:.1%}.",
              "What a small clearance costs against one component is undecided ({0:.1%}).",
          )),
    Claim("price is of eighth order",
          "With the scale unknown the loss of the best fit to one component goes like xi^8 for a "
          "small clearance xi.",
          DERIVED, _exponent_of("loss", 8.0, "scale"), "within", 0.05, "exponent less 8",
          of=("fit",), words="With the scale unknown the power of xi exceeds 8 by {0:.3f}."),
    Claim("conditioning bought",
          "The condition number of relative coordinates at the best fit to one component goes like "
          "xi^-2 for a small clearance xi.",
          PAPER, _exponent_of("condition", -2.0), "within", 0.05, "exponent plus 2", of=("fit",),
          words=(
              "It bounds the condition number of relative coordinates, which goes like xi^-2: its "
              "exponent is off by {0:.3f}.",
              "The condition number of relative coordinates does not go like xi^-2: its exponent "
              "is off by {0:.3f}.",
              "Whether the condition number of relative coordinates goes like xi^-2 is undecided "
              "({0:.3f}).",
          )),
    Claim("no price above the clearance",
          "Where the truth's gap exceeds the clearance the best fit is the truth.",
          PAPER, _free_above, "below", 1e-10, "loss", of=("fit",),
          words=(
              "Where the truth's gap exceeds the clearance it costs nothing (at most {0:.0e}).",
              "Where the truth's gap exceeds the clearance it costs up to {0:.1e}.",
              "Whether a clearance below the truth's gap costs something is undecided ({0:.0e}).",
          )),
    Claim("a clearance of the gap is enough",
          "With the weight unknown a clearance of the gap is enough: at a gap of 1 the smallest "
          "eigenvalue of the information at weight 0.01 is at least half of that at equal weights "
          "in some parameterization.",
          "a question of this project", _emptied, "above", 0.5,
          "smallest eigenvalue at weight 0.01 for 1 at 0.5, largest over parameterizations",
          of=("emptied",),
          words=(
              "With the weight unknown a clearance of the gap is enough to keep the information "
              "regular ({0:.2f}).",
              "With the weight unknown a clearance of the gap is not enough: at a gap of 1 and "
              "weight 0.01 the smallest eigenvalue is at most {0:.1e} of that at equal weights.",
              "Whether a clearance of the gap is enough with the weight unknown is undecided "
              "({0:.2f}).",
          )),
)  # fmt: skip


# --- figure ---------------------------------------------------------------------------------------


def clearance_figure(result: StudyResult) -> Figure:
    """The filtration: loss, gap and condition number of the best fit against the clearance."""
    rows = rows_of(result.tables["fit"], ("coordinates",), step=STEPS[0])
    figure, ((*axes,),) = panels(1, 3, (10.5, 3.8))
    if rows.empty:
        for panel in axes:
            nothing(panel)
        return figure
    kinds = rows_of(rows, coordinates="relative").groupby(["separation", "weight", "unknown"])
    for at, ((separation, weight, unknown), part) in enumerate(kinds):
        part = part.sort_values("clearance")
        words = f"truth's gap {separation:g}, weight {weight:g}"
        words += ", scale unknown" if unknown == "scale" else ""
        style: dict[str, Any] = {"marker": MARKERS[at], "color": SHADES[at], "ms": 4}
        cost, bias = part["loss"].where(part["loss"] > 1e-13), part["gap"] - part["separation"]
        for panel, value in zip(axes, (cost, bias, part["largest"] / part["least"]), strict=True):
            panel.plot(part["clearance"], value, label=words, **style)
    for panel in axes:
        panel.set(xscale="log", xlabel="clearance / sigma")
    axes[0].set(yscale="log", ylabel="loss of the best fit / nats")
    axes[1].set(ylabel="bias of the gap / sigma")
    axes[2].set(yscale="log", ylabel="condition number, relative")
    return legend(figure, axes, 3)


def _blocks(weights: tuple[float, ...], clearances: tuple[float, ...]) -> list[dict]:
    """One component and close ones with the scale known; one component with it unknown."""
    known = {"weight": weights, "unknown": ("none",), "clearance": clearances}
    scale = {"separation": (0.0,), "weight": (0.5,), "unknown": ("scale",)}
    return [known, {**scale, "clearance": clearances}]


study = Study(
    name="clearance",
    question="What does a clearance of the gap buy, for its price in likelihood?",
    source=PAPER,
    experiments={
        "fit": Experiment(
            cell=fit_cell,
            factors={
                "separation": (0.0, 0.5, 1.0),
                "weight": (0.5, 0.3, 0.1),
                "unknown": ("none", "scale"),
                "clearance": CLEARANCES,
                "step": STEPS,
            },
            sizes={
                "smoke": _blocks((0.5,), CLEARANCES[:6]),
                "laptop": _blocks((0.5, 0.3), CLEARANCES),
                "cluster": _blocks((0.5, 0.3, 0.1), CLEARANCES),
            },
        ),
        "emptied": Experiment(
            cell=emptied_cell,
            factors={"weight": (0.5, 0.01)},
            sizes={size: {} for size in SIZES},
        ),
    },
    claims=CLAIMS,
    figures={"clearance": clearance_figure},
    answer=("price of a clearance", "conditioning bought"),
    chief=(
        "price of a clearance",
        "no price above the clearance",
        "a clearance of the gap is enough",
    ),
)
