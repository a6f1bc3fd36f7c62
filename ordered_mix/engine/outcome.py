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
from ordered_mix.study.experiment import Experiment
from ordered_mix.study.family import judge_all
from ordered_mix.study.result import (
    DONE,
    STATES,
    TABLES,
    SetAside,
    StudyResult,
    table_of,
    verdict_table,
)

VERDICTS = "verdicts.json"


def load_result(study: Study, path: Path | str) -> StudyResult:
    """Open what `run_study` wrote, and judge the claims on it.

    Raises
    ------
    ValueError
        If the folder holds no table of the study.
    """
    return judged(study, Path(path))


def judged(study: Study, path: Path, set_aside: tuple[SetAside, ...] = ()) -> StudyResult:
    """Read the tables of a folder and judge the claims of the study on them."""
    found = {name: table_of(path, name) for name in study.experiments}
    if not any(file.is_file() for file in found.values()):
        raise ValueError(f"out {str(path)!r} holds no {TABLES}, run the study first")
    rows = {
        name: pd.read_parquet(file) if file.is_file() else _nothing(study.experiments[name])
        for name, file in found.items()
    }
    tables = StudyResult(study, path, rows, ()).tables
    return StudyResult(study, path, rows, judge_all(study.claims, tables), set_aside)


def _nothing(experiment: Experiment) -> pd.DataFrame:
    """The table of an experiment that was left out."""
    return pd.DataFrame(columns=[*experiment.factors, *STATES])


def write_verdicts(result: StudyResult) -> None:
    """Write ``verdicts.json``, one object for each claim."""
    table = verdict_table(result.verdicts).astype(object)
    text = json.dumps(table.where(table.notna(), None).to_dict("records"), indent=1)
    with replacing(result.path / VERDICTS) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def arrays_of(result: StudyResult, experiment: str, **factors: Any) -> dict[str, NDArray[Any]]:
    """Arrays that one cell keeps.

    Raises
    ------
    ValueError
        If no finished cell of this experiment has these factors.
    """
    study = result.study
    (name,) = study.chosen([experiment])
    known = set(study.experiments[name].factors)
    block = {factor: [value] for factor, value in factors.items()}
    cells = study.cells("laptop", block, [name]) if set(block) == known else []
    outcome = Store(result.path, study.name).read(cells[0]) if len(cells) == 1 else None
    if outcome is None or outcome.status != DONE:
        raise ValueError(f"factors must be those of one finished cell, got {factors}")
    return outcome.arrays
