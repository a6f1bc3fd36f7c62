"""Calibration of samplers: its smoke size, and its effects on tables with known answers."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization.catalog import module

file = module("sampler_calibration", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


def world(holds=True, count=1024):
    """Even ranks and scores, or those of the upper three quarters alone."""
    even = np.arange(count) % (file.RANKS + 1)
    ranks = even if holds else 8 + even * 3 // 4
    parts = [
        pd.DataFrame({f"rank_{name}": ranks.astype(float) for name in file.QUANTITIES}).assign(
            sampler=sampler
        )
        for sampler in file.WORDS
    ]
    place = (np.arange(count) + 0.5) / count
    over = pd.DataFrame({"score": place if holds else 0.25 + 0.75 * place})
    of_truth = 0.5 + 0.1 * np.sin(np.arange(count))
    squares = of_truth if holds else of_truth + 0.2
    over = over.assign(sampler=file.OVER_K, true=2, of_truth=of_truth, squares=squares)
    return pd.concat([*parts, over], ignore_index=True).assign(batch=0)


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    for verdict in result_of(file.study, world(holds)).verdicts:
        expected = "holds" if holds else "fails"
        assert verdict.outcome == expected, verdict.reason
        assert np.isfinite(verdict.effect[:3]).all() and verdict.effect.observations == 1024


def test_effects_are_those_put_in():
    table = world(False)
    assert file.worst(table, "smc").estimate == pytest.approx(0.25)
    assert file.number(table).estimate == pytest.approx(0.25, abs=1e-3)
    assert file.probability(table).estimate == pytest.approx(-0.2)
    with pytest.raises(ValueError, match="no such runs of smc"):
        file.worst(table[table["sampler"] != "smc"], "smc")


def test_too_few_simulations_leave_it_undecided():
    assert CLAIMS["SMC is calibrated"].judge(world(count=96)).outcome == "undecided"


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures) and len(result.table) == 4 * file.PACK
    for verdict in result.verdicts:
        assert np.isfinite(verdict.effect[:3]).all()
    rows = result.table[result.table["sampler"] == file.OVER_K]
    assert rows["score"].between(0, 1).all() and rows["of_truth"].between(0, 1).all()
    assert "too few to tell" in file.findings(result)
