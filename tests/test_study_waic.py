"""The waic study: its effects on tables with known answers, and its smoke size."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.parameterization import catalog
from ordered_mix.study.sentences import answer

waic = catalog.module("waic", "study")
STUDY = waic.study
CLAIMS = {claim.name: claim for claim in STUDY.claims}
BASE = {
    "separation": 0.5, "k": 2, "parameterization": "unordered", "prior": "matched", "replicate": 0,
}  # fmt: skip


def test_every_size_names_models_that_exist():
    for size in ("smoke", "laptop"):
        for cell in STUDY.cells(size):
            assert not STUDY.experiments[cell.experiment].skip(**cell.factors)
    sampled = STUDY.cells("laptop", experiments=["simulated"])
    assert {cell.factors["parameterization"] for cell in sampled} == set(waic.COORDINATES)
    assert waic.skip(k=3, parameterization="resolved") and not waic.skip(
        k=2, parameterization="resolved"
    )


def sampled(noise, shift=0.0, names=("unordered", "relative", "moment"), sets=40, **factors):
    """WAIC of several parameterizations with Monte Carlo errors of 0.1."""
    rng = np.random.default_rng(5)
    rows = []
    for replicate in range(sets):
        for name in names:
            value = -300 + noise * rng.normal() + shift * (name == "relative")
            columns = {"waic": value, "waic_mcse": 0.1, "parameterization": name}
            rows.append({**BASE, "replicate": replicate, **factors, **columns})
    return rows


def test_invariance_is_agreement_within_monte_carlo_error():
    name = "WAIC is invariant"
    assert CLAIMS[name].judge(pd.DataFrame(sampled(0.1))).outcome == "holds"
    assert CLAIMS[name].judge(pd.DataFrame(sampled(0.1, shift=0.9))).outcome == "fails"
    alone = CLAIMS[name].judge(pd.DataFrame(sampled(0.1, names=["unordered"])))
    assert alone.outcome == "undecided" and "two parameterizations" in alone.reason


def test_a_native_change_is_measured_in_nats():
    name = "native priors change WAIC near the singularity"
    for shift, wanted in ((0.0, "fails"), (1.0, "holds")):
        rows = sampled(0.1) + sampled(0.1, shift=shift, names=["relative"], prior="native")
        effect = CLAIMS[name].judge(pd.DataFrame(rows))
        assert effect.outcome == wanted, effect.reason
    assert effect.effect.estimate == pytest.approx(1.0, rel=0.1)
    apart = CLAIMS["native priors change WAIC of separated components"].judge(pd.DataFrame(rows))
    assert apart.outcome == "undecided"


def test_draws_are_held_against_quadrature():
    exact = pd.DataFrame({"separation": 0.5, "replicate": range(40), "waic": -300.0})
    for noise, wanted in ((0.1, "holds"), (0.6, "fails")):
        draws = pd.DataFrame(sampled(noise)).drop(columns=["k", "prior"])
        assert CLAIMS["WAIC of draws is exact"].judge(draws, exact).outcome == wanted


def test_on_real_data_chains_that_disagree_do_not_count():
    rows = (
        pd.DataFrame(sampled(0.1)).drop(columns="separation").rename(columns={"replicate": "data"})
    )
    rows = rows.assign(rhat=1.0)
    apart = rows.assign(waic=rows["waic"] + 50, parameterization="signed", rhat=1.2)
    name = "WAIC is invariant on real data"
    assert CLAIMS[name].judge(pd.concat([rows, apart])).outcome == "holds"
    assert CLAIMS[name].judge(pd.concat([rows, apart.assign(rhat=1.0)])).outcome == "fails"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    return run_here(STUDY, tmp_path_factory.mktemp("waic"))


def test_smoke_size(smoke):
    assert not len(smoke.failures)
    for verdict in smoke.verdicts:
        if verdict.effect is None:
            assert verdict.reason.startswith("The table gives no effect size")
        else:
            assert np.isfinite(verdict.effect[:3]).all()
    decided = {verdict.claim.name for verdict in smoke.verdicts if verdict.effect is not None}
    assert {"WAIC is invariant", "WAIC of draws is exact"} <= decided
    assert "WAIC with matched priors" in answer(smoke)
