"""Are WAIC, LOO and WBIC what theory says where components coincide?

There the model is singular: Watanabe (2010, 2013) has twice the singular fluctuation nu where AIC
has the number of parameters, and lambda log n in place of d/2 log n of BIC. The truth is
``Normal(-D/2, 1)/2 + Normal(D/2, 1)/2`` with the separation D going through the singularity at 0.
With weights and scales known, criteria and the generalisation loss of the posterior are exact, by
quadrature (``exact``). On sets of 30 points with all parameters free, cross-validation is exact,
sampled anew without each point (``refit``).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from ordered_mix.draws.elpd import loo, waic
from ordered_mix.draws.wbic import wbic_beta
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import SEPARATION, curves, legend, looks, mark, nothing, panels
from ordered_mix.study.effects import mean, paired_ratio
from ordered_mix.study.truths import shared_data, two_normals
from ordered_mix.theory.prediction import exact_losses
from ordered_mix.theory.quadrature import learning_coefficient, means_posterior
from ordered_mix.theory.refit import cross_validate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

WATANABE = "Watanabe 2010, JMLR 11, 3571-3594"
WBIC = "Watanabe 2013, JMLR 14, 867-897"
ISSUE = "the project's question about WAIC under each parameterization"
LAMBDA, TWO_NU = 0.75, 1.34594653
SAMPLER = NUTS(draws=300, tune=250)
CHAINS = 4
POINTS = 30


def exact(seed: int, separation: float, n: int, replicate: int) -> list[dict[str, Any]]:
    """Exact criteria with weights and scales known, and the learning coefficient."""
    truth, data = two_normals(separation), shared_data(separation, n, replicate)
    beta = wbic_beta(n)
    posterior, warm, cool = (
        means_posterior(data.y, prior="matched", inverse_temperature=one)
        for one in (1.0, beta, 1.5 * beta)
    )
    criteria = posterior.criteria()
    row = {
        "waic": criteria.elpd_waic,
        "p_waic": criteria.p_waic,
        "loo": criteria.elpd_loo,
        "wbic": warm.wbic(),
        "evidence": posterior.log_evidence(),
        "learning_coefficient": learning_coefficient(warm, cool),
    }
    return [row | exact_losses(truth, data, posterior.log_predictive)]


def refit(seed: int, separation: float, replicate: int) -> list[dict[str, Any]]:
    """WAIC and PSIS-LOO beside exact cross-validation."""
    data = shared_data(separation, POINTS, replicate)
    prior = Prior().affine(float(data.location), float(data.scale))
    model = parameterization("unordered", 2, prior)
    starts = initial_mixtures(data, 2, CHAINS, "random", replicate)
    draws = SAMPLER.sample(model, data, starts, seed % 2**32)
    pointwise = draws.tree["log_likelihood"]["y"].to_numpy()
    by_points = cross_validate(SAMPLER, model, data, starts, seed % 2**32)
    return [
        {
            "waic": waic(pointwise).elpd,
            "loo": loo(pointwise).elpd,
            "cross_validation": by_points.elpd,
            "cross_validation_mcse": by_points.mcse,
        }
    ]


def at_the_singularity(table: pd.DataFrame) -> pd.DataFrame:
    """Exact rows at separation 0 with the most points, with what theory is about."""
    rows = table[table["separation"] == 0]
    rows = rows[rows["n"] == rows["n"].max()]
    excess = rows["n"] * (rows["generalisation"] - rows["entropy"])
    return rows.assign(excess=excess, both=(excess - rows["waic"] - rows["sample_entropy"]) / 2)


def departure(table: pd.DataFrame, column: str, value: float) -> Effect:
    """Mean at the singularity less the value of theory."""
    return mean(at_the_singularity(table)[column] - value)


def validation_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Distance of WAIC and PSIS-LOO to exact cross-validation, in nats."""
    target = table["cross_validation"]
    return table[["separation"]].assign(
        WAIC=(table["waic"] - target).abs(), LOO=(table["loo"] - target).abs()
    )


def validation_error(table: pd.DataFrame) -> Effect:
    """Mean distance of WAIC to exact cross-validation."""
    return mean(validation_errors(table)["WAIC"])


def validation_ratio(table: pd.DataFrame) -> Effect:
    """Distance of PSIS-LOO to exact cross-validation for that of WAIC."""
    errors = validation_errors(table)
    return paired_ratio(errors["LOO"], errors["WAIC"])


def _theory(
    name: str, statement: str, source: str, column: str, value: float, margin: float, what: str,
    unit: str = "",
) -> Claim:  # fmt: skip
    start = f"At the singularity {what}"
    reach = "(difference {0:.3f} [{1:.3f}, {2:.3f}])"
    return Claim(
        name,
        f"At the singularity {statement}",
        source,
        partial(departure, column=column, value=value),
        "within",
        margin,
        unit,
        of=("exact",),
        words=(
            f"{start}, to {margin:g} {reach}.",
            f"It is not so that {start[0].lower()}{start[1:]}, to {margin:g} {reach}.",
            f"Whether {start[0].lower()}{start[1:]}, to {margin:g}, is undecided {reach}.",
        ),
    )


CLAIMS = (
    _theory(
        "p_waic is twice the singular fluctuation",
        "p_waic is 2 nu = 1.346 (weights and scales known).",
        f"{WATANABE}, Theorem 3", "p_waic", TWO_NU, 0.1, "p_waic is 2 nu = 1.346",
    ),
    _theory(
        "p_waic is twice the learning coefficient",
        "p_waic is 2 lambda = 1.5 (weights and scales known).",
        ISSUE, "p_waic", 2 * LAMBDA, 0.1, "p_waic is 2 lambda = 1.5",
    ),
    _theory(
        "generalisation loss exceeds entropy by lambda/n",
        "n times the excess generalisation loss is lambda = 3/4 on average.",
        WATANABE, "excess", LAMBDA, 0.15,
        "n times the excess generalisation loss is lambda = 3/4 on average", "nats",
    ),
    _theory(
        "WAIC and the generalisation loss add up to 2 lambda",
        "n (G - S) and n (WAIC - S_n) have the mean lambda = 3/4.",
        f"{WATANABE}, Theorem 3", "both", LAMBDA, 0.05,
        "n (G - S) and n (WAIC - S_n) have the mean lambda = 3/4", "nats",
    ),
    _theory(
        "WBIC at two temperatures gives lambda",
        "WBIC at 1 / log n and 1.5 / log n gives lambda = 3/4.",
        WBIC, "learning_coefficient", LAMBDA, 0.1,
        "WBIC at 1 / log n and 1.5 / log n gives lambda = 3/4",
    ),


    Claim(
        "WAIC is cross-validation",
        "On small sets WAIC is exact leave-one-out cross-validation to a quarter of a nat.",
        f"{WATANABE}, Theorem 1", validation_error, "below", 0.25, "nats", of=("refit",),
        words="On small sets WAIC is {0:.2f} [{1:.2f}, {2:.2f}] nats from exact cross-validation "
        "on average.",
    ),
    Claim(
        "PSIS-LOO is closer to cross-validation",
        "On small sets PSIS-LOO is closer to exact leave-one-out cross-validation than WAIC.",
        "Vehtari, Gelman & Gabry 2017, Statistics and Computing 27, 1413-1432",
        validation_ratio, "below", 1.0, "distance of PSIS-LOO for that of WAIC", of=("refit",),
        words=(
            "PSIS-LOO is closer ({0:.2f} times as far).",
            "PSIS-LOO is farther ({0:.2f} times as far).",
            "Whether PSIS-LOO is closer is undecided ({0:.2f} times as far).",
        ),
    ),
)  # fmt: skip


def singularity_figure(result: StudyResult) -> Figure:
    """Exact p_waic through the singularity, weights and scales known; 95% intervals.
    Dashed: what theory gives at separation 0 (2 nu, 2 lambda) and for a regular model (d).
    """
    rows = result.tables["exact"]
    figure, ((axes,),) = panels(1, 1, (6, 3.8))
    named = rows.assign(series=[f"n = {int(n)}" for n in rows["n"]])
    curves(axes, named, "p_waic", "series", looks(f"n = {n}" for n in sorted(rows["n"].unique())))
    for value, words in ((2.0, "d"), (2 * LAMBDA, "2 lambda"), (TWO_NU, "2 nu")):
        mark(axes, value, words)
    axes.set_ylabel("p_waic, mean")
    return legend(figure, axes)


def validation_figure(result: StudyResult) -> Figure:
    """Distance of WAIC and PSIS-LOO to exact cross-validation on small sets, one point each."""
    figure, ((axes,),) = panels(1, 1, (5, 3.4))
    if result.tables["refit"].empty:
        nothing(axes, "no data set was sampled without each of its points")
        return figure
    styles = looks(("WAIC", "LOO"))
    errors = validation_errors(result.tables["refit"])
    places = sorted(errors["separation"].unique())
    for shift, name in ((-0.12, "WAIC"), (0.12, "LOO")):
        at = errors["separation"].map(places.index) + shift
        color, marker, _ = styles[name]
        axes.plot(at, errors[name], marker, color=color, ms=4, alpha=0.7, label=name)
    axes.set_xticks(range(len(places)), [f"{value:g}" for value in places])
    axes.set(yscale="log", xlabel=SEPARATION, ylabel="distance to cross-validation, nats")
    return legend(figure, axes)


SEPARATIONS = (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0)
MORE = (*SEPARATIONS, 0.75, 1.25, 2.5, 4.0)
FEW = (0.0, 0.5, 1.0, 3.0)
ALL = {"separation": SEPARATIONS, "n": (50, 200, 1000, 5000), "replicate": range(50)}


def _exact(
    separations: tuple[float, ...], replicates: range, at_zero: dict[int, range]
) -> list[dict[str, Any]]:
    """All separations at three n, and more replicates at the singularity."""
    through = {"separation": separations, "n": [50, 200, 1000], "replicate": replicates}
    zero = {"separation": [0.0]}
    return [through, *({**zero, "n": [n], "replicate": which} for n, which in at_zero.items())]


study = Study(
    name="waic_theory",
    question="Are WAIC, LOO and WBIC what theory says where components coincide?",
    source=f"{WATANABE}; {WBIC}",
    experiments={
        "exact": Experiment(
            cell=exact,
            factors=ALL,
            sizes={
                "smoke": {"separation": (0.0, 1.0), "n": (50,), "replicate": range(6)},
                "laptop": _exact(
                    SEPARATIONS, range(20),
                    {50: range(100), 200: range(100), 1000: range(100), 5000: range(250)},
                ),
                "cluster": [
                    *_exact(
                        MORE, range(500),
                        dict.fromkeys((50, 200, 1000, 5000, 20_000), range(2000)),
                    ),
                    {"separation": MORE, "n": [5000], "replicate": range(500)},
                ],
            },
        ),
        "refit": Experiment(
            cell=refit,
            factors={"separation": SEPARATIONS, "replicate": range(50)},
            sizes={
                "smoke": {"separation": [1.0], "replicate": range(2)},
                "laptop": {"separation": FEW, "replicate": range(4)},
                "cluster": {},
            },
            time_limit=120.0,
        ),
    },
    claims=CLAIMS,
    figures={"singularity": singularity_figure, "cross-validation": validation_figure},
    answer=("p_waic is twice the singular fluctuation", "WAIC is cross-validation"),
    chief=(
        "p_waic is twice the singular fluctuation",
        "WBIC at two temperatures gives lambda",
        "PSIS-LOO is closer to cross-validation",
    ),
)  # fmt: skip
