"""Check a parameterization, ours or a user's file, against the laws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.laws import LAWS, Outcome, points_of
from ordered_mix.parameterization.parameterization import NotApplicable, Parameterization
from ordered_mix.prior import Prior

POINTS = 20


@dataclass(frozen=True)
class Check:
    """Which laws a parameterization obeys; prints as one line for each.

    Parameters
    ----------
    label : str
        The parameterization with its options.
    outcomes : tuple of (int, Outcome)
        Number of components and what was measured.
    """

    label: str
    outcomes: tuple[tuple[int, Outcome], ...]

    @property
    def passed(self) -> bool:
        """Whether every law holds or is skipped for a reason."""
        return not self.failures

    @property
    def failures(self) -> tuple[tuple[int, Outcome], ...]:
        """What fails."""
        return tuple(found for found in self.outcomes if not found[1].holds)

    def __str__(self) -> str:
        lines = [f"  K = {k}  {outcome}" for k, outcome in self.outcomes]
        failed = len(self.failures)
        summary = f"{failed} of {len(lines)} laws fail" if failed else "no law fails"
        return "\n".join([f"{self.label}: {summary}", *lines])


def check_parameterization(
    path_or_name: str | Path,
    k: int | Sequence[int] = (2, 3),
    prior: Prior | None = None,
    *,
    seed: int = 0,
    **options: Any,
) -> Check:
    """Hold a parameterization to the laws and print which fail and by how much.

    Round trip, log determinant, gradient, mass of the prior, its draws and their order, the match
    with the sorted reference prior, and the agreement of the plain PyMC model with the pass.

    Parameters
    ----------
    path_or_name : str or path
        A model file of your own, or a name that `catalog.names` lists.
    k : int or sequence of int
        Numbers of components.
    prior : Prior, optional
        The reference prior by default; ``Prior(native=True)`` for a file that declares priors of
        its own, which are then not compared with the reference.
    seed : int
        Seed of the points and of the draws.
    **options
        Options of the model file.

    Returns
    -------
    Check

    Raises
    ------
    ValueError
        If there is no such name or file, or it lacks ``block`` or ``coordinates``.
    """
    counts = (k,) if isinstance(k, int) else tuple(k)
    outcomes: list[tuple[int, Outcome]] = []
    label = Path(path_or_name).stem
    for count in counts:
        try:
            found = catalog.parameterization(str(path_or_name), count, prior, **options)
        except NotApplicable as reason:
            outcomes.append((count, Outcome("applies", skipped=str(reason))))
            continue
        label = found.label
        outcomes += [(count, outcome) for outcome in measure(found, seed)]
    check = Check(label, tuple(outcomes))
    print(check)
    return check


def measure(parameterization: Parameterization, seed: int) -> Iterable[Outcome]:
    """The outcome of every law; what goes wrong in a model file is an outcome, too."""
    try:
        z = points_of(parameterization, POINTS, seed)
    except Exception as error:
        yield Outcome("start", problem=_sentence(error))
        z = np.random.default_rng(seed).standard_normal((POINTS, parameterization.dimension))
    for law in LAWS:
        try:
            yield law(parameterization, z, seed)
        except Exception as error:
            yield Outcome(law.__name__.replace("_", " "), problem=_sentence(error))


def _sentence(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
