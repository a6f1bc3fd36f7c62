"""The study of the Fisher information: reference values, constructed tables."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog
from ordered_mix.study.effects import rows_of

MODULE = catalog.module("fisher", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run_here(load_study("fisher"), tmp_path_factory.mktemp("fisher"))


def test_every_cell_is_done_and_every_claim_has_a_finite_interval(result):
    assert not len(result.failures)
    assert all(np.isfinite(verdict.effect[:3]).all() for verdict in result.verdicts)
    found = {verdict.claim.name: verdict.outcome for verdict in result.verdicts}
    assert found["relative is better conditioned"] == "fails"
    assert found["squared gap is regular"] == "holds"
    assert found["squared gap stays regular"] == "fails"
    assert found["ds^2 is invariant"] == "holds"


def least(result, coordinates, gap, unknown="none"):
    rows = rows_of(result.tables["spectrum"], unknown=unknown, weight=0.5, separation=gap)
    return rows.set_index("coordinates").loc[coordinates]


@pytest.mark.parametrize(
    ("gap", "original", "relative", "digits"),
    [
        (0.1, 2.487583e-3, 9.948344e-4, (1e-9, 1e-10)),
        (1.0, 0.1716320, 0.06741380, (1e-7, 1e-8)),
        (4.0, 0.3628052, 0.1832809, (1e-7, 1e-7)),
    ],
)
def test_smallest_eigenvalues_have_the_reference_values(result, gap, original, relative, digits):
    assert least(result, "unordered", gap)["least"] == pytest.approx(original, abs=digits[0])
    assert least(result, "relative", gap)["least"] == pytest.approx(relative, abs=digits[1])


@pytest.mark.parametrize(
    ("unknown", "value", "digit"),
    [("none", 0.0311, 1e-4), ("scale", 2.5e-7, 1e-8), ("weight", 4.1e-8, 1e-9)],
)
def test_squared_gap_has_the_reference_values(result, unknown, value, digit):
    found = least(result, "resolved", 0.1, unknown)["least"]
    assert found == pytest.approx(value, abs=0.6 * digit)


@pytest.mark.parametrize(
    ("coordinates", "leading"),
    [
        ("unordered", lambda d: 2 / d**2),
        ("relative", lambda d: 12.5 / d**2),
        ("signed", lambda d: 8 / d**2),
        ("resolved", lambda d: 32.0),
        ("relative, squared gap", lambda d: 1 / (8 * d**4)),
        ("relative(link=square)", lambda d: 2 / d**3),
        ("relative(link=log)", lambda d: 8 / d**4),
    ],
)
def test_condition_numbers_have_the_reference_values(result, coordinates, leading):
    gap = MODULE.GAPS[0]
    row = least(result, coordinates, gap)
    assert row["largest"] / row["least"] == pytest.approx(leading(gap), rel=0.03)


def test_with_the_weight_unknown_gap_to_the_sixth_over_24_is_left(result):
    gap = MODULE.GAPS[0]
    for coordinates in ("unordered", "resolved", "relative(link=log)"):
        found = least(result, coordinates, gap, "weight")["least"]
        assert found == pytest.approx(gap**6 / 24, rel=0.01)


# --- effects on constructed tables ----------------------------------------------------------------


def spectra(power, unknown="none", ratio=1.0):
    rows = []
    for gap in MODULE.GAPS:
        for coordinates in MODULE.COORDINATES:
            largest = ratio if coordinates == "relative" else 1.0
            exponent = power(coordinates) if callable(power) else power
            row = {"coordinates": coordinates, "least": gap**exponent, "largest": largest}
            rows.append({**row, "separation": gap, "unknown": unknown, "weight": 0.5})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("extra", "outcome"), [(0.0, "holds"), (0.5, "fails")])
def test_exponents_of_constructed_spectra(extra, outcome):
    for unknown, name in (
        ("none", "exponents of the information"),
        ("scale", "exponents with the scale unknown"),
        ("weight", "exponents with the weight unknown"),
    ):
        table = spectra(lambda c, u=unknown: extra + MODULE._expected(c, u, 0.5), unknown)
        verdict = CLAIMS[name].judge(table)
        assert verdict.outcome == outcome and verdict.effect.estimate == pytest.approx(extra)


@pytest.mark.parametrize(("power", "outcome"), [(0.0, "holds"), (2.0, "fails")])
def test_regularity_of_constructed_spectra(power, outcome):
    assert CLAIMS["squared gap is regular"].judge(spectra(power)).outcome == outcome
    table = pd.concat([spectra(power, unknown) for unknown in MODULE.UNKNOWN])
    assert CLAIMS["squared gap stays regular"].judge(table).outcome == outcome


@pytest.mark.parametrize(("ratio", "outcome"), [(0.5, "holds"), (6.25, "fails")])
def test_condition_numbers_of_constructed_spectra(ratio, outcome):
    verdict = CLAIMS["relative is better conditioned"].judge(spectra(2.0, ratio=ratio))
    assert verdict.outcome == outcome and verdict.effect.estimate == pytest.approx(ratio)


@pytest.mark.parametrize(("spread", "outcome"), [(1e-12, "holds"), (0.1, "fails")])
def test_constructed_lengths(spread, outcome):
    verdict = CLAIMS["ds^2 is invariant"].judge(pd.DataFrame({"spread": [0.0, spread]}))
    assert verdict.effect.estimate == spread
    # all of the number is its reach, so that a difference leaves the claim undecided
    assert verdict.outcome == ("holds" if outcome == "holds" else "undecided")
