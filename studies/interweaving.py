"""Has NUTS alternated with Gibbs sampling the better rate of the two?

Yu & Meng (2011, JCGS 20, 531-570) interweave two augmentations, and the rate is that of the better
one or higher. Here one trajectory of NUTS, in the moments with pooled gaps and with a dense mass
matrix, is followed by sweeps of Gibbs sampling that cost as many passes, and so on; both leave the
posterior as it is. If each part is slow in directions of its own, the whole is fast in all.

Two components of unit scale, 200 points, the adaptive prior, four chains from random starts that
all contenders share. Settings, contenders, the margin and five data sets a setting were written
before the first run. Two of the five were then run by an earlier code of the kernel, which is how
it is known that interweaving may be slower; twelve data sets were chosen before this run.

ESS per pass is the smallest bulk ESS of sorted draws over the passes after warm-up, compared where
both runs have converged: a sorted R-hat of at most 1.01. All states are draws. NUTS is a kernel of
its own, the same for NUTS alone and interwoven; nutpie's NUTS stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.draws.chain_measures import chain_measures
from ordered_mix.draws.draws import Draws
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import default_prior
from ordered_mix.samplers.gibbs import Gibbs, conjugate
from ordered_mix.samplers.moves.density import density, posterior
from ordered_mix.samplers.moves.inputs import standard_sample, standard_starts
from ordered_mix.samplers.moves.sweeps import sweeps
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.contenders import by_data_set, question
from ordered_mix.study.contest import Contest, with_rates
from ordered_mix.study.drawing import by_setting
from ordered_mix.study.effects import rows_of
from ordered_mix.study.experiment import four_digits
from ordered_mix.study.sentences import SHARE
from ordered_mix.study.trajectory import DualAveraging, Walk, factor_of
from ordered_mix.study.truths import shared_problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

NAME, COORDINATES = "interweaving", "moment(gap=pooled)"
GIBBS, ALONE, WOVEN, NUTPIE = "Gibbs", "NUTS", "interwoven", "nutpie"
CONTENDERS = (GIBBS, ALONE, WOVEN, NUTPIE)
SETTINGS = ((1.0, 0.5), (3.0, 0.5), (3.0, 0.1), (8.0, 0.5))
SET = ("separation", "weight", "replicate")
REPLICATES = range(900, 1000)
CHAINS, POINTS = 4, 200
WINDOWS, FIRST, SETTLED = (75, 100, 225, 100), 250, 50
ITERATIONS = {ALONE: 2000, WOVEN: 1000}
MARGIN = 0.9
YU_MENG = "Yu & Meng 2011: the rate of an interwoven chain is bounded by the better one's"


# --- the kernels ----------------------------------------------------------------------------------


class Woven(Walk):
    """One chain that both kernels move."""

    def __init__(self, model: Parameterization, data: Data, z: Array, seed: int) -> None:
        self.model, self.data, self.swept = model, data, 0
        rng = np.random.Generator(np.random.Philox(seed))
        self.key = np.uint64(rng.integers(2**64, dtype=np.uint64))
        super().__init__(partial(density, posterior(model, data, 1.0)), z, rng)

    def sweep(self, count: int) -> Array:
        """So many sweeps of Gibbs sampling, shape (count, dimension)."""
        now, out = self.model.forward(self.here.z), np.empty((count, 3, self.model.k))
        state = np.ascontiguousarray(np.stack([now.w, now.mu, now.sigma]))
        y = np.ascontiguousarray(self.data.y)
        sweeps(y, conjugate(self.model.prior), state, self.key, self.swept, False, self.rng, out)
        self.swept += count
        mixture = self.model.domain.sorted(Mixture(*np.moveaxis(out, 1, 0)))
        z = self.model.unconstrain_unchecked(mixture)
        self.move_to(z[-1])
        return z

    def run(self, iterations: int, count: int, after: Callable[[], None] | None = None) -> Array:
        """States of trajectories, each followed by so many sweeps, shape (state, dimension)."""
        states = []
        for _ in range(iterations):
            self.trajectory()
            states.append(self.here.z[None])
            if after:
                after()
            if count:
                states.append(self.sweep(count))
        return np.concatenate(states)


def warm_up(walks: list[Woven], interwoven: bool) -> int:
    """Adapt step sizes and mass matrices; the number of sweeps that cost as much as a trajectory.

    Sweeps of Gibbs sampling give the first mass matrix; the last window leaves it as it is.
    """
    for walk in walks:
        walk.factor = factor_of(walk.sweep(FIRST)[SETTLED:])
    count = 0
    for at, window in enumerate(WINDOWS):
        for walk in walks:
            walk.leaps, dual = 0, DualAveraging(walk)
            z = walk.run(window, count, dual)
            dual.finish()
            if at < len(WINDOWS) - 1:
                walk.factor = factor_of(z)
        if interwoven:
            count = round(float(np.mean([walk.leaps for walk in walks])) / window)
    return count


def walked(contender: str, data: Data, starts: Mixture, seed: int) -> tuple[Mixture, int]:
    """Draws of four chains and the passes they took, a new evaluation after sweeps included."""
    own = standard_sample(catalog.parameterization(COORDINATES, 2, default_prior(data)), data)
    points = own.parameterization.start(standard_starts(own, starts))
    seeds = np.random.SeedSequence(seed).generate_state(CHAINS, np.uint64)
    walks = [
        Woven(own.parameterization, own.data, z, int(one))
        for z, one in zip(points, seeds, strict=True)
    ]
    count = warm_up(walks, contender == WOVEN)
    iterations = ITERATIONS[contender]
    for walk in walks:
        walk.leaps = 0
    z = np.stack([walk.run(iterations, count) for walk in walks])
    again = iterations * CHAINS * (count + 1 if count else 0)
    mixture = own.parameterization.forward(z).affine(data.location, data.scale)
    return mixture, sum(walk.leaps for walk in walks) + again


# --- cells ----------------------------------------------------------------------------------------


def cell(
    seed: int, contender: str, separation: float, weight: float, replicate: int
) -> list[dict[str, Any]]:
    """One run of one contender on one data set."""
    data, starts = shared_problem(separation, weight, POINTS, replicate, CHAINS)
    if contender in ITERATIONS:
        mixture, passes = walked(contender, data, starts, seed)
    else:
        draws = known(contender, data, starts, seed % 2**31)
        mixture, passes = draws.mixture, int(draws.passes.sum())
    none = np.zeros(mixture.batch_shape, dtype=bool)
    found = chain_measures(mixture.w, mixture.mu, mixture.sigma, none)
    return [{"ess": four_digits(found.ess), "rhat": four_digits(found.rhat), "passes": passes}]


def known(contender: str, data: Data, starts: Mixture, seed: int) -> Draws:
    """A run of one of the library's samplers."""
    sampler: Any = {
        GIBBS: Gibbs(draws=6000, tune=1000),
        NUTPIE: NUTS(draws=2000, tune=1000, adaptation="dense"),
    }[contender]
    model = catalog.parameterization(COORDINATES, 2, default_prior(data))
    return sampler.sample(model, data, starts, seed)


# --- from the table to effects --------------------------------------------------------------------


def contest(table: pd.DataFrame, **where: Any) -> Contest:
    """All contenders on these rows."""
    return Contest(with_rates(rows_of(table, **where)), SET, SET[:2])


def beside_the_better(table: pd.DataFrame, separation: float, weight: float) -> Effect:
    """Interweaving over the part that has more effective draws for a pass on these data sets."""
    found = contest(table, separation=separation, weight=weight)
    parts = found.values("log_rate").reindex(columns=[GIBBS, ALONE]).mean()
    if parts.isna().all():
        raise ValueError("the table holds no converged runs of the parts")
    return found.ratio(WOVEN, str(parts.idxmax()), "log_rate")


def _claim(separation: float, weight: float) -> Claim:
    return Claim(
        f"interweaving is as good, separation {separation:g}, weight {weight:g}",
        f"At separation {separation:g} and weight {weight:g} NUTS interwoven with Gibbs sampling "
        "has at least 90% of the ESS per pass of the better of its two parts.",
        YU_MENG,
        partial(beside_the_better, separation=separation, weight=weight),
        "above",
        MARGIN,
        "ESS per pass, interwoven / better part",
        words=(
            f"Interweaving is as good as the better part at separation {separation:g} and weight "
            f"{weight:g}: {SHARE} of its ESS per pass.",
            f"Interweaving is worse than the better part at separation {separation:g} and weight "
            f"{weight:g}: {SHARE} of its ESS per pass.",
            f"Whether interweaving is as good as the better part at separation {separation:g} and "
            f"weight {weight:g} is undecided: {SHARE} of its ESS per pass.",
        ),
    )


CLAIMS = (
    Claim(
        "interweaving has the better rate",
        "In every setting NUTS interwoven with Gibbs sampling has at least 90% of the ESS per pass "
        "of each of its parts.",
        YU_MENG,
        question(contest, "least", (WOVEN, "log_rate", (GIBBS, ALONE))),
        "above",
        MARGIN,
        "ESS per pass, interwoven / part, where it is least",
        words=(
            f"Interweaving has the better rate of the two in every setting: {SHARE} of the ESS per "
            "pass of a part where it is worst.",
            f"Interweaving has not the better rate of the two: {SHARE} of the ESS per pass of a "
            "part where it is worst.",
            f"Whether interweaving has the better rate of the two is undecided: {SHARE} of the ESS "
            "per pass of a part where it is worst.",
        ),
    ),
    *(_claim(*setting) for setting in SETTINGS),
)


# --- figure and grid ------------------------------------------------------------------------------


def rate_figure(result: StudyResult) -> Figure:
    """Sorted ESS for 1,000 passes, geometric means over the runs that converge."""
    return by_setting(1000 * contest(result.tables[NAME]).typical("log_rate"))


study = Study(
    name=NAME,
    question="Has NUTS alternated with Gibbs sampling the better rate of the two?",
    source="Yu & Meng 2011, JCGS 20, 531-570",
    experiments={
        NAME: Experiment(
            cell,
            factors={
                "contender": CONTENDERS,
                "separation": (1.0, 3.0, 8.0),
                "weight": (0.5, 0.1),
                "replicate": REPLICATES,
            },
            sizes={
                "smoke": {
                    "contender": (GIBBS,),
                    "separation": (1.0,),
                    "weight": (0.5,),
                    "replicate": REPLICATES[:2],
                },
                "laptop": by_data_set(SETTINGS, REPLICATES[:12]),
                "cluster": by_data_set(SETTINGS, REPLICATES),
            },
        ),
    },
    claims=CLAIMS,
    figures={"rate": rate_figure},
    answer=(CLAIMS[0].name,),
    chief=tuple(claim.name for claim in (CLAIMS[1], CLAIMS[2], CLAIMS[4])),
)
