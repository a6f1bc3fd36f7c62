"""Does a soft penalty on the order of the means lead random starts to the sorted truth?

In place of a hard order some add a potential that makes unsorted means improbable. It keeps every
start where it is, and pulls unsorted neighbours through each other; but a population of three or
more separated components has local maxima of other kinds (Jin, Zhang, Balakrishnan, Wainwright &
Jordan 2016), and with two components there are none. Here the means ascend ``log likelihood +
strength * sum of log sigmoid(gap)`` per point, with equal known weights and unit scales, from
random points of the truth; the same starts, sorted and without a penalty, stand beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit

from ordered_mix.data import population
from ordered_mix.mixture import Array, Mixture
from ordered_mix.passes.kernels import e_step
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import legend, looks, nothing, panels, plain_ticks
from ordered_mix.study.effects import difference_of_shares, extreme_share, rows_of, share
from ordered_mix.study.grid import seed_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

SEPARATION, GRID, STEPS, NEAR = 6.0, 0.2, 2000, 1.0
STRENGTHS, STRONGEST = (0.1, 1.0, 10.0), 10.0


def penalty_cell(seed: int, true: int, strength: float, starts: int) -> list[dict[str, Any]]:
    """Ascent with a penalty of this strength for each point."""
    return climbed(starting_means(true, starts), strength)


def sorted_cell(seed: int, true: int, starts: int) -> list[dict[str, Any]]:
    """Ascent from the same starts, sorted, without a penalty."""
    return climbed(np.sort(starting_means(true, starts), axis=1), 0.0)


def truth_of(true: int) -> Mixture:
    """Unit normals of equal weight on the line, around 0."""
    means = np.asarray(SEPARATION * (np.arange(true) - (true - 1) / 2), dtype=np.float64)
    return Mixture(np.full(true, 1 / true), means, np.ones(true))


def starting_means(true: int, starts: int) -> Array:
    """Random points of the truth, shape (starts, true), the same for every strength."""
    rng = np.random.default_rng(seed_of("order_penalty starts", true=true, starts=starts))
    return truth_of(true).sample(starts * true, rng).reshape(starts, true)


def climbed(mu: Array, strength: float) -> list[dict[str, Any]]:
    """Whether each start ends sorted, and within a standard deviation of the sorted truth."""
    truth = truth_of(mu.shape[1])
    data = population(truth, GRID, reach=8.0)
    for _ in range(STEPS):
        # both curvatures are at most 1 and the strength: no step is too long
        mu = mu + slope_of(mu, strength, truth, data.y, data.weight) / (1 + strength)
    ordered = (np.diff(mu, axis=1) > 0).all(axis=1)
    reached = np.abs(mu - truth.mu).max(axis=1) < NEAR
    return [
        {"start": at, "ordered": bool(one), "reached": bool(other)}
        for at, (one, other) in enumerate(zip(ordered, reached, strict=True))
    ]


def slope_of(mu: Array, strength: float, truth: Mixture, y: Array, weight: Array | None) -> Array:
    """Gradient of the penalised log likelihood for one point in the means (starts, k)."""
    slope = e_step(y, truth.w, mu, truth.sigma, weight).s1
    push = strength * expit(-np.diff(mu, axis=1))
    slope[:, 1:] += push
    slope[:, :-1] -= push
    return slope


def sorts_two(table: pd.DataFrame) -> Effect:
    """Share of the starts of two components that reach the sorted truth, strongest penalty."""
    return share(rows_of(table, true=2, strength=STRONGEST)["reached"].astype(bool))


def most_reached(table: pd.DataFrame) -> Effect:
    """Largest share of starts that reach the sorted truth, three or more components."""
    several = table[table["true"] >= 3].groupby(["true", "strength"])["reached"]
    return extreme_share([part for _, part in several], np.max)


def sorting_gains(penalised: pd.DataFrame, plain: pd.DataFrame) -> Effect:
    """How much more often sorted starts reach it than those under the strongest penalty."""
    unit = ["true", "starts", "start"]
    strong = rows_of(penalised, strength=STRONGEST).set_index(unit)["reached"]
    plain = plain.set_index(unit)["reached"]
    pairs = pd.concat([plain, strong], axis=1, keys=["plain", "strong"], join="inner")
    several = pairs[pairs.index.get_level_values("true") >= 3].astype(bool)
    return difference_of_shares(several["plain"], several["strong"])


JIN = "Jin, Zhang, Balakrishnan, Wainwright & Jordan 2016, on local maxima"
RATIO = "{0:.0%} [{1:.0%}, {2:.0%}]"
CLAIMS = (
    Claim("a soft penalty sorts two components",
          "With two components and a strength of 10 more than 95% of random starts end at the "
          "sorted truth.",
          "a question of this project", sorts_two, "above", 0.95, "share of starts",
          of=("penalty",),
          words=f"With two components a penalty of strength 10 leads {RATIO} of random starts to "
          "the sorted truth."),
    Claim("a soft penalty fails for three or more",
          "With three to five components less than 95% of random starts end at the sorted truth, "
          "whatever the strength.",
          f"a question of this project; {JIN}", most_reached, "below", 0.95,
          "share of starts, largest over components and strengths", of=("penalty",),
          words=(
              f"With three or more it fails: at the best strength {RATIO} of random starts end at "
              "the sorted truth.",
              f"With three or more it does not fail everywhere: at the best strength {RATIO} of "
              "random starts end at the sorted truth.",
              f"Whether it fails with three or more is undecided: at the best strength {RATIO} of "
              "random starts end at the sorted truth.",
          )),
    Claim("sorted starts do better than a soft penalty",
          "With three to five components sorted starts without a penalty end at the truth more "
          "often than the same starts under a penalty of strength 10.",
          "a question of this project", sorting_gains, "above", 0.0,
          "difference of the shares of starts",
          words=(
              "With three to five components sorting the starts does better than the penalty of "
              f"strength 10, by {RATIO} of the starts.",
              "With three to five components sorting the starts, without a penalty, does worse "
              f"than the penalty of strength 10: a difference of {RATIO} of the starts.",
              "Whether sorting the starts does better than the penalty of strength 10 with three "
              f"to five components is undecided: a difference of {RATIO} of the starts.",
          )),
)  # fmt: skip


def reached_figure(result: StudyResult) -> Figure:
    """Share of random starts that end at the sorted truth, by the number of components."""
    penalised = rows_of(result.tables["penalty"], ("reached",))
    plain = rows_of(result.tables["sorted"], ("reached",))
    series = {f"penalty of strength {at:g}": rows_of(penalised, strength=at) for at in STRENGTHS}
    series["sorted starts, no penalty"] = plain
    figure, ((axes,),) = panels(1, 1, (6.0, 3.6))
    for name, look in looks(series).items():
        shares = series[name].groupby("true")["reached"].mean()
        if len(shares):
            axes.plot(shares.index, shares, **look._asdict(), label=name)
    if not axes.lines:
        nothing(axes)
    axes.set(xlabel="components", ylabel="share of starts", ylim=(-0.02, 1.02))
    plain_ticks(axes.xaxis, COMMON["true"])
    return legend(figure, axes, 2)


def _sizes(**smoke: Any) -> dict[str, dict[str, Any]]:
    return {
        "smoke": {**smoke, "starts": (20,)},
        "laptop": {"starts": (200,)},
        "cluster": {"starts": (1000,)},
    }


COMMON = {"true": (2, 3, 4, 5), "starts": (20, 200, 1000)}
study = Study(
    name="order_penalty",
    question="Does a soft penalty on the order of means lead random starts to the sorted truth?",
    source=f"a question of this project; {JIN}",
    experiments={
        "penalty": Experiment(
            cell=penalty_cell,
            factors={**COMMON, "strength": STRENGTHS},
            sizes=_sizes(true=(2, 3), strength=(STRONGEST,)),
        ),
        "sorted": Experiment(cell=sorted_cell, factors=COMMON, sizes=_sizes(true=(2, 3))),
    },
    claims=CLAIMS,
    figures={"reached": reached_figure},
    answer=("a soft penalty sorts two components", "a soft penalty fails for three or more"),
    chief=(
        "a soft penalty sorts two components",
        "a soft penalty fails for three or more",
        "sorted starts do better than a soft penalty",
    ),
)
