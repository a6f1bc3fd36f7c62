"""The local minima study: its cells, its effects on tables with known answers, its smoke size."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog

local_minima = catalog.module("local_minima", "study")
STUDY = load_study("local_minima")
PLACE = {"arrangement": "line", "true": 3, "fitted": 3, "separation": 12.0, "weight": 1.0}
BASE = {"task": "minima", **PLACE, "n": 0, "replicate": 0}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The smoke size, computed in this process."""
    return run_here(STUDY, tmp_path_factory.mktemp("smoke"))


def effect(name, rows):
    """Verdict of one claim on these rows."""
    (claim,) = [claim for claim in STUDY.claims if claim.name == name]
    return claim.judge(pd.DataFrame([{**BASE, "kind": "minimum", **row} for row in rows]))


def test_every_claim_has_a_verdict(smoke):
    assert not len(smoke.failures) and len(smoke.verdicts) == len(STUDY.claims)
    for verdict in smoke.verdicts:
        assert verdict.effect is not None, verdict.reason
        assert np.isfinite(verdict.effect[:3]).all()
    outcomes = {verdict.claim.name: verdict.outcome for verdict in smoke.verdicts}
    assert outcomes["threshold"] == outcomes["same minima"] == "holds"
    effects = {verdict.claim.name: verdict.effect.estimate for verdict in smoke.verdicts}
    assert effects["threshold"] == pytest.approx(10.046942, abs=6e-7)
    assert effects["ordering keeps the basins"] == 0


def test_minima_of_the_smoke_size(smoke):
    table = smoke.table
    rows = table[(table["n"] == 0) & (table["kind"] == "minimum")]
    three = rows[(rows["true"] == 3) & (rows["fitted"] == 3) & (rows["separation"] == 12)]
    assert three["pattern"].tolist() == ["1:1 1:1 1:1", "1:2 2:1", "1:2 2:1"]
    np.testing.assert_allclose(three["nll_gap"], [0, 11.765424, 11.765424], atol=6e-7)
    np.testing.assert_allclose(three["mean_1"].iloc[1:].abs(), 11.692921, atol=6e-7)
    two = rows[(rows["true"] == 3) & (rows["fitted"] == 2) & (rows["separation"] == 4)]
    assert two["pattern"].tolist() == ["2:3"]
    np.testing.assert_allclose(two[["mean_0", "mean_1"]], [[-2.920920, 2.920920]], atol=6e-7)
    assert rows["certified"].astype(bool).all()
    columns = [f"share_{name}" for name in local_minima.METHODS]
    shares = rows.groupby(local_minima.PLACE)[columns].sum()
    assert ((shares > 0.9) & (shares < 1 + 1e-12)).all().all()


def test_findings_are_those_of_the_table(smoke):
    text = STUDY.findings(smoke)
    rows = local_minima.found_minima(smoke.table)
    assert text.startswith(f"{len(rows)} certified minima of ")
    assert "10.046942 (line, 3 true, 3 fitted)" in text
    assert "sorting moved 0.00%" in text


def test_cells_in_the_plane():
    rows = local_minima.cell(0, **{**BASE, "arrangement": "triangle", "fitted": 2, "n": 200})
    assert {row["pattern"] for row in rows} == {"1:1 1:2"}
    assert len(rows) == 3 and {"second_0", "second_1"} <= set(rows[0])
    truth = local_minima.truth_of("triangle", 3, 5.0, 1.0)
    apart = np.linalg.norm(truth.mu[:, None] - truth.mu, axis=2)
    np.testing.assert_allclose(apart[~np.eye(3, dtype=bool)], 5.0)


def test_the_branch_passes_its_fold():
    rows = pd.DataFrame(local_minima.cell(0, **{**BASE, "task": "fold", "separation": 11.0}))
    np.testing.assert_allclose(rows[["fold", "fold_coarse"]], 10.046942, atol=6e-7)
    assert rows["smallest_eigenvalue"].iloc[0] > 0 > rows["smallest_eigenvalue"].iloc[-1]
    assert rows["separation_at"].min() == pytest.approx(rows["fold"].iloc[0], abs=1e-3)


def test_data_are_shared_among_numbers_of_fitted_components():
    truth = local_minima.truth_of("line", 3, 12.0, 0.25)
    assert truth.w[0] == pytest.approx(1 / 9)
    drawn = [local_minima.sample_of(truth, 50, seed).y for seed in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


# --- effects on tables with known answers ---------------------------------------------------------


@pytest.mark.parametrize(("mixed", "outcome"), [(0, "holds"), (5, "fails")])
def test_structure_claim(mixed, outcome):
    flags = [index >= mixed for index in range(10)]
    rows = [{"structure": flag, "structure_coarse": flag, "exact": False} for flag in flags]
    near = {"separation": 4.0, "structure": False, "structure_coarse": False, "exact": False}
    assert effect("minima have the structure, as many", [*rows, near]).outcome == outcome
    spare = [{**row, "fitted": 4} for row in rows]
    assert effect("minima have the structure, over-specified", spare).outcome == outcome
    few = [{**row, "fitted": 2} for row in rows]
    verdict = effect("minima have the structure, under-specified", few)
    assert verdict.outcome == outcome and verdict.effect.estimate == mixed


@pytest.mark.parametrize(("mixed", "outcome"), [(0, "holds"), (40, "fails")])
def test_structure_of_samples(mixed, outcome):
    rows = [
        {"n": 200, "replicate": index, "structure": index >= mixed, "exact": False}
        for index in range(100)
        for _ in range(3)
    ]
    verdict = effect("samples have the structure", rows)
    assert verdict.outcome == outcome and verdict.effect.observations == 100


@pytest.mark.parametrize(("power", "line", "generic"), [(-4, "holds", "holds"), (-0.5, "fails",
                         "holds"), (0.5, "fails", "fails")])  # fmt: skip
def test_decay_claims(power, line, generic):
    rows = []
    for true in (3, 4):
        for separation in (10.0, 12.0, 14.0):
            error = separation**power
            row = {"kind": "decay", "true": true, "fitted": true, "separation": separation}
            row |= {"approximation_error": error, "approximation_error_coarse": error}
            rows.append({**row, "certified": True})
    found = effect("faster on the line", rows)
    assert found.effect.estimate == pytest.approx(power) and found.outcome == line
    assert effect("error decays", rows).outcome == generic
    rows[0]["certified"] = False
    assert "1 minima of the decay" in effect("error decays", rows).reason


@pytest.mark.parametrize(("at", "outcome"), [(10.05, "holds"), (9.5, "fails")])
def test_threshold_claim(at, outcome):
    row = {"kind": "branch", "fold": at, "fold_coarse": at + 1e-6}
    assert effect("threshold", [row]).outcome == outcome


@pytest.mark.parametrize(("gain", "outcome"), [(0.2, "holds"), (-0.2, "fails")])
def test_plus_plus_claim(gain, outcome):
    rows = []
    for replicate in range(10):
        noise = 0.01 * (replicate % 3)
        best = {"exact": True, "share_random": 0.5, "share_kmeans++": 0.5 + gain + noise}
        other = {"exact": False, "share_random": 0.5, "share_kmeans++": 0.5}
        common = {"n": 200, "replicate": replicate, "structure": True, "share_spread": 0.0}
        rows += [{**common, **best}, {**common, **other}]
    verdict = effect("k-means++ starts are better", rows)
    assert verdict.outcome == outcome
    assert verdict.effect.estimate == pytest.approx(gain + 0.009)


@pytest.mark.parametrize(("reached", "outcome"), [(0.1, "holds"), (0.9, "fails")])
def test_random_claim(reached, outcome):
    row = {"true": 5, "fitted": 5, "structure": True, "exact": True, "share_random": reached}
    row |= {"share_kmeans++": 1.0, "share_spread": 0.0}
    verdict = effect("random starts fail", [row, {**row, "exact": False, "share_random": 1.0}])
    assert verdict.outcome == outcome
    assert verdict.effect.observations == local_minima.STARTS
    assert verdict.effect.estimate == pytest.approx(reached)


@pytest.mark.parametrize(
    ("name", "column", "none", "many"),
    [
        ("ordering keeps the basins", "moved_ordered", "holds", "fails"),
        ("relative coordinates change the basins", "moved_relative", "fails", "holds"),
    ],
)
def test_basin_claims(name, column, none, many):
    for hits, outcome in ((0, none), (100, many)):
        row = {"structure": True, "exact": True, "starts": 1000, column: hits}
        verdict = effect(name, [row, row])
        assert verdict.outcome == outcome and verdict.effect.observations == 1000


@pytest.mark.parametrize(("shift", "outcome"), [(1e-9, "holds"), (0.1, "fails")])
def test_same_minima_claim(shift, outcome):
    row = {"structure": True, "exact": True, "shift": shift, "shift_coarse": shift}
    assert effect("same minima", [row]).outcome == outcome
