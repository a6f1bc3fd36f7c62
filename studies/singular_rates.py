"""How slowly does learning end where the components coincide, and which coordinate removes that?

At the overlap singularity (truth Normal(0, 1), two components with known weights and unit scales,
both means free) the loss is flat: with c = w1 w2 the excess is ``c^2 gap^4 / 4``. Gradient flow
then closes the gap like a power of time that depends on the coordinates (Amari, Park & Ozeki 2006
found the plateaus; the exponents are derived here from ``gap' = -m(gap) c^2 gap^3``, where m is the
mobility of the gap in coordinates once the location has settled), EM and ECM like 1 / sqrt(sweeps)
(Dwivedi et al. 2018), and only the natural gradient and the pair (mixture mean, squared gap)
exponentially. With n points the gap cannot be told from 0 below n^(-1/4) (Chen 1995), against
n^(-1/2) for separated components, and EM needs n^(1/2) sweeps to get there. The last part asks for
coordinates whose condition number at the truth is near the best at every separation: the mixture
mean with the link ``sqrt(2 + gap^2) / 2`` ("bent"), a squared gap near 0 and half a gap far out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from ordered_mix.data import Data, population, simulate
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.study import Claim, Effect, Opening, Study
from ordered_mix.study.drawing import (
    FURTHER,
    LOOKS,
    SEPARATION,
    SHADES,
    Look,
    legend,
    looks,
    panels,
    plain_ticks,
    short,
)
from ordered_mix.study.effects import bootstrap, exact, rows_of
from ordered_mix.study.grid import seed_of
from ordered_mix.study.sentences import Words, by_outcome, chained, paragraph, tally
from ordered_mix.theory.dynamics import curvature, mean_slope, times_to, velocity
from ordered_mix.theory.fisher import information
from ordered_mix.theory.mean_coordinates import COORDINATES

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

NATURAL = "natural gradient"
FLOWS = (*COORDINATES, NATURAL)
EXPONENTIAL = ("resolved", "bent", NATURAL)
ALGEBRAIC = tuple(name for name in COORDINATES if name not in EXPONENTIAL)
KNOWN = ("w", "sigma")
ITERATIONS: dict[str, tuple[str, EM]] = {
    "em": ("unordered", EM(frozen=KNOWN)),
    "ecm": ("relative", ECM(frozen=KNOWN)),
    "em, weight unknown": ("unordered", EM(frozen=("sigma",))),
}
DERIVED = "the flow of the gap on the slow manifold"
FLOW_GAP, SWEEP_GAP = 0.2, 1.0
SWEEPS = 2 ** np.arange(7, 13)
ACCURATE = 0.05
EXCESS, LONGEST = 1e-6, 1e5
TIGHT = Stop(log_likelihood=0.0, parameters=1e-8, passes=5_000)
STEPS = (0.04, 0.08)


def cell(
    seed: int, measure: str, separation: float, weight: float, known: bool, n: int, replicate: int
) -> list[dict]:
    """One measure at one truth; n = 0 is the population, where nothing is random."""
    ends = separation * np.array([weight - 1, weight])
    truth = Mixture(np.array([weight, 1 - weight]), ends, np.ones(2))
    if measure == "sample":
        shared = seed_of("data", separation=separation, weight=weight, n=n, replicate=replicate)
        return _sample(truth, simulate(truth, n, shared), known)
    return MEASURES[measure](truth)


def _flow(truth: Mixture) -> list[dict]:
    """Gap and excess loss of the gradient flow in all coordinates, at times a factor of 2 apart."""
    data, rows = population(truth), []
    weight = np.asarray(data.weight)
    best = float(weight @ truth.log_density(data.y))
    start = FLOW_GAP * np.array([-truth.w[1], truth.w[0]])
    for flow in FLOWS:
        times = flow_times(flow)

        def slope(time: float, mu: Array, flow: str = flow) -> Array:
            return flow_velocity(flow, Mixture(truth.w, mu, truth.sigma), data)

        path = solve_ivp(slope, (0, times[-1]), start, "LSODA", t_eval=times, rtol=1e-8, atol=1e-12)
        for time, mu in zip(times.tolist(), path.y.T, strict=True):
            excess = best - float(weight @ Mixture(truth.w, mu, truth.sigma).log_density(data.y))
            row = {"name": flow, "time": time, "gap": float(mu[1] - mu[0]), "excess": excess}
            rows.append(row)
    return rows


def flow_velocity(flow: str, at: Mixture, data: Data) -> Array:
    """Velocity of the means in a parameterization, or along the natural gradient."""
    slope = mean_slope(at, data.y, data.weight)
    if flow != NATURAL:
        return velocity(flow, at, slope)
    direction: Array = np.linalg.solve(information(at)[2:4, 2:4], slope)
    return direction


def flow_times(flow: str) -> Array:
    """Times in the asymptotic range, a factor of 2 apart, later for the slower powers."""
    if flow == "resolved":
        return np.arange(20.0, 181.0, 20.0)
    if flow in EXPONENTIAL:
        return np.arange(1.0, 7.0)
    first = 18 if "link=" in flow else 10
    times: Array = np.exp2(np.arange(first, first + 9.0))
    return times


def _iteration(truth: Mixture) -> list[dict]:
    """Gap of EM and ECM on the population at sweeps a factor of 2 apart."""
    rows = []
    ends = SWEEP_GAP * np.array([-truth.w[1], truth.w[0]])
    for name, (label, estimator) in ITERATIONS.items():
        stop = Stop(log_likelihood=0.0, passes=int(SWEEPS[-1]) + 1)
        fit = replace(estimator, stop=stop, snapshots=stop.passes).fit(
            parameterization(label, 2), population(truth), Mixture(truth.w, ends, truth.sigma)
        )
        gaps = np.diff(fit.trace.mixture.mu, axis=-1)[:, 0]
        at = np.searchsorted(fit.trace.iteration, SWEEPS)
        for sweep, gap in zip(SWEEPS.tolist(), gaps[at].tolist(), strict=True):
            rows.append({"name": name, "time": float(sweep), "gap": gap})
    return rows


def _sample(truth: Mixture, data: Data, known: bool) -> list[dict]:
    """Estimated gap from n points, and sweeps of EM and ECM to statistical accuracy."""
    gap = float(truth.mu[1] - truth.mu[0])
    start = Mixture(truth.w, data.location + np.array([-1.0, 1.0]) * max(1.0, gap), truth.sigma)
    rows = []
    for name in ("em", "ecm"):
        label, estimator = ITERATIONS[name if known else "em, weight unknown"]
        if name == "ecm" and not known:
            continue
        estimator = replace(estimator, stop=TIGHT, snapshots=TIGHT.passes)
        fit = estimator.fit(parameterization(label, 2), data, start)
        missing = float(fit.log_likelihood) - fit.trace.log_likelihood
        found = float(np.diff(fit.mixture.mu)[0])
        row = {"name": name, "gap": found, "miss": abs(found - gap)}
        rows.append({**row, "sweeps": int(fit.trace.iteration[np.argmax(missing < ACCURATE)])})
    return rows


def _condition(truth: Mixture) -> list[dict]:
    """Condition number of the information at the truth in every parameterization, on two grids."""
    rows = []
    for step in STEPS:
        data = population(truth, step)
        for name in COORDINATES:
            least, largest = curvature(name, truth, data.y, data.weight).tolist()
            rows.append({"name": name, "step": step, "condition": largest / least})
    return rows


def _ascent(truth: Mixture) -> list[dict]:
    """Steps of half the stable size from means half as far apart again, off the centre."""
    rows = []
    start = 1.5 * truth.mu + 0.1 * np.diff(truth.mu)
    for step in STEPS:
        data = population(truth, step)
        for name in COORDINATES:
            (steps,) = times_to(
                (EXCESS,), name, truth, start, data.y, data.weight, LONGEST, fair=True
            )
            rows.append({"name": name, "step": step, "steps": steps})
    return rows


MEASURES = {"flow": _flow, "iteration": _iteration, "condition": _condition, "ascent": _ascent}


# --- predictions ----------------------------------------------------------------------------------


def predicted_power(name: str, weight: float) -> tuple[float, float]:
    """Exponent p and constant A of ``gap ~ (A / time)^p`` at the singularity.

    Where the location lies b from the mixture mean for a gap of 1 the mobility of the gap
    is ``g^2 / (1 + b^2 g^2)`` with g the stretch of the link.
    """
    p2, c = 1 - weight, weight * (1 - weight)
    if name == "em":
        return 0.5, 1 / (2 * c)
    if name == "ecm":
        return 0.5, 1 / (2 * c * weight)
    offsets = {"relative": p2, "centred": p2 - 0.5, "signed": 0.0}
    if name in offsets:
        return 0.5, (1 + offsets[name] ** 2) / (2 * c**2)
    return {
        "unordered": (0.5, (weight**2 + p2**2) / (2 * c**2)),
        "relative(link=log)": (0.25, 1 / (4 * c**2)),
        "relative(link=softplus)": (0.25, 1 / (4 * c**2)),
        "relative(link=square)": (1 / 3, 1 / (12 * c**2)),
        "relative, squared gap": (0.5, p2**2 / (2 * c**2)),
    }[name]


def predicted_decay(name: str, weight: float) -> float:
    """Rate of the exponential decay of the gap."""
    c = weight * (1 - weight)
    # near 0 the bent link is sqrt(2) / 2 + gap^2 / (4 sqrt(2)): its squared stretch is 8 / gap^2
    return {"resolved": c**2 / 4, "bent": 8 * c**2, NATURAL: 0.5}[name]


# --- effects --------------------------------------------------------------------------------------

COLUMNS = ("name", "time", "gap", "miss", "sweeps", "condition", "step", "steps")
_rows = partial(rows_of, columns=COLUMNS)


def _paths(table: pd.DataFrame) -> list[tuple[str, float, pd.DataFrame]]:
    """Name, first weight and path of every flow and iteration on the population."""
    rows = table[table["measure"].isin(("flow", "iteration"))]
    found = []
    for (name, weight), part in rows.groupby(["name", "weight"], sort=False):
        found.append((str(name), float(weight), part.sort_values("time")))
    if not found:
        raise ValueError("table must hold a flow or an iteration, it does not")
    return found


def local_slopes(path: pd.DataFrame) -> Array:
    """Minus the log-log slopes of the gap in time, between neighbouring times."""
    return -np.diff(np.log(path["gap"])) / np.diff(np.log(path["time"]))


def local_decays(path: pd.DataFrame) -> Array:
    """Minus the slopes of the log gap in time."""
    return -np.diff(np.log(path["gap"])) / np.diff(path["time"])


def _largest(errors: list[tuple[float, float]]) -> Effect:
    """The largest error at the end of the paths, and of those one step before the end."""
    last, before = np.abs(np.array(errors)).max(axis=0)
    return exact(float(last), float(before))


def _powers(names: tuple[str, ...], what: str) -> Callable[[pd.DataFrame], Effect]:
    """Errors of exponents or relative errors of constants of these paths."""

    def effect(table: pd.DataFrame) -> Effect:
        errors = []
        for name, weight, path in _paths(table):
            if name not in names:
                continue
            power, constant = predicted_power(name, weight)
            if what == "exponent":
                slopes = local_slopes(path)[-2:] - power
                errors.append((slopes[1], slopes[0]))
            else:
                measured = (path["gap"] ** (1 / power) * path["time"]).to_numpy()[-2:] / constant
                errors.append((measured[1] - 1, measured[0] - 1))
        return _largest(errors)

    return effect


def _decays(table: pd.DataFrame) -> Effect:
    errors = []
    for name, weight, path in _paths(table):
        if name in EXPONENTIAL:
            ratio = local_decays(path)[-2:] / predicted_decay(name, weight) - 1
            errors.append((ratio[1], ratio[0]))
    return _largest(errors)


def _excess(table: pd.DataFrame) -> Effect:
    """Largest relative error of the excess loss c^2 gap^4 / 4, gaps between 0.005 and 0.05."""
    errors = []
    for name, weight, path in _paths(table):
        inside = path[path["gap"].between(0.005, 0.05)]
        if name in COORDINATES and len(inside) >= 2:
            leading = (weight * (1 - weight)) ** 2 * inside["gap"] ** 4 / 4
            ratio = (inside["excess"] / leading - 1).to_numpy()[-2:]
            errors.append((ratio[1], ratio[0]))
    return _largest(errors)


def _slower(table: pd.DataFrame) -> Effect:
    """Time of the relative flow for 1 of the flow of the means themselves, to the same gap."""
    scaled = {}
    for name, weight, path in _paths(table):
        if weight == 0.5 and name in ("relative", "unordered"):
            scaled[name] = (path["gap"] ** 2 * path["time"]).to_numpy()[-2:]
    ratio = scaled["relative"] / scaled["unordered"]
    return exact(float(ratio[1]), float(ratio[0]))


def _sampled(table: pd.DataFrame, separation: float, known: bool = True) -> pd.DataFrame:
    rows = table[(table["measure"] == "sample") & (table["separation"] == separation)]
    rows = rows[(rows["known"] == known) & (rows["name"] == "em") & (rows["weight"] == 0.5)]
    if rows["n"].nunique() < 2:
        raise ValueError(f"table must hold two sizes n at separation {separation:g}, it does not")
    sizes = rows.groupby("replicate")["n"].nunique()
    if (sizes < rows["n"].nunique()).any():
        raise ValueError("table must hold every size n for every replicate, it does not")
    return rows[["n", "replicate", "miss", "sweeps"]]


def root_mean_square(rows: pd.DataFrame) -> pd.Series:
    """Root mean square error of the gap by n."""
    return np.sqrt((rows["miss"] ** 2).groupby(rows["n"]).mean())


def _slope(values: pd.Series) -> float:
    return float(np.polyfit(np.log(values.index.to_numpy(dtype=float)), np.log(values), 1)[0])


def _rate_of_error(separation: float, predicted: float) -> Callable[[pd.DataFrame], Effect]:
    """Exponent of n in the error of the gap, less the predicted one."""
    return lambda table: bootstrap(
        _sampled(table, separation),
        lambda part: _slope(root_mean_square(part)) - predicted,
        "replicate",
    )


def _size_of_error(table: pd.DataFrame) -> Effect:
    """Root mean square gap times n^(1/4) at the largest n, relative to its limit."""
    rows = _sampled(table, 0.0)
    largest = rows[rows["n"] == rows["n"].max()]
    scale = float(largest["n"].iloc[0]) ** 0.25 / LIMIT
    return bootstrap(
        largest, lambda part: scale * float(root_mean_square(part).iloc[0]) - 1, "replicate"
    )


def _rate_of_sweeps(table: pd.DataFrame) -> Effect:
    """Exponent of n in the median number of sweeps to statistical accuracy, less 1/2."""

    def statistic(part: pd.DataFrame) -> float:
        return _slope(part["sweeps"].groupby(part["n"]).median()) - 0.5

    return bootstrap(_sampled(table, 0.0), statistic, "replicate")


def worst(
    table: pd.DataFrame, step: float, measure: str = "condition", weight: float = 0.5
) -> pd.Series:
    """Largest ratio of the condition number, or steps, to the best one, over separations."""
    rows = table[(table["measure"] == measure) & (table["weight"] == weight)]
    rows = rows[rows["step"] == step]
    column = "condition" if measure == "condition" else "steps"
    wide = rows.pivot(index="separation", columns="name", values=column).fillna(np.inf)
    return wide.div(wide.min(axis=1), axis=0).max()


def _one_for_all(measure: str) -> Callable[[pd.DataFrame], Effect]:
    return lambda table: exact(*(float(worst(table, step, measure).min()) for step in STEPS))


LIMIT = 2 * np.pi**-0.25
"""Limit of the root mean square of n^(1/4) gap: gap^2 = 4 (s^2 - 1)_+ and s^2 ~ N(1, 2/n)."""

CLAIMS = (
    Claim(
        "exponents of gradient flow",
        "The gap of the flow decays with the predicted power of time in every parameterization.",
        DERIVED,
        _powers(ALGEBRAIC, "exponent"),
        "below",
        0.02,
        "error of the exponent, the largest over parameterizations and weights",
    ),
    Claim(
        "constants of gradient flow",
        "The powers of time with which the gap of the flow decays have the predicted constants in "
        "every parameterization.",
        DERIVED,
        _powers(ALGEBRAIC, "constant"),
        "below",
        0.05,
        "relative error, the largest over parameterizations and weights",
    ),
    Claim(
        "exponents of EM and ECM",
        "The gap of EM and of relative ECM decays like 1 / sqrt(sweeps).",
        "Dwivedi et al. 2018; the local rates of EM and ECM",
        _powers(("em", "ecm"), "exponent"),
        "below",
        0.02,
        "error of the exponent, the largest over weights",
    ),
    Claim(
        "constants of EM and ECM",
        "gap^2 sweeps tends to 1 / (2 c) for EM and to 1 / (2 c p1) for ECM.",
        "the local rates of EM and ECM",
        _powers(("em", "ecm"), "constant"),
        "below",
        0.05,
        "relative error, the largest over weights",
    ),
    Claim(
        "no plateau in the squared gap",
        "With the mixture mean, the squared gap or the bent link the gap decays exponentially, as "
        "it does along the natural gradient, at the predicted rates.",
        DERIVED,
        _decays,
        "below",
        0.02,
        "relative error of the rate, the largest over parameterizations and weights",
    ),
    Claim(
        "loss is of fourth order",
        "The excess loss is c^2 gap^4 / 4, so its exponents are four times those of the gap.",
        "expansion of the loss at the singularity",
        _excess,
        "below",
        0.01,
        "relative error, the largest over parameterizations and weights",
    ),
    Claim(
        "relative leaves the plateau sooner",
        "At the singularity the relative flow comes to a given gap sooner than the original one.",
        "Esser & Nielsen 2022, valleys are reduced",
        _slower,
        "below",
        1.0,
        "time of relative for 1 of the original",
    ),
    Claim(
        "gap to n^(-1/4)",
        "Where the truth is one component the error of the gap goes like n^(-1/4).",
        "Chen 1995",
        _rate_of_error(0.0, -0.25),
        "within",
        0.05,
        "exponent less -1/4",
    ),
    Claim(
        "size of the gap",
        "Where the truth is one component the root mean square of the gap, times n^(1/4), is "
        "1.502251.",
        "gap^2 = 4 (s^2 - 1)_+ to leading order",
        _size_of_error,
        "within",
        0.1,
        "relative error at the largest n",
    ),
    Claim(
        "separated gap to n^(-1/2)",
        "At separation 2 the error of the gap goes like n^(-1/2).",
        "regular maximum likelihood",
        _rate_of_error(2.0, -0.5),
        "within",
        0.05,
        "exponent less -1/2",
    ),
    Claim(
        "sweeps like n^(1/2)",
        "At the singularity EM needs of the order of n^(1/2) sweeps to statistical accuracy.",
        "Dwivedi et al. 2018",
        _rate_of_sweeps,
        "within",
        0.1,
        "exponent of the median less 1/2",
    ),
    Claim(
        "one parameterization for every separation",
        "One parameterization has a condition number within 10% of the best at every separation.",
        "a question of this project, at the truth, weights 1/2 and scales known",
        _one_for_all("condition"),
        "below",
        1.1,
        "worst ratio to the best over separations, of the parameterization where it is least",
    ),
    Claim(
        "one ascent for every separation",
        "In one parameterization ascent takes steps within 10% of the fewest at every separation.",
        "a question of this project, fair steps to an excess loss of 1e-6, weights 1/2 known",
        _one_for_all("ascent"),
        "below",
        1.1,
        "worst ratio to the fewest over separations, of the parameterization where it is least",
    ),
)


# --- figures and findings -------------------------------------------------------------------------

STYLES = {
    **looks(COORDINATES),
    NATURAL: Look(FURTHER[0], "*", ":"),
    "em": LOOKS["unordered"],
    "em, weight unknown": LOOKS["unordered"],
    "ecm": LOOKS["relative"],
}


def powers_figure(result: StudyResult) -> Figure:
    """Measured local exponents along the paths, predicted ones as crosses."""
    rows = _rows(result.table, measure=("flow", "iteration"))
    figure, ((axes,),) = panels(1, 1, (7.5, 4.2))
    axes.set(xlabel="exponent p of gap ~ time^(-p)")
    names = [*ALGEBRAIC, "em", "ecm", "em, weight unknown"]
    for at, name in enumerate(names):
        for weight, part in rows[rows["name"] == name].groupby("weight"):
            slopes = local_slopes(part.sort_values("time"))
            height = np.full(len(slopes), -at + (0.15 if weight == 0.5 else -0.15))
            axes.plot(slopes, height, "o", ms=3, color=STYLES[name].color, alpha=0.35)
            axes.plot(slopes[-1:], height[-1:], "o", ms=6, color=STYLES[name].color)
            if name != "em, weight unknown":
                power = predicted_power(name, float(weight))[0]
                axes.plot(power, height[0], "x", ms=9, mew=1.5, color="black")
    axes.set_yticks([-at for at in range(len(names))], [short(name) for name in names])
    axes.set_title(
        "large dots: last times, small: earlier ones, crosses: predicted; "
        "upper row: weight 1/2, lower: others",
        fontsize=8,
    )
    return figure


def decay_figure(result: StudyResult) -> Figure:
    """Gap against time for all coordinates, weight 1/2; power laws left, exponentials right."""
    rows = _rows(result.table, measure="flow")
    rows = rows[rows["weight"] == 0.5]
    figure, grid = panels(1, 2, (8.5, 4.2))
    for axes, names in zip(grid[0], (ALGEBRAIC, EXPONENTIAL), strict=True):
        for name in names:
            part = rows[rows["name"] == name].sort_values("time")
            if len(part):
                axes.plot(
                    part["time"], part["gap"], ms=4, label=short(name), **STYLES[name]._asdict()
                )
        axes.set(xlabel="time of the flow", ylabel="gap / sigma")
        if len(rows):
            axes.set(yscale="log", xscale="log")
    return legend(figure, grid, 5)


def samples_figure(result: StudyResult) -> Figure:
    """Error of the gap and sweeps to statistical accuracy against n, with intervals."""
    rows = _rows(result.table, measure="sample")
    figure, ((left, right),) = panels(1, 2, (8.5, 4.2))
    left.set(xlabel="n", ylabel="RMS error of the gap / sigma")
    right.set(xlabel="n", ylabel="sweeps to accuracy, median")
    if rows.empty:
        return figure
    for axes in (left, right):
        axes.set(xscale="log", yscale="log")
    styles = {True: "-", False: "--"}
    kinds = rows.groupby(["separation", "known", "weight"])
    for at, ((separation, known, weight), part) in enumerate(kinds):
        words = f"separation {separation:g}, weight {weight:g} {'known' if known else 'unknown'}"
        line: dict[str, Any] = {
            "ls": styles[bool(known)],
            "color": SHADES[at % len(SHADES)],
            "marker": "o",
            "ms": 4,
        }
        em = part[part["name"] == "em"]
        size = root_mean_square(em)
        spread = (em["miss"] ** 2).groupby(em["n"]).sem() / (2 * size)
        left.errorbar(size.index, size, 1.96 * spread, label=words, **line)
        for name, marker in (("em", "o"), ("ecm", "s")):
            found = part[part["name"] == name]
            if len(found):
                middle = found["sweeps"].groupby(found["n"]).median().clip(lower=1)
                style = {**line, "marker": marker}
                right.plot(middle.index, middle, label=f"{name.upper()}, {words}", **style)
    for axes in (left, right):
        plain_ticks(axes.xaxis, sorted(set(rows["n"])))
    return legend(figure, right, 2)


def condition_figure(result: StudyResult) -> Figure:
    """Condition number at the truth and steps of the ascent against separation, weight 1/2."""
    figure, grid = panels(1, 2, (8.5, 4.6))
    measures = (
        ("condition", "condition", "condition number of the information"),
        ("ascent", "steps", f"fair steps to an excess loss of {EXCESS:g}"),
    )
    for axes, (measure, column, label) in zip(grid[0], measures, strict=True):
        rows = _rows(result.table, measure=measure)
        rows = rows[(rows["step"] == STEPS[0]) & (rows["weight"] == 0.5)]
        for name in COORDINATES:
            part = rows[rows["name"] == name].sort_values("separation")
            style = {**STYLES[name]._asdict(), "lw": 2.5 if name == "bent" else 1.2}
            axes.plot(part["separation"], part[column], ms=4, label=short(name), **style)
        axes.set(xlabel=SEPARATION, ylabel=label)
        if len(rows):
            axes.set(xscale="log", yscale="log", ylim=(0.9, 1e4))
    return legend(figure, grid, 5)


PHRASES: dict[str, Words] = {
    "exponents of gradient flow": "At the singularity the exponents of the gap under gradient "
    "flow miss the predicted ones by at most {0:.4f}",
    "exponents of EM and ECM": "those of EM and ECM by at most {0:.4f}",
    "no plateau in the squared gap": "with the mixture mean and the squared gap, with the bent "
    "link and along the natural gradient the decay is exponential, its rate off by at most {0:.2%}",
    "relative leaves the plateau sooner": "The relative flow takes {0:.3f} times as long as the "
    "original one to a given gap",
    "gap to n^(-1/4)": "From n points the exponent of the gap's error exceeds -1/4 by {0:.3f} "
    "({1:.3f} to {2:.3f})",
    "separated gap to n^(-1/2)": "at separation 2 it exceeds -1/2 by {0:.3f}",
    "sweeps like n^(1/2)": "that of the sweeps of EM exceeds 1/2 by {0:.3f}",
}


def _phrases(result: StudyResult) -> Iterator[str]:
    return chained(by_outcome(result.verdicts, PHRASES))


def _nearest(result: StudyResult) -> Iterator[str]:
    """The parameterizations nearest to the best at every separation."""
    for measure, words in (
        ("condition", "best condition number"),
        ("ascent", "fewest steps of ascent"),
    ):
        ratios = worst(result.table, STEPS[0], measure).sort_values()
        if len(ratios) > 1:
            yield (
                f"The parameterization nearest to the {words} at every separation is "
                f"{ratios.index[0]}, at "
                f"worst {ratios.iloc[0]:.2f} times that, then {ratios.index[1]} with "
                f"{ratios.iloc[1]:.1f}."
            )


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(result, _phrases, _nearest, tally)


SEPARATIONS = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def _blocks(
    weights: tuple[float, ...],
    sizes: tuple[int, ...],
    replicates: int,
    unknown: int,
    ascents: tuple = SEPARATIONS,
) -> list[dict]:
    """Grids of all measures."""
    population = {"known": (True,), "n": (0,), "replicate": (0,), "weight": weights}
    samples = {"measure": ("sample",), "weight": (0.5,), "n": sizes}
    known = {**samples, "known": (True,), "replicate": range(replicates)}
    return [
        {**population, "measure": ("flow", "iteration"), "separation": (0.0,)},
        {**population, "measure": ("condition",), "separation": SEPARATIONS},
        {**population, "measure": ("ascent",), "separation": ascents, "weight": (0.5,)},
        {**known, "separation": (0.0, 2.0)},
        {**samples, "separation": (0.0,), "known": (False,), "replicate": range(unknown)},
        {**known, "separation": (0.0,), "weight": (0.3,), "replicate": range(unknown)},
    ]


OPENING = Opening(
    answer={
        "exponents of gradient flow": (
            "Where components coincide the gap closes like a power of time, to {0:.3f} of the "
            "predicted one in each parameterization.",
            "Where components coincide the gap does not close like the predicted power of time.",
            "How the gap closes where components coincide is undecided.",
        ),
        "no plateau in the squared gap": (
            "The mixture mean with the squared gap removes that, and so does the natural "
            "gradient: the gap decays exponentially.",
            "The squared gap does not remove that.",
            "Whether the squared gap removes that is undecided.",
        ),
    },
    chief=("exponents of EM and ECM", "relative leaves the plateau sooner", "gap to n^(-1/4)"),
)


study = Study(
    name="singular_rates",
    question="How slowly does learning end where components coincide, and what removes that?",
    source="Esser & Nielsen 2022; Dwivedi et al. 2018; Chen 1995",
    factors={
        "measure": (*MEASURES, "sample"),
        "separation": (0.0, *SEPARATIONS),
        "weight": (0.5, 0.3, 0.1),
        "known": (True, False),
        "n": (0, 100, 400, 1600, 6400, 25600),
        "replicate": range(1000),
    },
    sizes={
        "smoke": _blocks((0.5,), (100, 400), 6, 6, ascents=(0.5, 2.0)),
        "laptop": _blocks((0.5, 0.3), (100, 400, 1600, 6400), 200, 60),
        "cluster": _blocks((0.5, 0.3, 0.1), (100, 400, 1600, 6400, 25600), 1000, 200),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={
        "powers": powers_figure,
        "decay": decay_figure,
        "samples": samples_figure,
        "condition": condition_figure,
    },
    findings=findings,
)
