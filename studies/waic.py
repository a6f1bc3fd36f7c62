"""Do WAIC, LOO and WBIC depend on the coordinates, and do they choose the right K near coincidence?

With matched priors the criteria are functions of the posterior on mixtures, so every
parameterization must give the same value up to Monte Carlo error; native priors are other models.
Where components coincide the model is singular: Watanabe (2010, 2013) replaces the penalty d of
AIC by twice the singular fluctuation nu, and d/2 log n of BIC by lambda log n. The truth here is
``Normal(-D/2, 1)/2 + Normal(D/2, 1)/2`` with the separation D going through the singularity.

Estimators: ``em`` (AIC, BIC and sBIC of the best interior optimum of many starts), ``nuts`` (WAIC,
PSIS-LOO and WBIC from draws), ``quadrature`` (exact posterior, weights and scales known) and
``refit`` (exact leave-one-out cross-validation, sampled anew without each point). Criteria are
compared with the exact generalisation loss of the predictive, by quadrature over the population.

"Wrong K" has two meanings, and both are reported. The *true* K is 1 at D = 0 and else 2. The K that
*predicts best* has the least exact generalisation loss of the Bayesian predictive, averaged over
the data sets of a separation and n: at D = .2 and n = 200 that is 1 although the truth has 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ordered_mix.data import Data, load, population, shipped, simulate
from ordered_mix.draws.criteria import mixture_learning_coefficients, point_criteria, sbic
from ordered_mix.draws.elpd import loo, waic
from ordered_mix.draws.invariance import invariance
from ordered_mix.draws.rhat import rhat
from ordered_mix.draws.wbic import Estimate, wbic, wbic_beta
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Array, Mixture
from ordered_mix.optima.multistart import MultiStart
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Opening, Study, seed_of
from ordered_mix.study.claims import HOLDS
from ordered_mix.study.confidence import at_confidence, confidence
from ordered_mix.study.drawing import (
    SEPARATION,
    curves,
    heat,
    in_order,
    legend,
    looks,
    mark,
    nothing,
    panels,
)
from ordered_mix.study.effects import difference_of_shares, mean, paired_ratio, rows_of
from ordered_mix.study.result import StudyResult
from ordered_mix.study.sentences import Words, amounts, by_outcome, listed, measured, paragraph
from ordered_mix.theory.prediction import generalisation_loss, log_predictive
from ordered_mix.theory.quadrature import learning_coefficient, means_posterior
from ordered_mix.theory.refit import cross_validate

ISSUE = "the project's question about WAIC under each parameterization"
WATANABE = "Watanabe 2010, JMLR 11, 3571-3594"
LAMBDA, TWO_NU = 0.75, 1.34594653
NEAR, APART, POOR = 1.5, 3.0, 1.05
NUMBER = (1, 2, 3)
FITTED, SAMPLED = ("AIC", "BIC", "sBIC"), ("WAIC", "LOO", "WBIC")
CRITERIA = (*FITTED, *SAMPLED)
SOFTPLUS = "relative(link=softplus)"
MATCHED = ("unordered", "ordered", "relative", SOFTPLUS, "centred", "signed", "moment", "resolved")
NATIVE = ("relative", "centred", "signed", "moment", "resolved")
CONTROL = "ordered"
SAMPLER = NUTS(draws=300, tune=250)
CHAINS = 4
SET = ["data", "separation", "n", "replicate"]


class Case(NamedTuple):
    """A sample, and the truth if it is known."""

    sample: Data
    truth: Mixture | None

    def losses(self, predict: Callable[[Array], Array]) -> dict[str, float]:
        """Exact generalisation loss of a log density and what it is compared with, in nats."""
        if self.truth is None:
            return {}
        grid = population(self.truth, step=0.05)
        assert grid.weight is not None
        return {
            "generalisation": generalisation_loss(grid.weight, predict(grid.y)),
            "entropy": generalisation_loss(grid.weight, self.truth.log_density(grid.y)),
            "sample_entropy": float(-self.truth.log_density(self.sample.y).sum()),
        }


def cell(
    seed: int,
    estimator: str,
    free: str,
    data: str,
    separation: float | None,
    n: int | None,
    k: int,
    parameterization: str,
    prior: str,
    replicate: int,
) -> list[dict[str, Any]]:
    """Criteria of one model on one data set, and its exact generalisation loss."""
    case = draw_case(data, separation, n, replicate)
    if estimator == "em":
        return [fitted(case, k)]
    if estimator == "quadrature":
        return [integrated(case, parameterization if prior == "native" else prior)]
    model = _model(case.sample, free, k, parameterization, prior == "native")
    starts = _starts(case.sample, free, k, replicate)
    return [(sampled if estimator == "nuts" else validated)(case, model, starts, seed % 2**32)]


def draw_case(data: str, separation: float | None, n: int | None, replicate: int) -> Case:
    """A shipped set, or the data that all cells of a separation, n and replicate share."""
    if data != "simulated" or separation is None or n is None:
        return Case(load(data), None)
    truth = Mixture(np.full(2, 0.5), np.array([-separation / 2, separation / 2]), np.ones(2))
    seed = seed_of("data", separation=separation, n=n, replicate=replicate)
    return Case(simulate(truth, n, seed), truth)


def fitted(case: Case, k: int) -> dict[str, Any]:
    """Criteria of the best interior optimum that EM finds from 12 starts.

    Scales below a tenth of the data's are not accepted: the likelihood has no maximum, and narrow
    components on a few points would decide.
    """
    floored = EM(floor=0.1 * float(case.sample.scale), stop=Stop(log_likelihood=1e-7))
    explore = Stop(log_likelihood=1e-5, passes=1_000)
    search = MultiStart(starts=12, estimator=floored, explore=explore)
    optima = search.fit(catalog.parameterization("unordered", k), case.sample)
    criteria = point_criteria(case.sample.y, optima.best, 3 * k - 1)
    row: dict[str, Any] = {
        "log_likelihood": optima.log_likelihood,
        "aic": criteria.aic,
        "bic": criteria.bic,
    }
    row["points"] = case.sample.n
    return row | case.losses(optima.best.log_density)


def integrated(case: Case, prior: str) -> dict[str, Any]:
    """Exact criteria with weights and scales known, and the learning coefficient."""
    y, beta = case.sample.y, wbic_beta(case.sample.n)
    posterior = means_posterior(y, prior=prior)
    warm, cool = (
        means_posterior(y, prior=prior, inverse_temperature=one) for one in (beta, 1.5 * beta)
    )
    exact = posterior.criteria()
    row = {
        "waic": exact.elpd_waic,
        "p_waic": exact.p_waic,
        "loo": exact.elpd_loo,
        "wbic": warm.wbic(),
        "evidence": posterior.log_evidence(),
        "learning_coefficient": learning_coefficient(warm, cool),
    }
    return row | case.losses(posterior.log_predictive)


def sampled(case: Case, model: Parameterization, starts: Mixture, seed: int) -> dict[str, Any]:
    """Criteria from draws, with their Monte Carlo errors and what the sampler reports."""
    draws = SAMPLER.sample(model, case.sample, starts, seed)
    pointwise = draws.tree["log_likelihood"]["y"].to_numpy()
    widely, leave_out = waic(pointwise), loo(pointwise)
    warmer = replace(SAMPLER, inverse_temperature=wbic_beta(case.sample.n))
    tempered = warmer.sample(model, case.sample, starts, seed).mixture
    bayesian = wbic(e_step(case.sample.y, tempered.w, tempered.mu, tempered.sigma).log_likelihood)
    row = {
        "waic": widely.elpd,
        "waic_mcse": widely.mcse,
        "p_waic": widely.p,
        "loo": leave_out.elpd,
        "loo_mcse": leave_out.mcse,
        "high_k": int(np.sum(leave_out.pareto_k.to_numpy() > leave_out.good_k)),
        "wbic": bayesian.value,
        "wbic_mcse": bayesian.mcse,
        "divergences": int(draws.statistics["diverging"].sum()),
        "rhat": rhat(pointwise.sum(axis=-1)),
    }
    mixture = draws.mixture
    return row | case.losses(
        partial(log_predictive, w=mixture.w, mu=mixture.mu, sigma=mixture.sigma)
    )


def validated(case: Case, model: Parameterization, starts: Mixture, seed: int) -> dict[str, Any]:
    """WAIC and PSIS-LOO beside exact cross-validation."""
    draws = SAMPLER.sample(model, case.sample, starts, seed)
    pointwise = draws.tree["log_likelihood"]["y"].to_numpy()
    exact = cross_validate(SAMPLER, model, case.sample, starts, seed)
    widely, leave_out = waic(pointwise), loo(pointwise)
    return {
        "waic": widely.elpd,
        "waic_mcse": widely.mcse,
        "loo": leave_out.elpd,
        "loo_mcse": leave_out.mcse,
        "cross_validation": exact.elpd,
        "cross_validation_mcse": exact.mcse,
    }


def _model(sample: Data, free: str, k: int, label: str, native: bool) -> Parameterization:
    if free == "means":
        prior = Prior(spread=2.0, known_w=(0.5, 0.5), known_sigma=1.0, native=native)
    else:
        prior = Prior(native=native).affine(float(sample.location), float(sample.scale))
    return catalog.parameterization(label, k, prior)


def _starts(sample: Data, free: str, k: int, replicate: int) -> Mixture:
    """Means at random points; every parameterization starts from the same mixtures."""
    starts = initial_mixtures(sample, k, CHAINS, "random", replicate)
    return starts if free == "all" else Mixture(np.full(2, 0.5), starts.mu, np.ones(2))


# --- from the table to effects --------------------------------------------------------------------


COLUMNS = ("aic", "waic", "waic_mcse", "loo", "generalisation", "entropy", "sample_entropy")


def sets(table: pd.DataFrame) -> pd.DataFrame:
    """The table with numbers in place of what real data lack, so that rows group by data set."""
    return table.fillna({"separation": -1.0, "n": 0})


def draws_of(table: pd.DataFrame, free: str = "all", prior: str = "matched") -> pd.DataFrame:
    """Rows that NUTS computed."""
    return sets(rows_of(table, COLUMNS, estimator="nuts", free=free, prior=prior))


def exact_of(table: pd.DataFrame, prior: str = "matched") -> pd.DataFrame:
    """Rows that quadrature computed."""
    return sets(table[(table["estimator"] == "quadrature") & (table["prior"] == prior)])


def scores(table: pd.DataFrame, criteria: Iterable[str] = CRITERIA) -> dict[str, pd.DataFrame]:
    """Each criterion by data set and K on the scale of a deviance, smaller is better.

    Only data sets for which every one of these criteria has K = 1, 2 and 3 are kept.
    """
    fits = sets(table[table["estimator"] == "em"])
    draws = draws_of(table)
    draws = draws[draws["parameterization"] == "unordered"]
    found = {
        "AIC": fits.pivot(index=SET, columns="k", values="aic"),
        "BIC": fits.pivot(index=SET, columns="k", values="bic"),
        "WAIC": -2 * draws.pivot(index=SET, columns="k", values="waic"),
        "LOO": -2 * draws.pivot(index=SET, columns="k", values="loo"),
        "WBIC": 2 * draws.pivot(index=SET, columns="k", values="wbic"),
        "loss": draws.pivot(index=SET, columns="k", values="generalisation"),
    }
    found["sBIC"] = _singular(fits.pivot(index=SET, columns="k", values="log_likelihood"), fits)
    wanted = {name: found[name].reindex(columns=NUMBER).dropna() for name in criteria}
    shared = sorted(set.intersection(*(set(frame.index) for frame in wanted.values())))
    if not shared:
        raise ValueError(f"no data set has K = 1, 2, 3 under {', '.join(wanted)}")
    index = pd.MultiIndex.from_tuples(shared, names=SET)
    return {name: frame.loc[index] for name, frame in wanted.items()}


def _singular(log_likelihood: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    complete = log_likelihood.reindex(columns=NUMBER).dropna()
    lengths = fits.drop_duplicates(SET).set_index(SET)["points"]
    coefficients = mixture_learning_coefficients(len(NUMBER))
    rows = [
        sbic(row, lengths[key], coefficients)
        for key, row in zip(complete.index, complete.to_numpy(), strict=True)
    ]
    return pd.DataFrame(rows, index=complete.index, columns=NUMBER, dtype=float)


def choices(table: pd.DataFrame, criteria: Iterable[str] = CRITERIA) -> pd.DataFrame:
    """The K each criterion chooses on each simulated data set, and the true K."""
    found = scores(_simulated(table), criteria)
    chosen = pd.DataFrame({name: frame.idxmin(axis=1) for name, frame in found.items()})
    separation = chosen.index.get_level_values("separation")
    chosen["true"] = np.where(separation == 0, 1, 2)
    return chosen


def losses(table: pd.DataFrame) -> pd.DataFrame:
    """Exact generalisation loss of the Bayesian predictive by data set and K, in nats a point."""
    return scores(_simulated(table), ["loss"])["loss"]


def best_number(table: pd.DataFrame) -> pd.Series:
    """The K of least mean exact generalisation loss, by separation and n."""
    return losses(table).groupby(["separation", "n"]).mean().idxmin(axis=1)


TARGETS = {"true": "another K than the true one", "best": "another K than the best predicting one"}
CONTESTS = tuple((a, b) for a in ("AIC", "BIC") for b in ("WAIC", "LOO", "sBIC"))


def wrong(table: pd.DataFrame, target: str, criteria: Iterable[str] = CRITERIA) -> pd.DataFrame:
    """Whether each criterion chooses another K than the true or the best predicting one."""
    chosen = choices(table, criteria)
    right = chosen.pop("true")
    if target == "best":
        best = best_number(table)
        keys = zip(
            *(chosen.index.get_level_values(name) for name in ("separation", "n")), strict=True
        )
        right = pd.Series([best.get(key, np.nan) for key in keys], index=chosen.index)
        chosen, right = chosen[right.notna()], right.dropna()
    return chosen.ne(right, axis=0)


def _simulated(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["data"] == "simulated"]


def more_often_wrong(
    table: pd.DataFrame, first: str, second: str, target: str, nearest: float = NEAR
) -> Effect:
    """Share of data sets near the singularity on which first is wrong, less that of second."""
    missed = wrong(table, target, [first, second])
    near = missed[missed.index.get_level_values("separation") <= nearest]
    return difference_of_shares(near[first], near[second])


def most_different(table: pd.DataFrame) -> Effect:
    """Largest difference of how often two criteria miss the true K; intervals hold together."""
    with at_confidence(1 - (1 - confidence()) / len(CONTESTS)):
        found = [more_often_wrong(table, one, other, "true") for one, other in CONTESTS]
    sizes = [(abs(e.estimate), max(e.low, -e.high, 0.0), max(-e.low, e.high)) for e in found]
    estimate, low, high = np.max(sizes, axis=0).tolist()
    return Effect(estimate, low, high, found[0].observations)


def z_scores(table: pd.DataFrame, criterion: str) -> pd.DataFrame:
    """Each parameterization against the others on the same data under matched priors."""
    parts = []
    for key, group in draws_of(table).groupby([*SET, "k"]):
        if len(group) < 2:
            continue
        columns = group.set_index("parameterization")[[criterion, f"{criterion}_mcse"]]
        found = invariance({str(name): Estimate(*row) for name, *row in columns.itertuples()})
        parts.append(found.reset_index().assign(**dict(zip([*SET, "k"], key, strict=True))))
    if not parts:
        raise ValueError("no data set was sampled in two parameterizations")
    return pd.concat(parts, ignore_index=True)


def beyond_noise(rows: pd.DataFrame, change: str) -> Effect:
    """Root mean square change in nats, what Monte Carlo errors give taken out; units are sets."""
    return _root(_by_set(rows, rows[change] ** 2 * (1 - 1 / rows["z"] ** 2)))


def disagreement(table: pd.DataFrame, criterion: str, real: bool = False) -> Effect:
    """How far parameterizations differ; on real data only runs whose chains agree."""
    rows = table[(table["data"] != "simulated") == real]
    rows = rows[~(rows["rhat"] > POOR)] if real else rows
    return beyond_noise(z_scores(rows, criterion), "difference")


def exact_z(table: pd.DataFrame) -> pd.DataFrame:
    """WAIC from draws against the exact value of the same posterior, in Monte Carlo errors."""
    exact = exact_of(table)[[*SET, "waic"]]
    both = draws_of(table, "means").merge(exact, on=SET, suffixes=("", "_exact"))
    return both.assign(z=(both["waic"] - both["waic_exact"]) / both["waic_mcse"])


def distance_to_exact(table: pd.DataFrame) -> Effect:
    """Distance of draws from quadrature."""
    rows = exact_z(table)
    return beyond_noise(rows.assign(off=rows["waic"] - rows["waic_exact"]), "off")


def native_changes(table: pd.DataFrame) -> pd.DataFrame:
    """What a native prior changes in WAIC on the same data: nats, and Monte Carlo errors."""
    keys = [*SET, "k", "parameterization"]
    columns = [*keys, "waic", "waic_mcse"]
    native = draws_of(table, prior="native")[columns]
    both = native.merge(draws_of(table)[columns], on=keys, suffixes=("", "_matched"))
    if both.empty:
        raise ValueError("no data set was sampled under matched and native priors")
    change = both["waic"] - both["waic_matched"]
    error = np.hypot(both["waic_mcse"], both["waic_mcse_matched"])
    return both.assign(change=change, z=change / error)


def native_effect(table: pd.DataFrame, low: float, high: float) -> Effect:
    """Change by a native prior between two separations."""
    changes = native_changes(_simulated(table))
    inside = changes["separation"].between(low, high) & (changes["parameterization"] != CONTROL)
    return beyond_noise(changes[inside], "change")


def exact_changes(table: pd.DataFrame) -> pd.DataFrame:
    """What a native prior changes in the exact WAIC, weights and scales known, in nats."""
    columns = [*SET, "parameterization", "waic"]
    matched = exact_of(table)[[*SET, "waic"]]
    both = exact_of(table, "native")[columns].merge(matched, on=SET, suffixes=("", "_matched"))
    return both.assign(change=both["waic"] - both["waic_matched"])


def _by_set(rows: pd.DataFrame, values: pd.Series) -> Array:
    return rows.assign(value=values).groupby(SET)["value"].mean().to_numpy()


def _root(squares: Array) -> Effect:
    effect = mean(squares)
    estimate, low, high = np.sqrt(np.clip(effect[:3], 0, None)).tolist()
    return Effect(estimate, low, high, effect.observations)


def at_the_singularity(table: pd.DataFrame) -> pd.DataFrame:
    """Exact rows at separation 0 with the most points, with what theory is about."""
    rows = exact_of(_simulated(table))
    rows = rows[rows["separation"] == 0]
    rows = rows[rows["n"] == rows["n"].max()]
    excess = rows["n"] * (rows["generalisation"] - rows["entropy"])
    return rows.assign(excess=excess, both=(excess - rows["waic"] - rows["sample_entropy"]) / 2)


def departure(table: pd.DataFrame, column: str, value: float) -> Effect:
    """Mean at the singularity less the value of theory."""
    return mean(at_the_singularity(table)[column] - value)


def biases(table: pd.DataFrame, k: int = 2) -> pd.DataFrame:
    """Criterion less what it estimates, the exact generalisation loss of all n points, in nats."""
    draws = draws_of(_simulated(table))
    draws = draws[(draws["parameterization"] == "unordered") & (draws["k"] == k)]
    fits = rows_of(_simulated(table), COLUMNS, estimator="em", k=k)
    parts = []
    for name, rows, value in (
        ("AIC", fits, fits["aic"] / 2),
        ("WAIC", draws, -draws["waic"]),
        ("LOO", draws, -draws["loo"]),
    ):
        excess = rows["n"] * (rows["generalisation"] - rows["entropy"])
        bias = value - rows["sample_entropy"] - excess
        parts.append(rows[SET].assign(criterion=name, bias=bias))
    return pd.concat(parts, ignore_index=True)


def bias(table: pd.DataFrame, criterion: str) -> Effect:
    """Mean of a criterion less the exact generalisation loss, over simulated data sets."""
    rows = biases(table)
    return mean(rows.loc[rows["criterion"] == criterion, "bias"])


def validation_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Distance of WAIC and PSIS-LOO to exact cross-validation, in nats."""
    rows = sets(table[table["estimator"] == "refit"])
    rows = rows.reindex(columns=[*SET, "waic", "loo", "cross_validation"])
    exact = rows["cross_validation"]
    return rows[SET].assign(WAIC=(rows["waic"] - exact).abs(), LOO=(rows["loo"] - exact).abs())


def validation_error(table: pd.DataFrame) -> Effect:
    """Mean distance of WAIC to exact cross-validation."""
    return mean(validation_errors(table)["WAIC"])


def validation_ratio(table: pd.DataFrame) -> Effect:
    """Distance of PSIS-LOO to exact cross-validation for that of WAIC."""
    errors = validation_errors(table)
    return paired_ratio(errors["LOO"], errors["WAIC"])


def lost_nats(table: pd.DataFrame) -> pd.DataFrame:
    """n times the generalisation loss of the chosen K less that of the best predicting one."""
    chosen, loss, best = choices(table), losses(table), best_number(table)
    parts = []
    for key, row in chosen.iterrows():
        _, separation, n, _ = key
        right = loss.loc[key, best[separation, n]]
        parts += [
            {**dict(zip(SET, key, strict=True)), "criterion": name,
             "lost": n * (loss.loc[key, row[name]] - right)}
            for name in CRITERIA
        ]  # fmt: skip
    return pd.DataFrame(parts)


# --- claims ---------------------------------------------------------------------------------------

SELECTION = "Watanabe 2013, JMLR 14, 867-897; Drton & Plummer 2017, JRSS B 79, 323-380"
NATS = "nats, root mean square beyond Monte Carlo error"
CHANGE = "native priors change WAIC by more than a quarter of a nat."

CLAIMS = (
    *(Claim(f"{name} is invariant",
            f"With matched priors {name} is the same in every parameterization, to a quarter of "
            "a nat.",
            ISSUE, partial(disagreement, criterion=name.lower()), "below", 0.25, NATS)
      for name in SAMPLED),
    Claim("WAIC is invariant on real data",
          "With matched priors WAIC is the same in every parameterization on the shipped sets, to "
          f"a quarter of a nat, where R-hat is at most {POOR:g}.",
          ISSUE, partial(disagreement, criterion="waic", real=True), "below", 0.25, NATS),
    Claim("WAIC of draws is exact",
          "With weights and scales known every parameterization samples the exact WAIC, to a "
          "quarter of a nat.",
          ISSUE, distance_to_exact, "below", 0.25, NATS),
    Claim("native priors change WAIC near the singularity",
          f"At separations up to {NEAR:g} {CHANGE}",
          ISSUE, partial(native_effect, low=0.0, high=NEAR), "above", 0.25, NATS),
    Claim("native priors change WAIC of separated components",
          f"At separations from {APART:g} {CHANGE}",
          ISSUE, partial(native_effect, low=APART, high=np.inf), "above", 0.25, NATS),
    Claim("criteria find the true K alike",
          f"Near the singularity AIC and BIC choose {TARGETS['true']} as often as WAIC, LOO and "
          "sBIC, to 10%.",
          SELECTION, most_different, "below", 0.1,
          f"largest difference of shares of data sets at separations up to {NEAR:g}, six pairs"),
    *(Claim(f"{first} is wrong more often than {second} (best K)",
            f"Near the singularity {first} chooses {TARGETS['best']} more often than {second}.",
            SELECTION, partial(more_often_wrong, first=first, second=second, target="best"),
            "above", 0.0, f"share of data sets at separations up to {NEAR:g}")
      for first, second in CONTESTS),
    Claim("p_waic is twice the singular fluctuation",
          "At the singularity p_waic is 2 nu = 1.346 (weights and scales known).",
          f"{WATANABE}, Theorem 3",
          partial(departure, column="p_waic", value=TWO_NU), "within", 0.1),
    Claim("p_waic is twice the learning coefficient",
          "At the singularity p_waic is 2 lambda = 1.5 (weights and scales known).",
          ISSUE, partial(departure, column="p_waic", value=2 * LAMBDA), "within", 0.1),
    Claim("generalisation loss exceeds entropy by lambda/n",
          "At the singularity n times the excess generalisation loss is lambda = 3/4 on average.",
          WATANABE, partial(departure, column="excess", value=LAMBDA), "within", 0.15, "nats"),
    Claim("WAIC and the generalisation loss add up to 2 lambda",
          "At the singularity n (G - S) and n (WAIC - S_n) have the mean lambda = 3/4.",
          f"{WATANABE}, Theorem 3",
          partial(departure, column="both", value=LAMBDA), "within", 0.05, "nats"),
    Claim("WBIC at two temperatures gives lambda",
          "At the singularity WBIC at 1 / log n and 1.5 / log n gives lambda = 3/4.",
          "Watanabe 2013, JMLR 14, 867-897",
          partial(departure, column="learning_coefficient", value=LAMBDA), "within", 0.1),
    *(Claim(f"{name} estimates the generalisation loss",
            f"Over all separations {name} has the mean of the exact generalisation loss (K = 2).",
            f"{WATANABE}, Theorems 1 and 3", partial(bias, criterion=name), "within", 0.5, "nats")
      for name in ("WAIC", "LOO")),
    Claim("WAIC is cross-validation",
          "On small sets WAIC is exact leave-one-out cross-validation to a quarter of a nat.",
          f"{WATANABE}, Theorem 1", validation_error, "below", 0.25, "nats"),
    Claim("PSIS-LOO is closer to cross-validation",
          "On small sets PSIS-LOO is closer to exact leave-one-out cross-validation than WAIC.",
          "Vehtari, Gelman & Gabry 2017, Statistics and Computing 27, 1413-1432",
          validation_ratio, "below", 1.0, "distance of PSIS-LOO for that of WAIC"),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

STYLES = looks(CRITERIA)
PANELS = {"true": "against the true K", "best": "against the best predicting K"}


def wrong_figure(result: StudyResult) -> Figure:
    """Share of data sets on which each criterion chooses the wrong K.
    Left: another K than the true one. Right: another K than the one whose Bayesian predictive has
    the least exact generalisation loss on average. The right K is below each separation.
    """
    shares = {target: _shares(result.table, target) for target in PANELS}
    counts = sorted({n for part in shares.values() for n, _ in part.columns})
    figure, grid = panels(len(counts), 2, (7, 0.9 + 1.75 * max(len(counts), 1)), sharey=True)
    if not counts:
        nothing(grid[0, 0], "no data set has K = 1, 2, 3")
    image = None
    for row, n in zip(grid, counts, strict=False):
        for axes, (target, words) in zip(row, PANELS.items(), strict=True):
            axes.set_title(f"n = {int(n)}, {words}", fontsize=9)
            part = shares[target]
            part = part[n] if n in part.columns else pd.DataFrame()
            if heat(axes, 100 * part, "{:.0f}".format, limits=(0, 100)) is None:
                continue
            image = axes.images[0]
            best = best_number(result.table).swaplevel() if target == "best" else None
            right = [1 + (at > 0) if best is None else best[n, at] for at in part]
            labels = [f"{at:g}\nK = {k}" for at, k in zip(part, right, strict=True)]
            axes.set_xticks(range(len(labels)), labels)
            axes.set_xlabel(SEPARATION)
    if image is not None:
        figure.colorbar(image, ax=grid, label="wrong K, % of data sets", shrink=0.8)
    return figure


def _shares(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """Share of wrong choices by criterion, with n and separation as columns."""
    parts = {}
    for name in CRITERIA:
        with suppress(ValueError, KeyError):
            parts[name] = wrong(table, target, [name])[name].groupby(["n", "separation"]).mean()
    return pd.DataFrame(parts).T.reindex(CRITERIA) if parts else pd.DataFrame()


def loss_figure(result: StudyResult) -> Figure:
    """Exact generalisation loss of the K each criterion chooses, less that of the best K.
    In nats for n new points: means over data sets with 95% intervals.
    """
    rows = pd.DataFrame({"n": []})
    with suppress(ValueError, KeyError):
        rows = lost_nats(result.table)
    return _by_n(rows, "lost", CRITERIA, "lost by the chosen K, nats")


def bias_figure(result: StudyResult) -> Figure:
    """How far criteria are from the exact generalisation loss of what they judge, on average.
    WAIC and LOO judge the Bayesian predictive, AIC the maximum likelihood fit, K = 2; in nats for n
    points, without the constant of the sample; 95% intervals over data sets.
    """
    rows = biases(result.table)
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
        found = pd.DataFrame()
        with suppress(ValueError):
            found = _root_mean_square(make(result.table))
        image = heat(axes, found, "{:.1f}".format, limits=(0, 6))
        if image is not None:
            figure.colorbar(image, ax=axes, label="r.m.s. z of WAIC", extend="max")
    return figure


def _root_mean_square(rows: pd.DataFrame) -> pd.DataFrame:
    """Of the z scores of two components by parameterization; simulated data first."""
    rows = rows[rows["k"] == 2].assign(square=rows["z"] ** 2, real=rows["data"] != "simulated")
    places = ["real", "separation", "data"]
    squares = rows.pivot_table(index="parameterization", columns=places, values="square")
    squares.columns = [
        data.replace("faithful:", "") if real else f"{separation:g}"
        for real, separation, data in squares.columns
    ]
    return np.sqrt(squares.loc[in_order(squares.index)])


def singularity_figure(result: StudyResult) -> Figure:
    """Exact p_waic through the singularity, and the learning coefficient in three ways.
    Weights and scales are known. Dashed: what theory gives at separation 0 (2 nu, 2 lambda, lambda)
    and for a regular model (d); 95% intervals over data sets.
    """
    rows = exact_of(_simulated(result.table))
    figure, grid = panels(1, 2, (7, 3.8))
    left, right = grid[0]
    counts = sorted(rows["n"].unique())
    named = rows.assign(series=[f"n = {int(n)}" for n in rows["n"]])
    curves(left, named, "p_waic", "series", looks(f"n = {int(n)}" for n in counts))
    for value, words in ((2.0, "d"), (2 * LAMBDA, "2 lambda"), (TWO_NU, "2 nu")):
        mark(left, value, words)
    left.set_ylabel("p_waic, mean")
    measures = {"excess": "n (G - S)", "both": "with WAIC", "learning_coefficient": "from WBIC"}
    parts = [at_the_singularity(result.table[result.table["n"] == n]) for n in counts]
    zero = pd.concat(
        [part for part in parts if len(part)] or [rows.reindex(columns=["n", *measures])]
    )
    zero = zero.melt("n", list(measures), "measure")
    curves(right, zero, "value", "measure", looks(measures), x="n")
    mark(right, LAMBDA, "lambda")
    right.set(xlabel="n, at separation 0", ylabel="learning coefficient")
    for axes in (left, right):
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(
            handles, [measures.get(label.replace(" ", "_"), label) for label in labels],
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=8, frameon=False,
        )  # fmt: skip
    return figure


def real_figure(result: StudyResult) -> Figure:
    """The K that each criterion chooses on the shipped data, among 1, 2 and 3."""
    table = result.table[result.table["data"] != "simulated"]
    chosen = {}
    for name in CRITERIA:
        with suppress(ValueError, KeyError):
            best = scores(table, [name])[name].idxmin(axis=1)
            chosen[name] = best.groupby("data").first()
    figure, grid = panels(1, 1, (7, 2.6))
    found = pd.DataFrame(chosen).T.reindex(CRITERIA)
    heat(grid[0, 0], found, "{:.0f}".format, "Blues", (0, 5))
    grid[0, 0].set_title("K chosen among 1, 2, 3", fontsize=9)
    return figure


def validation_figure(result: StudyResult) -> Figure:
    """Distance of WAIC and PSIS-LOO to exact cross-validation on small sets, one point each."""
    errors = validation_errors(result.table)
    figure, grid = panels(1, 1, (5, 3.4))
    axes = grid[0, 0]
    if errors.empty:
        nothing(axes, "no data set was sampled without each of its points")
        return figure
    places = sorted(errors["separation"].unique())
    for shift, name in ((-0.12, "WAIC"), (0.12, "LOO")):
        at = errors["separation"].map(places.index) + shift
        color, marker, _ = STYLES[name]
        axes.plot(at, errors[name], marker, color=color, ms=4, alpha=0.7, label=name)
    axes.set_xticks(range(len(places)), [f"{value:g}" for value in places])
    axes.set(yscale="log", xlabel=SEPARATION, ylabel="distance to cross-validation, nats")
    return legend(figure, axes)


# --- findings -------------------------------------------------------------------------------------

SENTENCES: dict[str, Words] = {
    "WAIC of draws is exact": "From the exact WAIC, weights and scales known, draws are "
    "{0:.2f} [{1:.2f}, {2:.2f}] nats away beyond Monte Carlo error.",
    "native priors change WAIC near the singularity": "Monte Carlo error taken out, native priors "
    f"change WAIC by {{0:.2f}} [{{1:.2f}}, {{2:.2f}}] nats at separations up to {NEAR:g}.",
    "native priors change WAIC of separated components": "From separation "
    f"{APART:g} they change it by {{0:.2f}} [{{1:.2f}}, {{2:.2f}}] nats.",
    "WAIC is cross-validation": "On small sets WAIC is {0:.2f} nats from exact cross-validation "
    "on average.",
    "PSIS-LOO is closer to cross-validation": (
        "PSIS-LOO is closer ({0:.2f} times as far).",
        "PSIS-LOO is farther ({0:.2f} times as far).",
        "Whether PSIS-LOO is closer is undecided ({0:.2f} times as far).",
    ),
}


def findings(result: StudyResult) -> str:
    """What the numbers say, in a paragraph."""
    return paragraph(
        result,
        _told_invariance,
        lambda result: by_outcome(result.verdicts, SENTENCES),
        _told_convergence,
        _told_native,
        _told_selection,
        _told_singularity,
        _told_real,
    )


def _told_invariance(result: StudyResult) -> Iterator[str]:
    effects = measured(result)
    named = {name: f"{name} is invariant" for name in SAMPLED if f"{name} is invariant" in effects}
    if not named:
        return
    held = {verdict.claim.name for verdict in result.verdicts if verdict.outcome == HOLDS}
    agree = [name for name, claim in named.items() if claim in held]
    sizes = amounts({n: effects[claim].estimate for n, claim in named.items()}, "{0} {1:.2f}")
    if agree:
        start = f"With matched priors the parameterizations agree on {listed(agree)} to a quarter "
        yield f"{start}of a nat (nats between them beyond Monte Carlo error: {sizes})."
        return
    yield (
        "That the parameterizations agree with matched priors to a quarter of a nat is not shown "
        f"for any criterion (nats between them beyond Monte Carlo error: {sizes})."
    )


def _told_convergence(result: StudyResult) -> Iterator[str]:
    rows = draws_of(result.table)
    if rows.empty:
        return
    poor = rows["rhat"] > POOR
    worst = poor.groupby(rows["parameterization"]).mean().sort_values().tail(1)
    often = f"{poor.mean():.1%} of these runs, most often in {amounts(worst, '{0} ({1:.0%})')}"
    many = often if poor.any() else "none of these runs"
    yield f"R-hat of the log likelihood exceeds {POOR:g} in {many}."


def _told_native(result: StudyResult) -> Iterator[str]:
    changes = native_changes(result.table)
    changes = changes[(changes["parameterization"] != CONTROL) & (changes["k"] == 2)]
    if len(changes):
        size = changes["change"].abs().groupby(changes["parameterization"]).median().sort_values()
        where = changes["z"].abs().gt(2).groupby(changes["parameterization"]).mean()
        most, least = size.index[-1], size.index[0]
        yield (
            f"A native prior changes WAIC most in {most} (median {size[most]:.2f} nats, beyond two "
            f"Monte Carlo errors in {where[most]:.0%} of the data sets) and least in {least} "
            f"({size[least]:.2f} nats, {where[least]:.0%})."
        )
    exact = exact_changes(result.table)
    if len(exact):
        shift = exact["change"].abs().groupby(exact["parameterization"]).median()
        told = amounts(shift, "{1:.3f} nats in {0}")
        yield f"With weights and scales known the exact change is {told} (medians)."


def _told_selection(result: StudyResult) -> Iterator[str]:
    table = result.table
    for target, words in TARGETS.items():
        missed = wrong(table, target)
        near = missed[missed.index.get_level_values("separation") <= NEAR].mean().sort_values()
        yield f"Up to separation {NEAR:g} the share that chooses {words} is {amounts(near)}."
    lost = lost_nats(table)
    lost = lost[lost["separation"] <= NEAR].groupby("criterion")["lost"].mean().sort_values()
    yield (
        f"In prediction, {lost.index[0]} loses least there ({lost.iloc[0]:.2f} nats for "
        f"all n points) and {lost.index[-1]} most ({lost.iloc[-1]:.2f})."
    )
    for n, part in best_number(table).groupby("n"):
        truly = part[part == 2].reset_index()["separation"]
        where = f"from separation {truly.min():g} on" if len(truly) else "at no separation studied"
        yield f"At n = {int(n)} two components predict best {where}."


def _told_singularity(result: StudyResult) -> Iterator[str]:
    effects = measured(result)

    def value(claim: str, theory: float) -> float:
        return effects[claim].estimate + theory

    n = int(at_the_singularity(result.table)["n"].max())
    p_waic = value("p_waic is twice the singular fluctuation", TWO_NU)
    both = ("2 nu", "2 lambda")
    closer, other = both if abs(p_waic - TWO_NU) < abs(p_waic - 2 * LAMBDA) else both[::-1]
    yield (
        f"At the singularity, n = {n}, the exact p_waic is {p_waic:.3f} on average, closer to "
        f"{closer} than to {other} (2 nu = {TWO_NU:.3f}, 2 lambda = {2 * LAMBDA:g}, parameters: 2)."
    )
    joint = value("WAIC and the generalisation loss add up to 2 lambda", LAMBDA)
    tempered = value("WBIC at two temperatures gives lambda", LAMBDA)
    yield (
        f"The learning coefficient {LAMBDA:g} comes out as {joint:.3f} from WAIC with the "
        f"generalisation loss and {tempered:.3f} from WBIC."
    )


def _told_real(result: StudyResult) -> Iterator[str]:
    found = scores(result.table[result.table["data"] != "simulated"])
    chosen = pd.DataFrame({name: frame.idxmin(axis=1) for name, frame in found.items()})
    agree = int((chosen.nunique(axis=1) == 1).sum())
    yield f"On {agree} of {len(chosen)} shipped sets all criteria choose the same K."


# --- the grid -------------------------------------------------------------------------------------


def skip(estimator: str, free: str, k: int, parameterization: str, **others: Any) -> str | None:
    """Why a combination is left out, if so."""
    if estimator not in ("nuts", "refit"):
        return None
    if k == 1 and parameterization != "unordered":
        return "one component has the same coordinates everywhere"
    if parameterization == "resolved" and k != 2:
        return "the squared gap is defined for two components"
    if free == "means" and (k != 2 or parameterization == "moment"):
        return "weights and scales are known for two components, whose scales moment moves"
    return None


def _grids(
    separations: Iterable[float],
    few: Iterable[float],
    chosen: dict[int, int],
    chosen_few: dict[int, int],
    compared: int,
    validated: int,
    exact: dict[int, int],
    singular: dict[int, int],
) -> list[dict[str, Any]]:
    """Grids from the number of data sets of each part, for some parts by n."""
    at, few = tuple(separations), tuple(few)
    every = ["unordered", "ordered", "relative", "centred", "signed"]
    native = [*NATIVE, CONTROL]
    base = {
        "free": ["all"], "data": ["simulated"], "parameterization": ["unordered"],
        "prior": ["matched"],
    }  # fmt: skip
    choice = [
        {**base, "estimator": [name], "separation": where, "n": [n], "replicate": range(count)}
        for where, counts in ((at, chosen), (few, chosen_few))
        for n, count in counts.items()
        for name in ("em", "nuts")
    ]
    real = {**base, "data": shipped(), "separation": [None], "n": [None], "replicate": [0]}
    some = {**base, "separation": few, "n": [200], "replicate": range(compared)}
    fewer = {**some, "replicate": range((compared + 1) // 2)}
    coordinates = [
        {**where, "estimator": ["nuts"], "k": [k], "parameterization": names, "prior": [prior]}
        for k, names, prior, simulated in (
            (2, MATCHED, "matched", some), (2, native, "native", some),
            (3, [*every, "moment"], "matched", fewer),
        )
        for where in (simulated, real)
    ]  # fmt: skip
    known = {**base, "free": ["means"], "k": [2], "estimator": ["quadrature"]}
    small = {**known, "separation": few, "n": [50], "replicate": range(compared)}
    return [
        *choice,
        {**real, "estimator": ["em", "nuts"]},
        *coordinates,
        {**small, "estimator": ["nuts"], "parameterization": [*every, "resolved"]},
        small,
        {**small, "parameterization": ["relative", "centred"], "prior": ["native"]},
        *({**known, "separation": at, "n": [n], "replicate": range(exact[n])} for n in exact),
        *(
            {**known, "separation": [0.0], "n": [n], "replicate": range(singular[n])}
            for n in singular
        ),
        {**some, "estimator": ["refit"], "k": [2], "n": [30], "replicate": range(validated)},
    ]


SEPARATIONS = (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0)
FEW = (0.0, 0.5, 1.0, 3.0)
FACTORS = {
    "estimator": ("em", "nuts", "quadrature", "refit"),
    "free": ("all", "means"),
    "data": ("simulated", *shipped()),
    "separation": (*SEPARATIONS, None),
    "n": (50, 200, 1000, 5000, None),
    "k": NUMBER,
    "parameterization": MATCHED,
    "prior": ("matched", "native"),
    "replicate": range(50),
}
SMOKE: list[dict[str, Any]] = [
    {"estimator": ["em"], "k": NUMBER, "parameterization": ["unordered"]},
    {"estimator": ["nuts"], "k": [2], "parameterization": ["unordered"]},
    {"estimator": ["refit"], "k": [2], "parameterization": ["unordered"], "n": [6],
     "separation": [1.0]},
    {"estimator": ["quadrature"], "k": [2], "parameterization": ["unordered"], "free": ["means"],
     "replicate": range(6)},
]  # fmt: skip
SMOKE_DATA = {
    "free": ["all"], "prior": ["matched"], "data": ["simulated"], "separation": [0.0, 1.0],
    "n": [50], "replicate": range(2),
}  # fmt: skip

OPENING = Opening(
    answer={
        "WAIC is invariant": (
            "With matched priors WAIC does not depend on the coordinates, to a quarter of a nat.",
            "With matched priors WAIC depends on the coordinates, by {0:.2f} nats.",
            "Whether WAIC depends on the coordinates with matched priors, by a quarter of a nat, "
            "is undecided.",
        ),
        "BIC is wrong more often than WAIC (best K)": (
            "Where components coincide WAIC chooses the best predicting K more often than BIC.",
            "Where components coincide BIC misses the K that predicts best on average less often "
            "than WAIC (difference {0:.0%} of the data sets).",
            "Whether WAIC or BIC chooses the best predicting K more often is undecided.",
        ),
    },
    chief=(
        "WAIC is invariant",
        "p_waic is twice the singular fluctuation",
        "PSIS-LOO is closer to cross-validation",
    ),
)


study = Study(
    name="waic",
    question="Do WAIC, LOO and WBIC depend on the coordinates, and do they choose the right K "
    "where components coincide?",
    source=f"{WATANABE}; Watanabe 2013, JMLR 14, 867-897; Drton & Plummer 2017, JRSS B 79, 323-380",
    factors=FACTORS,
    sizes={
        "smoke": [{**SMOKE_DATA, **grid} for grid in SMOKE],
        "laptop": _grids(
            separations=SEPARATIONS,
            few=FEW,
            chosen={200: 50},
            chosen_few={50: 50},
            compared=4,
            validated=4,
            exact={50: 20, 200: 20, 1000: 20},
            singular={50: 100, 200: 100, 1000: 100, 5000: 250},
        ),
        "cluster": _grids(
            separations=(*SEPARATIONS, 0.75, 1.25, 2.5, 4.0),
            few=SEPARATIONS,
            chosen={200: 500, 1000: 500},
            chosen_few={50: 500},
            compared=50,
            validated=50,
            exact={50: 500, 200: 500, 1000: 500, 5000: 500},
            singular={50: 2000, 200: 2000, 1000: 2000, 5000: 2000, 20_000: 2000},
        ),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={
        "wrong K": wrong_figure,
        "lost prediction": loss_figure,
        "bias": bias_figure,
        "invariance": invariance_figure,
        "singularity": singularity_figure,
        "shipped data": real_figure,
        "cross-validation": validation_figure,
    },
    findings=findings,
    skip=skip,
    structure=("free", "k", "parameterization", "prior"),
    time_limit=120.0,
)
