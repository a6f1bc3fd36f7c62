"""Full covariances beside diagonal ones: smoke size, and tables of known answers."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import module

file = module("covariances", "study")


def world(holds=True, noise=0.01):
    """What the claims say is true by a factor of four, or the other way round."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame([cell.factors for cell in file.study.cells("laptop")])
    kinds = []
    for kind in (file.FULL, file.DIAGONAL):
        own = table.assign(covariance=kind, pass_seconds=1.0, em_passes=10)
        full = kind == file.FULL
        count = own["d"] * ((own["d"] + 1) if full else 2) + 2 * own["d"] + 1
        wrong = (own["correlation"] > 0) & (not full)
        own["free_parameters"] = count
        own["divergence"] = count / own["points"] * np.exp(noise * rng.normal(size=len(own)))
        own["divergence"] += 10.0 * wrong
        if full and holds:
            own["pass_seconds"], own["em_passes"] = 4.0, 40
        if full and not holds:
            own["pass_seconds"], own["em_passes"] = 0.25, 3
            own["divergence"] = 100.0 * (own["correlation"] > 0) + 0.01 * own["divergence"]
        kinds.append(own)
    return pd.concat(kinds, ignore_index=True)


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    for verdict in result_of(file.study, world(holds)).verdicts:
        assert verdict.outcome == ("holds" if holds else "fails"), verdict
        assert np.isfinite(verdict.effect[:3]).all() and verdict.effect.observations >= 5


def test_ratios_are_those_put_in():
    table = world(noise=0.0)
    assert file.full_over_diagonal(table, "pass_seconds", d=8).estimate == pytest.approx(4)
    assert file.beside_counts(table).estimate == pytest.approx(0, abs=1e-12)
    assert file.slope(table).estimate == pytest.approx(0, abs=1e-12)


def test_a_fit_that_did_not_converge_is_not_dropped_in_silence():
    table = world()
    lost = (table["covariance"] == file.FULL) & (table["replicate"] == 13)
    table.loc[lost, "divergence"] = np.nan
    claims = {claim.name: claim for claim in file.CLAIMS}
    verdict = claims["full covariances need more points"].judge(table)
    assert verdict.outcome == "undecided" and "data sets" in verdict.reason


def test_divergence_of_shifted_normals_is_half_their_squared_distance():
    rng = np.random.default_rng(2)
    truth, found = (
        Mixture([1.0], [[shift, 0.0]], covariance=np.eye(2)[None]) for shift in (0.0, 0.1)
    )
    y = truth.sample(200_000, rng)
    assert file.divergence(y, truth, found) == pytest.approx(0.005, rel=0.05)
    assert file.divergence(y, truth, truth) == 0


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures) and len(result.tables["covariances"]) == 16
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
