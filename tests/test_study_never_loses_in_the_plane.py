"""Samplers in the plane: measures of a run, effects on tables of known answers, smoke size."""

import arviz_stats
import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import default_multivariate_prior
from ordered_mix.parameterization import catalog
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.study.sentences import answer

file = catalog.module("never_loses_in_the_plane", "study")
AXES = {"chain_axis": 0, "draw_axis": 1}


def world(holds=True):
    """Ordering leaves a quarter and the others are as good as the best, or the other way round."""
    table = pd.DataFrame([cell.factors for cell in file.study.cells("laptop")])
    level = np.where(table["coordinates"] == "ordered", *((5.0, 20.0) if holds else (20.0, 5.0)))
    rng = np.random.default_rng(2)
    return table.assign(
        ess=level * np.exp(0.01 * rng.normal(size=len(table))), rhat=1.001, raw_rhat=1.5,
        passes=1000, warmup_passes=100, seconds=1.0, divergences_per_1000=0.0,
    )  # fmt: skip


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    for verdict in result_of(file.study, world(holds)).verdicts:
        assert verdict.outcome == ("holds" if holds else "fails"), verdict
        wanted = (0.25 if holds else 4) if "order" in verdict.claim.name else 1 if holds else 0.25
        assert verdict.effect.estimate == pytest.approx(wanted, rel=0.02)


def test_runs_that_have_not_converged_are_not_compared():
    table = world()
    stuck = (table["coordinates"] == "ordered") & (table["replicate"] > 3)
    table.loc[stuck, ["ess", "rhat"]] = 400.0, 1.05
    claim = next(claim for claim in file.CLAIMS if claim.name == "order costs draws, dense")
    found = claim.judge(table)
    assert found.effect.observations == 2 * 4 and found.effect.estimate == pytest.approx(0.25, 0.02)
    result = result_of(file.study, table)
    assert "ordering costs with a dense mass matrix: 25% [" in answer(result)


def test_a_run_is_measured_sorted_along_the_first_coordinate():
    mu = np.array([[0.0, 0.0], [5.0, 0.0]])
    truth = Mixture([0.5, 0.5], mu, covariance=np.eye(2))
    data = Data.of_points(truth.sample(60, np.random.default_rng(1)))
    model = catalog.parameterization("unordered", 2, default_multivariate_prior(data))
    starts = Mixture(truth.w, np.stack([mu, mu[::-1]]), covariance=truth.covariance)
    draws = Gibbs(draws=200, tune=20).sample(model, data, starts, 2)
    found, one = file.measures(draws), draws.mixture.sorted(0)
    each = [one.w[..., 0], *np.moveaxis(one.mu.reshape(2, 200, 4), -1, 0)]
    for row, column in ((0, 0), (1, 0), (1, 1)):
        each += [one.covariance[..., k, row, column] for k in (0, 1)]
    assert found["ess"] == pytest.approx(min(float(arviz_stats.ess(v, **AXES)) for v in each))
    assert found["rhat"] == pytest.approx(max(float(arviz_stats.rhat(v, **AXES)) for v in each))
    assert found["raw_rhat"] > 1.5  # the second chain has the other labels
    assert found["passes"] == 400 and found["warmup_passes"] == 40
    assert found["divergences_per_1000"] == 0 and 0 < found["seconds"] < draws.seconds


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    table = result.tables[file.NAME]
    assert len(table) == 3 and np.all(table["passes"] > 0) and np.all(table["ess"] > 1)
