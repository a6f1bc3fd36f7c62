"""Does the paper's relative reparameterization speed up ascent in several dimensions?

Gradient ascent in free coordinates, at half the largest stable step, and ECM, each in original and
in the paper's relative coordinates along the first coordinate. Data are from equal components whose
means differ in the first coordinate only; neighbours are a Mahalanobis distance apart, the
separation. There is one covariance for all components, as with one for each most starts end in
other maxima. Columns are standardised, and starts are where EM from the truth ends, with means
moved by a third of a standard deviation. What counts are passes until .01 nats below that end, at
most 1,000, which stand for no arrival.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.multivariate import default_multivariate_prior
from ordered_mix.parameterization import catalog
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import curves, legend, looks, panels
from ordered_mix.study.effects import extreme, from_logs, paired, rows_of
from ordered_mix.study.sentences import RATIO
from ordered_mix.study.truths import row_of_normals, starts_near
from ordered_mix.theory.speed import passes_to

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

PAPER = "Esser & Nielsen 2022, section 3: components ordered by one coordinate of the parameters"
CORRELATION, EACH, STARTS = 0.5, 100, 2
BUDGET, NEAR_BEST = 1000, 0.01
TIGHT = Stop(log_likelihood=0.0, gradient=1e-8, passes=20_000)
UNORDERED, RELATIVE = "unordered", "relative"
GRADIENT = "gradient"
TOLD = {GRADIENT: "gradient ascent", "ecm": "ECM"}
SET = ["d", "k", "separation", "replicate"]


def climbed(seed: int, d: int, k: int, separation: float, replicate: int) -> list[dict[str, Any]]:
    """Passes of gradient ascent and ECM to the best maximum, in both coordinate systems."""
    truth, rng = row_of_normals(d, k, separation, CORRELATION), np.random.default_rng(seed)
    raw = Data.of_points(truth.sample(EACH * k, rng))
    units = -raw.location / raw.scale, 1 / raw.scale
    data = raw.affine(*units)
    prior = default_multivariate_prior(data, "fixed", covariance="tied")
    models = {one: catalog.parameterization(one, k, prior) for one in (UNORDERED, RELATIVE)}
    best: Any = EM(stop=TIGHT).fit(models[UNORDERED], data, truth.affine(*units))
    starts = starts_near(best.mixture, STARTS, rng)
    stop = Stop(log_likelihood=0.0, gradient=1e-5, passes=BUDGET)
    runners: dict[str, Any] = {
        GRADIENT: GradientAscent(step="largest_stable", stop=stop, snapshots=BUDGET),
        "ecm": ECM(stop=stop, snapshots=BUDGET),
    }
    rows = []
    for (estimator, runner), (name, model) in product(runners.items(), models.items()):
        trace = runner.fit(model, data, starts).trace
        found = passes_to(trace.passes, trace.objective, best.log_likelihood - NEAR_BEST)
        rows.append({"estimator": estimator, "parameterization": name,
                     "passes": float(np.exp(np.log(np.minimum(found, BUDGET)).mean())),
                     "arrived": float(np.isfinite(found).mean())})  # fmt: skip
    return rows


def climbs(table: pd.DataFrame, estimator: str, pick: Any = None, **where: Any) -> Effect:
    """Passes in relative coordinates for one in original ones, over all or the picked D."""
    columns = ("passes", "parameterization", "estimator")
    rows = rows_of(rows_of(table, columns), estimator=estimator, **where)
    rows = rows.assign(logs=np.log(rows["passes"]))
    wide = paired(rows, "parameterization", (RELATIVE, UNORDERED), "logs", SET)
    logs = wide[RELATIVE] - wide[UNORDERED]
    parts = [logs] if pick is None else [part for _, part in logs.groupby("d")]
    return from_logs(extreme(parts, pick or max))


WHERE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("several dimensions", "in two dimensions and more", {"d": (2, 4, 8)}),
    ("every dimension", "at every number of dimensions", {"pick": max}),
    ("overlap", "at separation 2 in two dimensions and more", {"d": (2, 4, 8), "separation": 2.0}),
)


def _words(told: str, where: str, meant: str) -> tuple[str, str, str]:
    passes = f"{RATIO} times the passes of original ones"
    if where == "every dimension":
        most = f"where that is most, {told} in relative coordinates takes {passes}."
        return (
            f"Relative coordinates are quicker at every number of dimensions: {most}",
            f"Relative coordinates are slower at some number of dimensions: {most}",
            f"Whether relative coordinates are quicker at every number of dimensions is undecided: "
            f"{most}",
        )
    return (
        f"Relative coordinates speed up {told} {meant}: it takes {passes}.",
        f"Relative coordinates slow down {told} {meant}: it takes {passes}.",
        f"Whether relative coordinates speed up {told} {meant} is undecided: it takes {passes}.",
    )


CLAIMS = tuple(
    Claim(
        f"relative {told}, {where}",
        f"{'ECM' if name == 'ecm' else 'Gradient ascent at half the largest stable step'} "
        f"takes fewer passes in relative coordinates than in original ones, {meant}.",
        PAPER, partial(climbs, estimator=name, **chosen), "below", 1.0,
        f"passes, relative / original{', where it is largest' if 'pick' in chosen else ''}",
        words=_words(told, where, meant),
    )
    for name, told in TOLD.items()
    for where, meant, chosen in WHERE
)  # fmt: skip


def passes_figure(result: StudyResult) -> Figure:
    """Passes to .01 nats below the maximum, 1,000 without arrival, 95% intervals over data."""
    columns = ("passes", "parameterization", "estimator")
    rows = rows_of(result.tables["ascent_in_dimensions"], columns)
    separations = sorted(set(rows["separation"]))
    figure, axes = panels(2, len(separations), (7.0, 6.0), sharex=True, sharey="row")
    for column, separation in enumerate(separations):
        for row, (estimator, told) in enumerate(TOLD.items()):
            part = rows_of(rows, estimator=estimator, separation=separation)
            curves(axes[row, column], part, "passes", "parameterization",
                   looks((UNORDERED, RELATIVE)), x="d", log=True)  # fmt: skip
            axes[row, column].set_xlabel("dimensions")
            axes[row, 0].set_ylabel(f"passes of {told}")
        axes[0, column].set_title(f"separation {separation:g}", fontsize="medium")
    return legend(figure, axes)


study = Study(
    name="ascent_in_dimensions",
    question="Does the paper's relative reparameterization speed up ascent in several dimensions?",
    source="this project, after Esser & Nielsen 2022 (theta^l)",
    experiments={
        "ascent_in_dimensions": Experiment(
            climbed,
            factors={
                "d": (1, 2, 4, 8),
                "k": (2, 4),
                "separation": (2.0, 4.0),
                "replicate": range(3),
            },
            sizes={
                "smoke": {"d": (1, 2), "k": (2,), "replicate": range(2)},
                "laptop": {},
                "cluster": {},
            },
        ),
    },
    claims=CLAIMS,
    figures={"passes": passes_figure},
    answer=("relative gradient ascent, several dimensions", "relative ECM, several dimensions"),
    chief=(
        "relative gradient ascent, every dimension",
        "relative ECM, every dimension",
        "relative gradient ascent, overlap",
    ),
)
