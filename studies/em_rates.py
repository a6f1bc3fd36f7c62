"""How fast do EM and relative ECM close in on the truth, next to the rates that theory gives?

Esser & Nielsen 2022 claim that ECM in relative coordinates needs fewer iterations than EM near the
overlap singularity. The local rate of either is the spectral radius of its map's Jacobian at the
truth (Dempster, Laird & Rubin 1977; Meng & Rubin 1993): ``DM_EM = I - I_com^-1 I_obs`` and, for
the sweep over (mu1, gap), ``I - DM_ECM = (I - C)(I - DM_EM)`` with ``C = [[0, -p2], [0, p2]]``.
Here single iterations of both, on the population of a two-component mixture with known weights and
unit scales, give the rate in practice. Passes to a given accuracy go like 1 / -log(rate).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from ordered_mix.data import Data, population
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import SEPARATION, legend, panels
from ordered_mix.study.effects import exact
from ordered_mix.theory.rates import local_rate

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

PAPER = "Esser & Nielsen 2022, Algorithm 1 and Figure 2"
KNOWN = ("w", "sigma")
ESTIMATORS: dict[str, tuple[str, EM]] = {
    "em": ("unordered", EM(frozen=KNOWN)),
    "ecm": ("relative", ECM(frozen=KNOWN)),
}
CLOSE = Stop(log_likelihood=0.0, parameters=1e-8, passes=1_000_000)
NEAR = 0.1
NUDGE = 1e-4
STEPS = (0.02, 0.04)
RATE_MARGIN = 1e-5


def cell(seed: int, estimator: str, weight: float, separation: float, step: float) -> list[dict]:
    """Rate of one estimator at one truth, measured and from theory; nothing is random."""
    ends = np.array([-separation / 2, separation / 2])
    truth = Mixture(np.array([weight, 1 - weight]), ends, np.ones(2))
    data = population(truth, step)
    start = Mixture(truth.w, 1.5 * truth.mu + 0.1 * separation, truth.sigma)
    fit = _fit(estimator, data, start, CLOSE)
    if not fit.converged.all():
        raise RuntimeError(f"{estimator} did not come close to the truth: {fit.advice}")
    measured = measured_rate(estimator, data, truth)
    theory = local_rate(truth, data.y, data.weight, ESTIMATORS[estimator][0])
    return [{"rate": measured, "theory": theory, "passes": int(fit.passes)}]


def measured_rate(estimator: str, data: Data, truth: Mixture) -> float:
    """Spectral radius of how one iteration carries small displacements of the truth's means."""
    shifts = NUDGE * np.concatenate([np.eye(2), -np.eye(2)])
    starts = Mixture(truth.w, truth.mu + shifts, truth.sigma)
    after = _fit(estimator, data, starts, Stop(log_likelihood=0.0, passes=2)).mixture.mu
    jacobian = (after[:2] - after[2:]).T / (2 * NUDGE)
    return float(np.abs(np.linalg.eigvals(jacobian)).max())


def _fit(estimator: str, data: Data, start: Mixture, stop: Stop) -> Fit:
    label, chosen = ESTIMATORS[estimator]
    return replace(chosen, stop=stop).fit(parameterization(label, 2), data, start)


def _on_grids(statistic: Callable[[pd.DataFrame], float]) -> Callable[[pd.DataFrame], Effect]:
    """An effect whose interval is what halving the grid's step changes."""

    def effect(table: pd.DataFrame) -> Effect:
        return exact(*(statistic(table[table["step"] == step]) for step in STEPS))

    return effect


def _fine(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["step"] == STEPS[0]]


def _largest_error(table: pd.DataFrame) -> float:
    return float((table["rate"] - table["theory"]).abs().max())


def _rates(table: pd.DataFrame, separation: float = NEAR) -> pd.DataFrame:
    rows = table[table["separation"] == separation]
    rates = rows.pivot(index="weight", columns="estimator", values="rate")
    return rates.reindex(columns=list(ESTIMATORS))


def _slowdown(table: pd.DataFrame, separation: float = NEAR) -> pd.Series:
    """Passes of ECM for one of EM, by weight."""
    rates = np.log(_rates(table, separation))
    return rates["em"] / rates["ecm"]


def _paper_slowdown(table: pd.DataFrame) -> float:
    return float(_slowdown(table).loc[0.5])


def _slowdown_error(table: pd.DataFrame) -> float:
    slowdown = _slowdown(table)
    return float((slowdown * slowdown.index - 1).abs().max())


def _expansion_error(table: pd.DataFrame) -> float:
    rates = _rates(table)["em"]
    leading = 2 * rates.index * (1 - rates.index) * NEAR**2
    return float(((1 - rates) / leading - 1).abs().max())


CLAIMS = (
    Claim(
        name="rates as in theory",
        statement="The measured rates of EM and ECM are the spectral radii that theory gives.",
        source="Dempster, Laird & Rubin 1977; Meng & Rubin 1993",
        effect=_on_grids(_largest_error),
        direction="below",
        margin=RATE_MARGIN,
        words=(
            "Both close in on the truth at the rates of theory, to {0:.0e}.",
            "They do not close in at the rates of theory.",
            "Whether they close in at the rates of theory is undecided.",
        ),
    ),
    Claim(
        name="ECM is faster",
        statement="Near the singularity relative ECM needs fewer passes than EM (weight 1/2).",
        source=PAPER,
        effect=_on_grids(_paper_slowdown),
        direction="below",
        margin=1.0,
        unit="passes of ECM for one of EM",
        words=(
            "Near the singularity relative ECM is the faster one.",
            "Near the singularity relative ECM is the slower one, with {0:.2f} passes for one of "
            "EM at equal weights.",
            "Which is faster near the singularity is undecided.",
        ),
    ),
    Claim(
        name="slowdown is 1/p1",
        statement="Near the singularity relative ECM needs 1/p1 times the passes of EM.",
        source="the local rates above, expanded in the gap",
        effect=_on_grids(_slowdown_error),
        direction="below",
        margin=0.02,
        unit="relative error",
        words="Passes of ECM for one of EM differ from 1/p1 by {0:.1%} there.",
    ),
    Claim(
        name="plateau of EM",
        statement="Near the singularity 1 - rate of EM is 2 p1 p2 gap^2.",
        source="the local rates above, expanded in the gap",
        effect=_on_grids(_expansion_error),
        direction="below",
        margin=0.02,
        unit="relative error",
        words="What a pass of EM takes off the error differs from 2 p1 p2 gap^2 by {0:.1%}.",
    ),
)


def rates_figure(result: StudyResult) -> Figure:
    """What one pass takes off the error, 1 - rate, near the truth: dots measured, lines theory."""
    table = _fine(result.tables["em_rates"])
    figure, ((axes,),) = panels(1, 1, (7, 4.6))
    shades = colormaps["viridis"](np.linspace(0, 0.9, table["weight"].nunique()))
    for color, (weight, part) in zip(shades, table.groupby("weight"), strict=True):
        for estimator, marker, line in (("em", "o", "-"), ("ecm", "s", "--")):
            rows = part[part["estimator"] == estimator].sort_values("separation")
            axes.plot(rows["separation"], 1 - rows["theory"], line, color=color)
            label = f"{estimator.upper()}, first weight {weight:g}"
            axes.plot(rows["separation"], 1 - rows["rate"], marker, color=color, label=label)
    axes.set(xscale="log", yscale="log", xlabel=SEPARATION, ylabel="1 - rate")
    return legend(figure, axes)


study = Study(
    name="em_rates",
    question="How fast do EM and relative ECM close in on the truth, next to theory?",
    source=PAPER,
    experiments={
        "em_rates": Experiment(
            cell=cell,
            factors={
                "estimator": tuple(ESTIMATORS),
                "weight": (0.1, 0.3, 0.5, 0.7, 0.9),
                "separation": (0.1, 0.2, 0.5, 1.0, 2.0, 4.0),
                "step": STEPS,
            },
            sizes={
                "smoke": {"weight": (0.3, 0.5), "separation": (0.1, 2.0)},
                "laptop": {},
                "cluster": {
                    "weight": np.arange(1, 20) / 20,
                    "separation": np.geomspace(NEAR, 6, 60),
                },
            },
        )
    },
    claims=CLAIMS,
    figures={"rates": rates_figure},
    answer=("rates as in theory", "ECM is faster"),
    chief=("rates as in theory", "ECM is faster", "slowdown is 1/p1"),
)
