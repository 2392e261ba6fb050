"""A report as one HTML file that needs nothing else, by jinja2 (the extra `report`): a page, or a piece for a notebook.

Every text goes through `escape_hostile` and jinja2's autoescape, and model text stands in `<bdi>`, so that no letter
reaches beyond its cell. The page's own script, which sorts and filters tables, is allowed by its digest and nothing
else is; without it every table stands complete. What is too long is cut, and says so. It leaves out the words and the
figures (the other modules of this package).
"""

import base64
import hashlib
import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from negtemp.printable import SPACE_MARK, escape_hostile
from negtemp.views.report import svg
from negtemp.views.report.document import Part, Passage, Passages, Picture, Report, Section, Terms

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
_LONGEST_CELL, _LONGEST_TEXT, _SHORT = 600, 8000, 28
# bytes that all tables of a page may take, and about what the markup of a cell takes
_ROOM, _CELL = 700_000, 34
_SPACE = "space"
# headings of columns that hold what a vocabulary or a file says, in its own letters
_VERBATIM = frozenset({"piece", "part of", "said instead", "drawn", "first at", "top +", "top -"})
# styles that the views use, and the page's classes for them
_CLASSES = {
    "dim": "dim", "bold": "strong", "italic": "em", "green": "good", "red": "bad", "#5b7fb5": "s1", "#7f8f9e": "s2",
    "#a39f78": "s3", "#c8a83c": "s4", "#e0a000": "s5",
}  # fmt: skip

Run = tuple[str, str]


@dataclass(frozen=True)
class _Column:
    heading: str
    number: bool
    verbatim: bool


@dataclass(frozen=True)
class _Row:
    css: str
    cells: Sequence[Sequence[Run]]


def available() -> bool:
    """Whether jinja2 is installed."""
    return importlib.util.find_spec("jinja2") is not None


def page(report: Report) -> str:
    """The file's text. The same report gives the same text."""
    style, script = _file("page.css"), _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    text = _environment().get_template("page.html.jinja").render(
        report=report, style=style, script=script, digest=digest, draw=_Drawing().part, anchor=anchor
    )  # fmt: skip
    # half of a surrogate pair, which JSON can hold, is no character
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def anchor(section: Section) -> str:
    """The name under which a section is linked to.

    >>> anchor(Section("How it was made", []))
    'how-it-was-made'
    """
    return "-".join("".join(c if c.isalnum() and c.isascii() else " " for c in section.title.lower()).split())


@cache
def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["safe_text"] = lambda text: escape_hostile(str(text), keep="\n")
    made.filters["spans"] = spans
    made.filters["short"] = lambda runs: sum(len(letters) for letters, _ in runs) <= _SHORT
    return made


class _Drawing:
    """The parts of one page: its pictures are numbered, and its tables share the room that a page has."""

    def __init__(self) -> None:
        self._pictures = 0
        self._room = _ROOM

    def part(self, part: Part, label: str) -> Any:
        """A part as HTML; `label` names it to whoever cannot see it."""
        draw: Any = _environment().get_template("parts.html.jinja").module
        match part:
            case Table():
                return draw.table(*self._table(part), label)
            case Picture():
                return self._picture(draw, part, label)
            case Passages():
                return draw.passages([_passage(one) for one in part.passages])
            case Terms():
                return draw.terms([(name, spans(value)) for name, value in part.pairs])
            case _:
                return draw.paragraph(spans(part))

    def _picture(self, draw: Any, picture: Picture, label: str) -> Any:
        from markupsafe import Markup

        drawn = []
        for panel in picture.panels:
            self._pictures += 1
            # our own drawing, parsed and written again by an XML library: the one place that is not escaped here
            drawn.append((panel, Markup(svg.draw(panel, f"g{self._pictures}-"))))
        return draw.picture(picture.caption, drawn, [self._table(table) for table in picture.twins], label)

    def _table(self, table: Table) -> tuple[list[_Column], list[_Row], int]:
        """Columns, rows for which there is room, and how many are left out."""
        kept: list[_Row] = []
        for row in _rows(table):
            self._room -= sum(_CELL + sum(map(_size, cell)) for cell in row.cells)
            if self._room < 0:
                return _columns(table), kept, table.row_count - len(kept)
            kept.append(row)
        return _columns(table), kept, 0


def _passage(passage: Passage) -> Mapping[str, Any]:
    return {
        "heading": spans(passage.heading), "body": spans(passage.body, _LONGEST_TEXT), "figures": passage.figures,
        "side": "above" if passage.sign > 0 else "below" if passage.sign < 0 else "neither",
    }  # fmt: skip


def _columns(table: Table) -> list[_Column]:
    headings = [_plain(column.header) for column in table.columns]
    return [
        _Column(heading, column.justify == "right", heading in _VERBATIM)
        for heading, column in zip(headings, table.columns, strict=True)
    ]


def _rows(table: Table) -> Iterator[_Row]:
    columns = [list(column.cells) for column in table.columns]
    for row, cells in zip(table.rows, zip(*columns, strict=True), strict=True):
        yield _Row(_classes(str(row.style or "")), [spans(cell, _LONGEST_CELL) for cell in cells])


def _plain(value: object) -> str:
    return escape_hostile(value.plain if isinstance(value, Text) else str(value))


def spans(value: object, longest: int = _LONGEST_TEXT) -> list[Run]:
    """A text as (letters, classes), harmless; what is longer than `longest` ends in how much more there was."""
    text = value if isinstance(value, Text) else Text(str(value))
    kept = text if len(text) <= longest else text[:longest]
    ends = sorted({0, len(kept), *(place for span in kept.spans for place in (span.start, span.end))})
    found: list[Run] = []
    for start, end in pairwise(ends):
        styles = [str(kept.style), *(str(span.style) for span in kept.spans if span.start <= start and end <= span.end)]
        found += _visible(escape_hostile(kept.plain[start:end], keep="\n"), _classes(" ".join(styles)))
    if kept is not text:
        found.append((f" … {len(text) - longest:,} characters more", "dim"))
    return found


def _visible(letters: str, classes: str) -> Iterator[Run]:
    """Letters of one kind, with the mark of a space apart: few fonts have it, so that the page draws another for it."""
    for piece in re.split(f"({SPACE_MARK})", letters):
        if piece:
            yield piece, _SPACE if piece == SPACE_MARK else classes


def _size(run: Run) -> int:
    """About how many bytes a run takes in the file."""
    letters, classes = run
    return len(letters.encode()) + (7 if classes == _SPACE else 24 + len(classes) if classes else 0)


def _classes(styles: str) -> str:
    return " ".join(dict.fromkeys(_CLASSES[word] for word in styles.split() if word in _CLASSES))
