"""What a report holds: the parts that the templates lay out, whatever was measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from ordered_mix.fitted.verdict import headline

if TYPE_CHECKING:
    from ordered_mix.fitted.verdict import Verdict
    from ordered_mix.report.figures.style import Drawing
    from ordered_mix.report.tables.table import Table


@dataclass(frozen=True)
class Card:
    """One answer: a class that gives it a colour, a small picture, and terms with descriptions."""

    question: str
    answer: str
    reason: str
    tone: str = ""
    picture: Markup = Markup()  # noqa: RUF009
    terms: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Section:
    """Figures under one heading; a caption they share is shown once.

    Small ones stand in many columns; wide ones have the size their author gave them.
    """

    title: str
    drawings: Sequence[Drawing]
    small: bool = False
    wide: bool = False

    @property
    def caption(self) -> str:
        """The caption all figures share, or an empty string."""
        captions = set() if self.wide else {drawing.caption for drawing in self.drawings}
        return captions.pop() if len(captions) == 1 else ""


@dataclass(frozen=True)
class Message:
    """Words of another program, shown as they are."""

    title: str
    note: str
    text: str


class Report(ABC):
    """Everything on the page; a template computes only what it shows.

    Attributes
    ----------
    kind, about : str
        What the page is, above its heading and in the title of the window.
    name : str
        What was looked at.
    size : str
        How much of it there is.
    files : str
        Where all numbers are, in a sentence.
    verdicts : sequence of Verdict
    leading : int
        How many of the tables stand before the answers.
    """

    kind: str
    about: str
    files: str
    name: str
    size: str
    verdicts: Sequence[Verdict]
    leading = 0

    @property
    def title(self) -> str:
        """The title of the window."""
        return f"{self.name}: {self.about}"

    @property
    def headline(self) -> str:
        """The answers to the main questions in one sentence."""
        return headline(self.verdicts)

    @property
    def findings(self) -> str:
        """A paragraph below the answer, if there is any."""
        return ""

    @property
    def chief(self) -> list[str]:
        """The chief findings, one sentence each, if there are any."""
        return []

    @property
    def score(self) -> str:
        """How many of the answers are of which kind, if the headline does not say so."""
        return ""

    def cards(self) -> list[Card]:
        """The answers, one card each."""
        return [Card(one.question, one.answer, one.reason) for one in self.verdicts]

    @property
    def summary(self) -> Table:
        """The table of a notebook: the first one of the page."""
        return self.tables()[0]

    @property
    def timings(self) -> Table | None:
        """A table of what changes from run to run, if there is any."""
        return None

    @property
    def message(self) -> Message | None:
        """Words of another program, if there are any."""
        return None

    @abstractmethod
    def picture(self) -> Drawing | None:
        """The figure of a notebook."""

    @abstractmethod
    def sections(self) -> list[Section]:
        """The figures, none of the sections empty."""

    @abstractmethod
    def tables(self) -> list[Table]:
        """The tables, none of them empty."""

    @abstractmethod
    def setup(self) -> list[tuple[str, str]]:
        """Everything needed to make the report again, as terms and descriptions."""

    @abstractmethod
    def glossary(self) -> list[tuple[str, str]]:
        """The words of the report and what they mean."""
