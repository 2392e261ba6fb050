"""`llama.cpp:file.gguf`: what llama.cpp fetched before it took over the hub's layout, flat in a folder of its own.

    ORG_REPO_FILE.gguf    of a repository; with slashes of FILE as underscores
    FILE.gguf             of an address (--model-url)
    *.etag, *.json        beside them; *.downloadInProgress while one is being fetched

What newer versions fetch lies in the hub's layout (`hub`). Source: llama.cpp, common/common.cpp
`fs_get_cache_directory`; common/download.cpp as of late 2025.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from negtemp.errors import ModelError, UsageError
from negtemp.model.references import folder, found
from negtemp.model.references.found import SUFFIX, Candidate, Found
from negtemp.printable import printable, printable_path
from negtemp.records.local_model import LocalModel, size_text

FORM = "llama.cpp:file.gguf"
_UNFINISHED = ".downloadInProgress"


def cache() -> Path:
    """The folder, by the variables that llama.cpp reads."""
    if given := os.environ.get("LLAMA_CACHE"):
        return Path(given)
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches/llama.cpp"))
    return Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache"), "llama.cpp")


def find(text: str) -> Found:
    """The file of that name. Raises UsageError for what names no file, ModelError where it is not whole and there."""
    shown = f"llama.cpp:{printable(os.fsencode(text), ' ')}"
    if "/" in text or "\0" in text or not text.endswith(SUFFIX):
        raise UsageError(f"{shown}: that is no name of a file; write {FORM}")
    there = [one for one in folder.candidates(cache(), deepest=0) if text in found.part_names(one.name)]
    if there:
        return Found(found.only(there, shown, FORM).path, shown)
    unfinished = cache() / f"{text}{_UNFINISHED}"
    if unfinished.is_file():
        size = size_text(unfinished.stat().st_size)
        raise ModelError(f"{shown} has been fetched in part only ({size}); let llama.cpp fetch the rest")
    raise ModelError(f"{shown} is not in {printable_path(cache())}; `negtemp models` lists what is on this machine")


def of_repository(repository: str) -> list[Candidate]:
    """What llama.cpp once fetched of a repository of the hub, by the names that the files have there."""
    prefix = repository.replace("/", "_") + "_"
    there = [one for one in folder.candidates(cache(), deepest=0) if one.name.startswith(prefix)]
    return [replace(one, name=one.name.removeprefix(prefix)) for one in there]


def models() -> Iterator[LocalModel]:
    """Every model of the folder itself."""
    for one in folder.candidates(cache(), deepest=0):
        yield LocalModel(
            reference=f"llama.cpp:{printable_path(one.name)}", source="llama.cpp", size=one.size,
            file=printable_path(one.path), problem=one.problem,
        )  # fmt: skip
