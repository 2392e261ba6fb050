"""The vocabulary as the page holds it: every token's bytes, the safe view of them, and its category.

What is shown of a token is made here, by the one function that makes bytes safe to show (`printable`), and never by the
page. Categories come twice: at once what the file says, and by round trip as soon as that is known, which takes half a
minute for a quarter of a million tokens. It leaves out the transport (`frames`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negtemp.experiments.centroid import categories
from negtemp.model.tokens.vocabulary import CATEGORIES, Vocabulary
from negtemp.printable import printable
from negtemp.web.frames import frame


def pieces(vocabulary: Vocabulary) -> bytes:
    """A frame of bytes, safe views and what the file says of each token."""
    raw = [vocabulary.piece(token_id) for token_id in range(vocabulary.size)]
    shown = [printable(piece).encode() for piece in raw]
    given = [vocabulary.category(token_id) for token_id in range(vocabulary.size)]
    names, codes = _coded(given)
    raw_ends, raw_bytes = _joined(raw)
    shown_ends, shown_bytes = _joined(shown)
    return frame(
        {"categories": names}, category=codes, raw_ends=raw_ends, raw=raw_bytes, shown_ends=shown_ends,
        shown=shown_bytes,
    )  # fmt: skip


def round_trip(vocabulary: Vocabulary) -> bytes:
    """A frame of the categories by round trip."""
    names, codes = _coded(categories(vocabulary))
    return frame({"categories": names}, category=codes)


def _coded(given: Sequence[str]) -> tuple[list[str], NDArray[np.uint8]]:
    """The names that occur, and each token's place among them; those that a file has first, in its own order."""
    known: Iterable[str] = CATEGORIES
    names = [name for name in dict.fromkeys([*known, *given]) if name in set(given)]
    place = {name: index for index, name in enumerate(names)}
    return names, np.array([place[name] for name in given], np.uint8)


def _joined(parts: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where each part ends, and all parts one after the other."""
    ends = np.cumsum([len(part) for part in parts], dtype=np.uint32)
    return ends, np.frombuffer(b"".join(parts), np.uint8)
