"""What a report holds: the parts that the templates lay out, whatever was measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ordered_mix.report.words import headline

if TYPE_CHECKING:
    from ordered_mix.report.style import Drawing
    from ordered_mix.report.tables import Table
    from ordered_mix.verdicts import Verdict


@dataclass(frozen=True)
class Section:
    """Figures under one heading; a caption they share is shown once."""

    title: str
    drawings: Sequence[Drawing]
    small: bool = False

    @property
    def caption(self) -> str:
        """The caption all figures share, or an empty string."""
        captions = {drawing.caption for drawing in self.drawings}
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
    verdicts : list of Verdict
    """

    kind: ClassVar[str]
    about: ClassVar[str]
    name: str
    size: str
    verdicts: list[Verdict]

    @property
    def headline(self) -> str:
        """The answers to the main questions in one sentence."""
        return headline(self.verdicts)

    @property
    def summary(self) -> Table:
        """The table of a notebook: the first one of the page."""
        return self.tables()[0]

    @property
    def apart(self) -> Table | None:
        """A table of what changes from run to run, if there is any."""
        return None

    @property
    def message(self) -> Message | None:
        """Words of another program, if there are any."""
        return None

    @abstractmethod
    def density(self) -> Drawing:
        """The fitted density, the figure of a notebook."""

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
