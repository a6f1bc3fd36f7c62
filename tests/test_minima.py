"""Minima of location mixtures: structure, Newton polishing, continuation, and starting means."""

import numpy as np
import pytest

from ordered_mix.data import Data, population
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial_means import initial_means
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.theory.continuation import branch, fold
from ordered_mix.theory.minima import Group, approximation_error, shared_mass, structure
from ordered_mix.theory.polish import Derivatives, Landscape, Minimum, _descend, distinct, polish


def truth_at(reach):
    return Mixture(np.full(3, 1 / 3), np.array([-reach, 0.0, reach]), 1.0)


def landscape_at(reach, k=3, step=0.02):
    return Landscape(population(truth_at(reach), step), np.full(k, 1 / k))


def structure_of(landscape, truth, means):
    y = landscape.data.y
    fitted = Mixture(landscape.w, np.ravel(means), 1.0)
    mass = shared_mass(fitted.responsibilities(y), truth.responsibilities(y), landscape.data.weight)
    assert mass.sum() == pytest.approx(1)
    return structure(mass)


# Truth's reach, start, means, excess negative log likelihood, smallest eigenvalue, structure.
VALUES = [
    (12, (-11, 1, 12), (-12, 0, 12), 0.0, 0.3333333, "1:1 1:1 1:1"),
    (12, (-12.3, -11.6, 6), (-12.263263, -11.692921, 6.010744), 11.765424, 0.02601523, "1:2 2:1"),
    (12, (-12.3, -12.2, -11.4, 6), (-12.231503, -12.231503, -11.427377, 6.016022), 11.916831,
     0.01186957, "1:2 3:1"),
    (4, (-3, 3), (-2.920920, 2.920920), 0.671999178, 0.1281128, "2:3"),
    (4, (-4, -0.6, 0.5, 4), (-4.111189, -0.724105, 0.724105, 4.111189), 0.042330777, 0.04784143,
     "1:1 1:1 2:1"),
]  # fmt: skip


@pytest.mark.parametrize(("reach", "start", "means", "excess", "eigenvalue", "pattern"), VALUES)
def test_reference_minima(reach, start, means, excess, eigenvalue, pattern):
    landscape, truth = landscape_at(reach, len(start)), truth_at(reach)
    found = polish(landscape, start)
    best = Landscape(landscape.data, truth.w).evaluate(truth.mu[:, None]).value
    assert found.certified
    np.testing.assert_allclose(found.mu[:, 0], means, atol=6e-7)
    assert found.value - best == pytest.approx(excess, abs=6e-7)
    assert found.smallest_eigenvalue == pytest.approx(eigenvalue, abs=6e-8)
    structured = structure_of(landscape, truth, found.mu)
    assert structured.pattern == pattern and structured.holds == (pattern != "2:3")


def test_entropy_of_the_wide_truth():
    found = landscape_at(12).evaluate([[-12.0], [0.0], [12.0]])
    assert found.value == pytest.approx(2.517550818, abs=1e-9)


def test_the_spurious_minimum_appears_in_a_fold():
    begin = polish(landscape_at(12, step=0.04), (-12.3, -11.6, 6))
    points = branch(lambda reach: landscape_at(reach, step=0.04), begin.mu, 12.0, -0.25, 24)
    signs = [point.smallest_eigenvalue > 0 for point in points]
    assert signs[0] and not signs[-1]
    assert points[-1].parameter > points[signs.index(False)].parameter - 0.05
    for point in points:
        slope = landscape_at(point.parameter, step=0.04).evaluate(point.mu).gradient
        assert np.linalg.norm(slope) < 1e-9
    found = fold(landscape_at, points[signs.index(False)])
    assert found.parameter == pytest.approx(10.046942, abs=6e-7)
    assert abs(found.smallest_eigenvalue) < 1e-9


def test_below_the_fold_the_spurious_start_ends_at_the_truth():
    found = polish(landscape_at(10), (-10.5, -9.1, 5.1))
    np.testing.assert_allclose(found.mu[:, 0], [-10, 0, 10], atol=1e-9)


def test_no_fold_is_an_error():
    begin = polish(landscape_at(12, step=0.1), (-12.0, 0.0, 12.0))
    (point,) = branch(lambda reach: landscape_at(reach, step=0.1), begin.mu, 12.0, -0.1, 0)
    with pytest.raises(RuntimeError, match="no fold"):
        fold(lambda reach: landscape_at(reach, step=0.1), point)


@pytest.mark.parametrize("d", [1, 2])
def test_derivatives_match_finite_differences(d):
    rng = np.random.default_rng(d)
    points, weight = rng.normal(size=(30, d)) * 2, rng.uniform(0.5, 2, 30)
    data = Data(points[:, 0], weight) if d == 1 else Data.of_points(points, weight)
    landscape, mu = Landscape(data, [0.2, 0.3, 0.5]), rng.normal(size=(3, d))
    found = landscape.evaluate(mu)
    nudges = 1e-5 * np.eye(3 * d).reshape(-1, 3, d)
    ahead = [landscape.evaluate(mu + nudge) for nudge in nudges]
    behind = [landscape.evaluate(mu - nudge) for nudge in nudges]
    slopes = [(a.value - b.value) / 2e-5 for a, b in zip(ahead, behind, strict=True)]
    bends = [(a.gradient - b.gradient) / 2e-5 for a, b in zip(ahead, behind, strict=True)]
    np.testing.assert_allclose(found.gradient, slopes, atol=1e-9)
    np.testing.assert_allclose(found.hessian, bends, atol=1e-8)
    np.testing.assert_allclose(found.hessian, found.hessian.T, atol=1e-15)


def test_value_and_em_step_are_those_of_em():
    data = Data(np.array([-1.0, 1.0, 3.0, 4.0]), np.array([1.0, 2.0, 1.0, 0.5]))
    start = Mixture([0.5, 0.5], [0.0, 3.0], 1.0)
    found = Landscape(data, [0.5, 0.5]).evaluate(start.mu[:, None])
    fit = EM(frozen=("w", "sigma"), stop=Stop(0.0, passes=2)).fit(
        parameterization("unordered", 2), data, start
    )
    assert found.value == pytest.approx(-fit.trace.log_likelihood[0] / 4.5, rel=1e-13)
    moved = np.abs(fit.mixture.mu - start.mu).max()
    assert found.em_step == pytest.approx(moved, rel=1e-12)


def test_a_saddle_is_left():
    landscape = landscape_at(4, 2)
    assert np.linalg.norm(landscape.evaluate([[0.0], [0.0]]).gradient) < 1e-12
    found = polish(landscape, (0.0, 0.0))
    assert found.certified
    np.testing.assert_allclose(np.sort(found.mu[:, 0]), [-2.920920, 2.920920], atol=6e-7)


def test_a_move_that_climbs_is_halved_until_it_descends():
    class Bowl:
        def evaluate(self, mu):
            x = float(mu[0, 0])
            return Derivatives(x**2, np.array([2 * x]), np.array([[2.0]]), np.ones(1))

    start = np.array([[1.0]])
    here = Bowl().evaluate(start)
    assert _descend(Bowl(), start, np.array([-4.0]), here)[0] == 0.0
    assert _descend(Bowl(), start, np.array([1.0]), here) is None


def test_a_component_without_data_is_not_certified():
    landscape = landscape_at(4, 2)
    one = polish(landscape, (0.0, 60.0))
    assert one.gradient_norm < 1e-9 and not one.certified and np.isinf(one.em_step)


def test_merged_components_are_certified_although_flat():
    landscape = Landscape(population(Mixture([1.0], [0.0], 1.0), 0.05), [0.5, 0.5])
    found = polish(landscape, (-0.4, 0.5))
    assert found.certified and np.abs(found.mu).max() < 2e-3


def test_distinct_merges_relabelled_minima():
    def minimum(value, *means):
        return Minimum(np.array(means)[:, None], value, 0.0, 1.0, 0.0)

    given = [minimum(2.0, 0, 3), minimum(1.0, 0, 1), minimum(2.0, 3.001, 0), minimum(1.5, 0, 3.1)]
    kept, label = distinct(given)
    assert [one.value for one in kept] == [1.0, 1.5, 2.0]
    assert label == [2, 0, 2, 1]


CONSTRUCTED = [
    (np.eye(3) / 3, "1:1 1:1 1:1", True, "exact"),
    ([[0.25, 0], [0.25, 0], [0, 0.5]], "1:1 2:1", True, "many_fit_one"),
    ([[0.25, 0.25, 0], [0, 0, 0.5]], "1:1 1:2", True, "one_fit_many"),
    ([[0.25, 0.25, 0], [0, 0.25, 0.25]], "2:3", False, "mixed"),
    ([[0.5, 0.5], [0.0005, 0]], "1:0 1:2", True, "one_fit_many"),
    ([[0.198, 0.002]] * 5, "0:1 5:1", True, "uncovered"),
]


@pytest.mark.parametrize(("mass", "pattern", "holds", "kind"), CONSTRUCTED)
def test_classifier_on_constructed_masses(mass, pattern, holds, kind):
    found = structure(mass)
    assert sorted(found.pattern.split()) == sorted(pattern.split())
    assert found.holds is holds and kind in {group.kind for group in found.groups}
    fits = [j for group in found.groups for j in group.fits]
    trues = [s for group in found.groups for s in group.trues]
    assert sorted(fits) == list(range(len(mass)))
    assert sorted(trues) == list(range(len(mass[0])))


def test_classifier_does_not_depend_on_labels():
    rng = np.random.default_rng(3)
    for _ in range(20):
        mass = rng.dirichlet(np.full(12, 0.2)).reshape(4, 3)
        shuffled = mass[rng.permutation(4)][:, rng.permutation(3)]
        assert structure(shuffled).pattern == structure(mass).pattern


def test_approximation_error_of_each_kind():
    groups = structure([[0.2, 0.2, 0.0], [0.0, 0.0, 0.3], [0.0, 0.0, 0.3]])
    assert groups.groups == (Group((0,), (0, 1)), Group((1, 2), (2,)))
    assert not groups.exact
    true, fitted = [[0.0], [3.0], [9.0]], [[1.1], [8.9], [9.3]]
    error = approximation_error(groups, fitted, true, [2.0, 1.0, 1.0])
    assert error == pytest.approx(0.3)
    error = approximation_error(groups, [[1.5], [9.0], [9.0]], true, [2.0, 1.0, 1.0])
    assert error == pytest.approx(0.5)
    mixed = structure([[0.25, 0.25, 0], [0, 0.25, 0.25]])
    assert np.isnan(approximation_error(mixed, fitted[:2], true, np.ones(3)))


@pytest.mark.parametrize("method", ["random", "kmeans++", "spread"])
def test_starting_means(method):
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(c, 0.1, (50, 2)) for c in (0.0, 100.0)])
    found = initial_means(points, 2, 30, method, 1)
    assert found.shape == (30, 2, 2)
    np.testing.assert_array_equal(found, initial_means(points, 2, 30, method, 1))
    apart = np.abs(found[:, 0, 0] - found[:, 1, 0])
    if method == "kmeans++":
        assert (apart > 99).all()
    if method == "random":
        assert 5 < np.sum(apart > 99) < 25
        assert np.isin(found[..., 0], points[:, 0]).all()
    if method == "spread":
        assert found.min() < -5 and found.max() > 105


def test_starting_means_follow_the_weights():
    found = initial_means([[0.0], [1.0], [2.0]], 2, 20, "random", 0, [1.0, 0.0, 3.0])
    assert set(found.ravel()) == {0.0, 2.0}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"k": 9}, "k must"),
        ({"k": 0}, "k must"),
        ({"starts": 0}, "starts"),
        ({"method": "best"}, "method"),
    ],
)
def test_bad_starts_are_refused(change, word):
    given = {"points": np.arange(5.0)[:, None], "k": 2, "starts": 3, "method": "random", "seed": 0}
    with pytest.raises(ValueError, match=word):
        initial_means(**{**given, **change})


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="points"):
        initial_means(np.arange(5.0), 2, 3, "random", 0)
    with pytest.raises(ValueError, match="batch"):
        Landscape(Data(np.zeros((2, 5))), [1.0])
    with pytest.raises(ValueError, match="positive weights"):
        Landscape(Data(np.arange(5.0)), [0.5, 0.6])
    with pytest.raises(ValueError, match="mass"):
        structure([0.5, 0.5])
    landscape = Landscape(Data(np.arange(5.0)), [0.5, 0.5])
    for mu in ([0.0, 1.0, 2.0], [[0.0, 1.0], [1.0, 2.0]], 0.0):
        with pytest.raises(ValueError, match=r"mu must have the shape \(2, 1\), got"):
            landscape.evaluate(mu)


def test_means_in_one_dimension_may_be_a_vector():
    landscape = Landscape(Data(np.arange(5.0)), [0.5, 0.5])
    vector, column = (landscape.evaluate(mu) for mu in ([0.5, 3.0], [[0.5], [3.0]]))
    for one, other in zip(vector, column, strict=True):
        np.testing.assert_array_equal(one, other)
