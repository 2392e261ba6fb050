"""A folder of records back into memory; it needs neither the model nor the library.

Any folder that negtemp wrote can be read: a run directory, also one that is still being written or was cut off, and
what `--output` makes of a single command.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from negtemp.errors import RecordError
from negtemp.printable import printable
from negtemp.records import Completion, Header, Record, from_line
from negtemp.runs import lines
from negtemp.runs.manifest import Manifest
from negtemp.theory.temperature import Temperature


def load_run(folder: str | os.PathLike[str]) -> list[Record]:
    """The Header and then every record of a folder, in the order of the file.

    What a crash left of an unfinished unit is passed over. Raises RecordError where the folder holds no records, a
    line that is none, or records of another schema.
    """
    return list(iterate(Path(folder)))


def iterate(folder: Path) -> Iterator[Record]:
    """The same, one record at a time."""
    shown = printable(os.fsencode(folder), keep=" ")
    manifest = Manifest.read(folder)
    path = folder / lines.NAME
    if manifest is None:
        if not path.is_file():
            raise RecordError(f"{shown} is no folder of records; give one that --output or a sweep has written")
        yield from _whole_lines(path)
        return
    yield manifest.header
    for unit in lines.finished_units(path):
        yield from map(from_line, unit.lines)


def _whole_lines(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield from_line(line)


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
    """A run's folder, or a file of JSON Lines. Raises RecordError for anything else, or a run without steps."""
    shown = printable(os.fsencode(path), keep=" ")
    header: Header | None = None
    completions = []
    for record in _records(path, shown):
        if isinstance(record, Header):
            header = record
        elif isinstance(record, Completion) and record.token_ids:
            completions.append(record)
    if header is None or not completions:
        raise RecordError(f"{shown} holds no steps; give a run that `negtemp run`, `compare` or `sweep` has saved")
    return Emitted(header, tuple(completions))


def _records(path: Path, shown: str) -> Iterator[Record]:
    if path.is_dir():
        yield from iterate(path)
        return
    try:
        with path.open(encoding="utf-8") as file:
            yield from map(from_line, file)
    except OSError as error:
        raise RecordError(f"cannot read the run {shown}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RecordError(f"{shown} is not UTF-8; give records that negtemp has saved") from None
