"""Does NUTS gain from coordinates that make the Fisher information diagonal near coincidence?

What overlapping components show of themselves are the cumulants of the mixture. Coordinates that
follow them one by one, derived in `study.cumulants`, have a diagonal information to leading order
in the gap: the moments with pooled gaps, the gap scaled by a function of the weight and the ratio
of the scales measured from where the mixture has no skewness. They are a bijection with a Jacobian
in closed form. A dense mass matrix makes the information at one point diagonal in any coordinates;
these have it diagonal along a valley, where it changes by the tenth power of the gap.

``signed`` coordinates, the moments with pooled gaps (``pooled``) and the ``cumulants``, each with a
diagonal and a dense mass matrix: nutpie's NUTS, four chains of 1,000 + 2,000 draws from random
starts that all share. Two components of unit scale, 200 points, the adaptive prior, eight data sets
a setting: three settings near coincidence, two away from it, where nothing was derived. Settings,
margins and sizes were written before the first run; an earlier form of the coordinates had been
seen on one other data set at three settings, where it had 1.5, .7 and .7 times the ESS per pass of
pooled gaps with a dense matrix.

ESS per pass is the smallest bulk ESS of sorted draws over the passes after warm-up, compared where
both runs have converged: a sorted R-hat of at most 1.01. ``curvature`` is what the mass matrix
leaves: the largest eigenvalue of the negative Hessian of the log density at 100 draws, in
coordinates whitened by the draws, its 90% quantile. It is 1 for a normal posterior, and steps are
as short as the inverse of its root.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.moves.density import density, posterior
from ordered_mix.samplers.moves.inputs import standard_sample, standard_starts
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Experiment, Study
from ordered_mix.study.contenders import block, named, question
from ordered_mix.study.contest import Contest, with_rates
from ordered_mix.study.cumulants import Cumulants
from ordered_mix.study.drawing import by_setting
from ordered_mix.study.effects import rows_of
from ordered_mix.study.experiment import in_four_digits
from ordered_mix.study.mapped import Run, mapped, run_in
from ordered_mix.study.sentences import RATIO
from ordered_mix.study.truths import shared_problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

NAME, POOLED = "fisher_coordinates", "moment(gap=pooled)"
BENEATH = {"signed": "signed", "pooled": POOLED, "cumulants": POOLED}
ADAPTATIONS = ("diagonal", "dense")
SETTINGS = ((0.2, 0.5), (1.0, 0.5), (1.0, 0.1), (3.0, 0.1), (8.0, 0.5))
NEAR = (0.2, 1.0)
SET = ("separation", "weight", "replicate")
REPLICATES = range(1200, 1300)
CHAINS, POINTS, DRAWS, TUNE, LOOKED_AT, STEP = 4, 200, 2000, 1000, 100, 1e-4
RATE, CURVATURE = "log_rate", "log_curvature"
PAYS, NEVER = 1.2, 0.9
OURS = "a question of this project"
DERIVED = "expansion of the density in the gap"


# --- cells ----------------------------------------------------------------------------------------


def drawn(
    coordinates: str, adaptation: str, data: Data, starts: Mixture, seed: int
) -> tuple[Run, float]:
    """A run and the curvature that is left."""
    model = catalog.parameterization(BENEATH[coordinates], 2, default_prior(data))
    own = standard_sample(model, data)
    z = own.parameterization.start(standard_starts(own, starts))
    bijection = Cumulants() if coordinates == "cumulants" else None
    run = run_in(own, bijection, z, NUTS(DRAWS, TUNE, adaptation=adaptation), seed)
    target = posterior(own.parameterization, own.data, 1.0)
    x = own.parameterization.unconstrain_unchecked(own.inwards(run.mixture)).reshape(-1, 5)
    if bijection:
        target, x = mapped(target, bijection), bijection.inverse(x)
    return run, curvature(partial(density, target), x, adaptation)


def curvature(log_density: Any, x: Array, adaptation: str) -> float:
    """What the mass matrix leaves, at some of the draws x, shape (draw, dimension)."""
    covariance = np.cov(x.T)
    if adaptation == "diagonal":
        covariance = np.diag(np.diag(covariance))
    root = np.linalg.cholesky(covariance)
    largest = []
    for at in x[:: len(x) // LOOKED_AT]:
        ends = [[log_density(at + step)[1] for step in sign * STEP * root.T] for sign in (1, -1)]
        hessian = (np.array(ends[0]) - np.array(ends[1])) @ root / (2 * STEP)
        largest.append(np.linalg.eigvalsh(-0.5 * (hessian + hessian.T))[-1])
    return float(np.quantile(largest, 0.9))


def cell(
    seed: int, coordinates: str, adaptation: str, separation: float, weight: float, replicate: int
) -> list[dict[str, Any]]:
    """One run of one contender on one data set."""
    data, starts = shared_problem(separation, weight, POINTS, replicate, CHAINS)
    run, left = drawn(coordinates, adaptation, data, starts, seed % 2**31)
    return [in_four_digits({**run.measures(), "curvature": left})]


# --- claims ---------------------------------------------------------------------------------------


def contest(table: pd.DataFrame, **where: Any) -> Contest:
    """All contenders on these rows."""
    rows = named(with_rates(rows_of(table, **where)))
    return Contest(rows.assign(log_curvature=np.log(rows["curvature"])), SET, SET[:2])


def _ratio(
    name: str, statement: str, pair: tuple[str, str], margin: float, words: tuple[str, str, str],
    column: str = RATE, source: str = OURS, direction: str = "above",
) -> Claim:  # fmt: skip
    what = "ESS per pass" if column == RATE else "curvature"
    return Claim(
        name, statement, source,
        question(contest, "ratio", (*pair, column), separation=NEAR),
        direction, margin, f"{what}, {pair[0]} / {pair[1]}", words=words,
    )  # fmt: skip


def _told(holds: str, fails: str, undecided: str, tail: str = "times the ESS per pass") -> Any:
    return tuple(f"{words}: {RATIO} {tail}." for words in (holds, fails, undecided))


CLAIMS = (
    *(
        _ratio(
            f"cumulants pay, {one}",
            f"Near coincidence the coordinates of cumulants have at least 1.2 times the ESS per "
            f"pass of pooled gaps, both with a {one} mass matrix.",
            (f"cumulants, {one}", f"pooled, {one}"), PAYS,
            _told(
                f"Near coincidence coordinates of cumulants beat pooled gaps, {one}",
                f"Near coincidence coordinates of cumulants do not beat pooled gaps, {one}",
                f"Whether coordinates of cumulants beat pooled gaps is undecided, {one}",
            ),
        )
        for one in ADAPTATIONS
    ),
    _ratio(
        "cumulants pay over signed",
        "Near coincidence the coordinates of cumulants have at least 1.2 times the ESS per pass of "
        "signed ones, both with a dense mass matrix.",
        ("cumulants, dense", "signed, dense"), PAYS,
        _told(
            "They beat signed coordinates, dense",
            "They do not beat signed coordinates, dense",
            "Whether they beat signed coordinates is undecided, dense",
        ),
    ),
    _ratio(
        "cumulants need no dense matrix",
        "Near coincidence the coordinates of cumulants have with a diagonal mass matrix at least "
        "90% of the ESS per pass that they have with a dense one.",
        ("cumulants, diagonal", "cumulants, dense"), NEVER,
        _told(
            "They need no dense matrix", "They need a dense matrix",
            "Whether they need a dense matrix is undecided",
            "times the ESS per pass with a diagonal one",
        ),
        source=DERIVED,
    ),
    _ratio(
        "cumulants leave less curvature",
        "Near coincidence a dense mass matrix leaves less curvature in coordinates of cumulants "
        "than in pooled gaps.",
        ("cumulants, dense", "pooled, dense"), 1.0,
        _told(
            "A dense matrix leaves less curvature", "A dense matrix leaves no less curvature",
            "Whether a dense matrix leaves less curvature is undecided",
            "times that of pooled gaps",
        ),
        CURVATURE, DERIVED, "below",
    ),
    Claim(
        "cumulants never cost",
        "In every setting the coordinates of cumulants have at least 90% of the ESS per pass of "
        "pooled gaps, both with a dense mass matrix.",
        OURS,
        question(contest, "least", ("cumulants, dense", RATE, ("pooled, dense",))),
        "above",
        NEVER,
        "ESS per pass, cumulants / pooled, where it is least",
        words=_told(
            "They never cost", "They cost where they are worst",
            "Whether they cost where they are worst is undecided",
        ),
    ),
)  # fmt: skip


# --- figures and grid -----------------------------------------------------------------------------


def rate_figure(result: StudyResult) -> Figure:
    """Sorted ESS for 1,000 passes after warm-up, geometric means over the runs that converge."""
    return by_setting(1000 * contest(result.tables[NAME]).typical(RATE))


def curvature_figure(result: StudyResult) -> Figure:
    """Largest curvature left by the mass matrix near coincidence, geometric means.

    Away from it chains keep their labels, and the draws of all of them whiten nothing.
    """
    left = contest(result.tables[NAME], separation=NEAR).typical(CURVATURE)
    return by_setting(left, "{:.1f}".format)


def blocks(replicates: range) -> list[dict[str, Any]]:
    """Data set by data set, all settings of each."""
    return [
        grid
        for number in replicates
        for separation, weight in SETTINGS
        for grid in block(
            dict.fromkeys(BENEATH, ADAPTATIONS), separation=(separation,), weight=(weight,),
            replicate=(number,),
        )
    ]  # fmt: skip


study = Study(
    name=NAME,
    question="Does NUTS gain from coordinates that make the Fisher information diagonal near "
    "coincidence?",
    source="this project",
    experiments={
        NAME: Experiment(
            cell,
            factors={
                "coordinates": tuple(BENEATH),
                "adaptation": ADAPTATIONS,
                "separation": (0.2, 1.0, 3.0, 8.0),
                "weight": (0.5, 0.1),
                "replicate": REPLICATES,
            },
            sizes={
                "smoke": {
                    "coordinates": ("pooled", "cumulants"),
                    "adaptation": ("dense",),
                    "separation": (1.0,),
                    "weight": (0.5,),
                    "replicate": REPLICATES[:1],
                },
                "laptop": blocks(REPLICATES[:8]),
                "cluster": blocks(REPLICATES),
            },
        ),
    },
    claims=CLAIMS,
    figures={"rate": rate_figure, "curvature": curvature_figure},
    answer=("cumulants pay, dense", "cumulants never cost"),
    chief=("cumulants pay, dense", "cumulants need no dense matrix", "cumulants never cost"),
)
