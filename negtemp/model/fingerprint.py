"""The identity of a model: a digest of every byte of every file that it is split into.

Of one file it is the file's SHA-256, as `sha256sum` and the hubs print it; of several, the SHA-256 of their digests, a
line each in their order. Reading 4 GB takes seconds, so the digest is kept in the user's cache folder under the file's
path, size, times and inode, and read again once any of them differs. A file that has changed within the last seconds is
not remembered, since its times could stay the same over another change.

It leaves out runs that negtemp 0.1.0 saved: their digest is of a sample of the first file, which proves nothing about
the rest, and their headers name no kind of fingerprint.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from negtemp.errors import ModelError
from negtemp.model import cache
from negtemp.printable import printable_path
from negtemp.progress import ProgressHook, no_progress

# the kind of fingerprint, as headers name it
WHOLE = "sha256"

_BLOCK_BYTES = 1 << 20
# the coarsest clock that a file system keeps times by
_UNSETTLED_SECONDS = 2.0

Stat = list[int]


def fingerprint(files: Sequence[Path], progress: ProgressHook = no_progress) -> str:
    """The digest of a model's files, 64 hexadecimal digits. `progress` wraps the blocks where they must be read.

    Raises ModelError where a file cannot be read or changes meanwhile.
    """
    before = stats(files)
    entry = f"fingerprint-{hashlib.sha256(os.fsencode(files[0].absolute())).hexdigest()[:32]}"
    known = cache.read(entry)
    if known.get("files") == before and isinstance(known.get("sha256"), str):
        return str(known["sha256"])
    digest = _digest(files, progress)
    if stats(files) != before:
        raise ModelError(f"{printable_path(files[0])} changes while it is read; wait until it is whole")
    if _settled(before):
        cache.write(entry, {"files": before, "sha256": digest})
    return digest


def stats(files: Iterable[Path]) -> list[Stat]:
    """What tells a file from what stood in its place before: size, times of content and of inode, inode."""
    try:
        found = [path.stat() for path in files]
    except OSError as error:
        raise ModelError(f"cannot read {printable_path(Path(error.filename))}: {error.strerror}") from None
    return [[one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino] for one in found]


def _settled(found: Iterable[Stat]) -> bool:
    now = time.time_ns()
    return all(abs(now - changed) > _UNSETTLED_SECONDS * 1e9 for _, *times, _ in found for changed in times)


def _digest(files: Sequence[Path], progress: ProgressHook) -> str:
    digests = [hashlib.sha256() for _ in files]

    def read() -> Iterator[None]:
        block = memoryview(bytearray(_BLOCK_BYTES))
        for path, digest in zip(files, digests, strict=True):
            with path.open("rb", buffering=0) as file:
                while count := file.readinto(block):
                    digest.update(block[:count])
                    yield

    try:
        total = sum(-(-path.stat().st_size // _BLOCK_BYTES) for path in files)
        for _ in progress(read(), total, "identifying the model"):
            pass
    except OSError as error:
        raise ModelError(f"cannot read {printable_path(files[0])}: {error.strerror}") from None
    found = [digest.hexdigest() for digest in digests]
    return found[0] if len(found) == 1 else hashlib.sha256("".join(f"{one}\n" for one in found).encode()).hexdigest()
