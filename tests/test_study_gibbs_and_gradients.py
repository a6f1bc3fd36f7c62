"""Gibbs sampling against NUTS: its smoke size, and its effects on tables with known answers."""

from math import factorial

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization.catalog import module

file = module("gibbs_and_gradients", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


def world(holds=True, noise=0.02):
    """Gibbs sampling is better apart and worse in the overlap, or the other way round."""
    rng = np.random.default_rng(3)
    cells = [cell.factors for cell in file.study.cells("laptop", {"replicate": range(10)})]
    table = pd.DataFrame([one for one in cells if file.skip(**one) is None])
    gibbs, near = table["coordinates"] == file.GIBBS, table["separation"] == 1
    better = np.where(near, 0.25 if holds else 4, 4 if holds else 0.25)
    level = np.where(gibbs, better, np.where(table["adaptation"] == "dense", 1.0, 0.5))
    more = (gibbs & near) if holds else (~gibbs | ~near)
    return table.assign(
        ess=1.0, rhat=1.3, passes=10_000, invariant_rhat=1.005,
        invariant_ess=100 * level * np.exp(noise * rng.normal(size=len(table))),
        seconds=np.where(gibbs, 0.01 if holds else 1.0, 1.0),
        visited=np.where(more, 1.0, 1 / table["k"].map(factorial)),
        **dict.fromkeys(("warmup_passes", "converged_passes"), 10.0),
    )  # fmt: skip


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    for verdict in result_of(file.study, {file.NAME: world(holds)}).verdicts:
        assert verdict.outcome == ("holds" if holds else "fails"), verdict.reason
        assert np.isfinite(verdict.effect[:3]).all() and verdict.effect.observations >= 10


def test_ratios_are_those_put_in():
    table, where = world(noise=0.0), {"prior": "fixed"}
    apart = file.where_it_is(min, table, "per_pass", separation=6.0, **where)
    assert apart.estimate == pytest.approx(4)
    overlap = file.where_it_is(max, table, "per_pass", separation=1.0, **where)
    assert overlap.estimate == pytest.approx(0.25)
    assert file.growth(table, **where).estimate == pytest.approx(16)
    assert file.where_it_is(min, table, "per_second", **where).estimate == pytest.approx(25)


def test_runs_that_have_not_converged_are_not_compared():
    table = world()
    dense = table["adaptation"] == "dense"
    found = file.where_it_is(
        min, table.assign(invariant_rhat=np.where(dense, 1.2, 1.0)), "per_pass", separation=6.0
    )
    assert found.estimate == pytest.approx(8, rel=0.05)
    alone = table["coordinates"] == file.GIBBS
    stuck = table.assign(invariant_rhat=np.where(alone, 1.2, 1.0))
    verdict = CLAIMS["Gibbs wins per second, fixed"].judge(stuck)
    assert verdict.outcome == "undecided" and "no data set on which" in verdict.reason


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    assert len(result.tables[file.NAME]) == 4
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
    for draw in file.study.figures.values():
        assert draw(result).axes
