"""The study of learning dynamics: reference values, effects on constructed tables."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization import catalog
from ordered_mix.study.family import judge_one

MODULE = catalog.module("learning_dynamics", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run_here(MODULE.study, tmp_path_factory.mktemp("dynamics"))


@pytest.fixture(scope="module")
def verdicts(result):
    return {verdict.claim.name: verdict for verdict in result.verdicts}


def test_every_cell_is_done_and_every_claim_has_a_finite_interval(result, verdicts):
    assert not len(result.failures) and not len(result.skipped)
    assert len(verdicts) == len(MODULE.CLAIMS)
    assert all(np.isfinite(verdict.effect[:3]).all() for verdict in verdicts.values())


def test_fields_have_the_reference_values(result):
    values = {
        "truth at 0": (0.491067, 0.996307, 0.762), "truth at 20": (3.053508, 5.092179, 0.881),
    }  # fmt: skip
    for plane in MODULE.PAPER_PLANES:
        rows = MODULE.at_plane(result.tables["field"], plane)
        assert len(rows) == 41 * 41
        original, relative = (
            MODULE.lengths(rows, coordinates) for coordinates in ("unordered", "relative")
        )
        expected = values[plane]
        assert original.mean() == pytest.approx(expected[0], abs=5e-7)
        assert relative.mean() == pytest.approx(expected[1], abs=5e-7)
        assert np.mean(relative > original) == pytest.approx(expected[2], abs=5e-4)
        moving = original > 1e-12
        ratio = relative[moving] / original[moving]
        assert 0.381966 - 1e-6 < ratio.min() and ratio.max() < 2.618034 + 1e-6


def test_the_valley_has_the_reference_values(result):
    table = result.tables["valley"]
    largest = MODULE.largest(table)[["unordered", "relative"]]
    assert largest.tolist() == pytest.approx([0.5, 1.25], abs=1e-12)
    rows = MODULE.slow_line(table, 0.02, 0.1)
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
    }
    effect = {name: verdict.effect.estimate for name, verdict in verdicts.items()}
    # both flows near the singularity: gap^2 = A / t with A = 10 and 4, curvatures 1.25 and 0.5
    assert effect["sooner at the truth"] == pytest.approx(2.5, rel=0.1)
    assert effect["sooner at a fair step"] == pytest.approx(6.25, rel=0.1)


def test_projection_is_absorbed_and_a_clearance_releases(result):
    rows = result.tables["projection"]
    lost = rows[(rows["clearance"] == 0) & (rows["excess"] > 1e-3)]
    assert len(lost) and np.allclose(lost[["end1", "end2"]], 0, atol=1e-5)
    freed = rows[rows["clearance"] > 0]
    assert np.allclose(freed[["end1", "end2"]], [-1, 1], atol=1e-5)


def test_smaller_steps_of_the_quadrature_change_nothing():
    plane = MODULE._plane((-1.0, 1.0), 3.0, weight=0.3, sigma=2.0)
    fine, coarse = (pd.DataFrame(MODULE.slopes(plane, 5, step)) for step in MODULE.STEPS)
    np.testing.assert_allclose(fine, coarse, atol=1e-10)


def test_figures_draw_what_there_is(result):
    for draw in MODULE.study.figures.values():
        assert draw(result).axes and draw(result_of(MODULE.study, {})).axes


# --- effects on constructed tables ----------------------------------------------------------------

AXIS = np.linspace(-2, 2, 5)


def judge(name, **tables):
    return judge_one(CLAIMS[name], tables)


def planes(rows):
    """The same rows on both planes of the paper."""
    parts = [pd.DataFrame(rows).assign(plane=plane) for plane in MODULE.PAPER_PLANES]
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
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("slope", "longer", "share"), [((1.0, 1.0), np.sqrt(6.5), 1.0), ((1.0, -0.5), 0.4**0.5 / 2, 0)]
)
def test_speeds_of_a_uniform_field(slope, longer, share):
    points = [{"mu1": a, "mu2": b} for a in AXIS for b in AXIS]
    table = planes([{**p, "slope1": slope[0], "slope2": slope[1]} for p in points])
    relative = np.array([slope[0] + slope[1], slope[0] + 2 * slope[1]])
    longer = np.linalg.norm(relative) / np.linalg.norm(slope)
    verdict = judge("larger gradients", field=table)
    assert verdict.effect.estimate == pytest.approx(longer)
    assert verdict.outcome == ("holds" if longer > 1 else "fails")
    everywhere = judge("larger everywhere", field=table)
    assert everywhere.effect.estimate == share
    assert everywhere.outcome == ("holds" if share else "fails")
    flat = valley({"unordered": 0.5, "relative": 1.25}, {"unordered": 2.0, "relative": 2.0})
    fair = judge("larger at a fair step", field=table, valley=flat)
    assert fair.effect.estimate == pytest.approx(longer / 2.5)


@pytest.mark.parametrize(("condition", "outcome"), [(50.0, "holds"), (200.0, "fails")])
def test_condition_numbers_are_compared_at_the_same_gap(condition, outcome):
    largest = {"unordered": 0.5, "relative": 1.25, "resolved": 1.0}
    table = valley(largest, {"unordered": 100.0, "relative": condition, "resolved": condition})
    for name in ("valleys reduced", "valley removed by the squared gap"):
        verdict = judge(name, valley=table)
        assert verdict.outcome == outcome
        assert verdict.effect.estimate == pytest.approx(condition / 100)


def descent(times):
    points = [{"mu1": a, "mu2": b} for a in AXIS for b in AXIS if b > a]
    rows = [
        {**p, "coordinates": c, "level": 1e-4, "time": t} for p in points for c, t in times.items()
    ]
    largest = {"unordered": 0.5, "relative": 1.25, "resolved": 1.0}
    return {"descent": planes(rows), "valley": valley(largest, dict.fromkeys(largest, 10.0))}


@pytest.mark.parametrize(("time", "raw", "fair"), [(3.0, 0.3, 0.75), (8.0, 0.8, 2.0)])
def test_times_are_compared_start_by_start(time, raw, fair):
    tables = descent({"unordered": 10.0, "relative": time, "resolved": time})
    verdict = judge("sooner at the truth", **tables)
    assert verdict.outcome == "holds" and verdict.effect.estimate == pytest.approx(raw)
    verdict = judge("sooner at a fair step", **tables)
    assert verdict.outcome == ("holds" if fair < 1 else "fails")
    assert verdict.effect.estimate == pytest.approx(fair)
    assert judge("sooner from afar", **tables).effect.estimate == 1


def test_a_flow_that_never_arrives_is_the_later_one():
    tables = descent({"unordered": np.nan, "relative": 10.0, "resolved": 1.0})
    assert judge("sooner from afar", **tables).outcome == "holds"
    tables = descent({"unordered": 10.0, "relative": np.nan, "resolved": 1.0})
    assert judge("sooner from afar", **tables).outcome == "fails"
    verdict = judge("sooner at the truth", **tables)
    assert verdict.outcome == "undecided" and "no effect size" in verdict.reason
