"""Published verdicts, computed again from the tables by a second implementation.

It knows the tables and what each claim says, and uses pandas and SciPy only: nothing of
ordered_mix.study, and no study.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

RESULTS = Path(__file__).resolve().parents[1] / "studies" / "results"
Z = 0.05
TWO_NU = 1.34594653  # of two known normals at one place, by quadrature

pytestmark = pytest.mark.skipif(
    not RESULTS.is_dir(), reason="published results are in the repository"
)


@cache
def rows_of(study, experiment=None):
    rows = pd.read_parquet(RESULTS / study / "tables" / f"{experiment or study}.parquet")
    return rows[rows["status"] == "done"]


@cache
def published(study):
    verdicts = json.loads((RESULTS / study / "verdicts.json").read_text(encoding="utf-8"))
    return {verdict["claim"]: verdict for verdict in verdicts}


# --- intervals ------------------------------------------------------------------------------------


def student(values, alpha=Z):
    values = np.asarray(values, float)
    ends = stats.ttest_1samp(values, 0).confidence_interval(1 - alpha)
    return np.array([values.mean(), ends.low, ends.high])


def clopper_pearson(hits, trials, alpha=Z):
    low = stats.beta.ppf(alpha / 2, hits, trials - hits + 1) if hits else 0.0
    high = stats.beta.isf(alpha / 2, hits + 1, trials - hits) if hits < trials else 1.0
    return np.array([hits / trials, low, high])


def share(successes):
    successes = np.asarray(successes, bool)
    return clopper_pearson(int(successes.sum()), len(successes))


def worst(groups, take):
    """Student's intervals of several means that hold together, and the extreme of each end."""
    groups = list(groups)
    return take(np.array([student(group, Z / len(groups)) for group in groups]), axis=0)


def order_statistics(values):
    """The median between the order statistics beyond which 2.5% at most are expected."""
    values, n = np.sort(np.asarray(values, float)), len(values)
    cut = sum(stats.binom.cdf(k, n, 0.5) < Z / 2 for k in range(n))
    return np.array([np.median(values), values[cut - 1], values[n - cut]])


def mcnemar(first, second):
    favour, against = int((first & ~second).sum()), int((second & ~first).sum())
    _, low, high = clopper_pearson(favour, favour + against)
    turned = (2 * np.array([low, high]) - 1) * (favour + against) / len(first)
    return np.array([(favour - against) / len(first), *turned])


def numerical(fine, coarse):
    return np.array([fine, fine - abs(fine - coarse), fine + abs(fine - coarse)])


# --- choice of K ----------------------------------------------------------------------------------


def lost_nats():
    """What the choice of each criterion loses against the best K, one row for each data set."""
    unit = ["truth", "n", "replicate"]
    table = rows_of("choosing_k")
    best = table.groupby(unit)["elpd"].max()
    found = {}
    for name, column, sign in (
        ("BIC", "bic", -1), ("sBIC", "sbic", -1), ("WAIC", "elpd_waic", 1),
        ("LOO", "elpd_loo", 1), ("evidence", "log_evidence", 1),
    ):  # fmt: skip
        ordered = table.assign(key=sign * table[column]).sort_values("key", kind="stable")
        found[name] = best - ordered.groupby(unit)["elpd"].last()
    return pd.DataFrame(found).reset_index()


def loo_and_bic():
    lost = lost_nats()
    return student((lost["BIC"] - lost["LOO"]).groupby(lost["replicate"]).mean())


def most_lost():
    lost = lost_nats().drop(columns=["truth", "n"])
    means = lost.groupby("replicate").mean()
    return worst((means[name] for name in means), np.max)


def true_number_best():
    table = rows_of("choosing_k")
    table = table[table["n"] == 500].sort_values("elpd", kind="stable")
    best = table.groupby(["truth", "replicate"])["k"].last().reset_index()
    true = best["truth"].map({"two close": 2, "two scales": 2, "three": 3, "four": 4})
    return share(best["k"] == true)


# --- samplers -------------------------------------------------------------------------------------


def gibbs_ratio():
    """Log of Gibbs sampling's ESS per pass over that of the best NUTS, by data set."""
    unit = ["separation", "k", "replicate"]
    table = rows_of("gibbs_and_gradients").query("prior == 'adaptive' and invariant_rhat <= 1.01")
    rate = np.log(table["invariant_ess"] / table["passes"])
    best = rate.groupby([table["coordinates"] == "Gibbs", *(table[name] for name in unit)]).max()
    return (best.xs(True) - best.xs(False)).dropna().rename("ratio").reset_index()


def gibbs_apart():
    ratio = gibbs_ratio().query("separation == 6")
    return np.exp(worst((part["ratio"] for _, part in ratio.groupby("k")), np.min))


def gibbs_growth():
    wide = gibbs_ratio().pivot(index=["k", "replicate"], columns="separation", values="ratio")
    return np.exp(student((wide[6.0] - wide[1.0]).dropna()))


def switching(column):
    table = rows_of("label_switching", "switching").query("prior == 'adaptive'")
    table = table.assign(rate=np.log(table["ess"] / table["passes"]))
    units = ["adaptation", "weight", "separation", "replicate"]
    return table.pivot(index=units, columns="coordinates", values=column)


def cured():
    disagree = switching("raw_rhat")["unordered"] > 1.01
    agree = (switching("rhat")["ordered"] <= 1.01)[disagree]
    agree = agree[agree.index.isin([3.0, 4.0, 8.0], "separation")]
    parts = [part for _, part in agree.groupby("adaptation")]
    return np.min([clopper_pearson(part.sum(), len(part), Z / len(parts)) for part in parts], 0)


def sorted_afterwards():
    rate, both = switching("rate"), (switching("rhat") <= 1.01).all(axis=1)
    log_ratio = (rate["unordered"] - rate["ordered"])[both].loc["diagonal"]
    groups = [part for _, part in log_ratio.groupby(["weight", "separation"]) if len(part) >= 5]
    return np.exp(worst(groups, np.min))


# --- point estimates ------------------------------------------------------------------------------


def fewer_collapses():
    table = rows_of("em_pathologies", "collapse").query("estimator == 'free' and k == 4")
    wide = table.pivot(index="replicate", columns="n", values="degenerate")
    return student(wide[wide.columns.max()] - wide[wide.columns.min()])


def remedied():
    table = rows_of("em_pathologies", "collapse")
    kept = table[table["estimator"].isin(["inverse_gamma", "tied", "map"])]
    return share(kept.groupby(["n", "k", "replicate"])["degenerate"].sum() > 0)


def tied_passes():
    table = rows_of("em_pathologies", "constraints")
    wide = table.pivot(index=["n", "k", "replicate"], columns="estimator", values="passes")
    return np.exp(student(np.log(wide["tied"]) - np.log(wide["free"])))


def ends_of_figure_2(column):
    table = rows_of("trajectories", "ends")
    return table.pivot(index="replicate", columns="algorithm", values=column)


def nearer():
    wide = ends_of_figure_2("early_to_truth").astype(float)
    return np.exp(student(np.log(wide["ecm"] / wide["em"])))


def fewer_iterations():
    wide = ends_of_figure_2("sweeps").astype(float)
    return order_statistics(wide["ecm"] / wide["em"])


def appendix_b():
    return share(ends_of_figure_2("missing")["as in Appendix B"].astype(float) < 0.01)


def slower_ecm():
    table = rows_of("em_rates").query("separation == 0.1 and weight == 0.5")
    speed = -np.log(table.pivot(index="step", columns="estimator", values="rate"))
    return numerical(*(speed["em"] / speed["ecm"]).sort_index())


def squared_gap():
    table = rows_of("neural_network", "learning")
    unit = ["teacher", "width", "start", "replicate"]
    wide = table.pivot(index=unit, columns="coordinates", values="plateau")
    return order_statistics(wide["resolved"] / wide["unordered"])


def basins():
    table = rows_of("local_minima", "population")
    unit = ["arrangement", "true", "fitted", "separation", "weight"]
    one = table.groupby(unit)[["starts", "moved_relative"]].first()
    return clopper_pearson(int(one["moved_relative"].sum()), int(one["starts"].sum()))


# --- criteria, calibration, evidence --------------------------------------------------------------


def bic_and_waic():
    """Near the singularity: is another K chosen than the one that predicts best on average?"""

    def wide(experiment, column):
        rows = rows_of("singular_criteria", experiment)
        unit = ["separation", "n", "replicate"]
        return rows.pivot(index=unit, columns="k", values=column).dropna()

    chosen = (("sampled", "generalisation"), ("fitted", "bic"), ("sampled", "waic"))
    loss, bic, waic = (wide(*which) for which in chosen)
    units = loss.index.intersection(bic.index).intersection(waic.index)
    loss, bic, waic = (one.loc[units] for one in (loss, bic, waic))
    best = loss.groupby(["separation", "n"]).mean().idxmin(axis=1)
    right = np.array([best[unit[:2]] for unit in units])
    near = units.get_level_values("separation") <= 1.5
    wrong = [(bic.idxmin(axis=1) != right)[near], (waic.idxmax(axis=1) != right)[near]]
    return mcnemar(*(one.to_numpy() for one in wrong))


def singular_fluctuation():
    table = rows_of("waic_theory", "exact").query("separation == 0")
    return student(table.loc[table["n"] == table["n"].max(), "p_waic"] - TWO_NU)


def covered():
    """EM's intervals of the lower mean in the overlap: the largest distance to 95%."""
    table = rows_of("coverage", "em").query("separation <= 1")
    ends = []
    for _, part in table.groupby("separation"):
        hits = part["covers_lower_mean"].astype(bool)
        off, low, high = clopper_pearson(int(hits.sum()), len(hits), Z / 3) - 0.95
        ends.append((abs(off), max(0.0, low, -high), max(abs(low), abs(high))))
    return np.max(ends, axis=0)


def true_k_probable():
    table = rows_of("sampler_calibration", "over_k")
    return student(table["of_truth"] - table["squares"])


def spread_of_smc():
    table = rows_of("evidence", "smc").query("stated > 0")
    groups = table.groupby(["data", "k", "coordinates"])
    off = table["log_evidence"] - groups["log_evidence"].transform("mean")
    size = groups["log_evidence"].transform("size")
    squares = (off / table["stated"]) ** 2 * size / (size - 1)
    return np.log(student(squares)) / 2


RECOMPUTED = {
    ("choosing_k", "LOO loses less than BIC"): loo_and_bic,
    ("choosing_k", "no criterion loses a nat"): most_lost,
    ("choosing_k", "with 500 points the true number predicts best"): true_number_best,
    ("gibbs_and_gradients", "Gibbs wins apart, per pass, adaptive"): gibbs_apart,
    (
        "gibbs_and_gradients",
        "the advantage of Gibbs grows with the separation, adaptive",
    ): gibbs_growth,
    ("label_switching", "order cures label switching, adaptive"): cured,
    ("label_switching", "sorting afterwards is as good, adaptive, diagonal"): sorted_afterwards,
    ("em_pathologies", "collapse falls with n"): fewer_collapses,
    ("em_pathologies", "remedies work"): remedied,
    ("em_pathologies", "tied scales save passes"): tied_passes,
    ("trajectories", "nearer to the truth"): nearer,
    ("trajectories", "fewer iterations"): fewer_iterations,
    ("trajectories", "Appendix B finds the maximum"): appendix_b,
    ("em_rates", "ECM is faster"): slower_ecm,
    ("neural_network", "plateaus shorter, squared gap"): squared_gap,
    ("local_minima", "relative coordinates change the basins"): basins,
    ("singular_criteria", "BIC is wrong more often than WAIC (best K)"): bic_and_waic,
    ("waic_theory", "p_waic is twice the singular fluctuation"): singular_fluctuation,
    ("coverage", "EM in the overlap"): covered,
    ("sampler_calibration", "the true K is as probable as it should be"): true_k_probable,
    ("evidence", "the errors of smc are right"): spread_of_smc,
}


def outcome(low, high, direction, margin):
    claimed = {
        "above": (margin, np.inf), "below": (-np.inf, margin), "within": (-margin, margin),
    }[direction]  # fmt: skip
    if claimed[0] < low and high < claimed[1]:
        return "holds"
    return "fails" if high < claimed[0] or low > claimed[1] else "undecided"


@pytest.mark.parametrize(("study", "claim"), RECOMPUTED)
def test_a_verdict_computed_again_is_the_published_one(study, claim):
    verdict = published(study)[claim]
    estimate, low, high = RECOMPUTED[study, claim]()
    told = [verdict[name] for name in ("effect", "low", "high")]
    assert [estimate, low, high] == pytest.approx(told, rel=1e-6, abs=1e-9)
    assert outcome(low, high, verdict["direction"], verdict["margin"]) == verdict["outcome"]


def test_verdicts_of_every_outcome_and_most_studies_are_computed_again():
    assert len(RECOMPUTED) >= 20 and len({study for study, _ in RECOMPUTED}) >= 11
    outcomes = [published(study)[claim]["outcome"] for study, claim in RECOMPUTED]
    assert {"holds", "fails"} <= set(outcomes)
