"""Texts longer than a block in pieces that can be searched apart, each block's texts then ending with it.

A text is parted where `last_cut` finds a place at which nothing is lost. Where it finds none in `longest` bytes, the
text is parted where it is, and the piece behind carries the last bytes of the piece before, so that a string across
the place can still be found. It leaves out what is searched for.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from negtemp.texts.blocks import Block


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
