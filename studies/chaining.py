"""What does it cost NUTS to chain the means or the scales of two components?

Chained means are the paper's coordinates, mu_2 = mu_1 + gap, with a log gap; chained scales are
sigma_2 = sigma_1 + gap, which order the components by their scales. Beside them stand unordered
means and scales, which carry the same prior. Either the means alone are unknown, as in the paper,
or weights, means and scales all are, under the prior that a user gets (adaptive) or the fixed one.
Chained means and scales at once lose mixtures, and are another posterior: they are left out.

Data are 200 points of two equal components: unit scales and means that are 0.5, 1.5 or 3 apart, or
equal means and scales 1 and 1.2, 2 or 4. A run is 4 chains of 1,000 + 2,000 draws with a diagonal
or a dense mass matrix, from random starts that all runs on a data set share. Draws are sorted by
what tells the data's components apart, means or scales. ESS is the smallest bulk ESS of the sorted
parameters that are unknown, compared on data sets where both runs have converged: a sorted R-hat
of at most 1.01. Twenty data sets a setting and all margins were chosen before the first run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import arviz_stats
import numpy as np
import pandas as pd

from ordered_mix.data import simulate
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.rhat import RHAT_THRESHOLD, rhat
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Experiment, Study, seed_of
from ordered_mix.study.contenders import question
from ordered_mix.study.contest import Contest
from ordered_mix.study.drawing import heats
from ordered_mix.study.effects import rows_of
from ordered_mix.study.experiment import in_four_digits
from ordered_mix.study.sentences import RATIO, worded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

NAME = "chaining"
PAPER = "Esser & Nielsen 2022, sections 2 and 3"
COORDINATES = {
    "nothing": "unordered",
    "means": "relative(link=log)",
    "scales": "relative(order=sigma)",
}
MATRICES = ("diagonal", "dense")
UNKNOWN = ("means, fixed", "all, adaptive", "all, fixed")
DISTANCES = {"means": (0.5, 1.5, 3.0), "scales": (1.2, 2.0, 4.0)}
SETTING = ("unknown", "apart", "distance")
SET = (*SETTING, "replicate")
POINTS, CHAINS, DRAWS, TUNE = 200, 4, 2000, 1000


def cell(
    seed: int, unknown: str, apart: str, distance: float, chained: str, matrix: str, replicate: int
) -> list[dict[str, Any]]:
    """One run in one coordinate system on one data set."""
    shared: dict[str, Any] = {"apart": apart, "distance": distance, "replicate": replicate}
    truth = truth_of(apart, distance)
    data = simulate(truth, POINTS, seed_of("data", **shared))
    starts = initial_mixtures(data, 2, CHAINS, "random", seed_of("starts", **shared))
    free, prior = unknown.split(", ")
    given = default_prior(data, prior)
    if free == "means":
        given = replace(given, known_w=(0.5, 0.5), known_sigma=1.0)
        starts = Mixture(truth.w, starts.mu, truth.sigma)
    model = catalog.parameterization(COORDINATES[chained], 2, given)
    nuts = NUTS(draws=DRAWS, tune=TUNE, adaptation=matrix)
    draws = nuts.sample(model, data, starts, seed % 2**31)
    return [in_four_digits(measured(draws, free, "mu" if apart == "means" else "sigma"))]


def truth_of(apart: str, distance: float) -> Mixture:
    """Two equal components whose means, or scales, are apart."""
    if apart == "means":
        return Mixture([0.5, 0.5], [0.0, distance], [1.0, 1.0])
    return Mixture([0.5, 0.5], [0.0, 0.0], [1.0, distance])


def measured(draws: Draws, free: str, by: str) -> dict[str, Any]:
    """Smallest ESS and largest R-hat of the sorted parameters that are unknown, and their cost."""
    mixture = draws.mixture.sorted(by)
    values = list(np.moveaxis(mixture.mu, -1, 0))
    if free == "all":
        values += [mixture.w[..., 0], *np.moveaxis(np.log(mixture.sigma), -1, 0)]
    return {
        "ess": min(float(arviz_stats.ess(one, chain_axis=0, draw_axis=1)) for one in values),
        "rhat": max(map(rhat, values)),
        "passes": int(draws.passes.sum()),
        "divergences": int(draws.statistics["diverging"].sum()),
    }


def skip(unknown: str, apart: str, distance: float, chained: str, **rest: Any) -> str | None:
    """Combinations that mean nothing."""
    if distance not in DISTANCES[apart]:
        return "a distance of the other kind"
    if unknown.startswith("means") and "scales" in (apart, chained):
        return "scales are known"
    return None


# --- from the table to effects --------------------------------------------------------------------


def contest(table: pd.DataFrame, **where: Any) -> Contest:
    """All coordinates and mass matrices on these rows."""
    rows = rows_of(table, ("ess", "rhat", "passes", "divergences"), **where)
    rows = rows.assign(
        contender=rows["chained"] + ", " + rows["matrix"],
        converged=rows["rhat"] <= RHAT_THRESHOLD,
        log_rate=np.log(rows["ess"] / rows["passes"]),
    )
    return Contest(rows, SET, SETTING)


SAID: dict[str, str | tuple[str, str, str]] = {
    "chained means cost draws, means, fixed, diagonal": "Where components overlap chained means "
    f"have {RATIO} times the ESS per pass of unordered ones if the means alone are unknown and the "
    "mass matrix is diagonal.",
    "chained means cost draws, means, fixed, dense": f"With a dense one they have {RATIO} times.",
    "chained scales cost draws, all, adaptive, diagonal": "Chained scales have "
    f"{RATIO} times the ESS per pass of unordered ones where it is the scales that differ, under "
    "the default prior with a diagonal mass matrix.",
    "chained scales cost draws, all, adaptive, dense": f"With a dense one they have {RATIO} times.",
}
WORDS = {
    "means, fixed": "If the means alone are unknown",
    "all, adaptive": "Under the adaptive prior",
    "all, fixed": "Under the fixed prior",
}


def _claims(unknown: str, matrix: str) -> Iterator[Claim]:
    where = f"{WORDS[unknown]}, with a {matrix} mass matrix,"
    kinds = ("means",) if unknown.startswith("means") else ("means", "scales")
    for kind in kinds:
        given: dict[str, Any] = {
            "unknown": unknown, "apart": kind, "distance": DISTANCES[kind][:2],
        }  # fmt: skip
        pair = (f"{kind}, {matrix}", f"nothing, {matrix}")
        near = "up to 1.5 apart" if kind == "means" else "in a ratio of up to 2"
        yield Claim(
            f"chained {kind} cost draws, {unknown}, {matrix}",
            f"{where} chained {kind} have less ESS per pass than unordered ones on data whose "
            f"{kind} are {near}.", PAPER, question(contest, "ratio", (*pair, "log_rate"), **given),
            "below", 1.0, f"ESS per pass, chained {kind} / unordered",
        )  # fmt: skip
        if not unknown.startswith("means"):
            yield Claim(
                f"chained {kind} cost convergence, {unknown}, {matrix}",
                f"{where} fewer runs in chained {kind} converge than in unordered ones on data "
                f"whose {kind} are {near}.", PAPER,
                question(contest, "converges_more", pair, **given), "below", 0.0,
                "difference of shares, chained less unordered",
            )  # fmt: skip


MADE = (claim for where in product(UNKNOWN, MATRICES) for claim in _claims(*where))
CLAIMS = worded(tuple(MADE), SAID)


# --- figures and grid -----------------------------------------------------------------------------


def share_figure(result: StudyResult) -> Figure:
    """ESS per pass as a percentage of the best, where both have converged."""
    return heats(contest(result.tables[NAME]).shares("log_rate"), "apart, distance")


def converging_figure(result: StudyResult) -> Figure:
    """Percentage of runs that converge."""
    return heats(contest(result.tables[NAME]).converging(), "apart, distance")


study = Study(
    name=NAME,
    question="What does it cost NUTS to chain the means or the scales of two components?",
    source=PAPER,
    experiments={
        NAME: Experiment(
            cell,
            factors={
                "unknown": UNKNOWN,
                "apart": tuple(DISTANCES),
                "distance": (*DISTANCES["means"], *DISTANCES["scales"]),
                "chained": tuple(COORDINATES),
                "matrix": MATRICES,
                "replicate": range(100),
            },
            sizes={
                "smoke": {
                    "unknown": ("all, adaptive",), "apart": ("scales",), "distance": (4.0,),
                    "chained": ("nothing", "scales"), "matrix": MATRICES[:1],
                    "replicate": range(2),
                },
                "laptop": {"replicate": range(20)},
                "cluster": {},
            },
            skip=skip,
            structure=("chained", "unknown"),
        ),
    },
    claims=CLAIMS,
    figures={"share": share_figure, "converging": converging_figure},
    answer=(
        "chained means cost draws, means, fixed, diagonal",
        "chained scales cost draws, all, adaptive, diagonal",
    ),
    chief=(
        "chained means cost draws, means, fixed, dense",
        "chained scales cost draws, all, adaptive, dense",
        "chained means cost draws, all, adaptive, diagonal",
    ),
)  # fmt: skip
