"""The study of generalisation: norms, suprema, effects on constructed tables, findings."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.data import population
from ordered_mix.engine.run import load_study
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.passes.kernels import e_step

MODULE = catalog.module("generalisation", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run_here(load_study("generalisation"), tmp_path_factory.mktemp("generalisation"))


def test_every_cell_is_done_and_every_claim_has_a_finite_interval(result):
    assert not len(result.failures)
    assert all(np.isfinite(verdict.effect[:3]).all() for verdict in result.verdicts)
    found = {verdict.claim.name: verdict for verdict in result.verdicts}
    assert found["relative norm is smaller"].outcome == "fails"
    # the angle between mu1 = 0 and mu1 = mu2, and that beyond mu1 = 2 mu2
    angle = np.pi / 4 + np.pi / 4 - np.arctan(0.5)
    effect = found["relative norm is smaller"].effect
    assert effect.low < angle / np.pi < effect.high
    assert found["bounds are equal"].outcome == "holds"


def test_the_norm_argument_has_a_counterexample():
    table = pd.DataFrame([{"measure": "norm", "mu1": -1.0, "mu2": 1.0}])
    original, relative = MODULE.norms(table)
    assert original[0] == pytest.approx(1.414, abs=5e-4)
    assert relative[0] == pytest.approx(2.236, abs=5e-4)


def test_suprema_of_a_known_function():
    peak = np.array([-1.2345, 0.6789])

    def value(mu):
        return 3 - np.sum((np.sort(mu, axis=1) - peak) ** 2, axis=1)

    for name in ("unordered", "relative", "unordered ball", "relative ball"):
        assert MODULE.supremum(value, MODULE.CLASSES[name]) == pytest.approx(3, abs=1e-6)


def test_classes_hold_what_they_say():
    u = np.random.default_rng(0).uniform(size=(2000, 2))
    box, relative = MODULE.CLASSES["unordered"](u), MODULE.CLASSES["relative"](u)
    assert np.abs(box).max() <= 3 and np.abs(relative).max() <= 3
    assert np.all(np.diff(relative) >= 0)
    ball, other = MODULE.CLASSES["unordered ball"](u), MODULE.CLASSES["relative ball"](u)
    assert np.linalg.norm(ball, axis=1).max() <= 3 + 1e-12
    assert np.hypot(other[:, 0], np.diff(other)[:, 0]).max() <= 3 + 1e-12
    assert np.linalg.norm(other, axis=1).max() > 3


def test_an_excess_loss_is_the_divergence_of_the_last_state_within_the_budget(result):
    truth = Mixture([0.5, 0.5], [-1.0, 1.0], [1.0, 1.0])
    data = population(truth, 0.05)
    start = Mixture([0.5, 0.5], [[-0.2, 0.4], [-2.0, 2.5]], [1.0, 1.0])
    stop = Stop(log_likelihood=0.0, passes=1000)
    fit = EM(frozen=("w", "sigma"), stop=stop, snapshots=1000).fit(
        parameterization("unordered", 2),
        type(data)(data.y[None, None], data.weight[None, None]),
        start,
    )
    rows = pd.DataFrame(MODULE._stopped(truth, fit, [7], "em", "unordered"))
    best = e_step(data.y, truth.w, truth.mu, truth.sigma, data.weight).log_likelihood
    expected = [best - fit.trace.log_likelihood[at - 1, 0] for at in (30, 100, 1000)]
    for at, start_name in enumerate(("narrow", "wide")):
        found = rows[rows["start"] == start_name]["excess"]
        np.testing.assert_allclose(found, np.array(expected)[:, at], atol=1e-9)
    assert set(rows["unit"]) == {7} and rows["passes"].tolist() == [30, 30, 100, 100, 1000, 1000]


# --- effects on constructed tables ----------------------------------------------------------------


def estimates(excess):
    """Excess losses by (algorithm, coordinates), the same on 6 sets but for noise in pairs."""
    rows, rng = [], np.random.default_rng(1)
    for unit in range(6):
        for separation in (0.0, 2.0):
            for start in ("narrow", "wide"):
                scale = rng.uniform(0.5, 2)
                for (algorithm, coordinates), value in excess.items():
                    for passes in MODULE.BUDGETS:
                        row = {"unit": unit, "start": start, "algorithm": algorithm}
                        row |= {
                            "coordinates": coordinates,
                            "passes": passes,
                            "separation": separation,
                        }
                        jitter = np.exp(rng.normal(0, 1e-4))
                        rows.append({**row, "excess": value * scale * jitter, "ended": "converged"})
    return pd.DataFrame(rows).assign(measure="estimate", n=MODULE.N)


PAIRS = {
    "relative generalises better": (("fair step", "relative"), ("fair step", "unordered")),
    "relative generalises better at one learning rate": (
        ("learning rate 0.5", "relative"),
        ("learning rate 0.5", "unordered"),
    ),
    "ECM generalises better than EM": (("ecm", "relative"), ("em", "unordered")),
    "squared gap generalises better": (("fair step", "resolved"), ("fair step", "unordered")),
    "natural gradient generalises better": (("natural", "unordered"), ("fair step", "unordered")),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("ratio", "outcome"), [(0.5, "holds"), (2.0, "fails")])
def test_excess_losses_are_compared_in_pairs(name, ratio, outcome):
    first, second = PAIRS[name]
    verdict = CLAIMS[name].judge(estimates({first: ratio * 1e-3, second: 1e-3}))
    assert verdict.outcome == outcome
    assert verdict.effect.estimate == pytest.approx(ratio, rel=1e-3)
    assert verdict.effect.observations == 6


def test_settings_of_opposite_signs_are_not_pooled():
    first, second = PAIRS["relative generalises better"]
    table = estimates({first: 1.0, second: 1.0})
    one = (table["algorithm"] == first[0]) & (table["coordinates"] == first[1])
    table.loc[one & (table["start"] == table["start"].iloc[0]), "excess"] *= 0.5
    table.loc[one & (table["start"] != table["start"].iloc[0]), "excess"] *= 2.0
    assert CLAIMS["relative generalises better"].judge(table).outcome == "fails"
    somewhere = CLAIMS["relative generalises better somewhere"].judge(table)
    assert somewhere.outcome == "holds"
    assert somewhere.effect.estimate == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize(("ratio", "outcome"), [(1.001, "holds"), (1.1, "fails")])
def test_converged_losses_are_compared(ratio, outcome):
    first, second = PAIRS["relative generalises better"]
    verdict = CLAIMS["nothing is left when converged"].judge(estimates({first: ratio, second: 1.0}))
    assert verdict.outcome == outcome


def test_an_incomplete_set_is_not_dropped():
    first, second = PAIRS["relative generalises better"]
    table = estimates({first: 1.0, second: 2.0}).drop(index=[0, 1, 2])
    verdict = CLAIMS["relative generalises better"].judge(table)
    assert verdict.outcome == "undecided" and "every data set" in verdict.reason


@pytest.mark.parametrize(
    ("ratio", "equal", "smaller"), [(1.0, "holds", None), (2, "fails", "fails")]
)
def test_bounds_are_compared_in_pairs(ratio, equal, smaller):
    rows = [
        {"unit": unit, "coordinates": f"{coordinates}{kind}", "bound": scale * (1 + unit)}
        for unit in range(6)
        for kind in ("", " ball")
        for coordinates, scale in (("relative", ratio), ("unordered", 1.0))
    ]
    table = pd.DataFrame(rows).assign(measure="bound", n=MODULE.N, separation=0.0)
    assert CLAIMS["bounds are equal"].judge(table).outcome == equal
    if smaller:
        ball = CLAIMS["ball of relative norm has the smaller bound"].judge(table)
        assert ball.outcome == smaller and ball.effect.estimate == pytest.approx(ratio)
        table["bound"] = 1 / table["bound"]
        name = "ball of relative norm has the smaller bound"
        assert CLAIMS[name].judge(table).outcome == "holds"


def test_smaller_norms_hold():
    table = pd.DataFrame([{"measure": "norm", "mu1": 1.0, "mu2": 1.5}] * 5000)
    assert CLAIMS["relative norm is smaller"].judge(table).outcome == "holds"


# --- findings -------------------------------------------------------------------------------------


def test_findings_hold_the_numbers_of_the_table(result):
    text = result.study.findings(result)
    effects = {verdict.claim.name: verdict.effect for verdict in result.verdicts}
    assert f"{effects['relative norm is smaller'].estimate:.1%}" in text
    assert f"{effects['relative generalises better'].estimate:.2f} [" in text
    assert "singular information" in text
