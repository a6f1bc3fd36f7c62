"""A reference posterior as it is read from its files: draws, values, and the score of a sampler."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from ordered_mix.mixture import Mixture
from ordered_mix.references.definition import FOLDER, Definition
from ordered_mix.references.functionals import functionals

PARAMETERS = ("w", "mu", "sigma")
OF_POINTS = ("w", "mu", "covariance")
LABELS = ("symmetric", "sorted")
DRAWS = 10_000


@dataclass(frozen=True, eq=False)
class Reference:
    """A certified posterior.

    Parameters
    ----------
    definition : Definition
    content : dict
        What its JSON file holds, see `ordered_mix.references.reference.content`.
    folder : Path
        Where the files are.
    """

    definition: Definition
    content: dict[str, Any]
    folder: Path = FOLDER

    def __repr__(self) -> str:
        return f"Reference({self.definition.name!r}, K={self.definition.k}, D={self.definition.d})"

    @property
    def data(self) -> Any:
        """The data, in their own units."""
        return self.definition.data

    def parameterization(self, label: str = "unordered") -> Any:
        """The posterior in the coordinates of this label."""
        return self.definition.parameterization(label)

    @property
    def log_evidence(self) -> tuple[float, float]:
        """Log evidence and its standard error."""
        found = self.content["evidence"]
        return found["value"], found["error"]

    @property
    def values(self) -> dict[str, dict[str, Any]]:
        """Value, standard error and posterior standard deviation of every functional."""
        return self.content["functionals"]

    @cached_property
    def _draws(self) -> Mixture:
        return read_draws(self.folder / "draws" / f"{self.definition.name}.parquet")

    def draws(self, labels: str = "symmetric") -> Mixture:
        """10,000 draws, Mixture of batch shape (draw,).

        Parameters
        ----------
        labels : {"symmetric", "sorted"}
            Every labelling alike, or components in the order of their means, in several
            dimensions of those of the first column.

        Raises
        ------
        ValueError
            If there are no such labels.
        """
        if labels not in LABELS:
            raise ValueError(f"labels must be one of {', '.join(LABELS)}, got {labels!r}")
        return self._draws if labels == "symmetric" else self._draws.sorted()

    def errors(self, draws: Mixture) -> dict[str, float]:
        """How far the means of draws are from the values, in posterior standard deviations.

        Parameters
        ----------
        draws : Mixture, any batch shape
            In the units of the data, labels as they come.

        Raises
        ------
        ValueError
            If the draws have another number of components or dimensions.
        """
        if draws.k != self.definition.k:
            raise ValueError(f"draws must have {self.definition.k} components, they have {draws.k}")
        if draws.d != self.definition.d:
            raise ValueError(f"draws must have {self.definition.d} dimensions, they have {draws.d}")
        found = functionals(self.definition, draws.reshape(-1))
        return {name: float((found[name].mean() - one["value"]) / one["sd"])
                for name, one in self.values.items()}  # fmt: skip

    def score(self, draws: Mixture) -> float:
        """Root mean square of the `errors`, weights of modes among them."""
        return float(np.sqrt(np.mean(np.square(list(self.errors(draws).values())))))


def names(folder: Path | str = FOLDER) -> list[str]:
    """Names of the references in a folder.

    Raises
    ------
    ValueError
        If the folder holds none.
    """
    found = sorted(path.stem for path in (Path(folder) / "posteriors").glob("*.json"))
    if not found:
        raise ValueError(f"folder must hold posteriors/*.json, {str(folder)!r} does not")
    return found


def load_reference(name: str, folder: Path | str = FOLDER) -> Reference:
    """The reference of this name.

    Raises
    ------
    ValueError
        If there is none; the message has the near match.
    """
    known = names(folder)
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}" if near else ""
        raise ValueError(f"reference must be one of {', '.join(known)}, got {name!r}{hint}")
    file = Path(folder) / "posteriors" / f"{name}.json"
    given = json.loads(file.read_text(encoding="utf-8"))
    return Reference(Definition.from_json(given["definition"]), given, Path(folder))


def write_draws(path: Path, draws: Mixture, seed: int) -> None:
    """Write draws in single precision, the labels of each permuted at random."""
    rng = np.random.default_rng(seed)
    labels = rng.permuted(np.tile(np.arange(draws.k), (*draws.batch_shape, 1)), axis=-1)
    columns = {name: pa.array(values.astype(np.float32))
               for name, values in numbered(draws.permute(labels)).items()}  # fmt: skip
    parquet.write_table(
        pa.table(columns), path, compression="zstd", compression_level=19, use_dictionary=False,
        column_encoding=dict.fromkeys(columns, "BYTE_STREAM_SPLIT"),
    )  # fmt: skip


def numbered(draws: Mixture) -> dict[str, Any]:
    """Every number of a draw by its name, batch shape (draw,).

    ``w_1``, ``mu_1``, ``sigma_1`` of the first component; in several dimensions ``mu_1_2`` is its
    mean in the second column and ``covariance_1_2_1`` what its lower triangle has in row 2, column
    1.
    """
    found = {}
    for name, values in draws.parameters.items():
        for at in np.ndindex(values.shape[1:]):
            if len(at) < 3 or at[1] >= at[2]:
                found["_".join([name, *(str(i + 1) for i in at)])] = values[:, *at]
    return found


def read_draws(path: Path) -> Mixture:
    """The draws that `write_draws` wrote; weights add up to 1 again."""
    table = parquet.read_table(path)
    given = {name: table[name].to_numpy().astype(np.float64) for name in table.column_names}
    k = sum(name.startswith("w_") for name in given)
    w = np.stack([given[f"w_{i + 1}"] for i in range(k)], axis=1)
    w /= w.sum(axis=-1, keepdims=True)
    if "mu_1" in given:
        mu, sigma = (
            np.stack([given[f"{name}_{i + 1}"] for i in range(k)], axis=1)
            for name in PARAMETERS[1:]
        )
        return Mixture(w, mu, sigma)
    d = sum(name.startswith("mu_1_") for name in given)
    mu, covariance = np.empty((len(w), k, d)), np.empty((len(w), k, d, d))
    for i, j in np.ndindex(k, d):
        mu[:, i, j] = given[f"mu_{i + 1}_{j + 1}"]
        for m in range(j + 1):
            covariance[:, i, j, m] = given[f"covariance_{i + 1}_{j + 1}_{m + 1}"]
            covariance[:, i, m, j] = covariance[:, i, j, m]
    return Mixture(w, mu, covariance=covariance)
