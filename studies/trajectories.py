"""Does relative ECM approach the truth faster than EM, as published?

Esser & Nielsen 2022, Figure 2 and Algorithm 1: means started at (-2.5, 2), truth (-5.1, -5), 200
points, known weights 1/2 and unit scales. Here the same on many data sets, with three ECMs: as
derived (each coordinate's conditional maximum, from either component as the reference), as printed
in Algorithm 1 and as printed in Appendix B. With z the responsibilities and D the gap the reference
mean is derived as ``(sum z1 x + sum z2 x - D sum z2) / n``; in the version we read its numerator is
``sum z1 x D + sum z1 + sum z2 x`` in Algorithm 1 and ``sum z1 x D + sum z1 x + sum z2 x`` in
Appendix B, and neither keeps the gap positive. Both are run here exactly so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.data import Data, simulate
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import FURTHER, LOOKS, Look, legend, medians, nothing, panels
from ordered_mix.study.effects import less, median, paired_ratio, share
from ordered_mix.study.grid import seed_of

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
TRUTH = Mixture(np.array([0.5, 0.5]), np.array([-5.1, -5.0]), np.ones(2))
N, START = 200, (-2.5, 2.0)
MOST = 5000
STOP = Stop(log_likelihood=1e-8, passes=MOST)
TIGHT = Stop(log_likelihood=0.0, parameters=1e-11, passes=50_000)
EARLY = 10
CHECKPOINTS = (0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320)
SHIFT = 10.0
LEVEL = 0.01
CYCLE = 1e-12


class Path(NamedTuple):
    """Means, shape (sweeps + 1, 2), and log likelihood, shape (sweeps + 1,), from the start on."""

    mu: Array
    log_likelihood: Array
    settled: bool


def path_cell(seed: int, replicate: int) -> list[dict]:
    """Means and missing log likelihood at chosen sweeps; a path that has settled stays.

    One that has come to a cycle of two goes on in it.
    """
    data = data_of(replicate)
    best, top = _best(data)
    rows = []
    for algorithm in ("em", "ecm", *PRINTED):
        path = follow(algorithm, data, np.array(START))
        for sweep in CHECKPOINTS:
            last = len(path.mu) - 1
            at = sweep if sweep < last else last - (0 if path.settled else (sweep - last) % 2)
            mu = dict(zip(("mu1", "mu2"), path.mu[at].tolist(), strict=True))
            ends = dict(zip(("best1", "best2"), best.tolist(), strict=True))
            missing = top - float(path.log_likelihood[at])
            row = {"algorithm": algorithm, "sweep": sweep, **mu, **ends}
            rows.append({**row, "missing": missing})
    return rows


def ends_cell(seed: int, replicate: int) -> list[dict]:
    """Where every algorithm ends, after how many sweeps, and what it did on the way."""
    data = data_of(replicate)
    best, top = _best(data)
    rows = []
    for algorithm in ALGORITHMS:
        path = follow(algorithm, data, np.array(START))
        early = path.mu[min(EARLY, len(path.mu) - 1)]
        rows.append(
            {
                "algorithm": algorithm,
                "sweeps": len(path.mu) - 1,
                "settled": path.settled,
                "missing": top - float(path.log_likelihood[-1]),
                "monotone": bool(np.diff(path.log_likelihood).min() > -1e-9),
                "early_to_truth": float(np.linalg.norm(early - TRUTH.mu)),
                "early_to_best": float(np.linalg.norm(early - best)),
                "to_truth": float(np.linalg.norm(path.mu[-1] - TRUTH.mu)),
                "end_gap": float(path.mu[-1, 1] - path.mu[-1, 0]),
                "best_gap": float(best[1] - best[0]),
                "shift_error": _shift_error(algorithm, data),
            }
        )
    return rows


def data_of(replicate: int) -> Data:
    """Points of the truth."""
    return simulate(TRUTH, N, seed_of("data", separation=0.1, weight=0.5, n=N, replicate=replicate))


def follow(algorithm: str, data: Data, start: Array, stop: Stop = STOP) -> Path:
    """Every sweep of an algorithm until the log likelihood changes by less than 1e-8."""
    if algorithm in PRINTED:
        return _follow_printed(algorithm, data, start)
    label, estimator = DERIVED[algorithm]
    estimator = replace(estimator, stop=stop, snapshots=stop.passes)
    fit = estimator.fit(parameterization(label, 2), data, at(start))
    trace = fit.trace
    return Path(trace.mixture.mu, trace.log_likelihood, bool(fit.converged))


def at(mu: Array) -> Mixture:
    """The mixture with these means and the known weights and scales."""
    return Mixture(TRUTH.w, mu, TRUTH.sigma)


def _follow_printed(algorithm: str, data: Data, start: Array) -> Path:
    """Every sweep until the log likelihood settles, or the means are those of two sweeps before."""
    mu, heights = [start], [_height(data, start)]
    while len(mu) < MOST:
        mu.append(printed_sweep(algorithm, data, mu[-1]))
        heights.append(_height(data, mu[-1]))
        if abs(heights[-1] - heights[-2]) <= STOP.log_likelihood:
            break
        # at an even sweep, so that a cycle always ends at the same one of its two points
        if len(mu) % 2 and np.abs(mu[-1] - mu[-3]).max() <= CYCLE:
            break
    settled = abs(heights[-1] - heights[-2]) <= STOP.log_likelihood
    return Path(np.array(mu), np.array(heights), settled)


def printed_sweep(algorithm: str, data: Data, mu: Array) -> Array:
    """One sweep with the reference mean as printed in the version we read, divided by n."""
    z1, z2 = at(mu).responsibilities(data.y).T
    gap, x = mu[1] - mu[0], data.y
    second_term = z1.sum() if algorithm == "as in Algorithm 1" else z1 @ x
    first = (z1 @ x * gap + second_term + z2 @ x) / data.n
    return np.array([first, z2 @ x / z2.sum()])


def _best(data: Data) -> tuple[Array, float]:
    """The maximum-likelihood means and their log likelihood, from EM run to rounding."""
    em = EM(frozen=KNOWN, stop=TIGHT)
    fit = em.fit(parameterization("unordered", 2), data, at(np.array(START)))
    return fit.mixture.mu, float(fit.log_likelihood)


def _height(data: Data, mu: Array) -> float:
    return float(at(mu).log_density(data.y).sum())


def _shift_error(algorithm: str, data: Data) -> float:
    """By how much one sweep of data and start moved by a constant fails to move as much."""
    moved, start = Data(data.y + SHIFT), np.array(START)
    if algorithm in PRINTED:
        here, there = (
            printed_sweep(algorithm, one, start + by) for one, by in ((data, 0.0), (moved, SHIFT))
        )
    else:
        once = Stop(log_likelihood=0.0, passes=2)
        here, there = (
            follow(algorithm, one, start + by, once).mu[-1]
            for one, by in ((data, 0.0), (moved, SHIFT))
        )
    return float(np.abs(there - here - SHIFT).max())


# --- effects --------------------------------------------------------------------------------------


def _wide(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row a data set, a column an algorithm."""
    wide = table.pivot(index="replicate", columns="algorithm", values=column)
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


def _early(column: str, algorithm: str = "ecm") -> Callable[[pd.DataFrame], Effect]:
    """Distance after ten sweeps for 1 of EM."""

    def effect(table: pd.DataFrame) -> Effect:
        distance = _wide(table, column)
        return paired_ratio(distance[algorithm], distance["em"])

    return effect


def _faster(table: pd.DataFrame) -> Effect:
    sweeps = _wide(table, "sweeps")
    return share(sweeps["ecm"] < sweeps["em"])


def _share_of(column: str, algorithm: str) -> Callable[[pd.DataFrame], Effect]:
    """Share of the data sets on which this is true of an algorithm."""
    return lambda table: share(_wide(table, column)[algorithm].astype(bool))


def _at_the_top(algorithm: str) -> Callable[[pd.DataFrame], Effect]:
    return lambda table: share(_wide(table, "missing")[algorithm] < LEVEL)


def _equivariant(algorithms: Iterable[str]) -> Callable[[pd.DataFrame], Effect]:
    def effect(table: pd.DataFrame) -> Effect:
        return median(_wide(table, "shift_error")[list(algorithms)].max(axis=1))

    return effect


DISTANCE = "distance of ECM for 1 of EM, geometric mean over data sets"
SWEEPS = "sweeps of ECM for 1 of EM, median over data sets"
SETS = "share of data sets"
APPENDIX, ALGORITHM = "Esser & Nielsen 2022, Appendix B", "Esser & Nielsen 2022, Algorithm 1"
RATIO = "{0:.2f} [{1:.2f}, {2:.2f}]"
ENDS = ("ends",)
CLAIMS = (
    Claim("nearer to the truth", "After ten sweeps relative ECM is nearer to the truth than EM.",
          PAPER, _early("early_to_truth"), "below", 1.0, DISTANCE, of=ENDS,
          words=(
              f"After ten sweeps relative ECM is nearer to the truth than EM, at {RATIO} of its "
              "distance.",
              f"Relative ECM is not faster: after ten sweeps it is {RATIO} times as far from the "
              "truth as EM.",
              "Whether relative ECM or EM is nearer to the truth after ten sweeps is undecided "
              f"({RATIO}).",
          )),
    Claim("nearer to the maximum",
          "After ten sweeps relative ECM is nearer to the maximum-likelihood point than EM.",
          PAPER, _early("early_to_best"), "below", 1.0, DISTANCE, of=ENDS,
          words=f"After ten sweeps relative ECM is {RATIO} times as far from the maximum of the "
          "likelihood as EM."),
    Claim("fewer iterations", "Relative ECM needs fewer iterations than EM.",
          PAPER, _ratio("ecm"), "below", 1.0, SWEEPS, of=ENDS,
          words=f"Relative ECM as derived takes {RATIO} sweeps for one of EM."),
    Claim("faster on most data", "Relative ECM needs fewer iterations than EM on most data sets.",
          PAPER, lambda table: share(_wide(table, "sweeps").eval("ecm < em")), "above", 0.5, SETS,
          of=ENDS, words="Relative ECM takes fewer sweeps than EM on {0:.1%} of the data sets."),
    Claim("twice the iterations",
          "At equal weights relative ECM needs about twice the iterations of EM.",
          "local rates, 1 / p_reference", lambda table: less(_ratio("ecm")(table), 2),
          "within", 0.2, "sweeps of ECM for 1 of EM, less 2, median over data sets", of=ENDS,
          words="From 2, which the local rates give, this differs by {0:.2f} [{1:.2f}, {2:.2f}]."),
    Claim("Appendix B looks faster",
          "ECM as printed in Appendix B stops after fewer iterations than EM.",
          f"{PAPER}, with the update of Appendix B", _ratio(PRINTED[1]), "below", 1.0,
          "sweeps for 1 of EM, median over data sets", of=ENDS,
          words=f"The update printed in Appendix B stops after {RATIO} sweeps for one of EM."),
    Claim("Appendix B nearer to the truth",
          "After ten sweeps ECM as printed in Appendix B is nearer to the truth than EM.",
          f"{PAPER}d, with the update of Appendix B", _early("early_to_truth", PRINTED[1]),
          "below", 1.0, "distance for 1 of EM, geometric mean over data sets", of=ENDS,
          words=(
              "The published figure follows from the update printed in Appendix B, which looks "
              f"faster ({RATIO} of EM's distance after ten sweeps).",
              f"The update printed in Appendix B is not nearer to the truth either ({RATIO} of "
              "EM's distance after ten sweeps).",
              f"Whether the update printed in Appendix B is nearer is undecided ({RATIO}).",
          )),
    Claim("Appendix B finds the maximum",
          "ECM as printed in Appendix B ends within 0.01 of the largest log likelihood.",
          APPENDIX, _at_the_top(PRINTED[1]), "above", 0.95, SETS, of=ENDS,
          words="The update of Appendix B ends at the maximum of the likelihood on {0:.1%} of the "
          "data sets."),
    Claim("Appendix B never loses likelihood",
          "No sweep of ECM as printed in Appendix B lowers the log likelihood.",
          "Meng & Rubin 1993, every conditional maximisation raises the likelihood",
          _share_of("monotone", PRINTED[1]), "above", 0.95, SETS, of=ENDS,
          words="No sweep of it lowers the likelihood on {0:.1%} of the data sets."),
    Claim("Algorithm 1 settles", "ECM as printed in Algorithm 1 settles.",
          ALGORITHM, _share_of("settled", PRINTED[0]), "above", 0.95, SETS, of=ENDS,
          words="The update of Algorithm 1 settles on {0:.1%} of the data sets, else it goes to "
          "and fro between two points."),
    Claim("Algorithm 1 finds the maximum",
          "ECM as printed in Algorithm 1 ends within 0.01 of the largest log likelihood.",
          ALGORITHM, _at_the_top(PRINTED[0]), "above", 0.95, SETS, of=ENDS,
          words="It ends at the maximum of the likelihood on {0:.1%} of them."),
    Claim("printed updates move with the data",
          "Data and start moved by 10 move a sweep of the printed updates by 10.",
          f"{ALGORITHM} and Appendix B", _equivariant(PRINTED), "below", 1e-6,
          "sigma, median over data sets", of=ENDS,
          words="Moving data and start by ten moves a printed update by {0:.2g} too much or too "
          "little."),
    Claim("derived updates find the maximum",
          "ECM as derived ends within 0.01 of the largest log likelihood.",
          "the conditional maxima", _at_the_top("ecm"), "above", 0.95, SETS, of=ENDS,
          words="ECM as derived ends at the maximum on {0:.1%} of the data sets."),
    Claim("derived updates move with the data",
          "Data and start moved by 10 move a sweep of EM and of ECM as derived by 10.",
          "the conditional maxima", _equivariant(DERIVED), "below", 1e-6,
          "sigma, median over data sets", of=ENDS,
          words="A derived update moves with data and start, to {0:.1g}."),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

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
    rows = result.tables["path"]
    return _four_panels(rows[rows["replicate"] == rows["replicate"].min()])


def medians_figure(result: StudyResult) -> Figure:
    """Four panels of medians over data sets with their 95% intervals."""
    return _four_panels(result.tables["path"])


def _four_panels(rows: pd.DataFrame) -> Figure:
    figure, ((plane, relative), (height, distance)) = panels(2, 2, (8.5, 6.6))
    if rows.empty:
        nothing(plane)
        return figure
    plane.set(xlabel="mu1 / sigma", ylabel="mu2 / sigma")
    relative.set(xlabel="mu1 / sigma", ylabel="gap / sigma")
    height.set(xlabel="sweeps", ylabel="log likelihood missing")
    distance.set(xlabel="sweeps", ylabel="distance / sigma")
    distance.set_title("bold: to the truth, thin: to the maximum", fontsize=9)
    rows = rows.assign(
        gap=rows["mu2"] - rows["mu1"],
        missing=rows["missing"].clip(lower=FLOOR),
        to_truth=_distance(rows, *TRUTH.mu),
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
    first, second = TRUTH.mu
    star: dict[str, Any] = {"color": "#e69f00", "markersize": 11, "markeredgecolor": "black"}
    plane.plot(first, second, "*", **star)
    relative.plot(first, second - first, "*", **star)
    relative.axhline(0, color="0.7", linewidth=0.8, zorder=0)


def iterations_figure(result: StudyResult) -> Figure:
    """Sweeps of each algorithm on every data set, and their ratio to those of EM.

    Hollow: no sweep changes the log likelihood by less than 1e-8, the path ends in a cycle of two.
    """
    rows = result.tables["ends"]
    figure, ((left, right),) = panels(1, 2, (8.5, 3.2), sharey=True)
    if rows.empty:
        nothing(left)
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


def _sizes(smoke: int, laptop: int, cluster: int) -> dict[str, dict]:
    numbers = {"smoke": smoke, "laptop": laptop, "cluster": cluster}
    return {size: {"replicate": range(number)} for size, number in numbers.items()}


study = Study(
    name="trajectories",
    question="Does relative ECM approach the truth faster than EM, as published?",
    source="Esser & Nielsen 2022, Figure 2, Algorithm 1 and Appendix B",
    experiments={
        name: Experiment(
            cell=function, factors={"replicate": range(2000)}, sizes=_sizes(8, 200, 2000)
        )
        for name, function in (("path", path_cell), ("ends", ends_cell))
    },
    claims=CLAIMS,
    figures={
        "one_data_set": one_data_set_figure,
        "medians": medians_figure,
        "iterations": iterations_figure,
    },
    answer=("nearer to the truth", "Appendix B nearer to the truth"),
    chief=("fewer iterations", "Appendix B nearer to the truth", "Appendix B finds the maximum"),
)
