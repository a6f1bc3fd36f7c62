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

The kernel is that of Betancourt (2017, arXiv:1701.02434, appendix A): multinomial sampling along a
trajectory that is doubled until it turns back. Step sizes are found by dual averaging (Hoffman &
Gelman 2014).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ordered_mix.data import Data, simulate
from ordered_mix.draws.chain_measures import chain_measures
from ordered_mix.draws.draws import Draws
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import default_prior
from ordered_mix.samplers.gibbs import Gibbs, conjugate
from ordered_mix.samplers.moves.density import density, posterior
from ordered_mix.samplers.moves.inputs import standard_sample, standard_starts
from ordered_mix.samplers.moves.sweeps import sweeps
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.contenders import question
from ordered_mix.study.contest import Contest, with_rates
from ordered_mix.study.drawing import heat, panels
from ordered_mix.study.effects import rows_of
from ordered_mix.study.experiment import four_digits
from ordered_mix.study.sentences import SHARE

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
DEEPEST, DIVERGENT, TARGET = 10, 1000.0, 0.8
MARGIN = 0.9
YU_MENG = "Yu & Meng 2011: the rate of an interwoven chain is bounded by the better one's"


# --- the kernel -----------------------------------------------------------------------------------


class Phase(NamedTuple):
    """A point with its gradient and log density, and a momentum."""

    z: Array
    gradient: Array
    height: float
    momentum: Array

    @property
    def energy(self) -> float:
        """Negative."""
        return float(self.height - 0.5 * self.momentum @ self.momentum)


class Tree(NamedTuple):
    """A part of a trajectory: ends, a draw of it, sum of momenta, log weight, whether it ended."""

    first: Phase
    last: Phase
    chosen: Phase
    total: Array
    log_weight: float
    ended: bool


class Walk:
    """One chain that both kernels move; momenta are standard normal in coordinates F^-1 z."""

    def __init__(self, model: Parameterization, data: Data, z: Array, seed: int) -> None:
        self.model, self.data, self.compiled = model, data, posterior(model, data, 1.0)
        self.rng = np.random.Generator(np.random.Philox(seed))
        self.key = np.uint64(self.rng.integers(2**64, dtype=np.uint64))
        self.factor, self.step = np.eye(z.size), 0.1
        self.swept = self.leaps = 0
        self.accepted: list[float] = []
        self.move_to(z)

    def move_to(self, z: Array) -> None:
        """Evaluate the density at a point and stay there."""
        height, gradient = density(self.compiled, z)
        self.here = Phase(z, gradient, height, np.zeros(z.size))

    def leap(self, phase: Phase, side: int) -> Phase:
        """One leapfrog step."""
        self.leaps += 1
        half = 0.5 * side * self.step
        momentum = phase.momentum + half * (phase.gradient @ self.factor)
        z = phase.z + 2 * half * (self.factor @ momentum)
        height, gradient = density(self.compiled, z)
        return Phase(z, gradient, height, momentum + half * (gradient @ self.factor))

    def grow(self, phase: Phase, side: int, depth: int, begin: float) -> Tree:
        """A subtree of 2^depth steps, less if it ends early."""
        if depth == 0:
            new = self.leap(phase, side)
            gain = new.energy - begin
            self.accepted.append(float(np.exp(min(0.0, gain))) if gain == gain else 0.0)
            return Tree(new, new, new, new.momentum, gain, not gain > -DIVERGENT)
        near = self.grow(phase, side, depth - 1, begin)
        if near.ended:
            return near
        far = self.grow(near.last if side > 0 else near.first, side, depth - 1, begin)
        return far if far.ended else self.joined(near, far, side, biased=False)

    def joined(self, near: Tree, far: Tree, side: int, biased: bool) -> Tree:
        """Two halves, whether they turn back, and a draw of both, biased to the far one or not."""
        weight = float(np.logaddexp(near.log_weight, far.log_weight))
        against = near.log_weight if biased else weight
        chosen = far if np.log(self.rng.random()) < far.log_weight - against else near
        left, right = (near, far) if side > 0 else (far, near)
        total = left.total + right.total
        ended = (
            turns(left.first, right.last, total)
            or turns(left.first, right.first, left.total + right.first.momentum)
            or turns(left.last, right.last, left.last.momentum + right.total)
        )
        return Tree(left.first, right.last, chosen.chosen, total, weight, ended)

    def trajectory(self) -> None:
        """One transition of NUTS."""
        momentum = self.rng.standard_normal(self.here.z.size)
        start = self.here._replace(momentum=momentum)
        tree = Tree(start, start, start, momentum, 0.0, False)
        for depth in range(DEEPEST):
            side = 1 if self.rng.random() < 0.5 else -1
            end = tree.last if side > 0 else tree.first
            far = self.grow(end, side, depth, start.energy)
            if far.ended:
                break
            tree = self.joined(tree, far, side, biased=True)
            if tree.ended:
                break
        self.here = tree.chosen

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


def turns(left: Phase, right: Phase, total: Array) -> bool:
    """Whether a stretch with these ends and this sum of momenta turns back."""
    return bool(min(left.momentum @ total, right.momentum @ total) <= 0)


class DualAveraging:
    """Step sizes that bring the mean acceptance to the target (Hoffman & Gelman 2014, eq. 6)."""

    def __init__(self, walk: Walk) -> None:
        self.walk, self.center = walk, np.log(10 * walk.step)
        self.mean_log, self.missed, self.count = 0.0, 0.0, 0

    def __call__(self) -> None:
        """Set the walk's next step from its last trajectory."""
        self.count += 1
        accepted = float(np.mean(self.walk.accepted))
        self.walk.accepted.clear()
        self.missed += (TARGET - accepted - self.missed) / (self.count + 10)
        log_step = self.center - np.sqrt(self.count) / 0.05 * self.missed
        self.mean_log += (log_step - self.mean_log) * self.count**-0.75
        self.walk.step = float(np.exp(log_step))

    def finish(self) -> None:
        """Set the average."""
        self.walk.step = float(np.exp(self.mean_log))


def factor_of(z: Array) -> Array:
    """Cholesky factor of the covariance of draws, correlations shrunk as by five more draws."""
    found = np.cov(z.T)
    own = len(z) / (len(z) + 5.0)
    return np.linalg.cholesky(own * found + (1 - own) * np.diag(np.diag(found)))


def warm_up(walks: list[Walk], interwoven: bool) -> int:
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
        Walk(own.parameterization, own.data, z, int(one))
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
    shared = {"separation": separation, "weight": weight, "n": POINTS, "k": 2,
              "replicate": replicate}  # fmt: skip
    truth = Mixture([weight, 1 - weight], [0.0, separation], np.ones(2))
    data = simulate(truth, POINTS, seed_of("data", **shared))
    starts = initial_mixtures(data, 2, CHAINS, "random", seed_of("starts", **shared))
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
    rows = contest(result.tables[NAME]).rows
    logs = rows[rows["converged"]].groupby(["contender", *SET[:2]])["log_rate"].mean()
    grid = 1000 * np.exp(logs.unstack(list(SET[:2])))
    grid.columns = [f"{separation:g}, {weight:g}" for separation, weight in grid.columns]
    figure, axes = panels(1, 1, (5.6, 2.8))
    heat(axes[0, 0], grid, "{:.0f}".format, colours="cividis")
    axes[0, 0].set_xlabel("separation, weight")
    return figure


def blocks(replicates: range) -> list[dict[str, Any]]:
    """Data set by data set, all settings of each."""
    return [
        {"separation": (separation,), "weight": (weight,), "replicate": (number,)}
        for number in replicates
        for separation, weight in SETTINGS
    ]


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
                "laptop": blocks(REPLICATES[:12]),
                "cluster": blocks(REPLICATES),
            },
        ),
    },
    claims=CLAIMS,
    figures={"rate": rate_figure},
    answer=(CLAIMS[0].name,),
    chief=tuple(claim.name for claim in (CLAIMS[1], CLAIMS[2], CLAIMS[4])),
)
