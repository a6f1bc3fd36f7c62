"""Is one parameterization near the best for NUTS at every separation, without divergences?

The same question about the condition number and about gradient ascent is in `singular_rates`.
Here weights, means and scales are free under one prior that all coordinates carry exactly, data
come from equal weights at means +-separation/2 with unit scales, and coordinates are judged by the
smallest sorted bulk ESS per pass after warm-up and by divergences. Runs are short, 4 chains of
400 + 500 draws from random starts that all coordinates share; chains in different places count for
about as many draws as there are chains.

Beside the usual ones stand the shears of the centre that go from the mixture mean, which the
overlap determines, to the midpoint, which separated means determine whatever the weight: with the
signed gap (``sheared``), with the log of the bent gap of `singular_rates` (``sheared bent``), and
that bent gap with the mixture mean throughout (``bent``). Where the shear turns was computed from
the Fisher information (models/sheared.py), not from these runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import simulate
from ordered_mix.draws.chain_measures import chain_measures
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Study, seed_of
from ordered_mix.study.confidence import confidence
from ordered_mix.study.drawing import curves, heat, legend, looks, panels, short
from ordered_mix.study.effects import extreme, from_logs, mean, paired
from ordered_mix.study.sentences import Words, amounts, by_outcome, paragraph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

PROJECT = "a question of this project"
COORDINATES = {
    "unordered": "unordered",
    "signed": "signed",
    "relative(link=log)": "relative(link=log)",
    "centred": "centred",
    "resolved": "resolved",
    "sheared": "sheared",
    "sheared bent": "sheared(gap=bent)",
    "bent": "sheared(gap=bent, reach=inf)",
}
SAMPLER = NUTS(tune=400, draws=500)
CHAINS = 4
SEPARATIONS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
CELL = ("separation", "n", "replicate")
NEAR = 0.9


def cell(
    seed: int, separation: float, n: int, parameterization: str, replicate: int
) -> list[dict[str, Any]]:
    """One run of NUTS in one parameterization on one data set."""
    shared = {"separation": separation, "n": n, "replicate": replicate}
    ends = np.array([-separation / 2, separation / 2])
    data = simulate(Mixture(np.full(2, 0.5), ends, np.ones(2)), n, seed_of("data", **shared))
    starts = initial_mixtures(data, 2, CHAINS, "random", seed_of("starts", **shared))
    prior = Prior().affine(float(data.location), float(data.scale))
    model = replace(_model(parameterization), prior=prior)
    draws = SAMPLER.sample(model, data, starts, seed % 2**31)
    mixture, diverging = draws.mixture, draws.statistics["diverging"].to_numpy()
    found = chain_measures(mixture.w, mixture.mu, mixture.sigma, diverging)
    row = {
        "ess": float(f"{found.ess:.4g}"),
        "rhat": float(f"{found.rhat:.4g}"),
        "passes": int(draws.passes.sum()),
        "divergences_per_1000": 1000 * found.divergence_rate,
    }
    return [row]


@lru_cache
def _model(label: str) -> Parameterization:
    return catalog.parameterization(COORDINATES[label], 2)


# --- effects of the claims ------------------------------------------------------------------------


def runs(table: pd.DataFrame) -> pd.DataFrame:
    """Rows with their ESS per 1,000 passes and its log."""
    rate = 1000 * table["ess"] / table["passes"]
    return table.assign(rate=rate, log_rate=np.log(rate))


def ratios(table: pd.DataFrame, top: str, bottom: str, low: float, high: float) -> list[Any]:
    """Log ratios of ESS per pass of two coordinates, one sample for each separation of a range."""
    rows = runs(table)
    rows = rows[
        rows["separation"].between(low, high) & rows["parameterization"].isin((top, bottom))
    ]
    both = paired(rows, "parameterization", (top, bottom), "log_rate", CELL)
    logs = both[top] - both[bottom]
    return [part.to_numpy() for _, part in logs.groupby("separation")]


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """ESS per pass over the largest, geometric means, by parameterization (rows) and separation."""
    logs = paired(runs(table), "parameterization", tuple(COORDINATES), "log_rate", CELL)
    average = logs.groupby("separation").mean().T
    return np.exp(average - average.max())


def leader(table: pd.DataFrame) -> str:
    """The parameterization whose least share of the best, over separations, is the largest."""
    return str(shares(table).min(axis=1).idxmax())


def nearest(table: pd.DataFrame) -> Effect:
    """Its ratio to the best other one at its worst separation; all pairs hold simultaneously."""
    logs = paired(runs(table), "parameterization", tuple(COORDINATES), "log_rate", CELL)
    groups = [part for _, part in logs.groupby("separation")]
    count = len(groups) * len(COORDINATES) * (len(COORDINATES) - 1) // 2
    level = 1 - (1 - confidence()) / count
    against: dict[str, list[Effect]] = {name: [] for name in COORDINATES}
    for part in groups:
        for one, other in combinations(COORDINATES, 2):
            effect = mean(part[one] - part[other], level)
            against[one].append(effect)
            turned = (-effect.estimate, -effect.high, -effect.low)
            against[other].append(Effect(*turned, effect.observations))
    least = [np.min([effect[:3] for effect in effects], axis=0) for effects in against.values()]
    estimate, low, high = np.max(least, axis=0).tolist()
    return from_logs(Effect(estimate, low, high, min(map(len, groups))))


def diverging(table: pd.DataFrame) -> Effect:
    """Divergences per 1,000 draws of that parameterization at its worst separation.

    The intervals hold together over parameterizations, too, because the runs chose it.
    """
    found = paired(table, "parameterization", tuple(COORDINATES), "divergences_per_1000", CELL)
    groups = [part[leader(table)] for _, part in found.groupby("separation")]
    level = 1 - (1 - confidence()) / (len(groups) * len(COORDINATES))
    effects = [mean(part, level) for part in groups]
    estimate, low, high = np.max([effect[:3] for effect in effects], axis=0).tolist()
    return Effect(estimate, low, high, effects[0].observations)


def shear_apart(table: pd.DataFrame) -> Effect:
    """ESS per pass of the sheared centre over the mixture mean, separated, least favourable."""
    return from_logs(extreme(ratios(table, "sheared", "signed", 4, 8), min))


def shear_overlapping(table: pd.DataFrame) -> Effect:
    """ESS per pass of the sheared centre over the mixture mean, overlap, least favourable."""
    return from_logs(extreme(ratios(table, "sheared", "signed", 0, 2), min))


def bent_overlapping(table: pd.DataFrame) -> Effect:
    """ESS per pass of the bent over the signed gap, mixture mean, overlap, where it is largest."""
    return from_logs(extreme(ratios(table, "bent", "signed", 0, 1), max))


SHEAR = "location and weight uncorrelated under the Fisher information (models/sheared.py)"
CLAIMS = (
    Claim(
        name="one parameterization for NUTS",
        statement="One parameterization has an ESS per pass within 10% of the best at every "
        "separation.",
        source=PROJECT,
        effect=nearest,
        direction="above",
        margin=NEAR,
        unit="ESS per pass / best other at the worst separation, of the parameterization where it "
        "is largest",
    ),
    Claim(
        name="that parameterization does not diverge",
        statement="The parameterization nearest to the best at every separation has fewer than 1 "
        "divergence in 1,000 draws at each of them.",
        source=PROJECT,
        effect=diverging,
        direction="below",
        margin=1.0,
        unit="divergences per 1,000 draws, largest over separations",
    ),
    Claim(
        name="the shear pays apart",
        statement="At separations 4 and 8 the sheared centre has more ESS per pass than the "
        "mixture mean.",
        source=SHEAR,
        effect=shear_apart,
        direction="above",
        margin=1.0,
        unit="ESS per pass, sheared / signed, least favourable separation",
    ),
    Claim(
        name="the shear costs nothing in the overlap",
        statement="At separations up to 2 the sheared centre has at least 90% of the ESS per pass "
        "of the mixture mean.",
        source=SHEAR,
        effect=shear_overlapping,
        direction="above",
        margin=NEAR,
        unit="ESS per pass, sheared / signed, least favourable separation",
    ),
    Claim(
        name="the bent gap loses in the overlap",
        statement="At separations up to 1 the log of the bent gap, best for gradient flow, has "
        "less than 90% of the ESS per pass of the signed gap.",
        source="gap 0 lies at minus infinity of both the log gap and the log of the bent gap",
        effect=bent_overlapping,
        direction="below",
        margin=NEAR,
        unit="ESS per pass, bent / signed, least loss",
    ),
)


# --- figures and findings -------------------------------------------------------------------------


def efficiency_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes and divergences by coordinates, with 95% intervals over data sets."""
    rows, series = runs(result.table), looks(COORDINATES)
    figure, axes = panels(1, 2, (8.4, 4.6))
    curves(axes[0, 0], rows, "rate", "parameterization", series, log=True)
    axes[0, 0].set_ylabel("sorted ESS per 1,000 passes")
    curves(axes[0, 1], rows, "divergences_per_1000", "parameterization", series)
    axes[0, 1].set_ylabel("divergences per 1,000 draws")
    axes[0, 1].set_yscale("symlog", linthresh=1)
    axes[0, 1].set_ylim(bottom=-0.1)
    return legend(figure, axes)


def share_figure(result: StudyResult) -> Figure:
    """ESS per pass of every parameterization as a percentage of the best one's, by separation."""
    rows = runs(result.table)
    average = rows.groupby(["parameterization", "separation"])["log_rate"].mean().unstack()
    average = average.reindex([name for name in COORDINATES if name in average.index])
    figure, axes = panels(1, 1, (7.0, 3.6))
    percent = 100 * np.exp(average - average.max())
    heat(axes[0, 0], percent, "{:.0f}".format, colours="cividis", limits=(0, 100))
    axes[0, 0].set_xlabel("separation / sigma (numbers: % of the best ESS per pass)")
    return figure


SENTENCES: dict[str, Words] = {
    "that parameterization does not diverge": (
        "It does not diverge: {0:.2f} [{1:.2f}, {2:.2f}] times in 1,000 draws at its worst "
        "separation.",
        "It diverges, {0:.1f} [{1:.1f}, {2:.1f}] times in 1,000 draws at its worst separation.",
        "Whether it diverges is undecided: {0:.1f} [{1:.1f}, {2:.1f}] times in 1,000 draws at its "
        "worst separation.",
    ),
    "the shear pays apart": (
        "Apart, the sheared centre beats the mixture mean ({0:.2f} [{1:.2f}, {2:.2f}] times its "
        "ESS per pass).",
        "Apart, the sheared centre loses to the mixture mean ({0:.2f} [{1:.2f}, {2:.2f}] times its "
        "ESS per pass).",
        "Apart, sheared centre and mixture mean do not differ clearly ({0:.2f} [{1:.2f}, {2:.2f}] "
        "in ESS per pass).",
    ),
    "the shear costs nothing in the overlap": (
        "In the overlap it costs less than a tenth ({0:.2f} [{1:.2f}, {2:.2f}]).",
        "In the overlap it costs more than a tenth ({0:.2f} [{1:.2f}, {2:.2f}]).",
        "What it costs in the overlap is undecided ({0:.2f} [{1:.2f}, {2:.2f}]).",
    ),
    "the bent gap loses in the overlap": (
        "The bent gap, which removes the plateau for gradient flow, loses to the signed gap in the "
        "overlap ({0:.2f} [{1:.2f}, {2:.2f}] times the ESS per pass).",
        "The bent gap, which removes the plateau for gradient flow, does not lose a tenth to the "
        "signed gap in the whole overlap ({0:.2f} [{1:.2f}, {2:.2f}] times the ESS per pass).",
        "What the bent gap, which removes the plateau for gradient flow, loses to the signed gap "
        "in the overlap is undecided ({0:.2f} [{1:.2f}, {2:.2f}] times the ESS per pass).",
    ),
}
ANSWER: dict[str, Words] = {
    "one parameterization for NUTS": (
        "One parameterization is within 10% of the best for NUTS at every separation:",
        "No parameterization is within 10% of the best for NUTS at every separation:",
        "Whether one parameterization is within 10% of the best for NUTS at every separation is "
        "undecided:",
    ),
}


def _answer(result: StudyResult) -> Iterator[str]:
    """Which parameterization comes nearest, where it is worst, and which ones are best where."""
    share = shares(result.table)
    model = leader(result.table)
    effect = nearest(result.table)
    (opening,) = by_outcome(result.verdicts, ANSWER)
    yield (
        f"{opening} the nearest, {short(model)}, has {effect.estimate:.0%} [{effect.low:.0%}, "
        f"{effect.high:.0%}] of the ESS per pass of the best other one at its worst separation, "
        f"{share.loc[model].idxmin():g}."
    )
    rest = share.drop(model).min(axis=1).sort_values(ascending=False)
    yield f"The others have at worst: {amounts(rest)}."
    best = share.idxmax().map(short)
    yield f"Largest mean by separation, without a test: {amounts(best, '{0} {1}')}."


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(result, _answer, lambda found: by_outcome(found.verdicts, SENTENCES))


SMOKE = {"separation": (0.5, 4.0), "parameterization": ("signed", "sheared"), "replicate": range(2)}

study = Study(
    name="one_chart",
    question="Is one parameterization near the best for NUTS at every separation, without "
    "divergences?",
    source="this project, after Esser & Nielsen 2022 and Betancourt 2017",
    factors={
        "separation": SEPARATIONS,
        "n": (200,),
        "parameterization": tuple(COORDINATES),
        "replicate": range(200),
    },
    sizes={"smoke": SMOKE, "laptop": {"replicate": range(20)}, "cluster": {}},
    cell=cell,
    claims=CLAIMS,
    figures={"efficiency": efficiency_figure, "share": share_figure},
    findings=findings,
    structure=("parameterization",),
)
