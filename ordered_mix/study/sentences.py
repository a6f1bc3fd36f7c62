"""Findings in words: sentences that the outcomes of claims and the numbers of a table choose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ordered_mix.study.claims import FAILS, HOLDS, UNDECIDED, Effect, Verdict
from ordered_mix.study.drawing import short

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

RATIO = "{0:.2f} [{1:.2f}, {2:.2f}]"
SHARE = "{0:.0%} [{1:.0%}, {2:.0%}]"
Words = str | tuple[str, str, str]
Teller = Callable[["StudyResult"], Iterable[str]]


def paragraph(result: StudyResult, *tellers: Teller) -> str:
    """One paragraph from what each teller says, and the number of cells that failed.

    Parameters
    ----------
    result : StudyResult
    *tellers : callable
        From the result to sentences. One that raises ValueError or KeyError, because the table
        holds no such rows or column, ends there.
    """
    told: list[str] = []
    for teller in tellers:
        try:
            told.extend(teller(result))
        except (ValueError, KeyError):
            continue
    if failed := len(result.failures):
        told.append(f"{failed} cell{'s' * (failed > 1)} failed.")
    return " ".join(told)


def measured(result: StudyResult) -> dict[str, Effect]:
    """Effects that the table gives, by the name of their claim."""
    return {one.claim.name: one.effect for one in result.verdicts if one.effect is not None}


def by_outcome(verdicts: Sequence[Verdict], sentences: Mapping[str, Words]) -> Iterator[str]:
    """A sentence for each claim that has an effect, chosen by its outcome.

    Parameters
    ----------
    verdicts : sequence of Verdict
    sentences : mapping of str to str or tuple of str
        By the name of a claim, in the order of telling: what to say if it holds, if it fails and if
        it is undecided, or one sentence for all three. ``{0}``, ``{1}`` and ``{2}`` are the effect
        and the ends of its interval.
    """
    found = {verdict.claim.name: verdict for verdict in verdicts}
    for name, words in sentences.items():
        verdict = found.get(name)
        if verdict is None or verdict.effect is None:
            continue
        which = (HOLDS, FAILS, UNDECIDED).index(verdict.outcome)
        yield (words if isinstance(words, str) else words[which]).format(*verdict.effect)


def answer(result: StudyResult) -> str:
    """The answer to the study's question, as far as its claims have effects."""
    opening = result.study.opening
    return "" if opening is None else " ".join(by_outcome(result.verdicts, opening.answer))


def chief(result: StudyResult) -> list[str]:
    """The chief findings: what is claimed, whether it holds, and the number."""
    opening = result.study.opening
    found = {verdict.claim.name: verdict for verdict in result.verdicts}
    told = []
    for name in opening.chief if opening is not None else ():
        verdict = found.get(name)
        if verdict is not None and verdict.effect is not None:
            number = " ".join(filter(None, [str(verdict.effect), verdict.claim.unit]))
            statement = verdict.claim.statement.rstrip(".")
            is_so = "is undecided" if verdict.outcome == UNDECIDED else verdict.outcome
            told.append(f"“{statement}” {is_so}: {number}.")
    return told


def chained(phrases: Iterable[str]) -> Iterator[str]:
    """Sentences made of phrases; one that begins small goes on with the sentence before it."""
    sentence = ""
    for phrase in phrases:
        if sentence and not phrase[0].isupper():
            sentence += f"; {phrase}"
            continue
        if sentence:
            yield f"{sentence}."
        sentence = phrase[0].upper() + phrase[1:]
    if sentence:
        yield f"{sentence}."


def tally(result: StudyResult) -> Iterator[str]:
    """How many claims hold, fail and are undecided, the most frequent outcome first."""
    counts = Counter(verdict.outcome for verdict in result.verdicts).most_common()
    found = ", ".join(f"{count} {outcome}" for outcome, count in counts)
    yield f"Of {len(result.verdicts)} claims: {found}."


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: *a, b and c*."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def amounts(values: Mapping[Any, float] | Any, form: str = "{0} {1:.0%}") -> str:
    """Names with their numbers, separated by commas: *AIC 3%, BIC 5%*.

    Parameters
    ----------
    values : mapping of str to float, or Series
    form : str
        How one is told: ``{0}`` is the short name and ``{1}`` the number. The parts of a name that
        is a tuple are ``{0[0]}``, ``{0[1]}``.
    """
    named = ((name if isinstance(name, tuple) else short(name), v) for name, v in values.items())
    return ", ".join(form.format(name, value) for name, value in named)
