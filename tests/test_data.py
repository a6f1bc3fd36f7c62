"""Data: weights, standardisation at any offset and scale, shipped sets, hostile CSV files."""

import math
from fractions import Fraction
from pathlib import Path

import chance
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from ordered_mix.data import Data, load, population, shipped, simulate
from ordered_mix.mixture import Mixture

SIZES = {
    "acidity": 155,
    "enzyme": 245,
    "faithful:eruptions": 272,
    "faithful:waiting": 272,
    "galaxies": 82,
    "low_dim_gauss_mix": 1000,
}


def exact_moments(y, weight):
    """Mean and standard deviation in rational arithmetic."""
    y, weight = [Fraction(float(v)) for v in y], [Fraction(float(v)) for v in weight]
    mean = sum(w * v for w, v in zip(weight, y, strict=True)) / sum(weight)
    variance = sum(w * (v - mean) ** 2 for w, v in zip(weight, y, strict=True)) / sum(weight)
    return float(mean), math.sqrt(variance.numerator / variance.denominator)


@pytest.mark.parametrize(("location", "scale"), [(0, 1), (1e9, 1), (-1e9, 1e-3), (1e-9, 1e-9)])
@pytest.mark.parametrize("weighted", [False, True])
def test_location_and_scale_are_exact_at_any_offset(location, scale, weighted):
    rng = np.random.default_rng(0)
    y = location + scale * rng.normal(size=40)
    weight = rng.gamma(1.0, size=40) if weighted else None
    data = Data(y, weight)
    mean, sd = exact_moments(y, np.ones(40) if weight is None else weight)
    np.testing.assert_allclose(data.location, mean, rtol=0, atol=4e-16 * max(abs(mean), sd))
    np.testing.assert_allclose(data.scale, sd, rtol=1e-12)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=20),
    st.floats(1e-6, 1e6),
)
def test_standardised_data_have_mean_0_and_scale_1(y, weight):
    data = Data(y, np.full(len(y), weight))
    if np.ptp(y) == 0:
        with pytest.raises(ValueError, match="must not be constant"):
            data.standardized()
    elif np.ptp(y) > 1e-290 and np.ptp(y) > 1e-12 * np.max(np.abs(y)):
        z = data.standardized()
        np.testing.assert_allclose(z.y.mean(), 0, atol=1e-3)
        np.testing.assert_allclose(z.y.std(), 1, rtol=1e-3)


def test_values_near_the_largest_double_are_standardised():
    data = Data([0.0, 1e308, 5e307, 1.7e308])
    z = data.standardized().y
    np.testing.assert_allclose([z.mean(), z.std()], [0, 1], atol=1e-12)


def test_a_span_beyond_the_largest_double_is_refused():
    with pytest.raises(ValueError, match=r"y must span less than 1\.8e\+308, far spans more"):
        Data([-1.5e308, 1.5e308], name="far")


def test_constant_data_are_recognised_whatever_the_rounding_of_their_mean():
    for value in (0.1, 1e9 + 0.1, -7.7e-300):
        for n in (3, 7, 10):
            data = Data(np.full(n, value), name="flat")
            assert data.scale == 0 and data.location == value
            with pytest.raises(ValueError, match="y must not be constant, all points of flat"):
                data.standardized()


def test_points_without_weight_do_not_count():
    data = Data([0.1, 5.0, 9.0], weight=[2.0, 0.0, 0.0])
    assert (data.location, data.scale) == (0.1, 0.0)
    other = Data([0.0, 1.0, 1e300], weight=[1.0, 1.0, 0.0])
    np.testing.assert_allclose([other.location, other.scale], 0.5)
    assert other.standardized().y.tolist() == [-1.0, 1.0, 0.0]


def test_batches_are_standardised_row_by_row():
    rng = np.random.default_rng(0)
    y = rng.normal([[1.0], [1e6]], [[1.0], [1e3]], (2, 50))
    data = Data(y)
    assert data.location.shape == data.scale.shape == data.total_weight.shape == (2,)
    for row in range(2):
        np.testing.assert_allclose(data.standardized().y[row], Data(y[row]).standardized().y)


def test_data_do_not_change_with_the_array_they_came_from():
    y = np.arange(4.0)
    data = Data(y)
    y[0] = 100.0
    assert data.y[0] == 0.0


def test_huge_and_tiny_weights():
    for weight in (1e-300, 1e300):
        data = Data([0.0, 1.0, 2.0], weight=[weight] * 3)
        np.testing.assert_allclose([data.location, data.scale], [1.0, np.sqrt(2 / 3)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "y must hold at least one point, data holds none"),
        (([1.0, np.nan],), "y must be finite, 1 of 2 values of data are not"),
        (([1.0, np.inf, -np.inf],), "y must be finite, 2 of 3 values"),
        ((["one"],), "y must hold numbers only"),
        (([1.0, None],), "y must be finite, 1 of 2"),
        (([[1.0], [1.0, 2.0]],), "y must hold numbers only"),
        (([1.0, 2.0], [1.0]), r"weight must have the shape of y, \(2,\), got \(1,\)"),
        (([1.0, 2.0], [1.0, -1.0]), "weight must be non-negative with a positive and finite sum"),
        (([1.0, 2.0], [0.0, 0.0]), "weight must be non-negative with a positive and finite sum"),
        (([1.0, 2.0], [1e308, 1e308]), "weight must be non-negative with a positive and finite"),
        (([1.0, 2.0], [1.0, np.nan]), "weight must be finite, 1 of 2"),
    ],
)
def test_bad_values_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Data(*arguments)


def test_shipped_sets_load_by_name():
    assert shipped() == sorted(SIZES)
    for name, n in SIZES.items():
        data = load(name)
        assert (data.n, data.name, data.weight) == (n, name, None)


def test_the_galaxies_are_the_corrected_ones():
    y = load("galaxies").y
    assert 26960 in y and 26690 not in y


def write(folder: Path, text: str | bytes, name: str = "my.csv") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n3,4.5\n",
        "﻿a,b\r\n1,2\r\n3,4.5\r\n",
        '"a","b"\n"1","2"\n"3","4.5"',
        "a,b\r1,2\r3,4.5\r",
        "\n\n a , b \n 1 , 2 \n\n3,4.5\n   \n\n",
        'a, "b"\n1, "2"\n3, 4.5\n',
        'a,b,note\n1,2,"x, y\nz"\n3,45e-1\n',
        "a,b,\n1,2,\n3,4.5,\n",
        "a,b\n1,2,\n3,4.5\n",
        "a,b\n,2\ntext,+4.5\n",
    ],
)
def test_a_column_of_a_file(tmp_path, text):
    data = load(write(tmp_path, text) + ":b")
    assert data.y.tolist() == [2.0, 4.5]
    assert data.name == "my:b"


def test_the_column_may_be_left_out_if_there_is_one(tmp_path):
    path = write(tmp_path, "height\n1\n2\n")
    assert load(path).y.tolist() == [1.0, 2.0]
    assert load(Path(path)).name == "my"
    assert load(f"{path}:height").name == "my:height"


def test_a_column_may_be_called_by_a_number_or_hold_a_colon_in_its_path(tmp_path):
    assert load(write(tmp_path, "2020,2021\n1,2\n3,4\n") + ":2021").y.tolist() == [2.0, 4.0]
    assert load(write(tmp_path, "x\n1\n2\n", name="a:b.csv") + ":x").y.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", "", "is an empty file"),
        ("\n \n", "", "is an empty file"),
        ("a,b\n", "a", "has a header and no rows"),
        ("a,b\n1,2\n", "", "must name one of its columns: a, b"),
        ("a,b\n1,2\n", "c", "column 'c' is in .* not at all, its columns are a, b"),
        ("a,a\n1,2\n", "a", "column 'a' is in .* more than once, its columns are a, a"),
        ("a,b\n1,2\n3,\n", "b", "line 3 has an empty cell"),
        ("a,b\n1,2\n3\n", "b", "line 3 has an empty cell"),
        ("a\n1\n\n\nNA\n", "a", "line 5 has 'NA'"),
        ("a\n1\nnan\n", "a", "line 3 has 'nan'"),
        ("a\n1\n-inf\n", "a", "line 3 has '-inf'"),
        ("a\n1\n1e999\n", "a", "line 3 has '1e999'"),
        ("a\n1\n1_000\n", "a", "line 3 has '1_000'"),
        ("a\n1\n" + 100 * "x" + "\n", "a", r"line 3 has 'x{40}\.\.\.'"),
        ('a\n"1,5"\n', "a", "finite numbers with decimal points only, line 2 has '1,5'"),
        ("a\n1,5\n2,5\n", "a", "decimal points and 1 cells a line .* line 2 has 2 cells"),
        ("a,b\n1,5,2,5\n", "a", "decimal points and 2 cells a line .* line 2 has 4 cells"),
        ("a;b\n1,5;2,5\n", "a", "separated by commas with decimal points, .* by semicolons"),
        ("a;b\n1;2\n", "b", "separated by commas with decimal points, .* by semicolons"),
        ("a\tb\n1\t2\n", "", "separated by commas with decimal points, .* by tabs"),
        ("3.6\n1.8\n3.3\n", "", "must begin with a header line, it begins with '3.6'"),
        ("a\n\x00\n", "a", "line 2 has"),
        ('a\n"' + 200_000 * "1", "a", "is not a CSV file: field larger than field limit"),
        (b"\xff\xfea\x001\x00", "", "must be text in UTF-8, it is not"),
        (b"caf\xe9\n1\n", "", "must be text in UTF-8, it is not"),
    ],
)
def test_hostile_files_get_one_clear_sentence(tmp_path, text, column, message):
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        load(f"{path}:{column}" if column else path)
    sentence = str(caught.value)
    assert "\n" not in sentence and path in sentence


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "faithfull",
            "one of acidity, .*, got 'faithfull', did you mean 'faithful'",
        ),
        ("galaxy", "got 'galaxy', did you mean 'galaxies'"),
        ("", "data must be FILE.csv:column or one of"),
        ("nowhere.csv:x", "data file 'nowhere.csv' does not exist"),
        ("nowhere.csv", "data file 'nowhere.csv' does not exist"),
        ("nowhere.parquet", "data file 'nowhere.parquet' does not exist"),
    ],
)
def test_sources_that_do_not_exist_are_named(source, message):
    with pytest.raises(ValueError, match=message):
        load(source)


@pytest.mark.chance
def test_simulations_are_seeded_and_follow_the_mixture():
    mixture = Mixture([0.3, 0.7], [-2.0, 1.0], [0.5, 1.5])
    one, same, other = (simulate(mixture, 4000, seed=chance.seed(base)).y for base in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)

    def distribution(y):
        return 0.3 * stats.norm.cdf(y, -2, 0.5) + 0.7 * stats.norm.cdf(y, 1, 1.5)

    assert stats.kstest(one, distribution).pvalue > chance.alpha()


@pytest.mark.parametrize("n", [0, -3, 2.5])
def test_sizes_of_simulations_are_checked(n):
    with pytest.raises(ValueError, match=f"n must be a positive whole number, got {n}"):
        simulate(Mixture([1.0], [0.0], [1.0]), n, seed=0)


def test_a_population_integrates_like_quadrature():
    truth = Mixture([0.2, 0.8], [-1.0, 2.0], [0.5, 1.5])
    grid = population(truth)
    np.testing.assert_allclose(grid.weight.sum(), 1, rtol=1e-14)
    np.testing.assert_allclose(grid.location, truth.mean(), rtol=1e-12)
    np.testing.assert_allclose(grid.scale, truth.sd(), rtol=1e-12)

    def integrand(y):
        return float(truth.density([y])[0] * truth.log_density([y])[0])

    entropy = integrate.quad(integrand, -20, 30, epsabs=1e-13, limit=500)[0]
    np.testing.assert_allclose(np.sum(grid.weight * truth.log_density(grid.y)), entropy, rtol=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": 0.0}, "step and reach must be positive and finite, got 0.0 and 12.0"),
        ({"step": math.inf}, "step and reach must be positive and finite"),
        ({"reach": math.nan}, "step and reach must be positive and finite"),
        ({"step": 1e-9}, "step must keep the grid at or below 10,000,000 points"),
    ],
)
def test_grids_of_populations_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        population(Mixture([1.0], [0.0], [1.0]), **arguments)


def test_a_population_is_that_of_one_mixture():
    with pytest.raises(ValueError, match=r"mixture must be a single one, got a batch of \(2,\)"):
        population(Mixture([[1.0]], [[0.0], [1.0]], [[1.0]]))


def test_representations_name_the_data():
    assert repr(load("acidity")) == "Data('acidity', n=155)"
    assert repr(Data([1.0, 2.0], [1.0, 1.0])) == "Data('data', n=2, weighted)"
