"""What a study file holds: one frozen `Study`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import ArrayLike

from ordered_mix.study.claims import Claim
from ordered_mix.study.grid import Cell, Grid, Value, accept, check_factor, known_values, make_cells

if TYPE_CHECKING:
    from matplotlib.animation import Animation
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

SIZES = ("smoke", "laptop", "cluster")
RESERVED = ("seed", "status", "error")
Rows = Sequence[Mapping[str, Any]]


class Result(NamedTuple):
    """What a cell returns that keeps arrays; one without returns its rows alone.

    Parameters
    ----------
    rows : sequence of mapping
        Tidy rows of scalars, without the factors, which the table adds.
    arrays : mapping of str to array
        Numbers or text, e.g. a trace, a field or draws (chain, draw, component).
    """

    rows: Rows
    arrays: Mapping[str, ArrayLike] = {}


class Opening(NamedTuple):
    """What a report begins with: the answer to the question, and the chief findings.

    Parameters
    ----------
    answer : mapping of str to str or tuple of str
        Two sentences by the names of the claims that choose them, as in
        `ordered_mix.study.sentences.by_outcome`.
    chief : tuple of str
        Names of three claims.
    """

    answer: Mapping[str, str | tuple[str, str, str]]
    chief: tuple[str, str, str]


def never(**factors: Value) -> str | None:
    """Skip nothing."""
    return None


def silent(result: StudyResult) -> str:
    """Say nothing."""
    return ""


@dataclass(frozen=True, eq=False)
class Study:
    """A question, the grid of cells that answers it, and the claims tested on their table.

    Parameters
    ----------
    name : str
        An identifier; cells and seeds are made of it.
    question : str
        What the study asks, in one sentence.
    source : str
        Where the question comes from.
    factors : mapping of str to sequence
        Every factor with all its values: finite numbers, strings, bools or None.
    sizes : mapping of str to mapping or sequence of mapping
        ``smoke`` (seconds), ``laptop`` (minutes) and ``cluster``: a grid of factor values, or
        several whose union is meant. A factor that a grid does not name takes all its values.
    cell : callable
        ``cell(seed, **factors)``, a pure function that returns tidy rows or a `Result`.
    claims : tuple of Claim
    figures : mapping of str to callable
        From a `StudyResult` to a matplotlib Figure, or an Animation (a GIF in the report), by name.
    opening : Opening, optional
        The answer in two sentences and the three chief findings; without, claims are counted.
    findings : callable
        From a `StudyResult` to one paragraph of plain text, made of the table's numbers: it holds
        for any size, and a sentence whose truth depends on numbers is chosen by them.
    skip : callable
        ``skip(**factors)`` returns the reason to leave a combination out, or None.
    structure : tuple of str
        Factors that decide which compiled model a cell needs; its cells run on one worker.
    time_limit : float
        Seconds after which a cell is ended and counted as failed.

    Raises
    ------
    ValueError
        If one of these is not as described.
    """

    name: str
    question: str
    source: str
    factors: Mapping[str, Sequence[Any]]
    sizes: Mapping[str, Any]
    cell: Callable[..., Rows | Result]
    claims: tuple[Claim, ...] = ()
    figures: Mapping[str, Callable[[StudyResult], Figure | Animation]] = field(default_factory=dict)
    opening: Opening | None = None
    findings: Callable[[StudyResult], str] = silent
    skip: Callable[..., str | None] = never
    structure: tuple[str, ...] = ()
    time_limit: float = 600.0

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"name must be an identifier, got {self.name!r}")
        for factor in self.factors:
            if not factor.isidentifier() or factor in RESERVED:
                raise ValueError(
                    f"factors must be identifiers other than {', '.join(RESERVED)}, got {factor!r}"
                )
        known = {name: known_values(name, values) for name, values in self.factors.items()}
        object.__setattr__(self, "factors", known)
        if sorted(self.sizes) != sorted(SIZES):
            raise ValueError(f"sizes must be {', '.join(SIZES)}, got {', '.join(self.sizes)}")
        blocks = {size: self._blocks(grids) for size, grids in self.sizes.items()}
        object.__setattr__(self, "sizes", blocks)
        for figure in self.figures:
            if not re.fullmatch(r"\w[\w -]*", figure):
                raise ValueError(
                    f"figures must have names of letters, digits, spaces and dashes, got {figure!r}"
                )
        if not callable(self.findings):
            raise ValueError(f"findings must be a function of the result, got {self.findings!r}")
        named = {claim.name for claim in self.claims}
        told = () if self.opening is None else (*self.opening.answer, *self.opening.chief)
        if unknown := [name for name in told if name not in named]:
            raise ValueError(f"opening must name claims of the study, got {', '.join(unknown)}")
        for factor in self.structure:
            check_factor(factor, known)
        if not self.time_limit > 0:
            raise ValueError(f"time_limit must be positive, got {self.time_limit}")

    def cells(
        self, size: str = "laptop", overrides: Mapping[str, Sequence[Any]] | None = None
    ) -> list[Cell]:
        """Cells of a size, in the order of the table.

        Parameters
        ----------
        size : {"smoke", "laptop", "cluster"}
        overrides : mapping of str to sequence, optional
            Values for some factors in place of those of the size.

        Raises
        ------
        ValueError
            If the size, a factor or a value is not accepted.
        """
        if size not in self.sizes:
            raise ValueError(f"size must be one of {', '.join(SIZES)}, got {size!r}")
        (changes,) = self._blocks(overrides or {})
        blocks = [{**block, **changes} for block in self.sizes[size]]
        return make_cells(self.name, self.factors, blocks, self.structure)

    def _blocks(self, grids: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> tuple[Grid, ...]:
        blocks = []
        for grid in [grids] if isinstance(grids, Mapping) else grids:
            for factor in grid:
                check_factor(factor, self.factors)
            blocks.append(
                {name: accept(name, values, self.factors[name]) for name, values in grid.items()}
            )
        return tuple(blocks)
