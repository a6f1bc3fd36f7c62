"""What a study file holds: one frozen `Study`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ordered_mix.study.claims import Claim
from ordered_mix.study.experiment import SIZES, Experiment
from ordered_mix.study.grid import Cell, Value, accept, check_factor, known_values

if TYPE_CHECKING:
    from matplotlib.animation import Animation
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult


@dataclass(frozen=True, eq=False)
class Study:
    """A question, the experiments that answer it, and the claims tested on their tables.

    Parameters
    ----------
    name : str
        An identifier; cells and seeds are made of it.
    question : str
        What the study asks, in one sentence.
    source : str
        Where the question comes from.
    experiments : mapping of str to Experiment
        By name, an identifier: each has a table of its own. One that is named like the study has
        the seeds that the study's name gives, any other those of both names.
    claims : tuple of Claim
    figures : mapping of str to callable
        From a `StudyResult` to a matplotlib Figure, or an Animation (a GIF in the report), by name.
    answer : tuple of str
        Names of the claims whose sentences answer the question.
    chief : tuple of str
        Names of the claims that are the chief findings.

    Raises
    ------
    ValueError
        If one of these is not as described.
    """

    name: str
    question: str
    source: str
    experiments: Mapping[str, Experiment]
    claims: tuple[Claim, ...] = ()
    figures: Mapping[str, Callable[[StudyResult], Figure | Animation]] = field(default_factory=dict)
    answer: tuple[str, ...] = ()
    chief: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"name must be an identifier, got {self.name!r}")
        if not self.experiments:
            raise ValueError("experiments must be at least one, got none")
        for name in self.experiments:
            if not name.isidentifier():
                raise ValueError(f"experiments must have identifiers as names, got {name!r}")
        for figure in self.figures:
            if not re.fullmatch(r"\w[\w -]*", figure):
                raise ValueError(
                    f"figures must have names of letters, digits, spaces and dashes, got {figure!r}"
                )
        for claim in self.claims:
            for name in claim.of:
                self._check_experiment(name, f"claim {claim.name!r}")
        named = {claim.name: claim for claim in self.claims}
        for told in ("answer", "chief"):
            if unknown := [name for name in getattr(self, told) if name not in named]:
                raise ValueError(f"{told} must name claims of the study, got {', '.join(unknown)}")
        if silent := [name for name in self.answer if not named[name].words]:
            raise ValueError(f"answer must name claims that have words, got {', '.join(silent)}")

    @property
    def factors(self) -> dict[str, tuple[Value, ...]]:
        """Every factor of the experiments with all its values."""
        found: dict[str, list[Value]] = {}
        for experiment in self.experiments.values():
            for name, values in experiment.factors.items():
                found.setdefault(name, []).extend(values)
        return {name: known_values(name, values) for name, values in found.items()}

    def cells(
        self,
        size: str = "laptop",
        overrides: Mapping[str, Sequence[Any]] | None = None,
        experiments: Iterable[str] = (),
    ) -> list[Cell]:
        """Cells of a size, in the order of the tables.

        Parameters
        ----------
        size : {"smoke", "laptop", "cluster"}
        overrides : mapping of str to sequence, optional
            Values for some factors in place of those of the size, in the experiments that have
            the factor.
        experiments : iterable of str
            Names of the experiments meant; by default all.

        Raises
        ------
        ValueError
            If the size, an experiment, a factor or a value is not accepted.
        """
        if size not in SIZES:
            raise ValueError(f"size must be one of {', '.join(SIZES)}, got {size!r}")
        factors = self.factors
        changes = {}
        for name, values in (overrides or {}).items():
            check_factor(name, factors)
            changes[name] = accept(name, values, factors[name])
        return [
            cell
            for name in self.chosen(experiments)
            for cell in self.experiments[name].cells(self._seeded(name), size, changes, name)
        ]

    def chosen(self, experiments: Iterable[str] = ()) -> tuple[str, ...]:
        """Names of experiments, in the order of the study; by default all.

        Raises
        ------
        ValueError
            If there is no such experiment.
        """
        asked = tuple(experiments)
        for name in asked:
            self._check_experiment(name, "experiment")
        return tuple(name for name in self.experiments if name in asked or not asked)

    def _seeded(self, experiment: str) -> str:
        return self.name if experiment == self.name else f"{self.name} {experiment}"

    def _check_experiment(self, name: str, who: str) -> None:
        if name in self.experiments:
            return
        near = difflib.get_close_matches(name, list(self.experiments), n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}" if near else ""
        raise ValueError(f"{who} must be of {', '.join(self.experiments)}, got {name!r}{hint}")
