"""`lmstudio:publisher/repo[/file]`: models that LM Studio has fetched, in its folder of models.

    models/publisher/repo/file.gguf

The folder is below LM Studio's home, which `~/.lmstudio-home-pointer` names, or `~/.lmstudio`, or `~/.cache/lm-studio`
of older versions. A folder that was chosen in its settings elsewhere is not looked for: give that one's path. Models in
MLX's format are no GGUF files and are left out.

Source: LM Studio's documentation, "Import Models".
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from negtemp.errors import ModelError, UsageError
from negtemp.model.references import folder, found
from negtemp.model.references.found import SUFFIX, Candidate, Found
from negtemp.printable import printable, printable_path
from negtemp.records import LocalModel

FORM = "lmstudio:publisher/repo or lmstudio:publisher/repo/file.gguf"
_POINTER = "~/.lmstudio-home-pointer"
_HOMES = ("~/.lmstudio", "~/.cache/lm-studio")
_PART = re.compile(r"[^/\0]+")
_DEPTH = 3


def folders() -> list[Path]:
    """Every folder of models there may be, the one in use first."""
    try:
        named = [Path(os.path.expanduser(_POINTER)).read_text(encoding="utf-8").splitlines()[0].strip()]
    except (OSError, ValueError, IndexError):
        named = []
    homes = [Path(os.path.expanduser(home)) for home in (*named, *_HOMES) if home]
    return [home / "models" for home in dict.fromkeys(homes)]


def find(text: str) -> Found:
    """The file that a name behind `lmstudio:` means. Raises UsageError, ModelError."""
    shown = f"lmstudio:{printable(os.fsencode(text), ' ')}"
    parts = text.split("/")
    if not 2 <= len(parts) <= _DEPTH or not all(_PART.fullmatch(part) and part not in (".", "..") for part in parts):
        raise UsageError(f"{shown}: that is no publisher/repo; write {FORM}")
    publisher, repository, *file = parts
    for root in folders():
        there = folder.candidates(root / publisher / repository)
        asked = [one for one in there if _is_meant(one, file[0])] if file else there
        if asked:
            return Found(found.only(asked, shown, f"lmstudio:{publisher}/{repository}/{asked[0].name}").path, shown)
        if there:
            raise ModelError(f"{shown} is not there; the folder holds {found.listed(there)}")
    looked = " or ".join(map(printable_path, folders()))
    raise ModelError(f"{shown} is not in {looked}; `negtemp models` lists what is on this machine")


def _is_meant(one: Candidate, file: str) -> bool:
    wanted = file if file.endswith(SUFFIX) else f"{file}{SUFFIX}"
    return wanted in found.part_names(one.name)


def models() -> Iterator[LocalModel]:
    """Every model of every folder."""
    for root in folders():
        for one in folder.candidates(root):
            if one.name.count("/") >= _DEPTH - 1:
                yield LocalModel(
                    reference=f"lmstudio:{printable_path(one.name)}", source="lmstudio", size=one.size,
                    file=printable_path(one.path), problem=one.problem,
                )  # fmt: skip
