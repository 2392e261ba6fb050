"""A saved run back into memory: the one reader, which needs neither the model nor the library.

A run is a folder, of a sweep that may still be written or was cut off, or what `--output` makes of any command; a file
of JSON Lines, as `--json` prints them; or a pipe or `-`, standard input, which is read once and forward only. What a
crash left of an unfinished unit, or of a last line, is passed over; any other line that is no record is refused by its
number.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from negtemp.errors import RecordError
from negtemp.printable import printable_path
from negtemp.records import Completion, Header, Record, from_line
from negtemp.runs import lines, manifest
from negtemp.runs.manifest import Manifest
from negtemp.theory.temperature import Temperature

STANDARD_INPUT = "-"
_MODEL, _BYTE_ORDER_MARK = b"GGUF", b"\xef\xbb\xbf"


@dataclass(frozen=True)
class SavedRun:
    """A saved run: its Header, and the records behind it one at a time, once. `name` is safe to show.

    units and sittings are those of a sweep's manifest: how many units it is to have, and when and where it ran.
    """

    name: str
    header: Header
    records: Iterator[Record]
    units: int | None = None
    sittings: Sequence[Mapping[str, Any]] = ()


def read_run(path: str | os.PathLike[str]) -> SavedRun:
    """The run in a folder, a file or a pipe.

    Raises RecordError, here or on the way through the records, where there are none, for a line that is no record, and
    for records of another schema.
    """
    name = printable_path(path) if os.fspath(path) != STANDARD_INPUT else "standard input"
    about = _manifest(Path(path))
    records = iterate(Path(path))
    header = next(records, None)
    if not isinstance(header, Header):
        raise RecordError(f"{name} does not begin with a header; give what negtemp has saved with --output or --json")
    return SavedRun(name, header, records, *((about.units, about.sessions) if about else ()))


def load_run(path: str | os.PathLike[str]) -> list[Record]:
    """The Header and then every record of a run, in the order in which they were saved. Raises RecordError."""
    run = read_run(path)
    return [run.header, *run.records]


def is_run(path: Path) -> bool:
    """Whether a path leads to a saved run and not to a model: a folder of records, a file of JSON, or a pipe.

    It reads nothing from a pipe, which would be lost to whoever reads it next.
    """
    try:
        if os.fspath(path) == STANDARD_INPUT or (path.exists() and not path.is_file() and not path.is_dir()):
            return True
        if path.is_dir():
            return (path / lines.NAME).exists() or (path / manifest.NAME).exists()
        with path.open("rb") as file:
            return file.read(4).removeprefix(_BYTE_ORDER_MARK)[:1] == b"{"
    except OSError:
        return False  # whoever loads the model says it better


def iterate(path: Path) -> Iterator[Record]:
    """Every record of a run. Raises RecordError."""
    shown = printable_path(path)
    about, folder = _manifest(path), path if path.is_dir() else path.parent
    if about is None:
        if path.is_dir() and not (path / lines.NAME).is_file():
            raise RecordError(f"{shown} is no folder of records; give one that --output or a sweep has written")
        yield from _lines(path / lines.NAME if path.is_dir() else path, shown)
        return
    yield about.header
    for unit in lines.finished_units(folder / lines.NAME):
        yield from map(from_line, unit.lines)


def _manifest(path: Path) -> Manifest | None:
    """The manifest of a run directory, which its file of records names as well; None where there is none."""
    folder = path if path.is_dir() else path.parent if path.name == lines.NAME else None
    return None if folder is None else Manifest.read(folder)


def _lines(path: Path, shown: str) -> Iterator[Record]:
    """The records of a file or pipe, line by line."""
    try:
        with _opened(path) as file:
            if file.peek(len(_MODEL)).startswith(_MODEL):  # type: ignore[attr-defined]
                raise RecordError(f"{shown} is a model, and here a saved run is meant; where a model is, give its file")
            for number, line in enumerate(file, start=1):
                record = _record(line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line, number, shown)
                if record is not None:
                    yield record
    except OSError as error:
        raise RecordError(f"cannot read the run {shown}: {error.strerror}") from None


def _opened(path: Path) -> AbstractContextManager[IO[bytes]]:
    if os.fspath(path) != STANDARD_INPUT:
        return path.open("rb")
    if sys.stdin is None:
        raise RecordError("the run is to come from standard input, which is closed")
    return nullcontext(sys.stdin.buffer)


def _record(line: bytes, number: int, shown: str) -> Record | None:
    """The record of a line; None for an empty one, and for a last one that a crash has cut."""
    try:
        return from_line(line.decode("utf-8")) if line.strip() else None
    except UnicodeDecodeError:
        problem = "is not UTF-8; give records that negtemp has saved"
    except RecordError as error:
        problem = str(error) if str(error).startswith("records of schema") else f"is {error}"
    if not line.endswith(b"\n") and number > 1:
        return None
    raise RecordError(f"line {number} of {shown} {problem}")


@dataclass(frozen=True)
class Emitted:
    """What a saved run emitted: its completions, none without a token, and the Header that says by which model."""

    header: Header
    completions: tuple[Completion, ...]

    @property
    def prompts(self) -> list[str]:
        """The distinct prompts, in their order."""
        return list(dict.fromkeys(completion.prompt for completion in self.completions))

    def by_temperature(self) -> dict[Temperature, list[int]]:
        """Every emitted token id at each temperature, repeats included; the largest beta first."""
        found: dict[Temperature, list[int]] = {}
        for completion in sorted(self.completions, key=lambda completion: -completion.temperature.beta):
            found.setdefault(completion.temperature, []).extend(completion.token_ids)
        return found


def read_emitted(path: Path) -> Emitted:
    """What a saved run emitted. Raises RecordError where nothing is, or the run cannot be read."""
    run = read_run(path)
    completions = [record for record in run.records if isinstance(record, Completion) and record.token_ids]
    if not completions:
        raise RecordError(f"{run.name} holds no steps; give a run that `negtemp run`, `compare` or `sweep` has saved")
    return Emitted(run.header, tuple(completions))
