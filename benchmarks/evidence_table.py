"""The evidence of the shipped data sets, by every estimator, in several coordinates, by seed.

    python benchmarks/evidence_table.py [--quick] [--sets galaxies] [--out FILE.csv]

The log evidence is one number in all coordinates and by all estimators. For each data set and
number of components the table has the mean over everything, weighted by the squared errors, and
for each estimator in each coordinate system its mean, the spread between seeds and the error it
states. It takes hours and is no part of `run.py`.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data, load
from ordered_mix.draws.bridge import bridge
from ordered_mix.draws.chib import chib
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable, Parameterization
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.smc import SMC
from ordered_mix.samplers.tempering import Tempering

SETS = {"galaxies": 6, "enzyme": 4, "acidity": 4, "faithful:waiting": 3}
COORDINATES = ("unordered", "ordered", "signed", "moment")
SEEDS = {"smc": 20, "bridge": 20, "chib": 20, "tempering": 2}

LEAST_ERROR = 1e-3  # Chib's at K = 1 has none but that of its quadrature

Row = dict[str, Any]


def starts(data: Data, k: int, seed: int) -> Mixture:
    """Means from the data, for eight chains."""
    mu = np.random.default_rng(seed).choice(data.y, (8, k))
    return Mixture(np.full(k, 1 / k), mu, np.full((8, k), float(data.scale)))


def by_smc(parameterization: Parameterization, data: Data, seed: int) -> Row:
    draws = SMC().sample(parameterization, data, seed=seed)
    return _of_tree(draws)


def by_tempering(parameterization: Parameterization, data: Data, seed: int) -> Row:
    begin = starts(data, parameterization.k, seed)[:4]
    return _of_tree(Tempering(draws=400, tune=256).sample(parameterization, data, begin, seed))


def by_bridge(parameterization: Parameterization, data: Data, seed: int) -> Row:
    return _of_draws(bridge, parameterization, data, seed)


def by_chib(parameterization: Parameterization, data: Data, seed: int) -> Row:
    return _of_draws(chib, parameterization, data, seed)


def _of_draws(
    estimate: Callable[..., Any], parameterization: Parameterization, data: Data, seed: int
) -> Row:
    begin = starts(data, parameterization.k, seed)
    draws = Gibbs(draws=4000).sample(parameterization, data, begin, seed)
    found = estimate(parameterization, data, draws.mixture, seed=seed)
    return {"log_evidence": found.log_evidence, "error": found.standard_error,
            "passes": int(draws.passes.sum()), "warning": found.warning}  # fmt: skip


def _of_tree(draws: Any) -> Row:
    found = draws.tree.attrs
    passes = int(draws.passes.sum() + draws.warmup_passes.sum())
    return {"log_evidence": found["log_evidence"], "error": found["log_evidence_se"],
            "passes": passes, "warning": "", "barrier": found.get("barrier", np.nan)}  # fmt: skip


METHODS = {"smc": by_smc, "bridge": by_bridge, "chib": by_chib, "tempering": by_tempering}


def tasks(sets: list[str], quick: bool) -> Iterator[tuple[str, int, str, str, int]]:
    """Data set, components, method, coordinates, seed: all seeds in the first coordinates."""
    for seed in range(2 if quick else max(SEEDS.values())):
        for name in sets:
            for k in range(1, (2 if quick else SETS[name]) + 1):
                for method, seeds in SEEDS.items():
                    for at, label in enumerate(COORDINATES):
                        few = at > 0 and (method in ("chib", "tempering") or k == 1)
                        if seed < (seeds if at == 0 else min(seeds, 3)) and not few:
                            yield name, k, method, label, seed


def run(task: tuple[str, int, str, str, int]) -> Row:
    """One estimate."""
    name, k, method, label, seed = task
    data = load(name)
    prior = Prior().affine(float(data.location), float(data.scale))
    row: Row = {"data": name, "k": k, "method": method, "coordinates": label, "seed": seed}
    begin = time.perf_counter()
    try:
        row |= METHODS[method](catalog.parameterization(label, k, prior), data, seed)
    except NotApplicable:
        return {}
    return row | {"seconds": time.perf_counter() - begin}


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means and spreads, with the deviation from the weighted mean in standard errors."""
    table = table.assign(error=np.maximum(table["error"], LEAST_ERROR))
    rows = []
    for (name, k), cell in table.groupby(["data", "k"]):
        sound = cell[cell["warning"] == ""]
        overall = np.average(sound["log_evidence"], weights=sound["error"] ** -2.0)
        for (method, label), own in cell.groupby(["method", "coordinates"]):
            value, error = own["log_evidence"], np.sqrt(np.mean(own["error"] ** 2))
            row = {"data": name, "k": k, "overall": overall, "method": method}
            row |= {"coordinates": label, "runs": len(own), "mean": value.mean()}
            row |= {"spread": value.std(ddof=1) if len(own) > 1 else np.nan, "stated": error}
            row |= {"z": (value.mean() - overall) / (error / np.sqrt(len(own)))}
            row |= {"warned": int((own["warning"] != "").sum()), "passes": own["passes"].mean()}
            rows.append(row | {"seconds": own["seconds"].mean()})
    return pd.DataFrame(rows)


def main() -> None:
    """Run what is not in the file yet, and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two components, two seeds")
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--out", type=Path, default=Path("evidence.csv"))
    options = parser.parse_args()
    warnings.simplefilter("error")
    rows: list[Row] = []
    if options.out.is_file():
        rows = pd.read_csv(options.out, keep_default_na=False).to_dict("records")
    key = ("data", "k", "method", "coordinates", "seed")
    done = {tuple(str(row[name]) for name in key) for row in rows}
    for task in tasks(options.sets, options.quick):
        if tuple(map(str, task)) not in done:
            rows += [row for row in [run(task)] if row]
            pd.DataFrame(rows).to_csv(options.out, index=False)
    table = pd.read_csv(options.out, keep_default_na=False)
    print(summary(table).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
