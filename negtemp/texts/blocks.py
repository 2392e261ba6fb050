"""Texts in blocks of about 2 MiB, with the number of the line in which each begins; and in pieces to search apart.

A line ends with LF or CR LF. A text longer than a block goes on in the next one, so lines of any length take little
memory. `pieces` parts such a text where `last_cut` finds a place at which nothing is lost. Where it finds none in
`longest` bytes, the text is parted where it is, and the piece behind carries the last bytes of the piece before, so
that a string across the place can still be found. It leaves out what is in the texts and what is searched for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
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


class Piece(NamedTuple):
    """A block of which no text goes on unseen.

    before    the last bytes before the block where its first text was parted at no good place; empty otherwise
    parted    whether its last text is parted at no good place
    """

    block: Block
    before: bytes = b""
    parted: bool = False


def pieces(blocks: Iterable[Block], last_cut: Callable[[bytes], int], longest: int, overlap: int) -> Iterator[Piece]:
    """`last_cut` gives the last place before which a text can be parted, or 0."""
    rest, before, continues = b"", b"", False
    for block in blocks:
        data = rest + block.data
        start = data.rfind(block.separator) + 1 if block.unfinished else len(data)
        cut = start + last_cut(data[start:]) if block.unfinished else start
        parted = cut == start and len(data) - start >= longest
        whole = block._replace(data=data, continues=continues)
        if not block.unfinished:
            yield Piece(whole, before)
            rest, before, continues = b"", b"", False
        elif parted or cut > start:
            cut = len(data) if parted else cut
            yield Piece(whole._replace(data=data[:cut]), before, parted)
            rest, before, continues = data[cut:], data[max(start, cut - overlap) : cut] if parted else b"", True
        elif start:
            yield Piece(whole._replace(data=data[: start - 1], lines=block.lines[:-1], unfinished=False), before)
            rest, before, continues = data[start:], b"", False
        else:
            rest = data
