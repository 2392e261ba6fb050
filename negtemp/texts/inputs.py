"""A file, a pipe, standard input (`-`) or an archive as one stream of bytes that is never asked to seek.

Archives are known by their first bytes: gzip and bzip2 are read by the standard library, Zstandard by it from Python
3.14 on and by `backports.zstd` before. They are unpacked as they are read, so a small archive of a huge file takes no
more memory than any other. It leaves out what the bytes mean (`encodings`) and Parquet, which has to seek (`parquet`).
"""

import bz2
import contextlib
import gzip
import importlib
import io
import os
import re
import select
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from negtemp.errors import ScanError
from negtemp.printable import printable, printable_path, printable_text

STANDARD_INPUT = Path("-")

_HEAD = 16
_ZSTD_MODULES = ("compression.zstd", "backports.zstd")
_UNREAD = (
    (b"\xfd7zXZ\0", "an xz archive"), (b"PK\x03\x04", "a zip archive"), (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x04\x22\x4d\x18", "an lz4 archive"), (b"Rar!\x1a\x07", "a rar archive"),
)  # fmt: skip


class Readable(Protocol):
    """All that is asked of a stream."""

    def read(self, size: int, /) -> bytes: ...


class Archive(NamedTuple):
    """One kind of archive: what it begins with, the endings of its names, and what unpacks it."""

    name: str
    magic: re.Pattern[bytes]
    endings: tuple[str, ...]
    unpack: Callable[[Any], Readable]


def zstd() -> ModuleType:
    """The module that reads Zstandard. Raises ScanError, with what to install, where there is none."""
    for name in _ZSTD_MODULES:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise ScanError("reading Zstandard takes another package; pip install 'negtemp[scan]'")


def _open_gzip(file: Any) -> Readable:
    return gzip.GzipFile(fileobj=file, mode="rb")


def _open_zstd(file: Any) -> Readable:
    opened: Readable = zstd().ZstdFile(file, "rb")
    return opened


ARCHIVES = (
    Archive("gzip", re.compile(rb"\x1f\x8b"), (".gz",), _open_gzip),
    # a frame, or a frame to be skipped
    Archive("Zstandard", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), (".zst", ".zstd"), _open_zstd),
    # a block, or the end of an archive of nothing
    Archive("bzip2", re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), (".bz2",), bz2.BZ2File),
)


class Peekable:
    """A stream whose first bytes can be looked at before they are read; `count` bytes were read so far."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._ahead = b""
        self._ended = False
        self.count = 0

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end only."""
        self._ahead += self._more(size - len(self._ahead))
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; empty at the end only."""
        if self._ahead:
            piece, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            piece = self._more(size)
        self.count += len(piece)
        return piece

    def _more(self, size: int) -> bytes:
        """Read again and again in Python, where a Ctrl-C counts between two reads, as in C it would not."""
        pieces = []
        while size > 0 and not self._ended:
            piece = self._file.read(size)
            self._ended = not piece
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


class _Unbuffered:
    """A file that waits where there is nothing to read yet, also where whoever opened a pipe wants it not to."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file

    def read(self, size: int, /) -> bytes:
        while (piece := self._file.read(size)) is None:
            select.select([self._file], [], [])
        return piece


class Input(NamedTuple):
    """One open input. `stored` counts the bytes of the file or pipe, `stream` gives them unpacked."""

    name: str
    size: int | None
    stored: Peekable
    stream: Peekable


def shown(path: Path) -> str:
    """The name of an input as messages and tables show it."""
    return "<stdin>" if path == STANDARD_INPUT else printable_path(path)


def endings(path: Path) -> list[str]:
    """The endings of a file's name in small letters, that of an archive left out: `.jsonl` of `a.jsonl.gz`."""
    found = [ending.lower() for ending in path.suffixes]
    return found[:-1] if found and any(found[-1] in archive.endings for archive in ARCHIVES) else found


def check(path: Path) -> None:
    """Raise ScanError where an input cannot be read, as far as that can be told without opening it."""
    if path == STANDARD_INPUT:
        return
    with translated(path):
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError
        if not os.access(path, os.R_OK):
            raise PermissionError(13, os.strerror(13))
    if path.suffix.lower() in (".zst", ".zstd"):
        zstd()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Input]:
    """An input, unpacked where it is an archive. Raises ScanError where it cannot be read."""
    with contextlib.ExitStack() as stack:
        with translated(path):
            if path == STANDARD_INPUT and sys.stdin is None:
                raise ScanError("standard input is closed; name a file")
            is_standard = path == STANDARD_INPUT
            file = stack.enter_context(io.FileIO(0 if is_standard else path, closefd=not is_standard))
            found = os.fstat(file.fileno())
            stored = Peekable(_Unbuffered(file))
            head = stored.peek(_HEAD)
        size = found.st_size if stat.S_ISREG(found.st_mode) else None
        yield Input(shown(path), size, stored, _unpacked(path, head, stored))


def _unpacked(path: Path, head: bytes, stored: Peekable) -> Peekable:
    for archive in ARCHIVES:
        if archive.magic.match(head):
            return Peekable(archive.unpack(stored))
        if path.suffix.lower() in archive.endings:
            raise ScanError(
                f"{shown(path)} is no {archive.name} archive, whatever its name says: it begins with "
                f"{printable(head[:4])!r}; give it another name, or download it again"
            )
    for magic, name in _UNREAD:
        if head.startswith(magic):
            raise ScanError(f"{shown(path)} is {name}, which is not read here; unpack it first")
    return stored


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """What reading an input may raise, as a ScanError of one line."""
    name = shown(path)
    try:
        yield
    except IsADirectoryError:
        raise ScanError(f"{name} is a folder; name the files in it") from None
    except EOFError:
        raise ScanError(f"{name} is cut off: the archive has no end; download or copy it again") from None
    except (OSError, zlib.error) as error:
        if isinstance(error, OSError) and error.strerror:
            raise ScanError(f"cannot read {name}: {error.strerror}") from None
        reason = printable(str(error).encode("utf-8", "replace"), keep=" '\"")
        raise ScanError(f"{name} is corrupt: {reason}; download or copy it again") from None
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        raise ScanError(f"{name} is corrupt: {printable_text(str(error), keep=' ')}; download it again") from None
