"""A folder that holds one model, or several of which one must be named; and the files that folders hold.

Links are followed and kept: a model is named by the link, beside which its other parts lie, not by what it links to.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from negtemp.errors import ModelError
from negtemp.model.references import found
from negtemp.model.references.found import SUFFIX, Candidate, Found
from negtemp.printable import printable_path

_DEEPEST = 4


def find(folder: Path) -> Found:
    """The one model of a folder itself, not of those in it. Raises ModelError for none and for several."""
    shown = printable_path(folder)
    there = candidates(folder, deepest=0)
    if not there:
        raise ModelError(f"{shown} is a folder without a .gguf file; name the file of a model")
    return Found(found.only(there, shown, printable_path(there[0].path)).path)


def candidates(folder: Path, deepest: int = _DEEPEST) -> list[Candidate]:
    """The models below a folder; none where it cannot be read."""
    return found.candidates(folder, dict(_sizes(folder, "", deepest)))


def _sizes(folder: Path, prefix: str, deeper: int) -> Iterator[tuple[str, int | None]]:
    """Every .gguf file by its name below the folder, with its size; None for a link that leads nowhere."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if entry.name.endswith(SUFFIX) and not _is_folder(entry):
            yield name, _size(entry)
        elif deeper > 0 and _is_folder(entry):
            yield from _sizes(folder / entry.name, f"{name}/", deeper - 1)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _size(entry: "os.DirEntry[str]") -> int | None:
    try:
        return entry.stat().st_size
    except OSError:
        return None
