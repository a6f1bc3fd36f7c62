"""Comparisons on several columns: verdicts, axes, criteria, the report, the command line."""

import json

import numpy as np
import pandas as pd
import pytest
from inprocess import exit_status
from pages import check_document, words_of

import ordered_mix
from ordered_mix.cli.several import axis_named
from ordered_mix.compare.axes import axes_of
from ordered_mix.compare.points import ComparisonOfPoints, SettingsOfPoints
from ordered_mix.data import Data
from ordered_mix.draws.quantities import coincidence, invariant_quantities, quantities
from ordered_mix.draws.switching import gap_mass
from ordered_mix.fitted.points import fit_points
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import axis_of
from ordered_mix.report import notebook, render

SHORT = {"draws": 150, "tune": 150, "chains": 2}
LABELS = ("ordered(axis=width)", "relative(axis=discriminant)")
NAMES = ("unordered", "ordered(axis=width)", "relative")


def two_groups(n=80):
    """Groups that lie apart in width only, and vary most in length."""
    rng = np.random.default_rng(4)
    y = rng.normal(size=(n, 2)) * [10.0, 1.0] + np.repeat([[0.0, 0.0], [0.0, 6.0]], n // 2, 0)
    return Data.of_points(y, name="leaves", columns=("length", "width"))


@pytest.fixture(scope="module")
def compared():
    return ordered_mix.compare(two_groups(), components=2, parameterizations=NAMES, **SHORT)


@pytest.fixture(scope="module")
def page(compared):
    return render(compared)


def answers(compared):
    return {verdict.key: verdict for verdict in compared.verdicts}


def test_every_sampler_and_estimator_has_a_row(compared):
    assert isinstance(compared, ComparisonOfPoints)
    maps = [f"map {name}{note}" for name in ("unordered", *LABELS)
            for note in ("", ", no Jacobian")]  # fmt: skip
    labels = ["em", *maps, "nuts unordered", "nuts ordered(axis=width)",
              "nuts relative(axis=discriminant)"]  # fmt: skip
    assert sorted(compared.table["label"]) == sorted(labels)
    sampled = compared.table[compared.table["status"] == "sampled"]
    assert np.isfinite(sampled["ess_per_1000_passes"].astype(float)).all()
    assert np.isfinite(sampled["invariant_per_1000_passes"].astype(float)).all()
    means = sampled[["mu[width][1]", "mu[width][2]"]].to_numpy(dtype=float)
    np.testing.assert_allclose(np.sort(means, axis=1), [[0.0, 6.0]] * 3, atol=0.7)
    em = compared.table.iloc[0]
    assert em["log_likelihood"] == pytest.approx(compared.maximum.log_likelihood, abs=1e-3)


def test_the_questions_of_one_dimension_are_answered(compared):
    found = answers(compared)
    asked = {"agree", "describe", "prior", "component", "axis", "point", "switching", "ordering"}
    assert asked | {"jacobian"} <= set(found)
    assert found["describe"].status == "good" and found["describe"].values["missed"] == []
    assert "distance" in found["describe"].values and "power_scaling" in found["prior"].values
    assert found["component"].status == "good"
    assert found["axis"].values["width"]["kept"] == 1.0
    assert found["axis"].status == "good"


def test_which_axis_separates(compared):
    table = compared.axes.set_index("axis")
    assert set(table.index) == {"length", "width", "principal", "discriminant"}
    assert table["separation"].is_monotonic_decreasing
    assert table.index[0] in ("width", "discriminant") and table.index[-1] != "width"
    assert table.loc["length", "separation"] < 1 < 4 < table.loc["width", "separation"]
    assert table.loc["length", "kept"] < 1


def test_directions_are_those_of_linear_algebra():
    data = two_groups(400)
    mixture = Mixture([0.5, 0.5], [[0.0, 0.0], [0.0, 6.0]], covariance=np.diag([100.0, 1.0]))
    np.testing.assert_allclose(axis_of("length", data, mixture), [1, 0])
    np.testing.assert_allclose(np.abs(axis_of("discriminant", data, mixture)), [0, 1])
    np.testing.assert_allclose(axis_of(1, data, mixture), [0, 1])
    turned = np.array([[1.0, 0.9], [0.9, 1.0]])
    other = Mixture([0.5, 0.5], [[0.0, 0.0], [3.0, 0.0]], covariance=turned)
    fisher = np.linalg.solve(turned, [3.0, 0.0])
    found = axis_of("discriminant", data, other)
    assert abs(found @ fisher) == pytest.approx(np.linalg.norm(fisher))
    with pytest.raises(ValueError, match="axis must be one of length, width, principal"):
        axis_of("height", data, mixture)
    draws = other.reshape(1)[np.zeros((2, 5), dtype=int)]
    table = axes_of(data, draws, other).set_index("axis")
    assert table.loc["discriminant", "separation"] == pytest.approx(np.sqrt(3.0 * fisher[0]))
    assert table.loc["length", "separation"] == pytest.approx(3.0)


def test_label_invariant_quantities_do_not_depend_on_labels():
    data, rng = two_groups(), np.random.default_rng(1)
    draws = Mixture(
        rng.dirichlet([2.0, 2.0, 2.0], (2, 6)), rng.normal(size=(2, 6, 3, 2)), covariance=np.eye(2)
    )
    order = rng.permuted(np.broadcast_to(np.arange(3), (2, 6, 3)), axis=-1)
    one, other = (invariant_quantities(data, each) for each in (draws, draws.permute(order)))
    assert len(one) == 1 + 2 + 2 + 1 + 3
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(one["mixture mu[width]"], draws.mean()[..., 1])
    assert coincidence(draws) == coincidence(draws.permute(order))


def test_coincidence_is_the_gap_mass_of_one_dimension():
    rng = np.random.default_rng(2)
    w, sigma = rng.dirichlet([2.0, 2.0], (2, 200)), rng.uniform(0.5, 2.0, (2, 200, 2))
    mu = rng.normal(size=(2, 200, 2))
    draws = Mixture(w, mu[..., None], covariance=sigma[..., None, None] ** 2)
    assert coincidence(draws) == pytest.approx(gap_mass(w, mu, sigma))
    assert 0 < coincidence(draws) < 1
    named = quantities(draws, ("x",))
    np.testing.assert_allclose(named["sigma[x]"], sigma)


def test_the_page_opens_offline_and_holds_the_answers_with_the_estimates_first(compared, page):
    check_document(page)
    assert len(page.encode()) < 600_000 and render(compared) == page
    words = words_of(page)
    for verdict in compared.verdicts:
        assert verdict.question in words and words_of(verdict.answer) in words
    titles = ["The fitted mixture", "Points by component", "Directions", "Samplers"]
    places = [words.index(title) for title in titles]
    assert places == sorted(places)
    assert words.index("The fitted mixture") < words.index(compared.verdicts[0].question)
    assert "The fitted mixture" in words_of(notebook(compared))


def test_a_fit_has_a_page_with_the_table_of_several_numbers():
    found = fit_points(two_groups(30), "1-2", draws=300, tune=100, chains=2)
    table = found.criteria.set_index("components")
    assert found.components == table["bic"].idxmin() == table["log_evidence"].idxmax() == 2
    assert table["probability"].sum() == pytest.approx(1)
    assert np.isfinite(table[["elpd_loo", "elpd_waic", "log_evidence_se"]]).to_numpy().all()
    page = render(found)
    check_document(page)
    assert "How many components" in words_of(page) and "WAIC" in words_of(page)
    assert [verdict.key for verdict in found.verdicts] == [
        "agree",
        "describe",
        "prior",
        "components",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"components": 41}, "components must be at most 40, half the points of leaves"),
        ({"axis": "height"}, "axis must be one of length, width, principal, discriminant"),
        ({"covariance": "diag"}, "covariance must be one of full, diagonal, spherical, tied"),
        ({"estimators": ("em",)}, "estimators must hold nuts"),
        ({"estimators": ("nuts-pymc",)}, "estimators must be without nuts-pymc"),
        ({"prior": "half-normal"}, "prior must be one of adaptive, fixed"),
        ({"parameterizations": ("ordred",)}, "did you mean 'ordered'"),
    ],
)
def test_what_cannot_be_compared_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ordered_mix.compare(two_groups(), **settings)


def test_one_file_name_for_each_axis():
    labels = ("ordered(axis=length)", "ordered(axis=width)")
    assert SettingsOfPoints(parameterizations=labels).parameterizations == labels
    with pytest.raises(ValueError, match="parameterizations must differ"):
        SettingsOfPoints(parameterizations=("ordered", "ordered(axis=discriminant)"))


def test_the_command_line_writes_page_tables_and_draws_and_resumes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = two_groups()
    pd.DataFrame(data.y, columns=data.columns).to_csv("my.csv", index=False)
    call = ["compare", "my.csv:length,width", "--parameterizations", "unordered,ordered",
            "--draws", "300", "--tune", "200", "--chains", "2", "--axis", "width",
            "--out", "out"]  # fmt: skip
    assert exit_status(monkeypatch, *call) in (None, 0)
    printed = capsys.readouterr().out
    assert "my:length,width: n = 80, K = 2" in printed and "Report: out/report.html" in printed
    assert "Along which direction are the components ordered?" in printed
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"report.html", "table.csv", "axes.csv", "estimates.csv", "points.csv",
                     "draws-nuts-unordered.nc"}  # fmt: skip
    assert exit_status(monkeypatch, *call, "--json") in (None, 0)
    summary = json.loads(capsys.readouterr().out)
    assert "there already" in summary["note"] and summary["axes"][0]["separation"] > 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["iris", "--scales", "common"], "--scales must be left out for several columns"),
        (["galaxies", "--axis", "principal"], "--axis must be left out for one column"),
        (["iris", "--axis", "petal"], "axis must be one of sepal_length"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert exit_status(monkeypatch, "compare", *options) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "named"),
    [("width", "width"), ("7", "7"), ("1", 1), ("-1", -1), ("0.5,2", [0.5, 2.0]),
     ("principal", "principal")],
)  # fmt: skip
def test_an_axis_of_the_command_line_is_a_column_first(text, named):
    assert axis_named(text, ("width", "7")) == named
