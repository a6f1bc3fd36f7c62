"""The study of a clearance: reference values, constructed tables."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog

MODULE = catalog.module("clearance", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run_here(load_study("clearance"), tmp_path_factory.mktemp("clearance"))


def test_every_cell_is_done_and_every_claim_has_a_finite_interval(result):
    assert not len(result.failures)
    assert all(np.isfinite(verdict.effect[:3]).all() for verdict in result.verdicts)
    found = {verdict.claim.name: verdict.outcome for verdict in result.verdicts}
    assert found["price of a clearance"] == "holds"
    assert found["a clearance of the gap is enough"] == "fails"


@pytest.mark.parametrize(
    ("clearance", "loss"), [(0.1, 1.5573191e-6), (0.5, 9.0437950e-4), (1.0, 0.012087997)]
)
def test_losses_of_a_clearance_have_the_reference_values(result, clearance, loss):
    rows = MODULE.filtration(result.tables["fit"])
    row = rows[rows["clearance"] == clearance].iloc[0]
    assert row["loss"] == pytest.approx(loss, rel=2e-7)
    assert row["gap"] == pytest.approx(clearance) and abs(row["mean"]) < 1e-9


# --- effects on constructed tables ----------------------------------------------------------------


@pytest.mark.parametrize(("share", "outcome"), [(0.9, "holds"), (0.01, "fails")])
def test_emptied_components_of_constructed_spectra(share, outcome):
    full = pd.DataFrame({"coordinates": ["unordered", "resolved"], "least": [0.1, 0.3]})
    emptied = full.assign(weight=0.01, least=share * full["least"])
    table = pd.concat([full.assign(weight=0.5), emptied])
    verdict = CLAIMS["a clearance of the gap is enough"].judge(table)
    assert verdict.outcome == outcome and verdict.effect.estimate == pytest.approx(share)


def fits(loss=lambda xi: xi**4 / 64, condition=lambda xi: xi**-2.0, separation=0.0, **where):
    rows = []
    for step in MODULE.STEPS:
        for xi in MODULE.CLEARANCES:
            for coordinates in MODULE.MODELS:
                row = {
                    "coordinates": coordinates,
                    "loss": loss(xi),
                    "least": 1.0,
                    "largest": condition(xi),
                }
                row |= {"clearance": xi, "step": step, "separation": separation, "gap": xi}
                rows.append({"weight": 0.5, "unknown": "none", **row, **where})
    return pd.DataFrame(rows)


def test_constructed_filtrations():
    good, bad = fits(), fits(lambda xi: xi**3 / 64, lambda xi: 1 / xi)
    for name in ("price of a clearance", "conditioning bought"):
        assert CLAIMS[name].judge(good).outcome == "holds"
        assert CLAIMS[name].judge(bad).outcome == "fails"
    eighth = CLAIMS["price is of eighth order"]
    assert eighth.judge(fits(lambda xi: xi**8, unknown="scale")).outcome == "holds"
    assert eighth.judge(fits(unknown="scale")).outcome == "fails"
    free = CLAIMS["no price above the clearance"]
    assert free.judge(fits(lambda xi: 0.0, separation=1.0)).outcome == "holds"
    assert free.judge(fits(separation=1.0)).outcome == "fails"
