"""Points in several dimensions: shipped sets, files, data frames, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.datasets import load_iris, load_wine

from ordered_mix.data import Data, as_data, as_points, load, load_points, shipped_points
from ordered_mix.mixture import Mixture

SIZES = {
    "diabetes": (145, 3),
    "faithful": (272, 2),
    "iris": (150, 4),
    "three_groups": (400, 3),
    "wine": (178, 13),
}
THREE_GROUPS = Mixture(
    [0.5, 0.3, 0.2],
    [[0.0, 0.0, 0.0], [2.0, 1.0, -1.0], [-1.0, 2.5, 1.0]],
    covariance=[
        0.5 * np.eye(3) + 0.5,
        np.diag([0.25, 1.0, 2.25]),
        [[0.5, -0.3, 0.0], [-0.3, 0.5, 0.0], [0.0, 0.0, 1.0]],
    ],
)


def written(tmp_path, text, name="points.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_sets_have_their_sizes():
    assert {name: load_points(name).y.shape for name in shipped_points()} == SIZES


def test_shipped_sets_are_those_of_scikit_learn():
    np.testing.assert_array_equal(load_points("iris").y, load_iris().data)
    np.testing.assert_array_equal(load_points("wine").y, load_wine().data)


def test_diabetes_has_the_published_means():
    """Mean of each column as in the summary of R's mclust data set."""
    np.testing.assert_allclose(
        load_points("diabetes").y.mean(axis=0), [121.9862, 543.6138, 186.1172], atol=5e-5
    )


def test_faithful_has_the_columns_that_load_gives():
    points = load_points("faithful")
    assert points.columns == ("eruptions", "waiting")
    for at, column in enumerate(points.columns):
        np.testing.assert_array_equal(points.y[:, at], load(f"faithful:{column}").y)


def test_load_and_as_data_tell_one_column_from_several():
    for name in ("faithful", "iris:petal_width,petal_length"):
        one, other = load(name), load_points(name)
        assert one.columns == other.columns and one.event_shape == (2,)
        np.testing.assert_array_equal(one.y, other.y)
        for given in (name, one):
            with pytest.raises(ValueError, match=r"one column of numbers, got Data\(.*, d=2\)"):
                as_data(given)
    assert load("faithful:waiting").event_shape == ()
    with pytest.raises(ValueError, match="data must be columns of numbers"):
        as_points(load("faithful:waiting"))


def test_numbers_are_the_case_of_one_column():
    y, weight = np.random.default_rng(2).normal(size=(2, 9)) + 7.0, np.arange(18.0).reshape(2, 9)
    numbers, points = Data(y, weight), Data.of_points(y[..., None], weight)
    assert (points.n, points.d, points.batch_shape) == (numbers.n, numbers.d, (2,))
    np.testing.assert_array_equal(points.total_weight, numbers.total_weight)
    np.testing.assert_array_equal(points.location[..., 0], numbers.location)
    np.testing.assert_array_equal(points.scale[..., 0], numbers.scale)
    own = points.standardized()
    np.testing.assert_array_equal(own.y[..., 0], numbers.standardized().y)
    moved = points.affine(1.0, 2.0)
    np.testing.assert_array_equal(moved.y[..., 0], numbers.affine(1.0, 2.0).y)


def test_simulated_points_come_from_the_mixture_that_is_published():
    """The log likelihood of the truth is its expectation but for four standard errors."""
    points = load_points("three_groups")
    own = THREE_GROUPS.log_density(points.y)
    other = THREE_GROUPS.log_density(THREE_GROUPS.sample(20_000, np.random.default_rng(1)))
    assert abs(own.mean() - other.mean()) < 4 * own.std() / np.sqrt(points.n)
    mahalanobis = points.y - THREE_GROUPS.w @ THREE_GROUPS.mu
    assert stats.norm.sf(abs(mahalanobis.mean(axis=0)).max() * np.sqrt(points.n) / 2) > 1e-4


def test_some_columns_in_any_order():
    one = load_points("iris:petal_width,petal_length")
    np.testing.assert_array_equal(one.y, load_points("iris").y[:, [3, 2]])
    assert load_points("iris", where="species=setosa").n == 50


def test_columns_of_a_file(tmp_path):
    path = written(tmp_path, 'x,"a,b",z\n1,2,3\n4,NA,6\n7,5,9\n2,1,0\n3,3,3\n')
    points = load_points(f'{path}:z,"a,b"', drop_missing=True)
    assert points.y.tolist() == [[3, 2], [9, 5], [0, 1], [3, 3]]
    assert points.columns == ("z", "a,b") and points.name == "points:z,a,b"


def test_counts_repeat_the_points(tmp_path):
    path = written(tmp_path, "x,y,count\n1,2,2\n4,0,1\n7,5,0\n0,1,1\n")
    assert load_points(f"{path}:x,y*count").y.tolist() == [[1, 2], [1, 2], [4, 0], [0, 1]]


def test_a_data_frame_keeps_its_names_and_an_array_gets_some():
    y = np.random.default_rng(0).normal(size=(20, 2))
    assert as_points(pd.DataFrame(y, columns=["p", "q"])).columns == ("p", "q")
    assert as_points(y).columns == ("x1", "x2")
    points = as_points(Data.of_points(y, np.arange(20.0)))
    assert points.weight is not None and as_points(y.tolist()).n == 20


def test_correlation_counts_weights_as_repetitions():
    y, weight = np.random.default_rng(1).normal(size=(9, 3)), np.arange(9)
    points = Data.of_points(y, weight)
    expected = np.corrcoef(np.repeat(y, weight, axis=0).T)
    np.testing.assert_allclose(points.correlation, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("x,y\n1,2\n3,4\n5,7\n", "", r"must be different names between commas, as in FILE"),
        ("x,y\n1,2\n3,4\n5,7\n", "x,x", "must be different names between commas"),
        ("x,y\n1,2\n3,4\n5,7\n", "x,z", "column 'z' is in .* not at all"),
        ("x,y\n1,2\n3,\n5,7\n", "x,y", "line 3 has an empty cell: --drop-missing leaves it out"),
        ("x,y\n1,2\n3,4\n", "x,y", "must have more points than its 2 columns, it has 2"),
        ("x,y\n1,2\n3,2\n5,2\n", "x,y", "no coordinate of y may be constant, y of points:x,y is"),
        (
            "x,y,u,z\n1,2,0,3\n3,4,9,7\n5,7,1,12\n0,1,4,1\n8,1,3,9\n",
            "x,y,u,z",
            "must not be collinear, x, y and z of its 5 points are",
        ),
    ],
)
def test_bad_files_are_named_in_one_sentence(tmp_path, text, columns, message):
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=message):
        load_points(f"{path}:{columns}" if columns else path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("irsi", r"data must be FILE.csv:x,y or one of .*, did you mean 'iris'"),
        ("iris:species,petal_width", "must hold finite numbers .* has 'setosa'"),
        ([1.0, 2.0, 3.0], r"data must be an array of shape \(n, d\), got \(3,\)"),
        ([["a", "b"]], "data must be columns of numbers"),
        ([[1.0, np.nan], [2.0, 1.0]], "y must be finite, 1 of 4 values of data are not"),
        (Data.of_points(np.eye(2)), "must have more points than its 2 columns"),
        (pd.DataFrame({"x": [1, pd.NA, 3], "y": [1, 2, 4]}), "must be columns of numbers"),
    ],
)
def test_bad_sources_are_named_in_one_sentence(source, message):
    with pytest.raises(ValueError, match=message):
        as_points(source)


def test_names_of_columns_must_be_different():
    with pytest.raises(ValueError, match=r"columns must hold 2 different names, got \('x', 'x'\)"):
        Data.of_points(np.random.default_rng(0).normal(size=(5, 2)), columns=("x", "x"))
