"""Does cooling lead EM for Gaussian mixtures to the best optimum?

The lecture notes among the sources take k-means as the limit of EM with a known variance c that
goes to 0; ``limit`` follows it, and ``split`` is where the merged point loses its hold. Annealing
runs EM from large to small, means perturbed at every step: of a temperature that flattens the
responsibilities, with all parameters free (Ueda & Nakano 1998), or of the known variance (Rose,
Gurewitz & Fox 1990). ``annealing`` compares the two with k-means, its hybrid with weights and
variances, and EM, from the same starts. With free variances the merged point holds at every
temperature T above 1, where its EM eigenvalue is 1 / T, so annealing from high temperatures begins
at the saddle. ``frames`` keeps iterations to be drawn.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ordered_mix.data import Data, load, population
from ordered_mix.estimators.em import EM, VariancePenalty
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.loop.initial_means import initial_means
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.parameterization import catalog
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.drawing import SHADES, compared, legend, lines, panels
from ordered_mix.study.effects import exact, mean, paired

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]
Rows = list[dict[str, Any]]

NOTES = "the lecture notes on mixtures and EM among the sources"
STARTS = 20
STOP = Stop(log_likelihood=1e-6, passes=600)
TRUTHS = {
    2: Mixture(np.array([0.35, 0.65]), np.array([0.0, 3.0]), np.array([1.0, 0.5])),
    5: Mixture(
        np.array([0.1, 0.3, 0.2, 0.15, 0.25]),
        np.array([0.0, 3.0, 7.0, 10.0, 14.0]),
        np.array([1.0, 0.5, 1.0, 0.5, 1.0]),
    ),
}
PLANE = Mixture(
    np.array([0.5, 0.3, 0.2]),
    np.array([[0.0, 0.0], [3.0, 2.0], [-1.0, 4.0]]),
    covariance=np.array(
        [[[1.0, 0.6], [0.6, 1.0]], [[0.5, -0.2], [-0.2, 0.3]], [[0.3, 0.0], [0.0, 1.2]]]
    ),
)
FIXED = {
    "three": (np.array([[-1.0], [1.0], [3.0]]), np.array([[0.0], [3.0]])),
    "tie": (np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [2.0]])),
}
"""Points, and the means to start from."""
VARIANCES = (10.0, 3.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
CLOSE = 0.01  # log likelihoods this near are one optimum
FRAMES = 15


def points(data: str) -> Array:
    """Points in the plane, both coordinates in standard deviations."""
    if data == "faithful":
        y = np.column_stack([load(f"faithful:{name}").y for name in ("eruptions", "waiting")])
        return np.asarray((y - y.mean(axis=0)) / y.std(axis=0))
    return PLANE.sample(300, np.random.default_rng(seed_of("em_annealing plane")))


def free(k: int, d: int) -> Any:
    """Unordered coordinates with full covariances; of the prior EM takes no more than these."""
    prior = MultivariatePrior([0.0] * d, [2.0] * d, [0.5] * d)
    return catalog.parameterization("unordered", k, prior)


def limit(seed: int, data: str) -> Rows:
    """Known variance c from large to small, next to k-means from the same start."""
    if data in FIXED:
        y, means = FIXED[data]
    else:
        y = points(data)
        means = initial_means(y, 2 if data == "faithful" else 3, 1, "kmeans++", seed)[0]
    drawn, w, d = Data.of_points(y), np.full(len(means), 1 / len(means)), y.shape[1]
    em = EM(frozen=("w", "sigma"), stop=Stop(0.0, parameters=1e-13, passes=5000))
    target = lloyd(y, means)
    rows = []
    for c in VARIANCES:
        start = Mixture(w, means, covariance=c * np.eye(d))
        fit = em.fit(free(len(means), d), drawn, start)
        r = fit.mixture.responsibilities(y)
        row = {"c": c, "distance": float(np.abs(fit.mixture.mu - target).max())}
        row |= {"certainty": float(r.max(axis=1).mean())}
        rows.append(row | {f"mean_{j}": fit.mixture.mu[j, 0] for j in (0, 1)})
    return rows


def lloyd(y: Array, means: Array) -> Array:
    """Means of k-means from these, (k, d); a point between two goes to the first."""
    now = means
    while True:
        nearest = np.argmin(((y[:, None] - now) ** 2).sum(axis=2), axis=1)
        filled = [np.any(nearest == j) for j in range(len(now))]
        new = np.array([y[nearest == j].mean(0) if filled[j] else now[j] for j in range(len(now))])
        if np.array_equal(new, now):
            return new
        now = new


def split(seed: int, c: float) -> Rows:
    """Growth of a small gap at the merged point in one step of EM; c is in the data's variance."""
    drawn = Data(FIXED["three"][0][:, 0], name="three")
    location, scale = float(drawn.location), float(drawn.scale)
    model = catalog.parameterization("unordered", 2)
    em, row = EM(frozen=("w", "sigma"), stop=Stop(0.0, passes=2)), {}
    for name, nudge in (("growth", 1e-4), ("growth_coarse", 2e-4)):
        gap = nudge * scale
        means = np.array([location - gap, location + gap])
        start = Mixture(np.full(2, 0.5), means, np.full(2, np.sqrt(c) * scale))
        row[name] = float(np.diff(em.fit(model, drawn, start).mixture.mu)[0] / (2 * gap))
    return [row]


def annealing(seed: int, n: int, k: int, replicate: int) -> Rows:
    """k-means, its hybrid with weights and variances, EM and annealed EM from the same starts."""
    y, component = labelled(TRUTHS[k], n, replicate)
    drawn = Data(y)
    begin = initial_mixtures(drawn, k, STARTS, "random", seed)
    penalty = VariancePenalty.chen_tan(1 / n, drawn)
    common: dict[str, Any] = {"penalty": penalty, "stop": STOP, "snapshots": 2}
    methods = {
        "kmeans": EM(assignment="hard", frozen=("w", "sigma"), stop=STOP, snapshots=2),
        "hybrid": EM(assignment="hard", **common),
        "em": EM(**common),
        "annealed from 2": EM(temperature=tuple(np.geomspace(2, 1, 30)), **common),
    }
    model = catalog.parameterization("unordered", k)
    fits = {name: em.fit(model, drawn, begin) for name, em in methods.items()}
    passes = {name: float(np.median(fit.passes)) for name, fit in fits.items()}
    for name, known in (("annealed, perturbed", False), ("cooled variance", True)):
        perturbed, cost = cooled(drawn, begin, common, seed, known)
        fits[name] = methods["em"].fit(model, drawn, perturbed)
        passes[name] = cost + float(np.median(fits[name].passes))
    hard = ("kmeans", "hybrid")
    top = max(fit.objective.max() for name, fit in fits.items() if name not in hard)
    rows: Rows = []
    for name, fit in fits.items():
        mixture = fit.mixture[int(fit.objective.argmax())]
        if name == "kmeans":  # weights and variances of its clusters
            once = EM(assignment="hard", penalty=penalty, stop=Stop(0.0, passes=2))
            mixture = once.fit(model, drawn, mixture).mixture
        best = fit.objective.max() if name in hard else top
        row = {"estimator": name, "share_best": np.mean(fit.objective > best - CLOSE)}
        row |= {"passes": passes[name], "accuracy": accuracy(mixture, y, component)}
        bias = np.log(mixture.sorted().sigma / TRUTHS[k].sigma).mean()
        rows.append({**row, "excess": excess(mixture, TRUTHS[k]), "scale_bias": float(bias)})
    return rows


def labelled(truth: Mixture, n: int, replicate: int) -> tuple[Array, NDArray[np.int64]]:
    """Simulated points, and the component of each."""
    rng = np.random.default_rng(seed_of("em_annealing data", k=truth.k, n=n, replicate=replicate))
    component = rng.choice(truth.k, n, p=truth.w)
    return truth.mu[component] + truth.sigma[component] * rng.standard_normal(n), component


def accuracy(mixture: Mixture, y: Array, component: NDArray[np.int64]) -> float:
    """Share of the points in their component, under the best matching of the labels."""
    assigned = mixture.responsibilities(y).argmax(axis=1)
    table = np.zeros((mixture.k, mixture.k))
    np.add.at(table, (assigned, component), 1.0)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / len(y))


def excess(mixture: Mixture, truth: Mixture) -> float:
    """Excess loss in nats a point."""
    grid = population(truth, 0.05)
    return float(
        np.asarray(grid.weight) @ (truth.log_density(grid.y) - mixture.log_density(grid.y))
    )


def cooled(
    drawn: Data, begin: Mixture, common: dict[str, Any], seed: int, known: bool
) -> tuple[Mixture, float]:
    """Where starts are after cooling, means perturbed at every step so that merged ones can part.

    Cooled is the temperature from 10 to 1 with all parameters free, or a known common variance
    from 1.5 times that of the data to its 1 / k^2, weights equal.
    """
    rng, passes, now, scale = np.random.default_rng(seed), 0.0, begin, float(drawn.scale)
    few, model = Stop(1e-6, passes=30), catalog.parameterization("unordered", begin.k)
    for value in np.geomspace(10.0, 1.0, 15)[:-1]:
        mu = now.mu + 0.01 * scale * rng.standard_normal(now.mu.shape)
        w, sigma = now.w, now.sigma
        em = EM(temperature=float(value), **{**common, "stop": few})
        if known:
            share = np.log10(value)  # from 1 to 0
            ratio = 1.5**share * float(begin.k) ** (-2 * (1 - share))
            w, sigma = np.full(begin.k, 1 / begin.k), np.full(begin.k, scale * np.sqrt(ratio))
            em = EM(frozen=("w", "sigma"), stop=few, snapshots=2)
        fit = em.fit(model, drawn, Mixture(w, mu, sigma))
        passes, now = passes + float(np.median(fit.passes)), fit.mixture
    return now, passes


def frames(seed: int, estimator: str) -> Rows:
    """Old Faithful: components at each iteration of EM, or of its k-means limit."""
    y, k = points("faithful"), 2
    means = y[np.argsort(y[:, 0], kind="stable")[:k]] + 0.1 * np.arange(k)[:, None]
    soft = estimator == "EM"
    em = EM(frozen=() if soft else ("w", "sigma"), stop=Stop(0.0, passes=FRAMES + 1))
    covariance = np.eye(2) * (0.25 if soft else 1e-3)
    begin = Mixture(np.full(k, 1 / k), means, covariance=covariance)
    path: Any = em.fit(free(k, 2), Data.of_points(y), begin).trace
    rows = []
    for place, iteration in enumerate(np.ravel(path.iteration)):
        one = path.mixture[place]
        for j in range(k):
            row = {"iteration": int(iteration), "component": j}
            row |= {"mean_0": one.mu[j, 0], "mean_1": one.mu[j, 1], "w": one.w[j]}
            row |= {"xx": one.covariance[j, 0, 0], "xy": one.covariance[j, 0, 1]}
            rows.append({**row, "yy": one.covariance[j, 1, 1]})
    return rows


# --- claims ---------------------------------------------------------------------------------------


def at_limit(table: pd.DataFrame, data: str) -> Effect:
    """Distance of the means from those of k-means at the two smallest c."""
    rows = table[table["data"] == data].set_index("c")["distance"].sort_index()
    return exact(*rows.iloc[:2])


def critical(table: pd.DataFrame) -> Effect:
    """Largest deviation of growth times c over the variance from 1."""
    names = ("growth", "growth_coarse")
    return exact(*((table[name] * table["c"] - 1).abs().max() for name in names))


def difference(table: pd.DataFrame, value: str, one: str, other: str, k: int) -> Effect:
    """Difference of two methods on the same data sets."""
    rows = table[table["k"] == k]
    found = paired(rows, "estimator", (one, other), value, ["n", "replicate"])
    return mean(found[one] - found[other])


SHARE_BEST: dict[str, Any] = {"value": "share_best", "other": "em", "k": 5}
BY = "by {0:.0%} [{1:.0%}, {2:.0%}] of the starts"
CLAIMS = (
    Claim("k-means is the limit", "As c goes to 0 EM's means become those of k-means.",
          NOTES, partial(at_limit, data="three"), "below", 1e-6, "distance", of=("limit",),
          words="As a known variance goes to 0 EM's means become those of k-means, to {0:.0e}."),
    Claim("a tie stays shared",
          "A point between two means stays shared as c goes to 0, where k-means gives it to one.",
          NOTES, partial(at_limit, data="tie"), "above", 0.1,
          "distance of EM's means from k-means'", of=("limit",),
          words="Where a point lies between two means they stay {0:.2f} apart."),
    Claim("first split", "The merged point loses its hold where c is the data's variance.",
          "Rose, Gurewitz & Fox 1990; EM eigenvalue variance / c", critical, "below", 0.001,
          "relative error", of=("split",),
          words="The merged point loses its hold where the known variance is that of the data, as "
          "in theory to {0:.0e}."),
    Claim("annealing finds the optimum", "Annealed EM reaches the best optimum more often than EM.",
          "Ueda & Nakano 1998", partial(difference, one="annealed, perturbed", **SHARE_BEST),
          "above", 0.0, "share of starts", of=("annealing",),
          words=(f"So does cooling a temperature with all parameters free, {BY}.",
                 "Cooling a temperature with all parameters free does not: it is behind EM alone "
                 "or level, the difference being {0:.0%} [{1:.0%}, {2:.0%}] of the starts.",
                 "Whether cooling a temperature with all parameters free does is undecided.")),
    Claim("cooling finds the optimum",
          "EM after cooling a known variance reaches the best optimum more often than EM alone.",
          "Rose, Gurewitz & Fox 1990", partial(difference, one="cooled variance", **SHARE_BEST),
          "above", 0.0, "share of starts", of=("annealing",),
          words=("Where optima abound, cooling a known variance finds the best one more often than "
                 f"EM alone, {BY}.",
                 "Cooling a known variance does not find the best optimum more often than EM "
                 "alone, the difference being {0:.0%} [{1:.0%}, {2:.0%}] of the starts.",
                 "Whether cooling a known variance finds the best optimum more often is "
                 "undecided.")),
    Claim("EM is more accurate", "EM assigns more points rightly than k-means.",
          "a question of this project",
          partial(difference, value="accuracy", one="em", other="kmeans", k=2),
          "above", 0.0, "share of points", of=("annealing",),
          words="EM assigns {0:.1%} [{1:.1%}, {2:.1%}] more of the points rightly than k-means "
          "(K = 2)."),
    Claim("hybrid shrinks scales", "Hard assignment makes scales too small.",
          "Bryant & Williamson 1978",
          partial(difference, value="scale_bias", one="hybrid", other="em", k=2),
          "below", 0.0, "log scale, hybrid less EM", of=("annealing",),
          words="Hard assignment changes the log of the scales by {0:.3f} [{1:.3f}, {2:.3f}]."),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

SHOWN = (0, 1, 2, 4, 8, 15)


def draw_frame(axes: Any, y: Array, rows: pd.DataFrame) -> None:
    """Points, and an ellipse of two standard deviations for each component."""
    axes.plot(*y.T, ".", color="0.6", ms=2, rasterized=True)
    for _, row in rows.iterrows():
        values, vectors = np.linalg.eigh([[row["xx"], row["xy"]], [row["xy"], row["yy"]]])
        color, center = SHADES[int(row["component"])], (row["mean_0"], row["mean_1"])
        angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
        width, height = 4 * np.sqrt(values[::-1])
        axes.add_patch(Ellipse(center, width, height, angle=angle, fill=False, color=color, lw=1.5))
        axes.plot(*center, "+", color=color, ms=8, mew=2)
    low, high = y.min(axis=0) - 0.7, y.max(axis=0) + 0.7
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def frames_figure(result: StudyResult) -> Figure:
    """Old Faithful: components of EM, and centres of its k-means limit, by iteration."""
    rows = result.tables["frames"]
    figure, grid = panels(2, len(SHOWN), (9, 3.6), sharex=True, sharey=True)
    for line, name in zip(grid, ("EM", "k-means"), strict=True):
        for axes, iteration in zip(line, SHOWN, strict=True):
            axes.set_title(f"{name}, {iteration}", fontsize="small")
            if len(rows):
                at = (rows["estimator"] == name) & (rows["iteration"] == iteration)
                draw_frame(axes, points("faithful"), rows[at])
    figure.supxlabel("eruption / standard deviations", fontsize="small")
    figure.supylabel("waiting / standard deviations", fontsize="small")
    return figure


def frames_animation(result: StudyResult) -> FuncAnimation:
    """The iterations of EM on Old Faithful, one after the other."""
    rows = result.tables["frames"]
    rows = rows[rows["estimator"] == "EM"]
    iterations = sorted(rows["iteration"].unique()) if len(rows) else [0]
    figure = Figure(figsize=(3.6, 3.4), dpi=80)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.15, 0.14, 0.82, 0.77))

    def update(iteration: int) -> list[Any]:
        axes.clear()
        if len(rows):
            draw_frame(axes, points("faithful"), rows[rows["iteration"] == iteration])
        axes.set(title=f"EM, iteration {iteration:g}", xlabel="eruption", ylabel="waiting")
        return []

    return FuncAnimation(figure, update, frames=iterations, blit=False)


def limit_figure(result: StudyResult) -> Figure:
    """From EM to k-means: distance of the means, and certainty of assignments, as c falls."""
    rows = result.tables["limit"].reindex(columns=["data", "c", "distance", "certainty"])
    figure, ((far, sure),) = panels(1, 2, (7.5, 3.6))
    lines(far, rows.assign(distance=rows["distance"].clip(lower=1e-16)), "c", "distance", "data")
    lines(sure, rows, "c", "certainty", "data")
    far.set(xscale="log", yscale="log", xlabel="c", ylabel="distance to the means of k-means")
    sure.set(xscale="log", xlabel="c", ylabel="mean of the largest responsibility")
    return legend(figure, far)


def annealing_figure(result: StudyResult) -> Figure:
    """k-means, hybrid, EM and annealed EM on simulated data; means over data sets with 95%."""
    rows = result.tables["annealing"]
    rows = rows.assign(series=[f"K = {k}" for k in rows["k"]])
    columns = {
        "accuracy": "share of points\nin their component",
        "share_best": "share of starts\nat the best optimum",
        "passes": "passes",
    }
    return compared(rows, "estimator", "series", columns, 3.4)[0]


ANY: dict[str, Any] = {"smoke": {}, "laptop": {}, "cluster": {}}

study = Study(
    name="em_annealing",
    question="Does cooling lead EM for mixtures to the best optimum?",
    source=f"{NOTES}; Rose, Gurewitz & Fox 1990; Ueda & Nakano 1998",
    experiments={
        "limit": Experiment(limit, {"data": (*FIXED, "faithful", "plane")}, ANY),
        "split": Experiment(split, {"c": (0.5, 0.9, 1.0, 1.1, 2.0)}, ANY),
        "annealing": Experiment(
            annealing,
            {"n": (100, 200, 1000), "k": tuple(TRUTHS), "replicate": range(20)},
            {
                "smoke": {"n": (100,), "replicate": range(2)},
                "laptop": {"n": (200, 1000)},
                "cluster": {"n": (200, 1000), "replicate": range(500)},
            },
        ),
        "frames": Experiment(frames, {"estimator": ("EM", "k-means")}, ANY),
    },
    claims=CLAIMS,
    figures={
        "frames": frames_figure,
        "animation": frames_animation,
        "limit": limit_figure,
        "annealing": annealing_figure,
    },
    answer=("cooling finds the optimum", "annealing finds the optimum"),
    chief=("cooling finds the optimum", "annealing finds the optimum", "first split"),
)
