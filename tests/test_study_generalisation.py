"""The study of generalisation: losses against a second computation, effects on made tables."""

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
    assert len(result.verdicts) == len(CLAIMS)


def test_an_excess_loss_is_the_divergence_of_the_last_state_within_the_budget():
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
    return pd.DataFrame(rows).assign(n=MODULE.N)


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
