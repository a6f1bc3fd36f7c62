"""Ordering along one direction in several dimensions: smoke size, and tables of known answers."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.data import Data
from ordered_mix.parameterization.catalog import module
from ordered_mix.study.sentences import sentences
from ordered_mix.study.truths import row_of_normals

file = module("dimensions", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


def world(holds=True, noise=0.01):
    """What the claims say is true by a factor of four, or the other way round."""
    rng = np.random.default_rng(3)
    cells = [cell.factors for cell in file.study.cells("laptop")]
    table = pd.DataFrame([one for one in cells if not file.skip(**one)])
    coordinates, axis = table["contender"].str.split(", ", expand=True).to_numpy().T
    level = pd.Series(axis).map({file.RANDOM: 0.1, file.PRINCIPAL: 0.1, file.SEPARATING: 0.5})
    level = level.fillna(1.0) * pd.Series(coordinates).map({"signed": 2.0}).fillna(1.0)
    level = level if holds else 1 / level
    if not holds:
        level = np.where(coordinates == file.UNORDERED, 0.2, level)
    table["ess"] = 100 * level * np.exp(noise * rng.normal(size=len(table)))
    table["ess_relabelled"], table["passes"] = table["ess"], 10_000
    table["rhat_relabelled"] = 1.0 if holds else 1.5
    return table


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    for verdict in result_of(file.study, world(holds)).verdicts:
        assert verdict.outcome == ("holds" if holds else "fails"), verdict
        assert np.isfinite(verdict.effect[:3]).all() and verdict.effect.observations >= 5


def test_ratios_are_those_put_in():
    table = world(noise=0.0)
    axis = f"ordered, {file.PRINCIPAL}"
    assert file.over(table, axis, "unordered", d=(2, 4, 8)).estimate == pytest.approx(0.1)
    assert file.over(table, axis, "unordered", max, d=(2, 4, 8)).estimate == pytest.approx(0.1)


def test_a_failed_run_is_not_dropped_in_silence():
    table = world()
    lost = (table["contender"] == file.UNORDERED) & (table["replicate"] == 3)
    verdict = CLAIMS["unordered loses nothing"].judge(table[~lost])
    assert verdict.outcome == "undecided" and "data sets" in verdict.reason


@pytest.mark.parametrize("d", [1, 2, 8])
@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_the_separation_is_the_distance_of_mahalanobis(d, correlation):
    truth = row_of_normals(d, 3, 2.0, correlation)
    step = np.diff(truth.mu, axis=0)
    distance = np.einsum("ki,ij,kj->k", step, np.linalg.inv(truth.covariance[0]), step)
    np.testing.assert_allclose(np.sqrt(distance), 2.0)


def test_axes_separate_as_they_say():
    truth = row_of_normals(4, 2, 4.0, 0.5)
    data = Data.of_points(truth.sample(4000, np.random.default_rng(1)))

    def separation(axis):
        a = file.direction(axis, truth, data, 1)
        a = np.eye(4)[a] if isinstance(a, int) else a
        return abs(a @ (truth.mu[1] - truth.mu[0])) / np.sqrt(a @ truth.covariance[0] @ a)

    assert separation(file.DISCRIMINANT) == pytest.approx(4.0)
    assert separation(file.SEPARATING) == pytest.approx(4.0 * np.sqrt(0.75))
    assert separation(file.RANDOM) == 0
    assert separation(file.PRINCIPAL) < 0.2


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures) and len(result.tables["dimensions"]) == 10
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
    assert "not ordering loses" in " ".join(sentences(result.verdicts)).lower()
