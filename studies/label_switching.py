"""Does ordering the means while sampling cure label switching better than sorting afterwards?

Weights, means and scales are all free, under the prior that a user gets (adaptive) or the fixed one
of the other studies, which both coordinates carry exactly. Data are 200 points of two unit normals
a separation apart, ``weight`` being that of the lower one. A run is 4 chains of 1,000 + 2,000 draws
of NUTS with a diagonal or a dense mass matrix, from random starts that all runs on a data set
share. Chains agree if the largest R-hat of all parameters is at most 1.01, of the draws as they
come or once each draw is sorted by its means. ESS is the smallest bulk ESS of the sorted
parameters, compared where both runs agree once sorted. Thirty data sets a setting do not tell,
weight by weight, whether 95% are cured: asked is whether nine of ten of all are, at equal weights
whether ordering cures what sorting does, at weight 0.1 whether sorting cures more.

Where means cross, sorting by them exchanges components that other parameters tell apart: beside
data of separated means stand such whose means coincide and whose scales are 1 and 4, and the same
draws are sorted by their means or relabelled by Stephens' algorithm.

Sources: Betancourt 2017, "Identifying Bayesian mixture models"; Stephens 2000 (relabelling draws
afterwards); Vehtari et al. 2021 (R-hat and ESS).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import simulate
from ordered_mix.draws.relabel.normal import normal
from ordered_mix.draws.relabel.stephens import stephens
from ordered_mix.draws.rhat import RHAT_THRESHOLD
from ordered_mix.draws.sampler_measures import sampler_measures
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.prior import default_prior
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.contenders import question, sampled
from ordered_mix.study.contest import Contest, with_rates
from ordered_mix.study.drawing import curve_panels, heat, panels
from ordered_mix.study.effects import (
    difference_of_shares,
    extreme_share,
    mean,
    paired,
    paired_ratio,
    rows_of,
)
from ordered_mix.study.experiment import four_digits, in_four_digits
from ordered_mix.study.sentences import RATIO, SHARE, worded
from ordered_mix.study.truths import two_normals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

BETANCOURT = "Betancourt 2017, Identifying Bayesian mixture models"
CELEUX = "Celeux, Hurn & Robert 2000, JASA 95, 957-970"
STEPHENS = "Stephens 2000 (relabelling afterwards)"
PROJECT = "a question of this project"
PAIR = ("unordered", "ordered")
PRIORS, MATRICES = ("adaptive", "fixed"), ("diagonal", "dense")
SEPARATIONS, WEIGHTS = (0.5, 1.5, 3.0, 4.0, 8.0), (0.5, 0.3, 0.1)
FAR = SEPARATIONS[2:]
SETTING = ("prior", "adaptation", "weight", "separation")
SET = (*SETTING, "replicate")
POINTS, CHAINS, DRAWS, TUNE = 200, 4, 2000, 1000
CROSSING, APART = "crossing", "apart"
MEANS = {
    CROSSING: Mixture(np.full(2, 0.5), np.zeros(2), np.array([1.0, 4.0])),
    APART: Mixture(np.full(2, 0.5), np.array([0.0, 4.0]), np.ones(2)),
}


# --- cells ----------------------------------------------------------------------------------------


def switching(
    seed: int, prior: str, adaptation: str, separation: float, weight: float, coordinates: str,
    replicate: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """One run in one coordinate system on one data set."""
    shared = {"separation": separation, "weight": weight, "replicate": replicate}
    truth = two_normals(separation, weight)
    draws = _draws(seed, prior, adaptation, coordinates, truth, shared)
    return [in_four_digits(sampler_measures(draws))]


def crossing(seed: int, prior: str, means: str, replicate: int) -> list[dict[str, Any]]:
    """Unordered draws sorted by their means, and the same relabelled by Stephens' algorithm."""
    shared = {"means": means, "replicate": replicate}
    draws = _draws(seed, prior, "diagonal", "unordered", MEANS[means], shared)
    found, y = draws.mixture, draws.tree["observed_data"]["y"].to_numpy()
    given = normal(y, found.w, found.mu, found.sigma)
    agreed = found.permute(stephens(given, starts=2).permutation)
    return [{"sorted": _spread(found.sorted()), "stephens": _spread(agreed)}]


def _draws(
    seed: int, prior: str, adaptation: str, coordinates: str, truth: Mixture, shared: dict[str, Any]
) -> Any:
    """Draws on the data, and from the starts, of all runs that share these factors."""
    data = simulate(truth, POINTS, seed_of("data", **shared))
    starts = initial_mixtures(data, 2, CHAINS, "random", seed_of("starts", **shared))
    given = (coordinates, adaptation, 2, default_prior(data, prior), data, starts, seed)
    return sampled(*given, draws=DRAWS, tune=TUNE, sweeps=1)


def _spread(mixture: Mixture) -> float:
    """Largest posterior standard deviation of the log of a scale."""
    return four_digits(np.log(mixture.sigma).std(axis=(0, 1)).max())


# --- effects of the claims ------------------------------------------------------------------------


def runs(table: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """Runs with whether chains agree once sorted, and their logs."""
    return with_rates(rows_of(table, ("raw_rhat", "visited"), **where))


def contest(table: pd.DataFrame, **where: Any) -> Contest:
    """Ordered and unordered means on the same data."""
    rows = runs(table, **where)
    return Contest(rows.assign(contender=rows["coordinates"]), SET, SETTING)


def wide(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column by data set and coordinates; ValueError if a run is missing."""
    return paired(rows, "coordinates", PAIR, column, SET)


def disagreeing(table: pd.DataFrame, prior: str) -> Effect:
    """Share of the sets on which unordered chains disagree, with the matrix where it is least."""
    rows = runs(table, prior=prior, separation=FAR, coordinates=PAIR[0])
    parts = rows.groupby("adaptation")["raw_rhat"]
    return extreme_share([part > RHAT_THRESHOLD for _, part in parts], np.min)


def cures(table: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """Of the sets where unordered chains disagree: order cures it, sorting cures it."""
    rows = runs(table, separation=FAR, **where)
    raw, after = (wide(rows, column) for column in ("raw_rhat", "rhat"))
    both = pd.DataFrame({"order": after["ordered"], "sorting": after["unordered"]})
    return both[raw["unordered"] > RHAT_THRESHOLD] <= RHAT_THRESHOLD


def cured(table: pd.DataFrame, by: str, **where: Any) -> Effect:
    """Share of those sets that order, or sorting, cures, with the mass matrix where it is least."""
    parts = cures(table, **where).groupby("adaptation")[by]
    return extreme_share([part for _, part in parts], np.min)


def sorting_cures_more(table: pd.DataFrame, **where: Any) -> Effect:
    """Difference of the two shares, and McNemar's exact interval over the sets that differ."""
    both = cures(table, adaptation="diagonal", **where)
    return difference_of_shares(both["sorting"], both["order"])


def visits(table: pd.DataFrame, prior: str, separation: Any) -> Effect:
    """Share of the orders of the means that an unordered chain visits at these separations."""
    where = {"prior": prior, "separation": separation, "adaptation": "diagonal"}
    rows = runs(table, coordinates=PAIR[0], **where)
    return mean(rows.loc[rows["weight"] == 0.5, "visited"])


def spread(table: pd.DataFrame, prior: str, means: str) -> Effect:
    """Posterior spread of scales sorted by the means for that relabelled by Stephens' algorithm."""
    rows = rows_of(table, ("sorted", "stephens"), prior=prior, means=means)
    return paired_ratio(rows["sorted"], rows["stephens"])


# --- claims ---------------------------------------------------------------------------------------

UNORDERED = "at separations 3, 4 and 8 unordered chains disagree"
SAID: dict[str, str | tuple[str, str, str]] = {
    "sorting afterwards is as good, adaptive, diagonal": (
        "It does not: under the default prior and adaptation unordered draws, sorted, are as "
        f"effective as ordered ones wherever both converge ({RATIO} times the ESS per pass at the "
        "least favourable place).",
        "Under the default prior and adaptation unordered draws, sorted, are somewhere less "
        f"effective than ordered ones ({RATIO} times the ESS per pass where they are least).",
        "Whether sorting unordered draws is as effective everywhere is undecided "
        f"({RATIO} times the ESS per pass at the least favourable place).",
    ),
    "order cures what sorting does at equal weights, adaptive": (
        f"At equal weights ordering cures what sorting does, give or take 10 points: {SHARE} of "
        f"the data sets where unordered chains disagree are cured by sorting only.",
        f"At equal weights the shares of data sets that sorting and ordering cure differ by "
        f"{SHARE}.",
        f"Whether ordering cures what sorting does at equal weights is undecided: the shares "
        f"differ by {SHARE}.",
    ),
    "order cures label switching, adaptive": (
        f"Ordered chains agree on {SHARE} of the data sets where unordered ones disagree.",
        f"Ordered chains agree on {SHARE} of the data sets where unordered ones disagree.",
        "Whether ordering cures label switching on nine of ten data sets is undecided: it does on "
        f"{SHARE}.",
    ),
    "sorting cures more than order at weight 0.1, adaptive": f"At weight 0.1 sorting unordered "
    f"draws afterwards cures more of the data sets than ordering while sampling, by {SHARE}.",
    "Stephens keeps crossing components, adaptive": "Where means cross, scales of draws that are "
    f"sorted by them spread {RATIO} times as far as after Stephens' relabelling.",
}  # fmt: skip
SWITCHING: dict[str, Any] = {"of": ("switching",)}


def _curing(prior: str) -> Iterator[Claim]:
    where = f"Under the {prior} prior, where {UNORDERED},"
    least = "share of those data sets, with the mass matrix where it is least"
    for by, words, source in (
        ("order", "ordered ones agree on nine of ten data sets", BETANCOURT),
        ("sorting", "the same draws agree on nine of ten once they are sorted", STEPHENS),
    ):
        yield Claim(
            f"{by} cures label switching, {prior}",
            f"{where} {words}, all weights together, whatever the mass matrix.", source,
            partial(cured, by=by, prior=prior), "above", 0.9, least, **SWITCHING,
        )  # fmt: skip
    unit = "difference of shares, sorting less order"
    yield Claim(
        f"order cures what sorting does at equal weights, {prior}",
        f"{where} ordering and sorting cure as many of the data sets of equal weights, give or "
        "take ten points, with a diagonal mass matrix.", PROJECT,
        partial(sorting_cures_more, prior=prior, weight=0.5), "within", 0.1, unit, **SWITCHING,
    )  # fmt: skip
    yield Claim(
        f"sorting cures more than order at weight 0.1, {prior}",
        f"{where} sorting cures more than order at weight 0.1, with a diagonal mass matrix.",
        STEPHENS, partial(sorting_cures_more, prior=prior, weight=0.1), "above", 0.0, unit,
        **SWITCHING,
    )  # fmt: skip


def _of_prior(prior: str) -> Iterator[Claim]:
    here = f"Under the {prior} prior"
    yield Claim(
        f"without order chains disagree, {prior}",
        f"{here}, on most data sets at separations 3, 4 and 8 unordered chains disagree, whatever "
        "the mass matrix.", f"Stephens 2000; {BETANCOURT}",
        partial(disagreeing, prior=prior), "above", 0.5, "share of data sets, where it is least",
        **SWITCHING,
    )  # fmt: skip
    for matrix in MATRICES:
        yield Claim(
            f"sorting afterwards is as good, {prior}, {matrix}",
            f"{here} with a {matrix} mass matrix unordered draws, sorted, have "
            "at least 90% of the ESS per pass of ordered ones at every separation and weight.",
            STEPHENS, question(contest, "least", ("unordered", "log_rate", ("ordered",)),
                               prior=prior, adaptation=matrix), "above", 0.9,
            "ESS per pass, unordered / ordered, where it is least", **SWITCHING,
        )  # fmt: skip
    yield Claim(
        f"chains do not switch apart, {prior}",
        f"{here}, at separation 8 and equal weights a chain in unordered coordinates visits one "
        "order of the means.", CELEUX, partial(visits, prior=prior, separation=8.0), "below", 0.525,
        "share of the two orders", **SWITCHING,
    )  # fmt: skip
    yield Claim(
        f"chains switch in the overlap, {prior}",
        f"{here}, at separations 0.5 and 1.5 and equal weights a chain in unordered coordinates "
        "visits both orders of the means.", CELEUX,
        partial(visits, prior=prior, separation=SEPARATIONS[:2]), "above", 0.95,
        "share of the two orders", **SWITCHING,
    )  # fmt: skip
    crossed = "posterior spread of a log scale, sorted / relabelled"
    yield Claim(
        f"Stephens keeps crossing components, {prior}",
        f"{here}, where means coincide and scales are 1 and 4, scales of draws sorted by their "
        "means spread at least twice as far as after Stephens' relabelling.", STEPHENS,
        partial(spread, prior=prior, means=CROSSING), "above", 2.0, crossed, of=("crossing",),
    )  # fmt: skip
    yield Claim(
        f"sorting by separated means is Stephens' relabelling, {prior}",
        f"{here}, where means are 4 standard deviations apart the two spreads differ by less than "
        "5%.", STEPHENS, partial(spread, prior=prior, means=APART), "below", 1.05, crossed,
        of=("crossing",),
    )  # fmt: skip


MADE = (claim for prior in PRIORS for claim in (*_of_prior(prior), *_curing(prior)))
CLAIMS = worded(tuple(MADE), SAID)


# --- figures --------------------------------------------------------------------------------------


def cures_figure(result: StudyResult) -> Figure:
    """Percentage of the sets where unordered chains disagree on which others agree."""
    table = result.tables["switching"]
    figure, axes = panels(1, 2, (8.4, 4.6), sharey=True)
    if table.empty:
        return figure
    rows = cures(table).groupby(["prior", "adaptation", "weight"]).mean()
    for one, (column, words) in zip(axes[0], CURED.items(), strict=True):
        grid = 100 * rows[column].unstack("weight")
        grid.index = [", ".join(name) for name in grid.index]
        heat(one, grid, "{:.0f}".format, colours="cividis", limits=(0, 100))
        one.set_title(words, loc="left", fontsize=9)
        one.set_xlabel("weight of the lower component")
    return figure


CURED = {"order": "ordered while sampling", "sorting": "unordered, sorted afterwards"}


def efficiency_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes of runs that converge, at equal weights."""
    rows = runs(result.tables["switching"], weight=0.5)
    grid = {"prior": PRIORS, "adaptation": MATRICES}
    return curve_panels(
        rows[rows["converged"]], "rate", "coordinates", PAIR, grid, "sorted ESS per 1,000 passes"
    )


def visits_figure(result: StudyResult) -> Figure:
    """Percentage of the two orders of the means that an unordered chain visits."""
    rows = runs(result.tables["switching"], weight=0.5)
    rows = rows.assign(visited=100 * rows["visited"])
    grid = {"prior": PRIORS, "adaptation": MATRICES}
    words = "% of the orders visited"
    return curve_panels(rows, "visited", "coordinates", PAIR, grid, words, log=False)


SMALL: dict[str, Any] = {"prior": ("adaptive",), "adaptation": ("diagonal",), "weight": (0.5,),
                         "replicate": range(2)}  # fmt: skip

study = Study(
    name="label_switching",
    question="Does ordering the means cure label switching better than sorting draws afterwards?",
    source=f"{BETANCOURT}; Stephens 2000",
    experiments={
        "switching": Experiment(
            cell=switching,
            factors={
                "prior": PRIORS,
                "adaptation": MATRICES,
                "separation": SEPARATIONS,
                "weight": WEIGHTS,
                "coordinates": PAIR,
                "replicate": range(30),
            },
            sizes={
                "smoke": {**SMALL, "separation": (0.5, 8.0)},
                "laptop": ({"weight": (0.5,)}, {"weight": WEIGHTS[1:], "separation": FAR}),
                "cluster": {"replicate": range(200)},
            },
            structure=("coordinates",),
        ),
        "crossing": Experiment(
            cell=crossing,
            factors={"prior": PRIORS, "means": tuple(MEANS), "replicate": range(20)},
            sizes={
                "smoke": {"prior": ("adaptive",), "replicate": range(2)},
                "laptop": {},
                "cluster": {"replicate": range(100)},
            },
        ),
    },
    claims=CLAIMS,
    figures={"cures": cures_figure, "efficiency": efficiency_figure, "visits": visits_figure},
    answer=(
        "sorting afterwards is as good, adaptive, diagonal",
        "order cures label switching, adaptive",
    ),
    chief=(
        "sorting afterwards is as good, adaptive, diagonal",
        "order cures label switching, adaptive",
        "sorting cures more than order at weight 0.1, adaptive",
    ),
)
