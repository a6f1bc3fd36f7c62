"""Does a step size that depends on the position beat one for the whole posterior?

Where components come close the posterior is narrow in some places and wide in others, which no
single mass matrix or step size suits. A metric that varies with the position (Girolami & Calderhead
2011, JRSS B 73, 123-214; softabs, Betancourt 2013) has an implicit step: about five evaluations of
the Hessian and one of its derivatives, by our count ten passes and more. The most that it could win
is what lies between overlapping and separated components, where one mass matrix is right: 48 and
345 effective draws for 1,000 passes in `interweaving`, a factor of seven. So it was not tried.
Halving the step where it is too long costs less. In WALNUTS (Bou-Rabee, Carpenter, Kleppe & Liu
2026, JMLR 27(113)) a step of a trajectory is halved until its energy error is small enough, and
the trajectory ends where the reversed step would have been halved less often. Here it is their
deterministic variant with the settings of their library: an error of at most 0.5, five halvings at
most, and steps of which the first attempts have a mean acceptance of 0.8. All attempts, and those
of the reversed steps, are counted as passes.

Both kernels are our own and differ in the steps alone. They run in the moments with pooled gaps,
the best coordinates where components overlap, and in ordered means, whose log gap makes a funnel.
The mass matrix is dense: from 250 sweeps of Gibbs sampling, then from windows of 75, 100, 225 and
100 trajectories, the last for the step size. Four chains of 1,000 trajectories follow, from random
starts that all contenders share. nutpie's NUTS, 1,000 + 1,000 draws, stands beside them.

Two components of unit scale, 200 points, the adaptive prior. ESS is the smallest bulk ESS of sorted
draws, compared where both runs have converged, a sorted R-hat of at most 1.01. Settings,
contenders, sizes and margins were written before the first result was read, eight data sets a
setting after one run of each contender was timed.
"""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import CFUNCTYPE, c_int64, c_uint64, c_void_p, cast
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import arviz_stats
import numba
import numpy as np
import pandas as pd

from ordered_mix.arrays import Array
from ordered_mix.data import Data
from ordered_mix.draws.rhat import rhat
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.moves.density import posterior
from ordered_mix.samplers.moves.inputs import standard_sample
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Experiment, Study
from ordered_mix.study.contenders import by_data_set, question
from ordered_mix.study.contest import Contest, with_rates
from ordered_mix.study.drawing import by_setting, heat, panels
from ordered_mix.study.effects import rows_of
from ordered_mix.study.experiment import in_four_digits
from ordered_mix.study.sentences import RATIO
from ordered_mix.study.trajectory import Density, DualAveraging, Phase, Walk, factor_of
from ordered_mix.study.truths import shared_problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

NAME, PROJECT = "local_steps", "a question of this project"
PAPER = "Bou-Rabee, Carpenter, Kleppe & Liu 2026, JMLR 27(113)"
BEST, ORDERED = "moment(gap=pooled)", "ordered"
KINDS = {"pooled": BEST, "ordered": ORDERED}
NUTPIE = "nutpie, pooled"
CONTENDERS = (*(f"{name}, {kind}" for kind in KINDS for name in ("NUTS", "WALNUTS")), NUTPIE)
SETTINGS = ((1.0, 0.5), (2.0, 0.5), (3.0, 0.5), (8.0, 0.5), (3.0, 0.1), (4.0, 0.1))
SET = ("separation", "weight", "replicate")
REPLICATES = range(800, 900)
CHAINS, POINTS = 4, 200
SWEEPS, SETTLED = 200, 50
WINDOWS, ITERATIONS = (75, 100, 225, 100), 1000
TOLERANCE, HALVINGS = 0.5, 5
DIVERGENCES = "divergences_per_1000"


# --- the kernel -----------------------------------------------------------------------------------


class Halving(Walk):
    """NUTS with steps that are halved until their energy error is small enough.

    Attributes
    ----------
    steps, halved, irreversible, kept : int
        Steps; those that were halved; those that end their trajectory as the reversed step is
        halved less often; gradients that steps are made of, without attempts and checks.
    """

    def __init__(self, density: Density, z: Array, rng: np.random.Generator) -> None:
        super().__init__(density, z, rng)
        self.steps = self.halved = self.irreversible = self.kept = 0
        self.first: list[float] = []

    def leap(self, phase: Phase, side: int) -> Phase:
        """One step, of as many leapfrog steps as it needs; without a height if there is none."""
        self.steps += 1
        for halvings in range(HALVINGS + 1):
            new = self.finer(phase, side, halvings)
            error = abs(new.energy - phase.energy)
            if halvings == 0:
                self.first.append(float(np.exp(-error)) if error == error else 0.0)
            if error <= TOLERANCE:
                break
        else:
            return new._replace(height=np.nan)
        self.halved += halvings > 0
        self.kept += 2**halvings
        if any(self.accepts(new, -side, fewer) for fewer in range(halvings)):
            self.irreversible += 1
            return new._replace(height=np.nan)
        return new

    def accepts(self, phase: Phase, side: int, halvings: int) -> bool:
        """Whether a step that is halved so often has a small enough error."""
        return abs(self.finer(phase, side, halvings).energy - phase.energy) <= TOLERANCE

    def finer(self, phase: Phase, side: int, halvings: int) -> Phase:
        """A step made of leapfrog steps, given up where the density is not finite."""
        whole = self.step
        self.step = whole / 2**halvings
        for _ in range(2**halvings):
            phase = super().leap(phase, side)
            if not np.isfinite(phase.height):
                break
        self.step = whole
        return phase

    def trajectory(self) -> None:
        """One transition; the acceptance of first attempts is what the step size is set by."""
        self.first.clear()
        super().trajectory()
        self.accepted = self.first.copy()


# --- runs -----------------------------------------------------------------------------------------


def run(walk: Walk, count: int, dual: DualAveraging | None = None) -> Array:
    """States of so many trajectories, shape (trajectory, dimension)."""
    states = np.empty((count, walk.here.z.size))
    # momenta of steps that are too long may overflow
    with np.errstate(over="ignore", invalid="ignore"):
        for state in states:
            walk.trajectory()
            state[:] = walk.here.z
            if dual:
                dual()
            else:
                walk.accepted.clear()
    return states


def adapt(walk: Walk, z: Array) -> None:
    """Adapt the mass matrix, first that of some draws, and the step size."""
    walk.factor = factor_of(z)
    for at, window in enumerate(WINDOWS):
        dual = DualAveraging(walk)
        states = run(walk, window, dual)
        dual.finish()
        if at < len(WINDOWS) - 1:
            walk.factor = factor_of(states)


def walked(
    contender: str, data: Data, starts: Mixture, seed: int
) -> tuple[Mixture, dict[str, float]]:
    """Draws of four chains of one of our kernels, and what they took."""
    name, kind = contender.split(", ")
    model = catalog.parameterization(KINDS[kind], 2, default_prior(data))
    own = standard_sample(model, data)
    first = Gibbs(draws=SWEEPS, tune=SETTLED).sample(model, data, starts, seed % 2**31)
    z = own.parameterization.unconstrain_unchecked(own.inwards(first.mixture))
    density_here = compiled(posterior(own.parameterization, own.data, 1.0))
    seeds = np.random.SeedSequence(seed).spawn(CHAINS)
    states, walks = [], []
    for begin, one in zip(z, seeds, strict=True):
        rng = np.random.Generator(np.random.Philox(one))
        walk = {"NUTS": Walk, "WALNUTS": Halving}[name](density_here, begin[-1], rng)
        adapt(walk, begin)
        for count in counts(walk):
            setattr(walk, count, 0)
        states.append(run(walk, ITERATIONS))
        walks.append(walk)
    mixture = own.parameterization.forward(np.stack(states)).affine(data.location, data.scale)
    return mixture, taken(walks)


def compiled(model: Any) -> Density:
    """Log density and gradient as nutpie sees them, both NaN where it gives up."""
    call = _caller(cast(model.compiled_logp_func.ctypes, c_void_p).value)
    # the model, and not its numbers alone: they are addresses of arrays that live as long as it
    return lambda z: call(z, model.user_data)


@lru_cache(maxsize=4)
def _caller(address: int) -> Any:
    function = CFUNCTYPE(c_int64, c_uint64, *[c_void_p] * 4)(address)

    @numba.njit
    def call(z: Array, given: Array) -> tuple[float, Array]:
        n = z.size
        out = np.empty(n + 1)
        value = out.ctypes.data + n * out.itemsize
        if function(n, z.ctypes.data, out.ctypes.data, value, given.ctypes.data):
            out[:] = np.nan
        return out[n], out[:n]

    return call


def counts(walk: Walk) -> tuple[str, ...]:
    """Names of what a kernel counts."""
    own = ("steps", "halved", "irreversible", "kept") if isinstance(walk, Halving) else ()
    return ("leaps", "divergences", *own)


def taken(walks: list[Any]) -> dict[str, float]:
    """Passes, divergences and, of local steps, how many are halved and what that costs."""
    total = {name: sum(getattr(walk, name) for walk in walks) for name in counts(walks[0])}
    draws = len(walks) * ITERATIONS / 1000
    ended = total.get("irreversible", 0)
    row = {"passes": total["leaps"], DIVERGENCES: (total["divergences"] - ended) / draws,
           "step": float(np.exp(np.mean(np.log([walk.step for walk in walks]))))}  # fmt: skip
    if "steps" in total:
        row |= {"irreversible_per_1000": ended / draws,
                "halved": total["halved"] / total["steps"],
                "kept": total["kept"] / total["leaps"]}  # fmt: skip
    return row


def cell(
    seed: int, contender: str, separation: float, weight: float, replicate: int
) -> list[dict[str, Any]]:
    """One run of one contender on one data set."""
    data, starts = shared_problem(separation, weight, POINTS, replicate, CHAINS)
    if contender == NUTPIE:
        model = catalog.parameterization(BEST, 2, default_prior(data))
        sampler = NUTS(draws=ITERATIONS, tune=1000, adaptation="dense")
        draws = sampler.sample(model, data, starts, seed % 2**31)
        mixture = draws.mixture
        divergent = 1000 * float(draws.statistics["diverging"].mean())
        row = {"passes": int(draws.passes.sum()), DIVERGENCES: divergent}
    else:
        mixture, row = walked(contender, data, starts, seed)
    one = mixture.sorted()
    values = [one.w[..., 0], *np.moveaxis(one.mu, -1, 0), *np.moveaxis(one.sigma, -1, 0)]
    ess = [arviz_stats.ess(x, method="bulk", chain_axis=0, draw_axis=1) for x in values]
    return [in_four_digits({"ess": min(ess), "rhat": max(map(rhat, values)), **row})]


# --- from the table to effects --------------------------------------------------------------------


def contest(table: pd.DataFrame, **where: Any) -> Contest:
    """All contenders on these rows."""
    return Contest(with_rates(rows_of(table, (DIVERGENCES,), **where)), SET, SET[:2])


def _claim(
    name: str, statement: str, rule: tuple[str, float, str], method: str, *given: Any,
    source: str = PROJECT, words: str = "",
) -> Claim:  # fmt: skip
    effect: Any = question(contest, method, given)
    return Claim(name, statement, source, effect, *rule, words=words)


def _claims() -> Iterator[Claim]:
    for kind in KINDS:
        local, one = f"WALNUTS, {kind}", f"NUTS, {kind}"
        where = {"pooled": "In the moments with pooled gaps", "ordered": "In ordered means"}[kind]
        unit = "ESS per pass, local steps / one step size"
        yield _claim(
            f"local steps are faster, {kind}",
            f"{where} local steps have a larger ESS per pass over all settings.",
            ("above", 1.0, unit), "ratio", local, one, "log_rate", source=PAPER,
            words=f"{where} steps that are halved where they are too long have {RATIO} times the "
            "ESS per pass of one step size.",
        )  # fmt: skip
        yield _claim(
            f"local steps do not diverge, {kind}",
            f"{where} local steps have fewer than 1 divergence in 1,000 draws in every setting.",
            ("below", 1.0, "divergences per 1,000 draws, where they are most frequent"),
            "largest", local, DIVERGENCES, source=PAPER,
        )  # fmt: skip
        yield _claim(
            f"one step size diverges, {kind}",
            f"{where} one step size has more than 1 divergence in 1,000 draws in some setting.",
            ("above", 1.0, "divergences per 1,000 draws, where they are most frequent"),
            "largest", one, DIVERGENCES,
        )  # fmt: skip
    yield _claim(
        "local steps pay somewhere",
        "In the moments with pooled gaps local steps have at least 1.1 times the ESS per pass "
        "somewhere.", ("above", 1.1, f"{unit}, where it is largest"), "most",
        "WALNUTS, pooled", "NUTS, pooled", "log_rate",
        words=f"In the moments with pooled gaps they have {RATIO} times as much where they pay "
        "most.",
    )  # fmt: skip
    yield _claim(
        "local steps never lose",
        "In the moments with pooled gaps local steps have at least 90% of the ESS per pass "
        "everywhere.", ("above", 0.9, f"{unit}, where it is least"), "least",
        "WALNUTS, pooled", "log_rate", ("NUTS, pooled",),
        words=f"Where they pay least they have {RATIO} times as much.",
    )  # fmt: skip
    yield _claim(
        "local steps mend ordered means",
        "In ordered means more runs converge with local steps.",
        ("above", 0.0, "difference of shares, local steps less one step size"),
        "converges_more", "WALNUTS, ordered", "NUTS, ordered",
    )  # fmt: skip


CLAIMS = tuple(_claims())


# --- figures and grid -----------------------------------------------------------------------------


def rate_figure(result: StudyResult) -> Figure:
    """Sorted ESS per 1,000 passes, geometric means over the runs that converge."""
    rates = contest(result.tables[NAME]).typical("log_rate")
    return by_setting(1000 * rates.reindex(CONTENDERS))


def divergence_figure(result: StudyResult) -> Figure:
    """Divergences per 1,000 draws of all runs, converged or not."""
    rows = contest(result.tables[NAME]).rows
    grid = rows.groupby(["contender", *SET[:2]])[DIVERGENCES].mean().unstack(list(SET[:2]))
    return by_setting(grid.reindex(CONTENDERS), "{:.2g}".format)


def step_figure(result: StudyResult) -> Figure:
    """Percentage of steps that are halved, of passes that steps are made of; median step size."""
    by = result.tables[NAME].groupby("contender")
    grid = 100 * by[["halved", "kept"]].mean()
    grid["irreversible per 1,000"] = by["irreversible_per_1000"].mean()
    grid["step"] = by["step"].median()
    figure, axes = panels(1, 1, (6.4, 2.4))
    heat(axes[0, 0], grid.reindex(CONTENDERS[:-1]), "{:.3g}".format, colours="cividis")
    return figure


study = Study(
    name=NAME,
    question="Does a step size that depends on the position beat one for the whole posterior?",
    source=PAPER,
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
                    "contender": ("WALNUTS, pooled",),
                    "separation": (8.0,),
                    "weight": (0.5,),
                    "replicate": REPLICATES[:1],
                },
                "laptop": by_data_set(SETTINGS, REPLICATES[:8]),
                "cluster": by_data_set(SETTINGS, REPLICATES),
            },
        ),
    },
    claims=CLAIMS,
    figures={"rate": rate_figure, "divergences": divergence_figure, "steps": step_figure},
    answer=tuple(f"local steps are faster, {kind}" for kind in KINDS),
    chief=(
        "local steps never lose",
        "local steps do not diverge, ordered",
        "local steps mend ordered means",
    ),
)
