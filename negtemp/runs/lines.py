"""The lines of `records.jsonl` in a run directory, told apart into finished units and what a crash tore.

A unit's lines, its steps if they are kept and then its Completion, Asked or Failure, are written at once, so a crash
leaves at most one unfinished unit at the end of the file. A line that is no record with a finished unit behind it is
damage of another kind, and is refused.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from negtemp.errors import RecordError
from negtemp.printable import printable_path
from negtemp.records import Asked, Completion, Failure

NAME = "records.jsonl"
FINISHING = (Completion.kind, Asked.kind, Failure.kind)


class Finished(NamedTuple):
    """A finished unit: its lines, the last of which names it, its key, its end in the file, whether it failed."""

    lines: list[str]
    unit: str | None
    end: int
    failed: bool


def finished_units(path: Path) -> Iterator[Finished]:
    """The finished units of a file, in order; none where there is no file. Raises RecordError for a damaged line."""
    lines: list[str] = []
    end, damaged = 0, 0
    for number, raw in enumerate(_raw_lines(path), start=1):
        end += len(raw)
        fields = _fields(raw)
        if fields is None:
            damaged = damaged or number
            continue
        lines.append(raw.decode("utf-8-sig"))
        if fields["kind"] in FINISHING:
            if damaged:
                shown = printable_path(path)
                raise RecordError(f"line {damaged} of {shown} is damaged; remove that line to run its unit again")
            yield Finished(lines, fields.get("unit"), end, fields["kind"] == Failure.kind)
            lines = []


def _raw_lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return


def _fields(raw: bytes) -> dict[str, str] | None:
    """The fields of a whole line of JSON with a kind, or None."""
    try:
        fields = json.loads(raw) if raw.endswith(b"\n") else None
    except ValueError:
        return None
    return fields if isinstance(fields, dict) and "kind" in fields else None
