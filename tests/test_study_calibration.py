"""Calibration: its smoke size, and its effects on tables with known answers."""

import itertools

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here
from matplotlib.figure import Figure

from ordered_mix.data import simulate
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import module
from ordered_mix.theory.fisher import information

file = module("calibration", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}
RANKS = [f"rank_{name}" for name in (*file.QUANTITIES, "raw_mu_1")]


def simulations(method, coordinates, count, off):
    """Even ranks of every quantity, or (off) ranks in the upper three quarters only."""
    even = np.arange(count) % (file.RANKS + 1)
    ranks = 8 + even * 3 // 4 if off else even
    rows = pd.DataFrame(dict.fromkeys(RANKS, ranks.astype(float)))
    labels = {"method": method, "parameterization": coordinates, "separation": np.nan, "n": 50}
    rows = rows.assign(**labels, batch=0, attempts=1, divergences=0, ess=300.0, rhat=1.01)
    if coordinates == "unordered":
        rows["rank_raw_mu_1"] = even if off else np.where(even < 16, 0, file.RANKS)
    return rows


def data_sets(series, separation, right, wide):
    """Coverage of 95% where standard errors should be right, of 75% where they should not."""
    method, coordinates = file.INTERVALS[series]
    covers = np.arange(1000) >= (50 if right else 250)
    labels = {"method": method, "parameterization": coordinates, "separation": separation, "n": 200}
    mixture = np.arange(1000) >= (50 if wide else 250)
    columns = {"covers_lower_mean": covers, "covers_mixture_mean": mixture, "interval": True}
    return pd.DataFrame(columns).assign(**labels, batch=0)


def world(holds=True):
    parts = [simulations("nutpie", coordinates, 1024, not holds) for coordinates in file.MAIN]
    parts += [simulations("pymc", coordinates, 256, not holds) for coordinates in file.MAIN]
    for series, separation in itertools.product(file.INTERVALS, file.SEPARATIONS):
        right = holds == (separation > 1)
        parts.append(data_sets(series, separation, right, holds))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    for verdict in result_of(file.study, world(holds)).verdicts:
        assert verdict.outcome == ("holds" if holds else "fails"), verdict.reason
        assert np.isfinite(verdict.effect[:3]).all() and verdict.effect.observations >= 1000


def test_the_effect_and_its_interval():
    rows = simulations("nutpie", "signed", 1024, True)
    found = file.worst(rows, "nutpie", ("signed",), file.QUANTITIES)
    assert found.estimate == pytest.approx(0.25)
    slack = np.sqrt(np.log(2 / (0.05 / 6)) / 2048)
    assert found.high - found.estimate == pytest.approx(slack)
    assert found.estimate - found.low == pytest.approx(slack)


def test_a_refused_run_is_not_dropped_in_silence():
    rows = simulations("nutpie", "signed", 1024, False)
    rows.loc[rows.index % 32 == 5, RANKS] = np.nan
    found = file.worst(rows, "nutpie", ("signed",), file.QUANTITIES)
    # what is left misses the uniform ECDF by 26 of 992 ranks
    assert found.estimate == pytest.approx(1 / 32 + (1 - 1 / 32) * (6 / 32 - 5 / 31))
    assert found.observations == 1024
    with pytest.raises(ValueError, match="no such runs of centred"):
        file.worst(rows, "nutpie", ("signed", "centred"), file.QUANTITIES)


def test_too_few_simulations_leave_it_undecided():
    verdict = CLAIMS["NUTS, signed"].judge(simulations("nutpie", "signed", 96, False))
    assert verdict.outcome == "undecided"


def test_departures():
    table = world()
    apart = file.departure(table, "EM", "lower_mean", (4.0,))
    assert apart.estimate == pytest.approx(0) and apart.low == 0 and apart.high < 0.03
    overlap = file.departure(table, "EM", "lower_mean", (0.0, 0.5, 1.0))
    assert overlap.estimate == pytest.approx(0.2) and overlap.observations == 1000
    with pytest.raises(ValueError, match="no such runs at separation 3"):
        file.departure(table, "EM", "lower_mean", (3.0,))


def test_findings_say_what_the_table_holds():
    text = file.findings(result_of(file.study, world()))
    assert "NUTS is calibrated within the margin of 0.1 in unordered, signed" in text
    assert "With 1024 simulations each, each difference is known to 0.052" in text
    assert (
        "EM: 95% intervals of the lower mean cover 75% at separation 0 and 95% at 4, at least 75%"
        in text
    )
    assert "NUTS is off by more than 0.1" in file.findings(result_of(file.study, world(False)))


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
    truth = file.truth_at(4.0)
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
    assert not len(result.failures) and len(result.table) == 25 + 2 * 50
    ranks = result.table[RANKS].dropna()
    assert len(ranks) == 25 and ranks.min().min() >= 0 and ranks.max().max() <= file.RANKS
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
        assert verdict.effect or "no such runs" in verdict.reason
    assert "EM: 95% intervals" in file.findings(result)
    for draw in file.study.figures.values():
        for shown in (result, result_of(file.study, world())):
            assert isinstance(draw(shown), Figure)
            draw(shown).draw_without_rendering()
