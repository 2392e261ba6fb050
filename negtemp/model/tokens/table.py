"""All tokens of a vocabulary at once, as arrays, kept under a digest of what tells one vocabulary from another.

To find the bytes, attributes and categories of 262,144 tokens takes seconds, so they are kept in the user's cache
folder and read by a memory map. The digest is of all that a file says about its tokenizer, the metadata whose keys
begin with `tokenizer.`, and of the architecture and the name, by which llama.cpp corrects some tokenizers: so all
quantisations of a model share one table. The head of the file is walked here, and not by ggml's reader, which gives the
strings of an array one at a time: a vocabulary of 262,144 tokens takes 40 ms. A head that is not as the format says has
no digest. It leaves out how categories are found (`categories`).

Source: docs/gguf.md of ggml, versions 2 and 3, little-endian.
"""

import functools
import hashlib
import mmap
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from negtemp.model import cache

# to be raised whenever the same vocabulary gets another table
_FORMAT = 2


_MAGIC, _VERSIONS = b"GGUF", (2, 3)
# bytes of a value, by the number of its type
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_DECIDES = (b"tokenizer.", b"general.architecture", b"general.name")

_length = struct.Struct("<Q").unpack_from
_type = struct.Struct("<I").unpack_from
_array = struct.Struct("<IQ").unpack_from


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


class _Entry(NamedTuple):
    """A key, and where its type and value lie."""

    key: bytes
    start: int
    end: int


def digest(path: Path, version: str) -> str | None:
    """64 hexadecimal digits of the tokenizer of a GGUF file under one `version` of the library; None where its head
    cannot be read.
    """
    found = hashlib.sha256(version.encode())
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as head:
            for key, start, end in _entries(head):
                if key.startswith(_DECIDES):
                    found.update(struct.pack("<QQ", len(key), end - start) + key)
                    found.update(head[start:end])
    except (OSError, ValueError, KeyError, struct.error):
        return None
    return found.hexdigest()


def _entries(head: mmap.mmap) -> Iterator[_Entry]:
    """Raises ValueError, KeyError or struct.error where the head is no head of a GGUF file."""
    magic, version, _, count = struct.unpack_from("<4sIQQ", head)
    if magic != _MAGIC or version not in _VERSIONS:
        raise ValueError(version)
    at = 24
    for _ in range(count):
        start = at + 8 + _length(head, at)[0]
        end = _after(head, start + 4, _type(head, start)[0])
        if end > len(head):
            raise ValueError(end)
        yield _Entry(head[at + 8 : start], start, end)
        at = end


def _after(head: mmap.mmap, at: int, kind: int) -> int:
    """Where a value that begins at `at` ends."""
    if kind == _STRING:
        return int(at + 8 + _length(head, at)[0])
    if kind != _ARRAY:
        return at + _SIZES[kind]
    inner, count = _array(head, at)
    at += 12
    if inner != _STRING:
        return int(at + count * _SIZES[inner])
    for _ in range(count):
        at += 8 + _length(head, at)[0]
    return at
