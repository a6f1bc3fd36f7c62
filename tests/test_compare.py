"""The comparison: what it measures, its verdicts, resuming, and refusals before any work."""

import re

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

KINDS = ("raw", "folded")


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
    return {verdict.question: verdict for verdict in result.verdicts}


def test_default_multi_start_reaches_the_maximum(result):
    best = result.optima
    assert abs(best.log_likelihood + 1034.00174983) < 1e-6
    assert np.allclose(best.best.mu, [54.614856, 80.091070], atol=2e-5)
    assert np.allclose(best.best.sigma, [5.871220, 5.867734], atol=2e-5)
    assert abs(best.best.w[0] - 0.360886) < 1e-6


@pytest.mark.chance
def test_table_has_every_estimator_and_what_was_measured(result):
    labels = result.table["label"].tolist()
    expected = {"em", "map unordered", "map unordered, no Jacobian", "nuts unordered"}
    assert expected <= set(labels) and len(labels) == 7
    table = result.table.set_index("label")
    # the starts are random, so that all of them may have the same labels
    apart = table.loc["nuts unordered", "chain_disagreement"] > 0
    assert (table.loc["nuts unordered", "rhat_raw"] > 1.3) == apart
    ess = table.loc["nuts unordered", "ess_folded"]
    assert table.loc["nuts unordered", "rhat_folded"] < chance.rhat_limit(min(ess, 200), 4, 5)
    assert table.loc["nuts ordered", "chain_disagreement"] == 0
    assert abs(table.loc["em", "below_maximum"]) < 1e-5
    steps = result.sampled["nuts ordered"].draws
    total = int(steps.passes.sum() + steps.warmup_passes.sum())
    assert table.loc["nuts ordered", "passes"] == total
    assert "seconds" not in table.columns
    assert (result.timings["seconds"] > 0).all()


def test_posterior_is_near_the_maximum_in_every_parameterization(result):
    for item in result.sampled.values():
        folded = item.draws.mixture.fold()
        sd = folded.mu.std(axis=(0, 1))
        assert np.all(np.abs(folded.mu.mean(axis=(0, 1)) - [54.61, 80.09]) < sd)


def test_verdicts_answer_with_measured_numbers(result):
    found = answers(result)
    switching = found["Is raw label switching harmless?"]
    raw, folded = (result.sampled["nuts unordered"].worst("rhat", kind) for kind in KINDS)
    expected = "There is none" if raw < 1.01 else "Yes" if folded < 1.01 else "No"
    assert switching.answer.startswith(expected)
    assert f"{raw:.2f}" in switching.reason
    assert found["Does an ordering constraint bite at gap = 0?"].answer.startswith("No")
    assert found["Is component 2 supported?"].answer == "Yes."
    share = re.match(r"(\d+)% of 60", found["Which point estimator should fit?"].reason)
    assert share and int(share[1]) > 80


def test_the_prior_does_not_decide_on_the_waiting_times(result):
    found = result.prior_sensitivity
    assert 0 <= found.below_maximum < 0.1 and found.answer == "No."


def test_overlapping_components_change_the_verdicts():
    data = simulate(Mixture([1.0], [0.0], [1.0]), 80, seed=4)
    charts = ("unordered", "relative(link=identity)")
    result = compare(
        data, parameterizations=charts, estimators=("nuts",), draws=200, tune=300,
        seed=chance.seed(0),
    )  # fmt: skip
    assert "and NUTS cannot" in result.skipped["nuts relative(link=identity)"]
    assert not result.failed
    found = answers(result)
    assert result.table.loc[0, "gap_mass"] > 0.01
    assert found["Does an ordering constraint bite at gap = 0?"].answer.startswith("Yes")
    assert found["Is component 2 supported?"].answer != "Yes."
    assert "Which point estimator should fit?" not in found


def test_finished_draws_are_taken_from_the_folder(result, folder, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("sampled again")

    monkeypatch.setattr(NUTS, "fit", refuse)
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
    assert result.fewer is None
    assert "at least two components" in result.skipped["ordered"]
    assert result.optima.log_likelihood == pytest.approx(
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
        ({"estimators": ("em",)}, "estimators must hold nuts or nuts-pymc, got em"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)


def test_more_components_than_points():
    with pytest.raises(ValueError, match="at least 40 points for 20 components"):
        compare(Data(np.arange(12.0)), components=20)
