"""From the runs of both methods to the files of a reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import Table, parquet

from ordered_mix.engine.outcome import arrays_of
from ordered_mix.mixture import Mixture
from ordered_mix.references.certificate import METHODS, certificate, values
from ordered_mix.references.definition import Definition
from ordered_mix.references.exact import exact
from ordered_mix.references.functionals import functionals
from ordered_mix.references.reference import (
    DRAWS,
    OF_POINTS,
    PARAMETERS,
    read_draws,
    write_draws,
)
from ordered_mix.study.grid import seed_of
from ordered_mix.study.result import StudyResult

RUNS = "runs.parquet"
LEAST_RUNS = 5


def write(result: StudyResult, definitions: dict[str, Definition], folder: Path) -> list[str]:
    """Write the files of every posterior all of whose runs are there; their names.

    Parameters
    ----------
    result : StudyResult
        Of the study in references/certify.py.
    definitions : dict of str to Definition
    folder : Path
        Gets ``posteriors/NAME.json`` and ``draws/NAME.parquet``; in its ``runs.parquet`` the rows
        of these posteriors are replaced.
    """
    for name in ("posteriors", "draws"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (rows,) = result.rows.values()
    rows = rows[rows["status"] == "done"]
    versions = json.loads((result.path / "provenance.json").read_text("utf-8"))["runs"][-1]
    written = []
    for name, definition in definitions.items():
        own = rows[rows["posterior"] == name]
        if own.groupby("method")["run"].nunique().reindex(METHODS, fill_value=0).min() < LEAST_RUNS:
            continue
        file = folder / "draws" / f"{name}.parquet"
        write_draws(file, _draws(result, own, definition), seed_of("labels", posterior=name))
        found = content(definition, own, read_draws(file), versions["versions"])
        text = json.dumps(found, indent=1) + "\n"
        (folder / "posteriors" / f"{name}.json").write_text(text, encoding="utf-8")
        written.append(name)
    kept = rows[rows["posterior"].isin(written)].drop(columns=["status", "error"])
    if (folder / RUNS).exists():
        before = pd.read_parquet(folder / RUNS)
        kept = pd.concat([before[~before["posterior"].isin(written)], kept])
    table = Table.from_pandas(kept.reset_index(drop=True), preserve_index=False)
    parquet.write_table(table, folder / RUNS, compression="zstd", compression_level=19)
    return written


def content(
    definition: Definition, rows: pd.DataFrame, draws: Any, versions: dict[str, str]
) -> dict[str, Any]:
    """What the JSON file of a posterior holds.

    ``definition``; ``evidence`` and ``functionals`` with ``value``, ``error`` (Monte Carlo, 0 by
    quadrature), ``exact`` and the posterior ``sd``; ``modes``, weights by the number of means above
    the split; ``certificate``, every comparison with its z score and p value; ``methods``, their
    runs, seeds and passes to make them again; ``versions``.
    """
    truth = exact(definition)
    found = values(rows, truth)
    evidence = found.pop("log_evidence")
    own = functionals(definition, draws)
    for name, one in found.items():
        one["sd"] = float(own[name].std())
    above = {name: one for name, one in found.items() if name.startswith("above")}
    return {
        "schema": 1,
        "definition": definition.as_json(),
        "evidence": evidence | {"estimators": _estimators(rows)},
        "modes": {name.removeprefix("above_"): one["value"] for name, one in above.items()},
        "functionals": found,
        "certificate": certificate(rows, truth),
        "methods": {method: _method(rows, method) for method in METHODS},
        "versions": versions,
    }


def _method(rows: pd.DataFrame, method: str) -> dict[str, Any]:
    own = rows[rows["method"] == method]
    seeds = own.groupby("run")["seed"].first()
    return {
        "runs": len(seeds),
        "chains": int(own.groupby("run").size().iloc[0]),
        "seeds": seeds.tolist(),
    }


def _estimators(rows: pd.DataFrame) -> list[str]:
    own = rows.loc[rows["log_evidence"].notna() & rows["estimator"].notna(), "estimator"]
    return ["smc", *sorted(own.unique())]


def _draws(result: StudyResult, rows: pd.DataFrame, definition: Definition) -> Any:
    """10,000 draws, equally many of every run of data augmentation."""
    runs = sorted(rows.loc[rows["method"] == "augmentation", "run"].unique().tolist())
    each = DRAWS // len(runs)
    names = PARAMETERS if definition.d == 1 else OF_POINTS
    parts = []
    for run in runs:
        arrays = arrays_of(
            result, result.study.name, posterior=definition.name, method="augmentation", run=run
        )
        chosen = np.linspace(0, len(arrays["mu"]) - 1, each).astype(int)
        parts.append({name: arrays[name][chosen] for name in names})
    return Mixture(**{name: np.concatenate([one[name] for one in parts]) for name in names})
