"""The study of convergence speed: a smoke run, its effects on made tables, values from theory."""

import itertools

import numpy as np
import pandas as pd
import pytest

from ordered_mix.data import population
from ordered_mix.engine.run import load_study, run_study
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import largest_curvature
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog

speed = catalog.module("convergence_speed", "study")
KEYS = {"data": "simulated", "free": "all", "n": 200, "weight": 0.5, "sets": 4, "batch": 0}
CLAIMS = {claim.name: claim for claim in speed.study.claims}


def rows_of(estimator, parameterization, values, separations=(0.5,), free="all", **columns):
    """Rows of a made table, one for each separation and replicate."""
    return [
        {
            **KEYS,
            "free": free,
            "separation": separation,
            "estimator": estimator,
            "parameterization": parameterization,
            "replicate": replicate,
            **{name: column[replicate] for name, column in columns.items()},
            "passes_4": value,
        }
        for separation in separations
        for replicate, value in enumerate(values)
    ]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speed")
    return run_study(load_study("convergence_speed"), "smoke", out=folder, workers=1)


def test_smoke_judges_every_claim(smoke):
    assert not len(smoke.failures)
    assert len(smoke.verdicts) == len(CLAIMS)
    for verdict in smoke.verdicts:
        if verdict.effect is None:
            assert "at least 3 parameterizations" in verdict.reason
        else:
            assert np.isfinite(verdict.effect[:3]).all()
            assert verdict.effect.observations == KEYS["sets"]
    outcomes = {verdict.claim.name: verdict.outcome for verdict in smoke.verdicts}
    assert outcomes["relative ECM near the singularity"] == "fails"


def test_smoke_has_the_measures(smoke):
    table = smoke.table
    assert "seconds" not in table
    point = table[table["estimator"].isin([*speed.LIKELIHOOD, *speed.MODES])]
    assert (point["passes_2"] <= point["passes_4"]).all()
    assert (point["passes_4"] <= point["passes_8"]).all()
    assert (point["share_2"] >= point["share_8"]).all()
    # a success costs at most all passes that were spent; four digits are kept
    assert (point["passes_8"] <= 1.001 * point["passes"]).all()
    assert (table["wasserstein"] > 0).all() and (table["distance"] > 0).all()
    nuts = table[table["estimator"] == "nuts"]
    assert len(nuts) == KEYS["sets"] and (nuts["passes_rhat"] <= nuts["passes"]).all()
    assert (nuts["passes_per_1000"] > 0).all() and (nuts["sd_mu_1"] > 0).all()
    skipped = smoke.skipped
    assert set(skipped["estimator"]) == {"ecm", "reference", "em"}
    assert skipped["reason"].str.contains("see unordered|that of relative").all()


def test_findings_tell_what_the_table_holds(smoke):
    text = speed.findings(smoke)
    effect = {v.claim.name: v.effect for v in smoke.verdicts}["relative ECM near the singularity"]
    assert f"ECM in relative coordinates takes {effect.estimate:.2g} passes" in text
    table = smoke.table
    nuts = table[table["estimator"] == "nuts"]
    assert f"1.01 in {nuts['converged'].astype(float).mean():.0%} of its runs" in text
    em = table[(table["estimator"] == "em") & (table["free"] == "all")]
    assert f"EM {em['share_2'].mean():.0%}" in text
    assert "failed" not in text


def test_seconds_are_passes_times_the_seconds_of_a_pass(smoke):
    cost = speed.seconds(smoke)
    assert not set(cost["estimator"]) & {"reference", "laplace"}
    (row,) = cost[(cost["estimator"] == "em")].to_dict("records")
    em = smoke.table[(smoke.table["estimator"] == "em") & (smoke.table["free"] == "all")]
    timings = smoke.timings
    spent = timings[(timings["estimator"] == "em") & (timings["free"] == "all")]["seconds"].item()
    assert row["seconds_per_pass"] == pytest.approx(spent / em["passes"].sum())
    assert row["seconds"] == pytest.approx(row["seconds_per_pass"] * em["passes_4"].mean())


def test_a_cell_is_what_its_estimator_does():
    factors = {**KEYS, "separation": 4.0, "sets": 2, "batch": 1}
    rows = speed.cell(0, estimator="em", parameterization="unordered", **factors)
    assert [row["replicate"] for row in rows] == [2, 3]
    assert rows == speed.cell(5, estimator="em", parameterization="unordered", **factors)
    block = speed.Block(**factors)
    sample = speed.samples(block)[1]
    starts = block.starts(sample, 3)
    fit = EM(stop=speed.RUN).fit(speed.catalog.parameterization("unordered", 2), sample, starts)
    assert rows[1]["passes"] == fit.passes.sum()
    best = fit.log_likelihood.max()
    assert best == pytest.approx(speed.references(block)[1].log_likelihood, abs=1e-6)
    assert rows[1]["share_2"] == pytest.approx(np.mean(fit.log_likelihood > best - 1e-2), abs=1e-3)
    # over-dispersed: wider apart than the data
    assert starts.mu.std() > sample.scale


def test_combinations_are_skipped_for_a_reason():
    def reason(estimator, parameterization, **changes):
        factors = {**KEYS, "separation": 2.0, **changes}
        return speed.skip(estimator=estimator, parameterization=parameterization, **factors)

    assert reason("nuts", "relative") is None and reason("ecm", "signed") is None
    assert "closed" in reason("ecm", "moment")
    assert "infinite at 0" in reason("map_no_jacobian", "resolved")
    assert "known scales" in reason("map", "moment", free="means")
    assert "real data set" in reason("em", "unordered", data="galaxies")
    real = {"data": "galaxies", "separation": None, "n": None, "weight": None}
    assert reason("em", "unordered", **real) is None
    assert "not known" in reason("em", "unordered", free="means", **real)
    assert "need a separation" in reason("em", "unordered", weight=None)


@pytest.mark.parametrize(
    ("factor", "outcome"), [(2.0, "fails"), (0.5, "holds"), (1.0, "undecided")]
)
def test_slowdown_is_the_ratio_of_passes_on_the_same_data(factor, outcome):
    em = [30.0, 300.0, 90.0, 100.0]
    noise = [1.05, 0.95, 1.02, 0.98]
    ecm = [factor * value * error for value, error in zip(em, noise, strict=True)]
    table = pd.DataFrame(
        rows_of("em", "unordered", em, free="means")
        + rows_of("ecm", "relative", ecm, free="means")
        + rows_of("ecm", "relative", [1e6] * 4, separations=(4.0,), free="means")
    )
    verdict = CLAIMS["relative ECM near the singularity"].judge(table)
    assert verdict.outcome == outcome
    assert verdict.effect.estimate == pytest.approx(factor, rel=0.01)


def test_a_missing_run_is_told():
    table = pd.DataFrame(
        rows_of("em", "unordered", [3.0, 4.0]) + rows_of("ecm", "relative", [3.0, 4.0, 5.0])
    )
    verdict = CLAIMS["relative ECM, all free"].judge(table)
    assert verdict.outcome == "undecided" and "1 of 3 data sets have no" in verdict.reason


@pytest.mark.parametrize(("sign", "outcome"), [(1, "holds"), (-1, "fails")])
def test_agreement_is_the_rank_correlation(sign, outcome):
    rows = []
    for rank, name in enumerate(["unordered", "ordered", "relative", "centred"]):
        rows += rows_of("map", name, [10.0 * 2**rank, 11.0 * 2**rank, 9.0 * 2**rank])
        cost = [1e4 * 3.0 ** (sign * rank)] * 3
        rows += rows_of("nuts", name, [np.nan] * 3, passes_per_1000=cost)
    verdict = CLAIMS["one ranking for L-BFGS and NUTS"].judge(pd.DataFrame(rows))
    assert verdict.outcome == outcome
    assert verdict.effect.estimate == pytest.approx(sign)


def test_agreement_tells_of_missing_runs():
    rows = [row for name in ("unordered", "ordered", "relative", "centred")
            for row in rows_of("map", name, [10.0, 11.0])]  # fmt: skip
    rows += rows_of("nuts", "unordered", [np.nan] * 2, passes_per_1000=[1e4, 2e4])
    verdict = CLAIMS["one ranking for L-BFGS and NUTS"].judge(pd.DataFrame(rows))
    assert verdict.outcome == "undecided" and "6 runs are missing" in verdict.reason


def test_agreement_of_a_constant_is_none():
    assert speed._spearman(np.ones(4), np.arange(4)) == 0


@pytest.mark.parametrize(("shift", "outcome"), [(1.5, "holds"), (0.4, "fails")])
def test_the_largest_shift_is_in_posterior_sds(shift, outcome):
    sds = {f"sd_{name}": [0.5] * 4 for name in speed.PARAMETERS}
    rows = rows_of("nuts", "unordered", [np.nan] * 4, **sds)
    moves = {"unordered": 0.01, "relative": 0.5 * shift}
    for (name, move), estimator in itertools.product(moves.items(), speed.MODES):
        moved = move if estimator == "map" else 0.0
        values = {p: [0.3, 0.31, 0.29, 0.3] for p in speed.PARAMETERS}
        values["mu_2"] = [2 + moved * error for error in (1.0, 1.01, 0.99, 1.0)]
        rows += rows_of(estimator, name, [5.0] * 4, **values)
    verdict = CLAIMS["the Jacobian moves the MAP"].judge(pd.DataFrame(rows))
    assert verdict.outcome == outcome
    assert verdict.effect.estimate == pytest.approx(shift)
    assert verdict.effect.observations == 4


@pytest.mark.parametrize(("name", "curvature"), [("unordered", 0.5), ("relative", 1.25)])
def test_the_fixed_step_is_stable_at_the_singular_point(name, curvature):
    point = Mixture([0.5, 0.5], [-1e-4, 1e-4], [1.0, 1.0])
    block = speed.Block(**{**KEYS, "free": "means", "separation": 0.0})
    data = population(Mixture([1.0], [0.0], [1.0]))
    found = largest_curvature(speed._coordinates(block, name), data, point)
    assert found == pytest.approx(curvature, abs=1e-3)
    assert speed.STEP < 2 / curvature


def test_ecm_takes_twice_the_passes_of_em_near_the_singularity():
    factors = {**KEYS, "free": "means", "separation": 0.2, "sets": 10}
    em, ecm = (
        pd.DataFrame(speed.cell(0, estimator=e, parameterization=p, **factors))["passes_8"]
        for e, p in (("em", "unordered"), ("ecm", "relative"))
    )
    assert 1.8 < np.median(ecm / em) < 2.2
    assert (ecm > em).all()
