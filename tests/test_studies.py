"""Every study in the folder: figures and findings of its tables, of one alone and of none."""

import inspect
import re
from pathlib import Path

import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization.catalog import names
from ordered_mix.study.claims import UNDECIDED
from ordered_mix.study.family import judge_one
from ordered_mix.study.result import StudyResult, table_of
from ordered_mix.study.sentences import findings

RESULTS = Path(__file__).resolve().parents[1] / "studies" / "results"


@pytest.fixture(scope="module", params=names("study"))
def result(request, tmp_path_factory):
    """The published tables, else the smoke size; its claims are judged elsewhere."""
    study, path = load_study(request.param), RESULTS / request.param
    if not (path / "tables").is_dir():
        return run_here(study, tmp_path_factory.mktemp(request.param))
    rows = {name: pd.read_parquet(table_of(path, name)) for name in study.experiments}
    return StudyResult(study, path, rows, ())


def pictures(result):
    """Figures of a result by name; animations are drawn where they are tested."""
    for name, draw in result.study.figures.items():
        if "Animation" not in str(inspect.signature(draw).return_annotation):
            yield name, draw(result)


def only(result, *experiments):
    """The result if the other experiments had been left out, judged again."""
    rows = {name: rows if name in experiments else rows.iloc[:0]
            for name, rows in result.rows.items()}  # fmt: skip
    tables = StudyResult(result.study, result.path, rows, ()).tables
    verdicts = tuple(judge_one(claim, tables) for claim in result.study.claims)
    return StudyResult(result.study, result.path, rows, verdicts)


def check_findings(result):
    text = findings(result)
    assert "\n" not in text and not {"nan", "inf"} & set(re.split(r"\W+", text.lower()))


def test_every_figure_shows_data(result):
    for name, figure in pictures(result):  # rendered ones are in the published reports
        assert any(axes.has_data() for axes in figure.axes), name


def test_every_column_of_a_table_is_filled(result):
    """Or a factor would be one of another experiment."""
    for name, table in result.tables.items():
        factors = table[list(result.study.experiments[name].factors)]
        for factor in factors:
            assert factors[factor].map(lambda value: value is not None).any(), (name, factor)


def test_one_experiment_alone_is_drawn_and_told(result):
    for name in result.rows if len(result.rows) > 1 else ():
        part = only(result, name)
        assert not part.tables[name].empty
        check_findings(part)
        assert all(figure.axes for _, figure in pictures(part))


def test_empty_tables_are_drawn_and_told(result):
    empty = only(result)
    assert {verdict.outcome for verdict in empty.verdicts} == {UNDECIDED}
    check_findings(empty)
    for _, figure in pictures(empty):
        figure.draw_without_rendering()
