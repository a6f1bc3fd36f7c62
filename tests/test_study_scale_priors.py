"""The study of priors of scales: its effects on tables with known answers, its integrals."""

import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization.catalog import module

file = module("scale_priors", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


@pytest.mark.parametrize(
    ("prior", "name", "rising", "falling"),
    [
        ("half_normal", "half-normal is improper", "holds", "fails"),
        ("inverse_gamma", "inverse gamma is proper", "fails", "holds"),
    ],
)
def test_mass_by_decade(prior, name, rising, falling):
    for slope, outcome in ((3.0, rising), (-3.0, falling)):
        rows = [{"prior": prior, "decade": d, "mass": slope * d, "mass_coarse": slope * d + 1}
                for d in range(1, 8)]  # fmt: skip
        verdict = CLAIMS[name].judge(pd.DataFrame(rows))
        assert verdict.outcome == outcome and verdict.effect.estimate == pytest.approx(slope)


@pytest.mark.parametrize(("prior", "name", "stays"), [
    ("half_normal", "half-normal chains stay", True),
    ("inverse_gamma", "inverse gamma chains leave", False),
])  # fmt: skip
def test_chains(prior, name, stays):
    for share, outcome in ((1.0, stays), (0.0, not stays)):
        rows = [{"prior": prior, "chain": "narrow", "narrow": share, "replicate": r}
                for r in range(8)]  # fmt: skip
        verdict = CLAIMS[name].judge(pd.DataFrame(rows))
        assert verdict.outcome == ("holds" if outcome else "fails")


def test_half_normal_scales_are_improper_and_inverse_gamma_ones_are_not():
    rows = [{"prior": prior, **row} for prior in file.PRIORS for row in file.mass(0, prior)]
    table = pd.DataFrame(rows)
    assert set(table["ties"]) == {15}
    result = result_of(file.study, {"mass": table})
    outcomes = {verdict.claim.name: verdict.outcome for verdict in result.verdicts}
    assert outcomes["half-normal is improper"] == outcomes["inverse gamma is proper"] == "holds"
    growth = file.decade_growth(table, "half_normal").estimate
    assert growth == pytest.approx(13, abs=0.5)  # m - 2 powers of ten
    for draw in file.study.figures.values():
        assert draw(result).axes


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path, overrides={"prior": ["half_normal"]})
    assert not len(result.failures)
    assert {name: len(table) for name, table in result.tables.items()} == {"mass": 7, "chains": 2}
