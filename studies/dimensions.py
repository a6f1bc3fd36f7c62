"""What does it cost to order components along one direction, in several dimensions?

Data are from K equal components with the same covariance, whose means differ in the first
coordinate only; neighbours are a Mahalanobis distance apart, the separation. The first two
coordinates have a correlation, so the direction that tells components apart best, the
discriminant one, is not the first coordinate; the last coordinate is twice as wide as the first
one and tells nothing, so the first principal component nearly is that one. A random coordinate is
one of those that tell nothing.

NUTS draws under the adaptive prior from the same starts in every coordinate system: four chains,
one after the other, which begin near the truth. From starts at the data some end in modes without
mass, however components are written, which is another question. A pass is one evaluation of all
responsibilities. The *ESS* is the smallest of five quantities that no relabelling changes: the log
likelihood, the first coordinate of the mixture's mean, the log determinant of its covariance, the
largest weight, and the log density at the centre. The *relabelled ESS* is the smallest of all
weights and means after Stephens' relabelling, of ordered draws, too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import arviz_stats
import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.relabel.normal import multivariate_normal
from ordered_mix.draws.relabel.stephens import stephens
from ordered_mix.draws.rhat import rhat
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import default_multivariate_prior
from ordered_mix.parameterization import catalog
from ordered_mix.passes.multivariate_pass import log_density
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.drawing import curves, legend, looks, panels
from ordered_mix.study.effects import extreme, from_logs, mean, paired, rows_of, share
from ordered_mix.study.truths import row_of_normals, starts_near

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

PROJECT = "a question of this project"
PAPER = "Esser & Nielsen 2022, section 3: components ordered by one coordinate of the parameters"
SEPARATING, DISCRIMINANT = "separating coordinate", "discriminant direction"
RANDOM, PRINCIPAL = "random coordinate", "principal component"
AXES = (SEPARATING, DISCRIMINANT, RANDOM, PRINCIPAL)
UNORDERED = "unordered"
GAPS = tuple(f"{name}, {DISCRIMINANT}" for name in ("relative", "signed"))
CONTENDERS = (UNORDERED, *(f"ordered, {axis}" for axis in AXES), *GAPS)
CHAINS, LEAST_POINTS = 4, 100
CONVERGED = 1.05
SET = ["d", "k", "separation", "adaptation", "replicate"]
CORRELATION, EACH = 0.5, 100


def direction(axis: str, truth: Mixture, data: Data, seed: int) -> Any:
    """A coordinate, or a direction, of one of `AXES`."""
    if axis == SEPARATING:
        return 0
    if axis == DISCRIMINANT:
        return np.linalg.solve(truth.covariance[0], np.eye(truth.d)[0])
    if axis == RANDOM:
        return int(np.random.default_rng(seed).integers(1, truth.d))
    return np.linalg.eigh(np.cov(data.y.T))[1][:, -1]


def sampled(
    seed: int, d: int, k: int, separation: float, contender: str, adaptation: str, replicate: int
) -> list[dict[str, Any]]:
    """Effective draws of four chains, and the passes they took."""
    truth = row_of_normals(d, k, separation, CORRELATION)
    own = seed_of("data", d=d, k=k, separation=separation, replicate=replicate)
    data = Data.of_points(truth.sample(EACH * k, np.random.default_rng(own)))
    starts = starts_near(truth, CHAINS, np.random.default_rng(own + 1))
    coordinates, _, axis = contender.partition(", ")
    options = {"axis": direction(axis, truth, data, own)} if axis else {}
    model = catalog.parameterization(coordinates, k, default_multivariate_prior(data), **options)
    nuts = NUTS(draws=200, tune=200, adaptation=adaptation)
    draws = nuts.sample(model, data, starts, seed % 2**31)
    return [effective(data, draws) | {"passes": int(draws.passes.sum())}]


def effective(data: Data, draws: Draws) -> dict[str, float]:
    """Smallest ESS of what no relabelling changes, and of relabelled weights and means."""
    found = draws.mixture
    height = draws.tree["log_likelihood"]["y"].to_numpy().sum(axis=-1)
    centre = data.y.mean(axis=0)[None]
    invariant = [
        height,
        found.mean()[..., 0],
        np.linalg.slogdet(found.total_covariance())[1],
        found.w.max(axis=-1),
        log_density(centre, found.w, found.mu, found.root)[..., 0],
    ]
    y = data.y[:: max(1, data.n // LEAST_POINTS)]
    given = multivariate_normal(y, found.w, found.mu, found.root)
    agreed = found.permute(stephens(given, starts=2).permutation)
    free = np.concatenate([agreed.w[..., None], agreed.mu], axis=-1)
    named = list(np.moveaxis(free.reshape(*free.shape[:2], -1), -1, 0))
    ess = partial(arviz_stats.ess, chain_axis=0, draw_axis=1)
    return {
        "ess": float(min(map(ess, invariant))),
        "ess_relabelled": float(min(map(ess, named))),
        "rhat_relabelled": max(map(rhat, named)),
    }


# --- from the table to effects --------------------------------------------------------------------


def runs(table: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """Rows of NUTS with logs of effective draws for 1,000 passes."""
    columns = ("ess", "ess_relabelled", "rhat_relabelled", "passes")
    rows = rows_of(table, columns, **where)
    return rows.assign(
        invariant=np.log(1000 * rows["ess"] / rows["passes"]),
        relabelled=np.log(1000 * rows["ess_relabelled"] / rows["passes"]),
    )


def ratio(
    table: pd.DataFrame, first: str, second: str, value: str = "invariant", **where: Any
) -> pd.Series:
    """Log ratio of two contenders on each data set."""
    rows = runs(table, **where)
    rows = rows[rows["contender"].isin([first, second])]
    wide = paired(rows, "contender", (first, second), value, SET)
    return wide[first] - wide[second]


def over(table: pd.DataFrame, first: str, second: str, pick: Any = None, **where: Any) -> Effect:
    """Mean ratio over all data sets, or that of the number of dimensions that is picked."""
    logs = ratio(table, first, second, **where)
    if pick is None:
        return from_logs(mean(logs))
    return from_logs(extreme([part for _, part in logs.groupby("d")], pick))


def agreed(table: pd.DataFrame, contender: str) -> Effect:
    """Share of the runs whose relabelled weights and means have R-hat below 1.05."""
    rows = runs(table)
    return share(rows[rows["contender"] == contender]["rhat_relabelled"] < CONVERGED)


DIMENSIONS = (1, 2, 4, 8)
ORDERED = "ordered, " + DISCRIMINANT
POOR: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("a random coordinate", RANDOM, {"d": (4, 8), "k": 2}),
    ("the first principal component", PRINCIPAL, {"d": (2, 4, 8)}),
)
ESS, RELABELLED = "ESS per pass", "relabelled ESS per pass"
LEAST = "{0:.2f} [{1:.2f}, {2:.2f}] of the ESS per pass, where it is least"
INTERVAL = "{0:.0%} [{1:.0%}, {2:.0%}]"
WORSE = (
    "Ordering along a direction that does not separate is worse than not ordering: along a random "
    f"coordinate at most {INTERVAL} of the relabelled ESS per pass remain.",
    "Ordering along a direction that does not separate is not worse everywhere.",
    "Whether ordering along a direction that does not separate is worse is undecided.",
)
CLAIMS = (
    *(
        Claim(
            f"ordering by {name}, {adaptation} adaptation",
            f"Ordering along {name}, which does not separate, has less relabelled ESS per pass "
            f"than not ordering, at every number of dimensions, under {adaptation} adaptation.",
            PROJECT, partial(over, pick=max, first=f"ordered, {axis}", second=UNORDERED,
                             value="relabelled", adaptation=adaptation.replace(" ", "_"), **where),
            "below", 1.0, f"{RELABELLED}, ordered / unordered, where it is largest",
            words=WORSE if (axis, adaptation) == (RANDOM, "diagonal") else
            f"Along {name}, {adaptation} adaptation, at most {INTERVAL} of the relabelled ESS per "
            "pass of not ordering remain.",
        )
        for name, axis, where in POOR
        for adaptation in ("diagonal", "low rank")
    ),
    *(
        Claim(
            f"ordering by {name}, label-invariant",
            f"Ordering along {name} has less ESS per pass of label-invariant quantities than not "
            "ordering, over all data sets.",
            PROJECT, partial(over, first=f"ordered, {axis}", second=UNORDERED, **where),
            "below", 1.0, f"{ESS}, ordered / unordered",
            words=f"Along {name} {INTERVAL} of the ESS per pass of label-invariant quantities "
            "remain.",
        )
        for name, axis, where in POOR
    ),
    Claim(
        "unordered loses nothing",
        "Unordered and relabelled by Stephens, draws are at least 0.8 times as effective as draws "
        "ordered along the discriminant direction, at every number of dimensions.",
        PROJECT, partial(over, pick=min, first=UNORDERED, second=ORDERED, value="relabelled"),
        "above", 0.8, f"{RELABELLED}, unordered / ordered, where it is least",
        words=(
            f"Not ordering loses nothing against the direction that separates best: {LEAST}.",
            f"Not ordering loses against the direction that separates best: {LEAST}.",
            "Against the direction that separates best it is undecided whether not ordering loses "
            f"a fifth: {LEAST}.",
        ),
    ),
    Claim(
        "relabelled chains agree",
        "Of unordered runs at least nine in ten have every relabelled R-hat below 1.05.",
        PROJECT, partial(agreed, contender=UNORDERED), "above", 0.9, "share of the runs",
        words=f"Relabelled chains of unordered runs agree in {INTERVAL}.",
    ),
    Claim(
        "the discriminant direction is better",
        "Ordering along the coordinate in which the means differ has less ESS per pass than along "
        "the discriminant direction.",
        PAPER, partial(over, first=f"ordered, {SEPARATING}", second=ORDERED, d=(2, 4, 8), k=2),
        "below", 1.0, f"{ESS}, coordinate / discriminant",
        words="Along the coordinate in which the means differ the ESS per pass is {0:.2f} "
        "[{1:.2f}, {2:.2f}] of that along the discriminant direction.",
    ),
    *(
        Claim(
            f"signed beats relative at separation {separation:g}",
            "Mixture mean and signed gaps have more ESS per pass than relative vectors at "
            f"separation {separation:g}.",
            PROJECT, partial(over, first=GAPS[1], second=GAPS[0], separation=separation),
            "above", 1.0, f"{ESS}, signed / relative",
            words="Mixture mean and signed gaps have {0:.2f} [{1:.2f}, {2:.2f}] times the ESS per "
            f"pass of relative vectors at separation {separation:g}.",
        )
        for separation in (2.0, 4.0)
    ),
)  # fmt: skip


# --- figure and grids -----------------------------------------------------------------------------


def axes_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes of two components by number of dimensions, 95% intervals over data."""
    rows = runs(result.tables["dimensions"], k=2, adaptation="diagonal")
    separations = sorted(set(rows["separation"]))
    figure, axes = panels(2, len(separations), (7.0, 6.0), sharex=True)
    for column, separation in enumerate(separations):
        part = rows[rows["separation"] == separation]
        for row, value in enumerate(("invariant", "relabelled")):
            shown = part.assign(rate=np.exp(part[value]))
            curves(axes[row, column], shown, "rate", "contender", looks(CONTENDERS), x="d",
                   log=True)  # fmt: skip
            axes[row, column].set_xlabel("dimensions")
        axes[0, column].set_title(f"separation {separation:g}", fontsize="medium")
    axes[0, 0].set_ylabel("ESS per 1,000 passes")
    axes[1, 0].set_ylabel("relabelled ESS per 1,000 passes")
    return legend(figure, axes, columns=2)


def contenders(axes: tuple[str, ...] = AXES, **shared: Any) -> dict[str, Any]:
    """Not ordered, and ordered along each axis that is asked for."""
    return {**shared, "contender": (UNORDERED, *(f"ordered, {axis}" for axis in axes))}


def grids(replicate: range) -> list[dict[str, Any]]:
    """All dimensions at K = 2; more components in four; low-rank adaptation in four."""
    usual: dict[str, Any] = {"adaptation": ("diagonal",), "replicate": replicate}
    two: dict[str, Any] = {"k": (2,), "separation": (2.0, 4.0)}
    several: dict[str, Any] = {"d": (4,), "k": (3, 4, 5), "separation": (4.0,)}
    return [
        {**two, **usual, "d": DIMENSIONS, "contender": CONTENDERS},
        contenders((DISCRIMINANT, PRINCIPAL), **several, **usual),
        contenders(d=(4,), **two, **usual | {"adaptation": ("low_rank",)}),
    ]


def skip(d: int, contender: str, **others: Any) -> str | None:
    """Axes that are another one where there are few coordinates."""
    axis = contender.partition(", ")[2]
    if d == 1 and axis in (SEPARATING, RANDOM, PRINCIPAL):
        return "in one dimension there is one direction"
    if d == 2 and axis == RANDOM:
        return "in two dimensions it is nearly the principal component"
    return None


study = Study(
    name="dimensions",
    question="What does it cost to order components along one direction, in several dimensions?",
    source="this project, after Esser & Nielsen 2022 (theta^l)",
    experiments={
        "dimensions": Experiment(
            sampled,
            factors={
                "d": DIMENSIONS,
                "k": (2, 3, 4, 5),
                "separation": (2.0, 4.0),
                "contender": CONTENDERS,
                "adaptation": ("diagonal", "low_rank"),
                "replicate": range(60),
            },
            sizes={
                "smoke": {
                    "d": (2,), "k": (2,), "separation": (4.0,), "adaptation": ("diagonal",),
                    "contender": (UNORDERED, ORDERED, f"ordered, {PRINCIPAL}", *GAPS),
                    "replicate": range(2),
                },
                "laptop": grids(range(5)),
                "cluster": grids(range(60)),
            },
            skip=skip,
            structure=("contender", "k"),
        ),
    },
    claims=CLAIMS,
    figures={"axes": axes_figure},
    answer=("ordering by a random coordinate, diagonal adaptation", "unordered loses nothing"),
    chief=(
        "ordering by the first principal component, diagonal adaptation",
        "ordering by the first principal component, label-invariant",
        "the discriminant direction is better",
    ),
)  # fmt: skip
