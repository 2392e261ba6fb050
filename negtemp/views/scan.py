"""What a scan found, on a terminal or in a pipe. Pieces stand last in a row."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from negtemp.records import Occurrence, Scanned
from negtemp.views import console
from negtemp.views.audit import probability

SHOWN = 25


def occurrences(found: Sequence[Occurrence]) -> Table:
    """One row for each token and file."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("tokens", "strings", "id", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("first at", overflow="fold", ratio=2)
    table.add_column("piece", overflow="fold", ratio=1)
    for one in found:
        lines = ", ".join(map(str, one.lines))
        table.add_row(
            "-" if one.tokens is None else f"{one.tokens:,}", f"{one.strings:,}", str(one.token_id),
            probability(one.probability), Text(one.verdict or "-"), Text(f"{one.file}:{lines}"),
            console.safe(one.raw, keep=""),
        )  # fmt: skip
    return table


def summary(one: Scanned) -> str:
    """One line for a file."""
    tokens = "not tokenized" if one.tokens is None else f"{one.tokens:,} suspect tokens"
    return (
        f"{one.file}: {one.size:,} bytes, {one.texts:,} texts: {tokens}, {one.strings:,} places where their text stands"
    )
