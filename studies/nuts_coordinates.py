"""Which coordinates should NUTS have for a two-component mixture?

Weights, means and scales are all free, under one exchangeable prior that every parameterization
carries exactly (Dirichlet(2) weights, sorted where the means are ordered), so that only the
geometry differs. Data come from two unit normals with means +-separation/2, ``weight`` being that
of the lower one, and from the shipped sets. Each run is 4 chains of 400 + 500 draws from 4 random
starts that all parameterizations share: short, so that thousands fit a laptop, and judged by
smallest sorted bulk ESS per pass after warm-up. Bulk ESS compares chains, so chains in different
places count for about as many draws as there are chains. Chains agree if the largest R-hat of the
sorted parameters is below 1.05 (about 80 effective draws here).

Posterior means are compared with a reference: 4 x (1000 + 3000) draws in ``signed`` coordinates,
which have no boundary inside the sampler and gave the most sorted ESS per second of the long runs
tried; only references with R-hat below 1.01 are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data, load, shipped, simulate
from ordered_mix.draws.chain_measures import ChainMeasures, chain_measures
from ordered_mix.draws.draws import Draws
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.drawing import curves, heat, legend, looks, nothing, panels
from ordered_mix.study.effects import extreme, from_logs, mean, paired, rows_of, share
from ordered_mix.study.experiment import four_digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

Factors = dict[str, Any]
Rows = list[Factors]

BETANCOURT = "Betancourt 2017, Identifying Bayesian mixture models"
PAPER = "Esser & Nielsen 2022, section 3"
RATE = "sorted ESS per 1,000 passes"
BRACKETS = "brackets: chains agree in under 90% of the runs"
LOG, SOFTPLUS, SQUARE = (f"relative(link={link})" for link in ("log", "softplus", "square"))
POSITIVE = "moment(signed=False)"
SAMPLED = (
    "unordered", "signed", "moment", POSITIVE, "ordered", LOG, SOFTPLUS, SQUARE, "centred",
    "resolved", "sheared",
)  # fmt: skip
BOUNDED = ("ordered", LOG, "centred")
"""Coordinates whose gap is the exponential of what the sampler sees."""

DIAGONAL, LOW_RANK, PYMC = "nutpie diagonal", "nutpie low rank", "pymc"
SAMPLERS = {
    DIAGONAL: NUTS(tune=400, draws=500),
    LOW_RANK: NUTS(tune=400, draws=500, adaptation="low_rank"),
    PYMC: NUTS(tune=400, draws=500, sampler="pymc"),
}
REFERENCE = NUTS(tune=1000, draws=3000)
CHAINS = 4
SEPARATIONS = (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)
QUANTITIES = ("w", "mu_1", "mu_2", "sigma_1", "sigma_2")
COLUMNS = ("ess", "passes", "rhat", "gap_mass", "divergences_per_1000")
SET = ("separation", "n", "weight", "replicate")
AGREE, REFERENCE_AGREE, CONVERGED_SHARE = 1.05, 1.01, 0.9


def simulated(
    seed: int, separation: float, n: int, weight: float, replicate: int, parameterization: str,
    sampler: str,
) -> Rows:  # fmt: skip
    """One run of one sampler in one parameterization on one simulated data set."""
    shared: Factors = {"separation": separation, "n": n, "weight": weight, "replicate": replicate}
    draws, found = run(SAMPLERS[sampler], parameterization, drawn(**shared), seed, shared)
    return [cost(draws, found) | of_each("mean", found.mean)]


def reference(seed: int, separation: float, n: int, weight: float, replicate: int) -> Rows:
    """The long run on one simulated data set."""
    shared: Factors = {"separation": separation, "n": n, "weight": weight, "replicate": replicate}
    draws, found = run(REFERENCE, "signed", drawn(**shared), seed, shared)
    return [cost(draws, found) | of_each("mean", found.mean) | of_each("sd", found.sd)]


def real(seed: int, data: str, parameterization: str, sampler: str, replicate: int) -> Rows:
    """One run of one sampler in one parameterization on a shipped data set."""
    shared = {"data": data, "replicate": replicate}
    return [cost(*run(SAMPLERS[sampler], parameterization, load(data), seed, shared))]


def drawn(separation: float, n: int, weight: float, replicate: int) -> Data:
    """A simulated data set, shared by all cells of these factors."""
    ends = np.array([-separation / 2, separation / 2])
    truth = Mixture(np.array([weight, 1 - weight]), ends, np.ones(2))
    seed = seed_of("data", separation=separation, n=n, weight=weight, replicate=replicate)
    return simulate(truth, n, seed)


def run(
    sampler: NUTS, parameterization: str, data: Data, seed: int, shared: dict[str, Any]
) -> tuple[Draws, ChainMeasures]:
    """A run from starts that are those of all runs which share these factors."""
    starts = initial_mixtures(data, 2, CHAINS, "random", seed_of("starts", **shared))
    prior = Prior().affine(float(data.location), float(data.scale))
    model = catalog.parameterization(parameterization, 2, prior)
    draws = sampler.sample(model, data, starts, seed % 2**31)
    diverging = draws.statistics["diverging"].to_numpy()
    mixture = draws.mixture
    return draws, chain_measures(mixture.w, mixture.mu, mixture.sigma, diverging)


def cost(draws: Draws, found: ChainMeasures) -> dict[str, Any]:
    """What is kept of every run."""
    kept = {
        "rhat": found.rhat,
        "ess": found.ess,
        "gap_mass": found.gap_mass,
        "divergent_gap_mass": found.divergent_gap_mass,
        "divergences_per_1000": 1000 * found.divergence_rate,
    }
    row = {name: None if value is None else four_digits(value) for name, value in kept.items()}
    return {**row, "passes": int(draws.passes.sum())}


def of_each(kind: str, values: np.ndarray) -> dict[str, float]:
    """A posterior mean or sd of each quantity, in standard deviations of the components."""
    names = [f"{kind}_{name}" for name in QUANTITIES]
    return dict(zip(names, np.round(values, 4).tolist(), strict=True))


# --- from tables to effects -----------------------------------------------------------------------


def runs(table: pd.DataFrame, sampler: str = DIAGONAL, **where: Any) -> pd.DataFrame:
    """Runs of one sampler with their ESS per pass and whether the chains agree."""
    chosen = rows_of(table, COLUMNS, sampler=sampler, **where)
    return chosen.assign(
        ess_per_pass=chosen["ess"] / chosen["passes"], agrees=chosen["rhat"] < AGREE
    )


def main(table: pd.DataFrame, sampler: str = DIAGONAL) -> pd.DataFrame:
    """The block with 20 data sets of each separation: n = 200, equal weights."""
    return runs(table, sampler, n=200, weight=0.5)


def errors(table: pd.DataFrame, references: pd.DataFrame) -> pd.DataFrame:
    """Runs with a converged reference, and the worst error of a posterior mean in posterior sd."""
    truth = [f"{kind}_{name}" for kind in ("mean", "sd") for name in QUANTITIES]
    known = rows_of(references, ("rhat", *truth))
    known = known[known["rhat"] < REFERENCE_AGREE]
    known = known[[*SET, *truth]].rename(columns={name: f"true_{name}" for name in truth})
    means = [f"mean_{name}" for name in QUANTITIES]
    both = rows_of(runs(table), means).merge(known, on=list(SET))
    off = [(both[f"mean_{q}"] - both[f"true_mean_{q}"]) / both[f"true_sd_{q}"] for q in QUANTITIES]
    return both.assign(error=np.abs(off).max(axis=0) if len(both) else [])


def wide(rows: pd.DataFrame, names: Sequence[str], column: str) -> pd.DataFrame:
    """A column by data set and parameterization; ValueError if a run is missing."""
    return paired(rows, "parameterization", names, column, SET)


def pairs(rows: pd.DataFrame, top: str, bottom: str, column: str = "ess_per_pass") -> pd.Series:
    """Log ratio of two parameterizations by data set."""
    both = wide(rows, (top, bottom), column)
    return np.log(both[top] / both[bottom])


def by_replicate(values: pd.Series) -> np.ndarray:
    """Averages over the settings, one for each data seed; NaN if one setting is missing."""
    return values.unstack("replicate").mean(axis=0, skipna=False).to_numpy()


def _close(table: pd.DataFrame) -> pd.DataFrame:
    rows = main(table)
    return rows[rows["separation"] <= 1.5]


def bounded_loss(table: pd.DataFrame) -> Effect:
    """ESS per pass of log gaps over `unordered` when components overlap, where it is largest."""
    logs = [pairs(_close(table), name, "unordered") for name in BOUNDED]
    return from_logs(extreme(map(by_replicate, logs), max))


def bounded_divergences(table: pd.DataFrame) -> Effect:
    """Divergences per 1,000 draws that log gaps have beyond `unordered`, where they are fewest."""
    found = wide(_close(table), ("unordered", *BOUNDED), "divergences_per_1000")
    more = (by_replicate(found[name] - found["unordered"]) for name in BOUNDED)
    return extreme(more, min)


def divergences_at_boundary(table: pd.DataFrame) -> Effect:
    """How much more often divergent draws are at a small gap than all draws of the same run."""
    rows = runs(table, parameterization=BOUNDED)
    rows = rows[(rows["separation"] <= 1.5) & rows["divergent_gap_mass"].notna()]
    more = rows["divergent_gap_mass"] - rows["gap_mass"]
    return mean(more.groupby([rows[name] for name in SET]).mean())


def same_sampler(table: pd.DataFrame) -> Effect:
    """The larger of the log ratios of ESS per pass and of passes, `relative` to `ordered`."""
    columns = ("ess_per_pass", "passes")
    level = 1 - 0.05 / len(columns)
    found = [mean(pairs(runs(table), LOG, "ordered", column), level) for column in columns]
    return max(found, key=lambda effect: max(abs(effect.low), abs(effect.high)))


def centred_gain(table: pd.DataFrame) -> Effect:
    """ESS per pass of `centred` over `relative` with a log gap, well separated."""
    rows = main(table)
    logs = pairs(rows[rows["separation"] >= 3], "centred", LOG)
    return from_logs(mean(by_replicate(logs)))


def low_rank_gain(table: pd.DataFrame) -> Effect:
    """ESS per pass of a low-rank mass matrix over a diagonal one, separations 1 to 3."""
    logs = []
    for sampler in (LOW_RANK, DIAGONAL):
        rows = main(table, sampler)
        rows = rows[rows["separation"].between(1, 3)]
        units = ["parameterization", "separation", "replicate"]
        logs.append(np.log(rows.set_index(units)["ess_per_pass"]))
    if logs[0].empty:
        raise ValueError("the table holds no runs with a low-rank mass matrix at n = 200")
    return from_logs(mean(by_replicate(logs[0] - logs[1])))


def loss_in_pymc(table: pd.DataFrame) -> Effect:
    """ESS per pass of `ordered` over `unordered` at separation 0.5 in PyMC's own sampler."""
    rows = main(table, PYMC)
    return from_logs(mean(pairs(rows[rows["separation"] == 0.5], "ordered", "unordered")))


def misled(table: pd.DataFrame, references: pd.DataFrame) -> Effect:
    """Share of agreeing runs in `ordered` with a posterior mean off by half a posterior sd."""
    rows = errors(table, references)
    rows = rows[(rows["parameterization"] == "ordered") & rows["agrees"]]
    return share(rows["error"] > 0.5)


DRAWN: Factors = {"of": ("simulated",)}
CLAIMS = (
    Claim(
        "log gaps lose where components overlap",
        "At separations up to 1.5, ordered, relative (log) and centred coordinates each lose 10% "
        "of the ESS per pass of unordered ones, or more.",
        BETANCOURT + " (the bowtie: ESS 24 of 10,000 at means +-.75)",
        bounded_loss, "below", 0.9, "ESS per pass, log gap / unordered, least loss", **DRAWN,
        words=(
            "Not those with a log gap where components overlap (separation up to 1.5): the best "
            "of them has {0:.2f} [{1:.2f}, {2:.2f}] times the ESS per pass of unordered means.",
            "Where components overlap (separation up to 1.5) not every log gap loses a tenth: the "
            "best of them has {0:.2f} [{1:.2f}, {2:.2f}] times the ESS per pass of unordered "
            "means.",
            "Where components overlap (separation up to 1.5) the loss of log gaps is undecided: "
            "the best of them has {0:.2f} [{1:.2f}, {2:.2f}] times the ESS per pass of unordered "
            "means.",
        ),
    ),
    Claim(
        "log gaps diverge where components overlap",
        "At separations up to 1.5, ordered, relative (log) and centred coordinates each have at "
        "least one divergence in 1,000 draws more than unordered ones.",
        BETANCOURT, bounded_divergences, "above", 1.0,
        "more divergences per 1,000 draws, least favourable", **DRAWN,
        words=(
            "There log gaps diverge at least {0:.1f} [{1:.1f}, {2:.1f}] times in 1,000 draws more "
            "than unordered means.",
            "There log gaps hardly diverge more, the least affected {0:.1f} [{1:.1f}, {2:.1f}] "
            "times in 1,000 draws.",
            "How much more log gaps diverge there is undecided, the least affected {0:.1f} "
            "[{1:.1f}, {2:.1f}] times in 1,000 draws.",
        ),
    ),
    Claim(
        "divergences lie at gap -> 0",
        "Divergent draws of log gaps have a gap below a tenth of a standard deviation more often "
        "than all draws.",
        BETANCOURT, divergences_at_boundary, "above", 0.0, "difference of shares", **DRAWN,
        words=(
            "Their divergent draws are more often at a gap near 0 than all draws are.",
            "Their divergent draws are no more often at a gap near 0 than all draws are.",
            "Whether their divergent draws are more often at a gap near 0 is undecided.",
        ),
    ),
    Claim(
        "ordered is relative",
        "PyMC's ordered transform and relative coordinates with a log gap are one sampler: ESS "
        "per pass and passes differ by less than 10%.",
        "both are mu_1 and log(mu_2 - mu_1), with the same prior",
        same_sampler, "within", 0.1, "log ratio, the larger of the two", **DRAWN,
        words="Ordered means and relative ones with a log gap, which are the same coordinates, "
        "differ by {0:.1%} [{1:.1%}, {2:.1%}] in ESS per pass or in passes.",
    ),
    Claim(
        "centred beats relative",
        "At separation 3 and more, the midpoint beats the first mean as the companion of a log "
        "gap.",
        "orthogonality of midpoint and gap; against " + PAPER,
        centred_gain, "above", 1.0, "ESS per pass, centred / relative", **DRAWN,
        words=(
            "Well separated, the midpoint is a better companion of a log gap than the first mean "
            "({0:.2f} [{1:.2f}, {2:.2f}] times the ESS per pass).",
            "Well separated, the midpoint is a worse companion of a log gap than the first mean "
            "({0:.2f} [{1:.2f}, {2:.2f}] times the ESS per pass).",
            "Well separated, midpoint and first mean as companions of a log gap do not differ "
            "clearly ({0:.2f} [{1:.2f}, {2:.2f}] times the ESS per pass).",
        ),
    ),
    Claim(
        "a low-rank mass matrix doubles the ESS",
        "At separations 1 to 3 a low-rank mass matrix at least doubles the ESS per pass, on "
        "average over the parameterizations.",
        "first trials of this project (2 to 4 times at moderate separation)",
        low_rank_gain, "above", 2.0, "ESS per pass, low rank / diagonal", **DRAWN,
        words="A low-rank mass matrix has {0:.2f} [{1:.2f}, {2:.2f}] times the ESS per pass of a "
        "diagonal one at separations 1 to 3.",
    ),
    Claim(
        "PyMC's sampler sees the same loss",
        "At separation 0.5 ordered means lose 10% of the ESS per pass or more in PyMC's own "
        "sampler, too.",
        "the loss is one of geometry, not of the implementation",
        loss_in_pymc, "below", 0.9, "ESS per pass, ordered / unordered", **DRAWN,
        words="In PyMC's own sampler ordered means have {0:.2f} [{1:.2f}, {2:.2f}] times the ESS "
        "per pass of unordered ones at separation 0.5.",
    ),
    Claim(
        "agreeing chains are right",
        "Of the runs in ordered means with sorted R-hat below 1.05, at most 5% have a posterior "
        "mean half a posterior sd off the reference.",
        "Vehtari et al. 2021 on what R-hat is for",
        misled, "below", 0.05, "share of agreeing runs", of=("simulated", "reference"),
        words="Of the runs in ordered means whose chains agree, {0:.1%} [{1:.1%}, {2:.1%}] have a "
        "posterior mean half a posterior sd off the reference.",
    ),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

STYLES = looks(SAMPLED)


def loss_figure(result: StudyResult) -> Figure:
    """ESS per pass of every parameterization as a percentage of the best one's, equal weights."""
    table = result.tables["simulated"]
    blocks = [(DIAGONAL, 50), (DIAGONAL, 200), (DIAGONAL, 1000), (LOW_RANK, 200)]
    figure, grid = panels(2, 2, (8.4, 7.2), sharex=True, sharey=True)
    for axes, (sampler, n) in zip(grid.flat, blocks, strict=True):
        rows = runs(table, sampler, n=n, weight=0.5)
        _heat(axes, rows, "separation")
        axes.set_title(f"{sampler}, n = {n:,}", fontsize=9, loc="left")
    figure.supxlabel(f"separation / sigma; {BRACKETS}", fontsize=9)
    return figure


def real_figure(result: StudyResult) -> Figure:
    """ESS per pass on the shipped data sets as a percentage of the best parameterization's."""
    figure, grid = panels(1, 2, (8.4, 4.6), sharey=True)
    for axes, sampler in zip(grid[0], (DIAGONAL, LOW_RANK), strict=True):
        _heat(axes, runs(result.tables["real"], sampler), "data")
        axes.set_title(sampler, fontsize=9, loc="left")
    figure.supxlabel(BRACKETS, fontsize=9)
    return figure


def _heat(axes: Axes, rows: pd.DataFrame, across: str) -> None:
    """Geometric mean of the ESS per pass of all runs, in brackets where too few converge."""
    if rows.empty:
        nothing(axes)
        return
    at = ["parameterization", across]
    rates = np.log(rows["ess_per_pass"]).groupby([rows[name] for name in at]).mean().unstack()
    agree = rows.groupby(at)["agrees"].mean().unstack() >= CONVERGED_SHARE
    names = [name for name in SAMPLED if name in rates.index]
    rates, agree = rates.reindex(names), agree.reindex(names)
    shares = 100 * np.exp(rates - rates.where(agree).max().fillna(rates.max()))
    texts = shares.map("{:.0f}".format)
    heat(axes, shares, texts.where(agree, "(" + texts + ")"), "cividis", (0, 100))


def _against_separation(axes: Axes, rows: pd.DataFrame, label: str, **options: Any) -> None:
    """Means of the column ``value`` for each parameterization."""
    curves(axes, rows, "value", "parameterization", STYLES, **options)
    axes.set_ylabel(label)


def efficiency_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes against the separation, with 95% intervals over data sets."""
    figure, grid = panels(1, 2, (8.4, 5.0), sharey=True)
    for axes, sampler in zip(grid[0], (DIAGONAL, LOW_RANK), strict=True):
        rows = main(result.tables["simulated"], sampler)
        _against_separation(axes, rows.assign(value=1000 * rows["ess_per_pass"]), "", log=True)
        axes.set_title(f"{sampler}, n = 200, equal weights", fontsize=9, loc="left")
    grid[0, 0].set_ylabel(RATE)
    return legend(figure, grid, 5)


def boundary_figure(result: StudyResult) -> Figure:
    """Divergences and the mass at small gaps."""
    rows = main(result.tables["simulated"])
    figure, ((left, right),) = panels(1, 2, (8.4, 4.8))
    divergences = rows.assign(value=rows["divergences_per_1000"])
    _against_separation(left, divergences, "divergences per 1,000 draws")
    left.set_yscale("symlog", linthresh=1)
    left.set_ylim(bottom=-0.1)
    small = rows.assign(value=rows["gap_mass"])
    _against_separation(right, small, "share of draws with gap < 0.1 sd")
    return legend(figure, [left, right], 5)


def accuracy_figure(result: StudyResult) -> Figure:
    """Error of posterior means against the reference, and what the ESS promises."""
    rows = errors(result.tables["simulated"], result.tables["reference"])
    rows = rows[(rows["n"] == 200) & (rows["weight"] == 0.5)]
    rows = rows.assign(value=rows["error"].clip(lower=1e-3))  # means are kept to 4 decimals
    figure, ((left, right),) = panels(1, 2, (8.4, 4.8))
    _against_separation(left, rows, "largest error of a posterior mean / posterior sd", log=True)
    rows = rows.assign(value=rows["value"] * np.sqrt(rows["ess"]))
    _against_separation(right, rows, "the same in standard errors, 1 / sqrt(ESS)", log=True)
    return legend(figure, [left, right], 5)


# --- the grid -------------------------------------------------------------------------------------

ALL: dict[str, Any] = {"sampler": (DIAGONAL,), "replicate": range(5)}
MAIN = {"n": (200,), "weight": (0.5,), "replicate": range(20)}
SIX = {"parameterization": ("unordered", "ordered", LOG), "separation": (0.5, 4.0)}
SMALL = {"parameterization": ("unordered", "ordered"), "sampler": (DIAGONAL,),
         "replicate": range(2)}  # fmt: skip
FACTORS = {"separation": SEPARATIONS, "n": (50, 200, 1000), "weight": (0.5, 0.3, 0.1)}
RUNS: dict[str, Any] = {"parameterization": SAMPLED, "sampler": tuple(SAMPLERS)}
BOTH = {"sampler": (DIAGONAL, LOW_RANK)}

study = Study(
    name="nuts_coordinates",
    question="Which coordinates should NUTS have for a two-component mixture?",
    source=f"{BETANCOURT}; {PAPER}",
    experiments={
        "simulated": Experiment(
            cell=simulated,
            factors={**FACTORS, **RUNS, "replicate": range(20)},
            sizes={
                "smoke": {**MAIN, **SMALL, "separation": (0.5, 3.0)},
                "laptop": (
                    ALL,
                    {**MAIN, **BOTH},
                    {**MAIN, **SIX, "sampler": (PYMC,), "replicate": range(5)},
                ),
                "cluster": (
                    {**BOTH, "replicate": range(100)},
                    {**MAIN, **SIX, "sampler": (PYMC,)},
                ),
            },
            structure=("parameterization",),
        ),
        "reference": Experiment(
            cell=reference,
            factors={**FACTORS, "replicate": range(20)},
            sizes={
                "smoke": {**MAIN, "separation": (0.5,), "replicate": range(1)},
                "laptop": MAIN,
                "cluster": {"replicate": range(100)},
            },
        ),
        "real": Experiment(
            cell=real,
            factors={"data": shipped(), **RUNS, "replicate": range(20)},
            sizes={
                "smoke": {**SMALL, "data": ("acidity",)},
                "laptop": {**BOTH, "replicate": range(3)},
                "cluster": BOTH,
            },
            structure=("parameterization",),
        ),
    },
    claims=CLAIMS,
    figures={
        "loss": loss_figure,
        "efficiency": efficiency_figure,
        "boundary": boundary_figure,
        "accuracy": accuracy_figure,
        "real": real_figure,
    },
    answer=("log gaps lose where components overlap", "a low-rank mass matrix doubles the ESS"),
    chief=(
        "log gaps lose where components overlap",
        "centred beats relative",
        "a low-rank mass matrix doubles the ESS",
    ),
)
