"""The EM pathologies study: its cells, its effects on tables with known answers, its smoke size."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.estimators.em import EM
from ordered_mix.parameterization.catalog import module, parameterization

pathologies = module("em_pathologies", "study")
CLAIMS = {claim.name: claim for claim in pathologies.CLAIMS}
BASE = {"n": 200, "k": 2, "replicate": 0}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The smoke size, computed in this process."""
    return run_here(pathologies.study, tmp_path_factory.mktemp("smoke"))


def effect(name, rows):
    """Verdict of one claim on these rows."""
    return CLAIMS[name].judge(pd.DataFrame([{**BASE, **row} for row in rows]))


def test_every_claim_has_a_verdict(smoke):
    assert not len(smoke.failures)
    for verdict in smoke.verdicts:
        if verdict.claim.name == "tied scales are stable, K = 3":  # two are fitted at smoke size
            assert "no such runs of tied, free" in verdict.reason
        else:
            assert verdict.effect is not None, verdict.reason
            assert np.isfinite(verdict.effect[:3]).all()
    outcomes = {verdict.claim.name: verdict.outcome for verdict in smoke.verdicts}
    assert outcomes["law of the collapse"] == "holds"
    for draw in pathologies.study.figures.values():
        assert draw(smoke).axes


def test_reference_values(smoke):
    steps = smoke.tables["trace"]
    steps = steps[steps["start_sigma"] == 0.01]
    np.testing.assert_allclose(steps["log_likelihood"], [-1.23097587, 9990.91795], rtol=5e-9)
    np.testing.assert_allclose(steps["log10_variance"], [-4, -8683.07], atol=6e-3)


def test_the_penalty_ends_where_it_is_known_to_end():
    penalty = pathologies.VariancePenalty.inverse_gamma(2.0, 1.0)
    start = pathologies.Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 0.01])
    stop = pathologies.Stop(0.0, parameters=1e-13)
    fit = EM(frozen=("w",), penalty=penalty, stop=stop).fit(
        parameterization("unordered", 2), pathologies.Data(pathologies.THREE), start
    )
    np.testing.assert_allclose(fit.mixture.mu, [-0.001662901, 2.992830367], atol=6e-10)
    np.testing.assert_allclose(fit.mixture.sigma**2, [0.4998726661, 0.2876185519], atol=6e-11)


def test_the_truth_has_no_excess():
    found = pathologies.against_truth(pathologies.TRUTH.permute([1, 0]))
    assert found["excess"] == pytest.approx(0, abs=1e-12)
    assert found["scale_bias"] == pytest.approx(0, abs=1e-12)


def test_constraints_lose_likelihood_only(smoke):
    rows = smoke.tables["shipped"]
    values = rows.pivot(index=["data", "k"], columns="estimator", values="log_likelihood")
    assert (values["free"] > values["tied"]).all()
    assert (values["tied"] > values["tied, equal weights"]).all()


# --- effects on tables with known answers ---------------------------------------------------------


def noisy(value):
    """Eight replicates of about this value."""
    return [(replicate, value + 0.01 * (replicate % 3 - 1)) for replicate in range(8)]


@pytest.mark.parametrize(("change", "outcome"), [(-0.3, "holds"), (0.3, "fails")])
def test_collapse_with_n(change, outcome):
    rows = [{"estimator": "free", "k": 4, "n": n, "replicate": r, "degenerate": value}
            for n, level in ((50, 0.5), (1000, 0.5 + change))
            for r, value in (noisy(level) if n == 50 else noisy(level)[::-1])]  # fmt: skip
    assert effect("collapse falls with n", rows).outcome == outcome


@pytest.mark.parametrize(("change", "outcome"), [(0.3, "holds"), (-0.3, "fails")])
def test_collapse_with_k(change, outcome):
    rows = [{"estimator": "free", "k": k, "n": 50, "replicate": r, "degenerate": value}
            for k, level in ((2, 0.4), (4, 0.4 + change))
            for r, value in (noisy(level) if k == 2 else noisy(level)[::-1])]  # fmt: skip
    assert effect("collapse rises with K", rows).outcome == outcome


@pytest.mark.parametrize(("bad", "outcome"), [(0, "holds"), (60, "fails")])
def test_remedies(bad, outcome):
    rows = [{"estimator": name, "replicate": r, "degenerate": float(r < bad and name == "map")}
            for r in range(120) for name in ("inverse_gamma", "tied", "map")]  # fmt: skip
    rows += [{"estimator": "free", "replicate": 0, "degenerate": 1.0}]
    verdict = effect("remedies work", rows)
    assert verdict.outcome == outcome and verdict.effect.observations == 120


@pytest.mark.parametrize(("cost", "outcome"), [(0.0, "holds"), (0.1, "fails")])
def test_price_of_the_penalty(cost, outcome):
    kinds = (("free", 0.0), ("inverse_gamma", cost))
    rows = [{"estimator": name, "replicate": r, "excess": 0.1 + add * (1 + 0.01 * (r % 2))}
            for r in range(8) for name, add in kinds]  # fmt: skip
    assert effect("remedies are cheap", rows).outcome == outcome
    rows[0]["excess"] = np.nan
    assert "1 of 8 data sets" in effect("remedies are cheap", rows).reason


@pytest.mark.parametrize(("name", "column", "good", "bad"), [
    ("tied scales save passes", "passes", (50, 100), (100, 50)),
    ("tied scales are stable, K = 2", "share_best", (0.9, 0.5), (0.5, 0.9)),
])  # fmt: skip
def test_tied_scales(name, column, good, bad):
    for values, outcome in ((good, "holds"), (bad, "fails")):
        kinds = tuple(zip(("tied", "free"), values, (0, 1), strict=True))
        rows = [{"estimator": which, "replicate": r, column: value * (1 + 0.01 * (r % 2) * noise)}
                for r in range(8) for which, value, noise in kinds]  # fmt: skip
        assert effect(name, rows).outcome == outcome


@pytest.mark.parametrize(("loss", "outcome"), [(0.1, "holds"), (-0.1, "fails")])
def test_cost_on_shipped_sets(loss, outcome):
    rows = [{"data": data, "k": 3, "estimator": name, "log_likelihood": -1 - lost + 0.001 * place}
            for place, data in enumerate(pathologies.SETS)
            for name, lost in (("free", 0.0), ("tied", loss * (1 + 0.1 * place)))]  # fmt: skip
    assert effect("tied scales cost fit", rows).outcome == outcome


@pytest.mark.parametrize(("power", "outcome"), [(2.0, "holds"), (1.0, "fails")])
def test_law(power, outcome):
    rows = [{"start_sigma": s, "iteration": i, "log10_variance": -i * 2 / s**power / np.log(10)}
            for s in (0.01, 0.02) for i in (0, 1)]  # fmt: skip
    assert effect("law of the collapse", rows).outcome == outcome
