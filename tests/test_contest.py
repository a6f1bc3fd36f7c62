"""Contests: what has not converged is counted and averaged nowhere."""

import itertools

import numpy as np
import pandas as pd
import pytest

from ordered_mix.study.contest import Contest

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
