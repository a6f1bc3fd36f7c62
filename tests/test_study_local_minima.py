"""The local minima study: its cells, its effects on tables with known answers, its smoke size."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog
from ordered_mix.theory.separated import truth_of

local_minima = catalog.module("local_minima", "study")
STUDY = load_study("local_minima")
PLACE = {"arrangement": "line", "true": 3, "fitted": 3, "separation": 12.0, "weight": 1.0}
SAMPLE = {"n": 200, "replicate": 0}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The smoke size, computed in this process."""
    return run_here(STUDY, tmp_path_factory.mktemp("smoke"))


def effect(name, rows):
    """Verdict of one claim on these rows."""
    (claim,) = [claim for claim in STUDY.claims if claim.name == name]
    base = {**PLACE, **SAMPLE} if claim.of == ("sample",) else PLACE
    return claim.judge(pd.DataFrame([{**base, **row} for row in rows]))


def test_every_claim_has_a_verdict(smoke):
    assert not len(smoke.failures) and len(smoke.verdicts) == len(STUDY.claims)
    for verdict in smoke.verdicts:
        assert verdict.effect is not None, verdict.reason
        assert np.isfinite(verdict.effect[:3]).all()
    outcomes = {verdict.claim.name: verdict.outcome for verdict in smoke.verdicts}
    assert outcomes["same minima"] == "holds"
    effects = {verdict.claim.name: verdict.effect.estimate for verdict in smoke.verdicts}
    assert effects["ordering keeps the basins"] == 0


def numbers(texts):
    """Means (rows, k) of one dimension, from their text."""
    return np.array([text.split() for text in texts], dtype=float)


def test_minima_of_the_smoke_size(smoke):
    rows = smoke.tables["population"]
    three = rows[(rows["true"] == 3) & (rows["fitted"] == 3) & (rows["separation"] == 12)]
    assert three["pattern"].tolist() == ["1:1 1:1 1:1", "1:2 2:1", "1:2 2:1"]
    np.testing.assert_allclose(three["nll_gap"], [0, 11.765424, 11.765424], atol=6e-7)
    middle = np.abs(numbers(three["means"])[1:, 1])
    np.testing.assert_allclose(middle, 11.692921, atol=6e-7)
    two = rows[(rows["true"] == 3) & (rows["fitted"] == 2) & (rows["separation"] == 4)]
    assert two["pattern"].tolist() == ["2:3"]
    np.testing.assert_allclose(numbers(two["means"]), [[-2.920920, 2.920920]], atol=6e-7)
    assert rows["certified"].astype(bool).all()
    shares = rows.groupby(local_minima.PLACE)[local_minima.SHARES].sum()
    assert ((shares > 0.9) & (shares < 1 + 1e-12)).all().all()


def test_one_component_has_one_minimum():
    place = {**PLACE, "true": 2, "separation": 4.0, "fitted": 1}
    (row,) = local_minima.population_cell(0, **place)
    assert row["pattern"] == "1:2" and row["moved_relative"] == 0
    assert float(row["means"]) == pytest.approx(0, abs=1e-9) and row["shift"] < 1e-9


def test_cells_in_the_plane():
    place = {**PLACE, **SAMPLE, "arrangement": "triangle", "fitted": 2}
    rows = local_minima.sample_cell(0, **place)
    assert {row["pattern"] for row in rows} == {"1:1 1:2"}
    assert len(rows) == 3
    assert all([mean.count(",") for mean in row["means"].split()] == [1, 1] for row in rows)
    truth = truth_of("triangle", 3, 5.0, 1.0)
    apart = np.linalg.norm(truth.mu[:, None] - truth.mu, axis=2)
    np.testing.assert_allclose(apart[~np.eye(3, dtype=bool)], 5.0)


def test_data_are_shared_among_numbers_of_fitted_components():
    truth = truth_of("line", 3, 12.0, 0.25)
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
