"""Seconds from a fresh process to the first draws, and from a second data set to its first draws.

    python benchmarks/bench_start.py [--quick]

Cold: numba's and PyTensor's caches on disk are empty; warm: they are those of an earlier run.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import tables

REPEATS = 5
OWN = "ordered_mix"
CONTESTANTS = (OWN, "nutpie, NormalMixture", "pm.sample, NormalMixture")

Row = dict[str, Any]


def measure(name: str) -> Row:
    """Time one contestant in this process, from the import on."""
    begin = time.perf_counter()
    from bench_nuts import problem, shared

    data, other = problem(300), problem(1_000)
    parameterization, starts = shared()
    row: Row = {}
    if name == OWN:
        from ordered_mix.samplers.nuts import NUTS

        sampler = NUTS(draws=4, tune=4)
        sampler.sample(parameterization, data, starts, 0)
        row["seconds"] = time.perf_counter() - begin
        begin = time.perf_counter()
        sampler.sample(parameterization, other, starts, 0)
        row["second_data_seconds"] = time.perf_counter() - begin
        return row
    if name.startswith("nutpie"):
        import nutpie

        compiled = nutpie.compile_pymc_model(parameterization.model(data))
        nutpie.sample(compiled, draws=4, tune=4, chains=4, cores=1, seed=1, progress_bar=False)
    else:
        import pymc as pm

        with parameterization.model(data):
            pm.sample(
                draws=4, tune=4, chains=4, cores=1, random_seed=1, nuts_sampler="pymc",
                progressbar=False, compute_convergence_checks=False, quiet=True,
            )  # fmt: skip
    row["seconds"] = time.perf_counter() - begin
    return row


def run(repeats: int = REPEATS) -> list[Row]:
    """Measure every contestant, each time in a new process.

    Returns
    -------
    list of dict
        ``benchmark``, ``contestant``, ``cold_seconds`` (one run), the median ``warm_seconds`` and
        for ordered_mix ``second_data_seconds``; ``ratio`` is theirs over ours, warm.
    """
    rows: list[Row] = []
    for name in CONTESTANTS:
        with tempfile.TemporaryDirectory() as cache:
            cold, *warm = (_in_new_process(name, cache) for _ in range(repeats + 1))
        row: Row = {"benchmark": "start", "contestant": name, "cold_seconds": cold["seconds"]}
        for key in warm[0]:
            label = "warm_seconds" if key == "seconds" else key
            row[label] = statistics.median(result[key] for result in warm)
        rows.append(row)
    for row in rows:
        row["ratio"] = row["warm_seconds"] / rows[0]["warm_seconds"]
    return rows


def _in_new_process(name: str, cache: str) -> Row:
    flags = f"base_compiledir={cache}/pytensor"
    environment = {**os.environ, "NUMBA_CACHE_DIR": f"{cache}/numba", "PYTENSOR_FLAGS": flags}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--measure", name],
        env=environment, capture_output=True, check=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one repeat")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    rows = run(1) if arguments.quick else run()
    print(tables.table(rows, ("contestant", "cold_seconds", "warm_seconds", "ratio",
                                "second_data_seconds")))  # fmt: skip


if __name__ == "__main__":
    main()
