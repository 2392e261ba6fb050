"""All tokens of a vocabulary at once, as arrays: their bytes, what the file says of each, and its category.

To find them takes seconds for a vocabulary of 262,144 tokens, so they are kept in the user's cache folder under the
digest of the vocabulary (`identity`), of which all its quantisations have one copy, and read by a memory map. It leaves
out how categories are found (`categories`).
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from negtemp.model import cache

# to be raised whenever the same vocabulary gets another table
_FORMAT = 2


@dataclass(frozen=True)
class TokenTable:
    """The tokens of one vocabulary, in the order of ids.

    text         the bytes of every token, one after the other
    starts       where each begins in `text`, and where the last one ends, `[vocab + 1]`
    attributes   llama.h's `llama_token_attr` bits, `[vocab]`
    ends         whether the token ends a generation, `[vocab]`
    categories   number of the category where no name says `unused`, `[vocab]` (`categories.TOKEN_CATEGORIES`)
    """

    text: memoryview
    starts: NDArray[np.int64]
    attributes: NDArray[np.int32]
    ends: NDArray[np.bool_]
    categories: NDArray[np.uint8]

    @classmethod
    def of(
        cls, pieces: Sequence[bytes], attributes: Sequence[int], ends: Iterable[int], categories: Sequence[int]
    ) -> "TokenTable":
        """The table of these tokens; `ends` are the ids of those that end a generation."""
        starts = np.zeros(len(pieces) + 1, np.int64)
        np.cumsum([len(piece) for piece in pieces], out=starts[1:])
        ending = np.zeros(len(pieces), np.bool_)
        ending[list(ends)] = True
        text = memoryview(b"".join(pieces))
        return cls(text, starts, np.array(attributes, np.int32), ending, np.array(categories, np.uint8))

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return len(self.attributes)

    @functools.cached_property
    def _places(self) -> list[int]:
        # numbers of Python's own: an array's are made anew at every look
        return list(self.starts.tolist())

    def piece(self, token_id: int) -> bytes:
        """The bytes of one token."""
        return bytes(self.text[self._places[token_id] : self._places[token_id + 1]])

    def beginning(self, values: bytes) -> list[int]:
        """Ids of the tokens that begin with any of these bytes, ascending."""
        filled = np.flatnonzero(self.starts[1:] > self.starts[:-1])
        first = np.frombuffer(self.text, np.uint8)[self.starts[filled]]
        return list(filled[np.isin(first, list(values))].tolist())

    def ending(self) -> list[int]:
        """Ids of the tokens that end a generation, ascending."""
        return list(np.flatnonzero(self.ends).tolist())

    def keep(self, digest: str) -> None:
        """Put the table into the cache folder."""
        arrays = (self.starts, self.attributes, self.ends, self.categories)
        cache.write_bytes(_entry(digest), [*(array.tobytes() for array in arrays), self.text])


def kept(digest: str, size: int) -> TokenTable | None:
    """The table kept for the vocabulary of this digest and size; None where there is none."""
    content = cache.read_bytes(_entry(digest))
    if content is None:
        return None
    try:
        starts = np.frombuffer(content, np.int64, size + 1)
        attributes = np.frombuffer(content, np.int32, size, at := starts.nbytes)
        ends = np.frombuffer(content, np.bool_, size, at := at + attributes.nbytes)
        categories = np.frombuffer(content, np.uint8, size, at := at + ends.nbytes)
        at += categories.nbytes
    except ValueError:
        return None
    text = content[at:]
    return TokenTable(text, starts, attributes, ends, categories) if starts[-1] == len(text) else None


def _entry(digest: str) -> str:
    return f"vocabulary-{_FORMAT}-{digest[:32]}"
