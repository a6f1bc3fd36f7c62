"""Calibration: its smoke size, and its effects on tables with known answers."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here
from matplotlib.figure import Figure

from ordered_mix.parameterization.catalog import module
from ordered_mix.study.sentences import answer, findings

file = module("calibration", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}
RANKS = [f"rank_{name}" for name in (*file.QUANTITIES, "raw_mu_1")]


def simulations(coordinates, count, off):
    """Even ranks of every quantity, or (off) ranks in the upper three quarters only."""
    even = np.arange(count) % (file.RANKS + 1)
    ranks = 8 + even * 3 // 4 if off else even
    rows = pd.DataFrame(dict.fromkeys(RANKS, ranks.astype(float)))
    rows = rows.assign(
        parameterization=coordinates, batch=0, attempts=1, divergences=0, ess=300.0, rhat=1.01
    )
    if coordinates == "unordered":
        rows["rank_raw_mu_1"] = even if off else np.where(even < 16, 0, file.RANKS)
    return rows


def world(holds=True):
    counts = {"nuts": 1024, "pymc": 256}
    return {
        name: pd.concat([simulations(one, count, not holds) for one in file.MAIN])
        for name, count in counts.items()
    }


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    for verdict in result_of(file.study, world(holds)).verdicts:
        assert verdict.outcome == ("holds" if holds else "fails"), verdict.reason
        assert np.isfinite(verdict.effect[:3]).all() and verdict.effect.observations >= 1000


def test_the_effect_and_its_interval():
    rows = simulations("signed", 1024, True)
    found = file.worst(rows, ("signed",))
    assert found.estimate == pytest.approx(0.25)
    slack = np.sqrt(np.log(2 / (0.05 / 6)) / 2048)
    assert found.high - found.estimate == pytest.approx(slack)
    assert found.estimate - found.low == pytest.approx(slack)


def test_a_refused_run_is_not_dropped_in_silence():
    rows = simulations("signed", 1024, False)
    rows.loc[rows.index % 32 == 5, RANKS] = np.nan
    found = file.worst(rows, ("signed",))
    # what is left misses the uniform ECDF by 26 of 992 ranks
    assert found.estimate == pytest.approx(1 / 32 + (1 - 1 / 32) * (6 / 32 - 5 / 31))
    assert found.observations == 1024
    with pytest.raises(ValueError, match="no such runs of centred"):
        file.worst(rows, ("signed", "centred"))


def test_too_few_simulations_leave_it_undecided():
    verdict = CLAIMS["NUTS, signed"].judge(simulations("signed", 96, False))
    assert verdict.outcome == "undecided"


def test_sentences_say_what_the_table_holds():
    right, wrong = (result_of(file.study, world(holds)) for holds in (True, False))
    assert "NUTS in signed coordinates is calibrated" in findings(right)
    assert "NUTS in signed coordinates is not calibrated" in findings(wrong)
    assert "as unordered chains leave them are off" in answer(right)


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    ranks = result.tables["nuts"][RANKS].dropna()
    assert len(ranks) == 25 and ranks.min().min() >= 0 and ranks.max().max() <= file.RANKS
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
        assert verdict.effect or "no such runs" in verdict.reason
    for draw in file.study.figures.values():
        for shown in (result, result_of(file.study, world())):
            assert isinstance(draw(shown), Figure)
            draw(shown).draw_without_rendering()
