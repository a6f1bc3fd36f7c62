"""Do information criteria choose the right K where components coincide?

There the model is singular: Watanabe (2010, 2013) replaces the penalty d of AIC by twice the
singular fluctuation nu, and d/2 log n of BIC by lambda log n. The truth here is
``Normal(-D/2, 1)/2 + Normal(D/2, 1)/2`` with the separation D going through the singularity.

AIC, BIC and sBIC are of the best interior optimum of many starts (``fitted``); WAIC, PSIS-LOO and
WBIC are from draws (``sampled``). Criteria are compared with the exact generalisation loss of the
predictive, by quadrature over the population.

"Wrong K" has two meanings, and both are reported. The *true* K is 1 at D = 0 and else 2. The K that
*predicts best* has the least exact generalisation loss of the Bayesian predictive, averaged over
the data sets of a separation and n: at D = .2 and n = 200 that is 1 although the truth has 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.draws.criteria import mixture_learning_coefficients, point_criteria, sbic
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.optima.multistart import MultiStart
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.confidence import at_confidence, confidence
from ordered_mix.study.drawing import (
    SEPARATION,
    curves,
    heat,
    legend,
    looks,
    mark,
    nothing,
    panels,
)
from ordered_mix.study.effects import difference_of_shares, mean
from ordered_mix.study.truths import shared_data, two_normals
from ordered_mix.theory.criteria import sampled_criteria
from ordered_mix.theory.prediction import exact_losses, log_predictive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

WATANABE = "Watanabe 2010, JMLR 11, 3571-3594"
SELECTION = "Watanabe 2013, JMLR 14, 867-897; Drton & Plummer 2017, JRSS B 79, 323-380"
NEAR = 1.5
NUMBER = (1, 2, 3)
CRITERIA = ("AIC", "BIC", "sBIC", "WAIC", "LOO", "WBIC")
SAMPLER = NUTS(draws=300, tune=250)
CHAINS = 4
SET = ["separation", "n", "replicate"]


# --- cells ----------------------------------------------------------------------------------------


def fitted(seed: int, separation: float, n: int, k: int, replicate: int) -> list[dict[str, Any]]:
    """Criteria of the best interior optimum that EM finds from 12 starts.

    Scales below a tenth of the data's are not accepted: the likelihood has no maximum, and narrow
    components on a few points would decide.
    """
    truth, data = two_normals(separation), shared_data(separation, n, replicate)
    floored = EM(floor=0.1 * float(data.scale), stop=Stop(log_likelihood=1e-7))
    explore = Stop(log_likelihood=1e-5, passes=1_000)
    search = MultiStart(starts=12, estimator=floored, explore=explore)
    optima = search.fit(parameterization("unordered", k), data)
    criteria = point_criteria(data.y, optima.best, 3 * k - 1)
    row = {
        "log_likelihood": optima.log_likelihood,
        "aic": float(criteria.aic),
        "bic": float(criteria.bic),
    }
    return [row | exact_losses(truth, data, optima.best.log_density)]


def sampled(seed: int, separation: float, n: int, k: int, replicate: int) -> list[dict[str, Any]]:
    """Criteria from draws."""
    truth, data = two_normals(separation), shared_data(separation, n, replicate)
    found = sampled_criteria(SAMPLER, *_posterior(data, k, replicate), seed % 2**32)
    draws = found.draws.mixture
    predict = partial(log_predictive, w=draws.w, mu=draws.mu, sigma=draws.sigma)
    row = {"waic": found.waic.elpd, "loo": found.loo.elpd, "wbic": found.wbic.value}
    return [row | exact_losses(truth, data, predict)]


def _posterior(data: Data, k: int, replicate: int) -> tuple[Parameterization, Data, Mixture]:
    """Coordinates with the prior in units of the data, and starts with means at random points."""
    prior = Prior().affine(float(data.location), float(data.scale))
    starts = initial_mixtures(data, k, CHAINS, "random", replicate)
    return parameterization("unordered", k, prior), data, starts


# --- the choice of K ------------------------------------------------------------------------------


def scores(
    fits: pd.DataFrame, draws: pd.DataFrame, criteria: Iterable[str] = CRITERIA
) -> dict[str, pd.DataFrame]:
    """Each criterion by data set and K on the scale of a deviance, smaller is better.

    Only data sets for which every one of these criteria has K = 1, 2 and 3 are kept.
    """
    found = {
        "AIC": fits.pivot(index=SET, columns="k", values="aic"),
        "BIC": fits.pivot(index=SET, columns="k", values="bic"),
        "sBIC": _singular(fits),
        "WAIC": -2 * draws.pivot(index=SET, columns="k", values="waic"),
        "LOO": -2 * draws.pivot(index=SET, columns="k", values="loo"),
        "WBIC": 2 * draws.pivot(index=SET, columns="k", values="wbic"),
    }
    wanted = {name: found[name].reindex(columns=NUMBER).dropna() for name in criteria}
    shared = sorted(set.intersection(*(set(frame.index) for frame in wanted.values())))
    if not shared:
        raise ValueError(f"no data set has K = 1, 2, 3 under {', '.join(wanted)}")
    index = pd.MultiIndex.from_tuples(shared, names=SET)
    return {name: frame.loc[index] for name, frame in wanted.items()}


def _singular(fits: pd.DataFrame) -> pd.DataFrame:
    heights = fits.pivot(index=SET, columns="k", values="log_likelihood")
    complete = heights.reindex(columns=NUMBER).dropna()
    coefficients = mixture_learning_coefficients(len(NUMBER))
    counts = complete.index.get_level_values("n")
    rows = [sbic(row, n, coefficients) for n, row in zip(counts, complete.to_numpy(), strict=True)]
    return pd.DataFrame(rows, index=complete.index, columns=NUMBER, dtype=float)


def losses(draws: pd.DataFrame) -> pd.DataFrame:
    """Exact generalisation loss of the Bayesian predictive by data set and K, in nats a point."""
    found = draws.pivot(index=SET, columns="k", values="generalisation")
    return found.reindex(columns=NUMBER).dropna()


def best_number(draws: pd.DataFrame) -> pd.Series:
    """The K of least mean exact generalisation loss, by separation and n."""
    return losses(draws).groupby(["separation", "n"]).mean().idxmin(axis=1)


TARGETS = {"true": "another K than the true one", "best": "another K than the best predicting one"}
CONTESTS = tuple((a, b) for a in ("AIC", "BIC") for b in ("WAIC", "LOO", "sBIC"))


def choices(
    fits: pd.DataFrame, draws: pd.DataFrame, criteria: Iterable[str] = CRITERIA
) -> pd.DataFrame:
    """The K each criterion chooses on each data set."""
    found = scores(fits, draws, criteria)
    return pd.DataFrame({name: frame.idxmin(axis=1) for name, frame in found.items()})


def wrong(
    fits: pd.DataFrame, draws: pd.DataFrame, target: str, criteria: Iterable[str] = CRITERIA
) -> pd.DataFrame:
    """Whether each criterion chooses another K than the true or the best predicting one."""
    chosen = choices(fits, draws, criteria)
    separation, n, _ = (chosen.index.get_level_values(name) for name in SET)
    if target == "true":
        return chosen.ne(np.where(separation == 0, 1, 2), axis=0)
    best = best_number(draws)
    right = [best.get(key, np.nan) for key in zip(separation, n, strict=True)]
    known = ~np.isnan(right)
    return chosen[known].ne(np.array(right)[known], axis=0)


def more_often_wrong(
    fits: pd.DataFrame, draws: pd.DataFrame, first: str, second: str, target: str
) -> Effect:
    """Share of data sets near the singularity on which first is wrong, less that of second."""
    missed = wrong(fits, draws, target, [first, second])
    near = missed[missed.index.get_level_values("separation") <= NEAR]
    return difference_of_shares(near[first], near[second])


def most_different(fits: pd.DataFrame, draws: pd.DataFrame) -> Effect:
    """Largest difference of how often two criteria miss the true K; intervals hold together."""
    with at_confidence(1 - (1 - confidence()) / len(CONTESTS)):
        found = [more_often_wrong(fits, draws, one, other, "true") for one, other in CONTESTS]
    sizes = [(abs(e.estimate), max(e.low, -e.high, 0.0), max(-e.low, e.high)) for e in found]
    estimate, low, high = np.max(sizes, axis=0).tolist()
    return Effect(estimate, low, high, found[0].observations)


def lost_nats(fits: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """n times the generalisation loss of the chosen K less that of the best predicting one."""
    chosen, best = choices(fits, draws), best_number(draws)
    loss = losses(draws).loc[chosen.index]
    separation, n, _ = (chosen.index.get_level_values(name) for name in SET)
    chosen["best"] = [best[key] for key in zip(separation, n, strict=True)]
    reached = np.take_along_axis(loss.to_numpy(), chosen.to_numpy() - 1, axis=1)
    lost = pd.DataFrame(n.to_numpy()[:, None] * (reached - reached[:, -1:]), chosen.index)
    lost = lost.set_axis(chosen.columns, axis=1).drop(columns="best")
    return lost.rename_axis(columns="criterion").stack().rename("lost").reset_index()


def biases(rows: pd.DataFrame, criterion: str, value: pd.Series) -> pd.DataFrame:
    """Criterion less what it estimates, the exact generalisation loss of all n points, in nats."""
    excess = rows["n"] * (rows["generalisation"] - rows["entropy"])
    bias = value - rows["sample_entropy"] - excess
    return rows[SET].assign(criterion=criterion, bias=bias)[rows["k"] == 2]


def bias(table: pd.DataFrame, criterion: str) -> Effect:
    """Mean of a criterion of draws less the exact generalisation loss, K = 2."""
    return mean(biases(table, criterion, -table[criterion.lower()])["bias"])


# --- claims ---------------------------------------------------------------------------------------

BOTH = ("fitted", "sampled")
SHARES = f"share of data sets at separations up to {NEAR:g}"
MOST = "largest difference {0:.0%} [{1:.0%}, {2:.0%}]"
APART = "{0:.0%} [{1:.0%}, {2:.0%}] of the data sets"


def _wrong(first: str, second: str) -> Claim:
    return Claim(
        f"{first} is wrong more often than {second} (best K)",
        f"Near the singularity {first} chooses {TARGETS['best']} more often than {second}.",
        SELECTION,
        partial(more_often_wrong, first=first, second=second, target="best"),
        "above",
        0.0,
        SHARES,
        of=BOTH,
        words=(
            f"Where components coincide {first} misses the K that predicts best on average more "
            f"often than {second} (difference {APART}).",
            f"Where components coincide {first} misses the K that predicts best on average less "
            f"often than {second} (difference {APART}).",
            f"Whether {first} or {second} misses the K that predicts best on average more often "
            f"is undecided (difference {APART}).",
        ),
    )


CLAIMS = (
    Claim(
        "criteria find the true K alike",
        f"Near the singularity AIC and BIC choose {TARGETS['true']} as often as WAIC, LOO and "
        "sBIC, to 10%.",
        SELECTION, most_different, "below", 0.1,
        f"largest difference of {SHARES.replace('share', 'shares')}, six pairs", of=BOTH,
        words=(
            f"AIC and BIC miss the true K as often as WAIC, LOO and sBIC ({MOST}).",
            f"AIC and BIC do not miss the true K as often as WAIC, LOO and sBIC ({MOST}).",
            f"Whether AIC and BIC miss the true K as often as WAIC, LOO and sBIC is undecided "
            f"({MOST}).",
        ),
    ),
    *(_wrong(*pair) for pair in CONTESTS),
    *(
        Claim(
            f"{name} estimates the generalisation loss",
            f"Over all separations {name} has the mean of the exact generalisation loss (K = 2).",
            f"{WATANABE}, Theorems 1 and 3", partial(bias, criterion=name), "within", 0.5, "nats",
            of=("sampled",),
            words=f"{name} is on average {{0:.2f}} [{{1:.2f}}, {{2:.2f}}] nats above the exact "
            "generalisation loss of two components.",
        )
        for name in ("WAIC", "LOO")
    ),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

STYLES = looks(CRITERIA)
PANELS = {"true": "against the true K", "best": "against the best predicting K"}


def wrong_figure(result: StudyResult) -> Figure:
    """Share of data sets on which each criterion chooses the wrong K.
    Left: another K than the true one. Right: another K than the one whose Bayesian predictive has
    the least exact generalisation loss on average.
    """
    fits, draws = (result.tables[name] for name in BOTH)
    counts = sorted(set(fits["n"]) & set(draws["n"]))
    figure, grid = panels(len(counts), 2, (7, 0.9 + 1.75 * max(len(counts), 1)), sharey=True)
    if not counts:
        nothing(grid[0, 0], "no data set has all criteria")
    for row, n in zip(grid, counts, strict=False):
        fit, drawn = (one[one["n"] == n] for one in (fits, draws))
        for axes, (target, words) in zip(row, PANELS.items(), strict=True):
            shares = pd.DataFrame()
            with suppress(ValueError, KeyError):
                shares = wrong(fit, drawn, target).groupby("separation").mean().T
            image = heat(axes, 100 * shares, "{:.0f}".format, limits=(0, 100))
            axes.set_title(f"n = {int(n)}, {words}", fontsize=9)
            axes.set_xlabel(SEPARATION)
            if image is not None and axes is row[-1]:
                figure.colorbar(image, ax=row, label="wrong K, % of data sets")
    return figure


def loss_figure(result: StudyResult) -> Figure:
    """Exact generalisation loss of the K each criterion chooses, less that of the best K.
    In nats for n new points: means over data sets with 95% intervals.
    """
    rows = pd.DataFrame({"n": []})
    with suppress(ValueError, KeyError):
        rows = lost_nats(*(result.tables[name] for name in BOTH))
    return _by_n(rows, "lost", CRITERIA, "lost by the chosen K, nats")


def bias_figure(result: StudyResult) -> Figure:
    """How far criteria are from the exact generalisation loss of what they judge, on average.
    WAIC and LOO judge the Bayesian predictive, AIC the maximum likelihood fit, K = 2; in nats for n
    points, without the constant of the sample; 95% intervals over data sets.
    """
    fits, draws = (result.tables[name] for name in BOTH)
    parts = [biases(fits, "AIC", fits["aic"] / 2)] if len(fits) else []
    if len(draws):
        parts += [biases(draws, name, -draws[name.lower()]) for name in ("WAIC", "LOO")]
    rows = pd.concat(parts) if parts else pd.DataFrame({"n": []})
    return _by_n(rows, "bias", ("AIC", "WAIC", "LOO"), "criterion - exact loss, nats")


def _by_n(rows: pd.DataFrame, value: str, criteria: Sequence[str], label: str) -> Figure:
    """A panel for each n with the means of each criterion."""
    counts = sorted(rows["n"].unique())
    figure, grid = panels(1, len(counts), (7, 3.4), sharey=True)
    if not counts:
        nothing(grid[0, 0], "no data set has all criteria")
    for axes, n in zip(grid[0], counts, strict=False):
        series = {name: STYLES[name] for name in criteria}
        curves(axes, rows[rows["n"] == n], value, "criterion", series)
        mark(axes, 0.0)
        axes.set_title(f"n = {int(n)}")
    grid[0, 0].set_ylabel(label)
    return legend(figure, grid, 6)


# --- the grids ------------------------------------------------------------------------------------

SEPARATIONS = (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0)
MORE = (*SEPARATIONS, 0.75, 1.25, 2.5, 4.0)
FEW = (0.0, 0.5, 1.0, 3.0)
ALL = {"separation": SEPARATIONS, "n": (50, 200, 1000, 5000), "replicate": range(50)}
TINY = {"separation": (0.0, 1.0), "n": (50,), "replicate": range(2)}
CHOICE = {
    "laptop": [
        {"separation": SEPARATIONS, "n": [200], "replicate": range(50)},
        {"separation": FEW, "n": [50], "replicate": range(50)},
    ],
    "cluster": [
        {"separation": MORE, "n": [200, 1000], "replicate": range(500)},
        {"separation": SEPARATIONS, "n": [50], "replicate": range(500)},
    ],
}


study = Study(
    name="singular_criteria",
    question="Do information criteria choose the right K where components coincide?",
    source=f"{WATANABE}; {SELECTION}",
    experiments={
        "fitted": Experiment(
            cell=fitted, factors={**ALL, "k": NUMBER}, sizes={"smoke": TINY, **CHOICE}
        ),
        "sampled": Experiment(
            cell=sampled,
            factors={**ALL, "k": NUMBER},
            sizes={"smoke": {**TINY, "k": [2]}, **CHOICE},
            structure=("k",),
            time_limit=120.0,
        ),
    },
    claims=CLAIMS,
    figures={
        "wrong K": wrong_figure,
        "lost prediction": loss_figure,
        "bias": bias_figure,
    },
    answer=("BIC is wrong more often than WAIC (best K)", "criteria find the true K alike"),
    chief=(
        "BIC is wrong more often than WAIC (best K)",
        "criteria find the true K alike",
        "WAIC estimates the generalisation loss",
    ),
)  # fmt: skip
