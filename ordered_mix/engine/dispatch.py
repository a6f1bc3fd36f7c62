"""The loop of a run: one batch at a time to each worker, each outcome to the store at once."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from distributed import CancelledError, Client, Future, KilledWorker

from ordered_mix.engine.batches import Outcome, pack, run_batch
from ordered_mix.engine.cluster import Connection
from ordered_mix.engine.progress import Progress
from ordered_mix.engine.schedule import Batch, Schedule
from ordered_mix.engine.store import Store
from ordered_mix.errors import RunError
from ordered_mix.study.definition import Study
from ordered_mix.study.grid import Cell
from ordered_mix.study.result import FAILED

TICK = 0.5
PATIENCE = 30.0


class Running(NamedTuple):
    """A batch that a worker computes."""

    future: Future
    batch: Batch
    worker: str
    begin: float


class Dispatch:
    """Cells of a study on their way to workers and back.

    Each worker holds one batch and none waits at a worker, so that the runner knows which cells
    a lost worker was computing, and since when. Only the runner writes, so that workers need no
    common file system and a stray one cannot spoil a folder.

    Parameters
    ----------
    study : Study
    store : Store
    cells : sequence of Cell
        Those to compute.
    done, skipped : int
        How many are settled already.
    progress : callable
    """

    def __init__(
        self,
        study: Study,
        store: Store,
        cells: Sequence[Cell],
        done: int,
        skipped: int,
        progress: Callable[[Progress], None],
    ) -> None:
        self.study, self.store, self.report = study, store, progress
        self.schedule = Schedule(cells)
        self.total = len(cells) + done + skipped
        self.before, self.skipped = done, skipped
        self.done = self.failed = 0
        self.running: dict[str, Running] = {}
        self.workers: set[str] = set()
        self.ended: SimpleQueue[Future] = SimpleQueue()
        self.begin = self.looked = time.monotonic()

    def run(self, connection: Connection) -> None:
        """Compute every cell.

        Parameters
        ----------
        connection : Connection

        Raises
        ------
        RunError
            If the scheduler is lost, workers cannot load the study, or the folder cannot be
            written.
        """
        self.shipment = pack(self.study)
        self.tend = connection.tend
        client = connection.client
        try:
            self._look(client)
            while self.schedule or self.running:
                self._hand_out(client)
                try:
                    self._collect(client, self.ended.get(timeout=TICK))
                except Empty:
                    pass
                if time.monotonic() - self.looked > TICK:
                    self._look(client)
        finally:
            for item in self.running.values():
                item.future.release()
        self._show()

    def _hand_out(self, client: Client) -> None:
        for worker in self.workers - self.running.keys():
            batch = self.schedule.take(worker, len(self.workers))
            if batch is None:
                return
            future = client.submit(
                run_batch,
                self.shipment,
                batch.cells,
                key=f"{self.study.name}-{uuid.uuid4().hex}",
                workers=[worker],
                pure=False,
                retries=0,
            )
            self.running[worker] = Running(future, batch, worker, time.monotonic())
            future.add_done_callback(self.ended.put)

    def _collect(self, client: Client, future: Future) -> None:
        item = next((item for item in self.running.values() if item.future is future), None)
        if item is None:
            return
        outcomes = self._gather(client, item)
        if self.running.get(item.worker) is not item:
            return  # found lost meanwhile
        del self.running[item.worker]
        if outcomes is None:
            self._lost(item)
            return
        seconds = sum(outcome.seconds for outcome in outcomes)
        self.schedule.finished(item.batch, seconds, len(self.workers))
        self._hand_out(client)
        for cell, outcome in zip(item.batch.cells, outcomes, strict=True):
            self._settle(cell, outcome)

    def _gather(self, client: Client, item: Running) -> list[Outcome] | None:
        """What a batch returned, None if its worker was lost."""
        while item.future.status in ("finished", "pending"):
            try:
                return item.future.result(timeout=TICK)
            except (OSError, CancelledError, KilledWorker, UnboundLocalError):
                # slow to answer, or lost since; the last is what a wait that was cancelled raises
                self._look(client)
                if self.running.get(item.worker) is not item:
                    return None
        error = item.future.exception(timeout=PATIENCE) if item.future.status == "error" else None
        if error is None or isinstance(error, KilledWorker):
            return None
        raise RunError(
            f"workers cannot compute study {self.study.name!r}: {type(error).__name__}: {error}"
        ) from error

    def _look(self, client: Client) -> None:
        """See which workers there are, take back what lost ones held, and report."""
        self.looked = time.monotonic()
        try:
            self.workers = set(_workers(client))
        except (OSError, TimeoutError) as error:
            raise RunError(
                f"the Dask scheduler is lost ({error}); {self.done} cells of this run are kept"
            ) from error
        self.tend(len(self.workers))
        for worker in self.running.keys() - self.workers:
            item = self.running.pop(worker)
            self.schedule.gone(worker)
            self._lost(item)
            item.future.cancel()
        self._show()

    def _lost(self, item: Running) -> None:
        seconds = time.monotonic() - item.begin
        limit = self.study.experiments[item.batch.cells[0].experiment].time_limit
        if len(item.batch.cells) == 1 and seconds >= limit:
            self._give_up(item.batch.cells[0], f"TimeLimit: no result within {limit:g} s", seconds)
            return
        for cell in self.schedule.lost(item.batch):
            losses = self.schedule.losses[cell.key]
            reason = f"its worker was lost {losses} times: it crashes or exceeds the memory limit"
            self._give_up(cell, f"WorkerLost: {reason}", seconds)

    def _give_up(self, cell: Cell, error: str, seconds: float) -> None:
        self._settle(cell, Outcome(FAILED, [], {}, error, "", seconds, time.time()))

    def _settle(self, cell: Cell, outcome: Outcome) -> None:
        try:
            self.store.write(cell, outcome)
        except OSError as error:
            raise RunError(
                f"out {str(self.store.path)!r} cannot be written: "
                f"{os.strerror(error.errno or 0)}; {self.done} cells of this run are kept"
            ) from error
        self.failed += outcome.status == FAILED
        self.done += outcome.status != FAILED

    def _show(self) -> None:
        seconds = time.monotonic() - self.begin
        self.report(
            Progress(
                total=self.total,
                done=self.before + self.done,
                failed=self.failed,
                skipped=self.skipped,
                workers=len(self.workers),
                rate=(self.done + self.failed) / max(seconds, 1e-9),
                seconds=seconds,
            )
        )


def _workers(client: Client) -> dict[str, Any]:
    scheduler: Any = client.scheduler
    return client.sync(scheduler.ncores, workers=None, callback_timeout=PATIENCE)
