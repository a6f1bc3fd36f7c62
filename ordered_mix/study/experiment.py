"""What is computed for a study: one frozen `Experiment`, a grid of cells with one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from ordered_mix.study.grid import (
    Cell,
    Grid,
    Value,
    accept,
    accepted,
    check_factor,
    known_values,
    make_cells,
)

SIZES = ("smoke", "laptop", "cluster")
RESERVED = ("seed", "status", "error", "experiment")
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


def four_digits(value: Any) -> float:
    """What most measures are good for; tables of shorter numbers are half the size."""
    return float(f"{float(value):.4g}")


def in_four_digits(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in `four_digits`; whole numbers, and what is missing, stay as they are."""
    whole = (type(None), int)
    return {name: v if isinstance(v, whole) else four_digits(v) for name, v in row.items()}


def never(**factors: Value) -> str | None:
    """Skip nothing."""
    return None


@dataclass(frozen=True, eq=False)
class Experiment:
    """A grid of cells, and the function that computes one.

    Parameters
    ----------
    cell : callable
        ``cell(seed, **factors)``, a pure function that returns tidy rows or a `Result`.
    factors : mapping of str to sequence
        Every factor with all its values: finite numbers, strings, bools or None.
    sizes : mapping of str to mapping or sequence of mapping
        ``smoke`` (seconds), ``laptop`` (minutes) and ``cluster``: a grid of factor values, or
        several whose union is meant. A factor that a grid does not name takes all its values.
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

    cell: Callable[..., Rows | Result]
    factors: Mapping[str, Sequence[Any]]
    sizes: Mapping[str, Any]
    skip: Callable[..., str | None] = never
    structure: tuple[str, ...] = ()
    time_limit: float = 600.0

    def __post_init__(self) -> None:
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
        for factor in self.structure:
            check_factor(factor, known)
        if not self.time_limit > 0:
            raise ValueError(f"time_limit must be positive, got {self.time_limit}")

    def cells(
        self, name: str, size: str, changes: Grid | None = None, label: str = ""
    ) -> list[Cell]:
        """Cells of a size, in the order of the table.

        Parameters
        ----------
        name : str
            What seeds are made of beside the factors.
        size : {"smoke", "laptop", "cluster"}
        changes : mapping of str to sequence, optional
            Values for some factors in place of those of the size; words that this experiment
            does not know are left out.
        label : str
            Name of the experiment.
        """
        own = {
            factor: accepted(values, self.factors[factor])
            for factor, values in (changes or {}).items()
            if factor in self.factors
        }
        blocks = [{**block, **own} for block in self.sizes[size]]
        return make_cells(name, self.factors, blocks, self.structure, label)

    def _blocks(self, grids: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> tuple[Grid, ...]:
        blocks = []
        for grid in [grids] if isinstance(grids, Mapping) else grids:
            for factor in grid:
                check_factor(factor, self.factors)
            blocks.append(
                {name: accept(name, values, self.factors[name]) for name, values in grid.items()}
            )
        return tuple(blocks)
