"""Does relative ECM approach the truth faster than EM and need fewer iterations, as published?

Esser & Nielsen 2022, Figure 2 and Algorithm 1: means started at (-2.5, 2), truth (-5.1, -5), 200
points, known weights 1/2 and unit scales. Here the same on many data sets, with three ECMs: as
derived (each coordinate's conditional maximum, from either component as the reference), as printed
in Algorithm 1 and as printed in Appendix B. With z the responsibilities and D the gap the reference
mean is derived as ``(sum z1 x + sum z2 x - D sum z2) / n``; in the version we read its numerator is
``sum z1 x D + sum z1 + sum z2 x`` in Algorithm 1 and ``sum z1 x D + sum z1 x + sum z2 x`` in
Appendix B, and neither keeps the gap positive. Both are run here exactly so.

Local theory: errors shrink by the spectral radius of the iteration's Jacobian (Dempster, Laird &
Rubin 1977; Meng & Rubin 1993), and near the singularity ECM needs 1 / p_reference times the
iterations of EM. The traces' own rates are compared with it, over separations and weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.data import Data, population, simulate
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.study import Claim, Effect, Opening, Study
from ordered_mix.study.drawing import FURTHER, LOOKS, SEPARATION, Look, legend, medians, panels
from ordered_mix.study.effects import exact, median, paired_ratio, rows_of, share
from ordered_mix.study.grid import seed_of
from ordered_mix.study.sentences import Words, by_outcome, chained, paragraph, tally
from ordered_mix.theory.rates import local_rate, tail_rate

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

PAPER = "Esser & Nielsen 2022, Figure 2"
KNOWN = ("w", "sigma")
DERIVED: Mapping[str, tuple[str, EM]] = {
    "em": ("unordered", EM(frozen=KNOWN)),
    "ecm": ("relative", ECM(frozen=KNOWN)),
    "ecm, reference 2": ("relative(reference=2)", ECM(frozen=KNOWN)),
}
PRINTED = ("as in Algorithm 1", "as in Appendix B")
ALGORITHMS = (*DERIVED, *PRINTED)
LABELS = {
    "em": "EM",
    "ecm": "ECM as derived",
    "ecm, reference 2": "ECM, second mean as reference",
    "as in Algorithm 1": "ECM as printed in Algorithm 1",
    "as in Appendix B": "ECM as printed in Appendix B",
}
SECOND_MEAN = -5.0
START = (-2.5, 2.0)
MOST = 5000
STOP = Stop(log_likelihood=1e-8, passes=MOST)
TIGHT = Stop(log_likelihood=0.0, parameters=1e-11, passes=50_000)
EARLY = 10
CHECKPOINTS = (0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320)
SHIFT = 10.0
LEVEL = 0.01
NEAR = 0.1
CYCLE = 1e-12
STEPS = (0.02, 0.04)


class Path(NamedTuple):
    """Means, shape (sweeps + 1, 2), and log likelihood, shape (sweeps + 1,), from the start on."""

    mu: Array
    log_likelihood: Array
    settled: bool


def cell(
    seed: int, measure: str, separation: float, weight: float, n: int, replicate: int
) -> list[dict]:
    """One measure on one data set, which all measures share; n = 0 is the population."""
    first = SECOND_MEAN - separation
    truth = Mixture(np.array([weight, 1 - weight]), np.array([first, SECOND_MEAN]), np.ones(2))
    if measure == "population":
        return _population(truth)
    shared = seed_of("data", separation=separation, weight=weight, n=n, replicate=replicate)
    data = simulate(truth, n, shared)
    return {"path": _path, "ends": _ends, "rate": _rate}[measure](truth, data)


def _path(truth: Mixture, data: Data) -> list[dict]:
    """Means and missing log likelihood at chosen sweeps; a path that has settled stays.

    One that has come to a cycle of two goes on in it.
    """
    best, top = _best(truth, data)
    rows = []
    for algorithm in ("em", "ecm", *PRINTED):
        path = follow(algorithm, truth, data, np.array(START))
        for sweep in CHECKPOINTS:
            last = len(path.mu) - 1
            at = sweep if sweep < last else last - (0 if path.settled else (sweep - last) % 2)
            mu = dict(zip(("mu1", "mu2"), path.mu[at].tolist(), strict=True))
            ends = dict(zip(("best1", "best2"), best.tolist(), strict=True))
            missing = top - float(path.log_likelihood[at])
            row = {"algorithm": algorithm, "sweep": sweep, **mu, **ends}
            rows.append({**row, "missing": missing})
    return rows


def _ends(truth: Mixture, data: Data) -> list[dict]:
    """Where every algorithm ends, after how many sweeps, and what it did on the way."""
    best, top = _best(truth, data)
    rows = []
    for algorithm in ALGORITHMS:
        path = follow(algorithm, truth, data, np.array(START))
        early = path.mu[min(EARLY, len(path.mu) - 1)]
        rows.append(
            {
                "algorithm": algorithm,
                "sweeps": len(path.mu) - 1,
                "settled": path.settled,
                "missing": top - float(path.log_likelihood[-1]),
                "monotone": bool(np.diff(path.log_likelihood).min() > -1e-9),
                "early_to_truth": float(np.linalg.norm(early - truth.mu)),
                "early_to_best": float(np.linalg.norm(early - best)),
                "to_truth": float(np.linalg.norm(path.mu[-1] - truth.mu)),
                "end_gap": float(path.mu[-1, 1] - path.mu[-1, 0]),
                "best_gap": float(best[1] - best[0]),
                "shift_error": _shift_error(algorithm, truth, data),
            }
        )
    return rows


def _rate(truth: Mixture, data: Data) -> list[dict]:
    """Local rates at the maximum-likelihood point: from theory, and from the tail of the trace."""
    best, _ = _best(truth, data, truth.mu)
    at = Mixture(truth.w, best, truth.sigma)
    start = truth.mu.mean() + 2.0 * (truth.mu - truth.mu.mean()) + 0.3
    rows = []
    for algorithm, (label, _) in DERIVED.items():
        theory = local_rate(at, data.y, label=label)
        path = follow(algorithm, truth, data, start, TIGHT)
        rows.append({"algorithm": algorithm, "theory": theory, "trace": tail_rate(path.mu, best)})
    return rows


def _population(truth: Mixture) -> list[dict]:
    """Local rates at the truth, on two grids."""
    rows = []
    for step in STEPS:
        data = population(truth, step)
        for algorithm, (label, _) in DERIVED.items():
            theory = local_rate(truth, data.y, data.weight, label)
            rows.append({"algorithm": algorithm, "theory": theory, "step": step})
    return rows


def follow(
    algorithm: str, truth: Mixture, data: Data, start: Array, stop: Stop | None = None
) -> Path:
    """Every sweep of an algorithm until the log likelihood changes by less than 1e-8."""
    if algorithm in PRINTED:
        return _follow_printed(algorithm, truth, data, start)
    stop = stop or STOP
    label, estimator = DERIVED[algorithm]
    estimator = replace(estimator, stop=stop, snapshots=stop.passes)
    fit = estimator.fit(parameterization(label, 2), data, Mixture(truth.w, start, truth.sigma))
    trace = fit.trace
    return Path(trace.mixture.mu, trace.log_likelihood, bool(fit.converged))


def _follow_printed(algorithm: str, truth: Mixture, data: Data, start: Array) -> Path:
    """Every sweep until the log likelihood settles, or the means are those of two sweeps before."""
    mu, heights = [start], [_height(truth, data, start)]
    while len(mu) < MOST:
        mu.append(printed_sweep(algorithm, truth, data, mu[-1]))
        heights.append(_height(truth, data, mu[-1]))
        if abs(heights[-1] - heights[-2]) <= STOP.log_likelihood:
            break
        # at an even sweep, so that a cycle always ends at the same one of its two points
        if len(mu) % 2 and np.abs(mu[-1] - mu[-3]).max() <= CYCLE:
            break
    settled = abs(heights[-1] - heights[-2]) <= STOP.log_likelihood
    return Path(np.array(mu), np.array(heights), settled)


def printed_sweep(algorithm: str, truth: Mixture, data: Data, mu: Array) -> Array:
    """One sweep with the reference mean as printed in the version we read, divided by n."""
    z1, z2 = Mixture(truth.w, mu, truth.sigma).responsibilities(data.y).T
    gap, x = mu[1] - mu[0], data.y
    second_term = z1.sum() if algorithm == "as in Algorithm 1" else z1 @ x
    first = (z1 @ x * gap + second_term + z2 @ x) / data.n
    return np.array([first, z2 @ x / z2.sum()])


def _best(truth: Mixture, data: Data, start: Array | None = None) -> tuple[Array, float]:
    """The maximum-likelihood means and their log likelihood, from EM run to rounding."""
    mu = np.array(START) if start is None else start
    em = EM(frozen=KNOWN, stop=TIGHT)
    fit = em.fit(parameterization("unordered", 2), data, Mixture(truth.w, mu, truth.sigma))
    return fit.mixture.mu, float(fit.log_likelihood)


def _height(truth: Mixture, data: Data, mu: Array) -> float:
    return float(Mixture(truth.w, mu, truth.sigma).log_density(data.y).sum())


def _shift_error(algorithm: str, truth: Mixture, data: Data) -> float:
    """By how much one sweep of data and start moved by a constant fails to move as much."""
    moved, start = Data(data.y + SHIFT), np.array(START)
    if algorithm in PRINTED:
        here, there = (
            printed_sweep(algorithm, truth, one, start + at)
            for one, at in ((data, 0.0), (moved, SHIFT))
        )
    else:
        once = Stop(log_likelihood=0.0, passes=2)
        here, there = (
            follow(algorithm, truth, one, start + at, once).mu[-1]
            for one, at in ((data, 0.0), (moved, SHIFT))
        )
    return float(np.abs(there - here - SHIFT).max())


# --- effects --------------------------------------------------------------------------------------

COLUMNS = ("algorithm", "theory", "trace", "step", "sweeps")
_rows = partial(rows_of, columns=COLUMNS)


def _wide(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """One column of the data sets of Figure 2: a row a data set, a column an algorithm."""
    rows = table[table["measure"] == "ends"]
    wide = rows.pivot(index="replicate", columns="algorithm", values=column)
    if wide.empty or wide.isna().to_numpy().any():
        raise ValueError(f"table must hold {column} of every algorithm on every data set")
    return wide


def _ratio(algorithm: str) -> Callable[[pd.DataFrame], Effect]:
    """Median over data sets of its sweeps for one of EM; one that never settles has no number."""

    def effect(table: pd.DataFrame) -> Effect:
        settled = _wide(table, "settled")[["em", algorithm]].to_numpy(dtype=bool)
        if not settled.all():
            raise ValueError(f"{np.sum(~settled)} runs have not settled after {MOST} sweeps")
        sweeps = _wide(table, "sweeps")
        return median(sweeps[algorithm] / sweeps["em"])

    return effect


def _twofold(table: pd.DataFrame) -> Effect:
    ratio = _ratio("ecm")(table)
    return Effect(ratio.estimate - 2, ratio.low - 2, ratio.high - 2, ratio.observations)


def _early(column: str, algorithm: str = "ecm") -> Callable[[pd.DataFrame], Effect]:
    """Distance after ten sweeps for 1 of EM."""

    def effect(table: pd.DataFrame) -> Effect:
        distance = _wide(table, column)
        return paired_ratio(distance[algorithm], distance["em"])

    return effect


def _faster(table: pd.DataFrame) -> Effect:
    sweeps = _wide(table, "sweeps")
    return share(sweeps["ecm"] < sweeps["em"])


def _at_the_top(algorithm: str) -> Callable[[pd.DataFrame], Effect]:
    return lambda table: share(_wide(table, "missing")[algorithm] < LEVEL)


def _settles(algorithm: str) -> Callable[[pd.DataFrame], Effect]:
    return lambda table: share(_wide(table, "settled")[algorithm].astype(bool))


def _monotone(algorithm: str) -> Callable[[pd.DataFrame], Effect]:
    return lambda table: share(_wide(table, "monotone")[algorithm].astype(bool))


def _equivariant(algorithms: Iterable[str]) -> Callable[[pd.DataFrame], Effect]:
    def effect(table: pd.DataFrame) -> Effect:
        return median(_wide(table, "shift_error")[list(algorithms)].max(axis=1))

    return effect


def _population_rates(table: pd.DataFrame, step: float) -> pd.DataFrame:
    rows = table[(table["measure"] == "population") & (table["step"] == step)]
    index = ["separation", "weight"]
    return rows.pivot(index=index, columns="algorithm", values="theory")


def _locally_faster(table: pd.DataFrame) -> Effect:
    """Share of separations and weights at which the local rate of ECM is the smaller one."""
    found = []
    for step in STEPS:
        rates = _population_rates(table, step)
        found.append(float((rates["ecm"] < rates["em"]).mean()))
    return exact(*found)


def _slowdown(table: pd.DataFrame) -> Effect:
    """Largest relative error of 1 / p_reference near the singularity, over weights."""
    found = []
    for step in STEPS:
        logs = np.log(_population_rates(table, step).loc[NEAR])
        weight = logs.index.to_numpy()
        errors = [
            (logs["em"] / logs[algorithm] * p - 1).abs().max()
            for algorithm, p in (("ecm", weight), ("ecm, reference 2", 1 - weight))
        ]
        found.append(float(max(errors)))
    return exact(*found)


def _rates_agree(table: pd.DataFrame) -> Effect:
    """Median over data sets of the typical relative error of a trace's -log rate.

    A trace without a tail counts as infinitely wrong.
    """
    rows = table[table["measure"] == "rate"]
    counts = rows.groupby("replicate").size()
    if (counts < counts.max()).any():
        raise ValueError("table must hold every separation and weight for every replicate")
    error = (np.log(rows["trace"]) / np.log(rows["theory"]) - 1).abs().fillna(np.inf)
    return median(error.groupby(rows["replicate"]).median())


CLAIMS = (
    Claim(
        "nearer to the truth",
        "After ten sweeps relative ECM is nearer to the truth than EM.",
        PAPER,
        _early("early_to_truth"),
        "below",
        1.0,
        "distance of ECM for 1 of EM, geometric mean over data sets",
    ),
    Claim(
        "nearer to the maximum",
        "After ten sweeps relative ECM is nearer to the maximum-likelihood point than EM.",
        PAPER,
        _early("early_to_best"),
        "below",
        1.0,
        "distance of ECM for 1 of EM, geometric mean over data sets",
    ),
    Claim(
        "fewer iterations",
        "Relative ECM needs fewer iterations than EM.",
        PAPER,
        _ratio("ecm"),
        "below",
        1.0,
        "sweeps of ECM for 1 of EM, median over data sets",
    ),
    Claim(
        "faster on most data",
        "Relative ECM needs fewer iterations than EM on most data sets.",
        PAPER,
        _faster,
        "above",
        0.5,
        "share of data sets",
    ),
    Claim(
        "twice the iterations",
        "At equal weights relative ECM needs about twice the iterations of EM.",
        "local rates, 1 / p_reference",
        _twofold,
        "within",
        0.2,
        "sweeps of ECM for 1 of EM, less 2, median over data sets",
    ),
    Claim(
        "locally faster",
        "Relative ECM has a smaller local rate than EM at most separations and weights.",
        PAPER,
        _locally_faster,
        "above",
        0.5,
        "share of separations and weights",
    ),
    Claim(
        "slowdown is 1/p_reference",
        "Near the singularity ECM needs 1 / p_reference times the iterations, whichever reference.",
        "the local rates, expanded in the gap",
        _slowdown,
        "below",
        0.02,
        "relative error, the largest over weights and references",
    ),
    Claim(
        "rates as in theory",
        "The tails of EM and ECM shrink at the rates of theory, at every separation and weight.",
        "Dempster, Laird & Rubin 1977; Meng & Rubin 1993",
        _rates_agree,
        "below",
        0.02,
        "relative error of -log(rate), median over data sets",
    ),
    Claim(
        "Appendix B looks faster",
        "ECM as printed in Appendix B stops after fewer iterations than EM.",
        f"{PAPER}, with the update of Appendix B",
        _ratio("as in Appendix B"),
        "below",
        1.0,
        "sweeps for 1 of EM, median over data sets",
    ),
    Claim(
        "Appendix B nearer to the truth",
        "After ten sweeps ECM as printed in Appendix B is nearer to the truth than EM.",
        f"{PAPER}d, with the update of Appendix B",
        _early("early_to_truth", "as in Appendix B"),
        "below",
        1.0,
        "distance for 1 of EM, geometric mean over data sets",
    ),
    Claim(
        "Appendix B finds the maximum",
        "ECM as printed in Appendix B ends within 0.01 of the largest log likelihood.",
        "Esser & Nielsen 2022, Appendix B",
        _at_the_top("as in Appendix B"),
        "above",
        0.95,
        "share of data sets",
    ),
    Claim(
        "Appendix B never loses likelihood",
        "No sweep of ECM as printed in Appendix B lowers the log likelihood.",
        "Meng & Rubin 1993, every conditional maximisation raises the likelihood",
        _monotone("as in Appendix B"),
        "above",
        0.95,
        "share of data sets",
    ),
    Claim(
        "Algorithm 1 settles",
        "ECM as printed in Algorithm 1 settles.",
        "Esser & Nielsen 2022, Algorithm 1",
        _settles("as in Algorithm 1"),
        "above",
        0.95,
        "share of data sets",
    ),
    Claim(
        "Algorithm 1 finds the maximum",
        "ECM as printed in Algorithm 1 ends within 0.01 of the largest log likelihood.",
        "Esser & Nielsen 2022, Algorithm 1",
        _at_the_top("as in Algorithm 1"),
        "above",
        0.95,
        "share of data sets",
    ),
    Claim(
        "printed updates move with the data",
        "Data and start moved by 10 move a sweep of the printed updates by 10.",
        "Esser & Nielsen 2022, Algorithm 1 and Appendix B",
        _equivariant(PRINTED),
        "below",
        1e-6,
        "sigma, median over data sets",
    ),
    Claim(
        "derived updates find the maximum",
        "ECM as derived ends within 0.01 of the largest log likelihood.",
        "the conditional maxima",
        _at_the_top("ecm"),
        "above",
        0.95,
        "share of data sets",
    ),
    Claim(
        "derived updates move with the data",
        "Data and start moved by 10 move a sweep of EM and of ECM as derived by 10.",
        "the conditional maxima",
        _equivariant(DERIVED),
        "below",
        1e-6,
        "sigma, median over data sets",
    ),
)


# --- figures and findings -------------------------------------------------------------------------

STYLES = {
    "em": LOOKS["unordered"],
    "ecm": LOOKS["relative"],
    "ecm, reference 2": LOOKS["relative"]._replace(marker="X", linestyle="--"),
    "as in Algorithm 1": Look(FURTHER[0], "o", "--"),
    "as in Appendix B": Look(FURTHER[1], "o", ":"),
}
FLOOR = 1e-6


def one_data_set_figure(result: StudyResult) -> Figure:
    """The four panels of Figure 2 for the first data set."""
    rows = _rows(result.table, measure="path")
    return _four_panels(rows[rows["replicate"] == rows["replicate"].min()])


def medians_figure(result: StudyResult) -> Figure:
    """Four panels of medians over data sets with their 95% intervals."""
    return _four_panels(_rows(result.table, measure="path"))


def _four_panels(rows: pd.DataFrame) -> Figure:
    figure, ((plane, relative), (height, distance)) = panels(2, 2, (8.5, 6.6))
    plane.set(xlabel="mu1 / sigma", ylabel="mu2 / sigma")
    relative.set(xlabel="mu1 / sigma", ylabel="gap / sigma")
    height.set(xlabel="sweeps", ylabel="log likelihood missing")
    distance.set(xlabel="sweeps", ylabel="distance / sigma")
    distance.set_title("bold: to the truth, thin: to the maximum", fontsize=9)
    if rows.empty:
        return figure
    rows = rows.assign(
        gap=rows["mu2"] - rows["mu1"],
        missing=rows["missing"].clip(lower=FLOOR),
        to_truth=_distance(rows, SECOND_MEAN - rows["separation"], SECOND_MEAN),
        to_best=_distance(rows, rows["best1"], rows["best2"]),
    )
    for algorithm, look in STYLES.items():
        part = rows[rows["algorithm"] == algorithm]
        if part.empty:
            continue
        middle = part.groupby("sweep").median(numeric_only=True)
        style: dict[str, Any] = {"color": look.color, "linestyle": look.linestyle}
        for axes, column in ((plane, "mu2"), (relative, "gap")):
            axes.plot(middle["mu1"], middle[column], marker="o", ms=2.5, lw=1, **style)
        medians(height, part, "sweep", "missing", label=LABELS[algorithm], **style)
        medians(distance, part, "sweep", "to_truth", lw=1.8, **style)
        medians(distance, part, "sweep", "to_best", lw=0.8, **style)
    _window(plane, relative, rows[rows["algorithm"].isin(("em", "ecm"))])
    height.set(xscale="symlog", yscale="log", xlim=(0, CHECKPOINTS[-1]))
    distance.set(xscale="symlog", yscale="log", xlim=(0, CHECKPOINTS[-1]), ylim=(1e-3, None))
    return legend(figure, height, 2)


def _distance(rows: pd.DataFrame, first: Any, second: Any) -> pd.Series:
    return np.hypot(rows["mu1"] - first, rows["mu2"] - second).clip(lower=FLOOR)


def _window(plane: Axes, relative: Axes, rows: pd.DataFrame) -> None:
    """Limits from the paths of EM and ECM; the printed updates leave them. Stars: the truth."""
    for axes, column in ((plane, "mu2"), (relative, "gap")):
        for setter, name in ((axes.set_xlim, "mu1"), (axes.set_ylim, column)):
            low, high = rows[name].quantile([0.0, 1.0])
            setter(low - 0.1 * (high - low), high + 0.1 * (high - low))
    first = SECOND_MEAN - float(rows["separation"].iloc[0])
    star: dict[str, Any] = {"color": "#e69f00", "markersize": 11, "markeredgecolor": "black"}
    plane.plot(first, SECOND_MEAN, "*", **star)
    relative.plot(first, SECOND_MEAN - first, "*", **star)
    relative.axhline(0, color="0.7", linewidth=0.8, zorder=0)


def iterations_figure(result: StudyResult) -> Figure:
    """Sweeps of each algorithm on every data set, and their ratio to those of EM.

    Hollow: no sweep changes the log likelihood by less than 1e-8, the path ends in a cycle of two.
    """
    rows = _rows(result.table, measure="ends")
    figure, ((left, right),) = panels(1, 2, (8.5, 3.2), sharey=True)
    if rows.empty:
        return figure
    sweeps, settled = (
        rows.pivot(index="replicate", columns="algorithm", values=column)
        for column in ("sweeps", "settled")
    )
    for at, algorithm in enumerate(ALGORITHMS):
        jitter = -at + 0.25 * np.sin(np.arange(len(sweeps)) * 2.4)
        ratio, filled = sweeps[algorithm] / sweeps["em"], settled[algorithm].astype(bool)
        for axes, values in ((left, sweeps[algorithm]), (right, ratio)):
            style: dict[str, Any] = {"ms": 2.5, "color": STYLES[algorithm].color, "alpha": 0.5}
            axes.plot(values[filled], jitter[filled], "o", **style)
            axes.plot(values[~filled], jitter[~filled], "o", markerfacecolor="none", **style)
        right.plot(ratio.median(), -at, "|", ms=22, mew=2, color="black")
    left.set_yticks([-at for at in range(len(ALGORITHMS))], [LABELS[name] for name in ALGORITHMS])
    left.set(xscale="log", xlabel="sweeps until the change is below 1e-8; hollow: until a cycle")
    right.axvline(1, color="0.6", linewidth=0.8, zorder=0)
    right.set(xscale="log", xlabel="sweeps for 1 of EM, bar: median")
    return figure


def rates_figure(result: StudyResult) -> Figure:
    """1 - rate against separation: lines theory at the truth, dots traces of data sets."""
    table = result.table
    theory, traces = _rows(table, measure="population"), _rows(table, measure="rate")
    theory = theory[theory["step"] == STEPS[0]]
    weights = sorted(set(traces["weight"]) or set(theory["weight"])) or [0.5]
    figure, grid = panels(1, len(weights), (8.5, 3.6), sharey=True)
    for axes, weight in zip(grid[0], weights, strict=True):
        for at, name in enumerate(DERIVED):
            look = STYLES[name]
            line = theory[(theory["weight"] == weight) & (theory["algorithm"] == name)]
            line = line.sort_values("separation")
            style: dict[str, Any] = {"color": look.color, "linestyle": look.linestyle}
            axes.plot(line["separation"], 1 - line["theory"], label=LABELS[name], **style)
            dots = traces[(traces["weight"] == weight) & (traces["algorithm"] == name)]
            spread = 1 + 0.06 * (at - 1)
            style = {"color": look.color, "marker": look.marker, "linestyle": "none"}
            axes.plot(dots["separation"] * spread, 1 - dots["trace"], ms=3, **style)
        axes.set(title=f"first weight {weight:g}", xlabel=SEPARATION)
        if len(theory) or len(traces):
            axes.set(xscale="log", yscale="log")
    grid[0, 0].set_ylabel("1 - rate")
    return legend(figure, grid, 3)


PHRASES: dict[str, Words] = {
    "fewer iterations": "Sweeps of ECM as derived for one of EM: {0:.3f} (95% interval {1:.3f} to "
    "{2:.3f})",
    "faster on most data": "it is the faster one on {0:.1%} of the data sets",
    "nearer to the truth": "After ten sweeps its distance to the truth is {0:.2f} times that of EM",
    "Appendix B nearer to the truth": "that of the update printed in Appendix B {0:.2f} times, "
    "as Figure 2d reports of relative ECM",
    "Appendix B finds the maximum": "The update of Appendix B ends at the maximum of the "
    "likelihood on {0:.1%} of the data sets",
    "Algorithm 1 settles": "that of Algorithm 1 settles on {0:.1%}, else it goes to and fro "
    "between two points",
    "printed updates move with the data": "Moving data and start by ten moves a printed update by "
    "{0:.0f} too much or too little",
    "rates as in theory": "The rates of the traces miss those of theory by a share of {0:.1e} in "
    "the median",
    "slowdown is 1/p_reference": "near the singularity the slowdown misses 1 / p_reference by at "
    "most {0:.2%}",
}


def _phrases(result: StudyResult) -> Iterator[str]:
    return chained(by_outcome(result.verdicts, PHRASES))


def _sweeps(result: StudyResult) -> Iterator[str]:
    """Sweeps from the start of Figure 2, medians over data sets."""
    ends = _rows(result.table, measure="ends")
    sweeps = ends.groupby("algorithm")["sweeps"].median()
    yield (
        f"From (-2.5, 2), on {ends['replicate'].nunique()} data sets, EM takes a median of "
        f"{sweeps['em']:g} sweeps, relative ECM as derived {sweeps['ecm']:g} and as printed in "
        f"Appendix B {sweeps[PRINTED[1]]:g}."
    )


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(result, _sweeps, _phrases, tally)


def _blocks(
    paths: int, rates: int, weights: tuple[float, ...], separations: tuple[float, ...]
) -> list[dict]:
    """Grids of all measures."""
    figure_2 = {"separation": (NEAR,), "weight": (0.5,), "n": (200,)}
    theory = tuple(sorted({NEAR, 0.2, 0.5, *separations}))
    return [
        {**figure_2, "measure": ("path", "ends"), "replicate": range(paths)},
        {
            "measure": ("rate",),
            "separation": separations,
            "weight": weights,
            "n": (1000,),
            "replicate": range(rates),
        },
        {
            "measure": ("population",),
            "separation": theory,
            "weight": weights,
            "n": (0,),
            "replicate": (0,),
        },
    ]


OPENING = Opening(
    answer={
        "nearer to the truth": (
            "After ten sweeps relative ECM is nearer to the truth than EM.",
            "Relative ECM is not faster: after ten sweeps it is {0:.2f} [{1:.2f}, {2:.2f}] times "
            "as far from the truth as EM.",
            "Whether relative ECM or EM is nearer to the truth after ten sweeps is undecided.",
        ),
        "Appendix B nearer to the truth": (
            "The published figure follows from the update printed in Appendix B, which looks "
            "faster ({0:.2f} [{1:.2f}, {2:.2f}] of EM's distance after ten sweeps).",
            "The update printed in Appendix B is not nearer to the truth either.",
            "Whether the update printed in Appendix B is nearer is undecided.",
        ),
    },
    chief=("fewer iterations", "Appendix B nearer to the truth", "Appendix B finds the maximum"),
)


study = Study(
    name="trajectories",
    question="Does relative ECM approach the truth faster than EM, and in fewer iterations?",
    source="Esser & Nielsen 2022, Figure 2, Algorithm 1 and Appendix B",
    factors={
        "measure": ("path", "ends", "rate", "population"),
        "separation": (NEAR, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0),
        "weight": (0.5, 0.3, 0.7, 0.1, 0.9),
        "n": (200, 1000, 0),
        "replicate": range(2000),
    },
    sizes={
        "smoke": _blocks(8, 6, (0.3, 0.5), (1.0, 3.0)),
        "laptop": _blocks(200, 20, (0.3, 0.5, 0.7), (1.0, 1.5, 2.0, 3.0, 4.0)),
        "cluster": _blocks(2000, 200, (0.1, 0.3, 0.5, 0.7, 0.9), (1.0, 1.5, 2.0, 3.0, 4.0)),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={
        "one_data_set": one_data_set_figure,
        "medians": medians_figure,
        "iterations": iterations_figure,
        "rates": rates_figure,
    },
    findings=findings,
)
