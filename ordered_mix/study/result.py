"""The result of a study: its table, its verdicts, and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ordered_mix.shown import html
from ordered_mix.study.claims import Effect, Verdict
from ordered_mix.study.definition import Study

DONE, FAILED, SKIPPED = "done", "failed", "skipped"
STATES = ("seed", "status", "error")
PROVENANCE, TIMINGS = "provenance.json", "timings.parquet"
TABLES = "tables"


class SetAside(NamedTuple):
    """A file that was not trusted: where it is now, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, eq=False)
class StudyResult:
    """What a study found.

    Parameters
    ----------
    study : Study
    path : Path
        The output folder.
    rows : mapping of str to DataFrame
        ``tables/NAME.parquet`` of each experiment: its factors, ``seed``, ``status``, ``error`` and
        the cells' columns.
    verdicts : tuple of Verdict
        One for each claim.
    set_aside : tuple of SetAside
        Files of cells that were not trusted and were computed anew.
    """

    study: Study
    path: Path
    rows: Mapping[str, pd.DataFrame]
    verdicts: tuple[Verdict, ...]
    set_aside: tuple[SetAside, ...] = ()
    _repr_html_ = html

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Rows of the finished cells of each experiment: factors and what the cells returned."""
        return {name: self._where(name, DONE).drop(columns=list(STATES)) for name in self.rows}

    @property
    def failures(self) -> pd.DataFrame:
        """Failed cells: the experiment, the factors, the seed and the error's text."""
        return self._undone(FAILED)

    @property
    def skipped(self) -> pd.DataFrame:
        """Combinations left out: the experiment, the factors and the reason."""
        return self._undone(SKIPPED).drop(columns="seed").rename(columns={"error": "reason"})

    @property
    def timings(self) -> pd.DataFrame:
        """Experiment, seed and seconds of every cell, and when it ended (since the epoch)."""
        return pd.read_parquet(self.path / TIMINGS)

    def _undone(self, status: str) -> pd.DataFrame:
        parts = []
        for name in self.rows:
            found = self._where(name, status)
            found = found[[*self.study.experiments[name].factors, "seed", "error"]]
            found.insert(0, "experiment", name)
            parts.append(found)
        filled = [part for part in parts if len(part)]
        return pd.concat(filled or parts, ignore_index=True)

    def _where(self, experiment: str, status: str) -> pd.DataFrame:
        rows = self.rows[experiment]
        return rows[rows["status"] == status].reset_index(drop=True)


def table_of(path: Path, experiment: str) -> Path:
    """Where the table of an experiment is, in the folder of a study."""
    return path / TABLES / f"{experiment}.parquet"


def verdict_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One row for each verdict.

    Returns
    -------
    DataFrame
        Columns ``claim``, ``family``, ``statement``, ``source``, ``outcome``, ``after_holm``,
        ``effect``, ``low``, ``high``, ``observations``, ``direction``, ``margin``, ``unit`` and
        ``reason``.
    """
    missing = Effect(np.nan, np.nan, np.nan)
    rows = []
    for verdict in verdicts:
        claim, effect = verdict.claim, verdict.effect or missing
        rows.append(
            {
                "claim": claim.name,
                "family": claim.family,
                "statement": claim.statement,
                "source": claim.source,
                "outcome": verdict.outcome,
                "after_holm": verdict.after_holm,
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
