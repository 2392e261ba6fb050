"""What a report is made of, whatever it is drawn as: sections of paragraphs, tables, pictures and passages of text.

Tables are rich's, as the terminal's views make them, so that a row is made in one place only. A picture is what draws
its panels, the words that stand for it, and a table of the same figures. It leaves out the drawing (`svg`, `html`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from negtemp.records import Header

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LISTED = 1000
"""Rows of a table, at most; whoever cuts one says how many are left out."""


@dataclass(frozen=True)
class Panel:
    """One set of axes. `alternative` says in words what is to be seen; `inches` is its size."""

    title: str
    alternative: str
    draw: Callable[["Axes"], None]
    inches: tuple[float, float] = (4.7, 3.0)


@dataclass(frozen=True)
class Picture:
    """Panels side by side, what to look for, and the same figures as tables."""

    caption: str
    panels: Sequence[Panel]
    twins: Sequence[Table]


@dataclass(frozen=True)
class Passage:
    """A text that a model wrote: what it is, the text, and its figures. `sign` is that of beta, 0 for none."""

    heading: Text
    body: Text
    figures: str
    sign: int = 0


@dataclass(frozen=True)
class Passages:
    """Passages that are compared with each other."""

    passages: Sequence[Passage]


@dataclass(frozen=True)
class Terms:
    """Words and what they mean, or settings and their values."""

    pairs: Sequence[tuple[str, Text]]


Part = str | Text | Table | Picture | Passages | Terms


@dataclass(frozen=True)
class Section:
    """A title and what stands below it. A folded one is closed at first: what few will read."""

    title: str
    parts: Sequence[Part]
    folded: bool = False


@dataclass(frozen=True)
class Report:
    """The whole.

    title, lead    what was asked, and in two or three sentences how
    subject        the model and the command, in one line
    facts          the few figures that matter most, each with what it is
    verdicts       what was found, a sentence each
    missing        what an interrupted run lacks, a sentence each
    """

    title: str
    lead: str
    sections: Sequence[Section]
    facts: Sequence[tuple[str, str]] = ()
    verdicts: Sequence[str | Text] = ()
    missing: Sequence[str] = ()
    subject: str = ""


@dataclass(frozen=True)
class Saved:
    """What is known of a run besides its records: its Header, the units it is to have, its sittings."""

    header: Header
    units: int | None = None
    sittings: Sequence[Mapping[str, object]] = field(default_factory=tuple)
