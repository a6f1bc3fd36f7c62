"""The study of norms and bounds: norms, suprema, effects on constructed tables."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog

MODULE = catalog.module("norm_bounds", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}


def test_every_cell_is_done_and_every_claim_has_a_finite_interval(tmp_path):
    result = run_here(load_study("norm_bounds"), tmp_path)
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
    table = pd.DataFrame([{"mu1": -1.0, "mu2": 1.0}])
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


# --- effects on constructed tables ----------------------------------------------------------------


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
    table = pd.DataFrame(rows).assign(n=MODULE.N, separation=0.0)
    assert CLAIMS["bounds are equal"].judge(table).outcome == equal
    if smaller:
        ball = CLAIMS["ball of relative norm has the smaller bound"].judge(table)
        assert ball.outcome == smaller and ball.effect.estimate == pytest.approx(ratio)
        table["bound"] = 1 / table["bound"]
        name = "ball of relative norm has the smaller bound"
        assert CLAIMS[name].judge(table).outcome == "holds"


def test_smaller_norms_hold():
    table = pd.DataFrame([{"mu1": 1.0, "mu2": 1.5}] * 5000)
    assert CLAIMS["relative norm is smaller"].judge(table).outcome == "holds"
