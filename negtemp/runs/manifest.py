"""What a run directory says about itself: `manifest.json`, written before anything else and whole or not at all.

It is the run's Header, the number of its units, which shard of them it holds where it is one, and one entry for each
sitting at it. Settings, model and library are fixed by the first sitting; when and where the others took place may
differ. It leaves out the records (`store`).
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from negtemp.errors import RecordError
from negtemp.printable import printable, printable_path
from negtemp.records import Header

NAME = "manifest.json"
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Manifest:
    """The description of a run."""

    header: Header
    units: int
    sessions: tuple[Mapping[str, Any], ...] = ()
    shard: str | None = None

    def with_session(self, session: Mapping[str, Any]) -> "Manifest":
        return replace(self, sessions=(*self.sessions, session))

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """The manifest of a folder, or None where there is none. Raises RecordError for one of another schema."""
        shown = printable_path(folder)
        try:
            fields = json.loads((folder / NAME).read_text(encoding="utf-8-sig"))
            return cls(Header.from_dict(fields), fields["units"], tuple(fields["sessions"]), fields.get("shard"))
        except FileNotFoundError:
            return None
        except RecordError as error:
            raise RecordError(f"{shown} holds {error}") from None
        except (ValueError, KeyError, TypeError, OSError) as error:
            reason = getattr(error, "strerror", None) or "it is no manifest of a run"
            raise RecordError(f"cannot read {shown}/{NAME}: {reason}") from None

    def write(self, folder: Path) -> None:
        """Replace the folder's manifest, whole or not at all. Raises OSError."""
        partial = folder / f"{NAME}.part"
        try:
            with partial.open("w", encoding="ascii") as file:
                shard = {"shard": self.shard} if self.shard else {}
                own = {"units": self.units, **shard, "sessions": self.sessions}
                json.dump(self.header.to_dict() | own, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(folder / NAME)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as lasting as its files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def differences(old: Header, new: Header) -> list[str]:
    """What keeps a run from going on, each as `name: old → new`: settings, the model's content, the library."""
    fixed_old, fixed_new = _fixed(old), _fixed(new)
    return _other_model(old, new) + [
        f"{name}: {_change(fixed_old.get(name), fixed_new.get(name))}"
        for name in fixed_old | fixed_new
        if fixed_old.get(name) != fixed_new.get(name)
    ]


def _other_model(old: Header, new: Header) -> list[str]:
    """How the models differ, in at most one entry. What 0.1.0 kept of a model says nothing about most of its bytes."""
    kinds = [header.model.fingerprint_kind for header in (old, new)]
    if kinds[0] != kinds[1]:
        return ["model: known by a sample of its first file, as negtemp 0.1.0 kept it → by every byte of all its files"]
    if old.model.fingerprint == new.model.fingerprint:
        return []
    names = [f"{header.model.name} {header.model.fingerprint[:12]}" for header in (old, new)]
    return [f"model: {_change(*names)}"]


def _fixed(header: Header) -> dict[str, Any]:
    # through JSON, so that a tuple equals the list that it was read back as
    return {**header.engine.to_dict(), **json.loads(json.dumps(dict(header.settings)))}


def _change(old: Any, new: Any) -> str:
    """The two values; of two lists only what one has and the other has not."""
    if isinstance(old, list) and isinstance(new, list):
        gone, come = ([x for x in some if x not in others] for some, others in ((old, new), (new, old)))
        if gone or come:
            return ", ".join(
                f"{len(part)} {word} ({_short(part)})" for part, word in ((gone, "gone"), (come, "new")) if part
            )
    return f"{_short([old])} → {_short([new])}"


def _short(values: Sequence[Any]) -> str:
    text = printable(", ".join(json.dumps(value) for value in values).encode("ascii"), keep=' "')
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
