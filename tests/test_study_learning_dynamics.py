"""The study of learning dynamics: reference values, effects on constructed tables, findings."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog

MODULE = catalog.module("learning_dynamics", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run_here(load_study("learning_dynamics"), tmp_path_factory.mktemp("dynamics"))


@pytest.fixture(scope="module")
def verdicts(result):
    return {verdict.claim.name: verdict for verdict in result.verdicts}


def test_every_cell_is_done_and_every_claim_has_a_finite_interval(result, verdicts):
    assert not len(result.failures) and not len(result.skipped)
    assert len(verdicts) == len(MODULE.CLAIMS)
    assert all(np.isfinite(verdict.effect[:3]).all() for verdict in verdicts.values())


def test_fields_have_the_reference_values(result):
    values = {0.0: (0.491067, 0.996307, 0.762), 20.0: (3.053508, 5.092179, 0.881)}
    for plane in MODULE.PAPER_PLANES:
        rows = MODULE._paper(result.table, "field", plane)
        assert len(rows) == 41 * 41
        original, relative = (
            MODULE.lengths(rows, coordinates) for coordinates in ("unordered", "relative")
        )
        expected = values[plane[0]]
        assert original.mean() == pytest.approx(expected[0], abs=5e-7)
        assert relative.mean() == pytest.approx(expected[1], abs=5e-7)
        assert np.mean(relative > original) == pytest.approx(expected[2], abs=5e-4)
        moving = original > 1e-12
        ratio = relative[moving] / original[moving]
        assert 0.381966 - 1e-6 < ratio.min() and ratio.max() < 2.618034 + 1e-6


def test_the_valley_has_the_reference_values(result):
    assert MODULE._largest(result.table)[["unordered", "relative"]].tolist() == pytest.approx(
        [0.5, 1.25], abs=1e-12
    )
    rows = MODULE._slow_line(result.table, 0.02, 0.1)
    condition = rows["largest"] / rows["least"]
    assert condition["unordered"] == pytest.approx(134.11, abs=0.005)
    assert condition["relative"] == pytest.approx(838.67, abs=0.005)


def test_verdicts_at_smoke_size(verdicts):
    found = {name: verdict.outcome for name, verdict in verdicts.items()}
    assert found == {
        "larger gradients": "holds",
        "larger everywhere": "fails",
        "larger at a fair step": "fails",
        "valleys reduced": "fails",
        "valley removed by the squared gap": "holds",
        "sooner at the truth": "fails",
        "sooner at a fair step": "fails",
        "sooner from afar": found["sooner from afar"],
        "squared gap sooner at a fair step": "fails",
        "projection sets no trap": "fails",
        "clearance releases": "holds",
        "printed expansion is of third order": "fails",
        "corrected expansion is of third order": "holds",
        "expansion describes Figure 1": "fails",
        "printed flow moves with the data": "fails",
    }
    effect = {name: verdict.effect.estimate for name, verdict in verdicts.items()}
    # both flows near the singularity: gap^2 = A / t with A = 10 and 4, curvatures 1.25 and 0.5
    assert effect["sooner at the truth"] == pytest.approx(2.5, rel=0.1)
    assert effect["sooner at a fair step"] == pytest.approx(6.25, rel=0.1)
    assert effect["printed expansion is of third order"] == pytest.approx(2, abs=0.05)
    assert effect["corrected expansion is of third order"] == pytest.approx(3, abs=0.05)


def test_projection_is_absorbed_and_a_clearance_releases(result):
    rows = result.table[result.table["measure"] == "projection"]
    lost = rows[(rows["clearance"] == 0) & (rows["excess"] > 1e-3)]
    assert len(lost) and np.allclose(lost[["end1", "end2"]], 0, atol=1e-5)
    freed = rows[rows["clearance"] > 0]
    assert np.allclose(freed[["end1", "end2"]], [-1, 1], atol=1e-5)


def test_printed_and_corrected_expansions_differ_in_the_weight_only_at_equal_weights(result):
    rows = result.table[result.table["measure"] == "expansion"]
    for weight, part in rows.groupby("weight"):
        printed, corrected = (
            part[part["form"] == form].set_index("u") for form in ("printed", "corrected")
        )
        same = np.allclose(printed["error_u"], corrected["error_u"], rtol=1e-6, atol=0)
        assert same == (weight == 0.5)
        assert not np.allclose(printed["error_v"], corrected["error_v"], rtol=0.01, atol=0)


def test_the_printed_flow_of_original_coordinates_moves_with_the_data(result):
    rows = result.table[result.table["measure"] == "printed"]
    flows = {
        key: part[["slope1", "slope2"]].to_numpy()
        for key, part in rows.groupby(["coordinates", "mean1"])
    }
    np.testing.assert_allclose(flows["unordered", 20.0], flows["unordered", 0.0], atol=1e-9)
    assert not np.allclose(flows["relative", 20.0], flows["relative", 0.0], rtol=0.5)


def test_smaller_steps_of_the_quadrature_change_nothing():
    place = {"mean1": -1.0, "mean2": 1.0, "weight": 0.3, "sigma2": 2.0, "span": 3.0, "points": 5}
    fine, coarse = (
        pd.DataFrame(MODULE.cell(0, "field", **place, step=step)) for step in MODULE.STEPS
    )
    np.testing.assert_allclose(fine, coarse, atol=1e-10)


# --- effects on constructed tables ----------------------------------------------------------------

BASE = {"mean1": 0.0, "mean2": 0.0, "weight": 0.5, "sigma2": 1.0, "span": 2.0, "step": 0.02}
AXIS = np.linspace(-2, 2, 5)


def planes(rows, measure):
    """The same rows on both planes of the paper."""
    parts = []
    for mean, span in MODULE.PAPER_PLANES:
        change = {"mean1": mean, "mean2": mean, "span": span, "measure": measure}
        parts.append(pd.DataFrame(rows).assign(**{**BASE, **change}))
    return pd.concat(parts, ignore_index=True)


def valley(largest, condition):
    rows = []
    for step in MODULE.STEPS:
        for gap in (0.0, 0.1):
            for coordinates in largest:
                row = {"coordinates": coordinates, "gap": gap, "largest": largest[coordinates]}
                rows.append(
                    {**row, "least": largest[coordinates] / condition[coordinates], "step": step}
                )
    return pd.DataFrame(rows).assign(measure="valley", **{k: BASE[k] for k in BASE if k != "step"})


@pytest.mark.parametrize(
    ("slope", "longer", "share"), [((1.0, 1.0), np.sqrt(6.5), 1.0), ((1.0, -0.5), 0.4**0.5 / 2, 0)]
)
def test_speeds_of_a_uniform_field(slope, longer, share):
    points = [{"mu1": a, "mu2": b} for a in AXIS for b in AXIS]
    table = planes([{**p, "slope1": slope[0], "slope2": slope[1]} for p in points], "field")
    relative = np.array([slope[0] + slope[1], slope[0] + 2 * slope[1]])
    longer = np.linalg.norm(relative) / np.linalg.norm(slope)
    verdict = CLAIMS["larger gradients"].judge(table)
    assert verdict.effect.estimate == pytest.approx(longer)
    assert verdict.outcome == ("holds" if longer > 1 else "fails")
    everywhere = CLAIMS["larger everywhere"].judge(table)
    assert everywhere.effect.estimate == share
    assert everywhere.outcome == ("holds" if share else "fails")
    flat = valley({"unordered": 0.5, "relative": 1.25}, {"unordered": 2.0, "relative": 2.0})
    fair = CLAIMS["larger at a fair step"].judge(pd.concat([table, flat], ignore_index=True))
    assert fair.effect.estimate == pytest.approx(longer / 2.5)


@pytest.mark.parametrize(("condition", "outcome"), [(50.0, "holds"), (200.0, "fails")])
def test_condition_numbers_are_compared_at_the_same_gap(condition, outcome):
    largest = {"unordered": 0.5, "relative": 1.25, "resolved": 1.0}
    table = valley(largest, {"unordered": 100.0, "relative": condition, "resolved": condition})
    for name in ("valleys reduced", "valley removed by the squared gap"):
        verdict = CLAIMS[name].judge(table)
        assert verdict.outcome == outcome
        assert verdict.effect.estimate == pytest.approx(condition / 100)


def descent(times):
    points = [{"mu1": a, "mu2": b} for a in AXIS for b in AXIS if b > a]
    rows = [
        {**p, "coordinates": c, "level": 1e-4, "time": t} for p in points for c, t in times.items()
    ]
    largest = {"unordered": 0.5, "relative": 1.25, "resolved": 1.0}
    flat = valley(largest, dict.fromkeys(largest, 10.0))
    return pd.concat([planes(rows, "descent"), flat], ignore_index=True)


@pytest.mark.parametrize(("time", "raw", "fair"), [(3.0, 0.3, 0.75), (8.0, 0.8, 2.0)])
def test_times_are_compared_start_by_start(time, raw, fair):
    table = descent({"unordered": 10.0, "relative": time, "resolved": time})
    verdict = CLAIMS["sooner at the truth"].judge(table)
    assert verdict.outcome == "holds" and verdict.effect.estimate == pytest.approx(raw)
    verdict = CLAIMS["sooner at a fair step"].judge(table)
    assert verdict.outcome == ("holds" if fair < 1 else "fails")
    assert verdict.effect.estimate == pytest.approx(fair)
    assert CLAIMS["sooner from afar"].judge(table).effect.estimate == 1


def test_a_flow_that_never_arrives_is_the_later_one():
    table = descent({"unordered": np.nan, "relative": 10.0, "resolved": 1.0})
    assert CLAIMS["sooner from afar"].judge(table).outcome == "holds"
    table = descent({"unordered": 10.0, "relative": np.nan, "resolved": 1.0})
    assert CLAIMS["sooner from afar"].judge(table).outcome == "fails"
    verdict = CLAIMS["sooner at the truth"].judge(table)
    assert verdict.outcome == "undecided" and "no effect size" in verdict.reason


# --- findings -------------------------------------------------------------------------------------


def test_findings_hold_the_numbers_of_the_table(result, verdicts):
    text = result.study.findings(result)
    assert f"{verdicts['larger gradients'].effect.estimate:.3f} times" in text
    assert f"{verdicts['larger everywhere'].effect.estimate:.1%}" in text
    outcomes = [verdict.outcome for verdict in verdicts.values()]
    assert f"{outcomes.count('fails')} fails" in text
