"""Interweaving: its draws are of the posterior, effects on tables of known answers, smoke size."""

import chance
import numpy as np
import pandas as pd
import pytest
from beside_gibbs import check_beside_gibbs, small_problem
from inprocess import result_of, run_here

from ordered_mix.parameterization import catalog

file = catalog.module("interweaving", "study")


def world(woven=1.0):
    """NUTS is the better part but at separation 8; interweaving has this share of the better."""
    table = pd.DataFrame([cell.factors for cell in file.study.cells("laptop")])
    apart, name = table["separation"] == 8, table["contender"]
    level = np.select(
        [name == file.GIBBS, name == file.ALONE, name == file.WOVEN],
        [np.where(apart, 40.0, 5.0), np.where(apart, 10.0, 20.0), np.where(apart, 40.0, 20.0)],
        20.0,
    )
    level[name == file.WOVEN] *= woven
    rng = np.random.default_rng(1)
    ess = 100 * level * np.exp(0.01 * rng.normal(size=len(table)))
    return table.assign(ess=ess, rhat=1.001, passes=100_000)


@pytest.mark.parametrize(("woven", "outcome"), [(1.0, "holds"), (0.6, "fails")])
def test_every_claim_can_hold_and_fail(woven, outcome):
    for verdict in result_of(file.study, world(woven)).verdicts:
        assert verdict.outcome == outcome, verdict
        assert verdict.effect.estimate == pytest.approx(woven, rel=0.02)


def test_runs_that_have_not_converged_are_not_compared():
    table = world()
    table.loc[(table["contender"] == file.WOVEN) & (table["replicate"] < 905), "rhat"] = 1.2
    found = {claim.name: claim.judge(table) for claim in file.CLAIMS}
    assert found[file.CLAIMS[1].name].effect.observations == 7
    with pytest.raises(ValueError, match="no converged runs of the parts"):
        file.beside_the_better(table.assign(rhat=1.2), separation=1.0, weight=0.5)


def test_laptop_has_twelve_data_sets_a_setting():
    cells = pd.DataFrame([cell.factors for cell in file.study.cells("laptop")])
    counts = cells.groupby(["separation", "weight", "contender"]).size()
    assert len(counts) == len(file.SETTINGS) * len(file.CONTENDERS) and set(counts) == {12}


@pytest.mark.chance
@pytest.mark.parametrize("contender", file.ITERATIONS)
def test_its_draws_are_those_of_gibbs_sampling(contender, monkeypatch):
    monkeypatch.setitem(file.ITERATIONS, contender, 800)
    data, starts = small_problem(file.CHAINS)
    mixture, passes = file.walked(contender, data, starts, chance.seed(1))
    assert passes > 2 * 800 * file.CHAINS
    check_beside_gibbs(mixture, data, starts)


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    table = result.tables[file.NAME]
    assert len(table) == 2 and np.all(table["passes"] == 24_000) and np.all(table["ess"] > 1)
