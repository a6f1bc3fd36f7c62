"""Ascent in relative coordinates in several dimensions: smoke size, tables of known answers."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization.catalog import module

file = module("ascent_in_dimensions", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


def world(ratio, noise=0.01):
    """Relative coordinates take this many times the passes, by a function of d and separation."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame([cell.factors for cell in file.study.cells("laptop")])
    base = 100 * np.exp(rng.normal(size=len(table)))
    rows = []
    for estimator in file.TOLD:
        for name in (file.UNORDERED, file.RELATIVE):
            times = ratio(table["d"], table["separation"]) if name == file.RELATIVE else 1.0
            passes = base * times * np.exp(noise * rng.normal(size=len(table)))
            rows.append(
                table.assign(estimator=estimator, parameterization=name, passes=passes, arrived=1.0)
            )
    return pd.concat(rows, ignore_index=True)


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    table = world(lambda d, separation: 0.25 if holds else 4.0)
    for verdict in result_of(file.study, table).verdicts:
        assert verdict.outcome == ("holds" if holds else "fails"), verdict
        assert np.isfinite(verdict.effect[:3]).all() and verdict.effect.observations >= 5


def test_one_dimension_counts_only_where_every_dimension_does():
    found = result_of(file.study, world(lambda d, separation: np.where(d == 1, 4.0, 0.25)))
    outcomes = {verdict.claim.name: verdict.outcome for verdict in found.verdicts}
    for told in file.TOLD.values():
        assert outcomes[f"relative {told}, several dimensions"] == "holds"
        assert outcomes[f"relative {told}, every dimension"] == "fails"


def test_ratios_are_those_put_in():
    table = world(lambda d, separation: d * separation / 4, noise=0.0)
    found = file.climbs(table, "ecm", d=(2, 4, 8), separation=2.0)
    assert found.estimate == pytest.approx(2.0) and found.observations == 18
    assert file.climbs(table, "gradient", pick=max).estimate == pytest.approx(8 / np.sqrt(2))


def test_a_failed_run_is_not_dropped_in_silence():
    table = world(lambda d, separation: 0.25)
    lost = (table["parameterization"] == file.RELATIVE) & (table["replicate"] == 1)
    verdict = CLAIMS["relative ECM, several dimensions"].judge(table[~lost])
    assert verdict.outcome == "undecided" and "data sets" in verdict.reason


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    table = result.tables["ascent_in_dimensions"]
    assert not len(result.failures) and len(table) == 8 * 4
    assert (table["passes"] >= 1).all() and (table["passes"] <= file.BUDGET).all()
    assert (table["passes"][table["arrived"] == 0] == file.BUDGET).all()
    assert table["arrived"].max() == 1
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
