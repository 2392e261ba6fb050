"""A model by name: where on this machine the file is that a reference means. Nothing is copied, loaded or fetched.

found         what is found, and what there is to choose from
folder        a folder that holds one model
hub           hf:org/repo[:QUANT|:file.gguf][@revision], in the hub's cache
llama_cpp     llama.cpp:file.gguf, in llama.cpp's own
lm_studio     lmstudio:publisher/repo[/file.gguf]
ollama        ollama:name[:tag]
pull          fetches from the hub, by its client

Anything without one of these words and a colon before it is a path; a file of such a name is `./hf:…`. The address of
a server is refused: over HTTP a server gives a few log-probabilities, not the logits that negtemp computes with.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from negtemp.errors import ModelError, UsageError
from negtemp.model.references import folder, found, hub, llama_cpp, lm_studio, ollama
from negtemp.model.references.found import Found
from negtemp.printable import printable_path
from negtemp.records import LocalModel

_FIND: dict[str, Callable[[str], Found]] = {
    "hf": hub.find, "ollama": ollama.find, "lmstudio": lm_studio.find, "llama.cpp": llama_cpp.find,
}  # fmt: skip
_LIKE_A_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(?<!\.gguf)(:[\w.-]+)?")
_HUB_ADDRESS = re.compile(r"https?://(?:huggingface\.co|hf\.co)/([^/]+/[^/?#]+)")


def is_name(text: str) -> bool:
    """Whether a reference is a name and no path."""
    place, colon, _ = text.partition(":")
    return bool(colon) and place in _FIND


def find(reference: "str | os.PathLike[str]") -> Found:
    """The file that a reference means. Raises UsageError for a malformed one, ModelError where nothing is there."""
    text = os.fspath(reference)
    if is_name(text):
        place, _, rest = text.partition(":")
        return _FIND[place](rest)
    if re.match(r"https?:/", text):
        raise _no_address(text)
    path = Path(os.path.expanduser(text))
    if path.is_dir():
        return folder.find(path)
    if not path.exists() and _LIKE_A_REPOSITORY.fullmatch(text):
        raise ModelError(f"no model file at {printable_path(path)}; a model of the hub is hf:{printable_path(text)}")
    return Found(found.first_part(path))


def _no_address(text: str) -> UsageError:
    if match := _HUB_ADDRESS.match(text):
        return UsageError(f"{printable_path(text)} is an address; a model of the hub is hf:{printable_path(match[1])}")
    return UsageError(
        f"{printable_path(text)} is an address, and a server gives no logits of the whole vocabulary; give the file "
        "that it serves"
    )


def models() -> Iterator[LocalModel]:
    """Every model on this machine that has a name, place by place; none is opened."""
    for place in (hub, llama_cpp, lm_studio, ollama):
        yield from place.models()
