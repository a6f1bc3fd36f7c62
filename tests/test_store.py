"""The store: nothing lost, nothing trusted unchecked, one writer, tables that are the cells."""

import json
import os
import resource
import signal
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from ordered_mix.engine.batches import Outcome
from ordered_mix.engine.folder import opened
from ordered_mix.engine.outcome import arrays_of, load_result
from ordered_mix.engine.store import Store
from ordered_mix.engine.tables import write_tables
from ordered_mix.errors import RunError
from ordered_mix.study import Experiment, Study
from ordered_mix.study.result import DONE, FAILED

STUDY = Study(
    name="demo",
    question="?",
    source="nobody",
    experiments={
        "demo": Experiment(
            cell=lambda seed, **factors: [],
            factors={"model": ("plain", "fancy"), "n": (50, 200)},
            sizes={"smoke": {}, "laptop": {}, "cluster": {}},
        )
    },
)
CELLS = STUDY.cells()
ROWS = [{"x": 0.1, "label": "a"}, {"x": float("nan"), "label": None}, {"x": 1e308, "label": "ü"}]
ARRAYS = {
    "file": np.arange(6.0).reshape(2, 3),
    "draws": np.asfortranarray(np.random.default_rng(1).normal(size=(2, 5))),
    "words": np.array(["a", "bc"]),
    "empty": np.empty((0, 3)),
    "big endian": np.arange(3, dtype=">i4"),
}


@pytest.fixture
def store(tmp_path):
    with opened(tmp_path / "out", STUDY):
        yield Store(tmp_path / "out", "demo")


def done(rows=ROWS, arrays=None, seconds=1.5):
    return Outcome(DONE, rows, arrays or {}, seconds=seconds, finished=1e9 + seconds)


def file_of(store, cell):
    (file,) = (store.path / "cells").glob(f"{cell.key}.*")
    return file


# --- round trip -----------------------------------------------------------------------------------


@pytest.mark.parametrize("arrays", [{}, ARRAYS])
def test_a_cell_is_read_back_as_it_was(store, arrays):
    store.write(CELLS[0], done(arrays=arrays))
    found = store.read(CELLS[0])
    assert repr(found.rows) == repr(ROWS)  # NaN included
    assert (found.status, found.seconds, found.error) == (DONE, 1.5, "")
    assert found.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype
    assert store.read(CELLS[1]) is None
    assert store.finished(CELLS) == {CELLS[0].key}


def test_a_failure_is_not_finished_and_gives_way(store):
    store.write(CELLS[0], Outcome(FAILED, [], {}, "ValueError: no", "trace"))
    assert store.read(CELLS[0]).error == "ValueError: no"
    assert store.finished(CELLS) == set()
    store.write(CELLS[0], done(arrays=ARRAYS))
    assert store.finished(CELLS) == {CELLS[0].key}
    assert file_of(store, CELLS[0]).suffix == ".npz"


def test_nothing_is_left_beside_the_cells(store):
    for cell in CELLS:
        store.write(cell, done(arrays=ARRAYS))
    assert len(list((store.path / "cells").iterdir())) == len(CELLS)


# --- what is not trusted --------------------------------------------------------------------------


def flip_a_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def truncate(file):
    file.write_bytes(file.read_bytes()[:-40])


def change_a_value(file):
    header = json.loads(file.read_text())
    header["rows"][0]["x"] = 0.2
    file.write_text(json.dumps(header))


def another_schema(file):
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema": 2}))


def another_cell(file):
    other = Store(file.parents[1], "demo")
    other.write(CELLS[1], done())
    os.replace(file_of(other, CELLS[1]), file)


def another_study(file):
    Store(file.parents[1], "other").write(CELLS[0], done())


def not_an_object(file):
    file.write_text("[1, 2]")


def empty(file):
    file.write_bytes(b"")


def binary(file):
    file.write_bytes(bytes(range(256)))


DAMAGE = [flip_a_bit, truncate, change_a_value, another_schema, another_cell, another_study,
          not_an_object, empty, binary]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_or_foreign_cell_is_set_aside(store, damage):
    store.write(CELLS[0], done())
    file = file_of(store, CELLS[0])
    damage(file)
    content = file.read_bytes()
    assert store.finished(CELLS[:1]) == set()
    assert not file.exists()
    (report,) = store.set_aside
    assert report.path.read_bytes() == content
    assert report.path.parent == store.path / "set_aside"
    assert report.reason
    store.write(CELLS[0], done())
    assert store.finished(CELLS[:1]) == {CELLS[0].key}


def change_an_array(file):
    with np.load(file) as archive:
        content = dict(archive)
    content["array.file"] = content["array.file"] + 1
    np.savez(file, **content)


def drop_an_array(file):
    with np.load(file) as archive:
        content = dict(archive)
    del content["array.words"]
    np.savez(file, **content)


class Bomb:
    def __reduce__(self):
        return os.kill, (os.getpid(), signal.SIGKILL)


def hide_a_pickle(file):
    with np.load(file) as archive:
        content = dict(archive)
    content["array.file"] = np.array([Bomb()], dtype=object)
    np.savez(file, **content)


def hide_a_pickled_header(file):
    np.savez(file, **{"cell.json": np.array([Bomb()], dtype=object)})


def flip_a_bit_inside(file):
    with zipfile.ZipFile(file) as archive:
        offset = archive.getinfo("array.draws.npy").header_offset
    content = bytearray(file.read_bytes())
    content[offset + 200] ^= 1
    file.write_bytes(content)


ARRAY_DAMAGE = [change_an_array, drop_an_array, hide_a_pickle, hide_a_pickled_header,
                flip_a_bit_inside, truncate, empty, binary]  # fmt: skip


@pytest.mark.parametrize("damage", ARRAY_DAMAGE)
def test_damaged_arrays_are_set_aside_and_nothing_is_unpickled(store, damage):
    store.write(CELLS[0], done(arrays=ARRAYS))
    damage(file_of(store, CELLS[0]))
    assert store.finished(CELLS[:1]) == set()
    assert len(store.set_aside) == 1


def test_files_set_aside_do_not_replace_each_other(store):
    for _ in range(3):
        store.write(CELLS[0], done())
        empty(file_of(store, CELLS[0]))
        store.finished(CELLS)
    assert len({report.path for report in store.set_aside}) == 3
    assert all(report.path.is_file() for report in store.set_aside)


# --- tables ---------------------------------------------------------------------------------------


def tables_of(path, order, outcomes, skips=None):
    with opened(path, STUDY):
        store = Store(path, "demo")
        for index in order:
            store.write(CELLS[index], outcomes[index])
        write_tables(store, STUDY, CELLS, skips or {})
    return (path / "tables" / "demo.parquet").read_bytes()


def test_bytes_depend_on_nothing_but_the_cells(tmp_path):
    outcomes = [done(arrays=ARRAYS if i % 2 else None) for i in range(4)]
    slower = [done(arrays=ARRAYS if i % 2 else None, seconds=9 - i) for i in range(4)]
    first = tables_of(tmp_path / "a", [0, 1, 2, 3], outcomes)
    second = tables_of(tmp_path / "b", [3, 1, 0, 2], slower)
    assert first == second
    timings = [pd.read_parquet(tmp_path / name / "timings.parquet") for name in "ab"]
    assert timings[0]["seconds"].tolist() == [1.5] * 4
    assert timings[1]["seconds"].tolist() == [9, 8, 7, 6]


def test_a_table_has_failures_and_skips_as_rows(tmp_path):
    outcomes = [done(), Outcome(FAILED, [], {}, "ValueError: no"), done([]), done()]
    tables_of(tmp_path, [0, 1, 2], outcomes, {CELLS[3].key: "too slow"})
    result = load_result(STUDY, tmp_path)
    assert result.rows["demo"]["status"].tolist() == ["done"] * 3 + ["failed", "skipped"]
    assert result.tables["demo"].columns.tolist() == ["model", "n", "x", "label"]
    assert result.tables["demo"]["x"].tolist()[::2] == [0.1, 1e308]
    assert result.failures[["n", "error"]].values.tolist() == [[200, "ValueError: no"]]
    assert result.skipped.values.tolist() == [["demo", "fancy", 200, "too slow"]]


def test_columns_have_one_type(tmp_path):
    values = [
        {"i": 1, "f": 1, "b": True, "t": "a", "m": "a", "e": None},
        {"i": 2, "f": 0.5, "b": False, "t": None, "m": 1.5},
    ]
    tables_of(tmp_path, [0], [done(values)])
    schema = parquet.read_schema(tmp_path / "tables" / "demo.parquet")
    found = dict(zip(schema.names, map(str, schema.types), strict=True))
    wanted = {"i": "int64", "f": "double", "b": "bool", "t": "string", "m": "string", "e": "double"}
    assert found.items() > wanted.items()


def test_arrays_come_back_by_factors(tmp_path):
    tables_of(tmp_path, [0], [done(arrays=ARRAYS)])
    result = load_result(STUDY, tmp_path)
    found = arrays_of(result, "demo", **CELLS[0].factors)
    np.testing.assert_array_equal(found["draws"], ARRAYS["draws"])
    for factors in (CELLS[1].factors, {"n": 50}, {"n": 50, "modle": "plain"}):
        with pytest.raises(ValueError, match="factors must be those of one finished cell"):
            arrays_of(result, "demo", **factors)
    with pytest.raises(ValueError, match="experiment must be of demo, got 'dem'"):
        arrays_of(result, "dem", **CELLS[0].factors)


def test_an_experiment_that_was_left_out_has_an_empty_table(tmp_path):
    tables_of(tmp_path, [0], [done()])
    more = {**STUDY.experiments, "second": replace(STUDY.experiments["demo"])}
    result = load_result(replace(STUDY, experiments=more), tmp_path)
    assert len(result.tables["demo"]) == 3 and result.tables["second"].empty
    assert list(result.tables["second"]) == ["model", "n"] and result.failures.empty


def test_a_folder_without_a_table_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no tables, run the study first"):
        load_result(STUDY, tmp_path)


# --- the folder -----------------------------------------------------------------------------------


def test_a_second_run_is_told_and_stops(store):
    with pytest.raises(RunError, match=f"is in use by process {os.getpid()} on "):
        with opened(store.path, STUDY):
            pass


def test_the_lock_of_a_killed_run_is_taken_over(tmp_path):
    code = (
        "import fcntl, os, signal, sys\n"
        "handle = open(sys.argv[1], 'a')\n"
        "fcntl.flock(handle, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "signal.pause()\n"
    )
    with opened(tmp_path, STUDY):
        pass
    command = [sys.executable, "-c", code, str(tmp_path / ".lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="is in use"), opened(tmp_path, STUDY):
            pass
        holder.kill()
    with opened(tmp_path, STUDY):
        assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()}")


def test_what_a_killed_run_was_writing_is_removed(store, tmp_path):
    leftover = store.path / "cells" / f".{CELLS[0].key}.json.99"
    path = tmp_path / "another"
    with opened(path, STUDY):
        (path / "cells" / leftover.name).write_text("{")
        (path / "tables" / ".demo.parquet.99").write_text("")
    with opened(path, STUDY):
        assert [item.name for item in path.rglob(".*")] == [".lock"]


def test_a_folder_of_something_else_is_refused_and_kept(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for force in (False, True):
        with pytest.raises(ValueError, match="holds something else than cells"):
            with opened(tmp_path, STUDY, force=force):
                pass
    other = Study("other", "?", "-", STUDY.experiments)
    with opened(tmp_path / "other", other):
        pass
    with pytest.raises(ValueError, match="belongs to study 'other', not 'demo'"):
        with opened(tmp_path / "other", STUDY, force=True):
            pass
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_cells_of_another_version_are_kept_only_if_asked(tmp_path):
    def write():
        Store(tmp_path, "demo").write(CELLS[0], done())

    def held():
        return Store(tmp_path, "demo").finished(CELLS)

    with opened(tmp_path, STUDY):
        write()
    manifest = tmp_path / "study.json"
    older = json.dumps({**json.loads(manifest.read_text()), "code": "another"})
    manifest.write_text(older)
    with pytest.raises(ValueError, match="keep them with --resume, or compute them anew"):
        with opened(tmp_path, STUDY):
            pass
    with opened(tmp_path, STUDY, resume=True):
        assert held()
    manifest.write_text(older)
    with opened(tmp_path, STUDY, force=True):
        assert not held()
    with pytest.raises(ValueError, match="exclude each other"):
        with opened(tmp_path, STUDY, resume=True, force=True):
            pass


@contextmanager
def unprivileged():
    """Not root, whom no permission stops."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir(mode=0o555)
    with unprivileged(), pytest.raises(ValueError, match="out must be a folder that can be writt"):
        with opened(folder, STUDY):
            pass


@contextmanager
def files_of_at_most(size):
    """As on a full disk: writes beyond so many bytes fail."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_cell_that_does_not_fit_leaves_nothing_behind(store):
    store.write(CELLS[0], done())
    big = done(arrays={"x": np.random.default_rng(1).normal(size=10_000)})
    with files_of_at_most(20_000):
        with pytest.raises(OSError):
            store.write(CELLS[1], big)
        assert store.finished(CELLS) == {CELLS[0].key}
    assert len(list((store.path / "cells").iterdir())) == 1
