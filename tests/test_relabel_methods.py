"""Relabelling algorithms: known permutations, brute force over K!, equivariance, bad input."""

from itertools import permutations

import numpy as np
import pytest

from ordered_mix.draws.relabel.data_based import data_based
from ordered_mix.draws.relabel.ecr import ecr, ecr_iterative_1, ecr_iterative_2
from ordered_mix.draws.relabel.methods import METHODS, relabel
from ordered_mix.draws.relabel.normal import responsibilities_of
from ordered_mix.draws.relabel.permute import permute, permute_allocations, pra
from ordered_mix.draws.relabel.responsibilities import sample_allocations
from ordered_mix.draws.relabel.stephens import stephens


def switched_chains(k, separation=3.0, draws=200, seed=0):
    """Data of a mixture of unit normals, noisy draws in random labels, and those labels."""
    rng = np.random.default_rng(seed)
    n = 100 * k
    centres = np.arange(k) * separation
    y = centres[rng.integers(0, k, n)] + rng.normal(size=n)
    shape = (2, draws, k)
    mu = centres + 0.1 * rng.normal(size=shape)
    sigma = np.exp(0.1 * rng.normal(size=shape)) * np.linspace(0.9, 1.1, k)
    w = rng.dirichlet(np.linspace(80, 120, k), size=shape[:2])
    labels = rng.permuted(np.broadcast_to(np.arange(k), shape), axis=-1)
    return y, [permute(values, labels) for values in (w, mu, sigma)], labels


def recovered(permutation, labels):
    """Share of draws that end in the most common labelling; 1 if all labels are undone."""
    final = permute(labels, permutation).reshape(-1, labels.shape[-1])
    return np.unique(final, axis=0, return_counts=True)[1].max() / len(final)


MEANS = [method for method in METHODS if method not in ("sort_sigma", "sort_w")]


@pytest.mark.parametrize("k", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("method", MEANS)
def test_known_permutations_are_recovered(method, k):
    y, draws, labels = switched_chains(k, seed=k)
    found = relabel(*draws, method=method, y=y)
    assert found.converged
    assert recovered(found.permutation, labels) >= 0.99


def test_sorting_by_scale_and_weight_recovers_what_they_separate():
    rng = np.random.default_rng(1)
    shape = (2, 100, 3)
    labels = rng.permuted(np.broadcast_to(np.arange(3), shape), axis=-1)
    sigma = permute(np.array([1.0, 2.0, 4.0]) * rng.uniform(0.9, 1.1, shape), labels)
    w = permute(rng.dirichlet([50, 150, 400], shape[:2]), labels)
    mu = rng.normal(size=shape)
    assert recovered(relabel(w, mu, sigma, "sort_sigma").permutation, labels) == 1
    assert recovered(relabel(w, mu, sigma, "sort_w").permutation, labels) > 0.99


@pytest.mark.parametrize("method", ["stephens", "pra", "ecr", "data_based", "sort_mu"])
def test_twenty_components(method):
    y, draws, labels = switched_chains(20, separation=6.0, draws=30)
    assert recovered(relabel(*draws, method=method, y=y).permutation, labels) == 1


def overlapping(k=3, seed=5):
    y, draws, labels = switched_chains(k, separation=1.5, draws=40, seed=seed)
    p = responsibilities_of(y, *draws)
    return y, draws, labels, p, sample_allocations(p, np.random.default_rng(seed))


@pytest.mark.parametrize("k", [2, 3, 4])
def test_no_permutation_beats_the_assignment_of_stephens(k):
    """At the fixed point each draw's permutation minimises the divergence among all K!."""
    _, _, _, p, _ = overlapping(k)
    found = stephens(p)
    flat, permutation = p.reshape(-1, *p.shape[2:]), found.permutation.reshape(-1, k)
    mean = np.mean([q[:, order] for q, order in zip(flat, permutation, strict=True)], axis=0)
    for q, order in zip(flat, permutation, strict=True):
        losses = {
            other: np.sum(q[:, other] * np.log(q[:, other] / mean))
            for other in permutations(range(k))
        }
        assert losses[tuple(order)] <= min(losses.values()) + 1e-9


@pytest.mark.parametrize("k", [2, 3, 4])
def test_no_permutation_beats_the_assignment_of_ecr_and_pra(k):
    y, draws, _, _, z = overlapping(k)
    pivot = z[0, 3]
    found = ecr(z, pivot, k).permutation.reshape(-1, k)
    parameters = np.stack(draws, axis=-1)
    near = pra(parameters, parameters[1, 7]).permutation.reshape(-1, k)
    flat, parameters = z.reshape(-1, y.size), parameters.reshape(-1, k, 3)
    target = parameters[40 + 7]
    for draw in range(len(flat)):
        orders = [list(order) for order in permutations(range(k))]
        agreed = [np.sum(np.argsort(order)[flat[draw]] == pivot) for order in orders]
        assert np.sum(np.argsort(found[draw])[flat[draw]] == pivot) == max(agreed)
        distance = [np.sum((parameters[draw][order] - target) ** 2) for order in orders]
        best = np.sum((parameters[draw][near[draw]] - target) ** 2)
        assert best == pytest.approx(min(distance), rel=1e-12)


@pytest.mark.parametrize("iterative", ["ecr_1", "ecr_2", "data_based"])
def test_iterative_methods_end_in_a_fixed_point(iterative):
    y, _, _, p, z = overlapping()
    again = {
        "ecr_1": lambda start: ecr_iterative_1(z, 3, start=start),
        "ecr_2": lambda start: ecr_iterative_2(z, p, start=start),
        "data_based": lambda start: data_based(y, z, 3, start=start),
    }[iterative]
    found = again(None)
    assert found.converged
    repeated = again(found.permutation)
    assert repeated.iterations == 1
    np.testing.assert_array_equal(repeated.permutation, found.permutation)


def test_iterations_that_run_out_are_reported():
    _, _, _, p, _ = overlapping()
    shuffled = np.random.default_rng(0).permuted(np.broadcast_to([0, 1, 2], (2, 40, 3)), axis=-1)
    assert not stephens(p, start=shuffled, max_iterations=1).converged


def relabelled_by(name, y, draws, p, z):
    """The relabelled means, so that results can be compared up to one overall permutation."""
    parameters = np.stack(draws, axis=-1)
    found = {
        "stephens": lambda: stephens(p),
        "ecr": lambda: ecr(z, z[0, 0], 3),
        "ecr_1": lambda: ecr_iterative_1(z, 3),
        "ecr_2": lambda: ecr_iterative_2(z, p),
        "data_based": lambda: data_based(y, z, 3),
        "pra": lambda: pra(parameters, parameters[0, 0]),
    }[name]()
    return permute(draws[1], found.permutation)


@pytest.mark.parametrize("name", ["stephens", "ecr", "ecr_1", "ecr_2", "data_based", "pra"])
def test_equivariance_under_relabelling_of_the_input(name):
    y, draws, _, p, z = overlapping(seed=8)
    shuffle = np.random.default_rng(9).permuted(np.broadcast_to([0, 1, 2], (2, 40, 3)), axis=-1)
    swapped = [permute(values, shuffle) for values in draws]
    first = relabelled_by(name, y, draws, p, z)
    second = relabelled_by(
        name, y, swapped, permute(p, shuffle, axis=3), permute_allocations(z, shuffle)
    )
    overall = [np.flatnonzero(first[0, 0] == value)[0] for value in second[0, 0]]
    np.testing.assert_array_equal(first[..., overall], second)


def test_empty_components_and_impossible_points_do_no_harm():
    z = np.zeros((2, 5, 6), dtype=int)
    z[0, :3, :2] = 1
    y = np.arange(6.0)
    for found in (ecr(z, z[0, 0], 3), ecr_iterative_1(z, 3), data_based(y, z, 3)):
        assert found.permutation.shape == (2, 5, 3)
    p = np.zeros((2, 5, 6, 3))
    p[..., 0] = 1
    assert stephens(p).converged


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "stephen"}, "did you mean 'stephens'"),
        ({"y": None}, "y must hold the data for this method"),
        ({"y": [np.nan, 1.0]}, "y must be finite"),
        ({"w": np.array([0.2, 0.8])}, "w is fixed at the unequal values"),
    ],
)
def test_relabel_bad_input(change, message):
    y, (w, mu, sigma), _ = switched_chains(2, draws=5)
    arguments = {"w": w, "mu": mu, "sigma": sigma, "y": y} | change
    with pytest.raises(ValueError, match=message):
        relabel(**arguments)


def test_algorithms_bad_input():
    y, _, _, p, z = overlapping()
    parameters = np.zeros((2, 4, 3, 2))
    for call, message in [
        (lambda: stephens(p[0]), r"\(chain, draw, point, component\)"),
        (lambda: stephens(2 * p), "add up to 1 over components"),
        (lambda: stephens(p, start=np.broadcast_to([0, 1, 2], (2, 39, 3))), "start must have"),
        (lambda: stephens(p, max_iterations=0), "max_iterations must be at least 1"),
        (lambda: ecr(z, z[0, 0], 2), "allocations must lie in 0 to 1 for 2 components"),
        (lambda: ecr(z, z[0, 0, :-1], 3), "pivot must hold 300 points, got 299"),
        (lambda: ecr(z * 1.0, z[0, 0], 3), "allocations must hold integers"),
        (lambda: ecr_iterative_2(z[:, :-1], p), "allocations must have the shape"),
        (lambda: ecr(z[0], z[0, 0], 3), "allocations must hold integers with the axes"),
        (lambda: ecr(z[:, :0], z[0, 0], 3), "all non-empty"),
        (lambda: data_based(y[:-1], z, 3), "y must hold 300 values"),
        (lambda: data_based([*y, 0.0], z, 3), "y must hold 300 values"),
        (lambda: data_based(np.ones(300), z, 3), "not all equal"),
        (lambda: pra(parameters[..., 0], np.zeros((3, 2))), "component, kind"),
        (lambda: pra(parameters, np.zeros((2, 2))), r"pivot must have the shape \(3, 2\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
