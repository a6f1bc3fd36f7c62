"""Calibration of samplers: its smoke size, and its effects on tables with known answers."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization.catalog import module
from ordered_mix.study.sentences import findings

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
    over = over.assign(true=2, of_truth=of_truth, squares=squares, batch=0)
    pilot = parts[0].drop(columns="sampler").assign(batch=0, chosen="Gibbs", again="NUTS")
    ranks = pd.concat(parts, ignore_index=True).assign(batch=0)
    return {"ranks": ranks, "pilot": pilot, "over_k": over}


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    for verdict in result_of(file.study, world(holds)).verdicts:
        expected = "holds" if holds else "fails"
        assert verdict.outcome == expected, verdict.reason
        assert np.isfinite(verdict.effect[:3]).all() and verdict.effect.observations == 1024


def test_effects_are_those_put_in():
    table, pilot, over = world(False).values()
    assert file.worst(table, "smc").estimate == pytest.approx(0.25)
    assert file.number(over).estimate == pytest.approx(0.25, abs=1e-3)
    assert file.probability(over).estimate == pytest.approx(-0.2)
    even = world()["pilot"].assign(again="Gibbs")
    both = pd.concat([pilot, even], ignore_index=True)
    assert file.of_pilot(both).estimate == pytest.approx(0.125)
    assert file.of_pilot(both, divided=True).estimate == pytest.approx(0.25)
    with pytest.raises(ValueError, match="no such runs of the pilot"):
        file.of_pilot(even, divided=True)
    with pytest.raises(ValueError, match="no such runs of smc"):
        file.worst(table[table["sampler"] != "smc"], "smc")


def test_too_few_simulations_leave_it_undecided():
    assert CLAIMS["SMC is calibrated"].judge(world(count=96)["ranks"]).outcome == "undecided"


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures) and len(result.tables["ranks"]) == 3 * file.PACK
    for verdict in result.verdicts:  # five pilots may all be of one mind
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
    assert len(result.tables["pilot"]) == file.PACK
    rows = result.tables["over_k"]
    assert len(rows) == file.PACK
    assert rows["score"].between(0, 1).all() and rows["of_truth"].between(0, 1).all()
    assert "too few to tell" in findings(result)
