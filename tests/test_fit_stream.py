"""`fit` and the command line on data that are streamed, made so by a small limit."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inprocess import exit_status
from numpy.testing import assert_allclose

from ordered_mix import Data, Mixture, fit
from ordered_mix.engine import cluster
from ordered_mix.errors import RunError
from ordered_mix.fitted import streamed
from ordered_mix.fitted.fitted import Fitted
from ordered_mix.fitted.streamed import FittedStream, does_laplace_serve, is_the_grid_fine
from ordered_mix.stream import stream as streams

TRUTH = Mixture([0.4, 0.6], [-1.0, 1.5], [0.5, 1.0])


@pytest.fixture(autouse=True)
def small_limit(monkeypatch):
    monkeypatch.setattr(streams, "IN_MEMORY", 1_000)


def written(path, y):
    pq.write_table(pa.table({"x": y, "z": y}), path, row_group_size=1_000)
    return f"{path}:x"


def sample(n=5_000, seed=0, mixture=TRUTH):
    return mixture.sample(n, np.random.default_rng(seed))


def test_size_decides(tmp_path):
    small, large = written(tmp_path / "a.parquet", sample(900)), tmp_path / "b.parquet"
    assert isinstance(fit(small, estimators=("em",)), Fitted)
    assert isinstance(fit(written(large, sample()), estimators=("em",)), FittedStream)
    frame = pd.DataFrame({"x": sample()})
    assert isinstance(fit(frame, estimators=("em",)), Fitted)
    frame.to_csv(tmp_path / "c.csv", index=False)
    assert isinstance(fit(f"{tmp_path}/c.csv:x", estimators=("em",)), FittedStream)


def test_maximum_and_mode_are_those_in_memory(tmp_path):
    y = sample()
    found = fit(written(tmp_path / "a.parquet", y), estimators=("em", "map"))
    expected = fit(Data(y), estimators=("em", "map"))
    assert_allclose(found.maximum.log_likelihood, expected.maximum.log_likelihood, rtol=1e-12)
    for name in ("w", "mu", "sigma"):
        for one in ("mode", "estimate"):
            values = (getattr(getattr(fitted, one), name) for fitted in (found, expected))
            assert_allclose(*values, rtol=1e-4)
    assert_allclose(found.criteria["bic"], expected.criteria["bic"], rtol=1e-9)
    assert_allclose(found.criteria["icl"], expected.criteria["icl"], rtol=1e-5)
    points = found.estimates["points"].to_numpy()
    assert_allclose(points, expected.estimates["points"], atol=20)
    assert [verdict.key for verdict in found.verdicts] == ["grid", "laplace"]
    assert [verdict.status for verdict in found.verdicts] == ["good", "good"]
    assert "5,000 points were read in blocks for every pass: EM and MAP are exact" in found.notes[0]
    assert "Laplace" in found.notes[1]


def test_a_narrow_component_asks_for_a_finer_grid(tmp_path):
    y = sample(mixture=Mixture([0.3, 0.7], [0.0, 0.0], [0.001, 1.0]))
    found = fit(written(tmp_path / "a.parquet", y), estimators=("em",))
    assert found.bound <= streamed.FINE
    assert found.binned.width < 0.001
    assert found.estimate.sigma.min() == pytest.approx(0.001, rel=0.1)


def test_the_smallest_bic_of_several_numbers_is_fitted(tmp_path):
    found = fit(written(tmp_path / "a.parquet", sample(1_500)), (1, 3), estimators=("em",))
    assert found.components == 2
    assert found.criteria["components"].tolist() == [1, 2, 3]
    assert [verdict.key for verdict in found.verdicts] == ["grid", "components"]


def test_known_values_and_common_scales_are_kept(tmp_path):
    source = written(tmp_path / "a.parquet", sample())
    found = fit(source, estimators=("em", "map"), fixed={"mu": [-1.0, 1.5]})
    assert_allclose(found.mode.mu, [-1.0, 1.5], rtol=1e-12)
    found = fit(source, estimators=("em", "map"), scales="common")
    assert found.mode.sigma[0] == found.mode.sigma[1]
    assert found.maximum.mixture.sigma[0] == found.maximum.mixture.sigma[1]


def test_points_on_one_value_have_no_maximum(tmp_path):
    source = written(tmp_path / "a.parquet", np.repeat([0.0, 1.0], [3_000, 2_000]))
    with pytest.raises(RunError, match=r"no maximum to find with K = 2: .* onto 0 \(3000 of 5000"):
        fit(source, estimators=("em",))


def test_the_command_line_says_what_it_did(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source = written(tmp_path / "a.parquet", sample())
    command = ["fit", source, "--draws", "200", "--tune", "200", "--out", "out"]
    assert exit_status(monkeypatch, *command, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["n"] == 5_000
    assert {row["quantity"] for row in summary["estimates"]} == {"w", "mu", "sigma"}
    assert summary["notes"][1] == "Means, sds and intervals are of NUTS on these weighted points."
    assert [verdict["key"] for verdict in summary["verdicts"]] == ["grid", "agree", "laplace"]
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"estimates.csv", "criteria.csv", "draws.nc"} <= made
    assert not {"points.csv", "report.html"} & made
    assert exit_status(monkeypatch, *command) == 0
    shown = capsys.readouterr().out
    assert "Do the weighted points stand for all points? Yes" in shown
    assert "Files: out" in shown
    assert "these results were there already" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dask", "tcp://127.0.0.1:9"], "no Dask scheduler answers at 'tcp://127.0.0.1:9'"),
        (["--components", "7000"], "components must be a whole number of at most 1000, got 7000"),
        (["--prior", "flat"], "--prior must be one of adaptive, fixed, half-normal, got 'flat'"),
        (["--estimators", "emm"], "estimators must be among"),
    ],
)
def test_bad_arguments_are_named(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    monkeypatch.chdir(tmp_path)
    source = written(tmp_path / "a.parquet", sample())
    assert exit_status(monkeypatch, "fit", source, *arguments) not in (0, None)
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.ones(2_000), r"data must not be constant, all points of a:x are 1$"),
        (np.linspace(0, 1e-200, 2_000), "must have a standard deviation between 1e-140 and 1e.140"),
    ],
)
def test_what_cannot_be_fitted_is_said(tmp_path, y, message):
    with pytest.raises(ValueError, match=message):
        fit(written(tmp_path / "a.parquet", y))


def test_where_reads_the_rows_that_are_meant_into_memory(tmp_path):
    source = written(tmp_path / "a.parquet", sample())
    found = streams.opened(source, where="z>0")
    assert isinstance(found, Data)
    assert found.y.min() > 0


def test_verdicts_follow_what_was_measured():
    class Grid:
        width = 0.1

    statuses = [is_the_grid_fine(bound, Grid()).status for bound in (0.001, 0.1, 10.0)]
    assert statuses == ["good", "nearly", "bad"]

    class Weighed:
        weight, ess = np.ones(5), 3.0

    found = []
    for k in (0.1, 0.6, 0.9):
        Weighed.pareto_k = k
        found.append(does_laplace_serve(Weighed()).status)
    assert [*found, does_laplace_serve(None).status] == ["good", "nearly", "bad", "bad"]
