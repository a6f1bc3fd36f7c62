"""Schedulers and workers of Dask as one starts them by hand."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager


def until(condition, *processes):
    """Wait for a condition, but neither for ever nor for processes that have ended."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "waited for two minutes"
        assert all(process.poll() is None for process in processes), "a process has ended"
        time.sleep(0.02)


def end(process):
    """Stop a process, by force if it does not listen."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


@contextmanager
def fleet(folder, workers=2):
    """A scheduler and workers as one starts them by hand; yields the scheduler and its address."""
    file = folder / "scheduler.json"
    unpaused = {f"DASK_DISTRIBUTED__WORKER__MEMORY__{name}": "False" for name in ("PAUSE", "SPILL")}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    where = ["--scheduler-file", str(file), "--no-dashboard"]
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--nworkers", str(workers)]
    worker += ["--nthreads", "1", "--memory-limit", "600 MiB", "--local-directory", str(folder)]
    with (
        subprocess.Popen([*scheduler, "--host", "127.0.0.1", *where], **quiet) as first,
        subprocess.Popen([*worker, *where], env=os.environ | unpaused, **quiet) as second,
    ):
        try:
            until(lambda: file.exists() and file.read_text().endswith("}"), first, second)
            yield first, json.loads(file.read_text())["address"]
        finally:
            for process in (second, first):
                end(process)
