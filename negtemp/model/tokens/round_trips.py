"""Which tokens come back when their text is tokenized: every token of a vocabulary is tried, in bulk, on all cores.

A token comes back where its piece, alone or after one of a few neutral marks, is tokenized to it. The marks are there
because SentencePiece puts a space before a text, and a pre-tokenizer may look at what stands before.

Most of what one call of a SentencePiece tokenizer costs is looking for each user-defined token, of which Gemma has
thousands. So many pieces are tokenized in one text, with a separator between them that no token holds: nothing is ever
joined across it, every step of the algorithm looks at neighbours alone, and what lies between two separators is what
the piece gives by itself (tests/test_round_trips.py holds the two together). This is not so, and pieces are tokenized
one by one, where

- the tokenizer is another: the expressions of a byte-level BPE look ahead;
- it puts a space before a text and there are user-defined tokens, after which it puts another;
- the vocabulary has no token for some byte, which a separator may need.

Source: llama-vocab.cpp, `tokenizer_st_partition`, `llm_tokenizer_spm_session`; for the marks, Land & Bartolo (arXiv
2405.05417), whose program tries one.
"""

import functools
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from negtemp.model.threads import default_threads
from negtemp.model.tokens.vocabulary import Vocabulary

MARKS = ("«".encode(), b"\n", b"(", "ː".encode())

_SEPARATORS = [chr(code).encode() for code in range(0xE000, 0xE100)]  # for private use: no text holds them
_CHUNK = 512
_BYTES = 256

Ids = Sequence[int]


def come_back(vocabulary: Vocabulary, token_ids: Ids, in_bulk: bool = True) -> NDArray[np.bool_]:
    """Whether each of these tokens comes back from its text, `[ids]`. Each piece must be UTF-8.

    in_bulk   whether to tokenize many pieces in one text where that gives the same
    """
    way = (_bulk(vocabulary) if in_bulk else None) or _OneByOne()
    ids = np.asarray(token_ids, np.int64)
    found = np.zeros(len(ids), bool)
    with ThreadPoolExecutor(default_threads()) as pool:  # llama.cpp's functions run outside Python's lock
        for mark in (b"", *MARKS):
            before = way.tokenized(vocabulary, [mark])[0] if mark else []
            left = np.flatnonzero(~found)
            chunks = [ids[left[start : start + _CHUNK]].tolist() for start in range(0, len(left), _CHUNK)]
            tried = pool.map(functools.partial(_come_back, way, vocabulary, mark, before), chunks)
            found[left] = list(itertools.chain.from_iterable(tried))
    return found


def _come_back(way: "_OneByOne | _Bulk", vocabulary: Vocabulary, mark: bytes, before: Ids, chunk: Ids) -> list[bool]:
    """Whether each token of a chunk comes back after the mark, which is tokenized to `before`."""
    texts = [mark + vocabulary.piece(one) for one in chunk]
    return [ids == [*before, one] for one, ids in zip(chunk, way.tokenized(vocabulary, texts), strict=True)]


class _OneByOne:
    """A call of the tokenizer for each text."""

    def tokenized(self, vocabulary: Vocabulary, texts: Sequence[bytes]) -> list[list[int]]:
        """The tokens of each text."""
        return list(map(vocabulary.encode, texts))


class _Bulk(NamedTuple):
    """A call for many texts: the separator, its tokens, and whether the tokenizer puts a space before a text."""

    separator: bytes
    tokens: tuple[int, ...]
    has_prefix: bool

    def tokenized(self, vocabulary: Vocabulary, texts: Sequence[bytes]) -> list[list[int]]:
        """The tokens of each text."""
        space = b" " if self.has_prefix else b""
        joined = b"".join(self.separator + space + text for text in texts)
        found = vocabulary.encode(joined + self.separator)
        places = self._places(np.asarray(found)).tolist()
        width = len(self.tokens)
        return [found[one + width : other] for one, other in itertools.pairwise(places)]

    def _places(self, found: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the separator's tokens begin."""
        count = len(found) - len(self.tokens) + 1
        same = [found[shift : shift + count] == token for shift, token in enumerate(self.tokens)]
        return np.flatnonzero(np.logical_and.reduce(same))


def _bulk(vocabulary: Vocabulary) -> _Bulk | None:
    """How to tokenize this vocabulary's pieces at once; None where they must be tokenized one by one."""
    if not vocabulary.is_sentencepiece or len(vocabulary.in_categories(["byte"])) < _BYTES:
        return None
    pieces = b"\n".join(vocabulary.pieces())
    separator = next((one for one in _SEPARATORS if one not in pieces), None)
    if separator is None:
        return None
    once, twice = vocabulary.encode(separator), vocabulary.encode(2 * separator)
    tokens = twice[len(once) :]
    if not tokens or once[-len(tokens) :] != tokens:
        return None
    has_prefix = len(once) > len(tokens)
    if has_prefix and vocabulary.in_categories(["user-defined"]):
        return None
    return _Bulk(separator, tuple(tokens), has_prefix)
