"""Contests: what has not converged is counted and averaged nowhere."""

import itertools

import numpy as np
import pandas as pd
import pytest

from ordered_mix.study.contest import Contest, with_rates

RATES = {("near", "a"): 8.0, ("near", "b"): 4.0, ("far", "a"): 3.0, ("far", "b"): 6.0}


def rows(units=6):
    """Two contenders, one the better at each place; units differ by factors that both share."""
    cells = itertools.product(("near", "far"), range(units), ("a", "b"))
    table = pd.DataFrame(cells, columns=["place", "unit", "contender"])
    level = [RATES[place, name] for place, name in zip(table.place, table.contender, strict=True)]
    log_rate = np.log(level) + table["unit"]
    return table.assign(log_rate=log_rate, diverging=table["unit"] * 1.0, converged=True)


def contest(table):
    return Contest(table, ("place", "unit"), ("place",))


def test_shares_are_those_put_in():
    found = contest(rows()).shares("log_rate")
    assert found.loc["a"].to_dict() == pytest.approx({("near",): 1.0, ("far",): 0.5})
    assert found.loc["b"].to_dict() == pytest.approx({("near",): 0.5, ("far",): 1.0})


def test_ratios_are_paired_and_their_extremes_are_of_settings():
    one = contest(rows())
    assert one.difference("a", "b", "log_rate").to_numpy() == pytest.approx(
        np.repeat(np.log([0.5, 2.0]), 6)
    )
    assert one.least("a", "log_rate")[:3] == pytest.approx((0.5, 0.5, 0.5))
    assert one.least("a", "log_rate", ("b",)).observations == 6
    assert one.most("a", "b", "log_rate")[:3] == pytest.approx((2.0, 2.0, 2.0))
    assert one.largest("b", "diverging").estimate == pytest.approx(2.5)


def test_what_has_not_converged_is_averaged_nowhere():
    table = rows()
    lost = (table["contender"] == "a") & (table["place"] == "far") & (table["unit"] == 0)
    table.loc[lost, "converged"] = False
    table.loc[lost, "log_rate"] = -1e6
    one = contest(table)
    assert one.shares("log_rate").loc["a", ("far",)] == pytest.approx(0.5)
    assert len(one.difference("a", "b", "log_rate")) == 11
    assert one.converging().loc["a"].to_dict() == pytest.approx({"near": 1.0, "far": 5 / 6})
    first, second = one.converged("a", "b")
    assert first.sum() == 11 and second.all()


def test_a_contender_that_hardly_converges_is_not_judged():
    table = rows()
    table.loc[(table["contender"] == "b") & (table["unit"] > 1), "converged"] = False
    one = contest(table)
    assert one.shares("log_rate").loc["b"].isna().all()
    assert one.leader("log_rate") == "a"


def test_the_leader_has_the_largest_worst_share():
    table = rows()
    table.loc[(table["contender"] == "a") & (table["place"] == "far"), "log_rate"] += np.log(1.8)
    assert contest(table).leader("log_rate") == "a"
    with pytest.raises(ValueError, match="no contender has enough runs"):
        contest(table[table["unit"] < 3]).leader("log_rate")
    with pytest.raises(ValueError, match="no such runs of c"):
        contest(table).difference("a", "c", "log_rate")


def test_what_claims_ask_of_a_contest():
    one = contest(rows())
    assert one.ratio("a", "b", "log_rate").estimate == pytest.approx(1.0)  # 2 near and 1/2 far
    assert one.ratio_of_ratios(("a", "b"), ("b", "a"), "log_rate").estimate == pytest.approx(1.0)
    table = rows()
    table.loc[(table["contender"] == "a") & (table["unit"] < 3), "converged"] = False
    assert contest(table).converges_more("a", "b").estimate == pytest.approx(-0.5)
    uneven = rows()
    uneven.loc[(uneven["contender"] == "a") & (uneven["place"] == "far"), "log_rate"] += np.log(1.8)
    two = contest(uneven)
    assert two.leading("log_rate") == two.least("a", "log_rate")
    worst = two.worst("log_rate")
    assert worst.index.tolist() == ["a", "b"]
    assert worst["log_rate"].to_dict() == pytest.approx({"a": 0.9, "b": 0.5})


def test_rates_are_of_passes_and_seconds():
    table = pd.DataFrame({
        "ess": [100.0], "rhat": [1.02], "passes": [4000], "warmup_passes": [500],
        "invariant_ess": [200.0], "seconds": [2.0], "converged_passes": [None],
    })  # fmt: skip
    found = with_rates(table, 1000).iloc[0]
    assert not found["converged"] and found["rate"] == pytest.approx(25)
    assert np.exp(found["log_rate"]) == pytest.approx(100 / 4000)
    assert np.exp(found["log_invariant"]) == pytest.approx(200 / 4000)
    assert np.exp(found["log_speed"]) == pytest.approx(50)
    assert np.exp(found["log_needed"]) == pytest.approx(40_500)
    assert np.isnan(found["log_converged"])
