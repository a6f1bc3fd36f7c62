"""Findings in words: sentences that the outcomes of claims choose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ordered_mix.study.claims import FAILS, HOLDS, UNDECIDED, Claim, Verdict

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

RATIO = "{0:.2f} [{1:.2f}, {2:.2f}]"
SHARE = "{0:.0%} [{1:.0%}, {2:.0%}]"


def worded(
    claims: Iterable[Claim], words: Mapping[str, str | tuple[str, str, str]]
) -> tuple[Claim, ...]:
    """Claims with these sentences, by name."""
    return tuple(replace(claim, words=words.get(claim.name, "")) for claim in claims)


def sentences(verdicts: Iterable[Verdict], names: Iterable[str] | None = None) -> Iterator[str]:
    """A sentence for each claim that has words and an effect, chosen by its outcome.

    Parameters
    ----------
    verdicts : iterable of Verdict
    names : iterable of str, optional
        Names of the claims that are told, in this order; by default all.
    """
    found = {verdict.claim.name: verdict for verdict in verdicts}
    for name in found if names is None else names:
        verdict = found.get(name)
        if verdict is None or verdict.effect is None or not verdict.claim.words:
            continue
        words = verdict.claim.words
        which = (HOLDS, FAILS, UNDECIDED).index(verdict.outcome)
        yield (words if isinstance(words, str) else words[which]).format(*verdict.effect[:3])


def answer(result: StudyResult) -> str:
    """The answer to the study's question, as far as its claims have effects."""
    return " ".join(sentences(result.verdicts, result.study.answer))


def chief(result: StudyResult) -> list[str]:
    """The chief findings: what is claimed, whether it holds, and the number."""
    found = {verdict.claim.name: verdict for verdict in result.verdicts}
    told = []
    for name in result.study.chief:
        verdict = found.get(name)
        if verdict is not None and verdict.effect is not None:
            number = " ".join(filter(None, [str(verdict.effect), verdict.claim.unit]))
            statement = verdict.claim.statement.rstrip(".")
            is_so = "is undecided" if verdict.outcome == UNDECIDED else verdict.outcome
            told.append(f"“{statement}” {is_so}: {number}.")
    return told


def findings(result: StudyResult) -> str:
    """One paragraph: what claims beside those of the answer say, and how many cells failed."""
    names = [claim.name for claim in result.study.claims if claim.name not in result.study.answer]
    told = list(sentences(result.verdicts, names))
    if failed := len(result.failures):
        told.append(f"{failed} cell{'s' * (failed > 1)} failed.")
    return " ".join(told)
