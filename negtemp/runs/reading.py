"""A folder of records back into memory; it needs neither the model nor the library.

Any folder that negtemp wrote can be read: a run directory, also one that is still being written or was cut off, and
what `--output` makes of a single command.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from negtemp.errors import RecordError
from negtemp.printable import printable
from negtemp.records import Record, from_line
from negtemp.runs import lines
from negtemp.runs.manifest import Manifest


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
