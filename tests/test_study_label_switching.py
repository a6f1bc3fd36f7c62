"""Label switching: its claims on tables with known answers, and its smoke size."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import module
from ordered_mix.study.family import judge_one

file = module("label_switching", "study")
study = file.study
CLAIMS = {claim.name: claim for claim in study.claims}
AS_GOOD = "sorting afterwards is as good, fixed, dense"


def world(holds=True):
    """Tables of the laptop's cells; where claims hold order leaves a quarter of the sets apart.

    Claims that order cures are tested apart: where they hold, sorting does not cure more.
    """
    rng = np.random.default_rng(5)
    table, means = (
        pd.DataFrame([cell.factors for cell in study.cells("laptop", experiments=[name])])
        for name in study.experiments
    )
    ordered, far = table["coordinates"] == "ordered", table["separation"].isin(file.FAR)
    quarter = table["replicate"] % 4 == 0
    apart = far & ~ordered & (holds | (table["replicate"] % 10 == 0))
    ess = 200 * np.where(ordered, 0.8 if holds else 1.2, 1.0)
    after = np.where(far & quarter & (ordered == holds), 1.5, 1.005)
    table = table.assign(
        raw_rhat=np.where(apart, 1.7, 1.005), rhat=after, passes=10_000,
        ess=ess * np.exp(0.02 * rng.normal(size=len(table))),
        visited=np.where(far == holds, 0.5, 1.0),
        **dict.fromkeys(("warmup_passes", "converged_passes", "invariant_ess", "seconds"), 10.0),
    )  # fmt: skip
    crossed = means["means"] == file.CROSSING
    ratio = np.where(crossed, 3.0, 1.01) if holds else np.where(crossed, 1.2, 2.0)
    noise = np.exp(0.02 * rng.normal(size=len(means)))
    return {
        "switching": table,
        "crossing": means.assign(sorted=0.2 * ratio * noise, stephens=0.2),
    }


@pytest.fixture(scope="module")
def tables():
    return {"holds": world(True), "fails": world(False)}


ORDER = [name for name in CLAIMS if name.startswith("order cures label switching")]
EQUAL = [name for name in CLAIMS if "at equal weights" in name]


@pytest.mark.parametrize("name", [name for name in CLAIMS if name not in ORDER + EQUAL])
@pytest.mark.parametrize("outcome", ["holds", "fails"])
def test_every_claim_can_hold_and_fail(tables, name, outcome):
    verdict = judge_one(CLAIMS[name], tables[outcome])
    assert verdict.outcome == outcome, verdict.reason
    assert verdict.effect.observations > 1


@pytest.mark.parametrize("name", ORDER)
def test_order_cures_or_does_not(tables, name):
    assert judge_one(CLAIMS[name], tables["holds"]).outcome == "fails"
    table = tables["holds"]["switching"]
    cured = table.assign(rhat=table["rhat"].where(table["coordinates"] != "ordered", 1.0))
    many = [cured.assign(replicate=cured["replicate"] + 30 * i) for i in range(3)]
    assert judge_one(CLAIMS[name], {"switching": pd.concat(many)}).outcome == "holds"


@pytest.mark.parametrize("name", EQUAL)
def test_order_cures_what_sorting_does_or_less(tables, name):
    assert judge_one(CLAIMS[name], tables["holds"]).outcome == "fails"
    table = tables["holds"]["switching"].assign(rhat=1.0)
    found = judge_one(CLAIMS[name], {"switching": table})
    assert found.outcome == "holds" and found.effect.estimate == 0


def test_the_mass_matrix_where_it_is_least_decides(tables):
    table = tables["holds"]["switching"].copy()
    table["rhat"] = 1.0
    odd = (table["adaptation"] == "dense") & (table["replicate"] % 2 == 1)
    table.loc[odd & (table["coordinates"] == "unordered"), "rhat"] = 1.2
    name = "sorting cures label switching, adaptive"
    verdict = judge_one(CLAIMS[name], {"switching": table})
    assert verdict.outcome == "fails" and verdict.effect.estimate == 0.5


def test_effects_are_the_numbers_put_in(tables):
    def effect(name, outcome="holds"):
        return judge_one(CLAIMS[name], tables[outcome]).effect.estimate

    assert effect(AS_GOOD) == pytest.approx(1 / 0.8, rel=0.03)
    assert effect("without order chains disagree, fixed") == 1
    assert effect("without order chains disagree, fixed", "fails") == pytest.approx(0.1)
    assert effect("Stephens keeps crossing components, fixed") == pytest.approx(3, rel=0.03)


def test_the_least_favourable_separation_decides(tables):
    table = tables["holds"]["switching"].copy()
    at = (table["separation"] == 1.5) & (table["coordinates"] == "unordered")
    table.loc[at, "ess"] *= 0.6
    verdict = judge_one(CLAIMS[AS_GOOD], {"switching": table})
    assert verdict.outcome == "fails"
    assert verdict.effect.estimate == pytest.approx(0.6 / 0.8, rel=0.05)


def test_a_failed_run_is_not_dropped_in_silence(tables):
    table = tables["holds"]["switching"]
    gone = (table["replicate"] == 7) & (table["separation"] == 4)
    found = table[~(gone & (table["coordinates"] == "ordered"))]
    verdict = judge_one(CLAIMS[ORDER[0]], {"switching": found})
    assert verdict.outcome == "undecided" and verdict.effect is None
    assert "have no" in verdict.reason


def test_draws_that_cross_spread_when_they_are_sorted():
    steady = Mixture(np.full((1, 4, 2), 0.5), np.zeros((1, 4, 2)), np.ones((1, 4, 2)))
    assert file._spread(steady) == 0
    scale = np.array([[[1.0, 4.0], [4.0, 1.0]]])
    crossed = Mixture(np.full((1, 2, 2), 0.5), np.zeros((1, 2, 2)), scale)
    assert file._spread(crossed) == pytest.approx(np.log(2), rel=1e-3)


def test_figures_draw_what_there_is(tables):
    some, none = result_of(study, tables["holds"]), result_of(study, {})
    for draw in study.figures.values():
        assert draw(some).axes and draw(none).axes


def test_smoke(tmp_path):
    result = run_here(study, tmp_path)
    assert result.failures.empty
    table = result.tables["switching"].set_index("coordinates")
    assert len(table) == 8
    assert (table.loc["ordered", "switching_rate"] == 0).all()
    assert (table["ess"] > 4).all() and (table["passes"] > 8000).all()
    assert (result.tables["crossing"]["stephens"] > 0).all()
    for verdict in result.verdicts:
        assert verdict.effect is not None or "gives no effect size" in verdict.reason
