"""The study of the natural gradient: interpolation, its smoke size, constructed tables."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog

MODULE = catalog.module("natural_gradient", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}


def test_every_cell_is_done_and_every_claim_has_a_finite_interval(tmp_path):
    result = run_here(load_study("natural_gradient"), tmp_path)
    assert not len(result.failures)
    assert all(np.isfinite(verdict.effect[:3]).all() for verdict in result.verdicts)
    table = result.tables["natural_gradient"]
    assert (table["passes"].dropna() >= 1).all()
    assert set(table["coordinates"]) == set(MODULE.MODELS)


def test_passes_are_interpolated():
    excess = np.array([1e-3, 1e-4, 1e-6, 1e-8])
    assert MODULE.passes_to(np.array([1, 3, 5, 9]), excess) == pytest.approx(4)
    assert MODULE.passes_to(np.array([1, 2]), np.array([1e-6, 1e-7])) == 1
    assert np.isnan(MODULE.passes_to(np.array([1, 2]), np.array([1e-3, 1e-4])))


# --- effects on constructed tables ----------------------------------------------------------------


def ascents(natural, slow=1.0):
    rows = []
    for step in MODULE.STEPS:
        for separation in (0.0, 2.0):
            for start in MODULE.START_GAPS:
                for coordinates in MODULE.MODELS:
                    factor = slow if coordinates == "resolved" else 1.0
                    for name in MODULE.ALGORITHMS:
                        passes = 100.0 if name == "gradient" else natural * factor
                        row = {"start": start, "coordinates": coordinates, "algorithm": name}
                        place = {"unknown": "none", "step": step, "separation": separation}
                        rows.append({**place, **row, "passes": passes})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("natural", "plateau", "arrives"),
    [(10.0, "holds", 0), (300.0, "fails", 0), (np.nan, "fails", 1)],
)
def test_passes_of_constructed_ascents(natural, plateau, arrives):
    table = ascents(natural)
    verdict = CLAIMS["natural gradient leaves the plateau"].judge(table)
    if np.isfinite(natural):
        assert verdict.outcome == plateau
        assert verdict.effect.estimate == pytest.approx(natural / 100)
        assert CLAIMS["natural gradient pays far out"].judge(table).outcome == plateau
    else:
        assert verdict.outcome == "undecided" and "finite" in verdict.reason
    verdict = CLAIMS["natural gradient always arrives"].judge(table)
    runs = len(MODULE.passes(table))
    assert verdict.effect.estimate == (runs if arrives else 0)
    assert verdict.outcome == ("fails" if arrives else "holds")
