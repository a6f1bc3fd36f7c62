"""A Dask client: workers of this machine, a scheduler at an address, or jobs of a SLURM queue."""

from __future__ import annotations

import asyncio
import logging
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import dask
from distributed import Client, LocalCluster
from distributed.system import MEMORY_LIMIT

from ordered_mix.engine.batches import THREADS
from ordered_mix.errors import RunError

PATIENCE, CLOSING = 10.0, 3.0
MISSING, REPAIRS = 8.0, 8
ATTEMPTS = 3
THREAD_ENVIRONMENT = dict.fromkeys(THREADS, "1")
# A paused worker would wait for ever for memory that a leak never gives back: end it instead.
# A worker that is silent for long computes in native code: its time limit ends it, not this.
WORKER_RULES = {
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.scheduler.worker-ttl": None,
}
# Ctrl-C reaches every process of a terminal; the runner alone decides what it means.
IGNORE_INTERRUPTS = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"


class ClosingClient(Client):
    """A Dask client that is closed when it cannot be opened.

    Dask leaves that to the garbage collector, which may come while another client is being opened
    and then waits for ever for the lock that one has.
    """

    def start(self, **settings: Any) -> None:
        try:
            super().start(**settings)
        except BaseException:
            self.close()
            raise


class Connection(NamedTuple):
    """A client, and what its cluster wants to be told now and then.

    Parameters
    ----------
    client : Client
    tend : callable
        Called with the number of workers that are there.
    """

    client: Client
    tend: Callable[[int], None]


@contextmanager
def connected(
    workers: int = 2,
    address: str | None = None,
    slurm: Path | None = None,
    memory_limit: str = "auto",
) -> Iterator[Connection]:
    """A client whose workers each compute one cell at a time.

    Parameters
    ----------
    workers : int
        Worker processes to start on this machine if neither of the next two is given.
    address : str, optional
        A scheduler that runs already, e.g. ``tcp://10.0.0.1:8786``.
    slurm : Path, optional
        TOML file: ``jobs`` (how many), and a table ``cluster`` with the arguments of
        ``dask_jobqueue.SLURMCluster``.
    memory_limit : str
        Memory of each local worker, e.g. ``2 GiB``; one that exceeds it is ended and replaced.
        By default they share that of the machine.

    Raises
    ------
    ValueError
        If `workers` is below 1, both an address and a SLURM file are given, or that file is wrong.
    RunError
        If no scheduler answers at the address.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if address and slurm:
        raise ValueError("address and slurm exclude each other, got both")
    with dask.config.set(WORKER_RULES):
        if address:
            client = _client(address)
            try:
                yield Connection(client, lambda present: None)
            finally:
                client.close(timeout=CLOSING)
        elif slurm:
            with (
                _patient(_slurm(slurm)) as cluster,
                _patient(_started(ClosingClient, cluster, set_as_default=False)) as client,
            ):
                yield Connection(client, lambda present: None)
        else:
            local = LocalWorkers(workers, memory_limit)
            with (
                _patient(local.cluster) as cluster,
                _patient(_started(ClosingClient, cluster, set_as_default=False)) as client,
            ):
                yield Connection(client, local.tend)


@contextmanager
def _patient(manager: Any) -> Iterator[Any]:
    """Leave a context without an error if workers are slow to end: what they computed is stored."""
    entered = manager.__enter__()
    try:
        yield entered
    finally:
        with suppress(TimeoutError):
            manager.__exit__(None, None, None)


class LocalWorkers:
    """Worker processes of this machine, each replaced when it ends.

    A nanny restarts its worker, but gives up if that ends before it has connected; such a nanny
    is replaced here.

    Parameters
    ----------
    count : int
    memory_limit : str
    """

    def __init__(self, count: int, memory_limit: str) -> None:
        self.count, self.missing_since, self.repairs = count, time.monotonic(), 0
        self.closing: list[asyncio.Future[Any]] = []
        shared = memory_limit == "auto"
        self.cluster = _started(
            LocalCluster,
            n_workers=0,
            threads_per_worker=1,
            processes=True,
            memory_limit=MEMORY_LIMIT // count if shared else memory_limit,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            env=THREAD_ENVIRONMENT,
            preload=[IGNORE_INTERRUPTS],
        )
        self.cluster.scale(count)

    def tend(self, present: int) -> None:
        """Replace dead nannies once workers have been missing for a while.

        Raises
        ------
        RunError
            If no worker starts again and again.
        """
        now = time.monotonic()
        if present >= self.count:
            self.missing_since, self.repairs = now, 0
        elif now - self.missing_since > MISSING:
            self.missing_since, self.repairs = now, self.repairs + 1
            if self.repairs > REPAIRS and not present:
                raise RunError("no worker process can be started on this machine")
            loop: Any = self.cluster.loop
            loop.add_callback(self._replace_dead)

    def _replace_dead(self) -> None:
        for name, nanny in list(self.cluster.workers.items()):
            if nanny.process is None or not nanny.is_alive():
                del self.cluster.workers[name]
                self.closing.append(asyncio.ensure_future(nanny.close()))
        self.cluster.scale(self.count)


def _started(kind: Callable[..., Any], *given: Any, **settings: Any) -> Any:
    # Dask asserts that the thread of its event loop runs within ten seconds, too few under load
    for _ in range(ATTEMPTS - 1):
        with suppress(AssertionError):
            return kind(*given, **settings)
    return kind(*given, **settings)


def _client(address: str) -> Client:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        return _started(ClosingClient, address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RunError(f"no Dask scheduler answers at {address!r}: {error}") from None


def _slurm(file: Path) -> Any:
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise ValueError("slurm needs the package dask-jobqueue, which is not installed") from None
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
        jobs, options = int(settings["jobs"]), dict(settings["cluster"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"slurm must be a TOML file with `jobs` and a table `cluster`, {str(file)!r} is not: "
            f"{error}"
        ) from None
    rules = {name: str(value) for name, value in WORKER_RULES.items() if "worker.memory" in name}
    environment = THREAD_ENVIRONMENT | {
        f"DASK_{name.replace('.', '__').upper()}": value for name, value in rules.items()
    }
    exports = [f"export {name}={value}" for name, value in environment.items()]
    options["job_script_prologue"] = [*options.get("job_script_prologue", ()), *exports]
    cluster = SLURMCluster(**options)
    cluster.scale(jobs=jobs)
    return cluster
