"""Does integrating the weights, and the means, out speed Gibbs sampling up?

Gibbs sampling draws all labels given the parameters, then the parameters given the labels. Here the
labels are drawn in turn, each given the other labels, with the weights integrated out, or weights
and means integrated out given the scales; then means, weights and scales are drawn, in an order
that leaves the posterior as it is (van Dyk & Park 2008, JASA 103, 790-796). To integrate out makes
correlations smaller (Liu 1994, JASA 89, 958-966), to draw labels in turn may make them larger.

What to expect: if one direction is normal and has lag-one correlation g under Gibbs sampling,
labels in turn without it contract by l = exp(-g (1 - l) / l) in a sweep, so that 1 - l is about
2 (1 - g) where g is near 1. A direction that is integrated out gains at most a factor of two, one
that is not, such as the scales, nothing, and a sweep costs more.

Two components of unit scale, 200 points, the adaptive prior, twelve data sets a setting, four
chains from random starts that all contenders share: 2,000 + 20,000 sweeps, or 1,000 + 2,000 draws
of nutpie's NUTS with a dense mass matrix. ESS is the smallest bulk ESS of sorted draws, compared
where both runs have converged, a sorted R-hat of at most 1.01. A pass is the log posterior with its
gradient as NUTS calls it. Sweeps are charged what they cost in processor time beside a pass, timed
in turns in the same cell: the median over all cells of a contender. Settings, contenders, sizes and
margins were written before the first result was read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from ctypes import CFUNCTYPE, c_int64, c_uint64, c_void_p, cast
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import arviz_stats
import numba
import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.draws.rhat import rhat
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.gibbs import conjugate
from ordered_mix.samplers.moves.density import posterior
from ordered_mix.samplers.moves.inputs import standard_sample, standard_starts
from ordered_mix.samplers.moves.sweeps import sweeps
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Experiment, Study
from ordered_mix.study.collapsed import collapsed_sweeps
from ordered_mix.study.contenders import by_data_set, question
from ordered_mix.study.contest import Contest, with_rates
from ordered_mix.study.drawing import by_setting, heat, panels
from ordered_mix.study.effects import rows_of
from ordered_mix.study.experiment import four_digits
from ordered_mix.study.sentences import RATIO, SHARE
from ordered_mix.study.truths import shared_problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

NAME = "partial_collapse"
GIBBS, WEIGHTS, MEANS = "Gibbs", "weights out", "weights and means out"
COORDINATES = {"NUTS, signed": "signed", "NUTS, pooled": "moment(gap=pooled)"}
POOLED = "NUTS, pooled"
SWEPT = (GIBBS, WEIGHTS, MEANS)
CONTENDERS = (*SWEPT, *COORDINATES)
SETTINGS = ((1.0, 0.5), (2.0, 0.5), (3.0, 0.5), (8.0, 0.5), (3.0, 0.1), (4.0, 0.1))
SET = ("separation", "weight", "replicate")
REPLICATES = range(800, 900)
CHAINS, POINTS = 4, 200
WARM, SWEEPS, TUNE, DRAWS = 2000, 20_000, 1000, 2000
GRADIENTS = 2000  # timed before each chain
RATE, STEP = "log_rate", "log_step"
LIU = "Liu 1994, JASA 89, 958-966: integrating out makes correlations smaller"
PROJECT = "a question of this project"


# --- runs -----------------------------------------------------------------------------------------


def swept(contender: str, data: Data, starts: Mixture, seed: int) -> tuple[Mixture, float]:
    """Draws of four chains, and what a sweep costs in gradients as NUTS calls them."""
    own = standard_sample(
        catalog.parameterization(COORDINATES[POOLED], 2, default_prior(data)), data
    )
    begin = standard_starts(own, starts)
    y, prior = np.ascontiguousarray(own.data.y), conjugate(own.parameterization.prior)
    states = np.stack([begin.w, begin.mu, begin.sigma], axis=1)
    gradients = gradients_of(own, own.parameterization.start(begin)[0])
    seeds = np.random.SeedSequence(seed).spawn(CHAINS)
    chains, spent = [], []
    for state, one in zip(states, seeds, strict=True):
        go = kernel(contender, y, prior, np.ascontiguousarray(state), one)
        go(WARM)
        begun = time.thread_time()
        gradients(GRADIENTS)
        between = time.thread_time()
        chains.append(go(SWEEPS))
        spent.append((time.thread_time() - between, between - begun))
    mixture = Mixture(*np.moveaxis(np.stack(chains), 2, 0)).affine(data.location, data.scale)
    sweep, gradient = np.median(spent, axis=0)
    return mixture, float(sweep / SWEEPS / (gradient / GRADIENTS))


def kernel(
    contender: str, y: Array, prior: Any, state: Array, seed: np.random.SeedSequence
) -> Callable[[int], Array]:
    """A chain that goes on by so many sweeps; its states, shape (sweep, 3, 2)."""
    rng = np.random.Generator(np.random.Philox(seed))
    key = np.uint64(rng.integers(2**64, dtype=np.uint64))
    z = (y[:, None] - state[1]) / state[2]
    label = np.argmax(np.log(state[0] / state[2]) - 0.5 * z**2, axis=1)
    done = 0

    def go(count: int) -> Array:
        nonlocal done
        out = np.empty((count, 3, 2))
        if contender == GIBBS:
            sweeps(y, prior, state, key, done, False, rng, out)
        else:
            collapsed_sweeps(y, prior, state, label, key, done, contender == MEANS, rng, out)
        done += count
        return out

    return go


def gradients_of(own: Any, z: Array) -> Callable[[int], None]:
    """So many gradients of the log posterior at a point, as nutpie calls them, and no Python."""
    model = posterior(own.parameterization, own.data, 1.0)
    address = cast(model.compiled_logp_func.ctypes, c_void_p).value
    z = np.ascontiguousarray(z)
    out = np.empty(z.size + 1)

    def go(count: int) -> None:
        # the model, and not its numbers alone: they are addresses of arrays that live as long as it
        given = model.user_data.ctypes.data
        at = (z.ctypes.data, out.ctypes.data, out[-1:].ctypes.data, given)
        if failed := _repeated(address)(count, z.size, *at):
            raise FloatingPointError(f"{failed} of {count} gradients are not finite at a start")

    go(1)
    return go


@lru_cache(maxsize=1)
def _repeated(address: int) -> Any:
    """Call a C function of this signature so many times."""
    function = CFUNCTYPE(c_int64, c_uint64, *[c_void_p] * 4)(address)

    @numba.njit
    def loop(count: int, size: int, a: int, b: int, c: int, d: int) -> int:
        failed = 0
        for _ in range(count):
            failed += function(size, a, b, c, d) != 0
        return failed

    return loop


def cell(
    seed: int, contender: str, separation: float, weight: float, replicate: int
) -> list[dict[str, Any]]:
    """One run of one contender on one data set."""
    data, starts = shared_problem(separation, weight, POINTS, replicate, CHAINS)
    if contender in SWEPT:
        mixture, cost = swept(contender, data, starts, seed)
        return [{**measured(mixture), "steps": CHAINS * SWEEPS, "cost": four_digits(cost)}]
    model = catalog.parameterization(COORDINATES[contender], 2, default_prior(data))
    draws = NUTS(draws=DRAWS, tune=TUNE, adaptation="dense").sample(
        model, data, starts, seed % 2**31
    )
    divergent = 1000 * float(draws.statistics["diverging"].mean())
    return [{**measured(draws.mixture), "steps": int(draws.passes.sum()), "cost": 1.0,
             "divergences_per_1000": four_digits(divergent)}]  # fmt: skip


def measured(mixture: Mixture) -> dict[str, Any]:
    """Smallest sorted bulk ESS, which quantity has it, and the largest R-hat."""
    one = mixture.sorted()
    values = {"weight": one.w[..., 0], "low mean": one.mu[..., 0], "high mean": one.mu[..., 1],
              "low scale": one.sigma[..., 0], "high scale": one.sigma[..., 1]}  # fmt: skip
    ess = {
        name: float(arviz_stats.ess(value, method="bulk", chain_axis=0, draw_axis=1))
        for name, value in values.items()
    }
    slowest = min(ess, key=lambda name: ess[name])
    return {"ess": four_digits(ess[slowest]), "slowest": slowest,
            "rhat": four_digits(max(map(rhat, values.values())))}  # fmt: skip


# --- from the table to effects --------------------------------------------------------------------


def contest(table: pd.DataFrame, **where: Any) -> Contest:
    """All contenders, sweeps charged with the median of what they cost."""
    cost = table.groupby("contender")["cost"].transform("median")
    rows = with_rates(rows_of(table.assign(passes=table["steps"] * cost), **where))
    return Contest(rows.assign(log_step=np.log(rows["ess"] / rows["steps"])), SET, SET[:2])


def _overall(which: str) -> Claim:
    return Claim(
        f"{which}, for a pass",
        f"Over all settings Gibbs sampling with {which} has a larger ESS per pass, what its sweeps "
        "cost counted.",
        PROJECT,
        question(contest, "ratio", (which, GIBBS, RATE)),
        "above",
        1.0,
        f"ESS per pass, {which} / Gibbs",
        words=f"Gibbs sampling with {which} has {RATIO} times the ESS per pass of Gibbs sampling.",
    )


def _families() -> Iterator[Claim]:
    for which in (WEIGHTS, MEANS):
        yield _overall(which)
        yield Claim(
            f"{which}, for a sweep",
            f"In every setting Gibbs sampling with {which} has at least 90% of the ESS per sweep "
            "of Gibbs sampling.",
            LIU,
            question(contest, "least", (which, STEP, (GIBBS,))),
            "above",
            0.9,
            f"ESS per sweep, {which} / Gibbs, where it is least",
            words=f"A sweep with {which} is worth {RATIO} sweeps of Gibbs sampling where it is "
            "worth least.",
        )
        yield Claim(
            f"{which} pays somewhere",
            f"Somewhere Gibbs sampling with {which} has at least 1.1 times the ESS per pass.",
            PROJECT,
            question(contest, "most", (which, GIBBS, RATE)),
            "above",
            1.1,
            f"ESS per pass, {which} / Gibbs, where it is largest",
            words=f"For a pass Gibbs sampling with {which} has at most {RATIO} times the ESS of "
            "Gibbs sampling.",
        )
    yield Claim(
        "a sweep gains a factor of two at most",
        "Nowhere does a sweep with weights and means out give more than 2.5 times the ESS.",
        "this project: sequential updates contract twice as fast where both are slow",
        question(contest, "most", (MEANS, GIBBS, STEP)),
        "below",
        2.5,
        f"ESS per sweep, {MEANS} / Gibbs, where it is largest",
        words=f"A sweep with weights and means out is worth at most {RATIO} sweeps of Gibbs "
        "sampling.",
    )
    yield Claim(
        "collapse never loses to NUTS",
        "In every setting Gibbs sampling with weights and means out has at least 90% of the ESS "
        "per pass of NUTS in the moments with pooled gaps.",
        PROJECT,
        question(contest, "least", (MEANS, RATE, (POOLED,))),
        "above",
        0.9,
        f"ESS per pass, {MEANS} / {POOLED}, where it is least",
        words=f"With weights and means out Gibbs sampling has {SHARE} of the ESS per pass of NUTS "
        "in the moments with pooled gaps where it is worst.",
    )
    for separation, weight in SETTINGS:
        yield Claim(
            f"means out, for a sweep, separation {separation:g}, weight {weight:g}",
            f"At separation {separation:g} and weight {weight:g} a sweep with weights and means "
            "out gives more ESS.",
            LIU,
            question(
                contest, "ratio", (MEANS, GIBBS, STEP), separation=separation, weight=weight
            ),
            "above",
            1.0,
            f"ESS per sweep, {MEANS} / Gibbs",
            words=f"At separation {separation:g} and weight {weight:g} a sweep with weights and "
            f"means out is worth {RATIO} sweeps of Gibbs sampling.",
        )  # fmt: skip


CLAIMS = tuple(_families())


# --- figures and grid -----------------------------------------------------------------------------


def rate_figure(result: StudyResult) -> Figure:
    """Sorted ESS per 1,000 passes, and the median cost of a sweep in passes."""
    one = contest(result.tables[NAME])
    rates = 1000 * one.typical(RATE).reindex(CONTENDERS)
    cost = one.rows.groupby("contender")["cost"].median()
    return by_setting(rates, "{:.3g}".format, cost=cost)


def slowest_figure(result: StudyResult) -> Figure:
    """Percentage of runs in which a quantity has the smallest ESS, converged or not."""
    rows = result.tables[NAME]
    grid = pd.crosstab(rows["contender"], rows["slowest"], normalize="index")
    figure, axes = panels(1, 1, (5.6, 3.0))
    heat(axes[0, 0], 100 * grid.reindex(CONTENDERS), "{:.0f}".format, colours="cividis")
    return figure


study = Study(
    name=NAME,
    question="Does integrating the weights, and the means, out speed Gibbs sampling up?",
    source="Liu 1994, JASA 89, 958-966; van Dyk & Park 2008, JASA 103, 790-796",
    experiments={
        NAME: Experiment(
            cell,
            factors={
                "contender": CONTENDERS,
                "separation": (1.0, 2.0, 3.0, 4.0, 8.0),
                "weight": (0.5, 0.1),
                "replicate": REPLICATES,
            },
            sizes={
                "smoke": {
                    "contender": (WEIGHTS, MEANS),
                    "separation": (8.0,),
                    "weight": (0.5,),
                    "replicate": REPLICATES[:1],
                },
                "laptop": by_data_set(SETTINGS, REPLICATES[:12]),
                "cluster": by_data_set(SETTINGS, REPLICATES),
            },
        ),
    },
    claims=CLAIMS,
    figures={"rate": rate_figure, "slowest": slowest_figure},
    answer=tuple(f"{which}, for a pass" for which in (WEIGHTS, MEANS)),
    chief=(
        f"{MEANS}, for a sweep",
        "a sweep gains a factor of two at most",
        "collapse never loses to NUTS",
    ),
)
