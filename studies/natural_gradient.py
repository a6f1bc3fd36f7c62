"""How much sooner than the gradient does the natural gradient leave the singularity?

The natural gradient (Amari 1998) divides by the information, in any coordinates, so that where
components coincide its steps do not vanish with it. Here both ascend the log likelihood of a
population of two components from three starts off the centre, the gradient with its largest stable
step, the natural gradient with a line search and with two fixed steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.data import population
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.natural import NaturalGradient
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import legend, looks, nothing, panels
from ordered_mix.study.effects import exact, rows_of
from ordered_mix.theory.singularity import two_normals

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

STEPS = (0.04, 0.08)
MODELS: dict[str, dict[str, Any]] = {
    "unordered": {},
    "relative": {"link": "identity"},
    "signed": {},
    "resolved": {},
}
BRIEF = Stop(log_likelihood=1e-7, passes=300)
TIGHT = Stop(log_likelihood=1e-12, passes=300)
LONG = Stop(log_likelihood=1e-10, passes=2000)
FINE, COARSE = "natural, step 0.05", "natural, step 0.1"
ALGORITHMS: dict[str, GradientAscent | NaturalGradient] = {
    "gradient": GradientAscent("largest_stable", stop=LONG, snapshots=LONG.passes),
    "natural": NaturalGradient(stop=TIGHT, snapshots=TIGHT.passes),
    FINE: NaturalGradient(0.05, stop=BRIEF, snapshots=BRIEF.passes),
    COARSE: NaturalGradient(0.1, stop=BRIEF, snapshots=BRIEF.passes),
}
START_GAPS = (0.2, 2.0, 4.0)
LEVEL = 1e-5
HALVES = np.full(2, 0.5)


def cell(seed: int, separation: float, unknown: str, step: float) -> list[dict]:
    """Passes to an excess loss of 1e-5 from three starts off the centre; NaN if never."""
    truth = two_normals(separation)
    data, rows = population(truth, step), []
    best = float(np.asarray(data.weight) @ truth.log_density(data.y))
    prior = Prior() if unknown == "all" else Prior(known_w=(0.5, 0.5), known_sigma=1.0)
    gaps = np.array(START_GAPS)
    starts = Mixture(HALVES, 0.3 + gaps[:, None] * np.array([-0.5, 0.5]), truth.sigma)
    for coordinates, options in MODELS.items():
        model = catalog.parameterization(coordinates, 2, prior, **options)
        for name, algorithm in ALGORITHMS.items():
            if name in (FINE, COARSE) and (step != STEPS[0] or unknown == "all"):
                continue
            fit = algorithm.fit(model, data, starts)
            excess = best - fit.trace.log_likelihood
            row = {"coordinates": coordinates, "algorithm": name}
            for at, gap in enumerate(START_GAPS):
                passes = passes_to(fit.trace.passes[:, at], excess[:, at])
                rows.append({**row, "start": gap, "passes": passes, "ended": str(fit.status[at])})
    return rows


def passes_to(passes: NDArray[np.int64], excess: Array) -> float:
    """Passes at which the excess loss falls to the level, log-linear between snapshots."""
    below = np.flatnonzero(excess <= LEVEL)
    if not below.size:
        return np.nan
    at = int(below[0])
    if at == 0:
        return float(passes[0])
    above, under = np.log(np.maximum(excess[at - 1 : at + 1], 1e-16) / LEVEL)
    return float(passes[at - 1] + (passes[at] - passes[at - 1]) * above / (above - under))


# --- effects --------------------------------------------------------------------------------------


def passes(table: pd.DataFrame, step: float = STEPS[0], unknown: str = "none") -> pd.DataFrame:
    """Passes by algorithm of every truth, start and coordinates; infinite if it never arrives."""
    rows = rows_of(table, step=step, unknown=unknown)
    index = ["separation", "start", "coordinates"]
    return rows.pivot(index=index, columns="algorithm", values="passes").fillna(np.inf)


def _natural_gain(separation: float, coordinates: str) -> Callable[[pd.DataFrame], Effect]:
    """Passes of the natural gradient for 1 of the gradient, geometric mean over starts."""

    def ratio(table: pd.DataFrame, step: float) -> float:
        rows = passes(table, step).xs(
            (separation, coordinates), level=("separation", "coordinates")
        )
        return float(np.exp(np.log(rows["natural"] / rows["gradient"]).mean()))

    return lambda table: exact(*(ratio(table, step) for step in STEPS))


def _natural_lost(table: pd.DataFrame) -> Effect:
    """Number of truths, starts and parameterizations from which the line search never arrives."""
    return exact(*(float(np.isinf(passes(table, step)["natural"]).sum()) for step in STEPS))


GAIN = "passes for 1 of the gradient at its largest stable step"
CLAIMS = (
    Claim("natural gradient leaves the plateau",
          "At the singularity the natural gradient needs fewer passes than the gradient, in "
          "original coordinates.",
          "Amari, Park & Ozeki 2006", _natural_gain(0.0, "unordered"), "below", 1.0, GAIN,
          words="At the singularity the natural gradient takes {0:.3f} times the passes of the "
          "gradient."),
    Claim("natural gradient pays far out",
          "At separation 2 the natural gradient needs fewer passes than the gradient, in original "
          "coordinates.",
          "Amari 1998", _natural_gain(2.0, "unordered"), "below", 1.0, GAIN,
          words="At separation 2 it takes {0:.2f} times the passes of the gradient."),
    Claim("natural gradient always arrives",
          "With a line search the natural gradient comes to the truth from every start in all "
          "coordinates.",
          "a question of this project", _natural_lost, "below", 0.5,
          "truths, starts and coordinates without arrival",
          words=(
              "With a line search it arrives at the truth from every start in all coordinates: "
              "{0:.0f} of the runs do not.",
              "With a line search it never arrives at the truth in {0:.0f} of the runs, one for "
              "each truth, start and parameterization.",
              "Whether it always arrives with a line search is undecided: it does not in {0:.0f} "
              "of the runs, one for each truth, start and parameterization.",
          )),
)  # fmt: skip


# --- figure ---------------------------------------------------------------------------------------


def natural_figure(result: StudyResult) -> Figure:
    """Passes to an excess loss of 1e-5 by algorithm and coordinates, one dot for each start.

    Hollow beyond the dashed line: runs that never arrive.
    """
    table = rows_of(result.tables["natural_gradient"], step=STEPS[0])
    kinds = table[["unknown", "separation"]].drop_duplicates()
    places = sorted(map(tuple, kinds.to_numpy()), key=lambda kind: (kind[0] != "none", kind[1]))
    size = (max(4.0, 1.7 * len(places) + 1), 3.8)
    figure, ((*axes,),) = panels(1, len(places), size, sharey=True)
    if not places:
        nothing(axes[0])
    for panel, (unknown, place) in zip(axes, places, strict=False):
        _draw(panel, passes(table, unknown=unknown).xs(place, level="separation"))
        more = "\nall unknown" if unknown == "all" else ""
        panel.set_title(f"separation {place:g}{more}", fontsize=9)
    return legend(figure, axes)


def _draw(axes: Axes, rows: pd.DataFrame) -> None:
    look = looks(ALGORITHMS)
    for name in rows:
        for line, coordinates in enumerate(MODELS):
            found = rows[name].xs(coordinates, level="coordinates").to_numpy()
            missing = np.isinf(found)
            style: dict[str, Any] = {"color": look[name].color, "marker": look[name].marker}
            style |= {"ls": "none", "ms": 5}
            y = np.full(len(found), line + 0.17 * (list(ALGORITHMS).index(name) - 1.5))
            axes.plot(found[~missing], y[~missing], alpha=0.8, label=name, **style)
            axes.plot(np.full(missing.sum(), 4e3), y[missing], mfc="none", **style)
    axes.axvline(2e3, color="0.5", lw=0.8, ls="--")
    axes.set(xscale="log", xlim=(1, 1e4), xlabel="passes")
    axes.set_yticks(range(len(MODELS)), MODELS)
    axes.set_ylim(len(MODELS) - 0.5, -0.5)


def _blocks(truths: tuple[float, ...]) -> list[dict]:
    """With all unknown only from the fourth truth on: nearer ones cannot be told apart."""
    known = {"separation": truths, "unknown": ("none",)}
    free = {"separation": truths[3:], "unknown": ("all",), "step": STEPS[:1]}
    return [known, free] if truths[3:] else [known]


study = Study(
    name="natural_gradient",
    question="How much sooner than the gradient does the natural gradient leave the singularity?",
    source="Amari 1998; Amari, Park & Ozeki 2006",
    experiments={
        "natural_gradient": Experiment(
            cell=cell,
            factors={
                "separation": (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0),
                "unknown": ("none", "all"),
                "step": STEPS,
            },
            sizes={
                "smoke": _blocks((0.0, 2.0)),
                "laptop": _blocks((0.0, 0.5, 1.0, 2.0, 4.0)),
                "cluster": _blocks((0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)),
            },
        )
    },
    claims=CLAIMS,
    figures={"natural": natural_figure},
    answer=("natural gradient leaves the plateau", "natural gradient pays far out"),
    chief=(
        "natural gradient leaves the plateau",
        "natural gradient pays far out",
        "natural gradient always arrives",
    ),
)
