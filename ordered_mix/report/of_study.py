"""The report of a study: its verdicts, its findings, its figures, and how it was made."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import matplotlib.style
from matplotlib.animation import Animation

from ordered_mix.report.contents import Card, Report, Section
from ordered_mix.report.figures.interval import (
    claimed_in_words,
    picture,
    reach_in_words,
    with_unit,
)
from ordered_mix.report.figures.style import OWN, Drawing, to_gif, to_svg
from ordered_mix.report.study_setup import cells_in_words, last_run, setup
from ordered_mix.report.tables.of_study import tables
from ordered_mix.report.tables.table import Table
from ordered_mix.report.words import OF_STUDIES, mentioned
from ordered_mix.study.claims import FAILS, HOLDS, UNDECIDED, Verdict
from ordered_mix.study.sentences import answer, chief, findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

MOST_NAMED = 3


class StudyReport(Report):
    """What a study found.

    Parameters
    ----------
    result : StudyResult

    Attributes
    ----------
    problems : list of str
        One sentence for each figure that could not be drawn.
    """

    about = "study"
    files = "The rows of all cells are in tables/, the verdicts in verdicts.json, beside this file."

    def __init__(self, result: StudyResult) -> None:
        self.result = result
        self.run = last_run(result)
        self.kind = f"Study {result.study.name}"
        self.name = result.study.question
        self.size = f"Source: {result.study.source}; {cells_in_words(result, self.run)}"
        self.problems: list[str] = []

    @property
    def title(self) -> str:
        """The name of the study and its question."""
        return f"{self.result.study.name}: {self.name}"

    @property
    def headline(self) -> str:
        """The answer to the question; without one, how many claims hold, and which do not."""
        return answer(self.result) or headline(self.result.verdicts)

    @property
    def chief(self) -> list[str]:
        """The chief findings of the study."""
        return chief(self.result)

    @property
    def score(self) -> str:
        """How many claims hold, and which do not."""
        return headline(self.result.verdicts) if answer(self.result) else ""

    @property
    def findings(self) -> str:
        """What claims beside the answer say, in a paragraph."""
        return findings(self.result)

    @cached_property
    def drawings(self) -> list[Drawing]:
        """The figures that can be drawn; the others are problems."""
        drawn = [self._draw(name) for name in self.result.study.figures]
        return [drawing for drawing in drawn if drawing is not None]

    def cards(self) -> list[Card]:
        """The claims."""
        return [card(verdict) for verdict in self.result.verdicts]

    def picture(self) -> Drawing | None:
        """The first figure."""
        first = next(iter(self.result.study.figures), None)
        return self._draw(first) if first is not None else None

    def sections(self) -> list[Section]:
        """The figures, without headings of our own."""
        return [Section("", self.drawings, wide=True)] if self.drawings else []

    def tables(self) -> list[Table]:
        """Verdicts, cells, and what failed."""
        return tables(self.result, self.run, self.problems)

    def setup(self) -> list[tuple[str, str]]:
        """How the study was run."""
        return setup(self.result, self.run)

    def glossary(self) -> list[tuple[str, str]]:
        """The words of studies, and further ones that this study uses."""
        study = self.result.study
        claims = " ".join(f"{one.statement} {one.unit}" for one in study.claims)
        return [*OF_STUDIES, *mentioned(f"{study.question} {claims} {self.findings}")]

    def _draw(self, name: str) -> Drawing | None:
        try:
            return draw(name, self.result)
        except Exception as error:
            self.problems.append(f"Figure {name!r} cannot be drawn: {_text(error)}")
            return None


def draw(name: str, result: StudyResult) -> Drawing:
    """One figure of a study in the colours of the page, its function's docstring as caption."""
    function = result.study.figures[name]
    title = name.replace("_", " ")
    title, caption = title[:1].upper() + title[1:], _description(function)
    with matplotlib.style.context(["default", OWN]):
        figure = function(result)
        if isinstance(figure, Animation):
            alt = f"{title}. {caption}"
            return Drawing(title, to_gif(figure, alt), alt, caption, scrolls=True, paper=True)
        alt = " ".join(filter(None, [f"{title}.", caption, _axes_in_words(figure)]))
        return Drawing(title, to_svg(figure, alt, shrinks=False), alt, caption, scrolls=True)


def card(verdict: Verdict) -> Card:
    """A claim: the outcome, the interval against the margin, and the numbers."""
    claim, effect = verdict.claim, verdict.effect
    terms = [] if effect is None else [("Effect", with_unit(effect, claim))]
    terms.append(("Claimed", claimed_in_words(claim)))
    if effect is not None:
        if effect.reach is None:
            terms.append(("Observations", f"{effect.observations:,}"))
            if verdict.after_holm:
                terms.append(("After Holm", verdict.after_holm))
        else:
            terms.append(("Numerical reach", f"{reach_in_words(effect)}, it is deterministic"))
    terms.append(("Source", claim.source))
    reason = verdict.reason if effect is None else ""
    answer = verdict.outcome.capitalize()
    return Card(claim.statement, answer, reason, verdict.outcome, picture(verdict), terms)


def headline(verdicts: Sequence[Verdict]) -> str:
    """How many claims hold, and which do not, in one sentence."""
    count = Counter(verdict.outcome for verdict in verdicts)
    if not verdicts:
        return "This study tests no claim."
    if count[HOLDS] == len(verdicts):
        return "The claim holds." if len(verdicts) == 1 else f"All {len(verdicts)} claims hold."
    clauses = [f"{count[HOLDS] or 'None'} of {len(verdicts)} claims hold"]
    for outcome, one, several in (
        (FAILS, "fails", "fail"),
        (UNDECIDED, "is undecided", "are undecided"),
    ):
        names = [verdict.claim.name for verdict in verdicts if verdict.outcome == outcome]
        if names:
            clauses.append(f"{_listed(names)} {one if len(names) == 1 else several}")
    if len(verdicts) == 1:
        clauses = clauses[1:]
    return f"{'; '.join(clauses)}."


def _listed(names: Sequence[str]) -> str:
    if len(names) > MOST_NAMED:
        return str(len(names))
    quoted = [f"“{name}”" for name in names]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


def _description(function: Callable[..., Figure | Animation]) -> str:
    text = inspect.getdoc(function) if inspect.isfunction(function) else None
    return " ".join((text or "").split("\n\n")[0].split())


def _axes_in_words(figure: Figure) -> str:
    labels = [label for axes in figure.axes for label in (axes.get_xlabel(), axes.get_ylabel())]
    named = list(dict.fromkeys(filter(None, labels)))
    return f"Axes: {'; '.join(named)}." if named else ""


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".") + "."
