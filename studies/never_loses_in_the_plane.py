"""Does one sampler never lose in the plane, and what does ordering cost there?

Two equal components with unit covariances, whose means are a separation apart in the first
coordinate; 200 points. Weights, means and full covariances are free, under the adaptive prior. A
run is 4 chains of 1,000 + 2,000 draws of NUTS, or 1,000 + 6,000 sweeps of Gibbs sampling, from
starts near the truth that all contenders share. Means are ordered along the first coordinate, the
one that separates them.

As in `never_loses`, ESS per pass is the smallest bulk ESS of sorted draws over the passes after
warm-up, and is compared only on data sets where both runs have converged: a sorted R-hat of at most
1.01. The ``pilot`` chooses by 250 sweeps of Gibbs sampling, charged to it, between Gibbs sampling
and NUTS in signed coordinates with a dense mass matrix; pooled gaps, its third choice in one
dimension, are not defined here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import arviz_stats
import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.rhat import rhat
from ordered_mix.mixture import Array, Mixture
from ordered_mix.multivariate import default_multivariate_prior
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
from ordered_mix.study.drawing import heat, panels
from ordered_mix.study.effects import rows_of
from ordered_mix.study.experiment import in_four_digits
from ordered_mix.study.sentences import SHARE
from ordered_mix.study.truths import starts_near

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

NAME, PROJECT = "never_loses_in_the_plane", "a question of this project"
BETANCOURT = "Betancourt 2017, Identifying Bayesian mixture models"
TWO = ("diagonal", "dense")
CONTENDERS: dict[str, tuple[str, ...]] = {
    "unordered": TWO, "ordered": TWO, "signed": ("dense",), GIBBS: (NONE,), PILOT: (NONE,),
}  # fmt: skip
SEPARATIONS = (1.0, 2.0, 4.0)
POINTS, CHAINS, DRAWS, TUNE, SWEEPS = 200, 4, 2000, 1000, 6000
FIRST = 250
SET = ("separation", "replicate")
SIGNED = "signed, dense"


def cell(
    seed: int, coordinates: str, adaptation: str, separation: float, replicate: int
) -> list[dict[str, Any]]:
    """One run of one contender on one data set."""
    rng = np.random.default_rng(seed_of("plane", separation=separation, replicate=replicate))
    mu = separation * np.array([[-0.5, 0.0], [0.5, 0.0]])
    truth = Mixture(np.full(2, 0.5), mu, covariance=np.eye(2))
    data = Data.of_points(truth.sample(POINTS, rng))
    starts = starts_near(truth, CHAINS, rng)
    given = (coordinates, adaptation, 2, default_multivariate_prior(data), data, starts, seed)
    draws = sampled(*given, draws=DRAWS, tune=TUNE, sweeps=SWEEPS // DRAWS)
    row = charged(measures(draws), FIRST * CHAINS * (coordinates == PILOT))
    return [in_four_digits(row)]


def measures(draws: Draws) -> dict[str, Any]:
    """Smallest ESS and largest R-hat of draws sorted along the first coordinate, and their cost."""
    ascending, raw = (free(one) for one in (draws.mixture.sorted(0), draws.mixture))
    ess = partial(arviz_stats.ess, chain_axis=0, draw_axis=1)
    passes, warmup = int(draws.passes.sum()), int(draws.warmup_passes.sum())
    diverging = draws.statistics.get("diverging")
    return {
        "ess": float(min(map(ess, ascending))),
        "rhat": max(map(rhat, ascending)),
        "raw_rhat": max(map(rhat, raw)),
        "passes": passes,
        "warmup_passes": warmup,
        "seconds": draws.seconds * passes / (passes + warmup),
        "divergences_per_1000": 0.0 if diverging is None else 1000 * float(diverging.mean()),
    }


def free(mixture: Mixture) -> Array:
    """Weights but the last, means and entries of covariances, shape (quantity, chain, draw)."""
    entries = mixture.covariance[(..., *np.tril_indices(mixture.d))]
    parts = (mixture.w[..., :-1], mixture.mu, entries)
    flat = [part.reshape(*mixture.batch_shape, -1) for part in parts]
    return np.moveaxis(np.concatenate(flat, axis=-1), -1, 0)


def contest(table: pd.DataFrame, **where: Any) -> Contest:
    """All contenders on these rows, a separation a setting."""
    rows = named(rows_of(table, **where))
    return Contest(with_rates(rows), SET, ("separation",))


# --- claims ---------------------------------------------------------------------------------------

RATE = "log_rate"
LESS = ("below", 1.0, "ESS per pass, ordered / unordered")
NEVER = ("above", 0.9, "ESS per pass over that of each other contender, where it is least")
SHORT = {PILOT: "The pilot", SIGNED: "Signed coordinates with a dense mass matrix"}
NEAREST = "{0:.0%} [{1:.0%}, {2:.0%}] of another one where it is worst"
CLAIMS = (
    *(
        Claim(
            f"order costs draws, {adaptation}",
            f"In the plane, at separations 1 and 2 with a {adaptation} mass matrix, means that are "
            "ordered along the coordinate that separates them have a smaller ESS per pass than "
            "unordered ones.",
            BETANCOURT,
            question(contest, "ratio", (*pair(adaptation), RATE), separation=(1.0, 2.0)),
            *LESS,
            words=(
                f"In the plane, at separations 1 and 2, ordering costs with a {adaptation} mass "
                f"matrix: {SHARE} of the ESS per pass of unordered means.",
                f"In the plane, at separations 1 and 2, ordering costs nothing with a {adaptation} "
                f"mass matrix: {SHARE} of the ESS per pass of unordered means.",
                "Whether ordering costs effective draws in the plane at separations 1 and 2 is "
                f"undecided with a {adaptation} mass matrix: {SHARE} of the ESS per pass of "
                "unordered means.",
            ),
        )
        for adaptation in TWO
    ),
    *(
        Claim(
            f"{name} never loses",
            f"In the plane {name} is within 10% of the ESS per pass of every other contender at "
            "every separation.",
            PROJECT,
            question(contest, "least", (name, RATE)),
            *NEVER,
            words=(
                f"{words} never loses there: {NEAREST}.",
                f"{words} loses there: {NEAREST}.",
                f"Whether {words[0].lower() + words[1:]} ever loses there is undecided: {NEAREST}.",
            ),
        )
        for name, words in SHORT.items()
    ),
)


# --- figure and grid ------------------------------------------------------------------------------


def share_figure(result: StudyResult) -> Figure:
    """Percentage of the best contender's ESS per pass where both converge, and that converge."""
    found = contest(result.tables[NAME])
    figure, axes = panels(1, 2, (8.4, 3.2))
    for one, grid, title in zip(
        axes[0], (found.shares(RATE), found.converging()), ("% of the best", "% that converge"),
        strict=True,
    ):  # fmt: skip
        grid.columns = [f"{separation:g}" for separation in np.ravel(list(grid.columns))]
        heat(one, 100 * grid, "{:.0f}".format, colours="cividis", limits=(0, 100))
        one.set_title(title, fontsize="medium")
        one.set_xlabel("separation")
    return figure


QUICK: dict[str, tuple[str, ...]] = {
    "unordered": ("diagonal",), "ordered": ("diagonal",), GIBBS: (NONE,),
}  # fmt: skip


def sets(count: int) -> list[dict[str, Any]]:
    """Data set by data set, so that what an interrupted run leaves is whole ones."""
    return [grid for number in range(count) for grid in block(CONTENDERS, replicate=(number,))]


study = Study(
    name=NAME,
    question="Does one sampler never lose in the plane, and what does ordering cost there?",
    source="this project, after Betancourt 2017",
    experiments={
        NAME: Experiment(
            cell,
            factors={
                "coordinates": tuple(CONTENDERS),
                "adaptation": (*TWO, NONE),
                "separation": SEPARATIONS,
                "replicate": range(100),
            },
            sizes={
                "smoke": block(QUICK, separation=(4.0,), replicate=(0,)),
                "laptop": sets(12),
                "cluster": sets(100),
            },
        ),
    },
    claims=CLAIMS,
    figures={"share": share_figure},
    answer=("order costs draws, dense", f"{PILOT} never loses"),
    chief=("order costs draws, diagonal", "pilot never loses", "signed, dense never loses"),
)
