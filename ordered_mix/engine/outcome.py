"""What a run leaves in its folder: opened again, judged, and written as verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from ordered_mix.engine.store import Store
from ordered_mix.files.results import replacing
from ordered_mix.study.definition import Study
from ordered_mix.study.family import judge_all
from ordered_mix.study.grid import make_cells
from ordered_mix.study.result import DONE, TABLE, SetAside, StudyResult, verdict_table

VERDICTS = "verdicts.json"


def load_result(study: Study, path: Path | str) -> StudyResult:
    """Open what `run_study` wrote, and judge the claims on it.

    Raises
    ------
    ValueError
        If the folder holds no table.
    """
    return judged(study, Path(path))


def judged(study: Study, path: Path, set_aside: tuple[SetAside, ...] = ()) -> StudyResult:
    """Read the table of a folder and judge the claims of the study on it."""
    if not (path / TABLE).is_file():
        raise ValueError(f"out {str(path)!r} holds no {TABLE}, run the study first")
    rows = pd.read_parquet(path / TABLE)
    table = StudyResult(study, path, rows, ()).table
    return StudyResult(study, path, rows, judge_all(study.claims, table), set_aside)


def write_verdicts(result: StudyResult) -> None:
    """Write ``verdicts.json``, one object for each claim."""
    table = verdict_table(result.verdicts).astype(object)
    text = json.dumps(table.where(table.notna(), None).to_dict("records"), indent=1)
    with replacing(result.path / VERDICTS) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def arrays_of(result: StudyResult, **factors: Any) -> dict[str, NDArray[Any]]:
    """Arrays that one cell keeps.

    Raises
    ------
    ValueError
        If no finished cell has these factors.
    """
    study = result.study
    block = {name: [value] for name, value in factors.items()}
    cells = make_cells(study.name, study.factors, [block])
    outcome = Store(result.path, study.name).read(cells[0]) if len(cells) == 1 else None
    if outcome is None or outcome.status != DONE or set(block) != set(study.factors):
        raise ValueError(f"factors must be those of one finished cell, got {factors}")
    return outcome.arrays
