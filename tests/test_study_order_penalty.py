"""The study of a soft penalty on the order: its gradient, its ends, shares of made tables."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.data import population
from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step

file = catalog.module("order_penalty", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


def test_the_slope_is_the_derivative_of_the_penalised_likelihood():
    truth = file.truth_of(3)
    data = population(truth, file.GRID)
    mu = np.array([[1.0, -2.0, 4.0], [-6.5, 0.3, 5.0]])

    def height(means):
        likelihood = e_step(data.y, truth.w, means, truth.sigma, data.weight).log_likelihood
        return likelihood - 2.5 * np.log1p(np.exp(-np.diff(means, axis=1))).sum(axis=1)

    found = file.slope_of(mu, 2.5, truth, data.y, data.weight)
    for place in range(3):
        by = 1e-5 * np.eye(3)[place]
        expected = (height(mu + by) - height(mu - by)) / 2e-5
        np.testing.assert_allclose(found[:, place], expected, atol=1e-8)


def test_the_sorted_truth_stays_and_unsorted_means_do_without_a_penalty():
    truth = file.truth_of(3)
    (stays,) = file.climbed(truth.mu[None], 10.0)
    assert stays["ordered"] and stays["reached"]
    (unsorted,) = file.climbed(truth.mu[None, [1, 0, 2]], 0.0)
    assert not unsorted["ordered"] and not unsorted["reached"]


def test_every_claim_has_an_effect_at_smoke_size(tmp_path):
    result = run_here(load_study("order_penalty"), tmp_path)
    assert not len(result.failures)
    assert all(np.isfinite(verdict.effect[:3]).all() for verdict in result.verdicts)
    for table in result.tables.values():
        assert not (table["reached"].astype(bool) & ~table["ordered"].astype(bool)).any()


def ends(strength, two, more):
    """Starts of two to five components, of which so many reach the truth."""
    rows = [
        {"true": true, "starts": 200, "start": at, "reached": at < (two if true == 2 else more)}
        for true in (2, 3, 4, 5)
        for at in range(200)
    ]
    return pd.DataFrame(rows).assign(strength=strength)


@pytest.mark.parametrize(("two", "more", "outcome"), [(200, 100, "holds"), (150, 200, "fails")])
def test_shares_of_starts(two, more, outcome):
    weak = ends(0.1, 0, 0)
    penalty = pd.concat([weak, ends(file.STRONGEST, two, more)])
    for name in list(CLAIMS)[:2]:
        assert CLAIMS[name].judge(penalty).outcome == outcome
    plain = ends(0.0, 200, 150).drop(columns="strength")
    verdict = CLAIMS["sorted starts do better than a soft penalty"].judge(penalty, plain)
    assert verdict.outcome == outcome
    assert verdict.effect.estimate == pytest.approx((150 - more) / 200)
