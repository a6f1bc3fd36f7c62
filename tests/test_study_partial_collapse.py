"""Partial collapse: exact means, draws of the posterior, effects on tables of known answers."""

from itertools import product

import chance
import numpy as np
import pandas as pd
import pytest
from beside_gibbs import check_beside_gibbs, small_problem
from inprocess import result_of, run_here
from scipy import optimize, special, stats

from ordered_mix.parameterization import catalog
from ordered_mix.samplers.moves.sweeps import Conjugate

file = catalog.module("partial_collapse", "study")
COLLAPSED = (file.WEIGHTS, file.MEANS)
Y = np.array([-1.3, -0.4, 0.2, 0.9, 2.1])
SIGMA = np.array([0.5, 1.5])
PRIOR = Conjugate(0.3, 1.2, 1.0, 0.0, 2.0, True, True, False)


def world(gain):
    """Collapsed sweeps have so many times the ESS of a sweep, at the same cost as a pass."""
    table = pd.DataFrame([cell.factors for cell in file.study.cells("laptop")])
    level = np.where(table["contender"].isin(COLLAPSED), gain, 1.0)
    rng = np.random.default_rng(1)
    ess = 1000 * level * np.exp(0.01 * rng.normal(size=len(table)))
    return table.assign(
        ess=ess, rhat=1.001, steps=80_000, cost=1.0, slowest="weight", divergences_per_1000=0.0
    )


@pytest.mark.parametrize(("gain", "outcome"), [(1.5, "holds"), (0.6, "fails")])
def test_claims_can_hold_and_fail(gain, outcome):
    for verdict in result_of(file.study, world(gain)).verdicts:
        bounded = verdict.claim.direction == "below"
        assert verdict.outcome == ("holds" if bounded else outcome), verdict
        assert verdict.effect.estimate == pytest.approx(gain, rel=0.03)
    found = {one.claim.name: one for one in result_of(file.study, world(3.0)).verdicts}
    assert found["a sweep gains a factor of two at most"].outcome == "fails"


def test_a_sweep_is_charged_what_it_costs():
    table = world(1.5)
    rng = np.random.default_rng(2)
    noise = np.exp(0.2 * rng.normal(size=len(table)))
    dear = table.assign(cost=noise * np.where(table["contender"].isin(COLLAPSED), 3.0, 1.0))
    found = {one.claim.name: one for one in result_of(file.study, dear).verdicts}
    assert found[f"{file.MEANS}, for a pass"].effect.estimate == pytest.approx(0.5, rel=0.15)
    assert found[f"{file.MEANS}, for a sweep"].effect.estimate == pytest.approx(1.5, rel=0.03)


@pytest.mark.parametrize("g", [0.5, 0.8, 0.95])
def test_labels_in_turn_contract_as_the_docstring_says(g):
    """Gauss-Seidel on labels that share one normal direction, of 2,000 labels."""
    n = 2000
    shared = g / (1 - g) / n
    x = np.ones(n)
    for _ in range(200):
        x = in_turn(shared / (1 + (n - 1) * shared), x)
        rate, x = np.abs(x).max(), x / np.abs(x).max()

    def off(rate):
        return np.log(rate) + g * (1 - rate) / rate

    expected = optimize.brentq(off, 1e-3, g)
    assert rate == pytest.approx(expected, rel=0.01)


def in_turn(coupling, x):
    """Each label becomes the coupling times the sum of the others."""
    x, total = x.copy(), x.sum()
    for i in range(x.size):
        new = coupling * (total - x[i])
        total += new - x[i]
        x[i] = new
    return x


def exact():
    """Posterior means of the first weight and of both means, over all labels of five points."""
    logs, values = [], []
    for labels in product((0, 1), repeat=Y.size):
        label = np.array(labels)
        count = np.array([np.sum(label == j) for j in range(2)])
        log = special.gammaln(PRIOR.concentration + count).sum()
        center = np.empty(2)
        for j in range(2):
            y, v = Y[label == j], SIGMA[j] ** 2
            shared = PRIOR.spread**2
            if y.size:
                covariance = v * np.eye(y.size) + shared
                log += stats.multivariate_normal(
                    np.full(y.size, PRIOR.location), covariance
                ).logpdf(y)
            precision = 1 / shared + y.size / v
            center[j] = (PRIOR.location / shared + y.sum() / v) / precision
        logs.append(log)
        share = (PRIOR.concentration + count[0]) / (2 * PRIOR.concentration + Y.size)
        values.append([share, *center])
    return special.softmax(logs) @ np.array(values)


@pytest.mark.chance
@pytest.mark.parametrize("contender", COLLAPSED)
def test_means_given_the_scales_are_exact(contender):
    states = []
    for number in range(4):
        state = np.array([[0.5, 0.5], [-1.0, 1.0], SIGMA])
        seed = np.random.SeedSequence(chance.seed(10 + number))
        states.append(file.kernel(contender, Y, PRIOR, state, seed)(20_000))
    found = np.stack(states)
    assert np.all(found[:, :, 2] == SIGMA)
    truths = dict(zip(("weight", "low", "high"), exact(), strict=True))
    measured = {"weight": found[:, :, 0, 0], "low": found[:, :, 1, 0], "high": found[:, :, 1, 1]}
    chance.check_means(measured, truths, 3)


@pytest.mark.chance
@pytest.mark.parametrize("contender", COLLAPSED)
def test_its_draws_are_those_of_gibbs_sampling(contender):
    data, starts = small_problem(file.CHAINS)
    mixture, cost = file.swept(contender, data, starts, chance.seed(1))
    assert cost > 0
    check_beside_gibbs(mixture, data, starts)


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    table = result.tables[file.NAME]
    assert len(table) == 2 and np.all(table["steps"] == 80_000) and np.all(table["ess"] > 1000)
