"""Is the evidence one number, whatever the coordinates or the estimator?

The evidence of K components is a property of data and prior. With priors that every
parameterization carries exactly it is the same in all coordinates, and every estimator that is
right gives it: waste-free sequential Monte Carlo (``smc``; Dau & Chopin 2022), non-reversible
parallel tempering with stepping stones (``tempering``; Syed et al. 2022), bridge sampling and
Chib's estimator averaged over labellings, both on draws of Gibbs sampling. Prior: that of the
published studies, means Normal(m, 2 sd), variances InverseGamma(2, (sd/2)^2), weights
Dirichlet(2, ..., 2), with m and sd of the data. Replicates are seeds; in a replicate the methods
share the data, not the random numbers.

Chib's estimator as first published takes labels as they come, from a single chain: off by log K!
where labels never switch, and by an amount nobody knows where they do (Neal 1999). A run of bridge
sampling that warns, because chains disagree after sorting or the proposal does not overlap, is
counted and left out.

Means are compared within a quarter of a nat, by intervals that hold together in 95%. Sizes follow
from the spread between seeds, and from nothing else, of a first run with 10 seeds (20 on
``galaxies``), which they take up: 20 everywhere, 40 where estimates spread most. If all means were
equal, claims about SMC and tempering would then be decided with a probability of about 95%.

On ``galaxies`` with three components and more the posterior has modes that are no relabelling of
each other: the three galaxies beyond 28,000 km/s have a component of their own, or they have not.
Their weights are compared between seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import lgamma
from typing import TYPE_CHECKING, Any

import arviz_stats
import numpy as np
import pandas as pd

from ordered_mix.data import Data, load
from ordered_mix.draws.bridge import bridge
from ordered_mix.draws.chib import chib
from ordered_mix.draws.draws import Draws
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.smc import SMC
from ordered_mix.samplers.tempering import Tempering
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import dots, heat, legend, looks, nothing, panels
from ordered_mix.study.effects import extreme, from_logs, furthest, mean, share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

PROJECT = "a question of this project"
COORDINATES = ("unordered", "ordered", "signed", "relative", "moment")
FOUR = ("unordered", "ordered", "signed", "moment")
SETS = {"galaxies": 6, "enzyme": 4, "acidity": 4, "faithful:waiting": 3}
SPREAD_MOST = {"galaxies": (3, 4, 5, 6), "enzyme": (3, 4)}
SMALL_SMC = SMC(particles=256, islands=16, length=8)
SMALL_TEMPERING = Tempering(draws=300, tune=160)
GIBBS = Gibbs(draws=2000)
CHAINS = 4
BEYOND = 28_000.0  # km/s: three of the galaxies
CELL = ["data", "k"]
MARGIN, LEAST = 0.25, 0.8
AS_THEY_COME = "chib, labels as they come"
Rows = list[dict[str, Any]]


def by_smc(seed: int, data: str, k: int, coordinates: str, replicate: int) -> Rows:
    """One evidence by sequential Monte Carlo."""
    sample, model = posed(data, k, coordinates)
    return [told(sample, SMALL_SMC.sample(model, sample, seed=seed % 2**31), islands=True)]


def by_tempering(seed: int, data: str, k: int, coordinates: str, replicate: int) -> Rows:
    """One evidence by parallel tempering, and how its chains went."""
    (sample, model), seed = posed(data, k, coordinates), seed % 2**31
    draws = SMALL_TEMPERING.sample(model, sample, starts(sample, k, seed), seed)
    trips = int(draws.tree["tempering"]["round_trips"].sum())
    found = {
        "barrier": draws.tree.attrs["barrier"],
        "trips_per_draw": trips / (CHAINS * SMALL_TEMPERING.draws),
    }
    return [told(sample, draws) | found]


def by_gibbs(seed: int, data: str, k: int, replicate: int) -> Rows:
    """Bridge sampling and Chib's estimator, with all labellings and with one."""
    (sample, model), seed = posed(data, k, "unordered"), seed % 2**31
    draws = GIBBS.sample(model, sample, starts(sample, k, seed), seed)
    mixture, shared = draws.mixture, {"passes": passes(draws)} | modes(sample, draws)
    found = {
        "bridge": bridge(model, sample, mixture, seed=seed),
        "chib": chib(model, sample, mixture, seed=seed),
        AS_THEY_COME: chib(model, sample, mixture[:1], labels="as they come", seed=seed),
    }
    return [
        {
            "estimator": name,
            "log_evidence": one.log_evidence,
            "stated": one.standard_error,
            "warned": bool(one.warning) and name != AS_THEY_COME,
            **shared,
        }
        for name, one in found.items()
    ]


def posed(data: str, k: int, coordinates: str) -> tuple[Data, Parameterization]:
    """A data set, and a model with its prior in the units of the data."""
    sample = load(data)
    prior = Prior().affine(float(sample.location), float(sample.scale))
    return sample, catalog.parameterization(coordinates, k, prior)


def starts(data: Data, k: int, seed: int) -> Mixture:
    """Means from the data, one mixture for each chain."""
    mu = np.random.default_rng(seed).choice(data.y, (CHAINS, k))
    return Mixture(np.full(k, 1 / k), mu, np.full((CHAINS, k), float(data.scale)))


def told(data: Data, draws: Draws, islands: bool = False) -> dict[str, Any]:
    """What a sampler that gives the evidence says of it."""
    found = draws.tree.attrs
    return {
        "log_evidence": found["log_evidence"],
        "stated": found["log_evidence_se"],
        "passes": passes(draws),
        **modes(data, draws, islands),
    }


def passes(draws: Draws) -> int:
    """Passes of warm-up and sampling together."""
    return int(draws.passes.sum() + draws.warmup_passes.sum())


def modes(data: Data, draws: Draws, islands: bool = False) -> dict[str, float]:
    """Share of the draws in which galaxies beyond 28,000 km/s have a component of their own."""
    if data.name != "galaxies" or draws.mixture.k < 3:
        return {}
    own = (draws.mixture.mu > BEYOND).any(axis=-1).astype(float)
    if islands:  # they are independent, and their particles no chain in time
        error = float(own.mean(axis=1).std(ddof=1) / np.sqrt(len(own)))
    else:
        error = float(arviz_stats.mcse(own, method="mean", chain_axis=0, draw_axis=1))
    return {"own": float(own.mean()), "own_stated": error}


# --- from the tables to effects -------------------------------------------------------------------


def unordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in unordered coordinates, as are all of Gibbs sampling."""
    return rows[rows["coordinates"] == "unordered"] if "coordinates" in rows else rows


def one_in_all_coordinates(rows: pd.DataFrame) -> Effect:
    """Largest distance of one coordinate system's mean evidence from that of the others."""
    found = []
    for _, part in rows.groupby(CELL):
        wide = part.pivot(index="replicate", columns="coordinates", values="log_evidence")
        others = {name: wide.drop(columns=name).mean(axis=1) for name in wide}
        found += [(wide[name] - others[name]).dropna().to_numpy() for name in wide]
    if not any(len(values) > 1 for values in found):
        raise ValueError("the table holds no runs of two coordinates")
    return furthest(values for values in found if len(values) > 1)


def off_smc(rows: pd.DataFrame, smc: pd.DataFrame) -> Effect:
    """Largest distance of an estimator's mean from that of SMC, in unordered coordinates."""
    both = unordered(rows).merge(unordered(smc), on=[*CELL, "replicate"], suffixes=("", "_smc"))
    both = both.assign(off=both["log_evidence"] - both["log_evidence_smc"])
    return furthest(part for _, part in both.groupby(CELL)["off"] if len(part) > 1)


def standardised(rows: pd.DataFrame, value: str, error: str) -> pd.DataFrame:
    """Deviations from the mean over seeds in stated errors, corrected for that mean."""
    rows = rows[rows[error] > 0]
    by = [name for name in (*CELL, "estimator", "coordinates") if name in rows]
    cells = rows.groupby(by)
    count = cells[value].transform("size")
    off = rows[value] - cells[value].transform("mean")
    # a mean over few seeds is drawn towards each of them
    return rows.assign(z=off / rows[error] * np.sqrt(count / (count - 1)))[count > 1]


def spread(rows: pd.DataFrame, value: str = "log_evidence", error: str = "stated") -> Effect:
    """Root mean square of z scores: spread between seeds over the stated error, as a logarithm."""
    squares = mean(standardised(rows, value, error)["z"] ** 2)
    estimate, low, high = (0.5 * np.log(np.maximum(squares[:3], 1e-6))).tolist()
    return Effect(estimate, low, high, squares.observations)


def unadjusted(table: pd.DataFrame, pairs: Sequence[tuple[str, int]]) -> Effect:
    """Distance from log K! of what Chib's estimator loses by taking labels as they come."""
    samples = []
    for data, k in pairs:
        rows = table[(table["data"] == data) & (table["k"] == k)]
        wide = rows.pivot(index="replicate", columns="estimator", values="log_evidence")
        if wide.empty:
            raise ValueError(f"the table holds no Gibbs sampling of {data} with K = {k}")
        samples.append((wide[AS_THEY_COME] + lgamma(k + 1) - wide["chib"]).to_numpy())
    return furthest(samples)


def against_unordered(wide: pd.DataFrame) -> list[np.ndarray]:
    """Log ratios of columns to that of unordered coordinates."""
    others = [name for name in COORDINATES if name != "unordered" and name in wide]
    if not others or wide.empty:
        raise ValueError("the table holds no runs in two coordinate systems")
    return [np.log(wide[name] / wide["unordered"]).to_numpy() for name in others]


def by_coordinates(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """A column by coordinates, one row for each data set, K and replicate that has all."""
    rows = rows[rows["k"] > 1]
    return rows.pivot(index=[*CELL, "replicate"], columns="coordinates", values=value).dropna()


def cost_of_coordinates(table: pd.DataFrame) -> Effect:
    """Largest log ratio of SMC's squared error times passes to that in unordered coordinates."""
    rows = table.assign(cost=table["stated"] ** 2 * table["passes"])
    wide = np.log(by_coordinates(rows, "cost")).groupby("replicate").mean()
    return furthest(against_unordered(np.exp(wide)))


def barrier_of_coordinates(table: pd.DataFrame) -> Effect:
    """The same of the barrier of tempering, its sum over data sets and K."""
    return furthest(against_unordered(by_coordinates(table, "barrier").groupby("replicate").sum()))


def trips_of_coordinates(table: pd.DataFrame) -> Effect:
    """Least ratio of all round trips to those in unordered coordinates."""
    wide = by_coordinates(table, "trips_per_draw").groupby("replicate").sum()
    return from_logs(extreme(against_unordered(wide), min))


def mode_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that say how often the galaxies beyond have a component of their own, one for a run."""
    rows = unordered(rows)
    once = rows[rows["estimator"] == "bridge"] if "estimator" in rows else rows
    return once[once["own"].notna()]


def weights_of_modes(rows: pd.DataFrame) -> Effect:
    """Spread between seeds of the weight of a mode over its stated error, as a logarithm."""
    return spread(mode_rows(rows), "own", "own_stated")


def both_modes(table: pd.DataFrame) -> Effect:
    """Share of the seeds of SMC that find both modes with every K."""
    rows = mode_rows(table)
    both = rows["own"].between(0, 1, inclusive="neither")
    return share(both.groupby(rows["replicate"]).all())


NATS = "nats, largest over data sets and K"
SPREAD = "log of the spread between seeds over the stated error"
COST = "log ratio, largest over coordinates"
SYED = "Syed, Bouchard-Côté, Deligiannidis & Doucet 2022, JRSS B 84, 321-350"
NEAL = "Neal 1999, on Chib's estimate for mixtures"
FACTOR = float(np.log(1.25))
APART = (("faithful:waiting", 2), ("enzyme", 2))
TOGETHER = (("galaxies", 4), ("galaxies", 5), ("galaxies", 6))
REACH = "{0:.2f} [{1:.2f}, {2:.2f}]"
WARNLESS = "bridge sampling that does not warn"
ESTIMATORS = {"smc": "SMC", "tempering": "tempering", "bridge": WARNLESS}


def of_bridge(effect: Callable[..., Effect]) -> Callable[..., Effect]:
    """An effect on the runs of bridge sampling that did not warn."""

    def of_those(gibbs: pd.DataFrame, *others: pd.DataFrame) -> Effect:
        kept = (gibbs["estimator"] == "bridge") & ~gibbs["warned"].astype(bool)
        return effect(gibbs[kept], *others)

    return of_those


def _one_in_all(name: str) -> Claim:
    words = ESTIMATORS[name]
    return Claim(
        f"one evidence in all coordinates, {words}",
        f"The mean evidence by {words} is the same in five coordinate systems, within a quarter "
        "of a nat.",
        PROJECT, one_in_all_coordinates, "below", MARGIN, NATS, of=(name,),
        words=(
            f"The evidence by {words} is one number in all coordinates, to {{2:.2f}} nats.",
            f"The evidence by {words} differs between coordinates, by {REACH} nats.",
            f"Whether the evidence by {words} is one number in all coordinates, to a quarter of a "
            f"nat, is undecided ({REACH} nats).",
        ),
    )  # fmt: skip


def _agree(name: str, experiment: str, effect: Callable[..., Effect]) -> Claim:
    words = ESTIMATORS[name]
    return Claim(
        f"SMC and {name} agree",
        f"The mean evidence by {words} is that by SMC, within a quarter of a nat.",
        PROJECT, effect, "below", MARGIN, NATS, of=(experiment, "smc"),
        words=f"The mean evidence by {words} is at most {REACH} nats from that by SMC.",
    )  # fmt: skip


def _honest(name: str, experiment: str, effect: Callable[..., Effect]) -> Claim:
    return Claim(
        f"the errors of {name} are right",
        f"The spread between seeds of the evidence by {ESTIMATORS[name]} is the error it states, "
        "within a factor of 1.25.",
        PROJECT, effect, "within", FACTOR, SPREAD, of=(experiment,),
        words=_factor(f"the evidence by {ESTIMATORS[name]}"),
    )  # fmt: skip


def _factor(what: str) -> tuple[str, str, str]:
    start, end = f"Stated errors of {what}", f"(log of spread over error {REACH})."
    return (
        f"{start} are right, to a factor of 1.25 {end}",
        f"{start} are wrong {end}",
        f"Whether stated errors of {what} are right, to a factor of 1.25, is undecided {end}",
    )


CLAIMS = (
    *(_one_in_all(name) for name in ("smc", "tempering")),
    _agree("tempering", "tempering", off_smc),
    _agree("bridge", "gibbs", of_bridge(off_smc)),
    _honest("smc", "smc", spread),
    _honest("tempering", "tempering", spread),
    _honest("bridge", "gibbs", of_bridge(spread)),
    Claim(
        "unadjusted, off by log K!",
        "Where labels never switch Chib's estimator with labels as they come is too low by log K!.",
        NEAL, partial(unadjusted, pairs=APART), "below", 0.1,
        "nats from log K!, faithful and enzyme, K = 2", of=("gibbs",),
        words="Where labels never switch, Chib's estimator with labels as they come is too low by "
        "log K! to {0:.3f} nats.",
    ),
    Claim(
        "log K! does not mend it",
        "Where labels switch, log K! added to Chib's estimator with labels as they come is wrong "
        "by more than a quarter of a nat.",
        NEAL, partial(unadjusted, pairs=TOGETHER), "above", MARGIN,
        "nats, galaxies, K = 4 to 6, largest", of=("gibbs",),
        words=(
            "Chib's estimator with labels as they come is wrong where labels switch, and log K! "
            "does not mend it: {0:.1f} [{1:.1f}, {2:.1f}] nats off.",
            f"Log K! mends Chib's estimator with labels as they come ({REACH} nats off).",
            f"Whether log K! mends Chib's estimator is undecided ({REACH} nats off).",
        ),
    ),
    Claim(
        "coordinates do not change the cost of SMC",
        "Squared error times passes of SMC is within a factor of 1.25 of that in unordered "
        "coordinates.",
        PROJECT, cost_of_coordinates, "below", FACTOR, COST, of=("smc",),
        words=f"Coordinates change the cost of SMC by a factor whose log is at most {REACH}.",
    ),
    Claim(
        "coordinates do not change the barrier",
        "The communication barrier of tempering is within 10% of that in unordered coordinates.",
        f"{SYED}: the barrier is that of the distributions",
        barrier_of_coordinates, "below", float(np.log(1.1)), COST, of=("tempering",),
        words="They change the barrier of tempering by a factor whose log is at most {0:.3f} "
        "[{1:.3f}, {2:.3f}].",
    ),
    Claim(
        "coordinates do not change the round trips",
        "Round trips of tempering are at least 80% of those in unordered coordinates.",
        f"{SYED}: the rate of an ideal exploration depends on the barrier alone",
        trips_of_coordinates, "above", LEAST, "ratio, least over coordinates", of=("tempering",),
        words=f"Round trips of tempering are at least {REACH} times those in unordered "
        "coordinates.",
    ),
    *(
        Claim(
            f"errors of weights of modes, {words}",
            "On galaxies with K = 3 to 6 the spread between seeds of the weight of a mode is the "
            f"error that {words} states, within a factor of 1.25.",
            PROJECT, weights_of_modes, "within", FACTOR, SPREAD, of=(name,),
            words=_factor(f"weights of modes by {words}"),
        )
        for name, words in (("smc", "SMC"), ("gibbs", "Gibbs sampling"))
    ),
    Claim(
        "all seeds find the modes",
        "More than 80% of the seeds of SMC find both modes of galaxies with every K from 3 to 6.",
        PROJECT, both_modes, "above", LEAST, "share of the seeds", of=("smc",),
        words="{0:.0%} [{1:.0%}, {2:.0%}] of the seeds of SMC find both modes of galaxies with "
        "every K.",
    ),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------


def estimates(result: StudyResult) -> pd.DataFrame:
    """Runs of every estimator that did not warn, and no labels as they come."""
    tables = result.tables
    parts = [tables[name].assign(estimator=name) for name in ("smc", "tempering")]
    gibbs = tables["gibbs"].assign(coordinates="unordered")
    if len(gibbs):
        gibbs = gibbs[~gibbs["warned"].astype(bool) & (gibbs["estimator"] != AS_THEY_COME)]
    rows = pd.concat([part for part in (*parts, gibbs) if len(part)] or [gibbs])
    model = rows["data"].str.split(":").str[0] + ", K = " + rows["k"].astype(str)
    return rows.assign(model=model).reset_index(drop=True)


def agreement_figure(result: StudyResult) -> Figure:
    """Mean evidence by estimator and coordinates less that by SMC in unordered coordinates."""
    rows = estimates(result)
    places = list(dict.fromkeys(rows["model"]))
    figure, axes = panels(1, 1, (7.5, 0.45 * max(len(places), 4) + 1.6))
    if rows.empty:
        nothing(axes[0, 0])
        return figure
    base = rows[(rows["estimator"] == "smc") & (rows["coordinates"] == "unordered")]
    level = base.groupby("model")["log_evidence"].mean()
    plain = rows["coordinates"] == "unordered"
    rows = rows.assign(
        off=rows["log_evidence"] - rows["model"].map(level),
        series=rows["estimator"].where(plain, rows["estimator"] + ", " + rows["coordinates"]),
    )
    dots(axes[0, 0], rows, "off", "series", looks(rows["series"]), "model", places)
    axes[0, 0].axvline(0, color="0.5", lw=0.8, ls="--", zorder=0)
    axes[0, 0].set_xlabel("log evidence less that by SMC, unordered (nats, 95% intervals)")
    return legend(figure, axes)


def error_figure(result: StudyResult) -> Figure:
    """Spread between seeds over the stated error, by estimator and model."""
    figure, axes = panels(1, 1, (7.0, 4.2))
    rows = estimates(result)
    if rows.empty:
        nothing(axes[0, 0])
        return figure
    found = standardised(rows, "log_evidence", "stated")
    squares = found.assign(square=found["z"] ** 2)
    grid = np.sqrt(squares.groupby(["model", "estimator"], sort=False)["square"].mean()).unstack()
    heat(axes[0, 0], grid, "{:.2f}".format, colours="coolwarm", limits=(0.0, 2.0))
    return figure


def grids(sampler: str, replicates: range, more: range) -> list[dict[str, Any]]:
    """Every data set, and more replicates where the estimates of an earlier run spread most."""
    found: list[dict[str, Any]] = []
    one = {} if sampler == "gibbs" else {"coordinates": ("unordered",)}
    for data, most in SETS.items():
        shared: dict[str, Any] = {"data": (data,), "replicate": replicates}
        found.append({**shared, "k": range(1, most + 1), **one})
        if sampler == "smc":
            names = tuple(COORDINATES) if data == "galaxies" else FOUR
            found.append({**shared, "k": range(2, most + 1), "coordinates": names})
        if sampler != "gibbs" and data in SPREAD_MOST:
            found.append({"data": (data,), "k": SPREAD_MOST[data], "replicate": more, **one})
    if sampler != "gibbs":
        in_all = range(3, 4 if sampler == "smc" else 5)
        found.append({"data": ("galaxies",), "k": in_all, "replicate": more})
    return found


SMALL = {"data": ("galaxies",), "k": (2, 3), "replicate": range(2)}
CELLS: dict[str, Callable[..., Rows]]
CELLS = {"smc": by_smc, "tempering": by_tempering, "gibbs": by_gibbs}


def _experiment(sampler: str) -> Experiment:
    own = {} if sampler == "gibbs" else {"coordinates": COORDINATES}
    two = {name: values[:2] for name, values in own.items()}
    return Experiment(
        cell=CELLS[sampler],
        factors={"data": tuple(SETS), "k": range(1, 7), **own, "replicate": range(200)},
        sizes={
            "smoke": {**SMALL, **two},
            "laptop": grids(sampler, range(20), range(40)),
            "cluster": grids(sampler, range(100), range(200)),
        },
    )


ANSWER = ("one evidence in all coordinates, SMC", "log K! does not mend it")

study = Study(
    name="evidence",
    question="Is the evidence one number, whatever the coordinates or the estimator?",
    source="this project, after Neal 1999, Dau & Chopin 2022 and Syed et al. 2022",
    experiments={name: _experiment(name) for name in CELLS},
    claims=CLAIMS,
    figures={"agreement": agreement_figure, "errors": error_figure},
    answer=ANSWER,
    chief=(*ANSWER, "the errors of smc are right"),
)
