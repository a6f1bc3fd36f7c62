"""Label switching: its claims on tables with known answers, and its smoke size."""

import itertools

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization.catalog import module

file = module("label_switching", "study")
study = file.study
CLAIMS = {claim.name: claim for claim in study.claims}


def world(holds=True, replicates=20):
    """A table in which all that differs between runs is known, up to a little noise."""
    names = ["separation", "n", "weight", "parameterization", "replicate"]
    small = itertools.product(file.SEPARATIONS, [50, 200], [0.5], file.PAIR, range(replicates))
    large = itertools.product([3.0, 8.0], [1000], [0.5], file.PAIR, range(120))
    table, rng = pd.DataFrame([*small, *large], columns=names), np.random.default_rng(5)
    ordered, far = table["parameterization"] == "ordered", table["separation"] >= file.APART
    ess = 200 * np.where(ordered, 0.8 if holds else 1.2, 1.0)
    apart = far & ~ordered & (holds | (table["replicate"] % 5 == 0))
    apart |= ordered & (not holds) & (rng.random(len(table)) < 0.5)
    return table.assign(
        raw_rhat=np.where(apart, 1.7, 1.01), rhat=1.005, passes=10_000,
        ess=ess * np.exp(0.02 * rng.normal(size=len(table))),
        switching_rate=0.01 * ~ordered, chain_disagreement=0.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tables():
    return {"holds": world(True), "fails": world(False)}


CURES = [f"order cures label switching, weight {weight}" for weight in (0.5, 0.1)]
SORTING = ["sorting cures label switching", "sorting cures more than order"]


def test_what_cures_label_switching(tables):
    table = tables["holds"].copy()
    odd = (table["separation"] >= 3) & (table["replicate"] % 2 == 1)
    table.loc[odd & (table["parameterization"] == "ordered"), "raw_rhat"] = 1.7

    def outcomes(rows):
        found = {name: CLAIMS[name].judge(rows) for name in (*CURES, *SORTING)}
        assert all(one.effect is not None for one in found.values())
        return [one.outcome for one in found.values()]

    rare = table.assign(weight=0.1)
    both = pd.concat([tables["holds"], rare])
    assert outcomes(both) == ["holds", "fails", "holds", "holds"]
    both.loc[(both["separation"] >= 3) & (both["parameterization"] == "unordered"), "rhat"] = 1.2
    assert outcomes(both) == ["holds", "fails", "fails", "fails"]


@pytest.mark.parametrize("name", [name for name in CLAIMS if name not in (*CURES, *SORTING)])
@pytest.mark.parametrize("outcome", ["holds", "fails"])
def test_every_claim_can_hold_and_fail(tables, name, outcome):
    verdict = CLAIMS[name].judge(tables[outcome])
    assert verdict.outcome == outcome, verdict.reason
    assert verdict.effect.observations > 1


def test_effects_are_the_numbers_put_in(tables):
    def effect(name, outcome="holds"):
        return CLAIMS[name].judge(tables[outcome]).effect.estimate

    assert effect("sorting afterwards is as good") == pytest.approx(1 / 0.8, rel=0.03)
    assert effect("without order chains disagree") == 1
    assert effect("without order chains disagree", "fails") == pytest.approx(0.2)


def test_the_least_favourable_separation_decides():
    table = world(True)
    at = (table["separation"] == 2.0) & (table["parameterization"] == "unordered")
    table.loc[at, "ess"] *= 0.6
    verdict = CLAIMS["sorting afterwards is as good"].judge(table)
    assert verdict.outcome == "fails"
    assert verdict.effect.estimate == pytest.approx(0.6 / 0.8, rel=0.05)


@pytest.mark.parametrize(
    "name",
    [
        "without order chains disagree", "order cures label switching",
        "sorting afterwards is as good",
    ],
)  # fmt: skip
def test_a_failed_run_is_not_dropped_in_silence(tables, name):
    table = tables["holds"]
    gone = (table["n"] == 200) & (table["replicate"] == 7) & (table["separation"] == 4)
    verdict = CLAIMS[name].judge(table[~(gone & (table["parameterization"] == "ordered"))])
    assert verdict.outcome == "undecided"
    assert verdict.effect is None
    assert "have no" in verdict.reason or "are not" in verdict.reason


def test_figures_draw_what_there_is(tables):
    some, none = result_of(study, tables["holds"]), result_of(study, {})
    for draw in study.figures.values():
        assert draw(some).axes and draw(none).axes


def test_smoke(tmp_path):
    result = run_here(study, tmp_path)
    assert result.failures.empty
    table = result.tables["label_switching"].set_index("parameterization")
    assert len(table) == 8
    assert (table.loc["ordered", "switching_rate"] == 0).all()
    assert (table["ess"] > 4).all() and (table["passes"] > 2000).all()
    for verdict in result.verdicts:
        assert verdict.effect is not None or "gives no effect size" in verdict.reason
