"""What a scan found, on a terminal or in a pipe: a table, or where that is too narrow for it a paragraph a token.

Neither a number nor a path is ever broken. What the rows of a file count adds up to what its line at the end says: the
rows are the tokens that the text holds; strings that the tokenizer makes something else of stand in that line only.
"""

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from negtemp.printable import counted, printable
from negtemp.records import Occurrence, Record, Scanned
from negtemp.records.audit import Lines
from negtemp.views import console
from negtemp.views.audit import probability

SHOWN = 25

_ANY_WIDTH = 1 << 14
_UNITS = {"json": "string", "parquet": "string"}


def by_file(records: Iterable[Record]) -> tuple[list[tuple[Scanned, list[Occurrence]]], list[Occurrence]]:
    """Each file with what was found in it, which stands before it; and what was found in one that did not end."""
    files: list[tuple[Scanned, list[Occurrence]]] = []
    occurrences: list[Occurrence] = []
    for record in records:
        if isinstance(record, Occurrence):
            occurrences.append(record)
        elif isinstance(record, Scanned):
            files.append((record, occurrences))
            occurrences = []
    return files, occurrences


def report(
    files: Sequence[tuple[Scanned, Sequence[Occurrence]]], searched: int | None, every: bool, out: Console
) -> Iterator[RenderableType]:
    """All parts, top to bottom. `searched` is None where it was not saved."""
    found = ordered(files)
    shown = console.cut(found)[0] if every else found[:SHOWN]
    if shown:
        rows = table(shown)
        whole = Measurement.get(out, out.options.update(max_width=_ANY_WIDTH), rows).maximum
        yield from [rows] if whole <= out.width else map(paragraph, shown)
    if len(shown) < len(found):
        yield console.Line(
            f" … {len(shown)} of {len(found)}; {_hidden(found[len(shown) :])}; --all and --json give all"
        )
    if searched is not None:
        were = "was" if searched == 1 else "were"
        yield console.Line(f"{counted(searched, 'suspect token')} that a text can hold {were} searched for.")
    for one, occurrences in files:
        yield summary(one, [other for other in occurrences if other.tokens != 0])


def ordered(files: Sequence[tuple[Scanned, Sequence[Occurrence]]]) -> list[Occurrence]:
    """The tokens that were found, the most frequent first; strings that the tokenizer makes otherwise are left out."""
    return sorted(
        (one for _, occurrences in files for one in occurrences if one.tokens != 0),
        key=lambda one: -(one.tokens or one.strings),
    )


def table(found: Sequence[Occurrence]) -> Table:
    """One row for each token and file. Pieces stand last, so that right-to-left letters disturb nothing."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("tokens", "strings", "id", "p"):
        made.add_column(name, justify="right", no_wrap=True)
    for name in ("verdict", "first at", "piece"):
        made.add_column(name, no_wrap=True)
    for one in found:
        made.add_row(
            "-" if one.tokens is None else f"{one.tokens:,}", f"{one.strings:,}", str(one.token_id),
            probability(one.probability), Text(one.verdict or "-"), Text(_first_at(one)),
            console.safe(one.raw, keep=""),
        )  # fmt: skip
    return made


def paragraph(one: Occurrence) -> console.Line:
    """The same of one token in three lines."""
    tokens = "" if one.tokens is None else f"{counted(one.tokens, 'token')}, "
    figures = f"{tokens}{counted(one.strings, 'string')}, id {one.token_id}, p {probability(one.probability)}"
    return console.Line(f"{printable(one.raw)}\n  {figures}, verdict {one.verdict or '-'}\n  {_first_at(one)}")


def _first_at(one: Occurrence) -> str:
    return f"{one.file}:{', '.join(map(str, one.lines))}"


def _hidden(found: Sequence[Occurrence]) -> str:
    strings = counted(sum(one.strings for one in found), "string")
    tokens = sum(one.tokens or 0 for one in found)
    return f"the others: {strings}" if found[0].tokens is None else f"the others: {counted(tokens, 'token')}, {strings}"


def summary(one: Scanned, found: Sequence[Occurrence]) -> console.Line:
    """One line for a file, given the rows that are about it."""
    size = f"{one.file}: {counted(one.size, 'byte')}, {counted(one.texts, _UNITS.get(one.layout or '', 'line'))}"
    inside = sum(other.strings for other in found)
    if one.tokens is None:
        counts = f"not tokenized, the text of suspect tokens stands in {counted(one.strings, 'place')}"
    else:
        whose = "its" if one.tokens == 1 else "their"
        counts = f"{counted(one.tokens, 'suspect token')}, {whose} text stands in {counted(inside, 'place')}"
        others = one.strings - inside
        counts += f"; {counted(others, 'more place')} with text that is tokenized otherwise" if others else ""
    return console.Line("; ".join([f"{size}: {counts}", *remarks(one)]))


def remarks(one: Scanned) -> Iterator[str]:
    """What was not read as it should be."""
    if one.not_json:
        yield f"{_lines(one.not_json)} could not be read as JSON and {_was(one.not_json)} searched as text"
    if one.not_utf_8:
        yield f"{_lines(one.not_utf_8)} could not be read as JSON in UTF-8: wrong bytes were taken for U+FFFD"
    if one.parted:
        yield f"{_lines(one.parted)} too long to tokenize at once: tokens may differ where {_was(one.parted)} parted"
    if one.interrupted:
        yield "interrupted, the rest was not read"


def _lines(lines: Lines) -> str:
    more = ", …" if len(lines.first) < lines.count else ""
    return f"{counted(lines.count, 'line')} ({', '.join(map(str, lines.first))}{more})"


def _was(lines: Lines) -> str:
    return "was" if lines.count == 1 else "were"
