"""Data larger than memory: a pass against reading the file, memory, and what bins stand for.

    python benchmarks/bench_stream.py [--quick] [--points N] [--folder DIR]

A Parquet file of N points is written, read and summed, each in a process of its own, and deleted.
Without --quick it has 10^9 points, 8 GB. Before each reading the file is dropped from the system's
cache. The seconds are the best of three; processor seconds are those of all threads.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tables

ROWS = 1 << 20
REPEATS = 3
SMALL, FULL = 20_000_000, 1_000_000_000
SAMPLED = {True: 50_000, False: 1_000_000}
MEASURES = ("read", "first pass", "pass, K = 2", "pass, K = 3", "bins")


def write(path: Path, n: int) -> None:
    """Two normal components, in row groups of a million points."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng, schema = np.random.default_rng(0), pa.schema([("x", pa.float64())])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as file:
        for start in range(0, n, ROWS):
            count = min(ROWS, n - start)
            y = rng.standard_normal(count)
            y = np.where(rng.random(count) < 0.4, 0.7 * y - 1, y + 1.5)
            file.write_table(pa.table({"x": y}), row_group_size=ROWS)


def measure(source: str, name: str) -> None:
    """Print seconds, processor seconds and the peak of the memory of one thing."""
    from ordered_mix.files.parts import parts_of
    from ordered_mix.passes.kernels import e_step
    from ordered_mix.stream.binned import binned
    from ordered_mix.stream.stream import stream

    path, _, column = source.rpartition(":")
    k = 3 if name.endswith("3") else 2
    w, mu, sigma = np.full((1, k), 1 / k), np.linspace(-1, 1, k)[None], np.ones((1, k))
    e_step(np.zeros((1, 9)), w, mu, sigma)  # compiled before it is timed

    def read() -> None:
        for part in parts_of(path, column, source):
            for _ in part.blocks():
                pass

    task: Callable[[], object] = read
    if name != "read":
        data = stream(source)
        passes = data.standardized() if name.startswith("pass") else data
        task = {
            "first pass": lambda: stream(source),
            "bins": lambda: binned(data),
        }.get(name, lambda: passes.moments(w, mu, sigma))
    seconds, busy = [], []
    for _ in range(REPEATS):
        forget(path)
        begin, used = time.perf_counter(), time.process_time()
        task()
        seconds.append(time.perf_counter() - begin)
        busy.append(time.process_time() - used)
    print(min(seconds), min(busy), peak())


def forget(path: str) -> None:
    """Have the file read from the disk again, as one larger than memory is."""
    if hasattr(os, "posix_fadvise"):
        with open(path, "rb") as file:
            os.fsync(file)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def peak() -> int:
    """Largest memory of this process so far, MB."""
    text = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    return int(found[1]) // 1024 if found else 0


def fitted(source: str) -> None:
    """Print the stages of a fit with their seconds."""
    from ordered_mix import fit
    from ordered_mix.stream.stream import stream

    begin, stages = time.perf_counter(), [("first pass", 0.0)]
    found = fit(
        stream(source),
        progress=lambda stage: stages.append((stage, time.perf_counter() - begin)),
    )
    ends = [*(at for _, at in stages[1:]), time.perf_counter() - begin]
    rows = [[name, f"{end - at:.1f}"] for (name, at), end in zip(stages, ends, strict=True)]
    print(shown(["stage", "seconds"], rows))
    print(f"\n{found.headline}\n")
    for verdict in found.verdicts:
        print(f"- {verdict.question} {verdict.answer} {verdict.reason}")


def binned_and_exact(n: int) -> None:
    """Print the posterior of binned data beside that of the points."""
    import arviz_stats

    from ordered_mix import NUTS, Mixture, default_prior, parameterization, simulate
    from ordered_mix.estimators.map import MAP
    from ordered_mix.stream.binned import binned

    truth = Mixture([0.4, 0.6], [-1.0, 1.5], [0.7, 1.0])
    data = simulate(truth, n, seed=0)
    grid, model = binned(data), parameterization("unordered", 2, default_prior(data))
    mode = MAP().fit(model, data, truth.reshape(1)).mixture[0]
    nuts, found = NUTS(draws=1000, tune=1000, cores=2), []
    for seed, one in enumerate((data, grid.data)):
        begin = time.perf_counter()
        drawn = nuts.sample(model, one, Mixture.stack([mode] * 4), seed).mixture.sorted()
        found.append((drawn, time.perf_counter() - begin))
    rows = []
    for name in ("w", "mu", "sigma"):
        for k in range(2):
            values = [getattr(drawn, name)[..., k] for drawn, _ in found]
            ess = [arviz_stats.ess(v, method="mean", chain_axis=0, draw_axis=1) for v in values]
            errors = [v.std() / np.sqrt(e) for v, e in zip(values, ess, strict=True)]
            difference = (values[1].mean() - values[0].mean()) / np.hypot(*errors)
            cells = [f"{v.mean():.6f}" for v in values] + [f"{v.std():.6f}" for v in values]
            rows.append([f"{name}[{k + 1}]", *cells, f"{difference:+.1f}"])
    head = ["", "mean", "mean, bins", "sd", "sd, bins", "apart, in standard errors"]
    print(shown(head, rows))
    bound = float(grid.bound(found[1][0][:, ::50]).max())
    seconds = " and ".join(f"{used:.0f} s" for _, used in found)
    print(
        f"\n{n:,} points, {grid.data.n:,} weighted ones; bound on the change of the log "
        f"likelihood at draws {bound:.1g} nats; {seconds}."
    )


def shown(head: list[str], rows: list[list[str]]) -> str:
    """A table of cells."""
    return tables.table([dict(zip(head, row, strict=True)) for row in rows], head)


def run(*arguments: str) -> str:
    """What this file prints with other arguments, in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Write, measure, delete."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 million points")
    parser.add_argument("--points", type=int)
    parser.add_argument("--folder", type=Path, help="where the file is written for a while")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        source, name = options.one
        if name == "fit":
            fitted(source)
        elif name == "posterior":
            binned_and_exact(int(source))
        else:
            measure(source, name)
        return
    n = options.points or (SMALL if options.quick else FULL)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "big.parquet"
        write(path, n)
        rows, reading = [], 0.0
        for name in MEASURES:
            seconds, busy, memory = map(float, run("--one", f"{path}:x", name).split())
            reading = reading or seconds
            rows.append([name, f"{seconds:.2f}", f"{seconds / reading:.2f}", f"{busy:.2f}",
                         f"{memory:.0f}"])  # fmt: skip
        print(f"{n:,} points, {path.stat().st_size / 1e9:.2f} GB\n")
        head = ["", "seconds", "of reading", "processor seconds", "peak memory, MB"]
        print(shown(head, rows), flush=True)
        print("\nA fit, NUTS with 4 chains of 1,000 draws:\n")
        print(run("--one", f"{path}:x", "fit"), flush=True)
    print("The posterior of binned data and that of all points:\n")
    print(run("--one", str(SAMPLED[options.quick]), "posterior"))


if __name__ == "__main__":
    main()
