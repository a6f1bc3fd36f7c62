"""Which coordinates should NUTS have for a two-component mixture, whatever the mass matrix?

Weights, means and scales are all free, under the prior that a user gets (adaptive) or the fixed one
of the other studies, which every parameterization carries exactly, so that only the geometry
differs. Data are 200 points, half of each of two unit normals with means +-separation/2, and the
shipped sets. A run is 4 chains of 1,000 + 2,000 draws from random starts that all runs on a data
set share, with a mass matrix that is diagonal, of low rank or dense, the diagonal one also with a
target acceptance of 0.95, or by PyMC's own sampler.

ESS per pass is the smallest sorted bulk ESS over the passes after warm-up, and is compared only
where both runs have converged: a sorted R-hat of at most 1.01. Runs that have not are counted, and
averaged nowhere; divergences are those of all runs. Thirty data sets a separation for divergences,
twenty else, twelve for PyMC's sampler and ten seeds a shipped set were fixed before any result of
this design was read, from how wide the intervals of an earlier one were. A low-rank mass matrix is
tried under the adaptive prior.

Posterior means are compared with a reference: 4 x (1,000 + 6,000) draws in the moments with pooled
gaps, with a dense mass matrix; only references with R-hat below 1.01 are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data, load, shipped, simulate
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.rhat import RHAT_THRESHOLD
from ordered_mix.draws.sampler_measures import sampler_measures
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.contenders import question
from ordered_mix.study.contest import Contest, with_rates
from ordered_mix.study.drawing import curve_panels, heats
from ordered_mix.study.effects import extreme, from_logs, mean, rows_of, share
from ordered_mix.study.experiment import four_digits, in_four_digits
from ordered_mix.study.sentences import RATIO, SHARE, worded
from ordered_mix.study.truths import two_normals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

Factors = dict[str, Any]
Rows = list[Factors]

BETANCOURT = "Betancourt 2017, Identifying Bayesian mixture models"
PAPER = "Esser & Nielsen 2022, section 3"
PROJECT = "a question of this project"
LOG, SOFTPLUS, SQUARE = (f"relative(link={link})" for link in ("log", "softplus", "square"))
POSITIVE, POOLED = "moment(signed=False)", "moment(gap=pooled)"
BOUNDED = ("ordered", LOG, "centred")
"""Coordinates whose gap is the exponential of what the sampler sees."""
MAIN = ("unordered", *BOUNDED)
OTHERS = ("signed", "moment", POSITIVE, POOLED, SOFTPLUS, SQUARE, "resolved", "sheared")

DIAGONAL, LOW_RANK, DENSE, CAREFUL, PYMC = (
    "diagonal", "low rank", "dense", "diagonal, target 0.95", "PyMC",
)  # fmt: skip
LONG = partial(NUTS, tune=1000, draws=2000)
SAMPLERS = {
    DIAGONAL: LONG(), LOW_RANK: LONG(adaptation="low_rank"), DENSE: LONG(adaptation="dense"),
    CAREFUL: LONG(target_accept=0.95), PYMC: LONG(sampler="pymc"),
}  # fmt: skip
MATRICES = (DIAGONAL, LOW_RANK, DENSE)
MATRICES_OF = {"adaptive": MATRICES, "fixed": (DIAGONAL, DENSE)}
COMPARED = {"adaptive": (DIAGONAL, DENSE), "fixed": (DIAGONAL,)}
"""Where log gaps and unordered means both converge, in the overlap, on data sets enough."""
REFERENCE = NUTS(tune=1000, draws=6000, adaptation="dense")
PRIORS = ("adaptive", "fixed")
CHAINS, POINTS, LEAST = 4, 200, 3
OVERLAP, APART = (0.5, 1.5), (3.0, 8.0)
QUANTITIES = ("w", "mu_1", "mu_2", "sigma_1", "sigma_2")
SETTING = ("prior", "sampler", "separation")
SET = (*SETTING, "replicate")
SEEDED = ("prior", "sampler", "data")
COLUMNS = ("divergences_per_1000", "gap_mass", "divergent_gap_mass")


# --- cells ----------------------------------------------------------------------------------------


def simulated(
    seed: int, prior: str, separation: float, coordinates: str, sampler: str, replicate: int
) -> Rows:
    """One run of one sampler in one parameterization on one simulated data set."""
    data, shared = drawn(separation, replicate), {"separation": separation, "replicate": replicate}
    draws = run(SAMPLERS[sampler], coordinates, prior, data, seed, shared)
    return [in_four_digits(sampler_measures(draws)) | of_each("mean", draws)]


def reference(seed: int, prior: str, separation: float, replicate: int) -> Rows:
    """The long run on one simulated data set."""
    data, shared = drawn(separation, replicate), {"separation": separation, "replicate": replicate}
    draws = run(REFERENCE, POOLED, prior, data, seed, shared)
    return [
        in_four_digits(sampler_measures(draws)) | of_each("mean", draws) | of_each("std", draws)
    ]


def real(seed: int, prior: str, data: str, coordinates: str, sampler: str, replicate: int) -> Rows:
    """One run of one sampler in one parameterization on a shipped data set."""
    shared = {"data": data, "replicate": replicate}
    draws = run(SAMPLERS[sampler], coordinates, prior, load(data), seed, shared)
    return [in_four_digits(sampler_measures(draws))]


def drawn(separation: float, replicate: int) -> Data:
    """A simulated data set, shared by all cells of these factors."""
    seed = seed_of("data", separation=separation, replicate=replicate)
    return simulate(two_normals(separation), POINTS, seed)


def run(
    sampler: NUTS, coordinates: str, prior: str, data: Data, seed: int, shared: Factors
) -> Draws:
    """A run from starts that are those of all runs which share these factors."""
    starts = initial_mixtures(data, 2, CHAINS, "random", seed_of("starts", **shared))
    model = catalog.parameterization(coordinates, 2, default_prior(data, prior))
    return sampler.sample(model, data, starts, seed % 2**31)


def of_each(kind: str, draws: Draws) -> dict[str, float]:
    """A posterior mean or standard deviation of each sorted quantity."""
    ascending = draws.mixture.sorted()
    values = np.concatenate([ascending.w[..., :1], ascending.mu, ascending.sigma], axis=-1)
    found = getattr(values, kind)(axis=(0, 1))
    return {f"{kind}_{name}": four_digits(v) for name, v in zip(QUANTITIES, found, strict=True)}


# --- from tables to effects -----------------------------------------------------------------------


def runs(table: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """Runs with whether they converged, and their logs."""
    rows = with_rates(rows_of(table, COLUMNS, **where))
    return rows.assign(log_passes=np.log(rows["passes"]))


def contest(table: pd.DataFrame, by: str = "coordinates", **where: Any) -> Contest:
    """All coordinates, or all samplers, on these rows."""
    rows = runs(table, **where)
    units = {"coordinates": SET, "sampler": ("prior", "coordinates", "separation", "replicate")}
    return Contest(rows.assign(contender=rows[by]), units[by], SETTING)


def contest_on(table: pd.DataFrame, **where: Any) -> Contest:
    """All coordinates on a shipped data set."""
    rows = runs(table, **where)
    return Contest(rows.assign(contender=rows["coordinates"]), (*SEEDED, "replicate"), SEEDED)


def bounded_loss(table: pd.DataFrame, **where: Any) -> Effect:
    """ESS per pass of log gaps over `unordered` when components overlap, where it is largest."""
    one = contest(table, separation=OVERLAP, coordinates=MAIN, **where)
    found = (one.difference(name, "unordered", "log_rate") for name in BOUNDED)
    return from_logs(extreme(found, max))


def bounded_divergences(table: pd.DataFrame, **where: Any) -> Effect:
    """Divergences per 1,000 draws that log gaps have beyond `unordered`, where they are fewest."""
    rows = runs(table, separation=OVERLAP, coordinates=MAIN, **where)
    found = rows.pivot(index=list(SET), columns="coordinates", values="divergences_per_1000")
    more = found.reindex(columns=list(MAIN)).dropna()
    return extreme((more[name] - more["unordered"] for name in BOUNDED), min)


def divergences_at_boundary(table: pd.DataFrame, **where: Any) -> Effect:
    """How much more often divergent draws are at a small gap than all draws of the same run."""
    rows = runs(table, separation=OVERLAP, coordinates=BOUNDED, **where)
    rows = rows[rows["divergent_gap_mass"].notna()]
    more = rows["divergent_gap_mass"].astype(float) - rows["gap_mass"]
    return mean(more.groupby([rows[name] for name in SET]).mean())


def same_sampler(table: pd.DataFrame) -> Effect:
    """The larger of the log ratios of ESS per pass and of passes, `relative` to `ordered`."""
    one, level = contest(table, sampler=MATRICES), 1 - 0.05 / 2
    found = [mean(one.difference(LOG, "ordered", n), level) for n in ("log_rate", "log_passes")]
    return max(found, key=lambda effect: max(abs(effect.low), abs(effect.high)))


def gain(table: pd.DataFrame, matrix: str, prior: str) -> Effect:
    """ESS per pass of a mass matrix over that of a diagonal one, mean over coordinates."""
    one = contest(table, "sampler", prior=prior, separation=(1.5, 3.0), coordinates=MAIN)
    logs = one.difference(matrix, DIAGONAL, "log_rate")
    return from_logs(mean(logs.groupby(["separation", "replicate"]).mean()))


def errors(table: pd.DataFrame, references: pd.DataFrame) -> pd.DataFrame:
    """Runs with a converged reference, and the worst error of a posterior mean in posterior sd."""
    key = ["prior", "separation", "replicate"]
    truth = [f"{kind}_{name}" for kind in ("mean", "std") for name in QUANTITIES]
    known = rows_of(references, ("rhat", *truth))
    known = known[known["rhat"] <= RHAT_THRESHOLD][[*key, *truth]]
    known = known.rename(columns={name: f"true_{name}" for name in truth})
    both = runs(rows_of(table, [f"mean_{q}" for q in QUANTITIES])).merge(known, on=key)
    off = [(both[f"mean_{q}"] - both[f"true_mean_{q}"]) / both[f"true_std_{q}"] for q in QUANTITIES]
    return both.assign(error=np.abs(off).max(axis=0) if len(both) else [])


def misled(table: pd.DataFrame, references: pd.DataFrame, prior: str) -> Effect:
    """Share of converged runs in `ordered` with a posterior mean off by half a posterior sd."""
    rows = errors(rows_of(table, coordinates="ordered", prior=prior, sampler=MATRICES), references)
    return share(rows.loc[rows["converged"], "error"] > 0.5)


# --- claims ---------------------------------------------------------------------------------------

WORDS = {
    DIAGONAL: "a diagonal mass matrix", LOW_RANK: "a low-rank mass matrix",
    DENSE: "a dense mass matrix", CAREFUL: "a diagonal mass matrix and a target acceptance of 0.95",
}  # fmt: skip
DRAWN: Factors = {"of": ("simulated",)}
ANSWER = (
    "log gaps lose where components overlap, adaptive, diagonal",
    "log gaps lose where components overlap, adaptive, dense",
)
OF_UNORDERED = "times the ESS per pass of unordered means"
SAID: dict[str, Any] = {
    ANSWER[0]: (
        f"Not those with a log gap where components overlap: the best of them has {RATIO} "
        f"{OF_UNORDERED}, under the default prior and adaptation.",
        f"Where components overlap not every log gap loses a tenth: the best of them has {RATIO} "
        f"{OF_UNORDERED}, under the default prior and adaptation.",
        f"Where components overlap the loss of log gaps is undecided: the best of them has {RATIO} "
        f"{OF_UNORDERED}, under the default prior and adaptation.",
    ),
    ANSWER[1]: tuple(
        f"With a dense mass matrix {so}: the best of them has {RATIO} times as much."
        for so in ("they lose, too", "not all of them lose a tenth", "that is undecided")
    ),
    "log gaps diverge where components overlap, adaptive, diagonal": "The least affected of them "
    "has {0:.1f} [{1:.1f}, {2:.1f}] divergences in 1,000 draws more than unordered means.",
    f"log gaps diverge where components overlap, adaptive, {CAREFUL}": "With a target acceptance "
    "of 0.95 there are {0:.1f} [{1:.1f}, {2:.1f}] more.",
    "ordered is relative": "Ordered means and relative ones with a log gap, which are the same "
    "coordinates, differ by {0:.1%} [{1:.1%}, {2:.1%}] in ESS per pass or in passes.",
    "centred beats relative, adaptive, diagonal": "Well separated, a log gap with the midpoint has "
    f"{RATIO} times the ESS per pass of one with the first mean.",
    "a dense mass matrix pays, adaptive": f"A dense mass matrix has {RATIO} times the ESS per pass "
    "of a diagonal one at separations 1.5 and 3, under the default prior.",
    "fewer ordered runs converge in PyMC's sampler": "In PyMC's own sampler the share of ordered "
    "runs that converge is {0:.0%} [{1:.0%}, {2:.0%}] off that of unordered ones.",
    "converged chains are right, adaptive": f"Of the runs in ordered means that converge {SHARE} "
    "have a posterior mean half a posterior standard deviation off the reference.",
}


def _log_gaps(prior: str, sampler: str) -> Iterator[Claim]:
    given: Factors = {"prior": prior, "sampler": sampler}
    where = f"under the {prior} prior with {WORDS[sampler]}"
    each = "ordered, relative (log) and centred coordinates each"
    if sampler in COMPARED[prior]:
        yield Claim(
            f"log gaps lose where components overlap, {prior}, {sampler}",
            f"At separations 0.5 and 1.5, {where}, {each} lose 10% of the ESS per pass of "
            "unordered ones, or more.", f"{BETANCOURT} (the bowtie: ESS 24 of 10,000)",
            partial(bounded_loss, **given), "below", 0.9,
            "ESS per pass, log gap / unordered, least loss", **DRAWN,
        )  # fmt: skip
    yield Claim(
        f"log gaps diverge where components overlap, {prior}, {sampler}",
        f"At separations 0.5 and 1.5, {where}, {each} have at least one divergence in 1,000 draws "
        "more than unordered ones.", BETANCOURT, partial(bounded_divergences, **given), "above",
        1.0, "more divergences per 1,000 draws, least favourable", **DRAWN,
    )  # fmt: skip


def _centred(prior: str) -> Iterator[Claim]:
    source = f"orthogonality of midpoint and gap; against {PAPER}"
    given: Factors = {"prior": prior, "separation": APART}
    where = f"At separations 3 and 8, under the {prior} prior with"
    yield Claim(
        f"centred beats relative, {prior}, {DIAGONAL}",
        f"{where} {WORDS[DIAGONAL]}, the midpoint beats the first mean as the companion of a log "
        "gap.", source,
        question(contest, "ratio", ("centred", LOG, "log_rate"), **given, sampler=DIAGONAL),
        "above", 1.0, "ESS per pass, centred / relative", **DRAWN,
    )  # fmt: skip
    yield Claim(
        f"centred is as good as relative, {prior}, {DENSE}",
        f"{where} {WORDS[DENSE]}, the midpoint and the first mean differ by less than 10% as "
        "companions of a log gap.", source,
        question(contest, "log_ratio", ("centred", LOG, "log_rate"), **given, sampler=DENSE),
        "within", 0.1, "log of ESS per pass, centred / relative", **DRAWN,
    )  # fmt: skip


def _of_prior(prior: str) -> Iterator[Claim]:
    for matrix in MATRICES_OF[prior][1:]:
        yield Claim(
            f"a {matrix} mass matrix pays, {prior}",
            f"At separations 1.5 and 3, under the {prior} prior, {WORDS[matrix]} has more ESS per "
            "pass than a diagonal one, on average over unordered means and log gaps.",
            "first trials of this project (2 to 4 times at moderate separation)",
            partial(gain, matrix=matrix, prior=prior), "above", 1.0,
            f"ESS per pass, {matrix} / diagonal", **DRAWN,
        )  # fmt: skip
    yield Claim(
        f"converged chains are right, {prior}",
        f"Under the {prior} prior, of the runs in ordered means with sorted R-hat up to 1.01, at "
        "most 5% have a posterior mean half a posterior sd off the reference.",
        "Vehtari et al. 2021 on what R-hat is for", partial(misled, prior=prior), "below", 0.05,
        "share of converged runs", of=("simulated", "reference"),
    )  # fmt: skip


def _once() -> Iterator[Claim]:
    yield Claim(
        "divergences lie at gap -> 0",
        f"With {WORDS[DIAGONAL]} divergent draws of log gaps have a gap below a tenth of a "
        "standard deviation more often than all draws.", BETANCOURT,
        partial(divergences_at_boundary, sampler=DIAGONAL), "above", 0.0, "difference of shares",
        **DRAWN,
    )  # fmt: skip
    yield Claim(
        "ordered is relative",
        "PyMC's ordered transform and relative coordinates with a log gap are one sampler: ESS "
        "per pass and passes differ by less than 10%.",
        "both are mu_1 and log(mu_2 - mu_1), with the same prior", same_sampler, "within", 0.1,
        "log ratio, the larger of the two", **DRAWN,
    )  # fmt: skip
    here: Factors = {"sampler": PYMC, "separation": 0.5, "prior": "adaptive"}
    yield Claim(
        "fewer ordered runs converge in PyMC's sampler",
        "At separation 0.5, under the adaptive prior, fewer runs in ordered means converge than in "
        "unordered ones in PyMC's own sampler, too.",
        "the loss is one of geometry, not of the implementation",
        question(contest, "converges_more", ("ordered", "unordered"), **here), "below", 0.0,
        "difference of shares, ordered less unordered", **DRAWN,
    )  # fmt: skip


def _shipped() -> Iterator[Claim]:
    for name, sampler in product(shipped(), (DIAGONAL, DENSE)):
        yield Claim(
            f"ordered loses on {name}, {sampler}",
            f"On {name}, under the adaptive prior with {WORDS[sampler]}, ordered means have less "
            "than 0.9 of the ESS per pass of unordered ones.", PROJECT,
            question(contest_on, "ratio", ("ordered", "unordered", "log_rate"), data=name,
                     prior="adaptive", sampler=sampler), "below", 0.9,
            "ESS per pass, ordered / unordered, over seeds", of=("real",),
        )  # fmt: skip


MADE = (
    *(claim for prior in PRIORS for name in (*MATRICES_OF[prior], CAREFUL)
      for claim in _log_gaps(prior, name)),
    *(claim for prior in PRIORS for claim in (*_centred(prior), *_of_prior(prior))),
    *_once(),
    *_shipped(),
)  # fmt: skip
CLAIMS = worded(MADE, SAID)


# --- figures --------------------------------------------------------------------------------------


def loss_figure(result: StudyResult) -> Figure:
    """ESS per pass as a percentage of unordered means', where both converge on three sets or more.

    Adaptive prior; both with the same mass matrix.
    """
    one = contest(result.tables["simulated"], prior="adaptive", sampler=MATRICES)
    values = one.values("log_rate")
    if values.empty:
        return heats(pd.DataFrame(columns=pd.MultiIndex.from_arrays([[], []])), "separation")
    off = values.sub(values["unordered"], axis=0).groupby(["sampler", "separation"])
    return heats(np.exp(off.mean().where(off.count() >= LEAST)).T, "separation")


def converging_figure(result: StudyResult) -> Figure:
    """Percentage of runs that converge, adaptive prior."""
    one = contest(result.tables["simulated"], prior="adaptive", sampler=MATRICES)
    return heats(_by_sampler(one.converging()), "separation")


def _by_sampler(shares: pd.DataFrame) -> pd.DataFrame:
    return shares.droplevel("prior", axis="columns") if "prior" in shares.columns.names else shares


def efficiency_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes of converged runs, by prior and mass matrix."""
    table = result.tables["simulated"]
    rows = runs(table, coordinates=MAIN, sampler=MATRICES)
    return curve_panels(
        rows[rows["converged"]], "rate", "coordinates", MAIN,
        {"prior": PRIORS, "sampler": MATRICES}, "sorted ESS per 1,000 passes",
    )  # fmt: skip


def divergence_figure(result: StudyResult) -> Figure:
    """Divergences per 1,000 draws, and one in 4,000 added to show none."""
    rows = runs(result.tables["simulated"], coordinates=MAIN, sampler=tuple(WORDS))
    rows = rows.assign(more=rows["divergences_per_1000"] + 0.25)
    return curve_panels(
        rows, "more", "coordinates", MAIN, {"prior": PRIORS, "sampler": tuple(WORDS)},
        "divergences per 1,000 draws",
    )  # fmt: skip


def real_figure(result: StudyResult) -> Figure:
    """ESS per pass on the shipped data sets as a percentage of the best parameterization's."""
    one = contest_on(result.tables["real"], prior="adaptive")
    return heats(_by_sampler(one.shares("log_rate")), "")


# --- the grid -------------------------------------------------------------------------------------


def blocks(replicates: range, fewer: range, few: range, pymc: range) -> tuple[Factors, ...]:
    """The four coordinates of the claims on most data sets, the others on few."""
    both: Factors = {"prior": PRIORS, "coordinates": MAIN}
    here: Factors = {"prior": ("adaptive",)}
    return (
        {**both, "sampler": (DIAGONAL, CAREFUL), "separation": OVERLAP, "replicate": replicates},
        {**both, "sampler": (DENSE,), "separation": OVERLAP, "replicate": fewer},
        {**both, "sampler": (DIAGONAL, DENSE), "separation": APART, "replicate": fewer},
        {**both, **here, "sampler": (LOW_RANK,), "replicate": fewer},
        {**here, "sampler": (DIAGONAL, DENSE), "coordinates": OTHERS, "replicate": few},
        {**here, "sampler": (PYMC,), "separation": (0.5,), "coordinates": MAIN[:2],
         "replicate": pymc},
    )  # fmt: skip


SMALL: Factors = {"prior": ("adaptive",), "coordinates": MAIN[:2], "sampler": (DIAGONAL,),
                  "replicate": range(2)}  # fmt: skip

study = Study(
    name="nuts_coordinates",
    question="Which coordinates should NUTS have for a two-component mixture?",
    source=f"{BETANCOURT}; {PAPER}",
    experiments={
        "simulated": Experiment(
            cell=simulated,
            factors={
                "prior": PRIORS,
                "separation": OVERLAP + APART,
                "coordinates": MAIN + OTHERS,
                "sampler": tuple(SAMPLERS),
                "replicate": range(30),
            },
            sizes={
                "smoke": {**SMALL, "separation": (0.5, 3.0)},
                "laptop": blocks(range(30), range(20), range(5), range(12)),
                "cluster": blocks(range(200), range(200), range(40), range(60)),
            },
            structure=("coordinates",),
        ),
        "reference": Experiment(
            cell=reference,
            factors={"prior": PRIORS, "separation": OVERLAP + APART, "replicate": range(30)},
            sizes={
                "smoke": {"prior": ("adaptive",), "separation": (0.5,), "replicate": range(1)},
                "laptop": {"replicate": range(20)},
                "cluster": {"replicate": range(200)},
            },
        ),
        "real": Experiment(
            cell=real,
            factors={
                "prior": PRIORS,
                "data": shipped(),
                "coordinates": (*MAIN, "signed", POOLED),
                "sampler": (DIAGONAL, DENSE),
                "replicate": range(10),
            },
            sizes={
                "smoke": {**SMALL, "data": ("acidity",)},
                "laptop": {"prior": ("adaptive",), "coordinates": ("unordered", "ordered", POOLED)},
                "cluster": {"replicate": range(100)},
            },
            structure=("coordinates",),
        ),
    },
    claims=CLAIMS,
    figures={
        "loss": loss_figure,
        "converging": converging_figure,
        "efficiency": efficiency_figure,
        "divergence": divergence_figure,
        "real": real_figure,
    },
    answer=ANSWER,
    chief=(
        ANSWER[0],
        "centred beats relative, adaptive, diagonal",
        "a dense mass matrix pays, adaptive",
    ),
)
