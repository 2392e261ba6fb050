"""Where a text can be cut so that the parts, tokenized apart, give what the whole gives: before a single space
between visible bytes. (The last bytes of invisible characters count as invisible wherever they occur.)

SentencePiece and byte-level BPE join neighbours into tokens of the vocabulary, so where none of these holds a visible
byte and then a space, nothing is ever joined across such a place. Vocabularies that hold one, and other kinds of
tokenizer, leave texts whole; so do texts with a user-defined token, which is taken out before anything is joined and
may change what becomes of the space after it. It leaves out the tokenizing itself (`vocabulary`).

Source: llama-vocab.cpp, `llm_tokenizer_spm_session`, `llm_tokenizer_bpe_session`, `tokenizer_st_partition`; the
expressions that split a text before BPE take whitespace together with whitespace only, or as the first character of a
word.
"""

import unicodedata

import numpy as np
from numpy.typing import NDArray

from negtemp.model.tokens.vocabulary import Vocabulary

_SPACE = 32
_SHORT = 32  # longer pieces are few, and looked for one by one
_WIDE = "".join(map(chr, range(0x2000, 0x200B)))
# 0xFF, which no UTF-8 holds, parts texts in a scan; `▁` is SentencePiece's mark for a space
_INVISIBLE = "\0\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000▁" + _WIDE
_LAST_BYTES = {0xFF, *(character.encode()[-1] for character in _INVISIBLE)}
_VISIBLE = np.array([byte not in _LAST_BYTES for byte in range(256)])


def can_be_cut(vocabulary: Vocabulary) -> bool:
    """Whether texts can be cut at all."""
    pieces = b"\n".join(vocabulary.pieces())
    return vocabulary.joins_neighbours and not _spaces_after_visible(np.frombuffer(pieces, np.uint8)).any()


def left_whole(vocabulary: Vocabulary) -> list[bytes]:
    """What keeps a text from being cut: the pieces of user-defined tokens."""
    return [piece for piece in map(vocabulary.piece, vocabulary.in_categories(["user-defined"])) if piece]


def cuts(text: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The places of `text`, ascending, before which it can be cut: single spaces between visible bytes.

    >>> cuts(np.frombuffer(b"to  be or", np.uint8)).tolist()
    [6]
    """
    return np.flatnonzero(_spaces_after_visible(text)[:-1] & _VISIBLE[text[2:]]) + 1


def _spaces_after_visible(text: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """For every byte but the first, `[n - 1]`."""
    return np.asarray((text[1:] == _SPACE) & _VISIBLE[text[:-1]])


class Seams:
    """Places in a word between two letters that no piece of the vocabulary spans: nothing is joined across one.

    Letters of scripts without case only (Unicode's category Lo: CJK, kana, Thai and others), which no tokenizer's
    expression tells apart from their neighbours.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        pieces = set(vocabulary.pieces())
        self._short = {piece for piece in pieces if 1 < len(piece) <= _SHORT}
        self._long = [piece for piece in pieces if len(piece) > _SHORT]
        self._reach = max(map(len, pieces), default=0)

    def between(self, text: bytes, place: int) -> bool:
        """Whether `text` can be cut before this byte, in the middle of a word."""
        before, after = text[max(0, place - 4) : place].decode(errors="ignore"), text[place : place + 4]
        following = after.decode(errors="ignore")
        letters = before[-1:], following[:1]
        return all(one and unicodedata.category(one) == "Lo" for one in letters) and self.spanned_by_none(text, place)

    def spanned_by_none(self, text: bytes, place: int) -> bool:
        """Whether no piece of the vocabulary stands across this place of the text."""
        for back in range(1, min(place, _SHORT - 1) + 1):
            for length in range(back + 1, _SHORT + 1):
                if text[place - back : place - back + length] in self._short:
                    return False
        left, right = text[max(0, place - self._reach + 1) : place], text[place : place + self._reach - 1]
        around = left + right
        return not any(_spans(around, len(left), piece) for piece in self._long)


def _spans(text: bytes, place: int, piece: bytes) -> bool:
    return 0 <= text.find(piece, max(0, place - len(piece) + 1)) < place
