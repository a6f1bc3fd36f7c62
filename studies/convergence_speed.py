"""How many passes do EM, ECM and gradient ascent need in each parameterization?

EM, ECM, gradient ascent (a fixed step and the fair one) and the natural gradient start from the
same over-dispersed points, in every parameterization where they apply. A pass is one evaluation of
all responsibilities. With `free` = means, weights and scales are known.

``passes_2``, ``passes_4`` and ``passes_8`` are what one success costs with restarts (expected
running time): the passes of all starts, each counted to where it comes within 1e-2, 1e-4 or 1e-8
nats of the best log likelihood or to its end, over the number of successes; without any success
all passes are charged, a lower bound. ``arrived_4`` are the mean passes of the successes alone, and
``share_4`` counts them: claims take the two apart, so that no failure is charged into a ratio. The
log likelihood is that of the best interior optimum of EM from 60 starts; a start that ends
more than 1e-2 nats above it has run off to a spurious maximum (``beyond``) and is no success.
`optimising_and_sampling` asks about MAP and NUTS.

Source: Esser & Nielsen 2022 for the relative coordinates; Amari 1998 for the natural gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.natural import NaturalGradient
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.blocks import (
    MILESTONES,
    PARAMETERIZATIONS,
    STARTS,
    Block,
    errors,
    references,
    samples,
    speed,
)
from ordered_mix.study.drawing import SEPARATION, Look, curves, heat, legend, looks, panels
from ordered_mix.study.effects import mean, paired_ratio, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

PAPER = "Esser & Nielsen 2022, sections 3 and 5"
STEP = 0.1  # stable in all coordinates: their limits at the singular point are 4 and 1.6
RUN = Stop(log_likelihood=1e-11, passes=2000)
# the information is inverted at every iteration, which takes longer than a pass
SHORT_RUN = Stop(log_likelihood=1e-11, passes=100)
GRADIENTS: dict[str, Any] = {"gradient_fixed": STEP, "gradient_fair": "largest_stable"}
ESTIMATORS = ("em", "ecm", *GRADIENTS, "natural")
PAIR = ("unordered", "relative")


def cell(
    seed: int, estimator: str, parameterization: str, free: str, separation: float, n: int,
    sets: int, batch: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """One row for each data set of the block; all randomness is that of its data and starts."""
    block = Block(separation, n, sets, batch, free)
    starts = [block.starts(y, r) for y, r in zip(samples(block), block.replicates, strict=True)]
    data = Data(np.stack([y.y for y in samples(block)])[:, None])
    fit = climb(block, estimator, parameterization, data, Mixture.stack(starts))
    rows = []
    for index, (replicate, best) in enumerate(
        zip(block.replicates, references(block), strict=True)
    ):
        trace = (fit.trace.passes[:, index], fit.trace.objective[:, index])
        row, pick = speed(*trace, fit.passes[index], fit.status[index], best.log_likelihood)
        rows.append({"replicate": replicate, **row, **errors(block, fit.mixture[index, pick])})
    return rows


def climb(block: Block, estimator: str, name: str, data: Data, starts: Mixture) -> Fit:
    """Fits of all data sets from all starts."""
    if estimator in ("em", "ecm"):
        sweep = EM if estimator == "em" else ECM
        model = catalog.parameterization(PARAMETERIZATIONS[name], 2)
        return sweep(frozen=block.frozen, stop=RUN, snapshots=1000).fit(model, data, starts)
    coordinates = block.coordinates(name)
    if estimator == "natural":
        ascent = NaturalGradient(
            damping=1e-3, coordinates="unconstrained", stop=SHORT_RUN, snapshots=1000
        )
        return ascent.fit(coordinates, data, starts)
    step = GRADIENTS[estimator]
    climber = GradientAscent(step=step, coordinates="free", stop=RUN, snapshots=1000)
    return climber.fit(coordinates, data, starts)


def skip(estimator: str, parameterization: str, free: str, **others: Any) -> str | None:
    """Why a combination is left out."""
    try:
        Block(0.0, 2, 1, 0, free).coordinates(parameterization)
    except NotApplicable as reason:
        return str(reason)
    name, options = catalog.split(PARAMETERIZATIONS[parameterization])
    if estimator == "em" and name != "unordered":
        return "EM visits the same mixtures in all coordinates: see unordered"
    if estimator == "ecm" and name in ("unordered", "ordered"):
        return "ECM on the means themselves is EM, on ordered means it is that of relative"
    if estimator == "ecm" and name == "moment":
        return "these coordinates have no closed conditional maxima"
    if estimator == "ecm" and options:
        return "a conditional maximum is the same for every link of the gap: see relative"
    if estimator in GRADIENTS and name == "ordered":
        return "the free coordinates are the means themselves: see unordered"
    if estimator in GRADIENTS and options:
        return "the free coordinate is the gap itself for every link: see relative"
    return None


# --- claims ---------------------------------------------------------------------------------------

NEAR = (0.0, 0.2, 0.5, 1.0)
MAIN = (0.0, 0.5, 2.0, 4.0)
UNIT = ["separation", "replicate"]
POINTS = 200


def runs(table: pd.DataFrame, free: str = "all") -> pd.DataFrame:
    """Runs on 200 points, on which the claims are tested, and the name of each."""
    rows = table[(table["free"] == free) & (table["n"] == POINTS)]
    return rows.assign(runner=rows["estimator"] + " " + rows["parameterization"])


def near(table: pd.DataFrame, first: str, second: str, free: str, value: str) -> pd.DataFrame:
    """A measure of two runners on the data sets near the singularity."""
    rows = runs(rows_of(table, (value,)), free)
    rows = rows[rows["runner"].isin((first, second)) & rows["separation"].isin(NEAR)]
    wide = rows.pivot(index=UNIT, columns="runner", values=value)
    return wide.reindex(columns=[first, second]).astype(float)


def slowdown(table: pd.DataFrame, first: str, second: str, free: str = "means") -> Effect:
    """Passes of the first for one of the second, of starts that arrive, where some of both do."""
    both = near(table, first, second, free, "arrived_4").dropna()
    return paired_ratio(both[first], both[second])


def arrivals(table: pd.DataFrame, first: str, second: str, free: str = "means") -> Effect:
    """Share of the starts that arrive, of the first less the second."""
    both = near(table, first, second, free, "share_4")
    if both.isna().any(axis=None):
        raise ValueError(f"{int(both.isna().sum().sum())} runs are missing")
    return mean(both[first] - both[second])


PASSES = "passes for one to 1e-4 nats, starts that arrive"
SHARES = "difference of the shares of starts that arrive"


def _words(subject: str, other: str) -> tuple[str, str, str]:
    start = f"{subject} in relative coordinates takes {{0:.2f}} [{{1:.2f}}, {{2:.2f}}] passes for "
    start += f"one of {other} at separations up to 1"
    return f"{start}: fewer.", f"{start}: more.", f"{start}: no clear difference."


def _pair(name: str, subject: str, rival: str, words: Any, *runners: str) -> Iterator[Claim]:
    where = "at separations up to 1"
    yield Claim(
        name, f"{subject} in relative coordinates needs fewer passes than {rival} {where}, of "
        "starts that arrive.", PAPER, partial(slowdown, first=runners[0], second=runners[1],
        free=runners[2]), "below", 1.0, PASSES, words=words,
    )  # fmt: skip
    yield Claim(
        f"{name}, arrivals",
        f"{subject} in relative coordinates brings no more than 5 in 100 starts fewer to the best "
        f"optimum than {rival} {where}.", PAPER, partial(arrivals, first=runners[0],
        second=runners[1], free=runners[2]), "above", -0.05, SHARES,
    )  # fmt: skip


CLAIMS = (
    *(
        claim
        for step, told, words in (
            ("fixed", "the paper's fixed step", "a fixed"),
            ("fair", "the fair step, a share of the stability limit of each coordinate system,",
             "the fair"),
        )
        for claim in _pair(
            f"relative gradient, {step} step",
            f"With means free and {told} gradient ascent", "in original ones",
            _words(f"With means free and {words} step, gradient ascent", "the means themselves"),
            f"gradient_{step} relative", f"gradient_{step} unordered", "means",
        )
    ),
    *_pair(
        "relative ECM near the singularity", "With means free ECM", "EM",
        _words("With means free, ECM", "EM"), "ecm relative", "em unordered", "means",
    ),
    *_pair(
        "relative ECM, all free", "With weights and scales free too, ECM", "EM",
        _words("With everything free, ECM", "EM"), "ecm relative", "em unordered", "all",
    ),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

TITLE = {
    "em unordered": "EM",
    "ecm relative": "ECM, relative",
    "gradient_fair unordered": "gradient, fair step, unordered",
    "gradient_fair relative": "gradient, fair step, relative",
    "natural unordered": "natural gradient",
}
STYLES = looks(TITLE.values())
FLOOR, CEILING = 1e-9, 1e3


def _titled(table: pd.DataFrame, free: str = "all") -> pd.DataFrame:
    rows = runs(table, free)
    return rows.assign(line=rows["runner"].map(TITLE))


def traces_figure(result: StudyResult) -> Figure:
    """Nats that the best start is short of the best: medians and quartiles over data sets."""
    rows = _titled(result.tables["convergence_speed"])
    found = sorted(rows["separation"].unique())
    chosen = [s for s in (0.5, 2.0, 4.0) if s in found] or found[:3]
    figure, grid = panels(1, len(chosen), (9, 4.2), sharey=True)
    for axes, separation in zip(grid[0], chosen, strict=False):
        part = rows[rows["separation"] == separation]
        for line, look in STYLES.items():
            _trace(axes, part[part["line"] == line], line, look)
        axes.set(xscale="log", yscale="log", xlabel="passes of each start")
        axes.set_title(f"separation {separation:g} sigma", fontsize="medium")
    grid[0, 0].set_ylabel(f"nats below the best, best of {STARTS} starts")
    return legend(figure, grid)


def _trace(axes: Axes, rows: pd.DataFrame, line: str, look: Look) -> None:
    if rows.empty:
        return
    # infinite values stay apart
    levels = [
        np.quantile(rows[f"short_{after}"], [0.25, 0.5, 0.75], method="nearest")
        for after in MILESTONES
    ]
    low, middle, high = np.clip(levels, FLOOR, CEILING).T
    axes.fill_between(MILESTONES, low, high, color=look.color, alpha=0.12, linewidth=0)
    axes.plot(MILESTONES, middle, **look._asdict(), ms=4, lw=1.1, label=line)


def curves_figure(result: StudyResult) -> Figure:
    """Passes for one success against the separation, with 95% intervals over data sets."""
    figure, grid = panels(1, 2, (9, 4.6), sharey=True)
    for axes, free in zip(grid[0], ("all", "means"), strict=True):
        rows = _titled(result.tables["convergence_speed"], free)
        curves(axes, rows, "passes_4", "line", STYLES, log=True)
        known = "all parameters free" if free == "all" else "means free"
        axes.set_title(f"{known}, n = {POINTS}", fontsize="medium")
    grid[0, 0].set_ylabel("passes to 1e-4 nats")
    return legend(figure, grid)


def quality_figure(result: StudyResult) -> Figure:
    """Share of the starts that reach the best optimum, and the error, against the separation."""
    rows = _titled(result.tables["convergence_speed"])
    figure, ((left, right),) = panels(1, 2, (9, 4.6))
    curves(left, rows, "share_2", "line", STYLES)
    left.set(ylabel="share of starts within 1e-2 nats of the best", ylim=(-0.03, 1.03))
    curves(right, rows, "wasserstein", "line", STYLES)
    right.set_ylabel("Wasserstein distance to the truth / sigma")
    right.set_ylim(bottom=0)
    return legend(figure, (left, right))


RATIOS = {
    "ECM, relative / EM": ("ecm relative", "em unordered"),
    "gradient, fair step: relative / unordered": (
        "gradient_fair relative", "gradient_fair unordered",
    ),
}  # fmt: skip


def ratio_figure(result: StudyResult) -> Figure:
    """Passes of relative coordinates for one of the others, all free, over separation and n."""
    table = result.tables["convergence_speed"]
    rows = table[table["free"] == "all"]
    runner = rows["estimator"] + " " + rows["parameterization"]
    figure, grid = panels(1, 2, (9, 2.8))
    for axes, (title, names) in zip(grid[0], RATIOS.items(), strict=True):
        ratio = pd.DataFrame()
        if len(rows):
            parts = [rows[runner == name].set_index(["n", *UNIT])["passes_4"] for name in names]
            logs = np.log2(parts[0]) - np.log2(parts[1])
            ratio = logs.groupby(["n", "separation"]).mean().unstack()
        heat(axes, ratio, lambda value: f"{2**value:.2g}", "RdBu_r", (-3, 3))
        axes.set_title(title, fontsize="medium")
        axes.set(xlabel=SEPARATION, ylabel="n")
    return figure


# --- sizes ----------------------------------------------------------------------------------------

SEPARATIONS = (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)
COUNTS = (50, 200, 1000)
SWEEPS = ("em", "ecm", *GRADIENTS)
LIGHT = ("em", "ecm", "gradient_fair")
LINEAR = (*PAIR, "centred", "signed")


def _grid(**changes: Any) -> dict[str, Any]:
    """A grid of sets of 200 points, everything free, ten at a time."""
    usual = {"free": ("all",), "separation": MAIN, "n": (POINTS,), "sets": (10,), "batch": (0,)}
    return {**usual, **changes}


MEANS = {"free": ("means",), "separation": (*NEAR, 2.0, 4.0), "batch": (0, 1)}
SMOKE = {"separation": (0.5,), "sets": (4,), "parameterization": PAIR}
# the natural gradient and coordinates that are no linear function of the means are slow
LAPTOP = (
    _grid(batch=(0, 1), estimator=SWEEPS, parameterization=LINEAR),
    _grid(separation=(0.5, 2.0)),
    _grid(separation=(0.2, 1.0, 1.5, 3.0, 8.0), estimator=LIGHT, parameterization=PAIR),
    _grid(n=(50, 1000), estimator=LIGHT, parameterization=PAIR),
    _grid(**MEANS, estimator=SWEEPS, parameterization=PAIR),
    _grid(**{**MEANS, "separation": (0.5, 2.0), "batch": (0,)}),
)
CLUSTER = (
    _grid(separation=SEPARATIONS, n=COUNTS, batch=range(10)),
    _grid(**{**MEANS, "batch": range(10)}, n=COUNTS),
)

study = Study(
    name="convergence_speed",
    question="How many passes do EM, ECM and gradient ascent need in each parameterization?",
    source="Esser & Nielsen 2022; Amari 1998",
    experiments={
        "convergence_speed": Experiment(
            cell=cell,
            factors={
                "free": ("all", "means"),
                "separation": SEPARATIONS,
                "n": COUNTS,
                "sets": (4, 10),
                "batch": range(10),
                "parameterization": tuple(PARAMETERIZATIONS),
                "estimator": ESTIMATORS,
            },
            sizes={
                "smoke": (_grid(**SMOKE), _grid(**SMOKE, free=("means",), estimator=SWEEPS)),
                "laptop": LAPTOP,
                "cluster": CLUSTER,
            },
            skip=skip,
            structure=("free", "separation", "n", "batch"),
        )
    },
    claims=CLAIMS,
    figures={
        "traces": traces_figure,
        "passes against separation": curves_figure,
        "success and error": quality_figure,
        "relative against unordered": ratio_figure,
    },
    answer=("relative ECM near the singularity", "relative gradient, fair step"),
    chief=(
        "relative gradient, fair step",
        "relative ECM near the singularity",
        "relative ECM, all free, arrivals",
    ),
)
