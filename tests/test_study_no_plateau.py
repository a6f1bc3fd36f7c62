"""The study of parameterizations without a plateau: reference values, constructed tables."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.data import simulate
from ordered_mix.engine.run import load_study
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior

MODULE = catalog.module("no_plateau", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}


def test_verdicts_of_the_smoke_size(tmp_path):
    result = run_here(load_study("no_plateau"), tmp_path)
    assert not len(result.failures)
    assert {verdict.claim.name: verdict.outcome for verdict in result.verdicts} == {
        "no plateau in the squared gap": "holds",
        "one parameterization for every separation": "fails",
        "one ascent for every separation": "fails",
    }


@pytest.mark.parametrize("weight", [0.5, 0.3])
def test_flows_at_both_weights_have_the_predicted_rates(weight):
    rows = pd.DataFrame(MODULE.flow_cell(0, weight))
    assert set(rows["name"]) == set(MODULE.EXPONENTIAL)
    for name, path in rows.groupby("name"):
        rate = MODULE.local_decays(path)[-1]
        assert rate == pytest.approx(MODULE.predicted_decay(name, weight), rel=0.005), name


def test_reference_rates():
    assert MODULE.predicted_decay("resolved", 0.5) == 1 / 64
    assert MODULE.predicted_decay(MODULE.NATURAL, 0.3) == 0.5


def test_condition_numbers_have_the_reference_values():
    rows = pd.DataFrame(MODULE.condition_cell(0, 0.1, 0.5))
    condition = rows[rows["step"] == 0.04].set_index("name")["condition"]
    gap = 0.1
    expected = {
        "unordered": 2 / gap**2, "relative": 12.5 / gap**2, "signed": 8 / gap**2, "resolved": 32,
        "relative(link=log)": 8 / gap**4, "relative(link=square)": 2 / gap**3, "bent": 1,
    }  # fmt: skip
    for name, leading in expected.items():
        assert condition[name] == pytest.approx(leading, rel=0.25), name
    assert condition["unordered"] == pytest.approx(0.5 / 2.487583e-3, rel=0.01)


def test_for_nuts_the_log_of_the_squared_gap_is_the_log_gap_again():
    prior = Prior(known_w=(0.5, 0.5), known_sigma=1.0)
    resolved, centred = (catalog.parameterization(n, 2, prior) for n in ("resolved", "centred"))
    rng = np.random.default_rng(0)
    mu = np.sort(rng.normal(size=(6, 2)), axis=1)
    mixtures = Mixture(np.full((6, 2), 0.5), mu, np.ones((6, 2)))
    data = simulate(Mixture(np.full(2, 0.5), np.array([-1.0, 1.0]), np.ones(2)), 50, seed=2)
    z, x = resolved.unconstrain(mixtures), centred.unconstrain(mixtures)
    order = [resolved.graph.slices["squared_gap"].start, resolved.graph.slices["location"].start]
    other = [centred.graph.slices["gap"].start, centred.graph.slices["location"].start]
    np.testing.assert_allclose(z[:, order], x[:, other] * [2, 1], atol=1e-12)
    change = resolved.log_posterior(z, data)[0] - centred.log_posterior(x, data)[0]
    np.testing.assert_allclose(change, -np.log(2), atol=1e-9)


# --- effects on constructed tables ----------------------------------------------------------------


@pytest.mark.parametrize(("rate", "outcome"), [(1 / 64, "holds"), (1 / 60, "fails")])
def test_decays(rate, outcome):
    times = np.arange(20.0, 181.0, 20.0)
    table = pd.DataFrame({"time": times, "gap": np.exp(-rate * times)})
    table = table.assign(name="resolved", weight=0.5)
    assert CLAIMS["no plateau in the squared gap"].judge(table).outcome == outcome


@pytest.mark.parametrize(("best", "outcome"), [(1.05, "holds"), (3.0, "fails")])
def test_one_chart_for_all_separations(best, outcome):
    rows = []
    for step in MODULE.STEPS:
        for separation, values in ((0.1, (1.0, 9.0, best)), (2.0, (9.0, 1.0, 1.0))):
            for name, value in zip(("a", "b", "c"), values, strict=True):
                row = {"separation": separation, "name": name, "condition": value}
                row |= {"steps": value if value < 9 else np.nan, "step": step, "weight": 0.5}
                rows.append(row)
    for name in ("one parameterization for every separation", "one ascent for every separation"):
        verdict = CLAIMS[name].judge(pd.DataFrame(rows))
        assert verdict.outcome == outcome
        assert verdict.effect.estimate == pytest.approx(best)
