"""What a reference posterior is of: data, components, prior, and where modes are told apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ordered_mix.data import Data
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior

FOLDER = Path(__file__).resolve().parents[2] / "references"


@dataclass(frozen=True, eq=False)
class Definition:
    """One posterior of a mixture.

    Parameters
    ----------
    name : str
    about : str
        What makes it worth having, in a few words.
    data : Data
        One sample, unweighted.
    source : str
        Where the data are from.
    k : int
        Number of components.
    prior : Prior or MultivariatePrior
        In the units of the data.
    split : float, optional
        Where the data, or the first of their columns, have a gap. Modes that are no relabelling of
        each other are told apart by how many component means lie above it.
    """

    name: str
    about: str
    data: Any
    source: str
    k: int
    prior: Any
    split: float | None = None

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return self.data.d

    def parameterization(self, label: str = "unordered") -> Any:
        """The posterior in the coordinates of this label, of one or several dimensions."""
        return catalog.parameterization(label, self.k, self.prior)

    def as_json(self) -> dict[str, Any]:
        """The definition as JSON values: all that is needed to write the model down."""
        columns = {"columns": list(self.data.columns)} if self.d > 1 else {}
        given = {"source": self.source, "n": self.data.n, **columns, "y": self.data.y.tolist()}
        return {
            "name": self.name,
            "about": self.about,
            "data": given,
            "k": self.k,
            "d": self.d,
            "prior": {name: value for name, value in asdict(self.prior).items() if value},
            "split": self.split,
        }

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Definition:
        """The definition that `as_json` wrote."""
        about, found, name = given["about"], given["data"], given["name"]
        numbers: dict[str, Any] = {"location": 0.0, **given["prior"]}
        numbers = {key: tuple(v) if isinstance(v, list) else v for key, v in numbers.items()}
        data: Data
        prior: Prior | MultivariatePrior
        if given["d"] == 1:
            data, prior = Data(found["y"], name=name), Prior(**numbers)
        else:
            data = Data.of_points(found["y"], name=name, columns=tuple(found["columns"]))
            prior = MultivariatePrior(**numbers)
        return cls(name, about, data, found["source"], given["k"], prior, given["split"])
