"""The study of the evidence: its smoke size, and its effects on tables with known answers."""

from math import lgamma

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization.catalog import module
from ordered_mix.study.sentences import answer

file = module("evidence", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}
BY_GIBBS = ("bridge", "chib", file.AS_THEY_COME)


def world(holds=True, replicates=40):
    """One evidence with right errors, or one that depends on everything, with errors of half."""
    rng = np.random.default_rng(5)
    rows = []
    for cell in file.study.cells("cluster"):
        factors = cell.factors
        if factors["replicate"] >= replicates:
            continue
        names = BY_GIBBS if cell.experiment == "gibbs" else (cell.experiment,)
        plain = {"sampler": cell.experiment, "coordinates": "unordered"}
        rows += [plain | factors | {"estimator": name} for name in names]
    table = pd.DataFrame(rows)
    estimator, k = table["estimator"], table["k"].to_numpy()
    ordered, unordered = (table["coordinates"] == name for name in ("ordered", "unordered"))
    noise = 0.1 * rng.normal(size=len(table))
    off = np.where(ordered | ((estimator != "smc") & unordered), 0.0 if holds else 2.0, 0.0)
    log_k = np.array([lgamma(one + 1) for one in k])
    switches = (table["data"] == "galaxies") & (k >= 4)
    lost = np.where(switches == holds, log_k / 2, log_k)
    chib = estimator == file.AS_THEY_COME
    own = np.where((table["data"] == "galaxies") & (k >= 3), 0.8, np.nan)
    spread = 0.02 * rng.normal(size=len(table))
    table = table.assign(
        log_evidence=-100.0 + noise + off - np.where(chib, lost, 0.0),
        stated=(0.1 if holds else 0.05) * np.where(ordered & (not holds), 3.0, 1.0),
        warned=False,
        passes=1000,
        barrier=4.0 * np.where(ordered & (not holds), 2.0, 1.0),
        trips_per_draw=0.02 * np.where(ordered & (not holds), 0.5, 1.0),
        own=own + spread if holds else np.where(np.isnan(own), own, 1.0) * (rng.random(
            len(table)) < 0.5) + 0 * spread,
        own_stated=0.02,
    )  # fmt: skip
    parts = {name: part.drop(columns="sampler") for name, part in table.groupby("sampler")}
    own = {"smc": "estimator", "tempering": "estimator", "gibbs": "coordinates"}
    return {name: part.drop(columns=own[name]) for name, part in parts.items()}


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    for verdict in result_of(file.study, world(holds)).verdicts:
        assert verdict.outcome == ("holds" if holds else "fails"), (verdict.claim.name, verdict)
        assert np.isfinite(verdict.effect[:3]).all()


def test_a_run_that_warns_is_left_out():
    table, smc = (world()[name] for name in ("gibbs", "smc"))
    warned = (table["estimator"] == "bridge") & (table["replicate"] < 10)
    table = table.assign(warned=warned)
    table.loc[warned, "log_evidence"] += 50.0
    assert CLAIMS["SMC and bridge agree"].judge(table, smc).outcome == "holds"
    table = table.assign(warned=False)
    assert CLAIMS["SMC and bridge agree"].judge(table, smc).outcome == "fails"


def test_standardised_deviations_have_unit_size_for_few_seeds_too():
    rng = np.random.default_rng(1)
    shared = {"data": "galaxies", "coordinates": "unordered", "stated": 0.1}
    cells = pd.DataFrame(shared, range(4000))
    cells = cells.assign(k=np.repeat(np.arange(800), 5), log_evidence=0.1 * rng.normal(size=4000))
    found = file.spread(cells)
    assert found.low < 0 < found.high and found.high - found.low < 0.1


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    sizes = {name: len(table) for name, table in result.tables.items()}
    assert sizes == {"smc": 8, "tempering": 8, "gibbs": 4 * 3}
    found = {verdict.claim.name: verdict for verdict in result.verdicts}
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
    assert found["coordinates do not change the barrier"].outcome == "holds"
    assert "is one number in all coordinates" in answer(result)
