"""How fast is a mixture learned that has more components than the truth?

More components than the truth has (over-specified, over-parameterized) make the likelihood flatter
at its top. Newer theory says how much, as its abstracts state:

- *Gradient EM* on data of one normal, any number of components, comes to the truth at the sublinear
  rate O(1/sqrt(t)) of its loss (Xu, Fazel & Du 2024). Here weights and scales are known, and it is
  gradient ascent with step 1 on the population's log likelihood, from random means.
- Two components of unequal known weights at -+theta: EM shrinks theta by a constant factor; equal
  weights: exponentially slower (Dwivedi et al. 2020; for means on a simplex Assylbekov, Legg & Pak
  2025). The derivative of the map at 0 is 4 w (1 - w).
- Several short gradient steps and then one of Polyak's length, excess loss / |gradient|^2, converge
  linearly near the truth (Wang, Fazel & Charisopoulos 2026).
- A repulsive prior exp(-tau / gap^nu) (Petralia, Rao & Dunson 2012) is a soft clearance: against
  the loss c^2 gap^4 / 4 of n points, c = w (1 - w), the most probable gap is of order
  n^(-1/(4 + nu)).

Only the abstracts of the newer papers were at hand: settings they do not give are those above.
Excess losses are Kullback-Leibler divergences from the truth, on a grid (nats for one point).
Twenty starts of gradient EM left a claim undecided; these are a hundred others, a number chosen
before.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from ordered_mix.data import Data, population
from ordered_mix.mixture import Array, Mixture
from ordered_mix.passes.kernels import e_step
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import nothing, panels
from ordered_mix.study.effects import exact, furthest, median, paired_ratio, rows_of, share
from ordered_mix.study.experiment import SIZES as STUDY_SIZES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

GRID = 0.2
TIMES = 2 ** np.arange(4, 15)
PAIRS, SWEEPS = (0.5, 0.6, 0.7, 0.9), 2**14
LEVELS = {"passes_4": 1e-4, "passes_6": 1e-6, "passes_8": 1e-8}
SHORT, BUDGET = 10, 2**17
TAU, POWERS, SIZES = 1.0, (1.0, 2.0), 10.0 ** np.arange(2, 9)


def gradient_cell(seed: int, fitted: int, weights: str, starts: int) -> list[dict[str, Any]]:
    """Gradient EM from independent random means."""
    w = np.ones(fitted) if weights == "equal" else np.arange(1.0, fitted + 1)
    return gradient(np.random.default_rng(seed).normal(0, 2, (starts, fitted)), w / w.sum())


def polyak_cell(seed: int, true: int, fitted: int, starts: int) -> list[dict[str, Any]]:
    """Short steps, without and with Polyak steps between them, from independent starts."""
    return polyak(np.random.default_rng(seed), true, np.full(fitted, 1 / fitted), starts)


def truth_of(true: int) -> Mixture:
    """Unit normals of equal weight on the line, around 0."""
    means = np.asarray(4.0 * (np.arange(true) - (true - 1) / 2), dtype=np.float64)
    return Mixture(np.full(true, 1 / true), means, np.ones(true))


def loss_and_slope(data: Data, w: Array, mu: Array, best: float) -> tuple[Array, Array]:
    """Excess loss (starts,) and the gradient of the log likelihood in the means (starts, k)."""
    moments = e_step(data.y, w, mu, np.ones(len(w)), data.weight)
    return best - moments.log_likelihood, moments.s1


def height(truth: Mixture, data: Data) -> float:
    """Log likelihood of the truth for one point, by the same pass."""
    return float(e_step(data.y, truth.w, truth.mu, truth.sigma, data.weight).log_likelihood)


def gradient(mu: Array, w: Array) -> list[dict[str, Any]]:
    """Excess loss and largest mean of gradient EM at times a factor of 2 apart; true means 0."""
    truth = truth_of(1)
    data, rows = population(truth, GRID), []
    best = height(truth, data)
    for time in range(TIMES[-1] + 1):
        loss, slope = loss_and_slope(data, w, mu, best)
        if time in TIMES:
            largest = np.abs(mu).max(axis=1)
            for at, (a, b) in enumerate(zip(loss, largest, strict=True)):
                rows.append({"start": at, "time": time, "loss": float(a), "size": float(b)})
        mu = mu + slope
    return rows


def pair_cell(seed: int, weight: float) -> list[dict[str, Any]]:
    """Half the distance of two components at -+theta along EM, by sweeps; nothing is random."""
    data = population(truth_of(1), GRID)
    y, mass, rows = data.y, np.asarray(data.weight), []
    theta = 1.0
    for sweep in range(1, SWEEPS + 1):
        # responsibility of the component at theta, which has this weight
        r = 1 / (1 + (1 - weight) / weight * np.exp(-2 * theta * y))
        before, theta = theta, float(mass @ ((2 * r - 1) * y))
        if theta < 1e-5:
            break
        if sweep & (sweep - 1) == 0 or weight != 0.5:
            rows.append({"time": sweep, "size": theta, "rate": theta / before})
    return rows


def polyak(rng: np.random.Generator, true: int, w: Array, starts: int) -> list[dict[str, Any]]:
    """Passes to three levels of the excess loss, with steps of 1 alone and with Polyak steps."""
    truth = truth_of(true)
    data = population(truth, GRID)
    best = height(truth, data)
    centre = np.resize(truth.mu, len(w))
    begin = centre + rng.normal(0, 0.5, (starts, len(w)))
    rows = []
    for name, period in (("gradient", 0), ("short and Polyak", SHORT + 1)):
        mu, reached = begin, {level: np.full(starts, np.nan) for level in LEVELS}
        for passes in range(1, BUDGET + 1):
            loss, slope = loss_and_slope(data, w, mu, best)
            for level, bound in LEVELS.items():
                new = np.isnan(reached[level]) & (loss < bound)
                reached[level][new] = passes
            if not np.isnan(reached["passes_8"]).any():
                break
            step = np.ones(starts)
            if period and passes % period == 0:
                step = np.maximum(loss, 0) / np.maximum((slope**2).sum(axis=1), 1e-300)
            mu = mu + step[:, None] * slope
        for at in range(starts):
            levels = {key: float(values[at]) for key, values in reached.items()}
            rows.append({"start": at, "algorithm": name, **levels})
    return rows


def repulsion_cell(seed: int, power: float, points: float) -> list[dict[str, Any]]:
    """Most probable gap of two components under a repulsive prior; nothing is random."""
    truth, w = truth_of(1), np.full(2, 0.5)
    data = population(truth, GRID)
    best = height(truth, data)
    near = np.log(points / (16 * TAU * power)) / -(4 + power)  # of the loss gap^4 / 64

    def cost(log_gap: float) -> float:
        gap = float(np.exp(log_gap))
        loss, _ = loss_and_slope(data, w, np.array([[-gap / 2, gap / 2]]), best)
        return points * float(loss[0]) + TAU * gap**-power

    ends = (near - 1, near + 1)
    found = minimize_scalar(cost, bounds=ends, method="bounded", options={"xatol": 1e-9})
    return [{"size": float(np.exp(found.x))}]


# --- effects --------------------------------------------------------------------------------------


def exponents(table: pd.DataFrame, column: str, weights: str) -> dict[int, Array]:
    """Power of time between the last two times, of every start, by the number of components."""
    rows = rows_of(table, weights=weights)
    if rows.empty:
        raise ValueError(f"the table holds no gradient EM with {weights} weights")
    found = {}
    for fitted, part in rows.groupby("fitted"):
        wide = part.pivot(index="start", columns="time", values=column)
        times = sorted(wide)[-2:]
        ratio = np.log(wide[times[1]] / wide[times[0]]) / np.log(times[1] / times[0])
        found[int(fitted)] = ratio.to_numpy()
    return found


def fast_enough(table: pd.DataFrame) -> Effect:
    """Share of the starts whose loss falls faster than time to the power -1/2 at the end."""
    return share(np.concatenate(list(exponents(table, "loss", "equal").values())) < -0.5)


def off(table: pd.DataFrame, column: str, weights: str, power: float) -> Effect:
    """Largest distance of a mean exponent from the predicted one, over numbers of components."""
    return furthest([found - power for found in exponents(table, column, weights).values()])


def shrinking(table: pd.DataFrame) -> Effect:
    """Largest relative distance of the last rate from 4 w (1 - w), unequal weights."""
    errors = []
    for weight, part in table[table["weight"] != 0.5].groupby("weight"):
        rates = part.sort_values("time")["rate"].to_numpy()
        errors.append(np.abs(rates[[-1, -3]] / (4 * weight * (1 - weight)) - 1))
    return exact(*(float(value) for value in np.max(errors, axis=0)))


def balanced(table: pd.DataFrame) -> Effect:
    """Power of time of theta at equal weights, less -1/2."""
    rows = rows_of(table, weight=0.5).sort_values("time")
    slopes = np.diff(np.log(rows["size"])) / np.diff(np.log(rows["time"])) + 0.5
    return exact(float(slopes[-1]), float(slopes[-2]))


def polyak_runs(table: pd.DataFrame, algorithm: str) -> pd.DataFrame:
    rows = rows_of(table, algorithm=algorithm)
    if rows.empty or rows["passes_8"].isna().any():
        raise ValueError(f"{rows['passes_8'].isna().sum()} runs of {algorithm} are not at 1e-8")
    return rows


def flattening(table: pd.DataFrame, algorithm: str) -> Effect:
    """Passes from an excess loss of 1e-6 to 1e-8 for one from 1e-4 to 1e-6, median over starts."""
    rows = polyak_runs(table, algorithm)
    first = rows["passes_6"] - rows["passes_4"]
    return median((rows["passes_8"] - rows["passes_6"]) / np.maximum(first, 1))


def polyak_gain(table: pd.DataFrame) -> Effect:
    """Passes to 1e-8 with Polyak steps for one without."""
    both = (polyak_runs(table, name)["passes_8"] for name in ("short and Polyak", "gradient"))
    return paired_ratio(*both)


def soft_clearance(table: pd.DataFrame) -> Effect:
    """Largest error of the power of n, over powers of the prior."""
    errors = []
    for power, part in table.groupby("power"):
        part = part.sort_values("points")
        slopes = np.diff(np.log(part["size"])) / np.diff(np.log(part["points"]))
        errors.append(np.abs(slopes[-2:] + 1 / (4 + power)))
    before, last = np.max(errors, axis=0).tolist()
    return exact(last, before)


XU = "Xu, Fazel & Du 2024, arXiv 2407.00490"
SIMPLEX = "Assylbekov, Legg & Pak 2025, arXiv 2506.11850; Dwivedi et al. 2020, Ann. Stat. 48, 3161"
WANG = "Wang, Fazel & Charisopoulos 2026, arXiv 2605.30936"
PROJECT = "a question of this project"
POWER = "distance of the power of time, largest over numbers of components"
FLAT = "passes from 1e-6 to 1e-8 for one from 1e-4 to 1e-6, median"
OFF = "{0:.2f} [{1:.2f}, {2:.2f}]"
FACTOR = "{0:.1f} [{1:.1f}, {2:.1f}]"
CLAIMS = (
    Claim("gradient EM converges at 1/sqrt(t)",
          "From random means the loss of gradient EM with 2 to 6 components for one falls at least "
          "like 1/sqrt(time).",
          XU, fast_enough, "above", 0.95, "share of starts", of=("gradient",),
          words=(
              "With more components than the truth gradient EM comes to it at least like "
              "1/sqrt(time) from {0:.0%} [{1:.0%}, {2:.0%}] of random means.",
              "With more components than the truth gradient EM is stuck from many random means: "
              "its loss falls like 1/sqrt(time) from {0:.0%} [{1:.0%}, {2:.0%}] of them.",
              "Whether gradient EM comes to a truth of fewer components is undecided: it does from "
              "{0:.0%} [{1:.0%}, {2:.0%}] of random means.",
          )),
    Claim("the means converge like 1/sqrt(t)",
          "It is the means that converge like 1/sqrt(time).",
          "the expansion of the loss", partial(off, column="size", weights="equal", power=-0.5),
          "below", 0.05, POWER, of=("gradient",),
          words=f"The power of time of the means misses -1/2 by {OFF}."),
    Claim("the loss falls like 1/t^2",
          "The loss falls like 1/time^2, faster than the bound of 1/sqrt(time).",
          "the loss is of fourth order in the means",
          partial(off, column="loss", weights="equal", power=-2.0), "below", 0.1, POWER,
          of=("gradient",), words=f"That of the loss misses -2 by {OFF}."),
    Claim("unequal weights do not help free means",
          "Where all means are free, unequal known weights leave them at 1/sqrt(time).",
          PROJECT, partial(off, column="size", weights="unequal", power=-0.5),
          "below", 0.05, POWER, of=("gradient",),
          words=f"With unequal weights the power of free means misses -1/2 by {OFF}."),
    Claim("an unbalanced pair is exponentially fast",
          "With unequal known weights EM shrinks a pair at -+theta by the factor 4 w (1 - w) a "
          "sweep.",
          SIMPLEX, shrinking, "below", 0.01, "largest relative error of the factor", of=("pair",),
          words=(
              "A pair of unequal weights at -+theta shrinks by 4 w (1 - w) a sweep, to {0:.1g}.",
              "A pair of unequal weights at -+theta does not shrink by 4 w (1 - w) a sweep: off by "
              "{0:.1%}.",
              "Whether a pair of unequal weights at -+theta shrinks by 4 w (1 - w) a sweep is "
              "undecided ({0:.1%}).",
          )),
    Claim("a balanced pair is sublinear",
          "With equal weights theta falls like 1/sqrt(sweeps).",
          SIMPLEX, balanced, "within", 0.02, "power of time, less -1/2", of=("pair",),
          words="With equal weights the power of the sweeps differs from -1/2 by {0:.4f}."),
    Claim("short steps and Polyak steps are linear",
          "With a Polyak step after every ten short ones each hundredfold drop of the loss takes "
          "less than twice the passes of the one before.",
          WANG, partial(flattening, algorithm="short and Polyak"), "below", 2.0, FLAT,
          of=("polyak",),
          words=(
              "With a Polyak step after every ten short ones it is fast to the end: a hundredfold "
              f"drop of the loss takes {FACTOR} times the passes of the one before.",
              "With a Polyak step after every ten short ones it slows down, too: a hundredfold "
              f"drop of the loss takes {FACTOR} times the passes of the one before.",
              "Whether it slows down with a Polyak step after every ten short ones is undecided: a "
              f"hundredfold drop of the loss takes {FACTOR} times the passes of the one before.",
          )),
    Claim("short steps alone are not linear",
          "With short steps alone each hundredfold drop of the loss takes at least five times the "
          "passes of the one before.",
          WANG, partial(flattening, algorithm="gradient"), "above", 5.0, FLAT, of=("polyak",),
          words=f"With short steps alone such a drop takes {FACTOR} times the passes of the one "
          "before."),
    Claim("Polyak steps save passes",
          "To an excess loss of 1e-8 Polyak steps take less than a tenth of the passes.",
          PROJECT, polyak_gain, "below", 0.1, "passes for one of short steps alone",
          of=("polyak",),
          words="With Polyak steps the passes to an excess loss of 1e-8 are {0:.2g} [{1:.2g}, "
          "{2:.2g}] of those of short steps alone."),
    Claim("a repulsive prior is a soft clearance",
          "Under the prior exp(-1 / gap^nu) the most probable gap shrinks like n^(-1/(4 + nu)).",
          "Petralia, Rao & Dunson 2012, NeurIPS 25, on the prior; the power is this project's",
          soft_clearance, "below", 0.02, "largest error of the power of n", of=("repulsion",),
          words=(
              "The gap that a repulsive prior keeps shrinks like n^(-1/(4 + nu)), to {0:.2g} of "
              "the power; a clearance stays.",
              "The gap of a repulsive prior does not shrink like n^(-1/(4 + nu)): off by {0:.2g}.",
              "How the gap of a repulsive prior shrinks is undecided ({0:.2g}).",
          )),
)  # fmt: skip


def rates_figure(result: StudyResult) -> Figure:
    """Largest mean of gradient EM by time, median over starts; theta of a pair along EM."""
    figure, ((left, right),) = panels(1, 2, (8.5, 3.6))
    for (fitted, weights), part in result.tables["gradient"].groupby(["fitted", "weights"]):
        line = part.groupby("time")["size"].median()
        style = "-" if weights == "equal" else "--"
        left.plot(line.index, line, style, label=f"{fitted} components, {weights} weights")
    for weight, part in result.tables["pair"].groupby("weight"):
        part = part.sort_values("time")
        right.plot(part["time"], part["size"], label=f"weights {weight:g} and {1 - weight:g}")
    for axes, label in ((left, "largest mean"), (right, "theta")):
        if axes.lines:
            axes.set(xscale="log", yscale="log", xlabel="sweeps or steps", ylabel=label)
            axes.legend(fontsize=7)
        else:
            nothing(axes)
    return figure


def _gradients(fitted: tuple[int, ...], starts: int) -> dict:
    return {"fitted": fitted, "starts": (starts,)}


def _polyaks(fitted: tuple[int, ...], starts: int) -> list[dict]:
    """Spare components for one true one, and four for two."""
    one = {"true": (1,), "fitted": fitted, "starts": (starts,)}
    return [one, {"true": (2,), "fitted": (4,), "starts": (starts,)}]


study = Study(
    name="over_specified",
    question="How fast is a mixture with more components than the truth learned?",
    source=f"{XU}; {SIMPLEX}; {WANG}",
    experiments={
        "gradient": Experiment(
            cell=gradient_cell,
            factors={
                "fitted": (2, 3, 4, 6),
                "weights": ("equal", "unequal"),
                "starts": (6, 100, 500),
            },
            sizes={
                "smoke": _gradients((2,), 6),
                "laptop": _gradients((2, 3, 4, 6), 100),
                "cluster": _gradients((2, 3, 4, 6), 500),
            },
        ),
        "pair": Experiment(
            cell=pair_cell, factors={"weight": PAIRS}, sizes={size: {} for size in STUDY_SIZES}
        ),
        "polyak": Experiment(
            cell=polyak_cell,
            factors={"true": (1, 2), "fitted": (2, 3, 4), "starts": (6, 20, 100)},
            sizes={
                "smoke": _polyaks((2,), 6),
                "laptop": _polyaks((2, 3, 4), 20),
                "cluster": _polyaks((2, 3, 4), 100),
            },
        ),
        "repulsion": Experiment(
            cell=repulsion_cell,
            factors={"power": POWERS, "points": SIZES.tolist()},
            sizes={size: {} for size in STUDY_SIZES},
        ),
    },
    claims=CLAIMS,
    figures={"rates": rates_figure},
    answer=("gradient EM converges at 1/sqrt(t)", "short steps and Polyak steps are linear"),
    chief=(
        "the loss falls like 1/t^2",
        "Polyak steps save passes",
        "short steps and Polyak steps are linear",
    ),
)
