"""Small facts that are expensive to compute, kept in the user's cache folder: a JSON object each.

What cannot be kept is computed again, and a damaged or foreign file is ignored; so nothing here fails.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs


def read(entry: str) -> dict[str, Any]:
    """The object kept under a name; empty where there is none."""
    try:
        kept = json.loads((_folder() / f"{entry}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def write(entry: str, value: Mapping[str, Any]) -> None:
    """Keep an object, whole or not at all."""
    with contextlib.suppress(OSError):
        path = _folder() / f"{entry}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        try:
            partial.write_text(json.dumps(value), encoding="utf-8")
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


def _folder() -> Path:
    """Where programs of this user keep what can be made again; the null device for a user without a home."""
    try:
        found = platformdirs.user_cache_path("negtemp", appauthor=False)
    except RuntimeError:  # a user without one, as in many containers
        return Path(os.devnull)
    return found if found.is_absolute() else Path(os.devnull)
