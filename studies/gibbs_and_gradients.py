"""Does Gibbs sampling or NUTS give more effective draws for a pass?

Data are from K equal components with unit scales, neighbours a separation apart; the posterior is
that of the reference prior on the scale of the data, and all samplers begin at the same means,
taken from the data. A pass is one evaluation of all responsibilities: a sweep of Gibbs sampling is
one, an iteration of NUTS one for each leapfrog step. The ESS is the smallest of three quantities
that no relabelling changes: the log likelihood, the largest weight and the log of the smallest
scale; chains that disagree have a small one. It is counted after warm-up, over four chains that
run one after the other on one core. The mass matrix is diagonal and the prior the fixed one; Gibbs
sampling beside dense mass matrices and under the adaptive prior is a contender of `never_loses`.

Whether chains change labels is kept beside it: the share of the K! orders of the means that a chain
visits, and the passes until it first draws another order than the one it began with.
"""

from __future__ import annotations

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
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.drawing import curves, legend, looks, panels
from ordered_mix.study.effects import extreme, from_logs, mean, paired, rows_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

PROJECT = "a question of this project"
COORDINATES = ("unordered", "ordered", "signed", "relative")
GIBBS, UNORDERED = "Gibbs", "NUTS, unordered"
CONTENDERS = (GIBBS, *(f"NUTS, {name}" for name in COORDINATES))
CHAINS = 4
SWEEPS = Gibbs(draws=5000, tune=500)
TRAJECTORIES = NUTS(tune=400, draws=500, cores=1)
SEPARATIONS = (1.0, 3.0, 6.0)
NEAR, FAR = SEPARATIONS[0], SEPARATIONS[-1]
SET = ["separation", "n", "k", "replicate"]


def gibbs(seed: int, separation: float, n: int, k: int, replicate: int) -> list[dict[str, Any]]:
    """Four chains of Gibbs sampling on one data set."""
    data, draws = run(SWEEPS, "unordered", seed, separation, n, k, replicate)
    seconds = draws.seconds * SWEEPS.draws / (SWEEPS.draws + SWEEPS.tune)
    return [effective(data, draws) | {"seconds": seconds} | labels(draws)]


def nuts(
    seed: int, coordinates: str, separation: float, n: int, k: int, replicate: int
) -> list[dict[str, Any]]:
    """Four chains of NUTS on one data set."""
    data, draws = run(TRAJECTORIES, coordinates, seed, separation, n, k, replicate)
    passes, warmup = draws.passes.sum(), draws.warmup_passes.sum()
    seconds = draws.seconds * float(passes / (passes + warmup))
    return [effective(data, draws) | {"seconds": seconds} | labels(draws)]


def run(
    sampler: Gibbs | NUTS,
    coordinates: str,
    seed: int,
    separation: float,
    n: int,
    k: int,
    replicate: int,
) -> tuple[Data, Draws]:
    """A run on a data set, from starts, that all samplers share."""
    shared = {"separation": separation, "n": n, "k": k, "replicate": replicate}
    means = np.array([separation * (j - (k - 1) / 2) for j in range(k)])
    truth = Mixture(np.full(k, 1 / k), means, np.ones(k))
    data = simulate(truth, n, seed_of("data", **shared))
    starts = initial_mixtures(data, k, CHAINS, "random", seed_of("starts", **shared))
    prior = Prior().affine(float(data.location), float(data.scale))
    model = catalog.parameterization(coordinates, k, prior)
    return data, sampler.sample(model, data, starts, seed % 2**31)


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


# --- from the tables to effects -------------------------------------------------------------------


def runs(gibbs: pd.DataFrame, nuts: pd.DataFrame) -> pd.DataFrame:
    """Rows with the contender's name and the logs of ESS per pass and per second."""
    named = "NUTS, " + nuts["coordinates"].astype(str)
    rows = pd.concat([gibbs.assign(contender=GIBBS), nuts.assign(contender=named)])
    rows = rows_of(rows, ("ess", "passes", "seconds", "visited", "first_passage"))
    return rows.assign(
        per_pass=np.log((1000 * rows["ess"] / rows["passes"]).astype(float)),
        per_second=np.log((rows["ess"] / rows["seconds"]).astype(float)),
    )


def against_nuts(rows: pd.DataFrame, value: str, **where: Any) -> dict[Any, np.ndarray]:
    """Log ratio of Gibbs to the best NUTS of each data set, by separation, n and K."""
    wide = paired(rows_of(rows, **where), "contender", CONTENDERS, value, SET)
    ratio = wide[GIBBS] - wide[list(CONTENDERS[1:])].max(axis=1)
    return {key: part.to_numpy() for key, part in ratio.groupby(["separation", "n", "k"])}


def least(gibbs: pd.DataFrame, nuts: pd.DataFrame, value: str, **where: Any) -> Effect:
    """Gibbs over the best NUTS where that is least."""
    return from_logs(extreme(against_nuts(runs(gibbs, nuts), value, **where).values(), min))


def most(gibbs: pd.DataFrame, nuts: pd.DataFrame, value: str, **where: Any) -> Effect:
    """Gibbs over the best NUTS where that is largest."""
    return from_logs(extreme(against_nuts(runs(gibbs, nuts), value, **where).values(), max))


def growth(gibbs: pd.DataFrame, nuts: pd.DataFrame) -> Effect:
    """How many times larger the ratio is at the largest separation than at the smallest."""
    rows = runs(gibbs, nuts)
    near, far = (
        np.concatenate(list(against_nuts(rows, "per_pass", separation=at).values()))
        for at in (NEAR, FAR)
    )
    return from_logs(mean(far - near))


def visited(table: pd.DataFrame, **where: Any) -> Effect:
    """Mean share of the orders that a chain visits beyond the first, at the largest separation."""
    rows = rows_of(table, separation=FAR, **where)
    return mean(rows["visited"] - 1 / rows["k"].map(factorial))


def switches_more(gibbs: pd.DataFrame, nuts: pd.DataFrame) -> Effect:
    """Share of orders visited by Gibbs less that by unordered NUTS, in the overlap."""
    rows = rows_of(runs(gibbs, nuts), separation=NEAR)
    wide = paired(rows, "contender", (GIBBS, UNORDERED), "visited", SET)
    return mean(wide[GIBBS] - wide[UNORDERED])


ESS = "ESS per pass, Gibbs / best NUTS"
CLAIMS = (
    Claim(
        "Gibbs wins apart, per pass",
        "At separation 6 Gibbs sampling has more ESS per pass than NUTS with a diagonal mass "
        "matrix in its best coordinates, under the fixed prior.",
        PROJECT, partial(least, value="per_pass", separation=FAR), "above", 1.0,
        f"{ESS}, where it is least",
        words=(
            "For a pass Gibbs sampling gives more: at least {0:.1f} [{1:.1f}, {2:.1f}] times the "
            "effective draws of the best NUTS at separation 6.",
            "Apart Gibbs sampling gives no more effective draws for a pass than the best NUTS: "
            "{0:.2f} [{1:.2f}, {2:.2f}] times as many where it is worst.",
            "Whether Gibbs sampling or NUTS gives more for a pass apart is undecided ({0:.2f} "
            "[{1:.2f}, {2:.2f}] where Gibbs sampling is worst).",
        ),
    ),
    Claim(
        "NUTS wins in the overlap, per pass",
        "At separation 1 NUTS with a diagonal mass matrix in its best coordinates has more ESS per "
        "pass than Gibbs sampling, under the fixed prior.",
        "Meng & van Dyk 1997, JRSS B 59, 511-567: augmentation is slow where much is missing",
        partial(most, value="per_pass", separation=NEAR), "below", 1.0,
        f"{ESS}, where it is largest",
        words=(
            "In the overlap, at separation 1, NUTS wins: Gibbs sampling has at most {0:.2f} "
            "[{1:.2f}, {2:.2f}] times its ESS per pass.",
            "In the overlap, at separation 1, NUTS does not win everywhere: Gibbs sampling has up "
            "to {0:.2f} [{1:.2f}, {2:.2f}] times its ESS per pass.",
            "In the overlap, at separation 1, it is undecided: Gibbs sampling has up to {0:.2f} "
            "[{1:.2f}, {2:.2f}] times the ESS per pass of NUTS.",
        ),
    ),
    Claim(
        "the advantage of Gibbs grows with the separation",
        "From separation 1 to 6 the ratio of Gibbs to the best NUTS grows at least twofold.",
        "Meng & van Dyk 1997: the rate is the share of information that is missing",
        growth, "above", 2.0, f"{ESS}, at separation 6 over that at 1",
        words="From separation 1 to 6 the ratio of the two becomes {0:.1f} [{1:.1f}, {2:.1f}] "
        "times what it was.",
    ),
    Claim(
        "Gibbs wins per second",
        "Gibbs sampling has more ESS per second than NUTS with a diagonal mass matrix in its best "
        "coordinates, everywhere, under the fixed prior.",
        PROJECT, partial(least, value="per_second"), "above", 1.0,
        "ESS per second, Gibbs / best NUTS, where it is least",
        words=(
            "It wins per second, too.",
            "For a second it does not everywhere: {0:.2f} [{1:.2f}, {2:.2f}] of the best NUTS "
            "where it is worst.",
            "Which wins per second is undecided.",
        ),
    ),
    *(
        Claim(
            f"{words} does not switch apart",
            f"At separation 6 a chain of {words} visits less than one more order of the means in "
            "twenty.",
            "Celeux, Hurn & Robert 2000, JASA 95, 957-970",
            partial(visited, **where), "below", 0.05,
            "share of the K! orders beyond the first", of=(table,),
            words=f"At separation 6 a chain of {words} visits {{0:.1%}} [{{1:.1%}}, {{2:.1%}}] of "
            "the orders of the means beyond the first.",
        )
        for table, words, where in (
            ("gibbs", "Gibbs sampling", {}),
            ("nuts", "unordered NUTS", {"coordinates": "unordered"}),
        )
    ),
    Claim(
        "Gibbs switches more in the overlap",
        "At separation 1 a chain of Gibbs sampling, ten times as long in draws, visits more orders "
        "of the means than one of unordered NUTS.",
        PROJECT, switches_more, "above", 0.0, "difference of the shares of the K! orders",
        words=(
            "At separation 1 a chain of Gibbs sampling visits more of them than one of unordered "
            "NUTS.",
            "At separation 1 a chain of Gibbs sampling, ten times as long in draws, visits fewer "
            "of them than one of unordered NUTS.",
            "Which of the two visits more of them at separation 1 is undecided.",
        ),
    ),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------


def efficiency_figure(result: StudyResult) -> Figure:
    """ESS per 1,000 passes and per second by separation, with 95% intervals over data sets."""
    rows = runs(**result.tables)
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
    rows = runs(**result.tables)
    figure, axes = panels(1, 2, (8.0, 3.4))
    series = looks([GIBBS, UNORDERED, "NUTS, signed"])
    curves(axes[0, 0], rows, "visited", "contender", series)
    axes[0, 0].set_ylabel("share of the orders visited")
    curves(axes[0, 1], rows, "first_passage", "contender", series, log=True)
    axes[0, 1].set_ylabel("passes to the first change, if any")
    return legend(figure, axes)


DATA = {"separation": SEPARATIONS, "n": (100, 1000), "k": (2, 4), "replicate": range(100)}
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": (100,), "k": (2,), "separation": (1.0, 6.0), "replicate": range(2)},
    "laptop": {"replicate": range(20)},
    "cluster": {},
}

study = Study(
    name="gibbs_and_gradients",
    question="Does Gibbs sampling or NUTS give more effective draws for a pass?",
    source="this project, after Celeux, Hurn & Robert 2000 and Meng & van Dyk 1997",
    experiments={
        "gibbs": Experiment(cell=gibbs, factors=DATA, sizes=SIZES, structure=("k",)),
        "nuts": Experiment(
            cell=nuts,
            factors={"coordinates": COORDINATES, **DATA},
            sizes=SIZES,
            structure=("coordinates", "k"),
        ),
    },
    claims=CLAIMS,
    figures={"efficiency": efficiency_figure, "labels": label_figure},
    answer=("Gibbs wins apart, per pass", "Gibbs wins per second"),
    chief=(
        "Gibbs wins apart, per pass",
        "Gibbs wins per second",
        "Gibbs switches more in the overlap",
    ),
)
