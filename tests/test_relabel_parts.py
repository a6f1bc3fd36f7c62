"""Parts of relabelling: separation, uncertainty, barycentre, partition, starts, memory."""

from itertools import permutations, product

import foreign
import numpy as np
import pytest

from ordered_mix.draws.relabel import bures
from ordered_mix.draws.relabel.barycentre import barycentre
from ordered_mix.draws.relabel.data_based import data_based_running
from ordered_mix.draws.relabel.ecr import ecr_iterative_1
from ordered_mix.draws.relabel.effect import bimodality, changed
from ordered_mix.draws.relabel.normal import normal, responsibilities_of
from ordered_mix.draws.relabel.partition import (
    binder,
    co_clustering,
    partition,
    variation_of_information,
)
from ordered_mix.draws.relabel.permute import permute, permute_allocations
from ordered_mix.draws.relabel.responsibilities import (
    BLOCK_BYTES,
    Responsibilities,
    from_log_likelihood,
    given,
    sample_allocations,
)
from ordered_mix.draws.relabel.separation import APART, closest, number, separate
from ordered_mix.draws.relabel.stephens import mean_relabelled, stephens
from ordered_mix.draws.relabel.uncertainty import margin, sample_permutations


def overlapping(k=3, draws=40, seed=5):
    rng = np.random.default_rng(seed)
    y = 1.5 * rng.integers(0, k, 60) + rng.standard_normal(60)
    shape = (2, draws, k)
    labels = rng.permuted(np.broadcast_to(np.arange(k), shape), axis=-1)
    mu = permute(1.5 * np.arange(k) + 0.4 * rng.standard_normal(shape), labels)
    w = permute(rng.dirichlet(np.full(k, 5.0), shape[:2]), labels)
    return y, w, mu, np.ones(shape)


@pytest.mark.parametrize("by", ["mu", "sigma", "w"])
def test_labels_are_chosen_by_what_separates(by):
    rng = np.random.default_rng(1)
    labels = rng.permuted(np.broadcast_to([0, 1], (2, 200, 2)), axis=-1)
    apart = {"mu": [0, 9], "sigma": [0.5, 3.0], "w": [0.1, 0.9]}
    same = {"mu": [0, 0], "sigma": [1.0, 1.0], "w": [0.5, 0.5]}
    truth = {name: apart[name] if name == by else same[name] for name in same}
    mu = foreign.around(truth["mu"], 1.0, rng, labels)
    sigma = np.exp(foreign.around(np.log(truth["sigma"]), 0.1, rng, labels))
    w = foreign.weights_around(truth["w"], rng, labels, 50)
    parameters = {"mu": mu, "sigma": np.log(sigma), "w": w}
    found, _ = separate(parameters, w)
    permutation = number(found.permutation, parameters[by])
    distance, told_by = closest(parameters, permutation, w)
    assert told_by == by and distance > 5 and found.loss == pytest.approx(-distance)
    assert np.array_equal(permute(labels, permutation)[..., 0], np.zeros((2, 200)))


def test_the_choice_of_labels_on_some_draws_is_good_for_all():
    """More draws than are tried, in random labels: no label is lost."""
    rng = np.random.default_rng(11)
    labels = rng.permuted(np.broadcast_to(np.arange(3), (2, 2500, 3)), axis=-1)
    parameters = {
        "place": foreign.around([0, 0, 10], 0.5, rng, labels),
        "spread": foreign.around([0, 10, 0], 0.5, rng, labels),
    }
    found, _ = separate(parameters)
    assert changed(permute(labels, found.permutation)) == 0


@pytest.mark.parametrize("draw", ["normal", "uniform", "exponential"])
def test_components_of_one_distribution_are_not_told_apart(draw):
    """Sorting them separates by 1 (exponential) to 1.41 (uniform) standard deviations."""
    rng = np.random.default_rng(2)
    values = getattr(rng, draw)(size=(2, 4000, 2))
    _, by = separate({"x": values})
    distance, _ = closest({"x": values}, np.argsort(values, axis=-1))
    expected = {"normal": np.sqrt(2 / np.pi) / np.sqrt(1 - 2 / np.pi), "uniform": np.sqrt(2),
                "exponential": 1.0}[draw]  # fmt: skip
    assert by == "x" and distance < APART
    # the ratio of a mean to a standard deviation of 8,000 draws: sd below 2%, six of them
    assert distance == pytest.approx(expected, rel=0.12)


def test_no_single_parameter_need_separate_all_components():
    rng = np.random.default_rng(3)
    labels = rng.permuted(np.broadcast_to(np.arange(3), (2, 150, 3)), axis=-1)
    parameters = {
        "place": foreign.around([0, 0, 10], 0.5, rng, labels),
        "spread": foreign.around([0, 10, 0], 0.5, rng, labels),
    }
    found, _ = separate(parameters)
    assert changed(permute(labels, found.permutation)) == 0
    assert closest(parameters, found.permutation)[0] > 10


def test_margins_are_the_cost_of_the_cheapest_exchange():
    """One parameter with standard deviation 1 within labels: half the change in squares."""
    rng = np.random.default_rng(4)
    values = np.array([0.0, 4, 20]) + rng.standard_normal((2, 50, 3))
    identity = np.broadcast_to(np.arange(3), values.shape)
    flat = values.reshape(-1, 3)
    mean, variance = flat.mean(axis=0), flat.var(axis=0).mean()
    expected = (mean[1] - mean[0]) * (values[..., 1] - values[..., 0]) / variance
    np.testing.assert_allclose(margin({"x": values}, identity), expected, rtol=1e-9)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_sampled_labels_have_their_probabilities(k):
    rng = np.random.default_rng(0)
    values = np.arange(k) + 0.7 * rng.standard_normal((1, 40_000, k))
    identity = np.broadcast_to(np.arange(k), values.shape)
    drawn, kept = sample_permutations({"x": values}, identity, np.random.default_rng(1))
    stays = np.all(drawn == identity, axis=-1)
    error = np.sqrt(np.mean(kept * (1 - kept)) / stays.size)
    assert abs(stays.mean() - kept.mean()) < 5 * error


def test_the_barycentre_has_the_smallest_loss_of_all_labellings():
    rng = np.random.default_rng(6)
    mu, sigma = rng.normal(size=(1, 4, 3)), rng.uniform(0.5, 2, (1, 4, 3))
    found = barycentre(mu, sigma, starts=4)

    def loss(orders):
        order = np.array(orders)[None]
        atoms = np.stack([permute(mu, order), permute(sigma, order)])
        return float(np.sum((atoms - atoms.mean(axis=2, keepdims=True)) ** 2))

    rest = product(permutations(range(3)), repeat=3)
    best = min(loss([(0, 1, 2), *orders]) for orders in rest)
    assert loss(found.permutation[0].tolist()) == pytest.approx(best)
    assert found.loss == pytest.approx(best)


@pytest.mark.parametrize("dims", [1, 3])
def test_distances_of_covariances_that_commute_are_those_of_their_roots(dims):
    rng = np.random.default_rng(14)
    turn = np.linalg.qr(rng.standard_normal((dims, dims)))[0]
    one, two = rng.uniform(0.1, 3, (2, 5, dims))
    covariances = [np.einsum("ij,nj,kj->nik", turn, values**2, turn) for values in (one, two)]
    expected = np.sum((one - two) ** 2, axis=-1)
    np.testing.assert_allclose(bures.squared_distance(*covariances), expected, atol=1e-12)
    mean = np.einsum("ij,j,kj->ik", turn, one.mean(axis=0) ** 2, turn)
    np.testing.assert_allclose(bures.barycentre(covariances[0]), mean, atol=1e-6)


def test_no_covariance_is_closer_to_all_than_the_barycentre():
    rng = np.random.default_rng(15)
    factors = rng.standard_normal((6, 2, 2)) + 1.5 * np.eye(2)
    covariances = factors @ np.swapaxes(factors, -1, -2)
    centre = bures.barycentre(covariances)
    least = bures.squared_distance(centre, covariances).sum()
    for step in 0.05 * rng.standard_normal((40, 2, 2)):
        other = centre + (step + step.T) / 2
        if np.linalg.eigvalsh(other).min() > 0:
            assert bures.squared_distance(other, covariances).sum() > least


def test_barycentres_of_several_dimensions_are_those_of_one():
    """Diagonal covariances in which one dimension is the mixture and the others are constant."""
    rng = np.random.default_rng(16)
    mu, sigma = rng.normal(size=(2, 30, 3)), rng.uniform(0.5, 2, (2, 30, 3))
    wide = np.stack([mu, np.zeros_like(mu)], axis=-1)
    covariance = np.zeros((*mu.shape, 2, 2))
    covariance[..., 0, 0], covariance[..., 1, 1] = sigma**2, 1
    one, several = barycentre(mu, sigma), barycentre(wide, covariance)
    assert several.loss == pytest.approx(one.loss, rel=1e-6)
    orders = (number(found.permutation, mu) for found in (one, several))
    np.testing.assert_array_equal(*orders)
    with pytest.raises(
        ValueError, match=r"sigma must hold covariances of shape \(2, 30, 3, 2, 2\)"
    ):
        barycentre(wide, sigma)


@pytest.mark.parametrize("method", [ecr_iterative_1, stephens])
def test_more_starts_never_end_in_a_larger_loss(method):
    y, w, mu, sigma = overlapping()
    p = responsibilities_of(y, w, mu, sigma)
    if method is stephens:
        losses = [stephens(p, starts=starts).loss for starts in (1, 80)]
        ends = [stephens(p[:, np.roll(np.arange(40), i)], starts=1).loss for i in range(0, 40, 5)]
    else:
        z = sample_allocations(p, np.random.default_rng(0))
        losses = [ecr_iterative_1(z, 3, starts=starts).loss for starts in (1, 80)]
        ends = [ecr_iterative_1(z[:, np.roll(np.arange(40), i)], 3, starts=1).loss
                for i in range(0, 40, 5)]  # fmt: skip
    assert losses[1] <= losses[0] and losses[1] <= min(ends) + 1e-9


def test_the_losses_are_what_they_say():
    y, w, mu, sigma = overlapping()
    p = responsibilities_of(y, w, mu, sigma)
    found = stephens(p)
    q = np.take_along_axis(p, found.permutation[:, :, None], axis=-1)
    assert found.loss == pytest.approx(np.sum(q * np.log(q / q.mean(axis=(0, 1)))))
    z = sample_allocations(p, np.random.default_rng(0))
    agreed = ecr_iterative_1(z, 3)
    relabelled = permute_allocations(z, agreed.permutation).reshape(-1, 60)
    votes = np.stack([(relabelled == j).sum(axis=0) for j in range(3)])
    assert agreed.loss == np.sum(relabelled != votes.argmax(axis=0))


def running_centres(y, z, k):
    """The algorithm of the R package label.switching 1.8, point by point."""
    reach = y.max() - y.min()
    mean, sd = [y.min() + reach / (k + 1)] * k, [reach / k] * k
    seen_mean, seen_sd = [1] * k, [1] * k

    def best(draw):
        def cost(order):
            return sum(((y[draw == c] - mean[j]) ** 2).sum() / sd[j] ** 2
                       for j, c in enumerate(order))  # fmt: skip

        return min(permutations(range(k)), key=cost)

    for index, draw in enumerate(z):
        for j, component in enumerate(best(draw) if index else range(k)[::-1]):
            own = y[draw == component]
            if own.size:
                mean[j] = ((seen_mean[j] - 1) * mean[j] + own.mean()) / seen_mean[j]
                seen_mean[j] += 1
            if own.size > 1:
                sd[j] = ((seen_sd[j] - 1) * sd[j] + own.std(ddof=1)) / seen_sd[j]
                seen_sd[j] += 1
    return np.array([best(draw) for draw in z])


@pytest.mark.parametrize("k", [2, 3])
def test_running_centres_are_those_of_the_r_package(k):
    y, w, mu, sigma = overlapping(k)
    z = sample_allocations(responsibilities_of(y, w, mu, sigma), np.random.default_rng(2))
    z[0, 3] = 0  # all but one component are empty
    found = data_based_running(y, z, k).permutation.reshape(-1, k)
    expected = running_centres(y, z.reshape(-1, y.size), k)
    filled = [len(np.unique(draw)) == k for draw in z.reshape(-1, y.size)]
    np.testing.assert_array_equal(found[filled], expected[filled])


def test_blocks_are_bounded_and_the_same_as_one_array():
    y, w, mu, sigma = overlapping(draws=30)
    many = np.resize(y, 50_000)
    made = normal(many, w, mu, sigma)
    assert isinstance(made, Responsibilities) and made.stored() is not made
    sizes = [block.nbytes for _, block in made]
    assert len(sizes) > 1 and max(sizes) <= BLOCK_BYTES
    assert normal(np.resize(y, 200_000), w, mu, sigma).stored().block is not None
    p = responsibilities_of(y, w, mu, sigma)
    loose = normal(y, w, mu, sigma)
    assert stephens(loose).loss == pytest.approx(stephens(p).loss)
    np.testing.assert_array_equal(stephens(loose).permutation, stephens(p).permutation)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_means_of_relabelled_responsibilities(k):
    rng = np.random.default_rng(k)
    p = rng.dirichlet(np.ones(k), (2, 50, 7))
    permutation = rng.permuted(np.broadcast_to(np.arange(k), (100, k)), axis=-1)
    expected = np.take_along_axis(p.reshape(100, 7, k), permutation[:, None], axis=-1).mean(axis=0)
    np.testing.assert_allclose(mean_relabelled(given(p), permutation), expected, rtol=1e-13)


def test_responsibilities_follow_from_log_likelihoods():
    y, w, mu, sigma = overlapping()
    density = -0.5 * (y[:, None] - mu[:, :, None]) ** 2
    p = from_log_likelihood(density, w)
    expected = responsibilities_of(y, w, mu, sigma)
    np.testing.assert_allclose(np.concatenate([b for _, b in p]).reshape(expected.shape), expected)
    with pytest.raises(ValueError, match="log_likelihood must be numbers or -inf"):
        from_log_likelihood(np.full((1, 2, 3, 2), -np.inf))


def test_bimodality():
    rng = np.random.default_rng(7)
    normal_, two = rng.standard_normal(20_000), np.array([0.0, 1.0] * 50)
    # the best split of a normal distribution is at its mean and explains 2 / pi
    assert bimodality(normal_) == pytest.approx(2 / np.pi, abs=0.02)
    assert bimodality(rng.random(20_000)) == pytest.approx(0.75, abs=0.01)
    assert bimodality(two) == pytest.approx(1)
    assert np.isnan(bimodality(np.ones(9)))


def partitions(n):
    """Every partition of n points, as clusters in the order of their first points."""
    if n == 0:
        yield ()
        return
    for one in partitions(n - 1):
        for cluster in range(max(one, default=-1) + 2):
            yield (*one, cluster)


@pytest.mark.parametrize(("loss", "of"), [("binder", binder), ("vi", variation_of_information)])
def test_the_partition_is_the_best_of_all(loss, of):
    rng = np.random.default_rng(9)
    truth = np.array([0, 0, 0, 1, 1, 2])
    z = np.where(rng.random((2, 40, 6)) < 0.15, rng.integers(0, 3, (2, 40, 6)), truth)
    labels = rng.permuted(np.broadcast_to(np.arange(3), (2, 40, 3)), axis=-1)
    switched = np.take_along_axis(labels, z, axis=-1)
    similarity = co_clustering(switched)
    np.testing.assert_allclose(similarity, co_clustering(z))
    same = (z[..., :, None] == z[..., None, :]).mean(axis=(0, 1))
    np.testing.assert_allclose(similarity, same)
    found = partition(switched, loss)
    best = min(of(np.array(one), similarity) for one in partitions(6))
    assert found.loss == pytest.approx(best)
    assert tuple(found.clusters) == (0, 0, 0, 1, 1, 2)


def test_co_clustering_of_responsibilities_needs_no_sampling():
    y, w, mu, sigma = overlapping(draws=400)
    p = responsibilities_of(y[:8], w, mu, sigma)
    exact = np.einsum("cdik,cdjk->ij", p, p) / 800
    np.fill_diagonal(exact, 1)
    np.testing.assert_allclose(co_clustering(responsibilities=p), exact)
    with pytest.raises(ValueError, match="one of them"):
        co_clustering()
    with pytest.raises(ValueError, match="loss must be one of vi, binder"):
        partition(np.zeros((1, 2, 3), dtype=int), "squared")
