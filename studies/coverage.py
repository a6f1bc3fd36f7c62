"""Do 95% intervals of EM and of Laplace's approximation cover where components overlap?

The truth has equal weights at means +-separation/2 with unit scales, n = 200: EM with the observed
information (Louis 1982), and Laplace's approximation of the posterior. The fits begin next to the
truth, which is the best case. Without an interval, as after a collapse, the truth counts as not
covered. `calibration` asks the same of draws, over the prior.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from ordered_mix.data import Data, simulate
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.map import MAP
from ordered_mix.mixture import Mixture
from ordered_mix.optima.laplace import laplace
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.observed import observed_information
from ordered_mix.prior import Prior
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.confidence import confidence
from ordered_mix.study.drawing import curves, legend, looks, panels, short
from ordered_mix.study.truths import two_normals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

PRIOR = Prior(location=0.0, spread=2.0, scale=1.0)
SEPARATIONS = (0.0, 0.5, 1.0, 2.0, 4.0)
SIZE, DATA_SETS = 200, 50
NOMINAL = 0.95
POINTS = {"lower_mean": "mean of the lower component", "mixture_mean": "mean of the mixture"}
COORDINATES = ("unordered", "relative(link=log)")
MARGIN = 0.05
Interval = dict[str, tuple[float, float]]


def by_em(seed: int, separation: float, batch: int) -> list[dict[str, Any]]:
    """Intervals of EM of several data sets."""
    return [covered(found, separation) for found in em_intervals(*posed(separation, batch))]


def by_laplace(
    seed: int, parameterization: str, separation: float, batch: int
) -> list[dict[str, Any]]:
    """Intervals of Laplace's approximation of several data sets."""
    model, pairs = _model(parameterization), zip(*posed(separation, batch), strict=True)
    return [covered(laplace_interval(model, *pair), separation) for pair in pairs]


@lru_cache
def _model(label: str) -> Parameterization:
    return catalog.parameterization(label, 2, PRIOR)


def posed(separation: float, batch: int) -> tuple[list[Data], list[Mixture]]:
    """The data sets of a batch and a start for each, the same for every method."""
    truth, shared = two_normals(separation), {"separation": separation, "n": SIZE, "batch": batch}
    sets = [simulate(truth, SIZE, seed_of("data", **shared, number=at)) for at in range(DATA_SETS)]
    return sets, near(truth, sets, seed_of("starts", **shared))


def near(truth: Mixture, sets: list[Data], seed: int) -> list[Mixture]:
    """A start for each data set, close to the truth but not at equal means, a saddle."""
    shifts = 0.3 * np.random.default_rng(seed).normal(size=(len(sets), 2))
    return [
        Mixture(truth.w, truth.mu + data.scale * shift, truth.sigma)
        for data, shift in zip(sets, shifts, strict=True)
    ]


def em_intervals(sets: list[Data], starts: list[Mixture]) -> list[Interval]:
    """Of each data set; empty where EM found no maximum inside the domain."""
    unordered = catalog.parameterization("unordered", 2)
    together = Data(np.stack([data.y for data in sets]))
    fit = EM().fit(unordered, together, Mixture.stack(starts))
    return [
        standard_errors(data, fit.mixture[at].sorted()) if fit.converged[at] else {}
        for at, data in enumerate(sets)
    ]


def standard_errors(data: Data, mixture: Mixture) -> Interval:
    """Estimates -+ 1.96 standard errors; empty if the information is not positive definite."""
    simplex = np.eye(6)[:, 1:]
    simplex[0, 0] = -1.0  # w_1 = 1 - w_2
    total = data.n * observed_information(mixture, data.y, jacobian=simplex)
    eigenvalues = np.linalg.eigvalsh(total)
    if not eigenvalues[0] > 1e-10 * eigenvalues[-1]:
        return {}
    (_, second), (low, high) = mixture.w, mixture.mu
    slopes = {
        "lower_mean": (low, np.array([0, 1, 0, 0, 0])),
        "mixture_mean": (mixture.mean(), np.array([high - low, 1 - second, second, 0, 0])),
    }
    found = {}
    for name, (estimate, slope) in slopes.items():
        error = 1.959964 * np.sqrt(slope @ np.linalg.solve(total, slope))
        found[name] = (float(estimate - error), float(estimate + error))
    return found


def laplace_interval(model: Parameterization, data: Data, start: Mixture) -> Interval:
    """Central intervals of sorted draws of the normal approximation at the mode."""
    fit = MAP().fit(model, data, Mixture.stack([start]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there is none is counted
        found = laplace(model, data, fit.mixture[0])
    if not found.positive_definite:
        return {}
    ascending = found.sample(2000, seed=1).sorted()
    both = {"lower_mean": ascending.mu[:, 0], "mixture_mean": ascending.mean()}
    return {name: tuple(np.quantile(values, (0.025, 0.975))) for name, values in both.items()}


def covered(interval: Interval, separation: float) -> dict[str, Any]:
    """Whether the intervals hold the truth; no interval does not."""
    truth = {"lower_mean": -separation / 2, "mixture_mean": 0.0}
    row: dict[str, Any] = {"interval": bool(interval)}
    for name, value in truth.items():
        low, high = interval.get(name, (np.inf, -np.inf))
        row[f"covers_{name}"] = bool(low <= value <= high)
    return row


# --- effects of the claims ------------------------------------------------------------------------


def departure(
    table: pd.DataFrame, point: str, separations: tuple[float, ...], model: str = ""
) -> Effect:
    """Largest distance of the coverage from 95% over separations, intervals together."""
    rows = table[table["parameterization"] == model] if model else table
    ends, alpha = [], (1 - confidence()) / len(separations)
    for separation in separations:
        here = rows[rows["separation"] == separation]
        if here.empty:
            raise ValueError(f"the table holds no such runs at separation {separation:g}")
        hits = here[f"covers_{point}"].astype(bool)
        test = stats.binomtest(int(hits.sum()), len(hits))
        low, high = np.array(test.proportion_ci(1 - alpha, method="exact")) - NOMINAL
        nearest = max(0.0, low, -high)
        ends.append((abs(hits.mean() - NOMINAL), nearest, max(abs(low), abs(high)), len(hits)))
    estimate, low, high, _ = np.max(ends, axis=0).tolist()
    return Effect(estimate, low, high, min(end[-1] for end in ends))


APART, OVERLAP = (4.0,), (0.0, 0.5, 1.0)
SINGULAR = "Watanabe 2009: no normal limit where the Fisher information is singular"
REGULAR = "asymptotic normality where the Fisher information is regular (Cramér 1946)"
UNIT = "largest distance of the coverage from 0.95"


def _coverage(series: str, experiment: str, model: str = "") -> Iterator[Claim]:
    told = f"the coverage of 95% intervals of {series}"
    lower = partial(departure, point="lower_mean", model=model)
    yield Claim(
        f"{series} apart",
        f"{series}: apart, intervals of the lower mean cover 95% give or take 5 points.",
        REGULAR,
        partial(lower, separations=APART),
        "below",
        MARGIN,
        UNIT,
        of=(experiment,),
        words=f"Apart, {told} misses by {{0:.1%}} [{{1:.1%}}, {{2:.1%}}] for the lower mean.",
    )
    yield Claim(
        f"{series} in the overlap",
        f"{series}: in the overlap, intervals of the lower mean miss 95% by more than 5.",
        SINGULAR,
        partial(lower, separations=OVERLAP),
        "above",
        MARGIN,
        UNIT,
        of=(experiment,),
        words=f"In the overlap, {told} misses by up to {{0:.0%}} [{{1:.0%}}, {{2:.0%}}] for the "
        "lower mean.",
    )
    yield Claim(
        f"{series}, mean of the mixture",
        f"{series}: intervals of the mixture's mean cover 95% give or take 5 points everywhere.",
        "the mean of the mixture is determined by the data also at equal components",
        partial(departure, point="mixture_mean", separations=SEPARATIONS, model=model),
        "below", MARGIN, f"{UNIT}, over separations", of=(experiment,),
        words=f"For the mean of the mixture {told} misses by up to {{0:.1%}} [{{1:.1%}}, "
        "{2:.1%}].",
    )  # fmt: skip


CLAIMS = (
    *_coverage("EM", "em"),
    *(claim for c in COORDINATES for claim in _coverage(f"Laplace, {short(c)}", "laplace", c)),
)


def coverage_figure(result: StudyResult) -> Figure:
    """Share of data sets whose 95% interval holds the truth, with 95% intervals over data sets."""
    figure, axes = panels(1, 2, (8.4, 3.8), sharey=True)
    by_model = result.tables["laplace"]
    names = "Laplace, " + by_model["parameterization"].map(short).astype(str)
    parts = [result.tables["em"].assign(series="EM"), by_model.assign(series=names)]
    rows = pd.concat([part for part in parts if len(part)] or parts[:1])
    series = looks(("EM", *(f"Laplace, {short(name)}" for name in COORDINATES)))
    for panel, (point, words) in zip(axes[0], POINTS.items(), strict=True):
        curves(panel, rows, f"covers_{point}", "series", series)
        panel.set_title(words, fontsize="medium")
        if panel.axison:
            panel.axhline(NOMINAL, color="0.5", lw=0.8, ls="--", zorder=0)
    axes[0, 0].set_ylabel("coverage")
    return legend(figure, axes)


def _sizes(smoke: Any) -> dict[str, Any]:
    return {"smoke": smoke, "laptop": {"batch": range(8)}, "cluster": {}}


WHERE = {"separation": SEPARATIONS, "batch": range(40)}

study = Study(
    name="coverage",
    question="Do 95% intervals of EM and of Laplace's approximation cover where components "
    "overlap?",
    source="Louis 1982; Watanabe 2009",
    experiments={
        "em": Experiment(
            cell=by_em,
            factors=WHERE,
            sizes=_sizes({"separation": (0.0, 4.0), "batch": (0,)}),
        ),
        "laplace": Experiment(
            cell=by_laplace,
            factors={"parameterization": COORDINATES, **WHERE},
            sizes=_sizes([]),
            structure=("parameterization",),
        ),
    },
    claims=CLAIMS,
    figures={"coverage": coverage_figure},
    answer=("EM in the overlap", "Laplace, unordered in the overlap"),
    chief=("EM in the overlap", "Laplace, unordered in the overlap", "EM, mean of the mixture"),
)
