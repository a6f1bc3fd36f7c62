"""The study of local rates: reference values, effects on constructed tables."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog

MODULE = catalog.module("local_rates", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}


def test_verdicts_at_smoke_size(tmp_path):
    result = run_here(load_study("local_rates"), tmp_path)
    assert not len(result.failures)
    assert {verdict.claim.name: verdict.outcome for verdict in result.verdicts} == {
        "locally faster": "fails",
        "slowdown is 1/p_reference": "holds",
        "rates as in theory": "holds",
    }


def test_population_rates_have_the_reference_values():
    rows = MODULE.population_cell(0, 0.1, 0.5)
    found = {row["algorithm"]: row["theory"] for row in rows if row["step"] == 0.02}
    assert found["em"] == pytest.approx(0.995024835, abs=1e-9)
    assert found["ecm"] == pytest.approx(0.997512417, abs=1e-9)
    assert found["ecm, reference 2"] == pytest.approx(0.997512417, abs=1e-9)


# --- effects on constructed tables ----------------------------------------------------------------


@pytest.mark.parametrize("faster", [True, False])
def test_rates_of_a_population(faster):
    rows = []
    for step in MODULE.STEPS:
        for separation in (0.1, 1.0):
            for weight in (0.3, 0.5):
                base = -2 * weight * (1 - weight) * separation**2
                factors = {"em": 1.0, "ecm": weight, "ecm, reference 2": 1 - weight}
                if faster:
                    factors["ecm"] = 2.0
                for name, factor in factors.items():
                    row = {"separation": separation, "weight": weight, "step": step}
                    rows.append({**row, "algorithm": name, "theory": np.exp(base * factor)})
    table = pd.DataFrame(rows)
    assert CLAIMS["locally faster"].judge(table).outcome == ("holds" if faster else "fails")
    slowdown = CLAIMS["slowdown is 1/p_reference"].judge(table)
    assert slowdown.outcome == ("fails" if faster else "holds")
    assert slowdown.effect.estimate == pytest.approx(0.85 if faster else 0, abs=1e-9)


@pytest.mark.parametrize(("power", "outcome"), [(1.001, "holds"), (1.1, "fails")])
def test_rates_of_traces(power, outcome):
    rates = 0.5 + 0.04 * np.arange(10)
    table = pd.DataFrame({"replicate": range(10), "theory": rates})
    table["trace"] = rates**power
    claim = CLAIMS["rates as in theory"]
    verdict = claim.judge(table)
    assert verdict.outcome == outcome
    assert verdict.effect.estimate == pytest.approx(power - 1)
    lost = table.assign(trace=np.nan)
    assert claim.judge(pd.concat([table, table, lost])).outcome == outcome
    assert claim.judge(lost).outcome == "undecided"
    assert "every replicate" in claim.judge(pd.concat([table, table.iloc[1:]])).reason
