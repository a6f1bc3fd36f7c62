"""A question with its answer as data: nothing needs to read the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

GOOD, NEARLY, BAD, UNDECIDED = "good", "nearly", "bad", "undecided"
STATUSES = (GOOD, NEARLY, BAD, UNDECIDED)


@dataclass(frozen=True)
class Verdict:
    """A question, its answer in a few words, and the reason with the measured numbers.

    Parameters
    ----------
    key : str
        What is asked, for programs: ``agree``, ``describe``, ``prior``, ...
    status : {"good", "nearly", "bad", "undecided"}
        Whether the answer is what one hopes for.
    question, answer, reason : str
        For people.
    clause : str
        The answer as a part of the headline; empty if the headline does without.
    values : mapping
        The measured numbers and names.
    """

    key: str
    status: str
    question: str
    answer: str
    reason: str
    clause: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}, got {self.status!r}")


def headline(verdicts: Sequence[Verdict]) -> str:
    """The clauses of the verdicts in one sentence."""
    sentence = "; ".join(verdict.clause for verdict in verdicts if verdict.clause)
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""


def listed(names: Sequence[str]) -> str:
    """Names with commas and an "and"; empty if there are none."""
    if not names:
        return ""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
