"""In this process: a study without workers, and a command without a process of its own."""

import contextlib
import io
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pandas as pd
import pytest

from ordered_mix.engine.batches import run_cell
from ordered_mix.engine.outcome import judged
from ordered_mix.engine.store import Store
from ordered_mix.engine.tables import write_tables
from ordered_mix.study.family import judge_one
from ordered_mix.study.result import StudyResult


def run_here(study, path, size="smoke", overrides=None):
    """What `run_study` returns, from the same store, table and claims."""
    cells, store = study.cells(size, overrides), Store(path, study.name)
    skips = {cell.key: study.experiments[cell.experiment].skip(**cell.factors) for cell in cells}
    skips = {key: reason for key, reason in skips.items() if reason}
    (path / "cells").mkdir(exist_ok=True)
    (path / "tables").mkdir(exist_ok=True)
    for cell in cells:
        if cell.key not in skips:
            store.write(cell, run_cell(study.experiments[cell.experiment], cell))
    write_tables(store, study, cells, skips)
    return judged(study, path)


def result_of(study, tables):
    """The result that a study would have with these tables of cells, nothing failed.

    Experiments without a table have an empty one; a table alone is that of the lone experiment.
    """
    if isinstance(tables, pd.DataFrame):
        tables = {name: tables for name in study.experiments}
        assert len(tables) == 1
    rows = {
        name: tables[name].assign(seed=1, status="done", error=None)
        if name in tables
        else pd.DataFrame(columns=[*experiment.factors, "seed", "status", "error"])
        for name, experiment in study.experiments.items()
    }
    found = StudyResult(study, Path(), rows, ())
    verdicts = tuple(judge_one(claim, found.tables) for claim in study.claims)
    return StudyResult(study, Path(), rows, verdicts)


def exit_status(monkeypatch, *arguments):
    """What `ordered-mix` with these arguments ends with."""
    from ordered_mix.cli import main

    monkeypatch.setattr(sys, "argv", ["ordered-mix", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def run_command(*arguments, cwd):
    """What a process of ``ordered-mix`` with these arguments would return and print.

    Importing the library takes such a process seconds.
    """
    from ordered_mix.cli import main

    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["ordered-mix", *arguments]),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return SimpleNamespace(
        returncode=ended.value.code, stdout=out.getvalue(), stderr=err.getvalue()
    )
