"""Claims written before a study runs, and the verdicts that its table gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
DIRECTIONS = ("above", "below", "within", "outside")
Words = str | tuple[str, str, str]


class Effect(NamedTuple):
    """An effect size and its interval.

    Parameters
    ----------
    estimate, low, high : float
        The estimate and the ends of its interval, 95% unless its maker says otherwise; for a
        deterministic quantity they are as far off as its computation may be.
    observations : int
        Number of independent observations behind it, 0 for a deterministic quantity.
    """

    estimate: float
    low: float
    high: float
    observations: int = 0

    @property
    def reach(self) -> float | None:
        """How far off the computation of a deterministic quantity may be; None for an estimate."""
        return None if self.observations else (self.high - self.low) / 2

    def __str__(self) -> str:
        if self.reach is not None:
            return f"{self.estimate:.4g}"
        return f"{self.estimate:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one claim.

    Parameters
    ----------
    claim : Claim
    outcome : str
        ``holds``, ``fails`` or ``undecided``.
    effect : Effect or None
        The effect size with its interval; None if it could not be computed.
    reason : str
        One sentence with the numbers.
    after_holm : str or None
        The outcome after Holm's correction for the number of claims in the family; None for what
        is deterministic, and for a claim that was judged alone.
    """

    claim: Claim
    outcome: str
    effect: Effect | None
    reason: str
    after_holm: str | None = None


@dataclass(frozen=True)
class Claim:
    """A statement with what would prove it wrong, fixed before the study runs.

    Parameters
    ----------
    name : str
        Short name.
    statement : str
        The claim in one sentence.
    source : str
        Who claims it: paper and place.
    effect : callable
        From tables of finished cells (DataFrame), one for each experiment in `of`, to an `Effect`
        with its 95% interval.
    direction : {"above", "below", "within", "outside"}
        Where the effect must lie: above the margin, below it, within plus or minus the margin,
        or outside of that.
    margin : float
        The margin.
    unit : str
        What the effect is measured in.
    family : str
        Claims of a study with the same family answer one question and are corrected for their
        number; by default all of a study are one family.
    of : tuple of str
        Names of the experiments whose tables the effect takes; by default all of the study.
    words : str or tuple of str
        What to say if it holds, if it fails and if it is undecided, or one sentence for all three.
        ``{0}``, ``{1}`` and ``{2}`` are the effect and the ends of its interval.

    Raises
    ------
    ValueError
        If the direction is another word, the margin does not suit it, or the words hold more than
        three numbers.
    """

    name: str
    statement: str
    source: str
    effect: Callable[..., Effect]
    direction: str
    margin: float
    unit: str = ""
    family: str = ""
    of: tuple[str, ...] = ()
    words: Words = ""

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise ValueError(
                f"direction must be one of {', '.join(DIRECTIONS)}, got {self.direction!r}"
            )
        if not np.isfinite(self.margin):
            raise ValueError(f"margin must be finite, got {self.margin}")
        if self.margin < 0 and self.direction in ("within", "outside"):
            raise ValueError(f"margin must be at least 0 for {self.direction}, got {self.margin}")
        for words in (self.words,) if isinstance(self.words, str) else self.words:
            try:
                words.format(*Effect(0.0, 0.0, 0.0)[:3])
            except (IndexError, KeyError, ValueError) as error:
                raise ValueError(
                    f"words must hold no more than {{0}}, {{1}} and {{2}}, got {words!r}: {error}"
                ) from None

    def judge(self, *tables: pd.DataFrame) -> Verdict:
        """Test the claim: decided only if the whole interval lies on one side of the margin.

        Parameters
        ----------
        *tables : DataFrame
            Rows of finished cells, a table for each experiment that the effect takes.

        Returns
        -------
        Verdict
            Undecided with the reason, too, if the table does not give an effect.
        """
        try:
            effect = self.effect(*tables)
            if not isinstance(effect, Effect):
                raise TypeError(f"effect must return an Effect, got {type(effect).__name__}")
        except Exception as error:
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            reason = f"The table gives no effect size: {kind}{error}."
            return Verdict(self, UNDECIDED, None, reason)
        outcome = self._outcome(effect)
        unit = f" {self.unit}" if self.unit else ""
        wanted = f"{self.direction} {'+-' if self._two_sided else ''}{self.margin:g}"
        counted = (
            f", {effect.observations} observations"
            if effect.reach is None
            else f", numerical reach {effect.reach:.1g}"
        )
        return Verdict(self, outcome, effect, f"{effect}{unit}, claimed {wanted}{counted}.")

    @property
    def _two_sided(self) -> bool:
        return self.direction in ("within", "outside")

    def _outcome(self, effect: Effect) -> str:
        if np.isnan(effect[:3]).any():
            return UNDECIDED
        low, high, margin = effect.low, effect.high, self.margin
        if self._two_sided:
            inside = -margin < low and high < margin
            outside = low > margin or high < -margin
        else:
            inside, outside = high < margin, low > margin
        yes, no = (inside, outside) if self.direction in ("below", "within") else (outside, inside)
        return HOLDS if yes else FAILS if no else UNDECIDED
