"""Gibbs sampling against NUTS: its smoke size, and its effects on tables with known answers."""

import itertools
from math import factorial

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import module, parameterization
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs

file = module("gibbs_and_gradients", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


def world(holds=True, noise=0.02, replicates=10):
    """Gibbs sampling is better apart and worse in the overlap, or the other way round."""
    rng = np.random.default_rng(3)
    cells = [
        (sampler, name, *rest)
        for sampler, names in (("gibbs", ["unordered"]), ("nuts", file.COORDINATES))
        for name in names
        for rest in itertools.product(file.SEPARATIONS, (100, 1000), (2, 4), range(replicates))
    ]
    names = ["sampler", "coordinates", "separation", "n", "k", "replicate"]
    table = pd.DataFrame(cells, columns=names)
    gibbs, near = table["sampler"] == "gibbs", table["separation"] == 1
    better = np.where(near, 0.25 if holds else 4, 4 if holds else 0.25)
    level = np.where(gibbs, better, 1.0)
    orders = table["k"].map(factorial)
    more = (gibbs & near) if holds else (~gibbs | ~near)
    table = table.assign(
        ess=100 * level * np.exp(noise * rng.normal(size=len(table))),
        passes=10_000,
        seconds=np.where(gibbs, 0.01 if holds else 1.0, 1.0),
        visited=np.where(more, 1.0, 1 / orders),
        first_passage=np.where(more, 50.0, np.nan),
    )
    parts = {name: part.drop(columns="sampler") for name, part in table.groupby("sampler")}
    return {"gibbs": parts["gibbs"].drop(columns="coordinates"), "nuts": parts["nuts"]}


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    for verdict in result_of(file.study, world(holds)).verdicts:
        assert verdict.outcome == ("holds" if holds else "fails"), verdict.reason
        assert np.isfinite(verdict.effect[:3]).all() and verdict.effect.observations >= 10


def test_ratios_are_those_put_in():
    tables = world(noise=0.0).values()
    assert file.least(*tables, "per_pass", separation=6.0).estimate == pytest.approx(4)
    assert file.most(*tables, "per_pass", separation=1.0).estimate == pytest.approx(0.25)
    assert file.growth(*tables).estimate == pytest.approx(16)
    assert file.least(*tables, "per_second").estimate == pytest.approx(25)


def test_a_failed_run_is_not_dropped_in_silence():
    gibbs, nuts = world().values()
    lost = (nuts["coordinates"] == "ordered") & (nuts["replicate"] == 3)
    verdict = CLAIMS["Gibbs wins per second"].judge(gibbs, nuts[~lost])
    assert verdict.outcome == "undecided" and "12 of 120 data sets" in verdict.reason


def test_orders_and_first_passage_are_counted():
    data = Data(np.linspace(-3, 3, 40))
    model = parameterization("unordered", 2, Prior(spread=3.0))
    starts = Mixture([0.5, 0.5], np.array([[-2.0, 2.0]] * 2), np.ones((2, 2)))
    draws = Gibbs(draws=6, tune=4).sample(model, data, starts, 1)
    low = np.array([[0, 0, 0, 1, 1, 1], [0] * 6])
    mu = np.stack([np.where(low, 1.0, -1.0), np.where(low, -1.0, 1.0)], axis=-1)
    draws.tree["posterior"]["mu"].values[:] = mu
    found = file.labels(Draws(draws.tree))
    assert found["visited"] == pytest.approx((1 + 0.5) / 2) and found["switched"] == 0.5
    assert found["first_passage"] is None  # the median of 3 and never
    draws.tree["posterior"]["mu"].values[1] = mu[0]
    assert file.labels(Draws(draws.tree))["first_passage"] == 3


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    assert {name: len(table) for name, table in result.tables.items()} == {"gibbs": 4, "nuts": 16}
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
    for draw in file.study.figures.values():
        assert draw(result).axes
