"""Does one sampler, or one set of coordinates, never lose, and what does ordering cost a user?

Weights, means and scales are free, under the prior that a user gets (adaptive) or the fixed one of
the other studies; all coordinates carry the same prior exactly. Components have unit scales,
neighbours are a separation apart, ``weight`` is that of the lowest and the others share the rest.
A run is 4 chains of 1,000 + 2,000 draws of NUTS, or 1,000 + 6,000 sweeps of Gibbs sampling, from
random starts that all contenders share. Adaptation is that of the mass matrix: diagonal, low rank,
or dense (nutpie's low rank that keeps every eigenvalue off 1 by 5%).

ESS per pass is the smallest sorted bulk ESS over the passes after warm-up, and is compared only on
data sets where both runs have converged: a sorted R-hat of at most 1.01. Runs that have not are
counted and averaged nowhere. Passes to convergence, warm-up included, stand apart: those at the
first of eight checkpoints from which sorted R-hat stays at or below 1.01.

The ``pilot`` is no run of its own: 250 sweeps of Gibbs sampling, whose rate is the share of the
information that is missing, choose the run. Where the last 200 of them are worth at least 0.4
effective draws each, it is Gibbs sampling; down to 0.1, NUTS in signed coordinates, else in those
of the moments with pooled gaps, both with a dense mass matrix. The sweeps are charged to it. The
rule, its thresholds and the pooled gaps were fixed on other data sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import factorial
from typing import TYPE_CHECKING, Any

import arviz_stats
import numpy as np
import pandas as pd

from ordered_mix.data import simulate
from ordered_mix.draws.chain_measures import chain_measures
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.rhat import RHAT_THRESHOLD, reached, rhat, rhat_path
from ordered_mix.engine.tables import four_digits
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Study, seed_of
from ordered_mix.study.drawing import curves, heat, legend, looks, panels, short
from ordered_mix.study.effects import difference_of_shares, extreme, from_logs, mean, rows_of, share
from ordered_mix.study.sentences import RATIO, Words, amounts, by_outcome, measured, paragraph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

PROJECT = "a question of this project"
BETANCOURT = "Betancourt 2017, Identifying Bayesian mixture models"
LOG, POSITIVE = "relative(link=log)", "moment(signed=False)"
POOLED = "moment(gap=pooled)"
COORDINATES = ("unordered", "ordered", LOG, "signed", POSITIVE, POOLED, "sheared", "Gibbs")
NONE = "none"
ADAPTATIONS = ("diagonal", "low_rank", "dense", NONE)
PRIORS = ("adaptive", "fixed")
SEPARATIONS = (0.0, 1.0, 2.0, 4.0, 8.0)
WEIGHTS = (0.5, 0.3, 0.1)
THIRD = 0.3333
OVERLAP, APART = (0.0, 1.0, 2.0), (4.0, 8.0)
CHAINS = 4
DRAWS, TUNE = 2000, 1000
SWEEPS = 6000
PILOT, SETTLED = 250, 50
PILOT_ESS = (0.1, 0.4)
CHECKPOINTS = 8
TARGET = 1000
SETTING = ("prior", "separation", "weight")
SET = (*SETTING, "n", "k", "replicate")
GIBBS, SIGNED, BEST = "Gibbs, none", "signed, dense", f"{POOLED}, dense"
PILOTED = (GIBBS, SIGNED, BEST)
KNOWN = (
    *(f"{name}, {one}" for name in ("unordered", "ordered") for one in ADAPTATIONS[:3]),
    SIGNED, f"{POSITIVE}, dense", GIBBS,
)  # fmt: skip
LEAST_SETS = 5


def cell(
    seed: int,
    coordinates: str,
    adaptation: str,
    prior: str,
    separation: float,
    weight: float,
    n: int,
    k: int,
    replicate: int,
) -> list[dict[str, Any]]:
    """One run of one contender on one data set."""
    shared = {"separation": separation, "weight": weight, "n": n, "k": k, "replicate": replicate}
    w = np.append(weight, np.full(k - 1, (1 - weight) / (k - 1)))
    truth = Mixture(w, separation * np.arange(k, dtype=np.float64), np.ones(k))
    data = simulate(truth, n, seed_of("data", **shared))
    starts = initial_mixtures(data, k, CHAINS, "random", seed_of("starts", **shared))
    gibbs = coordinates == "Gibbs"
    name = "unordered" if gibbs else coordinates
    model = catalog.parameterization(name, k, default_prior(data, prior))
    sampler: Any = Gibbs(draws=SWEEPS, tune=TUNE)
    if not gibbs:
        sampler = NUTS(draws=DRAWS, tune=TUNE, adaptation=adaptation)
    draws = sampler.sample(model, data, starts, seed % 2**31)
    row = measures(draws) | invariant(draws, data.y) | labels(draws.mixture)
    row["pilot_ess"] = pilot_ess(draws) if gibbs else None
    kept = (type(None), int)
    return [{key: v if isinstance(v, kept) else four_digits(v) for key, v in row.items()}]


def measures(draws: Draws) -> dict[str, Any]:
    """ESS, R-hat, divergences and cost, as drawn and sorted."""
    mixture, statistics = draws.mixture, draws.statistics
    steps = statistics["n_steps"].to_numpy()
    diverging = np.zeros(steps.shape, dtype=bool)
    if "diverging" in statistics:
        diverging = statistics["diverging"].to_numpy()
    found = chain_measures(mixture.w, mixture.mu, mixture.sigma, diverging)
    passes, warmup = int(draws.passes.sum()), int(draws.warmup_passes.sum())
    ascending = mixture.sorted()
    values = {name: getattr(ascending, name) for name in ("w", "mu", "sigma")}
    first = reached(rhat_path(values, steps, warmup, CHECKPOINTS))
    return {
        "ess": found.ess,
        "rhat": found.rhat,
        "raw_rhat": found.raw_rhat,
        "passes": passes,
        "warmup_passes": warmup,
        "converged_passes": None if first is None else first.passes,
        "seconds": draws.seconds * passes / (passes + warmup),
        "divergences_per_1000": 1000 * found.divergence_rate,
        "switching_rate": found.switching_rate,
    }


def invariant(draws: Draws, y: np.ndarray) -> dict[str, Any]:
    """Smallest ESS and largest R-hat of the log likelihood, the mean and the density at points."""
    pointwise = draws.tree["log_likelihood"]["y"].to_numpy()
    at = np.argsort(y)[[len(y) // 10, len(y) // 2, len(y) - 1 - len(y) // 10]]
    values = [pointwise.sum(axis=-1), draws.mixture.mean(), *np.moveaxis(pointwise[..., at], -1, 0)]
    ess = [float(arviz_stats.ess(one, chain_axis=0, draw_axis=1)) for one in values]
    return {"invariant_ess": min(ess), "invariant_rhat": max(map(rhat, values))}


def labels(mixture: Mixture) -> dict[str, Any]:
    """Mean share of the orders of the means that a chain visits."""
    order = mixture.order("mu")
    seen = [len(np.unique(chain, axis=0)) for chain in order]
    return {"visited": float(np.mean(seen)) / factorial(mixture.k)}


def pilot_ess(draws: Draws) -> float:
    """Effective draws for a sweep among the first ones of warm-up."""
    early = draws.tree["warmup_posterior"].isel(draw=slice(SETTLED, PILOT))
    w, mu, sigma = (early[name].to_numpy() for name in ("w", "mu", "sigma"))
    return chain_measures(w, mu, sigma, np.zeros(mu.shape[:2], dtype=bool)).ess / mu[..., 0].size


def skip(
    coordinates: str, adaptation: str, separation: float, weight: float, k: int, **rest: Any
) -> str | None:
    """Combinations that mean nothing."""
    if (coordinates == "Gibbs") != (adaptation == NONE):
        return "Gibbs sampling, and it alone, has no mass matrix"
    if (weight == THIRD) != (k == 3):
        return "three components have equal weights here, two another one"
    if separation == 0 and weight not in (0.5, THIRD):
        return "coincident components have no weights"
    return None


# --- the table ------------------------------------------------------------------------------------


def runs(table: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """Runs with the contender's name, whether they converged, and their logs; the pilot's, too.

    Parameters
    ----------
    table : DataFrame
    **where
        Values of columns; n = 200 and two components unless given.
    """
    needed = (
        "ess", "rhat", "raw_rhat", "invariant_ess", "passes", "warmup_passes", "converged_passes",
        "seconds", "divergences_per_1000", "visited", "pilot_ess",
    )  # fmt: skip
    rows = rows_of(table, needed, **{"n": 200, "k": 2, **where})
    rows = rows.assign(contender=rows["coordinates"] + ", " + rows["adaptation"])
    rows = pd.concat([rows, piloted(rows)], ignore_index=True)
    effective = rows["passes"] / rows["ess"]
    return rows.assign(
        converged=rows["rhat"] <= RHAT_THRESHOLD,
        rate=1000 / effective,
        log_rate=-np.log(effective),
        log_invariant=np.log(rows["invariant_ess"] / rows["passes"]),
        log_speed=np.log(rows["ess"] / rows["seconds"]),
        log_needed=np.log(rows["warmup_passes"] + TARGET * effective),
        log_converged=np.log(rows["converged_passes"].astype(float)),
    )


def piloted(rows: pd.DataFrame) -> pd.DataFrame:
    """The run that the pilot chooses on each data set, charged with the pilot."""
    gibbs, apart, overlapping = (
        rows[rows["contender"] == name].set_index(list(SET)) for name in PILOTED
    )
    both = gibbs.index.intersection(apart.index).intersection(overlapping.index)
    gibbs, (low, high) = gibbs.loc[both], PILOT_ESS
    measured = gibbs["pilot_ess"]
    found = pd.concat([
        gibbs[measured >= high],
        apart.loc[both][measured.between(low, high, inclusive="left")],
        overlapping.loc[both][measured < low],
    ])  # fmt: skip
    cost = gibbs["seconds"] / gibbs["passes"] * CHAINS * PILOT
    found = found.assign(
        passes=found["passes"] + CHAINS * PILOT, seconds=found["seconds"] + cost[found.index]
    )
    return found.assign(contender="pilot").reset_index()


def wide(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column by data set and contender, NaN where a run has not converged."""
    values = rows.assign(value=rows[column].where(rows["converged"]))
    return values.pivot(index=list(SET), columns="contender", values="value")


def ratio(
    table: pd.DataFrame, top: str, bottom: str, column: str = "log_rate", **where: Any
) -> pd.Series:
    """Log ratios of two contenders on the data sets where both have converged."""
    both = wide(runs(table, **where), column)
    return (both[top] - both[bottom]).dropna()


def by_setting(logs: pd.Series) -> list[np.ndarray]:
    """One sample for each prior, separation and weight with enough data sets."""
    groups = (part.to_numpy() for _, part in logs.groupby(list(SETTING)))
    return [values for values in groups if len(values) >= LEAST_SETS]


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """ESS per pass over that of the best, by contender (rows), prior, separation and weight.

    The best has the largest mean among those that converge on at least half of the data sets.
    Geometric means over the data sets where both have converged, at least five of them.
    """
    found = {}
    for setting, part in wide(runs(table), "log_rate").groupby(list(SETTING)):
        regular = part.loc[:, part.notna().mean() >= 0.5]
        if not regular.empty:
            off = part.sub(part[regular.mean().idxmax()], axis=0)
            found[setting] = np.exp(off.mean().where(off.notna().sum() >= LEAST_SETS))
    return pd.DataFrame(found, columns=pd.MultiIndex.from_tuples(found, names=SETTING))


def converging(table: pd.DataFrame) -> pd.DataFrame:
    """Share of runs that converge, by contender (rows), prior, separation and weight."""
    return runs(table).groupby(["contender", *SETTING])["converged"].mean().unstack(SETTING)


# --- effects of the claims ------------------------------------------------------------------------


def order_ratio(
    table: pd.DataFrame, adaptation: str, column: str = "log_rate", **where: Any
) -> Effect:
    """Ordered over unordered means in the overlap."""
    names = (f"ordered, {adaptation}", f"unordered, {adaptation}")
    return from_logs(mean(ratio(table, *names, column, separation=OVERLAP, **where)))


def order_converges(table: pd.DataFrame, adaptation: str, prior: str) -> Effect:
    """Share of ordered less that of unordered runs that converge in the overlap."""
    rows = runs(table, separation=OVERLAP, prior=prior)
    both = rows.pivot(index=list(SET), columns="contender", values="converged")
    pair = both[[f"ordered, {adaptation}", f"unordered, {adaptation}"]].dropna().astype(bool)
    return difference_of_shares(*pair.to_numpy().T)


def narrowing(table: pd.DataFrame, adaptation: str, prior: str) -> Effect:
    """The ratio of ordered to unordered means with a mass matrix, over that with a diagonal one."""
    new, old = (
        ratio(table, f"ordered, {one}", f"unordered, {one}", separation=OVERLAP, prior=prior)
        for one in (adaptation, "diagonal")
    )
    return from_logs(mean((new - old).dropna()))


def least(table: pd.DataFrame, name: str, rivals: tuple[str, ...] = (), **where: Any) -> Effect:
    """ESS per pass of a contender over each other one, where that is least."""
    both = wide(runs(table, **where), "log_rate")
    others = rivals or [other for other in both if other != name]
    logs = [(both[name] - both[other]).dropna() for other in others]
    return from_logs(extreme([values for one in logs for values in by_setting(one)], min))


def leading(table: pd.DataFrame) -> Effect:
    """`least` of the contender whose worst share of the best is largest in this table."""
    return least(table, leader(table))


def leader(table: pd.DataFrame) -> str:
    """The contender whose worst share is largest, of those judged in every setting."""
    return str(shares(table).min(axis=1, skipna=False).idxmax())


def diverging(table: pd.DataFrame, name: str) -> Effect:
    """Divergences per 1,000 draws where they are most frequent, all runs counted."""
    rows = runs(table)
    found = rows[rows["contender"] == name].groupby(list(SETTING))["divergences_per_1000"]
    return extreme([values.to_numpy() for _, values in found if len(values) >= LEAST_SETS], max)


def most_gained(table: pd.DataFrame, top: str, bottom: str) -> Effect:
    """ESS per pass of one contender over another where that is largest."""
    return from_logs(extreme(by_setting(ratio(table, top, bottom)), max))


def gained(table: pd.DataFrame, top: str, bottom: str, column: str, **where: Any) -> Effect:
    """One contender over another, on average over data sets."""
    return from_logs(mean(ratio(table, top, bottom, column, **where)))


def cured(table: pd.DataFrame, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Of the data sets on which unordered chains disagree: ordering cures it, sorting cures it."""
    rows = runs(table, separation=APART, weight=weight, prior="adaptive", adaptation="diagonal")
    both = rows.pivot(index=list(SET), columns="coordinates", values=["raw_rhat", "rhat"]).dropna()
    both = both[both["raw_rhat", "unordered"] > RHAT_THRESHOLD] <= RHAT_THRESHOLD
    return both["rhat", "ordered"].to_numpy(), both["rhat", "unordered"].to_numpy()


def ordering_cures(table: pd.DataFrame, weight: float) -> Effect:
    """Share of those data sets on which ordered chains agree."""
    return share(cured(table, weight)[0])


def sorting_cures(table: pd.DataFrame, weight: float) -> Effect:
    """Share of those data sets on which the same unordered draws agree once sorted."""
    return share(cured(table, weight)[1])


def cures_more(table: pd.DataFrame, weight: float) -> Effect:
    """Share that sorting cures less the share that ordering cures."""
    ordering, sorting = cured(table, weight)
    return difference_of_shares(sorting, ordering)


def visits(table: pd.DataFrame) -> Effect:
    """Share of the orders of the means that an unordered chain visits, up to separation 1."""
    rows = runs(table, separation=(0.0, 1.0), prior="adaptive", coordinates="unordered")
    return mean(rows.loc[rows["adaptation"] == "diagonal", "visited"])


TWO = ("diagonal", "dense")
WORDS = {"diagonal": "a diagonal", "low_rank": "a low-rank", "dense": "a dense"}
PER_PASS = "ESS per pass, ordered / unordered"


def _headline() -> Iterator[Claim]:
    for prior in PRIORS:
        for adaptation, words in WORDS.items():
            setting = f"Under the {prior} prior with {words} mass matrix, at separations up to 2,"
            given = {"prior": prior, "adaptation": adaptation}
            yield from (
                Claim(
                    f"order costs draws, {prior}, {adaptation}, weight {weight:g}",
                    f"{setting} and with weight {weight:g}, ordered means have a smaller ESS per "
                    "pass than unordered ones.",
                    BETANCOURT, partial(order_ratio, **given, weight=weight), "below", 1.0,
                    PER_PASS,
                )
                for weight in WEIGHTS
            )  # fmt: skip
            yield Claim(
                f"order costs convergence, {prior}, {adaptation}",
                f"{setting} fewer runs in ordered means converge than in unordered ones.",
                BETANCOURT, partial(order_converges, **given), "below", 0.0,
                "difference of shares, ordered less unordered",
            )  # fmt: skip
            yield Claim(
                f"order costs passes, {prior}, {adaptation}",
                f"{setting} and with equal weights, 1,000 effective draws take more passes in "
                "ordered than in unordered means, warm-up included.",
                BETANCOURT, partial(order_ratio, **given, weight=0.5, column="log_needed"),
                "above", 1.0, "passes, ordered / unordered",
            )  # fmt: skip
            if adaptation != "diagonal":
                yield Claim(
                    f"{adaptation} narrows the cost, {prior}",
                    f"{setting} ordered means lose less against unordered ones than with a "
                    "diagonal one.",
                    PROJECT, partial(narrowing, **given), "above", 1.0,
                    f"{PER_PASS}, {adaptation} / diagonal",
                )  # fmt: skip
    sizes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"n": 50}, "50 points"),
        ({"n": 1000}, "1,000 points"),
        ({"k": 3}, "three components"),
    )
    for others, words in sizes:
        for adaptation in TWO:
            yield Claim(
                f"order costs draws, {words}, {adaptation}",
                f"With {words}, at separation 1 under the adaptive prior with {WORDS[adaptation]} "
                "mass matrix, ordered means have a smaller ESS per pass than unordered ones.",
                BETANCOURT,
                partial(order_ratio, prior="adaptive", adaptation=adaptation, **others),
                "below", 1.0, PER_PASS,
            )  # fmt: skip
    for prior in PRIORS:
        yield Claim(
            f"order costs invariant draws, {prior}",
            f"Under the {prior} prior with a diagonal mass matrix, at separations up to 2 and with "
            "equal weights, ordered means have a smaller ESS per pass of quantities without "
            "labels, too.",
            PROJECT,
            partial(
                order_ratio, adaptation="diagonal", prior=prior, weight=0.5, column="log_invariant"
            ),
            "below", 1.0, PER_PASS,
        )  # fmt: skip


def _never() -> Iterator[Claim]:
    worst = "ESS per pass over that of each other contender, where it is least"
    yield Claim(
        "one contender never loses", "The contender with the largest worst share is within 10% of "
        "the ESS per pass of every other one in every setting.",
        PROJECT, leading, "above", 0.9, worst,
    )  # fmt: skip
    for name in ("pilot", BEST, SIGNED, f"{POSITIVE}, dense"):
        yield from (
            Claim(
                f"{name} never loses, {prior}",
                f"Under the {prior} prior {name} is within 10% of the ESS per pass of every other "
                "contender in every setting.",
                PROJECT, partial(least, name=name, prior=prior), "above", 0.9, worst,
            )
            for prior in PRIORS
        )  # fmt: skip
        yield Claim(
            f"{name} does not diverge",
            f"In every setting {name} has fewer than 1 divergence in 1,000 draws.",
            PROJECT, partial(diverging, name=name), "below", 1.0,
            "divergences per 1,000 draws, where they are most frequent",
        )  # fmt: skip
    yield Claim(
        "the pilot pays", "Somewhere the pilot has at least 1.5 times the ESS per pass of signed "
        "coordinates with a dense mass matrix.",
        PROJECT, partial(most_gained, top="pilot", bottom=SIGNED), "above", 1.5,
        "ESS per pass, pilot / signed dense, where it is largest",
    )  # fmt: skip
    yield Claim(
        "the pilot costs little", "Nowhere does the pilot lose 10% of the ESS per pass of signed "
        "coordinates with a dense mass matrix.",
        PROJECT, partial(least, name="pilot", rivals=(SIGNED,)), "above", 0.9,
        "ESS per pass, pilot / signed dense, where it is least",
    )  # fmt: skip
    for prior in PRIORS:
        setting = f"Under the {prior} prior, at separations up to 2,"
        given = {"prior": prior, "separation": OVERLAP}
        yield Claim(
            f"pooled gaps win in the overlap, {prior}",
            f"{setting} pooled gaps with a dense mass matrix are within 10% of the ESS per pass of "
            "every other contender in every setting.",
            PROJECT, partial(least, name=BEST, rivals=KNOWN, **given), "above", 0.9, worst,
        )  # fmt: skip
        for rival, words in ((SIGNED, "signed dense"), ("unordered, diagonal", "the default")):
            for column, cost in (("log_rate", "pass"), ("log_speed", "second")):
                yield Claim(
                    f"pooled gaps over {words}, {prior}, per {cost}",
                    f"{setting} pooled gaps with a dense mass matrix have at least 1.5 times the "
                    f"ESS per {cost} of {rival}.",
                    PROJECT, partial(gained, top=BEST, bottom=rival, column=column, **given),
                    "above", 1.5, f"ESS per {cost}, pooled gaps / {rival}",
                )  # fmt: skip


def _switching() -> Iterator[Claim]:
    for weight in (0.5, 0.1):
        of = f"Of the data sets at separations 4 and 8 and weight {weight:g} on which unordered " \
             "chains disagree,"  # fmt: skip
        yield Claim(
            f"order cures switching, weight {weight:g}", f"{of} ordered chains agree on 95%.",
            "documentation of PyMC's ordered transform; " + BETANCOURT,
            partial(ordering_cures, weight=weight), "above", 0.95, "share of those data sets",
        )  # fmt: skip
        yield Claim(
            f"sorting cures switching, weight {weight:g}",
            f"{of} the same draws agree on 95% once they are sorted.",
            "Stephens 2000 (relabelling afterwards)",
            partial(sorting_cures, weight=weight), "above", 0.95, "share of those data sets",
        )  # fmt: skip
        yield Claim(
            f"sorting cures more, weight {weight:g}",
            f"{of} sorting afterwards cures more than ordering while sampling.",
            PROJECT, partial(cures_more, weight=weight), "above", 0.0,
            "difference of shares, sorted afterwards less ordered",
        )  # fmt: skip
    yield Claim(
        "chains switch in the overlap", "At separations up to 1 a chain in unordered coordinates "
        "visits both orders of the means.",
        "Celeux, Hurn & Robert 2000, JASA 95, 957-970", visits, "above", 0.95,
        "share of the orders that a chain visits",
    )  # fmt: skip


# --- figures and findings -------------------------------------------------------------------------


def _heats(result: StudyResult, values: Callable[[pd.DataFrame], pd.DataFrame]) -> Figure:
    found, rows = values(result.table), runs(result.table)
    figure, axes = panels(len(PRIORS), 1, (7.6, 7.6))
    for one, prior in zip(axes[:, 0], PRIORS, strict=True):
        chosen = found.loc[:, found.columns.get_level_values(0) == prior]
        chosen = chosen.dropna(how="all")
        chosen.columns = [f"{place:g}, {weight:g}" for _, place, weight in chosen.columns]
        heat(one, 100 * chosen, "{:.0f}".format, colours="cividis", limits=(0, 100))
        one.set_title(f"{prior} prior", loc="left", fontsize=9)
    axes[-1, 0].set_xlabel(f"separation, weight ({len(rows):,} runs)")
    return figure


def share_figure(result: StudyResult) -> Figure:
    """ESS per pass as a percentage of the best contender's, where both have converged."""
    return _heats(result, shares)


def convergence_figure(result: StudyResult) -> Figure:
    """Percentage of runs that converge."""
    return _heats(result, converging)


def order_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes of converged runs at equal weights, by prior and mass matrix."""
    rows = runs(result.table, weight=0.5)
    rows = rows[rows["converged"] & (rows["contender"] != "pilot")]
    names = ("unordered", "ordered", "signed")
    figure, axes = panels(len(PRIORS), len(WORDS), (8.4, 5.4), sharey=True)
    for line, prior in zip(axes, PRIORS, strict=True):
        for one, adaptation in zip(line, WORDS, strict=True):
            chosen = rows[(rows["prior"] == prior) & (rows["adaptation"] == adaptation)]
            chosen = chosen[chosen["coordinates"].isin(names)]
            curves(one, chosen, "rate", "coordinates", looks(names), log=True)
            one.set_title(f"{prior}, {short(adaptation)}", loc="left", fontsize=9)
    axes[0, 0].set_ylabel("sorted ESS per 1,000 passes")
    return legend(figure, axes)


def _order(result: StudyResult) -> Iterator[str]:
    found = measured(result)
    for prior in PRIORS:
        draws = [
            f"{short(adaptation)} {RATIO.format(*found[name])}"
            for adaptation in WORDS
            if (name := f"order costs draws, {prior}, {adaptation}, weight 0.5") in found
        ]
        if draws:
            yield (
                f"Where components overlap, ordered means have this part of the ESS per pass of "
                f"unordered ones under the {prior} prior at equal weights, both converged, by mass "
                f"matrix: {', '.join(draws)}."
            )
    share = converging(result.table)
    overlap = share.loc[:, share.columns.isin(OVERLAP, level=1)].mean(axis=1)
    named = [f"{name}, {one}" for one in WORDS for name in ("ordered", "unordered")]
    yield f"Of the runs there converge: {amounts(overlap[named])}."


def _answer(result: StudyResult) -> Iterator[str]:
    share = shares(result.table)
    worst = share.min(axis=1, skipna=False).dropna().sort_values(ascending=False)
    yield from by_outcome(result.verdicts, ANSWER)
    yield (
        f"Worst share of the best contender's ESS per pass over {share.shape[1]} settings, of "
        f"those judged in all: {amounts(worst)}."
    )


ANSWER: dict[str, Words] = {
    "one contender never loses": (
        "One contender is within 10% of the best in every setting ({0:.0%} [{1:.0%}, {2:.0%}]).",
        "No contender is within 10% of the best in every setting: the nearest has {0:.0%} "
        "[{1:.0%}, {2:.0%}] of the ESS per pass of another one where it is worst.",
        "Whether one contender is within 10% of the best in every setting is undecided: the "
        "nearest has {0:.0%} [{1:.0%}, {2:.0%}] of the ESS per pass of another one where it is "
        "worst.",
    ),
}
SENTENCES: dict[str, Words] = {
    "the pilot pays": "The pilot has up to {0:.2f} [{1:.2f}, {2:.2f}] times the ESS per pass of "
    "signed coordinates with a dense mass matrix",
    "the pilot costs little": "and where it is worst {0:.2f} [{1:.2f}, {2:.2f}] times.",
    "sorting cures switching, weight 0.5": "Apart, sorting unordered draws afterwards cures "
    "{0:.0%} [{1:.0%}, {2:.0%}] of the disagreement of chains at equal weights",
    "order cures switching, weight 0.5": "and ordering {0:.0%} [{1:.0%}, {2:.0%}];",
    "sorting cures switching, weight 0.1": "at weight 0.1 it is {0:.0%} [{1:.0%}, {2:.0%}]",
    "order cures switching, weight 0.1": "against {0:.0%} [{1:.0%}, {2:.0%}].",
}


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(result, _order, _answer, lambda found: by_outcome(found.verdicts, SENTENCES))


# --- sizes ----------------------------------------------------------------------------------------

ALL_WEIGHTS = {0.0: (0.5,), 1.0: WEIGHTS, 2.0: WEIGHTS, 4.0: (0.5, 0.1), 8.0: (0.5, 0.1)}
THREE = ("diagonal", "low_rank", "dense")
OTHERS: dict[str, tuple[str, ...]] = {
    "Gibbs": (NONE,), "signed": ("dense",), POSITIVE: ("dense",), POOLED: ("dense",),
}  # fmt: skip
FEW: dict[str, tuple[str, ...]] = {
    "unordered": TWO, "ordered": TWO, "signed": ("dense",), POOLED: ("dense",), "Gibbs": (NONE,),
}  # fmt: skip


def block(contenders: dict[str, tuple[str, ...]], **given: Any) -> list[dict[str, Any]]:
    """Grids of contenders with their adaptations."""
    return [
        {"coordinates": (name,), "adaptation": adaptations, **given}
        for name, adaptations in contenders.items()
    ]


def replicate(number: int) -> list[dict[str, Any]]:
    """One data set of every setting of the main block."""
    found = []
    for prior, more in (("adaptive", {"sheared": ("dense",)}), ("fixed", {})):
        for separation, weights in ALL_WEIGHTS.items():
            adaptations = THREE if separation in OVERLAP else TWO
            contenders = {"unordered": adaptations, "ordered": adaptations, **OTHERS, **more}
            found += block(
                contenders, prior=(prior,), separation=(separation,), weight=weights, n=(200,),
                k=(2,), replicate=(number,),
            )  # fmt: skip
    return found


def outer(replicates: range) -> list[dict[str, Any]]:
    """Fewer contenders: other n, three components, and coordinates at equal weights."""
    given = {"prior": ("adaptive",), "replicate": replicates}
    once = ("signed", POSITIVE, POOLED, "sheared")
    more = {LOG: TWO, **dict.fromkeys(once, ("diagonal",))}
    ends = (1.0, 4.0)
    return [
        *block(FEW, n=(50, 1000), k=(2,), separation=ends, weight=(0.5, 0.1), **given),
        *block(FEW, n=(200,), k=(3,), separation=ends, weight=(THIRD,), **given),
        *block(more, n=(200,), k=(2,), separation=ends, weight=(0.5,), **given),
    ]


def laptop() -> list[dict[str, Any]]:
    """In the order of replicates, so that what an interrupted run leaves is whole data sets."""
    first = [grid for number in range(5) for grid in replicate(number)]
    rest = [grid for number in range(5, 20) for grid in replicate(number)]
    return first + outer(range(3)) + rest


SMOKE = {
    "prior": ("adaptive",), "separation": (1.0, 8.0), "weight": (0.5,), "n": (50,), "k": (2,),
    "replicate": range(1),
}  # fmt: skip

study = Study(
    name="never_loses",
    question="Does one sampler, or one set of coordinates, never lose, and what does ordering "
    "cost?",
    source="this project, after Betancourt 2017, Esser & Nielsen 2022 and Yu & Meng 2011",
    factors={
        "coordinates": COORDINATES,
        "adaptation": ADAPTATIONS,
        "prior": PRIORS,
        "separation": SEPARATIONS,
        "weight": (*WEIGHTS, THIRD),
        "n": (50, 200, 1000),
        "k": (2, 3),
        "replicate": range(100),
    },
    sizes={"smoke": block(FEW, **SMOKE), "laptop": laptop(), "cluster": {}},
    cell=cell,
    claims=(*_headline(), *_never(), *_switching()),
    figures={"order": order_figure, "share": share_figure, "convergence": convergence_figure},
    findings=findings,
    skip=skip,
)
