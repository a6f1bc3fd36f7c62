"""Does one sampler, or one set of coordinates, never lose, and what does ordering cost a user?

Weights, means and scales are free, under the prior that a user gets (adaptive) or the fixed one of
the other studies; all coordinates carry the same prior exactly. Components have unit scales,
neighbours are a separation apart, ``weight`` is that of the lowest and the others share the rest.
A run is 4 chains of 1,000 + 2,000 draws of NUTS, or 1,000 + 6,000 sweeps of Gibbs sampling, from
random starts that all contenders share. Adaptation is that of the mass matrix: diagonal, low rank,
or dense (nutpie's low rank that keeps every eigenvalue off 1 by 5%).

ESS per pass is the smallest sorted bulk ESS over the passes after warm-up, and is compared only on
data sets where both runs have converged: a sorted R-hat of at most 1.01. Runs that have not are
counted and averaged nowhere. Passes to convergence, warm-up included, stand apart: those at the
first of eight checkpoints from which sorted R-hat stays at or below 1.01.

The ``pilot`` is a sampler that chooses: 250 sweeps of Gibbs sampling, charged to it, decide between
Gibbs sampling, NUTS in signed coordinates and in the moments with pooled gaps, both with a dense
mass matrix. Its rule and thresholds, and the pooled gaps, were fixed on other data sets.
`never_loses_in_the_plane` asks the same of points, `label_switching` what ordering cures;
`fisher_coordinates`, `learnt_maps`, `local_steps`, `partial_collapse` and `interweaving` try what
may be better. At other n and K too few runs converge to compare their effective draws;
what is claimed there is how many converge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import simulate
from ordered_mix.draws.sampler_measures import sampler_measures
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.prior import default_prior
from ordered_mix.study import Claim, Experiment, Study, seed_of
from ordered_mix.study.contenders import (
    GIBBS,
    NONE,
    PILOT,
    block,
    charged,
    named,
    pair,
    question,
    sampled,
)
from ordered_mix.study.contest import Contest, with_rates
from ordered_mix.study.drawing import curve_panels, heat, heats, panels
from ordered_mix.study.effects import rows_of
from ordered_mix.study.experiment import in_four_digits
from ordered_mix.study.sentences import RATIO, SHARE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

MAIN, PROJECT = "never_loses", "a question of this project"
BETANCOURT = "Betancourt 2017, Identifying Bayesian mixture models"
LOG, POSITIVE = "relative(link=log)", "moment(signed=False)"
POOLED = "moment(gap=pooled)"
COORDINATES = (
    "unordered", "ordered", LOG, "signed", POSITIVE, POOLED, "sheared", GIBBS, PILOT,
)  # fmt: skip
ADAPTATIONS = ("diagonal", "low_rank", "dense", NONE)
PRIORS, WEIGHTS = ("adaptive", "fixed"), (0.5, 0.3, 0.1)
SEPARATIONS = (0.0, 1.0, 2.0, 4.0, 8.0)
OVERLAP, APART = (0.0, 1.0, 2.0), (4.0, 8.0)
CHAINS, DRAWS, TUNE, SWEEPS = 4, 2000, 1000, 6000
FIRST, THIRD = 250, 0.3333
SETTING = ("prior", "separation", "weight")
SET = (*SETTING, "n", "k", "replicate")
SIGNED, BEST, FORMER = (f"{name}, dense" for name in ("signed", POOLED, POSITIVE))
KNOWN = (
    *(f"{name}, {one}" for name in ("unordered", "ordered") for one in ADAPTATIONS[:3]),
    SIGNED, FORMER, f"{GIBBS}, {NONE}",
)  # fmt: skip


def cell(
    seed: int, coordinates: str, adaptation: str, prior: str, separation: float, weight: float,
    n: int, k: int, replicate: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """One run of one contender on one data set."""
    shared = {"separation": separation, "weight": weight, "n": n, "k": k, "replicate": replicate}
    w = np.append(weight, np.full(k - 1, (1 - weight) / (k - 1)))
    truth = Mixture(w, separation * np.arange(k, dtype=np.float64), np.ones(k))
    data = simulate(truth, n, seed_of("data", **shared))
    starts = initial_mixtures(data, k, CHAINS, "random", seed_of("starts", **shared))
    given = (coordinates, adaptation, k, default_prior(data, prior), data, starts, seed)
    draws = sampled(*given, draws=DRAWS, tune=TUNE, sweeps=SWEEPS // DRAWS)
    return [rounded(sampler_measures(draws), coordinates)]


def rounded(row: dict[str, Any], coordinates: str) -> dict[str, Any]:
    """A row in four digits, the pilot charged with its sweeps."""
    return in_four_digits(charged(row, FIRST * CHAINS * (coordinates == PILOT)))


def skip(
    coordinates: str, adaptation: str, separation: float, weight: float, k: int, **rest: Any
) -> str | None:
    """Combinations that mean nothing."""
    if (coordinates in (GIBBS, PILOT)) != (adaptation == NONE):
        return "Gibbs sampling and the pilot, and they alone, have no mass matrix of their own"
    if (weight == THIRD) != (k == 3):
        return "three components have equal weights here, two another one"
    if separation == 0 and weight not in (0.5, THIRD):
        return "coincident components have no weights"
    return None


# --- the tables -----------------------------------------------------------------------------------


def runs(table: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """Runs with the contender's name, whether they converged, and their logs.

    Parameters
    ----------
    table : DataFrame
    **where
        Values of columns; n = 200 and two components unless given.
    """
    needed = ("raw_rhat", "divergences_per_1000", "visited")
    rows = rows_of(table, needed, **{"n": 200, "k": 2, **where})
    return with_rates(named(rows))


def contest(table: pd.DataFrame, **where: Any) -> Contest:
    """All contenders on these rows."""
    return Contest(runs(table, **where), SET, SETTING)


# --- claims ---------------------------------------------------------------------------------------

OF_SIGNED = "times the ESS per pass of signed coordinates with a dense mass matrix"
NEAREST = "{0:.0%} [{1:.0%}, {2:.0%}] of the ESS per pass of another one where it is worst."
SAID: dict[str, str | tuple[str, str, str]] = {
    "order costs draws, adaptive, diagonal, equal weights": (
        f"Where components overlap ordering costs: {SHARE} of the ESS per pass of unordered means, "
        "under the default prior with a diagonal mass matrix.",
        "Where components overlap ordering costs no effective draws.",
        "Whether ordering costs effective draws where components overlap is undecided.",
    ),
    "pooled gaps over unordered, diagonal, adaptive, per pass": "Moments with pooled gaps and a "
    "dense mass matrix have {0:.1f} [{1:.1f}, {2:.1f}] times as much.",
    "one contender never loses": (
        f"One contender is within 10% of the best in every setting: it has {NEAREST}",
        f"No contender is within 10% of the best in every setting: the nearest has {NEAREST}",
        "Whether one contender is within 10% of the best in every setting is undecided: the "
        f"nearest has {NEAREST}",
    ),
    f"pooled gaps over {SIGNED}, adaptive, per pass": "In the overlap, under the adaptive prior, "
    f"moments with pooled gaps and a dense mass matrix have {RATIO} {OF_SIGNED}.",
    "the pilot pays": f"The pilot has up to {RATIO} {OF_SIGNED}.",
}

TWO = ("diagonal", "dense")
WORDS = {"diagonal": "a diagonal", "low_rank": "a low-rank", "dense": "a dense"}
RATE, SPEED = "log_rate", "log_speed"
LESS = ("below", 1.0, "ESS per pass, ordered / unordered")
LONGER = ("above", 1.0, "passes, ordered / unordered")
NEVER = ("above", 0.9, "ESS per pass over that of each other contender, where it is least")
WITHIN = "within 10% of the ESS per pass of every other"
SIZES: dict[str, dict[str, Any]] = {
    "50 points": {"n": 50}, "1,000 points": {"n": 1000}, "three components": {"k": 3},
}  # fmt: skip


def _claim(
    name: str, statement: str, rule: tuple[str, float, str], asked: Any, *given: Any,
    source: str = PROJECT, **where: Any,
) -> Claim:  # fmt: skip
    """A claim whose effect is a function, or a method of the contest with what it is given."""
    by_name = isinstance(asked, str)
    effect = question(contest, asked, given, **where) if by_name else partial(asked, **where)
    return Claim(name, statement, source, effect, *rule, of=(MAIN,), words=SAID.get(name, ""))


def _order_here(prior: str, adaptation: str) -> Iterator[Claim]:
    here: dict[str, Any] = {"prior": prior, "separation": OVERLAP}
    cited, both = {**here, "source": BETANCOURT}, pair(adaptation)
    setting = f"Under the {prior} prior with {WORDS[adaptation]} mass matrix, at separations up to"
    unequal = {"unequal": (0.3, 0.1)} if (prior, adaptation) != ("fixed", "low_rank") else {}
    for words, weight in ({"equal": 0.5} | unequal).items():
        yield _claim(
            f"order costs draws, {prior}, {adaptation}, {words} weights",
            f"{setting} 2 and with {words} weights, ordered means have a smaller ESS per pass "
            "than unordered ones.", LESS, "ratio", *both, RATE, **cited, weight=weight,
        )  # fmt: skip
    rule = ("below", 0.0, "difference of shares, ordered less unordered")
    yield _claim(
        f"order costs convergence, {prior}, {adaptation}",
        f"{setting} 2, fewer runs in ordered means converge than in unordered ones.",
        rule, "converges_more", *both, **cited,
    )  # fmt: skip
    if prior == "adaptive":
        yield _claim(
            f"order costs passes, {prior}, {adaptation}",
            f"{setting} 2 and with equal weights, 1,000 effective draws take more passes in "
            "ordered than in unordered means, warm-up included.", LONGER, "ratio", *both,
            "log_needed", **cited, weight=0.5,
        )  # fmt: skip
    if prior == "adaptive" and adaptation != "diagonal":
        rule = ("above", 1.0, f"{LESS[-1]}, {adaptation} / diagonal")
        yield _claim(
            f"{adaptation} narrows the cost, {prior}",
            f"{setting} 2, ordered means lose less against unordered ones than with a diagonal "
            "one.", rule, "ratio_of_ratios", both, pair("diagonal"), RATE, **here,
        )  # fmt: skip


def _order() -> Iterator[Claim]:
    for prior, adaptation in product(PRIORS, WORDS):
        yield from _order_here(prior, adaptation)
    rule = ("below", 0.0, "difference of shares, ordered less unordered")
    for words, size in SIZES.items():
        yield _claim(
            f"order costs convergence, {words}",
            f"With {words}, at separation 1 under the adaptive prior with a diagonal mass matrix, "
            "fewer runs in ordered means converge than in unordered ones.", rule, "converges_more",
            *pair("diagonal"), source=BETANCOURT, prior="adaptive", separation=OVERLAP, **size,
        )  # fmt: skip
    for prior in PRIORS:
        setting = (
            f"Under the {prior} prior with a diagonal mass matrix, at separations up to 2 and with "
            "equal weights, ordered means"
        )
        given: dict[str, Any] = {"separation": OVERLAP, "prior": prior, "weight": 0.5}
        yield _claim(
            f"order costs invariant draws, {prior}",
            f"{setting} have a smaller ESS per pass of quantities without labels, too.",
            LESS, "ratio", *pair("diagonal"), "log_invariant", **given,
        )  # fmt: skip
        yield _claim(
            f"order converges later, {prior}",
            f"{setting} take more passes until R-hat is at most 1.01, warm-up included.",
            ("above", 1.0, "passes to convergence, ordered / unordered"), "ratio",
            *pair("diagonal"), "log_converged", **given,
        )  # fmt: skip


def _never() -> Iterator[Claim]:
    yield _claim(
        "one contender never loses",
        f"The contender with the largest worst share is {WITHIN} one in every setting.",
        NEVER, "leading", RATE,
    )  # fmt: skip
    few = ("below", 1.0, "divergences per 1,000 draws, where they are most frequent")
    for name in (BEST, SIGNED, FORMER):
        yield _claim(
            f"{name} never loses", f"{name} is {WITHIN} contender in every setting it has.",
            NEVER, "least", name, RATE,
        )  # fmt: skip
    for name in (PILOT, FORMER):
        yield _claim(
            f"{name} does not diverge",
            f"In every setting {name} has fewer than 1 divergence in 1,000 draws.",
            few, "largest", name, "divergences_per_1000",
        )  # fmt: skip
    ratio = f"ESS per pass, pilot / {SIGNED}, where it is"
    yield _claim(
        "the pilot pays",
        f"Somewhere the pilot has at least 1.5 times the ESS per pass of {SIGNED}.",
        ("above", 1.5, f"{ratio} largest"), "most", PILOT, SIGNED, RATE,
    )  # fmt: skip


def _pooled() -> Iterator[Claim]:
    for prior in PRIORS:
        setting = f"Under the {prior} prior, at separations up to 2, {BEST}"
        given: dict[str, Any] = {"prior": prior, "separation": OVERLAP}
        costs = ((RATE, "pass"), (SPEED, "second"))
        for rival, (column, cost) in product((SIGNED, "unordered, diagonal"), costs):
            yield _claim(
                f"pooled gaps over {rival}, {prior}, per {cost}",
                f"{setting} has at least 1.5 times the ESS per {cost} of {rival}.",
                ("above", 1.5, f"ESS per {cost}, {BEST} / {rival}"), "ratio", BEST, rival, column,
                **given,
            )  # fmt: skip


FAMILIES = {
    "order": _order, "never": _never, "pooled": _pooled,
}  # fmt: skip
CLAIMS = tuple(replace(one, family=name) for name, made in FAMILIES.items() for one in made())


def share_figure(result: StudyResult) -> Figure:
    """ESS per pass as a percentage of the best contender's, where both have converged."""
    return heats(contest(result.tables[MAIN]).shares(RATE), "separation, weight")


def convergence_figure(result: StudyResult) -> Figure:
    """Percentage of runs that converge."""
    return heats(contest(result.tables[MAIN]).converging(), "separation, weight")


def worst_figure(result: StudyResult) -> Figure:
    """Of contenders judged in every setting: least percentage of the best, most divergences.

    Seconds are compared without the pilot, whose runs were made later, on a busier machine.
    """
    one = contest(result.tables[MAIN])
    found = 100 * one.worst(RATE).rename(columns={RATE: "% of the best per pass"})
    timed = replace(one, rows=one.rows[one.rows["contender"] != PILOT])
    found["per second"] = 100 * timed.worst(SPEED)[SPEED]
    rows = one.rows.groupby(["contender", *SETTING])["divergences_per_1000"].mean()
    found["divergences per 1,000"] = rows.groupby("contender").max()
    figure, axes = panels(1, 1, (7.6, 4.0))
    heat(axes[0, 0], found, "{:.1f}".format, colours="cividis", limits=(0, 100))
    return figure


def order_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes of converged runs at equal weights, by prior and mass matrix."""
    rows = runs(result.tables[MAIN], weight=0.5)
    rows = rows[rows["converged"] & (rows["contender"] != PILOT)]
    names = ("unordered", "ordered", "signed", POOLED)
    grid = {"prior": PRIORS, "adaptation": tuple(WORDS)}
    return curve_panels(rows, "rate", "coordinates", names, grid, "sorted ESS per 1,000 passes")


ANSWER = ("order costs draws, adaptive, diagonal, equal weights", "one contender never loses")
CHIEF = (
    "order costs draws, adaptive, dense, equal weights",
    "order costs convergence, adaptive, dense",
    "the pilot pays",
)


# --- sizes ----------------------------------------------------------------------------------------

FEW: dict[str, tuple[str, ...]] = {
    "unordered": TWO, "ordered": TWO, "signed": ("dense",), POOLED: ("dense",), GIBBS: (NONE,),
    PILOT: (NONE,),
}  # fmt: skip
MANY = {**FEW, "unordered": tuple(WORDS), "ordered": tuple(WORDS), POSITIVE: ("dense",)}
PARTS: tuple[tuple[str, dict[str, tuple[str, ...]], tuple[float, ...], tuple[float, ...]], ...] = (
    ("adaptive", MANY, OVERLAP, (0.5,)),
    ("adaptive", MANY, (1.0, 2.0), (0.3, 0.1)),
    ("adaptive", FEW, APART, (0.5, 0.1)),
    ("fixed", MANY, OVERLAP, (0.5,)),
    ("fixed", FEW, (1.0, 2.0), (0.1,)),
    ("fixed", FEW, APART, (0.5,)),
)


def main(replicates: range) -> list[dict[str, Any]]:
    """The main block, data set by data set."""
    return [
        grid
        for number in replicates
        for prior, contenders, separations, weights in PARTS
        for grid in block(
            contenders, prior=(prior,), separation=separations, weight=weights, n=(200,), k=(2,),
            replicate=(number,),
        )
    ]  # fmt: skip


def outer(replicates: range, few: range) -> list[dict[str, Any]]:
    """Other n and three components; fewer data sets for the other coordinates."""
    given = {"prior": ("adaptive",), "separation": (1.0,), "replicate": replicates}
    once = ("signed", POSITIVE, POOLED)
    more = {LOG: TWO, "sheared": TWO, **dict.fromkeys(once, ("diagonal",))}
    given_few = {**given, "separation": (1.0, 4.0), "replicate": few}
    return [
        *block(FEW, n=(50, 1000), k=(2,), weight=(0.5, 0.1), **given),
        *block(FEW, n=(200,), k=(3,), weight=(THIRD,), **given),
        *block(more, n=(200,), k=(2,), weight=(0.5,), **given_few),
    ]


def whole(replicates: int, first: int, outside: int, few: int) -> list[dict[str, Any]]:
    """In the order of replicates, so that what an interrupted run leaves is whole data sets."""
    late = main(range(first, replicates))
    return [*main(range(first)), *outer(range(outside), range(few)), *late]


QUICK: dict[str, tuple[str, ...]] = {
    "unordered": ("diagonal",), "ordered": ("diagonal",), GIBBS: (NONE,),
}  # fmt: skip
FACTORS = {
    "coordinates": COORDINATES, "adaptation": ADAPTATIONS, "prior": PRIORS,
    "separation": SEPARATIONS, "weight": (*WEIGHTS, THIRD), "n": (50, 200, 1000), "k": (2, 3),
    "replicate": range(100),
}  # fmt: skip
SMOKE = {
    "prior": ("adaptive",), "separation": (1.0, 8.0), "weight": (0.5,), "n": (200,), "k": (2,),
    "replicate": range(1),
}  # fmt: skip
SIZES_OF = {
    "smoke": block(QUICK, **SMOKE), "laptop": whole(20, 5, 6, 3),
    "cluster": whole(100, 100, 100, 100),
}  # fmt: skip
study = Study(
    name=MAIN,
    question="Does one sampler, or one set of coordinates, never lose, and what does ordering "
    "cost?",
    source="this project, after Betancourt 2017, Esser & Nielsen 2022 and Yu & Meng 2011",
    experiments={MAIN: Experiment(cell, FACTORS, SIZES_OF, skip)},
    claims=CLAIMS,
    figures={
        "worst": worst_figure,
        "order": order_figure,
        "share": share_figure,
        "convergence": convergence_figure,
    },
    answer=ANSWER,
    chief=CHIEF,
)
