"""What tells one vocabulary from another: a digest of all that a file says about its tokenizer.

Two quantisations of one model have the same; so the digest is of the metadata whose keys begin with `tokenizer.`, and
of the architecture and the name, by which llama.cpp corrects some tokenizers. The head of the file is walked here, and
not by ggml's reader, which gives the strings of an array one at a time: a vocabulary of 262,144 tokens takes 40 ms. A
head that is not as the format says has no digest. It leaves out what the tokens are (`table`).

Source: docs/gguf.md of ggml, versions 2 and 3, little-endian.
"""

import hashlib
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_MAGIC, _VERSIONS = b"GGUF", (2, 3)
# bytes of a value, by the number of its type
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_DECIDES = (b"tokenizer.", b"general.architecture", b"general.name")

_length = struct.Struct("<Q").unpack_from
_type = struct.Struct("<I").unpack_from
_array = struct.Struct("<IQ").unpack_from


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
