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

Covariances: EM from the truth with full and with diagonal covariances, and the Kullback-Leibler
divergence from the truth to what it finds, for growing samples; passes, and the seconds of a pass.
"""

from __future__ import annotations

import time
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
from ordered_mix.estimators.em import EM
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import default_multivariate_prior
from ordered_mix.parameterization import catalog
from ordered_mix.passes.multivariate_pass import log_density, white_pass
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Opening, Study, seed_of
from ordered_mix.study.drawing import curves, legend, looks, panels
from ordered_mix.study.effects import extreme, from_logs, mean, paired, rows_of, share
from ordered_mix.study.sentences import RATIO, Words, by_outcome, paragraph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

PROJECT = "a question of this project"
PAPER = "Esser & Nielsen 2022, section 3: components ordered by one coordinate of the parameters"
NOTES = "the lecture notes on mixtures and EM among the sources"
SEPARATING, DISCRIMINANT = "separating coordinate", "discriminant direction"
RANDOM, PRINCIPAL = "random coordinate", "principal component"
AXES = (SEPARATING, DISCRIMINANT, RANDOM, PRINCIPAL)
UNORDERED = "unordered"
GAPS = tuple(f"{name}, {DISCRIMINANT}" for name in ("relative", "signed"))
CONTENDERS = (UNORDERED, *(f"ordered, {axis}" for axis in AXES), *GAPS)
FULL, DIAGONAL = "full", "diagonal"
CHAINS, LEAST_POINTS = 4, 100
FRESH, TIMED = 50_000, 20_000
CONVERGED = 1.05
SET = ["d", "k", "separation", "adaptation", "replicate"]
SAMPLE = ["d", "correlation", "points", "replicate"]


def truth_of(d: int, k: int, separation: float, correlation: float) -> Mixture:
    """The mixture that data are drawn from."""
    gap = separation * np.sqrt(1 - correlation**2)
    mu = np.zeros((k, d))
    mu[:, 0] = gap * (np.arange(k) - (k - 1) / 2)
    covariance = np.eye(d)
    if d == 1:
        mu *= separation / gap
    else:
        covariance[0, 1] = covariance[1, 0] = correlation
        scale = np.ones(d)
        scale[-1] = 2 * np.sqrt(1 + mu[:, 0].var())
        covariance *= np.outer(scale, scale)
    return Mixture(np.full(k, 1 / k), mu, covariance=covariance)


def near(truth: Mixture, rng: np.random.Generator) -> Mixture:
    """A start for each chain: the truth, with means moved by a third of a standard deviation."""
    moved = rng.standard_normal((CHAINS, truth.k, truth.d, 1)) / 3
    mu = truth.mu + (truth.root @ moved)[..., 0]
    return Mixture(truth.w, mu, covariance=truth.covariance)


def direction(axis: str, truth: Mixture, data: Data, seed: int) -> Any:
    """A coordinate, or a direction, of one of `AXES`."""
    if axis == SEPARATING:
        return 0
    if axis == DISCRIMINANT:
        return np.linalg.solve(truth.covariance[0], np.eye(truth.d)[0])
    if axis == RANDOM:
        return int(np.random.default_rng(seed).integers(1, truth.d))
    return np.linalg.eigh(np.cov(data.y.T))[1][:, -1]


def cell(seed: int, experiment: str, **factors: Any) -> list[dict[str, Any]]:
    """One run of four chains on one data set, or EM with both kinds of covariances."""
    run = sampled if experiment == "sampling" else fitted
    return run(seed % 2**31, **factors)


def sampled(
    seed: int,
    d: int,
    k: int,
    separation: float,
    correlation: float,
    points: int,
    coordinates: str,
    axis: str | None,
    adaptation: str,
    replicate: int,
) -> list[dict[str, Any]]:
    """Effective draws of four chains, and the passes they took."""
    truth = truth_of(d, k, separation, correlation)
    own = seed_of("data", d=d, k=k, separation=separation, replicate=replicate)
    data = Data.of_points(truth.sample(points * k, np.random.default_rng(own)))
    starts = near(truth, np.random.default_rng(own + 1))
    options = {} if axis is None else {"axis": direction(axis, truth, data, own)}
    prior = default_multivariate_prior(data)
    model = catalog.parameterization(coordinates, k, prior, **options)
    draws = NUTS(draws=200, tune=200, adaptation=adaptation).sample(model, data, starts, seed)
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


def fitted(
    seed: int, d: int, k: int, separation: float, correlation: float, points: int, **_: Any
) -> list[dict[str, Any]]:
    """Divergence, passes and seconds of a pass of EM with either kind of covariances."""
    truth = truth_of(d, k, separation, correlation)
    rng = np.random.default_rng(seed)
    data = Data.of_points(truth.sample(points * k, rng))
    fresh, many = truth.sample(FRESH, rng), truth.sample(TIMED, rng)
    variances = np.diagonal(truth.covariance, axis1=-2, axis2=-1)
    begin = {
        FULL: truth,
        DIAGONAL: Mixture(truth.w, truth.mu, covariance=variances[..., None] * np.eye(d)),
    }
    seconds = pass_seconds(many, begin)
    rows = []
    for kind, start in begin.items():
        prior = default_multivariate_prior(data, covariance=kind)
        fit: Any = EM().fit(catalog.parameterization(UNORDERED, k, prior), data, start)
        error = divergence(fresh, truth, fit.mixture) if np.all(fit.converged) else None
        measured = {"divergence": error, "em_passes": int(np.sum(fit.passes))}
        count = k - 1 + k * d + k * (d * (d + 1) // 2 if kind == FULL else d)
        rows.append({"covariance": kind, **measured, "pass_seconds": seconds[kind],
                     "free_parameters": count})  # fmt: skip
    return rows


def divergence(y: np.ndarray, truth: Mixture, found: Mixture) -> float:
    """Kullback-Leibler divergence from the truth, by points from it: the mean of r - 1 - log r."""
    logs = [log_density(y, one.w, one.mu, one.root) for one in (found, truth)]
    ratio = logs[0] - logs[1]
    return float(np.mean(np.expm1(ratio) - ratio))


def pass_seconds(y: np.ndarray, mixtures: dict[str, Mixture]) -> dict[str, float]:
    """Least seconds of one pass over the points of several passes, the kinds by turns."""
    seconds: dict[str, list[float]] = {kind: [] for kind in mixtures}
    for _ in range(8):
        for kind, one in mixtures.items():
            begin = time.perf_counter()
            white_pass(y, one.w, one.mu, one.root)
            seconds[kind].append(time.perf_counter() - begin)
    return {kind: min(values) for kind, values in seconds.items()}


# --- from the table to effects --------------------------------------------------------------------


def runs(table: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """Rows of NUTS with the contender's name and logs of effective draws for 1,000 passes."""
    columns = ("ess", "ess_relabelled", "rhat_relabelled", "passes")
    rows = rows_of(table, columns, experiment="sampling", **where)
    names = zip(rows["coordinates"], rows["axis"], strict=True)
    return rows.assign(
        contender=[f"{name}, {axis}" if isinstance(axis, str) else name for name, axis in names],
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


def kinds(table: pd.DataFrame, value: str, **where: Any) -> pd.DataFrame:
    """Logs of a measure of full and diagonal covariances, by data set."""
    columns = ("covariance", value, "free_parameters")
    rows = rows_of(table, columns, experiment="covariance", **where)
    return np.log(paired(rows, "covariance", (FULL, DIAGONAL), value, SAMPLE))


def full_over_diagonal(table: pd.DataFrame, value: str, **where: Any) -> Effect:
    """Mean ratio of a measure of full covariances to that of diagonal ones."""
    logs = kinds(table, value, **where)
    return from_logs(mean(logs[FULL] - logs[DIAGONAL]))


def beside_counts(table: pd.DataFrame) -> Effect:
    """Log of the ratio of divergences, in large samples, less that of the free parameters."""
    chosen: dict[str, Any] = {"correlation": 0.0, "points": POINTS[-1]}
    found = kinds(table, "divergence", **chosen) - kinds(table, "free_parameters", **chosen)
    return mean(found[FULL] - found[DIAGONAL])


def slope(table: pd.DataFrame) -> Effect:
    """Power of n in the divergence of full covariances, in the largest samples, plus 1."""
    logs = kinds(table, "divergence", points=POINTS[-2:])[FULL].unstack("points")
    steps = (logs[POINTS[-1]] - logs[POINTS[-2]]) / np.log(POINTS[-1] / POINTS[-2])
    return mean(steps + 1)


DIMENSIONS = (1, 2, 4, 8)
POINTS = (50, 200, 800, 3200)
ORDERED = "ordered, " + DISCRIMINANT
POOR: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("a random coordinate", RANDOM, {"d": (4, 8), "k": 2}),
    ("the first principal component", PRINCIPAL, {"d": (2, 4, 8)}),
)
ESS, RELABELLED = "ESS per pass", "relabelled ESS per pass"
CLAIMS = (
    *(
        Claim(
            f"ordering by {name}, {adaptation} adaptation",
            f"Ordering along {name}, which does not separate, has less relabelled ESS per pass "
            f"than not ordering, at every number of dimensions, under {adaptation} adaptation.",
            PROJECT, partial(over, pick=max, first=f"ordered, {axis}", second=UNORDERED,
                             value="relabelled", adaptation=adaptation.replace(" ", "_"), **where),
            "below", 1.0, f"{RELABELLED}, ordered / unordered, where it is largest",
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
        )
        for name, axis, where in POOR
    ),
    Claim(
        "unordered loses nothing",
        "Unordered and relabelled by Stephens, draws are at least 0.8 times as effective as draws "
        "ordered along the discriminant direction, at every number of dimensions.",
        PROJECT, partial(over, pick=min, first=UNORDERED, second=ORDERED, value="relabelled"),
        "above", 0.8, f"{RELABELLED}, unordered / ordered, where it is least",
    ),
    Claim(
        "relabelled chains agree",
        "Of unordered runs at least nine in ten have every relabelled R-hat below 1.05.",
        PROJECT, partial(agreed, contender=UNORDERED), "above", 0.9, "share of the runs",
    ),
    Claim(
        "the discriminant direction is better",
        "Ordering along the coordinate in which the means differ has less ESS per pass than along "
        "the discriminant direction.",
        PAPER, partial(over, first=f"ordered, {SEPARATING}", second=ORDERED, d=(2, 4, 8), k=2),
        "below", 1.0, f"{ESS}, coordinate / discriminant",
    ),
    *(
        Claim(
            f"signed beats relative at separation {separation:g}",
            "Mixture mean and signed gaps have more ESS per pass than relative vectors at "
            f"separation {separation:g}.",
            PROJECT, partial(over, first=GAPS[1], second=GAPS[0], separation=separation),
            "above", 1.0, f"{ESS}, signed / relative",
        )
        for separation in (2.0, 4.0)
    ),
    Claim(
        "full covariances need more points",
        "In eight dimensions, where the truth is diagonal, the divergence of full covariances is "
        "at least twice that of diagonal ones.",
        NOTES, partial(full_over_diagonal, value="divergence", d=8, correlation=0.0),
        "above", 2.0, "divergence, full / diagonal",
    ),
    Claim(
        "the error is that of the number of parameters",
        "In the largest samples the ratio of the divergences is that of the numbers of free "
        "parameters.",
        "Akaike 1974: each free parameter costs 1 / (2 n)",
        beside_counts, "within", 0.25, "log of the ratio of divergences / that of parameters",
    ),
    Claim(
        "the error falls as 1 / n",
        "The divergence of full covariances falls as 1 / n in the largest samples.",
        "Akaike 1974", slope, "within", 0.1, "power of n, plus 1",
    ),
    Claim(
        "a wrong constraint costs more",
        "Where two coordinates are correlated by a half, full covariances have less divergence in "
        "the largest samples.",
        PROJECT, partial(full_over_diagonal, value="divergence", correlation=0.5, points=3200),
        "below", 1.0, "divergence, full / diagonal",
    ),
    Claim(
        "full covariances take more passes",
        "EM from the truth takes more passes with full covariances than with diagonal ones.",
        NOTES, partial(full_over_diagonal, value="em_passes", correlation=0.0), "above", 1.0,
        "passes, full / diagonal",
    ),
    Claim(
        "the inverse costs",
        "In eight dimensions a pass with full covariances takes at least 1.5 times the seconds of "
        "one with diagonal covariances.",
        NOTES, partial(full_over_diagonal, value="pass_seconds", d=8), "above", 1.5,
        "seconds of a pass, full / diagonal",
    ),
)  # fmt: skip


# --- figures and findings -------------------------------------------------------------------------


def axes_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes of two components by number of dimensions, 95% intervals over data."""
    rows = runs(result.table, k=2, adaptation="diagonal")
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


def covariance_figure(result: StudyResult) -> Figure:
    """Divergence of full and diagonal covariances by points a component, by dimensions."""
    rows = rows_of(result.table, ("covariance", "divergence")).dropna(subset="divergence")
    cases = sorted(set(zip(rows["correlation"], rows["d"], strict=True)))
    figure, axes = panels(1, len(cases), (2.2 * max(len(cases), 2), 3.2), sharey=True)
    for at, (correlation, d) in enumerate(cases):
        part = rows[(rows["correlation"] == correlation) & (rows["d"] == d)]
        curves(axes[0, at], part, "divergence", "covariance", looks([FULL, DIAGONAL]), x="points",
               log=True)  # fmt: skip
        axes[0, at].set_title(f"D = {d}, correlation {correlation:g}", fontsize="small")
        axes[0, at].set_xlabel("points a component")
    axes[0, 0].set_ylabel("divergence, nats")
    return legend(figure, axes)


SENTENCES: dict[str, Words] = {
    claim.name: (f"Holds: {told}", f"Fails: {told}", f"Undecided: {told}")
    for claim in CLAIMS
    for told in [f"{claim.statement[:-1]} ({claim.unit}: {RATIO})."]
}


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(result, lambda found: by_outcome(found.verdicts, SENTENCES))


OPENING = Opening(
    answer={
        "ordering by a random coordinate, diagonal adaptation": (
            "Ordering along a direction that does not separate is worse than not ordering: along a "
            "random coordinate at most {0:.0%} [{1:.0%}, {2:.0%}] of the ESS per pass remain.",
            "Ordering along a direction that does not separate is not worse everywhere.",
            "Whether ordering along a direction that does not separate is worse is undecided.",
        ),
        "unordered loses nothing": (
            "Not ordering loses nothing against the direction that separates best.",
            "Not ordering loses against the direction that separates best: {0:.2f} "
            "[{1:.2f}, {2:.2f}].",
            "Against the direction that separates best it is undecided whether not ordering loses "
            "a fifth: {0:.2f} [{1:.2f}, {2:.2f}] of the ESS per pass, where it is least.",
        ),
    },
    chief=(
        "ordering by the first principal component, diagonal adaptation",
        "ordering by the first principal component, label-invariant",
        "full covariances need more points",
    ),
)


def contenders(axes: tuple[str, ...] = AXES, **shared: Any) -> list[dict[str, Any]]:
    """Not ordered, and ordered along each axis that is asked for."""
    shared = {"experiment": ("sampling",), "correlation": (0.5,), "points": (100,), **shared}
    return [
        {**shared, "coordinates": (UNORDERED,), "axis": (None,)},
        {**shared, "coordinates": ("ordered",), "axis": axes},
    ]


def gaps(**shared: Any) -> dict[str, Any]:
    """The coordinate systems of gaps, along the discriminant direction."""
    grid = contenders((DISCRIMINANT,), **shared)[1]
    return {**grid, "coordinates": ("relative", "signed")}


def covariances(**shared: Any) -> dict[str, Any]:
    """Samples of two components for EM, which has no coordinates to choose."""
    none = {name: (None,) for name in ("coordinates", "axis", "adaptation")}
    return {"experiment": ("covariance",), "d": DIMENSIONS[1:], "k": (2,), "separation": (4.0,),
            **none, **shared}  # fmt: skip


def grids(replicate: range, samples: range) -> list[dict[str, Any]]:
    """All dimensions at K = 2; more components in four; low-rank adaptation in four."""
    usual: dict[str, Any] = {"adaptation": ("diagonal",), "replicate": replicate}
    two: dict[str, Any] = {"k": (2,), "separation": (2.0, 4.0)}
    several: dict[str, Any] = {"d": (4,), "k": (3, 5), "separation": (4.0,)}
    return [
        *contenders(d=DIMENSIONS, **two, **usual),
        gaps(d=DIMENSIONS, **two, **usual),
        *contenders((DISCRIMINANT, PRINCIPAL), **several, **usual),
        *contenders(d=(4,), **two, **usual | {"adaptation": ("low_rank",)}),
        covariances(replicate=samples),
    ]


def skip(**factors: Any) -> str | None:
    """Axes that are another one where there are few coordinates."""
    d, axis = factors["d"], factors["axis"]
    if d == 1 and axis in (SEPARATING, RANDOM, PRINCIPAL):
        return "in one dimension there is one direction"
    if d == 2 and axis == RANDOM:
        return "in two dimensions it is nearly the principal component"
    return None


SMOKE: dict[str, Any] = {"d": (2,), "k": (2,), "separation": (4.0,), "adaptation": ("diagonal",),
                         "replicate": range(2)}  # fmt: skip
study = Study(
    name="dimensions",
    question="What does it cost to order components along one direction, in several dimensions?",
    source="this project, after Esser & Nielsen 2022 (theta^l)",
    factors={
        "experiment": ("sampling", "covariance"),
        "d": DIMENSIONS,
        "k": (2, 3, 4, 5),
        "separation": (2.0, 4.0),
        "correlation": (0.0, 0.5),
        "points": POINTS,
        "coordinates": (UNORDERED, "ordered", "relative", "signed", None),
        "axis": (*AXES, None),
        "adaptation": ("diagonal", "low_rank", None),
        "replicate": range(100),
    },
    sizes={
        "smoke": [
            *contenders((DISCRIMINANT, PRINCIPAL), **SMOKE),
            gaps(**SMOKE),
            covariances(d=(2,), points=POINTS[:2], replicate=range(2)),
        ],
        "laptop": grids(range(5), range(10)),
        "cluster": grids(range(60), range(100)),
    },
    cell=cell,
    claims=CLAIMS,
    figures={"axes": axes_figure, "covariances": covariance_figure},
    findings=findings,
    opening=OPENING,
    skip=skip,
    structure=("coordinates", "k"),
)  # fmt: skip
