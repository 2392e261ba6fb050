"""What looking for a model yields: where its file is, how it was named, and what there is to choose from.

A `Found` is a file that llama.cpp can be given. A `Candidate` is one model that a folder holds, whatever the number of
files that it is split into. It leaves out what is in a file (`model_file`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from negtemp.errors import ModelError
from negtemp.printable import printable_path
from negtemp.records.local_model import size_text

SUFFIX = ".gguf"
# one part of a model, as llama.cpp names it (llama.h, `llama_split_path`)
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)
# what lies beside models and is none: projectors, importance matrices, draft heads
_COMPANION = re.compile(r"mmproj|imatrix|(^|/)(mtp|eagle3|dflash|dspark)-")
# the last word of a file's name, with a maker's mark before it, as in `model-UD-Q4_K_M`
_LABEL = re.compile(r"(?:^|[-./])((?:UD-|i1-)?[A-Za-z0-9_]+)$")
_MOST_SHOWN = 12


class Found(NamedTuple):
    """A model's file, or the first of several, and the reference that led to it.

    reference  as it was given, where it was a name and no path
    revision   the commit or manifest that the name meant, where its place keeps such
    """

    path: Path
    reference: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model of a folder: the name of its first file below it, the bytes of all files, and what is wrong with it."""

    name: str
    path: Path
    size: int
    problem: str | None = None

    @property
    def label(self) -> str:
        """The word for its quantisation, such as Q4_K_M: the last one of its name; empty where there is none."""
        stem = match["stem"] if (match := _PART.fullmatch(self.name)) else self.name.removesuffix(SUFFIX)
        found = _LABEL.search(stem)
        return found[1] if found else ""


Sizes = Mapping[str, int | None]


def candidates(folder: Path, sizes: Sizes) -> list[Candidate]:
    """The models among files below a folder, whose sizes are given by name; None is a file that cannot be read."""
    models = [name for name in sorted(sizes) if name.endswith(SUFFIX) and not _COMPANION.search(name)]
    return [
        Candidate(parts[0], folder / parts[0], sum(sizes.get(part) or 0 for part in parts), _problem(parts, sizes))
        for parts in dict.fromkeys(tuple(part_names(name)) for name in models)
    ]


def part_names(name: str) -> list[str]:
    """The names of all files of the model that a file belongs to, in order."""
    match = _PART.fullmatch(name)
    if match is None:
        return [name]
    count = int(match["count"])
    return [f"{match['stem']}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]


def _problem(parts: Sequence[str], sizes: Sizes) -> str | None:
    missing = [part for part in parts if part not in sizes]
    if missing:
        return f"has {len(parts) - len(missing)} of its {len(parts)} files; {PurePosixPath(missing[0]).name} is missing"
    broken = [part for part in parts if sizes[part] is None]
    return f"leads nowhere: what {PurePosixPath(broken[0]).name} links to is gone" if broken else None


def first_part(path: Path) -> Path:
    """The file that llama.cpp must be given for a model of which `path` is any part."""
    first = path.with_name(part_names(path.name)[0])
    return first if first != path and first.is_file() and _is_later_part(path) else path


def _is_later_part(path: Path) -> bool:
    # all but the first part have a head of three entries; a whole model may be named like a part
    try:
        with path.open("rb") as file:
            return b"split.count" in file.read(4096)
    except OSError:
        return False


def meant(given: Sequence[Candidate], quant: str) -> list[Candidate]:
    """Those whose quantisation is `quant`, in any case; if none is just that, those with the word in their name."""
    wanted = quant.casefold()
    exactly = [one for one in given if one.label.casefold() == wanted]
    word = re.compile(rf"(?:^|[-._/]){re.escape(wanted)}(?:[-./]|$)")
    return exactly or [one for one in given if word.search(one.name.casefold())]


def only(given: Sequence[Candidate], where: str, how: str) -> Candidate:
    """The one candidate. Raises ModelError that lists several with their sizes, or says what is wrong with the one.

    `where` is what holds them, `how` an example of naming one of them.
    """
    if len(given) > 1:
        raise ModelError(f"{where} holds {len(given)} models: {listed(given)}; name one, such as {how}")
    if given[0].problem:
        raise ModelError(f"{where}: {printable_path(Path(given[0].name))} {given[0].problem}")
    return given[0]


def listed(given: Iterable[Candidate]) -> str:
    """Names and sizes, the first dozen."""
    each = [f"{printable_path(Path(one.name))} ({size_text(one.size)})" for one in given]
    more = len(each) - _MOST_SHOWN
    return ", ".join(each[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
