"""Theory of WAIC at the singularity: exact values, effects on known tables, and a smoke run."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here
from scipy.special import ndtri

from ordered_mix.parameterization import catalog
from ordered_mix.study.sentences import answer
from ordered_mix.theory.quadrature import means_posterior

file = catalog.module("waic_theory", "study")
CLAIMS = {claim.name: claim for claim in file.study.claims}


def test_exact_values_of_the_normal_quantiles():
    y = ndtri((np.arange(1, 51) - 0.5) / 50)
    posterior = means_posterior(y, prior="matched")
    criteria = posterior.criteria()
    found = [posterior.log_evidence(), criteria.elpd_waic, criteria.p_waic, criteria.elpd_loo]
    assert found == pytest.approx([-73.87232389, -71.70144735, 1.10752375, -71.70187794], abs=1e-8)
    beta = file.wbic_beta(50)
    warm, native = (
        means_posterior(y, prior=prior, inverse_temperature=beta)
        for prior in ("matched", "relative")
    )
    assert warm.wbic() == pytest.approx(73.564986, abs=1e-6)
    assert native.wbic() == pytest.approx(73.367892, abs=1e-6)
    exact = means_posterior(y, prior="relative").criteria().elpd_waic
    assert exact == pytest.approx(-71.67499833, abs=1e-8)


def singular(p_waic, excess, waic_excess, coefficient, sets=200):
    """Exact rows at separation 0."""
    rng = np.random.default_rng(6)
    rows = []
    for replicate in range(sets):
        for n, off in ((50, 1.0), (1000, 0.0)):
            noise = 0.5 * rng.normal()
            rows.append({
                "separation": 0.0, "n": n,
                "replicate": replicate, "p_waic": p_waic + off + 0.4 * noise,
                "generalisation": 1.4 + (excess + off + noise) / n, "entropy": 1.4,
                "sample_entropy": 1400.0, "waic": -1400 - (waic_excess - noise),
                "learning_coefficient": coefficient,
            })  # fmt: skip
    return pd.DataFrame(rows)


def test_theory_at_the_singularity_is_tested_at_the_largest_n():
    names = ("p_waic is twice the singular fluctuation", "p_waic is twice the learning coefficient",
             "generalisation loss exceeds entropy by lambda/n",
             "WAIC and the generalisation loss add up to 2 lambda",
             "WBIC at two temperatures gives lambda")  # fmt: skip
    right = singular(1.34594653, 0.75, 0.75, 0.75)
    found = [CLAIMS[name].judge(right).outcome for name in names]
    assert found == ["holds", "fails", "holds", "holds", "holds"]
    off = singular(1.5, 1.5, 1.0, 1.0)
    found = [CLAIMS[name].judge(off).outcome for name in names]
    assert found == ["fails", "holds", "fails", "fails", "fails"]
    assert file.departure(right, "both", 0.75).estimate == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("far", "wanted"), [(0.1, "holds"), (0.9, "fails")])
def test_distance_to_cross_validation(far, wanted):
    table = pd.DataFrame({"separation": 0.5, "replicate": range(5), "cross_validation": -40.0})
    table = table.assign(waic=-40 + far, loo=-40 - far / 3)
    assert CLAIMS["WAIC is cross-validation"].judge(table).outcome == wanted
    ratio = CLAIMS["PSIS-LOO is closer to cross-validation"].judge(table)
    assert ratio.outcome == "holds" and ratio.effect.estimate == pytest.approx(1 / 3)


def test_smoke_size(tmp_path):
    smoke = run_here(file.study, tmp_path, overrides={"n": [50]})
    assert not len(smoke.failures)
    table = smoke.tables["exact"]
    assert (table["generalisation"] > table["entropy"]).all()
    for verdict in smoke.verdicts:
        assert np.isfinite(verdict.effect[:3]).all()
    assert "nats from exact cross-validation" in answer(smoke)
    for draw in file.study.figures.values():
        draw(smoke).draw_without_rendering()
