"""The study of the spurious minimum: its branch, its effects on tables with known answers."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog

MODULE = catalog.module("spurious_minima", "study")
STUDY = load_study("spurious_minima")
PLACE = {"arrangement": "line", "true": 3, "fitted": 3, "separation": 12.0}


def effect(name, rows):
    """Verdict of one claim on these rows."""
    (claim,) = [claim for claim in STUDY.claims if claim.name == name]
    return claim.judge(pd.DataFrame([{**PLACE, **row} for row in rows]))


def test_every_claim_has_a_verdict_at_smoke_size(tmp_path):
    smoke = run_here(STUDY, tmp_path)
    assert not len(smoke.failures) and len(smoke.verdicts) == len(STUDY.claims)
    found = {verdict.claim.name: verdict for verdict in smoke.verdicts}
    assert all(np.isfinite(verdict.effect[:3]).all() for verdict in found.values())
    assert found["threshold"].outcome == "holds"
    assert found["threshold"].effect.estimate == pytest.approx(10.046942, abs=6e-7)
    assert smoke.tables["decay"]["certified"].astype(bool).all()


def test_the_branch_passes_its_fold():
    rows = pd.DataFrame(MODULE.fold_cell(0, **{**PLACE, "separation": 11.0}))
    np.testing.assert_allclose(rows[["fold", "fold_coarse"]], 10.046942, atol=6e-7)
    assert rows["smallest_eigenvalue"].iloc[0] > 0 > rows["smallest_eigenvalue"].iloc[-1]
    assert rows["separation_at"].min() == pytest.approx(rows["fold"].iloc[0], abs=1e-3)


@pytest.mark.parametrize(("power", "line", "generic"), [(-4, "holds", "holds"), (-0.5, "fails",
                         "holds"), (0.5, "fails", "fails")])  # fmt: skip
def test_decay_claims(power, line, generic):
    rows = []
    for true in (3, 4):
        for separation in (10.0, 12.0, 14.0):
            error = separation**power
            row = {"true": true, "fitted": true, "separation": separation}
            row |= {"approximation_error": error, "approximation_error_coarse": error}
            rows.append({**row, "certified": True})
    found = effect("faster on the line", rows)
    assert found.effect.estimate == pytest.approx(power) and found.outcome == line
    assert effect("error decays", rows).outcome == generic
    rows[0]["certified"] = False
    assert "1 minima of the decay" in effect("error decays", rows).reason


@pytest.mark.parametrize(("at", "outcome"), [(10.05, "holds"), (9.5, "fails")])
def test_threshold_claim(at, outcome):
    row = {"fold": at, "fold_coarse": at + 1e-6}
    assert effect("threshold", [row]).outcome == outcome
