"""Which local minima does a Gaussian location mixture have, and which starts end in them?

Chen, Song, Xi & Zhang ("Local minima structures in Gaussian mixture models") show for the
population negative log likelihood of the means, with well separated true components, that every
local minimum splits into groups which do not overlap: several fitted means on one true component
(many-fit-one), or one fitted mean on several true components (one-fit-many). Here the minima are
looked for with EM from many starts, polished by Newton's method, certified by the gradient and the
smallest eigenvalue of the Hessian, and classified by `ordered_mix.theory.minima`. Fitted
weights are equal and all variances 1; the population is a fine grid weighted by the true density.

Tasks: ``minima`` looks for them, on the population (n = 0) and on samples; ``decay`` follows the
minimum with one group of either kind as the separation grows; ``fold`` continues it to where it
disappears; ``basins`` maps the starts of two means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.data import Data, population
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial_means import initial_means
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.study import Claim, Effect, Opening, Study, seed_of
from ordered_mix.study.drawing import (
    SEPARATION,
    SHADES,
    curves,
    heat,
    legend,
    lines,
    looks,
    panels,
    plain_ticks,
)
from ordered_mix.study.effects import exact, mean, rows_of, share
from ordered_mix.study.sentences import amounts, paragraph
from ordered_mix.theory.continuation import branch, fold
from ordered_mix.theory.minima import Structure, approximation_error, shared_mass, structure
from ordered_mix.theory.polish import Landscape, Minimum, distinct, polish

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

CHEN = "Chen, Song, Xi & Zhang, Local minima structures in Gaussian mixture models"
JIN = "Jin, Zhang, Balakrishnan, Wainwright & Jordan 2016, random initialisation"
STEPS = (0.02, 0.04)
PLANE_STEPS = (0.25, 0.4)
METHODS = ("random", "kmeans++", "spread")
STARTS = 40
SEPARATED = 10.0
TOLERANCE = 1e-7
GRID = 25
KNOWN = ("w", "sigma")


# --- the truth, its population and samples --------------------------------------------------------


def true_means(arrangement: str, true: int, separation: float) -> Array:
    """Means (true, d), neighbours one separation apart; on the line or in the plane."""
    if arrangement == "line":
        return np.asarray(
            separation * (np.arange(true) - (true - 1) / 2)[:, None], dtype=np.float64
        )
    angles = 2 * np.pi * np.arange(true) / true + np.pi / 2
    radius = separation / (2 * np.sin(np.pi / true))
    return np.asarray(radius * np.column_stack([np.cos(angles), np.sin(angles)]))


def truth_of(arrangement: str, true: int, separation: float, weight: float) -> Mixture:
    """The true mixture; the first component weighs `weight` times each of the others."""
    w = np.append(weight, np.ones(true - 1))
    means = true_means(arrangement, true, separation)
    return Mixture(w / w.sum(), means, covariance=np.eye(means.shape[1]))


def flat(mixture: Mixture) -> Mixture:
    """A mixture of one dimension as a univariate one."""
    return Mixture(mixture.w, mixture.mu[..., 0], np.sqrt(mixture.covariance[..., 0, 0]))


def grid_of(truth: Mixture, step: float) -> Data:
    """The population; in the plane only grid points that any component reaches."""
    if truth.d == 1:
        return population(flat(truth), step)
    low, high = truth.mu.min(axis=0) - 8, truth.mu.max(axis=0) + 8
    axes = [np.arange(a, b, step) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, truth.d)
    squares = ((points[:, None] - truth.mu) ** 2).sum(axis=2).min(axis=1)
    points = points[squares < 7.5**2]
    density = np.exp(truth.log_density(points))
    return Data.of_points(points, density / density.sum(), name="population")


def steps_of(truth: Mixture) -> tuple[float, float]:
    """Steps of the fine and of the coarse grid."""
    return STEPS if truth.d == 1 else PLANE_STEPS


def sample_of(truth: Mixture, n: int, seed: int) -> Data:
    """n points of the truth."""
    points = truth.sample(n, np.random.default_rng(seed))
    return Data(points[:, 0]) if truth.d == 1 else Data.of_points(points)


def points_of(data: Data) -> Array:
    """Points (n, d)."""
    return data.y if data.event_shape else data.y[:, None]


def classify(truth: Mixture, means: Array) -> Structure:
    """The structure of fitted means of equal weight, on the population of the truth."""
    data = grid_of(truth, steps_of(truth)[1])
    points, weight = points_of(data), np.asarray(data.weight)
    fitted = Mixture(np.full(len(means), 1 / len(means)), means, covariance=np.eye(truth.d))
    mass = shared_mass(fitted.responsibilities(points), truth.responsibilities(points), weight)
    return structure(mass)


# --- runs -----------------------------------------------------------------------------------------


def run(estimator: str, data: Data, means: Array, passes: int = 2000) -> Array:
    """Where an estimator ends from starting means (starts, k, d), with equal weights."""
    k, d = means.shape[1:]
    w, relative = np.full(k, 1 / k), estimator == "relative"
    stop = Stop(log_likelihood=TOLERANCE * float(data.total_weight), passes=passes)
    if estimator == "ordered":
        order = np.argsort(means[..., :1], axis=1, kind="stable")
        means = np.take_along_axis(means, order, axis=1)
    if not data.event_shape:
        kind = ECM(frozen=KNOWN, snapshots=2) if relative else EM(frozen=KNOWN, snapshots=2)
        starts = Mixture(w, means[..., 0], np.ones(k))
        model = parameterization("relative" if relative else "unordered", k)
        return replace(kind, stop=stop).fit(model, data, starts).mixture.mu[..., None]
    # of the prior EM and ECM take the dimensions only
    prior = MultivariatePrior([0.0] * d, [2.0] * d, [0.5] * d)
    one = parameterization("relative" if relative else "unordered", k, prior)
    em = (ECM if relative else EM)(frozen=KNOWN, stop=stop, snapshots=2)
    fit = em.fit(one, data, Mixture(w, means, covariance=np.eye(d)))
    return np.asarray(fit.mixture.mu)


def ends(landscape: Landscape, means: Array) -> tuple[list[Minimum], NDArray[np.int64]]:
    """Certified minima that runs (runs, k, d) lead to, and the one of each run, -1 for none."""
    rough = [Minimum(one, landscape.evaluate(one).value, 0.0, 0.0, 0.0) for one in means]
    representatives, group = distinct(rough)
    found, label = distinct([polish(landscape, one.mu) for one in representatives])
    place = np.cumsum([one.certified for one in found]) - 1
    position = np.where([one.certified for one in found], place, -1)
    return [one for one in found if one.certified], position[np.array(label)[group]]


def cell(seed: int, task: str, **factors: Any) -> list[dict[str, Any]]:
    """Rows of one task; see the module's text."""
    return TASKS[task](**factors)


def minima(fitted: int, n: int, replicate: int, **place: Any) -> list[dict[str, Any]]:
    """Every minimum that the starts lead to, with the share of starts of each method."""
    truth = truth_of(**place)
    shared = {**place, "n": n, "replicate": replicate}
    fine, coarse = (grid_of(truth, step) for step in steps_of(truth))
    data = sample_of(truth, n, seed_of("local_minima data", **shared)) if n else fine
    rough = data if n else coarse
    seed = seed_of("local_minima starts", fitted=fitted, **shared)
    points = points_of(rough), fitted, STARTS
    starts = np.concatenate([initial_means(*points, m, seed, rough.weight) for m in METHODS])
    landscape = Landscape(data, np.full(fitted, 1 / fitted))
    reached = [run(estimator, rough, starts) for estimator in ("em", "ordered", "relative")]
    found, label = ends(landscape, np.concatenate(reached))
    runs = label.reshape(3, -1)
    both = (runs >= 0) & (runs[0] >= 0)
    common: dict[str, Any] = {"kind": "minimum", "starts": runs.shape[1]}
    common |= {"stalled_em": np.sum(runs[0] < 0), "stalled_relative": np.sum(runs[2] < 0)}
    common |= {"moved_ordered": np.sum(both[1] & (runs[1] != runs[0]))}
    common |= {"moved_relative": np.sum(both[2] & (runs[2] != runs[0]))}
    reference = landscape.evaluate(truth.mu).value if fitted == truth.k else found[0].value
    rows = []
    for rank, one in enumerate(found):
        hits = (runs[0].reshape(len(METHODS), STARTS) == rank).mean(axis=1)
        row = {**common, "minimum": rank, **describe(truth, one), "nll_gap": one.value - reference}
        row |= {f"share_{name}": hits[at] for at, name in enumerate(METHODS)}
        row |= {"share_relative": np.mean(runs[2] == rank), "shift": shift(data, one)}
        if not n:
            again = polish(Landscape(coarse, landscape.w), one.mu)
            row["structure_coarse"] = classify(truth, again.mu).holds
            row["shift_coarse"] = shift(coarse, again)
        rows.append(row)
    return rows


def describe(truth: Mixture, one: Minimum) -> dict[str, Any]:
    """Certificate, structure and means of one stationary point."""
    found = classify(truth, one.mu)
    ordered = one.mu[np.lexsort(one.mu.T[::-1])]
    row: dict[str, Any] = {
        "certified": one.certified,
        "gradient_norm": one.gradient_norm,
        "smallest_eigenvalue": one.smallest_eigenvalue,
        "pattern": found.pattern,
        "structure": found.holds,
        "exact": found.exact,
        "approximation_error": approximation_error(found, one.mu, truth.mu, truth.w),
    }
    for axis, name in enumerate(("mean", "second")[: truth.d]):
        row |= {f"{name}_{place}": value for place, value in enumerate(ordered[:, axis])}
    return row


def shift(data: Data, one: Minimum) -> float:
    """How far 20 iterations of EM from the sorted means, or of relative ECM, move a minimum."""
    begin = one.mu[np.argsort(one.mu[:, 0], kind="stable")]
    after = [run(name, data, begin[None], 20)[0] for name in ("ordered", "relative")]
    return float(np.abs(np.stack(after) - begin).max())


def mingled(arrangement: str, true: int, fitted: int, separation: float) -> Array:
    """Means near a minimum with all spare ones on the first component, one on the last two."""
    truth = true_means(arrangement, true, separation)
    spare = fitted - true + 2
    around = np.zeros((spare, truth.shape[1]))
    around[:, 0] = np.linspace(-0.3, 0.4, spare)
    return np.concatenate([truth[0] + around, truth[1:-2], truth[-2:].mean(axis=0)[None]])


def decay(fitted: int, n: int, replicate: int, **place: Any) -> list[dict[str, Any]]:
    """Approximation error of the mingled minimum at one separation, on both grids."""
    truth = truth_of(**place)
    begin = mingled(place["arrangement"], truth.k, fitted, place["separation"])
    w = np.full(fitted, 1 / fitted)
    fine, coarse = (polish(Landscape(grid_of(truth, step), w), begin) for step in steps_of(truth))
    again = describe(truth, coarse)["approximation_error"]
    return [{"kind": "decay", **describe(truth, fine), "approximation_error_coarse": again}]


def thresholds(
    fitted: int, n: int, replicate: int, separation: float, **place: Any
) -> list[dict[str, Any]]:
    """The branch of the mingled minimum, from this separation down and around its fold."""
    w = np.full(fitted, 1 / fitted)
    begin = mingled(place["arrangement"], place["true"], fitted, separation)
    folds, rows = [], []
    for number in (0, 1):

        def at(gap: float, number: int = number) -> Landscape:
            truth = truth_of(separation=gap, **place)
            return Landscape(grid_of(truth, steps_of(truth)[number]), w)

        points = branch(at, polish(at(separation), begin).mu, separation, -0.3, 60)
        lost = [p.smallest_eigenvalue < 0 for p in points]
        if True not in lost:
            raise RuntimeError("the branch keeps its minimum as far as it was followed")
        first = lost.index(True)
        folds.append(fold(at, points[first]))
        if not number:
            rows = [*points[:first], folds[0], *points[first : first + 15]]
    common = {"fold": folds[0].parameter, "fold_coarse": folds[1].parameter, "kind": "branch"}
    return [
        {
            **common,
            "separation_at": point.parameter,
            "smallest_eigenvalue": point.smallest_eigenvalue,
            "spare_gap": float(np.linalg.norm(np.ptp(point.mu[: fitted - place["true"] + 2], 0))),
        }
        for point in rows
    ]


def basins(fitted: int, n: int, replicate: int, **place: Any) -> list[dict[str, Any]]:
    """Where two means end from a grid of starts, by the positions of the minima on the line."""
    truth = truth_of(**place)
    reach = 1.3 * (truth.mu.max() + 1)
    axis = np.linspace(-reach, reach, GRID)
    half = (axis[1] - axis[0]) / 2  # equal starts would never part
    starts = np.array([(a, b + half) for a in axis for b in axis])[..., None]
    landscape = Landscape(grid_of(truth, steps_of(truth)[1]), np.full(fitted, 1 / fitted))
    reached = [run(name, landscape.data, starts) for name in ("em", "relative")]
    found, label = ends(landscape, np.concatenate(reached))
    order = np.argsort([one.mu.sum() for one in found], kind="stable")
    rank = np.append(np.argsort(order), -1)  # the last one stands for no minimum
    columns = rank[label].reshape(2, -1)
    return [
        {"kind": "basin", "start_0": a, "start_1": b, "end_em": em, "end_relative": relative}
        for (a, b), em, relative in zip(starts[..., 0], *columns, strict=True)
    ]


TASKS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "minima": minima,
    "decay": decay,
    "fold": thresholds,
    "basins": basins,
}


# --- claims ---------------------------------------------------------------------------------------

ERRORS = ("approximation_error", "approximation_error_coarse")
CONFIGURATION = ["arrangement", "true", "fitted"]
PLACE = ["arrangement", "true", "fitted", "separation", "weight", "n", "replicate"]
SHARES = [f"share_{name}" for name in METHODS]
COLUMNS = ("structure", "exact", "starts", "nll_gap", *SHARES)


def found_minima(table: pd.DataFrame, samples: bool = False) -> pd.DataFrame:
    """Rows of certified minima, of the populations or of the samples."""
    rows = rows_of(table, COLUMNS, kind="minimum")
    return rows[(rows["n"] > 0) == samples].astype({"structure": bool, "exact": bool})


def mixed(table: pd.DataFrame, sign: int) -> Effect:
    """Minima outside the structure, separated populations of equal weights, fitted less true."""
    rows = found_minima(table)
    rows = rows[(rows["separation"] >= SEPARATED) & (rows["weight"] == 1)]
    rows = rows[np.sign(rows["fitted"] - rows["true"]) == sign]
    if rows.empty:
        raise ValueError("the table holds no such minima")
    coarse = rows["structure_coarse"].astype(bool)
    return exact(float((~rows["structure"]).sum()), float((~coarse).sum()))


def structured_samples(table: pd.DataFrame) -> Effect:
    """Share of separated data sets all of whose minima have the structure."""
    rows = found_minima(table, samples=True)
    rows = rows[rows["separation"] >= SEPARATED]
    sets = [name for name in PLACE if name != "fitted"]
    return share(rows.groupby(sets)["structure"].all())


def reached_truth(rows: pd.DataFrame) -> pd.DataFrame:
    """Share of the starts that end with each true component found, by method, for each cell."""
    rows = rows[rows["true"] == rows["fitted"]]
    shares = rows[SHARES].where(rows["exact"], 0.0)
    return pd.concat([rows[PLACE], shares], axis=1).groupby(PLACE, as_index=False).sum()


def plus_plus_gain(table: pd.DataFrame) -> Effect:
    """How much more often k-means++ starts than random points reach the truth, over data sets."""
    reached = reached_truth(found_minima(table, samples=True))
    return mean(reached["share_kmeans++"] - reached["share_random"])


def random_reached(table: pd.DataFrame) -> Effect:
    """Share of the random starts that reach the truth, five separated components."""
    rows = found_minima(table)
    rows = rows[(rows["true"] == 5) & (rows["separation"] >= SEPARATED)]
    hits = (reached_truth(rows)["share_random"] * STARTS).round().astype(int)
    return share(np.concatenate([np.arange(STARTS) < hit for hit in hits]))


def slopes(table: pd.DataFrame, column: str) -> dict[Any, float]:
    """Log-log slope of the approximation error against the separation, by configuration."""
    rows = table[table["kind"] == "decay"]
    if rows.empty:
        raise ValueError("the table holds no decay")
    lost = rows[rows[column].isna() | ~rows["certified"].astype(bool)]
    if len(lost):
        raise ValueError(f"{len(lost)} minima of the decay are not certified")
    found = {}
    for name, part in rows.groupby(CONFIGURATION):
        if len(part) >= 3:
            logs = np.log(part[["separation", column]].to_numpy(float))
            found[name] = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
    return found


def slope_on_line(table: pd.DataFrame) -> Effect:
    """The slope for three components on the line."""
    return exact(*(slopes(table, name)["line", 3, 3] for name in ERRORS))


def slope_elsewhere(table: pd.DataFrame) -> Effect:
    """The slowest slope of the other configurations."""
    found = [slopes(table, name) for name in ERRORS]
    return exact(*(max(v for key, v in one.items() if key != ("line", 3, 3)) for one in found))


def threshold(table: pd.DataFrame) -> Effect:
    """Separation at the fold of three components on the line."""
    rows = table[(table["kind"] == "branch") & (table["arrangement"] == "line")]
    rows = rows[(rows["true"] == 3) & (rows["fitted"] == 3)]
    return exact(rows["fold"].iloc[0], rows["fold_coarse"].iloc[0])


def largest_shift(table: pd.DataFrame) -> Effect:
    """How far sorted EM and relative ECM move the populations' minima at most."""
    rows = found_minima(table)
    return exact(rows["shift"].max(), rows["shift_coarse"].max())


def moved(table: pd.DataFrame, coordinates: str) -> Effect:
    """Share of the starts on populations that end in another minimum than with EM."""
    rows = found_minima(table).drop_duplicates(PLACE)
    counts = zip(rows["starts"], rows[f"moved_{coordinates}"], strict=True)
    return share(np.concatenate([np.arange(starts) < hits for starts, hits in counts]))


CLAIMS = (
    *(Claim(f"minima have the structure, {words}",
            "All minima of separated populations of equal weights are made of many-fit-one and "
            f"one-fit-many groups, {what} components fitted.",
            CHEN, partial(mixed, sign=sign), "below", 0.5, "minima outside the structure")
      for words, what, sign in (("as many", "as many", 0), ("over-specified", "more", 1),
                                ("under-specified", "fewer", -1))),
    Claim("samples have the structure",
          "All minima of separated samples of 200 and 2,000 points are made of many-fit-one and "
          "one-fit-many groups.",
          CHEN + ", for the population; carried over to samples here",
          structured_samples, "above", 0.95, "share of data sets"),
    Claim("threshold",
          "Three components on the line have no spurious minimum up to separation 10.",
          CHEN + ", a separation condition; the value from exact quadrature",
          threshold, "above", 10.0, "standard deviations"),
    Claim("error decays", "The approximation error of the minima decays with the separation.",
          CHEN, slope_elsewhere, "below", 0.0, "slowest log-log slope, other configurations"),
    Claim("faster on the line",
          "For three components on the line the approximation error of the minima decays faster "
          "than 1/separation.",
          CHEN, slope_on_line, "below", -1.0, "log-log slope"),
    Claim("k-means++ starts are better",
          "k-means++ starts end at the truth more often than random points do.",
          "Arthur & Vassilvitskii 2007", plus_plus_gain, "above", 0.0, "share of starts"),
    Claim("random starts fail",
          "Of random starts for five separated components, less than half reach the truth.",
          JIN, random_reached, "below", 0.5, "share of starts"),
    Claim("same minima", "Sorted starts and relative coordinates have the same minima as EM.",
          "equivariance of EM; Esser & Nielsen 2022 change coordinates only",
          largest_shift, "below", 1e-6, "standard deviations"),
    Claim("ordering keeps the basins", "Sorting the starts of EM changes no start's minimum.",
          "equivariance of EM",
          partial(moved, coordinates="ordered"), "below", 0.01, "share of starts"),
    Claim("relative coordinates change the basins",
          "With relative coordinates some starts end in another minimum.",
          "the sweep over reference mean and gaps is another map",
          partial(moved, coordinates="relative"), "above", 0.01, "share of starts"),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

SPAN = 12.0


def configurations_figure(result: StudyResult) -> Figure:
    """Fitted means of each minimum over the true density, three components on the line."""
    table = found_minima(result.table)
    keep = (table["arrangement"] == "line") & (table["true"] == 3) & (table["weight"] == 1)
    keep &= (table["separation"] == SPAN) & table["fitted"].between(2, 4)
    table = table[keep].sort_values("nll_gap")
    numbers = sorted(table["fitted"].unique()) or [3]
    figure = Figure(figsize=(7, 1 + 1.9 * len(numbers)), layout="constrained")
    truth = flat(truth_of("line", 3, SPAN, 1.0))
    y = np.linspace(-SPAN - 4, SPAN + 4, 600)
    for axes, fitted in zip(np.ravel(figure.subplots(len(numbers), 1)), numbers, strict=True):
        rows = table[table["fitted"] == fitted].head(6)
        density = truth.density(y)
        axes.fill_between(y, -0.5, density / density.max() * max(len(rows), 1) - 0.5, color="0.88")
        for level, (_, row) in enumerate(rows.iterrows()):
            means = row[[f"mean_{place}" for place in range(fitted)]].to_numpy(float)
            axes.plot(means, np.full(fitted, level), "|", color=SHADES[level], ms=13, mew=2)
            for at, many in zip(*np.unique(means.round(1), return_counts=True), strict=True):
                if many > 1:
                    axes.text(at, level + 0.24, f"{many}x", ha="center", va="bottom", fontsize=7)
        words = [f"{row['pattern']}   +{row['nll_gap']:.3g}" for _, row in rows.iterrows()]
        axes.set_yticks(range(len(rows)), words, fontsize="x-small")
        axes.set(title=f"{fitted} fitted", xlim=(y[0], y[-1]), ylim=(-0.6, max(len(rows), 1) - 0.4))
    axes.set_xlabel("position / sigma; rows: fitted:true of each group, excess log loss")
    return figure


def structure_figure(result: StudyResult) -> Figure:
    """Share of the populations' minima that have the structure, by separation, in percent."""
    table = found_minima(result.table)
    table = table[(table["arrangement"] == "line") & (table["weight"] == 1)]
    shares = table.groupby(["true", "fitted", "separation"])["structure"].mean().unstack()
    shares.index = [f"{true} / {fitted}" for true, fitted in shares.index]
    figure, grid = panels(1, 1, (5.5, 1.5 + 0.19 * len(shares)))
    heat(grid[0, 0], 100 * shares, "{:.0f}".format, "cividis", (0, 100))
    grid[0, 0].set(xlabel=SEPARATION, ylabel="components, true / fitted")
    return figure


def starts_figure(result: StudyResult) -> Figure:
    """Share of starts that end at the truth, by separation; population, and data sets."""
    table = result.table[result.table["arrangement"].eq("line") & result.table["weight"].eq(1)]
    figure, grid = panels(1, 3, (7, 3.4), sharey=True)
    for axes, n in zip(grid[0], (0, 200, 2000), strict=True):
        rows = found_minima(table[table["n"] == n], samples=n > 0)
        reached = reached_truth(rows[rows["true"] == 3])
        reached = reached.rename(columns={f"share_{name}": name for name in METHODS})
        reached = reached.melt("separation", METHODS, "method")
        curves(axes, reached, "value", "method", looks(METHODS))
        axes.set(title=f"n = {n:,}" if n else "population", ylim=(-0.03, 1.03))
    grid[0, 0].set_ylabel("share of starts at the truth")
    return legend(figure, grid)


def decay_figure(result: StudyResult) -> Figure:
    """Approximation error of the mingled minimum against the separation."""
    rows = result.table[result.table["kind"] == "decay"]
    figure, grid = panels(1, 1, (5.5, 3.9))
    axes = grid[0, 0]
    lines(axes, rows.assign(name=_named(rows)), "separation", "approximation_error", "name")
    if len(rows):
        ends_at = np.array([rows["separation"].min(), rows["separation"].max()])
        axes.plot(ends_at, ends_at[0] / ends_at, "k:", label="1 / separation")
    axes.set(xscale="log", yscale="log", xlabel=SEPARATION, ylabel="largest error / sigma")
    plain_ticks(axes.xaxis, [8, 10, 12, 14, 16, 18])
    return legend(figure, axes, 2)


def _named(rows: pd.DataFrame) -> list[str]:
    columns = (rows[name] for name in CONFIGURATION)
    return [
        f"{place}, {true} true, {fitted} fitted"
        for place, true, fitted in zip(*columns, strict=True)
    ]


def bifurcation_figure(result: StudyResult) -> Figure:
    """Gap of the spare means on the first component against the separation, through the fold.
    Full lines are minima, dashed ones saddles; a minimum appears at the point.
    """
    rows = result.table[result.table["kind"] == "branch"]
    rows = rows.assign(name=_named(rows))
    figure, grid = panels(1, 1, (5.5, 4.0))
    axes = grid[0, 0]
    for name, look in looks(rows["name"]).items():
        part = rows[rows["name"] == name]
        color, at, gap = look.color, part["separation_at"], part["spare_gap"]
        stable, unstable = (sign * part["smallest_eigenvalue"] > -1e-8 for sign in (1, -1))
        label = f"{name}: from {part['fold'].iloc[0]:.3f}"
        axes.plot(at, gap.where(stable), color=color, label=label)
        axes.plot(at, gap.where(unstable), "--", color=color)
        turn = part["smallest_eigenvalue"].abs().idxmin()
        axes.plot(at[turn], gap[turn], "o", color=color)
    axes.set(xlabel=SEPARATION, ylabel="spread of the spare means / sigma", ylim=(0, None))
    return legend(figure, axes, 2)


def basins_figure(result: StudyResult) -> Figure:
    """Where two means end, by their starts; three true components on the line."""
    rows = result.table[result.table["kind"] == "basin"]
    separations = sorted(rows["separation"].unique()) or [SPAN]
    figure, grid = panels(len(separations), 2, (6.4, 0.9 + 3.0 * len(separations)))
    shades = ["0.3", *SHADES[:2], *SHADES[3:6]]
    colors, norm = ListedColormap(shades), BoundaryNorm(np.arange(-1.5, 5), len(shades))
    kinds = {"em": "EM", "relative": "relative ECM"}
    for (row, separation), (column, name) in product(enumerate(separations), enumerate(kinds)):
        axes, part = grid[row, column], rows[rows["separation"] == separation]
        if len(part):
            ended = part.pivot(index="start_1", columns="start_0", values=f"end_{name}")
            edges = ended.columns, ended.index, ended
            axes.pcolormesh(*edges, cmap=colors, norm=norm, rasterized=True)
        axes.set(title=f"{kinds[name]}, separation {separation:g}", box_aspect=1)
        axes.set(xlabel="start of mean 1 / sigma", ylabel="start of mean 2 / sigma")
    words = ("no minimum", "left component alone", "right component alone")
    for shade, word in zip(shades, words, strict=False):
        grid[0, 0].plot([], [], "s", color=shade, label=word)
    return legend(figure, grid[0, 0], 3)


# --- findings -------------------------------------------------------------------------------------


def findings(result: StudyResult) -> str:
    """What the table shows, in numbers."""
    return paragraph(result, _on_structure, _on_branches, _on_decay, _on_basins, _on_starts)


def _on_structure(result: StudyResult) -> Iterator[str]:
    rows = found_minima(result.table)
    equal, wide = rows["weight"] == 1, rows["separation"] >= SEPARATED

    def outside(part: pd.DataFrame) -> str:
        return f"{int((~part['structure']).sum())} of {len(part)}"

    yield (
        f"{len(rows)} certified minima of {len(rows.drop_duplicates(PLACE))} populations; with "
        f"equal weights outside the structure are {outside(rows[equal & wide])} at separations of "
        f"at least {SEPARATED:g} and {outside(rows[equal & ~wide])} below."
    )
    other = rows[~equal & wide]
    if len(other):
        yield f"With unequal true weights it is {outside(other)} at these separations."


def _on_branches(result: StudyResult) -> Iterator[str]:
    rows = result.table[result.table["kind"] == "branch"].drop_duplicates(CONFIGURATION)
    if len(rows):
        digits = np.where((rows["fold"] - rows["fold_coarse"]).abs() < 5e-7, 6, 2)
        found = zip(rows["fold"], digits, _named(rows), strict=True)
        told = ", ".join(f"{at:.{many}f} ({name})" for at, many, name in found)
        yield f"The minimum with spare means on one component appears at {told}."


def _on_decay(result: StudyResult) -> Iterator[str]:
    try:
        found = slopes(result.table, ERRORS[0])
    except ValueError as error:
        yield f"The decay of its error is not measured: {error}."
        return
    if found:
        told = amounts(found, "{1:.1f} ({0[0]}, {0[1]}/{0[2]})")
        yield f"Its error goes with the separation to the power {told}."


def _on_basins(result: StudyResult) -> Iterator[str]:
    cells = found_minima(result.table).drop_duplicates(PLACE)
    starts = int(cells["starts"].sum())
    if not starts:
        return
    columns = ["moved_ordered", "moved_relative", "stalled_relative", "stalled_em"]
    sorting, relative, stalled, stalled_em = (f"{cells[c].sum() / starts:.2%}" for c in columns)
    yield (
        f"Of {starts} starts on populations, sorting moved {sorting} to another minimum and "
        f"relative coordinates {relative}; {stalled} ended at no minimum with relative "
        f"coordinates (a component without data stays where it is), {stalled_em} with EM."
    )


def _on_starts(result: StudyResult) -> Iterator[str]:
    rows = found_minima(result.table)
    reached = reached_truth(rows[(rows["weight"] == 1) & (rows["separation"] >= SEPARATED)])
    shares = reached[reached["true"] > 1].groupby("true")[["share_random", "share_kmeans++"]].mean()
    told = ", ".join(
        f"{random:.0%} of random and {better:.0%} of k-means++ starts for {true} components"
        for true, random, better in shares.itertuples()
    )
    if told:
        yield f"At separations of at least {SEPARATED:g} the truth is reached by {told}."


# --- the grid -------------------------------------------------------------------------------------

ONCE = {"replicate": (0,), "n": (0,), "weight": (1.0,)}
ON_LINE = {"arrangement": ("line",)}
IN_PLANE = {"arrangement": ("triangle",), "true": (3,)}
DECAY = {**ONCE, "task": ("decay",)}
FOLD = {**ONCE, "task": ("fold",)}
WIDE = (11.0, 12.0, 13.0, 14.0, 16.0, 18.0)
FOUR = {**ON_LINE, "true": (4,), "fitted": (4,)}
THREE = {**ON_LINE, "true": (3,), "fitted": (3,)}
FOLLOWED = (
    {**DECAY, **THREE, "separation": WIDE},
    {**DECAY, **FOUR, "separation": (8.0, 9.0, 10.0, 11.0, 12.0)},
    {**DECAY, **IN_PLANE, "fitted": (3,), "separation": (8.0, 9.0, 10.0, 11.0, 12.0)},
    {**FOLD, **ON_LINE, "true": (3,), "fitted": (3, 4), "separation": (14.0,)},
    {**FOLD, **FOUR, "separation": (10.0,)},
    {**FOLD, **IN_PLANE, "fitted": (3,), "separation": (9.0,)},
)
MINIMA = {**ONCE, **ON_LINE, "task": ("minima",)}
BASINS = {**ONCE, **ON_LINE, "task": ("basins",), "true": (3,), "fitted": (2,)}
SMOKE = (
    {**MINIMA, "true": (2, 3), "fitted": (2, 3), "separation": (4.0, 12.0)},
    {**MINIMA, "true": (5,), "fitted": (5,), "separation": (12.0,)},
    {
        **MINIMA,
        "true": (3,),
        "fitted": (3,),
        "separation": (12.0,),
        "n": (200,),
        "replicate": range(3),
    },
    {**DECAY, **THREE, "separation": WIDE[:3]},
    {**DECAY, **FOUR, "separation": (10.0, 11.0, 12.0)},
    {**FOLD, **THREE, "separation": (14.0,)},
    {**BASINS, "separation": (12.0,)},
)
LAPTOP = (
    {**MINIMA, "separation": (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0)},
    {**MINIMA, "true": (2, 3), "fitted": (2, 3, 4), "separation": (4.0, 8.0, 12.0),
     "weight": (0.25, 4.0)},
    {**MINIMA, "true": (3,), "fitted": (2, 3, 4), "separation": (4.0, 8.0, 12.0),
     "n": (200, 2000), "replicate": range(20)},
    {**MINIMA, **IN_PLANE, "fitted": (2, 3, 4), "separation": (4.0, 8.0, 12.0)},
    {**MINIMA, **IN_PLANE, "fitted": (3,), "separation": (4.0, 12.0), "n": (200, 2000),
     "replicate": range(10)},
    *FOLLOWED,
    {**BASINS, "separation": (6.0, 12.0)},
)  # fmt: skip

OPENING = Opening(
    answer={
        "minima have the structure, as many": (
            "All local minima of separated populations are made of components that share a mean "
            "and of means that share a component.",
            "{0:.0f} local minima are of another kind than many-fit-one and one-fit-many.",
            "Of what kind all local minima are is undecided.",
        ),
        "random starts fail": (
            "Random starts end in them: {0:.0%} [{1:.0%}, {2:.0%}] of those for five components "
            "reach the truth.",
            "Random starts for five components reach the truth in {0:.0%} [{1:.0%}, {2:.0%}].",
            "How many random starts for five components reach the truth is undecided.",
        ),
    },
    chief=(
        "minima have the structure, over-specified",
        "k-means++ starts are better",
        "relative coordinates change the basins",
    ),
)


study = Study(
    name="local_minima",
    question="Which local minima has a Gaussian location mixture, and which starts end in them?",
    source=CHEN,
    factors={
        "task": tuple(TASKS),
        "arrangement": ("line", "triangle"),
        "true": (1, 2, 3, 4, 5),
        "fitted": (1, 2, 3, 4, 5, 6),
        "separation": (2.0, 4.0, 6.0, 8.0, 9.0, 10.0, *WIDE),
        "weight": (1.0, 0.25, 4.0),
        "n": (0, 200, 2000),
        "replicate": range(20),
    },
    sizes={
        "smoke": SMOKE,
        "laptop": LAPTOP,
        "cluster": (
            *LAPTOP,
            {**MINIMA, "separation": np.arange(2, 20), "weight": (1.0, 0.25, 4.0)},
            {**MINIMA, "true": (3, 5), "separation": (4.0, 8.0, 12.0), "n": (200, 2000),
             "replicate": range(200)},
        ),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={
        "configurations": configurations_figure,
        "bifurcation": bifurcation_figure,
        "basins": basins_figure,
        "structure": structure_figure,
        "starts": starts_figure,
        "decay": decay_figure,
    },
    findings=findings,
)  # fmt: skip
