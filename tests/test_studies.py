"""Every study in the folder: figures and findings of its table, of parts of it and of none."""

import inspect
import re
from pathlib import Path

import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization.catalog import names
from ordered_mix.study.claims import UNDECIDED
from ordered_mix.study.result import StudyResult

RESULTS = Path(__file__).resolve().parents[1] / "studies" / "results"


@pytest.fixture(scope="module", params=names("study"))
def result(request, tmp_path_factory):
    """The published table, else the smoke size; its claims are judged elsewhere."""
    study, path = load_study(request.param), RESULTS / request.param
    if not (path / "table.parquet").is_file():
        return run_here(study, tmp_path_factory.mktemp(request.param))
    return StudyResult(study, path, pd.read_parquet(path / "table.parquet"), ())


def pictures(result):
    """Figures of a result by name; animations are drawn where they are tested."""
    for name, draw in result.study.figures.items():
        if "Animation" not in str(inspect.signature(draw).return_annotation):
            yield name, draw(result)


def parts(result):
    """What one kind of cell alone would have left, for each set of columns that a kind fills."""
    words = [name for name, values in result.study.factors.items() if isinstance(values[0], str)]
    always = [*result.study.factors, "seed", "status", "error"]
    found = {}
    for _, rows in result.rows.groupby(words[0]) if words else ():
        filled = rows.columns[rows.notna().any() | rows.columns.isin(always)]
        found.setdefault(tuple(filled), rows[filled])
    return [judged(result, rows) for rows in found.values()]


def judged(result, rows):
    table = StudyResult(result.study, result.path, rows, ()).table
    verdicts = tuple(claim.judge(table) for claim in result.study.claims)
    return StudyResult(result.study, result.path, rows, verdicts)


def check_findings(result):
    text = result.study.findings(result)
    assert "\n" not in text and not {"nan", "inf"} & set(re.split(r"\W+", text.lower()))


def test_every_figure_shows_data(result):
    for name, figure in pictures(result):  # rendered ones are in the published reports
        assert any(axes.has_data() for axes in figure.axes), name


def test_one_kind_of_cell_alone_is_drawn_and_told(result):
    for part in parts(result):
        assert not part.table.empty
        check_findings(part)
        assert all(figure.axes for _, figure in pictures(part))


def test_an_empty_table_is_drawn_and_told(result):
    empty = judged(result, result.rows.iloc[:0])
    assert {verdict.outcome for verdict in empty.verdicts} == {UNDECIDED}
    check_findings(empty)
    for _, figure in pictures(empty):
        figure.draw_without_rendering()
