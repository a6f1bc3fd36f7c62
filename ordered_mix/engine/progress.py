"""How far a run is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple


class Progress(NamedTuple):
    """The state of a run.

    Parameters
    ----------
    total, done, failed, skipped : int
        Cells: all, finished (in earlier runs, too), failed in this run, left out.
    workers : int
        Worker processes at hand.
    rate : float
        Cells a second in this run.
    seconds : float
        Time since the run began.
    """

    total: int
    done: int
    failed: int
    skipped: int
    workers: int
    rate: float
    seconds: float

    @property
    def left(self) -> int:
        """Cells that are not settled."""
        return self.total - self.done - self.failed - self.skipped

    @property
    def expected_end(self) -> datetime | None:
        """When the run will end at this rate, None before the first cell."""
        if self.rate <= 0:
            return None
        return datetime.now() + timedelta(seconds=self.left / self.rate)

    def __str__(self) -> str:
        parts = [f"{self.done:,} of {self.total:,} cells", f"{self.rate:.3g} a second"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.skipped:
            parts.append(f"{self.skipped:,} skipped")
        parts.append(f"{self.workers} workers" if self.workers else "waiting for workers")
        if self.left and (end := self.expected_end):
            today = end.date() == datetime.now().date()
            parts.append(f"ends about {end:%H:%M}" if today else f"ends about {end:%d %b %H:%M}")
        return ", ".join(parts)
