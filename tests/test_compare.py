"""The comparison: what it measures, its verdicts, resuming, and refusals before any work."""

import pickle

import chance
import numpy as np
import pytest

from ordered_mix.compare.compare import check, compare, identity
from ordered_mix.compare.comparison import Settings
from ordered_mix.data import Data, load, simulate
from ordered_mix.errors import RunError
from ordered_mix.files.results import ResultFolder
from ordered_mix.mixture import Mixture
from ordered_mix.prior import default_prior
from ordered_mix.samplers.nuts import NUTS

SHORT = Settings(
    parameterizations=("unordered", "ordered"), draws=200, tune=300, seed=chance.seed(2)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    data = load("faithful:waiting")
    made = ResultFolder(
        tmp_path_factory.mktemp("results") / "new", identity(data, SHORT, default_prior(data))
    )
    made.open()
    return made


@pytest.fixture(scope="module")
def result(folder):
    return compare(load("faithful:waiting"), SHORT, folder=folder)


def answers(result):
    return {verdict.key: verdict for verdict in result.verdicts}


def test_default_multi_start_reaches_the_maximum(result):
    found, best = result.maximum, result.maximum.mixture
    assert abs(found.log_likelihood + 1034.00174983) < 1e-6
    assert np.allclose(best.mu, [54.614856, 80.091070], atol=2e-5)
    assert np.allclose(best.sigma, [5.871220, 5.867734], atol=2e-5)
    assert abs(best.w[0] - 0.360886) < 2e-6
    assert 48 < found.reached <= found.starts == 60


@pytest.mark.chance
def test_table_has_every_estimator_and_what_was_measured(result):
    labels = result.table["label"].tolist()
    expected = {"em", "map unordered", "map unordered, no Jacobian", "nuts unordered"}
    assert expected <= set(labels) and len(labels) == 7
    table = result.table.set_index("label")
    # the starts are random, so that all of them may have the same labels
    apart = table.loc["nuts unordered", "chain_disagreement"] > 0
    assert (table.loc["nuts unordered", "rhat_raw"] > 1.3) == apart
    ess = table.loc["nuts unordered", "ess_bulk"]
    assert table.loc["nuts unordered", "rhat"] < chance.rhat_limit(min(ess, 200), 4, 5)
    assert table.loc["nuts ordered", "chain_disagreement"] == 0
    assert abs(table.loc["em", "below_maximum"]) < 1e-5
    steps = result.sampled["nuts ordered"].draws
    total = int(steps.passes.sum() + steps.warmup_passes.sum())
    assert table.loc["nuts ordered", "passes"] == total
    assert "seconds" not in table.columns
    assert (result.timings["seconds"] > 0).all()


def test_posterior_is_near_the_maximum_in_every_parameterization(result):
    for item in result.sampled.values():
        labelled = item.labelled
        sd = labelled.mu.std(axis=(0, 1))
        assert np.all(np.abs(labelled.mu.mean(axis=(0, 1)) - [54.61, 80.09]) < sd)


def test_verdicts_answer_with_measured_numbers(result):
    found = answers(result)
    switching = found["switching"]
    row = switching.values["nuts unordered"]
    assert (switching.status == "good") == (row["rhat"] < 1.01)
    assert f"{result.sampled['nuts unordered'].worst('rhat', 'raw'):.2f}" in switching.reason
    assert found["ordering"].answer.startswith("No")
    assert found["component"].answer == "Yes."
    assert found["point"].values["reached"] > 48
    assert set(found["point"].values["seconds"]) == set(result.fit_seconds)
    assert [verdict.key for verdict in result.verdicts[:3]] == ["agree", "describe", "prior"]
    assert found["describe"].status == "good"
    assert 0 <= found["prior"].values["nats_below_maximum"] < 0.1
    assert result.fitted.prior_sensitivity.answer == "No."


def test_the_answer_comes_first_as_estimates(result):
    best, fitted = result.best, result.fitted
    assert fitted.draws is best.draws and fitted.components == 2
    assert fitted.estimates["component"].tolist() == [1, 1, 1, 2, 2, 2]
    means = fitted.estimates.set_index(["component", "quantity"])["mean"]
    labelled = best.labelled.mu.mean(axis=(0, 1))
    assert [means[1, "mu"], means[2, "mu"]] == pytest.approx(labelled)
    assert labelled[0] < labelled[1]


def test_a_written_posterior_is_labelled_and_the_raw_one_beside_it(result, folder):
    for label, item in result.sampled.items():
        tree = folder.read_tree(f"draws-{label.replace(' ', '-')}.nc")
        assert tree["posterior"]["component"].values.tolist() == [1, 2]
        assert np.array_equal(tree["posterior"]["mu"], item.labelled.mu)
        assert np.array_equal(tree["raw_posterior"]["mu"], item.draws.mixture.mu)
        assert tree["posterior"].attrs["raw_draws"] == "raw_posterior"


def test_overlapping_components_change_the_verdicts():
    data = simulate(Mixture([1.0], [0.0], [1.0]), 80, seed=4)
    parameterizations = ("unordered", "relative(link=identity)")
    result = compare(
        data, parameterizations=parameterizations, estimators=("nuts",), draws=200, tune=300,
        seed=chance.seed(0),
    )  # fmt: skip
    assert "and NUTS cannot" in result.skipped["nuts relative(link=identity)"]
    assert not result.failed
    found = answers(result)
    assert result.table.loc[0, "gap_mass"] > 0.01
    assert found["ordering"].answer.startswith("Yes")
    assert found["component"].answer != "Yes."
    assert "point" not in found


def test_a_comparison_can_be_pickled(result):
    again = pickle.loads(pickle.dumps(result))
    assert again.table.equals(result.table) and repr(again) == repr(result)
    for one in (result, result.best, result.best.draws):
        assert len(repr(one)) < 400


def test_finished_draws_are_taken_from_the_folder(result, folder, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("sampled again")

    monkeypatch.setattr(NUTS, "sample", refuse)
    again = compare(load("faithful:waiting"), SHORT, folder=folder)
    assert again.table.equals(result.table)


def test_a_broken_draws_file_is_sampled_again(result, folder):
    path = folder.path / "draws-nuts-ordered.nc"
    path.write_bytes(path.read_bytes()[:1000])
    again = compare(load("faithful:waiting"), SHORT, folder=folder)
    assert again.table.equals(result.table)


def test_without_a_sampler_the_reason_is_named():
    data = simulate(Mixture([1.0], [0.0], [1.0]), 20, seed=4)
    only = Settings(parameterizations=("relative(link=identity)",), estimators=("nuts",))
    with pytest.raises(RunError, match=r"no sampler gave draws \(nuts relative\(link=identity\):"):
        compare(data, only)


def test_one_component_and_what_does_not_apply():
    data = simulate(Mixture([1.0], [2.0], [3.0]), 60, seed=1)
    result = compare(
        data, components=1, parameterizations=("unordered", "ordered"), draws=100, tune=200
    )
    assert result.fewer_components is None
    assert "at least two components" in result.skipped["ordered"]
    assert result.maximum.log_likelihood == pytest.approx(
        float(Mixture([1.0], [data.y.mean()], [data.y.std()]).log_density(data.y).sum())
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Data([1.0, 2.0, 3.0]), "data must hold at least 4 points for 2 components, data holds 3"),
        (Data(np.full(10, 7.0)), "data must not be constant, all points of data are 7"),
        (Data(np.ones((2, 9))), "one unweighted sample"),
        (Data(np.arange(9.0), np.ones(9)), "one unweighted sample"),
    ],
)
def test_unsuitable_data(data, message):
    with pytest.raises(ValueError, match=message):
        check(data, Settings())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"components": 0}, "components must be a whole number of at least 1, got 0"),
        ({"chains": 1}, "chains must be a whole number of at least 2, got 1"),
        ({"parameterizations": ("relativ",)}, "did you mean 'relative'"),
        ({"parameterizations": ()}, "must name at least one"),
        ({"estimators": ("nut",)}, "did you mean 'nuts'"),
        ({"estimators": ("em",)}, "estimators must hold nuts or nuts-pymc to compare, got em"),
        ({"adaptation": "full"}, "adaptation must be one of diagonal, low_rank, dense, got 'full'"),
        ({"adaptation": "dense", "estimators": ("nuts-pymc",)}, "own sampler is diagonal"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)


def test_more_components_than_points():
    with pytest.raises(ValueError, match="at least 40 points for 20 components"):
        compare(Data(np.arange(12.0)), components=20)
