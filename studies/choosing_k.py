"""Which criterion chooses the number of components that predicts best?

Criteria aim at different things: BIC, the singular BIC and the evidence at the probability of K,
ICL at clusters, WAIC and LOO at prediction (Gelman, Hwang & Vehtari 2014). Here all are judged by
one yardstick: the exact expected log predictive density of the Bayesian predictive with the K that
each chooses, for n new points from the truth, which is known. What a choice *loses* is how far it
stays behind the best K of 1 to 5 for that data set.

Data sets come from four mixtures of two to four components. BIC, ICL and the singular BIC are of
the best optimum that EM finds from 12 starts, with no scale below a tenth of the data's; the
evidence (all K equally probable a priori), WAIC, LOO and the predictive are of the same particles
of sequential Monte Carlo, under the default prior of `compare`. *Averaged* is the predictive
averaged over K with its posterior probabilities.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from ordered_mix.data import Data, population, simulate
from ordered_mix.draws.components import posterior_components
from ordered_mix.draws.criteria import mixture_learning_coefficients, point_criteria, sbic
from ordered_mix.draws.evidence import Evidence
from ordered_mix.draws.predictive import predictive
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Array, Mixture
from ordered_mix.optima.multistart import MultiStart
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.smc import SMC
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.drawing import curves, heat, legend, looks, nothing, panels
from ordered_mix.study.effects import extreme, mean, share
from ordered_mix.theory.prediction import generalisation_loss, log_predictive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

TRUTHS = {
    name: Mixture(*np.array(values))
    for name, values in {
        "two close": ([0.5, 0.5], [-1.25, 1.25], [1.0, 1.0]),
        "two scales": ([0.7, 0.3], [0.0, 0.0], [1.0, 4.0]),
        "three": ([0.4, 0.35, 0.25], [-4.0, 0.0, 4.0], [1.0, 1.0, 1.0]),
        "four": ([0.4, 0.3, 0.2, 0.1], [0.0, 3.0, 6.0, 10.0], [0.6, 1.0, 1.0, 1.5]),
    }.items()
}
LARGEST = 5
PARTICLES = SMC(particles=128, islands=8, length=8)
SMALLER = {"BIC": "bic", "sBIC": "sbic", "ICL": "icl"}
LARGER = {"WAIC": "elpd_waic", "LOO": "elpd_loo", "evidence": "log_evidence"}
CRITERIA = (*SMALLER, *LARGER)
AVERAGED = "averaged"
SET = ["truth", "n", "replicate"]


def cell(seed: int, truth: str, n: int, replicate: int) -> list[dict[str, Any]]:
    """Criteria and exact expected log predictive density of every K on one data set."""
    mixture = TRUTHS[truth]
    data = simulate(mixture, n, seed_of("data", truth=truth, n=n, replicate=replicate))
    everyone = population(mixture, step=0.1, reach=8.0)
    prior = default_prior(data)
    rows, densities, evidences = [], [], {}
    for k, criteria in enumerate(fitted(data, seed % 2**31), start=1):
        model = catalog.parameterization("unordered", k, prior)
        draws = PARTICLES.sample(model, data, seed=seed % 2**31)
        estimates = predictive(data.y, draws.mixture)
        found = draws.mixture
        densities.append(log_predictive(everyone.y, found.w, found.mu, found.sigma))
        attributes = draws.tree.attrs
        evidence = float(attributes["log_evidence"]), float(attributes["log_evidence_se"])
        evidences[k] = Evidence(*evidence, "smc")
        rows.append(
            criteria
            | {
                "k": k,
                "elpd_waic": float(estimates.waic.elpd),
                "elpd_loo": float(estimates.loo.elpd),
                "log_evidence": evidence[0],
                "log_evidence_se": evidence[1],
                "elpd": _elpd(everyone, densities[-1], n),
            }
        )
    weight = posterior_components(evidences)["posterior"].to_numpy()
    together = logsumexp(np.stack(densities), axis=0, b=weight[:, None])
    return [row | {AVERAGED: _elpd(everyone, together, n)} for row in rows]


def fitted(data: Data, seed: int) -> list[dict[str, float]]:
    """BIC, ICL and singular BIC of 1 to 5 components."""
    floored = EM(floor=0.1 * float(data.scale), stop=Stop(log_likelihood=1e-6))
    explore = Stop(log_likelihood=1e-4, passes=1_000)
    search = MultiStart(starts=12, seed=seed, estimator=floored, explore=explore)
    optima = [
        search.fit(catalog.parameterization("unordered", k), data) for k in range(1, LARGEST + 1)
    ]
    heights = [found.log_likelihood for found in optima]
    singular = sbic(heights, data.n, mixture_learning_coefficients(LARGEST))
    rows = []
    for k, (found, value) in enumerate(zip(optima, singular, strict=True), start=1):
        point = point_criteria(data.y, found.best, 3 * k - 1)
        rows.append({"bic": float(point.bic), "icl": float(point.icl), "sbic": float(value)})
    return rows


def _elpd(everyone: Data, log_density: Array, n: int) -> float:
    """Expected log predictive density of n new points, in nats."""
    assert everyone.weight is not None
    return -n * generalisation_loss(everyone.weight, log_density)


# --- from the table to effects --------------------------------------------------------------------


def chosen(table: pd.DataFrame) -> pd.DataFrame:
    """The K that each criterion chooses, and the one that predicts best, by data set."""
    if table.empty:
        raise ValueError("the table holds no data sets")

    def wide(column: str) -> pd.DataFrame:
        return table.pivot(index=SET, columns="k", values=column)

    found = {name: wide(column).idxmin(axis=1) for name, column in SMALLER.items()}
    found |= {name: wide(column).idxmax(axis=1) for name, column in LARGER.items()}
    return pd.DataFrame(found | {"best": wide("elpd").idxmax(axis=1)})


def lost(table: pd.DataFrame) -> pd.DataFrame:
    """Nats that each choice, and the average over K, lose against the best K, by data set."""
    choices = chosen(table)
    elpd = table.pivot(index=SET, columns="k", values="elpd")
    best = elpd.max(axis=1)
    rows = np.arange(len(elpd))
    found = {name: best - elpd.to_numpy()[rows, choices[name] - 1] for name in CRITERIA}
    averaged = table.groupby(SET)[AVERAGED].first().loc[elpd.index]
    return pd.DataFrame(found | {AVERAGED: best - averaged})


def by_replicate(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over truths and n of what is lost, one row for each replicate."""
    return lost(table).groupby("replicate").mean()


def difference(table: pd.DataFrame, first: str, second: str) -> Effect:
    """Mean of what the first loses less what the second loses."""
    means = by_replicate(table)
    return mean(means[first] - means[second])


def most_lost(table: pd.DataFrame) -> Effect:
    """The largest mean loss of a criterion other than ICL."""
    means = by_replicate(table)
    return extreme([means[name] for name in CRITERIA if name != "ICL"], max)


def against_the_truth(table: pd.DataFrame, n: int, fewer: bool) -> Effect:
    """Share of data sets of n points for which fewer components, or as many, predict best."""
    best = chosen(table)["best"]
    best = best[best.index.get_level_values("n") == n]
    true = np.array([TRUTHS[name].k for name in best.index.get_level_values("truth")])
    return share(best < true if fewer else best == true)


GELMAN = "Gelman, Hwang & Vehtari 2014, Statistics and Computing 24, 997-1016"
DRTON = "Drton & Plummer 2017, JRSS B 79, 323-380"
BIERNACKI = "Biernacki, Celeux & Govaert 2000, IEEE PAMI 22, 719-725"
HOETING = "Hoeting, Madigan, Raftery & Volinsky 1999, Statistical Science 14, 382-417"
PROJECT = "a question of this project"
NATS = "nats lost for n new points"
REACH = "{0:.2f} [{1:.2f}, {2:.2f}] nats"
SHARE = "{0:.0%} [{1:.0%}, {2:.0%}] of the data sets"


def _contest(
    name: str, first: str, second: str, statement: str, source: str, words: tuple[str, str, str],
    direction: str = "above", margin: float = 0.0,
) -> Claim:  # fmt: skip
    effect = partial(difference, first=first, second=second)
    return Claim(name, statement, source, effect, direction, margin, NATS, words=words)


CLAIMS = (
    _contest(
        "LOO loses less than BIC", "BIC", "LOO",
        "The K of largest LOO predicts better on average than the K of smallest BIC.",
        GELMAN,
        (
            f"LOO chooses a K that predicts better than that of BIC, by {REACH} for n new points.",
            f"LOO chooses a K that predicts worse than that of BIC (BIC loses {REACH} more).",
            "Whether LOO or BIC chooses the better predicting K is undecided (BIC loses "
            f"{REACH} more).",
        ),
    ),
    _contest(
        "WAIC and LOO lose alike", "WAIC", "LOO",
        "What is lost by the K of largest WAIC and by that of largest LOO differs by less than a "
        "tenth of a nat on average.",
        GELMAN,
        (
            f"WAIC loses as much as LOO, to a tenth of a nat ({REACH} more).",
            f"WAIC and LOO do not lose alike (WAIC {REACH} more).",
            f"Whether WAIC and LOO lose alike is undecided (WAIC {REACH} more).",
        ),
        "within", 0.1,
    ),
    _contest(
        "the evidence loses no more than LOO", "evidence", "LOO",
        "The most probable K loses at most a quarter of a nat more on average than the K of "
        "largest LOO.",
        PROJECT,
        (
            f"The evidence loses no more than LOO, to a quarter of a nat ({REACH} more).",
            f"The evidence loses {REACH} more than LOO.",
            f"Whether the evidence loses a quarter of a nat more than LOO is undecided ({REACH} "
            "more).",
        ),
        "below", 0.25,
    ),
    _contest(
        "ICL loses more than BIC", "ICL", "BIC",
        "The K of smallest ICL, which asks for clusters, predicts worse on average than that of "
        "smallest BIC.",
        BIERNACKI,
        (
            f"ICL, which asks for clusters, loses {REACH} more than BIC.",
            f"ICL, which asks for clusters, does not lose more than BIC ({REACH} more).",
            f"Whether ICL loses more than BIC is undecided ({REACH} more).",
        ),
    ),
    _contest(
        "sBIC loses less than BIC", "BIC", "sBIC",
        "The K of smallest singular BIC predicts better on average than that of smallest BIC.",
        DRTON,
        (
            f"The singular BIC makes up for it, with {REACH} less lost than by BIC.",
            f"The singular BIC does not make up for it (BIC loses {REACH} more).",
            f"Whether the singular BIC makes up for it is undecided (BIC loses {REACH} more).",
        ),
    ),
    _contest(
        "averaging over K loses less than choosing", "evidence", AVERAGED,
        "The predictive averaged over K by its posterior probabilities predicts better on average "
        "than the most probable K.",
        HOETING,
        (
            f"Averaging over K gains {REACH} on the most probable K.",
            f"Averaging over K gains nothing on the most probable K ({REACH}).",
            f"Whether averaging over K gains on the most probable K is undecided ({REACH}).",
        ),
    ),
    Claim(
        "no criterion loses a nat",
        "BIC, sBIC, WAIC, LOO and the evidence each lose less than one nat on average.",
        PROJECT, most_lost, "below", 1.0, f"{NATS}, largest of five criteria",
        words=f"The worst criterion but ICL loses {REACH} against the best K.",
    ),
    Claim(
        "with 50 points fewer components than are true predict best",
        "For more than half of the data sets of 50 points a K below the true one predicts best.",
        PROJECT, partial(against_the_truth, n=50, fewer=True), "above", 0.5, "share of data sets",
        words=f"With 50 points a K below the true one predicts best for {SHARE}.",
    ),
    Claim(
        "with 500 points the true number predicts best",
        "For more than half of the data sets of 500 points the true K predicts best.",
        PROJECT, partial(against_the_truth, n=500, fewer=False), "above", 0.5,
        "share of data sets",
        words=f"With 500 points the true K predicts best for {SHARE}.",
    ),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------


def loss_figure(result: StudyResult) -> Figure:
    """What each choice of K loses in prediction, in nats for n new points: means, 95% intervals."""
    figure, axes = panels(1, len(TRUTHS), (9.0, 3.4), sharey=True)
    table = result.tables["choosing_k"]
    if table.empty:
        nothing(axes[0, 0])
        return figure
    rows = lost(table).rename_axis(columns="criterion").stack().rename("lost").reset_index()
    for one, name in zip(axes[0], TRUTHS, strict=True):
        one.set_title(f"{name} (K = {TRUTHS[name].k})", fontsize=9)
        part = rows[rows["truth"] == name]
        curves(one, part, "lost", "criterion", looks((*CRITERIA, AVERAGED)), x="n")
    axes[0, 0].set_ylabel("nats lost for n new points")
    return legend(figure, axes, 7)


def number_figure(result: StudyResult) -> Figure:
    """Mean number of components that each criterion chooses, and that predicts best."""
    figure, axes = panels(1, len(TRUTHS), (9.0, 2.8), sharey=True)
    table = result.tables["choosing_k"]
    if table.empty:
        nothing(axes[0, 0])
        return figure
    choices = chosen(table)
    for one, name in zip(axes[0], TRUTHS, strict=True):
        one.set_title(f"{name} (K = {TRUTHS[name].k})", fontsize=9)
        part = choices[choices.index.get_level_values("truth") == name]
        if part.empty:
            nothing(one)
            continue
        heat(one, part.groupby("n").mean().T, "{:.1f}".format, limits=(1.0, LARGEST))
        one.set_xlabel("n")
    return figure


study = Study(
    name="choosing_k",
    question="Which criterion chooses the number of components that predicts best?",
    source=f"{GELMAN}; {DRTON}",
    experiments={
        "choosing_k": Experiment(
            cell=cell,
            factors={"truth": tuple(TRUTHS), "n": (50, 200, 500), "replicate": range(500)},
            sizes={
                "smoke": {"truth": ("three",), "n": (50,), "replicate": range(3)},
                "laptop": {"replicate": range(20)},
                "cluster": {},
            },
            time_limit=300.0,
        )
    },
    claims=CLAIMS,
    figures={"lost prediction": loss_figure, "number of components": number_figure},
    answer=("LOO loses less than BIC", "sBIC loses less than BIC"),
    chief=("LOO loses less than BIC", "ICL loses more than BIC", "sBIC loses less than BIC"),
)
