"""Which remedies keep EM for Gaussian mixtures from collapsing onto points, at little cost?

The lecture notes among the sources show the likelihood's singularity, a component that shrinks onto
one point, and fixed and tied parameters. ``trace`` follows EM to the singularity beyond the range
of doubles; ``collapse`` counts how often random starts end there and compares remedies;
``constraints`` compares frozen and tied parameters on simulated data, ``shipped`` on the shipped
sets. A run is degenerate if it ended at the singularity, at the floor of the scales, or with a
scale below the spacing of the data. Excess loss is that of the best regular end of all starts.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ordered_mix.data import Data, load, population, simulate
from ordered_mix.estimators.em import EM, VariancePenalty
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.optima.optima import spurious
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.drawing import (
    compared,
    dots,
    legend,
    lines,
    looks,
    mark,
    panels,
    plain_ticks,
)
from ordered_mix.study.effects import exact, mean, paired, paired_ratio, share
from ordered_mix.study.sentences import RATIO
from ordered_mix.theory.collapse import log_trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

Rows = list[dict[str, Any]]

NOTES = "the lecture notes on mixtures and EM among the sources"
PROJECT = "a question of this project"
METHODS = ("random", "kmeans++", "quantile")
STARTS = 20
STOP = Stop(log_likelihood=1e-6, passes=600)
TRUTH = Mixture(np.array([0.35, 0.65]), np.array([0.0, 3.0]), np.array([1.0, 0.5]))
THREE = (-1.0, 1.0, 3.0)
SETS = ("galaxies", "acidity", "enzyme", "faithful:waiting", "faithful:eruptions")
KEPT = ("inverse_gamma", "tied", "map")
CLOSE = 0.01  # log likelihoods this near are one optimum


def trace(seed: int, start_sigma: float) -> Rows:
    """EM on three points to the singularity, from a narrow component at the last one."""
    log_variance = np.log([1.0, start_sigma**2])
    path = log_trace(np.array(THREE), [0.5, 0.5], [0, 3], log_variance, 40)
    return [
        {
            "iteration": number,
            "log_likelihood": state.log_likelihood,
            "log10_variance": state.log_variance[1] / np.log(10),
        }
        for number, state in enumerate(path)
    ]


def collapse(seed: int, n: int, k: int, replicate: int) -> Rows:
    """How often each start degenerates, by remedy, and how good the best regular end is."""
    drawn = sample(n, replicate)
    starts, rows = starts_of(drawn, k, seed), []
    prior = Prior().affine(float(drawn.location), float(drawn.scale))
    model = catalog.parameterization("unordered", k, prior)
    for name, em in remedies(drawn).items():
        fit = em.fit(model, drawn, starts)
        bad = degenerate(drawn, fit, em.floor)
        best, _ = best_of(fit, bad)
        row: dict[str, Any] = {"estimator": name, "degenerate": bad.mean()}
        for method, part in zip(METHODS, bad.reshape(len(METHODS), STARTS), strict=True):
            row[f"degenerate_{method}"] = part.mean()
        truth = {} if best is None else against_truth(fit.mixture[best])
        rows.append(row | truth)
    return rows


def constraints(seed: int, n: int, k: int, replicate: int) -> Rows:
    """What constraints cost in likelihood, and gain in passes and stability, on simulated data."""
    drawn = sample(n, replicate)
    return constrained(drawn, starts_of(drawn, k, seed))


def shipped(seed: int, data: str, k: int) -> Rows:
    """The same on a shipped set."""
    return constrained(load(data), starts_of(load(data), k, seed))


def sample(n: int, replicate: int) -> Data:
    """A simulated set, shared by all cells of these factors."""
    return simulate(TRUTH, n, seed_of("em_pathologies data", n=n, replicate=replicate))


def starts_of(data: Data, k: int, seed: int) -> Mixture:
    """As many starts of each method."""
    parts = [initial_mixtures(data, k, STARTS, method, seed) for method in METHODS]
    return Mixture(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("w", "mu", "sigma")))


def degenerate(data: Data, fit: Fit, floor: float = 0.0) -> NDArray[np.bool_]:
    """Runs that ended at the singularity, at the floor, or narrower than the data's spacing."""
    failed = ~np.isin(fit.status, ("converged", "budget_exhausted"))
    lowest = fit.mixture.sigma.min(axis=-1)
    return failed | (lowest <= 1.001 * floor) | spurious(data, fit.mixture)


def best_of(fit: Fit, bad: NDArray[np.bool_]) -> tuple[int | None, NDArray[np.bool_]]:
    """The best regular run, and the runs that reach its log likelihood."""
    if bad.all():
        return None, np.zeros(len(bad), dtype=bool)
    value = np.where(bad, -np.inf, fit.log_likelihood)
    return int(value.argmax()), value > value.max() - CLOSE


def against_truth(mixture: Mixture) -> dict[str, float]:
    """Excess loss in nats a point, and bias of the log scales if the number is the true one."""
    grid, found = population(TRUTH, 0.05), mixture.sorted()
    loss = TRUTH.log_density(grid.y) - found.log_density(grid.y)
    bias = np.log(found.sigma / TRUTH.sigma).mean() if found.k == TRUTH.k else np.nan
    return {"excess": float(np.asarray(grid.weight) @ loss), "scale_bias": float(bias)}


def remedies(data: Data) -> dict[str, EM]:
    """Plain EM and what is done against its collapse."""
    scale = float(data.scale)
    chen_tan = VariancePenalty.chen_tan(1 / data.n, data)
    inverse_gamma = VariancePenalty.inverse_gamma(2.0, 0.25 * scale**2)
    return {
        "free": EM(stop=STOP, snapshots=2),
        "floor": EM(floor=0.05 * scale, stop=STOP, snapshots=2),
        "chen_tan": EM(penalty=chen_tan, stop=STOP, snapshots=2),
        "inverse_gamma": EM(penalty=inverse_gamma, stop=STOP, snapshots=2),
        "tied": EM(scales="tied", stop=STOP, snapshots=2),
        "map": EM(posterior=True, stop=STOP, snapshots=2),
    }


def constrained(drawn: Data, starts: Mixture) -> Rows:
    """Equal weights, tied scales, both, and means frozen at those of k-means, next to none."""
    k = starts.k
    equal = Mixture(np.full(k, 1 / k), starts.mu, starts.sigma)
    common = Mixture(equal.w, starts.mu, np.full(k, float(drawn.scale) / k))
    hard = EM(assignment="hard", frozen=("w", "sigma"), stop=STOP, snapshots=2)
    model = catalog.parameterization("unordered", k)
    centers = Mixture(starts.w, hard.fit(model, drawn, common).mixture.mu, starts.sigma)
    runs = {
        "free": (EM(stop=STOP, snapshots=2), starts),
        "equal weights": (EM(frozen=("w",), stop=STOP, snapshots=2), equal),
        "tied": (EM(scales="tied", stop=STOP, snapshots=2), starts),
        "tied, equal weights": (EM(scales="tied", frozen=("w",), stop=STOP, snapshots=2), equal),
        "frozen means": (EM(frozen=("mu",), stop=STOP, snapshots=2), centers),
    }
    rows: Rows = []
    for name, (em, begin) in runs.items():
        fit = em.fit(model, drawn, begin)
        bad = degenerate(drawn, fit)
        best, reached = best_of(fit, bad)
        value = np.nan if best is None else fit.log_likelihood[best] / drawn.n
        row = {"estimator": name, "log_likelihood": value, "share_best": reached.mean()}
        rows.append({**row, "degenerate": bad.mean(), "passes": float(np.median(fit.passes))})
    return rows


# --- effects --------------------------------------------------------------------------------------


def law(table: pd.DataFrame) -> Effect:
    """One step of EM from scale 1/100: log(1/v') v / 2, less 1; scale 1/50 as the coarse one."""
    steps = table.set_index(["start_sigma", "iteration"])["log10_variance"]
    return exact(*(-steps[s, 1] * np.log(10) * s**2 / 2 - 1 for s in (0.01, 0.02)))


def collapse_change(table: pd.DataFrame, factor: str) -> Effect:
    """Share of degenerate starts of plain EM, largest less smallest value of a factor."""
    rows = table[table["estimator"] == "free"]
    values = sorted(rows[factor].unique())
    if len(values) < 2:
        raise ValueError(f"the table holds one value of {factor} only")
    found = paired(rows, factor, values, "degenerate", ["replicate"])
    return mean(found[values[-1]] - found[values[0]])


def change_with_n(table: pd.DataFrame) -> Effect:
    """Between the largest n and the smallest, 4 components fitted."""
    return collapse_change(table[table["k"] == 4], "n")


def change_with_k(table: pd.DataFrame) -> Effect:
    """Between 4 and 2 components fitted, smallest n."""
    return collapse_change(table[table["n"] == table["n"].min()], "k")


def remedied(table: pd.DataFrame) -> Effect:
    """Share of data sets where a start degenerates under a penalty, tied scales or the prior."""
    rows = table[table["estimator"].isin(KEPT)]
    return share(rows.groupby(["n", "k", "replicate"])["degenerate"].max() > 0)


def price(table: pd.DataFrame) -> Effect:
    """Excess loss of the inverse gamma penalty less that of the best regular plain optimum."""
    rows = table[(table["k"] == 2) & (table["n"] == table["n"].max())]
    found = paired(rows, "estimator", ("inverse_gamma", "free"), "excess", ["replicate"])
    return mean(found["inverse_gamma"] - found["free"])


def tied_and_free(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """A column of the constraints, tied and free, by data set."""
    return paired(table, "estimator", ("tied", "free"), value, ["n", "k", "replicate"])


def tied_passes(table: pd.DataFrame) -> Effect:
    """Passes with tied scales for one with free ones."""
    found = tied_and_free(table, "passes")
    return paired_ratio(found["tied"], found["free"])


def tied_stability(table: pd.DataFrame, k: int) -> Effect:
    """Share of starts at the best optimum, tied less free scales; their signs differ by K."""
    found = tied_and_free(table[table["k"] == k], "share_best")
    return mean(found["tied"] - found["free"])


def tied_cost(table: pd.DataFrame) -> Effect:
    """Log likelihood a point lost by tied scales, on the shipped set that loses least.

    The shipped sets are no sample, so the cost has no interval.
    """
    rows = table[table["k"] == 3]
    found = paired(rows, "estimator", ("free", "tied"), "log_likelihood", ["data"])
    least = float((found["free"] - found["tied"]).min())
    return exact(least, least)


COLLAPSE: dict[str, Any] = {"of": ("collapse",)}
CONSTRAINTS: dict[str, Any] = {"of": ("constraints",)}
CLAIMS = (
    Claim("law of the collapse", "Near a point the variance falls like ln(1/v') = 2 / v a step.",
          NOTES, law, "within", 0.01, "relative error", of=("trace",),
          words="Near a point a step of EM takes the variance v to exp(-2 / v), off by {0:.1%}."),
    Claim("collapse falls with n", "With more data fewer starts degenerate (4 fitted).",
          PROJECT, change_with_n, "below", 0.0, "share of starts, largest n less smallest",
          **COLLAPSE,
          words="From 50 to 1,000 points the share of plain EM's starts that degenerate changes by "
          "{0:.0%} [{1:.0%}, {2:.0%}] (4 components fitted)."),
    Claim("collapse rises with K", "With more components more starts degenerate.",
          PROJECT, change_with_k, "above", 0.0, "share of starts, 4 less 2 components", **COLLAPSE,
          words="With 4 components in place of 2 it changes by {0:.0%} [{1:.0%}, {2:.0%}] (50 "
          "points)."),
    Claim("remedies work", "A penalty, tied scales or the prior prevent degenerate ends.",
          "Day 1969; Hathaway 1985; Ciuperca, Ridolfi & Idier 2003", remedied, "below", 0.05,
          "share of data sets with any", **COLLAPSE,
          words=("EM collapses onto points; a penalty, tied scales or the prior prevent it (at "
                 "most {2:.0%} of data sets degenerate).",
                 "A penalty, tied scales and the prior do not prevent EM's collapse on {0:.0%} of "
                 "the data sets.",
                 "Whether a penalty, tied scales and the prior prevent EM's collapse is "
                 "undecided.")),
    Claim("remedies are cheap", "The penalty costs little where plain EM has a good optimum.",
          "Chen & Tan 2009, consistency", price, "within", 0.005, "nats a point", **COLLAPSE,
          words=("The penalty costs {0:.4f} [{1:.4f}, {2:.4f}] nats a point where plain EM has a "
                 "good optimum, which is little.",
                 "The penalty changes the loss by {0:.4f} [{1:.4f}, {2:.4f}] nats a point where "
                 "plain EM has a good optimum, which is not little.",
                 "Whether the penalty is cheap where plain EM has a good optimum is undecided "
                 "({0:.4f} [{1:.4f}, {2:.4f}] nats a point).")),
    Claim("tied scales save passes", "Tied scales need fewer passes than free ones.",
          PROJECT, tied_passes, "below", 1.0, "passes for one with free scales", **CONSTRAINTS,
          words=f"Tied scales take {RATIO} passes for one with free scales."),
    *(Claim(f"tied scales are stable, K = {k}",
            f"With tied scales more starts reach the best optimum, {k} components fitted.",
            PROJECT, partial(tied_stability, k=k), "above", 0.0, "share of starts", **CONSTRAINTS,
            words=f"With K = {k} the share of starts that reach the best optimum differs by "
            "{0:+.0%} [{1:+.0%}, {2:+.0%}] from that with free scales.") for k in (2, 3)),
    Claim("tied scales cost fit",
          "Tied scales cost more than 0.001 nats a point on each of the shipped data sets (K = 3).",
          PROJECT, tied_cost, "above", 0.001, "nats a point, on the set that loses least",
          of=("shipped",),
          words="On the shipped set where they cost least, tied scales lose {0:.3f} nats a point "
          "(K = 3)."),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------


def trace_figure(result: StudyResult) -> Figure:
    """EM on the data -1, 1, 3 from a narrow component at 3: log10 variance by iteration."""
    rows = result.tables["trace"].reindex(columns=["start_sigma", "iteration", "log10_variance"])
    names = [f"from sigma = {sigma:g}" for sigma in rows["start_sigma"]]
    rows = rows.assign(size=-rows["log10_variance"], name=names)
    figure, ((axes,),) = panels(1, 1, (5.5, 3.4))
    lines(axes, rows, "iteration", "size", "name")
    mark(axes, 323, "smallest\ndouble")
    axes.set(xlabel="iteration", ylabel="- log10 variance", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return legend(figure, axes)


def collapse_figure(result: StudyResult) -> Figure:
    """Share of starts of plain EM that degenerate, by method; means over data sets with 95%."""
    columns = {f"degenerate_{method}": method for method in METHODS}
    rows = result.tables["collapse"].rename(columns=columns)
    rows = rows.reindex(columns=["estimator", "n", "k", *METHODS])
    rows = rows[rows["estimator"] == "free"]
    places = [f"n = {n}, K = {k}" for n, k in zip(rows["n"], rows["k"], strict=True)]
    rows = rows.assign(place=places).melt("place", METHODS, "method")
    figure, ((axes,),) = panels(1, 1, (7, 3.4))
    dots(axes, rows, "value", "method", looks(METHODS), "place", list(dict.fromkeys(places)))
    axes.set(xlabel="share of starts that degenerate", xlim=(-0.02, 1.02))
    return legend(figure, axes)


def remedies_figure(result: StudyResult) -> Figure:
    """Remedies on simulated data: degenerate starts, excess loss and bias of the log scales."""
    table = result.tables["collapse"]
    rows = table[table["k"] == 2].sort_values("n", kind="stable")
    rows = rows.assign(series=[f"n = {n}" for n in rows["n"]])
    columns = {
        "degenerate": "share of starts\nthat degenerate",
        "excess": "excess loss / nats a point",
        "scale_bias": "bias of log scale",
    }
    figure, axes = compared(rows, "estimator", "series", columns, 3.4)
    for one in axes:
        one.axvline(0, color="0.8", zorder=0)
    return figure


def constraints_figure(result: StudyResult) -> Figure:
    """Cost and gain of constraints: log likelihood lost, passes, and starts at the best optimum."""
    parts = [result.tables["shipped"], result.tables["constraints"].assign(data="simulated")]
    rows = pd.concat([part for part in parts if len(part)] or parts)
    keys = ["data", "k", "replicate"]
    rows = rows.reindex(columns=[*keys, "estimator", "log_likelihood", "share_best", "passes"])
    best = rows.groupby(keys, dropna=False)["log_likelihood"].transform("max")
    rows = rows.assign(lost=best - rows["log_likelihood"])
    columns = {
        "lost": "log likelihood lost / nats a point",
        "passes": "passes (median of starts)",
        "share_best": "share of starts\nat the best optimum",
    }
    figure, axes = compared(rows, "estimator", "data", columns, 4.8)
    if len(rows):
        axes[1].set_xscale("log")
        plain_ticks(axes[1].xaxis, [10, 30, 100, 300])
    return figure


ANY: dict[str, Any] = {"smoke": {}, "laptop": {}, "cluster": {}}
HUNDREDS = (50, 100, 200, 1000)

study = Study(
    name="em_pathologies",
    question="Which remedies keep EM for mixtures from collapsing onto points, at little cost?",
    source=NOTES,
    experiments={
        "trace": Experiment(trace, {"start_sigma": (0.01, 0.02, 0.8)}, ANY),
        "collapse": Experiment(
            collapse,
            {"n": HUNDREDS, "k": (2, 3, 4, 5), "replicate": range(20)},
            {
                "smoke": {"n": (50, 100), "k": (2, 4), "replicate": range(2)},
                "laptop": {"n": (50, 200, 1000), "k": (2, 4)},
                "cluster": {"replicate": range(500)},
            },
        ),
        "constraints": Experiment(
            constraints,
            {"n": HUNDREDS, "k": (2, 3), "replicate": range(20)},
            {
                "smoke": {"n": (100,), "k": (2,), "replicate": range(2)},
                "laptop": {"n": (200,)},
                "cluster": {"n": (200,)},
            },
        ),
        "shipped": Experiment(
            shipped,
            {"data": SETS, "k": (2, 3, 5)},
            {"smoke": {"data": ("galaxies", "acidity"), "k": (3,)}, "laptop": {}, "cluster": {}},
        ),
    },
    claims=CLAIMS,
    figures={
        "trace": trace_figure,
        "collapse": collapse_figure,
        "remedies": remedies_figure,
        "constraints": constraints_figure,
    },
    answer=("remedies work", "remedies are cheap"),
    chief=("remedies work", "collapse falls with n", "tied scales cost fit"),
)
