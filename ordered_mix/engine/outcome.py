"""The result of a study: its table, its verdicts, and what failed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ordered_mix.engine.batches import DONE, FAILED, SKIPPED
from ordered_mix.engine.store import SetAside, Store
from ordered_mix.engine.tables import TABLE, TIMINGS
from ordered_mix.files.results import replacing
from ordered_mix.study.claims import Effect, Verdict
from ordered_mix.study.definition import Study
from ordered_mix.study.grid import make_cells

VERDICTS = "verdicts.json"
STATES = ("seed", "status", "error")


@dataclass(frozen=True, eq=False)
class StudyResult:
    """What a study found.

    Parameters
    ----------
    study : Study
    path : Path
        The output folder.
    rows : DataFrame
        ``table.parquet``: the factors, ``seed``, ``status``, ``error`` and the cells' columns.
    verdicts : tuple of Verdict
        One for each claim.
    set_aside : tuple of SetAside
        Files of cells that were not trusted and were computed anew.
    """

    study: Study
    path: Path
    rows: pd.DataFrame
    verdicts: tuple[Verdict, ...]
    set_aside: tuple[SetAside, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """Rows of the finished cells: the factors and what the cells returned."""
        return self._where(DONE).drop(columns=list(STATES))

    @property
    def failures(self) -> pd.DataFrame:
        """Failed cells: the factors, the seed and the error's text."""
        return self._where(FAILED)[[*self.study.factors, "seed", "error"]]

    @property
    def skipped(self) -> pd.DataFrame:
        """Combinations left out: the factors and the reason."""
        skipped = self._where(SKIPPED)[[*self.study.factors, "error"]]
        return skipped.rename(columns={"error": "reason"})

    @property
    def timings(self) -> pd.DataFrame:
        """Seconds of every cell, and when it was finished (seconds since the epoch)."""
        return pd.read_parquet(self.path / TIMINGS)

    def arrays(self, **factors: Any) -> dict[str, NDArray[Any]]:
        """Arrays that one cell keeps.

        Raises
        ------
        ValueError
            If no finished cell has these factors.
        """
        block = {name: [value] for name, value in factors.items()}
        cells = make_cells(self.study.name, self.study.factors, [block])
        outcome = Store(self.path, self.study.name).read(cells[0]) if len(cells) == 1 else None
        if outcome is None or outcome.status != DONE or set(block) != set(self.study.factors):
            raise ValueError(f"factors must be those of one finished cell, got {factors}")
        return outcome.arrays

    def _repr_html_(self) -> str:
        from ordered_mix.report import notebook

        return notebook(self)

    def _where(self, status: str) -> pd.DataFrame:
        return self.rows[self.rows["status"] == status].reset_index(drop=True)


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
    verdicts = tuple(claim.judge(table) for claim in study.claims)
    return StudyResult(study, path, rows, verdicts, set_aside)


def write_verdicts(result: StudyResult) -> None:
    """Write ``verdicts.json``, one object for each claim."""
    table = verdict_table(result.verdicts).astype(object)
    text = json.dumps(table.where(table.notna(), None).to_dict("records"), indent=1)
    with replacing(result.path / VERDICTS) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def verdict_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One row for each verdict.

    Returns
    -------
    DataFrame
        Columns ``claim``, ``statement``, ``source``, ``outcome``, ``effect``, ``low``, ``high``,
        ``observations``, ``direction``, ``margin``, ``unit`` and ``reason``.
    """
    missing = Effect(np.nan, np.nan, np.nan)
    rows = []
    for verdict in verdicts:
        claim, effect = verdict.claim, verdict.effect or missing
        rows.append(
            {
                "claim": claim.name,
                "statement": claim.statement,
                "source": claim.source,
                "outcome": verdict.outcome,
                "effect": effect.estimate,
                "low": effect.low,
                "high": effect.high,
                "observations": effect.observations,
                "direction": claim.direction,
                "margin": claim.margin,
                "unit": claim.unit,
                "reason": verdict.reason,
            }
        )
    return pd.DataFrame(rows)
