"""Which cells to hand out next: grouped by model, in batches of a quarter second."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import NamedTuple

from ordered_mix.study.grid import Cell, Value

BATCH_SECONDS = 0.25
RUNNER_SECONDS = 0.02  # what a batch may cost the runner, which serves one worker at a time
GROWTH = 8
LARGEST = 1000
LOSSES = 3

Structure = tuple[Value, ...]


class Batch(NamedTuple):
    """Cells that one worker computes in one task."""

    cells: list[Cell]
    structure: Structure


class Schedule:
    """Cells that still have to be handed out.

    Cells of one structure go to the worker that had the last of them, so that models are
    compiled once for each worker. A batch lasts about a quarter second: one cell that is slow,
    or many fast ones. Cells whose worker was lost go out alone, so that one which kills its
    worker takes no other with it.

    Parameters
    ----------
    cells : iterable of Cell
    """

    def __init__(self, cells: Iterable[Cell]) -> None:
        self.waiting: dict[Structure, deque[Cell]] = {}
        for cell in cells:
            self.waiting.setdefault(cell.structure, deque()).append(cell)
        self.suspects: deque[Cell] = deque()
        self.losses: Counter[str] = Counter()
        self.size = dict.fromkeys(self.waiting, 1)
        self.current: dict[str, Structure] = {}

    def __len__(self) -> int:
        return len(self.suspects) + sum(map(len, self.waiting.values()))

    def take(self, worker: str, workers: int) -> Batch | None:
        """The next batch for a worker, None if there is no cell left."""
        structure = self._structure(worker)
        if structure is None:
            if not self.suspects:
                return None
            cell = self.suspects.popleft()
            return Batch([cell], cell.structure)
        self.current[worker] = structure
        queue = self.waiting[structure]
        fair = -(-len(queue) // (2 * max(workers, 1)))
        count = max(1, min(self.size[structure], fair))
        batch = Batch([queue.popleft() for _ in range(count)], structure)
        if not queue:
            del self.waiting[structure]
        return batch

    def finished(self, batch: Batch, seconds: float, workers: int) -> None:
        """Learn from a batch how many cells of its structure make a good one."""
        target = max(BATCH_SECONDS, workers * RUNNER_SECONDS)
        wanted = int(target * len(batch.cells) / max(seconds, 1e-9))
        grown = GROWTH * len(batch.cells)
        self.size[batch.structure] = max(1, min(wanted, grown, LARGEST))

    def lost(self, batch: Batch) -> list[Cell]:
        """Take back a batch whose worker was lost.

        Returns
        -------
        list of Cell
            Cells to give up, because they were alone with their worker whenever it was lost.
        """
        if len(batch.cells) > 1:
            self.suspects.extend(batch.cells)
            return []
        (cell,) = batch.cells
        self.losses[cell.key] += 1
        if self.losses[cell.key] >= LOSSES:
            return [cell]
        self.suspects.append(cell)
        return []

    def gone(self, worker: str) -> None:
        """Forget a worker."""
        self.current.pop(worker, None)

    def _structure(self, worker: str) -> Structure | None:
        if not self.waiting:
            return None
        held = self.current.get(worker)
        if held in self.waiting:
            return held
        shared = Counter(self.current.values())
        return max(self.waiting, key=lambda one: len(self.waiting[one]) / (1 + shared[one]))
