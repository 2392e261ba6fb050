"""Texts in blocks of about 2 MiB, with the number of the line in which each begins; and the lines of a text as such.

A line ends with LF or CR LF. A text longer than a block goes on in the next one, so lines of any length take little
memory. It leaves out what is in them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

LONGEST_TEXT = 1 << 21  # what a block holds of one text before it goes on in the next


class Block(NamedTuple):
    """Texts joined by one separator byte.

    lines        for each text the number of the line, from 1, in which it begins
    continues    the first text began in an earlier block
    unfinished   the last text goes on in the next block, whose first it is
    """

    data: bytes
    separator: bytes
    lines: Sequence[int]
    continues: bool = False
    unfinished: bool = False

    @property
    def begun(self) -> int:
        """How many texts begin in this block."""
        return len(self.lines) - self.continues


def by_lines(chunks: Iterable[bytes]) -> Iterator[Block]:
    """Every line a text. The chunks are of whole characters."""
    rest, line, continues = b"", 1, False
    for chunk in chunks:
        head, newline, tail = (rest + chunk).rpartition(b"\n")
        if newline:
            lines = range(line, line + head.count(b"\n") + 1)
            yield Block(_without_returns(head), b"\n", lines, continues)
            line, continues = lines[-1] + 1, False
        rest = tail
        if len(rest) > LONGEST_TEXT:
            # a return at its end may belong to the line's end
            held = b"\r" if rest.endswith(b"\r") else b""
            yield Block(rest.removesuffix(held), b"\n", [line], continues, True)
            rest, continues = held, True
    if rest or continues:
        yield Block(rest, b"\n", [line], continues)


def _without_returns(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").removesuffix(b"\r") if b"\r" in data else data
