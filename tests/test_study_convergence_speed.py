"""The study of convergence speed: a smoke run, its effects on made tables, values from theory."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.data import population
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import largest_curvature
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.study.blocks import Block, references, samples
from ordered_mix.study.sentences import answer

speed = catalog.module("convergence_speed", "study")
CLAIMS = {claim.name: claim for claim in speed.study.claims}
KEYS = {"free": "all", "n": 200, "sets": 4, "batch": 0}


def rows_of(estimator, parameterization, values, separations=(0.5,), free="all", share=1.0):
    """Rows of a made table, one for each separation and replicate."""
    return [
        {
            **KEYS,
            "free": free,
            "separation": separation,
            "estimator": estimator,
            "parameterization": parameterization,
            "replicate": replicate,
            "arrived_4": value,
            "share_4": share,
        }
        for separation in separations
        for replicate, value in enumerate(values)
    ]


def test_smoke(tmp_path):
    smoke = run_here(speed.study, tmp_path)
    assert not len(smoke.failures)
    for verdict in smoke.verdicts:
        assert np.isfinite(verdict.effect[:3]).all()
        # not on every data set does a start arrive in both coordinates
        every = verdict.claim.name.endswith("arrivals")
        assert (4 if every else 2) <= verdict.effect.observations <= KEYS["sets"]
    outcomes = {verdict.claim.name: verdict.outcome for verdict in smoke.verdicts}
    assert outcomes["relative ECM near the singularity"] == "fails"
    assert "for one of EM at separations up to 1: more." in answer(smoke)
    point = smoke.tables["convergence_speed"]
    assert (point["passes_2"] <= point["passes_4"]).all()
    assert (point["passes_4"] <= point["passes_8"]).all()
    assert (point["share_2"] >= point["share_8"]).all()
    # a success costs at most all passes that were spent; four digits are kept
    assert (point["passes_8"] <= 1.001 * point["passes"]).all()
    # passes of the successes alone, and what the failures add to them
    some = point[point["share_4"] > 0]
    assert some["arrived_4"].notna().all() and point["arrived_4"].notna().sum() == len(some)
    assert (some["arrived_4"] <= 1.001 * some["passes_4"]).all()
    all_arrive = point[point["share_4"] == 1]
    assert len(all_arrive) and all_arrive["arrived_4"].equals(all_arrive["passes_4"])
    assert (point["wasserstein"] > 0).all() and (point["distance"] > 0).all()
    skipped = smoke.skipped
    assert set(skipped["estimator"]) == {"ecm", "em"}
    assert skipped["reason"].str.contains("see unordered|that of relative").all()


def test_a_cell_is_what_its_estimator_does():
    factors = {**KEYS, "separation": 4.0, "sets": 2, "batch": 1}
    rows = speed.cell(0, estimator="em", parameterization="unordered", **factors)
    assert [row["replicate"] for row in rows] == [2, 3]
    assert rows == speed.cell(5, estimator="em", parameterization="unordered", **factors)
    block = Block(**factors)
    sample = samples(block)[1]
    starts = block.starts(sample, 3)
    fit = EM(stop=speed.RUN).fit(catalog.parameterization("unordered", 2), sample, starts)
    assert rows[1]["passes"] == fit.passes.sum()
    best = fit.log_likelihood.max()
    assert best == pytest.approx(references(block)[1].log_likelihood, abs=1e-6)
    assert rows[1]["share_2"] == pytest.approx(np.mean(fit.log_likelihood > best - 1e-2), abs=1e-3)
    # over-dispersed: wider apart than the data
    assert starts.mu.std() > sample.scale


def test_combinations_are_skipped_for_a_reason():
    def reason(estimator, parameterization, free="all"):
        return speed.skip(estimator=estimator, parameterization=parameterization, free=free)

    assert reason("natural", "relative") is None and reason("ecm", "signed") is None
    assert "closed" in reason("ecm", "moment")
    assert "known scales" in reason("natural", "moment", free="means")


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


@pytest.mark.parametrize(
    ("share", "outcome"), [(0.98, "holds"), (0.8, "fails"), (None, "undecided")]
)
def test_failures_are_counted_and_in_no_ratio(share, outcome):
    passes = [30.0, 31.0, 29.0, 30.0]
    one = pd.DataFrame(rows_of("em", "unordered", passes))
    other = pd.DataFrame(rows_of("ecm", "relative", passes, share=share)[: 4 if share else 3])
    other.loc[0, "arrived_4"] = None
    other["share_4"] = other["share_4"].astype(float) + 0.001 * np.arange(len(other))
    table = pd.concat([one, other])
    verdict = CLAIMS["relative ECM, all free"].judge(table)
    assert verdict.effect.observations == len(other) - 1
    assert verdict.effect.estimate == pytest.approx(1)
    found = CLAIMS["relative ECM, all free, arrivals"].judge(table)
    assert found.outcome == outcome
    if share is None:
        assert "1 runs are missing" in found.reason or "are missing" in found.reason


@pytest.mark.parametrize(("name", "curvature"), [("unordered", 0.5), ("relative", 1.25)])
def test_the_fixed_step_is_stable_at_the_singular_point(name, curvature):
    point = Mixture([0.5, 0.5], [-1e-4, 1e-4], [1.0, 1.0])
    block = Block(**{**KEYS, "free": "means", "separation": 0.0})
    data = population(Mixture([1.0], [0.0], [1.0]))
    found = largest_curvature(block.coordinates(name), data, point)
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
