"""Which longer tokens hold a token: a piece that merges only ever passed through is never seen on its own.

`ptember` is in a vocabulary because `September` is; where the tokenizer always goes on to the longer one, the shorter
is left over and never trained. It leaves out whether a merge rule really led from one to the other.

Source of the idea: the `in_other_tokens` of Land & Bartolo's reports (arXiv 2405.05417).
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from negtemp.model.tokens.vocabulary import Vocabulary


def superstrings(vocabulary: Vocabulary, token_ids: Iterable[int], most: int = 8) -> dict[int, tuple[int, ...]]:
    """Ids of other tokens that hold each token's bytes, up to `most` of them, shortest first.

    A token of one byte is part of everything, and explains nothing: it has none.
    """
    pieces = [vocabulary.piece(token_id) for token_id in range(vocabulary.size)]
    by_length = sorted(range(vocabulary.size), key=lambda i: len(pieces[i]))
    starts, text, offset = [], [], 0
    for token_id in by_length:
        starts.append(offset)
        text.append(pieces[token_id])
        offset += len(pieces[token_id]) + 1
    joined, places = b"\0".join(text), np.array(starts)
    return {
        token_id: tuple(_holders(joined, places, by_length, token_id, pieces[token_id], most))
        for token_id in token_ids
        if len(pieces[token_id]) > 1 and b"\0" not in pieces[token_id]
    }


def _holders(
    joined: bytes, starts: NDArray[np.int64], ids: Sequence[int], token_id: int, piece: bytes, most: int
) -> list[int]:
    """Ids of the pieces in `joined`, which begin at `starts`, that hold `piece`."""
    found: list[int] = []
    place = joined.find(piece)
    while place >= 0 and len(found) < most:
        index = int(np.searchsorted(starts, place, side="right")) - 1
        if ids[index] != token_id:
            found.append(ids[index])
        following = int(starts[index + 1]) if index + 1 < len(starts) else len(joined)
        place = joined.find(piece, following)
    return found
