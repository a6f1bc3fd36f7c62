"""Does a map learnt from a pilot run beat a dense mass matrix?

NUTS moves in coordinates in which the posterior is as normal as a triangular map makes it: after
whitening each coordinate is shifted, scaled and bent by functions of those before it
(`study.triangular`), fitted by maximum likelihood to the draws of a pilot. The coordinates beneath
are the moments with pooled gaps, in the order weight, gap, ratio of the scales, total scale, mean.

All runs are of nutpie's NUTS with a dense mass matrix, four chains of 1,000 draws of warm-up and
2,000 more. The ``matrix`` has these coordinates as they are. The ``map`` has them for 300 + 300
draws, the last 300 of all chains, their labels agreed on, give the map, and 400 draws of warm-up in
the map follow. ``affine`` is the same with the whitening alone, ``long`` has a map learnt from
40,000 sweeps of Gibbs sampling that are charged to nobody: what more draws would gain. The pilot of
the library, which chooses between Gibbs sampling and NUTS, stands beside them.

Two components of unit scale, 200 points, the adaptive prior, random starts that all contenders
share, twelve data sets a setting. The family of maps, its ridge and how labels agree were chosen on
three other data sets at these settings, where the map had .7 to 3 times the ESS per pass of the
others; settings, margins and sizes were written before the first run on data sets of the study.

That run showed where a map fails: where draws are sorted but chains of the pilot run changed their
labels, it is a map of one half of the posterior, and had .53 times the ESS per pass of the matrix
and 25 divergences in 1,000 draws (19 of 72 data sets, all runs counted); where each draw counted
twice .92 times, elsewhere 1.17 times. The second experiment, on twelve other data sets a setting
and written before its run, has a ``guarded`` map, whitening alone where labels changed or every
draw counted twice; its pilot run is of 300 + 600 draws, as the map lost to the matrix at separation
8 where that of the long run did not.

ESS per pass is the smallest bulk ESS of sorted draws over the passes after warm-up, compared where
both runs have converged: a sorted R-hat of at most 1.01. Warm-up, with all that the pilot run drew,
stands in the figure `needed`. A gradient is a pass, with the map or without: what the map adds, a
few microseconds, does not grow with the data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.draws.sampler_measures import sampler_measures
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.moves.inputs import standard_sample
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Experiment, Study
from ordered_mix.study.contenders import NONE, PILOT, by_data_set, question, sampled
from ordered_mix.study.contest import Contest, with_rates
from ordered_mix.study.drawing import by_setting
from ordered_mix.study.effects import rows_of
from ordered_mix.study.experiment import in_four_digits
from ordered_mix.study.mapped import Run, agreed, run_in
from ordered_mix.study.sentences import RATIO
from ordered_mix.study.triangular import fitted
from ordered_mix.study.truths import shared_problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

NAME, COORDINATES = "learnt_maps", "moment(gap=pooled)"
MATRIX, AFFINE, MAP, LONG = "matrix", "affine", "map", "long"
GUARDED = "guarded"
IN_MAP = (AFFINE, MAP, LONG, GUARDED)
CONTENDERS = (MATRIX, AFFINE, MAP, LONG, PILOT)
SETTINGS = ((1.0, 0.5), (2.0, 0.5), (3.0, 0.5), (8.0, 0.5), (3.0, 0.1), (4.0, 0.1))
SET = ("separation", "weight", "replicate")
REPLICATES = range(1100, 1200)
CHAINS, POINTS = 4, 200
DRAWS, TUNE, FIRST, LONGER = 2000, 1000, 300, 600
LATER = range(1200, 1300)
GAP = 3
SWEPT, THINNED = 10_000, 10
ORDER = (0, 3, 4, 2, 1)
PAYS, NEVER = 1.2, 0.9
RATE = "log_rate"
PARNO = "Parno & Marzouk 2018, Transport map accelerated Markov chain Monte Carlo"
OURS = "a question of this project"


# --- cells ----------------------------------------------------------------------------------------


def in_map(contender: str, data: Data, starts: Mixture, seed: int) -> Run:
    """A run in a map; what it was learnt from counts as warm-up, but for the long one."""
    model = catalog.parameterization(COORDINATES, 2, default_prior(data))
    own = standard_sample(model, data)
    first, second = map(int, np.random.SeedSequence(seed).generate_state(2) // 2)
    early_draws = LONGER if contender == GUARDED else FIRST
    learning: Any = NUTS(draws=early_draws, tune=FIRST, adaptation="dense")
    sampler = NUTS(draws=DRAWS, tune=TUNE - 2 * FIRST, adaptation="dense")
    if contender == LONG:
        learning, sampler = Gibbs(draws=SWEPT, tune=500), replace(sampler, tune=TUNE)
    early = learning.sample(model, data, starts, first)
    z = early.tree["unconstrained_posterior"]["z"].to_numpy()
    cloud, ends = agreed(own.parameterization, z[:, ::THINNED] if contender == LONG else z)
    bijection = fitted(cloud, ORDER)
    if contender == AFFINE or (contender == GUARDED and not safe(z, cloud)):
        bijection = bijection.affine
    run = run_in(own, bijection, ends, sampler, second)
    spent = 0 if contender == LONG else int((early.passes + early.warmup_passes).sum())
    return run._replace(warmup_passes=run.warmup_passes + spent)


def safe(z: Array, cloud: Array) -> bool:
    """Whether no chain changed its labels and each draw counts once."""
    changed = np.diff(z[..., GAP] < 0, axis=1)
    return not changed.any() and cloud.size == z.size


def known(contender: str, data: Data, starts: Mixture, seed: int) -> dict[str, Any]:
    """Measures of one of the library's samplers."""
    name, adaptation = (PILOT, NONE) if contender == PILOT else (COORDINATES, "dense")
    given = (name, adaptation, 2, default_prior(data), data, starts, seed)
    row = sampler_measures(sampled(*given, draws=DRAWS, tune=TUNE, sweeps=3))
    kept = ("ess", "rhat", "passes", "warmup_passes", "divergences_per_1000")
    return {column: row[column] for column in kept}


def cell(
    seed: int, contender: str, separation: float, weight: float, replicate: int
) -> list[dict[str, Any]]:
    """One run of one contender on one data set."""
    data, starts = shared_problem(separation, weight, POINTS, replicate, CHAINS)
    if contender in IN_MAP:
        return [in_four_digits(in_map(contender, data, starts, seed).measures())]
    return [in_four_digits(known(contender, data, starts, seed))]


# --- claims ---------------------------------------------------------------------------------------


def contest(table: pd.DataFrame, **where: Any) -> Contest:
    """All contenders on these rows."""
    return Contest(with_rates(rows_of(table, **where)), SET, SET[:2])


def _beats(rival: str, words: str, **where: Any) -> Claim:
    told = f"{RATIO} times the ESS per pass."
    return Claim(
        f"a map beats {rival}",
        f"A learnt map has at least 1.2 times the ESS per pass of {words}.",
        OURS,
        question(contest, "ratio", (MAP, rival, RATE), **where),
        "above",
        PAYS,
        f"ESS per pass, map / {rival}",
        of=(NAME,),
        words=(
            f"It beats {words}: {told}",
            f"It does not beat {words}: {told}",
            f"Whether it beats {words} is undecided: {told}",
        ),
    )


OVERLAPPING = tuple(separation for separation, _ in SETTINGS if separation < 8)
CLAIMS = (
    Claim(
        "a map pays",
        "Over all settings a learnt map has at least 1.2 times the ESS per pass of a dense mass "
        "matrix.",
        PARNO,
        question(contest, "ratio", (MAP, MATRIX, RATE)),
        "above",
        PAYS,
        "ESS per pass, map / matrix",
        of=(NAME,),
        words=(
            f"A map learnt from a pilot run beats a dense mass matrix: {RATIO} times its ESS per "
            "pass.",
            "A map learnt from a pilot run does not beat a dense mass matrix by a fifth: "
            f"{RATIO} times its ESS per pass.",
            "Whether a map learnt from a pilot run beats a dense mass matrix is undecided: "
            f"{RATIO} times its ESS per pass.",
        ),
    ),
    Claim(
        "a map never costs",
        "In every setting a learnt map has at least 90% of the ESS per pass of a dense mass "
        "matrix.",
        PARNO,
        question(contest, "least", (MAP, RATE, (MATRIX,))),
        "above",
        NEVER,
        "ESS per pass, map / matrix, where it is least",
        of=(NAME,),
        words=(
            f"It never costs: {RATIO} times where it is worst.",
            f"It costs where it is worst: {RATIO} times.",
            f"Whether it costs where it is worst is undecided: {RATIO} times.",
        ),
    ),
    Claim(
        "a longer pilot gains little",
        "A map of 40,000 sweeps has less than 1.2 times the ESS per pass of that of the pilot run.",
        OURS,
        question(contest, "ratio", (LONG, MAP, RATE)),
        "below",
        PAYS,
        "ESS per pass, map of a long run / of the pilot run",
        of=(NAME,),
        words=(
            f"More draws would not make a better map: {RATIO} times.",
            f"More draws make a better map: {RATIO} times.",
            f"Whether more draws make a better map is undecided: {RATIO} times.",
        ),
    ),
    Claim(
        "a map does not diverge",
        "In every setting NUTS in a learnt map has fewer than 1 divergence in 1,000 draws.",
        OURS,
        question(contest, "largest", (MAP, "divergences_per_1000")),
        "below",
        1.0,
        "divergences per 1,000 draws, where they are most frequent",
        of=(NAME,),
    ),
    _beats(AFFINE, "whitening alone"),
    _beats(PILOT, "the library's pilot where components overlap", separation=OVERLAPPING),
)

GUARDED_CLAIMS = (
    Claim(
        "a guarded map pays",
        "Over all settings a guarded map has at least 1.2 times the ESS per pass of a dense mass "
        "matrix.",
        OURS,
        question(contest, "ratio", (GUARDED, MATRIX, RATE)),
        "above",
        PAYS,
        "ESS per pass, guarded map / matrix",
        of=(GUARDED,),
        words=(
            f"A map that is taken only where labels are clear pays: {RATIO} times.",
            f"A map that is taken only where labels are clear does not pay: {RATIO} times.",
            f"Whether a map that is taken only where labels are clear pays is undecided: {RATIO} "
            "times.",
        ),
    ),
    Claim(
        "a guarded map never costs",
        "In every setting a guarded map has at least 90% of the ESS per pass of a dense mass "
        "matrix.",
        OURS,
        question(contest, "least", (GUARDED, RATE, (MATRIX,))),
        "above",
        NEVER,
        "ESS per pass, guarded map / matrix, where it is least",
        of=(GUARDED,),
        words=(
            f"The guarded map never costs: {RATIO} times where it is worst.",
            f"The guarded map costs where it is worst: {RATIO} times.",
            f"Whether the guarded map costs where it is worst is undecided: {RATIO} times.",
        ),
    ),
    Claim(
        "a guarded map does not diverge",
        "In every setting NUTS in a guarded map has fewer than 1 divergence in 1,000 draws.",
        OURS,
        question(contest, "largest", (GUARDED, "divergences_per_1000")),
        "below",
        1.0,
        "divergences per 1,000 draws, where they are most frequent",
        of=(GUARDED,),
    ),
)


# --- figures and grid -----------------------------------------------------------------------------


def rate_figure(result: StudyResult) -> Figure:
    """Sorted ESS for 1,000 passes after warm-up, geometric means over the runs that converge."""
    return by_setting(1000 * contest(result.tables[NAME]).typical(RATE))


def needed_figure(result: StudyResult) -> Figure:
    """Thousands of passes to 1,000 effective draws, warm-up and its sweeps included."""
    return by_setting(contest(result.tables[NAME]).typical("log_needed") / 1000)


def guarded_figure(result: StudyResult) -> Figure:
    """The same as `rate` of the guarded map, on other data sets."""
    return by_setting(1000 * contest(result.tables[GUARDED]).typical(RATE))


FACTORS = {
    "contender": CONTENDERS,
    "separation": (1.0, 2.0, 3.0, 4.0, 8.0),
    "weight": (0.5, 0.1),
    "replicate": REPLICATES,
}
SMOKE = {"separation": (1.0,), "weight": (0.5,)}
study = Study(
    name=NAME,
    question="Does a map learnt from a pilot run beat a dense mass matrix?",
    source="Parno & Marzouk 2018, SIAM/ASA JUQ 6, 645-682",
    experiments={
        NAME: Experiment(
            cell,
            factors=FACTORS,
            sizes={
                "smoke": {**SMOKE, "contender": (MATRIX, MAP), "replicate": REPLICATES[:1]},
                "laptop": by_data_set(SETTINGS, REPLICATES[:12]),
                "cluster": by_data_set(SETTINGS, REPLICATES),
            },
        ),
        GUARDED: Experiment(
            cell,
            factors={**FACTORS, "contender": (MATRIX, GUARDED), "replicate": LATER},
            sizes={
                "smoke": {**SMOKE, "contender": (MATRIX, GUARDED), "replicate": LATER[:1]},
                "laptop": by_data_set(SETTINGS, LATER[:12]),
                "cluster": by_data_set(SETTINGS, LATER),
            },
        ),
    },
    claims=(*CLAIMS, *GUARDED_CLAIMS),
    figures={"rate": rate_figure, "needed": needed_figure, "guarded": guarded_figure},
    answer=("a map pays", "a guarded map pays"),
    chief=("a map never costs", "a guarded map pays", "a guarded map never costs"),
)
