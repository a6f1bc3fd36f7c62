"""The study of the Fisher information: reference values, constructed tables, findings."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog
from ordered_mix.study.effects import rows_of

MODULE = catalog.module("fisher", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}
PLACE = {"weight": 0.5, "unknown": "none", "clearance": 0.0, "step": 0.04}


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
    assert found["price of a clearance"] == "holds"
    assert found["a clearance of the gap is enough"] == "fails"


def least(result, coordinates, gap, unknown="none"):
    where = {"measure": "spectrum", "unknown": unknown, "weight": 0.5, "separation": gap}
    return rows_of(result.table, **where).set_index("coordinates").loc[coordinates]


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


@pytest.mark.parametrize(
    ("clearance", "loss"), [(0.1, 1.5573191e-6), (0.5, 9.0437950e-4), (1.0, 0.012087997)]
)
def test_losses_of_a_clearance_have_the_reference_values(result, clearance, loss):
    rows = MODULE.filtration(result.table)
    row = rows[rows["clearance"] == clearance].iloc[0]
    assert row["loss"] == pytest.approx(loss, rel=2e-7)
    assert row["gap"] == pytest.approx(clearance) and abs(row["mean"]) < 1e-9


def test_passes_are_interpolated():
    excess = np.array([1e-3, 1e-4, 1e-6, 1e-8])
    assert MODULE.passes_to(np.array([1, 3, 5, 9]), excess) == pytest.approx(4)
    assert MODULE.passes_to(np.array([1, 2]), np.array([1e-6, 1e-7])) == 1
    assert np.isnan(MODULE.passes_to(np.array([1, 2]), np.array([1e-3, 1e-4])))


# --- effects on constructed tables ----------------------------------------------------------------


def spectra(power, unknown="none", ratio=1.0):
    rows = []
    for gap in MODULE.GAPS:
        for coordinates in MODULE.COORDINATES:
            largest = ratio if coordinates == "relative" else 1.0
            exponent = power(coordinates) if callable(power) else power
            row = {"coordinates": coordinates, "least": gap**exponent, "largest": largest}
            rows.append({**PLACE, **row, "separation": gap, "unknown": unknown})
    return pd.DataFrame(rows).assign(measure="spectrum")


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


@pytest.mark.parametrize(("share", "outcome"), [(0.9, "holds"), (0.01, "fails")])
def test_emptied_components_of_constructed_spectra(share, outcome):
    full = spectra(2.0, "weight")
    table = pd.concat([full, full.assign(weight=0.01, least=share * full["least"])])
    verdict = CLAIMS["a clearance of the gap is enough"].judge(table)
    assert verdict.outcome == outcome and verdict.effect.estimate == pytest.approx(share)


def ascents(natural, slow=1.0):
    rows = []
    for step in MODULE.STEPS:
        for separation in (0.0, 2.0):
            for start in MODULE.START_GAPS:
                for coordinates in MODULE.ASCENDED:
                    factor = slow if coordinates == "resolved" else 1.0
                    for name in MODULE.ALGORITHMS:
                        passes = 100.0 if name == "gradient" else natural * factor
                        row = {"start": start, "coordinates": coordinates, "algorithm": name}
                        place = {**PLACE, "step": step, "separation": separation}
                        rows.append({**place, **row, "passes": passes})
    return pd.DataFrame(rows).assign(measure="natural")


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
                rows.append({**PLACE, **row, **where})
    return pd.DataFrame(rows).assign(measure="clearance")


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


# --- findings -------------------------------------------------------------------------------------


def test_findings_hold_the_numbers_of_the_table(result):
    text = result.study.findings(result)
    effects = {verdict.claim.name: verdict.effect for verdict in result.verdicts}
    assert f"{effects['relative is better conditioned'].estimate:.2f} times" in text
    assert f"{effects['natural gradient leaves the plateau'].estimate:.3f} times" in text
    assert "costs 1.56e-06 nats" in text
