"""The result of a study: its table, its verdicts, and what failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ordered_mix.shown import html
from ordered_mix.study.claims import Effect, Verdict
from ordered_mix.study.definition import Study

DONE, FAILED, SKIPPED = "done", "failed", "skipped"
STATES = ("seed", "status", "error")
PROVENANCE, TABLE, TIMINGS = "provenance.json", "table.parquet", "timings.parquet"


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
    _repr_html_ = html

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

    def _where(self, status: str) -> pd.DataFrame:
        return self.rows[self.rows["status"] == status].reset_index(drop=True)


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
