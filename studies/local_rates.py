"""Is relative ECM locally faster than EM, at any separation or weight?

Errors shrink by the spectral radius of the iteration's Jacobian (Dempster, Laird & Rubin 1977; Meng
& Rubin 1993), and near the singularity ECM needs 1 / p_reference times the iterations of EM. Rates
of theory are compared at the truth, over separations and weights, and with those of runs on data
sets, at their maximum-likelihood points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ordered_mix.data import population, simulate
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import LOOKS, SEPARATION, legend, panels
from ordered_mix.study.effects import exact, median, rows_of
from ordered_mix.study.grid import seed_of
from ordered_mix.theory.rates import local_rate, tail_rate

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

PAPER = "Esser & Nielsen 2022, Figure 2"
KNOWN = ("w", "sigma")
DERIVED: Mapping[str, tuple[str, EM]] = {
    "em": ("unordered", EM(frozen=KNOWN)),
    "ecm": ("relative", ECM(frozen=KNOWN)),
    "ecm, reference 2": ("relative(reference=2)", ECM(frozen=KNOWN)),
}
TIGHT = Stop(log_likelihood=0.0, parameters=1e-11, passes=50_000)
NEAR, SECOND_MEAN = 0.1, -5.0
STEPS = (0.02, 0.04)


def truth_of(separation: float, weight: float) -> Mixture:
    """Two unit normals, the second one at -5."""
    means = np.array([SECOND_MEAN - separation, SECOND_MEAN])
    return Mixture(np.array([weight, 1 - weight]), means, np.ones(2))


def population_cell(seed: int, separation: float, weight: float) -> list[dict]:
    """Local rates at the truth, on two grids."""
    truth, rows = truth_of(separation, weight), []
    for step in STEPS:
        data = population(truth, step)
        for algorithm, (label, _) in DERIVED.items():
            theory = local_rate(truth, data.y, data.weight, label)
            rows.append({"algorithm": algorithm, "theory": theory, "step": step})
    return rows


def rate_cell(seed: int, separation: float, weight: float, n: int, replicate: int) -> list[dict]:
    """Local rates at the maximum-likelihood point: from theory, and from the tail of the trace."""
    truth = truth_of(separation, weight)
    shared = seed_of("data", separation=separation, weight=weight, n=n, replicate=replicate)
    data = simulate(truth, n, shared)
    unordered = parameterization("unordered", 2)
    at = EM(frozen=KNOWN, stop=TIGHT).fit(unordered, data, truth).mixture
    means = truth.mu.mean() + 2.0 * (truth.mu - truth.mu.mean()) + 0.3
    start, rows = Mixture(truth.w, means, truth.sigma), []
    for algorithm, (label, estimator) in DERIVED.items():
        kept = replace(estimator, stop=TIGHT, snapshots=TIGHT.passes)
        path = kept.fit(parameterization(label, 2), data, start).trace.mixture.mu
        theory, trace = local_rate(at, data.y, label=label), tail_rate(path, at.mu)
        rows.append({"algorithm": algorithm, "theory": theory, "trace": trace})
    return rows


# --- effects --------------------------------------------------------------------------------------


def _population_rates(table: pd.DataFrame, step: float) -> pd.DataFrame:
    index = ["separation", "weight"]
    return rows_of(table, step=step).pivot(index=index, columns="algorithm", values="theory")


def _locally_faster(table: pd.DataFrame) -> Effect:
    """Share of separations and weights at which the local rate of ECM is the smaller one."""
    found = []
    for step in STEPS:
        rates = _population_rates(table, step)
        found.append(float((rates["ecm"] < rates["em"]).mean()))
    return exact(*found)


def _slowdown(table: pd.DataFrame) -> Effect:
    """Largest relative error of 1 / p_reference near the singularity, over weights."""
    found = []
    for step in STEPS:
        logs = np.log(_population_rates(table, step).loc[NEAR])
        weight = logs.index.to_numpy()
        errors = [
            (logs["em"] / logs[algorithm] * p - 1).abs().max()
            for algorithm, p in (("ecm", weight), ("ecm, reference 2", 1 - weight))
        ]
        found.append(float(max(errors)))
    return exact(*found)


def _rates_agree(table: pd.DataFrame) -> Effect:
    """Median over data sets of the typical relative error of a trace's -log rate.

    A trace without a tail counts as infinitely wrong.
    """
    counts = table.groupby("replicate").size()
    if (counts < counts.max()).any():
        raise ValueError("table must hold every separation and weight for every replicate")
    error = (np.log(table["trace"]) / np.log(table["theory"]) - 1).abs().fillna(np.inf)
    return median(error.groupby(table["replicate"]).median())


CLAIMS = (
    Claim("locally faster",
          "Relative ECM has a smaller local rate than EM at most separations and weights.",
          PAPER, _locally_faster, "above", 0.5, "share of separations and weights",
          of=("population",),
          words=(
              "Relative ECM is locally faster than EM at {0:.0%} of separations and weights.",
              "Relative ECM is not locally faster: it has the smaller rate at {0:.0%} of "
              "separations and weights.",
              "Whether relative ECM is locally faster at most separations and weights is undecided "
              "({0:.0%}).",
          )),
    Claim("slowdown is 1/p_reference",
          "Near the singularity ECM needs 1 / p_reference times the iterations, whichever "
          "reference.",
          "the local rates, expanded in the gap", _slowdown, "below", 0.02,
          "relative error, the largest over weights and references", of=("population",),
          words=(
              "Near the singularity it needs 1 / p_reference times the iterations of EM, to "
              "{0:.2%}.",
              "Near the singularity it does not need 1 / p_reference times the iterations of EM: "
              "off by {0:.1%}.",
              "Whether it needs 1 / p_reference times the iterations of EM near the singularity is "
              "undecided ({0:.1%}).",
          )),
    Claim("rates as in theory",
          "The tails of EM and ECM shrink at the rates of theory, at every separation and weight.",
          "Dempster, Laird & Rubin 1977; Meng & Rubin 1993", _rates_agree, "below", 0.02,
          "relative error of -log(rate), median over data sets", of=("rate",),
          words="The rates at which runs on data sets close in on the maximum of the likelihood "
          "miss those of theory by {0:.1e} in the median."),
)  # fmt: skip

STYLES = {
    "em": LOOKS["unordered"],
    "ecm": LOOKS["relative"],
    "ecm, reference 2": LOOKS["relative"]._replace(marker="X", linestyle="--"),
}
LABELS = {"em": "EM", "ecm": "ECM", "ecm, reference 2": "ECM, second mean as reference"}


def rates_figure(result: StudyResult) -> Figure:
    """1 - rate against separation: lines theory at the truth, dots traces of data sets."""
    theory = rows_of(result.tables["population"], ("algorithm", "step"))
    theory = rows_of(theory, step=STEPS[0]).sort_values("separation")
    traces = rows_of(result.tables["rate"], ("algorithm",))
    weights = sorted({*traces["weight"], *theory["weight"]}) or [0.5]
    figure, (grid,) = panels(1, len(weights), (8.5, 3.6), sharey=True)
    for axes, weight in zip(grid, weights, strict=True):
        for at, (name, look) in enumerate(STYLES.items()):
            line = rows_of(theory, weight=weight, algorithm=name)
            dots = rows_of(traces, weight=weight, algorithm=name)
            style: dict[str, Any] = {"color": look.color}
            if len(line):
                height = 1 - line["theory"]
                axes.plot(
                    line["separation"], height, ls=look.linestyle, label=LABELS[name], **style
                )
            if len(dots):
                place = dots["separation"] * (1 + 0.06 * (at - 1))
                axes.plot(place, 1 - dots["trace"], look.marker, ms=3, **style)
        axes.set(title=f"first weight {weight:g}", xlabel=SEPARATION)
        if axes.lines:
            axes.set(xscale="log", yscale="log")
    grid[0].set_ylabel("1 - rate")
    return legend(figure, grid, 3)


SEPARATIONS = (1.0, 1.5, 2.0, 3.0, 4.0)
THREE = (0.3, 0.5, 0.7)


study = Study(
    name="local_rates",
    question="Is relative ECM locally faster than EM, at any separation or weight?",
    source="Esser & Nielsen 2022, Figure 2; Dempster, Laird & Rubin 1977; Meng & Rubin 1993",
    experiments={
        "population": Experiment(
            cell=population_cell,
            factors={
                "separation": (NEAR, 0.2, 0.5, *SEPARATIONS),
                "weight": (0.5, 0.3, 0.7, 0.1, 0.9),
            },
            sizes={
                "smoke": {"separation": (NEAR, 0.2, 0.5, 1.0, 3.0), "weight": (0.3, 0.5)},
                "laptop": {"weight": THREE},
                "cluster": {},
            },
        ),
        "rate": Experiment(
            cell=rate_cell,
            factors={
                "separation": SEPARATIONS,
                "weight": (0.5, 0.3, 0.7, 0.1, 0.9),
                "n": (1000,),
                "replicate": range(200),
            },
            sizes={
                "smoke": {"separation": (1.0, 3.0), "weight": (0.3, 0.5), "replicate": range(6)},
                "laptop": {"weight": THREE, "replicate": range(20)},
                "cluster": {},
            },
        ),
    },
    claims=CLAIMS,
    figures={"rates": rates_figure},
    answer=("locally faster", "slowdown is 1/p_reference"),
    chief=("locally faster", "slowdown is 1/p_reference", "rates as in theory"),
)
