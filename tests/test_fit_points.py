"""Fitting several columns, from Python and from the command line."""

import json

import arviz
import numpy as np
import pandas as pd
import pytest
from inprocess import exit_status
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score

from ordered_mix.fitted.points import fit_points
from ordered_mix.fitted.points_plot import MASS, ellipse
from ordered_mix.mixture import Mixture

SHORT = {"draws": 200, "tune": 100, "chains": 2}


@pytest.fixture(scope="module")
def iris():
    return fit_points("iris", 3, **SHORT)


def test_three_components_of_iris_are_nearly_the_species(iris):
    """EM has the maximum that R's mclust reports (model VVV), the points most of the species."""
    likelihood = iris.maximum.log_density(iris.data.y).sum()
    assert likelihood == pytest.approx(-180.186, abs=2e-3)
    species = load_iris().target
    assert adjusted_rand_score(species, iris.points["component"]) > 0.85
    setosa = iris.points[species == 0]
    assert setosa["component"].nunique() == 1 and setosa["probability_1"].min() > 0.99


def test_tables_hold_every_parameter_and_point(iris):
    table = iris.estimates
    assert len(table) == 3 * (1 + 4 + 4 + 6)
    weights = table[table["parameter"] == "w"]
    assert weights["mean"].sum() == pytest.approx(1) and weights["em"].sum() == pytest.approx(1)
    means = table[(table["parameter"] == "mu[petal_length]")]
    assert np.all(np.abs(means["mean"] - means["em"]) < 5 * means["sd"])
    assert list(iris.points.columns[:4]) == list(iris.data.columns)
    probabilities = iris.points.filter(like="probability_")
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(iris.tree["posterior"]["mu"], iris.labelled.mu)


def test_the_plot_has_a_panel_for_every_pair(iris):
    figure = iris.plot()
    visible = [axes for axes in figure.axes if axes.get_visible()]
    assert len(visible) == 10
    assert len(visible[1].lines) == 3 * 31


def test_ellipses_hold_their_mass():
    mixture = Mixture([1.0], [[1.0, 5.0, 2.0]], covariance=[np.diag([1.0, 4.0, 9.0])])
    outline = ellipse(mixture, 0, (2, 0))
    square = ((outline - [[2.0], [1.0]]) / [[3.0], [1.0]]) ** 2
    np.testing.assert_allclose(1 - np.exp(-0.5 * square.sum(axis=0)), MASS)


@pytest.mark.parametrize("covariance", ["diagonal", "spherical", "tied"])
def test_other_covariances_and_cores_give_the_same_draws_of_a_seed(covariance):
    settings = {"covariance": covariance, "draws": 300, "tune": 100, "chains": 2}
    one, two = (fit_points("faithful", 2, cores=cores, **settings) for cores in (1, 2))
    assert one.labelled.mu.tobytes() == two.labelled.mu.tobytes()
    assert one.estimates.shape == (2 * 6, 10)


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        ("iris", {"components": 0}, "components must be from 1 to 150"),
        ("iris", {"hdi_prob": 1.5}, "hdi_prob must lie between 0 and 1"),
        ("iris", {"prior": "half-normal"}, "prior must be one of adaptive, fixed"),
        ("iris", {"covariance": "diag"}, "covariance must be one of"),
        ([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]], {}, "must not be collinear, x1 and x2"),
    ],
)
def test_what_cannot_be_fitted_is_refused(source, settings, message):
    with pytest.raises(ValueError, match=message):
        fit_points(source, **settings)


def test_the_command_line_writes_tables_draws_and_a_pair_plot(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    y = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0, 0.0], [5.0, 3.0]], 30, 0)
    pd.DataFrame(y, columns=["x", "y"]).to_csv("my.csv", index=False)
    call = ["fit", "my.csv:x,y", "--draws", "60", "--tune", "30", "--chains", "2", "--out", "out"]
    assert exit_status(monkeypatch, *call) in (None, 0)
    printed = capsys.readouterr().out
    assert "my:x,y: n = 60, K = 2" in printed and "correlation[x, y]" in printed
    assert "Points by component: 30, 30." in printed
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"estimates.csv", "points.csv", "criteria.csv", "pairs.svg", "report.html",
                     "draws.nc", "summary.json"}  # fmt: skip
    tree = arviz.from_netcdf(tmp_path / "out" / "draws.nc")
    assert tree["posterior"]["mu"].shape == (2, 60, 2, 2)
    assert exit_status(monkeypatch, *call, "--json") in (None, 0)
    summary = json.loads(capsys.readouterr().out)
    assert summary["columns"] == ["x", "y"] and "there already" in summary["note"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["iris", "--components", "3-1"], "components must be"),
        (["iris", "--estimators", "em"], "--estimators must be left out for several columns"),
        (["iris:petal_width,petal"], "column 'petal' is in 'iris:petal_width,petal' not at all"),
        (["galaxies", "--covariance", "full"], "--covariance must be left out for one column"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert exit_status(monkeypatch, "fit", *options) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not list(tmp_path.iterdir())
