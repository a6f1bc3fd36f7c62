"""Coverage of intervals: its smoke size, and its effects on tables with known answers."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here
from matplotlib.figure import Figure

from ordered_mix.data import simulate
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import module
from ordered_mix.study.sentences import answer
from ordered_mix.study.truths import two_normals
from ordered_mix.theory.fisher import information

file = module("coverage", "study")


def data_sets(separation, right, wide):
    """Coverage of 95% where standard errors should be right, of 75% where they should not."""
    covers = np.arange(1000) >= (50 if right else 250)
    mixture = np.arange(1000) >= (50 if wide else 250)
    columns = {"covers_lower_mean": covers, "covers_mixture_mean": mixture, "interval": True}
    return pd.DataFrame(columns).assign(separation=separation, batch=0)


def world(holds=True):
    one = pd.concat([data_sets(s, holds == (s > 1), holds) for s in file.SEPARATIONS])
    both = pd.concat([one.assign(parameterization=name) for name in file.COORDINATES])
    return {"em": one, "laplace": both}


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    result = result_of(file.study, world(holds))
    for verdict in result.verdicts:
        assert verdict.outcome == ("holds" if holds else "fails"), verdict.reason
        assert np.isfinite(verdict.effect[:3]).all() and verdict.effect.observations >= 1000
    assert f"intervals of EM misses by up to {0.2 if holds else 0.0:.0%}" in answer(result)


def test_departures():
    table = world()["em"]
    apart = file.departure(table, "lower_mean", (4.0,))
    assert apart.estimate == pytest.approx(0) and apart.low == 0 and apart.high < 0.03
    overlap = file.departure(table, "lower_mean", (0.0, 0.5, 1.0))
    assert overlap.estimate == pytest.approx(0.2) and overlap.observations == 1000
    with pytest.raises(ValueError, match="no such runs at separation 3"):
        file.departure(table, "lower_mean", (3.0,))


def test_standard_errors_tend_to_those_of_the_fisher_information():
    mixture = Mixture(np.array([0.4, 0.6]), np.array([-2.0, 2.0]), np.array([1.0, 0.7]))
    data = simulate(mixture, 200_000, 3)
    low, high = file.standard_errors(data, mixture)["lower_mean"]
    simplex = np.eye(6)[:, 1:]
    simplex[0, 0] = -1
    covariance = np.linalg.inv(information(mixture, simplex)) / data.n
    assert (low + high) / 2 == pytest.approx(-2.0)
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(covariance[1, 1]), rel=0.02)


def test_no_interval_does_not_cover():
    assert file.covered({}, 1.0) == {
        "interval": False, "covers_lower_mean": False, "covers_mixture_mean": False
    }  # fmt: skip
    row = file.covered({"lower_mean": (-1.0, 0.0), "mixture_mean": (0.1, 0.2)}, 1.0)
    assert row["covers_lower_mean"] and not row["covers_mixture_mean"]


@pytest.mark.parametrize("label", ["unordered", "relative(link=log)"])
def test_laplace_where_the_components_are_apart(label):
    truth = two_normals(4.0)
    data = simulate(truth, 200, 8)
    found = file.laplace_interval(file._model(label), data, truth)
    expected = file.standard_errors(
        data, file.EM().fit(file.catalog.parameterization("unordered", 2), data, truth).mixture
    )
    for point in file.POINTS:
        # the prior's share is small beside 200 points
        assert found[point] == pytest.approx(expected[point], abs=0.15)
    assert all(file.covered(found, 4.0).values())


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures) and len(result.tables["em"]) == 2 * 50
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
        assert verdict.effect or "no such runs" in verdict.reason
    for draw in file.study.figures.values():
        for shown in (result, result_of(file.study, world())):
            assert isinstance(draw(shown), Figure)
            draw(shown).draw_without_rendering()
