"""Sorting and relabelling of draws whose permutations are known."""

import numpy as np
import pytest

from ordered_mix.draws.relabel.permute import permute, permute_allocations, sort_components


def random_draws(k=3, seed=0):
    rng = np.random.default_rng(seed)
    shape = (2, 25, k)
    return rng.dirichlet(np.ones(k), shape[:2]), rng.normal(size=shape), rng.uniform(1, 2, shape)


@pytest.mark.parametrize("by", ["w", "mu", "sigma"])
def test_sort_sorts_and_carries_along(by):
    draws = random_draws()
    ascending = sort_components(*draws, by=by)
    assert np.all(np.diff(getattr(ascending, by), axis=-1) > 0)
    triples = {tuple(t) for t in np.stack(draws, axis=-1).reshape(-1, 3)}
    assert triples == {tuple(t) for t in np.stack(ascending[:3], axis=-1).reshape(-1, 3)}


@pytest.mark.parametrize("by", ["w", "mu", "sigma"])
def test_sort_forgets_labels(by):
    draws = random_draws(seed=1)
    order = np.random.default_rng(2).permuted(np.broadcast_to(np.arange(3), (2, 25, 3)), axis=-1)
    shuffled = [np.take_along_axis(values, order, axis=-1) for values in draws]
    for first, second in zip(
        sort_components(*draws, by=by)[:3], sort_components(*shuffled, by=by)[:3], strict=True
    ):
        np.testing.assert_array_equal(first, second)


def test_sort_of_sorted_is_identity():
    ascending = sort_components(*random_draws(seed=3))
    again = sort_components(*ascending[:3])
    np.testing.assert_array_equal(again.mu, ascending.mu)
    assert np.all(again.permutation == np.arange(3))


def test_sort_accepts_known_equal_weights_and_one_component():
    _, mu, _ = random_draws(k=2)
    assert np.all(sort_components(np.array([0.5, 0.5]), mu, np.ones(2)).w == 0.5)
    assert sort_components(np.ones(1), mu[..., :1], np.ones(1)).permutation.max() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w": np.array([0.3, 0.7])}, "w is fixed at the unequal values"),
        ({"sigma": np.array([1.0, 2.0])}, "sigma is fixed at the unequal values"),
        ({"by": "mean"}, "by must be one of mu, sigma, w, got 'mean'"),
        ({"mu": np.zeros((4, 2))}, r"mu must have the axes \(chain, draw, component\)"),
        ({"mu": np.full((2, 25, 2), np.inf)}, "mu must be finite, but 100 of its 100 values"),
    ],
)
def test_sort_bad_input(change, message):
    w, mu, sigma = random_draws(k=2)
    arguments = {"w": w, "mu": mu, "sigma": sigma} | change
    with pytest.raises(ValueError, match=message):
        sort_components(**arguments)


def test_permute_follows_the_component_axis_and_allocations_follow_the_components():
    rng = np.random.default_rng(4)
    mu = rng.normal(size=(2, 10, 3))
    order = rng.permuted(np.broadcast_to(np.arange(3), mu.shape), axis=-1)
    other = rng.normal(size=(2, 10, 4, 3, 5))
    z = rng.integers(0, 3, size=(2, 10, 7))
    swapped = permute(mu, order)
    assert swapped[1, 3, 2] == mu[1, 3, order[1, 3, 2]]
    np.testing.assert_array_equal(
        permute(other, order, axis=3)[0, 6, 1, 2], other[0, 6, 1, order[0, 6, 2]]
    )
    np.testing.assert_array_equal(
        np.take_along_axis(swapped, permute_allocations(z, order), axis=-1),
        np.take_along_axis(mu, z, axis=-1),
    )


@pytest.mark.parametrize(
    ("permutation", "message"),
    [
        (np.zeros((2, 10), dtype=int), r"integers with the axes \(chain, draw, component\)"),
        (np.zeros((2, 10, 3)), "permutation must hold integers"),
        (np.zeros((2, 10, 3), dtype=int), "each of 0 to 2 once"),
        (np.broadcast_to([0, 1], (2, 10, 2)), "does not fit values"),
        (np.broadcast_to([0, 1, 2], (2, 9, 3)), "does not fit values"),
    ],
)
def test_permute_bad_permutation(permutation, message):
    with pytest.raises(ValueError, match=message):
        permute(np.zeros((2, 10, 3)), permutation)


def test_permute_bad_axis_and_allocations():
    order = np.broadcast_to([0, 1, 2], (2, 10, 3))
    with pytest.raises(ValueError, match="axis must be a component axis"):
        permute(np.zeros((2, 10, 3)), order, axis=1)
    with pytest.raises(ValueError, match="allocations must lie in 0 to 2, got 0 to 3"):
        permute_allocations(np.full((2, 10, 1), 3) * [0, 1], order)
    with pytest.raises(ValueError, match="allocations must hold integers"):
        permute_allocations(np.zeros((2, 10, 4)), order)
