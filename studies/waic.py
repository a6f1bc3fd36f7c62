"""Do WAIC, LOO and WBIC depend on the coordinates?

With matched priors the criteria are functions of the posterior on mixtures, so every
parameterization must give the same value up to Monte Carlo error; native priors are other models.
Data sets of 200 points come from ``Normal(-D/2, 1)/2 + Normal(D/2, 1)/2`` with the separation D
going through the singularity. Those of 50 points, with weights and scales known, have an exact
WAIC by quadrature. On the shipped sets only runs whose chains agree are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data, load, shipped
from ordered_mix.draws.invariance import invariance
from ordered_mix.draws.rhat import rhat
from ordered_mix.draws.wbic import Estimate
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import heat, in_order, panels
from ordered_mix.study.effects import mean
from ordered_mix.study.truths import shared_data
from ordered_mix.theory.criteria import sampled_criteria
from ordered_mix.theory.quadrature import means_posterior

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

ISSUE = "the project's question about WAIC under each parameterization"
CRITERIA = ("WAIC", "LOO", "WBIC")
NEAR, APART, POOR = 1.5, 3.0, 1.05
LINEAR = ("unordered", "ordered", "relative", "centred", "signed")
COORDINATES = (*LINEAR, "relative(link=softplus)", "moment", "resolved")
NATIVE = ("relative", "centred", "signed", "moment", "resolved", "ordered")
CONTROL = "ordered"
SAMPLER = NUTS(draws=300, tune=250)
CHAINS = 4
POINTS, FEWER_POINTS = 200, 50


def simulated(
    seed: int, separation: float, k: int, parameterization: str, prior: str, replicate: int
) -> list[dict[str, Any]]:
    """Criteria of one model on one simulated data set, all parameters free."""
    data = shared_data(separation, POINTS, replicate)
    return [criteria(data, k, parameterization, prior, replicate, seed)]


def real(seed: int, data: str, k: int, parameterization: str, prior: str) -> list[dict[str, Any]]:
    """The same on a shipped data set."""
    return [criteria(load(data), k, parameterization, prior, 0, seed)]


def known(
    seed: int, separation: float, parameterization: str, replicate: int
) -> list[dict[str, Any]]:
    """The same with weights and scales known."""
    data = shared_data(separation, FEWER_POINTS, replicate)
    prior = Prior(spread=2.0, known_w=(0.5, 0.5), known_sigma=1.0)
    means = initial_mixtures(data, 2, CHAINS, "random", replicate).mu
    starts = Mixture(np.full(2, 0.5), means, np.ones(2))
    return [sampled(data, catalog.parameterization(parameterization, 2, prior), starts, seed)]


def exact(seed: int, separation: float, replicate: int) -> list[dict[str, Any]]:
    """WAIC of the same posterior by quadrature; nothing but the data is random."""
    data = shared_data(separation, FEWER_POINTS, replicate)
    return [{"waic": means_posterior(data.y, prior="matched").criteria().elpd_waic}]


def criteria(
    data: Data, k: int, label: str, prior: str, replicate: int, seed: int
) -> dict[str, Any]:
    """Criteria with all parameters free; every parameterization starts from the same mixtures."""
    scaled = Prior(native=prior == "native").affine(float(data.location), float(data.scale))
    starts = initial_mixtures(data, k, CHAINS, "random", replicate)
    return sampled(data, catalog.parameterization(label, k, scaled), starts, seed)


def sampled(data: Data, model: Any, starts: Mixture, seed: int) -> dict[str, Any]:
    """Criteria from draws, with their Monte Carlo errors and what the sampler reports."""
    found = sampled_criteria(SAMPLER, model, data, starts, seed % 2**32)
    pointwise = found.draws.tree["log_likelihood"]["y"].to_numpy()
    return {
        "waic": found.waic.elpd,
        "waic_mcse": found.waic.mcse,
        "loo": found.loo.elpd,
        "loo_mcse": found.loo.mcse,
        "wbic": found.wbic.value,
        "wbic_mcse": found.wbic.mcse,
        "divergences": int(found.draws.statistics["diverging"].sum()),
        "rhat": rhat(pointwise.sum(axis=-1)),
    }


# --- from the tables to effects -------------------------------------------------------------------


def unit_of(rows: pd.DataFrame) -> list[str]:
    """The columns that make a data set."""
    return ["data"] if "data" in rows else ["separation", "replicate"]


def z_scores(table: pd.DataFrame, criterion: str) -> pd.DataFrame:
    """Each parameterization against the others on the same data under matched priors."""
    keys, parts = [*unit_of(table), "k"], []
    for key, group in table[table["prior"] == "matched"].groupby(keys):
        if len(group) < 2:
            continue
        columns = group.set_index("parameterization")[[criterion, f"{criterion}_mcse"]]
        found = invariance({str(name): Estimate(*row) for name, *row in columns.itertuples()})
        parts.append(found.reset_index().assign(**dict(zip(keys, key, strict=True))))
    if not parts:
        raise ValueError("no data set was sampled in two parameterizations")
    return pd.concat(parts, ignore_index=True)


def beyond_noise(rows: pd.DataFrame, change: str) -> Effect:
    """Root mean square change in nats, what Monte Carlo errors give taken out; units are sets."""
    squares = rows.assign(square=rows[change] ** 2 * (1 - 1 / rows["z"] ** 2))
    effect = mean(squares.groupby(unit_of(rows))["square"].mean())
    estimate, low, high = np.sqrt(np.clip(effect[:3], 0, None)).tolist()
    return Effect(estimate, low, high, effect.observations)


def disagreement(table: pd.DataFrame, criterion: str) -> Effect:
    """How far parameterizations differ."""
    return beyond_noise(z_scores(table, criterion), "difference")


def agreed_disagreement(table: pd.DataFrame) -> Effect:
    """How far WAIC differs between runs whose chains agree."""
    return disagreement(table[~(table["rhat"] > POOR)], "waic")


def distance_to_exact(draws: pd.DataFrame, exact: pd.DataFrame) -> Effect:
    """Distance of WAIC from draws to that of quadrature."""
    both = draws.merge(exact, on=unit_of(draws), suffixes=("", "_exact"))
    off = both["waic"] - both["waic_exact"]
    return beyond_noise(both.assign(off=off, z=off / both["waic_mcse"]), "off")


def native_changes(table: pd.DataFrame) -> pd.DataFrame:
    """What a native prior changes in WAIC on the same data: nats, and Monte Carlo errors."""
    keys = [*unit_of(table), "k", "parameterization"]
    columns = [*keys, "waic", "waic_mcse"]
    native, matched = (table.loc[table["prior"] == one, columns] for one in ("native", "matched"))
    both = native.merge(matched, on=keys, suffixes=("", "_matched"))
    if both.empty:
        raise ValueError("no data set was sampled under matched and native priors")
    change = both["waic"] - both["waic_matched"]
    error = np.hypot(both["waic_mcse"], both["waic_mcse_matched"])
    return both.assign(change=change, z=change / error)


def native_effect(table: pd.DataFrame, low: float, high: float) -> Effect:
    """Change by a native prior between two separations."""
    changes = native_changes(table)
    inside = changes["separation"].between(low, high) & (changes["parameterization"] != CONTROL)
    return beyond_noise(changes[inside], "change")


NATS = "nats, root mean square beyond Monte Carlo error"
CHANGE = "native priors change WAIC by more than a quarter of a nat."
REACH = "{0:.2f} [{1:.2f}, {2:.2f}] nats beyond Monte Carlo error"


def _native_words(where: str) -> tuple[str, str, str]:
    return (
        f"Native priors change WAIC {where}, by {REACH}.",
        f"Native priors do not change WAIC {where} by a quarter of a nat ({REACH}).",
        f"Whether native priors change WAIC {where} by a quarter of a nat is undecided ({REACH}).",
    )


def _same_words(what: str) -> tuple[str, str, str]:
    return (
        f"{what} does not depend on the coordinates, to a quarter of a nat ({REACH}).",
        f"{what} depends on the coordinates, by {REACH}.",
        f"Whether {what} depends on the coordinates by a quarter of a nat is undecided ({REACH}).",
    )


CLAIMS = (
    *(
        Claim(
            f"{name} is invariant",
            f"With matched priors {name} is the same in every parameterization, to a quarter of "
            "a nat.",
            ISSUE, partial(disagreement, criterion=name.lower()), "below", 0.25, NATS,
            of=("simulated",), words=_same_words(f"{name} with matched priors"),
        )
        for name in CRITERIA
    ),
    Claim(
        "WAIC is invariant on real data",
        "With matched priors WAIC is the same in every parameterization on the shipped sets, to "
        f"a quarter of a nat, where R-hat is at most {POOR:g}.",
        ISSUE, agreed_disagreement, "below", 0.25, NATS,
        of=("real",), words=_same_words("WAIC of the shipped sets"),
    ),
    Claim(
        "WAIC of draws is exact",
        "With weights and scales known every parameterization samples the exact WAIC, to a "
        "quarter of a nat.",
        ISSUE, distance_to_exact, "below", 0.25, NATS, of=("known", "exact"),
        words="The distance of draws from the exact WAIC, weights and scales known, is "
        f"{REACH}.",
    ),
    Claim(
        "native priors change WAIC near the singularity",
        f"At separations up to {NEAR:g} {CHANGE}",
        ISSUE, partial(native_effect, low=0.0, high=NEAR), "above", 0.25, NATS,
        of=("simulated",), words=_native_words("near the singularity"),
    ),
    Claim(
        "native priors change WAIC of separated components",
        f"At separations from {APART:g} {CHANGE}",
        ISSUE, partial(native_effect, low=APART, high=np.inf), "above", 0.25, NATS,
        of=("simulated",), words=_native_words("of separated components"),
    ),
)  # fmt: skip


# --- the figure -----------------------------------------------------------------------------------


def invariance_figure(result: StudyResult) -> Figure:
    """Differences in WAIC by parameterization and data, in Monte Carlo errors; 1 is chance.
    Above, each against the others under matched priors. Below, native against matched prior on the
    same data: the native prior of ordered is the matched one, so that its row is a control.
    """
    figure, grid = panels(2, 1, (7, 5))
    makers: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "matched priors: against the others, K = 2": partial(z_scores, criterion="waic"),
        "native against matched prior, K = 2": native_changes,
    }
    for axes, (title, make) in zip(grid[:, 0], makers.items(), strict=True):
        axes.set_title(title, fontsize=9)
        parts = []
        for name, place in (("simulated", "separation"), ("real", "data")):
            with suppress(ValueError):
                parts.append(_root_mean_square(make(result.tables[name]), place))
        found = pd.concat(parts, axis=1) if parts else pd.DataFrame()
        found = found.loc[in_order(found.index)]
        image = heat(axes, found, "{:.1f}".format, limits=(0, 6))
        if image is not None:
            figure.colorbar(image, ax=axes, label="r.m.s. z of WAIC", extend="max")
    return figure


def _root_mean_square(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Of the z scores of two components by parameterization and place."""
    rows = rows[rows["k"] == 2]
    squares = rows.assign(square=rows["z"] ** 2).pivot_table(
        index="parameterization", columns=place, values="square"
    )
    names = [f"{at:g}" if place == "separation" else at.split(":")[-1] for at in squares]
    return np.sqrt(squares.set_axis(names, axis=1))


# --- the grids ------------------------------------------------------------------------------------


def skip(k: int, parameterization: str, **others: Any) -> str | None:
    """Why a combination is left out, if so."""
    if parameterization == "resolved" and k != 2:
        return "the squared gap is defined for two components"
    return None


def _models(sets: dict[str, Any], half: dict[str, Any]) -> list[dict[str, Any]]:
    """Two components under matched and native priors, and three on half of the sets."""
    return [
        {**sets, "k": [2], "prior": ["matched"]},
        {**sets, "k": [2], "prior": ["native"], "parameterization": NATIVE},
        {**half, "k": [3], "prior": ["matched"], "parameterization": (*LINEAR, "moment")},
    ]


def _simulated(separations: tuple[float, ...], replicates: int) -> list[dict[str, Any]]:
    where = {"separation": separations}
    half = range((replicates + 1) // 2)
    return _models({**where, "replicate": range(replicates)}, {**where, "replicate": half})


SEPARATIONS = (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0)
FEW = (0.0, 0.5, 1.0, 3.0)
MODEL = {"k": (2, 3), "parameterization": COORDINATES, "prior": ("matched", "native")}
SET = {"separation": SEPARATIONS, "replicate": range(50)}
FEW_SETS = {"separation": FEW, "replicate": range(4)}
TINY = {"separation": (0.0, 1.0), "replicate": range(2)}
FIRST = {"k": [2], "prior": ["matched"], "parameterization": ["unordered"]}
STRUCTURE = ("k", "parameterization", "prior")

study = Study(
    name="waic",
    question="Do WAIC, LOO and WBIC depend on the coordinates?",
    source="Watanabe 2010, JMLR 11, 3571-3594; Watanabe 2013, JMLR 14, 867-897",
    experiments={
        "simulated": Experiment(
            cell=simulated,
            factors={**SET, **MODEL},
            sizes={
                "smoke": {**TINY, **FIRST, "parameterization": ["unordered", "relative"]},
                "laptop": _simulated(FEW, 4),
                "cluster": _simulated(SEPARATIONS, 50),
            },
            skip=skip,
            structure=STRUCTURE,
            time_limit=120.0,
        ),
        "real": Experiment(
            cell=real,
            factors={"data": shipped(), **MODEL},
            sizes={
                "smoke": {"data": ["acidity"], **FIRST},
                "laptop": _models({}, {}),
                "cluster": _models({}, {}),
            },
            skip=skip,
            structure=STRUCTURE,
            time_limit=120.0,
        ),
        "known": Experiment(
            cell=known,
            factors={**SET, "parameterization": (*LINEAR, "resolved")},
            sizes={
                "smoke": {**TINY, "parameterization": ["unordered"]},
                "laptop": FEW_SETS,
                "cluster": {},
            },
            structure=("parameterization",),
            time_limit=120.0,
        ),
        "exact": Experiment(
            cell=exact, factors=SET, sizes={"smoke": TINY, "laptop": FEW_SETS, "cluster": {}}
        ),
    },
    claims=CLAIMS,
    figures={"invariance": invariance_figure},
    answer=("WAIC is invariant", "native priors change WAIC near the singularity"),
    chief=(
        "WAIC is invariant",
        "WAIC of draws is exact",
        "native priors change WAIC near the singularity",
    ),
)
