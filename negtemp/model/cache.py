"""What is expensive to compute, kept in the user's cache folder: small facts as JSON objects, tables as bytes.

What cannot be kept is computed again, and a damaged or foreign file is ignored; so nothing here fails. A file is put in
place whole, so that a process that reads it meanwhile has the old one or the new one. Nothing is ever removed.
"""

import contextlib
import hashlib
import json
import mmap
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import platformdirs

Bytes = bytes | memoryview


def read(entry: str) -> dict[str, Any]:
    """The object kept under a name; empty where there is none."""
    try:
        kept = json.loads((_folder() / f"{entry}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def write(entry: str, value: Mapping[str, Any]) -> None:
    """Keep an object, whole or not at all."""
    _put(f"{entry}.json", [json.dumps(value).encode()])


def read_bytes(entry: str) -> memoryview | None:
    """The bytes kept under a name, mapped and not copied; None where there are none, or not those that were kept."""
    try:
        with (_folder() / f"{entry}.bin").open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):
        return None
    size = hashlib.sha256().digest_size
    content = mapped[size:]
    return content if _digest(entry, [content]) == mapped[:size] else None


def write_bytes(entry: str, parts: Iterable[Bytes]) -> None:
    """Keep bytes, given in parts, whole or not at all; their digest stands before them, the name taken in."""
    content = list(parts)
    _put(f"{entry}.bin", [_digest(entry, content), *content])


def _digest(entry: str, content: Iterable[Bytes]) -> bytes:
    digest = hashlib.sha256(entry.encode())
    for part in content:
        digest.update(part)
    return digest.digest()


def _put(name: str, parts: Iterable[Bytes]) -> None:
    with contextlib.suppress(OSError):
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        number, partial = tempfile.mkstemp(prefix=f"{name}.", dir=folder)
        try:
            with open(number, "wb") as file:
                file.writelines(parts)
            os.replace(partial, folder / name)
        except OSError:
            Path(partial).unlink(missing_ok=True)
            raise


def _folder() -> Path:
    """Where programs of this user keep what can be made again; the null device for a user without a home."""
    try:
        found = platformdirs.user_cache_path("negtemp", appauthor=False)
    except RuntimeError:  # a user without one, as in many containers
        return Path(os.devnull)
    return found if found.is_absolute() else Path(os.devnull)
