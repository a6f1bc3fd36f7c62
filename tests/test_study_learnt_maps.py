"""Learnt maps: their draws are of the posterior, effects on tables of known answers, smoke size."""

import chance
import numpy as np
import pandas as pd
import pytest
from beside_gibbs import check_beside_gibbs, small_problem
from inprocess import result_of, run_here

from ordered_mix.parameterization import catalog

file = catalog.module("learnt_maps", "study")
LEVELS = {file.MATRIX: 40.0, file.AFFINE: 40.0, file.MAP: 60.0, file.LONG: 62.0, file.PILOT: 40.0,
          file.GUARDED: 60.0}  # fmt: skip


def table_of(experiment, gain):
    table = pd.DataFrame(
        [cell.factors for cell in file.study.cells("laptop", experiments=[experiment])]
    )
    level = table["contender"].map(LEVELS).to_numpy(dtype=float)
    level = np.where(table["contender"].isin([file.MAP, file.GUARDED]), gain * level, level)
    rng = np.random.default_rng(1)
    ess = 100 * level * np.exp(0.01 * rng.normal(size=len(table)))
    return table.assign(
        ess=ess, rhat=1.001, passes=100_000, warmup_passes=20_000,
        divergences_per_1000=0.0 if gain == 1.0 else 3.0,
    )  # fmt: skip


def world(gain=1.0):
    """A map has half as much again as the matrix, times a factor, and the others as the matrix."""
    return {name: table_of(name, gain) for name in file.study.experiments}


@pytest.mark.parametrize(("gain", "outcome"), [(1.0, "holds"), (0.5, "fails")])
def test_every_claim_can_hold_and_fail(gain, outcome):
    for verdict in result_of(file.study, world(gain)).verdicts:
        assert verdict.outcome == outcome, verdict


def test_effects_are_those_of_the_table():
    found = {verdict.claim.name: verdict for verdict in result_of(file.study, world()).verdicts}
    assert found["a map pays"].effect.estimate == pytest.approx(1.5, rel=0.01)
    assert found["a map never costs"].effect.estimate == pytest.approx(1.5, rel=0.02)
    assert found["a guarded map pays"].effect.estimate == pytest.approx(1.5, rel=0.01)
    assert found["a longer pilot gains little"].effect.observations == 72


def test_a_map_is_guarded_where_labels_change():
    z = np.ones((2, 10, 5))
    assert file.safe(z, z.reshape(-1, 5))
    assert not file.safe(z, np.concatenate([z, -z]).reshape(-1, 5))
    z[1, :, file.GAP] = -1
    assert file.safe(z, z.reshape(-1, 5))
    z[1, 4, file.GAP] = 1
    assert not file.safe(z, z.reshape(-1, 5))


def test_laptop_has_twelve_data_sets_a_setting():
    cells = pd.DataFrame(
        [cell.factors for cell in file.study.cells("laptop", experiments=[file.NAME])]
    )
    counts = cells.groupby(["contender", "separation", "weight"]).size().unstack([1, 2])
    assert counts.shape == (5, len(file.SETTINGS))
    assert (counts == 12).all(axis=None)


@pytest.mark.chance
@pytest.mark.parametrize("contender", (file.AFFINE, file.MAP))
def test_its_draws_are_those_of_gibbs_sampling(contender):
    data, starts = small_problem(file.CHAINS)
    mixture = file.in_map(contender, data, starts, chance.seed(1)).mixture
    check_beside_gibbs(mixture, data, starts)


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    table = pd.concat(result.tables[name] for name in file.study.experiments)
    assert len(table) == 4 and np.all(table["ess"] > 1) and np.all(table["warmup_passes"] > 1000)
