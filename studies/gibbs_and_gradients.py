"""Gibbs sampling or NUTS: which gives more effective draws for a pass, and which switches labels?

Data are from K equal components with unit scales, neighbours a separation apart; the posterior is
that of the reference prior on the scale of the data, and all samplers begin at the same means,
taken from the data. A pass is one evaluation of all responsibilities: a sweep of Gibbs sampling is
one, an iteration of NUTS one for each leapfrog step. The ESS is the smallest of three quantities
that no relabelling changes: the log likelihood, the largest weight and the log of the smallest
scale; chains that disagree have a small one. It is counted after warm-up, over four chains that
run one after the other on one core.

Labels: the share of the K! orders of the means that a chain visits, and the passes until it first
draws another order than the one it began with.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import factorial
from typing import TYPE_CHECKING, Any

import arviz_stats
import numpy as np
import pandas as pd

from ordered_mix.data import Data, simulate
from ordered_mix.draws.draws import Draws
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Opening, Study, seed_of
from ordered_mix.study.drawing import curves, legend, looks, panels
from ordered_mix.study.effects import extreme, from_logs, mean, paired, rows_of, winner
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
}
GIBBS = "Gibbs"
CONTENDERS = (GIBBS, *(f"NUTS, {name}" for name in COORDINATES))
CHAINS = 4
SAMPLERS = {
    "gibbs": Gibbs(draws=5000, tune=500),
    "nuts": NUTS(tune=400, draws=500, cores=1),
}
SEPARATIONS = (1.0, 3.0, 6.0)
NEAR, FAR = SEPARATIONS[0], SEPARATIONS[-1]
SET = ["separation", "n", "k", "replicate"]


def cell(
    seed: int, sampler: str, coordinates: str, separation: float, n: int, k: int, replicate: int
) -> list[dict[str, Any]]:
    """One run of four chains on one data set."""
    shared = {"separation": separation, "n": n, "k": k, "replicate": replicate}
    means = np.array([separation * (j - (k - 1) / 2) for j in range(k)])
    truth = Mixture(np.full(k, 1 / k), means, np.ones(k))
    data = simulate(truth, n, seed_of("data", **shared))
    starts = initial_mixtures(data, k, CHAINS, "random", seed_of("starts", **shared))
    prior = Prior().affine(float(data.location), float(data.scale))
    model = catalog.parameterization(COORDINATES[coordinates], k, prior)
    chosen: Any = SAMPLERS[sampler]
    draws = chosen.sample(model, data, starts, seed % 2**31)
    if sampler == "gibbs":
        seconds = draws.seconds * chosen.draws / (chosen.draws + chosen.tune)
    else:
        passes, warmup = draws.passes.sum(), draws.warmup_passes.sum()
        seconds = draws.seconds * float(passes / (passes + warmup))
    return [effective(data, draws) | {"seconds": seconds} | labels(draws)]


def effective(data: Data, draws: Draws) -> dict[str, Any]:
    """Smallest ESS of what no relabelling changes, and the passes it took."""
    mixture = draws.mixture
    height = e_step(data.y, mixture.w, mixture.mu, mixture.sigma).log_likelihood
    values = (height, mixture.w.max(axis=-1), np.log(mixture.sigma.min(axis=-1)))
    ess = [float(arviz_stats.ess(one, chain_axis=0, draw_axis=1)) for one in values]
    return {"ess": min(ess), "passes": int(draws.passes.sum())}


def labels(draws: Draws) -> dict[str, Any]:
    """Share of the orders of the means that a chain visits, and the passes to its first change."""
    order = draws.mixture.order("mu")
    chains, length, k = order.shape
    visited = [len(np.unique(chain, axis=0)) / factorial(k) for chain in order]
    changed = (order != order[:, :1]).any(axis=-1)
    first = np.where(changed.any(axis=1), changed.argmax(axis=1), np.inf)
    each = float(draws.passes.sum()) / (chains * length)
    middle = float(np.median(first)) * each
    return {
        "visited": float(np.mean(visited)),
        "switched": float(changed.any(axis=1).mean()),
        "first_passage": middle if np.isfinite(middle) else None,
    }


# --- from the table to effects --------------------------------------------------------------------


def runs(table: pd.DataFrame) -> pd.DataFrame:
    """Rows with the contender's name and the logs of ESS per pass and per second."""
    rows = rows_of(table, ("ess", "passes", "seconds", "visited", "first_passage"))
    names = np.where(rows["sampler"] == "gibbs", GIBBS, "NUTS, " + rows["coordinates"].astype(str))
    return rows.assign(
        contender=names,
        per_pass=np.log(1000 * rows["ess"] / rows["passes"]),
        per_second=np.log(rows["ess"] / rows["seconds"]),
    )


def against_nuts(table: pd.DataFrame, value: str, **where: Any) -> dict[Any, np.ndarray]:
    """Log ratio of Gibbs to the best NUTS of each data set, by separation, n and K."""
    rows = rows_of(runs(table), **where)
    wide = paired(rows, "contender", CONTENDERS, value, SET)
    ratio = wide[GIBBS] - wide[list(CONTENDERS[1:])].max(axis=1)
    return {key: part.to_numpy() for key, part in ratio.groupby(["separation", "n", "k"])}


def least(table: pd.DataFrame, value: str, **where: Any) -> Effect:
    """Gibbs over the best NUTS where that is least."""
    return from_logs(extreme(against_nuts(table, value, **where).values(), min))


def most(table: pd.DataFrame, value: str, **where: Any) -> Effect:
    """Gibbs over the best NUTS where that is largest."""
    return from_logs(extreme(against_nuts(table, value, **where).values(), max))


def growth(table: pd.DataFrame) -> Effect:
    """How many times larger the ratio is at the largest separation than at the smallest."""
    near = np.concatenate(list(against_nuts(table, "per_pass", separation=NEAR).values()))
    far = np.concatenate(list(against_nuts(table, "per_pass", separation=FAR).values()))
    return from_logs(mean(far - near))


def visited(table: pd.DataFrame, contender: str, separation: float) -> Effect:
    """Mean share of the orders that a chain visits."""
    rows = rows_of(runs(table), contender=contender, separation=separation)
    return mean(rows["visited"] - 1 / rows["k"].map(factorial))


def switches_more(table: pd.DataFrame) -> Effect:
    """Share of orders visited by Gibbs less that by unordered NUTS, in the overlap."""
    rows = rows_of(runs(table), separation=NEAR)
    wide = paired(rows, "contender", (GIBBS, "NUTS, unordered"), "visited", SET)
    return mean(wide[GIBBS] - wide["NUTS, unordered"])


ESS = "ESS per pass, Gibbs / best NUTS"
CLAIMS = (
    Claim(
        "Gibbs wins apart, per pass",
        "At separation 6 Gibbs sampling has more ESS per pass than NUTS in its best coordinates.",
        PROJECT, partial(least, value="per_pass", separation=FAR), "above", 1.0,
        f"{ESS}, where it is least",
    ),
    Claim(
        "NUTS wins in the overlap, per pass",
        "At separation 1 NUTS in its best coordinates has more ESS per pass than Gibbs sampling.",
        "Meng & van Dyk 1997, JRSS B 59, 511-567: augmentation is slow where much is missing",
        partial(most, value="per_pass", separation=NEAR), "below", 1.0,
        f"{ESS}, where it is largest",
    ),
    Claim(
        "the advantage of Gibbs grows with the separation",
        "From separation 1 to 6 the ratio of Gibbs to the best NUTS grows at least twofold.",
        "Meng & van Dyk 1997: the rate is the share of information that is missing",
        growth, "above", 2.0, f"{ESS}, at separation 6 over that at 1",
    ),
    Claim(
        "Gibbs wins per second",
        "Gibbs sampling has more ESS per second than NUTS in its best coordinates, everywhere.",
        PROJECT, partial(least, value="per_second"), "above", 1.0,
        "ESS per second, Gibbs / best NUTS, where it is least",
    ),
    *(
        Claim(
            f"{words} does not switch apart",
            f"At separation 6 a chain of {words} visits less than one more order of the means in "
            "twenty.",
            "Celeux, Hurn & Robert 2000, JASA 95, 957-970",
            partial(visited, contender=name, separation=FAR), "below", 0.05,
            "share of the K! orders beyond the first",
        )
        for name, words in ((GIBBS, "Gibbs sampling"), ("NUTS, unordered", "unordered NUTS"))
    ),
    Claim(
        "Gibbs switches more in the overlap",
        "At separation 1 a chain of Gibbs sampling, ten times as long in draws, visits more orders "
        "of the means than one of unordered NUTS.",
        PROJECT, switches_more, "above", 0.0, "difference of the shares of the K! orders",
    ),
)  # fmt: skip


# --- figures and findings -------------------------------------------------------------------------


def efficiency_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes and per second by separation, with 95% intervals over data sets."""
    rows = runs(result.table)
    rows = rows.assign(passes_rate=np.exp(rows["per_pass"]), rate=np.exp(rows["per_second"]))
    sizes = sorted(set(zip(rows["n"], rows["k"], strict=True)))
    figure, axes = panels(2, len(sizes), (2.6 * max(len(sizes), 2) + 1, 5.2), sharex=True)
    for column, (n, k) in enumerate(sizes):
        part = rows[(rows["n"] == n) & (rows["k"] == k)]
        for row, value in enumerate(("passes_rate", "rate")):
            curves(axes[row, column], part, value, "contender", looks(CONTENDERS), log=True)
        axes[0, column].set_title(f"n = {n:g}, K = {k:g}", fontsize="medium")
    axes[0, 0].set_ylabel("ESS per 1,000 passes")
    axes[1, 0].set_ylabel("ESS per second")
    return legend(figure, axes)


def label_figure(result: StudyResult) -> Figure:
    """Share of the K! orders of the means that a chain visits, and passes to its first change."""
    rows = runs(result.table)
    figure, axes = panels(1, 2, (8.0, 3.4))
    series = looks([GIBBS, "NUTS, unordered", "NUTS, signed"])
    curves(axes[0, 0], rows, "visited", "contender", series)
    axes[0, 0].set_ylabel("share of the orders visited")
    curves(axes[0, 1], rows, "first_passage", "contender", series, log=True)
    axes[0, 1].set_ylabel("passes to the first change, if any")
    return legend(figure, axes)


SENTENCES: dict[str, Words] = {
    "Gibbs wins apart, per pass": (
        "Apart, at separation 6, Gibbs sampling has at least {0:.1f} [{1:.1f}, {2:.1f}] times the "
        "ESS per pass of the best NUTS;",
        "Apart, at separation 6, Gibbs sampling loses to the best NUTS per pass somewhere ({0:.2f} "
        "[{1:.2f}, {2:.2f}]);",
        "Apart, at separation 6, who wins per pass is undecided ({0:.2f} [{1:.2f}, {2:.2f}] where "
        "Gibbs is worst);",
    ),
    "NUTS wins in the overlap, per pass": (
        "in the overlap, at separation 1, NUTS wins: Gibbs has at most {0:.2f} [{1:.2f}, {2:.2f}] "
        "times its ESS per pass.",
        "in the overlap, at separation 1, NUTS does not win everywhere: Gibbs has up to {0:.2f} "
        "[{1:.2f}, {2:.2f}] times its ESS per pass.",
        "in the overlap, at separation 1, it is undecided: Gibbs has up to {0:.2f} [{1:.2f}, "
        "{2:.2f}] times the ESS per pass of NUTS.",
    ),
    "Gibbs wins per second": (
        "Per second Gibbs sampling wins everywhere, by a factor of {0:.1f} at least.",
        "Per second Gibbs sampling does not win everywhere ({0:.2f} [{1:.2f}, {2:.2f}] times the "
        "best NUTS where it is worst).",
        "Whether Gibbs sampling wins everywhere per second is undecided ({0:.2f} [{1:.2f}, "
        "{2:.2f}] times the best NUTS where it is worst).",
    ),
}


def _winners(result: StudyResult) -> Iterator[str]:
    """Who has the most ESS per pass at each separation."""
    wide = paired(runs(result.table), "contender", CONTENDERS, "per_pass", SET)
    best = {
        f"{separation:g}": winner({name: part[name] for name in CONTENDERS}).name
        for separation, part in wide.groupby("separation")
    }
    told = ", ".join(f"{name} at {separation}" for separation, name in best.items())
    yield f"Most ESS per pass over all n and K, by separation: {told}."
    shares = runs(result.table).groupby(["contender", "separation"])["visited"].mean()
    seen = {f"{name} at {at:g}": value for (name, at), value in shares.items()
            if name in (GIBBS, "NUTS, unordered")}  # fmt: skip
    yield f"Share of the K! orders that a chain visits: {amounts(seen)}."


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(result, lambda found: by_outcome(found.verdicts, SENTENCES), _winners)


def grids(**shared: Any) -> list[dict[str, Any]]:
    """NUTS in all coordinates, Gibbs, which has none, once."""
    return [
        {**shared, "sampler": ("nuts",)},
        {**shared, "sampler": ("gibbs",), "coordinates": ("unordered",)},
    ]


OPENING = Opening(
    answer={
        "Gibbs wins apart, per pass": (
            "For a pass Gibbs sampling gives more: at least {0:.1f} [{1:.1f}, {2:.1f}] times the "
            "effective draws of the best NUTS at separation 6.",
            "Apart Gibbs sampling gives no more effective draws for a pass than the best NUTS.",
            "Whether Gibbs sampling or NUTS gives more for a pass apart is undecided.",
        ),
        "Gibbs wins per second": (
            "It wins per second, too.",
            "For a second it does not everywhere: {0:.2f} [{1:.2f}, {2:.2f}] of the best NUTS "
            "where it is worst.",
            "Which wins per second is undecided.",
        ),
    },
    chief=(
        "Gibbs wins apart, per pass",
        "Gibbs wins per second",
        "Gibbs switches more in the overlap",
    ),
)


study = Study(
    name="gibbs_and_gradients",
    question="Does Gibbs sampling or NUTS give more effective draws for a pass, and which switches "
    "labels?",
    source="this project, after Celeux, Hurn & Robert 2000 and Meng & van Dyk 1997",
    factors={
        "sampler": tuple(SAMPLERS),
        "coordinates": tuple(COORDINATES),
        "separation": SEPARATIONS,
        "n": (100, 1000),
        "k": (2, 4),
        "replicate": range(100),
    },
    sizes={
        "smoke": grids(n=(100,), k=(2,), separation=(1.0, 6.0), replicate=range(2)),
        "laptop": grids(replicate=range(20)),
        "cluster": grids(),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={"efficiency": efficiency_figure, "labels": label_figure},
    findings=findings,
    structure=("sampler", "coordinates", "k"),
)
