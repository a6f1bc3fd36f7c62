"""How singular is the Fisher information where components coincide?

In coordinates with the Jacobian J the information is ``J^T I J``: the length ds^2 of a displacement
is the same in all of them, but the smallest eigenvalue and the condition number, which bound the
speed of gradient ascent, are not. With c = w1 w2 the score of the gap at fixed mixture mean has the
variance ``2 c^2 gap^2``, so the information vanishes with the gap unless the coordinate stretches
it like 1 / gap, as the squared gap does. What cannot be told apart by a cumulant of the data costs
more powers: with the scale unknown the gap shows in the fourth cumulant for equal weights (four
powers more) and in the third otherwise (two more), and with the weight unknown ``gap^6 / 24`` is
left for every weight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import heat, legend, lines, panels
from ordered_mix.study.effects import exact, rows_of
from ordered_mix.theory.coordinates import UNKNOWN, jacobian, predicted_exponents
from ordered_mix.theory.fisher import length_elements, spectrum
from ordered_mix.theory.mean_coordinates import COORDINATES
from ordered_mix.theory.singularity import loglog_slope, two_normals

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

DERIVED = "expansion of the score in the gap"
GAPS = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def _jacobians(at: Mixture, unknown: str) -> dict[str, Array]:
    """Jacobians in all coordinates, those of the moments and the sphere where all is unknown."""
    found = {coordinates: jacobian(coordinates, at, unknown) for coordinates in COORDINATES}
    if unknown == "all":
        moment = catalog.parameterization("moment", 2)
        found["moment"] = moment.jacobian_free(moment.free(moment.unconstrain(at)))
    return found


def spectrum_cell(seed: int, separation: float, weight: float, unknown: str) -> list[dict]:
    """Smallest and largest eigenvalue of the information in every parameterization."""
    truth, rows = two_normals(separation, weight), []
    for coordinates, columns in _jacobians(truth, unknown).items():
        values = spectrum(truth, columns)
        rows.append({"coordinates": coordinates, "least": values[0], "largest": values[-1]})
    return rows


def length_cell(seed: int, separation: float, weight: float, unknown: str) -> list[dict]:
    """How much ds^2 of random displacements differs between coordinates, relative to its mean."""
    truth = two_normals(separation, weight)
    jacobians, rng = _jacobians(truth, unknown), np.random.default_rng(seed)
    rows = []
    for _ in range(5):
        columns = jacobians["signed"]
        tangent = columns @ rng.normal(size=columns.shape[1])
        lengths = np.array(list(length_elements(truth, jacobians, tangent).values()))
        rows.append({"spread": float(np.ptp(lengths) / lengths.mean())})
    return rows


# --- effects --------------------------------------------------------------------------------------


def exponents(
    table: pd.DataFrame, unknown: str, weight: float = 0.5
) -> dict[str, tuple[float, float]]:
    """Exponent of the gap in the smallest eigenvalue, and its distance to the last slope."""
    rows = rows_of(table, unknown=unknown, weight=weight).sort_values("separation")
    if rows.empty:
        raise ValueError(f"table must hold spectra with {unknown} unknown at weight {weight:g}")
    found = {}
    for coordinates, part in rows.groupby("coordinates", sort=False):
        near = part.head(4)
        order = 1.0 if str(coordinates).endswith(("link=softplus)", "link=square)")) else 2.0
        slope = loglog_slope(near["separation"], near["least"], order)
        found[str(coordinates)] = (slope.exponent, slope.error)
    return found


def _expected(coordinates: str, unknown: str, weight: float) -> float:
    """Exponent of the smallest eigenvalue."""
    known = predicted_exponents(coordinates, weight)[0]
    return {"none": known, "scale": known + (4 if weight == 0.5 else 2), "weight": 6.0}[unknown]


def _missed(unknown: str) -> Callable[[pd.DataFrame], Effect]:
    """Largest error of the exponents over coordinates and weights; reach: extrapolation."""

    def effect(table: pd.DataFrame) -> Effect:
        misses = []
        for weight in rows_of(table, unknown=unknown)["weight"].unique():
            found = exponents(table, unknown, weight)
            for coordinates in COORDINATES:
                miss = abs(found[coordinates][0] - _expected(coordinates, unknown, weight))
                misses.append((miss, miss + found[coordinates][1]))
        return exact(*np.max(misses, axis=0).tolist())

    return effect


def _condition_ratio(table: pd.DataFrame) -> Effect:
    """Condition number of relative for 1 of the original at the two smallest gaps."""
    rows = rows_of(table, unknown="none", weight=0.5)
    rows = rows.assign(condition=rows["largest"] / rows["least"])
    wide = rows.pivot(index="separation", columns="coordinates", values="condition")
    ratio = (wide["relative"] / wide["unordered"]).sort_index().to_numpy()
    return exact(float(ratio[0]), float(ratio[1]))


def _resolved(*unknown: str) -> Callable[[pd.DataFrame], Effect]:
    """Largest exponent of the smallest eigenvalue in the squared gap."""

    def effect(table: pd.DataFrame) -> Effect:
        found = max(exponents(table, name)["resolved"] for name in unknown)
        return exact(found[0], found[0] - found[1])

    return effect


def _spread(table: pd.DataFrame) -> Effect:
    """Largest relative difference of ds^2; all of it is rounding if they agree."""
    return exact(float(table["spread"].max()), 0.0)


LOSS = "error of the exponent, the largest over parameterizations and weights"
SPECTRUM = ("spectrum",)
CLAIMS = (
    Claim("exponents of the information",
          "The smallest eigenvalue vanishes like the predicted power of the gap in all "
          "coordinates.",
          DERIVED, _missed("none"), "below", 0.05, LOSS, of=SPECTRUM,
          words="The exponents of the smallest eigenvalue in the gap miss the predicted ones by at "
          "most {0:.3f} with weights and scales known."),
    Claim("exponents with the scale unknown",
          "With a common unknown scale the powers are 4 more for equal weights, 2 for others.",
          DERIVED, _missed("scale"), "below", 0.05, LOSS, of=SPECTRUM,
          words="With a common scale unknown they miss by at most {0:.3f}."),
    Claim("exponents with the weight unknown",
          "With the weight unknown the power is 6 in every parameterization.",
          DERIVED, _missed("weight"), "below", 0.05, LOSS, of=SPECTRUM,
          words="With the weight unknown they miss by at most {0:.3f}."),
    Claim("relative is better conditioned",
          "Near the singularity the information is better conditioned in relative coordinates.",
          "Esser & Nielsen 2022, valleys are reduced",
          _condition_ratio, "below", 1.0, "condition number of relative for 1 of the original",
          of=SPECTRUM,
          words=(
              "Where components coincide the information is singular, and relative coordinates "
              "condition it better: {0:.2f} times the condition number.",
              "Where components coincide the information is singular, and relative coordinates "
              "condition it worse: {0:.2f} times the condition number.",
              "How relative coordinates condition the information is undecided ({0:.2f}).",
          )),
    Claim("squared gap is regular",
          "With weights and scales known the information in the squared gap does not vanish.",
          DERIVED, _resolved("none"), "within", 0.05, "exponent of the smallest eigenvalue",
          of=SPECTRUM,
          words=(
              "In the squared gap it is regular, as long as weights and scales are known (exponent "
              "{0:z.3f}).",
              "In the squared gap it is singular, too (exponent {0:.3f}).",
              "Whether it is regular in the squared gap is undecided (exponent {0:.3f}).",
          )),
    Claim("squared gap stays regular",
          "With the scale, the weight or everything unknown the information in the squared gap "
          "does not vanish, either.",
          "a question of this project", _resolved(*UNKNOWN[1:]), "within", 0.05,
          "largest exponent of the smallest eigenvalue", of=SPECTRUM,
          words="With scale, weight or both unknown the exponent in the squared gap is up to "
          "{0:.2f}."),
    Claim("ds^2 is invariant", "The length of a displacement is the same in all coordinates.",
          "Amari 1998", _spread, "below", 1e-6, "largest relative difference", of=("length",),
          words="The length of a displacement differs by at most {0:.1e} between coordinates."),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

SHOWN = {
    "none": "weights and scales known",
    "scale": "common scale unknown",
    "weight": "weight unknown",
    "all": "weights and scales unknown",
}


def spectrum_figure(result: StudyResult) -> Figure:
    """Smallest eigenvalue and condition number of the information against the gap, weight 1/2."""
    columns = ("coordinates", "least", "largest")
    table = rows_of(result.tables["spectrum"], columns, weight=0.5)
    table = table.assign(condition=table["largest"] / table["least"])
    figure, axes = panels(2, len(UNKNOWN), (11.0, 6.0), sharex=True, sharey="row")
    for at, unknown in enumerate(UNKNOWN):
        rows = rows_of(table, unknown=unknown)
        for panel, value in zip(axes[:, at], ("least", "condition"), strict=True):
            lines(panel, rows, "separation", value, "coordinates")
            if len(rows):
                panel.set(xscale="log", yscale="log")
        axes[0, at].set_title(SHOWN[unknown], fontsize=9)
        axes[1, at].set_xlabel("gap / sigma")
    axes[0, 0].set_ylabel("smallest eigenvalue")
    axes[1, 0].set_ylabel("condition number")
    return legend(figure, axes, 6)


def exponents_figure(result: StudyResult) -> Figure:
    """Exponents of the gap in the smallest eigenvalue by coordinates and what is unknown."""
    table = result.tables["spectrum"]
    figure, axes = panels(1, 2, (9.5, 3.8))
    for panel, weight in zip(axes[0], (0.5, 0.3), strict=True):
        there = rows_of(table, weight=weight)["unknown"].unique()
        found = {
            unknown: {name: power for name, (power, _) in exponents(table, unknown, weight).items()}
            for unknown in there
        }
        grid = pd.DataFrame(found).reindex(index=[*COORDINATES, "moment"], columns=list(UNKNOWN))
        heat(panel, grid, lambda power: f"{abs(power):.2f}", limits=(0, 10))
        panel.set_title(f"first weight {weight:g}, unknown beside the means:", fontsize=9)
    return figure


study = Study(
    name="fisher",
    question="How singular is the Fisher information where components coincide?",
    source="Esser & Nielsen 2022, section 3; Amari 1998",
    experiments={
        "spectrum": Experiment(
            cell=spectrum_cell,
            factors={"separation": GAPS, "weight": (0.5, 0.3, 0.1), "unknown": UNKNOWN},
            sizes={"smoke": {"weight": (0.5,)}, "laptop": {"weight": (0.5, 0.3)}, "cluster": {}},
        ),
        "length": Experiment(
            cell=length_cell,
            factors={
                "separation": GAPS[2:],
                "weight": (0.5, 0.3, 0.1),
                "unknown": ("none", "all"),
            },
            sizes={"smoke": {"weight": (0.5,)}, "laptop": {"weight": (0.5, 0.3)}, "cluster": {}},
        ),
    },
    claims=CLAIMS,
    figures={"spectrum": spectrum_figure, "exponents": exponents_figure},
    answer=("relative is better conditioned", "squared gap is regular"),
    chief=("relative is better conditioned", "squared gap stays regular", "ds^2 is invariant"),
)
