"""Which coordinates should NUTS have for a two-component mixture, and does ordering cure anything?

Weights, means and scales are all free, under one exchangeable prior that every parameterization
carries exactly (Dirichlet(2) weights, sorted where the means are ordered), so that only the
geometry differs. Data come from two unit normals with means +-separation/2, ``weight`` being that
of the lower one, and from the shipped sets. Each run is 4 chains of 400 + 500 draws from 4 random
starts that all parameterizations share: short, so that thousands fit a laptop, and judged by
smallest sorted bulk ESS per pass after warm-up. Bulk ESS compares chains, so chains in different
places count for about as many draws as there are chains. Beyond that, a parameterization can be
named best only if 90% of its runs have a sorted R-hat below 1.05 (about 80 effective draws here),
and only where at least 20 data sets exist; the others of a map are shown as open.

Posterior means are compared with a reference: 4 x (1000 + 3000) draws in ``signed`` coordinates,
which have no boundary inside the sampler and gave the most sorted ESS per second of the long runs
tried; only references with R-hat below 1.01 are used. Coverage of the truth takes the 100 data
sets of ``cluster``.

Sources: Betancourt 2017, "Identifying Bayesian mixture models" (ordering; the bowtie at means
+-.75); Esser & Nielsen 2022 (relative coordinates); Stephens 2000 (relabelling draws afterwards);
Vehtari et al. 2021 (R-hat and ESS).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ordered_mix.data import Data, load, shipped, simulate
from ordered_mix.draws.chain_measures import chain_measures
from ordered_mix.engine.tables import four_digits
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Opening, Study, seed_of
from ordered_mix.study.drawing import (
    SEPARATION,
    curves,
    heat,
    legend,
    looks,
    mark,
    nothing,
    panels,
    short,
)
from ordered_mix.study.effects import (
    TIE,
    difference_of_shares,
    extreme,
    from_logs,
    mean,
    paired,
    rows_of,
    share,
    winner,
)
from ordered_mix.study.sentences import RATIO, SHARE, Words, by_outcome, paragraph

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

BETANCOURT = "Betancourt 2017, Identifying Bayesian mixture models"
PAPER = "Esser & Nielsen 2022, section 3"
LOG, SOFTPLUS, SQUARE, IDENTITY = (
    f"relative(link={link})" for link in ("log", "softplus", "square", "identity")
)
POSITIVE = "moment(signed=False)"
PARAMETERIZATIONS = (
    "unordered", "signed", "moment", POSITIVE, "ordered", LOG, SOFTPLUS, SQUARE, IDENTITY,
    "centred", "resolved", "sheared",
)  # fmt: skip
SAMPLED = tuple(name for name in PARAMETERIZATIONS if name != IDENTITY)
BOUNDED = ("ordered", LOG, "centred")
"""Coordinates whose gap is the exponential of what the sampler sees."""

DIAGONAL, LOW_RANK, PYMC, REFERENCE = "nutpie diagonal", "nutpie low rank", "pymc", "reference"
SAMPLERS = {
    DIAGONAL: NUTS(tune=400, draws=500),
    LOW_RANK: NUTS(tune=400, draws=500, adaptation="low_rank"),
    PYMC: NUTS(tune=400, draws=500, sampler="pymc"),
    REFERENCE: NUTS(tune=1000, draws=3000),
}
CHAINS = 4
SEPARATIONS = (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)
QUANTITIES = ("w", "mu_1", "mu_2", "sigma_1", "sigma_2")
CELL = ("data", "separation", "n", "weight", "replicate")
AGREE = 1.05
REFERENCE_AGREE = 1.01
CONVERGED_SHARE = 0.9
LEAST_SEEDS = 20


def cell(
    seed: int,
    data: str,
    separation: float | None,
    n: int | None,
    weight: float | None,
    parameterization: str,
    sampler: str,
    replicate: int,
) -> list[dict[str, Any]]:
    """One run of one sampler in one parameterization on one data set; standardised units."""
    points, truth = _data(data, separation, n, weight, replicate)
    shared = dict(zip(CELL, (data, separation, n, weight, replicate), strict=True))
    location, scale = float(points.location), float(points.scale)
    starts = initial_mixtures(points, 2, CHAINS, "random", seed_of("starts", **shared))
    coordinates = replace(
        _parameterization(parameterization), prior=Prior().affine(location, scale)
    )
    draws = SAMPLERS[sampler].sample(coordinates, points, starts, seed % 2**31)
    mixture = draws.mixture.affine(-location / scale, 1 / scale)
    parameters = (mixture.w, mixture.mu, mixture.sigma)
    found = chain_measures(*parameters, draws.statistics["diverging"].to_numpy())
    covered = (
        None if truth is None else _coverage(mixture, truth.affine(-location / scale, 1 / scale))
    )
    row = {
        "raw_rhat": found.raw_rhat,
        "raw_ess": found.raw_ess,
        "rhat": found.rhat,
        "ess": found.ess,
        "tail_ess": found.tail_ess,
        "passes": int(draws.passes.sum()),
        "warmup_passes": int(draws.warmup_passes.sum()),
        "switching_rate": found.switching_rate,
        "chain_disagreement": found.chain_disagreement,
        "gap_mass": found.gap_mass,
        "divergent_gap_mass": found.divergent_gap_mass,
        "divergences_per_1000": 1000 * found.divergence_rate,
        "coverage": covered,
    }
    means = zip(QUANTITIES, np.round(found.mean, 4).tolist(), strict=True)
    row |= {f"mean_{name}": value for name, value in means}
    # only the reference's are needed, and the table stays small
    sds = found.sd.tolist() if sampler == REFERENCE else [None] * len(QUANTITIES)
    row |= {f"sd_{name}": sd for name, sd in zip(QUANTITIES, sds, strict=True)}
    kept = (type(None), int)
    return [{k: v if isinstance(v, kept) else four_digits(v) for k, v in row.items()}]


def skip(
    data: str,
    separation: float | None,
    n: int | None,
    weight: float | None,
    parameterization: str,
    sampler: str,
    replicate: int,
) -> str | None:
    """Combinations that mean nothing."""
    settings = (separation, n, weight)
    if data == "simulated" and None in settings:
        return "simulated data need a separation, n and weight"
    if data != "simulated" and settings != (None, None, None):
        return "separation, n and weight are those of simulated data"
    if sampler == REFERENCE and parameterization != "signed":
        return "the reference run is made in signed coordinates"
    return _parameterization(parameterization).reason_not_sampled


@lru_cache
def _parameterization(label: str) -> Parameterization:
    return catalog.parameterization(label, 2)


def _data(
    data: str, separation: float | None, n: int | None, weight: float | None, replicate: int
) -> tuple[Data, Mixture | None]:
    if separation is None or n is None or weight is None:
        return load(data), None
    ends = np.array([-separation / 2, separation / 2])
    truth = Mixture(np.array([weight, 1 - weight]), ends, np.ones(2))
    seed = seed_of("data", separation=separation, n=n, weight=weight, replicate=replicate)
    # at separation 0 the components cannot be told apart: there are no true labels to cover
    return simulate(truth, n, seed), truth if separation else None


def _coverage(mixture: Mixture, truth: Mixture) -> float:
    """Share of the five sorted parameters whose central 90% interval holds the truth."""
    ascending, true = mixture.sorted(), truth.sorted()
    draws = [ascending.w[..., :-1], ascending.mu, ascending.sigma]
    low, high = np.quantile(np.concatenate(draws, axis=-1), [0.05, 0.95], axis=(0, 1))
    values = np.concatenate([true.w[:-1], true.mu, true.sigma])
    return float(np.mean((low <= values) & (values <= high)))


# --- the table ------------------------------------------------------------------------------------


def runs(table: pd.DataFrame, sampler: str = DIAGONAL, **where: Any) -> pd.DataFrame:
    """Runs of one sampler with their ESS per pass and whether the chains agree.

    Parameters
    ----------
    table : DataFrame
    sampler : str
    **where
        Values of columns; simulated data unless ``data`` is given.
    """
    where = {"sampler": sampler, "data": "simulated", **where}
    chosen = rows_of(table, ("coverage",), **where)
    return chosen.assign(
        ess_per_pass=chosen["ess"] / chosen["passes"], agrees=chosen["rhat"] < AGREE
    )


def main(table: pd.DataFrame, sampler: str = DIAGONAL) -> pd.DataFrame:
    """The block with 20 data sets of each separation: n = 200, equal weights."""
    return runs(table, sampler, n=200, weight=0.5)


def errors(table: pd.DataFrame, sampler: str = DIAGONAL) -> pd.DataFrame:
    """Runs with a converged reference, and the worst error of a posterior mean in posterior sd."""
    truth = [f"{kind}_{name}" for kind in ("mean", "sd") for name in QUANTITIES]
    known = rows_of(table, truth, sampler=REFERENCE)
    known = known[known["rhat"] < REFERENCE_AGREE]
    reference = known[[*CELL, *truth]].rename(columns={name: f"true_{name}" for name in truth})
    both = runs(table, sampler).merge(reference, on=list(CELL))
    off = [(both[f"mean_{q}"] - both[f"true_mean_{q}"]) / both[f"true_sd_{q}"] for q in QUANTITIES]
    return both.assign(error=np.abs(off).max(axis=0) if len(both) else [])


def wide(rows: pd.DataFrame, names: Sequence[str], column: str) -> pd.DataFrame:
    """A column by data set and parameterization; ValueError if a run is missing."""
    units = [name for name in CELL if rows[name].notna().any()]
    return paired(rows, "parameterization", names, column, units)


def pairs(rows: pd.DataFrame, top: str, bottom: str, column: str = "ess_per_pass") -> pd.Series:
    """Log ratio of two parameterizations by data set."""
    both = wide(rows, (top, bottom), column)
    return np.log(both[top] / both[bottom])


def by_replicate(values: pd.Series) -> np.ndarray:
    """Averages over the settings, one for each data seed; NaN if one setting is missing."""
    return values.unstack("replicate").mean(axis=0, skipna=False).to_numpy()


# --- effects of the claims ------------------------------------------------------------------------


def _raw_rhat(table: pd.DataFrame) -> pd.DataFrame:
    rows = runs(table)
    return wide(rows[rows["separation"] >= 3], ("unordered", "ordered"), "raw_rhat")


def disagreeing(table: pd.DataFrame) -> Effect:
    """Share of well separated data sets on which chains of `unordered` disagree as drawn."""
    return share(_raw_rhat(table)["unordered"] >= AGREE)


def cures(table: pd.DataFrame, weight: float | None = None) -> pd.DataFrame:
    """Whether `ordered` and `unordered` sorted agree on the sets where raw chains do not."""
    rhat = _raw_rhat(table)
    rows = runs(table)
    after = wide(rows[rows["separation"] >= 3], ("unordered", "ordered"), "rhat")["unordered"]
    both = pd.DataFrame({"order": rhat["ordered"] < AGREE, "sorting": after < AGREE})
    both = both[rhat["unordered"] >= AGREE]
    return both if weight is None else both[both.index.get_level_values("weight") == weight]


def cured(table: pd.DataFrame, by: str = "order", weight: float | None = None) -> Effect:
    """Of those, the share on which the chains agree."""
    return share(cures(table, weight)[by])


def sorting_cures_more(table: pd.DataFrame) -> Effect:
    """Share that sorting cures less the share that order cures, on the same sets."""
    both = cures(table)
    return difference_of_shares(both["sorting"], both["order"])


def sorted_afterwards(table: pd.DataFrame) -> Effect:
    """ESS per pass of `unordered` over `ordered` at the separation where it is least."""
    logs = pairs(main(table), "unordered", "ordered")
    return from_logs(extreme([part for _, part in logs.groupby("separation")], min))


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
    rows = runs(table)
    rows = rows[(rows["separation"] <= 1.5) & rows["parameterization"].isin(BOUNDED)]
    rows = rows[rows["divergent_gap_mass"].notna()]
    more = rows["divergent_gap_mass"] - rows["gap_mass"]
    return mean(more.groupby([rows[name] for name in CELL]).mean())


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
        logs.append(
            np.log(rows.set_index(["parameterization", "separation", "replicate"])["ess_per_pass"])
        )
    if logs[0].empty:
        raise ValueError("the table holds no runs with a low-rank mass matrix at n = 200")
    return from_logs(mean(by_replicate(logs[0] - logs[1])))


def loss_in_pymc(table: pd.DataFrame) -> Effect:
    """ESS per pass of `ordered` over `unordered` at separation 0.5 in PyMC's own sampler."""
    rows = main(table, PYMC)
    return from_logs(mean(pairs(rows[rows["separation"] == 0.5], "ordered", "unordered")))


def misled(table: pd.DataFrame) -> Effect:
    """Share of agreeing runs in `ordered` with a posterior mean off by half a posterior sd."""
    rows = errors(table)
    rows = rows[(rows["parameterization"] == "ordered") & rows["agrees"]]
    return share(rows["error"] > 0.5)


SEEN = "; claimed after the table was seen"
RELABEL = "Stephens 2000 (relabelling afterwards); the margin is this project's"
CLAIMS = (
    Claim("without order chains disagree",
          "At separation 3 and more, raw R-hat of unordered chains is above 1.05.",
          "Stephens 2000; " + BETANCOURT, disagreeing, "above", 0.5, "share of data sets"),
    Claim("order cures label switching",
          "Where unordered chains disagree at separation 3 and more, ordered ones agree.",
          "documentation of PyMC's ordered transform; " + BETANCOURT,
          cured, "above", 0.95, "share of those data sets"),
    *(Claim(f"order cures label switching, weight {weight:g}",
            "Where unordered chains disagree at separation 3 and more, ordered ones agree, weight "
            f"of the first component {weight:g}.",
            BETANCOURT + SEEN, partial(cured, weight=weight), "above", 0.95,
            "share of those data sets") for weight in (0.5, 0.1)),
    Claim("sorting cures label switching",
          "Where unordered chains disagree at separation 3 and more, they agree once sorted.",
          "Stephens 2000" + SEEN, partial(cured, by="sorting"), "above", 0.95,
          "share of those data sets"),
    Claim("sorting cures more than order",
          "There sorting the draws of unordered chains cures more data sets than ordering does.",
          "Stephens 2000" + SEEN, sorting_cures_more, "above", 0.0,
          "difference of shares of those data sets"),
    Claim("sorting afterwards is as good",
          "Unordered draws, sorted, have at least 90% of the ESS per pass of ordered ones at every "
          "separation.",
          RELABEL, sorted_afterwards, "above", 0.9,
          "ESS per pass, unordered / ordered, least favourable separation"),
    Claim("log gaps lose where components overlap",
          "At separations up to 1.5, ordered, relative (log) and centred coordinates each lose 10% "
          "of the ESS per pass of unordered ones, or more.",
          BETANCOURT + " (the bowtie: ESS 24 of 10,000 at means +-.75)",
          bounded_loss, "below", 0.9, "ESS per pass, log gap / unordered, least loss"),
    Claim("log gaps diverge where components overlap",
          "At separations up to 1.5, ordered, relative (log) and centred coordinates each have at "
          "least one divergence in 1,000 draws more than unordered ones.",
          BETANCOURT, bounded_divergences, "above", 1.0,
          "more divergences per 1,000 draws, least favourable"),
    Claim("divergences lie at gap -> 0",
          "Divergent draws of log gaps have a gap below a tenth of a standard deviation more often "
          "than all draws.",
          BETANCOURT, divergences_at_boundary, "above", 0.0, "difference of shares"),
    Claim("ordered is relative",
          "PyMC's ordered transform and relative coordinates with a log gap are one sampler: ESS "
          "per pass and passes differ by less than 10%.",
          "both are mu_1 and log(mu_2 - mu_1), with the same prior",
          same_sampler, "within", 0.1, "log ratio, the larger of the two"),
    Claim("centred beats relative",
          "At separation 3 and more, the midpoint beats the first mean as the companion of a log "
          "gap.",
          "orthogonality of midpoint and gap; against " + PAPER,
          centred_gain, "above", 1.0, "ESS per pass, centred / relative"),
    Claim("a low-rank mass matrix doubles the ESS",
          "At separations 1 to 3 a low-rank mass matrix at least doubles the ESS per pass, on "
          "average over the parameterizations.",
          "first trials of this project (2 to 4 times at moderate separation)",
          low_rank_gain, "above", 2.0, "ESS per pass, low rank / diagonal"),
    Claim("PyMC's sampler sees the same loss",
          "At separation 0.5 ordered means lose 10% of the ESS per pass or more in PyMC's own "
          "sampler, too.",
          "the loss is one of geometry, not of the implementation",
          loss_in_pymc, "below", 0.9, "ESS per pass, ordered / unordered"),
    Claim("agreeing chains are right",
          "Of the runs in ordered means with sorted R-hat below 1.05, at most 5% have a posterior "
          "mean half a posterior sd off the reference.",
          "Vehtari et al. 2021 on what R-hat is for",
          misled, "below", 0.05, "share of agreeing runs"),
)  # fmt: skip


# --- the map: which parameterization is best ------------------------------------------------------

WINS, TIES, OPEN, NONE = "wins", "ties", "open", "none"


class Contest(NamedTuple):
    """Which parameterization is best in one setting.

    Parameters
    ----------
    best : str or None
        The largest geometric mean of the ESS per pass among those whose chains agree in 90% of
        the runs and that have a run on every data set; None if there is none.
    outcome : str
        ``wins`` if its simultaneous interval excludes all others of them, ``ties``, ``open``
        with fewer than 20 data sets, ``none``.
    rivals : tuple of str
        Others that may be the best; empty unless it ties.
    share : dict of str to float
        ESS per pass of each parameterization over that of the best (of the largest, if none).
    agree : dict of str to bool
        Whether its chains agree in 90% of its runs.
    """

    best: str | None
    outcome: str
    rivals: tuple[str, ...]
    share: dict[str, float]
    agree: dict[str, bool]


def contest(rows: pd.DataFrame) -> Contest:
    """The contest of all parameterizations on the data sets of one setting."""
    logs = np.log(rows.pivot(index="replicate", columns="parameterization", values="ess_per_pass"))
    average = logs.mean(skipna=False)
    agree = (rows.groupby("parameterization")["agrees"].mean() >= CONVERGED_SHARE).to_dict()
    able = [name for name in average.dropna().index if agree[name]]
    shares = np.exp(average - (average[able] if able else average).max()).to_dict()
    if not able:
        return Contest(None, NONE, (), shares, agree)
    leader = average[able].idxmax()
    if len(logs) < LEAST_SEEDS:
        return Contest(leader, OPEN, (), shares, agree)
    if len(able) == 1:
        return Contest(leader, WINS, (), shares, agree)
    found = winner({name: logs[name] for name in able})
    outcome = TIES if found.name == TIE else WINS
    return Contest(leader, outcome, found.tied[1:], shares, agree)


def contests(table: pd.DataFrame) -> dict[tuple[str, float, int, float], Contest]:
    """The map: a contest for each sampler of nutpie, weight, n and separation."""
    found = {}
    for sampler in (DIAGONAL, LOW_RANK):
        settings = runs(table, sampler).groupby(["weight", "n", "separation"])
        for (weight, n, separation), rows in settings:
            found[sampler, float(weight), int(n), float(separation)] = contest(rows)
    return found


# --- figures --------------------------------------------------------------------------------------

STYLES = looks(SAMPLED)
OPACITY = {WINS: 0.7, TIES: 0.35, OPEN: 0.12, NONE: 0.0}
ROW = "sorted ESS per 1,000 passes"
BRACKETS = "brackets: chains agree in under 90% of the runs"


def best_figure(result: StudyResult) -> Figure:
    """The map: the best parameterization over separation x n."""
    found = contests(result.table)
    settings = list(dict.fromkeys((sampler, weight) for sampler, weight, _, _ in found))
    settings.sort(key=lambda panel: (panel[0] != DIAGONAL, -panel[1]))
    ns = {panel: sorted({n for s, w, n, _ in found if (s, w) == panel}) for panel in settings}
    columns = sorted({separation for *_, separation in found})
    heights = [len(ns[panel]) + 0.7 for panel in settings] or [1]
    size = (8.4, 0.8 + 0.52 * sum(heights))
    figure, grid = panels(len(heights), 1, size, height_ratios=heights)
    grid = grid[:, 0]
    if not settings:
        nothing(grid[0])
    for axes, panel in zip(grid, settings, strict=False):
        _best_panel(axes, found, panel, ns[panel], columns)
    grid[-1].set_xlabel(
        "separation of the means / sigma      strong colour: wins; pale: ties; "
        "palest: under 20 data sets;\n"
        "none: no parameterization has all its runs, with agreeing chains in 90% of them"
    )
    return figure


def _best_panel(
    axes: Axes, found: Mapping[Any, Contest], panel: Any, ns: list[int], columns: list[float]
) -> None:
    for row, n in enumerate(ns):
        for column, separation in enumerate(columns):
            one = found.get((*panel, n, separation))
            if one is None:
                continue
            color = STYLES[one.best].color if one.best else "white"
            axes.fill_between(
                [column - 0.48, column + 0.48], row - 0.47, row + 0.47,
                color=color, alpha=OPACITY[one.outcome], linewidth=0,
            )  # fmt: skip
            axes.text(column, row, _caption(one), ha="center", va="center", fontsize=6.5)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(ns) - 0.5, -0.5), ylabel="n")
    axes.set_xticks(range(len(columns)), [f"{value:g}" for value in columns])
    axes.set_yticks(range(len(ns)), [f"{n:,}" for n in ns])
    axes.tick_params(length=0)
    axes.set_title(f"{panel[0]}, lower weight {panel[1]:g}", fontsize=9, loc="left")


def _caption(one: Contest) -> str:
    if one.best is None:
        return "none"
    notes = {WINS: "\nwins", TIES: f"\nties with {len(one.rivals)}", OPEN: ""}
    return short(one.best).replace(" ", "\n") + notes[one.outcome]


def loss_figure(result: StudyResult) -> Figure:
    """ESS per pass of every parameterization as a percentage of the best one's, equal weights."""
    found = contests(result.table)
    settings = sorted({(s, n) for s, weight, n, _ in found if weight == 0.5})
    count = -(-max(len(settings), 1) // 2)
    figure, grid = panels(count, 2, (8.4, 0.8 + 3.2 * count), sharex=True, sharey=True)
    columns = sorted({separation for *_, separation in found})
    for axes, (sampler, n) in zip(grid.flat, settings, strict=False):
        chosen = {at: found.get((sampler, 0.5, n, at)) for at in columns}
        shares = {at: one.share if one else {} for at, one in chosen.items()}
        texts = {at: {name: _percent(one, name) for name in SAMPLED} for at, one in chosen.items()}
        values = 100 * pd.DataFrame(shares, index=SAMPLED)
        heat(axes, values, pd.DataFrame(texts, index=SAMPLED), "cividis", (0, 100))
        axes.set_title(f"{sampler}, n = {n:,}", fontsize=9, loc="left")
    for axes in grid.flat[len(settings) :]:
        axes.set_visible(False)
    words = f"{SEPARATION}\nnumbers: % of the best one's ESS per pass; {BRACKETS}"
    figure.supxlabel(words, fontsize=9)
    return figure


def _percent(one: Contest | None, name: str) -> str:
    if one is None or not np.isfinite(one.share.get(name, np.nan)):
        return ""
    number = f"{100 * one.share[name]:.0f}"
    return number if one.agree[name] else f"({number})"


def _against_separation(
    axes: Axes, rows: pd.DataFrame, label: str, names: Sequence[str] = SAMPLED, **options: Any
) -> None:
    """Means of the column ``value`` for these parameterizations."""
    curves(axes, rows, "value", "parameterization", {n: STYLES[n] for n in names}, **options)
    axes.set_ylabel(label)


def efficiency_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes against the separation, with 95% intervals over data sets."""
    figure, grid = panels(1, 2, (8.4, 5.0), sharey=True)
    for axes, sampler in zip(grid[0], (DIAGONAL, LOW_RANK), strict=True):
        rows = main(result.table, sampler)
        _against_separation(axes, rows.assign(value=1000 * rows["ess_per_pass"]), "", log=True)
        axes.set_title(f"{sampler}, n = 200, equal weights", fontsize=9, loc="left")
    grid[0, 0].set_ylabel(ROW)
    return legend(figure, grid, 5)


def labels_figure(result: StudyResult) -> Figure:
    """Switching within and between chains, and R-hat before and after sorting."""
    names, rows = ("unordered", "signed", "moment", "ordered"), main(result.table)
    measures = {
        "switching_rate": "label switches per draw",
        "chain_disagreement": "disagreement between chains",
        "raw_rhat": "R-hat as drawn",
        "rhat": "R-hat, sorted",
    }
    figure, grid = panels(2, 2, (8.4, 6.2), sharex=True)
    for axes, (column, label) in zip(grid.flat, measures.items(), strict=True):
        one = rows.assign(value=rows[column])
        _against_separation(axes, one, label, names, log="rhat" in column)
        if "rhat" in column:
            mark(axes, AGREE)
            axes.set_yscale("linear")
    grid[1, 1].sharey(grid[1, 0])
    return legend(figure, grid)


def boundary_figure(result: StudyResult) -> Figure:
    """Divergences and the mass at small gaps."""
    rows = main(result.table)
    figure, grid = panels(1, 2, (8.4, 4.8))
    left, right = grid[0]
    divergences = rows.assign(value=rows["divergences_per_1000"])
    _against_separation(left, divergences, "divergences per 1,000 draws")
    left.set_yscale("symlog", linthresh=1)
    left.set_ylim(bottom=-0.1)
    small = rows.assign(value=rows["gap_mass"])
    _against_separation(right, small, "share of draws with gap < 0.1 sd")
    return legend(figure, grid, 5)


def accuracy_figure(result: StudyResult) -> Figure:
    """Error of posterior means against the reference, and what the ESS promises."""
    rows = errors(result.table)
    rows = rows[(rows["n"] == 200) & (rows["weight"] == 0.5)]
    rows = rows.assign(value=rows["error"].clip(lower=1e-3))  # means are kept to 4 decimals
    figure, grid = panels(1, 2, (8.4, 4.8))
    left, right = grid[0]
    _against_separation(left, rows, "largest error of a posterior mean / posterior sd", log=True)
    rows = rows.assign(value=rows["value"] * np.sqrt(rows["ess"]))
    _against_separation(right, rows, "the same in standard errors, 1 / sqrt(ESS)", log=True)
    return legend(figure, grid, 5)


def real_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes on the shipped data sets, coloured by share of a set's largest."""
    table = result.table[result.table["data"] != "simulated"]
    sets = [name for name in shipped() if name in set(table["data"])]
    figure, grid = panels(1, 2, (8.4, 4.6), sharey=True)
    for axes, sampler in zip(grid[0], (DIAGONAL, LOW_RANK), strict=True):
        cells = {
            data: {name: _real(table, sampler, name, data) for name in SAMPLED} for data in sets
        }
        found = pd.DataFrame(cells, index=SAMPLED)
        values, texts = (found.map(lambda cell, at=at: cell[at]) for at in (0, 1))
        heat(axes, 100 * values / values.max(), texts, "cividis", (0, 100))
        axes.set_title(sampler, fontsize=9, loc="left")
    figure.supxlabel(f"{ROW}; {BRACKETS}", fontsize=9)
    return figure


def _real(table: pd.DataFrame, sampler: str, name: str, data: str) -> tuple[float, str]:
    rows = runs(table, sampler, data=data, parameterization=name)
    if rows.empty:
        return np.nan, ""
    value = 1000 * float(np.exp(np.log(rows["ess_per_pass"]).mean()))
    text = f"{value:.2g}" if value < 10 else f"{value:.0f}"
    return value, text if rows["agrees"].mean() >= CONVERGED_SHARE else f"({text})"


def coverage_figure(result: StudyResult) -> Figure:
    """Coverage of the truth by sorted 90% intervals, equal weights."""
    figure, grid = panels(1, 3, (8.4, 4.0), sharey=True)
    for axes, n in zip(grid[0], (50, 200, 1000), strict=True):
        rows = runs(result.table, n=n, weight=0.5)
        names = ("unordered", "ordered", "moment")
        _against_separation(axes, rows.assign(value=rows["coverage"]), "", names)
        mark(axes, 0.9)
        axes.set_title(f"n = {n:,}", fontsize=9, loc="left")
    grid[0, 0].set_ylabel("share of true parameters covered")
    return legend(figure, grid)


# --- findings -------------------------------------------------------------------------------------


SENTENCES: dict[str, Words] = {
    "without order chains disagree": (
        f"As drawn, unordered chains disagree on {SHARE} of the data sets at separation 3 or more."
    ),
    "order cures label switching": (
        f"Ordering cures that on {SHARE} of them.",
        f"Ordering cures that on only {SHARE} of them.",
        f"Ordering cures that on {SHARE} of them, too few or too mixed to decide.",
    ),
    "sorting afterwards is as good": (
        "Sorting unordered draws afterwards is as good at every separation: at the least "
        f"favourable one it has {RATIO} times the ESS per pass of ordering.",
        "Sorting unordered draws afterwards is not as good everywhere: at the least favourable "
        f"separation it has {RATIO} times the ESS per pass of ordering.",
        "Whether sorting unordered draws afterwards is as good everywhere is open: at the least "
        f"favourable separation it has {RATIO} times the ESS per pass of ordering.",
    ),
    "log gaps lose where components overlap": (
        "Where components overlap (separation up to 1.5) every log gap loses: the best of them "
        f"has {RATIO} times the ESS per pass of unordered means.",
        "Where components overlap (separation up to 1.5) not every log gap loses a tenth: the "
        f"best of them has {RATIO} times the ESS per pass of unordered means.",
        "Where components overlap (separation up to 1.5) the loss of log gaps is undecided: the "
        f"best of them has {RATIO} times the ESS per pass of unordered means.",
    ),
    "log gaps diverge where components overlap": (
        "They diverge there, the least affected {0:.1f} times in 1,000 draws more than unordered "
        "means.",
        "They hardly diverge more there: the least affected {0:.1f} times in 1,000 draws.",
        "How much more they diverge there is undecided: the least affected {0:.1f} [{1:.1f}, "
        "{2:.1f}] times in 1,000 draws.",
    ),
    "centred beats relative": (
        f"Well separated, the midpoint beats the first mean as companion of the gap ({RATIO}).",
        f"Well separated, the midpoint does not beat the first mean as companion of the gap "
        f"({RATIO}).",
        f"Well separated, midpoint and first mean do not differ clearly ({RATIO}).",
    ),
    "a low-rank mass matrix doubles the ESS": (
        f"A low-rank mass matrix has {RATIO} times the ESS per pass at separations 1 to 3."
    ),
}


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(
        result,
        _on_size,
        lambda result: by_outcome(result.verdicts, SENTENCES),
        _on_map,
        _on_real_data,
    )


def _on_size(result: StudyResult) -> Iterator[str]:
    table = result.table
    simulated = table[table["data"] == "simulated"][list(CELL)].drop_duplicates()
    real = set(table["data"]) - {"simulated"}
    yield f"{len(table):,} runs on {len(simulated):,} simulated and {len(real)} real data sets."


def _on_map(result: StudyResult) -> Iterator[str]:
    """The row of the map that has 20 data sets, in words."""
    words, least = [], []
    for separation, rows in main(result.table).groupby("separation"):
        one = contest(rows)
        if one.outcome in (OPEN, NONE):
            continue
        how = f"ties with {len(one.rivals)}" if one.outcome == TIES else "wins"
        words.append(f"{separation:g} {short(one.best)} ({how})")
        least.append(np.nanmin(list(one.share.values())))
    if words:
        yield (
            f"Best by separation at n = 200 and equal weights: {', '.join(words)}; the worst "
            f"choice has {min(least):.0%} to {max(least):.0%} of the best one's ESS per pass."
        )


def _on_real_data(result: StudyResult) -> Iterator[str]:
    best = {}
    for data in shipped():
        rows = runs(result.table, data=data)
        rows = rows[rows["agrees"]]
        average = np.log(rows["ess_per_pass"]).groupby(rows["parameterization"]).mean()
        if len(average):
            best[data] = short(average.idxmax())
    if best:
        told = ", ".join(f"{data} {name}" for data, name in best.items())
        yield f"On real data the largest average among agreeing chains, without a test: {told}."


# --- the grid -------------------------------------------------------------------------------------

SIMULATED: dict[str, Any] = {
    "data": ("simulated",),
    "separation": SEPARATIONS,
    "n": (50, 200, 1000),
    "weight": (0.5, 0.3, 0.1),
    "parameterization": PARAMETERIZATIONS,
    "sampler": (DIAGONAL,),
    "replicate": range(5),
}
MAIN = {**SIMULATED, "n": (200,), "weight": (0.5,), "replicate": range(20)}
REAL = {
    **SIMULATED,
    **dict.fromkeys(("separation", "n", "weight"), (None,)),
    "data": shipped(),
    "sampler": (DIAGONAL, LOW_RANK),
    "replicate": range(3),
}
LONG = {"parameterization": ("signed",), "sampler": (REFERENCE,)}
SIX = {"parameterization": ("unordered", "ordered", LOG), "separation": (0.5, 4.0)}
SMALL = {"parameterization": ("unordered", "ordered"), "replicate": range(2)}
SIZES = {
    "smoke": (
        {**MAIN, **SMALL, "separation": (0.5, 3.0)},
        {**REAL, **SMALL, "data": ("acidity",), "sampler": (DIAGONAL,)},
    ),
    "laptop": (
        SIMULATED,
        MAIN,
        {**MAIN, "sampler": (LOW_RANK,)},
        {**MAIN, **SIX, "sampler": (PYMC,), "replicate": range(5)},
        {**MAIN, **LONG},
        REAL,
    ),
    "cluster": (
        {**SIMULATED, "sampler": (DIAGONAL, LOW_RANK), "replicate": range(100)},
        {**MAIN, **SIX, "sampler": (PYMC,)},
        {**SIMULATED, **LONG, "replicate": range(100)},
        {**REAL, "replicate": range(20)},
    ),
}

OPENING = Opening(
    answer={
        "sorting afterwards is as good": (
            "Sample unordered means and sort afterwards: that has at least {0:.2f} [{1:.2f}, "
            "{2:.2f}] times the ESS per pass of ordered means, with a diagonal mass matrix.",
            "Sorting unordered draws afterwards loses: {0:.2f} [{1:.2f}, {2:.2f}] of the ESS per "
            "pass of ordered means where it is worst.",
            "Whether sorting unordered draws afterwards is as good as ordered means is undecided.",
        ),
        "order cures label switching": (
            "Ordering cures label switching.",
            "Ordering does not cure label switching everywhere: chains agree on {0:.0%} [{1:.0%}, "
            "{2:.0%}] of the sets where unordered ones do not.",
            "Whether ordering cures label switching is undecided.",
        ),
    },
    chief=(
        "sorting afterwards is as good",
        "log gaps lose where components overlap",
        "sorting cures more than order",
    ),
)


study = Study(
    name="label_switching",
    question="Which coordinates should NUTS have for a mixture, and does ordering cure anything?",
    source=f"{BETANCOURT}; {PAPER}; Stephens 2000",
    factors={
        "data": ("simulated", *shipped()),
        "separation": (None, *SEPARATIONS),
        "n": (None, 50, 200, 1000),
        "weight": (None, 0.5, 0.3, 0.1),
        "parameterization": PARAMETERIZATIONS,
        "sampler": tuple(SAMPLERS),
        "replicate": range(20),
    },
    sizes=SIZES,
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={
        "best": best_figure,
        "loss": loss_figure,
        "efficiency": efficiency_figure,
        "labels": labels_figure,
        "boundary": boundary_figure,
        "accuracy": accuracy_figure,
        "real": real_figure,
        "coverage": coverage_figure,
    },
    findings=findings,
    skip=skip,
    structure=("parameterization",),
)
