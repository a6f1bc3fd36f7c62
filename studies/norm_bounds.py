"""Does a smaller norm of the relative parameters give them a smaller generalisation bound?

Esser & Nielsen 2022 (section 5.2) argue that relative parameters have the smaller norm, hence the
smaller generalisation bound. The norm is not smaller: (mu1, mu2) = (-1, 1) has 1.414 and (mu1, gap)
= (-1, 2) has 2.236; for means iid around 0 and sorted it is smaller only where the direction lies
in 63.4 of 180 degrees. And a worst-case bound is a supremum over mixtures, the same in whatever
coordinates they are written; only a ball of another norm is another class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.data import Data, population, simulate
from ordered_mix.mixture import Mixture
from ordered_mix.passes.kernels import e_step
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import legend, nothing, panels
from ordered_mix.study.effects import geometric_mean, less, share
from ordered_mix.study.experiment import SIZES
from ordered_mix.study.grid import seed_of
from ordered_mix.theory.singularity import two_normals

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

PAPER = "Esser & Nielsen 2022, section 5.2"
SETS, PAIRS, N = 20, 100, 200
HALVES, ONES, SPREAD = np.full(2, 0.5), np.ones(2), 2.0
BOX, NODES, ZOOMS = 3.0, 41, 5


def norm_cell(seed: int, replicate: int) -> list[dict]:
    """Sorted means, iid around 0."""
    means = np.sort(np.random.default_rng(seed).normal(0, SPREAD, (PAIRS, 2)), axis=1)
    return [{"mu1": first, "mu2": second} for first, second in means.tolist()]


def bound_cell(seed: int, separation: float, n: int, replicate: int) -> list[dict]:
    """Worst-case bounds of all classes on a batch of data sets."""
    truth = two_normals(separation)
    rows = []
    for unit in range(replicate * SETS, (replicate + 1) * SETS):
        sample = simulate(truth, n, seed_of("data", separation=separation, n=n, replicate=unit))
        rows += [{"unit": unit, **row} for row in _bounds(truth, sample)]
    return rows


def _bounds(truth: Mixture, data: Data) -> list[dict]:
    """Largest difference of training and generalisation loss over a class of mixtures."""
    grid = population(truth, 0.05)

    def deviation(mu: Array) -> Array:
        train = e_step(data.y, HALVES, mu, ONES).log_likelihood / data.n
        return np.abs(train - e_step(grid.y, HALVES, mu, ONES, grid.weight).log_likelihood)

    return [
        {"coordinates": name, "bound": supremum(deviation, reach)}
        for name, reach in CLASSES.items()
    ]


def _box(u: Array) -> Array:
    """Both means in [-3, 3]."""
    return BOX * (2 * u - 1)


def _relative_box(u: Array) -> Array:
    """The first mean in [-3, 3], the gap from 0 to what leaves the second one there."""
    first = BOX * (2 * u[:, 0] - 1)
    return np.stack([first, first + u[:, 1] * (BOX - first)], axis=1)


def _ball(u: Array) -> Array:
    """The means in a ball of radius 3 around 0."""
    angle = 2 * np.pi * u[:, 1]
    return BOX * u[:, :1] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _relative_ball(u: Array) -> Array:
    """The first mean and a positive gap in such a ball."""
    angle = np.pi * u[:, 1]
    first = BOX * u[:, 0] * np.cos(angle)
    return np.stack([first, first + BOX * u[:, 0] * np.sin(angle)], axis=1)


CLASSES = {
    "unordered": _box,
    "relative": _relative_box,
    "unordered ball": _ball,
    "relative ball": _relative_ball,
}


def supremum(value: Callable[[Array], Array], reach: Callable[[Array], Array]) -> float:
    """Largest value over a class given by a map of the unit square, by a grid that zooms in."""
    centre, half, best = np.full(2, 0.5), 0.5, -np.inf
    for _ in range(ZOOMS):
        axes = [np.clip(np.linspace(at - half, at + half, NODES), 0, 1) for at in centre]
        nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        found = value(reach(nodes))
        at = int(found.argmax())
        best, centre, half = max(best, float(found[at])), nodes[at], half * 4 / (NODES - 1)
    return best


# --- effects --------------------------------------------------------------------------------------


def norms(rows: pd.DataFrame) -> tuple[Array, Array]:
    """Norm of (mu1, mu2) and of (mu1, gap) of every pair."""
    original = np.hypot(rows["mu1"], rows["mu2"]).to_numpy()
    return original, np.hypot(rows["mu1"], rows["mu2"] - rows["mu1"]).to_numpy()


def _norm_smaller(table: pd.DataFrame) -> Effect:
    original, relative = norms(table)
    return share(relative <= original)


def by_set(table: pd.DataFrame) -> pd.DataFrame:
    """Bounds with N points, a row for each data set and a column for each class."""
    rows = table[table["n"] == N]
    return rows.pivot(index=["unit", "separation"], columns="coordinates", values="bound")


def _bound_ratio(kind: str) -> Callable[[pd.DataFrame], Effect]:
    """Bound in relative coordinates for 1 in the original ones, mean over separations by set."""

    def effect(table: pd.DataFrame) -> Effect:
        wide = by_set(table)
        return geometric_mean(wide[f"relative{kind}"] / wide[f"unordered{kind}"], "unit")

    return effect


CLAIMS = (
    Claim("relative norm is smaller", "The norm of (mu1, gap) is at most that of (mu1, mu2).",
          PAPER, _norm_smaller, "above", 0.999, "share of sorted pairs of means", of=("norm",),
          words=(
              "The norm of relative parameters is the smaller one for {0:.1%} of sorted pairs.",
              "The norm of relative parameters is not the smaller one: it is for {0:.0%} [{1:.0%}, "
              "{2:.0%}] of sorted pairs of means.",
              "Whether the norm of relative parameters is the smaller one is undecided ({0:.1%}).",
          )),
    Claim("bounds are equal",
          "The worst-case bound over the same mixtures is the same in both coordinates.",
          "the class of functions is the same",
          lambda table: less(_bound_ratio("")(table), 1), "within", 0.001, "relative difference",
          of=("bound",),
          words=(
              "Worst-case bounds over the same mixtures are equal in both coordinates, to {0:.1g}: "
              "these are the same functions.",
              "Worst-case bounds over the same mixtures differ by {0:.1e}.",
              "Whether worst-case bounds over the same mixtures differ is undecided ({0:.1e}).",
          )),
    Claim("ball of relative norm has the smaller bound",
          "Over a ball of equal norm the bound is smaller in relative coordinates.",
          PAPER, _bound_ratio(" ball"), "below", 1.0, "bound for 1 in the original coordinates",
          of=("bound",),
          words="Over balls of equal norm the relative bound is {0:.2f} [{1:.2f}, {2:.2f}] times "
          "the original one."),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------


def norm_figure(result: StudyResult) -> Figure:
    """Where the relative norm is smaller and where it is larger; worst-case bounds by data set."""
    figure, ((left, right),) = panels(1, 2, (9.0, 4.0))
    _draw_norms(left, result.tables["norm"])
    _draw_bounds(right, result.tables["bound"])
    return legend(figure, [left, right], 2)


def _draw_norms(axes: Axes, rows: pd.DataFrame) -> None:
    if rows.empty:
        nothing(axes)
        return
    original, relative = norms(rows)
    for smaller, colour, words in ((True, "#0072b2", "smaller"), (False, "#d55e00", "larger")):
        part = rows[(relative <= original) == smaller]
        label = f"norm of (mu1, gap) {words}"
        axes.plot(part["mu1"], part["mu2"], ".", ms=4, color=colour, label=label)
    axes.set(xlabel="mu1 / sigma", ylabel="mu2 / sigma", aspect="equal")


def _draw_bounds(axes: Axes, rows: pd.DataFrame) -> None:
    if rows.empty:
        nothing(axes)
        return
    wide = by_set(rows)
    for kind, marker, words in (("", "o", "the same box"), (" ball", "x", "balls of norm 3")):
        pair = wide[f"unordered{kind}"], wide[f"relative{kind}"]
        axes.plot(*pair, marker, ms=4, alpha=0.7, label=f"bound over {words}")
    axes.axline((0.5, 0.5), slope=1, color="0.5", lw=0.8)
    axes.set(xlabel="worst case, original / nats", ylabel="worst case, relative / nats")


study = Study(
    name="norm_bounds",
    question="Does a smaller norm give relative coordinates a smaller generalisation bound?",
    source=PAPER,
    experiments={
        "norm": Experiment(
            cell=norm_cell,
            factors={"replicate": range(4)},
            sizes={size: {} for size in SIZES},
        ),
        "bound": Experiment(
            cell=bound_cell,
            factors={"separation": (0.0, 2.0), "n": (50, N, 800), "replicate": range(50)},
            sizes={
                "smoke": {"separation": (0.0,), "n": (N,), "replicate": range(1)},
                "laptop": {"n": (N,), "replicate": range(8)},
                "cluster": {},
            },
        ),
    },
    claims=CLAIMS,
    figures={"norm": norm_figure},
    answer=("relative norm is smaller", "ball of relative norm has the smaller bound"),
    chief=(
        "relative norm is smaller",
        "bounds are equal",
        "ball of relative norm has the smaller bound",
    ),
)
