"""The study of annealing: its cells, its effects on tables with known answers, its smoke size."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here
from matplotlib.animation import PillowWriter
from PIL import Image
from sklearn.cluster import KMeans

from ordered_mix.parameterization.catalog import module

file = module("em_annealing", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The smoke size, computed in this process."""
    return run_here(file.study, tmp_path_factory.mktemp("smoke"))


def effect(name, rows):
    """Verdict of one claim on these rows."""
    return CLAIMS[name].judge(pd.DataFrame([{"n": 200, **row} for row in rows]))


def test_every_claim_has_a_verdict(smoke):
    assert not len(smoke.failures)
    for verdict in smoke.verdicts:
        assert verdict.effect is not None, verdict.reason
        assert np.isfinite(verdict.effect[:3]).all()
    outcomes = {verdict.claim.name: verdict.outcome for verdict in smoke.verdicts}
    for name in ("k-means is the limit", "a tie stays shared", "first split"):
        assert outcomes[name] == "holds"


def test_reference_values(smoke):
    rows = smoke.tables["limit"]
    means = rows[rows["data"] == "three"].set_index("c")[["mean_0", "mean_1"]]
    np.testing.assert_allclose(means.loc[0.5], [-0.052373272, 2.818486408], atol=6e-10)
    np.testing.assert_allclose(means.loc[0.1], [-1.53e-7, 2.999999388], atol=6e-10)
    assert np.var(file.FIXED["three"][0]) == pytest.approx(8 / 3)


def test_the_animation_is_a_small_gif(smoke, tmp_path):
    empty = result_of(file.study, {})
    for result, frames in ((smoke, file.FRAMES + 1), (empty, 1)):
        path = tmp_path / "em.gif"
        file.study.figures["animation"](result).save(path, writer=PillowWriter(fps=4))
        with Image.open(path) as image:
            assert image.n_frames == frames
        assert path.stat().st_size < 300_000


@pytest.mark.parametrize("k", [2, 3])
def test_the_limit_is_k_means(k):
    y = file.points("plane")
    begin = y[:k]
    peer = KMeans(k, init=begin, n_init=1, tol=0, algorithm="lloyd").fit(y)
    np.testing.assert_allclose(file.lloyd(y, begin), peer.cluster_centers_, rtol=1e-12)
    em = file.EM(frozen=("w", "sigma"), stop=file.Stop(0.0, parameters=1e-14))
    start = file.Mixture(np.full(k, 1 / k), begin, covariance=1e-6 * np.eye(2))
    fit = em.fit(file.free(k, 2), file.Data.of_points(y), start)
    np.testing.assert_allclose(fit.mixture.mu, peer.cluster_centers_, rtol=1e-12)


def test_a_tie_is_shared_in_the_limit_and_not_by_k_means():
    rows = file.limit(0, "tie")
    assert rows[-1]["mean_0"] == pytest.approx(1 / 3) and rows[-1]["distance"] > 0.3


def test_shares_and_matching():
    mixture = file.Mixture([0.5, 0.5], [10.0, 0.0], [1.0, 1.0])
    y = np.array([0.0, 0.1, 10.0, 9.9])
    assert file.accuracy(mixture, y, np.array([0, 0, 1, 1])) == 1.0
    assert file.accuracy(mixture, y, np.array([0, 0, 1, 0])) == 0.75


@pytest.mark.parametrize("k", [2, 5])
def test_the_truth_has_no_excess(k):
    truth = file.TRUTHS[k]
    assert file.excess(truth.permute(range(k)[::-1]), truth) == pytest.approx(0, abs=1e-12)


# --- effects on tables with known answers ---------------------------------------------------------


def noisy(value):
    """Eight replicates of about this value."""
    return [(replicate, value + 0.01 * (replicate % 3 - 1)) for replicate in range(8)]


@pytest.mark.parametrize(("name", "column", "one", "other", "k", "sign"), [
    ("annealing finds the optimum", "share_best", "annealed, perturbed", "em", 5, 1),
    ("cooling finds the optimum", "share_best", "cooled variance", "em", 5, 1),
    ("EM is more accurate", "accuracy", "em", "kmeans", 2, 1),
    ("hybrid shrinks scales", "scale_bias", "hybrid", "em", 2, -1),
])  # fmt: skip
def test_methods(name, column, one, other, k, sign):
    for gain, outcome in ((0.2, "holds"), (-0.2, "fails")):
        rows = [{"estimator": which, "k": k, "replicate": r, column: value}
                for which, level in ((one, 0.5 + sign * gain), (other, 0.5))
                for r, value in (noisy(level) if which == one else noisy(level)[::-1])]  # fmt: skip
        assert effect(name, rows).outcome == outcome


@pytest.mark.parametrize(("distance", "outcome"), [(1e-9, "holds"), (0.1, "fails")])
def test_limit_claim(distance, outcome):
    rows = [{"data": "three", "c": c, "distance": distance} for c in (0.01, 0.02, 1.0)]
    assert effect("k-means is the limit", rows).outcome == outcome
    tied = [{**row, "data": "tie", "distance": 0.2 - row["distance"]} for row in rows]
    opposite = {"holds": "holds", "fails": "undecided"}[outcome]
    assert effect("a tie stays shared", tied).outcome == opposite


@pytest.mark.parametrize(("at", "outcome"), [(1.0, "holds"), (1.2, "fails")])
def test_split_claim(at, outcome):
    rows = [{"c": c, "growth": at / c, "growth_coarse": at / c} for c in (0.5, 1.0, 2.0)]
    assert effect("first split", rows).outcome == outcome
