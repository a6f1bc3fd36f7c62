"""How fast is a mixture learned that has more components than the truth, and does that help?

More components than the truth has (over-specified, over-parameterized) make the likelihood easier
to climb and flatter at its top. Newer theory says how much, as its abstracts state:

- *Gradient EM* on data of one normal, any number of components, comes to the truth at the sublinear
  rate O(1/sqrt(t)) of its loss (Xu, Fazel & Du 2024). Here weights and scales are known, and it is
  gradient ascent with step 1 on the population's log likelihood, from random means.
- Two components of unequal known weights at -+theta: EM shrinks theta by a constant factor; equal
  weights: exponentially slower (Dwivedi et al. 2020; for means on a simplex Assylbekov, Legg & Pak
  2025). The derivative of the map at 0 is 4 w (1 - w).
- Of m separated components, n = Omega(m log m) fitted ones find all from random starts (Zhou, Xu,
  Fazel & Du 2025). Here EM, with weights learned and scales known, starts at random points.
- Several short gradient steps and then one of Polyak's length, excess loss / |gradient|^2, converge
  linearly near the truth (Wang, Fazel & Charisopoulos 2026).
- A repulsive prior exp(-tau / gap^nu) (Petralia, Rao & Dunson 2012) is a soft clearance: against
  the loss c^2 gap^4 / 4 of n points, c = w (1 - w), the most probable gap is of order
  n^(-1/(4 + nu)).

Only the abstracts of the newer papers were at hand: settings they do not give are those above.
Excess losses are Kullback-Leibler divergences from the truth, on a grid (nats for one point).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import minimize_scalar

from ordered_mix.data import Data, population
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.study import Claim, Effect, Opening, Study
from ordered_mix.study.confidence import confidence
from ordered_mix.study.drawing import legend, looks, nothing, panels
from ordered_mix.study.effects import exact, furthest, median, paired_ratio, rows_of, share
from ordered_mix.study.sentences import Words, amounts, by_outcome, paragraph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

GRID = 0.2
TIMES = 2 ** np.arange(4, 15)
PAIRS, SWEEPS = (0.5, 0.6, 0.7, 0.9), 2**14
SEPARATION, FOUND, SEARCH = 6.0, 0.01, Stop(log_likelihood=1e-7, passes=2_000)
LEVELS = {"passes_4": 1e-4, "passes_6": 1e-6, "passes_8": 1e-8}
SHORT, BUDGET = 10, 2**17
TAU, POWERS, SIZES = 1.0, (1.0, 2.0), 10.0 ** np.arange(2, 9)
WEIGHTS = ("equal", "unequal")


def cell(
    seed: int, measure: str, true: int, fitted: int, weights: str, starts: int
) -> list[dict[str, Any]]:
    """One measure; the starts of a cell are independent of each other."""
    rng = np.random.default_rng(seed)
    if measure in ("pair", "repulsion"):
        return {"pair": pair, "repulsion": repulsion}[measure]()
    if measure == "recovery":
        return recovery(rng, true, fitted, starts)
    w = np.ones(fitted) if weights == "equal" else np.arange(1.0, fitted + 1)
    w /= w.sum()
    if measure == "gradient":
        return gradient(rng.normal(0, 2, (starts, fitted)), w)
    return polyak(rng, true, w, starts)


def truth_of(true: int, separation: float = 4.0) -> Mixture:
    """Unit normals of equal weight on the line, around 0."""
    means = np.asarray(separation * (np.arange(true) - (true - 1) / 2), dtype=np.float64)
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


def pair() -> list[dict[str, Any]]:
    """Half the distance of two components at -+theta along EM, known weights, by sweeps."""
    data = population(truth_of(1), GRID)
    y, mass, rows = data.y, np.asarray(data.weight), []
    for first in PAIRS:
        theta = 1.0
        for sweep in range(1, SWEEPS + 1):
            # responsibility of the component at theta, its weight is first
            r = 1 / (1 + (1 - first) / first * np.exp(-2 * theta * y))
            before, theta = theta, float(mass @ ((2 * r - 1) * y))
            if theta < 1e-5:
                break
            if sweep & (sweep - 1) == 0 or first != 0.5:
                rows.append({"weight": first, "time": sweep, "size": theta, "rate": theta / before})
    return rows


def recovery(rng: np.random.Generator, true: int, fitted: int, starts: int) -> list[dict[str, Any]]:
    """Whether EM from random points comes to the truth, weights learned and scales known."""
    truth = truth_of(true, SEPARATION)
    data = population(truth, GRID, reach=8.0)
    shape = (starts, fitted)
    means = truth.sample(starts * fitted, rng).reshape(shape)
    begin = Mixture(np.full(shape, 1 / fitted), means, np.ones(shape))
    em = EM(frozen=("sigma",), stop=SEARCH, snapshots=2)
    fit = em.fit(catalog.parameterization("unordered", fitted), data, begin)
    loss = height(truth, data) - fit.log_likelihood
    return [{"start": at, "loss": float(one)} for at, one in enumerate(loss)]


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


def repulsion() -> list[dict[str, Any]]:
    """Most probable gap of two components under a repulsive prior; n points of one normal."""
    truth = truth_of(1)
    data, w = population(truth, GRID), np.full(2, 0.5)
    best, rows = height(truth, data), []
    for power in POWERS:
        for n in SIZES.tolist():
            near = np.log(n / (16 * TAU * power)) / -(4 + power)  # of the loss gap^4 / 64

            def cost(log_gap: float, n: float = n, power: float = power) -> float:
                gap = float(np.exp(log_gap))
                loss, _ = loss_and_slope(data, w, np.array([[-gap / 2, gap / 2]]), best)
                return n * float(loss[0]) + TAU * gap**-power

            ends, options = (near - 1, near + 1), {"xatol": 1e-9}
            found = minimize_scalar(cost, bounds=ends, method="bounded", options=options)
            rows.append({"power": power, "points": n, "size": float(np.exp(found.x))})
    return rows


# --- from the table to effects --------------------------------------------------------------------

COLUMNS = ("start", "time", "loss", "size", "rate", "weight", "algorithm", "power", "points",
           *LEVELS)  # fmt: skip
_rows = partial(rows_of, columns=COLUMNS)


def exponents(table: pd.DataFrame, column: str, weights: str) -> dict[int, Array]:
    """Power of time between the last two times, of every start, by the number of components."""
    rows = _rows(table, measure="gradient", weights=weights)
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
    for weight, part in _rows(table, measure="pair").groupby("weight"):
        if weight != 0.5:
            rates = part.sort_values("time")["rate"].to_numpy()
            errors.append(np.abs(rates[[-1, -3]] / (4 * weight * (1 - weight)) - 1))
    return exact(*(float(value) for value in np.max(errors, axis=0)))


def balanced(table: pd.DataFrame) -> Effect:
    """Power of time of theta at equal weights, less -1/2."""
    rows = _rows(table, measure="pair", weight=0.5).sort_values("time")
    slopes = np.diff(np.log(rows["size"])) / np.diff(np.log(rows["time"])) + 0.5
    return exact(float(slopes[-1]), float(slopes[-2]))


def numbers(true: int) -> dict[str, int]:
    """How many components are fitted to so many true ones."""
    whole = {"m": true, "m + 1": true + 1, "2 m": 2 * true, "3 m": 3 * true}
    return {**whole, "2 m log m": int(np.ceil(2 * true * np.log(true)))}


def reached(table: pd.DataFrame, number: str) -> dict[int, pd.Series]:
    """Whether each start came to the truth, by the true number of components."""
    rows = _rows(table, measure="recovery")
    found = {}
    for true, part in rows.groupby("true"):
        part = part[part["fitted"] == numbers(int(true))[number]]
        if len(part):
            found[int(true)] = part["loss"] < FOUND
    if not found:
        raise ValueError(f"the table holds no runs with {number} components")
    return found


def least_reached(table: pd.DataFrame, number: str, pick: Callable[..., Any]) -> Effect:
    """Extreme share over true numbers; the exact intervals hold together."""
    hits = reached(table, number).values()
    alpha = (1 - confidence()) / len(hits)
    ends = []
    for one in hits:
        test = stats.binomtest(int(one.sum()), len(one))
        ends.append((float(one.mean()), *test.proportion_ci(1 - alpha, method="exact")))
    estimate, low, high = pick(np.array(ends), axis=0).tolist()
    return Effect(estimate, low, high, min(map(len, hits)))


def polyak_runs(table: pd.DataFrame, algorithm: str) -> pd.DataFrame:
    rows = _rows(table, measure="polyak", algorithm=algorithm)
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
    rows = _rows(table, measure="repulsion")
    errors = []
    for power, part in rows.groupby("power"):
        part = part.sort_values("points")
        slopes = np.diff(np.log(part["size"])) / np.diff(np.log(part["points"]))
        errors.append(np.abs(slopes[-2:] + 1 / (4 + power)))
    if not errors:
        raise ValueError("the table holds no repulsive prior")
    before, last = np.max(errors, axis=0).tolist()
    return exact(last, before)


XU = "Xu, Fazel & Du 2024, arXiv 2407.00490"
ZHOU = "Zhou, Xu, Fazel & Du 2025, arXiv 2506.06584"
SIMPLEX = "Assylbekov, Legg & Pak 2025, arXiv 2506.11850; Dwivedi et al. 2020, Ann. Stat. 48, 3161"
WANG = "Wang, Fazel & Charisopoulos 2026, arXiv 2605.30936"
PROJECT = "a question of this project"
POWER = "distance of the power of time, largest over numbers of components"
FLAT = "passes from 1e-6 to 1e-8 for one from 1e-4 to 1e-6, median"
CLAIMS = (
    Claim("gradient EM converges at 1/sqrt(t)",
          "From random means the loss of gradient EM with 2 to 6 components for one falls at least "
          "like 1/sqrt(time).",
          XU, fast_enough, "above", 0.95, "share of starts"),
    Claim("the means converge like 1/sqrt(t)",
          "It is the means that converge like 1/sqrt(time).",
          "the expansion of the loss", partial(off, column="size", weights="equal", power=-0.5),
          "below", 0.05, POWER),
    Claim("the loss falls like 1/t^2",
          "The loss falls like 1/time^2, faster than the bound of 1/sqrt(time).",
          "the loss is of fourth order in the means",
          partial(off, column="loss", weights="equal", power=-2.0), "below", 0.1, POWER),
    Claim("unequal weights do not help free means",
          "Where all means are free, unequal known weights leave them at 1/sqrt(time).",
          PROJECT, partial(off, column="size", weights="unequal", power=-0.5),
          "below", 0.05, POWER),
    Claim("an unbalanced pair is exponentially fast",
          "With unequal known weights EM shrinks a pair at -+theta by the factor 4 w (1 - w) a "
          "sweep.",
          SIMPLEX, shrinking, "below", 0.01, "largest relative error of the factor"),
    Claim("a balanced pair is sublinear",
          "With equal weights theta falls like 1/sqrt(sweeps).",
          SIMPLEX, balanced, "within", 0.02, "power of time, less -1/2"),
    Claim("as many components as the truth fail",
          "With as many components as the truth, less than half of random starts find 5 or more "
          "separated ones.",
          ZHOU + ", on the exact setting",
          lambda table: least_reached(table[table["true"] >= 5], "m", np.max), "below", 0.5,
          "share of starts, largest over true numbers"),
    Claim("m log m components suffice",
          "With 2 m log m components more than 95% of random starts find all m separated ones.",
          ZHOU + "; the constant 2 is this project's",
          partial(least_reached, number="2 m log m", pick=np.min), "above", 0.95,
          "share of starts, least over true numbers"),
    Claim("twice as many components suffice",
          "With 2 m components more than 95% of random starts find all m separated ones.",
          PROJECT, partial(least_reached, number="2 m", pick=np.min), "above", 0.95,
          "share of starts, least over true numbers"),
    Claim("short steps and Polyak steps are linear",
          "With a Polyak step after every ten short ones each hundredfold drop of the loss takes "
          "less than twice the passes of the one before.",
          WANG, partial(flattening, algorithm="short and Polyak"), "below", 2.0, FLAT),
    Claim("short steps alone are not linear",
          "With short steps alone each hundredfold drop of the loss takes at least five times the "
          "passes of the one before.",
          WANG, partial(flattening, algorithm="gradient"), "above", 5.0, FLAT),
    Claim("Polyak steps save passes",
          "To an excess loss of 1e-8 Polyak steps take less than a tenth of the passes.",
          PROJECT, polyak_gain, "below", 0.1, "passes for one of short steps alone"),
    Claim("a repulsive prior is a soft clearance",
          "Under the prior exp(-1 / gap^nu) the most probable gap shrinks like n^(-1/(4 + nu)).",
          "Petralia, Rao & Dunson 2012, NeurIPS 25, on the prior; the power is this project's",
          soft_clearance, "below", 0.02, "largest error of the power of n"),
)  # fmt: skip


# --- figures and findings -------------------------------------------------------------------------


def rates_figure(result: StudyResult) -> Figure:
    """Largest mean of gradient EM by time, median over starts; theta of a pair along EM."""
    figure, ((left, right),) = panels(1, 2, (8.5, 3.6))
    rows = _rows(result.table, measure="gradient")
    for (fitted, weights), part in rows.groupby(["fitted", "weights"]):
        line = part.groupby("time")["size"].median()
        style = "-" if weights == "equal" else "--"
        left.plot(line.index, line, style, label=f"{fitted} components, {weights} weights")
    for weight, part in _rows(result.table, measure="pair").groupby("weight"):
        part = part.sort_values("time")
        right.plot(part["time"], part["size"], label=f"weights {weight:g} and {1 - weight:g}")
    for axes in (left, right):
        if not axes.lines:
            nothing(axes)
            continue
        axes.set(xscale="log", yscale="log", xlabel="sweeps or steps")
        axes.legend(fontsize=7)
    left.set_ylabel("largest mean")
    right.set_ylabel("theta")
    return figure


def recovery_figure(result: StudyResult) -> Figure:
    """Share of random starts of EM that find all separated components, by how many are fitted."""
    figure, ((axes,),) = panels(1, 1, (6.0, 3.6))
    rows = _rows(result.table, measure="recovery")
    if rows.empty:
        nothing(axes)
        return figure
    names = [f"{true} true components" for true in sorted(rows["true"].unique())]
    for name, (true, part) in zip(names, rows.groupby("true"), strict=True):
        found = (part["loss"] < FOUND).groupby(part["fitted"] / true).mean()
        color, marker, dash = looks(names)[name]
        axes.plot(found.index, found, marker=marker, ls=dash, color=color, label=name)
    axes.set(xlabel="fitted for one true component", ylabel="share of starts", ylim=(0, 1.02))
    return legend(figure, axes)


SENTENCES: dict[str, Words] = {
    "gradient EM converges at 1/sqrt(t)": "The loss of gradient EM falls faster than 1/sqrt(time) "
    "from {0:.0%} [{1:.0%}, {2:.0%}] of random starts,",
    "the loss falls like 1/t^2": "at a power of time that misses -2 by {0:.2f} [{1:.2f}, {2:.2f}].",
    "unequal weights do not help free means": "With unequal weights the power of free means misses "
    "-1/2 by {0:.2f} [{1:.2f}, {2:.2f}],",
    "an unbalanced pair is exponentially fast": (
        "but a pair at -+theta shrinks by 4 w (1 - w) a sweep.",
        "and a pair at -+theta does not shrink by 4 w (1 - w) a sweep.",
        "and whether a pair at -+theta shrinks by 4 w (1 - w) a sweep is undecided.",
    ),
    "as many components as the truth fail": "Of random starts with as many components as the truth "
    "up to {0:.0%} [{1:.0%}, {2:.0%}] find five or more;",
    "twice as many components suffice": "twice as many find all in at least {0:.0%} [{1:.0%}, "
    "{2:.0%}],",
    "m log m components suffice": "2 m log m in at least {0:.0%} [{1:.0%}, {2:.0%}].",
    "Polyak steps save passes": "With a Polyak step after every ten short ones the passes to an "
    "excess loss of 1e-8 are {0:.2g} [{1:.2g}, {2:.2g}] of those of short steps alone.",
    "a repulsive prior is a soft clearance": (
        "The gap that a repulsive prior keeps shrinks like n^(-1/(4 + nu)); a clearance stays.",
        "The gap of a repulsive prior does not shrink like n^(-1/(4 + nu)): off by {0:.2g}.",
        "How the gap of a repulsive prior shrinks is undecided.",
    ),
}


def _flattened(result: StudyResult) -> Iterator[str]:
    rows = polyak_runs(result.table, "short and Polyak")
    ratio = (rows["passes_8"] - rows["passes_6"]) / (rows["passes_6"] - rows["passes_4"]).clip(1)
    told = amounts(ratio.groupby([rows["fitted"], rows["true"]]).median(), "{1:.1f} with {0[0]} "
                   "components for {0[1]}")  # fmt: skip
    drop = "With Polyak steps the last hundredfold drop of the loss takes"
    yield f"{drop}, for one pass of that before, {told}."


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(result, lambda found: by_outcome(found.verdicts, SENTENCES), _flattened)


def _blocks(fitted: tuple[int, ...], true: tuple[int, ...], starts: int, many: int) -> list[dict]:
    common = {"weights": ("equal",), "starts": (starts,)}
    once = {**common, "true": (1,), "fitted": (2,), "starts": (1,)}
    return [
        {**common, "measure": ("gradient",), "true": (1,), "fitted": fitted,
         "weights": WEIGHTS},
        {**once, "measure": ("pair", "repulsion")},
        {**common, "measure": ("polyak",), "true": (1,), "fitted": fitted[:3]},
        {**common, "measure": ("polyak",), "true": (2,), "fitted": (4,)},
        *({**common, "measure": ("recovery",), "true": (m,),
           "fitted": tuple(sorted(set(numbers(m).values()))), "starts": (many,)} for m in true),
    ]  # fmt: skip


OPENING = Opening(
    answer={
        "gradient EM converges at 1/sqrt(t)": (
            "With more components than the truth gradient EM comes to it from random means, its "
            "loss falling at least like 1/sqrt(time).",
            "With more components than the truth gradient EM is stuck from many random means.",
            "Whether gradient EM comes to a truth of fewer components is undecided.",
        ),
        "m log m components suffice": (
            "More components help: with 2 m log m components at least {1:.0%} of random starts of "
            "EM find all m separated ones.",
            "With 2 m log m components random starts of EM miss some of m separated ones.",
            "Whether 2 m log m components suffice for random starts is undecided.",
        ),
    },
    chief=("m log m components suffice", "Polyak steps save passes",
           "short steps and Polyak steps are linear"),
)  # fmt: skip


study = Study(
    name="over_specified",
    question="How fast is a mixture with more components than the truth learned, and from where?",
    source=f"{XU}; {ZHOU}; {SIMPLEX}; {WANG}",
    factors={
        "measure": ("gradient", "pair", "recovery", "polyak", "repulsion"),
        "true": (1, 2, 3, 5, 8, 12),
        "fitted": (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 15, 16, 17, 24, 34, 36, 60),
        "weights": WEIGHTS,
        "starts": (1, 6, 20, 100, 200, 1000),
    },
    sizes={
        "smoke": _blocks((2,), (3,), 6, 20),
        "laptop": _blocks((2, 3, 4, 6), (3, 5, 8), 20, 200),
        "cluster": _blocks((2, 3, 4, 6), (3, 5, 8, 12), 100, 1000),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={"rates": rates_figure, "recovery": recovery_figure},
    findings=findings,
)
