"""Fisher coordinates: draws are of the posterior, effects on tables of known answers, smoke."""

import chance
import numpy as np
import pandas as pd
import pytest
from beside_gibbs import check_beside_gibbs, small_problem
from inprocess import result_of, run_here

from ordered_mix.parameterization import catalog

file = catalog.module("fisher_coordinates", "study")


def world(gain=1.5, left=0.8):
    """Cumulants have so many times the rate and curvature of the others.

    With a diagonal matrix they have half of that if they lose.
    """
    table = pd.DataFrame([cell.factors for cell in file.study.cells("laptop")])
    ours = table["coordinates"] == "cumulants"
    diagonal = table["adaptation"] == "diagonal"
    noise = np.exp(0.01 * np.random.default_rng(1).normal(size=len(table)))
    level = np.where(ours, gain, 1.0) * np.where(ours & diagonal & (gain < 1), 0.5, 1.0)
    return table.assign(
        ess=4000 * noise * level, rhat=1.001, passes=100_000, warmup_passes=20_000,
        divergences_per_1000=0.0, curvature=4 * noise * np.where(ours, left, 1.0),
    )  # fmt: skip


@pytest.mark.parametrize(("gain", "left", "outcome"), [(1.5, 0.8, "holds"), (0.6, 1.3, "fails")])
def test_every_claim_can_hold_and_fail(gain, left, outcome):
    for verdict in result_of(file.study, world(gain, left)).verdicts:
        assert verdict.outcome == outcome, verdict


def test_effects_are_those_of_the_table():
    found = {verdict.claim.name: verdict for verdict in result_of(file.study, world()).verdicts}
    assert found["cumulants pay, dense"].effect.estimate == pytest.approx(1.5, rel=0.02)
    assert found["cumulants pay, dense"].effect.observations == 3 * 8
    left = found["cumulants leave less curvature"]
    assert left.effect.estimate == pytest.approx(0.8, rel=0.02)


def test_the_curvature_of_a_normal_distribution_is_one():
    draws = np.random.default_rng(0).standard_normal((20_000, 3)) @ np.tri(3)
    precision = np.linalg.inv(np.tri(3).T @ np.tri(3))

    def log_density(x):
        return float(-0.5 * x @ precision @ x), -precision @ x

    assert file.curvature(log_density, draws, "dense") == pytest.approx(1, abs=0.05)
    assert file.curvature(log_density, draws, "diagonal") > 2


@pytest.mark.chance
def test_its_draws_are_those_of_gibbs_sampling():
    data, starts = small_problem(file.CHAINS)
    mixture = file.drawn("cumulants", "dense", data, starts, chance.seed(1))[0].mixture
    check_beside_gibbs(mixture, data, starts)


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    table = result.tables[file.NAME]
    assert len(table) == 2 and np.all(table["ess"] > 1) and np.all(table["curvature"] > 1)
