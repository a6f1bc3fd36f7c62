"""Optimising and sampling: a smoke run, and effects on made tables."""

import itertools

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here
from scipy import stats

from ordered_mix.parameterization import catalog

file = catalog.module("optimising_and_sampling", "study")
CLAIMS = {claim.name: claim for claim in file.study.claims}


def rows_of(parameterization, values, separations=(0.5,), column="passes_4", **columns):
    """Rows of a made table, one for each separation and replicate."""
    return [
        {
            "separation": separation,
            "parameterization": parameterization,
            "replicate": replicate,
            **{name: numbers[replicate] for name, numbers in columns.items()},
            column: value,
        }
        for separation in separations
        for replicate, value in enumerate(values)
    ]


def test_smoke(tmp_path):
    smoke = run_here(file.study, tmp_path)
    assert not len(smoke.failures)
    found = {verdict.claim.name: verdict for verdict in smoke.verdicts}
    for name in (
        "sampling is faster than optimisation, dense",
        "the Jacobian moves the MAP",
    ):
        effect = found[name].effect
        assert np.isfinite(effect[:3]).all() and effect.observations == 4
    ranking = found["one ranking for gradient ascent and NUTS, dense"]
    assert "at least 3 parameterizations" in ranking.reason
    nuts = smoke.tables["nuts"]
    assert len(nuts) == 8 and (nuts["passes_rhat"] <= nuts["passes"]).all()
    assert (nuts["passes_per_1000"] > 0).all() and (nuts["sd_mu_1"] > 0).all()


@pytest.mark.parametrize(("sign", "outcome"), [(1, "holds"), (-1, "fails")])
def test_agreement_is_the_rank_correlation(sign, outcome):
    rows, drawn = [], []
    for rank, name in enumerate(["unordered", "ordered", "relative", "centred"]):
        rows += rows_of(name, [10.0 * 2**rank, 11.0 * 2**rank, 9.0 * 2**rank])
        drawn += rows_of(name, [1e4 * 3.0 ** (sign * rank)] * 3, column="passes_per_1000")
    modes = pd.DataFrame(rows).assign(jacobian=True)
    nuts = pd.DataFrame(drawn).assign(adaptation="dense")
    other = nuts.assign(adaptation="diagonal", passes_per_1000=np.nan)
    claim = CLAIMS["one ranking for L-BFGS and NUTS, dense"]
    verdict = claim.judge(modes, pd.concat([nuts, other]))
    assert verdict.outcome == outcome
    assert verdict.effect.estimate == pytest.approx(sign)


def test_agreement_tells_of_missing_runs():
    names = ("unordered", "ordered", "relative", "centred")
    rows = [row for name in names for row in rows_of(name, [10.0, 11.0])]
    drawn = rows_of("unordered", [1e4, 2e4], column="passes_per_1000")
    nuts = pd.DataFrame(drawn).assign(adaptation="diagonal")
    claim = CLAIMS["one ranking for gradient ascent and NUTS, diagonal"]
    verdict = claim.judge(pd.DataFrame(rows), nuts)
    assert verdict.outcome == "undecided" and "6 runs are missing" in verdict.reason


def test_agreement_is_spearmans_and_that_of_a_constant_is_none():
    assert file.spearman(np.ones(4), np.arange(4)) == 0
    one, other = np.random.default_rng(1).integers(0, 6, (2, 50, 7))  # with ties
    found = [stats.spearmanr(*pair).statistic for pair in zip(one, other, strict=True)]
    np.testing.assert_allclose(file.spearman(one, other), found, atol=1e-12)


@pytest.mark.parametrize(("shift", "outcome"), [(1.5, "holds"), (0.4, "fails")])
def test_the_largest_shift_is_in_posterior_sds(shift, outcome):
    sds = {f"sd_{name}": [0.5] * 4 for name in file.PARAMETERS}
    nuts = pd.DataFrame(rows_of("unordered", [np.nan] * 4, **sds))
    nuts = nuts.assign(adaptation="dense")
    parts = []
    moves = {"unordered": 0.01, "relative": 0.5 * shift}
    for (name, move), jacobian in itertools.product(moves.items(), (True, False)):
        moved = move if jacobian else 0.0
        values = {p: [0.3, 0.31, 0.29, 0.3] for p in file.PARAMETERS}
        values["mu_2"] = [2 + moved * error for error in (1.0, 1.01, 0.99, 1.0)]
        parts.append(pd.DataFrame(rows_of(name, [5.0] * 4, **values)).assign(jacobian=jacobian))
    modes = pd.concat(parts)
    verdict = CLAIMS["the Jacobian moves the MAP"].judge(modes, nuts)
    assert verdict.outcome == outcome
    assert verdict.effect.estimate == pytest.approx(shift)
    assert verdict.effect.observations == 4


@pytest.mark.parametrize(("ratio", "outcome"), [(1.4, "holds"), (0.7, "fails")])
@pytest.mark.parametrize("name", ["relative", "ordered"])
def test_passes_are_compared_on_the_same_data(name, ratio, outcome):
    plain = [30.0, 300.0, 90.0, 100.0]
    there = [ratio * cost for cost in (31.0, 290.0, 91.0, 100.0)]
    rows = rows_of("unordered", plain, (0.0, 2.0), "arrived_4")
    table = pd.DataFrame(rows + rows_of(name, there, (0.0, 2.0), "arrived_4"))
    ascent = CLAIMS[f"gradient ascent takes more passes in {name} coordinates"]
    modes = CLAIMS[f"MAP takes more passes in {name} coordinates"]
    wrong = table.assign(jacobian=False, arrived_4=1.0)
    right = table.assign(jacobian=True)
    for verdict in (ascent.judge(table), modes.judge(pd.concat([right, wrong]))):
        assert verdict.outcome == outcome
        assert verdict.effect.estimate == pytest.approx(ratio, rel=0.02)
    without = table.assign(arrived_4=table["arrived_4"].where(table.index > 0))
    assert ascent.judge(without).effect.observations == 7


@pytest.mark.parametrize(("factor", "outcome"), [(20.0, "fails"), (0.1, "holds")])
def test_sampling_is_held_against_em_on_the_same_data(factor, outcome):
    em = pd.DataFrame(rows_of("unordered", [30.0, 300.0, 90.0], column="passes_2"))
    em = em.drop(columns="parameterization")
    cost = [factor * value for value in (31.0, 290.0, 91.0)]
    nuts = pd.DataFrame(rows_of("unordered", cost, column="passes_rhat")).assign(
        adaptation="diagonal"
    )
    claim = CLAIMS["sampling is faster than optimisation, diagonal"]
    verdict = claim.judge(em, nuts)
    assert verdict.outcome == outcome
    assert verdict.effect.estimate == pytest.approx(factor, rel=0.02)
    assert "1 of 3 data sets have no" in claim.judge(em, nuts.iloc[1:]).reason
