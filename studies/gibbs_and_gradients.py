"""Does Gibbs sampling or NUTS give more effective draws for a pass?

Data are 200 points of K equal components with unit scales, neighbours a separation apart; weights,
means and scales are free under the prior that a user gets (adaptive) or the fixed one of the other
studies. Contenders begin at the same random starts: Gibbs sampling, and NUTS in three coordinate
systems with a diagonal and a dense mass matrix, the best of which on each data set it is compared
with. A pass is one evaluation of all responsibilities: a sweep of Gibbs sampling is one, an
iteration of NUTS one for each leapfrog step.

ESS is the smallest of quantities that no relabelling changes (log likelihood, mixture mean, density
at three points of the data), after warm-up, over four chains on one core: 1,000 + 2,000 draws of
NUTS, 1,000 + 6,000 sweeps. Runs are compared on data sets where both have converged: an R-hat of
those quantities of at most 1.01. Twenty data sets a setting are the number of an earlier design,
with the fixed prior and a diagonal matrix only.

Whether chains change labels is kept beside it: the share of the K! orders of the means that a chain
visits.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import simulate
from ordered_mix.draws.rhat import RHAT_THRESHOLD
from ordered_mix.draws.sampler_measures import sampler_measures
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.prior import default_prior
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.contenders import GIBBS, NONE, named, sampled
from ordered_mix.study.contest import Contest, with_rates
from ordered_mix.study.drawing import curves, legend, looks, panels
from ordered_mix.study.effects import extreme, from_logs, mean, rows_of
from ordered_mix.study.experiment import in_four_digits
from ordered_mix.study.sentences import worded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

NAME, PROJECT = "gibbs_and_gradients", "a question of this project"
CELEUX = "Celeux, Hurn & Robert 2000, JASA 95, 957-970"
MENG = "Meng & van Dyk 1997, JRSS B 59, 511-567"
PRIORS, MATRICES = ("adaptive", "fixed"), ("diagonal", "dense")
COORDINATES = ("unordered", "signed", "moment(gap=pooled)")
ALONE, UNORDERED = f"{GIBBS}, {NONE}", "unordered, diagonal"
NUTS = tuple(f"{name}, {matrix}" for name in COORDINATES for matrix in MATRICES)
SEPARATIONS = (1.0, 3.0, 6.0)
NEAR, FAR = SEPARATIONS[0], SEPARATIONS[-1]
SET = ("prior", "separation", "k", "replicate")
POINTS, CHAINS, DRAWS, TUNE, SWEEPS = 200, 4, 2000, 1000, 3


def cell(
    seed: int, coordinates: str, adaptation: str, prior: str, separation: float, k: int,
    replicate: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """One run of one contender on one data set."""
    shared = {"separation": separation, "k": k, "replicate": replicate}
    means = np.array([separation * (j - (k - 1) / 2) for j in range(k)])
    truth = Mixture(np.full(k, 1 / k), means, np.ones(k))
    data = simulate(truth, POINTS, seed_of("data", **shared))
    starts = initial_mixtures(data, k, CHAINS, "random", seed_of("starts", **shared))
    given = (coordinates, adaptation, k, default_prior(data, prior), data, starts, seed)
    draws = sampled(*given, draws=DRAWS, tune=TUNE, sweeps=SWEEPS)
    return [in_four_digits(sampler_measures(draws))]


def skip(coordinates: str, adaptation: str, **rest: Any) -> str | None:
    """Combinations that mean nothing."""
    alone = (coordinates == GIBBS) == (adaptation == NONE)
    return None if alone else "Gibbs sampling, and it alone, has no mass matrix"


# --- from the table to effects --------------------------------------------------------------------


def runs(table: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """Runs with the contender's name, whether they converged, and the logs of their ESS."""
    rows = with_rates(named(rows_of(table, ("visited", "invariant_rhat"), **where)))
    return rows.assign(
        converged=rows["invariant_rhat"] <= RHAT_THRESHOLD,
        per_pass=rows["log_invariant"],
        per_second=np.log(rows["invariant_ess"] / rows["seconds"]),
    )


def against_nuts(table: pd.DataFrame, value: str, **where: Any) -> pd.Series:
    """Log ratio of Gibbs to the best NUTS of each data set where both have converged.

    Raises
    ------
    ValueError
        If there is none.
    """
    wide = Contest(runs(table, **where), SET, SET[:3]).values(value)
    wide = wide.reindex(columns=[ALONE, *NUTS])
    ratio: pd.Series = (wide[ALONE] - wide[list(NUTS)].max(axis=1)).dropna()
    if ratio.empty:
        raise ValueError("the table holds no data set on which Gibbs sampling and NUTS converge")
    return ratio


def where_it_is(pick: Any, table: pd.DataFrame, value: str, **where: Any) -> Effect:
    """Gibbs over the best NUTS in the setting that is picked."""
    ratio = against_nuts(table, value, **where)
    return from_logs(extreme([part for _, part in ratio.groupby(["separation", "k"])], pick))


def growth(table: pd.DataFrame, **where: Any) -> Effect:
    """How many times larger the ratio is at the largest separation than at the smallest."""
    ratio = against_nuts(table, "per_pass", separation=(NEAR, FAR), **where).unstack("separation")
    return from_logs(mean((ratio[FAR] - ratio[NEAR]).dropna()))


def visited(table: pd.DataFrame, contender: str, **where: Any) -> Effect:
    """Mean share of the orders that a chain visits beyond the first, at the largest separation."""
    rows = runs(table, separation=FAR, **where)
    rows = rows[rows["contender"] == contender]
    return mean(rows["visited"] - 1 / rows["k"].map(factorial))


# --- claims ---------------------------------------------------------------------------------------

ESS = "ESS per pass, Gibbs / best NUTS"
TIMES, BEST = "{0:.2f} [{1:.2f}, {2:.2f}] times", "the effective draws of the best NUTS"
SAID: dict[str, str | tuple[str, str, str]] = {
    "Gibbs wins apart, per pass, adaptive": (
        f"For a pass Gibbs sampling gives more: at least {TIMES} {BEST} at separation 6.",
        f"Apart Gibbs sampling gives no more effective draws for a pass: {TIMES} {BEST} where it "
        "is worst.",
        f"Whether Gibbs sampling or NUTS gives more for a pass apart is undecided: {TIMES} {BEST} "
        "where Gibbs sampling is worst.",
    ),
    "NUTS wins in the overlap, per pass, adaptive": (
        f"In the overlap, at separation 1, NUTS wins: Gibbs sampling has at most {TIMES} {BEST}.",
        "In the overlap, at separation 1, NUTS does not win everywhere: Gibbs sampling has up to "
        f"{TIMES} {BEST}.",
        "In the overlap, at separation 1, it is undecided: Gibbs sampling has up to "
        f"{TIMES} {BEST}.",
    ),
    "the advantage of Gibbs grows with the separation, adaptive": "From separation 1 to 6 the "
    "ratio of the two becomes {0:.1f} [{1:.1f}, {2:.1f}] times what it was.",
    "Gibbs wins per second, adaptive": (
        f"It wins per second, too: at least {TIMES} {BEST}.",
        f"For a second it does not everywhere: {TIMES} {BEST} where it is worst.",
        f"Which wins per second is undecided: {TIMES} {BEST} where Gibbs sampling is worst.",
    ),
}


def _efficiency(prior: str) -> Iterator[Claim]:
    where, best = f"under the {prior} prior", "NUTS in its best coordinates and mass matrix"
    yield Claim(
        f"Gibbs wins apart, per pass, {prior}",
        f"At separation 6, {where}, Gibbs sampling has more ESS per pass than {best}.", PROJECT,
        partial(where_it_is, min, value="per_pass", separation=FAR, prior=prior), "above", 1.0,
        f"{ESS}, where it is least",
    )  # fmt: skip
    yield Claim(
        f"NUTS wins in the overlap, per pass, {prior}",
        f"At separation 1, {where}, {best} has more ESS per pass than Gibbs sampling.",
        f"{MENG}: augmentation is slow where much is missing",
        partial(where_it_is, max, value="per_pass", separation=NEAR, prior=prior), "below", 1.0,
        f"{ESS}, where it is largest",
    )  # fmt: skip
    yield Claim(
        f"the advantage of Gibbs grows with the separation, {prior}",
        f"From separation 1 to 6, {where}, the ratio of Gibbs to the best NUTS grows at least "
        "twofold.", f"{MENG}: the rate is the share of information that is missing",
        partial(growth, prior=prior), "above", 2.0, f"{ESS}, at separation 6 over that at 1",
    )  # fmt: skip
    yield Claim(
        f"Gibbs wins per second, {prior}",
        f"Everywhere, {where}, Gibbs sampling has more ESS per second than {best}.", PROJECT,
        partial(where_it_is, min, value="per_second", prior=prior), "above", 1.0,
        "ESS per second, Gibbs / best NUTS, where it is least",
    )  # fmt: skip


def _labels(prior: str) -> Iterator[Claim]:
    where = f"under the {prior} prior"
    for words, contender in (("Gibbs sampling", ALONE), ("unordered NUTS", UNORDERED)):
        yield Claim(
            f"{words} does not switch apart, {prior}",
            f"At separation 6, {where}, a chain of {words} visits less than one more order of the "
            "means in twenty.", CELEUX,
            partial(visited, contender=contender, prior=prior), "below", 0.05,
            "share of the K! orders beyond the first",
        )  # fmt: skip


CLAIMS = worded(
    tuple(claim for prior in PRIORS for claim in (*_efficiency(prior), *_labels(prior))), SAID
)


# --- figures --------------------------------------------------------------------------------------


def efficiency_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes of converged runs by separation, with 95% intervals over data sets."""
    rows = runs(result.tables[NAME])
    rows = rows.assign(shown=1000 * np.exp(rows["per_pass"]))[rows["converged"]]
    grid = [(prior, k) for prior in PRIORS for k in sorted(set(rows["k"]))]
    figure, axes = panels(1, max(len(grid), 1), (9.6, 3.2), sharex=True)
    for axis, (prior, k) in zip(axes[0], grid, strict=False):
        part = rows[(rows["prior"] == prior) & (rows["k"] == k)]
        curves(axis, part, "shown", "contender", looks((ALONE, *NUTS)), log=True)
        axis.set_title(f"{prior} prior, K = {k:g}", fontsize="medium")
    axes[0, 0].set_ylabel("label-invariant ESS per 1,000 passes")
    return legend(figure, axes)


def label_figure(result: StudyResult) -> Figure:
    """Share of the K! orders of the means that a chain visits, adaptive prior."""
    rows = runs(result.tables[NAME], prior="adaptive")
    figure, axes = panels(1, 1, (4.8, 3.2))
    curves(axes[0, 0], rows, "visited", "contender", looks((ALONE, UNORDERED, "signed, dense")))
    axes[0, 0].set_ylabel("share of the orders visited")
    return legend(figure, axes)


study = Study(
    name=NAME,
    question="Does Gibbs sampling or NUTS give more effective draws for a pass?",
    source="this project, after Celeux, Hurn & Robert 2000 and Meng & van Dyk 1997",
    experiments={
        NAME: Experiment(
            cell,
            factors={
                "coordinates": (GIBBS, *COORDINATES),
                "adaptation": (NONE, *MATRICES),
                "prior": PRIORS,
                "separation": SEPARATIONS,
                "k": (2, 4),
                "replicate": range(100),
            },
            sizes={
                "smoke": {"prior": ("adaptive",), "separation": (NEAR,), "k": (2,),
                          "adaptation": (NONE, "diagonal"), "replicate": range(1)},
                "laptop": {"replicate": range(20)},
                "cluster": {},
            },
            skip=skip,
            structure=("coordinates", "k"),
        ),
    },
    claims=CLAIMS,
    figures={"efficiency": efficiency_figure, "labels": label_figure},
    answer=("Gibbs wins apart, per pass, adaptive", "Gibbs wins per second, adaptive"),
    chief=(
        "Gibbs wins apart, per pass, adaptive",
        "NUTS wins in the overlap, per pass, adaptive",
        "the advantage of Gibbs grows with the separation, adaptive",
    ),
)  # fmt: skip
