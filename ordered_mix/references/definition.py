"""What a reference posterior is of: data, components, prior, and where modes are told apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ordered_mix.data import Data
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import Prior

FOLDER = Path(__file__).resolve().parents[2] / "references"


@dataclass(frozen=True, eq=False)
class Definition:
    """One posterior of a univariate mixture.

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
    prior : Prior
        In the units of the data.
    split : float, optional
        Where the data have a gap. Modes that are no relabelling of each other are told apart by
        how many component means lie above it.
    """

    name: str
    about: str
    data: Data
    source: str
    k: int
    prior: Prior
    split: float | None = None

    def parameterization(self, label: str = "unordered") -> Parameterization:
        """The posterior in the coordinates of this label."""
        return catalog.parameterization(label, self.k, self.prior)

    def as_json(self) -> dict[str, Any]:
        """The definition as JSON values: all that is needed to write the model down."""
        return {
            "name": self.name,
            "about": self.about,
            "data": {"source": self.source, "n": self.data.n, "y": self.data.y.tolist()},
            "k": self.k,
            "d": 1,
            "prior": {name: value for name, value in asdict(self.prior).items() if value},
            "split": self.split,
        }

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Definition:
        """The definition that `as_json` wrote."""
        numbers = dict(given["prior"])
        if "known_w" in numbers:
            numbers["known_w"] = tuple(numbers["known_w"])
        data = Data(given["data"]["y"], name=given["name"])
        return cls(
            given["name"], given["about"], data, given["data"]["source"], given["k"],
            Prior(**{"location": 0.0, **numbers}), given["split"],
        )  # fmt: skip
