"""Is the evidence one number, in all coordinates and by all estimators, with honest errors?

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

from collections.abc import Iterator, Sequence
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
from ordered_mix.study import Claim, Effect, Opening, Study
from ordered_mix.study.drawing import dots, heat, legend, looks, nothing, panels
from ordered_mix.study.effects import extreme, from_logs, furthest, mean, rows_of, share
from ordered_mix.study.sentences import Words, amounts, by_outcome, paragraph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

PROJECT = "a question of this project"
COORDINATES = {
    "unordered": "unordered",
    "ordered": "ordered",
    "signed": "signed",
    "relative": "relative",
    "moment": "moment",
}
FOUR = ("unordered", "ordered", "signed", "moment")
SETS = {"galaxies": 6, "enzyme": 4, "acidity": 4, "faithful:waiting": 3}
SPREAD_MOST = {"galaxies": (3, 4, 5, 6), "enzyme": (3, 4)}
SMALL_SMC = SMC(particles=256, islands=16, length=8)
SMALL_TEMPERING = Tempering(draws=300, tune=160)
GIBBS = Gibbs(draws=2000)
CHAINS = 4
BEYOND = 28_000.0  # km/s: three of the galaxies
CELL = ["data", "k"]
MARGIN = 0.25
LEAST = 0.8
AS_THEY_COME = "chib, labels as they come"


def cell(
    seed: int, sampler: str, data: str, k: int, coordinates: str, replicate: int
) -> list[dict[str, Any]]:
    """Estimates of one evidence by one sampler."""
    sample, seed = load(data), seed % 2**31
    prior = Prior().affine(float(sample.location), float(sample.scale))
    model = catalog.parameterization(COORDINATES[coordinates], k, prior)
    if sampler == "gibbs":
        return by_gibbs(model, sample, seed)
    if sampler == "smc":
        return [of_tree(sampler, sample, SMALL_SMC.sample(model, sample, seed=seed))]
    draws = SMALL_TEMPERING.sample(model, sample, starts(sample, k, seed), seed)
    trips = int(draws.tree["tempering"]["round_trips"].sum())
    found = {
        "barrier": draws.tree.attrs["barrier"],
        "trips_per_draw": trips / (CHAINS * SMALL_TEMPERING.draws),
    }
    return [of_tree(sampler, sample, draws) | found]


def starts(data: Data, k: int, seed: int) -> Mixture:
    """Means from the data, one mixture for each chain."""
    mu = np.random.default_rng(seed).choice(data.y, (CHAINS, k))
    return Mixture(np.full(k, 1 / k), mu, np.full((CHAINS, k), float(data.scale)))


def of_tree(estimator: str, data: Data, draws: Draws) -> dict[str, Any]:
    """What a sampler that gives the evidence says of it."""
    found = draws.tree.attrs
    return {
        "estimator": estimator,
        "log_evidence": found["log_evidence"],
        "stated": found["log_evidence_se"],
        "warned": False,
        "passes": int(draws.passes.sum() + draws.warmup_passes.sum()),
        **modes(data, draws, estimator),
    }


def by_gibbs(model: Parameterization, data: Data, seed: int) -> list[dict[str, Any]]:
    """Bridge sampling and Chib's estimator, with all labellings and with one."""
    draws = GIBBS.sample(model, data, starts(data, model.k, seed), seed)
    mixture = draws.mixture
    found = {
        "bridge": bridge(model, data, mixture, seed=seed),
        "chib": chib(model, data, mixture, seed=seed),
        AS_THEY_COME: chib(model, data, mixture[:1], labels="as they come", seed=seed),
    }
    passes = int(draws.passes.sum() + draws.warmup_passes.sum())
    shared = {"passes": passes} | modes(data, draws, "gibbs")
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


def modes(data: Data, draws: Draws, sampler: str) -> dict[str, float]:
    """Share of the draws in which galaxies beyond 28,000 km/s have a component of their own."""
    if data.name != "galaxies" or draws.mixture.k < 3:
        return {}
    own = (draws.mixture.mu > BEYOND).any(axis=-1).astype(float)
    if sampler == "smc":  # islands are independent, and their particles no chain in time
        error = float(own.mean(axis=1).std(ddof=1) / np.sqrt(len(own)))
    else:
        error = float(arviz_stats.mcse(own, method="mean", chain_axis=0, draw_axis=1))
    return {"own": float(own.mean()), "own_stated": error}


# --- from the table to effects --------------------------------------------------------------------


COLUMNS = ("own", "own_stated", "barrier", "trips_per_draw")


def estimates(table: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """Rows that did not warn."""
    rows = rows_of(table, COLUMNS, **where)
    return rows[~rows["warned"].astype(bool)]


def deviations(rows: pd.DataFrame, by: str) -> dict[tuple[Any, ...], np.ndarray]:
    """Estimates less the mean of the others, replicate by replicate; by data set, K, contender."""
    found = {}
    for key, part in rows.groupby(CELL):
        wide = part.pivot(index="replicate", columns=by, values="log_evidence")
        for name in wide:
            values = (wide[name] - wide.drop(columns=name).mean(axis=1)).dropna().to_numpy()
            if len(values) > 1:
                found[(*key, name)] = values
    if not found:
        raise ValueError(f"the table holds no runs of two {by}")
    return found


def one_in_all_coordinates(table: pd.DataFrame, sampler: str) -> Effect:
    """Largest distance of one coordinate system's mean evidence from that of the others."""
    rows = estimates(table, estimator=sampler)
    return furthest(deviations(rows, "coordinates").values())


def off_smc(table: pd.DataFrame, estimator: str) -> Effect:
    """Largest distance of an estimator's mean from that of SMC, in unordered coordinates."""
    rows = estimates(table, estimator=(estimator, "smc"), coordinates="unordered")
    found = deviations(rows, "estimator")
    return furthest([found[key] for key in found if key[-1] == estimator])


def standardised(rows: pd.DataFrame, value: str, error: str) -> pd.DataFrame:
    """Deviations from the mean over seeds in stated errors, corrected for that mean."""
    rows = rows[rows[error] > 0]
    cells = rows.groupby([*CELL, "estimator", "coordinates"])
    count = cells[value].transform("size")
    off = rows[value] - cells[value].transform("mean")
    # a mean over few seeds is drawn towards each of them
    return rows.assign(z=off / rows[error] * np.sqrt(count / (count - 1)))[count > 1]


def spread(rows: pd.DataFrame, value: str, error: str) -> Effect:
    """Root mean square of z scores: spread between seeds over the stated error, as a logarithm."""
    squares = mean(standardised(rows, value, error)["z"] ** 2)
    low, estimate, high = 0.5 * np.log(
        np.maximum([squares.low, squares.estimate, squares.high], 1e-6)
    )
    return Effect(float(estimate), float(low), float(high), squares.observations)


def error_is_right(table: pd.DataFrame, estimator: str) -> Effect:
    """The same of an estimator's evidence."""
    return spread(estimates(table, estimator=estimator), "log_evidence", "stated")


def unadjusted(table: pd.DataFrame, pairs: Sequence[tuple[str, int]]) -> Effect:
    """Distance from log K! of what Chib's estimator loses by taking labels as they come."""
    samples = []
    for data, k in pairs:
        rows = rows_of(table, sampler="gibbs", data=data, k=k)
        wide = rows.pivot(index="replicate", columns="estimator", values="log_evidence")
        if wide.empty:
            raise ValueError(f"the table holds no Gibbs sampling of {data} with K = {k}")
        samples.append((wide[AS_THEY_COME] + lgamma(k + 1) - wide["chib"]).to_numpy())
    return furthest(samples)


def unadjusted_apart(table: pd.DataFrame) -> Effect:
    """Where components are apart and labels never switch."""
    return unadjusted(table, (("faithful:waiting", 2), ("enzyme", 2)))


def unadjusted_together(table: pd.DataFrame) -> Effect:
    """Where labels switch: galaxies, four to six components."""
    return unadjusted(table, (("galaxies", 4), ("galaxies", 5), ("galaxies", 6)))


def against_unordered(wide: pd.DataFrame) -> list[np.ndarray]:
    """Log ratios of columns to that of unordered coordinates."""
    others = [name for name in COORDINATES if name != "unordered" and name in wide]
    if not others or wide.empty:
        raise ValueError("the table holds no runs in two coordinate systems")
    return [np.log(wide[name] / wide["unordered"]).to_numpy() for name in others]


def by_coordinates(table: pd.DataFrame, sampler: str, value: str) -> pd.DataFrame:
    """A column by coordinates, one row for each data set, K and replicate that has all."""
    rows = rows_of(table, COLUMNS, estimator=sampler)
    rows = rows[rows["k"] > 1].assign(cost=rows["stated"] ** 2 * rows["passes"])
    return rows.pivot(index=[*CELL, "replicate"], columns="coordinates", values=value).dropna()


def cost_of_coordinates(table: pd.DataFrame) -> Effect:
    """Largest log ratio of SMC's squared error times passes to that in unordered coordinates."""
    wide = np.log(by_coordinates(table, "smc", "cost")).groupby("replicate").mean()
    return furthest(against_unordered(np.exp(wide)))


def barrier_of_coordinates(table: pd.DataFrame) -> Effect:
    """The same of the barrier of tempering, its sum over data sets and K."""
    wide = by_coordinates(table, "tempering", "barrier").groupby("replicate").sum()
    return furthest(against_unordered(wide))


def trips_of_coordinates(table: pd.DataFrame) -> Effect:
    """Least ratio of all round trips to those in unordered coordinates."""
    wide = by_coordinates(table, "tempering", "trips_per_draw").groupby("replicate").sum()
    return from_logs(extreme(against_unordered(wide), min))


def mode_rows(table: pd.DataFrame, estimator: str) -> pd.DataFrame:
    """Rows that say how often the galaxies beyond have a component of their own."""
    rows = rows_of(table, COLUMNS, estimator=estimator, data="galaxies", coordinates="unordered")
    return rows[rows["own"].notna()]


def weights_of_modes(table: pd.DataFrame, estimator: str) -> Effect:
    """Spread between seeds of the weight of a mode over its stated error, as a logarithm."""
    return spread(mode_rows(table, estimator), "own", "own_stated")


def both_modes(table: pd.DataFrame) -> Effect:
    """Share of the seeds of SMC that find both modes with every K."""
    rows = mode_rows(table, "smc")
    both = rows["own"].between(0, 1, inclusive="neither")
    return share(both.groupby(rows["replicate"]).all())


NATS = "nats, largest over data sets and K"
SPREAD = "log of the spread between seeds over the stated error"
COST = "log ratio, largest over coordinates"
SYED = "Syed, Bouchard-Côté, Deligiannidis & Doucet 2022, JRSS B 84, 321-350"
NEAL = "Neal 1999, on Chib's estimate for mixtures"
FACTOR = float(np.log(1.25))
ESTIMATORS = {
    "smc": "SMC",
    "tempering": "tempering",
    "bridge": "bridge sampling that does not warn",
    "chib": "Chib's estimator, permuted, that does not warn",
}
CLAIMS = (
    *(
        Claim(
            f"one evidence in all coordinates, {ESTIMATORS[name]}",
            f"The mean evidence by {ESTIMATORS[name]} is the same in five coordinate systems, "
            "within a quarter of a nat.",
            PROJECT, partial(one_in_all_coordinates, sampler=name), "below", MARGIN, NATS,
        )
        for name in ("smc", "tempering")
    ),
    *(
        Claim(
            f"SMC and {name} agree",
            f"The mean evidence by {ESTIMATORS[name]} is that by SMC, within a quarter of a nat.",
            PROJECT, partial(off_smc, estimator=name), "below", MARGIN, NATS,
        )
        for name in ("tempering", "bridge")
    ),
    *(
        Claim(
            f"the errors of {name} are right",
            f"The spread between seeds of the evidence by {ESTIMATORS[name]} is the error it "
            "states, within a factor of 1.25.",
            PROJECT, partial(error_is_right, estimator=name), "within", FACTOR, SPREAD,
        )
        for name in ("smc", "tempering", "bridge")
    ),
    Claim(
        "unadjusted, off by log K!",
        "Where labels never switch Chib's estimator with labels as they come is too low by log K!.",
        NEAL, unadjusted_apart, "below", 0.1, "nats from log K!, faithful and enzyme, K = 2",
    ),
    Claim(
        "log K! does not mend it",
        "Where labels switch, log K! added to Chib's estimator with labels as they come is wrong "
        "by more than a quarter of a nat.",
        NEAL, unadjusted_together, "above", MARGIN, "nats, galaxies, K = 4 to 6, largest",
    ),
    Claim(
        "coordinates do not change the cost of SMC",
        "Squared error times passes of SMC is within a factor of 1.25 of that in unordered "
        "coordinates.",
        PROJECT, cost_of_coordinates, "below", FACTOR, COST,
    ),
    Claim(
        "coordinates do not change the barrier",
        "The communication barrier of tempering is within 10% of that in unordered coordinates.",
        f"{SYED}: the barrier is that of the distributions",
        barrier_of_coordinates, "below", float(np.log(1.1)), COST,
    ),
    Claim(
        "coordinates do not change the round trips",
        "Round trips of tempering are at least 80% of those in unordered coordinates.",
        f"{SYED}: the rate of an ideal exploration depends on the barrier alone",
        trips_of_coordinates, "above", LEAST, "ratio, least over coordinates",
    ),
    *(
        Claim(
            f"errors of weights of modes, {words}",
            "On galaxies with K = 3 to 6 the spread between seeds of the weight of a mode is the "
            f"error that {words} states, within a factor of 1.25.",
            PROJECT, partial(weights_of_modes, estimator=name), "within", FACTOR, SPREAD,
        )
        for name, words in (("smc", "SMC"), ("bridge", "Gibbs sampling"))
    ),
    Claim(
        "all seeds find the modes",
        "More than 80% of the seeds of SMC find both modes of galaxies with every K from 3 to 6.",
        PROJECT, both_modes, "above", LEAST, "share of the seeds",
    ),
)  # fmt: skip


# --- figures and findings -------------------------------------------------------------------------


def agreement_figure(result: StudyResult) -> Figure:
    """Mean evidence by estimator and coordinates less that by SMC in unordered coordinates."""
    rows = estimates(result.table)
    rows = rows[rows["estimator"] != AS_THEY_COME]
    base = rows[(rows["estimator"] == "smc") & (rows["coordinates"] == "unordered")]
    level = base.groupby(CELL)["log_evidence"].mean().rename("level").reset_index()
    rows = rows.merge(level, on=CELL)
    rows = rows.assign(
        off=rows["log_evidence"] - rows["level"],
        model=rows["data"].str.split(":").str[0] + ", K = " + rows["k"].astype(str),
        series=np.where(
            rows["coordinates"] == "unordered", rows["estimator"],
            rows["estimator"] + ", " + rows["coordinates"],
        ),
    )  # fmt: skip
    places = list(dict.fromkeys(rows["model"]))
    figure, axes = panels(1, 1, (7.5, 0.45 * max(len(places), 4) + 1.6))
    if rows.empty:
        nothing(axes[0, 0])
        return figure
    dots(axes[0, 0], rows, "off", "series", looks(rows["series"]), "model", places)
    axes[0, 0].axvline(0, color="0.5", lw=0.8, ls="--", zorder=0)
    axes[0, 0].set_xlabel("log evidence less that by SMC, unordered (nats, 95% intervals)")
    return legend(figure, axes)


def error_figure(result: StudyResult) -> Figure:
    """Spread between seeds over the stated error, by estimator and model."""
    figure, axes = panels(1, 1, (7.0, 4.2))
    found = standardised(estimates(result.table), "log_evidence", "stated")
    found = found[found["estimator"] != AS_THEY_COME]
    model = found["data"].str.split(":").str[0] + ", K = " + found["k"].astype(str)
    squares = found.assign(model=model, square=found["z"] ** 2)
    grid = np.sqrt(squares.groupby(["model", "estimator"], sort=False)["square"].mean()).unstack()
    heat(axes[0, 0], grid, "{:.2f}".format, colours="coolwarm", limits=(0.0, 2.0))
    return figure


SENTENCES: dict[str, Words] = {
    "unadjusted, off by log K!": (
        "Chib's estimator with labels as they come is off by log K! where they never switch "
        "(to {0:.3f} nats);",
        "Chib's estimator with labels as they come is not off by log K! where they never switch "
        "({0:.2f} nats from it);",
        "Whether Chib's estimator with labels as they come is off by log K! where they never "
        "switch is undecided ({0:.2f} [{1:.2f}, {2:.2f}] nats from it);",
    ),
    "log K! does not mend it": (
        "where they switch, adding log K! leaves it wrong by up to {0:.2f} nats.",
        "where they switch, adding log K! mends it ({0:.2f} nats).",
        "where they switch, what adding log K! leaves is undecided ({0:.2f} [{1:.2f}, {2:.2f}] "
        "nats).",
    ),
    "all seeds find the modes": (
        "All but a few seeds of SMC find both modes of galaxies with every K ({0:.0%} of them).",
        "Many seeds of SMC miss a mode of galaxies ({0:.0%} find both with every K).",
        "{0:.0%} [{1:.0%}, {2:.0%}] of the seeds of SMC find both modes of galaxies with every K.",
    ),
}
ANSWER: dict[str, Words] = {
    "one evidence in all coordinates, SMC": (
        "The evidence is one number in all coordinates: means by SMC differ by at most {0:.2f} "
        "[{1:.2f}, {2:.2f}] nats.",
        "Means of the evidence by SMC differ between coordinates by up to {0:.2f} [{1:.2f}, "
        "{2:.2f}] nats.",
        "Whether the evidence by SMC is the same in all coordinates is undecided: means differ by "
        "at most {0:.2f} [{1:.2f}, {2:.2f}] nats.",
    ),
}


def _estimators(result: StudyResult) -> Iterator[str]:
    """How far other estimators are from SMC, and how often they warn."""
    names = [name for name in ESTIMATORS if name in set(result.table["estimator"])]
    far = {name: off_smc(result.table, name).estimate for name in names if name != "smc"}
    yield f"Furthest from SMC, in nats: {amounts(far, '{0} {1:.2f}')}."
    rows = rows_of(result.table, estimator=("bridge", "chib"))
    warned = rows.groupby("estimator")["warned"].mean()
    yield f"Share of runs that warn: {amounts(warned)}."


def _errors(result: StudyResult) -> Iterator[str]:
    names = [name for name in ESTIMATORS if name in set(result.table["estimator"])]
    ratios = {name: np.exp(error_is_right(result.table, name).estimate) for name in names}
    yield f"Spread between seeds over stated error: {amounts(ratios, '{0} {1:.2f}')}."


def _modes(result: StudyResult) -> Iterator[str]:
    rows = mode_rows(result.table, "smc")
    weights = {f"K = {k}": part["own"].mean() for k, part in rows.groupby("k")}
    if weights:
        yield f"Weight of the mode with a component beyond 28,000 km/s: {amounts(weights)}."


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(
        result, lambda found: by_outcome(found.verdicts, ANSWER), _estimators, _errors,
        lambda found: by_outcome(found.verdicts, SENTENCES), _modes,
    )  # fmt: skip


def grids(replicates: range, more: range) -> list[dict[str, Any]]:
    """Everything with some replicates, more where the estimates of an earlier run spread most."""
    one = {"coordinates": ("unordered",)}
    found: list[dict[str, Any]] = [
        {"data": ("galaxies",), "k": (3,), "sampler": ("smc", "tempering"), "replicate": more},
        {"data": ("galaxies",), "k": (4,), "sampler": ("tempering",), "replicate": more},
    ]
    for data, most in SETS.items():
        shared: dict[str, Any] = {"data": (data,), "replicate": replicates}
        names = tuple(COORDINATES) if data == "galaxies" else FOUR
        spread = {"data": (data,), "replicate": more, "k": SPREAD_MOST.get(data, ())}
        found += [
            {**shared, "k": range(1, most + 1), **one},
            {**shared, "k": range(2, most + 1), "sampler": ("smc",), "coordinates": names},
            {**spread, "sampler": ("smc", "tempering"), **one},
        ]
    return [grid for grid in found if len(grid["k"])]


SMALL = {"data": ("galaxies",), "k": (2, 3), "replicate": range(3)}
SMOKE = (
    {**SMALL, "coordinates": ("unordered", "ordered"), "sampler": ("smc", "tempering")},
    {**SMALL, "coordinates": ("unordered",)},
)

OPENING = Opening(
    answer={
        "one evidence in all coordinates, SMC": (
            "The evidence by SMC is one number in all coordinates, to {2:.2f} nats.",
            "The evidence by SMC differs between coordinates, by {0:.2f} nats.",
            "Whether the evidence by SMC is one number in all coordinates is undecided.",
        ),
        "log K! does not mend it": (
            "Chib's estimator with labels as they come is wrong where labels switch, and log K! "
            "does not mend it: {0:.1f} [{1:.1f}, {2:.1f}] nats off.",
            "Log K! mends Chib's estimator with labels as they come.",
            "Whether log K! mends Chib's estimator is undecided.",
        ),
    },
    chief=(
        "one evidence in all coordinates, SMC",
        "the errors of smc are right",
        "log K! does not mend it",
    ),
)


study = Study(
    name="evidence",
    question="Is the evidence one number, in all coordinates and by all estimators, with honest "
    "errors?",
    source="this project, after Neal 1999, Dau & Chopin 2022 and Syed et al. 2022",
    factors={
        "sampler": ("smc", "tempering", "gibbs"),
        "data": tuple(SETS),
        "k": range(1, 7),
        "coordinates": tuple(COORDINATES),
        "replicate": range(200),
    },
    sizes={
        "smoke": SMOKE,
        "laptop": grids(range(20), range(40)),
        "cluster": grids(range(100), range(200)),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={"agreement": agreement_figure, "errors": error_figure},
    findings=findings,
)
