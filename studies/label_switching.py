"""Does ordering the means cure label switching better than sorting the draws afterwards?

Weights, means and scales are all free, under one exchangeable prior that both coordinates carry
exactly (Dirichlet(2) weights, sorted where the means are ordered). Data come from two unit normals
with means +-separation/2, ``weight`` being that of the lower one. Each run is 4 chains of 400 + 500
draws of NUTS with a diagonal mass matrix, from 4 random starts that all coordinates share. Chains
agree if the largest R-hat of all parameters is below 1.05, of the draws as they come or once each
draw is sorted by its means. ESS is the smallest bulk ESS of the sorted parameters; it compares
chains, so chains in different places count for about as many draws as there are chains.

Sources: Betancourt 2017, "Identifying Bayesian mixture models"; Stephens 2000 (relabelling draws
afterwards); Vehtari et al. 2021 (R-hat and ESS).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import simulate
from ordered_mix.draws.chain_measures import chain_measures
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.drawing import curves, legend, looks, mark, panels
from ordered_mix.study.effects import (
    difference_of_shares,
    extreme,
    from_logs,
    paired,
    rows_of,
    share,
)
from ordered_mix.study.experiment import four_digits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

BETANCOURT = "Betancourt 2017, Identifying Bayesian mixture models"
COORDINATES = ("unordered", "ordered", "signed", "moment")
PAIR = COORDINATES[:2]
SEPARATIONS = (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)
SET = ["separation", "n", "weight", "replicate"]
CHAINS, AGREE, APART = 4, 1.05, 3
SAMPLER = NUTS(tune=400, draws=500)


def cell(
    seed: int, separation: float, n: int, weight: float, parameterization: str, replicate: int
) -> list[dict[str, Any]]:
    """One run in one parameterization on one data set."""
    shared = {"separation": separation, "n": n, "weight": weight, "replicate": replicate}
    ends = np.array([-separation / 2, separation / 2])
    truth = Mixture(np.array([weight, 1 - weight]), ends, np.ones(2))
    data = simulate(truth, n, seed_of("data", **shared))
    starts = initial_mixtures(data, 2, CHAINS, "random", seed_of("starts", **shared))
    prior = Prior().affine(float(data.location), float(data.scale))
    model = catalog.parameterization(parameterization, 2, prior)
    draws = SAMPLER.sample(model, data, starts, seed % 2**31)
    mixture, diverging = draws.mixture, draws.statistics["diverging"].to_numpy()
    found = chain_measures(mixture.w, mixture.mu, mixture.sigma, diverging)
    kept = ("raw_rhat", "rhat", "ess", "switching_rate", "chain_disagreement")
    row = {name: four_digits(getattr(found, name)) for name in kept}
    return [{**row, "passes": int(draws.passes.sum())}]


# --- effects of the claims ------------------------------------------------------------------------


def wide(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column by data set, of unordered and ordered means; ValueError if a run is missing."""
    return paired(rows, "parameterization", PAIR, column, SET)


def apart(table: pd.DataFrame) -> pd.DataFrame:
    """Runs on well separated components."""
    return table[table["separation"] >= APART]


def main(table: pd.DataFrame) -> pd.DataFrame:
    """The block with 20 data sets of each separation: n = 200, equal weights."""
    rows = rows_of(table, ("ess", "passes"), n=200, weight=0.5)
    return rows.assign(ess_per_pass=rows["ess"] / rows["passes"])


def disagreeing(table: pd.DataFrame) -> Effect:
    """Share of well separated data sets on which chains of `unordered` disagree as drawn."""
    return share(wide(apart(table), "raw_rhat")["unordered"] >= AGREE)


def cures(table: pd.DataFrame, weight: float | None = None) -> pd.DataFrame:
    """Whether `ordered` and `unordered` sorted agree on the sets where raw chains do not."""
    raw, after = (wide(apart(table), column) for column in ("raw_rhat", "rhat"))
    both = pd.DataFrame({"order": raw["ordered"] < AGREE, "sorting": after["unordered"] < AGREE})
    both = both[raw["unordered"] >= AGREE]
    return both if weight is None else both[both.index.get_level_values("weight") == weight]


def cured(table: pd.DataFrame, by: str = "order", weight: float | None = None) -> Effect:
    """Of those, the share on which the chains agree."""
    return share(cures(table, weight)[by])


def sorting_cures_more(table: pd.DataFrame) -> Effect:
    """Share that sorting cures less the share that order cures, on the same sets."""
    both = cures(table)
    return difference_of_shares(both["sorting"], both["order"])


def sorted_afterwards(table: pd.DataFrame) -> Effect:
    """ESS per pass of `unordered` over `ordered` at the separation where it is least."""
    rates = np.log(wide(main(table), "ess_per_pass"))
    logs = (rates["unordered"] - rates["ordered"]).groupby("separation")
    return from_logs(extreme([part for _, part in logs], min))


SEEN = "; claimed after the table was seen"
ORDERED_AGREE = "Where unordered chains disagree at separation 3 and more, ordered ones agree"
OF_THOSE = "share of those data sets"
CLAIMS = (
    Claim(
        "without order chains disagree",
        "At separation 3 and more, raw R-hat of unordered chains is above 1.05.",
        "Stephens 2000; " + BETANCOURT, disagreeing, "above", 0.5, "share of data sets",
        words="As drawn, unordered chains disagree on {0:.0%} [{1:.0%}, {2:.0%}] of the data sets "
        "at separation 3 or more.",
    ),
    Claim(
        "order cures label switching", f"{ORDERED_AGREE}.",
        "documentation of PyMC's ordered transform; " + BETANCOURT,
        cured, "above", 0.95, OF_THOSE,
        words=(
            "Ordering cures label switching.",
            "Ordering does not cure label switching everywhere: chains agree on {0:.0%} [{1:.0%}, "
            "{2:.0%}] of the sets where unordered ones do not.",
            "Whether ordering cures label switching is undecided: chains agree on {0:.0%} "
            "[{1:.0%}, {2:.0%}] of the sets where unordered ones do not.",
        ),
    ),
    *(
        Claim(
            f"order cures label switching, weight {weight:g}",
            f"{ORDERED_AGREE}, weight of the first component {weight:g}.",
            BETANCOURT + SEEN, partial(cured, weight=weight), "above", 0.95, OF_THOSE,
            words=f"At weight {weight:g} ordered chains agree on {{0:.0%}} [{{1:.0%}}, {{2:.0%}}] "
            "of those sets.",
        )
        for weight in (0.5, 0.1)
    ),
    Claim(
        "sorting cures label switching",
        "Where unordered chains disagree at separation 3 and more, they agree once sorted.",
        "Stephens 2000" + SEEN, partial(cured, by="sorting"), "above", 0.95, OF_THOSE,
        words="Once sorted, unordered chains agree on {0:.0%} [{1:.0%}, {2:.0%}] of the sets where "
        "they disagree as drawn.",
    ),
    Claim(
        "sorting cures more than order",
        "There sorting the draws of unordered chains cures more data sets than ordering does.",
        "Stephens 2000" + SEEN, sorting_cures_more, "above", 0.0,
        "difference of shares of those data sets",
        words=(
            "Sorting afterwards cures more of them than ordering while sampling.",
            "Sorting afterwards cures fewer of them than ordering while sampling.",
            "Which of the two cures more of them is undecided.",
        ),
    ),
    Claim(
        "sorting afterwards is as good",
        "Unordered draws, sorted, have at least 90% of the ESS per pass of ordered ones at every "
        "separation.",
        "Stephens 2000 (relabelling afterwards); the margin is this project's",
        sorted_afterwards, "above", 0.9,
        "ESS per pass, unordered / ordered, least favourable separation",
        words=(
            "Sample unordered means and sort afterwards: that has at least {0:.2f} [{1:.2f}, "
            "{2:.2f}] times the ESS per pass of ordered means, with a diagonal mass matrix.",
            "Sorting unordered draws afterwards loses: {0:.2f} [{1:.2f}, {2:.2f}] of the ESS per "
            "pass of ordered means where it is worst.",
            "Whether sorting unordered draws afterwards is as good as ordered means is undecided "
            "({0:.2f} [{1:.2f}, {2:.2f}] of their ESS per pass where it is worst).",
        ),
    ),
)  # fmt: skip


def labels_figure(result: StudyResult) -> Figure:
    """Switching within and between chains, and R-hat before and after sorting."""
    rows, series = main(result.tables["label_switching"]), looks(COORDINATES)
    measures = {
        "switching_rate": "label switches per draw",
        "chain_disagreement": "disagreement between chains",
        "raw_rhat": "R-hat as drawn",
        "rhat": "R-hat, sorted",
    }
    figure, grid = panels(2, 2, (8.4, 6.2), sharex=True)
    for axes, (column, label) in zip(grid.flat, measures.items(), strict=True):
        curves(axes, rows, column, "parameterization", series, log="rhat" in column)
        axes.set_ylabel(label)
        if "rhat" in column:
            mark(axes, AGREE)
            axes.set_yscale("linear")
    grid[1, 1].sharey(grid[1, 0])
    return legend(figure, grid)


def efficiency_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes against the separation, with 95% intervals over data sets."""
    rows = main(result.tables["label_switching"])
    rows = rows.assign(value=1000 * rows["ess_per_pass"])
    figure, ((axes,),) = panels(1, 1, (6.4, 4.2))
    curves(axes, rows, "value", "parameterization", looks(COORDINATES), log=True)
    axes.set_ylabel("sorted ESS per 1,000 passes")
    return legend(figure, axes)


SMALL = {"n": (200,), "weight": (0.5,)}
FAR = {"separation": tuple(one for one in SEPARATIONS if one >= APART), "parameterization": PAIR}

study = Study(
    name="label_switching",
    question="Does ordering the means cure label switching better than sorting draws afterwards?",
    source=f"{BETANCOURT}; Stephens 2000",
    experiments={
        "label_switching": Experiment(
            cell=cell,
            factors={
                "separation": SEPARATIONS,
                "n": (50, 200, 1000),
                "weight": (0.5, 0.3, 0.1),
                "parameterization": COORDINATES,
                "replicate": range(20),
            },
            sizes={
                "smoke": {**SMALL, "parameterization": PAIR, "separation": (0.5, 3.0),
                          "replicate": range(2)},
                "laptop": ({**FAR, "replicate": range(5)}, SMALL),
                "cluster": {"replicate": range(100)},
            },
            structure=("parameterization",),
        )
    },
    claims=CLAIMS,
    figures={"labels": labels_figure, "efficiency": efficiency_figure},
    answer=("sorting afterwards is as good", "order cures label switching"),
    chief=(
        "sorting afterwards is as good",
        "order cures label switching, weight 0.1",
        "sorting cures more than order",
    ),
)  # fmt: skip
