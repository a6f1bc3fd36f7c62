"""Local steps: reversed steps, draws of a funnel and of the posterior, effects, smoke size."""

import chance
import numpy as np
import pandas as pd
import pytest
from beside_gibbs import check_beside_gibbs
from inprocess import result_of, run_here

from ordered_mix.data import simulate
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.moves.density import density, posterior
from ordered_mix.samplers.moves.inputs import standard_sample
from ordered_mix.study.trajectory import Walk

file = catalog.module("local_steps", "study")
WIDTH = 1.0


def funnel(z):
    """Neal's: v of this width, x with the standard deviation exp(v)."""
    v, x = z
    with np.errstate(over="ignore"):
        scaled = x * np.exp(-v)
        height = -0.5 * (v / WIDTH) ** 2 - 0.5 * scaled**2 - v
        return height, np.array([-v / WIDTH**2 + scaled**2 - 1, -scaled * np.exp(-v)])


def world(gain):
    """Local steps have so many times the ESS, and never diverge; one step size does if gain > 1."""
    table = pd.DataFrame([cell.factors for cell in file.study.cells("laptop")])
    local = table["contender"].str.startswith("WALNUTS").to_numpy()
    rng = np.random.default_rng(1)
    ess = 1000 * np.where(local, gain, 1.0) * np.exp(0.01 * rng.normal(size=len(table)))
    often = np.where(local == (gain > 1), 0.1, 30.0) + 0.01 * rng.random(len(table))
    worse = table["contender"] == ("NUTS, ordered" if gain > 1 else "WALNUTS, ordered")
    rhat = np.where(worse & (table["replicate"] < 803), 1.1, 1.001)
    return table.assign(
        ess=ess, rhat=rhat, passes=50_000, divergences_per_1000=often, step=1.0,
        halved=0.1, kept=0.8, irreversible_per_1000=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(("gain", "outcome"), [(1.5, "holds"), (0.6, "fails")])
def test_every_claim_can_hold_and_fail(gain, outcome):
    for verdict in result_of(file.study, world(gain)).verdicts:
        assert verdict.outcome == outcome, verdict


def test_a_step_that_is_kept_leads_back():
    rng = np.random.default_rng(3)
    kept = 0
    for _ in range(300):
        v = rng.normal()
        walk = file.Halving(funnel, np.array([v, np.exp(v) * rng.normal()]), rng)
        walk.step = 0.8
        begin = walk.here._replace(momentum=rng.standard_normal(2))
        there = walk.leap(begin, 1)
        if np.isfinite(there.height):
            kept += walk.halved
            back = walk.leap(there, -1)
            assert back.z == pytest.approx(begin.z, rel=1e-6, abs=1e-9)
            assert back.momentum == pytest.approx(begin.momentum, rel=1e-6, abs=1e-9)
            assert abs(there.energy - begin.energy) <= file.TOLERANCE
    assert kept > 30


def test_a_step_that_is_small_enough_is_the_leapfrog_step():
    rng = np.random.default_rng(4)
    one, other = (kind(funnel, np.array([0.3, 0.2]), rng) for kind in (Walk, file.Halving))
    one.step = other.step = 0.05
    begin = one.here._replace(momentum=np.array([0.5, -1.0]))
    assert np.array_equal(one.leap(begin, 1).z, other.leap(begin, 1).z)
    assert other.leaps == 1 and other.halved == other.irreversible == 0


def test_the_compiled_density_is_that_of_nutpie():
    data = simulate(Mixture([0.3, 0.7], [0.0, 3.0], [1.0, 1.0]), 40, 3)
    own = standard_sample(catalog.parameterization(file.BEST, 2, default_prior(data)), data)
    model = posterior(own.parameterization, own.data, 1.0)
    found = file.compiled(posterior(own.parameterization, own.data, 1.0))
    for z in 3 * np.random.default_rng(5).normal(size=(50, 5)), np.full((1, 5), 1e5):
        for one in z:
            for here, there in zip(found(one), density(model, one), strict=True):
                np.testing.assert_array_equal(here, there)


@pytest.mark.chance
def test_it_samples_a_funnel():
    chains = []
    for number in range(4):
        rng = chance.rng(20 + number)
        walk = file.Halving(funnel, rng.normal(size=2), rng)
        walk.step = 0.9
        chains.append(file.run(walk, 3000))
        assert walk.halved and walk.irreversible
    v = np.stack(chains)[..., 0]
    chance.check_means({"v": v, "square": v**2}, {"v": 0.0, "square": WIDTH**2}, 2)


@pytest.mark.chance
def test_its_draws_are_those_of_gibbs_sampling(monkeypatch):
    monkeypatch.setattr(file, "ITERATIONS", 800)
    data = simulate(Mixture([0.3, 0.7], [0.0, 3.0], [1.0, 1.0]), 40, 3)
    starts = initial_mixtures(data, 2, file.CHAINS, "random", 4)
    mixture, row = file.walked("WALNUTS, pooled", data, starts, chance.seed(1))
    assert row["passes"] > 2 * 800 * file.CHAINS
    check_beside_gibbs(mixture, data, starts)


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    table = result.tables[file.NAME]
    assert len(table) == 1 and np.all(table["passes"] > 10_000) and np.all(table["ess"] > 100)
    assert 0 < table["kept"][0] <= 1
