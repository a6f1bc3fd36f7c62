"""In which local minima of a Gaussian location mixture do starts of EM end?

Chen, Song, Xi & Zhang ("Local minima structures in Gaussian mixture models") show for the
population negative log likelihood of the means, with well separated true components, that every
local minimum splits into groups which do not overlap: several fitted means on one true component
(many-fit-one), or one fitted mean on several true components (one-fit-many). Here the minima are
looked for with EM from many starts, polished by Newton's method, certified by the gradient and the
smallest eigenvalue of the Hessian, and classified by `ordered_mix.theory.minima`. Fitted
weights are equal and all variances 1; the population is a fine grid weighted by the true density.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial_means import initial_means
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.drawing import BAND, SEPARATION, SHADES, curves, heat, legend, looks, panels
from ordered_mix.study.effects import exact, mean, rows_of, share
from ordered_mix.theory.polish import Landscape, Minimum, distinct, polish
from ordered_mix.theory.separated import (
    classify,
    describe,
    flat,
    grid_of,
    points_of,
    steps_of,
    truth_of,
)

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

CHEN = "Chen, Song, Xi & Zhang, Local minima structures in Gaussian mixture models"
JIN = "Jin, Zhang, Balakrishnan, Wainwright & Jordan 2016, random initialisation"
METHODS = ("random", "kmeans++", "spread")
STARTS = 40
SEPARATED = 10.0
TOLERANCE = 1e-7
GRID = 25
KNOWN = ("w", "sigma")


# --- runs -----------------------------------------------------------------------------------------


def sample_of(truth: Mixture, n: int, seed: int) -> Data:
    """n points of the truth."""
    points = truth.sample(n, np.random.default_rng(seed))
    return Data(points[:, 0]) if truth.d == 1 else Data.of_points(points)


def run(estimator: str, data: Data, means: Array, passes: int = 2000) -> Array:
    """Where an estimator ends from starting means (starts, k, d), with equal weights."""
    k, d = means.shape[1:]
    # one mean has no gap: it is a coordinate of its own
    w, relative = np.full(k, 1 / k), estimator == "relative" and k > 1
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


def minima(
    truth: Mixture, data: Data, rough: Data, fitted: int, seed: int
) -> Iterator[tuple[dict[str, Any], Minimum]]:
    """Every minimum that the starts lead to, with the share of starts of each method."""
    points = points_of(rough), fitted, STARTS
    starts = np.concatenate([initial_means(*points, m, seed, rough.weight) for m in METHODS])
    landscape = Landscape(data, np.full(fitted, 1 / fitted))
    reached = [run(estimator, rough, starts) for estimator in ("em", "ordered", "relative")]
    found, label = ends(landscape, np.concatenate(reached))
    runs = label.reshape(3, -1)
    both = (runs >= 0) & (runs[0] >= 0)
    common: dict[str, Any] = {"starts": runs.shape[1]}
    common |= {"stalled_em": np.sum(runs[0] < 0), "stalled_relative": np.sum(runs[2] < 0)}
    common |= {"moved_ordered": np.sum(both[1] & (runs[1] != runs[0]))}
    common |= {"moved_relative": np.sum(both[2] & (runs[2] != runs[0]))}
    reference = landscape.evaluate(truth.mu).value if fitted == truth.k else found[0].value
    for rank, one in enumerate(found):
        hits = (runs[0].reshape(len(METHODS), STARTS) == rank).mean(axis=1)
        row = {**common, "minimum": rank, **describe(truth, one), "nll_gap": one.value - reference}
        row |= {f"share_{name}": hits[at] for at, name in enumerate(METHODS)}
        row |= {"share_relative": np.mean(runs[2] == rank), "shift": shift(data, one)}
        yield row, one


def population_cell(seed: int, fitted: int, **place: Any) -> list[dict[str, Any]]:
    """The minima of a population, again on a coarser grid."""
    truth, rows = truth_of(**place), []
    fine, coarse = (grid_of(truth, step) for step in steps_of(truth))
    again = Landscape(coarse, np.full(fitted, 1 / fitted))
    own = seed_of("local_minima starts", fitted=fitted, **place, n=0, replicate=0)
    for row, one in minima(truth, fine, coarse, fitted, own):
        other = polish(again, one.mu)
        row["structure_coarse"] = classify(truth, other.mu).holds
        rows.append({**row, "shift_coarse": shift(coarse, other)})
    return rows


def sample_cell(seed: int, fitted: int, **place: Any) -> list[dict[str, Any]]:
    """The minima of a sample, which different numbers of fitted components share."""
    truth = truth_of(*(place[name] for name in PLACE if name != "fitted"))
    data = sample_of(truth, place["n"], seed_of("local_minima data", **place))
    own = seed_of("local_minima starts", fitted=fitted, **place)
    return [row for row, _ in minima(truth, data, data, fitted, own)]


def shift(data: Data, one: Minimum) -> float:
    """How far 20 iterations of EM from the sorted means, or of relative ECM, move a minimum."""
    begin = one.mu[np.argsort(one.mu[:, 0], kind="stable")]
    after = [run(name, data, begin[None], 20)[0] for name in ("ordered", "relative")]
    return float(np.abs(np.stack(after) - begin).max())


def basins_cell(seed: int, separation: float) -> list[dict[str, Any]]:
    """Where two means end from a grid of starts, by the positions of the minima on the line."""
    truth = truth_of("line", 3, separation)
    reach = 1.3 * (truth.mu.max() + 1)
    axis = np.linspace(-reach, reach, GRID)
    half = (axis[1] - axis[0]) / 2  # equal starts would never part
    starts = np.array([(a, b + half) for a in axis for b in axis])[..., None]
    landscape = Landscape(grid_of(truth, steps_of(truth)[1]), np.full(2, 0.5))
    reached = [run(name, landscape.data, starts) for name in ("em", "relative")]
    found, label = ends(landscape, np.concatenate(reached))
    order = np.argsort([one.mu.sum() for one in found], kind="stable")
    rank = np.append(np.argsort(order), -1)  # the last one stands for no minimum
    columns = rank[label].reshape(2, -1)
    return [
        {"start_0": a, "start_1": b, "end_em": em, "end_relative": relative}
        for (a, b), em, relative in zip(starts[..., 0], *columns, strict=True)
    ]


# --- effects --------------------------------------------------------------------------------------

PLACE = ["arrangement", "true", "separation", "weight", "fitted"]
SET = [*PLACE, "n", "replicate"]
SHARES = [f"share_{name}" for name in METHODS]


def certified(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of minima, which have their structure as true or false."""
    columns = ("structure", "exact", "pattern", "means", "nll_gap", *SHARES)
    return rows_of(table, columns).astype({"structure": bool, "exact": bool})


def mixed(table: pd.DataFrame, sign: int) -> Effect:
    """Minima outside the structure, separated populations of equal weights, fitted less true."""
    rows = rows_of(certified(table), weight=1)
    rows = rows[rows["separation"] >= SEPARATED]
    rows = rows[np.sign(rows["fitted"] - rows["true"]) == sign]
    if rows.empty:
        raise ValueError("the table holds no such minima")
    coarse = rows["structure_coarse"].astype(bool)
    return exact(float((~rows["structure"]).sum()), float((~coarse).sum()))


def structured_samples(table: pd.DataFrame) -> Effect:
    """Share of separated data sets all of whose minima have the structure."""
    rows = certified(table)
    rows = rows[rows["separation"] >= SEPARATED]
    sets = [name for name in SET if name != "fitted"]
    return share(rows.groupby(sets)["structure"].all())


def reached_truth(rows: pd.DataFrame) -> pd.DataFrame:
    """Share of the starts that end with each true component found, by method, for each cell."""
    rows = rows[rows["true"] == rows["fitted"]]
    shares = rows[SHARES].where(rows["exact"], 0.0)
    unit = [name for name in SET if name in rows]
    return pd.concat([rows[unit], shares], axis=1).groupby(unit, as_index=False).sum()


def plus_plus_gain(table: pd.DataFrame) -> Effect:
    """How much more often k-means++ starts than random points reach the truth, over data sets."""
    reached = reached_truth(certified(table))
    return mean(reached["share_kmeans++"] - reached["share_random"])


def random_reached(table: pd.DataFrame) -> Effect:
    """Share of the random starts that reach the truth, five separated components."""
    rows = rows_of(certified(table), true=5)
    rows = rows[rows["separation"] >= SEPARATED]
    hits = (reached_truth(rows)["share_random"] * STARTS).round().astype(int)
    return share(np.concatenate([np.arange(STARTS) < hit for hit in hits]))


def largest_shift(table: pd.DataFrame) -> Effect:
    """How far sorted EM and relative ECM move the populations' minima at most."""
    return exact(table["shift"].max(), table["shift_coarse"].max())


def moved(table: pd.DataFrame, coordinates: str) -> Effect:
    """Share of the starts on populations that end in another minimum than with EM."""
    rows = table.drop_duplicates(PLACE)
    counts = zip(rows["starts"], rows[f"moved_{coordinates}"], strict=True)
    return share(np.concatenate([np.arange(starts) < hits for starts, hits in counts]))


POPULATION = ("population",)
SHARE = "{0:.0%} [{1:.0%}, {2:.0%}]"
CLAIMS = (
    *(Claim(f"minima have the structure, {words}",
            "All minima of separated populations of equal weights are made of many-fit-one and "
            f"one-fit-many groups, {what} components fitted.",
            CHEN, partial(mixed, sign=sign), "below", 0.5, "minima outside the structure",
            of=POPULATION, words=told)
      for words, what, sign, told in (
          ("as many", "as many", 0, (
              "All local minima of separated populations are made of components that share a mean "
              "and of means that share a component ({0:.0f} are not).",
              "{0:.0f} local minima of separated populations are of another kind than many-fit-one "
              "and one-fit-many.",
              "Of what kind all local minima are is undecided ({0:.0f} are of another one).")),
          ("over-specified", "more", 1,
           "With more components fitted than true ones {0:.0f} minima are of another kind."),
          ("under-specified", "fewer", -1,
           "With fewer components fitted than true ones {0:.0f} minima are of another kind."))),
    Claim("samples have the structure",
          "All minima of separated samples of 200 and 2,000 points are made of many-fit-one and "
          "one-fit-many groups.",
          CHEN + ", for the population; carried over to samples here",
          structured_samples, "above", 0.95, "share of data sets", of=("sample",),
          words=f"On {SHARE} of separated samples all minima are of this kind."),
    Claim("k-means++ starts are better",
          "k-means++ starts end at the truth more often than random points do.",
          "Arthur & Vassilvitskii 2007", plus_plus_gain, "above", 0.0, "share of starts",
          of=("sample",),
          words=(
              f"On samples k-means++ starts end at the truth more often than random points, by "
              f"{SHARE} of the starts.",
              "On samples k-means++ starts end at the truth less often than random points, by "
              f"{SHARE} of the starts.",
              "Whether k-means++ starts end at the truth more often than random points is "
              f"undecided: by {SHARE} of the starts.",
          )),
    Claim("random starts fail",
          "Of random starts for five separated components, less than half reach the truth.",
          JIN, random_reached, "below", 0.5, "share of starts", of=POPULATION,
          words=(
              "Random starts often end in one that is not the truth: for five separated components "
              f"{SHARE} of them reach it.",
              f"Of random starts for five separated components {SHARE} reach the truth.",
              "Whether half of the random starts for five separated components reach the truth is "
              f"undecided: {SHARE} do.",
          )),
    Claim("same minima", "Sorted starts and relative coordinates have the same minima as EM.",
          "equivariance of EM; Esser & Nielsen 2022 change coordinates only",
          largest_shift, "below", 1e-6, "standard deviations", of=POPULATION,
          words="Sorted EM and relative ECM move these minima by at most {0:.1g} standard "
          "deviations."),
    Claim("ordering keeps the basins", "Sorting the starts of EM changes no start's minimum.",
          "equivariance of EM",
          partial(moved, coordinates="ordered"), "below", 0.01, "share of starts", of=POPULATION,
          words="Sorting moves {0:.2%} of the starts to another minimum."),
    Claim("relative coordinates change the basins",
          "With relative coordinates some starts end in another minimum.",
          "the sweep over reference mean and gaps is another map",
          partial(moved, coordinates="relative"), "above", 0.01, "share of starts", of=POPULATION,
          words="Relative coordinates move {0:.1%} [{1:.1%}, {2:.1%}] of the starts to another "
          "minimum."),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

SPAN = 12.0


def configurations_figure(result: StudyResult) -> Figure:
    """Fitted means of each minimum over the true density, three components on the line."""
    rows = rows_of(
        certified(result.tables["population"]), arrangement="line", true=3, weight=1,
        separation=SPAN, fitted=(2, 3, 4),
    ).sort_values("nll_gap")  # fmt: skip
    numbers = sorted(rows["fitted"].unique()) or [3]
    figure, grid = panels(len(numbers), 1, (7, 1 + 1.9 * len(numbers)))
    for (axes,), fitted in zip(grid, numbers, strict=True):
        _draw_minima(axes, rows[rows["fitted"] == fitted].head(6))
        axes.set_title(f"{fitted} fitted")
    axes.set_xlabel("position / sigma; rows: fitted:true of each group, excess log loss")
    return figure


def _draw_minima(axes: Axes, rows: pd.DataFrame) -> None:
    y = np.linspace(-SPAN - 4, SPAN + 4, 600)
    density = flat(truth_of("line", 3, SPAN)).density(y)
    axes.fill_between(y, -0.5, density / density.max() * max(len(rows), 1) - 0.5, color=BAND)
    for level, text in enumerate(rows["means"]):
        means = np.array(text.split(), dtype=float)
        axes.plot(means, np.full(len(means), level), "|", color=SHADES[level], ms=13, mew=2)
        for at, many in zip(*np.unique(means.round(1), return_counts=True), strict=True):
            if many > 1:
                axes.text(at, level + 0.24, f"{many}x", ha="center", va="bottom", fontsize=7)
    words = [f"{row.pattern}   +{row.nll_gap:.3g}" for row in rows.itertuples()]
    axes.set_yticks(range(len(rows)), words, fontsize="x-small")
    axes.set(xlim=(y[0], y[-1]), ylim=(-0.6, max(len(rows), 1) - 0.4))


def structure_figure(result: StudyResult) -> Figure:
    """Share of the populations' minima that have the structure, by separation, in percent."""
    table = rows_of(certified(result.tables["population"]), arrangement="line", weight=1)
    shares = table.groupby(["true", "fitted", "separation"])["structure"].mean().unstack()
    shares.index = [f"{true} / {fitted}" for true, fitted in shares.index]
    figure, grid = panels(1, 1, (5.5, 1.5 + 0.19 * len(shares)))
    heat(grid[0, 0], 100 * shares, "{:.0f}".format, "cividis", (0, 100))
    grid[0, 0].set(xlabel=SEPARATION, ylabel="components, true / fitted")
    return figure


def starts_figure(result: StudyResult) -> Figure:
    """Share of starts that end at the truth, by separation; population, and data sets."""
    tables = result.tables
    figure, grid = panels(1, 3, (7, 3.4), sharey=True)
    for axes, n in zip(grid[0], (0, 200, 2000), strict=True):
        rows = rows_of(tables["sample"], n=n) if n else tables["population"]
        rows = rows_of(certified(rows), arrangement="line", weight=1, true=3)
        reached = reached_truth(rows)
        reached = reached.rename(columns={f"share_{name}": name for name in METHODS})
        reached = reached.melt("separation", METHODS, "method")
        curves(axes, reached, "value", "method", looks(METHODS))
        axes.set(title=f"n = {n:,}" if n else "population", ylim=(-0.03, 1.03))
    grid[0, 0].set_ylabel("share of starts at the truth")
    return legend(figure, grid)


def basins_figure(result: StudyResult) -> Figure:
    """Where two means end, by their starts; three true components on the line."""
    rows = result.tables["basins"]
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


# --- the grid -------------------------------------------------------------------------------------

LINE = {"arrangement": ("line",)}
TRIANGLE = {"arrangement": ("triangle",), "true": (3,), "weight": (1.0,)}
NEAR_AND_FAR = (4.0, 8.0, 12.0)
GRIDS = (
    {**LINE, "weight": (1.0,), "separation": (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0)},
    {**LINE, "true": (2, 3), "fitted": (2, 3, 4), "separation": NEAR_AND_FAR,
     "weight": (0.25, 4.0)},
    {**TRIANGLE, "fitted": (2, 3, 4), "separation": NEAR_AND_FAR},
)  # fmt: skip
SAMPLES = (
    {**LINE, "true": (3,), "fitted": (2, 3, 4), "separation": NEAR_AND_FAR, "weight": (1.0,),
     "replicate": range(20)},
    {**TRIANGLE, "fitted": (3,), "separation": (4.0, 12.0), "replicate": range(10)},
)  # fmt: skip
FACTORS = {
    "arrangement": ("line", "triangle"),
    "true": (1, 2, 3, 4, 5),
    "fitted": (1, 2, 3, 4, 5, 6),
    "separation": (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0),
    "weight": (1.0, 0.25, 4.0),
}
THREE = {**LINE, "true": (3,), "fitted": (3,), "separation": (12.0,), "weight": (1.0,)}


study = Study(
    name="local_minima",
    question="In which local minima of a Gaussian location mixture do starts of EM end?",
    source=CHEN,
    experiments={
        "population": Experiment(
            cell=population_cell,
            factors=FACTORS,
            sizes={
                "smoke": (
                    {**THREE, "true": (2, 3), "fitted": (2, 3), "separation": (4.0, 12.0)},
                    {**THREE, "true": (5,), "fitted": (5,)},
                ),
                "laptop": GRIDS,
                "cluster": (*GRIDS, {**LINE, "separation": np.arange(2, 20)}),
            },
        ),
        "sample": Experiment(
            cell=sample_cell,
            factors={**FACTORS, "n": (200, 2000), "replicate": range(20)},
            sizes={
                "smoke": {**THREE, "n": (200,), "replicate": range(3)},
                "laptop": SAMPLES,
                "cluster": (
                    *SAMPLES,
                    {**LINE, "true": (3, 5), "separation": NEAR_AND_FAR, "weight": (1.0,),
                     "replicate": range(200)},
                ),
            },
        ),
        "basins": Experiment(
            cell=basins_cell,
            factors={"separation": (6.0, 12.0)},
            sizes={"smoke": {"separation": (12.0,)}, "laptop": {}, "cluster": {}},
        ),
    },
    claims=CLAIMS,
    figures={
        "configurations": configurations_figure,
        "basins": basins_figure,
        "structure": structure_figure,
        "starts": starts_figure,
    },
    answer=("minima have the structure, as many", "random starts fail"),
    chief=(
        "minima have the structure, over-specified",
        "k-means++ starts are better",
        "relative coordinates change the basins",
    ),
)  # fmt: skip
