"""Small facts that are dear to find out, kept in the user's cache folder: a JSON object each.

What cannot be kept is found out again, and a file that is damaged or not ours counts as none; so nothing here fails.
"""

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


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
    """Where programs of this user keep what can be made again, by XDG's rules or macOS's."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():  # the rules say to pass over any other
        return named / "negtemp"
    try:
        home = Path.home()
    except RuntimeError:  # a user without one, as in many containers
        home = Path()
    if not home.is_absolute():
        return Path(os.devnull)  # nothing can be kept
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "negtemp"
