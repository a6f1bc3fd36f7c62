"""Chained means and scales: effects on tables of known answers, what is measured, smoke size."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.study.family import judge_one

file = catalog.module("chaining", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


def world(ratio):
    """Chained coordinates have this share of the ESS; half of their runs converge, or the other."""
    cells = [cell.factors for cell in file.study.cells("laptop")]
    table = pd.DataFrame([one for one in cells if file.skip(**one) is None])
    chained = table["chained"] == table["apart"]
    late = (table["replicate"] >= 10) & (chained == (ratio < 1))
    rng = np.random.default_rng(1)
    ess = 1000 * np.where(chained, ratio, 1.0) * np.exp(0.02 * rng.normal(size=len(table)))
    return table.assign(ess=ess, rhat=np.where(late, 1.2, 1.001), passes=10_000, divergences=0)


@pytest.mark.parametrize(("ratio", "outcome"), [(0.5, "holds"), (2.0, "fails")])
def test_every_claim_can_hold_and_fail(ratio, outcome):
    for verdict in result_of(file.study, {file.NAME: world(ratio)}).verdicts:
        assert verdict.outcome == outcome, verdict
        if "draws" in verdict.claim.name:
            assert verdict.effect.estimate == pytest.approx(ratio, rel=0.02)
            assert verdict.effect.observations == 2 * 10  # where both have converged


def test_runs_that_have_not_converged_are_not_compared():
    table = world(0.5)
    table.loc[table["chained"] == "scales", "rhat"] = 1.5
    name = "chained scales cost draws, all, fixed, dense"
    verdict = judge_one(CLAIMS[name], {file.NAME: table})
    assert verdict.outcome == "undecided" and "converge on 0 of" in verdict.reason


def test_laptop_has_twenty_data_sets_a_setting():
    table = world(1.0)
    counts = table.groupby([*file.SETTING, "chained", "matrix"]).size()
    assert set(counts) == {20}
    # the means alone: three distances and two coordinate systems; all: six and three, two priors
    assert len(counts) == 2 * (3 * 2 + 2 * 6 * 3)


@pytest.mark.parametrize("apart", file.DISTANCES)
def test_components_differ_in_one_thing(apart):
    for distance in file.DISTANCES[apart]:
        truth = file.truth_of(apart, distance)
        equal = truth.sigma if apart == "means" else truth.mu
        assert np.ptp(equal) == 0 and np.ptp(truth.mu) + np.ptp(truth.sigma) > 0
        assert isinstance(truth, Mixture)


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    table = result.tables[file.NAME]
    assert len(table) == 4 and (table["ess"] > 4).all() and (table["passes"] > 8000).all()
    for draw in file.study.figures.values():
        assert draw(result).axes


def test_known_scales_are_not_measured():
    row = file.cell(1, "means, fixed", "means", 3.0, "means", "diagonal", 0)[0]
    assert row["rhat"] < 1.05 and row["ess"] > 100
