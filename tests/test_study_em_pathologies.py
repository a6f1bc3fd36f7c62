"""The EM pathologies study: its cells, its effects on tables with known answers, its smoke size."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here
from matplotlib.animation import PillowWriter
from PIL import Image
from sklearn.cluster import KMeans

from ordered_mix.engine.run import load_study
from ordered_mix.estimators.em import EM
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.study.result import StudyResult

pathologies = catalog.module("em_pathologies", "study")
STUDY = load_study("em_pathologies")
BASE = {"data": "simulated", "n": 200, "k": 2, "replicate": 0}
LAPTOP_ONLY = {"half-normal chains stay", "inverse gamma chains leave"}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The smoke size, computed in this process."""
    return run_here(STUDY, tmp_path_factory.mktemp("smoke"))


def effect(name, rows, task):
    """Verdict of one claim on these rows."""
    (claim,) = [claim for claim in STUDY.claims if claim.name == name]
    return claim.judge(pd.DataFrame([{**BASE, "kind": task, **row} for row in rows]))


def test_every_claim_has_a_verdict(smoke):
    assert not len(smoke.failures)
    for verdict in smoke.verdicts:
        if verdict.claim.name == "tied scales are stable, K = 3":  # two are fitted at smoke size
            assert "holds no rows of constraints" in verdict.reason
        elif verdict.claim.name in LAPTOP_ONLY:
            assert "holds no rows of nuts" in verdict.reason
        else:
            assert verdict.effect is not None, verdict.reason
            assert np.isfinite(verdict.effect[:3]).all()
    outcomes = {verdict.claim.name: verdict.outcome for verdict in smoke.verdicts}
    for name in ("law of the collapse", "half-normal is improper", "inverse gamma is proper",
                 "k-means is the limit", "a tie stays shared", "first split"):  # fmt: skip
        assert outcomes[name] == "holds"


def test_reference_values(smoke):
    table = smoke.table
    steps = table[(table["kind"] == "trace") & (table["start_sigma"] == 0.01)]
    np.testing.assert_allclose(steps["log_likelihood"], [-1.23097587, 9990.91795], rtol=5e-9)
    np.testing.assert_allclose(steps["log10_variance"], [-4, -8683.07], atol=6e-3)
    rows = table[(table["kind"] == "temperature") & (table["data"] == "three")].set_index("c")
    means = rows[["mean_0", "mean_1"]]
    np.testing.assert_allclose(means.loc[0.5], [-0.052373272, 2.818486408], atol=6e-10)
    np.testing.assert_allclose(means.loc[0.1], [-1.53e-7, 2.999999388], atol=6e-10)
    critical = table.loc[table["kind"] == "split", "critical"]
    np.testing.assert_allclose(critical, 8 / 3)
    masses = table[table["kind"] == "improper"]
    assert set(masses["ties"]) == {15}


def test_the_penalty_ends_where_it_is_known_to_end():
    penalty = pathologies.VariancePenalty.inverse_gamma(2.0, 1.0)
    start = pathologies.Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 0.01])
    stop = pathologies.Stop(0.0, parameters=1e-13)
    fit = EM(frozen=("w",), penalty=penalty, stop=stop).fit(
        parameterization("unordered", 2), pathologies.THREE, start
    )
    np.testing.assert_allclose(fit.mixture.mu, [-0.001662901, 2.992830367], atol=6e-10)
    np.testing.assert_allclose(fit.mixture.sigma**2, [0.4998726661, 0.2876185519], atol=6e-11)


def test_the_animation_is_a_small_gif(smoke, tmp_path):
    empty = StudyResult(STUDY, smoke.path, smoke.rows.iloc[:0], ())
    for result, frames in ((smoke, pathologies.FRAMES + 1), (empty, 1)):
        file = tmp_path / "em.gif"
        STUDY.figures["animation"](result).save(file, writer=PillowWriter(fps=4))
        with Image.open(file) as image:
            assert image.n_frames == frames
        assert file.stat().st_size < 300_000


def test_findings_are_those_of_the_table(smoke):
    text = STUDY.findings(smoke)
    assert "9990.92" in text and "10^-8683.07" in text and "15 tied values" in text
    assert "nan" not in text


@pytest.mark.parametrize("k", [2, 3])
def test_the_limit_is_k_means(k):
    y = pathologies.points("plane", 300, 0)
    begin = y[:k]
    peer = KMeans(k, init=begin, n_init=1, tol=0, algorithm="lloyd").fit(y)
    np.testing.assert_allclose(pathologies.lloyd(y, begin), peer.cluster_centers_, rtol=1e-12)
    em = pathologies.EM(frozen=("w", "sigma"), stop=pathologies.Stop(0.0, parameters=1e-14))
    start = pathologies.Mixture(np.full(k, 1 / k), begin, covariance=1e-6 * np.eye(2))
    fit = em.fit(pathologies.free(k, 2), pathologies.Data.of_points(y), start)
    np.testing.assert_allclose(fit.mixture.mu, peer.cluster_centers_, rtol=1e-12)


def test_a_tie_is_shared_in_the_limit_and_not_by_k_means():
    rows = pathologies.temperature("tie", 0, 2, 0)
    assert rows[-1]["mean_0"] == pytest.approx(1 / 3) and rows[-1]["distance"] > 0.3


def test_shares_and_matching():
    mixture = pathologies.Mixture([0.5, 0.5], [10.0, 0.0], [1.0, 1.0])
    y = np.array([0.0, 0.1, 10.0, 9.9])
    assert pathologies.accuracy(mixture, y, np.array([0, 0, 1, 1])) == 1.0
    assert pathologies.accuracy(mixture, y, np.array([0, 0, 1, 0])) == 0.75


def test_the_truth_has_no_excess():
    found = pathologies.against_truth(pathologies.TRUTH.permute([1, 0]))
    assert found["excess"] == pytest.approx(0, abs=1e-12)
    assert found["scale_bias"] == pytest.approx(0, abs=1e-12)


def test_the_predictive_of_the_truth_has_no_excess():
    draws = pathologies.Mixture.stack([pathologies.TRUTH, pathologies.TRUTH.permute([1, 0])])
    found = pathologies.predictive(draws)
    assert found["excess"] == pytest.approx(0, abs=1e-12)
    assert found["scale_bias"] == pytest.approx(0, abs=1e-12)


def test_constraints_lose_likelihood_only():
    rows = pd.DataFrame(pathologies.constraints("faithful", 0, 2, 0)).set_index("estimator")
    values = rows["log_likelihood"]
    assert values["full"] > values["diagonal"] > values["spherical"]
    assert values["full"] > values["tied"] and values["full"] > values["full, equal weights"]


# --- effects on tables with known answers ---------------------------------------------------------


def noisy(value):
    """Eight replicates of about this value."""
    return [(replicate, value + 0.01 * (replicate % 3 - 1)) for replicate in range(8)]


@pytest.mark.parametrize(("change", "outcome"), [(-0.3, "holds"), (0.3, "fails")])
def test_collapse_with_n(change, outcome):
    rows = [{"estimator": "free", "k": 4, "n": n, "replicate": r, "degenerate": value}
            for n, level in ((50, 0.5), (1000, 0.5 + change))
            for r, value in (noisy(level) if n == 50 else noisy(level)[::-1])]  # fmt: skip
    assert effect("collapse falls with n", rows, "collapse").outcome == outcome


@pytest.mark.parametrize(("change", "outcome"), [(0.3, "holds"), (-0.3, "fails")])
def test_collapse_with_k(change, outcome):
    rows = [{"estimator": "free", "k": k, "n": 50, "replicate": r, "degenerate": value}
            for k, level in ((2, 0.4), (4, 0.4 + change))
            for r, value in (noisy(level) if k == 2 else noisy(level)[::-1])]  # fmt: skip
    assert effect("collapse rises with K", rows, "collapse").outcome == outcome


@pytest.mark.parametrize(("bad", "outcome"), [(0, "holds"), (60, "fails")])
def test_remedies(bad, outcome):
    rows = [{"estimator": name, "replicate": r, "degenerate": float(r < bad and name == "map")}
            for r in range(120) for name in ("inverse_gamma", "tied", "map")]  # fmt: skip
    rows += [{"estimator": "free", "replicate": 0, "degenerate": 1.0}]
    verdict = effect("remedies work", rows, "collapse")
    assert verdict.outcome == outcome and verdict.effect.observations == 120


@pytest.mark.parametrize(("cost", "outcome"), [(0.0, "holds"), (0.1, "fails")])
def test_price_of_the_penalty(cost, outcome):
    kinds = (("free", 0.0), ("inverse_gamma", cost))
    rows = [{"estimator": name, "replicate": r, "excess": 0.1 + add * (1 + 0.01 * (r % 2))}
            for r in range(8) for name, add in kinds]  # fmt: skip
    assert effect("remedies are cheap", rows, "collapse").outcome == outcome
    rows[0]["excess"] = np.nan
    assert "1 of 8 data sets" in effect("remedies are cheap", rows, "collapse").reason


@pytest.mark.parametrize(
    ("prior", "name", "rising", "falling"),
    [
        ("half_normal", "half-normal is improper", "holds", "fails"),
        ("inverse_gamma", "inverse gamma is proper", "fails", "holds"),
    ],
)
def test_mass_by_decade(prior, name, rising, falling):
    for slope, outcome in ((3.0, rising), (-3.0, falling)):
        rows = [{"prior": prior, "decade": d, "mass": slope * d, "mass_coarse": slope * d + 1}
                for d in range(1, 8)]  # fmt: skip
        verdict = effect(name, rows, "improper")
        assert verdict.outcome == outcome and verdict.effect.estimate == pytest.approx(slope)


@pytest.mark.parametrize(("prior", "name", "stays"), [
    ("half_normal", "half-normal chains stay", True),
    ("inverse_gamma", "inverse gamma chains leave", False),
])  # fmt: skip
def test_chains(prior, name, stays):
    for share, outcome in ((1.0, stays), (0.0, not stays)):
        rows = [{"prior": prior, "chain": "narrow", "narrow": share, "replicate": r,
                 "data": "faithful:waiting"} for r in range(8)]  # fmt: skip
        assert effect(name, rows, "nuts").outcome == ("holds" if outcome else "fails")


@pytest.mark.parametrize(("name", "column", "good", "bad"), [
    ("tied scales save passes", "passes", (50, 100), (100, 50)),
    ("tied scales are stable, K = 2", "share_best", (0.9, 0.5), (0.5, 0.9)),
])  # fmt: skip
def test_tied_scales(name, column, good, bad):
    for values, outcome in ((good, "holds"), (bad, "fails")):
        kinds = tuple(zip(("tied", "free"), values, (0, 1), strict=True))
        rows = [{"estimator": which, "replicate": r, column: value * (1 + 0.01 * (r % 2) * noise)}
                for r in range(8) for which, value, noise in kinds]  # fmt: skip
        assert effect(name, rows, "constraints").outcome == outcome


@pytest.mark.parametrize(("loss", "outcome"), [(0.1, "holds"), (-0.1, "fails")])
def test_cost_on_shipped_sets(loss, outcome):
    rows = [{"data": data, "k": 3, "estimator": name, "log_likelihood": -1 - lost + 0.001 * place}
            for place, data in enumerate(pathologies.SETS)
            for name, lost in (("free", 0.0), ("tied", loss * (1 + 0.1 * place)))]  # fmt: skip
    assert effect("tied scales cost fit", rows, "constraints").outcome == outcome


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
        assert effect(name, rows, "annealing").outcome == outcome


@pytest.mark.parametrize(("power", "outcome"), [(2.0, "holds"), (1.0, "fails")])
def test_law(power, outcome):
    rows = [{"start_sigma": s, "iteration": i, "log10_variance": -i * 2 / s**power / np.log(10)}
            for s in (0.01, 0.02) for i in (0, 1)]  # fmt: skip
    assert effect("law of the collapse", rows, "trace").outcome == outcome


@pytest.mark.parametrize(("distance", "outcome"), [(1e-9, "holds"), (0.1, "fails")])
def test_limit_claim(distance, outcome):
    rows = [{"data": "three", "c": c, "distance": distance} for c in (0.01, 0.02, 1.0)]
    assert effect("k-means is the limit", rows, "temperature").outcome == outcome
    tied = [{**row, "data": "tie", "distance": 0.2 - row["distance"]} for row in rows]
    opposite = {"holds": "holds", "fails": "undecided"}[outcome]
    assert effect("a tie stays shared", tied, "temperature").outcome == opposite


@pytest.mark.parametrize(("at", "outcome"), [(1.0, "holds"), (1.2, "fails")])
def test_split_claim(at, outcome):
    rows = [{"c": c, "growth": at / c, "growth_coarse": at / c} for c in (0.5, 1.0, 2.0)]
    assert effect("first split", rows, "split").outcome == outcome
