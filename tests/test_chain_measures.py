"""Measures of one run on chains made by hand, next to ArviZ's tables and simple counts."""

import chance
import numpy as np
import pytest

from ordered_mix.draws.chain_measures import chain_measures, sorted_convergence
from ordered_mix.draws.convergence import raw_and_sorted

CALM = np.zeros((4, 200), dtype=bool)


def chains(switched=()):
    """Four well separated chains, those named with their labels exchanged."""
    rng = chance.rng(3)
    mu = np.array([-2.0, 2.0]) + 0.1 * rng.normal(size=(4, 200, 2))
    w = rng.beta(40, 60, size=(4, 200))
    values = [np.stack([w, 1 - w], axis=-1), mu, np.exp(0.1 * rng.normal(size=(4, 200, 2)))]
    for chain in switched:
        for value in values:
            value[chain] = value[chain, :, ::-1]
    return values


def test_they_are_the_extremes_of_the_tables():
    w, mu, sigma = chains(switched=[1])
    found = chain_measures(w, mu, sigma, CALM)
    table = raw_and_sorted(w, mu, sigma).groupby("labels")
    assert found.raw_rhat == pytest.approx(table["rhat"].max()["raw"])
    assert found.rhat == pytest.approx(table["rhat"].max()["sorted"])
    assert found.raw_ess == pytest.approx(table["ess_bulk"].min()["raw"])
    assert found.ess == pytest.approx(table["ess_bulk"].min()["sorted"])
    assert found.tail_ess == pytest.approx(table["ess_tail"].min()["sorted"])
    assert sorted_convergence(w, mu, sigma) == (found.rhat, found.ess)


@pytest.mark.chance
def test_labels_that_differ_between_chains_vanish_by_sorting():
    straight, switched = (chain_measures(*chains(some), CALM) for some in ([], [1, 3]))
    assert straight.raw_rhat == straight.rhat == switched.rhat < chance.rhat_limit(400, 4, 6)
    assert switched.raw_rhat > 1.5
    assert switched.chain_disagreement == pytest.approx(4 / 6)
    assert switched.switching_rate == 0
    np.testing.assert_array_equal(straight.mean, switched.mean)


def test_chains_in_different_places_are_worth_about_one_draw_each():
    w, mu, sigma = chains()
    mu = mu + 5 * np.arange(4)[:, None, None]
    found = chain_measures(w, mu, sigma, CALM)
    assert found.rhat > 1.5
    assert 1 <= found.ess < 10


def test_moments_are_those_of_sorted_draws():
    w, mu, sigma = chains(switched=[0])
    found = chain_measures(w, mu, sigma, CALM)
    order = np.argsort(mu, axis=-1)
    ascending = [np.take_along_axis(values, order, axis=-1) for values in (w, mu, sigma)]
    flat = np.concatenate([ascending[0][..., :1], ascending[1], ascending[2]], axis=-1).reshape(
        -1, 5
    )
    np.testing.assert_allclose(found.mean, flat.mean(axis=0))
    np.testing.assert_allclose(found.sd, flat.std(axis=0))


def test_divergent_draws_are_located():
    w, mu, sigma = chains()
    mu[0, :10, 1] = mu[0, :10, 0] + 1e-3
    divergent = CALM.copy()
    divergent[0, :5] = divergent[2, :3] = True
    found = chain_measures(w, mu, sigma, divergent)
    assert found.divergence_rate == 8 / 800
    assert found.divergent_gap_mass == 5 / 8
    assert found.gap_mass == 10 / 800
    assert chain_measures(w, mu, sigma, CALM).divergent_gap_mass is None


def test_what_never_moves_has_no_draws():
    w, mu, sigma = chains()
    found = chain_measures(w, mu, np.ones_like(sigma), CALM)
    assert found.rhat == found.raw_rhat == np.inf
    assert found.ess == found.raw_ess == found.tail_ess == 1


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match=r"diverging must have shape \(4, 200\), got \(4, 100\)"):
        chain_measures(*chains(), CALM[:, :100])
    with pytest.raises(ValueError, match="1 chain"):
        chain_measures(*(values[:1] for values in chains()), CALM[:1])
