"""What do full covariances cost beside diagonal ones?

Data are from two equal components with the same covariance, which is diagonal, or has a correlation
of the first two coordinates; the means differ in the first coordinate only, a Mahalanobis distance
of 4. EM runs from the truth with full and with diagonal covariances. Measured are the
Kullback-Leibler divergence from the truth to what it finds, for growing samples, the passes, and
the seconds of a pass, which pays for the inverse of a full matrix.

Ten data sets a setting left the rate at which the error falls undecided; these are forty others,
a number chosen before they were drawn.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.estimators.em import EM
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import default_multivariate_prior
from ordered_mix.parameterization import catalog
from ordered_mix.passes.multivariate_pass import log_density, white_pass
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import curves, legend, looks, panels
from ordered_mix.study.effects import from_logs, mean, paired, rows_of
from ordered_mix.study.sentences import RATIO
from ordered_mix.study.truths import row_of_normals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

PROJECT = "a question of this project"
NOTES = "the lecture notes on mixtures and EM among the sources"
FULL, DIAGONAL = "full", "diagonal"
K, SEPARATION = 2, 4.0
FRESH, TIMED = 50_000, 20_000
SAMPLE = ["d", "correlation", "points", "replicate"]
POINTS = (50, 200, 800, 3200)


def fitted(
    seed: int, d: int, correlation: float, points: int, replicate: int
) -> list[dict[str, Any]]:
    """Divergence, passes and seconds of a pass of EM with either kind of covariances."""
    truth = row_of_normals(d, K, SEPARATION, correlation)
    rng = np.random.default_rng(seed % 2**31)
    data = Data.of_points(truth.sample(points * K, rng))
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
        fit: Any = EM().fit(catalog.parameterization("unordered", K, prior), data, start)
        error = divergence(fresh, truth, fit.mixture) if np.all(fit.converged) else None
        measured = {"divergence": error, "em_passes": int(np.sum(fit.passes))}
        count = K - 1 + K * d + K * (d * (d + 1) // 2 if kind == FULL else d)
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


def kinds(table: pd.DataFrame, value: str, **where: Any) -> pd.DataFrame:
    """Logs of a measure of full and diagonal covariances, by data set."""
    columns = ("covariance", value, "free_parameters")
    rows = rows_of(table, columns, **where)
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


BESIDE = "Where the truth is diagonal the ratio of the divergences in large samples is"
LOG_RATIO = f"the log of one by the other is {RATIO}."
CLAIMS = (
    Claim(
        "full covariances need more points",
        "In eight dimensions, where the truth is diagonal, the divergence of full covariances is "
        "at least twice that of diagonal ones.",
        NOTES, partial(full_over_diagonal, value="divergence", d=8, correlation=0.0),
        "above", 2.0, "divergence, full / diagonal",
        words=f"In eight dimensions full covariances have {RATIO} times the divergence of diagonal "
        "ones, where the truth is diagonal.",
    ),
    Claim(
        "the error is that of the number of parameters",
        "In the largest samples the ratio of the divergences is that of the numbers of free "
        "parameters.",
        "Akaike 1974: each free parameter costs 1 / (2 n)",
        beside_counts, "within", 0.25, "log of the ratio of divergences / that of parameters",
        words=(
            f"{BESIDE} nearly that of the numbers of free parameters: {LOG_RATIO}",
            f"{BESIDE} not that of the numbers of free parameters: {LOG_RATIO}",
            f"{BESIDE} perhaps that of the numbers of free parameters: {LOG_RATIO}",
        ),
    ),
    Claim(
        "the error falls as 1 / n",
        "The divergence of full covariances falls as 1 / n in the largest samples.",
        "Akaike 1974", slope, "within", 0.1, "power of n, plus 1",
        words="In the largest samples n times the divergence of full covariances goes as n to the "
        f"power {RATIO}, which is 0 where the divergence falls as 1 / n.",
    ),
    Claim(
        "a wrong constraint costs more",
        "Where two coordinates are correlated by a half, full covariances have less divergence in "
        "the largest samples.",
        PROJECT, partial(full_over_diagonal, value="divergence", correlation=0.5, points=3200),
        "below", 1.0, "divergence, full / diagonal",
        words="Where two coordinates are correlated, full covariances have {0:.3f} [{1:.3f}, "
        "{2:.3f}] times the divergence of diagonal ones in the largest samples.",
    ),
    Claim(
        "full covariances take more passes",
        "EM from the truth takes more passes with full covariances than with diagonal ones.",
        NOTES, partial(full_over_diagonal, value="em_passes", correlation=0.0), "above", 1.0,
        "passes, full / diagonal",
        words=f"EM from the truth takes {RATIO} times the passes with full covariances.",
    ),
    Claim(
        "the inverse costs",
        "In eight dimensions a pass with full covariances takes at least 1.5 times the seconds of "
        "one with diagonal covariances.",
        NOTES, partial(full_over_diagonal, value="pass_seconds", d=8), "above", 1.5,
        "seconds of a pass, full / diagonal",
        words=f"A pass with full covariances takes {RATIO} times the seconds of one with diagonal "
        "ones in eight dimensions.",
    ),
)  # fmt: skip


# --- figure and grid ------------------------------------------------------------------------------


def divergence_figure(result: StudyResult) -> Figure:
    """Divergence of full and diagonal covariances by points a component, by dimensions."""
    rows = rows_of(result.tables["covariances"], ("covariance", "divergence")).dropna(
        subset="divergence"
    )
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


study = Study(
    name="covariances",
    question="What do full covariances cost beside diagonal ones?",
    source="this project, after the lecture notes on mixtures and EM",
    experiments={
        "covariances": Experiment(
            fitted,
            factors={
                "d": (2, 4, 8),
                "correlation": (0.0, 0.5),
                "points": POINTS,
                "replicate": range(100),
            },
            sizes={
                "smoke": {"d": (2,), "points": POINTS[:2], "replicate": range(2)},
                "laptop": {"replicate": range(10, 50)},
                "cluster": {},
            },
        ),
    },
    claims=CLAIMS,
    figures={"divergence": divergence_figure},
    answer=("full covariances need more points", "the inverse costs"),
    chief=(
        "full covariances need more points",
        "a wrong constraint costs more",
        "full covariances take more passes",
    ),
)
